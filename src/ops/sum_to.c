/* SPDX-License-Identifier: Apache-2.0 */
/* y = x summed down to `dims`, from which x could have been broadcast; dx = dy, repeated. The gradient of broadcasting. */
#include "ir/onnx.h"
#include "ops/elementwise.h"
#include "ops/shape.h"

FVI_DIMS_ATTRS(attrs, "shape of the result, one that broadcasts to x; k*N allowed");

static fv_status infer(fvi_infer *c)
{
    const fvi_sum_to_attr *a = c->attr;
    fvi_type wide, *y = &c->out[0];
    char from[FVI_TYPE_TEXT], to[FVI_TYPE_TEXT];
    FVI_TRY(c->ctx, fvi_infer_floats(c, 0));
    if (!fvi_dims_type(&a->dims, c->in[0].dtype, y)) return fvi_infer_fail(c, "dims is not a shape of rank 0 to %d", FV_MAX_RANK);
    if (!fvi_type_broadcast(y, &c->in[0], &wide) || !fvi_type_same_shape(&wide, &c->in[0]))
        return fvi_infer_fail(c, "%s cannot be summed to %s", fvi_type_text(&c->in[0], from), fvi_type_text(y, to));
    return FV_OK;
}

static void reference(const fvi_ref *r)
{
    const fvi_type *x = &r->in[0].type;
    const int64_t n = fvi_type_numel(x), n_out = fvi_type_numel(&r->out[0].type);
    int64_t stride[1][FV_MAX_RANK], offset[1] = {0}, at[FV_MAX_RANK] = {0};
    for (int64_t i = 0; i < n_out; i++) r->out[0].f[i] = 0;
    fvi_broadcast_strides(&r->out[0].type, x, stride[0]);
    for (int64_t i = 0; i < n; i++) {
        r->out[0].f[offset[0]] += r->in[0].f[i];
        fvi_broadcast_next(x, at, 1, stride, offset);
    }
}

static fv_status gradient(fvi_gradient *c)
{
    const fvi_type *x = &c->in[0]->type;
    c->din[0] = fv_broadcast_to(c->g, c->dout[0], x->rank, x->dim);
    return fv_graph_status(c->g);
}

static const fvi_sum_to_attr channel = {{3, {4, 1, 1}}}, rows = {{2, {FV_N, 1}}}, scalar = {{0, {0}}}, same = {{2, {FV_N, 5}}};
static const fvi_sample samples[] = {
    {"channel", &channel, 1, {FVI_S(FVI_DRAW_NORMAL, FV_N, 4, 3, 2)}},
    {"rows", &rows, 1, {FVI_S(FVI_DRAW_NORMAL, FV_N, 7)}},
    {"scalar", &scalar, 1, {FVI_S(FVI_DRAW_NORMAL, 2 * FV_N, 5)}},
    {"same", &same, 1, {FVI_S(FVI_DRAW_NORMAL, FV_N, 5)}},
};

static void onnx(fvi_onnx *o)
{
    const fvi_type *x = &o->node->in[0]->type, *y = &o->node->out[0].type;
    const int more = x->rank - y->rank;
    int64_t axes[FV_MAX_RANK];
    int n = 0;
    for (int i = 0; i < x->rank; i++)
        if (i < more || y->dim[i - more] != x->dim[i]) axes[n++] = i;
    const char *sum = o->in[0];
    if (n) sum = fvi_onnx_axes(o, "ReduceSum", sum, n, axes, 13, 1, more ? NULL : o->out[0]);
    fvi_type kept = *x;
    for (int i = 0; i < n; i++) kept.dim[axes[i]] = 1;
    if (more) fvi_onnx_reshape(o, sum, &kept, y, o->out[0]);
    else if (!n) o->same(o, 0, sum);
}

static const fvi_op op_sum_to = {
    .name = "sum_to", .version = 1, .kind = FVI_PRIMITIVE, .doc = "y = x summed to the shape dims",
    .n_in_min = 1, .n_in_max = 1, .n_out = 1, .attr_size = sizeof(fvi_sum_to_attr), .attrs = attrs,
    .infer = infer, .grad = gradient, .ref = reference,
    .samples = samples, .n_samples = FVI_COUNT(samples),
    .onnx_emit = onnx,
};
FVI_OPS(sum_to, &op_sum_to);
