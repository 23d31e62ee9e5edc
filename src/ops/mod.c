/* SPDX-License-Identifier: Apache-2.0 */
/* Whole numbers: y = a - b floor(a / b), of the sign of b, as % in Python. By 0: 0. */
#include "ops/divide.h"

static int64_t whole(int64_t a, int64_t b) { return fvi_floor_mod(a, b); }

static void reference(const fvi_ref *r)
{
    fvi_ref_arithmetic(r, NULL, whole);
}

FVI_DIVIDE_SAMPLES(samples);

static void onnx(fvi_onnx *o)
{
    fvi_onnx_end_2(o, "Mod", o->in[0], o->in[1]);
}

static const fvi_op op_mod = {
    .name = "mod", .doc = "y = a - b floor(a / b), of whole numbers", .infer = fvi_infer_wholes, FVI_COMPARE_MEMBERS,
};
FVI_OPS(mod, &op_mod);

fv_value *fv_mod(fv_graph *g, fv_value *a, fv_value *b)
{
    return fvi_emit(g, "mod", NULL, 2, a, b);
}
