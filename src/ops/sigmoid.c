/* SPDX-License-Identifier: Apache-2.0 */
/* y = 1 / (1 + exp(-x)); dx = dy y (1 - y), and its own gradients y (1 - y) and dy (1 - 2y). */
#include "ops/activation.h"

static double value(double x, const void *attr)
{
    (void)attr;
    return fvi_sigmoid_of(x);
}

static double slope_times(double dy, double y, const void *attr)
{
    (void)attr;
    return dy * y * (1 - y);
}

static void reference(const fvi_ref *r) { fvi_ref_unary(r, value); }
static void reference_backward(const fvi_ref *r) { fvi_ref_pair(r, slope_times); }

static fv_status gradient(fvi_gradient *c)
{
    return fvi_act_gradient(c, "sigmoid_backward", c->out[0]);
}

static fv_status gradient_backward(fvi_gradient *c)
{
    fv_graph *g = c->g;
    if (c->need[0]) c->din[0] = fvi_emit(g, "sigmoid_backward", NULL, 2, c->dout[0], c->in[1]);
    if (c->need[1]) {
        fv_value *slope = fv_offset(g, fv_scale(g, c->in[1], -2), 1);
        c->din[1] = fv_mul(g, fv_mul(g, c->dout[0], c->in[0]), slope);
    }
    return fv_graph_status(g);
}

FVI_UNARY_SAMPLES(samples, NULL, FVI_DRAW_NORMAL);
FVI_PAIR_SAMPLES(backward_samples, NULL, FVI_DRAW_UNIT);

static const fvi_op op_sigmoid = {
    .name = "sigmoid", .version = 1, .kind = FVI_PRIMITIVE, .doc = "y = 1 / (1 + exp(-x))",
    .n_in_min = 1, .n_in_max = 1, .n_out = 1,
    .infer = fvi_infer_unary, .grad = gradient, .ref = reference, .samples = samples, .n_samples = FVI_COUNT(samples),
    .inplace = {1}, .elementwise = true,
    .onnx = "Sigmoid",
};
static const fvi_op op_sigmoid_backward = {
    .name = "sigmoid_backward", .version = 1, .kind = FVI_PRIMITIVE, .doc = "dx = dy y (1 - y)",
    .n_in_min = 2, .n_in_max = 2, .n_out = 1,
    .infer = fvi_infer_pair, .grad = gradient_backward, .ref = reference_backward,
    .samples = backward_samples, .n_samples = FVI_COUNT(backward_samples),
    .inplace = {1}, .elementwise = true,
};
FVI_OPS(sigmoid, &op_sigmoid, &op_sigmoid_backward);

fv_value *fv_sigmoid(fv_graph *g, fv_value *x)
{
    return fvi_emit(g, "sigmoid", NULL, 1, x);
}
