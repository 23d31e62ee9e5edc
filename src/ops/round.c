/* SPDX-License-Identifier: Apache-2.0 */
/* y = the nearest whole number, halves to the even one, as PyTorch and ONNX. */
#include "ops/elementwise.h"

static double value(double x, const void *attr)
{
    (void)attr;
    return nearbyint(x);
}

static void reference(const fvi_ref *r)
{
    fvi_ref_unary(r, value);
}

FVI_UNARY_SAMPLES(samples, NULL, FVI_DRAW_AWAY);

static const fvi_op op_round = {
    .name = "round", .version = 1, .kind = FVI_DISCRETE, .doc = "y = x rounded to the nearest, halves to even",
    .n_in_min = 1, .n_in_max = 1, .n_out = 1,
    .infer = fvi_infer_unary, .no_grad = "piecewise constant", .ref = reference,
    .samples = samples, .n_samples = FVI_COUNT(samples),
    .inplace = {1}, .elementwise = true,
    .onnx = "Round",
};
FVI_OPS(round, &op_round);

fv_value *fv_round(fv_graph *g, fv_value *x)
{
    return fvi_emit(g, "round", NULL, 1, x);
}
