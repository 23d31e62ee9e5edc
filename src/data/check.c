/* SPDX-License-Identifier: Apache-2.0 */
/* fovea data check: every picture is read and decoded, identical files are found, and all of it is counted. */
#include "base/file.h"
#include "data/open.h"
#include "image/image.h"

#include <stdio.h>
#include <stdlib.h>

enum { MOST_DOUBLES = 100 };

typedef struct notes { fv_data_fault *items; int count, capacity; } notes;

typedef struct own_report {
    fv_data_report r;                    /* first: freed through it */
    fv_context *ctx;
    fv_data *data;
    fvi_arena arena;
    notes bad, warnings, doubles;
} own_report;

_Static_assert(FVI_IMAGE_FORMATS - 1 <= FVI_COUNT(((fv_data_report *)NULL)->formats), "fv_data_report counts every format");

const char *fv_data_format_name(int index)
{
    return index >= 0 && index < FVI_IMAGE_FORMATS - 1 ? fvi_image_format_name((fvi_image_format)(index + 1)) : NULL;
}

static fv_status note(own_report *o, notes *to, const char *name, const char *reason)
{
    fv_data_fault f = {fvi_arena_strdup(&o->arena, name), fvi_arena_strdup(&o->arena, reason)};
    return f.name && f.reason && FVI_PUSH(to, f) ? FV_OK : fvi_nomem(o->ctx);
}

/* ---- pictures ----------------------------------------------------------------------------------------------------------- */

/* What one picture was found to be; made by any thread, counted in order afterwards. */
typedef struct finding { uint8_t format; bool turned, alpha, misnamed; int width, height; char *fault; bool bad; } finding;

static bool is_misnamed(const char *path, fvi_image_format format)
{
    static const struct { const char *end; fvi_image_format format; } ends[] = {
        {"jpg", FVI_IMAGE_JPEG}, {"jpeg", FVI_IMAGE_JPEG}, {"jpe", FVI_IMAGE_JPEG}, {"jfif", FVI_IMAGE_JPEG}, {"png", FVI_IMAGE_PNG}, {"webp", FVI_IMAGE_WEBP},
        {"gif", FVI_IMAGE_GIF}, {"bmp", FVI_IMAGE_BMP}, {"dib", FVI_IMAGE_BMP}, {"ppm", FVI_IMAGE_PNM}, {"pgm", FVI_IMAGE_PNM}, {"pnm", FVI_IMAGE_PNM},
        {"heic", FVI_IMAGE_HEIC}, {"heif", FVI_IMAGE_HEIC}, {"hif", FVI_IMAGE_HEIC}, {"avif", FVI_IMAGE_AVIF}};
    const char *dot = strrchr(path, '.');
    for (int i = 0; dot && i < FVI_COUNT(ends); i++)
        if (fvi_same_word(dot + 1, ends[i].end)) return ends[i].format != format;
    return true;
}

/* A picture that is itself at fault is a finding; anything else that fails is an error. */
static fv_status look_at(const fv_source *s, fv_context *ctx, int64_t i, fv_sample *sample, fvi_picture *p, finding *out)
{
    char name[512];
    fvi_image_info info = {0};
    const fvi_file *f = fvi_list_file_of(s, i);
    fvi_source_name(s, i, name, sizeof name);
    fv_sample_clear(sample);
    fv_status status = s->get(s, ctx, i, sample);
    if (status == FV_OK) status = fvi_image_decode(ctx, name, sample->file.data, sample->file.size, NULL, p, &info);
    *out = (finding){.format = (uint8_t)info.format, .turned = info.orientation > 1, .alpha = info.alpha, .bad = status != FV_OK,
                     .width = info.width, .height = info.height};
    out->misnamed = info.format != FVI_IMAGE_UNKNOWN && is_misnamed(f->path, info.format);
    if (status != FV_OK && !fvi_is_bad_sample(status)) return status;
    if (status != FV_OK) {
        const char *text = fv_error_message(ctx);
        size_t n = strlen(name);
        out->fault = fvi_strdup(!strncmp(text, name, n) && !strncmp(text + n, ": ", 2) ? text + n + 2 : text);
    } else if (info.warnings) {
        out->fault = fvi_format("%d faults forgiven, first: %s", info.warnings, info.warning);
    }
    fvi_error_clear(ctx);
    return (out->bad || info.warnings) && !out->fault ? fvi_nomem(ctx) : FV_OK;
}

static fv_status count_finding(own_report *o, const fv_source *s, int64_t i, const finding *f)
{
    fv_data_report *r = &o->r;
    char name[512];
    if (f->fault) {
        fvi_source_name(s, i, name, sizeof name);
        FVI_TRY(o->ctx, note(o, f->bad ? &o->bad : &o->warnings, name, f->fault));
    }
    if (f->format != FVI_IMAGE_UNKNOWN) r->formats[f->format - 1]++;
    r->misnamed += f->misnamed;
    if (f->bad) return FV_OK;
    r->turned += f->turned;
    r->transparent += f->alpha;
    bool first = !r->max_width;
    r->min_width = first ? f->width : FVI_MIN(r->min_width, f->width);
    r->min_height = first ? f->height : FVI_MIN(r->min_height, f->height);
    r->max_width = FVI_MAX(r->max_width, f->width);
    r->max_height = FVI_MAX(r->max_height, f->height);
    return FV_OK;
}

static fv_status look_at_all(own_report *o, const fv_source *s, int threads)
{
    finding *found = fvi_calloc((size_t)s->count, sizeof *found);
    fv_status status = found ? FV_OK : fvi_nomem(o->ctx);
    int failures = 0;
    if (!found) return status;
#pragma omp parallel num_threads(threads)
    {
        fv_context *ctx = fv_context_create();
        fv_sample sample = {0};
        fvi_picture p = {0};
#pragma omp for schedule(dynamic, 16)
        for (int64_t i = 0; i < s->count; i++) {
            const fv_status here = ctx ? look_at(s, ctx, i, &sample, &p, &found[i]) : FV_ERROR_NOMEM;
            int before = 1;
            if (here != FV_OK) {
#pragma omp atomic capture
                before = failures++;
            }
            if (!before) status = fvi_fail(o->ctx, here, "%s", ctx ? fv_error_message(ctx) : fv_status_text(here));      /* the first to fail */
        }
        fvi_picture_free(&p);
        fv_sample_free(&sample);
        fv_context_destroy(ctx);
    }
    for (int64_t i = 0; i < s->count; i++) {
        if (status == FV_OK) status = count_finding(o, s, i, &found[i]);
        fvi_free(found[i].fault);
    }
    fvi_free(found);
    return status;
}

/* ---- twins -------------------------------------------------------------------------------------------------------------- */

static fv_status count_twins(own_report *o, fvi_list *l)
{
    static const char *const sets[] = {"no set", "train", "val", "test"};
    int32_t *twin = fvi_calloc((size_t)l->count, sizeof *twin);
    char a[512], b[512], reason[1400];
    fv_status status = twin ? fvi_list_twins(o->ctx, l, twin) : fvi_nomem(o->ctx);
    for (int i = 0; i < l->count && status == FV_OK; i++) {
        const fvi_file *f = &l->items[i], *t = &l->items[twin[i]];
        if (twin[i] == i) continue;
        o->r.duplicates++;
        o->r.across_sets += f->set != t->set;
        o->r.across_classes += f->label != t->label;
        if ((f->set == t->set && f->label == t->label) || o->doubles.count >= MOST_DOUBLES) continue;
        fvi_show_name(f->path, a, sizeof a);
        fvi_show_name(t->path, b, sizeof b);
        snprintf(reason, sizeof reason, "is %s (%s, %s and %s, %s)", b, sets[f->set + 1], l->classes[f->label], sets[t->set + 1], l->classes[t->label]);
        status = note(o, &o->doubles, a, reason);
    }
    fvi_free(twin);
    return status;
}

/* ---- the report --------------------------------------------------------------------------------------------------------- */

static fv_status count_records(own_report *o, fv_data_class *rows)
{
    fv_sample sample = {0};
    fv_status status = FV_OK;
    for (int k = 0; k < FV_SPLITS && status == FV_OK; k++) {
        const fv_source *s = o->data->sets[k];
        if (!s || (k == FV_SPLIT_TEST && o->data->shared_test)) continue;
        for (int64_t i = 0; i < s->count && status == FV_OK; i++) {
            fv_sample_clear(&sample);
            status = s->get(s, o->ctx, i, &sample);
            if (status != FV_OK) break;
            rows[sample.label].count[k]++;
            o->r.min_width = o->r.max_width = sample.image.width;
            o->r.min_height = o->r.max_height = sample.image.height;
        }
    }
    fv_sample_free(&sample);
    return status;
}

static fv_status check_all(own_report *o, const fv_data_options *options, int threads)
{
    fv_data_report *r = &o->r;
    fv_data *d;
    FVI_TRY(o->ctx, fv_data_open(o->ctx, options, &o->data));
    d = o->data;
    const fv_source *any = d->sets[FV_SPLIT_TRAIN] ? d->sets[FV_SPLIT_TRAIN] : d->sets[FV_SPLIT_VAL];
    r->root = fvi_arena_strdup(&o->arena, options->root);
    r->format = d->format;
    r->ignored = d->list.ignored;
    r->classes = any->classes;
    fv_data_class *rows = fvi_arena_alloc(&o->arena, (size_t)r->classes * sizeof *rows);
    if (!r->root || !rows) return fvi_nomem(o->ctx);
    r->per_class = rows;
    for (int64_t c = 0; c < r->classes; c++) {
        rows[c].name = any->class_names ? any->class_names[c] : fvi_arena_format(&o->arena, "%lld", (long long)c);
        if (!rows[c].name) return fvi_nomem(o->ctx);
    }
    if (d->listed) {
        fv_source *all = NULL;
        for (int i = 0; i < d->list.count; i++) rows[d->list.items[i].label].count[FVI_MAX(d->list.items[i].set, 0)]++;
        FVI_TRY(o->ctx, fvi_list_source(o->ctx, &d->list, FVI_NO_SET, &all));
        fv_status status = look_at_all(o, all, threads);
        fv_source_destroy(all);
        FVI_TRY(o->ctx, status);
        FVI_TRY(o->ctx, count_twins(o, &d->list));
    } else {
        FVI_TRY(o->ctx, count_records(o, rows));
    }
    for (int64_t c = 0; c < r->classes; c++)
        for (int k = 0; k < FV_SPLITS; k++) {
            r->count[k] += rows[c].count[k];
            r->samples += rows[c].count[k];
        }
    r->bad = o->bad.items;
    r->n_bad = o->bad.count;
    r->warnings = o->warnings.items;
    r->n_warnings = o->warnings.count;
    r->doubles = o->doubles.items;
    r->n_doubles = o->doubles.count;
    return FV_OK;
}

fv_status fv_data_check(fv_context *ctx, const fv_data_options *options, int threads, fv_data_report **out)
{
    *out = NULL;
    own_report *o = fvi_calloc(1, sizeof *o);
    if (!o) return fvi_nomem(ctx);
    o->ctx = ctx;
    fv_status status = check_all(o, options, FVI_MAX(threads, 1));
    if (status == FV_OK)
        *out = &o->r;
    else
        fv_data_report_destroy(&o->r);
    return status;
}

void fv_data_report_destroy(fv_data_report *r)
{
    if (!r) return;
    own_report *o = (own_report *)(void *)r;
    fv_data_destroy(o->data);
    fvi_free(o->bad.items);
    fvi_free(o->warnings.items);
    fvi_free(o->doubles.items);
    fvi_arena_free(&o->arena);
    fvi_free(o);
}
