/* SPDX-License-Identifier: Apache-2.0 */
/* y = x repeated to the shape `dims`; dx = dy, summed back. */
#include "ir/onnx.h"
#include "ops/elementwise.h"
#include "ops/shape.h"

FVI_DIMS_ATTRS(attrs, "shape of the result; k*N allowed");

static fv_status infer(fvi_infer *c)
{
    const fvi_broadcast_to_attr *a = c->attr;
    fvi_type wide, *y = &c->out[0];
    char from[FVI_TYPE_TEXT], to[FVI_TYPE_TEXT];
    if (!fvi_dims_type(&a->dims, c->in[0].dtype, y)) return fvi_infer_fail(c, "dims is not a shape of rank 0 to %d", FV_MAX_RANK);
    if (!fvi_type_broadcast(&c->in[0], y, &wide) || !fvi_type_same_shape(&wide, y))
        return fvi_infer_fail(c, "%s cannot be broadcast to %s", fvi_type_text(&c->in[0], from), fvi_type_text(y, to));
    return FV_OK;
}

static void reference(const fvi_ref *r)
{
    const fvi_type *y = &r->out[0].type;
    const int64_t n = fvi_type_numel(y);
    int64_t stride[1][FV_MAX_RANK], offset[1] = {0}, at[FV_MAX_RANK] = {0};
    fvi_broadcast_strides(&r->in[0].type, y, stride[0]);
    for (int64_t i = 0; i < n; i++) {
        r->out[0].i[i] = r->in[0].i[offset[0]];            /* numbers of any kind: 8 bytes */
        fvi_broadcast_next(y, at, 1, stride, offset);
    }
}

static fv_status gradient(fvi_gradient *c)
{
    fvi_gradient_set(c, 0, c->dout[0]);
    return fv_graph_status(c->g);
}

static const fvi_broadcast_to_attr image = {{4, {FV_N, 4, 3, 2}}}, rows = {{2, {FV_N, 7}}}, batch = {{2, {3 * FV_N, 5}}};
static const fvi_sample samples[] = {
    {"channel", &image, 1, {FVI_S(FVI_DRAW_NORMAL, 4, 1, 1)}},
    {"rows", &rows, 1, {FVI_S(FVI_DRAW_NORMAL, FV_N, 1)}},
    {"batch", &batch, 1, {FVI_S(FVI_DRAW_NORMAL, 1, 5)}},
    {"scalar", &image, 1, {FVI_S0(FVI_DRAW_NORMAL)}},
    {"same", &rows, 1, {FVI_S(FVI_DRAW_NORMAL, FV_N, 7)}},
    {"whole", &rows, 1, {FVI_S_WHOLE(FV_I64, 9, FV_N, 1)}},
    {"truth", &rows, 1, {FVI_S_BOOL(7)}},
};

static void onnx(fvi_onnx *o)
{
    const fvi_type *x = &o->node->in[0]->type, *y = &o->node->out[0].type;
    int64_t dims[FV_MAX_RANK];
    if (!y->rank) {
        o->same(o, 0, o->in[0]);
        return;
    }
    for (int i = 0; i < y->rank; i++) {                  /* 1 leaves x's dimension, so that N need not be computed */
        const int k = i - (y->rank - x->rank);
        dims[i] = k >= 0 && x->dim[k] == y->dim[i] ? 1 : y->dim[i];
    }
    fvi_onnx_end_2(o, "Expand", o->in[0], o->shape(o, y->rank, dims));
}

static const fvi_op op_broadcast_to = {
    .name = "broadcast_to", .version = 1, .kind = FVI_PRIMITIVE, .doc = "y = x repeated to the shape dims",
    .n_in_min = 1, .n_in_max = 1, .n_out = 1, .attr_size = sizeof(fvi_broadcast_to_attr), .attrs = attrs,
    .infer = infer, .grad = gradient, .ref = reference,
    .samples = samples, .n_samples = FVI_COUNT(samples),
    .onnx_emit = onnx,
};
FVI_OPS(broadcast_to, &op_broadcast_to);

fv_value *fv_broadcast_to(fv_graph *g, fv_value *x, int rank, const int64_t *dims)
{
    const fvi_broadcast_to_attr a = fvi_dims_of(rank, dims);
    const fvi_type y = fvi_type_make(FV_F32, rank, dims);
    return x && fvi_type_same_shape(&x->type, &y) ? x : fvi_emit(g, "broadcast_to", &a, 1, x);
}

/* The axis `times` as long: with a new axis before it (the whole again and again) or behind it (each element). */
static fv_value *repeated(fv_graph *g, fv_value *x, int axis, int64_t times, bool each)
{
    char text[FVI_TYPE_TEXT];
    if (!x) return fv_graph_fail(g, FV_ERROR_INVALID, "repeat: no input");
    fvi_type t = x->type, wide = {.rank = t.rank + 1};
    const int at = fvi_axis(axis, t.rank), new_axis = at + each;
    if (at < 0 || times < 1 || wide.rank > FV_MAX_RANK)
        return fv_graph_fail(g, FV_ERROR_SHAPE, "axis %d of %s cannot be repeated %lld times", axis, fvi_type_text(&t, text),
                             (long long)times);
    if (times == 1) return x;
    for (int i = 0; i < wide.rank; i++) wide.dim[i] = i == new_axis ? 1 : t.dim[i - (i > new_axis)];
    x = fv_reshape(g, x, wide.rank, wide.dim);
    wide.dim[new_axis] = times;
    t.dim[at] *= times;
    return fv_reshape(g, fv_broadcast_to(g, x, wide.rank, wide.dim), t.rank, t.dim);
}

fv_value *fv_repeat(fv_graph *g, fv_value *x, int axis, int64_t times) { return repeated(g, x, axis, times, true); }

fv_value *fv_tile(fv_graph *g, fv_value *x, const int64_t *times)
{
    for (int i = fv_value_rank(x) - 1; i >= 0; i--) x = repeated(g, x, i, times[i], false);
    return x;
}
