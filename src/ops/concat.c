/* SPDX-License-Identifier: Apache-2.0 */
/* y = x0, x1, ... joined along an axis; each input's gradient is its slice of dy. */
#include "ir/onnx.h"
#include "ops/concat.h"
#include "ops/shape.h"
#include "ops/slice.h"

static const fvi_attr_def attrs[] = {
    {.name = "axis", .kind = FVI_ATTR_INT, .offset = offsetof(fvi_concat_attr, axis), .min = -FV_MAX_RANK, .max = FV_MAX_RANK - 1,
     .help = "the axis along which inputs follow each other; negative: from the end"},
    FVI_ATTR_END,
};

static fv_status infer(fvi_infer *c)
{
    const fvi_concat_attr *a = c->attr;
    const int axis = fvi_axis(a->axis, c->in[0].rank);
    char first[FVI_TYPE_TEXT], other[FVI_TYPE_TEXT];
    fvi_type *y = &c->out[0];
    if (axis < 0) return fvi_infer_fail(c, "%s has no axis %lld", fvi_type_text(&c->in[0], first), (long long)a->axis);
    *y = c->in[0];
    for (int k = 1; k < c->n_in; k++) {
        fvi_type same = c->in[k];
        if (same.rank == y->rank) same.dim[axis] = c->in[0].dim[axis];
        if (!fvi_type_equal(&same, &c->in[0]))
            return fvi_infer_fail(c, "inputs 0 and %d, %s and %s, differ in more than axis %d", k, fvi_type_text(&c->in[0], first),
                                  fvi_type_text(&c->in[k], other), axis);
        if (!fvi_dim_add(y->dim[axis], c->in[k].dim[axis], &y->dim[axis]))
            return fvi_infer_fail(c, "cannot join %s and %s along axis %d: constant lengths and multiples of N do not mix",
                                  fvi_type_text(&c->in[0], first), fvi_type_text(&c->in[k], other), axis);
    }
    return FV_OK;
}

static void reference(const fvi_ref *r)
{
    const fvi_type *y = &r->out[0].type;
    const int axis = fvi_axis(((const fvi_concat_attr *)r->attr)->axis, y->rank);
    const int64_t outer = fvi_outer(y, axis), inner = fvi_inner(y, axis), row = y->dim[axis] * inner;
    int64_t start = 0;
    for (int k = 0; k < r->n_in; k++) {
        const int64_t part = r->in[k].type.dim[axis] * inner;
        for (int64_t i = 0; i < outer; i++)                /* doubles and integers alike: 8 bytes */
            memcpy(r->out[0].f + i * row + start, r->in[k].f + i * part, (size_t)part * sizeof(double));
        start += part;
    }
}

static fv_status gradient(fvi_gradient *c)
{
    const int axis = fvi_axis(((const fvi_concat_attr *)c->node->attr)->axis, c->out[0]->type.rank);
    int64_t start = 0;
    for (int k = 0; k < c->node->n_in; k++) {
        const int64_t length = c->in[k]->type.dim[axis];
        if (c->need[k]) c->din[k] = fv_slice(c->g, c->dout[0], axis, start, length);
        start += length;
    }
    return fv_graph_status(c->g);
}

static const fvi_concat_attr channels = {1}, batch = {0}, last = {-1};
static const fvi_sample samples[] = {
    {"channels", &channels, 2, {FVI_S(FVI_DRAW_NORMAL, FV_N, 3, 5, 4), FVI_S(FVI_DRAW_NORMAL, FV_N, 2, 5, 4)}},
    {"batch", &batch, 2, {FVI_S(FVI_DRAW_NORMAL, FV_N, 7), FVI_S(FVI_DRAW_NORMAL, 2 * FV_N, 7)}},
    {"three", &last, 3, {FVI_S(FVI_DRAW_NORMAL, FV_N, 3, 1), FVI_S(FVI_DRAW_NORMAL, FV_N, 3, 4),
                         FVI_S(FVI_DRAW_NORMAL, FV_N, 3, 2)}},
    {"one", &channels, 1, {FVI_S(FVI_DRAW_NORMAL, FV_N, 5)}},
};

static void onnx(fvi_onnx *o)
{
    o->add(o, &(fvi_onnx_op){.type = "Concat", .list = o->in, .n_list = o->n_in, .out = {o->out[0]},
                             .attrs = {FVI_ONNX_INT("axis", ((const fvi_concat_attr *)o->attr)->axis)}});
}

static const fvi_op op_concat = {
    .name = "concat", .version = 1, .kind = FVI_PRIMITIVE, .doc = "y = inputs joined along axis",
    .n_in_min = 1, .n_in_max = FVI_ANY_IN, .n_out = 1, .attr_size = sizeof(fvi_concat_attr), .attrs = attrs,
    .infer = infer, .grad = gradient, .ref = reference,
    .samples = samples, .n_samples = FVI_COUNT(samples),
    .onnx_emit = onnx,
};
FVI_OPS(concat, &op_concat);

fv_value *fv_concat(fv_graph *g, int axis, int n, fv_value *const *x)
{
    return fvi_emit_v(g, "concat", &(fvi_concat_attr){axis}, n, x);
}

fv_value *fv_stack(fv_graph *g, int axis, int n, fv_value *const *x)
{
    fv_value *few[FVI_FEW_IN] = {NULL}, **part = FVI_ROOM(&g->arena, few, n);
    if (!part) return fv_graph_fail(g, FV_ERROR_NOMEM, "out of memory");
    for (int k = 0; k < n; k++) part[k] = fv_unsqueeze(g, x[k], axis);
    return fv_concat(g, axis, n, part);
}

fv_value *fv_roll(fv_graph *g, fv_value *x, int axis, int64_t shift)
{
    const int64_t length = fv_value_dim(x, axis);
    char text[FVI_TYPE_TEXT];
    if (!x) return fv_graph_fail(g, FV_ERROR_INVALID, "roll: no input");
    if (length <= 0)
        return fv_graph_fail(g, FV_ERROR_SHAPE, "roll: axis %d of %s has no constant length", axis, fvi_type_text(&x->type, text));
    const int64_t tail = ((shift % length) + length) % length;
    if (!tail) return x;
    fv_value *const parts[2] = {fv_slice(g, x, axis, length - tail, tail), fv_slice(g, x, axis, 0, length - tail)};
    return fv_concat(g, axis, 2, parts);
}
