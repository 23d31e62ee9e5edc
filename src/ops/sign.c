/* SPDX-License-Identifier: Apache-2.0 */
/* y = -1, 0 or 1; 0 for NaN, as PyTorch. */
#include "ops/elementwise.h"

static double value(double x, const void *attr)
{
    (void)attr;
    return (double)((x > 0) - (x < 0));
}

static int64_t whole(int64_t x) { return (x > 0) - (x < 0); }

static void reference(const fvi_ref *r)
{
    fvi_ref_number(r, value, whole);
}

FVI_NUMBER_SAMPLES(samples, FVI_DRAW_AWAY, 9);

static const fvi_op op_sign = {
    .name = "sign", .version = 1, .kind = FVI_DISCRETE, .doc = "y = sign(x)",
    .n_in_min = 1, .n_in_max = 1, .n_out = 1,
    .infer = fvi_infer_number, .no_grad = "piecewise constant", .ref = reference,
    .samples = samples, .n_samples = FVI_COUNT(samples),
    .inplace = {1}, .elementwise = true,
    .onnx = "Sign",
};
FVI_OPS(sign, &op_sign);
