/* SPDX-License-Identifier: Apache-2.0 */
/* softmax, log_softmax, their gradients and argmax: one axis. */
#ifndef FVI_OPS_SOFTMAX_H
#define FVI_OPS_SOFTMAX_H

#include "ir/onnx.h"
#include "ops/activation.h"
#include "ops/parallel.h"
#include "ops/shape.h"

typedef struct fvi_softmax_attr { int64_t axis; } fvi_softmax_attr;       /* may be negative: fvi_axis (ops/shape.h) */
typedef fvi_softmax_attr fvi_log_softmax_attr, fvi_softmax_backward_attr, fvi_log_softmax_backward_attr, fvi_argmax_attr;

#define FVI_AXIS_ATTRS(table_, help_)                                                                           \
    static const fvi_attr_def table_[] = {                                                                      \
        {.name = "axis", .kind = FVI_ATTR_INT, .offset = offsetof(fvi_softmax_attr, axis), .fallback = -1,      \
         .min = -FV_MAX_RANK, .max = FV_MAX_RANK - 1, .help = (help_)},                                         \
        FVI_ATTR_END,                                                                                           \
    }

static inline fv_status fvi_axis_check(fvi_infer *c, int64_t axis, const fvi_type *x)
{
    char text[FVI_TYPE_TEXT];
    if (fvi_axis(axis, x->rank) >= 0) return FV_OK;
    return fvi_infer_fail(c, "axis %lld does not exist in %s", (long long)axis, fvi_type_text(x, text));
}

static inline fv_status fvi_softmax_infer(fvi_infer *c)
{
    const fvi_softmax_attr *a = c->attr;
    FVI_TRY(c->ctx, fvi_infer_floats(c, 0));
    FVI_TRY(c->ctx, fvi_axis_check(c, a->axis, &c->in[0]));
    return fvi_infer_same(c);
}

static inline fv_status fvi_softmax_infer_backward(fvi_infer *c)
{
    const fvi_softmax_attr *a = c->attr;
    FVI_TRY(c->ctx, fvi_axis_check(c, a->axis, &c->in[0]));
    return fvi_infer_pair(c);
}

/* Calls f for each row along the axis: offset of its first element, length, step. One thread per row. */
typedef void fvi_row_fn(const fvi_ref *r, int64_t first, int64_t n, int64_t step);
static inline void fvi_softmax_rows(const fvi_ref *r, fvi_row_fn *f)
{
    const fvi_softmax_attr *a = r->attr;
    const fvi_type *x = &r->in[0].type;
    const int axis = fvi_axis(a->axis, x->rank);
    const int64_t outer = fvi_outer(x, axis), n = x->dim[axis], inner = fvi_inner(x, axis);
#pragma omp parallel for if (FVI_WORTH_THREADS(16 * outer * n * inner))
    for (int64_t row = 0; row < outer * inner; row++) f(r, row / inner * n * inner + row % inner, n, inner);
}

static const fvi_softmax_attr fvi_axis_last = {-1}, fvi_axis_channel = {1}, fvi_axis_first = {0};
#define FVI_AXIS_SAMPLES(name, n_in, draw_)                                                                         \
    static const fvi_sample name[] = {                                                                              \
        {"classes", &fvi_axis_last, n_in, {FVI_S(draw_, FV_N, 7), FVI_S(draw_, FV_N, 7)}},                          \
        {"channel", &fvi_axis_channel, n_in, {FVI_S(draw_, FV_N, 5, 3, 2), FVI_S(draw_, FV_N, 5, 3, 2)}},           \
        {"attention", &fvi_axis_last, n_in, {FVI_S(draw_, FV_N, 2, 4, 4), FVI_S(draw_, FV_N, 2, 4, 4)}},            \
        {"first", &fvi_axis_first, n_in, {FVI_S(draw_, 3, FV_N), FVI_S(draw_, 3, FV_N)}},                           \
        {"one", &fvi_axis_last, n_in, {FVI_S(draw_, FV_N, 1), FVI_S(draw_, FV_N, 1)}},                              \
    }

/* Before opset 13 all axes from `axis` on went into one, so the axis is moved to the end. */
static inline void fvi_softmax_onnx(fvi_onnx *o, const char *type)
{
    const int rank = o->node->in[0]->type.rank, axis = fvi_axis(((const fvi_softmax_attr *)o->attr)->axis, rank);
    int64_t perm[FV_MAX_RANK];
    if (o->opset >= 13 || axis == rank - 1) {
        o->add(o, &(fvi_onnx_op){.type = type, .in = {o->in[0]}, .out = {o->out[0]}, .attrs = {FVI_ONNX_INT("axis", axis)}});
        return;
    }
    for (int i = 0; i < rank; i++) perm[i] = i == axis ? rank - 1 : i == rank - 1 ? axis : i;
    const char *x = o->add(o, &(fvi_onnx_op){.type = "Transpose", .in = {o->in[0]}, .attrs = {FVI_ONNX_INTS("perm", rank, perm)}});
    x = o->add(o, &(fvi_onnx_op){.type = type, .in = {x}, .attrs = {FVI_ONNX_INT("axis", rank - 1)}});
    o->add(o, &(fvi_onnx_op){.type = "Transpose", .in = {x}, .out = {o->out[0]}, .attrs = {FVI_ONNX_INTS("perm", rank, perm)}});
}

#endif
