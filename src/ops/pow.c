/* SPDX-License-Identifier: Apache-2.0 */
/* y = x^exponent; dx = dy exponent x^(exponent - 1), and 0 for exponent 0, as PyTorch. */
#include "ir/onnx.h"
#include "ops/elementwise.h"

static const fvi_attr_def attrs[] = {
    {.name = "exponent", .kind = FVI_ATTR_FLOAT, .offset = offsetof(fvi_pow_attr, exponent), .fallback = 1,
     .help = "the power"},
    FVI_ATTR_END,
};

static double value(double x, const void *attr)
{
    return pow(x, ((const fvi_pow_attr *)attr)->exponent);
}

static void reference(const fvi_ref *r)
{
    fvi_ref_unary(r, value);
}

static fv_status gradient(fvi_gradient *c)
{
    const double e = ((const fvi_pow_attr *)c->node->attr)->exponent;
    if (e == 0) return FV_OK;
    fv_value *slope = fvi_emit(c->g, "pow", &(fvi_pow_attr){e - 1}, 1, c->in[0]);
    slope = fvi_emit(c->g, "scale", &(fvi_scale_attr){e}, 1, slope);
    c->din[0] = fvi_emit(c->g, "mul", NULL, 2, c->dout[0], slope);
    return fv_graph_status(c->g);
}

static const fvi_pow_attr attr_0 = {3};
static const fvi_pow_attr attr_1 = {0.5};
static const fvi_pow_attr attr_2 = {-1};
static const fvi_pow_attr attr_3 = {0};
static const fvi_pow_attr attr_4 = {2};
static const fvi_pow_attr attr_5 = {1.7};
static const fvi_sample samples[] = {
    {"image", &attr_0, 1, {FVI_S(FVI_DRAW_NORMAL, FV_N, 3, 5, 4)}},
    {"features", &attr_1, 1, {FVI_S(FVI_DRAW_POSITIVE, FV_N, 17)}},
    {"rows", &attr_2, 1, {FVI_S(FVI_DRAW_AWAY, 2 * FV_N, 5)}},
    {"scalar", &attr_3, 1, {FVI_S(FVI_DRAW_NORMAL, FV_N, 4)}},
    {"other", &attr_4, 1, {FVI_S0(FVI_DRAW_NORMAL)}},
    {"last", &attr_5, 1, {FVI_S(FVI_DRAW_POSITIVE, FV_N, 2, 3)}},
};

static void onnx(fvi_onnx *o)
{
    fvi_onnx_end_2(o, "Pow", o->in[0], o->number(o, ((const fvi_pow_attr *)o->attr)->exponent));
}

static const fvi_op op_pow = {
    .name = "pow", .version = 1, .kind = FVI_PRIMITIVE, .doc = "y = x ^ exponent",
    .n_in_min = 1, .n_in_max = 1, .n_out = 1, .attr_size = sizeof(fvi_pow_attr), .attrs = attrs,
    .infer = fvi_infer_unary, .grad = gradient, .ref = reference,
    .samples = samples, .n_samples = FVI_COUNT(samples),
    .inplace = {1}, .elementwise = true,
    .onnx_emit = onnx,
};
FVI_OPS(pow, &op_pow);

fv_value *fv_pow(fv_graph *g, fv_value *a, double exponent)
{
    return fvi_emit(g, "pow", &(fvi_pow_attr){exponent}, 1, a);
}
