/* SPDX-License-Identifier: Apache-2.0 */
/* y = x[start : start + length] along an axis; dx = dy padded with zeros. */
#include "ir/onnx.h"
#include "ops/pad.h"
#include "ops/shape.h"
#include "ops/slice.h"

static const fvi_attr_def attrs[] = {
    {.name = "axis", .kind = FVI_ATTR_INT, .offset = offsetof(fvi_slice_attr, axis), .min = -FV_MAX_RANK, .max = FV_MAX_RANK - 1,
     .help = "negative: from the end"},
    {.name = "start", .kind = FVI_ATTR_DIMS, .offset = offsetof(fvi_slice_attr, start),
     .help = "first index; k*N allowed; default 0"},
    {.name = "length", .kind = FVI_ATTR_DIMS, .offset = offsetof(fvi_slice_attr, length), .help = "how many; k*N allowed"},
    FVI_ATTR_END,
};

static fv_status infer(fvi_infer *c)
{
    const fvi_slice_attr *a = c->attr;
    const fvi_type *x = &c->in[0];
    const int axis = fvi_axis(a->axis, x->rank);
    const int64_t start = fvi_dims_at(&a->start, 0, 0), length = fvi_dims_at(&a->length, 0, 0);
    char text[FVI_TYPE_TEXT];
    int64_t end, rest;
    if (axis < 0) return fvi_infer_fail(c, "%s has no axis %lld", fvi_type_text(x, text), (long long)a->axis);
    const bool fits = length != 0 && fvi_dim_symbolic(length) == fvi_dim_symbolic(x->dim[axis]) &&
                      fvi_dim_add(start, length, &end) && fvi_dim_subtract(x->dim[axis], end, &rest);
    if (!fits)
        return fvi_infer_fail(c, "start %lld and length %lld do not fit axis %d of %s%s", (long long)start, (long long)length, axis,
                              fvi_type_text(x, text), x->dim[axis] < 0 ? " (-k stands for k*N)" : "");
    c->out[0] = *x;
    c->out[0].dim[axis] = length;
    return FV_OK;
}

static void reference(const fvi_ref *r)
{
    const fvi_slice_attr *a = r->attr;
    const fvi_type *x = &r->in[0].type, *y = &r->out[0].type;
    const int axis = fvi_axis(a->axis, x->rank);
    const int64_t outer = fvi_outer(x, axis), inner = fvi_inner(x, axis), row = x->dim[axis] * inner, part = y->dim[axis] * inner;
    const int64_t start = fvi_dims_at(&a->start, 0, 0) * inner;
    for (int64_t i = 0; i < outer; i++)                    /* doubles and integers alike: 8 bytes */
        memcpy(r->out[0].f + i * part, r->in[0].f + i * row + start, (size_t)part * sizeof(double));
}

static fv_status gradient(fvi_gradient *c)
{
    const fvi_slice_attr *a = c->node->attr;
    const fvi_type *x = &c->in[0]->type;
    const int axis = fvi_axis(a->axis, x->rank);
    fvi_pad_attr pad = {{x->rank, {0}}, {x->rank, {0}}, 0};
    pad.before.d[axis] = fvi_dims_at(&a->start, 0, 0);
    pad.after.d[axis] = x->dim[axis] - pad.before.d[axis] - c->out[0]->type.dim[axis];
    c->din[0] = fvi_emit(c->g, "pad", &pad, 1, c->dout[0]);         /* by name, as pad takes fv_slice */
    return fv_graph_status(c->g);
}

static const fvi_slice_attr channels = {1, {1, {1}}, {1, {2}}}, first = {1, {0, {0}}, {1, {1}}}, last = {-1, {1, {3}}, {1, {1}}},
                            batch = {0, {1, {FV_N}}, {1, {2 * FV_N}}}, whole = {0, {0, {0}}, {1, {FV_N}}};
static const fvi_sample samples[] = {
    {"channels", &channels, 1, {FVI_S(FVI_DRAW_NORMAL, FV_N, 4, 3, 2)}},
    {"class_token", &first, 1, {FVI_S(FVI_DRAW_NORMAL, FV_N, 5, 3)}},
    {"last", &last, 1, {FVI_S(FVI_DRAW_NORMAL, FV_N, 2, 4)}},
    {"batch", &batch, 1, {FVI_S(FVI_DRAW_NORMAL, 4 * FV_N, 3)}},
    {"whole", &whole, 1, {FVI_S(FVI_DRAW_NORMAL, FV_N, 3)}},
};

static void onnx(fvi_onnx *o)
{
    const fvi_slice_attr *a = o->attr;
    const fvi_type *x = &o->node->in[0]->type;
    const int64_t axis = fvi_axis(a->axis, x->rank), start = fvi_dims_at(&a->start, 0, 0), rest = INT64_MAX;
    int64_t end = x->dim[axis];
    const bool added = fvi_dim_add(start, fvi_dims_at(&a->length, 0, 0), &end);
    const char *to = !added || end == x->dim[axis] ? o->ints(o, 1, &rest) : o->shape(o, 1, &end);
    o->add(o, &(fvi_onnx_op){.type = "Slice", .in = {o->in[0], o->shape(o, 1, &start), to, o->ints(o, 1, &axis)}, .out = {o->out[0]}});
}

static const fvi_op op_slice = {
    .name = "slice", .version = 1, .kind = FVI_PRIMITIVE, .doc = "y = x[start : start + length] along axis",
    .n_in_min = 1, .n_in_max = 1, .n_out = 1, .attr_size = sizeof(fvi_slice_attr), .attrs = attrs,
    .infer = infer, .grad = gradient, .ref = reference,
    .samples = samples, .n_samples = FVI_COUNT(samples),
    .onnx_emit = onnx,
};
FVI_OPS(slice, &op_slice);

fv_value *fv_slice(fv_graph *g, fv_value *x, int axis, int64_t start, int64_t length)
{
    return fvi_emit(g, "slice", &(fvi_slice_attr){axis, {1, {start}}, {1, {length}}}, 1, x);
}

void fv_split_axis(fv_graph *g, fv_value *x, int axis, int n, const int64_t *lengths, fv_value **parts)
{
    int64_t start = 0, rest = fv_value_dim(x, axis);
    for (int k = 0; k < n; k++) {
        parts[k] = fv_slice(g, x, axis, start, lengths[k]);
        start += lengths[k];
    }
    char text[FVI_TYPE_TEXT];
    if (x && fv_graph_status(g) == FV_OK && start != rest)
        fv_graph_fail(g, FV_ERROR_SHAPE, "split: the lengths add up to %lld, but axis %d of %s is not that long", (long long)start, axis,
                      fvi_type_text(&x->type, text));
}
