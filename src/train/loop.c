/* SPDX-License-Identifier: Apache-2.0 */
/* The training loop. A step is one optimizer update over a window of micro-batches; windows do not cross epochs, so the
 * position in the data is always (epoch, batch) and the last window of an epoch may be short. After a step come, in this
 * order: validation, saving, and only then stopping. */
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
    p->epoch = (double)at->epoch + (double)at->index / (double)t->plan.batches_per_epoch;
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

/* ---- a value that is not finite ---------------------------------------------------------------------------------------- */

static void name_samples(const fv_trainer *t, const fvi_batch *b, char *out, size_t room)
{
    size_t used = 0;
    int64_t shown = FVI_MIN(b->n, 8);
    for (int64_t i = 0; i < shown && used + 160 < room; i++) {
        char name[128];
        fvi_source_name(t->train, b->ids[i], name, sizeof name);
        used += (size_t)snprintf(out + used, room - used, "%s%s", i ? "; " : "", name);
    }
    if (b->n > shown && used < room) snprintf(out + used, room - used, " and %lld more", (long long)(b->n - shown));
}

/* Names op, step and pictures: makes the micro-batches of the window again and looks into each. */
static fv_status report_nonfinite(fv_trainer *t, const char *what, int64_t epoch, int64_t index, int64_t count)
{
    char names[2048] = "";
    char *where = NULL;
    for (int64_t i = 0; i < count && !where; i++) {
        fvi_batch b;
        FVI_TRY(t->ctx, fvi_loader_again(t->loader, epoch, index + i, &b));
        const char *found = fvi_classify_nonfinite(t->task, &b, i == 0);
        if (found) {
            where = fvi_strdup(found);
            name_samples(t, &b, names, sizeof names);
        }
        fvi_batch_free(&b);
    }
    fv_status status = fvi_fail(t->ctx, FV_ERROR_NUMERIC,
                                "step %lld: %s is not finite; first at %s%s%s. Nothing was updated or saved; the last checkpoint is step "
                                "%lld. Lower learning_rate, or set max_grad_norm", (long long)t->position.step + 1, what,
                                where ? where : "the sum of the gradients", *names ? "; pictures: " : "", names,
                                (long long)(t->saved_step >= 0 ? t->saved_step : t->progress.start_step));
    fvi_free(where);
    return status;
}

/* ---- a step ---------------------------------------------------------------------------------------------------------- */

static fv_status set_scalars(fv_trainer *t)
{
    const fvi_schedule *s = &t->plan.schedule;
    int64_t step = t->position.step;
    t->progress.learning_rate = fvi_schedule_rate(s, step);
    FVI_TRY(t->ctx, fv_session_set_scalar(t->session, "lr", t->progress.learning_rate));
    FVI_TRY(t->ctx, fv_session_set_scalar(t->session, t->config->v.optimizer == FV_SGD ? "momentum" : "beta1", fvi_schedule_momentum(s, step)));
    if (t->config->v.ema_decay > 0)
        FVI_TRY(t->ctx, fv_session_set_scalar(t->session, "ema_decay", fvi_ema_decay(t->config->v.ema_decay, step)));
    return FV_OK;
}

static void measure_speed(fv_trainer *t, double seconds, int64_t images)
{
    double keep = exp(-seconds / 3);                     /* of about the last three seconds */
    t->train_seconds += seconds;
    t->images += images;
    t->rate_seconds = t->rate_seconds * keep + seconds;
    t->rate_images = t->rate_images * keep + (double)images;
}

static fv_status step(fv_trainer *t)
{
    double begin = fvi_seconds(), loss = 0, weight = 0, norm = 0;
    int64_t epoch = t->position.epoch, index = t->position.index, images = 0, count = 0;
    bool skipped = false;
    if (t->begin <= 0) t->begin = begin;
    FVI_TRY(t->ctx, set_scalars(t));
    for (bool last = false; count < t->config->v.accumulation && !last; count++) {
        const fvi_batch *b;
        double part = 0, part_weight = 0;
        FVI_TRY(t->ctx, fvi_loader_next(t->loader, &b));
        if (t->position.step == 0 && count == 0) FVI_TRY(t->ctx, fvi_outputs_batch(t, b));
        FVI_TRY(t->ctx, fv_session_set_random(t->session, (uint64_t)t->config->v.seed, t->position.step, b->first));
        FVI_TRY(t->ctx, fvi_classify_gradient(t->task, b, count == 0, &part, &part_weight));
        loss += part;
        weight += part_weight;
        images += b->n;
        last = b->last;
        t->position.index = last ? 0 : b->index + 1;
        t->position.epoch = last ? b->epoch + 1 : b->epoch;
    }
    if (!isfinite(loss / weight)) return report_nonfinite(t, "the loss", epoch, index, count);
    FVI_TRY(t->ctx, fvi_classify_update(t->task, &norm, &skipped));
    if (skipped) return report_nonfinite(t, "the gradient", epoch, index, count);
    t->position.step++;
    t->position.batches += count;
    t->progress.loss = t->position.last_loss = loss / weight;
    t->progress.grad_norm = t->position.last_norm = norm;
    t->position.last_rate = t->progress.learning_rate;
    measure_speed(t, fvi_seconds() - begin, images);
    FVI_TRY(t->ctx, fvi_outputs_step(t));
    return FV_OK;
}

/* ---- validation ------------------------------------------------------------------------------------------------------- */

/* One pass over the validation data; false in *whole when interrupted. */
static fv_status evaluate(fv_trainer *t, bool *whole)
{
    const fvi_batch *b;
    int64_t dropped = 0;
    fvi_confusion_clear(&t->counts);
    t->mistakes.count = 0;
    for (int i = 0; i < t->n_own; i++)
        if (t->own[i].begin) t->own[i].begin(t->own[i].user);
    do {
        FVI_TRY(t->ctx, fvi_loader_next(t->val_loader, &b));
        if (b->n) FVI_TRY(t->ctx, fvi_classify_evaluate(t->task, b, &t->counts, &t->mistakes));
        const fv_batch own = {.n = b->n, .size = t->config->v.image_size, .images = b->images, .labels = b->labels, .ids = b->ids};
        for (int i = 0; b->n && i < t->n_own; i++) t->own[i].add(t->own[i].user, &own, fvi_classify_scores(t->task), t->train->classes);
        dropped += b->dropped;
        *whole = b->last;
    } while (!b->last && !t->interrupted);
    if (*whole && !t->counts.samples) return fvi_fail(t->ctx, FV_ERROR_FORMAT, "none of the %lld pictures to validate with can be read", (long long)dropped);
    if (*whole && t->counts.samples + dropped != t->val->count)
        return fvi_fail(t->ctx, FV_ERROR_INTERNAL, "evaluated %lld of %lld samples", (long long)t->counts.samples, (long long)t->val->count);
    return FV_OK;
}

static double monitored(const fv_trainer *t)
{
    /* A model that yields NaN is never the best. */
    if (!isfinite(fvi_confusion_loss(&t->counts))) return (double)NAN;
    return t->own_monitor >= 0 ? t->position.own[t->own_monitor] : fvi_metric_value(&t->counts, fvi_metric_of(t->config->v.monitor));
}

bool fvi_trainer_smaller_is_better(const fv_trainer *t)
{
    const fvi_values *v = &t->config->v;
    if (t->own_monitor >= 0) return t->own[t->own_monitor].smaller_is_better;
    return v->mode == FVI_MODE_AUTO ? fvi_metric_smaller_is_better(fvi_metric_of(v->monitor)) : v->mode == FVI_MODE_MIN;
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
    fvi_schedule *s = &t->plan.schedule;
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
    if (s->kind != FVI_PLATEAU) return;
    const double before = fvi_schedule_rate(s, p->step);
    bool reduced = fvi_plateau_step(s, &p->plateau, value, fvi_trainer_smaller_is_better(t));
    s->reductions = p->plateau.reductions;
    if (reduced) fvi_log(t->ctx, FV_LOG_INFO, "plateau: %s no longer improves, the rate goes from %g to %g", t->progress.monitor, before, fvi_schedule_rate(s, p->step));
}

static fv_status save_best(fv_trainer *t)
{
    char *path = fvi_path_join(t->run.checkpoints, "best.safetensors");
    fvi_texts texts = {.config = t->config_text, .classes = t->classes, .model = fv_model_name(t->model), .version = fv_version()};
    if (!path) return fvi_nomem(t->ctx);
    fv_status status = fvi_weights_save(t->ctx, t->session, path, t->config->v.ema_decay > 0, &t->position, &texts);
    fvi_free(path);
    return status;
}

static void set_metrics(fv_trainer *t, double raw)
{
#define METRIC(name, which) FVI_METRIC_##which,
    static const fvi_metric metrics[FVI_METRICS] = {FVI_METRIC_LIST(METRIC)};
#undef METRIC
    for (int i = 0; i < FVI_METRICS; i++)
        t->position.metrics[i] = metrics[i] == FVI_METRIC_COUNT ? raw : fvi_metric_value(&t->counts, metrics[i]);
    fvi_trainer_show_metrics(t);
}

static fv_status add_row(fv_trainer *t, bool validated)
{
    fvi_metrics_row m = {.step = t->position.step, .epoch = (double)t->position.epoch + (double)t->position.index / (double)t->plan.batches_per_epoch,
                         .rate = t->progress.learning_rate, .loss = t->progress.loss, .norm = t->progress.grad_norm,
                         .val = validated ? t->position.metrics : NULL, .own = validated ? t->position.own : NULL};
    return fvi_run_row(&t->run, &m);
}

/* Raw weights first, for comparison, then the averages: what is measured last is what counts. */
static fv_status evaluate_both(fv_trainer *t, double *raw, bool *whole)
{
    *raw = NAN;
    FVI_TRY(t->ctx, evaluate(t, whole));
    if (t->config->v.ema_decay <= 0 || !*whole) return FV_OK;
    *raw = fvi_confusion_accuracy(&t->counts);
    FVI_TRY(t->ctx, fvi_swap_averages(t->ctx, t->session));
    fv_status status = evaluate(t, whole);
    FVI_TRY(t->ctx, fvi_swap_averages(t->ctx, t->session));
    return status;
}

fv_status fvi_trainer_validate(fv_trainer *t)
{
    bool whole = false;
    double raw;
    fvi_position *p = &t->position;
    if (!t->val) {
        p->validated_step = p->step;
        return add_row(t, false);
    }
    FVI_TRY(t->ctx, evaluate_both(t, &raw, &whole));
    if (!whole) return FV_OK;                            /* interrupted: done again after resuming */
    for (int i = 0; i < t->n_own; i++) p->own[i] = t->own[i].value(t->own[i].user);
    p->validated_step = p->step;
    t->saved_step = -1;
    judge(t, monitored(t));
    if (t->progress.improved) FVI_TRY(t->ctx, save_best(t));
    set_metrics(t, raw);
    FVI_TRY(t->ctx, add_row(t, true));
    FVI_TRY(t->ctx, fvi_outputs_validated(t));
    if (t->config->v.patience > 0 && p->bad_checks >= t->config->v.patience && p->step < t->plan.total) {
        p->finished = true;
        fvi_log(t->ctx, FV_LOG_INFO, "stopping early: no improvement in %lld validations; the best is step %lld", (long long)p->bad_checks,
                (long long)p->best_step);
    }
    fvi_trainer_tell(t, FV_TRAIN_VALIDATED);
    return FV_OK;
}

/* ---- saving ------------------------------------------------------------------------------------------------------------ */

fv_status fvi_trainer_save(fv_trainer *t)
{
    fvi_texts texts = {.config = t->config_text, .classes = t->classes, .model = fv_model_name(t->model), .version = fv_version(),
                       .cpu = fvi_cpu_model(), .kernel_table = t->run.table ? t->run.table : "shipped"};
    FVI_TRY(t->ctx, fvi_run_flush(&t->run));
    FVI_TRY(t->ctx, fvi_trainer_list_bad(t));
    FVI_TRY(t->ctx, fvi_checkpoint_save(t->ctx, t->session, t->run.checkpoints, &t->position, &texts));
    t->saved_step = t->position.step;
    t->progress.path = t->run.checkpoints;
    fvi_trainer_tell(t, FV_TRAIN_SAVED);
    t->progress.path = NULL;
    return FV_OK;
}

/* ---- the loop ----------------------------------------------------------------------------------------------------------- */

static bool due(const fv_trainer *t, int64_t every)
{
    return t->position.step % every == 0 || t->position.step >= t->plan.total;
}

static fv_status interrupted(fv_trainer *t)
{
    if (t->saved_step != t->position.step) FVI_TRY(t->ctx, fvi_trainer_save(t));
    FVI_TRY(t->ctx, fvi_outputs_end(t));
    return fvi_fail(t->ctx, FV_ERROR_CANCELED, "interrupted; saved at step %lld of %lld. Go on with: fovea train %s", (long long)t->position.step,
                    (long long)t->plan.total, t->run.path);
}

/* What is due at the end of a step. A run that was interrupted in between makes up for it when it goes on. */
static fv_status after_step(fv_trainer *t)
{
    fvi_position *p = &t->position;
    if (p->step == 0) return FV_OK;
    if (due(t, t->plan.validate_every) && p->validated_step != p->step && !t->interrupted) FVI_TRY(t->ctx, fvi_trainer_validate(t));
    if (p->step >= t->plan.total && p->validated_step == p->step) {
        p->finished = true;
        if (!t->val) FVI_TRY(t->ctx, save_best(t));
    }
    if ((due(t, t->plan.save_every) || p->finished) && t->saved_step != p->step) FVI_TRY(t->ctx, fvi_trainer_save(t));
    return FV_OK;
}

fv_status fvi_trainer_loop(fv_trainer *t)
{
    fvi_position *p = &t->position;
    if (t->resumed) t->saved_step = p->step;
    FVI_TRY(t->ctx, after_step(t));
    while (!p->finished) {
        if (t->interrupted) return interrupted(t);
        FVI_TRY(t->ctx, step(t));
        fvi_trainer_tell(t, FV_TRAIN_STEP);
        if (!due(t, t->plan.validate_every)) FVI_TRY(t->ctx, add_row(t, false));
        FVI_TRY(t->ctx, after_step(t));
    }
    return FV_OK;
}

/* One batch through everything, to see that it fits; nothing is written. */
static fv_status dry_run(fv_trainer *t)
{
    FVI_TRY(t->ctx, step(t));
    fvi_trainer_tell(t, FV_TRAIN_STEP);
    fvi_trainer_tell(t, FV_TRAIN_END);
    return FV_OK;
}

static fv_status begin(fv_trainer *t)
{
    FVI_TRY(t->ctx, fvi_trainer_store_split(t));
    FVI_TRY(t->ctx, fvi_run_begin(&t->run, t->config, t->train, t->position.step));
    FVI_TRY(t->ctx, fvi_outputs_begin(t));
    return FV_OK;
}

/* A full or broken disk: what was saved is untouched, and how to go on. */
static void tell_what_is_safe(fv_trainer *t)
{
    char *path = fvi_path_join(t->run.checkpoints, "latest.safetensors");
    if (path && fvi_file_exists(path))
        fvi_log(t->ctx, FV_LOG_WARN, "what was saved is whole; when the cause is mended, go on with: fovea train %s", t->run.path);
    fvi_free(path);
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
    fv_status status = fvi_trainer_loop(t);
    if (status == FV_ERROR_IO) tell_what_is_safe(t);
    if (status == FV_OK) status = fvi_outputs_end(t);
    if (status == FV_OK) tell_end(t);
    return status;
}
