/* SPDX-License-Identifier: Apache-2.0 */
/* y = a + t (b - a), with PyTorch's second form b - (b - a)(1 - t) for t >= 1/2; da = (1 - t) dy, db = t dy. */
#include "ir/onnx.h"
#include "ops/elementwise.h"

static const fvi_attr_def attrs[] = {
    {.name = "t", .kind = FVI_ATTR_FLOAT, .offset = offsetof(fvi_lerp_attr, t), .fallback = 0.5,
     .help = "0 gives a, 1 gives b"},
    FVI_ATTR_END,
};

static double value(double a, double b, const void *attr)
{
    const double t = ((const fvi_lerp_attr *)attr)->t;
    return t < 0.5 ? a + t * (b - a) : b - (b - a) * (1 - t);
}

static void reference(const fvi_ref *r)
{
    fvi_ref_binary(r, value);
}

static fv_status gradient(fvi_gradient *c)
{
    const double t = ((const fvi_lerp_attr *)c->node->attr)->t;
    if (c->need[0]) fvi_gradient_set(c, 0, fvi_emit(c->g, "scale", &(fvi_scale_attr){1 - t}, 1, c->dout[0]));
    if (c->need[1]) fvi_gradient_set(c, 1, fvi_emit(c->g, "scale", &(fvi_scale_attr){t}, 1, c->dout[0]));
    return fv_graph_status(c->g);
}

static const fvi_lerp_attr attr_third = {0.3};
FVI_BINARY_SAMPLES(samples, &attr_third, FVI_DRAW_NORMAL, FVI_DRAW_NORMAL);

static void onnx(fvi_onnx *o)
{
    const char *difference = fvi_onnx_2(o, "Sub", o->in[1], o->in[0]);
    fvi_onnx_end_2(o, "Add", o->in[0], fvi_onnx_2(o, "Mul", difference, o->number(o, ((const fvi_lerp_attr *)o->attr)->t)));
}

static const fvi_op op_lerp = {
    .name = "lerp", .version = 1, .kind = FVI_PRIMITIVE, .doc = "y = a + t (b - a)",
    .n_in_min = 2, .n_in_max = 2, .n_out = 1, .attr_size = sizeof(fvi_lerp_attr), .attrs = attrs,
    .infer = fvi_infer_binary, .grad = gradient, .ref = reference,
    .samples = samples, .n_samples = FVI_COUNT(samples),
    .inplace = {1}, .elementwise = true,
    .precision = FVI_PRECISION_F32,
    .onnx_emit = onnx,
};
FVI_OPS(lerp, &op_lerp);
