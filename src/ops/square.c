/* SPDX-License-Identifier: Apache-2.0 */
/* y = x^2; dx = 2 x dy. */
#include "ir/onnx.h"
#include "ops/elementwise.h"

static double value(double x, const void *attr)
{
    (void)attr;
    return x * x;
}

static void reference(const fvi_ref *r)
{
    fvi_ref_unary(r, value);
}

static fv_status gradient(fvi_gradient *c)
{
    fv_value *twice = fvi_emit(c->g, "scale", &(fvi_scale_attr){2}, 1, c->in[0]);
    c->din[0] = fvi_emit(c->g, "mul", NULL, 2, c->dout[0], twice);
    return fv_graph_status(c->g);
}

FVI_UNARY_SAMPLES(samples, NULL, FVI_DRAW_NORMAL);

static void onnx(fvi_onnx *o)
{
    fvi_onnx_end_2(o, "Mul", o->in[0], o->in[0]);
}

static const fvi_op op_square = {
    .name = "square", .version = 1, .kind = FVI_PRIMITIVE, .doc = "y = x * x",
    .n_in_min = 1, .n_in_max = 1, .n_out = 1,
    .infer = fvi_infer_unary, .grad = gradient, .ref = reference,
    .samples = samples, .n_samples = FVI_COUNT(samples),
    .inplace = {1}, .elementwise = true,
    .onnx_emit = onnx,
};
FVI_OPS(square, &op_square);

fv_value *fv_square(fv_graph *g, fv_value *a)
{
    return fvi_emit(g, "square", NULL, 1, a);
}
