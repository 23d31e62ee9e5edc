/* SPDX-License-Identifier: Apache-2.0 */
/* safetensors, writing: entries by descending element size, then by name; header padded with blanks to 8 bytes. The data
 * are fetched twice, first for the hash that goes into the header, so that no copy of the whole is held. The hash covers
 * the header too, with zeros in its own place, which is always the same: FVI_ST_HASH_AT. */
#include "io/safetensors.h"

#include <stdlib.h>

typedef struct place { const fvi_st_entry *entry; int index; size_t bytes; } place;

static int by_size_then_name(const void *a, const void *b)
{
    const fvi_st_entry *x = ((const place *)a)->entry, *y = ((const place *)b)->entry;
    size_t m = fvi_st_size(x->dtype), n = fvi_st_size(y->dtype);
    return m != n ? (m > n ? -1 : 1) : strcmp(x->name, y->name);
}

/* With zeros where the hash goes. */
static char *header_text(const fvi_st_output *o, const place *places, size_t *length)
{
    fvi_text t = {0};
    size_t offset = 0;
    fvi_text_add(&t, FVI_ST_HASH_START "%032d\"", 0);
    for (int i = 0; i < o->n_metadata; i++) {
        fvi_text_add(&t, ",");
        fvi_text_json_string(&t, o->metadata[i].key);
        fvi_text_add(&t, ":");
        fvi_text_json_string(&t, o->metadata[i].value);
    }
    fvi_text_add(&t, "}");
    for (int i = 0; i < o->count; i++) {
        const fvi_st_entry *e = places[i].entry;
        fvi_text_add(&t, ",");
        fvi_text_json_string(&t, e->name);
        fvi_text_add(&t, ":{\"dtype\":\"%s\",\"shape\":[", fvi_st_name(e->dtype));
        for (int d = 0; d < e->rank; d++) fvi_text_add(&t, "%s%lld", d ? "," : "", (long long)e->dims[d]);
        fvi_text_add(&t, "],\"data_offsets\":[%zu,%zu]}", offset, offset + places[i].bytes);
        offset += places[i].bytes;
    }
    fvi_text_add(&t, "}");
    while (t.length % 8 && !t.failed) fvi_text_add(&t, " ");
    *length = t.length;
    return fvi_text_take(&t);
}

static fv_status measure(fv_context *ctx, const char *path, const fvi_st_output *o, place *places, size_t *largest)
{
    *largest = 1;
    for (int i = 0; i < o->count; i++) {
        const fvi_st_entry *e = &o->entries[i];
        int64_t bytes = (int64_t)fvi_st_size(e->dtype);
        for (int d = 0; d < e->rank; d++)
            if (!fvi_mul_i64(bytes, e->dims[d], &bytes)) return fvi_fail(ctx, FV_ERROR_INVALID, "%s: tensor \"%s\" is too large", path, e->name);
        places[i] = (place){e, i, (size_t)bytes};
        *largest = FVI_MAX(*largest, (size_t)bytes);
    }
    qsort(places, (size_t)o->count, sizeof *places, by_size_then_name);
    for (int i = 1; i < o->count; i++)
        if (!strcmp(places[i].entry->name, places[i - 1].entry->name))
            return fvi_fail(ctx, FV_ERROR_INVALID, "%s: two tensors named \"%s\"", path, places[i].entry->name);
    return FV_OK;
}

static fv_status write_all(const fvi_st_output *o, const place *places, const char *header, size_t length, void *buffer, fvi_writer *w)
{
    uint64_t n = length;
    fv_status status = fvi_writer_write(w, &n, 8);
    if (status == FV_OK) status = fvi_writer_write(w, header, length);
    for (int i = 0; i < o->count && status == FV_OK; i++) {
        status = o->fetch(o->user, places[i].index, buffer);
        if (status == FV_OK) status = fvi_writer_write(w, buffer, places[i].bytes);
    }
    return status == FV_OK ? fvi_writer_sync(w) : status;
}

fv_status fvi_st_write(fv_context *ctx, const char *path, const fvi_st_output *o, char hash[33], fvi_writer **out)
{
    fv_status status = FV_OK;
    char *header = NULL;
    void *buffer = NULL;
    fvi_writer *w = NULL;
    size_t largest = 0, length = 0;
    *out = NULL;
    fvi_hash_state *h = NULL;
    place *places = fvi_calloc((size_t)o->count + 1, sizeof *places);
    if (!places) return fvi_nomem(ctx);
    FVI_TRY_DONE(ctx, status, measure(ctx, path, o, places, &largest));
    buffer = fvi_malloc_aligned(largest);
    header = header_text(o, places, &length);
    h = fvi_hash_begin();
    if (!buffer || !header || !h) {
        status = fvi_nomem(ctx);
        goto done;
    }
    fvi_hash_update(h, header, length);
    for (int i = 0; i < o->count; i++) {
        FVI_TRY_DONE(ctx, status, o->fetch(o->user, places[i].index, buffer));
        fvi_hash_update(h, buffer, places[i].bytes);
    }
    fvi_hash_end(h, hash);
    h = NULL;
    memcpy(header + FVI_ST_HASH_AT, hash, 32);
    FVI_TRY_DONE(ctx, status, fvi_writer_open(ctx, path, &w));
    FVI_TRY_DONE(ctx, status, write_all(o, places, header, length, buffer, w));
    *out = w;
    w = NULL;
done:
    if (h) fvi_hash_end(h, hash);
    fvi_writer_abort(w);
    fvi_free_aligned(buffer, largest);
    fvi_free(header);
    fvi_free(places);
    return status;
}
