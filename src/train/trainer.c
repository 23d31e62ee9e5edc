/* SPDX-License-Identifier: Apache-2.0 */
/* The trainer: from options to a prepared run. */
#include "train/trainer.h"
#include "base/file.h"
#include "base/thread.h"
#include "models/model.h"

#include <math.h>
#include <stdlib.h>

/* ---- options to configuration ---------------------------------------------------------------------------------------- */

enum { SETTINGS = 16 };
typedef struct settings { const char **items; char *own[SETTINGS]; int count, n_own; bool failed; } settings;

static void add_setting(settings *s, char *text)
{
    if (!text) {
        s->failed = true;
        return;
    }
    s->own[s->n_own++] = text;
    s->items[s->count++] = text;
}

static void add_text(settings *s, const char *key, const char *value)
{
    if (value) add_setting(s, fvi_format("%s=%s", key, value));
}

static void add_number(settings *s, const char *key, double value)
{
    if (value != 0) add_setting(s, fvi_format("%s=%.17g", key, value));
}

/* The short forms of the options first, so that settings can say more. */
static fv_status collect_settings(fv_context *ctx, const fv_train_options *o, settings *s)
{
    s->items = fvi_calloc((size_t)o->n_settings + SETTINGS, sizeof *s->items);
    if (!s->items) return fvi_nomem(ctx);
    if (o->data) {
        const char *colon = strchr(o->data, ':'), *slash = strchr(o->data, '/');
        bool format = colon && (!slash || colon < slash);
        if (format) add_setting(s, fvi_format("data.format=%.*s", (int)(colon - o->data), o->data));
        add_text(s, "data.root", format ? colon + 1 : o->data);
    }
    add_text(s, "optimizer", o->optimizer);
    add_text(s, "scheduler", o->scheduler);
    add_text(s, "run", o->run);
    add_number(s, "learning_rate", o->learning_rate);
    add_number(s, "weight_decay", o->weight_decay);
    add_number(s, "max_grad_norm", o->max_grad_norm);
    add_number(s, "max_steps", (double)o->max_steps);
    add_number(s, "epochs", (double)o->epochs);
    add_number(s, "batch_size", (double)o->batch_size);
    add_number(s, "seed", (double)o->seed);
    for (int i = 0; i < o->n_settings; i++) s->items[s->count++] = o->settings[i];
    return s->failed ? fvi_nomem(ctx) : FV_OK;
}

static void settings_free(settings *s)
{
    for (int i = 0; i < s->n_own; i++) fvi_free(s->own[i]);
    fvi_free(s->items);
}

fv_status fvi_trainer_config(fv_context *ctx, const fv_model *model, const fv_train_options *o, fv_config **out)
{
    settings s = {0};
    fv_config *c = NULL;
    *out = NULL;
    fv_status status = collect_settings(ctx, o, &s);
    if (status == FV_OK)
        status = fvi_config_create(ctx, o->task, o->config, s.count, s.items, &c);
    if (status == FV_OK && !model) status = fvi_config_check_model(c);
    if (status != FV_OK) {
        fv_config_destroy(c);
        c = NULL;
    }
    settings_free(&s);
    if (status == FV_OK && model) {                      /* a model of the user's own gives the run its name */
        char *name = fvi_strdup(fv_model_name(model));
        if (!name) {
            fv_config_destroy(c);
            return fvi_nomem(ctx);
        }
        fvi_free(c->v.model);
        c->v.model = name;
    }
    *out = c;
    return status;
}

/* ---- data ------------------------------------------------------------------------------------------------------------ */

static fv_status open_sources(fv_trainer *t, const fv_train_options *o)
{
    if (o->train_data) {
        t->train = o->train_data;
        t->val = o->val_data;
        if (!t->val) fvi_log(t->ctx, FV_LOG_WARN, "no validation data: nothing is validated, the last weights are the best");
    } else {
        FVI_TRY(t->ctx, fvi_trainer_open_data(t));
    }
    if (t->train->count < 1 || (t->val && t->val->classes != t->train->classes))
        return fvi_fail(t->ctx, FV_ERROR_FORMAT, "training and validation data do not fit: %lld samples, %lld and %lld classes",
                        (long long)t->train->count, (long long)t->train->classes, (long long)(t->val ? t->val->classes : 0));
    if (t->config->v.batch_size > t->train->count)
        fvi_log(t->ctx, FV_LOG_WARN, "batch_size %lld is larger than the data: batches hold all %lld samples", (long long)t->config->v.batch_size,
                (long long)t->train->count);
    return FV_OK;
}

/* ---- creation -------------------------------------------------------------------------------------------------------- */

static fv_status create_model(fv_trainer *t)
{
    if (t->model) return FV_OK;
    char *args = fvi_config_model_args(t->config);
    if (!args) return fvi_nomem(t->ctx);
    fv_status status = fv_model_create(t->ctx, t->config->v.model, &(fv_model_options){t->train->classes, args}, &t->own_model);
    fvi_free(args);
    t->model = t->own_model;
    return status;
}

static fv_status create_task(fv_trainer *t)
{
    fvi_task_options o = fvi_task_of(t->config, t->model, t->train->classes, t->train->class_names);
    o.setup.loss = t->loss;
    o.setup.loss_user = t->loss_user;
    o.setup.step = t->step;
    FVI_TRY(t->ctx, fvi_task_create(t->ctx, &o, &t->task));
    if (t->val && t->own_monitor < 0 && t->monitor >= 0 && !fvi_task_tells(t->task, t->monitor))
        return fvi_fail(t->ctx, FV_ERROR_CONFIG, "monitor: %s says nothing with these data (%lld classes); take %s", fvi_trainer_monitor(t),
                        (long long)t->train->classes, t->def->metrics->name);
    return FV_OK;
}

static void describe(fv_trainer *t)
{
    fv_train_progress *p = &t->progress;
    const fvi_position *at = &t->position;
    *p = (fv_train_progress){.step = at->step, .start_step = at->step, .max_steps = t->plan.total, .loss = NAN, .learning_rate = NAN, .grad_norm = NAN,
                             .best = at->best, .best_step = at->best_step, .finished = at->finished, .run = t->run.path,
                             .model = fv_model_name(t->model), .data = t->config->v.data_root, .train_samples = t->train->count,
                             .val_samples = t->val ? t->val->count : 0, .threads = fv_context_threads(t->ctx), .amp = t->config->v.enable_amp,
                             .metrics = t->metrics, .monitor = fvi_trainer_monitor(t)};
    if (!t->resumed || at->step == 0) return;
    p->loss = at->last_loss;                             /* as after the update that it stands at */
    p->grad_norm = at->last_norm;
    p->learning_rate = isnan(at->last_rate) ? fvi_trainer_rate(t, at->step - 1) : at->last_rate;
}

/* Class names are part of what weights mean. */
static fv_status check_classes(const fv_trainer *t)
{
    const char *classes = t->resumed ? fvi_st_metadata(&t->checkpoint.state, "fovea.classes") : NULL;
    if (!classes || !strcmp(classes, t->classes)) return FV_OK;
    return fvi_fail(t->ctx, FV_ERROR_FORMAT, "the run was trained on classes %s, the data have %s", classes, t->classes);
}

static fv_status create(fv_trainer *t, const fv_train_options *o, const char *folder)
{
    if (!t->config) FVI_TRY(t->ctx, fvi_trainer_config(t->ctx, t->model, o, &t->config));
    if (t->config->v.seeds > 0) return fvi_fail(t->ctx, FV_ERROR_CONFIG, "seeds: a trainer trains one; fv_train repeats a run");
    if (t->config->v.threads > 0) fv_context_set_threads(t->ctx, (int)t->config->v.threads);
    if (!folder && o->config && fvi_is_dir(o->config)) folder = o->config;
    FVI_TRY(t->ctx, fvi_run_open(t->ctx, t->config, folder, o->mode, o->dry_run, &t->run));
    t->def = t->config->task;
    FVI_TRY(t->ctx, fvi_trainer_take_metrics(t, o));
    FVI_TRY(t->ctx, fvi_trainer_open_position(t));
    FVI_TRY(t->ctx, open_sources(t, o));
    FVI_TRY(t->ctx, fvi_trainer_check_places(t));
    t->classes = fvi_classes_json(t->train);
    t->config_text = fv_config_text(t->config, false);
    if (!t->classes || !t->config_text) return fvi_nomem(t->ctx);
    FVI_TRY(t->ctx, check_classes(t));
    FVI_TRY(t->ctx, create_model(t));
    FVI_TRY(t->ctx, create_task(t));
    FVI_TRY(t->ctx, fvi_trainer_identify(t));
    if (t->run.exists) FVI_TRY(t->ctx, fvi_trainer_read_bad(t));
    FVI_TRY(t->ctx, fvi_trainer_plan(t));
    describe(t);
    fvi_trainer_show_metrics(t);
    return FV_OK;
}

fv_status fv_trainer_create(fv_context *ctx, const fv_model *model, const fv_train_options *o, fv_trainer **out)
{
    return fvi_trainer_create(ctx, model, o, NULL, NULL, out);
}

fv_status fvi_trainer_create(fv_context *ctx, const fv_model *model, const fv_train_options *o, fv_config *config, const char *folder, fv_trainer **out)
{
    *out = NULL;
    fv_trainer *t = fvi_calloc(1, sizeof *t);
    if (!t) {
        fv_config_destroy(config);
        return fvi_nomem(ctx);
    }
    t->ctx = ctx;
    t->config = config;
    t->own_def = o->task;
    if (o->step) t->step = *o->step;
    t->model = model;
    t->dry = o->dry_run;
    t->loss = o->loss;
    t->loss_user = o->loss_user;
    t->callback = o->callback;
    t->callback_user = o->callback_user;
    t->saved_step = -1;
    fv_status status = create(t, o, folder);
    if (status == FV_OK)
        *out = t;
    else
        fv_trainer_destroy(t);
    return status;
}

void fv_trainer_destroy(fv_trainer *t)
{
    if (!t) return;
    fvi_loader_destroy(t->loader);
    fvi_loader_destroy(t->val_loader);
    fvi_task_destroy(t->task);
    fvi_checkpoint_close(&t->checkpoint);
    for (int i = 0; i < t->kept.count; i++) fvi_free_aligned(t->kept.items[i].value.data, t->kept.items[i].bytes);
    fvi_free(t->kept.items);
    fvi_bad_files_free(&t->bad);
    fv_config_destroy(t->before);
    fvi_free(t->changes);
    fvi_events_close(t->events);
    fvi_run_close(&t->run);
    fv_model_destroy(t->own_model);
    fv_data_destroy(t->own_data);
    fvi_free(t->classes);
    fvi_free(t->config_text);
    fv_config_destroy(t->config);
    fvi_free(t);
}

/* ---- preparation ----------------------------------------------------------------------------------------------------- */

/* Freezing needs the variables, which the evaluation graph creates. */
static fv_status freeze(fv_trainer *t)
{
    char *list = t->config->v.freeze ? fvi_strdup(t->config->v.freeze) : NULL, *next = list;
    fv_status status = FV_OK;
    if (!t->config->v.freeze || !*t->config->v.freeze) goto done;
    if (!list) return fvi_nomem(t->ctx);
    FVI_TRY_DONE(t->ctx, status, fvi_task_compile(t->task, FVI_MIN(t->config->v.batch_size, t->train->count), FVI_TASK_EVALUATE, NULL));
    for (char *name; (name = strsep(&next, ", "));) {
        char pattern[256];
        if (!*name) continue;
        const fvi_model_def *def = fvi_model_definition(t->model);
        bool head = !strcmp(name, "all_but_head");
        if (head && (!def || !def->head)) {
            status = fvi_fail(t->ctx, FV_ERROR_CONFIG, "freeze: all_but_head: model %s names no head; give path prefixes", fv_model_name(t->model));
            goto done;
        }
        int n = fv_session_set_trainable(t->session, head ? "*" : name, false);
        snprintf(pattern, sizeof pattern, "%.250s.*", head ? def->head : name);
        n += fv_session_set_trainable(t->session, pattern, head);
        if (n == 0) {
            status = fvi_fail(t->ctx, FV_ERROR_CONFIG, "freeze: no parameter of %s is below \"%s\"", fv_model_name(t->model), name);
            goto done;
        }
    }
done:
    fvi_free(list);
    return status;
}

static fv_status open_task(fv_trainer *t)
{
    const fvi_values *v = &t->config->v;
    const fv_session_options so = {.amp = v->enable_amp, .passes = v->recompute ? "+recompute" : NULL, .seed = (uint64_t)v->seed, .kernel_table = t->run.table_path};
    FVI_TRY(t->ctx, fvi_task_open(t->task, &so));
    t->session = t->task->session;
    return freeze(t);
}

static void count_parameters(fv_trainer *t)
{
    int n = fv_session_var_count(t->session);
    t->progress.parameters = t->progress.trainable = 0;
    for (int i = 0; i < n; i++) {
        const fv_var *v = fv_session_var(t->session, i);
        if (fv_var_role(v) != FV_PARAMETER) continue;
        t->progress.parameters += fv_var_numel(v);
        if (fv_var_trainable(v)) t->progress.trainable += fv_var_numel(v);
    }
}

/* Running statistics move with every micro-batch. With several of them to an update, and one that cannot be read, those that came before
 * are taken back, so that what is saved is a state that a straight run goes through. */
static fv_status find_buffers(fv_trainer *t)
{
    const int n = t->config->v.accumulation > 1 ? fv_session_var_count(t->session) : 0;
    for (int i = 0; i < n; i++) {
        fv_var *v = fv_session_var(t->session, i);
        if (fv_var_role(v) != FV_BUFFER) continue;
        fvi_kept_buffer k = {.var = v};
        fv_var_shape(v, &k.value);
        k.bytes = (size_t)FVI_MAX(fv_var_numel(v), 1) * fv_dtype_size(k.value.dtype);
        k.value.data = fvi_malloc_aligned(k.bytes);
        if (!k.value.data || !FVI_PUSH(&t->kept, k)) {
            fvi_free_aligned(k.value.data, k.bytes);
            return fvi_nomem(t->ctx);
        }
    }
    return FV_OK;
}

fv_status fvi_trainer_keep_buffers(fv_trainer *t)
{
    for (int i = 0; i < t->kept.count; i++) FVI_TRY(t->ctx, fv_var_get(t->session, t->kept.items[i].var, &t->kept.items[i].value));
    return FV_OK;
}

fv_status fvi_trainer_put_back(fv_trainer *t)
{
    for (int i = 0; i < t->kept.count; i++) FVI_TRY(t->ctx, fv_var_set(t->session, t->kept.items[i].var, &t->kept.items[i].value));
    return FV_OK;
}

fv_status fvi_trainer_prepare(fv_trainer *t)
{
    fvi_loader_options train = fvi_trainer_loader(t), val = fvi_loader_for(t->config, t->task, t->val, false);
    int64_t batch = FVI_MIN(t->config->v.batch_size, t->train->count);
    if (t->val) {                                        /* both keep pictures, within one limit */
        val.cache_bytes = (size_t)((double)train.cache_bytes * (double)t->val->count / (double)(t->train->count + t->val->count));
        train.cache_bytes -= val.cache_bytes;
    }
    const int64_t before = fvi_memory_now();             /* program, libraries, data */
    FVI_TRY(t->ctx, open_task(t));
    FVI_TRY(t->ctx, fvi_task_compile(t->task, batch, FVI_TASK_TRAIN | (t->config->v.accumulation > 1 ? FVI_TASK_ACCUMULATE : 0) | (t->val ? FVI_TASK_EVALUATE : 0),
                                     &t->progress.foretold_bytes));
    FVI_TRY(t->ctx, fvi_trainer_take_results(t));
    t->progress.foretold_bytes += before + (int64_t)(fvi_loader_bytes(&train) + (t->val ? fvi_loader_bytes(&val) : 0));
    count_parameters(t);
    if (t->resumed) {                                    /* its state is there after the first update: one that has none left keeps it */
        FVI_TRY(t->ctx, fv_session_set_random(t->session, (uint64_t)t->config->v.seed, 0, 0));
        FVI_TRY(t->ctx, fvi_checkpoint_restore(t->ctx, &t->checkpoint, t->session, t->segment));
    }
    fvi_checkpoint_close(&t->checkpoint);
    FVI_TRY(t->ctx, fvi_loader_create(t->ctx, &train, &t->loader));
    if (t->val) FVI_TRY(t->ctx, fvi_loader_create(t->ctx, &val, &t->val_loader));
    return find_buffers(t);
}

const fv_train_progress *fv_trainer_progress(const fv_trainer *t)
{
    return &t->progress;
}

const fv_config *fv_trainer_config(const fv_trainer *t)
{
    return t->config;
}

fv_session *fv_trainer_session(fv_trainer *t)
{
    return t->session;
}

void fv_trainer_interrupt(fv_trainer *t)
{
    t->interrupted = 1;
}
