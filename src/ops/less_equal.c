/* SPDX-License-Identifier: Apache-2.0 */
/* y = 1 where a <= b, else 0, in the type of a. */
#include "ops/compare.h"

FVI_COMPARE_REFERENCE(<=)
FVI_COMPARE_SAMPLES(samples);

static void onnx(fvi_onnx *o)
{
    const char *strict = fvi_onnx_2(o, "Less", o->in[0], o->in[1]), *same = fvi_onnx_2(o, "Equal", o->in[0], o->in[1]);
    fvi_onnx_end_mask(o, fvi_onnx_2(o, "Or", strict, same));      /* LessOrEqual came with opset 12 */
}

static const fvi_op op_less_equal = {
    .name = "less_equal", .doc = "y = 1 where a <= b, else 0", .infer = fvi_infer_arithmetic, FVI_COMPARE_MEMBERS,
};
FVI_OPS(less_equal, &op_less_equal);

fv_value *fv_less_equal(fv_graph *g, fv_value *a, fv_value *b)
{
    return fvi_emit(g, "less_equal", NULL, 2, a, b);
}
