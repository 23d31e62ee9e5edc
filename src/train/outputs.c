/* SPDX-License-Identifier: Apache-2.0 */
/* Event files go to tensorboard_dir, else into the run folder; everything else into the run folder. */
#include "train/outputs.h"
#include "base/file.h"
#include "data/data.h"
#include "fovea/report.h"
#include "image/png_write.h"
#include "report/paint.h"
#include "report/record.h"

#include <math.h>
#include <stdio.h>

enum { CELL = 96, COLUMNS = 4, THUMBNAIL = 192, GAP = 4 };

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
    const fvi_event_value values[] = {{.tag = "train/loss", .scalar = (float)t->progress.loss},
                                      {.tag = "train/lr", .scalar = (float)t->progress.learning_rate},
                                      {.tag = "train/grad_norm", .scalar = (float)t->progress.grad_norm}};
    return add_event(t, t->position.step, values, FVI_COUNT(values));
}

/* ---- pictures --------------------------------------------------------------------------------------------------------- */

static fvi_paint_source source_of(const fv_image *image)
{
    return (fvi_paint_source){image->pixels, image->width, image->height, (size_t)image->width * (size_t)image->height, 1};
}

/* Place of picture i of n on a sheet. */
static void paint_cell(fvi_canvas *sheet, int i, const fvi_paint_source *s)
{
    int width, height, x = i % COLUMNS * (CELL + GAP), y = i / COLUMNS * (CELL + GAP);
    fvi_paint_size(s, CELL, true, &width, &height);
    fvi_paint(sheet, x + (CELL - width) / 2, y + (CELL - height) / 2, width, height, s);
}

static fv_status create_sheet(fv_context *ctx, int n, fvi_canvas *out)
{
    int rows = (n + COLUMNS - 1) / COLUMNS;
    FVI_TRY(ctx, fvi_canvas_create(ctx, COLUMNS * (CELL + GAP) - GAP, rows * (CELL + GAP) - GAP, 3, out));
    return FV_OK;
}

fv_status fvi_outputs_batch(fv_trainer *t, const fvi_batch *b)
{
    const fvi_augment a = fvi_augment_of(t->config);
    const size_t plane = (size_t)a.size * (size_t)a.size;
    int n = (int)FVI_MIN(b->n, t->config->v.paint_images);
    fvi_canvas sheet = {0};
    fv_status status = FV_OK;
    if (!n || !t->events) return FV_OK;
    uint8_t *pixels = fvi_malloc(3 * plane);
    if (!pixels) return fvi_nomem(t->ctx);
    FVI_TRY_DONE(t->ctx, status, create_sheet(t->ctx, n, &sheet));
    for (int i = 0; i < n; i++) {
        fvi_unnormalise(&a, b->images + (size_t)i * 3 * plane, pixels);
        paint_cell(&sheet, i, &(fvi_paint_source){pixels, a.size, a.size, plane, 1});
    }
    FVI_TRY_DONE(t->ctx, status, add_picture(t, "train/pictures", &sheet));
done:
    fvi_free(pixels);
    fvi_canvas_free(&sheet);
    return status;
}

/* ---- a new best ------------------------------------------------------------------------------------------------------- */

/* A small PNG of the picture as a URI. */
static fv_status thumbnail(fv_context *ctx, const fv_image *image, fvi_record_mistake *m, char **uri)
{
    fvi_paint_source s = source_of(image);
    fvi_canvas c = {0};
    uint8_t *png = NULL;
    size_t bytes = 0;
    int width, height;
    fv_status status = FV_OK;
    fvi_paint_size(&s, THUMBNAIL, false, &width, &height);
    FVI_TRY_DONE(ctx, status, fvi_canvas_create(ctx, width, height, 3, &c));
    fvi_paint(&c, 0, 0, width, height, &s);
    FVI_TRY_DONE(ctx, status, fvi_png_encode(ctx, c.pixels, width, height, 3, &png, &bytes));
    if (!(*uri = fvi_png_uri(png, bytes))) {
        status = fvi_nomem(ctx);
        goto done;
    }
    m->picture = *uri;
    m->width = width;
    m->height = height;
done:
    fvi_free(png);
    fvi_canvas_free(&c);
    return status;
}

/* Reads the sample once more for its picture. One that cannot be read now is left without; the log says so. */
static fv_status show_mistake(fv_trainer *t, int i, fv_image *image, fvi_record_mistake *m, char **uri, fvi_canvas *sheet)
{
    int64_t label;
    fv_status status = t->val->get(t->val, t->ctx, m->id, image, &label);
    if (status == FV_ERROR_NOMEM) return status;
    if (status != FV_OK) {
        fvi_log(t->ctx, FV_LOG_WARN, "no picture in the report: %s", fv_error_message(t->ctx));
        fvi_error_clear(t->ctx);
        return FV_OK;
    }
    fvi_paint_source s = source_of(image);
    paint_cell(sheet, i, &s);
    FVI_TRY(t->ctx, thumbnail(t->ctx, image, m, uri));
    return FV_OK;
}

static fv_status write_record(fv_trainer *t, fvi_arena *arena, const fvi_record_mistake *mistakes)
{
    const char **names = fvi_arena_alloc(arena, (size_t)t->val->classes * sizeof *names);
    fvi_record_metric metrics[FVI_METRIC_COUNT];
    if (!names) return fvi_nomem(t->ctx);
    for (int64_t k = 0; k < t->val->classes; k++) {
        names[k] = t->train->class_names ? t->train->class_names[k] : fvi_arena_format(arena, "%lld", (long long)k);
        if (!names[k]) return fvi_nomem(t->ctx);
    }
    for (int i = 0; i < FVI_METRIC_COUNT; i++) metrics[i] = (fvi_record_metric){fvi_metric_names[i], fvi_metric_value(&t->counts, (fvi_metric)i)};
    fvi_record r = {.split = "val", .data = t->config->v.data_root, .step = t->position.step, .samples = t->counts.samples,
                    .classes = t->val->classes, .ema = t->config->v.ema_decay > 0, .names = names, .counts = t->counts.counts, .metrics = metrics,
                    .n_metrics = FVI_METRIC_COUNT, .mistakes = mistakes, .n_mistakes = t->mistakes.count};
    FVI_TRY(t->ctx, fvi_run_write(&t->run, "evaluation.json", fvi_record_text(&r)));
    return FV_OK;
}

static fv_status record_best(fv_trainer *t)
{
    int n = t->mistakes.count;
    fvi_arena arena = {0};
    fvi_canvas sheet = {0}, map = {0};
    fv_image image = {0};
    fv_status status = FV_OK;
    char name[1024], **uris = fvi_calloc((size_t)n + 1, sizeof *uris);
    fvi_record_mistake *rows = fvi_arena_alloc(&arena, ((size_t)n + 1) * sizeof *rows);
    if (!uris || !rows) {
        status = fvi_nomem(t->ctx);
        goto done;
    }
    if (n) FVI_TRY_DONE(t->ctx, status, create_sheet(t->ctx, n, &sheet));
    for (int i = 0; i < n; i++) {
        const fvi_mistake *m = &t->mistakes.items[i];
        fvi_source_name(t->val, m->id, name, sizeof name);
        rows[i] = (fvi_record_mistake){fvi_arena_strdup(&arena, name), m->id, m->truth, m->predicted, m->probability, m->truth_probability, m->loss,
                                       NULL, 0, 0};
        FVI_TRY_DONE(t->ctx, status, rows[i].name ? FV_OK : fvi_nomem(t->ctx));
        FVI_TRY_DONE(t->ctx, status, show_mistake(t, i, &image, &rows[i], &uris[i], &sheet));
    }
    FVI_TRY_DONE(t->ctx, status, write_record(t, &arena, rows));
    if (n) FVI_TRY_DONE(t->ctx, status, add_picture(t, "val/worst_mistakes", &sheet));
    FVI_TRY_DONE(t->ctx, status, fvi_paint_confusion(t->ctx, t->counts.counts, t->counts.classes, &map));
    FVI_TRY_DONE(t->ctx, status, add_picture(t, "val/confusion_matrix", &map));
done:
    for (int i = 0; uris && i < n; i++) fvi_free(uris[i]);
    fvi_free(uris);
    fv_image_free(&image);
    fvi_canvas_free(&sheet);
    fvi_canvas_free(&map);
    fvi_arena_free(&arena);
    return status;
}

fv_status fvi_outputs_validated(fv_trainer *t)
{
    fvi_event_value values[FVI_METRICS + FVI_OWN_METRICS];
    char tags[FVI_METRICS][40], own[FVI_OWN_METRICS][128];
    int n = 0;
    for (int i = 0; i < FVI_METRICS; i++) {
        if (isnan(t->position.metrics[i])) continue;
        snprintf(tags[i], sizeof tags[i], "val/%s", fvi_metric_columns[i] + 4);          /* val_acc: val/acc */
        values[n++] = (fvi_event_value){.tag = tags[i], .scalar = (float)t->position.metrics[i]};
    }
    for (int i = 0; i < t->n_own; i++) {
        if (isnan(t->position.own[i])) continue;
        snprintf(own[i], sizeof own[i], "val/%.120s", t->own[i].name);
        values[n++] = (fvi_event_value){.tag = own[i], .scalar = (float)t->position.own[i]};
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
    if (status == FV_OK && !(summed_up && fvi_file_exists(report))) status = fv_report_write(t->ctx, &run, 1, report);
    fvi_free(summary);
    fvi_free(report);
    return status;
}

fv_status fvi_outputs_end(fv_trainer *t)
{
    fv_status status = fvi_run_flush(&t->run);
    if (status == FV_OK) status = write_end(t, false);
    if (status != FV_OK && status != FV_ERROR_NOMEM)
        fvi_error_prefix(t->ctx, "the weights are saved, but not the report (fovea report %s writes it): ", t->run.path);
    return status;
}

fv_status fvi_outputs_late(fv_trainer *t) { return write_end(t, true); }
