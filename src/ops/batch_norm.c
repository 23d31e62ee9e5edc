/* SPDX-License-Identifier: Apache-2.0 */
/* Batch normalisation over all axes but channels (Ioffe and Szegedy, arXiv:1502.03167, algorithm 1), x (N,C,...):
 *     y = (x - mean) / sqrt(var + eps) * scale + shift.
 * Training takes mean and biased variance of the batch and also gives the unbiased one, which is what PyTorch's running
 * average stores. With xhat = (x - mean) rstd and n values per channel its gradient is
 *     dx = scale rstd (dy - sum(dy)/n - xhat sum(dy xhat)/n), dscale = sum(dy xhat), dshift = sum(dy). */
#include "ir/onnx.h"
#include "ops/batch_norm.h"

#include "ops/activation.h"
#include "ops/parallel.h"
#include "ops/reduce.h"

static const fvi_attr_def attrs[] = {FVI_EPS_ATTR(fvi_batch_norm_attr, 1e-5), FVI_ATTR_END};

/* ---- shapes ----------------------------------------------------------------------------------------------------- */

fvi_channels fvi_channels_of(const fvi_type *t)
{
    return (fvi_channels){t->dim[0], t->dim[1], fvi_inner(t, 1)};
}

fv_status fvi_batch_norm_check(fvi_infer *c, int x, int first, int last)
{
    const fvi_type *t = &c->in[x];
    char text[2][FVI_TYPE_TEXT];
    if (!fv_dtype_is_float(t->dtype) || t->rank < 2 || t->dim[1] < 1)
        return fvi_infer_fail(c, "the input must be a floating (N, C, ...) with constant C, not %s", fvi_type_text(t, text[0]));
    for (int i = first; i <= last; i++)
        if (!fv_dtype_is_float(c->in[i].dtype) || c->in[i].rank != 1 || c->in[i].dim[0] != t->dim[1])
            return fvi_infer_fail(c, "input %d must be a floating (%lld,) for %s, not %s", i, (long long)t->dim[1],
                                  fvi_type_text(t, text[0]), fvi_type_text(&c->in[i], text[1]));
    return FV_OK;
}

fv_status fvi_batch_norm_train_infer(fvi_infer *c)
{
    const fvi_type *x = &c->in[0];
    char text[FVI_TYPE_TEXT];
    FVI_TRY(c->ctx, fvi_batch_norm_check(c, 0, 1, 2));
    bool single = true;
    for (int i = 0; i < x->rank; i++) single = single && (i == 1 || x->dim[i] == 1);
    if (single)
        return fvi_infer_fail(c, "batch norm needs more than one value per channel in training, and %s has one: use a larger batch or image, or evaluation mode",
                              fvi_type_text(x, text));
    c->out[0] = *x;
    for (int k = 1; k < 4; k++) c->out[k] = fvi_type_make(fvi_sum_dtype(x->dtype), 1, &x->dim[1]);
    return FV_OK;
}

static fv_status infer_backward(fvi_infer *c)
{
    const fvi_type *x = &c->in[1];
    char text[2][FVI_TYPE_TEXT];
    FVI_TRY(c->ctx, fvi_batch_norm_check(c, 1, 2, 4));
    if (!fvi_type_same_shape(&c->in[0], x))
        return fvi_infer_fail(c, "the gradient %s and the input %s differ in shape", fvi_type_text(&c->in[0], text[0]), fvi_type_text(x, text[1]));
    c->out[0] = *x;
    for (int k = 1; k < 3; k++) c->out[k] = fvi_type_make(fvi_sum_dtype(x->dtype), 1, &x->dim[1]);
    return FV_OK;
}

static fv_status infer_eval(fvi_infer *c)
{
    FVI_TRY(c->ctx, fvi_batch_norm_check(c, 0, 1, 4));
    return fvi_infer_same(c);
}

/* ---- references ------------------------------------------------------------------------------------------------- */

void fvi_batch_norm_moments(const double *x, fvi_channels d, int64_t k, double *mean, double *var, double *unbiased)
{
    const double n = (double)(d.n * d.s);
    double sum = 0, squares = 0;
    for (int64_t b = 0; b < d.n; b++) {
        const double *p = x + (b * d.c + k) * d.s;
#pragma omp simd reduction(+ : sum)
        for (int64_t i = 0; i < d.s; i++) sum += p[i];
    }
    const double m = sum / n;
    for (int64_t b = 0; b < d.n; b++) {
        const double *p = x + (b * d.c + k) * d.s;
#pragma omp simd reduction(+ : squares)
        for (int64_t i = 0; i < d.s; i++) squares += (p[i] - m) * (p[i] - m);
    }
    *mean = m;
    *var = squares / n;
    *unbiased = squares / FVI_MAX(n - 1, 1);       /* one value per channel, N bound late: 0, never NaN */
}

static void normalise(const double *x, double *y, fvi_channels d, int64_t k, double mean, double factor, double shift)
{
    for (int64_t b = 0; b < d.n; b++)
        for (int64_t i = (b * d.c + k) * d.s; i < (b * d.c + k + 1) * d.s; i++) y[i] = (x[i] - mean) * factor + shift;
}

static void reference(const fvi_ref *r)
{
    const fvi_batch_norm_attr *a = r->attr;
    const fvi_channels d = fvi_channels_of(&r->in[0].type);
    double *mean = r->out[1].f, *var = r->out[2].f, *unbiased = r->out[3].f;
#pragma omp parallel for if (FVI_WORTH_THREADS(4 * d.n * d.c * d.s))
    for (int64_t k = 0; k < d.c; k++) {
        fvi_batch_norm_moments(r->in[0].f, d, k, &mean[k], &var[k], &unbiased[k]);
        normalise(r->in[0].f, r->out[0].f, d, k, mean[k], r->in[1].f[k] / sqrt(var[k] + a->eps), r->in[2].f[k]);
    }
}

static void reference_backward(const fvi_ref *r)
{
    const fvi_batch_norm_attr *a = r->attr;
    const double *dy = r->in[0].f, *x = r->in[1].f;
    const fvi_channels d = fvi_channels_of(&r->in[1].type);
    const double n = (double)(d.n * d.s);
#pragma omp parallel for if (FVI_WORTH_THREADS(4 * d.n * d.c * d.s))
    for (int64_t k = 0; k < d.c; k++) {
        const double mean = r->in[2].f[k], rstd = 1 / sqrt(r->in[3].f[k] + a->eps), scale = r->in[4].f[k];
        double sum = 0, dot = 0;
        for (int64_t b = 0; b < d.n; b++) {
            const int64_t first = (b * d.c + k) * d.s;
#pragma omp simd reduction(+ : sum, dot)
            for (int64_t i = first; i < first + d.s; i++) {
                sum += dy[i];
                dot += dy[i] * (x[i] - mean);
            }
        }
        r->out[1].f[k] = dot * rstd;
        r->out[2].f[k] = sum;
        const double slope = dot * rstd * rstd / n, level = sum / n;
        for (int64_t b = 0; b < d.n; b++)
            for (int64_t i = (b * d.c + k) * d.s; i < (b * d.c + k + 1) * d.s; i++)
                r->out[0].f[i] = scale * rstd * (dy[i] - level - (x[i] - mean) * slope);
    }
}

static void reference_eval(const fvi_ref *r)
{
    const fvi_batch_norm_attr *a = r->attr;
    const fvi_channels d = fvi_channels_of(&r->in[0].type);
#pragma omp parallel for if (FVI_WORTH_THREADS(4 * d.n * d.c * d.s))
    for (int64_t k = 0; k < d.c; k++)
        normalise(r->in[0].f, r->out[0].f, d, k, r->in[3].f[k], r->in[1].f[k] / sqrt(r->in[4].f[k] + a->eps), r->in[2].f[k]);
}

/* ---- gradients -------------------------------------------------------------------------------------------------- */

fv_value *fvi_channel_view(fv_graph *g, fv_value *v, const fv_value *x)
{
    int64_t dims[FV_MAX_RANK];
    if (!v) return NULL;
    for (int i = 0; i < x->type.rank; i++) dims[i] = i == 1 ? x->type.dim[1] : 1;
    return fv_reshape(g, v, x->type.rank, dims);
}

/* Values per channel, plus `more`, as a scalar of v's type: counted by summing ones when N is not known yet. */
static fv_value *count_of(fv_graph *g, const fv_value *x, double more, const fv_value *v)
{
    fvi_type rest = {.dtype = x->type.dtype};
    int64_t n;
    char text[FVI_TYPE_TEXT];
    for (int i = 0; i < x->type.rank; i++)
        if (i != 1) rest.dim[rest.rank++] = x->type.dim[i];
    if (!fvi_type_product(&rest, 0, rest.rank, &n))
        return fv_graph_fail(g, FV_ERROR_UNSUPPORTED, "gradient of batch statistics: the values per channel of %s cannot be counted",
                             fvi_type_text(&x->type, text));
    if (n > 0) return fvi_number_like(g, (double)n + more, v);
    fv_value *count = fv_offset(g, fv_sum(g, fv_full(g, 1, 1, &n), 0, false), more);
    return count && v && count->type.dtype != v->type.dtype ? fv_cast(g, count, v->type.dtype) : count;
}

/* mean: dmean / n. Biased variance: 2 (x - mean) dvar / n, and n - 1 for the unbiased one. */
fv_value *fvi_batch_norm_moments_gradient(fv_graph *g, fv_value *x, fv_value *mean, fv_value *dmean, fv_value *dvar, fv_value *dunbiased)
{
    fv_value *level = dmean ? fv_div(g, dmean, count_of(g, x, 0, dmean)) : NULL, *slope = NULL;
    if (dvar) slope = fv_div(g, dvar, count_of(g, x, 0, dvar));
    if (dunbiased) {
        fv_value *s = fv_div(g, dunbiased, count_of(g, x, -1, dunbiased));
        slope = slope ? fv_add(g, slope, s) : s;
    }
    if (slope) {
        fv_value *centred = fv_sub(g, x, fvi_channel_view(g, mean, x));
        slope = fv_mul(g, centred, fvi_channel_view(g, fv_scale(g, slope, 2), x));
    }
    if (level) level = fvi_channel_view(g, level, x);
    if (level && !slope) return fv_broadcast_to(g, level, x->type.rank, x->type.dim);
    return level ? fv_add(g, slope, level) : slope;
}

static fv_status gradient(fvi_gradient *c)
{
    fv_value *const *in = c->in, *const *out = c->out, *dx = NULL;
    if (c->dout[0]) {
        fv_value *d = fvi_emit(c->g, "batch_norm_train_backward", c->node->attr, 5, c->dout[0], in[0], out[1], out[2], in[1]);
        dx = d;
        c->din[1] = fv_output_of(d, 1);
        c->din[2] = fv_output_of(d, 2);
    }
    if (c->need[0]) {
        fv_value *more = fvi_batch_norm_moments_gradient(c->g, in[0], out[1], c->dout[1], c->dout[2], c->dout[3]);
        c->din[0] = dx && more ? fv_add(c->g, dx, more) : more ? more : dx;
    }
    return fv_graph_status(c->g);
}

static fv_status gradient_eval(fvi_gradient *c)
{
    const fvi_batch_norm_attr *a = c->node->attr;
    fv_graph *g = c->g;
    fv_value *x = c->in[0], *dy = c->dout[0];
    const unsigned rest = ((1u << x->type.rank) - 1) & ~2u;
    fv_value *rstd = fvi_emit(g, "rsqrt", NULL, 1, fv_offset(g, c->in[4], a->eps)), *factor = fv_mul(g, c->in[1], rstd);
    if (c->need[0]) c->din[0] = fv_mul(g, dy, fvi_channel_view(g, factor, x));
    if (c->need[2] || c->need[3]) {
        fv_value *sum = fv_sum(g, dy, rest, false);
        c->din[2] = sum;
        if (c->need[3]) c->din[3] = fv_neg(g, fv_mul(g, factor, sum));
    }
    if (c->need[1] || c->need[4]) {
        fv_value *centred = fv_sub(g, x, fvi_channel_view(g, c->in[3], x)), *dot = fv_sum(g, fv_mul(g, dy, centred), rest, false);
        c->din[1] = fv_mul(g, dot, rstd);
        /* d rstd / d var = -rstd^3 / 2 */
        if (c->need[4]) c->din[4] = fv_scale(g, fv_mul(g, fv_mul(g, factor, fv_square(g, rstd)), dot), -0.5);
    }
    return fv_graph_status(g);
}

/* ---- records ---------------------------------------------------------------------------------------------------- */

static const fvi_batch_norm_attr standard = {1e-5}, wide = {0.1};
#define N FVI_DRAW_NORMAL
#define P FVI_DRAW_POSITIVE
static const fvi_sample samples[] = {
    {"image", &standard, 3, {FVI_S(N, FV_N, 3, 4, 5), FVI_S(P, 3), FVI_S(N, 3)}},
    {"features", &wide, 3, {FVI_S(N, FV_N, 5), FVI_S(N, 5), FVI_S(N, 5)}},
    {"one_channel", &standard, 3, {FVI_S(N, FV_N, 1, 3, 3), FVI_S(P, 1), FVI_S(N, 1)}},
    {"fixed", &wide, 3, {FVI_S(N, 2, 17, 3), FVI_S(P, 17), FVI_S(N, 17)}},
};
static const fvi_sample backward_samples[] = {
    {"image", &standard, 5, {FVI_S(N, FV_N, 3, 4, 5), FVI_S(N, FV_N, 3, 4, 5), FVI_S(N, 3), FVI_S(P, 3), FVI_S(P, 3)}},
    {"features", &wide, 5, {FVI_S(N, FV_N, 5), FVI_S(N, FV_N, 5), FVI_S(N, 5), FVI_S(P, 5), FVI_S(N, 5)}},
    {"one_channel", &standard, 5, {FVI_S(N, FV_N, 1, 3, 3), FVI_S(N, FV_N, 1, 3, 3), FVI_S(N, 1), FVI_S(P, 1), FVI_S(P, 1)}},
};
static const fvi_sample eval_samples[] = {
    {"image", &standard, 5, {FVI_S(N, FV_N, 3, 4, 5), FVI_S(P, 3), FVI_S(N, 3), FVI_S(N, 3), FVI_S(P, 3)}},
    {"features", &wide, 5, {FVI_S(N, FV_N, 5), FVI_S(N, 5), FVI_S(N, 5), FVI_S(N, 5), FVI_S(P, 5)}},
    {"one_value", &standard, 5, {FVI_S(N, FV_N, 17, 1, 1), FVI_S(P, 17), FVI_S(N, 17), FVI_S(N, 17), FVI_S(P, 17)}},
};

static const fvi_op op_train = {
    .name = "batch_norm_train", .version = 1, .kind = FVI_PRIMITIVE,
    .doc = "y = (x - mean) / sqrt(var + eps) * scale + shift with the batch's mean and var; also mean, var, unbiased var",
    .n_in_min = 3, .n_in_max = 3, .n_out = 4, .attr_size = sizeof(fvi_batch_norm_attr), .attrs = attrs,
    .infer = fvi_batch_norm_train_infer, .grad = gradient, .ref = reference, .samples = samples, .n_samples = FVI_COUNT(samples),
    .inplace = {1}, .precision = FVI_PRECISION_ANY,
};
static const fvi_op op_train_backward = {
    .name = "batch_norm_train_backward", .version = 1, .kind = FVI_PRIMITIVE,
    .doc = "dx = scale rstd (dy - mean(dy) - xhat mean(dy xhat)), dscale = sum(dy xhat), dshift = sum(dy)",
    .n_in_min = 5, .n_in_max = 5, .n_out = 3, .attr_size = sizeof(fvi_batch_norm_attr), .attrs = attrs,
    .infer = infer_backward, .no_grad = FVI_NO_SECOND, .ref = reference_backward,
    .samples = backward_samples, .n_samples = FVI_COUNT(backward_samples),
    .inplace = {1}, .precision = FVI_PRECISION_ANY,
};
static void onnx_eval(fvi_onnx *o)
{
    o->add(o, &(fvi_onnx_op){.type = "BatchNormalization", .in = {o->in[0], o->in[1], o->in[2], o->in[3], o->in[4]}, .out = {o->out[0]},
                             .attrs = {FVI_ONNX_FLOAT("epsilon", ((const fvi_batch_norm_attr *)o->attr)->eps)}});
}

static const fvi_op op_eval = {
    .name = "batch_norm_eval", .version = 1, .kind = FVI_PRIMITIVE, .doc = "y = (x - mean) / sqrt(var + eps) * scale + shift",
    .n_in_min = 5, .n_in_max = 5, .n_out = 1, .attr_size = sizeof(fvi_batch_norm_attr), .attrs = attrs,
    .infer = infer_eval, .grad = gradient_eval, .ref = reference_eval, .samples = eval_samples, .n_samples = FVI_COUNT(eval_samples),
    .inplace = {1}, .precision = FVI_PRECISION_ANY,
    .onnx_emit = onnx_eval,
};
FVI_OPS(batch_norm, &op_train, &op_train_backward, &op_eval);
