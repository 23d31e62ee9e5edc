/* SPDX-License-Identifier: Apache-2.0 */
/* Place of the least value along one axis, the lowest of equals; NaN counts as least, as in PyTorch. */
#include "ops/arg.h"

FVI_AXIS_ATTRS(attrs, "the axis that is searched and removed");
FVI_AXIS_SAMPLES(samples, 1, FVI_DRAW_NORMAL);

static void reference(const fvi_ref *r) { fvi_ref_arg(r, true); }
static void onnx(fvi_onnx *o) { fvi_arg_onnx(o, "ArgMin"); }

static const fvi_op op_argmin = {
    .name = "argmin", .version = 1, .kind = FVI_DISCRETE, .doc = "y = place of the least x along axis, the lowest of equals",
    .n_in_min = 1, .n_in_max = 1, .n_out = 1, .attr_size = sizeof(fvi_argmax_attr), .attrs = attrs,
    .infer = fvi_infer_arg, .no_grad = "its result is an integer", .ref = reference,
    .samples = samples, .n_samples = FVI_COUNT(samples),
    .precision = FVI_PRECISION_ANY,
    .onnx_emit = onnx,
};
FVI_OPS(argmin, &op_argmin);

fv_value *fv_argmin(fv_graph *g, fv_value *x, int axis)
{
    return fvi_emit(g, "argmin", &(fvi_argmax_attr){axis}, 1, x);
}
