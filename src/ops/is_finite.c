/* SPDX-License-Identifier: Apache-2.0 */
/* y = 1 where x is finite, 0 where it is infinite or NaN. */
#include "ir/onnx.h"
#include "ops/elementwise.h"

static double value(double x, const void *attr)
{
    (void)attr;
    return isfinite(x) ? 1.0 : 0.0;
}

static void reference(const fvi_ref *r)
{
    fvi_ref_unary(r, value);
}

FVI_UNARY_SAMPLES(samples, NULL, FVI_DRAW_NORMAL);

static void onnx(fvi_onnx *o)
{
    const char *bad = fvi_onnx_2(o, "Or", fvi_onnx_1(o, "IsNaN", o->in[0]), fvi_onnx_1(o, "IsInf", o->in[0]));
    fvi_onnx_end_mask(o, fvi_onnx_1(o, "Not", bad));
}

static const fvi_op op_is_finite = {
    .name = "is_finite", .version = 1, .kind = FVI_DISCRETE, .doc = "y = 1 where x is finite, else 0",
    .n_in_min = 1, .n_in_max = 1, .n_out = 1,
    .infer = fvi_infer_unary, .no_grad = "piecewise constant", .ref = reference,
    .samples = samples, .n_samples = FVI_COUNT(samples),
    .inplace = {1}, .elementwise = true,
    .onnx_emit = onnx,
};
FVI_OPS(is_finite, &op_is_finite);
