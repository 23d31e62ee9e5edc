/* SPDX-License-Identifier: Apache-2.0 */
/* What the ops that only move elements share: the `dims` attribute, sums of dimensions that may hold k*N, a walk. */
#ifndef FVI_OPS_SHAPE_H
#define FVI_OPS_SHAPE_H

#include "ir/graph.h"
#include "ops/samples.h"

/* reshape, broadcast_to, sum_to: the shape of the result; k*FV_N allowed. */
typedef struct fvi_dims_attr { fvi_dims dims; } fvi_dims_attr;
typedef fvi_dims_attr fvi_reshape_attr, fvi_broadcast_to_attr, fvi_sum_to_attr;

#define FVI_DIMS_ATTRS(table, help_)                                                                              \
    static const fvi_attr_def table[] = {                                                                         \
        {.name = "dims", .kind = FVI_ATTR_DIMS, .offset = offsetof(fvi_dims_attr, dims), .help = (help_)},       \
        FVI_ATTR_END,                                                                                            \
    }

static inline fvi_dims_attr fvi_dims_of(int rank, const int64_t *dims)
{
    fvi_dims_attr a = {.dims = {.n = rank}};
    for (int i = 0; i < rank && i < FV_MAX_RANK; i++) a.dims.d[i] = dims[i];
    return a;
}

/* The type that `dims` stands for; false when the rank is too high or a dimension is not k or k*N. */
static inline bool fvi_dims_type(const fvi_dims *dims, fv_dtype dtype, fvi_type *out)
{
    if (dims->n < 0 || dims->n > FV_MAX_RANK) return false;
    *out = fvi_type_make(dtype, (int)dims->n, dims->d);
    for (int i = 0; i < out->rank; i++)
        if (out->dim[i] == 0 || out->dim[i] <= FV_ANY) return false;
    return true;
}

/* a + b of dimensions: both constant, both multiples of N, or one of them 0. */
static inline bool fvi_dim_add(int64_t a, int64_t b, int64_t *out)
{
    if (a == 0 || b == 0) {
        *out = a + b;
        return true;
    }
    if (a <= FV_ANY || b <= FV_ANY || fvi_dim_symbolic(a) != fvi_dim_symbolic(b)) return false;
    return a < 0 ? fvi_add_i64(-a, -b, out) && (*out = -*out, true) : fvi_add_i64(a, b, out);
}

/* a - b, not below 0. */
static inline bool fvi_dim_subtract(int64_t a, int64_t b, int64_t *out)
{
    if (b == 0 || (fvi_dim_symbolic(a) == fvi_dim_symbolic(b) && (a < 0 ? a <= b : a >= b))) {
        *out = a - b;
        return a > FV_ANY && b > FV_ANY;
    }
    return false;
}

/* A list as long as the rank, or empty (all `fallback`). */
static inline int64_t fvi_dims_at(const fvi_dims *dims, int axis, int64_t fallback)
{
    return axis < dims->n ? dims->d[axis] : fallback;
}

/* Axis -rank .. rank-1 as 0 .. rank-1; -1 when out of range. */
static inline int fvi_axis(int64_t axis, int rank)
{
    if (axis < 0) axis += rank;
    return axis >= 0 && axis < rank ? (int)axis : -1;
}

/* Row-major strides. */
static inline void fvi_plain_strides(const fvi_type *t, int64_t stride[FV_MAX_RANK])
{
    int64_t step = 1;
    for (int i = t->rank - 1; i >= 0; i--) {
        stride[i] = step;
        step *= t->dim[i];
    }
}

/* Elements before and after `axis`: a tensor seen as (outer, dim[axis], inner). */
static inline int64_t fvi_outer(const fvi_type *t, int axis)
{
    int64_t n = 1;
    for (int i = 0; i < axis; i++) n *= t->dim[i];
    return n;
}
static inline int64_t fvi_inner(const fvi_type *t, int axis)
{
    int64_t n = 1;
    for (int i = axis + 1; i < t->rank; i++) n *= t->dim[i];
    return n;
}

#endif
