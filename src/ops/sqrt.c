/* SPDX-License-Identifier: Apache-2.0 */
/* y = sqrt(x); dx = dy / (2 y). */
#include "ops/elementwise.h"

static double value(double x, const void *attr)
{
    (void)attr;
    return sqrt(x);
}

static void reference(const fvi_ref *r)
{
    fvi_ref_unary(r, value);
}

static fv_status gradient(fvi_gradient *c)
{
    fv_value *twice = fvi_emit(c->g, "scale", &(fvi_scale_attr){2}, 1, c->out[0]);
    c->din[0] = fvi_emit(c->g, "div", NULL, 2, c->dout[0], twice);
    return fv_graph_status(c->g);
}

FVI_UNARY_SAMPLES(samples, NULL, FVI_DRAW_POSITIVE);

static const fvi_op op_sqrt = {
    .name = "sqrt", .version = 1, .kind = FVI_PRIMITIVE, .doc = "y = sqrt(x)",
    .n_in_min = 1, .n_in_max = 1, .n_out = 1,
    .infer = fvi_infer_unary, .grad = gradient, .ref = reference,
    .samples = samples, .n_samples = FVI_COUNT(samples),
    .inplace = {1}, .elementwise = true,
    .onnx = "Sqrt",
};
FVI_OPS(sqrt, &op_sqrt);

fv_value *fv_sqrt(fv_graph *g, fv_value *a)
{
    return fvi_emit(g, "sqrt", NULL, 1, a);
}
