/* SPDX-License-Identifier: Apache-2.0 */
/* y = sum of x^2 over everything, a scalar; dx = 2 x dy. */
#include "ir/onnx.h"
#include "ops/reduce.h"

static fv_status infer(fvi_infer *c)
{
    FVI_TRY(c->ctx, fvi_infer_floats(c, 0));
    c->out[0] = (fvi_type){.dtype = fvi_sum_dtype(c->in[0].dtype)};
    return FV_OK;
}

static void reference(const fvi_ref *r)
{
    const int64_t n = fvi_type_numel(&r->in[0].type);
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += r->in[0].f[i] * r->in[0].f[i];
    r->out[0].f[0] = sum;
}

static fv_status gradient(fvi_gradient *c)
{
    fv_value *x = fvi_cast_like(c->g, c->in[0], c->dout[0]);
    fv_value *twice = fvi_emit(c->g, "scale", &(fvi_scale_attr){2}, 1, x);
    c->din[0] = fvi_cast_like(c->g, fvi_emit(c->g, "mul", NULL, 2, twice, c->dout[0]), c->in[0]);
    return fv_graph_status(c->g);
}

FVI_UNARY_SAMPLES(samples, NULL, FVI_DRAW_NORMAL);

static void onnx(fvi_onnx *o)
{
    if (o->node->in[0]->type.rank)
        o->add(o, &(fvi_onnx_op){.type = "ReduceSumSquare", .in = {o->in[0]}, .out = {o->out[0]}, .attrs = {FVI_ONNX_INT("keepdims", 0)}});
    else fvi_onnx_end_2(o, "Mul", o->in[0], o->in[0]);
}

static const fvi_op op_sum_squares = {
    .name = "sum_squares", .version = 1, .kind = FVI_PRIMITIVE, .doc = "y = sum of x * x",
    .n_in_min = 1, .n_in_max = 1, .n_out = 1,
    .infer = infer, .grad = gradient, .ref = reference,
    .samples = samples, .n_samples = FVI_COUNT(samples),
    .precision = FVI_PRECISION_F32,
    .onnx_emit = onnx,
};
FVI_OPS(sum_squares, &op_sum_squares);
