/* SPDX-License-Identifier: Apache-2.0 */
/* Samples and batches: buffers that are kept, places that are filled, random numbers of a draw. */
#include "data/loader.h"

/* ---- samples ------------------------------------------------------------------------------------------------------------ */

static size_t elements(int rank, const int64_t *dims)
{
    size_t n = 1;
    for (int i = 0; i < rank; i++) n *= (size_t)FVI_MAX(dims[i], 0);
    return n;
}

fv_tensor *fv_sample_array(fv_context *ctx, fv_sample *s, const char *name, fv_dtype dtype, int rank, const int64_t *dims)
{
    int at = 0;
    fv_status status = FV_OK;
    while (at < s->n_arrays && strcmp(s->arrays[at].name, name)) at++;
    if (at == FV_ARRAYS_MAX || rank < 0 || rank > FV_MAX_RANK || !fv_dtype_size(dtype)) {
        status = fvi_fail(ctx, FV_ERROR_INVALID, "sample: array \"%s\" has rank %d; at most %d arrays of rank %d are kept", name, rank, FV_ARRAYS_MAX, FV_MAX_RANK);
        (void)status;
        return NULL;
    }
    const size_t bytes = FVI_MAX(elements(rank, dims) * fv_dtype_size(dtype), (size_t)1);
    if (bytes > s->arrays[at].capacity) {
        void *data = fvi_realloc(s->arrays[at].tensor.data, bytes);
        if (!data) {
            status = fvi_nomem(ctx);
            return NULL;
        }
        s->arrays[at].tensor.data = data;
        s->arrays[at].capacity = bytes;
    }
    s->arrays[at].name = name;
    fv_tensor *t = &s->arrays[at].tensor;
    t->dtype = dtype;
    t->rank = rank;
    memcpy(t->dims, dims, (size_t)rank * sizeof *dims);
    if (at == s->n_arrays) s->n_arrays++;
    return t;
}

const fv_tensor *fv_sample_find(const fv_sample *s, const char *name)
{
    for (int i = 0; i < s->n_arrays; i++)
        if (!strcmp(s->arrays[i].name, name)) return &s->arrays[i].tensor;
    return NULL;
}

void fv_sample_clear(fv_sample *s)
{
    s->image.height = s->image.width = 0;
    s->file.size = 0;
    s->label = FV_NO_LABEL;
    s->n_arrays = 0;
}

void fv_sample_free(fv_sample *s)
{
    fv_image_free(&s->image);
    fv_bytes_free(&s->file);
    for (int i = 0; i < FV_ARRAYS_MAX; i++) fvi_free(s->arrays[i].tensor.data);
    memset(s, 0, sizeof *s);
    s->label = FV_NO_LABEL;
}

fv_status fvi_source_sample(const fv_source *s, fv_context *ctx, int64_t index, fv_sample *out)
{
    char name[256];
    fv_sample_clear(out);
    FVI_TRY(ctx, s->get(s, ctx, index, out));
    if (!out->file.size && !s->files) return FV_OK;
    fvi_source_name(s, index, name, sizeof name);
    return fv_image_decode(ctx, name, out->file.data, out->file.size, &out->image);
}

/* ---- batches ------------------------------------------------------------------------------------------------------------ */

size_t fvi_field_bytes(const fv_field *f)
{
    const int ragged = f->rank > 0 && f->dims[0] == FV_RAGGED;
    return elements(f->rank - ragged, f->dims + ragged) * fv_dtype_size(f->dtype);
}

static bool is_ragged(const fv_field *f)
{
    return f->rank > 0 && f->dims[0] == FV_RAGGED;
}

fv_status fvi_batch_create(fv_context *ctx, const fv_field *fields, int n_fields, int64_t samples, fvi_batch *out)
{
    memset(out, 0, sizeof *out);
    if (n_fields < 0 || n_fields > FV_FIELDS_MAX) return fvi_fail(ctx, FV_ERROR_INVALID, "a batch of %d fields; at most %d", n_fields, FV_FIELDS_MAX);
    out->b = (fv_batch){.n_fields = n_fields, .fields = fields};
    if (!(out->ids = fvi_calloc((size_t)samples, sizeof *out->ids))) return fvi_nomem(ctx);
    for (int i = 0; i < n_fields; i++) {
        const fv_field *f = &fields[i];
        fv_tensor *t = &out->tensors[i];
        if (f->rank < 0 || f->rank >= FV_MAX_RANK || !fv_dtype_size(f->dtype))
            return fvi_fail(ctx, FV_ERROR_INVALID, "field \"%s\": rank %d is not in 0 .. %d", f->name, f->rank, FV_MAX_RANK - 1);
        t->dtype = f->dtype;
        t->rank = f->rank + !is_ragged(f);
        memcpy(t->dims + !is_ragged(f), f->dims, (size_t)f->rank * sizeof *f->dims);
        out->bytes[i] = FVI_MAX((size_t)samples * fvi_field_bytes(f), (size_t)64);
        if (!(t->data = fvi_malloc_aligned(out->bytes[i]))) return fvi_nomem(ctx);
        if (is_ragged(f) && !(out->counts[i] = fvi_calloc((size_t)samples, sizeof *out->counts[i]))) return fvi_nomem(ctx);
    }
    return FV_OK;
}

void fvi_batch_free(fvi_batch *b)
{
    for (int i = 0; i < FV_FIELDS_MAX; i++) {
        fvi_free_aligned(b->tensors[i].data, b->bytes[i]);
        fvi_free(b->counts[i]);
    }
    fvi_free(b->ids);
    memset(b, 0, sizeof *b);
}

static int field_of(const fv_batch *b, const char *name)
{
    for (int i = 0; i < b->n_fields; i++)
        if (!strcmp(b->fields[i].name, name)) return i;
    return -1;
}

const fv_tensor *fv_batch_find(const fv_batch *b, const char *field)
{
    const int i = field_of(b, field);
    return i < 0 ? NULL : &b->tensors[i];
}

const int64_t *fv_batch_counts(const fv_batch *b, const char *field)
{
    const int i = field_of(b, field);
    return i < 0 ? NULL : b->counts[i];
}

/* ---- places ------------------------------------------------------------------------------------------------------------- */

fv_context *fv_loading_context(fv_loading *l)
{
    return l->ctx;
}

const fv_source *fv_loading_source(const fv_loading *l)
{
    return l->o->source;
}

static void *no_field(fv_loading *l, const char *field, const char *why)
{
    const fv_status status = fvi_fail(l->ctx, FV_ERROR_INVALID, "collate: field \"%s\" %s", field, why);
    (void)status;
    return NULL;
}

void *fv_place(fv_loading *l, const char *field)
{
    const int i = field_of(&l->batch->b, field);
    if (i < 0) return no_field(l, field, "is none of this batch");
    if (is_ragged(&l->batch->b.fields[i])) return no_field(l, field, "is ragged: fv_place_rows makes room in it");
    return (char *)l->batch->tensors[i].data + (size_t)l->place * fvi_field_bytes(&l->batch->b.fields[i]);
}

void *fv_place_rows(fv_loading *l, const char *field, int64_t rows)
{
    const int i = field_of(&l->batch->b, field);
    if (i < 0) return no_field(l, field, "is none of this batch");
    if (!is_ragged(&l->batch->b.fields[i])) return no_field(l, field, "has no rows: fv_place gives its place");
    fv_tensor *t = &l->batch->tensors[i];
    const size_t row = fvi_field_bytes(&l->batch->b.fields[i]), used = (size_t)t->dims[0] * row, wanted = used + (size_t)rows * row;
    if (wanted > l->batch->bytes[i]) {
        const size_t room = FVI_MAX(wanted, 2 * l->batch->bytes[i]);
        void *data = fvi_malloc_aligned(room);
        if (!data) {
            const fv_status status = fvi_nomem(l->ctx);
            (void)status;
            return NULL;
        }
        memcpy(data, t->data, used);
        fvi_free_aligned(t->data, l->batch->bytes[i]);
        t->data = data;
        l->batch->bytes[i] = room;
    }
    t->dims[0] += rows;
    l->batch->counts[i][l->place] += rows;
    return (char *)t->data + used;
}

/* Forgets what a sample that failed, or the batch before, has put into ragged fields. */
static void reset_rows(fvi_batch *b, int64_t place)
{
    for (int i = 0; i < b->b.n_fields; i++) {
        if (!b->counts[i]) continue;
        int64_t rows = 0;
        for (int64_t k = 0; k < place; k++) rows += b->counts[i][k];
        b->counts[i][place] = 0;
        b->tensors[i].dims[0] = rows;
    }
}

void fvi_loading_at(fv_loading *l, fvi_batch *b, int64_t place, int64_t id)
{
    l->batch = b;
    l->place = place;
    l->reading = id;
    l->used = l->forgiven = 0;
    reset_rows(b, place);
}

static fv_status next_sample(fv_loading *l, fv_sample **out)
{
    if (l->used == l->samples.count) {
        fv_sample *fresh = fvi_calloc(1, sizeof *fresh);
        if (!fresh || !FVI_PUSH(&l->samples, fresh)) {
            fvi_free(fresh);
            return fvi_nomem(l->ctx);
        }
    }
    *out = l->samples.items[l->used++];
    fv_sample_clear(*out);
    return FV_OK;
}

/* Which sample is read where `index` is wanted. */
static int64_t stand_in(const fv_loading *l, int64_t index)
{
    return l->loader ? fvi_loader_stand_in(l->loader, l->batch->b.epoch, index) : index;
}

fv_status fv_loading_sample(fv_loading *l, int64_t index, const fv_sample **out)
{
    const fv_source *s = l->o->source;
    fv_sample *sample = NULL;
    *out = NULL;
    if (index < 0 || index >= s->count) return fvi_fail(l->ctx, FV_ERROR_INVALID, "sample %lld of %lld", (long long)index, (long long)s->count);
    FVI_TRY(l->ctx, next_sample(l, &sample));
    const int64_t own = l->reading;
    l->reading = stand_in(l, index);
    FVI_TRY(l->ctx, fvi_source_sample(s, l->ctx, l->reading, sample));
    l->reading = own;
    *out = sample;
    return FV_OK;
}

void fvi_loading_free(fv_loading *l)
{
    fvi_workspace_free(&l->space);
    for (int i = 0; i < l->samples.count; i++) {
        fv_sample_free(l->samples.items[i]);
        fvi_free(l->samples.items[i]);
    }
    fvi_free(l->samples.items);
    memset(&l->samples, 0, sizeof l->samples);
}

/* ---- pictures ----------------------------------------------------------------------------------------------------------- */

fv_status fvi_loading_picture(fv_loading *l, const fvi_augment *a, const fv_draw *d, int64_t *label)
{
    const fv_source *s = l->o->source;
    fvi_workspace *space = &l->space;
    fv_sample *sample = NULL;
    char name[256];
    const int64_t id = stand_in(l, d->sample);
    const bool moves = d->random && fvi_augment_moves(a);        /* then the whole picture is kept, else what becomes of it */
    fvi_cache *cache = moves && a->jpeg_scale ? NULL : l->cache;
    space->warnings = 0;
    if (cache && fvi_cache_get(cache, id, moves ? &space->whole : &space->sized, label))
        return moves ? fvi_augment_size(a, l->ctx, space, d) : FV_OK;
    FVI_TRY(l->ctx, next_sample(l, &sample));
    FVI_TRY(l->ctx, s->get(s, l->ctx, id, sample));
    if (sample->file.size || s->files) {
        fvi_source_name(s, id, name, sizeof name);
        FVI_TRY(l->ctx, fvi_augment_decode(a, l->ctx, space, name, sample->file.data, sample->file.size, d, cache && moves));
    } else {
        FVI_TRY(l->ctx, fvi_augment_planes(l->ctx, space, &sample->image));
        FVI_TRY(l->ctx, fvi_augment_size(a, l->ctx, space, d));
    }
    *label = sample->label;
    l->forgiven += space->warnings > 0;
    if (cache) fvi_cache_put(cache, id, moves ? &space->whole : &space->sized, *label);
    return FV_OK;
}

/* ---- random numbers ----------------------------------------------------------------------------------------------------- */

static fvi_rng stream(const fv_draw *d, unsigned purpose, uint64_t index)
{
    fvi_rng r = fvi_rng_at(d->seed, fvi_rng_stream((uint64_t)d->epoch, (uint64_t)d->sample, purpose));
    r.next = index << 16;                /* far enough apart for numbers that take several words */
    return r;
}

double fv_draw_uniform(const fv_draw *d, unsigned purpose, uint64_t index)
{
    fvi_rng r = stream(d, purpose, index);
    return fvi_rng_uniform(&r);
}

double fv_draw_normal(const fv_draw *d, unsigned purpose, uint64_t index)
{
    fvi_rng r = stream(d, purpose, index);
    return fvi_rng_normal(&r);
}

int64_t fv_draw_below(const fv_draw *d, unsigned purpose, uint64_t index, int64_t n)
{
    fvi_rng r = stream(d, purpose, index);
    return fvi_rng_below(&r, n);
}
