/* SPDX-License-Identifier: Apache-2.0 */
/* What indexing ops share. An index that is not in 0 .. n-1 reads zeros, and what it would add to is nowhere. Kernels read
 * the attribute structs and shapes only. */
#ifndef FVI_OPS_INDEX_H
#define FVI_OPS_INDEX_H

#include "ir/onnx.h"
#include "ops/softmax.h"

typedef fvi_softmax_attr fvi_gather_attr, fvi_index_add_attr, fvi_take_along_attr, fvi_scatter_add_attr, fvi_sort_axis_attr;

#define FVI_INDEX_AXIS_ATTRS(table_, help_)                                                                     \
    static const fvi_attr_def table_[] = {                                                                      \
        {.name = "axis", .kind = FVI_ATTR_INT, .offset = offsetof(fvi_softmax_attr, axis),                      \
         .min = -FV_MAX_RANK, .max = FV_MAX_RANK - 1, .help = (help_)},                                         \
        FVI_ATTR_END,                                                                                           \
    }

static inline fv_status fvi_infer_index(fvi_infer *c, const fvi_type *index)
{
    char text[FVI_TYPE_TEXT];
    if (index->dtype == FV_I64 || index->dtype == FV_I32) return FV_OK;
    return fvi_infer_fail(c, "the index must be i64 or i32, not %s", fvi_type_text(index, text));
}

/* The shape that gather gives: x's, with the index's axes in the place of `axis`. */
static inline fv_status fvi_infer_gathered(fvi_infer *c, const fvi_type *x, const fvi_type *index, int64_t attr_axis, fvi_type *y)
{
    char a[FVI_TYPE_TEXT], b[FVI_TYPE_TEXT];
    FVI_TRY(c->ctx, fvi_infer_index(c, index));
    FVI_TRY(c->ctx, fvi_axis_check(c, attr_axis, x));
    const int axis = fvi_axis(attr_axis, x->rank);
    if (x->rank - 1 + index->rank > FV_MAX_RANK)
        return fvi_infer_fail(c, "%s indexed by %s would have more than %d axes", fvi_type_text(x, a), fvi_type_text(index, b), FV_MAX_RANK);
    *y = (fvi_type){.dtype = x->dtype};
    for (int i = 0; i < axis; i++) y->dim[y->rank++] = x->dim[i];
    for (int i = 0; i < index->rank; i++) y->dim[y->rank++] = index->dim[i];
    for (int i = axis + 1; i < x->rank; i++) y->dim[y->rank++] = x->dim[i];
    return FV_OK;
}

/* An index for each element: of x's shape but for `axis`. */
static inline fv_status fvi_infer_along(fvi_infer *c, const fvi_type *x, const fvi_type *index, int64_t attr_axis)
{
    char a[FVI_TYPE_TEXT], b[FVI_TYPE_TEXT];
    FVI_TRY(c->ctx, fvi_infer_index(c, index));
    FVI_TRY(c->ctx, fvi_axis_check(c, attr_axis, x));
    const int axis = fvi_axis(attr_axis, x->rank);
    bool fits = x->rank == index->rank;
    for (int i = 0; i < x->rank && fits; i++) fits = i == axis || x->dim[i] == index->dim[i];
    if (fits) return FV_OK;
    return fvi_infer_fail(c, "%s and its index %s differ in more than axis %d", fvi_type_text(x, a), fvi_type_text(index, b), axis);
}

/* Zeros like v. */
static inline fv_value *fvi_zeros_like(fv_graph *g, const fv_value *v)
{
    return fv_full_of(g, v->type.dtype, 0, v->type.rank, v->type.dim);
}

#endif
