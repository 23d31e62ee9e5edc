/* SPDX-License-Identifier: Apache-2.0 */
/* y = e^x; dx = dy y. */
#include "ops/elementwise.h"

static double value(double x, const void *attr)
{
    (void)attr;
    return exp(x);
}

static void reference(const fvi_ref *r)
{
    fvi_ref_unary(r, value);
}

static fv_status gradient(fvi_gradient *c)
{
    c->din[0] = fvi_emit(c->g, "mul", NULL, 2, c->dout[0], c->out[0]);
    return fv_graph_status(c->g);
}

FVI_UNARY_SAMPLES(samples, NULL, FVI_DRAW_NORMAL);

static const fvi_op op_exp = {
    .name = "exp", .version = 1, .kind = FVI_PRIMITIVE, .doc = "y = exp(x)",
    .n_in_min = 1, .n_in_max = 1, .n_out = 1,
    .infer = fvi_infer_unary, .grad = gradient, .ref = reference,
    .samples = samples, .n_samples = FVI_COUNT(samples),
    .inplace = {1}, .elementwise = true,
    .onnx = "Exp",
};
FVI_OPS(exp, &op_exp);

fv_value *fv_exp(fv_graph *g, fv_value *a)
{
    return fvi_emit(g, "exp", NULL, 1, a);
}
