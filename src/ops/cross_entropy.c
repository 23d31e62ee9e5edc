/* SPDX-License-Identifier: Apache-2.0 */
/* Cross-entropy of logits (N,C) with class indices or probabilities, as torch.nn.functional.cross_entropy, but as the
 * two sums whose quotient is PyTorch's mean, so that micro-batches can be added up. With label smoothing e (Szegedy et
 * al., arXiv:1512.00567, section 7) and class weights w every kept sample has coefficients
 *     q_c = w_c ((1 - e) t_c + e / C),  t = one-hot target or the given probabilities,
 *     loss = - sum of q_c log p_c,  weight = w_target for indices, 1 for probabilities;
 *     dlogits_c = dloss (p_c sum of q - q_c).
 * Indices equal to ignore_index drop out. Any other index that is no class makes the loss NaN: a kernel cannot stop, and
 * a loss that is not finite never changes parameters. A class whose q is 0 adds 0 even where its logit is -inf. */
#include "ops/cross_entropy.h"

#include "ops/activation.h"
#include "ops/one_hot.h"
#include "ops/parallel.h"
#include "ops/reduce.h"

static const fvi_attr_def attrs[] = {
    {.name = "label_smoothing", .kind = FVI_ATTR_FLOAT, .offset = offsetof(fvi_cross_entropy_attr, label_smoothing), .min = 0, .max = 1,
     .help = "share of the target that is spread over all classes"},
    {.name = "ignore_index", .kind = FVI_ATTR_INT, .offset = offsetof(fvi_cross_entropy_attr, ignore_index), .fallback = -100,
     .help = "target of samples that do not count"},
    FVI_ATTR_END,
};

/* ---- shapes ----------------------------------------------------------------------------------------------------- */

/* Inputs from `first` on: logits, target, class weights. */
static fv_status check(fvi_infer *c, int first)
{
    const fvi_type *x = &c->in[first], *t = &c->in[first + 1];
    char text[2][FVI_TYPE_TEXT];
    if (!fv_dtype_is_float(x->dtype) || x->rank != 2 || x->dim[1] < 1)
        return fvi_infer_fail(c, "logits must be a floating (N, C) with constant C, not %s", fvi_type_text(x, text[0]));
    const bool index = t->dtype == FV_I64 && t->rank == 1 && t->dim[0] == x->dim[0];
    if (!index && !(fv_dtype_is_float(t->dtype) && fvi_type_same_shape(t, x)))
        return fvi_infer_fail(c, "targets of logits %s are i64 (N,) or floating probabilities (N, C), not %s", fvi_type_text(x, text[0]),
                              fvi_type_text(t, text[1]));
    if (c->n_in > first + 2) {
        const fvi_type *w = &c->in[first + 2];
        if (!fv_dtype_is_float(w->dtype) || w->rank != 1 || w->dim[0] != x->dim[1])
            return fvi_infer_fail(c, "class weights of logits %s must be (%lld,), not %s", fvi_type_text(x, text[0]), (long long)x->dim[1],
                                  fvi_type_text(w, text[1]));
    }
    return FV_OK;
}

static fv_status infer(fvi_infer *c)
{
    FVI_TRY(c->ctx, check(c, 0));
    c->out[0] = c->out[1] = fvi_type_make(fvi_sum_dtype(c->in[0].dtype), 0, NULL);
    return FV_OK;
}

static fv_status infer_backward(fvi_infer *c)
{
    char text[FVI_TYPE_TEXT];
    FVI_TRY(c->ctx, check(c, 1));
    if (!fv_dtype_is_float(c->in[0].dtype) || c->in[0].rank != 0)
        return fvi_infer_fail(c, "the gradient of the loss must be a scalar, not %s", fvi_type_text(&c->in[0], text));
    c->out[0] = c->in[1];
    return FV_OK;
}

/* ---- references ------------------------------------------------------------------------------------------------- */

typedef struct row {
    const fvi_cross_entropy_attr *a;
    const double *x, *soft, *weights;  /* of this sample; soft or index */
    int64_t classes, index;
    bool ignored, wrong;
} row;

/* Sample i of inputs in[0 .. n-1] = logits, target, (class weights). */
static row row_of(const fvi_cross_entropy_attr *a, const fvi_ref_tensor *in, int n, int64_t i)
{
    row r = {.a = a, .classes = in[0].type.dim[1], .weights = n > 2 ? in[2].f : NULL};
    r.x = in[0].f + i * r.classes;
    if (in[1].type.rank == 2) {
        r.soft = in[1].f + i * r.classes;
        return r;
    }
    r.index = in[1].i[i];
    r.ignored = r.index == a->ignore_index;
    r.wrong = !r.ignored && (r.index < 0 || r.index >= r.classes);
    return r;
}

static double coefficient(const row *r, int64_t k)
{
    const double t = r->soft ? r->soft[k] : k == r->index, e = r->a->label_smoothing;
    return (r->weights ? r->weights[k] : 1) * ((1 - e) * t + e / (double)r->classes);
}

/* max and log of the sum of exp(x - max): log p_k = (x_k - *top) - result. */
static double log_sum(const row *r, double *top)
{
    double sum = 0;
    *top = -INFINITY;
    for (int64_t k = 0; k < r->classes; k++) *top = fmax(*top, r->x[k]);
    for (int64_t k = 0; k < r->classes; k++) sum += exp(r->x[k] - *top);
    return log(sum);
}

static void reference(const fvi_ref *r)
{
    double loss = 0, weight = 0;
    for (int64_t i = 0; i < r->in[0].type.dim[0]; i++) {
        const row s = row_of(r->attr, r->in, r->n_in, i);
        if (s.ignored) continue;
        if (s.wrong) {
            loss = weight = NAN;
            continue;
        }
        double top;
        const double shift = log_sum(&s, &top);
        for (int64_t k = 0; k < s.classes; k++) {
            const double q = coefficient(&s, k);
            if (q != 0) loss -= q * (s.x[k] - top - shift);
        }
        weight += s.soft || !s.weights ? 1 : s.weights[s.index];
    }
    r->out[0].f[0] = loss;
    r->out[1].f[0] = weight;
}

static void reference_backward(const fvi_ref *r)
{
    const double dloss = r->in[0].f[0];
#pragma omp parallel for if (FVI_WORTH_THREADS(16 * fvi_type_numel(&r->in[1].type)))
    for (int64_t i = 0; i < r->in[1].type.dim[0]; i++) {
        const row s = row_of(r->attr, r->in + 1, r->n_in - 1, i);
        double *dx = r->out[0].f + i * s.classes, top, total = 0;
        const double shift = log_sum(&s, &top);
        for (int64_t k = 0; k < s.classes; k++) total += coefficient(&s, k);
        for (int64_t k = 0; k < s.classes; k++) {
            if (s.ignored) dx[k] = 0;
            else if (s.wrong) dx[k] = NAN;
            else dx[k] = dloss * (exp(s.x[k] - top - shift) * total - coefficient(&s, k));
        }
    }
}

/* ---- graph ------------------------------------------------------------------------------------------------------ */

/* The coefficients and the sum of weights for class indices. Ignored samples are sent to class 0 with factor 0. */
static fv_value *index_coefficients(fv_graph *g, const fvi_cross_entropy_attr *a, fv_value *logits, fv_value *target, fv_value **weight,
                                    fv_value *class_weight)
{
    const fv_dtype dtype = fv_value_dtype(logits);
    const int64_t classes = fv_value_dim(logits, 1), column[2] = {fv_value_dim(logits, 0), 1};
    fv_value *label = fv_cast(g, target, dtype);
    fv_value *ignored = fvi_emit(g, "equal", NULL, 2, label, fvi_number_like(g, (double)a->ignore_index, logits));
    fv_value *keep = fv_offset(g, fv_neg(g, ignored), 1);
    const fvi_one_hot_attr to = {classes, dtype};
    fv_value *hot = fvi_emit(g, "one_hot", &to, 1, fv_cast(g, fv_mul(g, label, keep), FV_I64));
    hot = fv_div(g, hot, fv_sum(g, hot, 1u << 1, true));     /* 0/0 where the index is no class */
    keep = fv_reshape(g, keep, 2, column);
    hot = fv_mul(g, hot, keep);
    fv_value *kept = class_weight ? fv_mul(g, hot, class_weight) : hot;
    *weight = fv_sum(g, kept, 0, false);
    return fv_add(g, fv_scale(g, hot, 1 - a->label_smoothing), fv_scale(g, keep, a->label_smoothing / (double)classes));
}

static fv_status expand(fvi_expansion *c)
{
    const fvi_cross_entropy_attr *a = c->node->attr;
    fv_graph *g = c->g;
    fv_value *logits = c->in[0], *target = c->in[1], *class_weight = c->node->n_in > 2 ? c->in[2] : NULL, *q, *weight;
    if (fv_value_rank(target) == 1) {
        q = index_coefficients(g, a, logits, target, &weight, class_weight);
    } else {
        const int64_t batch = fv_value_dim(logits, 0);
        weight = fv_sum(g, fv_broadcast_to(g, fvi_number_like(g, 1, logits), 1, &batch), 0, false);
        q = fv_offset(g, fv_scale(g, target, 1 - a->label_smoothing), a->label_smoothing / (double)fv_value_dim(logits, 1));
    }
    if (class_weight) q = fv_mul(g, q, class_weight);
    fv_value *zero = fvi_number_like(g, 0, logits), *terms = fv_mul(g, q, fv_log_softmax(g, logits, 1));
    terms = fvi_emit(g, "select", NULL, 3, fvi_emit(g, "equal", NULL, 2, q, zero), zero, terms);       /* 0 times -inf is 0 */
    c->out[0] = fv_neg(g, fv_sum(g, terms, 0, false));
    c->out[1] = weight;
    return fv_graph_status(g);
}

static fv_status gradient(fvi_gradient *c)
{
    const fvi_cross_entropy_attr *a = c->node->attr;
    const int n_in = c->node->n_in;
    fv_graph *g = c->g;
    fv_value *dloss = c->dout[0];
    if (n_in > 2 && c->need[2]) {
        fv_graph_fail(g, FV_ERROR_UNSUPPORTED, "cross_entropy: class weights take no gradient (fv_stop_gradient them)");
        return fv_graph_status(g);
    }
    if (!dloss) return FV_OK;                                /* the sum of weights depends on no float input that counts */
    fv_value *in[4] = {dloss, c->in[0], c->in[1], n_in > 2 ? c->in[2] : NULL};
    if (c->need[0]) c->din[0] = fvi_emit_v(g, "cross_entropy_backward", a, n_in + 1, in);
    if (c->need[1] && fv_value_rank(c->in[1]) == 2) {
        fv_value *d = fv_scale(g, fv_log_softmax(g, c->in[0], 1), a->label_smoothing - 1);
        if (n_in > 2) d = fv_mul(g, d, c->in[2]);
        c->din[1] = fv_mul(g, d, dloss);
    }
    return fv_graph_status(g);
}

/* ---- records ---------------------------------------------------------------------------------------------------- */

static const fvi_cross_entropy_attr plain = {0, -100}, smooth = {0.1, -100}, ignoring = {0.2, 1};
#define N FVI_DRAW_NORMAL
#define P FVI_DRAW_PROBABILITY
static const fvi_sample samples[] = {
    {"plain", &plain, 2, {FVI_S(N, FV_N, 5), FVI_S_INDEX(5, FV_N)}},
    {"smooth", &smooth, 2, {FVI_S(N, FV_N, 17), FVI_S_INDEX(17, FV_N)}},
    {"ignoring", &ignoring, 2, {FVI_S(N, 4 * FV_N, 3), FVI_S_INDEX(3, 4 * FV_N)}},
    {"weighted", &ignoring, 3, {FVI_S(N, 4 * FV_N, 3), FVI_S_INDEX(3, 4 * FV_N), FVI_S_FIXED(FVI_DRAW_POSITIVE, 3)}},
    {"soft", &plain, 2, {FVI_S(N, FV_N, 4), FVI_S(P, FV_N, 4)}},
    {"soft_weighted", &smooth, 3, {FVI_S(N, FV_N, 4), FVI_S(P, FV_N, 4), FVI_S_FIXED(FVI_DRAW_POSITIVE, 4)}},
};
static const fvi_sample backward_samples[] = {
    {"plain", &plain, 3, {FVI_S0(N), FVI_S(N, FV_N, 5), FVI_S_INDEX(5, FV_N)}},
    {"weighted", &ignoring, 4, {FVI_S0(N), FVI_S(N, 4 * FV_N, 3), FVI_S_INDEX(3, 4 * FV_N), FVI_S(FVI_DRAW_POSITIVE, 3)}},
    {"soft_weighted", &smooth, 4, {FVI_S0(N), FVI_S(N, FV_N, 17), FVI_S(P, FV_N, 17), FVI_S(FVI_DRAW_POSITIVE, 17)}},
};

static const fvi_op op_cross_entropy = {
    .name = "cross_entropy", .version = 1, .kind = FVI_COMPOSITE,
    .doc = "loss = - sum of q log softmax(logits), q the weighted, smoothed target; weight = sum of the kept samples' weights",
    .n_in_min = 2, .n_in_max = 3, .n_out = 2, .attr_size = sizeof(fvi_cross_entropy_attr), .attrs = attrs,
    .infer = infer, .grad = gradient, .expand = expand, .ref = reference, .samples = samples, .n_samples = FVI_COUNT(samples),
    .precision = FVI_PRECISION_F32,
};
static const fvi_op op_cross_entropy_backward = {
    .name = "cross_entropy_backward", .version = 1, .kind = FVI_PRIMITIVE, .doc = "dlogits = dloss (softmax(logits) sum of q - q)",
    .n_in_min = 3, .n_in_max = 4, .n_out = 1, .attr_size = sizeof(fvi_cross_entropy_attr), .attrs = attrs,
    .infer = infer_backward, .no_grad = FVI_NO_SECOND, .ref = reference_backward,
    .samples = backward_samples, .n_samples = FVI_COUNT(backward_samples),
    .precision = FVI_PRECISION_F32,
};
FVI_OPS(cross_entropy, &op_cross_entropy, &op_cross_entropy_backward);

fv_value *fv_cross_entropy(fv_graph *g, fv_value *logits, fv_value *target, const fv_cross_entropy_options *o, fv_value **weight)
{
    fvi_cross_entropy_attr a = {0};
    fvi_attr_defaults(attrs, &a);
    fv_value *class_weight = o ? o->class_weight : NULL;
    if (o) a.label_smoothing = o->label_smoothing;
    if (o && o->ignore_index) a.ignore_index = o->ignore_index;
    fv_value *loss = fvi_emit(g, "cross_entropy", &a, class_weight ? 3 : 2, logits, target, class_weight);
    if (weight) *weight = fv_output_of(loss, 1);
    return loss;
}
