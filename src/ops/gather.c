/* SPDX-License-Identifier: Apache-2.0 */
/* gather: y = the slices of x along an axis that an index of any rank names, y[a, i, b] = x[a, index[i], b]; dx is dy added up
 * at these places. index_add: y = x, with the slices of src added at the places that the index names, in order. */
#include "ops/elementwise.h"
#include "ops/index.h"

FVI_INDEX_AXIS_ATTRS(attrs, "the axis that is indexed");

/* x seen as (outer, n, inner), the index as (count). */
typedef struct extent { int64_t outer, n, inner, count; } extent;

static extent extent_of(const fvi_ref *r)
{
    const fvi_type *x = &r->in[0].type;
    const int axis = fvi_axis(((const fvi_gather_attr *)r->attr)->axis, x->rank);
    return (extent){fvi_outer(x, axis), x->dim[axis], fvi_inner(x, axis), fvi_type_numel(&r->in[1].type)};
}

/* ---- gather ---- */

static fv_status infer(fvi_infer *c)
{
    return fvi_infer_gathered(c, &c->in[0], &c->in[1], ((const fvi_gather_attr *)c->attr)->axis, &c->out[0]);
}

static void reference(const fvi_ref *r)
{
    const extent e = extent_of(r);
    for (int64_t o = 0; o < e.outer; o++)
        for (int64_t i = 0; i < e.count; i++) {
            const int64_t at = r->in[1].i[i];
            int64_t *to = r->out[0].i + (o * e.count + i) * e.inner;                /* numbers of any kind: 8 bytes */
            if (at < 0 || at >= e.n) memset(to, 0, (size_t)e.inner * 8);
            else memcpy(to, r->in[0].i + (o * e.n + at) * e.inner, (size_t)e.inner * 8);
        }
}

static fv_status gradient(fvi_gradient *c)
{
    fv_value *zeros = fvi_zeros_like(c->g, c->in[0]);
    c->din[0] = fvi_emit(c->g, "index_add", c->node->attr, 3, zeros, c->in[1], c->dout[0]);
    return fv_graph_status(c->g);
}

static const fvi_gather_attr rows = {0}, channels = {1}, last = {-1};
#define N FVI_DRAW_NORMAL
static const fvi_sample samples[] = {
    {"rows", &rows, 2, {FVI_S(N, 5, 3), FVI_S_INDEX(5, FV_N)}},
    {"samples", &rows, 2, {FVI_S(N, FV_N, 3, 2), FVI_S_INDEX(2, 4)}},
    {"table", &rows, 2, {FVI_S(N, 7, 4), FVI_S_INDEX(7, FV_N, 3)}},
    {"channels", &channels, 2, {FVI_S(N, FV_N, 6, 3, 2), FVI_S_INDEX(6, 4)}},
    {"last", &last, 2, {FVI_S(N, FV_N, 5), FVI_S_INDEX(5, 7)}},
    {"one", &channels, 2, {FVI_S(N, FV_N, 5), {.dtype = FV_I64, .draw = FVI_DRAW_INDEX, .classes = 5}}},
    {"whole", &rows, 2, {FVI_S_WHOLE(FV_I64, 9, 5, 3), FVI_S_WHOLE(FV_I32, 0, FV_N)}},
};

static void onnx(fvi_onnx *o)
{
    o->add(o, &(fvi_onnx_op){.type = "Gather", .in = {o->in[0], o->in[1]}, .out = {o->out[0]},
                             .attrs = {FVI_ONNX_INT("axis", ((const fvi_gather_attr *)o->attr)->axis)}});
}

static const fvi_op op_gather = {
    .name = "gather", .version = 1, .kind = FVI_PRIMITIVE, .doc = "y = slices of x along axis, those that index names",
    .n_in_min = 2, .n_in_max = 2, .n_out = 1, .attr_size = sizeof(fvi_gather_attr), .attrs = attrs,
    .infer = infer, .grad = gradient, .ref = reference, .samples = samples, .n_samples = FVI_COUNT(samples),
    .onnx_emit = onnx,
};

/* ---- index_add ---- */

static fv_status infer_add(fvi_infer *c)
{
    const fvi_index_add_attr *a = c->attr;
    char t[2][FVI_TYPE_TEXT];
    fvi_type part;
    FVI_TRY(c->ctx, fvi_infer_gathered(c, &c->in[0], &c->in[1], a->axis, &part));
    if (!fvi_type_equal(&part, &c->in[2]) || part.dtype == FV_BOOL)
        return fvi_infer_fail(c, "%s cannot be added at the places of an index: %s is needed", fvi_type_text(&c->in[2], t[0]),
                              fvi_type_text(&part, t[1]));
    return fvi_infer_same(c);
}

static void reference_add(const fvi_ref *r)
{
    const extent e = extent_of(r);
    const bool floating = fv_dtype_is_float(r->out[0].type.dtype);
    if (r->out[0].p != r->in[0].p) memcpy(r->out[0].p, r->in[0].p, (size_t)(e.outer * e.n * e.inner) * 8);
    for (int64_t o = 0; o < e.outer; o++)
        for (int64_t i = 0; i < e.count; i++) {
            const int64_t at = r->in[1].i[i], to = (o * e.n + at) * e.inner, from = (o * e.count + i) * e.inner;
            for (int64_t j = 0; j < e.inner && at >= 0 && at < e.n; j++)
                if (floating) r->out[0].f[to + j] += r->in[2].f[from + j];
                else r->out[0].i[to + j] = fvi_wrap_add(r->out[0].i[to + j], r->in[2].i[from + j]);
        }
}

static fv_status gradient_add(fvi_gradient *c)
{
    if (c->need[0]) c->din[0] = c->dout[0];
    if (c->need[2]) c->din[2] = fvi_emit(c->g, "gather", c->node->attr, 2, c->dout[0], c->in[1]);
    return fv_graph_status(c->g);
}

static const fvi_sample add_samples[] = {
    {"rows", &rows, 3, {FVI_S(N, 5, 3), FVI_S_INDEX(5, FV_N), FVI_S(N, FV_N, 3)}},
    {"outside", &rows, 3, {FVI_S(N, 4, 3), FVI_S_WHOLE(FV_I64, 5, FV_N, 6), FVI_S(N, FV_N, 6, 3)}},
    {"channels", &channels, 3, {FVI_S(N, FV_N, 6, 3, 2), FVI_S_INDEX(6, 9), FVI_S(N, FV_N, 9, 3, 2)}},
    {"last", &last, 3, {FVI_S(N, FV_N, 5), FVI_S_INDEX(5, 7), FVI_S(N, FV_N, 7)}},
    {"whole", &rows, 3, {FVI_S_WHOLE(FV_I64, 9, 5), FVI_S_INDEX(5, FV_N), FVI_S_WHOLE(FV_I64, 9, FV_N)}},
};

static const fvi_op op_index_add = {
    .name = "index_add", .version = 1, .kind = FVI_PRIMITIVE, .doc = "y = x with slices of src added along axis where index says",
    .n_in_min = 3, .n_in_max = 3, .n_out = 1, .attr_size = sizeof(fvi_index_add_attr), .attrs = attrs,
    .infer = infer_add, .grad = gradient_add, .ref = reference_add, .samples = add_samples, .n_samples = FVI_COUNT(add_samples),
    .inplace = {1},
};
FVI_OPS(gather, &op_gather, &op_index_add);

fv_value *fv_gather(fv_graph *g, fv_value *x, fv_value *index, int axis)
{
    return fvi_emit(g, "gather", &(fvi_gather_attr){axis}, 2, x, index);
}

fv_value *fv_index_add(fv_graph *g, fv_value *x, fv_value *index, fv_value *src, int axis)
{
    return fvi_emit(g, "index_add", &(fvi_index_add_attr){axis}, 3, x, index, src);
}
