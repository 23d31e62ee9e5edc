/* SPDX-License-Identifier: Apache-2.0 */
/* y = -x; dx = -dy. */
#include "ops/elementwise.h"

static double value(double x, const void *attr)
{
    (void)attr;
    return -x;
}

static int64_t whole(int64_t x) { return fvi_wrap_sub(0, x); }

static void reference(const fvi_ref *r)
{
    fvi_ref_number(r, value, whole);
}

static fv_status gradient(fvi_gradient *c)
{
    c->din[0] = fvi_emit(c->g, "neg", NULL, 1, c->dout[0]);
    return fv_graph_status(c->g);
}

FVI_NUMBER_SAMPLES(samples, FVI_DRAW_NORMAL, 9);

static const fvi_op op_neg = {
    .name = "neg", .version = 1, .kind = FVI_PRIMITIVE, .doc = "y = -x",
    .n_in_min = 1, .n_in_max = 1, .n_out = 1,
    .infer = fvi_infer_number, .grad = gradient, .ref = reference,
    .samples = samples, .n_samples = FVI_COUNT(samples),
    .inplace = {1}, .elementwise = true,
    .onnx = "Neg",
};
FVI_OPS(neg, &op_neg);

fv_value *fv_neg(fv_graph *g, fv_value *a)
{
    return fvi_emit(g, "neg", NULL, 1, a);
}
