/* SPDX-License-Identifier: Apache-2.0 */
/* Two-dimensional pooling: attributes, output size, shape inference. Output size and window edges are PyTorch's
 * (aten/src/ATen/native/Pool.h): with ceil_mode the last window must begin inside the input or its left padding. */
#ifndef FVI_OPS_POOL2D_H
#define FVI_OPS_POOL2D_H

#include "ir/onnx.h"
#include "ops/activation.h"
#include "ops/parallel.h"

typedef struct fvi_pool2d_attr {
    int64_t kernel[2], stride[2], padding[2];   /* height, width */
    int64_t size[2];                   /* backward only: H, W of x */
    bool ceil_mode;
    bool count_include_pad;            /* average only */
} fvi_pool2d_attr;
typedef fvi_pool2d_attr fvi_max_pool2d_attr, fvi_avg_pool2d_attr, fvi_max_pool2d_backward_attr, fvi_avg_pool2d_backward_attr;
typedef struct fvi_global_avg_pool2d_backward_attr { int64_t size[2]; } fvi_global_avg_pool2d_backward_attr;

/* Rows of the attribute tables. */
#define FVI_POOL2D_ATTRS                                                                                              \
    {.name = "kernel", .kind = FVI_ATTR_INT, .offset = offsetof(fvi_pool2d_attr, kernel), .count = 2, .min = 1,       \
     .max = 65535, .help = "height and width of the window (required)"},                                              \
    {.name = "stride", .kind = FVI_ATTR_INT, .offset = offsetof(fvi_pool2d_attr, stride), .count = 2, .fallback = 1,  \
     .min = 1, .max = 65535, .help = "steps down and right"},                                                         \
    {.name = "padding", .kind = FVI_ATTR_INT, .offset = offsetof(fvi_pool2d_attr, padding), .count = 2, .min = 0,     \
     .max = 32767, .help = "border on both sides, at most half the kernel"},                                          \
    {.name = "ceil_mode", .kind = FVI_ATTR_BOOL, .offset = offsetof(fvi_pool2d_attr, ceil_mode),                      \
     .help = "a last, partial window counts"}
#define FVI_POOL2D_COUNT_ATTR                                                                                         \
    {.name = "count_include_pad", .kind = FVI_ATTR_BOOL, .offset = offsetof(fvi_pool2d_attr, count_include_pad),      \
     .fallback = 1, .help = "padding counts in the divisor (PyTorch's default)"}
#define FVI_POOL2D_SIZE_ATTR(T)                                                                                       \
    {.name = "size", .kind = FVI_ATTR_INT, .offset = offsetof(T, size), .count = 2, .min = 1, .max = 1LL << 31,       \
     .help = "height and width of x (required)"}

static inline int64_t fvi_pool2d_length(const fvi_pool2d_attr *a, int axis, int64_t in)
{
    const int64_t k = a->kernel[axis], s = a->stride[axis], p = a->padding[axis];
    if (in + 2 * p < k) return 0;
    int64_t n = (in + 2 * p - k + (a->ceil_mode ? s - 1 : 0)) / s + 1;
    if (a->ceil_mode && (n - 1) * s >= in + p) n--;
    return n;
}

/* x is (N, C, H, W) with known height and width. */
static inline fv_status fvi_pool2d_check(fvi_infer *c, const fvi_type *x)
{
    char a[FVI_TYPE_TEXT];
    if (!fv_dtype_is_float(x->dtype) || x->rank != 4 || x->dim[2] < 1 || x->dim[3] < 1)
        return fvi_infer_fail(c, "the input must be a floating (N, C, H, W) with constant height and width, not %s", fvi_type_text(x, a));
    return FV_OK;
}

/* The type of y for input type x (only N, C, H, W and dtype are read). */
static inline fv_status fvi_pool2d_infer(fvi_infer *c, const fvi_type *x, fvi_type *y)
{
    const fvi_pool2d_attr *a = c->attr;
    char text[FVI_TYPE_TEXT];
    FVI_TRY(c->ctx, fvi_pool2d_check(c, x));
    *y = *x;
    for (int i = 0; i < 2; i++) {
        if (2 * a->padding[i] > a->kernel[i])
            return fvi_infer_fail(c, "padding %lld is more than half the kernel %lld", (long long)a->padding[i], (long long)a->kernel[i]);
        y->dim[2 + i] = fvi_pool2d_length(a, i, x->dim[2 + i]);
        if (y->dim[2 + i] < 1)
            return fvi_infer_fail(c, "a window of %lldx%lld with padding %lld,%lld does not fit in the input %s", (long long)a->kernel[0],
                                  (long long)a->kernel[1], (long long)a->padding[0], (long long)a->padding[1], fvi_type_text(x, text));
    }
    return FV_OK;
}

/* Backward ops: dx from dy = in[0] and attribute `size`. */
static inline fv_status fvi_pool2d_infer_backward(fvi_infer *c)
{
    const fvi_pool2d_attr *a = c->attr;
    const fvi_type *dy = &c->in[0];
    char text[2][FVI_TYPE_TEXT];
    FVI_TRY(c->ctx, fvi_pool2d_check(c, dy));
    fvi_type dx = *dy, y;
    for (int i = 0; i < 2; i++) dx.dim[2 + i] = a->size[i];
    FVI_TRY(c->ctx, fvi_pool2d_infer(c, &dx, &y));
    if (!fvi_type_same_shape(dy, &y))
        return fvi_infer_fail(c, "the gradient is %s, but pooling an input of that size gives %s", fvi_type_text(dy, text[0]),
                              fvi_type_text(&y, text[1]));
    c->out[0] = dx;
    return FV_OK;
}

/* Window `o` along an axis of length n: [*from, *to) inside the input, and its length with padding counted. */
static inline int64_t fvi_pool2d_window(const fvi_pool2d_attr *a, int axis, int64_t o, int64_t n, int64_t *from, int64_t *to)
{
    const int64_t begin = o * a->stride[axis] - a->padding[axis];
    const int64_t end = FVI_MIN(begin + a->kernel[axis], n + a->padding[axis]);
    *from = FVI_MAX(begin, 0);
    *to = FVI_MIN(end, n);
    return end - begin;
}

/* The op's attributes from the public options; stride 0 means the kernel's. */
static inline fvi_pool2d_attr fvi_pool2d_of(const fvi_attr_def *table, const fv_pool2d_options *o)
{
    fvi_pool2d_attr a = {.ceil_mode = false};
    fvi_attr_defaults(table, &a);
    for (int i = 0; i < 2 && o; i++) {
        a.kernel[i] = o->kernel[i];
        a.stride[i] = o->stride[i] ? o->stride[i] : o->kernel[i];
        a.padding[i] = o->padding[i];
    }
    if (o) {
        a.ceil_mode = o->ceil_mode;
        a.count_include_pad = o->count_include_pad;
    }
    return a;
}

/* top, left, bottom, right. A last, partial window (ceil_mode) is made whole by padding, because runtimes do not agree on
 * which of them count. */
static inline void fvi_pool2d_onnx_pads(const fvi_onnx *o, int64_t pads[4])
{
    const fvi_pool2d_attr *a = o->attr;
    const fvi_type *x = &o->node->in[0]->type, *y = &o->node->out[0].type;
    for (int i = 0; i < 2; i++) {
        const int64_t p = a->padding[i], wanted = (y->dim[2 + i] - 1) * a->stride[i] + a->kernel[i] - x->dim[2 + i] - p;
        pads[i] = p;
        pads[2 + i] = FVI_MAX(wanted, p);
    }
}

#endif
