/* SPDX-License-Identifier: Apache-2.0 */
/* y = log(1 + exp(x)), without overflow; dx = dy sigmoid(x). */
#include "ops/elementwise.h"

static double value(double x, const void *attr)
{
    (void)attr;
    return fmax(x, 0) + log1p(exp(-fabs(x)));
}

static void reference(const fvi_ref *r)
{
    fvi_ref_unary(r, value);
}

static fv_status gradient(fvi_gradient *c)
{
    c->din[0] = fv_mul(c->g, c->dout[0], fv_sigmoid(c->g, c->in[0]));
    return fv_graph_status(c->g);
}

FVI_UNARY_SAMPLES(samples, NULL, FVI_DRAW_NORMAL);

static const fvi_op op_softplus = {
    .name = "softplus", .version = 1, .kind = FVI_PRIMITIVE, .doc = "y = log(1 + exp(x))",
    .n_in_min = 1, .n_in_max = 1, .n_out = 1,
    .infer = fvi_infer_unary, .grad = gradient, .ref = reference,
    .samples = samples, .n_samples = FVI_COUNT(samples),
    .inplace = {1}, .elementwise = true,
    .onnx = "Softplus",
};
FVI_OPS(softplus, &op_softplus);

fv_value *fv_softplus(fv_graph *g, fv_value *x)
{
    return fvi_emit(g, "softplus", NULL, 1, x);
}
