/* SPDX-License-Identifier: Apache-2.0 */
/* y = a - b; da = dy, db = -dy. */
#include "ops/elementwise.h"

static double value(double a, double b, const void *attr)
{
    (void)attr;
    return a - b;
}

static void reference(const fvi_ref *r)
{
    fvi_ref_arithmetic(r, value, fvi_wrap_sub);
}

static fv_status gradient(fvi_gradient *c)
{
    if (c->need[0]) fvi_gradient_set(c, 0, c->dout[0]);
    if (c->need[1]) fvi_gradient_set(c, 1, fvi_emit(c->g, "neg", NULL, 1, c->dout[0]));
    return fv_graph_status(c->g);
}

FVI_ARITHMETIC_SAMPLES(samples, FVI_DRAW_NORMAL, FVI_DRAW_NORMAL, 9);

static const fvi_op op_sub = {
    .name = "sub", .version = 1, .kind = FVI_PRIMITIVE, .doc = "y = a - b",
    .n_in_min = 2, .n_in_max = 2, .n_out = 1,
    .infer = fvi_infer_arithmetic, .grad = gradient, .ref = reference,
    .samples = samples, .n_samples = FVI_COUNT(samples),
    .inplace = {1}, .elementwise = true,
    .onnx = "Sub",
};
FVI_OPS(sub, &op_sub);

fv_value *fv_sub(fv_graph *g, fv_value *a, fv_value *b)
{
    return fvi_emit(g, "sub", NULL, 2, a, b);
}
