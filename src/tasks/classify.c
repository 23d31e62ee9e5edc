/* SPDX-License-Identifier: Apache-2.0 */
/* Classification: graphs of the step, and counting of predictions. */
#include "tasks/classify.h"
#include "base/base.h"

#include <math.h>

typedef struct part { fvi_classify *task; bool first; } part;

struct fvi_classify {
    fv_session *session;
    fv_context *ctx;
    fvi_classify_options o;
    double *weights;                     /* own copy of the class weights */
    part parts[2];                       /* 0: adds to the gradients, 1: first micro-batch of a step */
    fv_function *gradient[2], *update, *eval;
    float *scores;                       /* (capacity, classes) host results of evaluation */
    int64_t capacity;
};

static fv_value *logits_of(fv_graph *g, const fvi_classify *c, fv_value *images)
{
    fv_value *y = fv_model_build(g, c->o.model, images);
    if (y && (fv_value_rank(y) != 2 || fv_value_dim(y, 0) != FV_N || fv_value_dim(y, 1) != c->o.classes))
        return fv_graph_fail(g, FV_ERROR_SHAPE, "model %s gives an output of rank %d with %lld columns; %lld classes want (N, %lld)",
                             fv_model_name(c->o.model), fv_value_rank(y), (long long)fv_value_dim(y, -1), (long long)c->o.classes,
                             (long long)c->o.classes);
    return y;
}

static fv_value *loss_of(fv_graph *g, const fvi_classify *c, fv_value *logits, fv_value *labels, fv_value **weight)
{
    if (c->o.own_loss) return c->o.own_loss(g, logits, labels, weight, c->o.own_loss_user);
    return fvi_classification_loss_build(g, &c->o.loss, logits, labels, weight);
}

static fv_status build_gradient(fv_graph *g, fv_value *const *in, int n_in, void *user)
{
    const part *p = user;
    const fvi_classify_options *o = &p->task->o;
    (void)n_in;
    if (o->own_gradient) return o->own_gradient(g, o->model, in[0], in[1], p->first, o->own_step_user);
    fv_value *weight = NULL, *loss = loss_of(g, p->task, logits_of(g, p->task, in[0]), in[1], &weight);
    FVI_TRY(p->task->ctx, fv_graph_status(g));
    FVI_TRY(p->task->ctx, fv_accumulate_gradients(g, NULL, loss, weight, p->first));
    fv_result(g, "loss", loss);
    fv_result(g, "weight", weight);
    return fv_graph_status(g);
}

static fv_status build_update(fv_graph *g, fv_value *const *in, int n_in, void *user)
{
    const fvi_classify *c = user;
    (void)in;
    (void)n_in;
    if (c->o.own_update) return c->o.own_update(g, c->session, &c->o.optimizer, c->o.own_step_user);
    return fv_optimizer_update(g, c->session, &c->o.optimizer);
}

/* The plain loss: smoothing and weights belong to training only. */
static fv_status build_eval(fv_graph *g, fv_value *const *in, int n_in, void *user)
{
    const fvi_classify *c = user;
    (void)n_in;
    fv_value *weight = NULL, *logits = logits_of(g, c, in[0]);
    fv_value *loss = fv_cross_entropy(g, logits, in[1], NULL, &weight);
    fv_result(g, "loss", loss);
    fv_result(g, "weight", weight);
    fv_result(g, "scores", fv_cast(g, logits, FV_F32));
    return fv_graph_status(g);
}

static fv_status create_functions(fvi_classify *c)
{
    fv_session *s = c->session;
    fv_input_spec in[2] = {{"images", FV_F32, 4, {FV_N, 3, c->o.size, c->o.size}}, {"labels", FV_I64, 1, {FV_N}}};
    fv_function_options train = {.training = true}, eval = {.training = false};
    for (int first = 0; first < 2; first++) {
        c->parts[first] = (part){c, first == 1};
        FVI_TRY(c->ctx, fv_function_create(s, "forward_backward", in, 2, build_gradient, &c->parts[first], &train, &c->gradient[first]));
    }
    FVI_TRY(c->ctx, fv_function_create(s, "update", NULL, 0, build_update, c, &train, &c->update));
    FVI_TRY(c->ctx, fv_function_create(s, "eval", in, 2, build_eval, c, &eval, &c->eval));
    return FV_OK;
}

fv_status fvi_classify_create(fv_session *s, const fvi_classify_options *o, fvi_classify **out)
{
    fv_context *ctx = fv_session_context(s);
    fv_status status = FV_OK;
    *out = NULL;
    fvi_classify *c = fvi_calloc(1, sizeof *c);
    if (!c) return fvi_nomem(ctx);
    c->session = s;
    c->ctx = ctx;
    c->o = *o;
    if (o->loss.n_weights) {
        if (o->loss.n_weights != o->classes) {
            status = fvi_fail(ctx, FV_ERROR_CONFIG, "loss.class_weights has %d numbers, there are %lld classes", o->loss.n_weights, (long long)o->classes);
            goto done;
        }
        if (!(c->weights = fvi_calloc((size_t)o->classes, sizeof(double)))) {
            status = fvi_nomem(ctx);
            goto done;
        }
        memcpy(c->weights, o->loss.weights, (size_t)o->classes * sizeof(double));
        c->o.loss.weights = c->weights;
    }
    FVI_TRY_DONE(ctx, status, create_functions(c));
    *out = c;
    c = NULL;
done:
    fvi_classify_destroy(c);
    return status;
}

void fvi_classify_destroy(fvi_classify *c)
{
    if (!c) return;
    for (int i = 0; i < 2; i++)
        if (c->gradient[i]) fv_function_destroy(c->gradient[i]);
    if (c->update) fv_function_destroy(c->update);
    if (c->eval) fv_function_destroy(c->eval);
    fvi_free(c->weights);
    fvi_free(c->scores);
    fvi_free(c);
}

static void batch_tensors(const fvi_classify *c, const fvi_batch *b, fv_tensor in[2])
{
    in[0] = (fv_tensor){FV_F32, 4, {b->n, 3, c->o.size, c->o.size}, b->images};
    in[1] = (fv_tensor){FV_I64, 1, {b->n}, b->labels};
}

fv_status fvi_classify_prepare(fvi_classify *c, int64_t batch_size, unsigned uses, int64_t *bytes)
{
    fv_tensor in[2];
    const bool train = uses & FVI_CLASSIFY_TRAIN;
    batch_tensors(c, &(fvi_batch){.n = batch_size}, in);
    /* Training first: it decides where variables live. The bytes are the session's, after the last one. */
    if (train) {
        FVI_TRY(c->ctx, fv_function_compile(c->gradient[1], in, 2, bytes));
        if (uses & FVI_CLASSIFY_ACCUMULATE) FVI_TRY(c->ctx, fv_function_compile(c->gradient[0], in, 2, bytes));
        FVI_TRY(c->ctx, fv_function_compile(c->update, NULL, 0, bytes));
    }
    if (uses & FVI_CLASSIFY_EVALUATE) FVI_TRY(c->ctx, fv_function_compile(c->eval, in, 2, bytes));
    return train ? fvi_classification_loss_set(c->session, &c->o.loss) : FV_OK;
}

fv_status fvi_classify_gradient(fvi_classify *c, const fvi_batch *b, bool first, double *loss_sum, double *weight)
{
    fv_tensor in[2];
    float loss = 0, total = 0;
    batch_tensors(c, b, in);
    fv_tensor out[2] = {{.dtype = FV_F32, .data = &loss}, {.dtype = FV_F32, .data = &total}};
    FVI_TRY(c->ctx, fv_function_call(c->gradient[first], in, 2, out, 2));
    *loss_sum = (double)loss;
    *weight = (double)total;
    return FV_OK;
}

fv_status fvi_classify_update(fvi_classify *c, double *norm, bool *skipped)
{
    float value = 0, skip = 0;
    fv_tensor out[2] = {{.dtype = FV_F32, .data = &value}, {.dtype = FV_F32, .data = &skip}};
    FVI_TRY(c->ctx, fv_function_call(c->update, NULL, 0, out, 2));
    *norm = (double)value;
    *skipped = skip != 0;
    return FV_OK;
}

static fv_status reserve(fvi_classify *c, int64_t n)
{
    if (n <= c->capacity) return FV_OK;
    float *scores = fvi_realloc(c->scores, (size_t)(n * c->o.classes) * sizeof *scores);
    if (!scores) return fvi_nomem(c->ctx);
    c->scores = scores;
    c->capacity = n;
    return FV_OK;
}

fv_status fvi_classify_evaluate(fvi_classify *c, const fvi_batch *b, fvi_confusion *counts, fvi_mistakes *mistakes)
{
    float loss = 0, weight = 0;
    fv_tensor in[2];
    FVI_TRY(c->ctx, reserve(c, b->n));
    batch_tensors(c, b, in);
    fv_tensor out[3] = {{.dtype = FV_F32, .data = &loss}, {.dtype = FV_F32, .data = &weight}, {FV_F32, 2, {b->n, c->o.classes}, c->scores}};
    FVI_TRY(c->ctx, fv_function_call(c->eval, in, 2, out, 3));
    for (int64_t i = 0; i < b->n; i++) {
        const float *scores = c->scores + i * c->o.classes;
        int64_t predicted = fvi_confusion_add_scores(counts, b->labels[i], scores);
        FVI_ASSERT(c->ctx, predicted >= 0);
        if (mistakes) fvi_mistakes_add(mistakes, b->ids[i], b->labels[i], predicted, scores, c->o.classes);
    }
    counts->loss_sum += (double)loss;
    counts->loss_weight += (double)weight;
    return FV_OK;
}

const float *fvi_classify_scores(const fvi_classify *c)
{
    return c->scores;
}

const char *fvi_classify_nonfinite(fvi_classify *c, const fvi_batch *b, bool first)
{
    fv_tensor in[2];
    batch_tensors(c, b, in);
    return fv_function_find_nonfinite(c->gradient[first], in, 2);
}
