/* SPDX-License-Identifier: Apache-2.0 */
/* Transposed convolution: the gradient that a convolution of weight (C, O / groups, kh, kw) has for its input, with x in the
 * place of dy, and a bias. It is expanded to that (Dumoulin and Visin, arXiv:1603.07285, chapter 4). */
#include "ir/onnx.h"
#include "ops/conv2d.h"

#include "ops/elementwise.h"

typedef struct fvi_conv_transpose2d_attr { fvi_conv2d_attr conv; int64_t output_padding[2]; } fvi_conv_transpose2d_attr;

static const fvi_attr_def attrs[] = {
    FVI_CONV2D_ATTRS,
    {.name = "output_padding", .kind = FVI_ATTR_INT, .offset = offsetof(fvi_conv_transpose2d_attr, output_padding), .count = 2,
     .min = 0, .max = 65535, .help = "rows and columns more below and to the right; less than stride"},
    FVI_ATTR_END,
};

/* Height and width of y. */
static void output_size(const fvi_conv_transpose2d_attr *a, const fvi_type *x, const fvi_type *w, int64_t size[2])
{
    const fvi_conv2d_attr *c = &a->conv;
    for (int i = 0; i < 2; i++)
        size[i] = (x->dim[2 + i] - 1) * c->stride[i] - 2 * c->padding[i] + c->dilation[i] * (w->dim[2 + i] - 1) + a->output_padding[i] + 1;
}

static fv_status infer(fvi_infer *c)
{
    const fvi_conv_transpose2d_attr *a = c->attr;
    const fvi_type *x = &c->in[0], *w = &c->in[1], *bias = c->n_in > 2 ? &c->in[2] : NULL;
    char t[2][FVI_TYPE_TEXT];
    if (!fv_dtype_is_float(x->dtype) || x->rank != 4 || x->dim[1] < 1 || x->dim[2] < 1 || x->dim[3] < 1)
        return fvi_infer_fail(c, "the input must be a floating (N, C, H, W) with constant C, H, W, not %s", fvi_type_text(x, t[0]));
    if (w->rank != 4 || w->dtype != x->dtype || w->dim[0] != x->dim[1] || w->dim[1] < 1 || w->dim[2] < 1 || w->dim[3] < 1 ||
        w->dim[0] % a->conv.groups)
        return fvi_infer_fail(c, "the weight must be (%lld, O / groups, kh, kw) for input %s with groups=%lld, not %s",
                              (long long)x->dim[1], fvi_type_text(x, t[0]), (long long)a->conv.groups, fvi_type_text(w, t[1]));
    const int64_t channels = w->dim[1] * a->conv.groups;
    if (bias && (bias->rank != 1 || bias->dim[0] != channels || bias->dtype != x->dtype))
        return fvi_infer_fail(c, "the bias must be (%lld,) for weight %s, not %s", (long long)channels, fvi_type_text(w, t[0]),
                              fvi_type_text(bias, t[1]));
    int64_t size[2];
    output_size(a, x, w, size);
    for (int i = 0; i < 2; i++)
        if (a->output_padding[i] >= a->conv.stride[i] || size[i] < 1)
            return fvi_infer_fail(c, "output_padding %lld must be less than stride %lld, and something be left of %s",
                                  (long long)a->output_padding[i], (long long)a->conv.stride[i], fvi_type_text(x, t[0]));
    c->out[0] = fvi_type_make(x->dtype, 4, (const int64_t[]){x->dim[0], channels, size[0], size[1]});
    return FV_OK;
}

static fv_status expand(fvi_expansion *c)
{
    const fvi_conv_transpose2d_attr *a = c->node->attr;
    const fvi_type *y = &c->node->out[0].type;
    fvi_conv2d_attr back = a->conv;
    back.kernel[0] = back.kernel[1] = 0;
    for (int i = 0; i < 2; i++) back.size[i] = y->dim[2 + i];
    c->out[0] = fvi_emit(c->g, "conv2d_dgrad", &back, 2, c->in[0], c->in[1]);
    if (c->node->n_in > 2) c->out[0] = fv_add(c->g, c->out[0], fv_reshape(c->g, c->in[2], 3, (const int64_t[]){y->dim[1], 1, 1}));
    return fv_graph_status(c->g);
}

/* Two operations for each tap that meets an input. */
static double flops(const fvi_node *n)
{
    const fvi_type *w = &n->in[1]->type;
    return 2 * (double)fvi_type_numel(&n->in[0]->type) * (double)(w->dim[1] * w->dim[2] * w->dim[3]);
}

#define CASE(name_, s, p, d, g, extra) \
    static const fvi_conv_transpose2d_attr name_ = {{.stride = {s, s}, .padding = {p, p}, .dilation = {d, d}, .groups = g}, {extra, extra}}
CASE(twice, 2, 1, 1, 1, 0);
CASE(odd, 2, 1, 1, 1, 1);
CASE(grouped, 1, 0, 2, 2, 0);
#define N FVI_DRAW_NORMAL
static const fvi_sample samples[] = {
    {"twice", &twice, 3, {FVI_S(N, FV_N, 3, 3, 4), FVI_S(N, 3, 2, 4, 4), FVI_S(N, 2)}},
    {"odd", &odd, 2, {FVI_S(N, FV_N, 2, 3, 2), FVI_S(N, 2, 3, 3, 3)}},
    {"grouped", &grouped, 3, {FVI_S(N, FV_N, 4, 3, 3), FVI_S(N, 4, 3, 2, 2), FVI_S(N, 6)}},
};

static void onnx(fvi_onnx *o)
{
    const fvi_conv_transpose2d_attr *a = o->attr;
    const fvi_conv2d_attr *c = &a->conv;
    const int64_t pads[4] = {c->padding[0], c->padding[1], c->padding[0], c->padding[1]};
    o->add(o, &(fvi_onnx_op){.type = "ConvTranspose", .in = {o->in[0], o->in[1], o->n_in > 2 ? o->in[2] : NULL}, .out = {o->out[0]},
                             .attrs = {FVI_ONNX_INTS("dilations", 2, c->dilation), FVI_ONNX_INT("group", c->groups),
                                       FVI_ONNX_INTS("kernel_shape", 2, o->node->in[1]->type.dim + 2), FVI_ONNX_INTS("pads", 4, pads),
                                       FVI_ONNX_INTS("strides", 2, c->stride), FVI_ONNX_INTS("output_padding", 2, a->output_padding)}});
}

static const fvi_op op_conv_transpose2d = {
    .name = "conv_transpose2d", .version = 1, .kind = FVI_COMPOSITE, .doc = "y = the x that a convolution would take to the input, + b",
    .n_in_min = 2, .n_in_max = 3, .n_out = 1, .attr_size = sizeof(fvi_conv_transpose2d_attr), .attrs = attrs,
    .infer = infer, .expand = expand, .samples = samples, .n_samples = FVI_COUNT(samples),
    .precision = FVI_PRECISION_LOW, .flops = flops,
    .onnx_emit = onnx,
};
FVI_OPS(conv_transpose2d, &op_conv_transpose2d);

fv_value *fv_conv_transpose2d_op(fv_graph *g, fv_value *x, fv_value *weight, fv_value *bias, const fv_conv_transpose2d_options *o)
{
    fvi_conv_transpose2d_attr a;
    memset(&a, 0, sizeof a);
    fvi_attr_defaults(attrs, &a);
    for (int i = 0; i < 2 && o; i++) {
        if (o->stride[i]) a.conv.stride[i] = o->stride[i];
        if (o->dilation[i]) a.conv.dilation[i] = o->dilation[i];
        a.conv.padding[i] = o->padding[i];
        a.output_padding[i] = o->output_padding[i];
    }
    if (o && o->groups) a.conv.groups = o->groups;
    return fvi_emit(g, "conv_transpose2d", &a, bias ? 3 : 2, x, weight, bias);
}
