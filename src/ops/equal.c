/* SPDX-License-Identifier: Apache-2.0 */
/* y = 1 where a equals b, else 0, in the type of a. */
#include "ir/onnx.h"
#include "ops/elementwise.h"

static double value(double a, double b, const void *attr)
{
    (void)attr;
    return a == b ? 1.0 : 0.0;
}

static void reference(const fvi_ref *r)
{
    fvi_ref_binary(r, value);
}

FVI_BINARY_SAMPLES(samples, NULL, FVI_DRAW_STEP, FVI_DRAW_STEP);

static void onnx(fvi_onnx *o)
{
    fvi_onnx_end_mask(o, fvi_onnx_2(o, "Equal", o->in[0], o->in[1]));
}

static const fvi_op op_equal = {
    .name = "equal", .version = 1, .kind = FVI_DISCRETE, .doc = "y = 1 where a == b, else 0",
    .n_in_min = 2, .n_in_max = 2, .n_out = 1,
    .infer = fvi_infer_binary, .no_grad = "piecewise constant", .ref = reference,
    .samples = samples, .n_samples = FVI_COUNT(samples),
    .inplace = {1}, .elementwise = true,
    .onnx_emit = onnx,
};
FVI_OPS(equal, &op_equal);
