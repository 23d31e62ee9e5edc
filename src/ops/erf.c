/* SPDX-License-Identifier: Apache-2.0 */
/* y = 2 / sqrt(pi) times the integral of exp(-t^2) from 0 to x; dx = dy 2 / sqrt(pi) exp(-x^2). */
#include "ops/elementwise.h"

static double value(double x, const void *attr)
{
    (void)attr;
    return erf(x);
}

static void reference(const fvi_ref *r)
{
    fvi_ref_unary(r, value);
}

static fv_status gradient(fvi_gradient *c)
{
    fv_value *slope = fv_exp(c->g, fv_neg(c->g, fv_square(c->g, c->in[0])));
    slope = fvi_emit(c->g, "scale", &(fvi_scale_attr){1.1283791670955125739}, 1, slope);
    c->din[0] = fv_mul(c->g, c->dout[0], slope);
    return fv_graph_status(c->g);
}

FVI_UNARY_SAMPLES(samples, NULL, FVI_DRAW_NORMAL);

static const fvi_op op_erf = {
    .name = "erf", .version = 1, .kind = FVI_PRIMITIVE, .doc = "y = erf(x)",
    .n_in_min = 1, .n_in_max = 1, .n_out = 1,
    .infer = fvi_infer_unary, .grad = gradient, .ref = reference,
    .samples = samples, .n_samples = FVI_COUNT(samples),
    .inplace = {1}, .elementwise = true,
    .onnx = "Erf",
};
FVI_OPS(erf, &op_erf);

fv_value *fv_erf(fv_graph *g, fv_value *x)
{
    return fvi_emit(g, "erf", NULL, 1, x);
}
