/* SPDX-License-Identifier: Apache-2.0 */
/* Mean over windows. With count_include_pad the divisor is the window's size, cut at the padded border; else the number
 * of real values in it (aten/src/ATen/native/cpu/AvgPoolKernel.cpp). The op is linear: its two records are each other's
 * gradients. */
#include "ir/onnx.h"
#include "ops/pool2d.h"

static const fvi_attr_def attrs[] = {FVI_POOL2D_ATTRS, FVI_POOL2D_COUNT_ATTR, FVI_ATTR_END};
static const fvi_attr_def backward_attrs[] = {
    FVI_POOL2D_ATTRS, FVI_POOL2D_COUNT_ATTR, FVI_POOL2D_SIZE_ATTR(fvi_pool2d_attr), FVI_ATTR_END,
};

static fv_status infer(fvi_infer *c)
{
    return fvi_pool2d_infer(c, &c->in[0], &c->out[0]);
}

/* One window: its part inside the image and 1 / divisor. */
typedef struct window { int64_t top, bottom, left, right; double share; } window;
static window window_at(const fvi_pool2d_attr *a, int64_t i, int64_t j, int64_t h, int64_t w)
{
    window v;
    int64_t count = fvi_pool2d_window(a, 0, i, h, &v.top, &v.bottom);
    count *= fvi_pool2d_window(a, 1, j, w, &v.left, &v.right);
    if (!a->count_include_pad) count = (v.bottom - v.top) * (v.right - v.left);
    v.share = 1 / (double)count;
    return v;
}

static void reference(const fvi_ref *r)
{
    const fvi_type *x = &r->in[0].type, *y = &r->out[0].type;
    const int64_t h = x->dim[2], w = x->dim[3], oh = y->dim[2], ow = y->dim[3];
#pragma omp parallel for if (FVI_WORTH_THREADS(fvi_type_numel(x)))
    for (int64_t plane = 0; plane < x->dim[0] * x->dim[1]; plane++) {
        const double *p = r->in[0].f + plane * h * w;
        for (int64_t i = 0; i < oh; i++)
            for (int64_t j = 0; j < ow; j++) {
                const window v = window_at(r->attr, i, j, h, w);
                double sum = 0;
                for (int64_t u = v.top; u < v.bottom; u++)
                    for (int64_t k = v.left; k < v.right; k++) sum += p[u * w + k];
                r->out[0].f[(plane * oh + i) * ow + j] = sum * v.share;
            }
    }
}

static void reference_backward(const fvi_ref *r)
{
    const fvi_type *dx = &r->out[0].type, *dy = &r->in[0].type;
    const int64_t h = dx->dim[2], w = dx->dim[3], oh = dy->dim[2], ow = dy->dim[3];
#pragma omp parallel for if (FVI_WORTH_THREADS(fvi_type_numel(dx)))
    for (int64_t plane = 0; plane < dx->dim[0] * dx->dim[1]; plane++) {
        double *p = r->out[0].f + plane * h * w;
        memset(p, 0, sizeof *p * (size_t)(h * w));
        for (int64_t i = 0; i < oh; i++)
            for (int64_t j = 0; j < ow; j++) {
                const window v = window_at(r->attr, i, j, h, w);
                const double d = r->in[0].f[(plane * oh + i) * ow + j] * v.share;
                for (int64_t u = v.top; u < v.bottom; u++)
                    for (int64_t k = v.left; k < v.right; k++) p[u * w + k] += d;
            }
    }
}

static fv_status gradient(fvi_gradient *c)
{
    fvi_pool2d_attr a = *(const fvi_pool2d_attr *)c->node->attr;
    for (int i = 0; i < 2; i++) a.size[i] = c->in[0]->type.dim[2 + i];
    c->din[0] = fvi_emit(c->g, "avg_pool2d_backward", &a, 1, c->dout[0]);
    return fv_graph_status(c->g);
}

static fv_status gradient_backward(fvi_gradient *c)
{
    fvi_pool2d_attr a = *(const fvi_pool2d_attr *)c->node->attr;
    a.size[0] = a.size[1] = 0;
    c->din[0] = fvi_emit(c->g, "avg_pool2d", &a, 1, c->dout[0]);
    return fv_graph_status(c->g);
}

#define CASE(name_, k0, k1, s0, s1, p0, p1, h, w, ceil, pad)                                                              \
    static const fvi_pool2d_attr name_ = {.kernel = {k0, k1}, .stride = {s0, s1}, .padding = {p0, p1}, .size = {h, w},    \
                                          .ceil_mode = ceil, .count_include_pad = pad}
CASE(halving, 2, 2, 2, 2, 0, 0, 6, 4, false, true);
CASE(padded, 3, 3, 2, 2, 1, 1, 7, 6, false, true);
CASE(real_only, 3, 3, 2, 2, 1, 1, 7, 6, false, false);
CASE(partial, 3, 3, 2, 2, 0, 0, 6, 6, true, true);
CASE(partial_pad, 2, 3, 2, 3, 1, 1, 5, 7, true, true);
CASE(partial_real, 2, 3, 2, 3, 1, 1, 5, 7, true, false);

#define N FVI_DRAW_NORMAL
static const fvi_sample samples[] = {
    {"halving", &halving, 1, {FVI_S(N, FV_N, 3, 6, 4)}},
    {"padded", &padded, 1, {FVI_S(N, FV_N, 2, 7, 6)}},
    {"real_only", &real_only, 1, {FVI_S(N, FV_N, 17, 7, 6)}},
    {"partial", &partial, 1, {FVI_S(N, FV_N, 2, 6, 6)}},
    {"partial_pad", &partial_pad, 1, {FVI_S(N, FV_N, 1, 5, 7)}},
    {"partial_real", &partial_real, 1, {FVI_S(N, FV_N, 1, 5, 7)}},
};
static const fvi_sample backward_samples[] = {
    {"halving", &halving, 1, {FVI_S(N, FV_N, 3, 3, 2)}},
    {"padded", &padded, 1, {FVI_S(N, FV_N, 2, 4, 3)}},
    {"real_only", &real_only, 1, {FVI_S(N, FV_N, 17, 4, 3)}},
    {"partial", &partial, 1, {FVI_S(N, FV_N, 2, 3, 3)}},
    {"partial_pad", &partial_pad, 1, {FVI_S(N, FV_N, 1, 3, 3)}},
};

/* A window that hangs over the padded border (ceil_mode) is divided by what lies inside, so such a border is padded
 * first and then does not count as padding. */
static void onnx(fvi_onnx *o)
{
    const fvi_pool2d_attr *a = o->attr;
    const char *x = o->in[0];
    int64_t pads[4];
    bool include = a->count_include_pad;
    fvi_pool2d_onnx_pads(o, pads);
    if (include && (pads[2] != a->padding[0] || pads[3] != a->padding[1])) {
        const int64_t border[8] = {0, 0, a->padding[0], a->padding[1], 0, 0, a->padding[0], a->padding[1]};
        x = o->add(o, &(fvi_onnx_op){.type = "Pad", .in = {x, o->ints(o, 8, border), o->number(o, 0)}});
        for (int i = 0; i < 4; i++) pads[i] -= a->padding[i % 2];
        include = false;
    }
    o->add(o, &(fvi_onnx_op){.type = "AveragePool", .in = {x}, .out = {o->out[0]},
                             .attrs = {FVI_ONNX_INT("count_include_pad", include), FVI_ONNX_INTS("kernel_shape", 2, a->kernel),
                                       FVI_ONNX_INTS("pads", 4, pads), FVI_ONNX_INTS("strides", 2, a->stride)}});
}

static const fvi_op op_avg_pool2d = {
    .name = "avg_pool2d", .version = 1, .kind = FVI_PRIMITIVE, .doc = "y = mean of each window",
    .n_in_min = 1, .n_in_max = 1, .n_out = 1, .attr_size = sizeof(fvi_pool2d_attr), .attrs = attrs,
    .infer = infer, .grad = gradient, .ref = reference, .samples = samples, .n_samples = FVI_COUNT(samples),
    .onnx_emit = onnx,
};
static const fvi_op op_avg_pool2d_backward = {
    .name = "avg_pool2d_backward", .version = 1, .kind = FVI_PRIMITIVE, .doc = "dx = dy / divisor, added up over each window",
    .n_in_min = 1, .n_in_max = 1, .n_out = 1, .attr_size = sizeof(fvi_pool2d_attr), .attrs = backward_attrs,
    .infer = fvi_pool2d_infer_backward, .grad = gradient_backward, .ref = reference_backward,
    .samples = backward_samples, .n_samples = FVI_COUNT(backward_samples),
};
FVI_OPS(avg_pool2d, &op_avg_pool2d, &op_avg_pool2d_backward);

fv_value *fv_avg_pool2d(fv_graph *g, fv_value *x, const fv_pool2d_options *o)
{
    const fvi_pool2d_attr a = fvi_pool2d_of(attrs, o);
    return fvi_emit(g, "avg_pool2d", &a, 1, x);
}
