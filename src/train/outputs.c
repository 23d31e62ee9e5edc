/* SPDX-License-Identifier: Apache-2.0 */
/* Event files go to tensorboard_dir, else into the run folder; everything else into the run folder. */
#include "train/outputs.h"
#include "base/file.h"
#include "fovea/report.h"
#include "image/png_write.h"
#include "page/sheet.h"
#include "report/record.h"

#include <math.h>
#include <stdio.h>

fv_status fvi_outputs_begin(fv_trainer *t)
{
    const char *folder = t->config->v.tensorboard_dir ? t->config->v.tensorboard_dir : t->run.path;
    FVI_TRY(t->ctx, fvi_events_open(t->ctx, folder, t->position.step, 0, &t->events));
    return FV_OK;
}

static fv_status add_event(fv_trainer *t, int64_t step, const fvi_event_value *values, int n)
{
    if (!t->events) return FV_OK;
    FVI_TRY(t->ctx, fvi_events_add(t->events, &(fvi_event){.step = step, .values = values, .n_values = n}));
    return FV_OK;
}

static fv_status add_picture(fv_trainer *t, const char *tag, const fvi_canvas *c)
{
    uint8_t *png;
    size_t bytes;
    FVI_TRY(t->ctx, fvi_png_encode(t->ctx, c->pixels, c->width, c->height, c->channels, &png, &bytes));
    fv_status status = add_event(t, t->position.step, &(fvi_event_value){tag, 0, png, bytes, c->width, c->height, c->channels}, 1);
    fvi_free(png);
    return status;
}

/* ---- steps ------------------------------------------------------------------------------------------------------------ */

fv_status fvi_outputs_step(fv_trainer *t)
{
    fvi_event_value values[3 + FVI_TRAIN_RESULTS] = {{.tag = "train/loss", .scalar = (float)t->progress.loss},
                                                     {.tag = "train/lr", .scalar = (float)t->progress.learning_rate},
                                                     {.tag = "train/grad_norm", .scalar = (float)t->progress.grad_norm}};
    char tags[FVI_TRAIN_RESULTS][128];
    int n = 3;
    for (int i = 0; i < t->n_train_results; i++) {
        if (isnan(t->position.results[i].value)) continue;
        snprintf(tags[i], sizeof tags[i], "train/%s", t->train_results[i].name);
        values[n++] = (fvi_event_value){.tag = tags[i], .scalar = (float)t->position.results[i].value};
    }
    return add_event(t, t->position.step, values, n);
}

/* ---- pictures --------------------------------------------------------------------------------------------------------- */

/* Pictures as the model sees them: of a task whose field "images" is made as the configuration says. */
fv_status fvi_outputs_batch(fv_trainer *t, const fv_batch *b)
{
    const fvi_augment *a = &t->task->augment;
    const fv_tensor *images = fv_batch_find(b, "images");
    const int n = (int)FVI_MIN(b->n, t->config->v.paint_images);
    fvi_canvas sheet = {0};
    fv_image image = {0};
    fv_status status = FV_OK;
    if (!n || !t->events || !images || images->dtype != FV_F32 || images->rank != 4 || images->dims[1] != 3 || images->dims[2] != a->height ||
        images->dims[3] != a->width)
        return FV_OK;
    const size_t plane = (size_t)a->height * (size_t)a->width;
    FVI_TRY_DONE(t->ctx, status, fv_image_resize(t->ctx, &image, a->height, a->width));
    FVI_TRY_DONE(t->ctx, status, fvi_sheet_create(t->ctx, n, &sheet));
    for (int i = 0; i < n; i++) {
        fvi_unnormalise(a, (const float *)images->data + (size_t)i * 3 * plane, image.pixels);
        fvi_sheet_add(&sheet, i, &image);
    }
    FVI_TRY_DONE(t->ctx, status, add_picture(t, "train/pictures", &sheet));
done:
    fv_image_free(&image);
    fvi_canvas_free(&sheet);
    return status;
}

/* ---- a new best ------------------------------------------------------------------------------------------------------- */

static fv_status record_event(void *user, const char *tag, const uint8_t *png, size_t bytes, int width, int height, int channels)
{
    fv_trainer *t = user;
    return add_event(t, t->position.step, &(fvi_event_value){tag, 0, png, bytes, width, height, channels}, 1);
}

/* evaluation.json, and the pictures of the task. */
static fv_status record_best(fv_trainer *t)
{
    fv_metric metrics[FVI_METRICS_MAX];
    fv_recorder r = {.ctx = t->ctx, .data = t->val, .event = record_event, .user = t};
    fvi_record head = {.split = "val", .data = t->config->v.data_root, .step = t->position.step, .samples = t->evaluated, .ema = t->config->v.ema_decay > 0,
                       .metrics = metrics};
    fv_status status = FV_OK;
    const fv_metric_def *d = t->def->metrics;
    for (int i = 0; d && d[i].name; i++)
        if (fvi_task_tells(t->task, i)) metrics[head.n_metrics++] = (fv_metric){d[i].name, t->values[i], d[i].smaller_is_better};
    fvi_record_begin(&head, &r.json);
    if (t->def->record) FVI_TRY_DONE(t->ctx, status, t->def->record(t->task, &r));
    fvi_record_end(&r.json);
    FVI_TRY_DONE(t->ctx, status, fvi_run_write(&t->run, "evaluation.json", fvi_text_take(&r.json)));
done:
    fvi_recorder_free(&r);
    return status;
}

fv_status fvi_outputs_validated(fv_trainer *t)
{
    fvi_event_value values[FVI_METRICS_MAX];
    char tags[FVI_METRICS_MAX][FVI_METRIC_NAME];
    int n = 0;
    for (int i = 0; i < t->n_metrics; i++) {
        const fvi_measured *m = &t->position.metrics[i];
        if (isnan(m->value)) continue;
        snprintf(tags[i], sizeof tags[i], "val/%s", m->name + 4);                        /* val_acc: val/acc */
        values[n++] = (fvi_event_value){.tag = tags[i], .scalar = (float)m->value};
    }
    FVI_TRY(t->ctx, add_event(t, t->position.step, values, n));
    if (t->progress.improved) FVI_TRY(t->ctx, record_best(t));
    return FV_OK;
}

/* ---- the end ---------------------------------------------------------------------------------------------------------- */

static void add_number(fvi_text *s, const char *key, double v)
{
    fvi_text_add(s, ",\n  \"%s\": ", key);
    fvi_text_json_number(s, v);
}

static void add_integer(fvi_text *s, const char *key, int64_t v)
{
    fvi_text_add(s, ",\n  \"%s\": %lld", key, (long long)v);
}

/* Times and memory are those of this process; a resumed run's earlier ones are in its console.log. One that had nothing left to
 * train knows neither them nor the model's size. */
static char *summary_text(const fv_trainer *t)
{
    const fv_train_progress *p = &t->progress;
    const bool trained = p->parameters > 0;
    fvi_text s = {0};
    fvi_text_add(&s, "{\n  \"model\": ");
    fvi_text_json_string(&s, p->model);
    fvi_text_add(&s, ",\n  \"finished\": %s,\n  \"monitor\": \"%s\"", t->position.finished ? "true" : "false",
                 p->monitor);
    add_integer(&s, "step", t->position.step);
    add_integer(&s, "max_steps", p->max_steps);
    add_number(&s, "loss", p->loss);
    add_number(&s, "best", t->position.best);
    add_integer(&s, "best_step", t->position.best_step);
    fvi_text_add(&s, ",\n  \"metrics\": {");
    for (int i = 0; i < p->n_metrics; i++) {
        fvi_text_add(&s, "%s\"%s\": ", i ? ", " : "", p->metrics[i].name);
        fvi_text_json_number(&s, p->metrics[i].value);
    }
    fvi_text_add(&s, "}");
    add_number(&s, "parameters", trained ? (double)p->parameters : (double)NAN);
    add_number(&s, "trainable", trained ? (double)p->trainable : (double)NAN);
    add_integer(&s, "train_samples", p->train_samples);
    add_integer(&s, "val_samples", p->val_samples);
    add_number(&s, "foretold_bytes", trained ? (double)p->foretold_bytes : (double)NAN);
    add_number(&s, "peak_bytes", trained ? (double)fv_machine_memory_peak() : (double)NAN);
    add_number(&s, "seconds", trained ? t->train_seconds : (double)NAN);
    add_number(&s, "images_per_second", t->train_seconds > 0 ? (double)t->images / t->train_seconds : (double)NAN);
    add_number(&s, "data_wait", trained ? p->data_wait : (double)NAN);
    fvi_text_add(&s, "\n}\n");
    return fvi_text_take(&s);
}

/* Is there a summary of the step at which the run stands? */
static bool is_summed_up(const fv_trainer *t, const char *path)
{
    fvi_arena arena = {0};
    fvi_json *root;
    char *text = NULL;
    size_t bytes;
    const bool read = fvi_file_read(NULL, path, 1 << 20, &text, &bytes) == FV_OK && fvi_json_parse(NULL, &arena, path, text, bytes, false, &root) == FV_OK;
    const fvi_json *step = read ? fvi_json_get(root, "step") : NULL;
    const bool now = step && step->is_integer && step->integer == t->position.step;
    fvi_free(text);
    fvi_arena_free(&arena);
    return now;
}

/* Summary and report; `late`: of what a killed process could not write. */
static fv_status write_end(fv_trainer *t, bool late)
{
    char *summary = fvi_path_join(t->run.path, "summary.json"), *report = fvi_path_join(t->run.path, "report.html");
    const char *run = t->run.path;
    fv_status status = summary && report ? FV_OK : fvi_nomem(t->ctx);
    const bool summed_up = status == FV_OK && late && is_summed_up(t, summary);
    if (status == FV_OK && !summed_up) status = fvi_run_write(&t->run, "summary.json", summary_text(t));
    if (status == FV_OK && !(summed_up && fvi_file_exists(report))) status = fv_report_write(t->ctx, t->own_def, &run, 1, report);
    fvi_free(summary);
    fvi_free(report);
    return status;
}

fv_status fvi_outputs_end(fv_trainer *t)
{
    char room[FV_SHELL_ROOM];
    fv_status status = fvi_run_flush(&t->run);
    if (status == FV_OK) status = write_end(t, false);
    if (status != FV_OK && status != FV_ERROR_NOMEM)
        fvi_error_prefix(t->ctx, "the weights are saved, but not the report (fovea report %s writes it): ",
                         fv_shell_word(t->run.path, room));
    return status;
}

fv_status fvi_outputs_late(fv_trainer *t) { return write_end(t, true); }
