/* SPDX-License-Identifier: Apache-2.0 */
/* y = act(x (*) w + b + residual): what inference makes of convolution, folded batch norm, shortcut and activation. It
 * has no gradient of its own: differentiation expands it. */
#include "ops/conv2d_act.h"

static const char *const act_names[] = {FVI_ACT_NAMES};
static const fvi_attr_def attrs[] = {
    FVI_CONV2D_ATTRS,
    {.name = "act", .kind = FVI_ATTR_ENUM, .offset = offsetof(fvi_conv2d_act_attr, act), .names = act_names, .help = "activation"},
    FVI_ATTR_END,
};

static fv_status infer(fvi_infer *c)
{
    const fvi_conv2d_act_attr *a = c->attr;
    char t[2][FVI_TYPE_TEXT];
    FVI_TRY(c->ctx, fvi_conv2d_infer(c, &a->conv, &c->in[0], &c->in[1], &c->in[2], &c->out[0]));
    if (c->n_in > 3 && !fvi_type_equal(&c->in[3], &c->out[0]))
        return fvi_infer_fail(c, "the residual is %s, but the result %s", fvi_type_text(&c->in[3], t[0]), fvi_type_text(&c->out[0], t[1]));
    return FV_OK;
}

static fv_status expand(fvi_expansion *c)
{
    const fvi_conv2d_act_attr *a = c->node->attr;
    fv_value *y = fvi_emit(c->g, "conv2d", &a->conv, 3, c->in[0], c->in[1], c->in[2]);
    if (c->node->n_in > 3) y = fv_add(c->g, y, c->in[3]);
    c->out[0] = fvi_act_emit(c->g, a->act, y);
    return fv_graph_status(c->g);
}

static void reference(const fvi_ref *r)
{
    const fvi_conv2d_act_attr *a = r->attr;
    const int64_t n = fvi_type_numel(&r->out[0].type);
    const double *residual = r->n_in > 3 ? r->in[3].f : NULL;
    double *y = r->out[0].f;
    fvi_conv2d_ref(&a->conv, &r->in[0], &r->in[1], r->in[2].f, &r->out[0]);
    for (int64_t i = 0; i < n; i++) y[i] = fvi_act_of(a->act, y[i] + (residual ? residual[i] : 0));
}

#define CASE(name_, s, p, g, act_) \
    static const fvi_conv2d_act_attr name_ = {{.stride = {s, s}, .padding = {p, p}, .dilation = {1, 1}, .groups = g}, act_}
CASE(plain, 1, 0, 1, FVI_ACT_NONE);
CASE(relu, 2, 1, 1, FVI_ACT_RELU);
CASE(silu, 1, 1, 2, FVI_ACT_SILU);
CASE(relu_add, 1, 1, 1, FVI_ACT_RELU);

#define N FVI_DRAW_NORMAL
static const fvi_sample samples[] = {
    {"plain", &plain, 3, {FVI_S(N, FV_N, 3, 4, 5), FVI_S(N, 4, 3, 1, 1), FVI_S(N, 4)}},
    {"relu", &relu, 3, {FVI_S(N, FV_N, 2, 5, 6), FVI_S(N, 3, 2, 3, 3), FVI_S(N, 3)}},
    {"silu", &silu, 3, {FVI_S(N, FV_N, 4, 3, 4), FVI_S(N, 2, 2, 3, 3), FVI_S(N, 2)}},
    {"relu_add", &relu_add, 4, {FVI_S(N, FV_N, 3, 4, 4), FVI_S(N, 2, 3, 3, 3), FVI_S(N, 2), FVI_S(N, FV_N, 2, 4, 4)}},
    {"silu_add", &silu, 4, {FVI_S(N, FV_N, 4, 3, 4), FVI_S(N, 2, 2, 3, 3), FVI_S(N, 2), FVI_S(N, FV_N, 2, 3, 4)}},
};

static const fvi_op op_conv2d_act = {
    .name = "conv2d_act", .version = 1, .kind = FVI_COMPOSITE, .doc = "y = act(x (*) w + b + residual)",
    .n_in_min = 3, .n_in_max = 4, .n_out = 1, .attr_size = sizeof(fvi_conv2d_act_attr), .attrs = attrs,
    .infer = infer, .expand = expand, .ref = reference, .samples = samples, .n_samples = FVI_COUNT(samples),
    .precision = FVI_PRECISION_LOW, .flops = fvi_conv2d_flops,
};
FVI_OPS(conv2d_act, &op_conv2d_act);
