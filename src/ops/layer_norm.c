/* SPDX-License-Identifier: Apache-2.0 */
/* Layer normalisation over one axis of length A (Ba et al., arXiv:1607.06450); axis 1 on images is ConvNeXt's
 * channels-first form. y = (x - mean) rstd scale + shift, rstd = 1 / sqrt(var + eps), var biased. With g = dy scale and
 * xhat = (x - mean) rstd:
 *     dx = rstd (g - mean(g) - xhat mean(g xhat)), dscale = sum(dy xhat), dshift = sum(dy) over all other axes. */
#include "ir/onnx.h"
#include "ops/layer_norm.h"

#include "ops/parallel.h"
#include "ops/reduce.h"
#include "ops/softmax.h"

static const fvi_attr_def attrs[] = {
    {.name = "eps", .kind = FVI_ATTR_FLOAT, .offset = offsetof(fvi_layer_norm_attr, eps), .fallback = 1e-6, .min = 0, .max = 1,
     .help = "added to the variance"},
    {.name = "axis", .kind = FVI_ATTR_INT, .offset = offsetof(fvi_layer_norm_attr, axis), .fallback = -1, .min = -FV_MAX_RANK,
     .max = FV_MAX_RANK - 1, .help = "the axis that is normalised"},
    FVI_ATTR_END,
};

/* ---- shapes ----------------------------------------------------------------------------------------------------- */

static fvi_type without_axis(const fvi_type *x, int axis)
{
    fvi_type t = {.dtype = fvi_sum_dtype(x->dtype)};
    for (int i = 0; i < x->rank; i++)
        if (i != axis) t.dim[t.rank++] = x->dim[i];
    return t;
}

/* x is floating with a constant axis; inputs first .. last are (A). */
static fv_status check(fvi_infer *c, int x, int first, int last, int *axis)
{
    const fvi_layer_norm_attr *a = c->attr;
    const fvi_type *t = &c->in[x];
    char text[2][FVI_TYPE_TEXT];
    FVI_TRY(c->ctx, fvi_axis_check(c, a->axis, t));
    *axis = fvi_axis(a->axis, t->rank);
    if (!fv_dtype_is_float(t->dtype) || t->dim[*axis] < 1)
        return fvi_infer_fail(c, "the input must be floating with a constant length along axis %d, not %s", *axis, fvi_type_text(t, text[0]));
    for (int i = first; i <= last; i++)
        if (!fv_dtype_is_float(c->in[i].dtype) || c->in[i].rank != 1 || c->in[i].dim[0] != t->dim[*axis])
            return fvi_infer_fail(c, "input %d must be a floating (%lld,) for axis %d of %s, not %s", i, (long long)t->dim[*axis], *axis,
                                  fvi_type_text(t, text[0]), fvi_type_text(&c->in[i], text[1]));
    return FV_OK;
}

static fv_status infer(fvi_infer *c)
{
    int axis;
    FVI_TRY(c->ctx, check(c, 0, 1, 2, &axis));
    c->out[0] = c->in[0];
    c->out[1] = c->out[2] = without_axis(&c->in[0], axis);
    return FV_OK;
}

static fv_status infer_backward(fvi_infer *c)
{
    const fvi_type *x = &c->in[1];
    char text[2][FVI_TYPE_TEXT];
    int axis;
    FVI_TRY(c->ctx, check(c, 1, 4, 4, &axis));
    if (!fvi_type_same_shape(&c->in[0], x))
        return fvi_infer_fail(c, "the gradient %s and the input %s differ in shape", fvi_type_text(&c->in[0], text[0]), fvi_type_text(x, text[1]));
    const fvi_type saved = without_axis(x, axis);
    for (int i = 2; i < 4; i++)
        if (!fvi_type_same_shape(&c->in[i], &saved))
            return fvi_infer_fail(c, "mean and rstd of %s must be %s, not %s", fvi_type_text(x, text[0]),
                                  fvi_type_text(&saved, (char[FVI_TYPE_TEXT]){0}), fvi_type_text(&c->in[i], text[1]));
    c->out[0] = *x;
    for (int k = 1; k < 3; k++) c->out[k] = fvi_type_make(saved.dtype, 1, &x->dim[axis]);
    return FV_OK;
}

/* ---- references ------------------------------------------------------------------------------------------------- */

typedef struct view { int64_t outer, n, inner; } view;
static view view_of(const fvi_ref *r, const fvi_type *x)
{
    const fvi_layer_norm_attr *a = r->attr;
    const int axis = fvi_axis(a->axis, x->rank);
    return (view){fvi_outer(x, axis), x->dim[axis], fvi_inner(x, axis)};
}

static void reference(const fvi_ref *r)
{
    const fvi_layer_norm_attr *a = r->attr;
    const view v = view_of(r, &r->in[0].type);
    const double *scale = r->in[1].f, *shift = r->in[2].f;
#pragma omp parallel for if (FVI_WORTH_THREADS(8 * v.outer * v.n * v.inner))
    for (int64_t row = 0; row < v.outer * v.inner; row++) {
        const int64_t first = row / v.inner * v.n * v.inner + row % v.inner;
        const double *x = r->in[0].f + first;
        double *y = r->out[0].f + first, sum = 0, squares = 0;
        for (int64_t k = 0; k < v.n; k++) sum += x[k * v.inner];
        const double mean = sum / (double)v.n;
        for (int64_t k = 0; k < v.n; k++) squares += (x[k * v.inner] - mean) * (x[k * v.inner] - mean);
        const double rstd = 1 / sqrt(squares / (double)v.n + a->eps);
        for (int64_t k = 0; k < v.n; k++) y[k * v.inner] = (x[k * v.inner] - mean) * rstd * scale[k] + shift[k];
        r->out[1].f[row] = mean;
        r->out[2].f[row] = rstd;
    }
}

static void reference_backward(const fvi_ref *r)
{
    const view v = view_of(r, &r->in[1].type);
    const double *mean = r->in[2].f, *rstd = r->in[3].f, *scale = r->in[4].f;
    /* Parameters before dx, which may take dy's place. */
#pragma omp parallel for if (FVI_WORTH_THREADS(8 * v.outer * v.n * v.inner))
    for (int64_t k = 0; k < v.n; k++) {
        double dscale = 0, dshift = 0;
        for (int64_t o = 0; o < v.outer; o++)
            for (int64_t i = 0; i < v.inner; i++) {
                const int64_t at = (o * v.n + k) * v.inner + i, row = o * v.inner + i;
                dscale += r->in[0].f[at] * (r->in[1].f[at] - mean[row]) * rstd[row];
                dshift += r->in[0].f[at];
            }
        r->out[1].f[k] = dscale;
        r->out[2].f[k] = dshift;
    }
#pragma omp parallel for if (FVI_WORTH_THREADS(8 * v.outer * v.n * v.inner))
    for (int64_t row = 0; row < v.outer * v.inner; row++) {
        const int64_t first = row / v.inner * v.n * v.inner + row % v.inner;
        const double *dy = r->in[0].f + first, *x = r->in[1].f + first;
        double *dx = r->out[0].f + first, sum = 0, dot = 0;
        for (int64_t k = 0; k < v.n; k++) {
            const double g = dy[k * v.inner] * scale[k];
            sum += g;
            dot += g * (x[k * v.inner] - mean[row]) * rstd[row];
        }
        sum /= (double)v.n;
        dot /= (double)v.n;
        for (int64_t k = 0; k < v.n; k++)
            dx[k * v.inner] = rstd[row] * (dy[k * v.inner] * scale[k] - sum - (x[k * v.inner] - mean[row]) * rstd[row] * dot);
    }
}

/* ---- gradient --------------------------------------------------------------------------------------------------- */

/* mean: dmean / A. rstd: drstd * d rstd / dx = -drstd rstd^3 (x - mean) / A. NULL when neither has a gradient. */
static fv_value *saved_gradient(fvi_gradient *c)
{
    const fvi_layer_norm_attr *a = c->node->attr;
    fv_graph *g = c->g;
    fv_value *x = c->in[0], *dmean = c->dout[1], *drstd = c->dout[2], *dx = NULL;
    const int axis = fvi_axis(a->axis, x->type.rank);
    fvi_type keep = x->type;
    const double share = 1 / (double)keep.dim[axis];
    keep.dim[axis] = 1;
    if (drstd) {
        fv_value *mean = fv_reshape(g, c->out[1], keep.rank, keep.dim), *cube = fv_pow(g, c->out[2], 3);
        fv_value *slope = fv_reshape(g, fv_scale(g, fv_mul(g, drstd, cube), -share), keep.rank, keep.dim);
        dx = fv_mul(g, fv_sub(g, x, mean), slope);
    }
    if (dmean) {
        fv_value *level = fv_reshape(g, fv_scale(g, dmean, share), keep.rank, keep.dim);
        dx = dx ? fv_add(g, dx, level) : fv_broadcast_to(g, level, x->type.rank, x->type.dim);
    }
    return dx;
}

static fv_status gradient(fvi_gradient *c)
{
    fv_value *const *in = c->in, *dx = NULL;
    if (c->dout[0]) {
        dx = fvi_emit(c->g, "layer_norm_backward", c->node->attr, 5, c->dout[0], in[0], c->out[1], c->out[2], in[1]);
        c->din[1] = fv_output_of(dx, 1);
        c->din[2] = fv_output_of(dx, 2);
    }
    if (c->need[0]) {
        fv_value *more = saved_gradient(c);
        c->din[0] = dx && more ? fv_add(c->g, dx, more) : more ? more : dx;
    }
    return fv_graph_status(c->g);
}

/* ---- records ---------------------------------------------------------------------------------------------------- */

static const fvi_layer_norm_attr last = {1e-6, -1}, channel = {1e-5, 1}, middle = {0.1, 2};
#define N FVI_DRAW_NORMAL
#define P FVI_DRAW_POSITIVE
static const fvi_sample samples[] = {
    {"rows", &last, 3, {FVI_S(N, FV_N, 7), FVI_S(P, 7), FVI_S(N, 7)}},
    {"tokens", &last, 3, {FVI_S(N, FV_N, 3, 5), FVI_S(N, 5), FVI_S(N, 5)}},
    {"channel", &channel, 3, {FVI_S(N, FV_N, 6, 3, 2), FVI_S(P, 6), FVI_S(N, 6)}},
    {"middle", &middle, 3, {FVI_S(N, FV_N, 2, 4, 3), FVI_S(P, 4), FVI_S(N, 4)}},
};
static const fvi_sample backward_samples[] = {
    {"rows", &last, 5, {FVI_S(N, FV_N, 7), FVI_S(N, FV_N, 7), FVI_S(N, FV_N), FVI_S(P, FV_N), FVI_S(P, 7)}},
    {"tokens", &last, 5, {FVI_S(N, FV_N, 3, 5), FVI_S(N, FV_N, 3, 5), FVI_S(N, FV_N, 3), FVI_S(P, FV_N, 3), FVI_S(N, 5)}},
    {"channel", &channel, 5, {FVI_S(N, FV_N, 6, 3, 2), FVI_S(N, FV_N, 6, 3, 2), FVI_S(N, FV_N, 3, 2), FVI_S(P, FV_N, 3, 2), FVI_S(P, 6)}},
};

/* LayerNormalization exists from opset 17 on and knows the last axes only; else it is spelled out. */
static void onnx(fvi_onnx *o)
{
    const fvi_layer_norm_attr *a = o->attr;
    const fvi_type *x = &o->node->in[0]->type;
    const int64_t axis = fvi_axis(a->axis, x->rank);
    const char *scale = o->in[1], *shift = o->in[2];
    if (o->opset >= 17 && axis == x->rank - 1 && !o->out[1] && !o->out[2]) {
        o->add(o, &(fvi_onnx_op){.type = "LayerNormalization", .in = {o->in[0], scale, shift}, .out = {o->out[0]},
                                 .attrs = {FVI_ONNX_INT("axis", -1), FVI_ONNX_FLOAT("epsilon", a->eps)}});
        return;
    }
    const char *mean = fvi_onnx_axes(o, "ReduceMean", o->in[0], 1, &axis, 18, 1, NULL);
    const char *centred = fvi_onnx_2(o, "Sub", o->in[0], mean);
    const char *var = fvi_onnx_axes(o, "ReduceMean", fvi_onnx_2(o, "Mul", centred, centred), 1, &axis, 18, 1, NULL);
    const char *std = fvi_onnx_1(o, "Sqrt", fvi_onnx_2(o, "Add", var, o->number(o, a->eps)));
    if (axis != x->rank - 1) {                           /* (C) to (C, 1, 1) */
        const fvi_type *plain = &o->node->in[1]->type;
        fvi_type column = {.dtype = plain->dtype, .rank = x->rank - (int)axis, .dim = {plain->dim[0], 1, 1, 1, 1, 1}};
        scale = fvi_onnx_reshape(o, scale, plain, &column, NULL);
        shift = fvi_onnx_reshape(o, shift, plain, &column, NULL);
    }
    fvi_onnx_end_2(o, "Add", fvi_onnx_2(o, "Mul", fvi_onnx_2(o, "Div", centred, std), scale), shift);
    if (o->out[1]) fvi_onnx_axes(o, "Squeeze", mean, 1, &axis, 13, -1, o->out[1]);
    if (o->out[2]) fvi_onnx_axes(o, "Squeeze", fvi_onnx_1(o, "Reciprocal", std), 1, &axis, 13, -1, o->out[2]);
}

static const fvi_op op_layer_norm = {
    .name = "layer_norm", .version = 1, .kind = FVI_PRIMITIVE,
    .doc = "y = (x - mean) rstd scale + shift over one axis; also mean and rstd = 1 / sqrt(var + eps)",
    .n_in_min = 3, .n_in_max = 3, .n_out = 3, .attr_size = sizeof(fvi_layer_norm_attr), .attrs = attrs,
    .infer = infer, .grad = gradient, .again = fvi_again, .ref = reference, .samples = samples, .n_samples = FVI_COUNT(samples),
    .inplace = {1}, .precision = FVI_PRECISION_ANY,
    .onnx_emit = onnx,
};
static const fvi_op op_layer_norm_backward = {
    .name = "layer_norm_backward", .version = 1, .kind = FVI_PRIMITIVE,
    .doc = "dx = rstd (g - mean(g) - xhat mean(g xhat)) with g = dy scale; dscale = sum(dy xhat), dshift = sum(dy)",
    .n_in_min = 5, .n_in_max = 5, .n_out = 3, .attr_size = sizeof(fvi_layer_norm_attr), .attrs = attrs,
    .infer = infer_backward, .no_grad = FVI_NO_SECOND, .ref = reference_backward,
    .samples = backward_samples, .n_samples = FVI_COUNT(backward_samples),
    .inplace = {1}, .precision = FVI_PRECISION_ANY,
};
FVI_OPS(layer_norm, &op_layer_norm, &op_layer_norm_backward);
