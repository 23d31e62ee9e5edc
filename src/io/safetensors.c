/* SPDX-License-Identifier: Apache-2.0 */
/* safetensors, reading. */
#include "io/safetensors.h"

#include <stdio.h>
#include <stdlib.h>

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "safetensors files are little-endian; this reader copies bytes as they are"
#endif

static const size_t header_limit = 100000000;

static const struct { const char *name; size_t bytes; } types[] = {
#define FVI_ST_ROW(name, bytes) {#name, bytes},
    FVI_ST_LIST(FVI_ST_ROW)
#undef FVI_ST_ROW
};

size_t fvi_st_size(fvi_st_dtype dtype)
{
    return types[dtype].bytes;
}

const char *fvi_st_name(fvi_st_dtype dtype)
{
    return types[dtype].name;
}

fvi_st_dtype fvi_st_from(fv_dtype dtype)
{
    static const fvi_st_dtype map[] = {[FV_F32] = FVI_ST_F32, [FV_F64] = FVI_ST_F64, [FV_BF16] = FVI_ST_BF16, [FV_F16] = FVI_ST_F16,
                                       [FV_I64] = FVI_ST_I64, [FV_I32] = FVI_ST_I32, [FV_U8] = FVI_ST_U8, [FV_BOOL] = FVI_ST_BOOL};
    return map[dtype];
}

#define bad(f, ...) fvi_fail_file(ctx, (f), __LINE__, __VA_ARGS__)

/* "FILE: not a valid safetensors file: ..." */
FV_PRINTF(4, 5) static fv_status fvi_fail_file(fv_context *ctx, const fvi_st_file *f, int line, const char *fmt, ...)
{
    char text[1024];
    va_list args;
    va_start(args, fmt);
    fvi_vprint(text, sizeof text, fmt, args);
    va_end(args);
    return fvi_fail_at(ctx, FV_ERROR_FORMAT, __FILE__, line, "%s: not a valid safetensors file: %s", f->path, text);
}

static fv_status read_type(fv_context *ctx, const fvi_st_file *f, const fvi_json *entry, fvi_st_tensor *t)
{
    const fvi_json *v = fvi_json_get(entry, "dtype");
    if (!v || v->kind != FVI_JSON_STRING) return bad(f, "tensor \"%s\" has no dtype", t->name);
    for (int i = 0; i < FVI_ST_DTYPES; i++)
        if (!strcmp(v->string, types[i].name)) {
            t->dtype = (fvi_st_dtype)i;
            return FV_OK;
        }
    return bad(f, "tensor \"%s\" has dtype %.40s, which is not supported", t->name, v->string);
}

static fv_status read_shape(fv_context *ctx, const fvi_st_file *f, const fvi_json *entry, fvi_st_tensor *t)
{
    const fvi_json *v = fvi_json_get(entry, "shape");
    if (!v || v->kind != FVI_JSON_ARRAY) return bad(f, "tensor \"%s\" has no shape", t->name);
    if (v->count > FVI_ST_RANK) return bad(f, "tensor \"%s\" has %d dimensions, at most %d are supported", t->name, v->count, FVI_ST_RANK);
    t->numel = 1;
    for (const fvi_json *d = v->child; d; d = d->next) {
        if (!d->is_integer || d->integer < 0) return bad(f, "tensor \"%s\" has a dimension that is not a whole number", t->name);
        if (!fvi_mul_i64(t->numel, d->integer, &t->numel)) return bad(f, "tensor \"%s\" is too large", t->name);
        t->dims[t->rank++] = d->integer;
    }
    return FV_OK;
}

static fv_status read_place(fv_context *ctx, const fvi_st_file *f, const fvi_json *entry, fvi_st_tensor *t)
{
    const fvi_json *v = fvi_json_get(entry, "data_offsets");
    if (!v || v->kind != FVI_JSON_ARRAY || v->count != 2) return bad(f, "tensor \"%s\" has no data_offsets", t->name);
    const fvi_json *begin = v->child, *end = begin->next;
    if (!begin->is_integer || !end->is_integer || begin->integer < 0 || end->integer < begin->integer)
        return bad(f, "tensor \"%s\" has impossible data_offsets", t->name);
    if ((uint64_t)end->integer > f->data_bytes)
        return bad(f, "tensor \"%s\" ends %lld bytes into a data section of %zu: the file is cut short", t->name, (long long)end->integer,
                   f->data_bytes);
    int64_t bytes;
    if (!fvi_mul_i64(t->numel, (int64_t)types[t->dtype].bytes, &bytes) || bytes != end->integer - begin->integer)
        return bad(f, "tensor \"%s\" has %lld bytes, its shape wants %lld values of %s", t->name,
                   (long long)(end->integer - begin->integer), (long long)t->numel, types[t->dtype].name);
    t->offset = (size_t)begin->integer;
    t->bytes = (size_t)bytes;
    t->data = f->data + t->offset;
    return FV_OK;
}

static fv_status read_metadata(fv_context *ctx, fvi_st_file *f, const fvi_json *v)
{
    if (v->kind != FVI_JSON_OBJECT) return bad(f, "__metadata__ is not an object");
    for (const fvi_json *m = v->child; m; m = m->next)
        if (m->kind != FVI_JSON_STRING) return bad(f, "__metadata__ value \"%.200s\" is not text", m->key);
    f->metadata = v;
    return FV_OK;
}

static int by_offset(const void *a, const void *b)
{
    const fvi_st_tensor *x = a, *y = b;
    if (x->offset != y->offset) return x->offset < y->offset ? -1 : 1;
    return x->bytes < y->bytes ? -1 : x->bytes > y->bytes;
}

static fv_status check_places(fv_context *ctx, const fvi_st_file *f)
{
    size_t end = 0;
    for (int i = 0; i < f->count; i++) {
        const fvi_st_tensor *t = &f->tensors[i];
        if (t->offset != end) return bad(f, "tensor \"%s\" starts at %zu, the one before ends at %zu", t->name, t->offset, end);
        end = t->offset + t->bytes;
    }
    if (end != f->data_bytes) return bad(f, "%zu bytes behind the last tensor: longer than its header says, or cut short", f->data_bytes - end);
    return FV_OK;
}

static fv_status parse(fv_context *ctx, const unsigned char *bytes, size_t n, fvi_st_file *f)
{
    uint64_t length;
    fvi_json *root;
    if (n < 8) return bad(f, "%zu bytes, not even a header", n);
    memcpy(&length, bytes, 8);
    if (length > header_limit) return bad(f, "its header claims %llu bytes", (unsigned long long)length);
    if (length > n - 8) return bad(f, "its header claims %llu bytes, the file has %zu: cut short", (unsigned long long)length, n);
    f->header = bytes + 8;
    f->header_bytes = (size_t)length;
    f->data = f->header + length;
    f->data_bytes = n - 8 - (size_t)length;
    FVI_TRY(ctx, fvi_json_parse(ctx, &f->arena, f->path, (const char *)bytes + 8, (size_t)length, false, &root));
    if (root->kind != FVI_JSON_OBJECT) return bad(f, "the header is not an object");
    f->tensors = fvi_arena_alloc(&f->arena, ((size_t)root->count + 1) * sizeof *f->tensors);
    if (!f->tensors) return fvi_nomem(ctx);
    for (const fvi_json *v = root->child; v; v = v->next) {
        if (!strcmp(v->key, "__metadata__")) {
            FVI_TRY(ctx, read_metadata(ctx, f, v));
            continue;
        }
        fvi_st_tensor *t = &f->tensors[f->count];
        t->name = v->key;
        if (v->kind != FVI_JSON_OBJECT) return bad(f, "entry \"%.200s\" is not an object", v->key);
        FVI_TRY(ctx, read_type(ctx, f, v, t));
        FVI_TRY(ctx, read_shape(ctx, f, v, t));
        FVI_TRY(ctx, read_place(ctx, f, v, t));
        f->count++;
    }
    qsort(f->tensors, (size_t)f->count, sizeof *f->tensors, by_offset);
    return check_places(ctx, f);
}

fv_status fvi_st_parse(fv_context *ctx, const char *name, const unsigned char *bytes, size_t n, fvi_st_file *out)
{
    memset(out, 0, sizeof *out);
    if (!(out->path = fvi_arena_strdup(&out->arena, name))) {
        fvi_st_close(out);
        return fvi_nomem(ctx);
    }
    fv_status status = parse(ctx, bytes, n, out);
    if (status != FV_OK) fvi_st_close(out);
    return status;
}

fv_status fvi_st_open(fv_context *ctx, const char *path, fvi_st_file *out)
{
    fvi_map map;
    memset(out, 0, sizeof *out);
    FVI_TRY(ctx, fvi_file_map(ctx, path, &map));
    fv_status status = fvi_st_parse(ctx, path, map.data, map.bytes, out);
    if (status == FV_OK)
        out->map = map;
    else
        fvi_file_unmap(&map);
    return status;
}

void fvi_st_close(fvi_st_file *f)
{
    fvi_file_unmap(&f->map);
    fvi_arena_free(&f->arena);
    memset(f, 0, sizeof *f);
}

const fvi_st_tensor *fvi_st_find(const fvi_st_file *f, const char *name)
{
    for (int i = 0; i < f->count; i++)
        if (!strcmp(f->tensors[i].name, name)) return &f->tensors[i];
    return NULL;
}

const char *fvi_st_metadata(const fvi_st_file *f, const char *key)
{
    const fvi_json *v = f->metadata ? fvi_json_get(f->metadata, key) : NULL;
    return v ? v->string : NULL;
}

fv_status fvi_st_check(fv_context *ctx, const fvi_st_file *f)
{
    char hash[33], zeros[33];
    const char *stored = fvi_st_metadata(f, FVI_ST_HASH_KEY);
    size_t after = FVI_ST_HASH_AT + 32;
    if (!stored || strlen(stored) != 32 || f->header_bytes < after || memcmp(f->header, FVI_ST_HASH_START, FVI_ST_HASH_AT))
        return fvi_fail(ctx, FV_ERROR_FORMAT, "%s: it has no " FVI_ST_HASH_KEY ": not written by fovea", f->path);
    fvi_hash_state *h = fvi_hash_begin();
    if (!h) return fvi_nomem(ctx);
    memset(zeros, '0', 32);
    fvi_hash_update(h, f->header, FVI_ST_HASH_AT);
    fvi_hash_update(h, zeros, 32);
    fvi_hash_update(h, f->header + after, f->header_bytes - after);
    fvi_hash_update(h, f->data, f->data_bytes);
    fvi_hash_end(h, hash);
    if (!strcmp(stored, hash)) return FV_OK;
    return fvi_fail(ctx, FV_ERROR_FORMAT, "%s: its bytes do not have the hash that it gives: damaged or changed; restore the file", f->path);
}

static double half_to_double(uint16_t h)
{
    int exponent = h >> 10 & 31, mantissa = h & 1023;
    double v = exponent == 31 ? (mantissa ? (double)__builtin_nan("") : (double)__builtin_inf())
               : exponent     ? (1 + mantissa / 1024.0) * (exponent >= 15 ? (double)(1 << (exponent - 15)) : 1.0 / (double)(1 << (15 - exponent)))
                              : mantissa / 16777216.0;
    return h >> 15 ? -v : v;
}

/* Value i of a float tensor, exact. */
static double float_at(const fvi_st_tensor *t, int64_t i)
{
    uint16_t h;
    uint32_t w;
    float f;
    double d;
    switch (t->dtype) {
    case FVI_ST_F16:
        memcpy(&h, t->data + 2 * i, 2);
        return half_to_double(h);
    case FVI_ST_BF16:
        memcpy(&h, t->data + 2 * i, 2);
        w = (uint32_t)h << 16;
        memcpy(&f, &w, 4);
        return (double)f;
    case FVI_ST_F32:
        memcpy(&f, t->data + 4 * i, 4);
        return (double)f;
    default:
        memcpy(&d, t->data + 8 * i, 8);
        return d;
    }
}

fv_status fvi_st_read(fv_context *ctx, const fvi_st_file *f, const fvi_st_tensor *t, fv_dtype dtype, void *out)
{
    bool is_float = t->dtype == FVI_ST_F16 || t->dtype == FVI_ST_BF16 || t->dtype == FVI_ST_F32 || t->dtype == FVI_ST_F64;
    if (t->dtype == fvi_st_from(dtype)) {
        if (t->bytes) memcpy(out, t->data, t->bytes);
        return FV_OK;
    }
    if (is_float && dtype == FV_F32) {
        for (int64_t i = 0; i < t->numel; i++) ((float *)out)[i] = (float)float_at(t, i);
        return FV_OK;
    }
    if (is_float && dtype == FV_F64) {
        for (int64_t i = 0; i < t->numel; i++) ((double *)out)[i] = float_at(t, i);
        return FV_OK;
    }
    if (dtype == FV_I64 && t->dtype == FVI_ST_I32) {
        for (int64_t i = 0; i < t->numel; i++) {
            int32_t v;
            memcpy(&v, t->data + 4 * i, 4);
            ((int64_t *)out)[i] = v;
        }
        return FV_OK;
    }
    return fvi_fail(ctx, FV_ERROR_FORMAT, "%s: tensor \"%s\" is %s, wanted %s", f->path, t->name, fvi_st_name(t->dtype), fv_dtype_name(dtype));
}
