/* SPDX-License-Identifier: Apache-2.0 */
/* y = 1 where x is 0, else 0, in the type of x. */
#include "ops/compare.h"

static double value(double x, const void *attr)
{
    (void)attr;
    return x == 0 ? 1.0 : 0.0;
}

static int64_t whole(int64_t x) { return x == 0; }

static void reference(const fvi_ref *r)
{
    fvi_ref_number(r, value, whole);
}

static const fvi_sample samples[] = {
    {"image", NULL, 1, {{.dtype = FV_F64, .rank = 4, .dim = {FV_N, 3, 5, 4}, .draw = FVI_DRAW_INDEX, .classes = 2}}},
    {"features", NULL, 1, {{.dtype = FV_F64, .rank = 2, .dim = {FV_N, 17}, .draw = FVI_DRAW_INDEX, .classes = 2}}},
    {"whole", NULL, 1, {FVI_S_WHOLE(FV_I64, 1, FV_N, 3, 4)}},
    {"truth", NULL, 1, {FVI_S_BOOL(FV_N, 7)}},
};

static void onnx(fvi_onnx *o)
{
    fvi_onnx_end_mask(o, fvi_onnx_1(o, "Not", fvi_onnx_truth(o, 0)));
}

static const fvi_op op_logical_not = {
    .name = "logical_not", .version = 1, .kind = FVI_DISCRETE, .doc = "y = 1 where x is 0, else 0",
    .n_in_min = 1, .n_in_max = 1, .n_out = 1,
    .infer = fvi_infer_same, .no_grad = "piecewise constant", .ref = reference,
    .samples = samples, .n_samples = FVI_COUNT(samples),
    .inplace = {1}, .elementwise = true,
    .onnx_emit = onnx,
};
FVI_OPS(logical_not, &op_logical_not);

fv_value *fv_logical_not(fv_graph *g, fv_value *x)
{
    return fvi_emit(g, "logical_not", NULL, 1, x);
}
