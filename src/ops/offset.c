/* SPDX-License-Identifier: Apache-2.0 */
/* y = x + value; dx = dy. */
#include "ir/onnx.h"
#include "ops/elementwise.h"

static const fvi_attr_def attrs[] = {
    {.name = "value", .kind = FVI_ATTR_FLOAT, .offset = offsetof(fvi_offset_attr, value), .fallback = 0,
     .help = "what is added"},
    FVI_ATTR_END,
};

static double value(double x, const void *attr)
{
    return x + ((const fvi_offset_attr *)attr)->value;
}

static void reference(const fvi_ref *r)
{
    fvi_ref_unary(r, value);
}

static fv_status gradient(fvi_gradient *c)
{
    c->din[0] = c->dout[0];
    return fv_graph_status(c->g);
}

static const fvi_offset_attr attr_0 = {-1.5};
static const fvi_offset_attr attr_1 = {0.25};
static const fvi_offset_attr attr_2 = {3};
static const fvi_sample samples[] = {
    {"image", &attr_0, 1, {FVI_S(FVI_DRAW_NORMAL, FV_N, 3, 5, 4)}},
    {"features", &attr_1, 1, {FVI_S(FVI_DRAW_NORMAL, FV_N, 17)}},
    {"rows", &attr_2, 1, {FVI_S0(FVI_DRAW_NORMAL)}},
};

static void onnx(fvi_onnx *o)
{
    fvi_onnx_end_2(o, "Add", o->in[0], o->number(o, ((const fvi_offset_attr *)o->attr)->value));
}

static const fvi_op op_offset = {
    .name = "offset", .version = 1, .kind = FVI_PRIMITIVE, .doc = "y = x + value",
    .n_in_min = 1, .n_in_max = 1, .n_out = 1, .attr_size = sizeof(fvi_offset_attr), .attrs = attrs,
    .infer = fvi_infer_unary, .grad = gradient, .ref = reference,
    .samples = samples, .n_samples = FVI_COUNT(samples),
    .inplace = {1}, .elementwise = true,
    .onnx_emit = onnx,
};
FVI_OPS(offset, &op_offset);

fv_value *fv_offset(fv_graph *g, fv_value *a, double constant)
{
    return fvi_emit(g, "offset", &(fvi_offset_attr){constant}, 1, a);
}
