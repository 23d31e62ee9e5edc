/* SPDX-License-Identifier: Apache-2.0 */
/* sum, mean, amax, amin: which axes go. Kernels read only the attribute struct. */
#ifndef FVI_OPS_REDUCE_H
#define FVI_OPS_REDUCE_H

#include "ir/onnx.h"
#include "ops/elementwise.h"
#include "ops/shape.h"

typedef struct fvi_reduce_attr {
    int64_t axes;                      /* 1 << axis for each that goes; 0 = all */
    bool keep;                         /* reduced axes stay with length 1 */
} fvi_reduce_attr;

#define FVI_REDUCE_ATTRS(table)                                                                                     \
    static const fvi_attr_def table[] = {                                                                             \
        {.name = "axes", .kind = FVI_ATTR_INT, .offset = offsetof(fvi_reduce_attr, axes), .min = 0, .max = 63,        \
         .help = "sum of 1 << axis over the axes that go; 0 = all"},                                                 \
        {.name = "keep", .kind = FVI_ATTR_BOOL, .offset = offsetof(fvi_reduce_attr, keep),                           \
         .help = "reduced axes stay with length 1"},                                                                 \
        FVI_ATTR_END,                                                                                                \
    }

static inline bool fvi_reduced(const fvi_reduce_attr *a, int axis)
{
    return !a->axes || (a->axes >> axis & 1);
}

/* The shape of x with every reduced axis 1. */
static inline fvi_type fvi_reduced_type(const fvi_reduce_attr *a, const fvi_type *x)
{
    fvi_type t = *x;
    for (int i = 0; i < t.rank; i++)
        if (fvi_reduced(a, i)) t.dim[i] = 1;
    return t;
}

/* Statistics of narrow floats are f32; whole numbers and truth values are counted in i64. */
static inline fv_dtype fvi_sum_dtype(fv_dtype x)
{
    return x == FV_F64 ? FV_F64 : fv_dtype_is_float(x) ? FV_F32 : FV_I64;
}

static inline fv_status fvi_infer_reduce(fvi_infer *c)
{
    const fvi_reduce_attr *a = c->attr;
    const fvi_type *x = &c->in[0];
    char text[FVI_TYPE_TEXT];
    if (a->axes >> x->rank)
        return fvi_infer_fail(c, "axes = %lld names an axis that %s lacks", (long long)a->axes, fvi_type_text(x, text));
    fvi_type t = {.dtype = x->dtype};
    for (int i = 0; i < x->rank; i++)
        if (!fvi_reduced(a, i)) t.dim[t.rank++] = x->dim[i];
        else if (a->keep) t.dim[t.rank++] = 1;
    c->out[0] = t;
    return FV_OK;
}

static inline fv_status fvi_infer_reduce_wide(fvi_infer *c)
{
    FVI_TRY(c->ctx, fvi_infer_reduce(c));
    c->out[0].dtype = fvi_sum_dtype(c->out[0].dtype);
    return FV_OK;
}

/* v (an output or its gradient) in the shape that broadcasts against x. */
static inline fv_value *fvi_reduce_kept(const fvi_gradient *c, fv_value *v)
{
    const fvi_type kept = fvi_reduced_type(c->node->attr, &c->in[0]->type);
    if (!v || fvi_type_same_shape(&v->type, &kept)) return v;
    return fv_reshape(c->g, v, kept.rank, kept.dim);
}

/* Calls f(x, out), for whole numbers `whole`, for every element of x with the element of out that it belongs to; out is set to
 * `start` before. */
static inline void fvi_ref_reduce(const fvi_ref *r, double start, fvi_binary_fn *f, int64_t whole_start, fvi_whole_binary_fn *whole)
{
    const fvi_type *x = &r->in[0].type, kept = fvi_reduced_type(r->attr, x);
    const int64_t n = fvi_type_numel(x), n_out = fvi_type_numel(&kept);
    const bool floating = fv_dtype_is_float(x->dtype);
    int64_t stride[1][FV_MAX_RANK], offset[1] = {0}, at[FV_MAX_RANK] = {0};
    const fvi_ref_tensor *out = &r->out[0];
    for (int64_t i = 0; i < n_out; i++)
        if (floating) out->f[i] = start;
        else out->i[i] = whole_start;
    fvi_broadcast_strides(&kept, x, stride[0]);
    for (int64_t i = 0; i < n; i++) {
        if (floating) out->f[offset[0]] = f(r->in[0].f[i], out->f[offset[0]], r->attr);
        else out->i[offset[0]] = whole(r->in[0].i[i], out->i[offset[0]]);
        fvi_broadcast_next(x, at, 1, stride, offset);
    }
}

/* `since`: the opset from which on the operator takes its axes as an input. */
static inline void fvi_reduce_onnx(fvi_onnx *o, const char *type, int since)
{
    const fvi_reduce_attr *a = o->attr;
    const fvi_type *t = &o->node->in[0]->type;
    const char *x = fvi_onnx_cast(o, o->in[0], fvi_onnx_type(t->dtype), fvi_onnx_type(o->node->out[0].type.dtype), NULL);
    int64_t axes[FV_MAX_RANK];
    int n = 0;
    for (int i = 0; i < t->rank; i++)
        if (fvi_reduced(a, i)) axes[n++] = i;
    if (n) fvi_onnx_axes(o, type, x, n, axes, since, a->keep, o->out[0]);
    else o->same(o, 0, x);
}

/* All axes, the last one kept, the first, one in the middle, several kept. */
#define FVI_REDUCE_SAMPLES(name, draw_, ...)                                                                \
    static const fvi_reduce_attr name##_all = {0, false}, name##_rows = {2, true}, name##_batch = {1, false}, \
                                 name##_image = {12, false}, name##_channel = {13, true};                     \
    static const fvi_sample name[] = {                                                                      \
        {"all", &name##_all, 1, {FVI_S(draw_, FV_N, 3, 5, 4)}},                                             \
        {"rows", &name##_rows, 1, {FVI_S(draw_, FV_N, 7)}},                                                 \
        {"batch", &name##_batch, 1, {FVI_S(draw_, 3 * FV_N, 5)}},                                           \
        {"image", &name##_image, 1, {FVI_S(draw_, FV_N, 6, 3, 3)}},                                         \
        {"channel", &name##_channel, 1, {FVI_S(draw_, FV_N, 4, 3, 2)}},                                     \
        {"scalar", &name##_all, 1, {FVI_S0(draw_)}},                                                        \
        __VA_ARGS__                                                                                         \
    }
/* Rows for those that take whole numbers. */
#define FVI_REDUCE_WHOLE_ROWS(name)                                                                         \
    {"whole", &name##_rows, 1, {FVI_S_WHOLE(FV_I64, 9, FV_N, 5)}},                                          \
    {"narrow", &name##_all, 1, {FVI_S_WHOLE(FV_I32, 9, FV_N, 3, 2)}},

#endif
