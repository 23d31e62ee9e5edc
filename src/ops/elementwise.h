/* SPDX-License-Identifier: Apache-2.0 */
/* What the elementwise ops share: attribute structs, shape inference, references with NumPy broadcasting, samples.
 * Kernels read only the attribute structs. */
#ifndef FVI_OPS_ELEMENTWISE_H
#define FVI_OPS_ELEMENTWISE_H

#include "ir/graph.h"
#include "ops/samples.h"

#include <math.h>

typedef struct fvi_scale_attr { double factor; } fvi_scale_attr;
typedef struct fvi_offset_attr { double value; } fvi_offset_attr;
typedef struct fvi_pow_attr { double exponent; } fvi_pow_attr;
typedef struct fvi_clamp_attr { double low, high; } fvi_clamp_attr;
typedef struct fvi_lerp_attr { double t; } fvi_lerp_attr;

/* ---- inference ------------------------------------------------------------------------------------------------- */

/* Inputs from `from` on are floating and of one type; else an error that says which is what. */
static inline fv_status fvi_infer_floats(fvi_infer *c, int from)
{
    for (int i = from; i < c->n_in; i++) {
        char text[FVI_TYPE_TEXT];
        if (!fv_dtype_is_float(c->in[i].dtype))
            return fvi_infer_fail(c, "input %d is %s, but must be floating: fv_cast it", i, fvi_type_text(&c->in[i], text));
        if (c->in[i].dtype != c->in[from].dtype)
            return fvi_infer_fail(c, "inputs %d and %d are %s and %s: fv_cast one to the other's type", from, i,
                                  fv_dtype_name(c->in[from].dtype), fv_dtype_name(c->in[i].dtype));
    }
    return FV_OK;
}

/* The same, but any numbers: floating or whole, not bool. */
static inline fv_status fvi_infer_numbers(fvi_infer *c, int from)
{
    for (int i = from; i < c->n_in; i++) {
        char text[FVI_TYPE_TEXT];
        if (c->in[i].dtype == FV_BOOL)
            return fvi_infer_fail(c, "input %d is %s, but must be a number: fv_cast it", i, fvi_type_text(&c->in[i], text));
        if (c->in[i].dtype != c->in[from].dtype)
            return fvi_infer_fail(c, "inputs %d and %d are %s and %s: fv_cast one to the other's type", from, i,
                                  fv_dtype_name(c->in[from].dtype), fv_dtype_name(c->in[i].dtype));
    }
    return FV_OK;
}

static inline fv_status fvi_infer_unary(fvi_infer *c)
{
    FVI_TRY(c->ctx, fvi_infer_floats(c, 0));
    return fvi_infer_same(c);
}

static inline fv_status fvi_infer_binary(fvi_infer *c)
{
    FVI_TRY(c->ctx, fvi_infer_floats(c, 0));
    return fvi_infer_broadcast(c);
}

static inline fv_status fvi_infer_number(fvi_infer *c)
{
    FVI_TRY(c->ctx, fvi_infer_numbers(c, 0));
    return fvi_infer_same(c);
}

static inline fv_status fvi_infer_arithmetic(fvi_infer *c)
{
    FVI_TRY(c->ctx, fvi_infer_numbers(c, 0));
    return fvi_infer_broadcast(c);
}

/* ---- references ------------------------------------------------------------------------------------------------ */

/* Steps that walk `in` while row-major `out` is walked: 0 along broadcast axes. */
static inline void fvi_broadcast_strides(const fvi_type *in, const fvi_type *out, int64_t stride[FV_MAX_RANK])
{
    int64_t step = 1;
    for (int i = 1; i <= out->rank; i++) {
        const int64_t d = i <= in->rank ? in->dim[in->rank - i] : 1;
        stride[out->rank - i] = d == 1 ? 0 : step;
        step *= d;
    }
}

/* Moves the counter `at` over `out` to its next element, and n offsets with it. */
static inline void fvi_broadcast_next(const fvi_type *out, int64_t at[FV_MAX_RANK], int n,
                                      int64_t (*stride)[FV_MAX_RANK], int64_t *offset)
{
    for (int axis = out->rank - 1; axis >= 0; axis--) {
        for (int k = 0; k < n; k++) offset[k] += stride[k][axis];
        if (++at[axis] < out->dim[axis]) return;
        for (int k = 0; k < n; k++) offset[k] -= stride[k][axis] * out->dim[axis];
        at[axis] = 0;
    }
}

typedef double fvi_unary_fn(double x, const void *attr);
typedef double fvi_binary_fn(double a, double b, const void *attr);

static inline void fvi_ref_unary(const fvi_ref *r, fvi_unary_fn *f)
{
    const int64_t n = fvi_type_numel(&r->out[0].type);
    for (int64_t i = 0; i < n; i++) r->out[0].f[i] = f(r->in[0].f[i], r->attr);
}

static inline void fvi_ref_binary(const fvi_ref *r, fvi_binary_fn *f)
{
    const fvi_type *out = &r->out[0].type;
    const int64_t n = fvi_type_numel(out);
    int64_t stride[2][FV_MAX_RANK], offset[2] = {0, 0}, at[FV_MAX_RANK] = {0};
    for (int k = 0; k < 2; k++) fvi_broadcast_strides(&r->in[k].type, out, stride[k]);
    for (int64_t i = 0; i < n; i++) {
        r->out[0].f[i] = f(r->in[0].f[offset[0]], r->in[1].f[offset[1]], r->attr);
        fvi_broadcast_next(out, at, 2, stride, offset);
    }
}

typedef int64_t fvi_whole_unary_fn(int64_t x);
typedef int64_t fvi_whole_binary_fn(int64_t a, int64_t b);

/* The same for floating and whole numbers. */
static inline void fvi_ref_number(const fvi_ref *r, fvi_unary_fn *f, fvi_whole_unary_fn *whole)
{
    const int64_t n = fvi_type_numel(&r->out[0].type);
    if (fv_dtype_is_float(r->in[0].type.dtype)) {
        fvi_ref_unary(r, f);
        return;
    }
    for (int64_t i = 0; i < n; i++) r->out[0].i[i] = whole(r->in[0].i[i]);
}

static inline void fvi_ref_arithmetic(const fvi_ref *r, fvi_binary_fn *f, fvi_whole_binary_fn *whole)
{
    const fvi_type *out = &r->out[0].type;
    const int64_t n = fvi_type_numel(out);
    int64_t stride[2][FV_MAX_RANK], offset[2] = {0, 0}, at[FV_MAX_RANK] = {0};
    if (fv_dtype_is_float(r->in[0].type.dtype)) {
        fvi_ref_binary(r, f);
        return;
    }
    for (int k = 0; k < 2; k++) fvi_broadcast_strides(&r->in[k].type, out, stride[k]);
    for (int64_t i = 0; i < n; i++) {
        r->out[0].i[i] = whole(r->in[0].i[offset[0]], r->in[1].i[offset[1]]);
        fvi_broadcast_next(out, at, 2, stride, offset);
    }
}

/* Whole numbers wrap around. */
static inline int64_t fvi_wrap_add(int64_t a, int64_t b) { return (int64_t)((uint64_t)a + (uint64_t)b); }
static inline int64_t fvi_wrap_sub(int64_t a, int64_t b) { return (int64_t)((uint64_t)a - (uint64_t)b); }
static inline int64_t fvi_wrap_mul(int64_t a, int64_t b) { return (int64_t)((uint64_t)a * (uint64_t)b); }

/* ---- gradients ------------------------------------------------------------------------------------------------- */

/* v in the type of `like`; v itself when it has it. */
static inline fv_value *fvi_cast_like(fv_graph *g, fv_value *v, const fv_value *like)
{
    return v && like ? fv_cast(g, v, like->type.dtype) : v;
}

/* The number `value` in the type of `like`. */
static inline fv_value *fvi_number_like(fv_graph *g, double value, const fv_value *like)
{
    return fvi_cast_like(g, fv_const(g, value), like);
}

/* For gradients that are one value: input i gets `v` summed down to its shape. */
static inline void fvi_gradient_set(const fvi_gradient *c, int i, fv_value *v)
{
    c->din[i] = v ? fvi_sum_to(c->g, v, c->in[i]) : NULL;
}

/* ---- samples --------------------------------------------------------------------------------------------------- */

#define FVI_UNARY_SAMPLE_ROWS(attr_, draw_)                                              \
    {"image", attr_, 1, {FVI_S(draw_, FV_N, 3, 5, 4)}},                                  \
    {"features", attr_, 1, {FVI_S(draw_, FV_N, 17)}},                                    \
    {"rows", attr_, 1, {FVI_S(draw_, 3 * FV_N, 2)}},                                     \
    {"scalar", attr_, 1, {FVI_S0(draw_)}}
#define FVI_UNARY_SAMPLES(name, attr_, draw_) \
    static const fvi_sample name[] = {FVI_UNARY_SAMPLE_ROWS(attr_, draw_)}
/* With whole numbers of up to most_ as well. */
#define FVI_NUMBER_SAMPLES(name, draw_, most_)                          \
    static const fvi_sample name[] = {                                  \
        FVI_UNARY_SAMPLE_ROWS(NULL, draw_),                             \
        {"whole", NULL, 1, {FVI_S_WHOLE(FV_I64, most_, FV_N, 3, 4)}},   \
        {"narrow", NULL, 1, {FVI_S_WHOLE(FV_I32, most_, FV_N, 5)}},     \
    }

#define FVI_BINARY_SAMPLE_ROWS(attr_, draw_a, draw_b)                                                                   \
    {"same", attr_, 2, {FVI_S(draw_a, FV_N, 3, 5, 4), FVI_S(draw_b, FV_N, 3, 5, 4)}},                                   \
    {"channel", attr_, 2, {FVI_S(draw_a, FV_N, 3, 5, 4), FVI_S(draw_b, 3, 1, 1)}},                                      \
    {"both", attr_, 2, {FVI_S(draw_a, FV_N, 1, 4), FVI_S(draw_b, 1, 3, 1)}},                                            \
    {"wider", attr_, 2, {FVI_S(draw_a, 7), FVI_S(draw_b, FV_N, 7)}},                                                    \
    {"gate", attr_, 2, {FVI_S(draw_a, FV_N, 6, 3, 3), FVI_S(draw_b, FV_N, 6, 1, 1)}},                                   \
    {"scalar", attr_, 2, {FVI_S(draw_a, FV_N, 9), FVI_S0(draw_b)}},                                                     \
    {"scalars", attr_, 2, {FVI_S0(draw_a), FVI_S0(draw_b)}}
#define FVI_BINARY_SAMPLES(name, attr_, draw_a, draw_b) \
    static const fvi_sample name[] = {FVI_BINARY_SAMPLE_ROWS(attr_, draw_a, draw_b)}
#define FVI_WHOLE_SAMPLE_ROWS(most_)                                                                                    \
    {"whole", NULL, 2, {FVI_S_WHOLE(FV_I64, most_, FV_N, 3, 4), FVI_S_WHOLE(FV_I64, most_, 3, 1)}},                     \
    {"narrow", NULL, 2, {FVI_S_WHOLE(FV_I32, most_, 7), FVI_S_WHOLE(FV_I32, most_, FV_N, 7)}}
#define FVI_ARITHMETIC_SAMPLES(name, draw_a, draw_b, most_) \
    static const fvi_sample name[] = {FVI_BINARY_SAMPLE_ROWS(NULL, draw_a, draw_b), FVI_WHOLE_SAMPLE_ROWS(most_)}

#endif
