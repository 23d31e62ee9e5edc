/* SPDX-License-Identifier: Apache-2.0 */
/* y = 1 where a differs from b, else 0, in the type of a. NaN differs from everything. */
#include "ops/compare.h"

FVI_COMPARE_REFERENCE(!=)
FVI_TRUTH_SAMPLES(samples);

static void onnx(fvi_onnx *o)
{
    fvi_onnx_end_mask(o, fvi_onnx_1(o, "Not", fvi_onnx_2(o, "Equal", o->in[0], o->in[1])));
}

static const fvi_op op_not_equal = {
    .name = "not_equal", .doc = "y = 1 where a differs from b, else 0", .infer = fvi_infer_alike, FVI_COMPARE_MEMBERS,
};
FVI_OPS(not_equal, &op_not_equal);

fv_value *fv_not_equal(fv_graph *g, fv_value *a, fv_value *b)
{
    return fvi_emit(g, "not_equal", NULL, 2, a, b);
}
