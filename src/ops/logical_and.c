/* SPDX-License-Identifier: Apache-2.0 */
/* y = 1 where both are true, else 0, in the type of a; what is not 0 counts as true, NaN too. */
#include "ops/compare.h"

static double value(double a, double b, const void *attr)
{
    (void)attr;
    return a != 0 && b != 0 ? 1.0 : 0.0;
}

static int64_t whole(int64_t a, int64_t b) { return a != 0 && b != 0; }

static void reference(const fvi_ref *r)
{
    fvi_ref_arithmetic(r, value, whole);
}

/* INDEX below 2 in a floating input draws zeros and ones. */
#define TRUTH(...) {.dtype = FV_F64, .rank = FVI_S_RANK(__VA_ARGS__), .dim = {__VA_ARGS__}, .draw = FVI_DRAW_INDEX, .classes = 2}
static const fvi_sample samples[] = {
    {"image", NULL, 2, {TRUTH(FV_N, 3, 5, 4), TRUTH(FV_N, 3, 5, 4)}},
    {"channel", NULL, 2, {TRUTH(FV_N, 6, 3, 3), TRUTH(6, 1, 1)}},
    {"features", NULL, 2, {TRUTH(FV_N, 17), TRUTH(17)}},
    FVI_WHOLE_SAMPLE_ROWS(1),
    FVI_TRUTH_SAMPLE_ROW,
};

static void onnx(fvi_onnx *o)
{
    fvi_onnx_end_mask(o, fvi_onnx_2(o, "And", fvi_onnx_truth(o, 0), fvi_onnx_truth(o, 1)));
}

static const fvi_op op_logical_and = {
    .name = "logical_and", .doc = "y = 1 where both are true, else 0", .infer = fvi_infer_alike, FVI_COMPARE_MEMBERS,
};
FVI_OPS(logical_and, &op_logical_and);

fv_value *fv_logical_and(fv_graph *g, fv_value *a, fv_value *b)
{
    return fvi_emit(g, "logical_and", NULL, 2, a, b);
}
