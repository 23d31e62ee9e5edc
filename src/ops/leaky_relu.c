/* SPDX-License-Identifier: Apache-2.0 */
/* y = x for x > 0, else slope x (Maas et al., ICML 2013 workshop). */
#include "ir/onnx.h"
#include "ops/activation.h"

static const fvi_attr_def attrs[] = {
    {.name = "slope", .kind = FVI_ATTR_FLOAT, .offset = offsetof(fvi_leaky_relu_attr, slope), .fallback = 0.01, .help = "factor of negative values"},
    FVI_ATTR_END,
};

static double value(double x, const void *attr)
{
    const fvi_leaky_relu_attr *a = attr;
    return x > 0 ? x : a->slope * x;
}

static double slope_times(double dy, double x, const void *attr)
{
    const fvi_leaky_relu_attr *a = attr;
    return x > 0 ? dy : a->slope * dy;
}

static void reference(const fvi_ref *r) { fvi_ref_unary(r, value); }
static void reference_backward(const fvi_ref *r) { fvi_ref_pair(r, slope_times); }

static fv_status gradient(fvi_gradient *c)
{
    return fvi_act_gradient(c, "leaky_relu_backward", c->in[0]);
}

/* Linear in dy, and flat in x but for the kink. */
static fv_status gradient_backward(fvi_gradient *c)
{
    return fvi_act_gradient(c, "leaky_relu_backward", c->in[1]);
}

static const fvi_leaky_relu_attr standard = {0.01}, steep = {-0.3};
#define A FVI_DRAW_AWAY
static const fvi_sample samples[] = {
    {"image", &standard, 1, {FVI_S(A, FV_N, 3, 5, 4)}},
    {"features", &steep, 1, {FVI_S(A, FV_N, 17)}},
    {"scalar", &standard, 1, {FVI_S0(A)}},
};
static const fvi_sample backward_samples[] = {
    {"image", &standard, 2, {FVI_S(FVI_DRAW_NORMAL, FV_N, 3, 5, 4), FVI_S(A, FV_N, 3, 5, 4)}},
    {"features", &steep, 2, {FVI_S(FVI_DRAW_NORMAL, FV_N, 17), FVI_S(A, FV_N, 17)}},
    {"scalar", &standard, 2, {FVI_S0(FVI_DRAW_NORMAL), FVI_S0(A)}},
};

static void onnx(fvi_onnx *o)
{
    const fvi_leaky_relu_attr *a = o->attr;
    o->add(o, &(fvi_onnx_op){.type = "LeakyRelu", .in = {o->in[0]}, .out = {o->out[0]}, .attrs = {FVI_ONNX_FLOAT("alpha", a->slope)}});
}

static const fvi_op op_leaky_relu = {
    .name = "leaky_relu", .version = 1, .kind = FVI_PRIMITIVE, .doc = "y = x > 0 ? x : slope x",
    .n_in_min = 1, .n_in_max = 1, .n_out = 1, .attr_size = sizeof(fvi_leaky_relu_attr), .attrs = attrs,
    .infer = fvi_infer_unary, .grad = gradient, .again = fvi_again, .ref = reference, .samples = samples, .n_samples = FVI_COUNT(samples),
    .inplace = {1}, .elementwise = true,
    .onnx_emit = onnx,
};
static const fvi_op op_leaky_relu_backward = {
    .name = "leaky_relu_backward", .version = 1, .kind = FVI_PRIMITIVE, .doc = "dx = x > 0 ? dy : slope dy",
    .n_in_min = 2, .n_in_max = 2, .n_out = 1, .attr_size = sizeof(fvi_leaky_relu_attr), .attrs = attrs,
    .infer = fvi_infer_pair, .grad = gradient_backward, .ref = reference_backward,
    .samples = backward_samples, .n_samples = FVI_COUNT(backward_samples),
    .inplace = {1}, .elementwise = true,
};
FVI_OPS(leaky_relu, &op_leaky_relu, &op_leaky_relu_backward);

fv_value *fv_leaky_relu(fv_graph *g, fv_value *x, double slope)
{
    return fvi_emit(g, "leaky_relu", &(fvi_leaky_relu_attr){slope}, 1, x);
}
