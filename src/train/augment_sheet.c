/* SPDX-License-Identifier: Apache-2.0 */
/* A sheet of what augmentation makes of training pictures: a row for each, as evaluation sees it and as the first epochs draw it. */
#include "base/file.h"
#include "data/open.h"
#include "image/png_write.h"
#include "page/paint.h"
#include "train/outputs.h"

#include <math.h>

enum { CELL = 128, GAP = 4, MOST = 200 };

typedef struct sheet {
    fv_context *ctx;
    fv_config *config;
    fv_data *data;
    const fv_source *source;
    fvi_augment augment;
    fvi_workspace space;
    fv_sample sample;
    float *numbers;                      /* (3, size, size), normalised */
    uint8_t *pixels;                     /* the same in 8 bits */
    fvi_canvas canvas;
} sheet;

void fvi_unnormalise(const fvi_augment *a, const float *image, uint8_t *pixels)
{
    size_t plane = (size_t)a->height * (size_t)a->width;
    for (size_t k = 0; k < 3; k++)
        for (size_t i = 0; i < plane; i++) {
            float v = 255 * (image[k * plane + i] * a->std[k] + a->mean[k]);
            pixels[k * plane + i] = (uint8_t)lrintf(fminf(fmaxf(v, 0), 255));
        }
}

/* The sample as the loader makes it for this draw. */
static fv_status make(sheet *s, const fv_draw *d)
{
    char name[256];
    fv_sample_clear(&s->sample);
    FVI_TRY(s->ctx, s->source->get(s->source, s->ctx, d->sample, &s->sample));
    if (s->source->files) {
        fvi_source_name(s->source, d->sample, name, sizeof name);
        FVI_TRY(s->ctx, fvi_augment_decode(&s->augment, s->ctx, &s->space, name, s->sample.file.data, s->sample.file.size, d, false));
        fvi_augment_finish(&s->augment, d, &s->space.sized, s->numbers);
        return FV_OK;
    }
    FVI_TRY(s->ctx, fvi_augment_apply(&s->augment, s->ctx, &s->space, &s->sample.image, d, s->numbers));
    return FV_OK;
}

static void paint(sheet *s, int row, int column)
{
    const fvi_paint_source p = {s->pixels, s->augment.width, s->augment.height, (size_t)s->augment.width * (size_t)s->augment.height, 1};
    int width, height;
    fvi_unnormalise(&s->augment, s->numbers, s->pixels);
    fvi_paint_size(&p, CELL, true, &width, &height);
    fvi_paint(&s->canvas, column * (CELL + GAP) + (CELL - width) / 2, row * (CELL + GAP) + (CELL - height) / 2, width, height, &p);
}

static fv_status paint_row(sheet *s, int row, int64_t sample, int draws)
{
    fv_draw d = {.seed = (uint64_t)s->config->v.seed, .sample = sample};
    FVI_TRY(s->ctx, make(s, &d));
    paint(s, row, 0);
    for (int i = 0; i < draws; i++) {
        d.random = true;
        d.epoch = i;
        FVI_TRY(s->ctx, make(s, &d));
        paint(s, row, i + 1);
    }
    return FV_OK;
}

/* Samples at even distances, so that all classes have their turn; the next one for one that cannot be read, where such are skipped. */
static fv_status paint_rows(sheet *s, int rows, int draws)
{
    for (int row = 0; row < rows; row++) {
        int64_t sample = row * s->source->count / rows, end = (row + 1) * s->source->count / rows;
        fv_status status = paint_row(s, row, sample, draws);
        for (; fvi_is_bad_sample(status) && s->config->v.on_bad_file == 1 && ++sample < end;) {
            fvi_log(s->ctx, FV_LOG_WARN, "skipped %s", fv_error_message(s->ctx));
            fvi_error_clear(s->ctx);
            status = paint_row(s, row, sample, draws);
        }
        if (status != FV_OK) return status;
    }
    return FV_OK;
}

static fv_status open_source(sheet *s, const fv_augment_options *o)
{
    char *split = o->config && fvi_is_dir(o->config) ? fvi_split_path(o->config) : NULL;
    FVI_TRY(s->ctx, fvi_config_create(s->ctx, NULL, o->config, o->n_settings, o->settings, &s->config));
    fv_status status = fvi_open_data(s->ctx, s->config, &(fv_data_options){.split_file = split}, &s->data);
    fvi_free(split);
    FVI_TRY(s->ctx, status);
    s->source = fv_data_source(s->data, FV_SPLIT_TRAIN);
    s->augment = fvi_augment_of(s->config);
    if (!s->source || !s->source->count) return fvi_fail(s->ctx, FV_ERROR_FORMAT, "%s: no pictures to train on", s->config->v.data_root);
    return FV_OK;
}

static fv_status write_sheet(sheet *s, const fv_augment_options *o, fv_augmented *out)
{
    uint8_t *png = NULL;
    size_t bytes;
    FVI_TRY(s->ctx, open_source(s, o));
    const size_t plane = (size_t)s->augment.width * (size_t)s->augment.height;
    const int rows = (int)FVI_MIN(o->pictures, s->source->count), columns = 1 + o->draws;
    s->numbers = fvi_malloc(3 * plane * sizeof *s->numbers);
    s->pixels = fvi_malloc(3 * plane);
    if (!s->numbers || !s->pixels) return fvi_nomem(s->ctx);
    FVI_TRY(s->ctx, fvi_canvas_create(s->ctx, columns * (CELL + GAP) - GAP, rows * (CELL + GAP) - GAP, 3, &s->canvas));
    FVI_TRY(s->ctx, paint_rows(s, rows, o->draws));
    FVI_TRY(s->ctx, fvi_png_encode(s->ctx, s->canvas.pixels, s->canvas.width, s->canvas.height, 3, &png, &bytes));
    fv_status status = fvi_file_write(s->ctx, o->path, png, bytes);
    fvi_free(png);
    if (status == FV_OK && out) *out = (fv_augmented){rows, o->draws, s->canvas.width, s->canvas.height};
    return status;
}

fv_status fv_augment_sheet(fv_context *ctx, const fv_augment_options *o, fv_augmented *out)
{
    sheet s = {.ctx = ctx};
    if (!o->path || o->pictures < 1 || o->pictures > MOST || o->draws < 0 || o->draws > MOST)
        return fvi_fail(ctx, FV_ERROR_INVALID, "a sheet needs a path, 1 to %d pictures and 0 to %d draws of each", MOST, MOST);
    const fv_status status = write_sheet(&s, o, out);
    fvi_canvas_free(&s.canvas);
    fvi_free(s.pixels);
    fvi_free(s.numbers);
    fvi_workspace_free(&s.space);
    fv_sample_free(&s.sample);
    fv_data_destroy(s.data);
    fv_config_destroy(s.config);
    return status;
}
