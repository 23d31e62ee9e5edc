/* SPDX-License-Identifier: Apache-2.0 */
/* safetensors: a table of crafted files with what must be said about them, conversion, and writing: order, padding, hash,
 * faults. */
#include "test.h"

#include "io/safetensors.h"

#include <errno.h>
#include <stdlib.h>

/* Header text and `data` bytes of zeros into a buffer of exactly that size. */
static unsigned char *craft(const char *header, size_t data, size_t *n)
{
    uint64_t length = strlen(header);
    *n = 8 + (size_t)length + data;
    unsigned char *bytes = calloc(1, *n);
    memcpy(bytes, &length, 8);
    memcpy(bytes + 8, header, (size_t)length);
    return bytes;
}

static void good_files(void)
{
    static const struct { const char *header; size_t data; int count; } cases[] = {
        {"{}", 0, 0},
        {"  {}  ", 0, 0},
        {"{\"__metadata__\":{\"a\":\"b\"}}", 0, 0},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,24]}}", 24, 1},
        {"{\"s\":{\"dtype\":\"F64\",\"shape\":[],\"data_offsets\":[0,8]}}", 8, 1},
        {"{\"e\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}}", 0, 1},
        {"{\"e\":{\"dtype\":\"U8\",\"shape\":[3,0,4],\"data_offsets\":[4,4]},\"f\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]}}", 4, 2},
        {"{\"a\":{\"dtype\":\"BOOL\",\"shape\":[3],\"data_offsets\":[0,3],\"extra\":[1,{}]}}", 3, 1},
        {"{\"b\":{\"dtype\":\"BF16\",\"shape\":[1],\"data_offsets\":[2,4]},\"a\":{\"dtype\":\"F16\",\"shape\":[1],\"data_offsets\":[0,2]}}", 4, 2},
        {"{\"a\":{\"dtype\":\"I64\",\"shape\":[1],\"data_offsets\":[0,8]}} ", 8, 1},
    };
    for (int i = 0; i < FVI_COUNT(cases); i++) {
        size_t n;
        fvi_st_file f;
        unsigned char *bytes = craft(cases[i].header, cases[i].data, &n);
        CHECK_MSG(fvi_st_parse(NULL, "t", bytes, n, &f) == FV_OK, "refused: %s", cases[i].header);
        CHECK_EQ(f.count, cases[i].count);
        fvi_st_close(&f);
        free(bytes);
    }
}

#define T "\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}"

static void bad_files(void)
{
    static const struct { const char *header; size_t data; const char *message; } cases[] = {
        {"", 0, "empty"},
        {"[]", 0, "the header is not an object"},
        {"{" T, 8, "the file ends inside"},
        {"{" T "}", 7, "\"a\" ends 8 bytes into a data section of 7"},
        {"{" T "}", 9, "1 bytes behind the last tensor"},
        {"{" T "," T "}", 8, "a"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[4,12]}}", 12, "\"a\" starts at 4, the one before ends at 0"},
        {"{" T ",\"b\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[4,12]}}", 12, "\"b\" starts at 4, the one before ends at 8"},
        {"{" T ",\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[12,16]}}", 16, "\"b\" starts at 12"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,0]}}", 8, "impossible data_offsets"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[-8,0]}}", 8, "impossible data_offsets"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0.5,8]}}", 8, "impossible data_offsets"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0]}}", 8, "no data_offsets"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":\"0,8\"}}", 8, "no data_offsets"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2]}}", 0, "no data_offsets"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,8]}}", 8, "has 8 bytes, its shape wants 3 values of F32"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[-2],\"data_offsets\":[0,8]}}", 8, "not a whole number"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2.5],\"data_offsets\":[0,8]}}", 8, "not a whole number"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[\"2\"],\"data_offsets\":[0,8]}}", 8, "not a whole number"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":2,\"data_offsets\":[0,8]}}", 8, "no shape"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296,4294967296],\"data_offsets\":[0,8]}}", 8, "too large"},
        {"{\"a\":{\"dtype\":\"F64\",\"shape\":[2305843009213693952],\"data_offsets\":[0,0]}}", 0, "has 0 bytes"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1,1,2],\"data_offsets\":[0,8]}}", 8, "9 dimensions"},
        {"{\"a\":{\"dtype\":\"C64\",\"shape\":[1],\"data_offsets\":[0,8]}}", 8, "dtype C64, which is not supported"},
        {"{\"a\":{\"dtype\":\"f32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8, "dtype f32"},
        {"{\"a\":{\"dtype\":1,\"shape\":[2],\"data_offsets\":[0,8]}}", 8, "no dtype"},
        {"{\"a\":{\"shape\":[2],\"data_offsets\":[0,8]}}", 8, "no dtype"},
        {"{\"a\":7}", 0, "\"a\" is not an object"},
        {"{\"__metadata__\":7}", 0, "__metadata__ is not an object"},
        {"{\"__metadata__\":{\"k\":7}}", 0, "__metadata__ value \"k\" is not text"},
        {"{" T "} x", 8, "expected the end"},
        {"{\"\xff\":{}}", 0, "UTF-8"},
    };
    fv_context *ctx = fv_context_create();
    for (int i = 0; i < FVI_COUNT(cases); i++) {
        size_t n;
        fvi_st_file f;
        unsigned char *bytes = craft(cases[i].header, cases[i].data, &n);
        fv_status status = fvi_st_parse(ctx, "weights.safetensors", bytes, n, &f);
        CHECK_MSG(status == FV_ERROR_FORMAT, "case %d gives %d: %s", i, (int)status, cases[i].header);
        CHECK_HAS(fv_error_message(ctx), "weights.safetensors");
        CHECK_HAS(fv_error_message(ctx), cases[i].message);
        free(bytes);
    }
    fv_context_destroy(ctx);
}

static void bad_lengths(void)
{
    static const uint64_t lengths[] = {3, 100000001, UINT64_MAX, UINT64_MAX - 7, (uint64_t)1 << 63};
    fvi_st_file f;
    for (size_t n = 0; n < 8; n++) CHECK_EQ(fvi_st_parse(NULL, "t", (const unsigned char *)"\2\0\0\0\0\0\0\0", n, &f), FV_ERROR_FORMAT);
    for (int i = 0; i < FVI_COUNT(lengths); i++) {
        unsigned char bytes[10] = {0};
        memcpy(bytes, &lengths[i], 8);
        memcpy(bytes + 8, "{}", 2);
        CHECK_EQ(fvi_st_parse(NULL, "t", bytes, sizeof bytes, &f), FV_ERROR_FORMAT);
    }
}

/* ---- writing --------------------------------------------------------------------------------------------------------- */

static const fvi_st_entry entries[] = {
    {"b.bias", FVI_ST_F32, 1, {3}}, {"a.weight", FVI_ST_F32, 2, {2, 2}}, {"count", FVI_ST_I64, 0, {0}}, {"half", FVI_ST_BF16, 1, {1}}, {"none", FVI_ST_U8, 1, {0}},
};

static fv_status fetch(void *user, int index, void *buffer)
{
    static const float bias[] = {1, 2, 3}, weight[] = {4, 5, 6, 7};
    static const int64_t count = 42;
    static const uint16_t half = 0x3fc0;                 /* 1.5 */
    (void)user;
    if (index == 0) memcpy(buffer, bias, sizeof bias);
    if (index == 1) memcpy(buffer, weight, sizeof weight);
    if (index == 2) memcpy(buffer, &count, sizeof count);
    if (index == 3) memcpy(buffer, &half, sizeof half);
    return FV_OK;
}

static const fvi_st_pair metadata[] = {{"format", "pt"}, {"text", "quote \" and \n, \xE5\x9B\xBE"}};
static const fvi_st_output output = {entries, 5, fetch, NULL, metadata, 2};

static void write_and_read(void)
{
    fv_context *ctx = fv_context_create();
    fvi_writer *w;
    fvi_st_file f;
    char hash[33];
    CHECK_EQ(fvi_st_write(ctx, "written.safetensors", &output, hash, &w), FV_OK);
    CHECK_EQ(fvi_writer_commit(w), FV_OK);
    CHECK_EQ(fvi_st_open(ctx, "written.safetensors", &f), FV_OK);
    CHECK_EQ(f.count, 5);
    CHECK_EQ((f.data - f.map.data) % 8, 0);
    CHECK_STR(f.tensors[0].name, "count");               /* by size of the elements, then by name */
    CHECK_STR(f.tensors[1].name, "a.weight");
    CHECK_STR(f.tensors[2].name, "b.bias");
    CHECK_STR(fvi_st_metadata(&f, "text"), metadata[1].value);
    CHECK_STR(fvi_st_metadata(&f, FVI_ST_HASH_KEY), hash);
    CHECK(fvi_st_metadata(&f, "absent") == NULL);
    CHECK_EQ(fvi_st_check(ctx, &f), FV_OK);
    double weight[4], half;
    float narrow;
    int64_t count;
    CHECK_EQ(fvi_st_read(ctx, &f, fvi_st_find(&f, "a.weight"), FV_F64, weight), FV_OK);
    CHECK_CLOSE(weight[3], 7, 0);
    CHECK_EQ(fvi_st_read(ctx, &f, fvi_st_find(&f, "half"), FV_F64, &half), FV_OK);
    CHECK_CLOSE(half, 1.5, 0);
    CHECK_EQ(fvi_st_read(ctx, &f, fvi_st_find(&f, "half"), FV_F32, &narrow), FV_OK);
    CHECK_EQ(fvi_st_read(ctx, &f, fvi_st_find(&f, "count"), FV_I64, &count), FV_OK);
    CHECK_EQ(count, 42);
    CHECK_EQ(fvi_st_read(ctx, &f, fvi_st_find(&f, "count"), FV_F32, &narrow), FV_ERROR_FORMAT);
    CHECK_HAS(fv_error_message(ctx), "\"count\" is I64, wanted f32");
    CHECK(fvi_st_find(&f, "absent") == NULL);
    fvi_st_close(&f);
    fv_context_destroy(ctx);
}

/* A changed byte anywhere: data, a digit of a shape, the hash, another metadata value. */
static void tampering_is_seen(void)
{
    fv_context *ctx = fv_context_create();
    char *bytes;
    size_t n, at[4];
    fvi_st_file f;
    CHECK_EQ(fvi_file_read(ctx, "written.safetensors", 1 << 20, &bytes, &n), FV_OK);
    at[0] = n - 1;
    at[1] = 8 + FVI_ST_HASH_AT;
    at[2] = (size_t)(strstr(bytes + 8, "quote") - bytes);
    at[3] = (size_t)(strstr(bytes + 8, "b.bias") - bytes);
    for (int i = 0; i < 4; i++) {
        char old = bytes[at[i]];
        bytes[at[i]] = (char)(old == 'a' ? 'b' : i ? 'a' : old ^ 1);
        CHECK_EQ(fvi_st_parse(ctx, "t", (unsigned char *)bytes, n, &f), FV_OK);
        CHECK_EQ(fvi_st_check(ctx, &f), FV_ERROR_FORMAT);
        CHECK_HAS(fv_error_message(ctx), "damaged or changed");
        fvi_st_close(&f);
        bytes[at[i]] = old;
    }
    fvi_free(bytes);
    bytes = (char *)craft("{\"__metadata__\":{\"a\":\"b\"}}", 0, &n);
    CHECK_EQ(fvi_st_parse(ctx, "t", (unsigned char *)bytes, n, &f), FV_OK);
    CHECK_EQ(fvi_st_check(ctx, &f), FV_ERROR_FORMAT);
    CHECK_HAS(fv_error_message(ctx), "not written by fovea");
    fvi_st_close(&f);
    free(bytes);
    fv_context_destroy(ctx);
}

static void faults_leave_the_old_file(void)
{
    fv_context *ctx = fv_context_create();
    fvi_st_file f;
    fvi_writer *w;
    char hash[33];
    for (int k = 0; k < 3; k++) {
        fvi_file_set_faults((fvi_file_faults){.write_at = k == 0, .sync_at = k == 1, .rename_at = k == 2, .error = ENOSPC});
        fv_status status = fvi_st_write(ctx, "written.safetensors", &output, hash, &w);
        if (status == FV_OK) status = fvi_writer_commit(w);
        CHECK_EQ(status, FV_ERROR_IO);
        CHECK_HAS(fv_error_message(ctx), "written.safetensors");
        fvi_file_set_faults((fvi_file_faults){0});
        CHECK_EQ(fvi_st_open(ctx, "written.safetensors", &f), FV_OK);
        CHECK_EQ(fvi_st_check(ctx, &f), FV_OK);
        fvi_st_close(&f);
    }
    fv_context_destroy(ctx);
}

static void bad_output(void)
{
    fv_context *ctx = fv_context_create();
    const fvi_st_entry twice[] = {{"a", FVI_ST_U8, 0, {0}}, {"a", FVI_ST_U8, 0, {0}}}, huge[] = {{"h", FVI_ST_F64, 2, {INT64_MAX, 4}}};
    fvi_st_output o = {twice, 2, fetch, NULL, NULL, 0};
    fvi_writer *w;
    char hash[33];
    CHECK_EQ(fvi_st_write(ctx, "never", &o, hash, &w), FV_ERROR_INVALID);
    CHECK_HAS(fv_error_message(ctx), "two tensors named \"a\"");
    o = (fvi_st_output){huge, 1, fetch, NULL, NULL, 0};
    CHECK_EQ(fvi_st_write(ctx, "never", &o, hash, &w), FV_ERROR_INVALID);
    CHECK(!fvi_file_exists("never"));
    fv_context_destroy(ctx);
}

static void half_precision(void)
{
    static const struct { uint16_t bits; double value; } cases[] = {
        {0x0000, 0}, {0x3c00, 1}, {0xc000, -2}, {0x7bff, 65504}, {0x0001, 5.9604644775390625e-08}, {0x0400, 6.103515625e-05}, {0x3555, 0.333251953125},
        {0x7c00, HUGE_VAL}, {0xfc00, -HUGE_VAL}, {0x7e00, NAN}};
    for (int i = 0; i < FVI_COUNT(cases); i++) {
        size_t n;
        fvi_st_file f;
        double v;
        unsigned char *bytes = craft("{\"h\":{\"dtype\":\"F16\",\"shape\":[],\"data_offsets\":[0,2]}}", 2, &n);
        memcpy(bytes + n - 2, &cases[i].bits, 2);
        CHECK_EQ(fvi_st_parse(NULL, "t", bytes, n, &f), FV_OK);
        CHECK_EQ(fvi_st_read(NULL, &f, &f.tensors[0], FV_F64, &v), FV_OK);
        CHECK_CLOSE(v, cases[i].value, 0);
        fvi_st_close(&f);
        free(bytes);
    }
}

TEST_MAIN(CASE(good_files), CASE(bad_files), CASE(bad_lengths), CASE(write_and_read), CASE(tampering_is_seen), CASE(faults_leave_the_old_file),
          CASE(bad_output), CASE(half_precision))
