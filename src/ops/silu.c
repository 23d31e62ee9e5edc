/* SPDX-License-Identifier: Apache-2.0 */
/* y = x sigmoid(x) (swish; Elfwing et al., arXiv:1702.03118); dx = dy s (1 + x (1 - s)) with s = sigmoid(x),
 * whose own gradient for x is dy s (1 - s) (2 + x (1 - 2s)). */
#include "ops/activation.h"

static double value(double x, const void *attr)
{
    (void)attr;
    return fvi_silu_of(x);
}

static double slope_times(double dy, double x, const void *attr)
{
    (void)attr;
    return dy * fvi_silu_slope(x);
}

static void reference(const fvi_ref *r) { fvi_ref_unary(r, value); }
static void reference_backward(const fvi_ref *r) { fvi_ref_pair(r, slope_times); }

static fv_status gradient(fvi_gradient *c)
{
    return fvi_act_gradient(c, "silu_backward", c->in[0]);
}

static fv_status gradient_backward(fvi_gradient *c)
{
    fv_graph *g = c->g;
    fv_value *x = c->in[1];
    if (c->need[0]) c->din[0] = fvi_emit(g, "silu_backward", NULL, 2, c->dout[0], x);
    if (c->need[1]) {
        fv_value *s = fv_sigmoid(g, x), *curve = fv_mul(g, s, fv_offset(g, fv_neg(g, s), 1));
        fv_value *rest = fv_offset(g, fv_mul(g, x, fv_offset(g, fv_scale(g, s, -2), 1)), 2);
        c->din[1] = fv_mul(g, fv_mul(g, c->dout[0], c->in[0]), fv_mul(g, curve, rest));
    }
    return fv_graph_status(g);
}

static fv_status expand(fvi_expansion *c)
{
    c->out[0] = fv_mul(c->g, c->in[0], fv_sigmoid(c->g, c->in[0]));
    return fv_graph_status(c->g);
}

FVI_UNARY_SAMPLES(samples, NULL, FVI_DRAW_NORMAL);
FVI_PAIR_SAMPLES(backward_samples, NULL, FVI_DRAW_NORMAL);

static const fvi_op op_silu = {
    .name = "silu", .version = 1, .kind = FVI_COMPOSITE, .doc = "y = x sigmoid(x)",
    .n_in_min = 1, .n_in_max = 1, .n_out = 1,
    .infer = fvi_infer_unary, .grad = gradient, .expand = expand, .again = fvi_again, .ref = reference, .samples = samples, .n_samples = FVI_COUNT(samples),
    .inplace = {1}, .elementwise = true,
};
static const fvi_op op_silu_backward = {
    .name = "silu_backward", .version = 1, .kind = FVI_PRIMITIVE, .doc = "dx = dy s (1 + x (1 - s)), s = sigmoid(x)",
    .n_in_min = 2, .n_in_max = 2, .n_out = 1,
    .infer = fvi_infer_pair, .grad = gradient_backward, .ref = reference_backward,
    .samples = backward_samples, .n_samples = FVI_COUNT(backward_samples),
    .inplace = {1}, .elementwise = true,
};
FVI_OPS(silu, &op_silu, &op_silu_backward);

fv_value *fv_silu(fv_graph *g, fv_value *x)
{
    return fvi_emit(g, "silu", NULL, 1, x);
}
