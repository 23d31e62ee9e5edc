/* SPDX-License-Identifier: Apache-2.0 */
/* The training loop. A step is one optimizer update over a window of micro-batches; windows do not cross epochs, so the
 * position in the data is always (epoch, batch) and the last window of an epoch may be short. After a step come, in this
 * order: validation, saving, and only then stopping. */
#include "base/context.h"
#include "base/thread.h"
#include "train/outputs.h"
#include "base/file.h"

#include <math.h>
#include <stdio.h>

void fvi_trainer_tell(fv_trainer *t, fv_train_event event)
{
    fv_train_progress *p = &t->progress;
    const fvi_position *at = &t->position;
    p->step = at->step;
    p->epoch = fvi_trainer_passes(t);
    p->best = at->best;
    p->best_step = at->best_step;
    p->finished = at->finished;
    p->seconds = t->train_seconds;
    p->bad_files = fvi_trainer_bad(t);
    p->data_wait = t->train_seconds > 0 && t->loader ? fvi_loader_waited(t->loader) / t->train_seconds : 0;
    int64_t done = at->step - p->start_step;             /* with what validations and saving take of the time */
    p->eta_seconds = done > 0 ? (fvi_seconds() - t->begin) / (double)done * (double)(t->plan.total - at->step) : 0;
    p->images_per_second = t->rate_seconds > 0 ? t->rate_images / t->rate_seconds : 0;
    if (t->callback && !t->callback(t->callback_user, event, p)) t->interrupted = 1;
}

/* ---- validation ------------------------------------------------------------------------------------------------------- */

/* One pass over the validation data; false in *whole when interrupted. */
static fv_status evaluate(fv_trainer *t, bool *whole)
{
    const fv_batch *b;
    int64_t dropped = 0;
    t->evaluated = 0;
    if (t->def->begin) FVI_TRY(t->ctx, t->def->begin(t->task));
    for (int i = 0; i < t->n_own; i++)
        if (t->own[i].begin) t->own[i].begin(t->own[i].user);
    do {
        const fv_results *r = NULL;
        FVI_TRY(t->ctx, fvi_loader_next(t->val_loader, &b));
        if (b->n) FVI_TRY(t->ctx, fvi_task_evaluate(t->task, b, &r));
        for (int i = 0; b->n && i < t->n_own; i++) t->own[i].add(t->own[i].user, b, r);
        t->evaluated += b->n;
        dropped += b->dropped;
        *whole = b->last;
    } while (!b->last && !t->interrupted);
    if (*whole && !t->evaluated) return fvi_fail(t->ctx, FV_ERROR_FORMAT, "none of the %lld pictures to validate with can be read", (long long)dropped);
    if (*whole && t->evaluated + dropped != t->val->count)
        return fvi_fail(t->ctx, FV_ERROR_INTERNAL, "evaluated %lld of %lld samples", (long long)t->evaluated, (long long)t->val->count);
    if (*whole && t->def->finish) FVI_TRY(t->ctx, t->def->finish(t->task, t->values));
    return FV_OK;
}

static double monitored(const fv_trainer *t)
{
    /* A model that yields NaN is never the best. */
    const int loss = fvi_task_metric(t->def, "loss");
    if (loss >= 0 && !isfinite(t->values[loss])) return (double)NAN;
    if (t->own_monitor >= 0) return t->position.metrics[t->n_metrics - t->n_own + t->own_monitor].value;
    return t->monitor >= 0 ? t->values[t->monitor] : (double)NAN;
}

/* Strictly, by more than `delta`: a tie keeps the older one. The first figure is better than none, NaN is better than nothing. */
static bool is_better(const fv_trainer *t, double value, double than, double delta)
{
    if (!isfinite(value)) return false;
    if (isnan(than)) return true;
    return fvi_trainer_smaller_is_better(t) ? value < than - delta : value > than + delta;
}

/* What a validation decides: best, the count of early stop, the rate of plateau. */
static void judge(fv_trainer *t, double value)
{
    fvi_position *p = &t->position;
    fv_schedule *s = &t->plan.schedule;
    t->progress.improved = is_better(t, value, p->best_step < 0 ? (double)NAN : p->best, 0);
    if (t->progress.improved) {
        p->best = value;
        p->best_step = p->step;
    }
    if (is_better(t, value, p->stop_best, t->config->v.min_delta)) {
        p->stop_best = value;
        p->bad_checks = 0;
    } else {
        p->bad_checks++;
    }
    if (!fvi_schedule_find(s->name)->by_validation) return;
    const double before = fvi_trainer_rate(t, p->step);
    bool reduced = fvi_plateau_step(s, &p->plateau, value, fvi_trainer_smaller_is_better(t));
    fvi_trainer_reduce(t);
    if (reduced) fvi_log(t->ctx, FV_LOG_INFO, "plateau: %s no longer improves, the rate goes from %g to %g", t->progress.monitor, before,
                         fvi_trainer_rate(t, p->step));
}

static fv_status save_best(fv_trainer *t)
{
    char *path = fvi_path_join(t->run.checkpoints, "best.safetensors");
    fvi_texts texts = {.config = t->config_text, .classes = t->classes, .model = fv_model_name(t->model), .version = fv_version(), .data = t->data_text};
    if (!path) return fvi_nomem(t->ctx);
    fv_status status = fvi_weights_save(t->ctx, t->session, path, t->config->v.ema_decay > 0, &t->position, &texts);
    fvi_free(path);
    return status;
}

/* Values of this validation under their columns; `raw`: all metrics of the task, with the weights themselves. */
static void set_metrics(fv_trainer *t, const double *raw)
{
    fvi_position *p = &t->position;
    p->n_metrics = t->n_metrics;
    for (int i = 0; i < t->n_metrics; i++) {
        const fvi_metric_row *m = &t->metric[i];
        memcpy(p->metrics[i].name, m->name, sizeof m->name);
        if (m->task >= 0) p->metrics[i].value = !m->raw ? t->values[m->task] : raw ? raw[m->task] : (double)NAN;
        else p->metrics[i].value = t->own[i - (t->n_metrics - t->n_own)].value(t->own[i - (t->n_metrics - t->n_own)].user);
    }
    fvi_trainer_show_metrics(t);
}

static fv_status add_row(fv_trainer *t, bool validated)
{
    double values[FVI_COLUMNS_MAX];
    for (int i = 0; i < t->n_train_results; i++) values[i] = i < t->position.n_results ? t->position.results[i].value : (double)NAN;
    for (int i = 0; i < t->n_metrics; i++) values[t->n_train_results + i] = validated ? t->position.metrics[i].value : (double)NAN;
    fvi_metrics_row m = {.step = t->position.step, .epoch = fvi_trainer_passes(t), .rate = t->progress.learning_rate, .loss = t->progress.loss,
                         .norm = t->progress.grad_norm, .values = values};
    return fvi_run_row(&t->run, &m);
}

/* Raw weights first, for comparison, then the averages: what is measured last is what counts. */
static fv_status evaluate_both(fv_trainer *t, double *raw, bool *has_raw, bool *whole)
{
    *has_raw = false;
    FVI_TRY(t->ctx, evaluate(t, whole));
    if (t->config->v.ema_decay <= 0 || !*whole) return FV_OK;
    memcpy(raw, t->values, sizeof t->values);
    *has_raw = true;
    t->savable = false;
    FVI_TRY(t->ctx, fvi_swap_averages(t->ctx, t->session));
    fv_status status = evaluate(t, whole);
    FVI_TRY(t->ctx, fvi_swap_averages(t->ctx, t->session));
    t->savable = true;
    return status;
}

/* The row comes last: what fails before it is done again when the run goes on. */
static fv_status validate(fv_trainer *t)
{
    bool whole = false, has_raw;
    double raw[FVI_METRICS_MAX];
    fvi_position *p = &t->position;
    FVI_TRY(t->ctx, evaluate_both(t, raw, &has_raw, &whole));
    if (!whole) return FV_OK;                            /* interrupted: done again after resuming */
    set_metrics(t, has_raw ? raw : NULL);
    p->validated_step = p->step;
    p->validated_epoch = fvi_trainer_passes(t);
    judge(t, monitored(t));
    if (t->progress.improved) FVI_TRY(t->ctx, save_best(t));
    FVI_TRY(t->ctx, fvi_outputs_validated(t));
    FVI_TRY(t->ctx, add_row(t, true));
    t->saved_step = -1;
    if (t->config->v.patience > 0 && p->bad_checks >= t->config->v.patience && p->step < t->plan.total) {
        p->finished = true;
        fvi_log(t->ctx, FV_LOG_INFO, "stopping early: no improvement in %lld validations; the best is step %lld", (long long)p->bad_checks,
                (long long)p->best_step);
    }
    fvi_trainer_tell(t, FV_TRAIN_VALIDATED);
    return FV_OK;
}

/* Where it fails the run stands before it, so that what was trained can be saved. */
fv_status fvi_trainer_validate(fv_trainer *t)
{
    fvi_position *p = &t->position;
    const fvi_position before = *p;
    const size_t rows = t->run.rows.length;
    if (!t->val) {
        p->validated_step = p->step;
        p->validated_epoch = fvi_trainer_passes(t);
        return add_row(t, false);
    }
    fv_status status = validate(t);
    if (status == FV_OK) return FV_OK;
    *p = before;
    fvi_trainer_reduce(t);
    t->run.rows.length = FVI_MIN(t->run.rows.length, rows);
    return status;
}

/* ---- saving ------------------------------------------------------------------------------------------------------------ */

static fv_status save_checkpoint(fv_trainer *t)
{
    fvi_texts texts = {.config = t->config_text, .classes = t->classes, .model = fv_model_name(t->model), .version = fv_version(), .data = t->data_text,
                       .cpu = fvi_cpu_model(), .kernel_table = t->run.table ? t->run.table : "shipped"};
    fv_status status = fvi_checkpoint_save(t->ctx, t->session, t->run.checkpoints, &t->position, &texts);
    if (status != FV_OK) t->savable = false;             /* not tried again */
    FVI_TRY(t->ctx, status);
    t->saved_step = t->position.step;
    t->saved_epoch = fvi_trainer_passes(t);
    t->progress.path = t->run.checkpoints;
    fvi_trainer_tell(t, FV_TRAIN_SAVED);
    t->progress.path = NULL;
    return FV_OK;
}

fv_status fvi_trainer_save(fv_trainer *t)
{
    FVI_TRY(t->ctx, fvi_run_flush(&t->run));
    FVI_TRY(t->ctx, fvi_trainer_list_bad(t));
    return save_checkpoint(t);
}

/* An error ends the run: a picture that cannot be read, a disk without room for the log or the report. What was trained is saved before,
 * as far as that is possible, unless it is the update that failed. The error stays the last one. */
static void rescue(fv_trainer *t, fv_status status)
{
    char room[FV_SHELL_ROOM];
    char message[FVI_MESSAGE_BYTES], *path = fvi_path_join(t->run.checkpoints, "latest.safetensors");
    snprintf(message, sizeof message, "%s", fv_error_message(t->ctx));
    bool saved = false;
    if (t->savable && t->position.step > 0 && t->saved_step != t->position.step) {
        fv_status log = fvi_run_flush(&t->run), list = fvi_trainer_list_bad(t);
        (void)log, (void)list;                           /* their disk may be the reason */
        saved = save_checkpoint(t) == FV_OK;
        status = fvi_fail(t->ctx, status, "%s", message);
    }
    if (saved)
        fvi_log(t->ctx, FV_LOG_WARN, "what was trained is saved at step %lld of %lld; when the cause is mended, go on with: fovea train %s",
                (long long)t->position.step, (long long)t->plan.total, fv_shell_word(t->run.path, room));
    else if (status != FV_ERROR_NUMERIC && path && fvi_file_exists(path))
        fvi_log(t->ctx, FV_LOG_WARN, "what was saved is whole; when the cause is mended, go on with: fovea train %s", fv_shell_word(t->run.path, room));
    fvi_free(path);
}

/* ---- the loop ----------------------------------------------------------------------------------------------------------- */

/* `last`: passes over the data when it was done last. */
static bool due(const fv_trainer *t, const fvi_cadence *every, double last)
{
    const double little = 1e-9;                          /* three times 0.1 is a little more than 0.3 */
    if (t->position.step >= t->plan.total) return true;
    if (every->updates) return t->position.step % every->updates == 0;
    return floor(fvi_trainer_passes(t) / every->epochs + little) > floor(last / every->epochs + little);
}

static bool validation_due(const fv_trainer *t)
{
    return due(t, &t->plan.validate_every, t->position.validated_epoch);
}

static fv_status interrupted(fv_trainer *t)
{
    char room[FV_SHELL_ROOM];
    if (t->saved_step != t->position.step) FVI_TRY(t->ctx, fvi_trainer_save(t));
    FVI_TRY(t->ctx, fvi_outputs_end(t));
    return fvi_fail(t->ctx, FV_ERROR_CANCELED, "interrupted; saved at step %lld of %lld. Go on with: fovea train %s",
                    (long long)t->position.step, (long long)t->plan.total, fv_shell_word(t->run.path, room));
}

/* What is due at the end of a step. A run that was interrupted in between makes up for it when it goes on. */
static fv_status after_step(fv_trainer *t)
{
    fvi_position *p = &t->position;
    if (p->step == 0) return FV_OK;
    if (validation_due(t) && p->validated_step != p->step && !t->interrupted) FVI_TRY(t->ctx, fvi_trainer_validate(t));
    if (p->step >= t->plan.total && p->validated_step == p->step) {
        p->finished = true;
        if (!t->val) FVI_TRY(t->ctx, save_best(t));
    }
    if ((due(t, &t->plan.save_every, t->saved_epoch) || p->finished) && t->saved_step != p->step) FVI_TRY(t->ctx, fvi_trainer_save(t));
    return FV_OK;
}

fv_status fvi_trainer_loop(fv_trainer *t)
{
    fvi_position *p = &t->position;
    if (t->resumed) t->saved_step = p->step;
    FVI_TRY(t->ctx, after_step(t));
    while (!p->finished) {
        if (t->interrupted) return interrupted(t);
        FVI_TRY(t->ctx, fvi_trainer_step(t));
        fvi_trainer_tell(t, FV_TRAIN_STEP);
        if (!validation_due(t)) FVI_TRY(t->ctx, add_row(t, false));
        FVI_TRY(t->ctx, fvi_outputs_step(t));
        FVI_TRY(t->ctx, after_step(t));
    }
    return FV_OK;
}

/* One batch through everything, to see that it fits; nothing is written. */
static fv_status dry_run(fv_trainer *t)
{
    FVI_TRY(t->ctx, fvi_trainer_step(t));
    fvi_trainer_tell(t, FV_TRAIN_STEP);
    fvi_trainer_tell(t, FV_TRAIN_END);
    return FV_OK;
}

static fv_status begin(fv_trainer *t)
{
    FVI_TRY(t->ctx, fvi_run_take(&t->run));
    FVI_TRY(t->ctx, fvi_run_begin(&t->run, t->config, t->train, t->position.step, t->own_data && !t->stored_split));
    FVI_TRY(t->ctx, fvi_trainer_store_split(t));
    FVI_TRY(t->ctx, fvi_outputs_begin(t));
    return FV_OK;
}

static void tell_end(fv_trainer *t)
{
    t->progress.path = t->run.checkpoints;
    fvi_trainer_tell(t, FV_TRAIN_END);
    t->progress.path = NULL;
}

fv_status fv_trainer_run(fv_trainer *t)
{
    if (t->position.finished && t->resumed) {
        if (!t->dry) FVI_TRY(t->ctx, fvi_outputs_late(t));
        tell_end(t);
        return FV_OK;
    }
    FVI_TRY(t->ctx, fvi_trainer_prepare(t));
    if (!t->dry) FVI_TRY(t->ctx, begin(t));
    fvi_trainer_tell(t, FV_TRAIN_START);
    if (t->dry) return dry_run(t);
    t->savable = true;
    fv_status status = fvi_trainer_loop(t);
    if (status != FV_OK && status != FV_ERROR_CANCELED) rescue(t, status);
    if (status == FV_OK) status = fvi_outputs_end(t);
    if (status == FV_OK) tell_end(t);
    return status;
}
