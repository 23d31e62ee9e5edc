/* SPDX-License-Identifier: Apache-2.0 */
/* One update: the calls of the task's step, in order. Calls for each batch that follow each other share a window of micro-batches; the
 * calls behind them use what was gathered. */
#include "optim/optimizer.h"
#include "train/outputs.h"

#include <math.h>
#include <stdio.h>

/* What a window of micro-batches came to; where it began. */
typedef struct window { double loss, weight; int64_t images, count, epoch, index; } window;

/* Calls for each batch of one window. */
typedef struct group { const fv_step_call *calls; int n; } group;

/* ---- a value that is not finite ---------------------------------------------------------------------------------------- */

static void name_samples(const fv_trainer *t, const fv_batch *b, char *out, size_t room)
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
static fv_status report_nonfinite(fv_trainer *t, const char *what, const group *g, const window *w)
{
    char names[2048] = "";
    char *where = NULL;
    for (int64_t i = 0; i < w->count && !where; i++) {
        fvi_batch b;
        FVI_TRY(t->ctx, fvi_loader_again(t->loader, w->epoch, w->index + i, &b));
        for (int k = 0; k < g->n && !where; k++) {
            const char *found = fvi_task_nonfinite(t->task, fvi_task_function(t->task, g->calls[k].function), i == 0, &b.b);
            if (!found) continue;
            where = fvi_strdup(found);
            name_samples(t, &b.b, names, sizeof names);
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

/* ---- the window -------------------------------------------------------------------------------------------------------- */

/* Scalars of every program: rate, momentum, decay of the average, rates of groups of parameters. */
static fv_status set_scalars(fv_trainer *t)
{
    const int64_t step = t->position.step, scheduled = FVI_MAX(step - t->plan.ahead, 0);
    t->progress.learning_rate = fvi_trainer_rate(t, step);
    for (int i = 0; i < t->task->n_programs; i++) {
        const fv_task_program *p = &t->task->programs[i];
        const fv_optimizer_options *o = &p->optimizer;
        const char *momentum = fv_optimizer_momentum(o->name);
        const double rate = fv_schedule_rate(&p->schedule, scheduled);
        FVI_TRY(t->ctx, fvi_set_scalar(t->session, p->name, "lr", NULL, rate));
        for (int k = 0; k < o->n_groups; k++) FVI_TRY(t->ctx, fvi_set_scalar(t->session, p->name, "lr", o->groups[k].name, rate));
        if (momentum) FVI_TRY(t->ctx, fvi_set_scalar(t->session, p->name, momentum, NULL, fv_schedule_momentum(&p->schedule, scheduled)));
        if (o->ema) FVI_TRY(t->ctx, fvi_set_scalar(t->session, p->name, "ema_decay", NULL, fvi_ema_decay(t->config->v.ema_decay, step)));
    }
    return FV_OK;
}

static void add_results(fv_trainer *t, int function, const fv_results *r, double weight)
{
    for (int i = 0; i < t->n_train_results; i++) {
        fvi_train_result *e = &t->train_results[i];
        if (e->function != function) continue;
        e->sum += fvi_results_number(r, e->result);
        e->weight += weight;
    }
}

static fv_status add_batch(fv_trainer *t, const group *g, const fv_batch *b, window *w)
{
    t->savable = false;
    FVI_TRY(t->ctx, fv_session_set_random(t->session, (uint64_t)t->config->v.seed, t->position.step, b->first));
    for (int i = 0; i < g->n; i++) {
        const fv_results *r;
        const int function = fvi_task_function(t->task, g->calls[i].function);
        FVI_TRY(t->ctx, fvi_task_call(t->task, function, w->count == 0, b, &r));
        const double loss = fvi_results_number(r, "loss"), weight = fvi_results_number(r, "weight");
        add_results(t, function, r, weight);
        w->loss += loss;
        if (i == 0) w->weight += weight;
    }
    w->images += b->n;
    w->count++;
    t->position.index = b->last ? 0 : b->index + 1;
    t->position.epoch = b->last ? b->epoch + 1 : b->epoch;
    return FV_OK;
}

/* The next batch cannot be read: the update is given up, and the run stands before it. */
static fv_status give_up(fv_trainer *t, const window *w, const window *first)
{
    t->position.epoch = first->epoch;
    t->position.index = first->index;
    if (!w->count && w == first) return FV_OK;
    if (w != first) return FV_OK;                        /* another update of the same step was made already: not savable */
    FVI_TRY(t->ctx, fvi_trainer_put_back(t));
    t->savable = !t->step.gradient;                      /* one of the user's own may have changed more */
    return FV_OK;
}

static fv_status gather(fv_trainer *t, const group *g, window *w, const window *first)
{
    const fv_batch *b;
    do {
        fv_status status = fvi_loader_next(t->loader, &b);
        if (status == FV_OK && t->position.step == 0 && w->count == 0 && w == first) status = fvi_outputs_batch(t, b);
        if (status != FV_OK) {
            FVI_TRY(t->ctx, give_up(t, w, first));
            return status;
        }
        FVI_TRY(t->ctx, add_batch(t, g, b, w));
    } while (!b->last && w->count < t->config->v.accumulation);
    return FV_OK;
}

/* No picture had a weight (loss.class_weights): there is nothing to learn from, which is no fault once. The loss of the update is no
 * number, so cells stay empty. */
static fv_status pass_over(fv_trainer *t)
{
    if (t->empty++ == 0)
        fvi_log(t->ctx, FV_LOG_WARN, "step %lld: all pictures of the batch are of classes that loss.class_weights gives 0, so nothing is learned from it; a larger "
                "batch_size makes that rarer (further ones in a row are not named)", (long long)t->position.step + 1);
    if (t->empty < t->plan.updates_per_epoch || t->empty < 2) return FV_OK;
    return fvi_fail(t->ctx, FV_ERROR_NUMERIC, "step %lld: for a whole epoch no picture had a weight; see loss.class_weights, or the weight that a loss of your own returns",
                    (long long)t->position.step + 1);
}

/* ---- the step ----------------------------------------------------------------------------------------------------------- */

static void measure_speed(fv_trainer *t, double seconds, int64_t images)
{
    double keep = exp(-seconds / 3);                     /* of about the last three seconds */
    t->train_seconds += seconds;
    t->images += images;
    t->rate_seconds = t->rate_seconds * keep + seconds;
    t->rate_images = t->rate_images * keep + (double)images;
}

static fv_status call_once(fv_trainer *t, const fv_step_call *c, const group *g, const window *w, double *norm)
{
    const fv_results *r;
    FVI_TRY(t->ctx, fvi_task_call(t->task, fvi_task_function(t->task, c->function), true, NULL, &r));
    const double value = fvi_results_number(r, "norm"), skip = fvi_results_number(r, "skip");
    if (!isnan(value) && isnan(*norm)) *norm = value;
    if (!isnan(skip) && skip != 0) return report_nonfinite(t, "the gradient", g, w);
    return FV_OK;
}

/* All calls; the first window is the run's loss. */
static fv_status make_calls(fv_trainer *t, window *first, int64_t *images, int64_t *batches, double *norm)
{
    group g = {NULL, 0};
    window other, *w = first;
    bool empty = false;
    for (const fv_step_call *c = t->def->step; c->function;) {
        if (!c->each_batch) {
            if (!empty) FVI_TRY(t->ctx, call_once(t, c, &g, w, norm));
            c++;
            continue;
        }
        for (g = (group){c, 0}; c->function && c->each_batch; c++) g.n++;
        if (g.calls != t->def->step) {
            w = &other;
            *w = (window){.epoch = t->position.epoch, .index = t->position.index};
        }
        FVI_TRY(t->ctx, gather(t, &g, w, first));
        *images += w->images;
        *batches += w->count;
        empty = w->weight == 0 && isfinite(w->loss);
        if (empty) FVI_TRY(t->ctx, pass_over(t));
        else t->empty = 0;
        if (!empty && !isfinite(w->loss / w->weight)) return report_nonfinite(t, "the loss", &g, w);
    }
    return FV_OK;
}

fv_status fvi_trainer_step(fv_trainer *t)
{
    const double begin = fvi_seconds();
    double norm = NAN;
    int64_t images = 0, batches = 0;
    window w = {.epoch = t->position.epoch, .index = t->position.index};
    if (t->begin <= 0) t->begin = begin;
    for (int i = 0; i < t->n_train_results; i++) t->train_results[i].sum = t->train_results[i].weight = 0;
    FVI_TRY(t->ctx, set_scalars(t));
    FVI_TRY(t->ctx, fvi_trainer_keep_buffers(t));
    FVI_TRY(t->ctx, make_calls(t, &w, &images, &batches, &norm));
    t->position.n_results = t->n_train_results;
    for (int i = 0; i < t->n_train_results; i++) {
        snprintf(t->position.results[i].name, FVI_METRIC_NAME, "%s", t->train_results[i].name);
        t->position.results[i].value = t->train_results[i].sum / t->train_results[i].weight;
    }
    t->position.step++;
    t->position.batches += batches;
    t->progress.loss = t->position.last_loss = w.loss / w.weight;
    t->progress.grad_norm = t->position.last_norm = norm;
    t->position.last_rate = t->progress.learning_rate;
    t->savable = true;
    measure_speed(t, fvi_seconds() - begin, images);
    return FV_OK;
}
