/* SPDX-License-Identifier: Apache-2.0 */
/* y = a / b; da = dy / b, db = -(dy / b) y. */
#include "ops/elementwise.h"

static double value(double a, double b, const void *attr)
{
    (void)attr;
    return a / b;
}

static void reference(const fvi_ref *r)
{
    fvi_ref_binary(r, value);
}

static fv_status gradient(fvi_gradient *c)
{
    fv_value *quotient = fvi_emit(c->g, "div", NULL, 2, c->dout[0], c->in[1]);
    if (c->need[0]) fvi_gradient_set(c, 0, quotient);
    if (c->need[1]) {
        fv_value *product = fvi_emit(c->g, "mul", NULL, 2, quotient, c->out[0]);
        fvi_gradient_set(c, 1, fvi_emit(c->g, "neg", NULL, 1, product));
    }
    return fv_graph_status(c->g);
}

FVI_BINARY_SAMPLES(samples, NULL, FVI_DRAW_NORMAL, FVI_DRAW_AWAY);

static const fvi_op op_div = {
    .name = "div", .version = 1, .kind = FVI_PRIMITIVE, .doc = "y = a / b",
    .n_in_min = 2, .n_in_max = 2, .n_out = 1,
    .infer = fvi_infer_binary, .grad = gradient, .ref = reference,
    .samples = samples, .n_samples = FVI_COUNT(samples),
    .inplace = {1}, .elementwise = true,
    .onnx = "Div",
};
FVI_OPS(div, &op_div);

fv_value *fv_div(fv_graph *g, fv_value *a, fv_value *b)
{
    return fvi_emit(g, "div", NULL, 2, a, b);
}
