/* SPDX-License-Identifier: Apache-2.0 */
/* A classification that was evaluated: for the run's record, as a struct, for people and programs. */
#include "fovea/classify.h"
#include "page/paint.h"
#include "page/sheet.h"
#include "tasks/classify.h"

#include <math.h>
#include <stdio.h>

enum { THUMBNAIL = 192, SHOWN = 5 };

/* ---- the run's record --------------------------------------------------------------------------------------------------- */

/* Reads the sample once more for its picture. One that cannot be read now is left without. */
static fv_status show_mistake(fv_recorder *r, const fvi_mistake *m, fvi_arena *arena, int place, fvi_class_mistake *out, fvi_canvas *sheet)
{
    const fv_sample *sample;
    char name[1024];
    int width, height;
    fvi_source_name(r->data, m->id, name, sizeof name);
    *out = (fvi_class_mistake){.name = fvi_arena_strdup(arena, name), .id = m->id, .truth = m->truth, .predicted = m->predicted, .probability = m->probability,
                               .truth_probability = m->truth_probability, .loss = m->loss};
    if (!out->name) return fvi_nomem(r->ctx);
    FVI_TRY(r->ctx, fv_recorder_sample(r, m->id, &sample));
    if (!sample) return FV_OK;
    fvi_sheet_add(sheet, place, &sample->image);
    FVI_TRY(r->ctx, fv_recorder_picture(r, &sample->image, THUMBNAIL, &out->picture, &width, &height));
    out->width = width;
    out->height = height;
    return FV_OK;
}

static fv_status add_mistakes(fv_task *t, fv_recorder *r, fvi_arena *arena, fvi_class_mistake *rows)
{
    const fvi_classify *c = t->state;
    const int n = c->mistakes.count;
    fvi_canvas sheet = {0};
    fv_status status = FV_OK;
    if (!n) return FV_OK;
    FVI_TRY_DONE(t->ctx, status, fvi_sheet_create(t->ctx, n, &sheet));
    for (int i = 0; i < n; i++) FVI_TRY_DONE(t->ctx, status, show_mistake(r, &c->mistakes.items[i], arena, i, &rows[i], &sheet));
    FVI_TRY_DONE(t->ctx, status, fvi_recorder_canvas(r, "val/worst_mistakes", &sheet));
done:
    fvi_canvas_free(&sheet);
    return status;
}

static fv_status class_names(fv_task *t, fvi_arena *arena, const char ***out)
{
    const int64_t n = t->setup.classes;
    char room[32];
    *out = fvi_arena_alloc(arena, (size_t)n * sizeof **out);
    for (int64_t k = 0; *out && k < n; k++)
        if (!((*out)[k] = fvi_arena_strdup(arena, fv_task_class_name(t, k, room)))) *out = NULL;
    return *out ? FV_OK : fvi_nomem(t->ctx);
}

fv_status fvi_classify_record(fv_task *t, fv_recorder *r)
{
    const fvi_classify *c = t->state;
    fvi_arena arena = {0};
    fvi_canvas map = {0};
    const char **names;
    fv_status status = FV_OK;
    fvi_class_mistake *rows = fvi_arena_alloc(&arena, ((size_t)c->mistakes.count + 1) * sizeof *rows);
    if (!rows) return fvi_nomem(t->ctx);
    FVI_TRY_DONE(t->ctx, status, class_names(t, &arena, &names));
    FVI_TRY_DONE(t->ctx, status, add_mistakes(t, r, &arena, rows));
    const fvi_class_record record = {c->counts.classes, names, c->counts.counts, rows, c->mistakes.count};
    fvi_class_record_text(&record, &r->json);
    FVI_TRY_DONE(t->ctx, status, fvi_paint_confusion(t->ctx, c->counts.counts, c->counts.classes, &map));
    FVI_TRY_DONE(t->ctx, status, fvi_recorder_canvas(r, "val/confusion_matrix", &map));
done:
    fvi_canvas_free(&map);
    fvi_arena_free(&arena);
    return status;
}

/* ---- as a struct -------------------------------------------------------------------------------------------------------- */

fv_status fvi_classify_details(fv_task *t, const fv_source *data, const void **out)
{
    const fvi_classify *c = t->state;
    const fvi_confusion *counts = &c->counts;
    fv_classification *e = fv_task_keep(t, sizeof *e);
    fv_class_report *rows = fv_task_keep(t, (size_t)counts->classes * sizeof *rows);
    fv_mistake *mistakes = fv_task_keep(t, ((size_t)c->mistakes.count + 1) * sizeof *mistakes);
    const char **names;
    if (!e || !rows || !mistakes) return fvi_nomem(t->ctx);
    FVI_TRY(t->ctx, class_names(t, &t->arena, &names));
    for (int64_t k = 0; k < counts->classes; k++)
        rows[k] = (fv_class_report){names[k], fvi_confusion_support(counts, k), fvi_confusion_score(counts, FVI_PRECISION, k, 0),
                                    fvi_confusion_score(counts, FVI_RECALL, k, 0), fvi_confusion_score(counts, FVI_F1, k, 0)};
    for (int i = 0; i < c->mistakes.count; i++) {
        const fvi_mistake *m = &c->mistakes.items[i];
        char name[1024];
        fvi_source_name(data, m->id, name, sizeof name);
        mistakes[i] = (fv_mistake){fvi_arena_strdup(&t->arena, name), m->id, m->truth, m->predicted, m->probability, m->truth_probability, m->loss};
        if (!mistakes[i].name) return fvi_nomem(t->ctx);
    }
    *e = (fv_classification){counts->classes, counts->counts, rows, mistakes, c->mistakes.count};
    *out = e;
    return FV_OK;
}

/* ---- for people --------------------------------------------------------------------------------------------------------- */

static double value_of(const fv_metric *metrics, const char *name)
{
    for (; metrics->name; metrics++)
        if (!strcmp(metrics->name, name)) return metrics->value;
    return (double)NAN;
}

static void add_average(fv_text *t, const char *label, int64_t samples, const fv_metric *m, const char *suffix)
{
    static const char *const scores[] = {"precision", "recall", "f1"};
    fv_text_add(t, "%-20s %8lld", label, (long long)samples);
    for (int i = 0; i < 3; i++) {
        char name[40];
        snprintf(name, sizeof name, "%s%s", scores[i], suffix);
        fv_text_fixed(t, value_of(m, name), i ? 9 : 11, 4);
    }
    fv_text_add(t, "\n");
}

fv_status fvi_classify_show(fv_task *task, const void *details, const fv_metric *m, int64_t samples, fv_text *t)
{
    static const char *const shown[] = {"acc", "top5", "f1", "loss"};
    const fv_classification *e = details;
    (void)task;
    for (int i = 0, first = 1; i < FVI_COUNT(shown); i++) {
        const double v = value_of(m, shown[i]);
        if (isnan(v)) continue;
        fv_text_add(t, "%s%s ", first ? "" : "  ", shown[i]);
        fv_text_fixed(t, v, 0, 4);
        first = 0;
    }
    fv_text_add(t, "\n\n%-20s %8s %10s %8s %8s\n", "class", "pictures", "precision", "recall", "f1");
    for (int64_t k = 0; k < e->classes; k++) {
        const fv_class_report *r = &e->per_class[k];
        fv_text_show(t, r->name, 20);
        fv_text_add(t, " %8lld", (long long)r->support);
        fv_text_fixed(t, r->precision, 11, 4);
        fv_text_fixed(t, r->recall, 9, 4);
        fv_text_fixed(t, r->f1, 9, 4);
        fv_text_add(t, "%s\n", r->support ? "" : "  (no pictures)");
    }
    fv_text_add(t, "\n");
    add_average(t, "macro average", samples, m, "");
    add_average(t, "weighted average", samples, m, "_weighted");
    for (int i = 0; i < e->n_mistakes && i < SHOWN; i++) {
        const fv_mistake *w = &e->mistakes[i];
        fv_text_add(t, "%s  %s: ", i ? "" : "\nworst mistakes\n", w->name);
        fv_text_show(t, e->per_class[w->truth].name, 0);
        fv_text_add(t, " taken for ");
        fv_text_show(t, e->per_class[w->predicted].name, 0);
        fv_text_add(t, " (");
        fv_text_fixed(t, 100 * w->probability, 0, 1);
        fv_text_add(t, " %%)\n");
    }
    return FV_OK;
}

/* ---- for programs ------------------------------------------------------------------------------------------------------- */

static void add_member(fv_text *t, const char *name, double v)
{
    fv_text_add(t, ", \"%s\": ", name);
    fv_text_json_number(t, v);
}

fv_status fvi_classify_json(fv_task *task, const void *details, fv_text *t)
{
    const fv_classification *e = details;
    (void)task;
    fv_text_add(t, ", \"classes\": [");
    for (int64_t k = 0; k < e->classes; k++) {
        const fv_class_report *r = &e->per_class[k];
        fv_text_add(t, "%s{\"name\": ", k ? ", " : "");
        fv_text_json_string(t, r->name);
        fv_text_add(t, ", \"support\": %lld", (long long)r->support);
        add_member(t, "precision", r->precision);
        add_member(t, "recall", r->recall);
        add_member(t, "f1", r->f1);
        fv_text_add(t, "}");
    }
    fv_text_add(t, "], \"confusion\": [");
    for (int64_t i = 0; i < e->classes; i++) {
        fv_text_add(t, "%s[", i ? ", " : "");
        for (int64_t k = 0; k < e->classes; k++) fv_text_add(t, "%s%lld", k ? ", " : "", (long long)e->confusion[i * e->classes + k]);
        fv_text_add(t, "]");
    }
    fv_text_add(t, "], \"mistakes\": [");
    for (int i = 0; i < e->n_mistakes; i++) {
        const fv_mistake *m = &e->mistakes[i];
        fv_text_add(t, "%s{\"name\": ", i ? ", " : "");
        fv_text_json_string(t, m->name);
        fv_text_add(t, ", \"id\": %lld, \"truth\": %lld, \"predicted\": %lld", (long long)m->id, (long long)m->truth, (long long)m->predicted);
        add_member(t, "probability", m->probability);
        add_member(t, "loss", m->loss);
        fv_text_add(t, "}");
    }
    fv_text_add(t, "]");
    return FV_OK;
}
