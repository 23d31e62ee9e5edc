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
        status = model ? fvi_config_create(ctx, o->config, s.count, s.items, &c) : fv_config_create(ctx, o->config, s.count, s.items, &c);
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
    if (t->train->count < 1 || t->train->classes < 1 || (t->val && t->val->classes != t->train->classes))
        return fvi_fail(t->ctx, FV_ERROR_FORMAT, "training and validation data do not fit: %lld samples, %lld and %lld classes",
                        (long long)t->train->count, (long long)t->train->classes, (long long)(t->val ? t->val->classes : 0));
    if (t->config->v.batch_size > t->train->count)
        fvi_log(t->ctx, FV_LOG_WARN, "batch_size %lld is larger than the data: batches hold all %lld samples", (long long)t->config->v.batch_size,
                (long long)t->train->count);
    return FV_OK;
}

static fvi_loader_options train_loader(const fv_trainer *t)
{
    const fvi_values *v = &t->config->v;
    fvi_loader_options o = fvi_loader_for(t->config, t->train, true);
    /* A last batch of a single sample has no batch statistics; it is left out, as is every short one with drop_last. */
    o.min_last = v->drop_last ? v->batch_size : FVI_MIN(2, v->batch_size);
    o.epoch = t->position.epoch;
    o.index = t->position.index;
    return o;
}

/* ---- numbers --------------------------------------------------------------------------------------------------------- */

/* "100" or "0.5 epoch" in updates. */
static int64_t cadence(const char *text, int64_t updates_per_epoch)
{
    char *end;
    double value = strtod(text, &end);
    while (*end == ' ') end++;
    if (*end) value *= (double)updates_per_epoch;
    return FVI_MAX(1, (int64_t)llround(FVI_MIN(value, 1e15)));
}

static fv_status plan_run(fv_trainer *t)
{
    const fvi_values *v = &t->config->v;
    fvi_plan_of_run *p = &t->plan;
    fvi_loader_options o = train_loader(t);
    p->batches_per_epoch = fvi_loader_batches(&o);
    p->updates_per_epoch = (p->batches_per_epoch + v->accumulation - 1) / v->accumulation;
    int64_t by_epochs = INT64_MAX;
    if (v->epochs && !fvi_mul_i64(v->epochs, p->updates_per_epoch, &by_epochs))
        return fvi_fail(t->ctx, FV_ERROR_CONFIG, "epochs: %lld is too large", (long long)v->epochs);
    p->total = FVI_MIN(by_epochs, v->max_steps ? v->max_steps : INT64_MAX);
    p->validate_every = cadence(v->validate_every, p->updates_per_epoch);
    p->save_every = cadence(v->save_every, p->updates_per_epoch);
    fvi_schedule *s = &p->schedule;
    double peak = v->max_learning_rate > 0 ? v->max_learning_rate : v->learning_rate;
    *s = (fvi_schedule){.kind = (fvi_schedule_kind)v->scheduler, .base = peak, .min = v->final_lr_ratio > 0 ? peak * v->final_lr_ratio : v->min_lr,
                        .warmup = v->warmup_epochs > 0 ? llround(v->warmup_epochs * (double)p->updates_per_epoch) : v->warmup_iters,
                        .total = v->lr_decay_iters ? v->lr_decay_iters : p->total, .gamma = v->gamma, .n_milestones = (int)v->milestones.n,
                        .restart = v->restart_epochs > 0 ? llround(v->restart_epochs * (double)p->updates_per_epoch) : v->restart_iters,
                        .restart_mult = v->restart_mult, .factor = v->plateau_factor, .threshold = v->plateau_threshold, .absolute = v->plateau_absolute == 1,
                        .patience = v->plateau_patience, .cooldown = v->plateau_cooldown,
                        .momentum = v->optimizer == FV_SGD ? v->momentum : v->betas[0], .cycle_momentum = true};
    memcpy(s->milestones, v->milestones.d, sizeof s->milestones);
    if (s->kind != FVI_ONE_CYCLE && s->warmup >= s->total && s->warmup > 0)
        return fvi_fail(t->ctx, FV_ERROR_CONFIG, "warm-up of %lld updates leaves nothing of %lld; lower warmup_iters or raise max_steps",
                        (long long)s->warmup, (long long)s->total);
    if (s->kind == FVI_PLATEAU && !t->val)
        return fvi_fail(t->ctx, FV_ERROR_CONFIG, "scheduler=plateau follows the validations, and there is no validation data; take cosine or multi_step");
    return FV_OK;
}

static fv_status parse_class_weights(fv_trainer *t)
{
    const char *text = t->config->v.class_weights;
    if (!text || !*text) return FV_OK;
    int n = 1;
    for (const char *p = text; *p; p++) n += *p == ',';
    if (!(t->class_weights = fvi_calloc((size_t)n, sizeof *t->class_weights))) return fvi_nomem(t->ctx);
    for (const char *p = text; t->n_class_weights < n; p++) {
        char *end;
        double w = strtod(p, &end);
        if (end == p || !(w >= 0) || !isfinite(w) || (*end && *end != ','))
            return fvi_fail(t->ctx, FV_ERROR_CONFIG, "loss.class_weights: \"%s\" is not a list of numbers of at least 0", text);
        t->class_weights[t->n_class_weights++] = w;
        p = end;
    }
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

static void describe(fv_trainer *t)
{
    fv_train_progress *p = &t->progress;
    *p = (fv_train_progress){.max_steps = t->plan.total, .loss = NAN, .learning_rate = NAN, .grad_norm = NAN, .best = NAN, .best_step = -1,
                             .run = t->run.path, .model = fv_model_name(t->model), .data = t->config->v.data_root, .train_samples = t->train->count,
                             .val_samples = t->val ? t->val->count : 0, .threads = fv_context_threads(t->ctx), .amp = t->config->v.enable_amp,
                             .metrics = t->metrics,
                             .monitor = t->own_monitor >= 0 ? t->own[t->own_monitor].name : fvi_metric_names[t->config->v.monitor]};
}

/* No checkpoint where the configuration looks for one, but where it looked before: going on would begin anew. */
static fv_status check_left_behind(const fv_trainer *t)
{
    const char *was = t->run.before->v.checkpoint_dir;
    char *old = was ? fvi_path_absolute(was) : fvi_path_join(t->run.path, "checkpoints"), *latest = old ? fvi_path_join(old, "latest.state.safetensors") : NULL;
    fv_status status = latest ? FV_OK : fvi_nomem(t->ctx);
    if (latest && strcmp(old, t->run.checkpoints) && fvi_file_exists(latest))
        status = fvi_fail(t->ctx, FV_ERROR_CONFIG, "checkpoint_dir: the checkpoints of %s are in %s; move them to %s first", t->run.path, old, t->run.checkpoints);
    fvi_free(old);
    fvi_free(latest);
    return status;
}

/* Where an existing run stands; the position of a fresh one otherwise. */
static fv_status open_position(fv_trainer *t)
{
    bool found = false;
    t->position = (fvi_position){.validated_step = -1, .best = NAN, .best_step = -1, .stop_best = NAN, .last_loss = NAN, .last_norm = NAN, .last_rate = NAN};
    for (int i = 0; i < FVI_METRICS; i++) t->position.metrics[i] = NAN;
    if (t->run.exists) FVI_TRY(t->ctx, fvi_checkpoint_open(t->ctx, t->run.checkpoints, !t->dry, &t->checkpoint, &found));
    if (t->run.exists && !found) {
        FVI_TRY(t->ctx, check_left_behind(t));
        fvi_log(t->ctx, FV_LOG_WARN, "%s holds no checkpoint: the run begins anew", t->run.checkpoints);
    }
    t->resumed = found;
    if (found) t->position = t->checkpoint.position;
    for (int64_t i = t->position.n_own; i < t->n_own; i++) t->position.own[i] = NAN;
    t->position.n_own = t->n_own;
    return FV_OK;
}

/* What a segment with changed keys takes over: all but what those keys would make meaningless. */
static void begin_segment(fv_trainer *t)
{
    static const char *const rate_keys[] = {"scheduler", "learning_rate", "max_learning_rate", "min_lr", "final_lr_ratio", "plateau"};
    fvi_position *p = &t->position;
    const fvi_run *r = &t->run;
    bool monitor = fvi_run_changed(r, t->config, "monitor") || fvi_run_changed(r, t->config, "mode"), rate = monitor;
    const int64_t patience = r->before->v.patience;
    if (p->step < t->plan.total) p->finished = false;
    if (monitor) {
        p->best = p->stop_best = NAN;
        p->best_step = -1;
        fvi_log(t->ctx, FV_LOG_INFO, "another figure decides what is best: the search for it starts anew");
    }
    /* Stopped early before: going on is meant, so the count of patience starts anew. */
    if (monitor || (patience > 0 && p->bad_checks >= patience)) p->bad_checks = 0;
    for (int i = 0; i < FVI_COUNT(rate_keys); i++) rate = rate || fvi_run_changed(r, t->config, rate_keys[i]);
    if (rate) p->plateau = (fvi_plateau){0};
}

/* A continued run with another batch size or data: the epoch's order is another one, so it goes on with a new epoch. */
static void align_position(fv_trainer *t)
{
    fvi_position *p = &t->position;
    bool same = p->batch_size == t->config->v.batch_size && p->seed == t->config->v.seed;
    if (t->resumed && (!same || p->index >= t->plan.batches_per_epoch) && p->index > 0) {
        p->epoch++;
        p->index = 0;
    }
    p->batch_size = t->config->v.batch_size;
    p->seed = t->config->v.seed;
    if (t->resumed && t->run.changed) begin_segment(t);
    t->plan.schedule.reductions = p->plateau.reductions;
    if (t->resumed && p->step > 0) {                     /* as after the update that it stands at */
        t->progress.loss = p->last_loss;
        t->progress.grad_norm = p->last_norm;
        t->progress.learning_rate = isnan(p->last_rate) ? fvi_schedule_rate(&t->plan.schedule, p->step - 1) : p->last_rate;
    }
    if (t->resumed && t->run.changed && !p->finished)
        fvi_log(t->ctx, FV_LOG_INFO, "step %lld of %lld goes on with %s; the rate was %g and is now %g", (long long)p->step, (long long)t->plan.total,
                t->run.changes, t->progress.learning_rate, fvi_schedule_rate(&t->plan.schedule, p->step));
}

static fv_status check_resumed(fv_trainer *t)
{
    int64_t before = t->position.samples;
    if (before && before != t->train->count && !t->run.changed)
        return fvi_fail(t->ctx, FV_ERROR_FORMAT, "the run was trained on %lld samples, the data have %lld now: other data, or files are missing; use "
                        "--new for a new run", (long long)before, (long long)t->train->count);

    const char *cpu = fvi_st_metadata(&t->checkpoint.state, "fovea.cpu"), *version = fvi_st_metadata(&t->checkpoint.state, "fovea.version");
    if ((cpu && strcmp(cpu, fvi_cpu_model())) || (version && strcmp(version, fv_version())) || t->position.threads != fv_context_threads(t->ctx))
        fvi_log(t->ctx, FV_LOG_INFO, "resuming on another machine, version or number of threads (%s, %s, %lld threads before): numbers may differ in "
                "the last bits", cpu ? cpu : "?", version ? version : "?", (long long)t->position.threads);
    return FV_OK;
}

/* Names and columns of the user's own figures. */
static fv_status take_own_metrics(fv_trainer *t, const fv_train_options *o)
{
    if (o->n_metrics > FVI_OWN_METRICS)
        return fvi_fail(t->ctx, FV_ERROR_INVALID, "%d own metrics; at most %d are kept", o->n_metrics, FVI_OWN_METRICS);
    t->own = o->metrics;
    t->own_monitor = -1;
    for (int i = 0; i < o->n_metrics; i++) {
        const fv_own_metric *m = &o->metrics[i];
        char *column = m->name ? fvi_format("val_%s", m->name) : NULL;
        if (m->name && !column) return fvi_nomem(t->ctx);
        bool good = column && m->add && m->value && *m->name && m->name[strspn(m->name, "abcdefghijklmnopqrstuvwxyz0123456789_")] == 0;
        for (int k = 0; good && k < FVI_METRICS + i; k++)
            good = strcmp(column, k < FVI_METRICS ? fvi_metric_columns[k] : t->run.own_columns[k - FVI_METRICS]) != 0;
        if (!good) {
            fvi_free(column);
            return fvi_fail(t->ctx, FV_ERROR_INVALID, "own metric %d (%s) needs add, value and a name of its own in small letters", i + 1, m->name ? m->name : "no name");
        }
        t->run.own_columns[t->run.n_own++] = column;
        if (m->monitor && t->own_monitor < 0) t->own_monitor = i;
    }
    t->n_own = o->n_metrics;
    return FV_OK;
}

void fvi_trainer_show_metrics(fv_trainer *t)
{
    t->progress.n_metrics = 0;
    for (int i = 0; i < FVI_METRICS; i++)
        if (!isnan(t->position.metrics[i])) t->metrics[t->progress.n_metrics++] = (fv_metric){fvi_metric_columns[i], t->position.metrics[i]};
    for (int i = 0; i < t->n_own; i++)
        if (!isnan(t->position.own[i])) t->metrics[t->progress.n_metrics++] = (fv_metric){t->run.own_columns[i], t->position.own[i]};
}

static fv_status create(fv_trainer *t, const fv_train_options *o, const char *folder)
{
    if (!t->config) FVI_TRY(t->ctx, fvi_trainer_config(t->ctx, t->model, o, &t->config));
    if (t->config->v.seeds > 0) return fvi_fail(t->ctx, FV_ERROR_CONFIG, "seeds: a trainer trains one; fv_train repeats a run");
    if (t->config->v.threads > 0) fv_context_set_threads(t->ctx, (int)t->config->v.threads);
    if (!folder && o->config && fvi_is_dir(o->config)) folder = o->config;
    FVI_TRY(t->ctx, fvi_run_open(t->ctx, t->config, folder, o->mode, o->dry_run, &t->run));
    FVI_TRY(t->ctx, take_own_metrics(t, o));
    FVI_TRY(t->ctx, open_sources(t, o));
    FVI_TRY(t->ctx, parse_class_weights(t));
    FVI_TRY(t->ctx, plan_run(t));
    FVI_TRY(t->ctx, create_model(t));
    FVI_TRY(t->ctx, open_position(t));
    describe(t);
    align_position(t);
    if (t->resumed) FVI_TRY(t->ctx, check_resumed(t));
    t->position.threads = fv_context_threads(t->ctx);
    t->position.samples = t->train->count;
    t->classes = fvi_classes_json(t->train);
    t->config_text = fv_config_text(t->config, false);
    if (!t->classes || !t->config_text) return fvi_nomem(t->ctx);
    if (t->resumed) {
        const char *classes = fvi_st_metadata(&t->checkpoint.state, "fovea.classes");
        if (classes && strcmp(classes, t->classes))
            return fvi_fail(t->ctx, FV_ERROR_FORMAT, "the run was trained on classes %s, the data have %s", classes, t->classes);
    }
    t->progress.step = t->progress.start_step = t->position.step;
    t->progress.best = t->position.best;
    t->progress.best_step = t->position.best_step;
    t->progress.finished = t->position.finished;
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
    fvi_classify_destroy(t->task);
    fv_session_destroy(t->session);
    fvi_checkpoint_close(&t->checkpoint);
    fvi_events_close(t->events);
    fvi_run_close(&t->run);
    fvi_confusion_free(&t->counts);
    fvi_mistakes_free(&t->mistakes);
    fv_model_destroy(t->own_model);
    fv_data_destroy(t->own_data);
    fvi_free(t->class_weights);
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
    FVI_TRY_DONE(t->ctx, status, fvi_classify_prepare(t->task, t->config->v.batch_size, FVI_CLASSIFY_EVALUATE, NULL));
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

static fv_status create_task(fv_trainer *t)
{
    const fvi_values *v = &t->config->v;
    fv_session_options so = {.amp = v->enable_amp, .passes = v->recompute ? "+recompute" : NULL, .seed = (uint64_t)v->seed, .kernel_table = t->run.table_path};
    fvi_classify_options o = {.model = t->model, .classes = t->train->classes, .size = v->image_size,
                              .loss = {v->label_smoothing, t->n_class_weights, t->class_weights}, .own_loss = t->loss, .own_loss_user = t->loss_user,
                              .own_gradient = t->step.gradient, .own_update = t->step.update, .own_step_user = t->step.user,
                              .optimizer = {.kind = (fv_optimizer_kind)v->optimizer, .beta2 = v->betas[1], .eps = v->eps, .weight_decay = v->weight_decay,
                                            .nesterov = v->nesterov, .max_grad_norm = v->max_grad_norm, .ema = v->ema_decay > 0}};
    FVI_TRY(t->ctx, fv_session_create(t->ctx, &so, &t->session));
    FVI_TRY(t->ctx, fvi_classify_create(t->session, &o, &t->task));
    FVI_TRY(t->ctx, freeze(t));
    return FV_OK;
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

fv_status fvi_trainer_prepare(fv_trainer *t)
{
    fvi_loader_options train = train_loader(t), val = fvi_loader_for(t->config, t->val, false);
    int64_t batch = FVI_MIN(t->config->v.batch_size, t->train->count);
    if (t->val) {                                        /* both keep pictures, within one limit */
        val.cache_bytes = (size_t)((double)train.cache_bytes * (double)t->val->count / (double)(t->train->count + t->val->count));
        train.cache_bytes -= val.cache_bytes;
    }
    const int64_t before = fvi_memory_now();             /* program, libraries, data */
    FVI_TRY(t->ctx, create_task(t));
    FVI_TRY(t->ctx, fvi_classify_prepare(t->task, batch, FVI_CLASSIFY_TRAIN | (t->config->v.accumulation > 1 ? FVI_CLASSIFY_ACCUMULATE : 0) |
                                                                 (t->val ? FVI_CLASSIFY_EVALUATE : 0), &t->progress.foretold_bytes));
    t->progress.foretold_bytes += before + (int64_t)(fvi_loader_bytes(&train) + (t->val ? fvi_loader_bytes(&val) : 0));
    count_parameters(t);
    if (t->resumed) FVI_TRY(t->ctx, fvi_checkpoint_restore(t->ctx, &t->checkpoint, t->session, t->run.changed));
    fvi_checkpoint_close(&t->checkpoint);
    FVI_TRY(t->ctx, fvi_confusion_init(t->ctx, &t->counts, t->train->classes));
    FVI_TRY(t->ctx, fvi_mistakes_init(t->ctx, &t->mistakes, (int)t->config->v.paint_images));
    FVI_TRY(t->ctx, fvi_loader_create(t->ctx, &train, &t->loader));
    if (!t->val) return FV_OK;
    FVI_TRY(t->ctx, fvi_loader_create(t->ctx, &val, &t->val_loader));
    return FV_OK;
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
