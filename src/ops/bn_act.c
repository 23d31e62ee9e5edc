/* SPDX-License-Identifier: Apache-2.0 */
/* Batch norm, addition of a residual and activation in one op, as ResNet blocks end: y = act(bn(x) + residual), with
 * the batch's statistics. The fused gradient needs no pre-activation: relu reads the sign of y, silu recomputes bn(x).
 * silu with a residual is the one case that cannot, since silu has no inverse; its gradient is made of the parts. */
#include "ops/bn_act.h"

#include "ops/batch_norm.h"
#include "ops/parallel.h"
#include "ops/reduce.h"

static const char *const act_names[] = {FVI_ACT_NAMES};
#define ACT_ATTR(T) {.name = "act", .kind = FVI_ATTR_ENUM, .offset = offsetof(T, act), .names = act_names, .help = "activation"}
static const fvi_attr_def attrs[] = {FVI_EPS_ATTR(fvi_bn_act_train_attr, 1e-5), ACT_ATTR(fvi_bn_act_train_attr), FVI_ATTR_END};
static const fvi_attr_def backward_attrs[] = {
    FVI_EPS_ATTR(fvi_bn_act_train_backward_attr, 1e-5),
    ACT_ATTR(fvi_bn_act_train_backward_attr),
    {.name = "two", .kind = FVI_ATTR_BOOL, .offset = offsetof(fvi_bn_act_train_backward_attr, two),
     .help = "input 7 is a second gradient of y, to be added to the first"},
    {.name = "residual", .kind = FVI_ATTR_BOOL, .offset = offsetof(fvi_bn_act_train_backward_attr, residual),
     .help = "the gradient of the residual is wanted"},
    FVI_ATTR_END,
};

enum { DY, Y, X, MEAN, VAR, SCALE, SHIFT, DY2 };             /* inputs of the backward op */

/* ---- forward ---------------------------------------------------------------------------------------------------- */

static fv_status infer(fvi_infer *c)
{
    char t[2][FVI_TYPE_TEXT];
    FVI_TRY(c->ctx, fvi_batch_norm_train_infer(c));
    if (c->n_in > 3 && (!fvi_type_same_shape(&c->in[3], &c->in[0]) || !fv_dtype_is_float(c->in[3].dtype)))
        return fvi_infer_fail(c, "the residual is %s, but the input %s", fvi_type_text(&c->in[3], t[0]), fvi_type_text(&c->in[0], t[1]));
    return FV_OK;
}

static fv_status expand(fvi_expansion *c)
{
    const fvi_bn_act_train_attr *a = c->node->attr;
    const fvi_batch_norm_attr bn = {a->eps};
    fv_value *n = fvi_emit(c->g, "batch_norm_train", &bn, 3, c->in[0], c->in[1], c->in[2]), *y = n;
    if (c->node->n_in > 3) y = fv_add(c->g, y, c->in[3]);
    c->out[0] = fvi_act_emit(c->g, a->act, y);
    for (int k = 1; k < 4; k++) c->out[k] = fv_output_of(n, k);
    return fv_graph_status(c->g);
}

static void reference(const fvi_ref *r)
{
    const fvi_bn_act_train_attr *a = r->attr;
    const fvi_channels d = fvi_channels_of(&r->in[0].type);
    const double *x = r->in[0].f, *residual = r->n_in > 3 ? r->in[3].f : NULL;
    double *mean = r->out[1].f, *var = r->out[2].f, *unbiased = r->out[3].f;
#pragma omp parallel for if (FVI_WORTH_THREADS(8 * d.n * d.c * d.s))
    for (int64_t k = 0; k < d.c; k++) {
        fvi_batch_norm_moments(x, d, k, &mean[k], &var[k], &unbiased[k]);
        const double factor = r->in[1].f[k] / sqrt(var[k] + a->eps), shift = r->in[2].f[k];
        for (int64_t b = 0; b < d.n; b++)
            for (int64_t i = (b * d.c + k) * d.s; i < (b * d.c + k + 1) * d.s; i++)
                r->out[0].f[i] = fvi_act_of(a->act, (x[i] - mean[k]) * factor + shift + (residual ? residual[i] : 0));
    }
}

/* ---- gradient --------------------------------------------------------------------------------------------------- */

/* bn(x) + residual, recomputed from the saved statistics. */
static fv_value *before_act(fvi_gradient *c, double eps)
{
    const fvi_batch_norm_attr bn = {eps};
    fv_value *v = fvi_emit(c->g, "batch_norm_eval", &bn, 5, c->in[0], c->in[1], c->in[2], c->out[1], c->out[2]);
    return fv_add(c->g, v, c->in[3]);
}

static fv_status gradient(fvi_gradient *c)
{
    const fvi_bn_act_train_attr *a = c->node->attr;
    fv_value *const *in = c->in, *const *out = c->out, *dx = NULL;
    const bool residual = c->node->n_in > 3;
    if (c->dout[0] && residual && a->act == FVI_ACT_SILU) {
        const fvi_batch_norm_attr bn = {a->eps};
        fv_value *d = fvi_emit(c->g, "silu_backward", NULL, 2, c->dout[0], before_act(c, a->eps));
        c->din[3] = d;
        dx = fvi_emit(c->g, "batch_norm_train_backward", &bn, 5, d, in[0], out[1], out[2], in[1]);
    } else if (c->dout[0]) {
        fvi_bn_act_train_backward_attr b = {.eps = a->eps};
        fvi_attr_defaults(backward_attrs, &b);
        b.eps = a->eps;
        b.act = a->act;
        b.residual = residual && c->need[3];
        dx = fvi_emit(c->g, "bn_act_train_backward", &b, 7, c->dout[0], out[0], in[0], out[1], out[2], in[1], in[2]);
        if (b.residual) c->din[3] = fv_output_of(dx, 3);
    }
    if (dx) {
        c->din[1] = fv_output_of(dx, 1);
        c->din[2] = fv_output_of(dx, 2);
    }
    if (c->need[0]) {
        fv_value *more = fvi_batch_norm_moments_gradient(c->g, in[0], out[1], c->dout[1], c->dout[2], c->dout[3]);
        c->din[0] = dx && more ? fv_add(c->g, dx, more) : more ? more : dx;
    }
    return fv_graph_status(c->g);
}

/* ---- backward op ------------------------------------------------------------------------------------------------ */

static fv_status infer_backward(fvi_infer *c)
{
    const fvi_bn_act_train_backward_attr *a = c->attr;
    const fvi_type *x = &c->in[X];
    char t[2][FVI_TYPE_TEXT];
    if (c->n_in != (a->two ? 8 : 7))
        return fvi_infer_fail(c, "two=%s goes with %d inputs, not %d", a->two ? "true" : "false", a->two ? 8 : 7, c->n_in);
    if (a->act == FVI_ACT_SILU && a->residual)
        return fvi_infer_fail(c, "silu with a residual has no fused gradient: the value before the activation is not known");
    FVI_TRY(c->ctx, fvi_batch_norm_check(c, X, MEAN, SHIFT));
    for (int i = 0; i < c->n_in; i++)
        if ((i == DY || i == Y || i == DY2) && (!fvi_type_same_shape(&c->in[i], x) || !fv_dtype_is_float(c->in[i].dtype)))
            return fvi_infer_fail(c, "input %d is %s, but x is %s", i, fvi_type_text(&c->in[i], t[0]), fvi_type_text(x, t[1]));
    c->out[0] = *x;
    for (int k = 1; k < 3; k++) c->out[k] = fvi_type_make(fvi_sum_dtype(x->dtype), 1, &x->dim[1]);
    c->out[3] = *x;
    if (!a->residual) c->out[3].rank = 0;
    c->out[3].dtype = c->in[DY].dtype;
    return FV_OK;
}

static fv_status expand_backward(fvi_expansion *c)
{
    const fvi_bn_act_train_backward_attr *a = c->node->attr;
    const fvi_batch_norm_attr bn = {a->eps};
    fv_graph *g = c->g;
    fv_value *const *in = c->in, *d = a->two ? fv_add(g, in[DY], in[DY2]) : in[DY];
    if (a->act == FVI_ACT_RELU) d = fvi_emit(g, "relu_backward", NULL, 2, d, in[Y]);
    if (a->act == FVI_ACT_SILU) {
        fv_value *before = fvi_emit(g, "batch_norm_eval", &bn, 5, in[X], in[SCALE], in[SHIFT], in[MEAN], in[VAR]);
        d = fvi_emit(g, "silu_backward", NULL, 2, d, before);
    }
    fv_value *dx = fvi_emit(g, "batch_norm_train_backward", &bn, 5, d, in[X], in[MEAN], in[VAR], in[SCALE]);
    for (int k = 0; k < 3; k++) c->out[k] = fv_output_of(dx, k);
    c->out[3] = a->residual ? d : fvi_number_like(g, 0, in[DY]);
    return fv_graph_status(g);
}

/* Gradient before the activation, element i of channel k. */
static double inner_gradient(const fvi_ref *r, int64_t i, int64_t k)
{
    const fvi_bn_act_train_backward_attr *a = r->attr;
    const double dy = r->in[DY].f[i] + (a->two ? r->in[DY2].f[i] : 0);
    if (a->act == FVI_ACT_RELU) return r->in[Y].f[i] <= 0 ? 0 : dy;
    if (a->act == FVI_ACT_NONE) return dy;
    const double factor = r->in[SCALE].f[k] / sqrt(r->in[VAR].f[k] + a->eps);
    return dy * fvi_silu_slope((r->in[X].f[i] - r->in[MEAN].f[k]) * factor + r->in[SHIFT].f[k]);
}

static void reference_backward(const fvi_ref *r)
{
    const fvi_bn_act_train_backward_attr *a = r->attr;
    const double *x = r->in[X].f;
    const fvi_channels d = fvi_channels_of(&r->in[X].type);
    const double n = (double)(d.n * d.s);
#pragma omp parallel for if (FVI_WORTH_THREADS(8 * d.n * d.c * d.s))
    for (int64_t k = 0; k < d.c; k++) {
        const double mean = r->in[MEAN].f[k], rstd = 1 / sqrt(r->in[VAR].f[k] + a->eps), scale = r->in[SCALE].f[k];
        double sum = 0, dot = 0;
        for (int64_t b = 0; b < d.n; b++)
            for (int64_t i = (b * d.c + k) * d.s; i < (b * d.c + k + 1) * d.s; i++) {
                const double v = inner_gradient(r, i, k);
                sum += v;
                dot += v * (x[i] - mean);
            }
        r->out[1].f[k] = dot * rstd;
        r->out[2].f[k] = sum;
        const double slope = dot * rstd * rstd / n, level = sum / n;
        for (int64_t b = 0; b < d.n; b++)
            for (int64_t i = (b * d.c + k) * d.s; i < (b * d.c + k + 1) * d.s; i++) {
                const double v = inner_gradient(r, i, k);
                if (a->residual) r->out[3].f[i] = v;
                r->out[0].f[i] = scale * rstd * (v - level - (x[i] - mean) * slope);
            }
    }
    if (!a->residual) r->out[3].f[0] = 0;
}

/* ---- with statistics that are known ----------------------------------------------------------------------------------- */

static fv_status infer_eval(fvi_infer *c)
{
    char t[2][FVI_TYPE_TEXT];
    FVI_TRY(c->ctx, fvi_batch_norm_check(c, 0, 1, 4));
    if (c->n_in > 5 && (!fvi_type_same_shape(&c->in[5], &c->in[0]) || !fv_dtype_is_float(c->in[5].dtype)))
        return fvi_infer_fail(c, "the residual is %s, but the input %s", fvi_type_text(&c->in[5], t[0]), fvi_type_text(&c->in[0], t[1]));
    return fvi_infer_same(c);
}

static fv_status expand_eval(fvi_expansion *c)
{
    const fvi_bn_act_train_attr *a = c->node->attr;
    const fvi_batch_norm_attr bn = {a->eps};
    fv_value *y = fvi_emit_v(c->g, "batch_norm_eval", &bn, 5, c->in);
    if (c->node->n_in > 5) y = fv_add(c->g, y, c->in[5]);
    c->out[0] = fvi_act_emit(c->g, a->act, y);
    return fv_graph_status(c->g);
}

static void reference_eval(const fvi_ref *r)
{
    const fvi_bn_act_train_attr *a = r->attr;
    const fvi_channels d = fvi_channels_of(&r->in[0].type);
    const double *x = r->in[0].f, *residual = r->n_in > 5 ? r->in[5].f : NULL;
#pragma omp parallel for if (FVI_WORTH_THREADS(4 * d.n * d.c * d.s))
    for (int64_t k = 0; k < d.c; k++) {
        const double mean = r->in[3].f[k], factor = r->in[1].f[k] / sqrt(r->in[4].f[k] + a->eps), shift = r->in[2].f[k];
        for (int64_t b = 0; b < d.n; b++)
            for (int64_t i = (b * d.c + k) * d.s; i < (b * d.c + k + 1) * d.s; i++)
                r->out[0].f[i] = fvi_act_of(a->act, (x[i] - mean) * factor + shift + (residual ? residual[i] : 0));
    }
}

static fv_status again(fvi_expansion *c)
{
    const fvi_node *n = c->node;
    fv_value *in[6] = {c->in[0], c->in[1], c->in[2], (fv_value *)(uintptr_t)&n->out[1], (fv_value *)(uintptr_t)&n->out[2], n->n_in > 3 ? c->in[3] : NULL};
    c->out[0] = fvi_emit_v(c->g, "bn_act_eval", n->attr, n->n_in > 3 ? 6 : 5, in);
    return fv_graph_status(c->g);
}

/* ---- records ---------------------------------------------------------------------------------------------------- */

static const fvi_bn_act_train_attr none = {1e-5, FVI_ACT_NONE}, relu = {1e-5, FVI_ACT_RELU}, silu = {1e-3, FVI_ACT_SILU};
static const fvi_bn_act_train_backward_attr b_none = {1e-5, FVI_ACT_NONE, false, true}, b_relu = {1e-5, FVI_ACT_RELU, false, false},
    b_relu_add = {1e-5, FVI_ACT_RELU, false, true}, b_relu_two = {1e-5, FVI_ACT_RELU, true, true}, b_silu = {1e-3, FVI_ACT_SILU, true, false};
#define N FVI_DRAW_NORMAL
#define P FVI_DRAW_POSITIVE
#define IMAGE FVI_S(N, FV_N, 3, 4, 5)
static const fvi_sample samples[] = {
    {"none_add", &none, 4, {IMAGE, FVI_S(P, 3), FVI_S(N, 3), IMAGE}},
    {"relu", &relu, 3, {IMAGE, FVI_S(P, 3), FVI_S(N, 3)}},
    {"relu_add", &relu, 4, {IMAGE, FVI_S(P, 3), FVI_S(N, 3), IMAGE}},
    {"silu", &silu, 3, {FVI_S(N, FV_N, 17, 2, 2), FVI_S(N, 17), FVI_S(N, 17)}},
    {"silu_add", &silu, 4, {IMAGE, FVI_S(P, 3), FVI_S(N, 3), IMAGE}},
    {"features", &relu, 3, {FVI_S(N, FV_N, 5), FVI_S(P, 5), FVI_S(N, 5)}},
};
#define SAVED FVI_S(N, 3), FVI_S(P, 3), FVI_S(P, 3), FVI_S(N, 3)
static const fvi_sample backward_samples[] = {
    {"none_add", &b_none, 7, {IMAGE, IMAGE, IMAGE, SAVED}},
    {"relu", &b_relu, 7, {IMAGE, IMAGE, IMAGE, SAVED}},
    {"relu_add", &b_relu_add, 7, {IMAGE, IMAGE, IMAGE, SAVED}},
    {"relu_add_two", &b_relu_two, 8, {IMAGE, IMAGE, IMAGE, SAVED, IMAGE}},
    {"silu_two", &b_silu, 8, {IMAGE, IMAGE, IMAGE, SAVED, IMAGE}},
};
#define KNOWN FVI_S(P, 3), FVI_S(N, 3), FVI_S(N, 3), FVI_S(P, 3)
static const fvi_sample eval_samples[] = {
    {"relu", &relu, 5, {IMAGE, KNOWN}},
    {"relu_add", &relu, 6, {IMAGE, KNOWN, IMAGE}},
    {"silu", &silu, 5, {IMAGE, KNOWN}},
    {"none_add", &none, 6, {IMAGE, KNOWN, IMAGE}},
};

static const fvi_op op_train = {
    .name = "bn_act_train", .version = 1, .kind = FVI_COMPOSITE,
    .doc = "y = act(batch_norm_train(x) + residual); also mean, var, unbiased var",
    .n_in_min = 3, .n_in_max = 4, .n_out = 4, .attr_size = sizeof(fvi_bn_act_train_attr), .attrs = attrs,
    .infer = infer, .grad = gradient, .expand = expand, .again = again, .ref = reference, .samples = samples, .n_samples = FVI_COUNT(samples),
    .inplace = {1}, .precision = FVI_PRECISION_ANY,
};
static const fvi_op op_train_backward = {
    .name = "bn_act_train_backward", .version = 1, .kind = FVI_COMPOSITE,
    .doc = "gradients of bn_act_train for x, scale, shift, residual from dy (+ dy2)",
    .n_in_min = 7, .n_in_max = 8, .n_out = 4, .attr_size = sizeof(fvi_bn_act_train_backward_attr), .attrs = backward_attrs,
    .infer = infer_backward, .no_grad = FVI_NO_SECOND, .expand = expand_backward, .ref = reference_backward,
    .samples = backward_samples, .n_samples = FVI_COUNT(backward_samples),
    .precision = FVI_PRECISION_ANY,
};
static const fvi_op op_eval = {
    .name = "bn_act_eval", .version = 1, .kind = FVI_COMPOSITE,
    .doc = "y = act(batch_norm_eval(x) + residual): bn_act_train once more",
    .n_in_min = 5, .n_in_max = 6, .n_out = 1, .attr_size = sizeof(fvi_bn_act_train_attr), .attrs = attrs,
    .infer = infer_eval, .expand = expand_eval, .ref = reference_eval, .samples = eval_samples, .n_samples = FVI_COUNT(eval_samples),
    .inplace = {1}, .precision = FVI_PRECISION_ANY,
};
FVI_OPS(bn_act, &op_train, &op_train_backward, &op_eval);
