/* SPDX-License-Identifier: Apache-2.0 */
/* Classification: a picture, one of `classes`. Softmax cross-entropy; metrics from summed counts; the worst mistakes are kept. */
#include "base/attr.h"
#include "fovea/classify.h"
#include "fovea/nn.h"
#include "tasks/classify.h"
#include "tasks/softmax.h"

#include <math.h>
#include <stdio.h>

/* ---- configuration ------------------------------------------------------------------------------------------------------ */

static const char *const losses[] = {"cross_entropy", NULL};

static const fv_key keys[] = {
    {.name = "loss.name", .kind = FV_KEY_ENUM, .offset = offsetof(fvi_classify_settings, loss), .names = losses, .help = "the loss", .heading = "Loss"},
    {.name = "loss.label_smoothing", .kind = FV_KEY_FLOAT, .offset = offsetof(fvi_classify_settings, label_smoothing), .min = 0, .max = 1,
     .aliases = "label_smoothing smoothing", .help = "share given to all classes alike", .example = "0.1"},
    {.name = "loss.class_weights", .kind = FV_KEY_TEXT, .offset = offsetof(fvi_classify_settings, class_weights), .help = "a number for each class",
     .example = "1,2.5", .flags = FV_KEY_LIST},
    FV_KEY_END};

static fv_status parse_weights(fv_task *t, const char *text)
{
    fvi_classify *c = t->state;
    int n = 1;
    double sum = 0;
    for (const char *p = text; *p; p++) n += *p == ',';
    if (!(c->weights = fvi_calloc((size_t)n, sizeof *c->weights))) return fvi_nomem(t->ctx);
    for (const char *p = text, *end; c->loss.n_weights < n; p = end + 1) {
        double w = fvi_parse_double(p, &end);
        if (end == p || !(w >= 0) || !isfinite(w) || (*end && *end != ','))
            return fvi_fail(t->ctx, FV_ERROR_CONFIG, "loss.class_weights: \"%s\" is not a list of numbers of at least 0", text);
        sum += c->weights[c->loss.n_weights++] = w;
    }
    if (t->setup.classes && n != t->setup.classes)
        return fvi_fail(t->ctx, FV_ERROR_CONFIG, "loss.class_weights has %d numbers, there are %lld classes", n, (long long)t->setup.classes);
    if (!(sum > 0)) return fvi_fail(t->ctx, FV_ERROR_CONFIG, "loss.class_weights: all are 0, so that nothing is learned");
    c->loss.weights = c->weights;
    return FV_OK;
}

static fv_status create(fv_task *t)
{
    const fvi_classify_settings *s = t->setup.settings;
    fvi_classify *c = t->state;
    if (s) c->loss.label_smoothing = s->label_smoothing;
    if (s && s->class_weights && *s->class_weights) FVI_TRY(t->ctx, parse_weights(t, s->class_weights));
    FVI_TRY(t->ctx, fvi_mistakes_init(t->ctx, &c->mistakes, t->setup.shown));
    return t->setup.classes ? fvi_confusion_init(t->ctx, &c->counts, t->setup.classes) : FV_OK;
}

static void destroy(fv_task *t)
{
    fvi_classify *c = t->state;
    fvi_confusion_free(&c->counts);
    fvi_mistakes_free(&c->mistakes);
    fvi_free(c->weights);
}

/* ---- batches ------------------------------------------------------------------------------------------------------------ */

static fv_status fields(fv_task *t, fv_field out[FV_FIELDS_MAX], int *n)
{
    out[0] = (fv_field){"images", FV_F32, 3, {t->setup.channels, t->setup.height, t->setup.width}};
    out[1] = (fv_field){"labels", FV_I64, 0, {0}};
    *n = 2;
    return FV_OK;
}

static fv_status collate(const fv_task *t, fv_loading *l, const fv_draw *d)
{
    const int64_t classes = fv_loading_source(l)->classes;
    float *image = fv_place(l, "images");
    int64_t *label = fv_place(l, "labels");
    FVI_ASSERT(l->ctx, image && label);
    FVI_TRY(l->ctx, fvi_loading_picture(l, &t->augment, d, label));
    if (classes && (*label < 0 || *label >= classes))
        return fvi_fail(l->ctx, FV_ERROR_FORMAT, "label %lld, there are %lld classes", (long long)*label, (long long)classes);
    fvi_augment_finish(&t->augment, d, &l->space.sized, image);
    return FV_OK;
}

/* ---- functions ---------------------------------------------------------------------------------------------------------- */

static fv_value *logits_of(fv_graph *g, const fv_task *t, fv_value *images)
{
    const fv_model *m = t->setup.model;
    const int64_t classes = t->setup.classes;
    fv_value *y = fv_model_build(g, m, images);
    if (y && (fv_value_rank(y) != 2 || fv_value_dim(y, 0) != FV_N || (classes && fv_value_dim(y, 1) != classes)))
        return fv_graph_fail(g, FV_ERROR_SHAPE, "model %s gives an output of rank %d with %lld columns; %lld classes want (N, %lld)", fv_model_name(m),
                             fv_value_rank(y), (long long)fv_value_dim(y, -1), (long long)classes, (long long)classes);
    return y;
}

static fv_status build_gradient(fv_task *t, fv_graph *g, fv_value *const *in, bool first)
{
    const fvi_classify *c = t->state;
    fv_value *weight = NULL, *logits = logits_of(g, t, in[0]);
    fv_value *loss = t->setup.loss ? t->setup.loss(g, logits, in[1], &weight, t->setup.loss_user)
                                   : fvi_classification_loss_build(g, &c->loss, logits, in[1], &weight);
    FVI_TRY(t->ctx, fv_graph_status(g));
    FVI_TRY(t->ctx, fv_accumulate_gradients(g, NULL, loss, weight, first));
    fv_result(g, "loss", loss);
    fv_result(g, "weight", weight);
    return fv_graph_status(g);
}

static fv_status build_update(fv_task *t, fv_graph *g, fv_value *const *in, bool first)
{
    (void)in;
    (void)first;
    return fv_optimizer_update(g, t->session, fv_task_optimizer(t, NULL));
}

/* The plain loss: smoothing and weights belong to training only. */
static fv_status build_evaluation(fv_task *t, fv_graph *g, fv_value *const *in, bool first)
{
    (void)first;
    fv_value *weight = NULL, *logits = logits_of(g, t, in[0]);
    fv_value *loss = fv_cross_entropy(g, logits, in[1], NULL, &weight);
    fv_result(g, "loss", loss);
    fv_result(g, "weight", weight);
    fv_result(g, "scores", fv_cast(g, logits, FV_F32));
    return fv_graph_status(g);
}

static fv_status build_prediction(fv_task *t, fv_graph *g, fv_value *const *in, bool first)
{
    (void)first;
    fv_result(g, "output", fv_cast(g, logits_of(g, t, in[0]), FV_F32));
    return fv_graph_status(g);
}

static fv_status ready(fv_task *t)
{
    const fvi_classify *c = t->state;
    return t->setup.loss || t->setup.step.gradient ? FV_OK : fvi_classification_loss_set(t->session, &c->loss);
}

static const fv_task_function functions[] = {
    {"forward_backward", "images labels", true, build_gradient},
    {"update", NULL, true, build_update},
    {"eval", "images labels", false, build_evaluation},
    {"predict", "images", false, build_prediction},
    {NULL, NULL, false, NULL}};
static const fv_step_call step[] = {{"forward_backward", true}, {"update", false}, {NULL, false}};

/* ---- evaluation --------------------------------------------------------------------------------------------------------- */

static const fv_metric_def metrics[] = {                 /* of fvi_metric, in its order */
    {"acc", false, 2, true, "accuracy acc1 top1"},
    {"top2", false, 0, false, "acc2"},
    {"top3", false, 0, false, "acc3"},
    {"top5", false, 3, false, "acc5"},
    {"top10", false, 0, false, "acc10"},
    {"f1", false, 4, false, "f1_macro macro_f1"},
    {"f1_micro", false, 0, false, NULL},
    {"f1_weighted", false, 7, false, "weighted_f1"},
    {"precision", false, 5, false, "precision_macro"},
    {"precision_micro", false, 0, false, NULL},
    {"precision_weighted", false, 0, false, NULL},
    {"recall", false, 6, false, "recall_macro"},
    {"recall_micro", false, 0, false, NULL},
    {"recall_weighted", false, 0, false, NULL},
    {"balanced_acc", false, 8, false, "balanced_accuracy"},
    {"loss", true, 1, false, NULL},
    {NULL, false, 0, false, NULL}};
_Static_assert(FVI_COUNT(metrics) == FVI_METRIC_COUNT + 1, "a metric is missing");

static bool tells(const fv_task *t, int metric)
{
    return fvi_metric_tells((fvi_metric)metric, t->setup.classes);
}

static fv_status begin(fv_task *t)
{
    fvi_classify *c = t->state;
    fvi_confusion_clear(&c->counts);
    c->mistakes.count = 0;
    return FV_OK;
}

static fv_status add(fv_task *t, const fv_batch *b, const fv_results *r)
{
    fvi_classify *c = t->state;
    const float *scores = fv_results_find(r, "scores")->data;
    const int64_t *labels = fv_batch_find(b, "labels")->data, classes = t->setup.classes;
    for (int64_t i = 0; i < b->n; i++, scores += classes) {
        const int64_t predicted = fvi_confusion_add_scores(&c->counts, labels[i], scores);
        FVI_ASSERT(t->ctx, predicted >= 0);
        fvi_mistakes_add(&c->mistakes, b->ids[i], labels[i], predicted, scores, classes);
    }
    c->counts.loss_sum += fvi_results_number(r, "loss");
    c->counts.loss_weight += fvi_results_number(r, "weight");
    return FV_OK;
}

static fv_status finish(fv_task *t, double *values)
{
    const fvi_classify *c = t->state;
    for (int i = 0; i < FVI_METRIC_COUNT; i++) values[i] = fvi_metric_value(&c->counts, (fvi_metric)i);
    return FV_OK;
}

static const fv_report_tile tiles[] = {{"acc", "validation accuracy", "accuracy", true},
                                       {"f1", "F1, mean of classes", "F1", true},
                                       {"loss", "validation loss", "val. loss", false},
                                       {NULL, NULL, NULL, false}};
static const fv_report_plot plots[] = {
    {"Validation", true, {{"val_acc", "accuracy", 0, false}, {"val_f1", "F1", 1, false}, {"val_top5", "top 5", 2, false}, {"val_acc_raw", "accuracy (raw weights)", 0, true}}},
    {"Validation, in detail", true, {{"val_precision", "precision", 3, false}, {"val_recall", "recall", 4, false}, {"val_f1_weighted", "F1, weighted", 5, false}}},
    {NULL, false, {{NULL, NULL, 0, false}}}};

/* ---- prediction and export ---------------------------------------------------------------------------------------------- */

static const fv_column columns[] = {{"class", FV_COLUMN_TEXT, false}, {"index", FV_COLUMN_INTEGER, true}, {"probability", FV_COLUMN_SHARE, false}, {NULL, FV_COLUMN_TEXT, false}};

static fv_status rows(fv_task *t, const fv_results *r, int64_t sample, int limit, fv_rows *out)
{
    const int64_t classes = t->setup.classes, k = FVI_MIN(limit, classes);
    const float *logits = (const float *)fv_results_find(r, "output")->data + sample * classes;
    float *probabilities = fvi_malloc((size_t)classes * sizeof *probabilities);
    int64_t *top = fvi_calloc((size_t)FVI_MAX(k, 1), sizeof *top);
    fv_status status = probabilities && top ? FV_OK : fvi_nomem(t->ctx);
    if (status == FV_OK && !fvi_softmax(logits, classes, probabilities)) status = fvi_fail(t->ctx, FV_ERROR_NUMERIC, FVI_NOT_FINITE);
    if (status == FV_OK) fvi_top_classes(logits, classes, (int)k, top);
    for (int64_t i = 0; i < k && status == FV_OK; i++) {
        char room[32];
        const char *name = fv_task_class_name(t, top[i], room);
        if (name == room) name = NULL;                   /* weights without class names: the index says it */
        const fv_cell cells[] = {{name, 0}, {NULL, (double)top[i]}, {NULL, (double)probabilities[top[i]]}};
        status = fv_rows_add(out, cells);
    }
    fvi_free(probabilities);
    fvi_free(top);
    return status;
}

static const fv_task_def classify = {
    .name = "classify", .about = "which of some classes a picture is of", .keys = keys, .settings_size = sizeof(fvi_classify_settings),
    .state_size = sizeof(fvi_classify), .create = create, .destroy = destroy, .fields = fields, .collate = collate,
    .functions = functions, .step = step, .ready = ready,
    .evaluate = "eval", .metrics = metrics, .tells = tells, .begin = begin, .add = add, .finish = finish, .record = fvi_classify_record, .details = fvi_classify_details,
    .show = fvi_classify_show, .json = fvi_classify_json, .tiles = tiles, .plots = plots, .report = fvi_classify_report,
    .predict = "predict", .rows_name = "top", .columns = columns, .wide = true, .limit = 5, .rows = rows, .output = "output", .output_kind = "logits"};
FVI_TASK(classify, &classify);
