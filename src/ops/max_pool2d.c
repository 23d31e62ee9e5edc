/* SPDX-License-Identifier: Apache-2.0 */
/* Maximum over windows; padding counts as -inf. The index output is the place of the maximum in its H x W plane, the
 * first of equals; NaN wins, as in PyTorch (aten/src/ATen/native/cpu/MaxPoolKernel.cpp). dx adds dy at those places. */
#include "ir/onnx.h"
#include "ops/pool2d.h"
#include "ops/softmax.h"

static const fvi_attr_def attrs[] = {FVI_POOL2D_ATTRS, FVI_ATTR_END};
static const fvi_attr_def backward_attrs[] = {FVI_POOL2D_ATTRS, FVI_POOL2D_SIZE_ATTR(fvi_pool2d_attr), FVI_ATTR_END};

static fv_status infer(fvi_infer *c)
{
    FVI_TRY(c->ctx, fvi_pool2d_infer(c, &c->in[0], &c->out[0]));
    c->out[1] = c->out[0];
    c->out[1].dtype = FV_I64;
    return FV_OK;
}

static fv_status infer_backward(fvi_infer *c)
{
    char t[2][FVI_TYPE_TEXT];
    FVI_TRY(c->ctx, fvi_pool2d_infer_backward(c));
    if (c->in[1].dtype != FV_I64 || !fvi_type_same_shape(&c->in[0], &c->in[1]))
        return fvi_infer_fail(c, "the index must be i64 in the shape of the gradient %s, not %s", fvi_type_text(&c->in[0], t[0]),
                              fvi_type_text(&c->in[1], t[1]));
    return FV_OK;
}

static void reference(const fvi_ref *r)
{
    const fvi_pool2d_attr *a = r->attr;
    const fvi_type *x = &r->in[0].type, *y = &r->out[0].type;
    const int64_t h = x->dim[2], w = x->dim[3], oh = y->dim[2], ow = y->dim[3];
#pragma omp parallel for if (FVI_WORTH_THREADS(2 * fvi_type_numel(y) * a->kernel[0] * a->kernel[1]))
    for (int64_t plane = 0; plane < x->dim[0] * x->dim[1]; plane++) {
        const double *p = r->in[0].f + plane * h * w;
        for (int64_t i = 0; i < oh; i++)
            for (int64_t j = 0; j < ow; j++) {
                int64_t top, bottom, left, right;
                fvi_pool2d_window(a, 0, i, h, &top, &bottom);
                fvi_pool2d_window(a, 1, j, w, &left, &right);
                int64_t best = top * w + left;
                for (int64_t u = top; u < bottom; u++)
                    for (int64_t v = left; v < right; v++)
                        if (p[u * w + v] > p[best] || isnan(p[u * w + v])) best = u * w + v;
                r->out[0].f[(plane * oh + i) * ow + j] = p[best];
                r->out[1].i[(plane * oh + i) * ow + j] = best;
            }
    }
}

static void reference_backward(const fvi_ref *r)
{
    const fvi_type *dy = &r->in[0].type, *dx = &r->out[0].type;
    const int64_t in = dx->dim[2] * dx->dim[3], out = dy->dim[2] * dy->dim[3];
#pragma omp parallel for if (FVI_WORTH_THREADS(2 * fvi_type_numel(dx)))
    for (int64_t plane = 0; plane < dx->dim[0] * dx->dim[1]; plane++) {
        double *p = r->out[0].f + plane * in;
        memset(p, 0, sizeof *p * (size_t)in);
        for (int64_t i = plane * out; i < (plane + 1) * out; i++) {
            const int64_t at = r->in[1].i[i];
            if (at >= 0 && at < in) p[at] += r->in[0].f[i];
        }
    }
}

static fv_status gradient(fvi_gradient *c)
{
    fvi_pool2d_attr a = *(const fvi_pool2d_attr *)c->node->attr;
    for (int i = 0; i < 2; i++) a.size[i] = c->in[0]->type.dim[2 + i];
    c->din[0] = c->dout[0] ? fvi_emit(c->g, "max_pool2d_backward", &a, 2, c->dout[0], c->out[1]) : NULL;
    return fv_graph_status(c->g);
}

/* dy is read at the places that it was added to: what arrives there is its gradient. */
static fv_status gradient_backward(fvi_gradient *c)
{
    const fvi_type *dy = &c->in[0]->type, *dx = &c->out[0]->type;
    fv_graph *g = c->g;
    fv_value *planes = fv_reshape(g, c->dout[0], 3, (const int64_t[]){dx->dim[0], dx->dim[1], dx->dim[2] * dx->dim[3]});
    fv_value *index = fv_reshape(g, c->in[1], 3, (const int64_t[]){dy->dim[0], dy->dim[1], dy->dim[2] * dy->dim[3]});
    fv_value *taken = fvi_emit(g, "take_along", &(fvi_softmax_attr){2}, 2, planes, index);
    c->din[0] = fv_reshape(g, taken, dy->rank, dy->dim);
    return fv_graph_status(g);
}

#define CASE(name_, k0, k1, s0, s1, p0, p1, h, w, ceil) \
    static const fvi_pool2d_attr name_ = {.kernel = {k0, k1}, .stride = {s0, s1}, .padding = {p0, p1}, .size = {h, w}, .ceil_mode = ceil}
CASE(halving, 2, 2, 2, 2, 0, 0, 6, 4, false);
CASE(stem, 3, 3, 2, 2, 1, 1, 7, 6, false);
CASE(partial, 3, 3, 2, 2, 0, 0, 6, 6, true);
CASE(partial_pad, 2, 3, 2, 3, 1, 1, 5, 7, true);
CASE(overlap, 3, 2, 1, 1, 1, 0, 4, 5, false);
CASE(gap, 2, 1, 3, 2, 0, 0, 7, 5, false);
/* For the backward op every window covers the whole plane, so any index is one that the forward op could give. */
CASE(whole, 3, 3, 1, 1, 1, 1, 2, 2, false);
CASE(whole_odd, 5, 5, 1, 1, 2, 2, 3, 3, false);
CASE(single, 3, 2, 2, 2, 0, 0, 3, 2, false);

#define D FVI_DRAW_DISTINCT
static const fvi_sample samples[] = {
    {"halving", &halving, 1, {FVI_S(D, FV_N, 3, 6, 4)}},
    {"stem", &stem, 1, {FVI_S(D, FV_N, 2, 7, 6)}},
    {"partial", &partial, 1, {FVI_S(D, FV_N, 2, 6, 6)}},
    {"partial_pad", &partial_pad, 1, {FVI_S(D, FV_N, 1, 5, 7)}},
    {"overlap", &overlap, 1, {FVI_S(D, FV_N, 17, 4, 5)}},
    {"gap", &gap, 1, {FVI_S(D, FV_N, 2, 7, 5)}},
};
static const fvi_sample backward_samples[] = {
    {"whole", &whole, 2, {FVI_S(FVI_DRAW_NORMAL, FV_N, 3, 2, 2), FVI_S_INDEX(4, FV_N, 3, 2, 2)}},
    {"whole_odd", &whole_odd, 2, {FVI_S(FVI_DRAW_NORMAL, FV_N, 2, 3, 3), FVI_S_INDEX(9, FV_N, 2, 3, 3)}},
    {"single", &single, 2, {FVI_S(FVI_DRAW_NORMAL, FV_N, 17, 1, 1), FVI_S_INDEX(6, FV_N, 17, 1, 1)}},
};

/* ONNX counts the places of the whole tensor, ours those of a plane. */
static void onnx(fvi_onnx *o)
{
    const fvi_type *x = &o->node->in[0]->type;
    int64_t pads[4];
    fvi_pool2d_onnx_pads(o, pads);
    const fvi_pool2d_attr *a = o->attr;
    fvi_onnx_op op = {.type = "MaxPool", .in = {o->in[0]}, .out = {o->out[0]},
                      .attrs = {FVI_ONNX_INTS("kernel_shape", 2, a->kernel), FVI_ONNX_INTS("pads", 4, pads), FVI_ONNX_INTS("strides", 2, a->stride)}};
    if (o->out[1]) {
        const int64_t plane = x->dim[2] * x->dim[3];
        op.out[1] = o->fresh(o);
        o->add(o, &op);
        o->add(o, &(fvi_onnx_op){.type = "Mod", .in = {op.out[1], o->ints(o, 1, &plane)}, .out = {o->out[1]}});
    } else {
        o->add(o, &op);
    }
}

static const fvi_op op_max_pool2d = {
    .name = "max_pool2d", .version = 1, .kind = FVI_PRIMITIVE, .doc = "y = maximum of each window; index = its place in the H x W plane",
    .n_in_min = 1, .n_in_max = 1, .n_out = 2, .attr_size = sizeof(fvi_pool2d_attr), .attrs = attrs,
    .infer = infer, .grad = gradient, .ref = reference, .samples = samples, .n_samples = FVI_COUNT(samples),
    .onnx_emit = onnx,
};
static const fvi_op op_max_pool2d_backward = {
    .name = "max_pool2d_backward", .version = 1, .kind = FVI_PRIMITIVE, .doc = "dx = sum of dy at the places in index",
    .n_in_min = 2, .n_in_max = 2, .n_out = 1, .attr_size = sizeof(fvi_pool2d_attr), .attrs = backward_attrs,
    .infer = infer_backward, .grad = gradient_backward, .ref = reference_backward,
    .samples = backward_samples, .n_samples = FVI_COUNT(backward_samples),
};
FVI_OPS(max_pool2d, &op_max_pool2d, &op_max_pool2d_backward);

fv_value *fv_max_pool2d(fv_graph *g, fv_value *x, const fv_pool2d_options *o)
{
    const fvi_pool2d_attr a = fvi_pool2d_of(attrs, o);
    return fvi_emit(g, "max_pool2d", &a, 1, x);
}
