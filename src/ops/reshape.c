/* SPDX-License-Identifier: Apache-2.0 */
/* y = the elements of x in row-major order, in another shape; dx = dy in the shape of x. */
#include "ir/onnx.h"
#include "ops/shape.h"

FVI_DIMS_ATTRS(attrs, "shape of the result, as many elements as x; k*N allowed");

static fv_status infer(fvi_infer *c)
{
    const fvi_reshape_attr *a = c->attr;
    fvi_type *y = &c->out[0];
    int64_t n_in, n_out;
    char from[FVI_TYPE_TEXT], to[FVI_TYPE_TEXT];
    if (!fvi_dims_type(&a->dims, c->in[0].dtype, y)) return fvi_infer_fail(c, "dims is not a shape of rank 0 to %d", FV_MAX_RANK);
    if (fvi_type_same_shape(&c->in[0], y)) return FV_OK;
    if (!fvi_type_product(&c->in[0], 0, c->in[0].rank, &n_in) || !fvi_type_product(y, 0, y->rank, &n_out) || n_in != n_out)
        return fvi_infer_fail(c, "%s cannot be reshaped to %s: the number of elements differs", fvi_type_text(&c->in[0], from),
                              fvi_type_text(y, to));
    return FV_OK;
}

static void reference(const fvi_ref *r)
{
    const int64_t n = fvi_type_numel(&r->out[0].type);
    if (r->out[0].p != r->in[0].p) memcpy(r->out[0].p, r->in[0].p, (size_t)n * sizeof(double));
}

static fv_status gradient(fvi_gradient *c)
{
    c->din[0] = fv_reshape(c->g, c->dout[0], c->in[0]->type.rank, c->in[0]->type.dim);
    return fv_graph_status(c->g);
}

static const fvi_reshape_attr flat = {{2, {FV_N, 60}}}, tokens = {{3, {5 * FV_N, 4, 3}}}, scalar = {{0, {0}}},
                              one = {{3, {1, 1, 1}}};
static const fvi_sample samples[] = {
    {"flatten", &flat, 1, {FVI_S(FVI_DRAW_NORMAL, FV_N, 3, 5, 4)}},
    {"windows", &tokens, 1, {FVI_S(FVI_DRAW_NORMAL, FV_N, 60)}},
    {"scalar", &scalar, 1, {FVI_S(FVI_DRAW_NORMAL, 1, 1)}},
    {"one", &one, 1, {FVI_S0(FVI_DRAW_NORMAL)}},
};

static void onnx(fvi_onnx *o)
{
    fvi_onnx_reshape(o, o->in[0], &o->node->in[0]->type, &o->node->out[0].type, o->out[0]);
}

static const fvi_op op_reshape = {
    .name = "reshape", .version = 1, .kind = FVI_PRIMITIVE, .doc = "y = x in the shape dims",
    .n_in_min = 1, .n_in_max = 1, .n_out = 1, .attr_size = sizeof(fvi_reshape_attr), .attrs = attrs,
    .infer = infer, .grad = gradient, .ref = reference,
    .samples = samples, .n_samples = FVI_COUNT(samples),
    .alias = true,
    .onnx_emit = onnx,
};
FVI_OPS(reshape, &op_reshape);

fv_value *fv_reshape(fv_graph *g, fv_value *x, int rank, const int64_t *dims)
{
    const fvi_reshape_attr a = fvi_dims_of(rank, dims);
    const fvi_type y = fvi_type_make(FV_F32, rank, dims);
    return x && fvi_type_same_shape(&x->type, &y) ? x : fvi_emit(g, "reshape", &a, 1, x);
}

fv_value *fv_flatten(fv_graph *g, fv_value *x, int start_axis)
{
    if (!x) return fv_graph_fail(g, FV_ERROR_INVALID, "flatten: no input");
    char text[FVI_TYPE_TEXT];
    const int start = fvi_axis(start_axis, x->type.rank);
    if (start < 0)
        return fv_graph_fail(g, FV_ERROR_SHAPE, "flatten: %s has no axis %d", fvi_type_text(&x->type, text), start_axis);
    fvi_type y = x->type;
    if (!fvi_type_product(&x->type, start, x->type.rank, &y.dim[start]))
        return fv_graph_fail(g, FV_ERROR_SHAPE, "flatten: %s holds N twice, is ragged or too large", fvi_type_text(&x->type, text));
    return fv_reshape(g, x, start + 1, y.dim);
}

fv_value *fv_unsqueeze(fv_graph *g, fv_value *x, int axis)
{
    char text[FVI_TYPE_TEXT];
    if (!x) return fv_graph_fail(g, FV_ERROR_INVALID, "unsqueeze: no input");
    const int rank = x->type.rank + 1, at = fvi_axis(axis, rank);
    if (at < 0 || rank > FV_MAX_RANK)
        return fv_graph_fail(g, FV_ERROR_SHAPE, "unsqueeze: %s has no place for axis %d", fvi_type_text(&x->type, text), axis);
    int64_t dims[FV_MAX_RANK];
    for (int i = 0; i < rank; i++) dims[i] = i == at ? 1 : x->type.dim[i - (i > at)];
    return fv_reshape(g, x, rank, dims);
}

fv_value *fv_squeeze(fv_graph *g, fv_value *x, int axis)
{
    char text[FVI_TYPE_TEXT];
    if (!x) return fv_graph_fail(g, FV_ERROR_INVALID, "squeeze: no input");
    const int rank = x->type.rank - 1, at = fvi_axis(axis, x->type.rank);
    if (at < 0 || x->type.dim[at] != 1)
        return fv_graph_fail(g, FV_ERROR_SHAPE, "squeeze: axis %d of %s is not of length 1", axis, fvi_type_text(&x->type, text));
    int64_t dims[FV_MAX_RANK];
    for (int i = 0; i < rank; i++) dims[i] = x->type.dim[i + (i >= at)];
    return fv_reshape(g, x, rank, dims);
}
