/* SPDX-License-Identifier: Apache-2.0 */
/* y = arctan x; dx = dy / (1 + x^2). */
#include "ops/elementwise.h"

static double value(double x, const void *attr)
{
    (void)attr;
    return atan(x);
}

static void reference(const fvi_ref *r)
{
    fvi_ref_unary(r, value);
}

static fv_status gradient(fvi_gradient *c)
{
    fv_value *slope = fv_offset(c->g, fv_square(c->g, c->in[0]), 1);
    c->din[0] = fv_div(c->g, c->dout[0], slope);
    return fv_graph_status(c->g);
}

FVI_UNARY_SAMPLES(samples, NULL, FVI_DRAW_NORMAL);

static const fvi_op op_atan = {
    .name = "atan", .version = 1, .kind = FVI_PRIMITIVE, .doc = "y = arctan(x)",
    .n_in_min = 1, .n_in_max = 1, .n_out = 1,
    .infer = fvi_infer_unary, .grad = gradient, .ref = reference,
    .samples = samples, .n_samples = FVI_COUNT(samples),
    .inplace = {1}, .elementwise = true,
    .onnx = "Atan",
};
FVI_OPS(atan, &op_atan);

fv_value *fv_atan(fv_graph *g, fv_value *x)
{
    return fvi_emit(g, "atan", NULL, 1, x);
}
