/* SPDX-License-Identifier: Apache-2.0 */
/* One batch through a task: padding to few batch sizes; and pictures in memory. */
#include "predict/predictor.h"
#include "tasks/softmax.h"

#include <stdio.h>

/* ---- a batch ------------------------------------------------------------------------------------------------------------ */

fv_status fvi_predictor_run(fv_predictor *p, const fv_batch *b, int64_t capacity, const fv_results **out)
{
    fv_tensor tensors[FV_FIELDS_MAX];
    fv_batch all = *b;
    int64_t padded = 1;
    while (padded < b->n) padded *= 2;
    padded = FVI_MIN(padded, capacity);
    all.n = padded;
    all.tensors = tensors;
    for (int i = 0; i < b->n_fields; i++) {
        tensors[i] = b->tensors[i];
        for (int64_t k = b->n; b->counts[i] && k < padded; k++) b->counts[i][k] = 0;
        if (b->counts[i]) continue;
        const size_t bytes = fvi_field_bytes(&b->fields[i]);
        tensors[i].dims[0] = padded;
        for (int64_t k = b->n; k < padded; k++) memcpy((char *)tensors[i].data + (size_t)k * bytes, tensors[i].data, bytes);
    }
    return fvi_task_call(p->task, fvi_task_function(p->task, p->task->def->predict), true, &all, out);
}

/* ---- pictures in memory ------------------------------------------------------------------------------------------------- */

static fv_status pixels_of(fv_context *ctx, const fv_picture *in, const char *name, fv_image *out)
{
    const size_t stride = in->stride ? in->stride : 3 * (size_t)FVI_MAX(in->width, 0);
    if (in->width < 1 || in->height < 1 || in->width > FVI_MAX_SIDE || in->height > FVI_MAX_SIDE || (int64_t)in->width * in->height > FVI_MAX_PIXELS ||
        stride < 3 * (size_t)in->width)
        return fvi_fail(ctx, FV_ERROR_INVALID, "%s: %d x %d pixels with a stride of %zu bytes", name, in->width, in->height, stride);
    FVI_TRY(ctx, fv_image_resize(ctx, out, in->height, in->width));
    const size_t plane = (size_t)in->width * (size_t)in->height;
    for (int y = 0; y < in->height; y++) {
        const uint8_t *from = in->rgb + (size_t)y * stride;
        uint8_t *to = out->pixels + (size_t)y * (size_t)in->width;
        for (int x = 0; x < in->width; x++, from += 3, to++)
            for (size_t c = 0; c < 3; c++) to[c * plane] = from[c];
    }
    return FV_OK;
}

fv_status fvi_picture_sample(fv_context *ctx, const fv_picture *in, const char *name, fv_sample *out)
{
    if (in->rgb) return pixels_of(ctx, in, name, &out->image);
    if (in->bytes) {
        FVI_TRY(ctx, fv_bytes_resize(ctx, &out->file, in->n_bytes));
        if (in->n_bytes) memcpy(out->file.data, in->bytes, in->n_bytes);       /* nothing piped: no memory either */
        return FV_OK;
    }
    if (!in->path) return fvi_fail(ctx, FV_ERROR_INVALID, "%s has neither path nor bytes nor pixels", name);
    return fvi_read_bytes(ctx, in->path, &out->file);
}

typedef struct pictures { fv_source source; const fv_picture *items; int64_t first; } pictures;

static void name_picture(const fv_source *s, int64_t index, char *text, size_t capacity)
{
    const pictures *p = s->user;
    if (p->items[index].path) fvi_show_name(p->items[index].path, text, capacity);
    else snprintf(text, capacity, "picture %lld", (long long)index);
}

static fv_status get_picture(const fv_source *s, fv_context *ctx, int64_t index, fv_sample *out)
{
    const pictures *p = s->user;
    char name[256];
    name_picture(s, index, name, sizeof name);
    return fvi_picture_sample(ctx, &p->items[index], name, out);
}

/* Room for so many pictures, in powers of two. */
static fv_status reserve(fv_predictor *p, int64_t n)
{
    int64_t room = 1;
    while (room < n) room *= 2;
    room = FVI_MIN(room, p->info.batch_size);
    if (room <= p->room) return FV_OK;
    fvi_batch_free(&p->batch);
    p->room = 0;
    FVI_TRY(p->ctx, fvi_batch_create(p->ctx, p->task->fields, p->task->n_fields, room, &p->batch));
    p->room = room;
    return FV_OK;
}

/* The next pictures into the batch; an error names the one that it is about. */
static fv_status fill(fv_predictor *p, const pictures *source, int64_t first, int64_t n)
{
    fvi_batch *b = &p->batch;
    b->b.n = n;
    b->b.ids = b->ids;
    b->b.tensors = b->tensors;
    b->b.counts = b->counts;
    p->loading.source = &source->source;
    for (int64_t i = 0; i < n; i++) {
        const fv_draw still = {.sample = first + i};
        char name[256];
        b->ids[i] = first + i;
        fvi_loading_at(&p->space, b, i, first + i);
        const fv_status status = p->loading.collate(p->loading.user, &p->space, &still);
        if (status == FV_OK) continue;
        name_picture(&source->source, first + i, name, sizeof name);
        if (!strstr(fv_error_message(p->ctx), name)) fvi_error_prefix(p->ctx, "%s: ", name);
        return status;
    }
    return FV_OK;
}

fv_status fv_predict(fv_predictor *p, const fv_picture *in, int64_t n, float *probabilities, float *logits)
{
    const int64_t classes = p->info.classes;
    const size_t row = (size_t)classes;
    pictures s = {.items = in};
    if (n < 1) return n ? fvi_fail(p->ctx, FV_ERROR_INVALID, "%lld pictures", (long long)n) : FV_OK;
    s.source = (fv_source){.count = n, .user = &s, .get = get_picture, .name = name_picture};
    FVI_TRY(p->ctx, reserve(p, n));
    for (int64_t first = 0; first < n; first += p->room) {
        const int64_t count = FVI_MIN(n - first, p->room);
        const fv_results *r;
        FVI_TRY(p->ctx, fill(p, &s, first, count));
        FVI_TRY(p->ctx, fvi_predictor_run(p, &p->batch.b, p->room, &r));
        const fv_tensor *output = p->task->def->output ? fv_results_find(r, p->task->def->output) : NULL;
        if (!classes || !output || output->dtype != FV_F32 || output->rank != 2 || output->dims[1] != classes)
            return fvi_fail(p->ctx, FV_ERROR_UNSUPPORTED, "task %s has no output (N, classes); fv_predict_files gives its rows", p->task->def->name);
        const float *from = output->data;
        if (logits) memcpy(logits + (size_t)first * row, from, (size_t)count * row * sizeof *logits);
        for (int64_t i = 0; i < count && probabilities; i++)
            if (!fvi_softmax(from + (size_t)i * row, classes, probabilities + (size_t)(first + i) * row))
                return fvi_fail(p->ctx, FV_ERROR_NUMERIC, "picture %lld: " FVI_NOT_FINITE, (long long)(first + i));
    }
    return FV_OK;
}

/* ---- the rest ----------------------------------------------------------------------------------------------------------- */

const fv_predictor_info *fv_predictor_describe(const fv_predictor *p)
{
    return &p->info;
}

void fv_predictor_destroy(fv_predictor *p)
{
    if (!p) return;
    fvi_task_destroy(p->task);
    fv_model_destroy(p->own_model);
    fvi_loading_free(&p->space);
    fvi_batch_free(&p->batch);
    fvi_arena_free(&p->arena);
    fvi_free(p);
}
