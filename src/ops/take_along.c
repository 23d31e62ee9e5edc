/* SPDX-License-Identifier: Apache-2.0 */
/* take_along: an index for each element, y[a, i, b] = x[a, index[a, i, b], b] (PyTorch's gather, ONNX's GatherElements); dx is dy
 * added up at these places. scatter_add: y = x, with the elements of src added at the places that the index names, in order. */
#include "ops/elementwise.h"
#include "ops/index.h"

FVI_INDEX_AXIS_ATTRS(attrs, "the axis that is indexed");

/* x seen as (outer, n, inner), the index as (outer, count, inner). */
typedef struct extent { int64_t outer, n, inner, count; } extent;

static extent extent_of(const fvi_ref *r)
{
    const fvi_type *x = &r->in[0].type, *index = &r->in[1].type;
    const int axis = fvi_axis(((const fvi_take_along_attr *)r->attr)->axis, x->rank);
    return (extent){fvi_outer(x, axis), x->dim[axis], fvi_inner(x, axis), index->dim[axis]};
}

/* ---- take_along ---- */

static fv_status infer(fvi_infer *c)
{
    FVI_TRY(c->ctx, fvi_infer_along(c, &c->in[0], &c->in[1], ((const fvi_take_along_attr *)c->attr)->axis));
    c->out[0] = c->in[1];
    c->out[0].dtype = c->in[0].dtype;
    return FV_OK;
}

static void reference(const fvi_ref *r)
{
    const extent e = extent_of(r);
    for (int64_t i = 0; i < e.outer * e.count * e.inner; i++) {
        const int64_t at = r->in[1].i[i], o = i / (e.count * e.inner), j = i % e.inner;
        r->out[0].i[i] = at < 0 || at >= e.n ? 0 : r->in[0].i[(o * e.n + at) * e.inner + j];    /* numbers of any kind */
    }
}

static fv_status gradient(fvi_gradient *c)
{
    fv_value *zeros = fvi_zeros_like(c->g, c->in[0]);
    c->din[0] = fvi_emit(c->g, "scatter_add", c->node->attr, 3, zeros, c->in[1], c->dout[0]);
    return fv_graph_status(c->g);
}

static const fvi_take_along_attr rows = {0}, middle = {1}, last = {-1};
#define N FVI_DRAW_NORMAL
static const fvi_sample samples[] = {
    {"classes", &last, 2, {FVI_S(N, FV_N, 7), FVI_S_INDEX(7, FV_N, 1)}},
    {"boxes", &middle, 2, {FVI_S(N, FV_N, 5, 4), FVI_S_INDEX(5, FV_N, 9, 4)}},
    {"rows", &rows, 2, {FVI_S(N, 6, 3), FVI_S_INDEX(6, 4, 3)}},
    {"whole", &last, 2, {FVI_S_WHOLE(FV_I64, 9, FV_N, 5), FVI_S_INDEX(5, FV_N, 7)}},
};

static void onnx(fvi_onnx *o)
{
    o->add(o, &(fvi_onnx_op){.type = "GatherElements", .in = {o->in[0], o->in[1]}, .out = {o->out[0]},
                             .attrs = {FVI_ONNX_INT("axis", ((const fvi_take_along_attr *)o->attr)->axis)}});
}

static const fvi_op op_take_along = {
    .name = "take_along", .version = 1, .kind = FVI_PRIMITIVE, .doc = "y = elements of x along axis, those that index names",
    .n_in_min = 2, .n_in_max = 2, .n_out = 1, .attr_size = sizeof(fvi_take_along_attr), .attrs = attrs,
    .infer = infer, .grad = gradient, .ref = reference, .samples = samples, .n_samples = FVI_COUNT(samples),
    .onnx_emit = onnx,
};

/* ---- scatter_add ---- */

static fv_status infer_add(fvi_infer *c)
{
    char t[2][FVI_TYPE_TEXT];
    FVI_TRY(c->ctx, fvi_infer_along(c, &c->in[0], &c->in[1], ((const fvi_scatter_add_attr *)c->attr)->axis));
    if (!fvi_type_same_shape(&c->in[1], &c->in[2]) || c->in[2].dtype != c->in[0].dtype || c->in[0].dtype == FV_BOOL)
        return fvi_infer_fail(c, "%s cannot be added to numbers of type %s at the places of an index %s", fvi_type_text(&c->in[2], t[0]),
                              fv_dtype_name(c->in[0].dtype), fvi_type_text(&c->in[1], t[1]));
    return fvi_infer_same(c);
}

static void reference_add(const fvi_ref *r)
{
    const extent e = extent_of(r);
    const bool floating = fv_dtype_is_float(r->out[0].type.dtype);
    if (r->out[0].p != r->in[0].p) memcpy(r->out[0].p, r->in[0].p, (size_t)(e.outer * e.n * e.inner) * 8);
    for (int64_t i = 0; i < e.outer * e.count * e.inner; i++) {
        const int64_t at = r->in[1].i[i], to = (i / (e.count * e.inner) * e.n + at) * e.inner + i % e.inner;
        if (at < 0 || at >= e.n) continue;
        if (floating) r->out[0].f[to] += r->in[2].f[i];
        else r->out[0].i[to] = fvi_wrap_add(r->out[0].i[to], r->in[2].i[i]);
    }
}

static fv_status gradient_add(fvi_gradient *c)
{
    if (c->need[0]) c->din[0] = c->dout[0];
    if (c->need[2]) c->din[2] = fvi_emit(c->g, "take_along", c->node->attr, 2, c->dout[0], c->in[1]);
    return fv_graph_status(c->g);
}

static const fvi_sample add_samples[] = {
    {"classes", &last, 3, {FVI_S(N, FV_N, 5), FVI_S_INDEX(5, FV_N, 8), FVI_S(N, FV_N, 8)}},
    {"outside", &last, 3, {FVI_S(N, FV_N, 4), FVI_S_WHOLE(FV_I64, 5, FV_N, 9), FVI_S(N, FV_N, 9)}},
    {"boxes", &middle, 3, {FVI_S(N, FV_N, 3, 4), FVI_S_INDEX(3, FV_N, 7, 4), FVI_S(N, FV_N, 7, 4)}},
    {"whole", &rows, 3, {FVI_S_WHOLE(FV_I64, 9, 6, 3), FVI_S_INDEX(6, 8, 3), FVI_S_WHOLE(FV_I64, 9, 8, 3)}},
};

static const fvi_op op_scatter_add = {
    .name = "scatter_add", .version = 1, .kind = FVI_PRIMITIVE, .doc = "y = x with elements of src added along axis where index says",
    .n_in_min = 3, .n_in_max = 3, .n_out = 1, .attr_size = sizeof(fvi_scatter_add_attr), .attrs = attrs,
    .infer = infer_add, .grad = gradient_add, .ref = reference_add, .samples = add_samples, .n_samples = FVI_COUNT(add_samples),
    .inplace = {1},
};
FVI_OPS(take_along, &op_take_along, &op_scatter_add);

fv_value *fv_take_along(fv_graph *g, fv_value *x, fv_value *index, int axis)
{
    return fvi_emit(g, "take_along", &(fvi_take_along_attr){axis}, 2, x, index);
}

fv_value *fv_scatter_add(fv_graph *g, fv_value *x, fv_value *index, fv_value *src, int axis)
{
    return fvi_emit(g, "scatter_add", &(fvi_scatter_add_attr){axis}, 3, x, index, src);
}
