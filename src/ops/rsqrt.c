/* SPDX-License-Identifier: Apache-2.0 */
/* y = 1 / sqrt(x); dx = -dy y^3 / 2. */
#include "ir/onnx.h"
#include "ops/elementwise.h"

static double value(double x, const void *attr)
{
    (void)attr;
    return 1 / sqrt(x);
}

static void reference(const fvi_ref *r)
{
    fvi_ref_unary(r, value);
}

static fv_status gradient(fvi_gradient *c)
{
    fv_value *cube = fvi_emit(c->g, "pow", &(fvi_pow_attr){3}, 1, c->out[0]);
    fv_value *slope = fvi_emit(c->g, "scale", &(fvi_scale_attr){-0.5}, 1, cube);
    c->din[0] = fvi_emit(c->g, "mul", NULL, 2, c->dout[0], slope);
    return fv_graph_status(c->g);
}

FVI_UNARY_SAMPLES(samples, NULL, FVI_DRAW_POSITIVE);

static void onnx(fvi_onnx *o)
{
    fvi_onnx_end_1(o, "Reciprocal", fvi_onnx_1(o, "Sqrt", o->in[0]));
}

static const fvi_op op_rsqrt = {
    .name = "rsqrt", .version = 1, .kind = FVI_PRIMITIVE, .doc = "y = 1 / sqrt(x)",
    .n_in_min = 1, .n_in_max = 1, .n_out = 1,
    .infer = fvi_infer_unary, .grad = gradient, .ref = reference,
    .samples = samples, .n_samples = FVI_COUNT(samples),
    .inplace = {1}, .elementwise = true,
    .onnx_emit = onnx,
};
FVI_OPS(rsqrt, &op_rsqrt);
