/* SPDX-License-Identifier: Apache-2.0 */
/* Evaluation of stored weights: the preprocessing, class names and model are those that were stored with them. */
#include "base/file.h"
#include "data/open.h"
#include "train/stored.h"
#include "train/trainer.h"

#include <math.h>

typedef struct own_evaluation {
    fv_evaluation e;                     /* first: freed through it */
    fv_context *ctx;
    fvi_stored stored;
    fv_data *opened;
    const fv_source *data;
    bool other_data;                     /* the command line names them, and they are not those of the training */
    fv_model *model;
    fv_session *session;
    fvi_classify *task;
    fvi_loader *loader;
    fvi_confusion counts;
    fvi_mistakes mistakes;
    fv_metric metrics[FVI_METRIC_COUNT];
    fvi_arena arena;
} own_evaluation;

static fv_status check_classes(own_evaluation *o)
{
    const char *stored = fvi_st_metadata(&o->stored.weights, "fovea.classes");
    char *have = fvi_classes_json(o->data);
    fv_status status = FV_OK;
    if (!have) return fvi_nomem(o->ctx);
    if (stored && strcmp(stored, have))
        status = fvi_fail(o->ctx, FV_ERROR_FORMAT, "%s was trained on classes %s, the data have %s", o->stored.path, stored, have);
    fvi_free(have);
    return status;
}

/* Has the command line another root than the stored configuration? Then the stored format says nothing about it. */
static fv_status find_other_data(own_evaluation *o)
{
    fv_config *before = NULL, *config = o->stored.config;
    FVI_TRY(o->ctx, fvi_config_from_text(o->ctx, o->stored.path, fvi_st_metadata(&o->stored.weights, "fovea.config"), 0, NULL, &before));
    const char *was = before->v.data_root, *is = config->v.data_root;
    o->other_data = is && (!was || strcmp(was, is));
    if (o->other_data && before->v.data_format == config->v.data_format) config->v.data_format = 0;
    fv_config_destroy(before);
    return o->other_data ? fvi_config_check_data(config) : FV_OK;
}

/* RUN/split.csv of the run that was named, or of RUN/checkpoints/weights; NULL: there is none. */
static char *split_of(const own_evaluation *o)
{
    char *checkpoints = fvi_path_dir(o->stored.path), *run = checkpoints ? fvi_path_join(checkpoints, "..") : NULL;
    char *split = o->stored.run || run ? fvi_split_path(o->stored.run ? o->stored.run : run) : NULL;
    if (split && !fvi_file_exists(split)) {
        fvi_free(split);
        split = NULL;
    }
    fvi_free(checkpoints);
    fvi_free(run);
    return split;
}

/* Do the files of a stored split lie below the root (the folder was moved, and named anew)? */
static bool is_there(const fv_data *d)
{
    const fvi_list *l = &d->list;
    for (int i = 0; i < l->count && i < 100; i += FVI_MAX(l->count / 10, 1)) {
        char *path = fvi_path_join(l->root, l->items[i].path);
        bool there = path && fvi_file_exists(path);
        fvi_free(path);
        if (!there) return false;
    }
    return true;
}

static fv_status pick_set(own_evaluation *o, const fv_evaluate_options *options)
{
    const char *wanted = options->train_split ? "train" : options->split ? options->split : "test";
    int set = !strcmp(wanted, "train") ? FV_SPLIT_TRAIN : !strcmp(wanted, "val") ? FV_SPLIT_VAL : FV_SPLIT_TEST;
    if (strcmp(wanted, "test") && set == FV_SPLIT_TEST) return fvi_fail(o->ctx, FV_ERROR_INVALID, "split=%s: test, val or train", wanted);
    if (set == FV_SPLIT_TEST && !o->opened->sets[set] && o->opened->sets[FV_SPLIT_VAL]) {
        fvi_log(o->ctx, FV_LOG_INFO, "there is no test set: the validation set is evaluated");
        set = FV_SPLIT_VAL;
    }
    o->data = o->opened->sets[set];
    if (!o->data) return fvi_fail(o->ctx, FV_ERROR_FORMAT, "%s: there are no pictures in its set \"%s\"", o->stored.config->v.data_root, wanted);
    return FV_OK;
}

static fv_status open_data(own_evaluation *o, const fv_evaluate_options *options)
{
    fv_data_options wish = {.whole = o->other_data, .allow_empty = true};
    bool train = options->train_split || (options->split && !strcmp(options->split, "train"));
    wish.leave_out = train ? 1u << FV_SPLIT_VAL | 1u << FV_SPLIT_TEST : 1u << FV_SPLIT_TRAIN;
    char *split = split_of(o);
    wish.split_file = split;
    fv_status status = fvi_stored_class_names(o->ctx, &o->stored, &o->arena, &wish.classes, &wish.n_classes);
    if (status == FV_OK) status = fvi_open_data(o->ctx, o->stored.config, &wish, &o->opened);
    if (status == FV_OK && split && o->opened->listed && o->other_data && !is_there(o->opened)) {
        fv_data_destroy(o->opened);
        o->opened = NULL;
        wish.split_file = NULL;
        status = fvi_open_data(o->ctx, o->stored.config, &wish, &o->opened);
    }
    fvi_free(split);
    FVI_TRY(o->ctx, status);
    return pick_set(o, options);
}

static fv_status build(own_evaluation *o)
{
    const fvi_values *v = &o->stored.config->v;
    char *args = fvi_config_model_args(o->stored.config);
    if (!args) return fvi_nomem(o->ctx);
    fv_status status = fv_model_create(o->ctx, v->model, &(fv_model_options){o->data->classes, args}, &o->model);
    fvi_free(args);
    FVI_TRY(o->ctx, status);
    fvi_loader_options l = fvi_loader_for(o->stored.config, o->data, false);
    fvi_classify_options c = {.model = o->model, .classes = o->data->classes, .size = v->image_size};
    FVI_TRY(o->ctx, fv_session_create(o->ctx, &(fv_session_options){.amp = v->enable_amp}, &o->session));
    FVI_TRY(o->ctx, fvi_classify_create(o->session, &c, &o->task));
    FVI_TRY(o->ctx, fvi_classify_prepare(o->task, FVI_MIN(l.batch_size, o->data->count), FVI_CLASSIFY_EVALUATE, NULL));
    FVI_TRY(o->ctx, fvi_weights_load(o->ctx, o->session, &o->stored.weights));
    FVI_TRY(o->ctx, fvi_confusion_init(o->ctx, &o->counts, o->data->classes));
    FVI_TRY(o->ctx, fvi_mistakes_init(o->ctx, &o->mistakes, (int)v->paint_images));
    FVI_TRY(o->ctx, fvi_loader_create(o->ctx, &l, &o->loader));
    return FV_OK;
}

static fv_status measure(own_evaluation *o)
{
    const fvi_batch *b;
    double begin = fvi_seconds();
    do {
        FVI_TRY(o->ctx, fvi_loader_next(o->loader, &b));
        if (b->n) FVI_TRY(o->ctx, fvi_classify_evaluate(o->task, b, &o->counts, &o->mistakes));
    } while (!b->last);
    if (!o->counts.samples) return fvi_fail(o->ctx, FV_ERROR_FORMAT, "none of the %lld pictures can be read", (long long)o->data->count);
    o->e.seconds = fvi_seconds() - begin;
    return FV_OK;
}

static fv_status list_mistakes(own_evaluation *o)
{
    int n = o->mistakes.count;
    fv_mistake *rows = fvi_arena_alloc(&o->arena, (size_t)n * sizeof *rows);
    if (!rows) return fvi_nomem(o->ctx);
    for (int i = 0; i < n; i++) {
        const fvi_mistake *m = &o->mistakes.items[i];
        char name[1024];
        fvi_source_name(o->data, m->id, name, sizeof name);
        rows[i] = (fv_mistake){fvi_arena_strdup(&o->arena, name), m->id, m->truth, m->predicted, m->probability, m->truth_probability, m->loss};
        if (!rows[i].name) return fvi_nomem(o->ctx);
    }
    o->e.mistakes = rows;
    o->e.n_mistakes = n;
    return FV_OK;
}

static fv_status report(own_evaluation *o)
{
    fv_evaluation *e = &o->e;
    const fvi_confusion *c = &o->counts;
    fv_class_report *rows = fvi_arena_alloc(&o->arena, (size_t)c->classes * sizeof *rows);
    if (!rows) return fvi_nomem(o->ctx);
    for (int64_t k = 0; k < c->classes; k++) {
        const char *name = o->data->class_names ? o->data->class_names[k] : fvi_arena_format(&o->arena, "%lld", (long long)k);
        rows[k] = (fv_class_report){name, fvi_confusion_support(c, k), fvi_confusion_score(c, FVI_PRECISION, k, 0),
                                    fvi_confusion_score(c, FVI_RECALL, k, 0), fvi_confusion_score(c, FVI_F1, k, 0)};
    }
    for (int i = 0; i < FVI_METRIC_COUNT; i++) o->metrics[i] = (fv_metric){fvi_metric_names[i], fvi_metric_value(c, (fvi_metric)i)};
    FVI_TRY(o->ctx, list_mistakes(o));
    e->metrics = o->metrics;
    e->n_metrics = FVI_METRIC_COUNT;
    e->model = o->stored.path;
    e->data = o->stored.config->v.data_root;
    e->samples = c->samples;
    e->of = o->data->count;
    e->loss = fvi_confusion_loss(c);
    e->accuracy = fvi_confusion_accuracy(c);
    e->top5 = fvi_confusion_topk(c, 5);
    e->macro_f1 = fvi_metric_value(c, FVI_METRIC_F1);
    e->classes = c->classes;
    e->confusion = c->counts;
    e->per_class = rows;
    return FV_OK;
}

static fv_status evaluate(own_evaluation *o, const fv_evaluate_options *options)
{
    FVI_TRY(o->ctx, fvi_stored_open(o->ctx, options->model, options->n_settings, options->settings, &o->stored));
    o->e.ema = o->stored.ema;
    o->e.step = o->stored.step;
    if (o->stored.config->v.threads > 0) fv_context_set_threads(o->ctx, (int)o->stored.config->v.threads);
    FVI_TRY(o->ctx, find_other_data(o));
    FVI_TRY(o->ctx, open_data(o, options));
    FVI_TRY(o->ctx, check_classes(o));
    FVI_TRY(o->ctx, build(o));
    FVI_TRY(o->ctx, measure(o));
    return report(o);
}

fv_status fv_evaluate(fv_context *ctx, const fv_evaluate_options *options, fv_evaluation **out)
{
    *out = NULL;
    own_evaluation *o = fvi_calloc(1, sizeof *o);
    if (!o) return fvi_nomem(ctx);
    o->ctx = ctx;
    fv_status status = evaluate(o, options);
    if (status == FV_OK)
        *out = &o->e;
    else
        fv_evaluation_destroy(&o->e);
    return status;
}

void fv_evaluation_destroy(fv_evaluation *e)
{
    if (!e) return;
    own_evaluation *o = (own_evaluation *)(void *)e;
    fvi_loader_destroy(o->loader);
    fvi_classify_destroy(o->task);
    fv_session_destroy(o->session);
    fv_model_destroy(o->model);
    fv_data_destroy(o->opened);
    fvi_confusion_free(&o->counts);
    fvi_mistakes_free(&o->mistakes);
    fvi_arena_free(&o->arena);
    fvi_stored_close(&o->stored);
    fvi_free(o);
}
