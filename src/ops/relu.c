/* SPDX-License-Identifier: Apache-2.0 */
/* y = max(x, 0); dx = dy where y > 0, so x need not be kept. NaN passes in both directions. */
#include "ops/activation.h"

static double value(double x, const void *attr)
{
    (void)attr;
    return fvi_relu_of(x);
}

static double slope_times(double dy, double y, const void *attr)
{
    (void)attr;
    return y <= 0 ? 0 : dy;
}

static void reference(const fvi_ref *r) { fvi_ref_unary(r, value); }
static void reference_backward(const fvi_ref *r) { fvi_ref_pair(r, slope_times); }

static fv_status gradient(fvi_gradient *c)
{
    return fvi_act_gradient(c, "relu_backward", c->out[0]);
}

/* Linear in dy, and flat in y but for the kink. */
static fv_status gradient_backward(fvi_gradient *c)
{
    return fvi_act_gradient(c, "relu_backward", c->in[1]);
}

FVI_UNARY_SAMPLES(samples, NULL, FVI_DRAW_AWAY);
FVI_PAIR_SAMPLES(backward_samples, NULL, FVI_DRAW_AWAY);

static const fvi_op op_relu = {
    .name = "relu", .version = 1, .kind = FVI_PRIMITIVE, .doc = "y = max(x, 0)",
    .n_in_min = 1, .n_in_max = 1, .n_out = 1,
    .infer = fvi_infer_unary, .grad = gradient, .ref = reference, .samples = samples, .n_samples = FVI_COUNT(samples),
    .inplace = {1}, .elementwise = true,
    .onnx = "Relu",
};
static const fvi_op op_relu_backward = {
    .name = "relu_backward", .version = 1, .kind = FVI_PRIMITIVE, .doc = "dx = dy where y > 0",
    .n_in_min = 2, .n_in_max = 2, .n_out = 1,
    .infer = fvi_infer_pair, .grad = gradient_backward, .ref = reference_backward,
    .samples = backward_samples, .n_samples = FVI_COUNT(backward_samples),
    .inplace = {1}, .elementwise = true,
};
FVI_OPS(relu, &op_relu, &op_relu_backward);

fv_value *fv_relu(fv_graph *g, fv_value *x)
{
    return fvi_emit(g, "relu", NULL, 1, x);
}
