/* SPDX-License-Identifier: Apache-2.0 */
/* From configuration to a task, and the metrics of a run: what is measured, which of it decides. */
#include "train/trainer.h"

#include <math.h>
#include <stdio.h>

fvi_task_options fvi_task_of(const fv_config *c, const fv_model *m, int64_t classes, const char *const *class_names)
{
    const fvi_values *v = &c->v;
    return (fvi_task_options){
        .def = c->task, .augment = fvi_augment_of(c),
        .setup = {.config = c, .settings = c->settings, .model = m, .classes = classes, .class_names = class_names, .channels = 3, .height = v->image_size[0],
                  .width = v->image_size[1], .shown = (int)v->paint_images},
        .program = {.optimizer = {.name = fv_optimizer_known((int)v->optimizer, NULL), .beta2 = v->betas[1], .eps = v->eps, .weight_decay = v->weight_decay,
                                  .nesterov = v->nesterov, .max_grad_norm = v->max_grad_norm, .ema = v->ema_decay > 0}}};
}

/* ---- columns ------------------------------------------------------------------------------------------------------------ */

static bool is_taken(const fv_trainer *t, const char *name)
{
    for (int i = 0; i < t->n_metrics; i++)
        if (!strcmp(t->metric[i].name, name)) return true;
    return false;
}

static fv_status add_metric(fv_trainer *t, const char *name, const char *suffix, const fvi_metric_row *row)
{
    if (t->n_metrics == FVI_METRICS_MAX || strlen(name) + strlen(suffix) + 5 > FVI_METRIC_NAME)
        return fvi_fail(t->ctx, FV_ERROR_INVALID, "metric %s%s: at most %d metrics, with names of %d characters", name, suffix, FVI_METRICS_MAX, FVI_METRIC_NAME - 6);
    fvi_metric_row *m = &t->metric[t->n_metrics];
    *m = *row;
    snprintf(m->name, sizeof m->name, "val_%s%s", name, suffix);
    t->n_metrics++;
    return FV_OK;
}

/* Those of the task with a column, in the columns' order, then those of raw weights. */
static fv_status add_task_metrics(fv_trainer *t)
{
    const fv_metric_def *d = t->def->metrics;
    int last = 0;
    for (int i = 0; d && d[i].name; i++) last = FVI_MAX(last, d[i].column);
    for (int column = 1; column <= last; column++)
        for (int i = 0; d[i].name; i++)
            if (d[i].column == column) FVI_TRY(t->ctx, add_metric(t, d[i].name, "", &(fvi_metric_row){.task = i, .smaller_is_better = d[i].smaller_is_better}));
    for (int i = 0; d && d[i].name; i++)
        if (d[i].raw) FVI_TRY(t->ctx, add_metric(t, d[i].name, "_raw", &(fvi_metric_row){.task = i, .raw = true, .smaller_is_better = d[i].smaller_is_better}));
    return FV_OK;
}

static fv_status add_own_metrics(fv_trainer *t, const fv_train_options *o)
{
    if (o->n_metrics > FVI_OWN_METRICS)
        return fvi_fail(t->ctx, FV_ERROR_INVALID, "%d own metrics; at most %d are kept", o->n_metrics, FVI_OWN_METRICS);
    t->own = o->metrics;
    for (int i = 0; i < o->n_metrics; i++) {
        const fv_own_metric *m = &o->metrics[i];
        char column[FVI_METRIC_NAME];
        bool good = m->name && m->add && m->value && *m->name && m->name[strspn(m->name, "abcdefghijklmnopqrstuvwxyz0123456789_")] == 0;
        if (good) good = (size_t)snprintf(column, sizeof column, "val_%s", m->name) < sizeof column && !is_taken(t, column);
        if (!good)
            return fvi_fail(t->ctx, FV_ERROR_INVALID, "own metric %d (%s) needs add, value and a name of its own in small letters", i + 1, m->name ? m->name : "no name");
        FVI_TRY(t->ctx, add_metric(t, m->name, "", &(fvi_metric_row){.task = -1, .smaller_is_better = m->smaller_is_better}));
        if (m->monitor && t->own_monitor < 0) t->own_monitor = i;
    }
    t->n_own = o->n_metrics;
    return FV_OK;
}

fv_status fvi_trainer_take_metrics(fv_trainer *t, const fv_train_options *o)
{
    t->own_monitor = -1;
    FVI_TRY(t->ctx, add_task_metrics(t));
    FVI_TRY(t->ctx, add_own_metrics(t, o));
    const char *wanted = t->config->v.monitor;           /* fvi_config_check knows it */
    t->monitor = wanted && *wanted ? fvi_task_metric(t->def, wanted) : t->def->metrics && t->def->metrics->name ? 0 : -1;
    return FV_OK;
}

bool fvi_trainer_smaller_is_better(const fv_trainer *t)
{
    if (t->own_monitor >= 0) return t->own[t->own_monitor].smaller_is_better;
    if (t->config->v.mode != FVI_MODE_AUTO) return t->config->v.mode == FVI_MODE_MIN;
    return t->monitor >= 0 && t->def->metrics[t->monitor].smaller_is_better;
}

const char *fvi_trainer_monitor(const fv_trainer *t)
{
    return t->own_monitor >= 0 ? t->own[t->own_monitor].name : t->monitor >= 0 ? t->def->metrics[t->monitor].name : "";
}

void fvi_trainer_show_metrics(fv_trainer *t)
{
    t->progress.n_metrics = 0;
    for (int i = 0; i < t->n_metrics; i++) {
        const double value = fvi_position_metric(&t->position, t->metric[i].name);
        if (!isnan(value)) t->metrics[t->progress.n_metrics++] = (fv_metric){t->metric[i].name, value, t->metric[i].smaller_is_better};
    }
}

/* ---- what a step gives -------------------------------------------------------------------------------------------------- */

static fv_status add_result(fv_trainer *t, const char *name, const char *result, int function)
{
    if (t->n_train_results == FVI_TRAIN_RESULTS) return fvi_fail(t->ctx, FV_ERROR_INVALID, "task %s: more than %d results of a step", t->def->name, FVI_TRAIN_RESULTS);
    t->train_results[t->n_train_results++] = (fvi_train_result){.name = name, .result = result, .function = function};
    return fvi_run_column(&t->run, name);
}

/* Of the first function for each batch all but loss and weight; of the others also their loss, under the function's name. */
fv_status fvi_trainer_take_results(fv_trainer *t)
{
    int first = -1;
    for (const fv_step_call *c = t->def->step; c->function; c++) {
        fvi_task_part *p;
        fv_tensor in[2 * FV_FIELDS_MAX];
        fv_result_info info[FV_FIELDS_MAX];
        const int function = fvi_task_function(t->task, c->function);
        bool seen = !c->each_batch;
        int n = 0;
        for (const fv_step_call *before = t->def->step; before < c && !seen; before++) seen = !strcmp(before->function, c->function);
        if (seen) continue;
        FVI_TRY(t->ctx, fvi_task_part_of(t->task, function, true, &p));
        const int n_in = fvi_task_inputs(p, NULL, FVI_MIN(t->config->v.batch_size, t->train->count), in);
        FVI_TRY(t->ctx, fv_function_results(p->function, in, n_in, info, FV_FIELDS_MAX, &n));
        if (first < 0) first = function;
        else FVI_TRY(t->ctx, add_result(t, c->function, "loss", function));
        for (int i = 0; i < n; i++)
            if (!info[i].type.rank && strcmp(info[i].name, "loss") && strcmp(info[i].name, "weight")) FVI_TRY(t->ctx, add_result(t, info[i].name, info[i].name, function));
    }
    for (int i = 0; i < t->n_metrics; i++) FVI_TRY(t->ctx, fvi_run_column(&t->run, t->metric[i].name));
    return FV_OK;
}
