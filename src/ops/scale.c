/* SPDX-License-Identifier: Apache-2.0 */
/* y = factor x; dx = factor dy. */
#include "ir/onnx.h"
#include "ops/elementwise.h"

static const fvi_attr_def attrs[] = {
    {.name = "factor", .kind = FVI_ATTR_FLOAT, .offset = offsetof(fvi_scale_attr, factor), .fallback = 1,
     .help = "what x is multiplied by"},
    FVI_ATTR_END,
};

static double value(double x, const void *attr)
{
    return ((const fvi_scale_attr *)attr)->factor * x;
}

static void reference(const fvi_ref *r)
{
    fvi_ref_unary(r, value);
}

static fv_status gradient(fvi_gradient *c)
{
    c->din[0] = fvi_emit(c->g, "scale", c->node->attr, 1, c->dout[0]);
    return fv_graph_status(c->g);
}

static const fvi_scale_attr attr_0 = {-1.5};
static const fvi_scale_attr attr_1 = {0.25};
static const fvi_scale_attr attr_2 = {3};
static const fvi_scale_attr attr_3 = {0};
static const fvi_sample samples[] = {
    {"image", &attr_0, 1, {FVI_S(FVI_DRAW_NORMAL, FV_N, 3, 5, 4)}},
    {"features", &attr_1, 1, {FVI_S(FVI_DRAW_NORMAL, FV_N, 17)}},
    {"rows", &attr_2, 1, {FVI_S(FVI_DRAW_NORMAL, 2 * FV_N, 5)}},
    {"scalar", &attr_3, 1, {FVI_S0(FVI_DRAW_NORMAL)}},
};

static void onnx(fvi_onnx *o)
{
    fvi_onnx_end_2(o, "Mul", o->in[0], o->number(o, ((const fvi_scale_attr *)o->attr)->factor));
}

static const fvi_op op_scale = {
    .name = "scale", .version = 1, .kind = FVI_PRIMITIVE, .doc = "y = factor * x",
    .n_in_min = 1, .n_in_max = 1, .n_out = 1, .attr_size = sizeof(fvi_scale_attr), .attrs = attrs,
    .infer = fvi_infer_unary, .grad = gradient, .ref = reference,
    .samples = samples, .n_samples = FVI_COUNT(samples),
    .inplace = {1}, .elementwise = true,
    .onnx_emit = onnx,
};
FVI_OPS(scale, &op_scale);

fv_value *fv_scale(fv_graph *g, fv_value *a, double factor)
{
    return fvi_emit(g, "scale", &(fvi_scale_attr){factor}, 1, a);
}
