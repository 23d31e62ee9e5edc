/* SPDX-License-Identifier: Apache-2.0 */
/* Whole numbers: y = a / b rounded down, as // in Python. By 0: 0. */
#include "ops/divide.h"

static int64_t whole(int64_t a, int64_t b) { return fvi_floor_div(a, b); }

static void reference(const fvi_ref *r)
{
    fvi_ref_arithmetic(r, NULL, whole);
}

FVI_DIVIDE_SAMPLES(samples);

static void onnx(fvi_onnx *o)
{
    const char *rest = fvi_onnx_2(o, "Mod", o->in[0], o->in[1]);       /* of the divisor's sign */
    fvi_onnx_end_2(o, "Div", fvi_onnx_2(o, "Sub", o->in[0], rest), o->in[1]);
}

static const fvi_op op_floor_div = {
    .name = "floor_div", .doc = "y = a / b rounded down, of whole numbers", .infer = fvi_infer_wholes, FVI_COMPARE_MEMBERS,
};
FVI_OPS(floor_div, &op_floor_div);

fv_value *fv_floor_div(fv_graph *g, fv_value *a, fv_value *b)
{
    return fvi_emit(g, "floor_div", NULL, 2, a, b);
}
