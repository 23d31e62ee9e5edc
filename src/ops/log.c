/* SPDX-License-Identifier: Apache-2.0 */
/* y = ln x; dx = dy / x. */
#include "ops/elementwise.h"

static double value(double x, const void *attr)
{
    (void)attr;
    return log(x);
}

static void reference(const fvi_ref *r)
{
    fvi_ref_unary(r, value);
}

static fv_status gradient(fvi_gradient *c)
{
    c->din[0] = fvi_emit(c->g, "div", NULL, 2, c->dout[0], c->in[0]);
    return fv_graph_status(c->g);
}

FVI_UNARY_SAMPLES(samples, NULL, FVI_DRAW_POSITIVE);

static const fvi_op op_log = {
    .name = "log", .version = 1, .kind = FVI_PRIMITIVE, .doc = "y = ln(x)",
    .n_in_min = 1, .n_in_max = 1, .n_out = 1,
    .infer = fvi_infer_unary, .grad = gradient, .ref = reference,
    .samples = samples, .n_samples = FVI_COUNT(samples),
    .inplace = {1}, .elementwise = true,
    .onnx = "Log",
};
FVI_OPS(log, &op_log);

fv_value *fv_log(fv_graph *g, fv_value *a)
{
    return fvi_emit(g, "log", NULL, 1, a);
}
