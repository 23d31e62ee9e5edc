/* SPDX-License-Identifier: Apache-2.0 */
/* y = a b; da = dy b, db = dy a. */
#include "ops/elementwise.h"

static double value(double a, double b, const void *attr)
{
    (void)attr;
    return a * b;
}

static void reference(const fvi_ref *r)
{
    fvi_ref_arithmetic(r, value, fvi_wrap_mul);
}

static fv_status gradient(fvi_gradient *c)
{
    if (c->need[0]) fvi_gradient_set(c, 0, fvi_emit(c->g, "mul", NULL, 2, c->dout[0], c->in[1]));
    if (c->need[1]) fvi_gradient_set(c, 1, fvi_emit(c->g, "mul", NULL, 2, c->dout[0], c->in[0]));
    return fv_graph_status(c->g);
}

FVI_ARITHMETIC_SAMPLES(samples, FVI_DRAW_NORMAL, FVI_DRAW_NORMAL, 9);

static const fvi_op op_mul = {
    .name = "mul", .version = 1, .kind = FVI_PRIMITIVE, .doc = "y = a * b",
    .n_in_min = 2, .n_in_max = 2, .n_out = 1,
    .infer = fvi_infer_arithmetic, .grad = gradient, .ref = reference,
    .samples = samples, .n_samples = FVI_COUNT(samples),
    .inplace = {1}, .elementwise = true,
    .onnx = "Mul",
};
FVI_OPS(mul, &op_mul);

fv_value *fv_mul(fv_graph *g, fv_value *a, fv_value *b)
{
    return fvi_emit(g, "mul", NULL, 2, a, b);
}
