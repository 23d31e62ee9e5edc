/* SPDX-License-Identifier: Apache-2.0 */
/* y = min(max(x, low), high), NaN stays NaN; dx = dy where low < x < high, else 0 (at the bounds too, as PyTorch). */
#include "ir/onnx.h"
#include "ops/elementwise.h"

static const fvi_attr_def attrs[] = {
    {.name = "low", .kind = FVI_ATTR_FLOAT, .offset = offsetof(fvi_clamp_attr, low), .fallback = -INFINITY,
     .help = "the least result"},
    {.name = "high", .kind = FVI_ATTR_FLOAT, .offset = offsetof(fvi_clamp_attr, high), .fallback = INFINITY,
     .help = "the greatest result"},
    FVI_ATTR_END,
};

static double value(double x, const void *attr)
{
    const fvi_clamp_attr *a = attr;
    x = x < a->low ? a->low : x;
    return x > a->high ? a->high : x;
}

static void reference(const fvi_ref *r)
{
    fvi_ref_unary(r, value);
}

static fv_status gradient(fvi_gradient *c)
{
    const fvi_clamp_attr *a = c->node->attr;
    fv_value *x = c->in[0], *dx = c->dout[0];
    if (a->low > -INFINITY) {
        fv_value *above = fvi_emit(c->g, "greater", NULL, 2, x, fvi_number_like(c->g, a->low, x));
        dx = fvi_emit(c->g, "mul", NULL, 2, dx, above);
    }
    if (a->high < INFINITY) {
        fv_value *below = fvi_emit(c->g, "greater", NULL, 2, fvi_number_like(c->g, a->high, x), x);
        dx = fvi_emit(c->g, "mul", NULL, 2, dx, below);
    }
    c->din[0] = dx;
    return fv_graph_status(c->g);
}

static const fvi_clamp_attr attr_0 = {0, 6};
static const fvi_clamp_attr attr_1 = {-0.05, 0.05};
static const fvi_clamp_attr attr_2 = {-INFINITY, 0};
static const fvi_clamp_attr attr_3 = {0, INFINITY};
static const fvi_sample samples[] = {
    {"image", &attr_0, 1, {FVI_S(FVI_DRAW_AWAY, FV_N, 3, 5, 4)}},
    {"features", &attr_1, 1, {FVI_S(FVI_DRAW_AWAY, FV_N, 17)}},
    {"rows", &attr_2, 1, {FVI_S(FVI_DRAW_AWAY, 2 * FV_N, 5)}},
    {"scalar", &attr_3, 1, {FVI_S0(FVI_DRAW_AWAY)}},
};

static void onnx(fvi_onnx *o)
{
    const fvi_clamp_attr *a = o->attr;
    const char *low = a->low > -INFINITY ? o->number(o, a->low) : "", *high = a->high < INFINITY ? o->number(o, a->high) : NULL;
    o->add(o, &(fvi_onnx_op){.type = "Clip", .in = {o->in[0], low, high}, .out = {o->out[0]}});
}

static const fvi_op op_clamp = {
    .name = "clamp", .version = 1, .kind = FVI_PRIMITIVE, .doc = "y = min(max(x, low), high)",
    .n_in_min = 1, .n_in_max = 1, .n_out = 1, .attr_size = sizeof(fvi_clamp_attr), .attrs = attrs,
    .infer = fvi_infer_unary, .grad = gradient, .ref = reference,
    .samples = samples, .n_samples = FVI_COUNT(samples),
    .inplace = {1}, .elementwise = true,
    .onnx_emit = onnx,
};
FVI_OPS(clamp, &op_clamp);

fv_value *fv_clamp(fv_graph *g, fv_value *a, double low, double high)
{
    return fvi_emit(g, "clamp", &(fvi_clamp_attr){low, high}, 1, a);
}
