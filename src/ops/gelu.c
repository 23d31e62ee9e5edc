/* SPDX-License-Identifier: Apache-2.0 */
/* y = x Phi(x), Phi the normal distribution function, or its approximation x (1 + tanh(u)) / 2 with
 * u = sqrt(2/pi) (x + 0.044715 x^3) (Hendrycks and Gimpel, arXiv:1606.08415). dx = dy (Phi(x) + x phi(x)), and the
 * derivative of the approximation likewise. */
#include "ir/onnx.h"
#include "ops/activation.h"

static const fvi_attr_def attrs[] = {
    {.name = "tanh", .kind = FVI_ATTR_BOOL, .offset = offsetof(fvi_gelu_attr, tanh), .help = "the tanh approximation"},
    FVI_ATTR_END,
};

#define SQRT_2_OVER_PI 0.79788456080286535588
#define CUBIC 0.044715                 /* of the approximation: section 2 of the paper */

static double value(double x, const void *attr)
{
    const fvi_gelu_attr *a = attr;
    if (a->tanh) return 0.5 * x * (1 + tanh(SQRT_2_OVER_PI * (x + CUBIC * x * x * x)));
    return 0.5 * x * erfc(-x * M_SQRT1_2);         /* erfc: no cancellation far below 0 */
}

static double slope_times(double dy, double x, const void *attr)
{
    const fvi_gelu_attr *a = attr;
    if (a->tanh) {
        const double t = tanh(SQRT_2_OVER_PI * (x + CUBIC * x * x * x));
        return dy * 0.5 * (1 + t + x * (1 - t * t) * SQRT_2_OVER_PI * (1 + 3 * CUBIC * x * x));
    }
    return dy * (0.5 * erfc(-x * M_SQRT1_2) + x * exp(-0.5 * x * x) * 0.5 * SQRT_2_OVER_PI);
}

static void reference(const fvi_ref *r) { fvi_ref_unary(r, value); }
static void reference_backward(const fvi_ref *r) { fvi_ref_pair(r, slope_times); }

static fv_status gradient(fvi_gradient *c)
{
    return fvi_act_gradient(c, "gelu_backward", c->in[0]);
}

static const fvi_gelu_attr exact = {false}, approximate = {true};
#define N FVI_DRAW_NORMAL
static const fvi_sample samples[] = {
    {"image", &exact, 1, {FVI_S(N, FV_N, 3, 5, 4)}},
    {"features", &exact, 1, {FVI_S(N, FV_N, 17)}},
    {"tanh", &approximate, 1, {FVI_S(N, FV_N, 3, 7)}},
    {"tanh_scalar", &approximate, 1, {FVI_S0(N)}},
};
static const fvi_sample backward_samples[] = {
    {"image", &exact, 2, {FVI_S(N, FV_N, 3, 5, 4), FVI_S(N, FV_N, 3, 5, 4)}},
    {"features", &exact, 2, {FVI_S(N, FV_N, 17), FVI_S(N, FV_N, 17)}},
    {"tanh", &approximate, 2, {FVI_S(N, FV_N, 3, 7), FVI_S(N, FV_N, 3, 7)}},
};

/* Gelu is an operator from opset 20 on only. */
static void onnx(fvi_onnx *o)
{
    const char *x = o->in[0], *inner;
    if (((const fvi_gelu_attr *)o->attr)->tanh) {
        const char *cube = fvi_onnx_2(o, "Mul", fvi_onnx_2(o, "Mul", x, x), x);
        inner = fvi_onnx_2(o, "Add", x, fvi_onnx_2(o, "Mul", cube, o->number(o, 0.044715)));
        inner = fvi_onnx_1(o, "Tanh", fvi_onnx_2(o, "Mul", inner, o->number(o, sqrt(2 / M_PI))));
    } else {
        inner = fvi_onnx_1(o, "Erf", fvi_onnx_2(o, "Mul", x, o->number(o, M_SQRT1_2)));
    }
    const char *twice = fvi_onnx_2(o, "Mul", x, fvi_onnx_2(o, "Add", inner, o->number(o, 1)));
    fvi_onnx_end_2(o, "Mul", twice, o->number(o, 0.5));
}

static const fvi_op op_gelu = {
    .name = "gelu", .version = 1, .kind = FVI_PRIMITIVE, .doc = "y = x Phi(x), or its tanh approximation",
    .n_in_min = 1, .n_in_max = 1, .n_out = 1, .attr_size = sizeof(fvi_gelu_attr), .attrs = attrs,
    .infer = fvi_infer_unary, .grad = gradient, .again = fvi_again, .ref = reference, .samples = samples, .n_samples = FVI_COUNT(samples),
    .inplace = {1}, .elementwise = true,
    .onnx_emit = onnx,
};
static const fvi_op op_gelu_backward = {
    .name = "gelu_backward", .version = 1, .kind = FVI_PRIMITIVE, .doc = "dx = dy (Phi(x) + x phi(x)), or of the tanh approximation",
    .n_in_min = 2, .n_in_max = 2, .n_out = 1, .attr_size = sizeof(fvi_gelu_attr), .attrs = attrs,
    .infer = fvi_infer_pair, .no_grad = FVI_NO_SECOND, .ref = reference_backward,
    .samples = backward_samples, .n_samples = FVI_COUNT(backward_samples),
    .inplace = {1}, .elementwise = true,
};
FVI_OPS(gelu, &op_gelu, &op_gelu_backward);

fv_value *fv_gelu(fv_graph *g, fv_value *x, bool tanh_form)
{
    return fvi_emit(g, "gelu", &(fvi_gelu_attr){tanh_form}, 1, x);
}
