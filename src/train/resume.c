/* SPDX-License-Identifier: Apache-2.0 */
/* Where a run stands, what is left of it, and what it takes over when it goes on with other keys or other data. */
#include "base/file.h"
#include "base/thread.h"
#include "train/trainer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- the checkpoint --------------------------------------------------------------------------------------------------- */

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

/* Changes are those since the last save, not since the last start: a process that was killed before it saved has changed nothing. */
static fv_status find_changes(fv_trainer *t)
{
    const char *text = fvi_st_metadata(&t->checkpoint.state, "fovea.config");
    if (text && fvi_config_from_text(NULL, t->own_def, "fovea.config", text, 0, NULL, &t->before) == FV_ERROR_NOMEM) return fvi_nomem(t->ctx);
    if (!(t->changes = fvi_config_difference(t->before ? t->before : t->run.before, t->config))) return fvi_nomem(t->ctx);
    t->segment = *t->changes != 0;
    return FV_OK;
}

/* The position of an existing run; of a fresh one otherwise. */
fv_status fvi_trainer_open_position(fv_trainer *t)
{
    fvi_position *p = &t->position;
    bool found = false;
    *p = (fvi_position){.validated_step = -1, .best = NAN, .best_step = -1, .stop_best = NAN, .last_loss = NAN, .last_norm = NAN, .last_rate = NAN};
    if (t->run.exists) FVI_TRY(t->ctx, fvi_checkpoint_open(t->ctx, t->run.checkpoints, !t->dry, &t->checkpoint, &found));
    if (t->run.exists && !found) {
        FVI_TRY(t->ctx, check_left_behind(t));
        fvi_log(t->ctx, FV_LOG_WARN, "%s holds no checkpoint: the run begins anew", t->run.checkpoints);
    }
    t->resumed = found;
    if (found) *p = t->checkpoint.position;
    if (found) FVI_TRY(t->ctx, find_changes(t));
    for (int i = 0; i < t->n_own; i++) {                 /* versions that did not write their names */
        char name[16];
        snprintf(name, sizeof name, "#%d", i);
        for (int k = 0; k < p->n_metrics; k++)
            if (!strcmp(p->metrics[k].name, name)) memcpy(p->metrics[k].name, t->metric[t->n_metrics - t->n_own + i].name, FVI_METRIC_NAME);
    }
    return FV_OK;
}

bool fvi_trainer_changed(const fv_trainer *t, const char *key)
{
    return t->changes && fvi_config_differs(t->before ? t->before : t->run.before, t->config, key);
}

static fv_status check_resumed(const fv_trainer *t)
{
    int64_t before = t->position.samples;
    if (before && before != t->train->count && !t->segment)
        return fvi_fail(t->ctx, FV_ERROR_FORMAT, "the run was trained on %lld samples, the data have %lld now: other data, or files are missing; use "
                        "--new for a new run", (long long)before, (long long)t->train->count);

    const char *cpu = fvi_st_metadata(&t->checkpoint.state, "fovea.cpu"), *version = fvi_st_metadata(&t->checkpoint.state, "fovea.version");
    if ((cpu && strcmp(cpu, fvi_cpu_model())) || (version && strcmp(version, fv_version())) || t->position.threads != fv_context_threads(t->ctx))
        fvi_log(t->ctx, FV_LOG_INFO, "resuming on another machine, version or number of threads (%s, %s, %lld threads before): numbers may differ in "
                "the last bits", cpu ? cpu : "?", version ? version : "?", (long long)t->position.threads);
    return FV_OK;
}

/* ---- the place in the data -------------------------------------------------------------------------------------------- */

fvi_loader_options fvi_trainer_loader(const fv_trainer *t)
{
    const fvi_values *v = &t->config->v;
    fvi_loader_options o = fvi_loader_for(t->config, t->task, t->train, true);
    /* A last batch of a single sample has no batch statistics; it is left out, as is every short one with drop_last. */
    o.min_last = v->drop_last ? v->batch_size : FVI_MIN(2, v->batch_size);
    o.epoch = t->position.epoch;
    o.index = t->position.index;
    return o;
}

double fvi_trainer_passes(const fv_trainer *t)
{
    return (double)t->position.epoch + (double)t->position.index / (double)t->plan.batches_per_epoch;
}

/* With other batches or other data the run goes on at the same share of its epoch, rounded down to a whole batch: an epoch stays one
 * pass over the data. */
static void place_in_epoch(fv_trainer *t)
{
    fvi_position *p = &t->position;
    const int64_t batch = t->config->v.batch_size, samples = t->train->count;
    if (p->batch_size && (p->batch_size != batch || (p->samples && p->samples != samples))) {
        double share = (double)p->index * (double)p->batch_size;
        if (p->samples) share *= (double)samples / (double)p->samples;
        p->index = (int64_t)FVI_MIN(floor(share / (double)batch), (double)t->plan.batches_per_epoch);
    }
    if (p->index >= t->plan.batches_per_epoch) {
        p->epoch++;
        p->index = 0;
    }
    p->batch_size = batch;
    p->samples = samples;
    p->seed = t->config->v.seed;
}

/* The passes before the last update, for versions that did not write when they validated. */
static double passes_before(const fv_trainer *t)
{
    return FVI_MAX(fvi_trainer_passes(t) - (double)t->config->v.accumulation / (double)t->plan.batches_per_epoch, 0);
}

/* ---- the plan --------------------------------------------------------------------------------------------------------- */

/* "100" or "0.5 epoch". */
static fvi_cadence cadence(const char *text)
{
    const char *end;
    double value = fvi_parse_double(text, &end);
    while (*end == ' ') end++;
    if (*end) return (fvi_cadence){.epochs = value};
    return (fvi_cadence){.updates = FVI_MAX(1, (int64_t)llround(FVI_MIN(value, 1e15)))};
}

/* When the run ends. What it has left of its epochs depends on the batches from here on, whatever those before were. */
static fv_status plan_length(fv_trainer *t)
{
    const fvi_values *v = &t->config->v;
    const fvi_position *p = &t->position;
    fvi_plan_of_run *plan = &t->plan;
    int64_t whole = 0, length = 0, begun;
    const int64_t left = (plan->batches_per_epoch - p->index + v->accumulation - 1) / v->accumulation;
    const int64_t windows = (plan->batches_per_epoch + v->accumulation - 1) / v->accumulation, each = plan->windows_per_update;
    plan->ahead = 0;
    plan->total = v->max_steps ? v->max_steps : INT64_MAX;
    if (!v->epochs) return FV_OK;
    if (!fvi_mul_i64(v->epochs, windows, &length) || !fvi_mul_i64(p->epoch, windows, &whole) || !fvi_add_i64(whole, windows - left, &begun))
        return fvi_fail(t->ctx, FV_ERROR_CONFIG, "epochs: %lld is too large", (long long)v->epochs);
    length = length / each + (length % each > 0);
    begun /= each;
    const int64_t by_epochs = FVI_MAX(length + (p->step - begun), p->step);
    if (by_epochs > plan->total) return FV_OK;
    plan->total = by_epochs;
    plan->ahead = p->step - begun;
    return FV_OK;
}

static fv_status plan_schedule(fv_trainer *t)
{
    const fvi_values *v = &t->config->v;
    fvi_plan_of_run *p = &t->plan;
    fv_schedule *s = &p->schedule;
    const char *name = fv_schedule_known((int)v->scheduler, NULL), *momentum = fv_optimizer_momentum(fv_optimizer_known((int)v->optimizer, NULL));
    const fvi_schedule_def *def = fvi_schedule_find(name);
    double peak = v->max_learning_rate > 0 ? v->max_learning_rate : v->learning_rate;
    *s = (fv_schedule){.name = name, .base = peak, .min = v->final_lr_ratio > 0 ? peak * v->final_lr_ratio : v->min_lr,
                        .warmup = v->warmup_epochs > 0 ? llround(v->warmup_epochs * (double)p->updates_per_epoch) : v->warmup_iters,
                        .total = v->lr_decay_iters ? v->lr_decay_iters : p->total - p->ahead, .gamma = v->gamma, .n_milestones = (int)v->milestones.n,
                        .restart = v->restart_epochs > 0 ? llround(v->restart_epochs * (double)p->updates_per_epoch) : v->restart_iters,
                        .restart_mult = v->restart_mult, .factor = v->plateau_factor, .threshold = v->plateau_threshold, .absolute = v->plateau_absolute == 1,
                        .patience = v->plateau_patience, .cooldown = v->plateau_cooldown,
                        .momentum = momentum && !strcmp(momentum, "momentum") ? v->momentum : v->betas[0], .cycle_momentum = true};
    memcpy(s->milestones, v->milestones.d, sizeof s->milestones);
    if (!def->no_warmup && s->warmup >= s->total && s->warmup > 0)
        return fvi_fail(t->ctx, FV_ERROR_CONFIG, "warm-up of %lld updates leaves nothing of %lld; lower warmup_iters or raise max_steps",
                        (long long)s->warmup, (long long)s->total);
    if (def->by_validation && !t->val)
        return fvi_fail(t->ctx, FV_ERROR_CONFIG, "scheduler=plateau follows the validations, and there is no validation data; take cosine or multi_step");
    return FV_OK;
}

void fvi_trainer_reduce(fv_trainer *t)
{
    t->plan.schedule.reductions = t->position.plateau.reductions;
    for (int i = 0; i < t->task->n_programs; i++) t->task->programs[i].schedule.reductions = t->plan.schedule.reductions;
}

double fvi_trainer_rate(const fv_trainer *t, int64_t step)
{
    return fv_schedule_rate(&t->plan.schedule, FVI_MAX(step - t->plan.ahead, 0));
}

/* ---- what figures are compared with ----------------------------------------------------------------------------------- */

/* What of the configuration a validation's figures depend on, beside the data. */
static const char *const measures[] = {"image_size", "normalize.mean", "normalize.std", "augment.resize", "augment.interpolation", "augment.crop_pct", "data.alpha",
                                       "data.exif_orientation", "data.jpeg_scale", "monitor", "mode"};
static const char *const places[] = {"data.root", "data.format", "data.val", "data.images", "data.split", "data.labels"};

/* A hash of what figures are measured on: "" without validation. */
static fv_status measured(const fv_trainer *t, char out[17])
{
    fvi_text text = {0};
    out[0] = 0;
    if (!t->val) return FV_OK;
    fvi_text_add(&text, "%s %d %llx", fvi_trainer_monitor(t), fvi_trainer_smaller_is_better(t), (unsigned long long)t->identity.val);
    for (int i = 0; i < FVI_COUNT(measures); i++) {
        char *value = fv_config_value(t->config, measures[i]);
        if (!value) text.failed = true;
        fvi_text_add(&text, " %s", value ? value : "");
        fvi_free(value);
    }
    char *all = fvi_text_take(&text);
    if (!all) return fvi_nomem(t->ctx);
    snprintf(out, 17, "%016llx", (unsigned long long)fvi_hash_text(all));
    fvi_free(all);
    return FV_OK;
}

/* Versions that wrote no hash: by the keys that have changed. */
static bool keys_changed(const fv_trainer *t)
{
    bool yes = false;
    for (int i = 0; i < FVI_COUNT(measures); i++) yes = yes || fvi_trainer_changed(t, measures[i]);
    for (int i = 0; i < FVI_COUNT(places); i++) yes = yes || fvi_trainer_changed(t, places[i]);
    return yes;
}

static void search_anew(fv_trainer *t)
{
    fvi_position *p = &t->position;
    const bool figure = fvi_trainer_changed(t, "monitor") || fvi_trainer_changed(t, "mode");
    p->best = p->stop_best = NAN;
    p->best_step = -1;
    p->bad_checks = 0;
    p->plateau = (fvi_plateau){0};
    fvi_log(t->ctx, FV_LOG_INFO, "%s: the search for the best, and the counts of early stop and plateau, begin anew",
            figure ? "another figure decides what is best" : "figures are measured on other data, or on pictures prepared otherwise, than those so far");
}

/* What a run takes over: all but what its changed keys or data would make meaningless. */
static fv_status take_over(fv_trainer *t)
{
    static const char *const rate_keys[] = {"scheduler", "learning_rate", "max_learning_rate", "min_lr", "final_lr_ratio", "plateau"};
    fvi_position *p = &t->position;
    char now[17];
    bool rate = false;
    FVI_TRY(t->ctx, measured(t, now));
    if (t->segment && p->step < t->plan.total) p->finished = false;
    if (p->finished) return FV_OK;
    const bool other = !*now || !t->resumed ? false : *p->measured ? strcmp(now, p->measured) != 0 : keys_changed(t);
    memcpy(p->measured, now, sizeof now);
    if (!t->segment && !other) return FV_OK;
    /* Stopped early before: going on is meant, so the count of patience starts anew. */
    const int64_t patience = (t->before ? t->before : t->run.before)->v.patience;
    if (patience > 0 && p->bad_checks >= patience) p->bad_checks = 0;
    for (int i = 0; i < FVI_COUNT(rate_keys); i++) rate = rate || fvi_trainer_changed(t, rate_keys[i]);
    if (rate) p->plateau = (fvi_plateau){0};
    if (other) search_anew(t);
    return FV_OK;
}

/* Groups of calls for each batch: each has its own micro-batches. */
static int64_t windows_of(const fv_task_def *d)
{
    int64_t n = 0;
    for (int i = 0; d->step[i].function; i++) n += d->step[i].each_batch && (i == 0 || !d->step[i - 1].each_batch);
    return FVI_MAX(n, 1);
}

fv_status fvi_trainer_plan(fv_trainer *t)
{
    const fvi_values *v = &t->config->v;
    fvi_position *p = &t->position;
    if (t->resumed) FVI_TRY(t->ctx, check_resumed(t));
    const fvi_loader_options o = fvi_trainer_loader(t);
    t->plan.batches_per_epoch = fvi_loader_batches(&o);
    t->plan.windows_per_update = windows_of(t->def);
    t->plan.updates_per_epoch = FVI_MAX((t->plan.batches_per_epoch + v->accumulation - 1) / v->accumulation / t->plan.windows_per_update, 1);
    t->plan.validate_every = cadence(v->validate_every);
    t->plan.save_every = cadence(v->save_every);
    place_in_epoch(t);
    FVI_TRY(t->ctx, plan_length(t));
    FVI_TRY(t->ctx, plan_schedule(t));
    FVI_TRY(t->ctx, take_over(t));
    fv_task_program program = fvi_task_of(t->config, t->model, t->train->classes, t->train->class_names).program;
    program.schedule = t->plan.schedule;
    FVI_TRY(t->ctx, fvi_task_set_program(t->task, &program));
    fvi_trainer_reduce(t);
    p->threads = fv_context_threads(t->ctx);
    const double last = p->validated_step == p->step ? fvi_trainer_passes(t) : passes_before(t);
    if (isnan(p->validated_epoch)) p->validated_epoch = last;
    t->saved_epoch = last;
    if (t->segment && !p->finished)
        fvi_log(t->ctx, FV_LOG_INFO, "step %lld of %lld goes on with %s; the rate was %g and is now %g", (long long)p->step, (long long)t->plan.total,
                t->changes, isnan(p->last_rate) ? fvi_trainer_rate(t, p->step - 1) : p->last_rate, fvi_trainer_rate(t, p->step));
    return FV_OK;
}
