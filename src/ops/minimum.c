/* SPDX-License-Identifier: Apache-2.0 */
/* y = min(a, b), NaN if one is; dy goes to the lesser, half to each where they are equal (PyTorch). */
#include "ops/compare.h"

static double value(double a, double b, const void *attr)
{
    (void)attr;
    return a < b || isnan(a) ? a : b;
}

static int64_t whole(int64_t a, int64_t b) { return a < b ? a : b; }

static void reference(const fvi_ref *r)
{
    fvi_ref_arithmetic(r, value, whole);
}

static fv_status gradient(fvi_gradient *c)
{
    fv_value *tie = fvi_emit(c->g, "equal", NULL, 2, c->in[0], c->in[1]);
    tie = fvi_emit(c->g, "scale", &(fvi_scale_attr){-0.5}, 1, tie);
    for (int i = 0; i < 2; i++) {
        if (!c->need[i]) continue;
        fv_value *lost = fvi_emit(c->g, "greater", NULL, 2, c->in[i], c->in[1 - i]);
        fv_value *share = fvi_emit(c->g, "sub", NULL, 2, tie, lost);
        share = fvi_emit(c->g, "offset", &(fvi_offset_attr){1}, 1, share);
        fvi_gradient_set(c, i, fvi_emit(c->g, "mul", NULL, 2, c->dout[0], share));
    }
    return fv_graph_status(c->g);
}

FVI_ARITHMETIC_SAMPLES(samples, FVI_DRAW_DISTINCT, FVI_DRAW_DISTINCT, 9);

static void onnx(fvi_onnx *o) { fvi_onnx_extreme(o, "Min", "Less"); }

static const fvi_op op_minimum = {
    .name = "minimum", .version = 1, .kind = FVI_PRIMITIVE, .doc = "y = min(a, b)",
    .n_in_min = 2, .n_in_max = 2, .n_out = 1,
    .infer = fvi_infer_arithmetic, .grad = gradient, .ref = reference,
    .samples = samples, .n_samples = FVI_COUNT(samples),
    .inplace = {1}, .elementwise = true,
    .onnx_emit = onnx,
};
FVI_OPS(minimum, &op_minimum);

fv_value *fv_minimum(fv_graph *g, fv_value *a, fv_value *b)
{
    return fvi_emit(g, "minimum", NULL, 2, a, b);
}
