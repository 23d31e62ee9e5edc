/* SPDX-License-Identifier: Apache-2.0 */
/* Putting numbers in order, for top_k and sort. NaN counts as greatest; of equals the one with the lower index comes first,
 * so that there is one order only. */
#ifndef FVI_OPS_ORDER_H
#define FVI_OPS_ORDER_H

#include "ops/index.h"

/* The numbers of a row (doubles, or whole numbers when f is NULL), `step` apart. */
typedef struct fvi_row { const double *f; const int64_t *w; int64_t step; bool greatest; } fvi_row;

static inline bool fvi_comes_before(const fvi_row *r, int64_t i, int64_t j)
{
    if (!r->f) {
        const int64_t a = r->w[i * r->step], b = r->w[j * r->step];
        return a == b ? i < j : r->greatest ? a > b : a < b;
    }
    const double a = r->f[i * r->step], b = r->f[j * r->step];
    if (isnan(a) || isnan(b)) return isnan(a) == isnan(b) ? i < j : isnan(a) == r->greatest;
    return a == b ? i < j : r->greatest ? a > b : a < b;
}

/* Restores the heap below `at`: the root is the one that comes last. */
static inline void fvi_sift_down(const fvi_row *r, int64_t *heap, int64_t step, int64_t count, int64_t at)
{
    for (int64_t child; (child = 2 * at + 1) < count; at = child) {
        if (child + 1 < count && fvi_comes_before(r, heap[child * step], heap[(child + 1) * step])) child++;
        if (!fvi_comes_before(r, heap[at * step], heap[child * step])) return;
        const int64_t held = heap[at * step];
        heap[at * step] = heap[child * step];
        heap[child * step] = held;
    }
}

/* The places of the first k of n numbers, in order, into out (`step` apart): a heap of the best so far, then heap sort. */
static inline void fvi_first_places(const fvi_row *r, int64_t n, int64_t k, int64_t *out, int64_t step)
{
    for (int64_t i = 0; i < k; i++) out[i * step] = i;
    for (int64_t i = k / 2 - 1; i >= 0; i--) fvi_sift_down(r, out, step, k, i);
    for (int64_t i = k; i < n; i++) {
        if (!fvi_comes_before(r, i, out[0])) continue;
        out[0] = i;
        fvi_sift_down(r, out, step, k, 0);
    }
    for (int64_t last = k - 1; last > 0; last--) {
        const int64_t held = out[last * step];
        out[last * step] = out[0];
        out[0] = held;
        fvi_sift_down(r, out, step, last, 0);
    }
}

/* Values and places of the first k along the axis of input 0, in outputs 0 and 1. */
static inline void fvi_ref_order(const fvi_ref *r, int64_t attr_axis, bool greatest)
{
    const fvi_type *x = &r->in[0].type, *y = &r->out[0].type;
    const int axis = fvi_axis(attr_axis, x->rank);
    const int64_t n = x->dim[axis], k = y->dim[axis], inner = fvi_inner(x, axis), rows = fvi_outer(x, axis) * inner;
    const bool floating = fv_dtype_is_float(x->dtype);
#pragma omp parallel for if (FVI_WORTH_THREADS(8 * rows * n))
    for (int64_t row = 0; row < rows; row++) {
        const int64_t from = row / inner * n * inner + row % inner, to = row / inner * k * inner + row % inner;
        const fvi_row numbers = {floating ? r->in[0].f + from : NULL, r->in[0].i + from, inner, greatest};
        int64_t *place = r->out[1].i + to;
        fvi_first_places(&numbers, n, k, place, inner);
        for (int64_t i = 0; i < k; i++) r->out[0].i[to + i * inner] = r->in[0].i[from + place[i * inner] * inner];
    }
}

/* Both outputs have x's type but for the length of the axis. */
static inline fv_status fvi_infer_order(fvi_infer *c, int64_t attr_axis, int64_t length)
{
    const fvi_type *x = &c->in[0];
    char text[FVI_TYPE_TEXT];
    FVI_TRY(c->ctx, fvi_infer_numbers(c, 0));
    FVI_TRY(c->ctx, fvi_axis_check(c, attr_axis, x));
    const int axis = fvi_axis(attr_axis, x->rank);
    if (x->dim[axis] < 1 || length > x->dim[axis])
        return fvi_infer_fail(c, "axis %d of %s does not have %lld elements", axis, fvi_type_text(x, text), (long long)length);
    c->out[0] = c->out[1] = *x;
    c->out[0].dim[axis] = c->out[1].dim[axis] = length ? length : x->dim[axis];
    c->out[1].dtype = FV_I64;
    return FV_OK;
}

/* What arrives at the values goes back to the places that they came from. */
static inline fv_status fvi_gradient_order(fvi_gradient *c, int64_t axis)
{
    fv_value *zeros = fvi_zeros_like(c->g, c->in[0]);
    c->din[0] = fvi_emit(c->g, "scatter_add", &(fvi_scatter_add_attr){axis}, 3, zeros, c->out[1], c->dout[0]);
    return fv_graph_status(c->g);
}

static inline void fvi_order_onnx(fvi_onnx *o, int64_t axis, int64_t k, bool greatest)
{
    const char *values = o->out[0] ? o->out[0] : o->fresh(o), *places = o->out[1] ? o->out[1] : o->fresh(o);
    o->add(o, &(fvi_onnx_op){.type = "TopK", .in = {o->in[0], o->ints(o, 1, &k)}, .out = {values, places},
                             .attrs = {FVI_ONNX_INT("axis", axis), FVI_ONNX_INT("largest", greatest), FVI_ONNX_INT("sorted", 1)}});
}

#endif
