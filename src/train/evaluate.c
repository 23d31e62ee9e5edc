/* SPDX-License-Identifier: Apache-2.0 */
/* Evaluation of stored weights: the preprocessing, class names and model are those that were stored with them. */
#include "base/file.h"
#include "train/identity.h"
#include "train/run.h"
#include "train/stored.h"
#include "train/trainer.h"

#include <math.h>

typedef struct own_evaluation {
    fv_evaluation e;                     /* first: freed through it */
    fv_context *ctx;
    fvi_stored stored;
    fv_data *opened;
    const fv_source *data;
    bool by_hand, elsewhere;             /* the command line names a place; another one than that of the training */
    bool other_list;                     /* ... and it is a CSV, which has labels and perhaps sets of its own */
    bool known;                          /* by content, what the weights were trained on: */
    fvi_identity trained_on;
    fv_model *model;
    const fv_task_def *own_def;          /* the caller's, or NULL */
    fv_task *task;
    fvi_loader *loader;
    int64_t samples;
    fv_metric metrics[FVI_METRICS_MAX + 1];
    fvi_text text, json;
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

/* ---- which pictures --------------------------------------------------------------------------------------------------- */

static fv_status find_place(own_evaluation *o)
{
    fv_config *before = NULL;
    FVI_TRY(o->ctx, fvi_config_from_text(o->ctx, o->own_def, o->stored.path, fvi_st_metadata(&o->stored.weights, "fovea.config"), 0, NULL, &before));
    const fv_config *c = o->stored.config;
    const char *is = c->v.data_root;
    o->by_hand = fvi_config_by_hand(c, "data.root") || fvi_config_by_hand(c, "data.images");
    o->elsewhere = fvi_config_differs(before, c, "data.root") || fvi_config_differs(before, c, "data.images");
    o->other_list = fvi_config_differs(before, c, "data.root") && is && fvi_file_exists(is) && !fvi_is_dir(is);
    fv_config_destroy(before);
    o->known = fvi_identity_parse(fvi_st_metadata(&o->stored.weights, "fovea.data"), &o->trained_on);
    if (!is || fvi_file_exists(is) || o->by_hand) return FV_OK;
    return fvi_fail(o->ctx, FV_ERROR_IO, "%s was trained on the data in %s, which does not exist; give data=DIR, where they are now", o->stored.path, is);
}

/* The split of the run that was named, or that holds the weights as RUN/checkpoints/FILE; NULL: there is none. */
static fv_status find_split(const own_evaluation *o, char **split)
{
    char *folder = o->stored.run ? NULL : fvi_path_dir(o->stored.path);
    char *above = folder && !strcmp(fvi_path_base(folder), "checkpoints") ? fvi_path_dir(folder) : NULL;
    const char *run = o->stored.run ? o->stored.run : above && fvi_is_run(above) ? above : NULL;
    *split = run ? fvi_split_path(run) : NULL;
    fv_status status = run && !*split ? fvi_nomem(o->ctx) : FV_OK;
    if (*split && !fvi_file_exists(*split)) {
        fvi_free(*split);
        *split = NULL;
    }
    fvi_free(folder);
    fvi_free(above);
    return status;
}

static void close_data(own_evaluation *o)
{
    fv_data_destroy(o->opened);
    o->opened = NULL;
}

/* Are the opened data, divided as they are, those of the training? In their old place a picture may have changed; elsewhere the content
 * must be the same. */
static bool are_trained_on(const own_evaluation *o)
{
    fvi_identity is;
    if (!o->opened->listed) return true;                 /* their sets are files of their own */
    if (!o->known) return !o->elsewhere;
    fvi_identity_of_list(&o->opened->list, o->elsewhere, &is);
    return is.names == o->trained_on.names && (!o->elsewhere || is.content == o->trained_on.content);
}

static fv_status forget(own_evaluation *o, const char *const *keys, int n)
{
    for (int i = 0; i < n; i++) FVI_TRY(o->ctx, fvi_config_forget(o->stored.config, keys[i]));
    return fvi_config_check_data(o->stored.config);
}

/* The data of the training in the stored split, or divided anew as it was. o->opened stays NULL where they are others. */
static fv_status open_own(own_evaluation *o, fv_data_options wish, const char *split)
{
    static const char *const placed[] = {"data.format", "data.images"};
    if (o->elsewhere) FVI_TRY(o->ctx, forget(o, placed, FVI_COUNT(placed)));
    wish.split_file = split;
    for (int again = split ? 0 : 1; again < (o->elsewhere ? 1 : 2) && !o->opened; again++, wish.split_file = NULL) {
        fv_status status = fvi_open_data(o->ctx, o->stored.config, &wish, &o->opened);
        if (status == FV_ERROR_NOMEM || (status != FV_OK && !o->elsewhere)) return status;
        if (status != FV_OK) fvi_error_clear(o->ctx);
        if (status == FV_OK && !are_trained_on(o)) close_data(o);
    }
    if (o->opened && o->elsewhere && o->opened->listed)
        fvi_log(o->ctx, FV_LOG_INFO, "%s holds what the run was trained on: its own split is taken", o->stored.config->v.data_root);
    return FV_OK;
}

/* Other data: nothing of what the configuration says about place and division of its own is true of them. */
static fv_status open_other(own_evaluation *o, fv_data_options wish, const char *split)
{
    static const char *const keys[] = {"data.format", "data.images", "data.train", "data.val", "data.test", "data.split.val", "data.split.test", "data.split.by",
                                       "data.split.seed", "data.split.folds", "data.split.fold"};
    fv_config *c = o->stored.config;
    FVI_TRY(o->ctx, forget(o, keys, FVI_COUNT(keys)));
    if (!fvi_config_by_hand(c, "data.split.val")) c->v.split_val = 0;
    wish.whole = true;
    FVI_TRY(o->ctx, fvi_open_data(o->ctx, c, &wish, &o->opened));
    if (split && o->opened->listed && (!o->known || o->other_list))
        fvi_log(o->ctx, FV_LOG_INFO, "%s, so %s is evaluated as other data; the pictures that the run held out are data=%s data.images=%s",
                o->other_list ? "a list has labels of its own" : "an earlier version did not note the content of the run's data", c->v.data_root, split,
                o->opened->list.root);
    return FV_OK;
}

static fv_status not_divided(const own_evaluation *o)
{
    return fvi_fail(o->ctx, FV_ERROR_FORMAT, "%s: its pictures are no longer those that %s was trained on, or not divided as they were, so nobody can say which "
                    "were held out; give data=DIR to evaluate all of a folder", o->stored.config->v.data_root, o->stored.path);
}

static fv_status pick_set(own_evaluation *o, const char *wanted)
{
    static const char *const names[FV_SPLITS] = {"train", "val", "test"};
    const bool all = o->opened->listed && o->opened->list.items[0].set == FVI_NO_SET;
    int set = FV_SPLIT_TEST;
    while (wanted && set > 0 && strcmp(wanted, names[set])) set--;
    if (!wanted && !all && !o->opened->sets[set] && o->opened->sets[FV_SPLIT_VAL]) {
        fvi_log(o->ctx, FV_LOG_INFO, "there is no test set: the validation set is evaluated");
        set = FV_SPLIT_VAL;
    }
    o->data = all && wanted ? NULL : o->opened->sets[set];
    o->e.split = all ? "all" : names[set];
    if (o->data) return FV_OK;
    return fvi_fail(o->ctx, FV_ERROR_FORMAT, "%s: there are no pictures in its set \"%s\"%s", o->stored.config->v.data_root, names[set],
                    all ? ", for it has no sets; without split= all of it is evaluated" : "");
}

static fv_status open_data(own_evaluation *o, const fv_evaluate_options *options)
{
    const char *wanted = options->train_split ? "train" : options->split;
    const bool train = wanted && !strcmp(wanted, "train");
    fv_data_options wish = {.allow_empty = true, .leave_out = train ? 1u << FV_SPLIT_VAL | 1u << FV_SPLIT_TEST : 1u << FV_SPLIT_TRAIN};
    char *split;
    if (wanted && !train && strcmp(wanted, "val") && strcmp(wanted, "test")) return fvi_fail(o->ctx, FV_ERROR_INVALID, "split=%s: test, val or train", wanted);
    FVI_TRY(o->ctx, fvi_stored_class_names(o->ctx, &o->stored.weights, &o->arena, &wish.classes, &wish.n_classes));
    FVI_TRY(o->ctx, find_split(o, &split));
    fv_status status = o->other_list || (o->elsewhere && !split) ? FV_OK : open_own(o, wish, split);
    if (status == FV_OK && !o->opened && !o->by_hand) status = not_divided(o);
    if (status == FV_OK && !o->opened) status = open_other(o, wish, split);
    fvi_free(split);
    return status == FV_OK ? pick_set(o, wanted) : status;
}

/* ---- measuring -------------------------------------------------------------------------------------------------------- */

static fv_status build(own_evaluation *o, const fv_model *own)
{
    const fvi_values *v = &o->stored.config->v;
    const fv_model *m = own;
    if (!m) {
        FVI_TRY(o->ctx, fvi_stored_model(o->ctx, o->stored.config, o->data->classes, &o->model));
        m = o->model;
    }
    const fvi_task_options options = fvi_task_of(o->stored.config, m, o->data->classes, o->data->class_names);
    FVI_TRY(o->ctx, fvi_task_create(o->ctx, &options, &o->task));
    if (!o->task->def->evaluate) return fvi_fail(o->ctx, FV_ERROR_UNSUPPORTED, "task %s has no evaluation", o->task->def->name);
    fvi_loader_options l = fvi_loader_for(o->stored.config, o->task, o->data, false);
    FVI_TRY(o->ctx, fvi_task_open(o->task, &(fv_session_options){.amp = v->enable_amp}));
    FVI_TRY(o->ctx, fvi_task_compile(o->task, FVI_MIN(l.batch_size, o->data->count), FVI_TASK_EVALUATE, NULL));
    FVI_TRY(o->ctx, fvi_weights_load(o->ctx, o->task->session, &o->stored.weights, o->task->def));
    FVI_TRY(o->ctx, fvi_loader_create(o->ctx, &l, &o->loader));
    return FV_OK;
}

static fv_status measure(own_evaluation *o)
{
    const fv_batch *b;
    const fv_results *r;
    double begin = fvi_seconds();
    if (o->task->def->begin) FVI_TRY(o->ctx, o->task->def->begin(o->task));
    do {
        FVI_TRY(o->ctx, fvi_loader_next(o->loader, &b));
        if (b->n) FVI_TRY(o->ctx, fvi_task_evaluate(o->task, b, &r));
        o->samples += b->n;
    } while (!b->last);
    if (!o->samples) return fvi_fail(o->ctx, FV_ERROR_FORMAT, "none of the %lld pictures can be read", (long long)o->data->count);
    o->e.seconds = fvi_seconds() - begin;
    return FV_OK;
}

static fv_status report(own_evaluation *o)
{
    fv_evaluation *e = &o->e;
    const fv_task_def *d = o->task->def;
    double values[FVI_METRICS_MAX];
    if (d->finish) FVI_TRY(o->ctx, d->finish(o->task, values));
    for (int i = 0; i < o->task->n_metrics && i < FVI_METRICS_MAX; i++)
        if (fvi_task_tells(o->task, i)) o->metrics[e->n_metrics++] = (fv_metric){d->metrics[i].name, values[i], d->metrics[i].smaller_is_better};
    e->metrics = o->metrics;
    e->model = o->stored.path;
    e->data = o->stored.config->v.data_root;
    e->task = d;
    e->samples = o->samples;
    e->of = o->data->count;
    if (d->details) FVI_TRY(o->ctx, d->details(o->task, o->data, &e->details));
    if (d->show) FVI_TRY(o->ctx, d->show(o->task, e->details, e->metrics, e->samples, &o->text));
    if (d->json) FVI_TRY(o->ctx, d->json(o->task, e->details, &o->json));
    fvi_text_raw(&o->text, "", 0);
    fvi_text_raw(&o->json, "", 0);
    if (o->text.failed || o->json.failed) return fvi_nomem(o->ctx);
    e->text = o->text.data;
    e->json = o->json.data;
    return FV_OK;
}

/* What the caller brings instead of the configured data. */
static fv_status take_data(own_evaluation *o, const fv_evaluate_options *options)
{
    o->data = options->own_data;
    o->e.split = options->split ? options->split : "all";
    return o->data->count > 0 ? FV_OK : fvi_fail(o->ctx, FV_ERROR_INVALID, "the data to evaluate with hold no sample");
}

static fv_status evaluate(own_evaluation *o, const fv_evaluate_options *options)
{
    FVI_TRY(o->ctx, fvi_stored_open(o->ctx, options->task, options->model, options->n_settings, options->settings, &o->stored));
    o->e.ema = o->stored.ema;
    o->e.step = o->stored.step;
    if (o->stored.config->v.threads > 0) fv_context_set_threads(o->ctx, (int)o->stored.config->v.threads);
    if (options->own_data) {
        FVI_TRY(o->ctx, take_data(o, options));
    } else {
        FVI_TRY(o->ctx, find_place(o));
        FVI_TRY(o->ctx, open_data(o, options));
    }
    FVI_TRY(o->ctx, check_classes(o));
    FVI_TRY(o->ctx, build(o, options->own_model));
    FVI_TRY(o->ctx, measure(o));
    return report(o);
}

fv_status fv_evaluate(fv_context *ctx, const fv_evaluate_options *options, fv_evaluation **out)
{
    *out = NULL;
    own_evaluation *o = fvi_calloc(1, sizeof *o);
    if (!o) return fvi_nomem(ctx);
    o->ctx = ctx;
    o->own_def = options->task;
    fv_status status = evaluate(o, options);
    if (status == FV_OK)
        *out = &o->e;
    else
        fv_evaluation_destroy(&o->e);
    return status;
}

double fv_evaluation_metric(const fv_evaluation *e, const char *name)
{
    for (int i = 0; i < e->n_metrics; i++)
        if (!strcmp(e->metrics[i].name, name)) return e->metrics[i].value;
    return (double)NAN;
}

void fv_evaluation_destroy(fv_evaluation *e)
{
    if (!e) return;
    own_evaluation *o = (own_evaluation *)(void *)e;
    fvi_loader_destroy(o->loader);
    fvi_task_destroy(o->task);
    fv_model_destroy(o->model);
    fv_data_destroy(o->opened);
    fvi_text_free(&o->text);
    fvi_text_free(&o->json);
    fvi_arena_free(&o->arena);
    fvi_stored_close(&o->stored);
    fvi_free(o);
}
