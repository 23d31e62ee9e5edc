/* SPDX-License-Identifier: Apache-2.0 */
/* y = 1 where a equals b, else 0, in the type of a. */
#include "ops/compare.h"

FVI_COMPARE_REFERENCE(==)
FVI_TRUTH_SAMPLES(samples);

static void onnx(fvi_onnx *o)
{
    fvi_onnx_end_mask(o, fvi_onnx_2(o, "Equal", o->in[0], o->in[1]));
}

static const fvi_op op_equal = {
    .name = "equal", .doc = "y = 1 where a equals b, else 0", .infer = fvi_infer_alike, FVI_COMPARE_MEMBERS,
};
FVI_OPS(equal, &op_equal);

fv_value *fv_equal(fv_graph *g, fv_value *a, fv_value *b)
{
    return fvi_emit(g, "equal", NULL, 2, a, b);
}
