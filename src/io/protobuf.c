/* SPDX-License-Identifier: Apache-2.0 */
/* The wire format of protocol buffers: a field is a tag (number and kind, as a varint) and a value. A sub-message is
 * written in place and its length put in front when it ends. Groups (kinds 3 and 4) are long gone and refused. */
#include "io/protobuf.h"

#include <stdio.h>

/* ---- writing ---- */

enum { LARGEST_VARINT = 10 };

void fvi_pb_free(fvi_pb *p)
{
    fvi_free(p->data);
    memset(p, 0, sizeof *p);
}

/* Room for `more` bytes at the end. */
static unsigned char *room(fvi_pb *p, size_t more)
{
    if (p->failed) return NULL;
    if (more > p->capacity - p->bytes) {
        size_t wanted = FVI_MAX(p->capacity * 2, (size_t)256);
        while (wanted - p->bytes < more && wanted < SIZE_MAX / 2) wanted *= 2;
        unsigned char *data = wanted - p->bytes < more ? NULL : fvi_realloc(p->data, wanted);
        if (!data) {
            p->failed = true;
            return NULL;
        }
        p->data = data;
        p->capacity = wanted;
    }
    return p->data + p->bytes;
}

static size_t put_varint(unsigned char *to, uint64_t v)
{
    size_t n = 0;
    for (; v >= 0x80; v >>= 7) to[n++] = (unsigned char)(v | 0x80);
    to[n++] = (unsigned char)v;
    return n;
}

static size_t put_little(unsigned char *to, uint64_t v, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) to[i] = (unsigned char)(v >> 8 * i);
    return bytes;
}

static void add_varint(fvi_pb *p, uint64_t v)
{
    unsigned char *to = room(p, LARGEST_VARINT);
    if (to) p->bytes += put_varint(to, v);
}

static void add_little(fvi_pb *p, uint64_t v, size_t bytes)
{
    unsigned char *to = room(p, bytes);
    if (to) p->bytes += put_little(to, v, bytes);
}

static void add_tag(fvi_pb *p, int field, fvi_pb_wire wire)
{
    add_varint(p, (uint64_t)field << 3 | (uint64_t)wire);
}

static uint64_t float_bits(float v)
{
    uint32_t u;
    memcpy(&u, &v, sizeof u);
    return u;
}

static uint64_t double_bits(double v)
{
    uint64_t u;
    memcpy(&u, &v, sizeof u);
    return u;
}

void fvi_pb_int(fvi_pb *p, int field, int64_t value)
{
    add_tag(p, field, FVI_PB_VARINT);
    add_varint(p, (uint64_t)value);
}

void fvi_pb_float(fvi_pb *p, int field, float value)
{
    add_tag(p, field, FVI_PB_FIXED32);
    add_little(p, float_bits(value), 4);
}

void fvi_pb_double(fvi_pb *p, int field, double value)
{
    add_tag(p, field, FVI_PB_FIXED64);
    add_little(p, double_bits(value), 8);
}

void fvi_pb_announce(fvi_pb *p, int field, uint64_t bytes)
{
    add_tag(p, field, FVI_PB_BYTES);
    add_varint(p, bytes);
}

void fvi_pb_bytes(fvi_pb *p, int field, const void *data, size_t bytes)
{
    fvi_pb_announce(p, field, bytes);
    unsigned char *to = bytes ? room(p, bytes) : NULL;
    if (!to) return;
    memcpy(to, data, bytes);
    p->bytes += bytes;
}

void fvi_pb_append(fvi_pb *p, const fvi_pb *fields)
{
    unsigned char *to = fields->bytes ? room(p, fields->bytes) : NULL;
    if (fields->failed || fields->depth) p->failed = true;
    if (!to || p->failed) return;
    memcpy(to, fields->data, fields->bytes);
    p->bytes += fields->bytes;
}

void fvi_pb_string(fvi_pb *p, int field, const char *text)
{
    fvi_pb_bytes(p, field, text, strlen(text));
}

void fvi_pb_begin(fvi_pb *p, int field)
{
    add_tag(p, field, FVI_PB_BYTES);
    if (p->depth == FVI_PB_DEPTH) p->failed = true;
    if (!p->failed) p->start[p->depth++] = p->bytes;
}

void fvi_pb_end(fvi_pb *p)
{
    unsigned char length[LARGEST_VARINT];
    if (p->failed || !p->depth) {
        p->failed = true;
        return;
    }
    const size_t start = p->start[--p->depth], bytes = p->bytes - start, n = put_varint(length, bytes);
    if (!room(p, n)) return;
    memmove(p->data + start + n, p->data + start, bytes);
    memcpy(p->data + start, length, n);
    p->bytes += n;
}

void fvi_pb_ints(fvi_pb *p, int field, const int64_t *values, size_t n)
{
    fvi_pb_begin(p, field);
    for (size_t i = 0; i < n; i++) add_varint(p, (uint64_t)values[i]);
    fvi_pb_end(p);
}

void fvi_pb_floats(fvi_pb *p, int field, const float *values, size_t n)
{
    fvi_pb_announce(p, field, (uint64_t)n * 4);
    for (size_t i = 0; i < n; i++) add_little(p, float_bits(values[i]), 4);
}

void fvi_pb_doubles(fvi_pb *p, int field, const double *values, size_t n)
{
    fvi_pb_announce(p, field, (uint64_t)n * 8);
    for (size_t i = 0; i < n; i++) add_little(p, double_bits(values[i]), 8);
}

/* ---- reading ---- */

FV_PRINTF(4, 0) static void fail_at(fvi_pb_source *s, size_t offset, int field, const char *fmt, va_list args)
{
    char text[512], where[48] = "";
    if (s->status != FV_OK) return;                      /* the first error stays */
    fvi_vprint(text, sizeof text, fmt, args);
    if (field) snprintf(where, sizeof where, "field %d: ", field);
    s->status = fvi_fail(s->ctx, FV_ERROR_FORMAT, "%s: byte %zu: %s%s", s->name, offset, where, text);
}

void fvi_pb_fail(const fvi_pb_reader *r, const fvi_pb_field *f, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    fail_at(r->source, f->offset, f->number, fmt, args);
    va_end(args);
}

fvi_pb_reader fvi_pb_read(fvi_pb_source *s)
{
    if (!s->data) s->data = (const unsigned char *)"";   /* nothing at all is an empty message */
    return (fvi_pb_reader){s, s->data, s->data + s->bytes, 0};
}

/* NULL when it is fine, else what is wrong. */
static const char *take_varint(const unsigned char **at, const unsigned char *end, uint64_t *value)
{
    uint64_t v = 0;
    for (int i = 0; i < LARGEST_VARINT; i++) {
        if (*at == end) return "the message ends inside a number";
        const uint64_t byte = *(*at)++;
        if (i == LARGEST_VARINT - 1 && byte > 1) return "a number of more than 64 bits";
        v |= (byte & 0x7f) << 7 * i;
        if (byte < 0x80) {
            *value = v;
            return NULL;
        }
    }
    return "a number of more than 64 bits";
}

static const char *take_fixed(const unsigned char **at, const unsigned char *end, size_t bytes, uint64_t *value)
{
    if ((size_t)(end - *at) < bytes) return "the message ends inside a number";
    *value = 0;
    for (size_t i = 0; i < bytes; i++) *value |= (uint64_t)(*at)[i] << 8 * i;
    *at += bytes;
    return NULL;
}

static const char *take_number(const unsigned char **at, const unsigned char *end, fvi_pb_wire wire, uint64_t *value)
{
    return wire == FVI_PB_VARINT ? take_varint(at, end, value) : take_fixed(at, end, wire == FVI_PB_FIXED64 ? 8 : 4, value);
}

bool fvi_pb_next(fvi_pb_reader *r, fvi_pb_field *f)
{
    uint64_t tag;
    *f = (fvi_pb_field){.offset = (size_t)(r->at - r->source->data)};
    if (r->source->status != FV_OK || r->at == r->end) return false;
    const char *wrong = take_varint(&r->at, r->end, &tag);
    if (!wrong && (tag >> 3 == 0 || tag >> 3 > FVI_PB_LAST_FIELD)) wrong = "no such field number";
    if (!wrong) {
        const unsigned wire = tag & 7;
        f->number = (int)(tag >> 3);
        f->wire = (fvi_pb_wire)wire;
        if (wire == 3 || wire == 4) wrong = "groups are not supported";
        else if (wire > 5) wrong = "no such kind of field";
        else wrong = take_number(&r->at, r->end, wire == FVI_PB_BYTES ? FVI_PB_VARINT : f->wire, &f->value);
    }
    if (!wrong && f->wire == FVI_PB_BYTES) {
        const size_t left = (size_t)(r->end - r->at);
        if (f->value > left) {
            fvi_pb_fail(r, f, "%llu bytes are announced, %zu are left", (unsigned long long)f->value, left);
            return false;
        }
        f->data = r->at;
        f->bytes = (size_t)f->value;
        r->at += f->bytes;
    }
    if (wrong) fvi_pb_fail(r, f, "%s", wrong);
    return !wrong;
}

static bool has_wire(const fvi_pb_reader *r, const fvi_pb_field *f, fvi_pb_wire wire)
{
    static const char *const kinds[] = {"a whole number", "8 bytes", "a length and bytes", "", "", "4 bytes"};
    if (f->wire == wire) return true;
    fvi_pb_fail(r, f, "holds %s where %s is expected", kinds[f->wire], kinds[wire]);
    return false;
}

fvi_pb_reader fvi_pb_enter(const fvi_pb_reader *r, const fvi_pb_field *f)
{
    fvi_pb_reader child = {r->source, r->end, r->end, r->depth + 1};
    if (child.depth > FVI_PB_DEPTH) fvi_pb_fail(r, f, "messages are nested deeper than %d", FVI_PB_DEPTH);
    else if (has_wire(r, f, FVI_PB_BYTES)) {
        child.at = f->data;
        child.end = f->data + f->bytes;
    }
    return child;
}

int64_t fvi_pb_get_int(const fvi_pb_reader *r, const fvi_pb_field *f)
{
    return has_wire(r, f, FVI_PB_VARINT) ? (int64_t)f->value : 0;
}

float fvi_pb_get_float(const fvi_pb_reader *r, const fvi_pb_field *f)
{
    const uint32_t u = has_wire(r, f, FVI_PB_FIXED32) ? (uint32_t)f->value : 0;
    float v;
    memcpy(&v, &u, sizeof v);
    return v;
}

double fvi_pb_get_double(const fvi_pb_reader *r, const fvi_pb_field *f)
{
    const uint64_t u = has_wire(r, f, FVI_PB_FIXED64) ? f->value : 0;
    double v;
    memcpy(&v, &u, sizeof v);
    return v;
}

const char *fvi_pb_get_string(const fvi_pb_reader *r, const fvi_pb_field *f, fvi_arena *arena)
{
    if (!has_wire(r, f, FVI_PB_BYTES)) return "";
    const char *text = (const char *)f->data;
    for (size_t i = 0; i < f->bytes;) {
        const int n = fvi_utf8_next(text + i, f->bytes - i, NULL);
        if (!n || !text[i]) {
            fvi_pb_fail(r, f, "text that is not UTF-8");
            return "";
        }
        i += (size_t)n;
    }
    char *copy = fvi_arena_alloc(arena, f->bytes + 1);
    if (!copy) {
        if (r->source->status == FV_OK) r->source->status = fvi_nomem(r->source->ctx);
        return "";
    }
    if (f->bytes) memcpy(copy, text, f->bytes);
    return copy;
}

bool fvi_pb_number(const fvi_pb_reader *r, fvi_pb_field *f, fvi_pb_wire wire, uint64_t *value)
{
    if (r->source->status != FV_OK || f->taken) return false;
    if (f->wire != FVI_PB_BYTES) {
        f->taken = true;
        *value = f->value;
        return has_wire(r, f, wire);
    }
    if (!f->bytes) return false;
    const unsigned char *end = f->data + f->bytes;
    const char *wrong = take_number(&f->data, end, wire, value);
    f->bytes = (size_t)(end - f->data);
    if (wrong) fvi_pb_fail(r, f, "%s", wrong);
    return !wrong;
}
