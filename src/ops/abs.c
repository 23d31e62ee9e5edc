/* SPDX-License-Identifier: Apache-2.0 */
/* y = |x|; dx = dy sign(x), 0 at 0. */
#include "ops/elementwise.h"

static double value(double x, const void *attr)
{
    (void)attr;
    return fabs(x);
}

static int64_t whole(int64_t x) { return x < 0 ? fvi_wrap_sub(0, x) : x; }

static void reference(const fvi_ref *r)
{
    fvi_ref_number(r, value, whole);
}

static fv_status gradient(fvi_gradient *c)
{
    fv_value *sign = fvi_emit(c->g, "sign", NULL, 1, c->in[0]);
    c->din[0] = fvi_emit(c->g, "mul", NULL, 2, c->dout[0], sign);
    return fv_graph_status(c->g);
}

FVI_NUMBER_SAMPLES(samples, FVI_DRAW_AWAY, 9);

static const fvi_op op_abs = {
    .name = "abs", .version = 1, .kind = FVI_PRIMITIVE, .doc = "y = |x|",
    .n_in_min = 1, .n_in_max = 1, .n_out = 1,
    .infer = fvi_infer_number, .grad = gradient, .ref = reference,
    .samples = samples, .n_samples = FVI_COUNT(samples),
    .inplace = {1}, .elementwise = true,
    .onnx = "Abs",
};
FVI_OPS(abs, &op_abs);

fv_value *fv_abs(fv_graph *g, fv_value *a)
{
    return fvi_emit(g, "abs", NULL, 1, a);
}
