/* SPDX-License-Identifier: Apache-2.0 */
/* Writing event files. Messages are those of TensorBoard's event.proto and summary.proto; fields are written in the order of
 * their numbers and zero is left out, so the bytes are those that its own writer makes (tests/golden/events.bin). */
#include "io/events.h"
#include "base/file.h"
#include "io/crc32c.h"
#include "io/protobuf.h"

#include <dirent.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define VERSION "brain.Event:2"
#define PREFIX FVI_EVENTS_PREFIX

struct fvi_events {
    fv_context *ctx;
    char *path;
    int fd;
};

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- a record --------------------------------------------------------------------------------------------------------- */

static void put_u32(unsigned char out[4], uint32_t v)
{
    for (int i = 0; i < 4; i++) out[i] = (unsigned char)(v >> 8 * i);
}

/* A check sum of check sums is weak, hence the mask. */
static uint32_t masked_crc(const void *data, size_t bytes)
{
    uint32_t c = fvi_crc32c(data, bytes);
    return (c >> 15 | c << 17) + 0xA282EAD8u;
}

static void encode_value(fvi_pb *p, const fvi_event_value *v)
{
    if (!v->png && isnan(v->scalar)) return;
    fvi_pb_begin(p, 1);
    fvi_pb_string(p, 1, v->tag);
    if (v->png) {
        fvi_pb_begin(p, 4);
        fvi_pb_int(p, 1, v->height);
        fvi_pb_int(p, 2, v->width);
        fvi_pb_int(p, 3, v->channels);
        fvi_pb_bytes(p, 4, v->png, v->png_bytes);
        fvi_pb_end(p);
    } else {
        fvi_pb_float(p, 2, v->scalar);
    }
    fvi_pb_end(p);
}

static void encode(fvi_pb *p, const fvi_event *e)
{
    fvi_pb_double(p, 1, e->wall_time != 0 ? e->wall_time : now());
    if (e->step) fvi_pb_int(p, 2, e->step);
    if (e->file_version) fvi_pb_string(p, 3, e->file_version);
    if (e->n_values) {
        fvi_pb_begin(p, 5);
        for (int i = 0; i < e->n_values; i++) encode_value(p, &e->values[i]);
        fvi_pb_end(p);
    }
    if (e->start) {
        fvi_pb_begin(p, 7);
        fvi_pb_int(p, 1, 1);                             /* SessionLog: START */
        fvi_pb_end(p);
    }
}

/* The whole record in one piece, so that one call writes it. */
fv_status fvi_events_add(fvi_events *e, const fvi_event *event)
{
    fv_status status = FV_OK;
    fvi_pb message = {0};
    encode(&message, event);
    unsigned char *record = message.failed ? NULL : fvi_malloc(message.bytes + 16);
    if (!record) {
        status = fvi_nomem(e->ctx);
        goto done;
    }
    put_u32(record, (uint32_t)message.bytes);
    put_u32(record + 4, (uint32_t)((uint64_t)message.bytes >> 32));
    put_u32(record + 8, masked_crc(record, 8));
    memcpy(record + 12, message.data, message.bytes);
    put_u32(record + 12 + message.bytes, masked_crc(message.data, message.bytes));
    FVI_TRY_DONE(e->ctx, status, fvi_append(e->ctx, e->fd, e->path, record, message.bytes + 16));
done:
    fvi_free(record);
    fvi_pb_free(&message);
    return status;
}

/* ---- a file ----------------------------------------------------------------------------------------------------------- */

/* The latest second in the names of event files that are there (-1: none); readers take files in the order of their names. */
static long long latest_second(const char *folder)
{
    long long latest = -1;
    DIR *dir = opendir(folder);
    for (struct dirent *d; dir && (d = readdir(dir));)
        if (!strncmp(d->d_name, PREFIX, sizeof PREFIX - 1)) latest = FVI_MAX(latest, strtoll(d->d_name + sizeof PREFIX - 1, NULL, 10));
    if (dir) closedir(dir);
    return latest;
}

bool fvi_events_any(const char *folder)
{
    return latest_second(folder) >= 0;
}

static char *new_path(const char *folder, double wall_time)
{
    static atomic_int number;
    char host[256] = "";
    long long latest = latest_second(folder), second = (long long)wall_time;
    if (gethostname(host, sizeof host - 1) != 0 || !*host) memcpy(host, "localhost", 10);
    for (char *c = host; *c; c++)
        if (!strchr("-_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", *c)) *c = '_';
    if (second <= latest && latest < 9999999999) second = latest + 1;
    char *name = fvi_format(PREFIX "%010lld.%s.%lld.%d", second, host, (long long)getpid(), atomic_fetch_add(&number, 1));
    char *path = name ? fvi_path_join(folder, name) : NULL;
    fvi_free(name);
    return path;
}

fv_status fvi_events_open(fv_context *ctx, const char *folder, int64_t step, double wall_time, fvi_events **out)
{
    fv_status status = FV_OK;
    *out = NULL;
    fvi_events *e = fvi_calloc(1, sizeof *e);
    if (!e) return fvi_nomem(ctx);
    e->ctx = ctx;
    e->fd = -1;
    if (wall_time == 0) wall_time = now();
    FVI_TRY_DONE(ctx, status, fvi_make_dirs(ctx, folder));
    if (!(e->path = new_path(folder, wall_time))) {
        status = fvi_nomem(ctx);
        goto done;
    }
    FVI_TRY_DONE(ctx, status, fvi_append_create(ctx, e->path, &e->fd));
    FVI_TRY_DONE(ctx, status, fvi_events_add(e, &(fvi_event){.wall_time = wall_time, .file_version = VERSION}));
    if (step > 0) FVI_TRY_DONE(ctx, status, fvi_events_add(e, &(fvi_event){.wall_time = wall_time, .step = step + 1, .start = true}));
    *out = e;
    e = NULL;
done:
    fvi_events_close(e);
    return status;
}

const char *fvi_events_path(const fvi_events *e)
{
    return e->path;
}

void fvi_events_close(fvi_events *e)
{
    if (!e) return;
    if (e->fd >= 0) close(e->fd);
    fvi_free(e->path);
    fvi_free(e);
}

/* ---- reading ---------------------------------------------------------------------------------------------------------- */

static uint32_t get_u32(const unsigned char *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

fv_status fvi_event_next(fvi_event_reader *r, const unsigned char **payload, size_t *bytes)
{
    const unsigned char *p = r->data + r->at;
    size_t left = r->bytes - r->at;
    *payload = NULL;
    *bytes = 0;
    r->cut = left > 0 && left < 12;
    if (left < 12) return FV_OK;
    if (get_u32(p + 8) != masked_crc(p, 8))
        return fvi_fail(r->ctx, FV_ERROR_FORMAT, "%s: byte %zu: the length's check sum is wrong", r->name, r->at);
    uint64_t length = get_u32(p) | (uint64_t)get_u32(p + 4) << 32;
    if (length > FVI_EVENT_LIMIT)
        return fvi_fail(r->ctx, FV_ERROR_FORMAT, "%s: byte %zu: a record of %llu bytes, the most is %d", r->name, r->at, (unsigned long long)length,
                        FVI_EVENT_LIMIT);
    r->cut = left - 12 < length + 4;
    if (r->cut) return FV_OK;
    if (get_u32(p + 12 + length) != masked_crc(p + 12, (size_t)length))
        return fvi_fail(r->ctx, FV_ERROR_FORMAT, "%s: byte %zu: the record's check sum is wrong", r->name, r->at);
    *payload = p + 12;
    *bytes = (size_t)length;
    r->at += 16 + (size_t)length;
    return FV_OK;
}

static void decode_image(fvi_pb_reader r, fvi_event_value *v)
{
    fvi_pb_field f;
    while (fvi_pb_next(&r, &f)) {
        if (f.number == 1) v->height = (int)fvi_pb_get_int(&r, &f);
        if (f.number == 2) v->width = (int)fvi_pb_get_int(&r, &f);
        if (f.number == 3) v->channels = (int)fvi_pb_get_int(&r, &f);
        if (f.number == 4 && f.wire == FVI_PB_BYTES) {
            v->png = f.data;
            v->png_bytes = f.bytes;
        }
    }
}

static void decode_value(fvi_pb_reader r, fvi_arena *arena, fvi_event_value *v)
{
    fvi_pb_field f;
    v->tag = "";
    while (fvi_pb_next(&r, &f)) {
        if (f.number == 1) v->tag = fvi_pb_get_string(&r, &f, arena);
        if (f.number == 2) v->scalar = fvi_pb_get_float(&r, &f);
        if (f.number == 4) decode_image(fvi_pb_enter(&r, &f), v);
    }
}

static fv_status decode_summary(const fvi_pb_reader *from, fvi_arena *arena, fvi_event *out)
{
    fvi_pb_field f;
    int n = 0;
    for (fvi_pb_reader r = *from; fvi_pb_next(&r, &f);) n += f.number == 1;
    fvi_event_value *values = fvi_arena_alloc(arena, (size_t)n * sizeof *values);
    if (!values) return fvi_nomem(from->source->ctx);
    n = 0;
    for (fvi_pb_reader r = *from; fvi_pb_next(&r, &f);)
        if (f.number == 1) decode_value(fvi_pb_enter(&r, &f), arena, &values[n++]);
    out->values = values;
    out->n_values = n;
    return FV_OK;
}

fv_status fvi_event_decode(fv_context *ctx, const char *name, const unsigned char *payload, size_t bytes, fvi_arena *arena, fvi_event *out)
{
    fvi_pb_source source = {.ctx = ctx, .name = name, .data = payload, .bytes = bytes};
    fvi_pb_reader r = fvi_pb_read(&source);
    fvi_pb_field f;
    *out = (fvi_event){0};
    while (fvi_pb_next(&r, &f)) {
        if (f.number == 1) out->wall_time = fvi_pb_get_double(&r, &f);
        if (f.number == 2) out->step = fvi_pb_get_int(&r, &f);
        if (f.number == 3) out->file_version = fvi_pb_get_string(&r, &f, arena);
        if (f.number == 5) {
            fvi_pb_reader summary = fvi_pb_enter(&r, &f);
            FVI_TRY(ctx, decode_summary(&summary, arena, out));
        }
        if (f.number == 7) {
            fvi_pb_field g;
            for (fvi_pb_reader log = fvi_pb_enter(&r, &f); fvi_pb_next(&log, &g);)
                if (g.number == 1) out->start = fvi_pb_get_int(&log, &g) == 1;
        }
    }
    return source.status;
}
