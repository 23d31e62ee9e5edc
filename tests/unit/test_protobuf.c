/* SPDX-License-Identifier: Apache-2.0 */
/* The wire format of protocol buffers: bytes known from the format's own documentation, crafted bad messages with what
 * must be said about them, everything written read back, memory that runs out. */
#include "test.h"

#include "io/protobuf.h"

#include <float.h>
#include <stdlib.h>

static bool holds(const fvi_pb *p, const char *bytes, size_t n)
{
    return !p->failed && p->bytes == n && !memcmp(p->data, bytes, n);
}
#define HOLDS(p, literal) holds((p), (literal), sizeof(literal) - 1)

static void known_bytes(void)
{
    fvi_pb p = {0};
    fvi_pb_int(&p, 1, 150);
    CHECK(HOLDS(&p, "\x08\x96\x01"));
    fvi_pb_free(&p);
    fvi_pb_string(&p, 2, "testing");
    CHECK(HOLDS(&p, "\x12\x07testing"));
    fvi_pb_free(&p);
    fvi_pb_begin(&p, 3);
    fvi_pb_int(&p, 1, 150);
    fvi_pb_end(&p);
    CHECK(HOLDS(&p, "\x1a\x03\x08\x96\x01"));
    fvi_pb_free(&p);
    fvi_pb_ints(&p, 6, (const int64_t[]){3, 270, 86942}, 3);
    CHECK(HOLDS(&p, "\x32\x06\x03\x8e\x02\x9e\xa7\x05"));
    fvi_pb_free(&p);
    fvi_pb_int(&p, 1, -2);
    CHECK(HOLDS(&p, "\x08\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01"));
    fvi_pb_free(&p);
    fvi_pb_float(&p, 1, 1);
    fvi_pb_double(&p, 2, 1);
    CHECK(HOLDS(&p, "\x0d\x00\x00\x80\x3f\x11\x00\x00\x00\x00\x00\x00\xf0\x3f"));
    fvi_pb_free(&p);
    fvi_pb_int(&p, 16, 0);
    fvi_pb_bytes(&p, 1, "", 0);
    fvi_pb_announce(&p, 9, 300);
    CHECK(HOLDS(&p, "\x80\x01\x00\x0a\x00\x4a\xac\x02"));
    fvi_pb_free(&p);
}

/* A sub-message whose length needs one, two and three bytes, inside another. */
static void nested(void)
{
    static const size_t sizes[] = {0, 1, 125, 126, 127, 128, 16380, 16384, 70000};
    for (int i = 0; i < FVI_COUNT(sizes); i++) {
        fvi_pb p = {0};
        char *data = calloc(1, sizes[i] + 1);
        fvi_pb_int(&p, 4, 1);
        fvi_pb_begin(&p, 1);
        fvi_pb_begin(&p, 2);
        fvi_pb_bytes(&p, 3, data, sizes[i]);
        fvi_pb_end(&p);
        fvi_pb_int(&p, 5, 2);
        fvi_pb_end(&p);
        CHECK(!p.failed && !p.depth);
        fvi_pb_source s = {.name = "t", .data = p.data, .bytes = p.bytes};
        fvi_pb_reader r = fvi_pb_read(&s);
        fvi_pb_field f;
        CHECK(fvi_pb_next(&r, &f) && f.number == 4 && fvi_pb_get_int(&r, &f) == 1);
        CHECK(fvi_pb_next(&r, &f) && f.number == 1);
        fvi_pb_reader one = fvi_pb_enter(&r, &f);
        CHECK(fvi_pb_next(&one, &f) && f.number == 2);
        fvi_pb_reader two = fvi_pb_enter(&one, &f);
        CHECK(fvi_pb_next(&two, &f) && f.number == 3 && f.bytes == sizes[i]);
        CHECK(!fvi_pb_next(&two, &f));
        CHECK(fvi_pb_next(&one, &f) && f.number == 5 && fvi_pb_get_int(&one, &f) == 2);
        CHECK(!fvi_pb_next(&one, &f) && !fvi_pb_next(&r, &f) && s.status == FV_OK);
        fvi_pb_free(&p);
        free(data);
    }
}

static void numbers(void)
{
    static const int64_t ints[] = {0, 1, -1, 127, 128, INT32_MIN, INT64_MAX, INT64_MIN};
    static const float floats[] = {0, -0.5f, FLT_MAX, FLT_TRUE_MIN};
    static const double doubles[] = {1.7e9, -DBL_MIN, 0.1};
    fvi_pb p = {0};
    fvi_pb_ints(&p, 1, ints, FVI_COUNT(ints));
    for (int i = 0; i < FVI_COUNT(ints); i++) fvi_pb_int(&p, 1, ints[i]);
    fvi_pb_floats(&p, 2, floats, FVI_COUNT(floats));
    for (int i = 0; i < FVI_COUNT(floats); i++) fvi_pb_float(&p, 2, floats[i]);
    fvi_pb_doubles(&p, 3, doubles, FVI_COUNT(doubles));
    for (int i = 0; i < FVI_COUNT(doubles); i++) fvi_pb_double(&p, 3, doubles[i]);
    fvi_pb_source s = {.name = "t", .data = p.data, .bytes = p.bytes};
    fvi_pb_reader r = fvi_pb_read(&s);
    fvi_pb_field f;
    int n[4] = {0};
    while (fvi_pb_next(&r, &f)) {
        uint64_t v;
        float x;
        double y;
        const fvi_pb_wire wire = f.number == 1 ? FVI_PB_VARINT : f.number == 2 ? FVI_PB_FIXED32 : FVI_PB_FIXED64;
        while (fvi_pb_number(&r, &f, wire, &v)) {
            const int i = n[f.number]++;
            const uint32_t low = (uint32_t)v;
            memcpy(&x, &low, 4);
            memcpy(&y, &v, 8);
            if (f.number == 1) CHECK((int64_t)v == ints[i % FVI_COUNT(ints)]);
            if (f.number == 2) CHECK(!memcmp(&x, &floats[i % FVI_COUNT(floats)], 4));
            if (f.number == 3) CHECK(!memcmp(&y, &doubles[i % FVI_COUNT(doubles)], 8));
        }
    }
    CHECK_EQ(s.status, FV_OK);
    CHECK_EQ(n[1], 2 * FVI_COUNT(ints));
    CHECK_EQ(n[2], 2 * FVI_COUNT(floats));
    CHECK_EQ(n[3], 2 * FVI_COUNT(doubles));
    fvi_pb_free(&p);
}

/* A message {1: int, 2: {1: text}, 3: repeated ints, 4: float}; unknown fields are passed over. */
static fv_status read_all(fv_context *ctx, const unsigned char *data, size_t bytes)
{
    fvi_pb_source s = {.ctx = ctx, .name = "model.onnx", .data = data, .bytes = bytes};
    fvi_pb_reader r = fvi_pb_read(&s), child;
    fvi_pb_field f;
    fvi_arena arena = {0};
    uint64_t v;
    while (fvi_pb_next(&r, &f)) {
        if (f.number == 1) fvi_pb_get_int(&r, &f);
        if (f.number == 2)
            for (child = fvi_pb_enter(&r, &f); fvi_pb_next(&child, &f);) fvi_pb_get_string(&child, &f, &arena);
        while (f.number == 3 && fvi_pb_number(&r, &f, FVI_PB_VARINT, &v)) continue;
        if (f.number == 4) fvi_pb_get_float(&r, &f);
        if (f.number == 5) fvi_pb_get_double(&r, &f);
    }
    fvi_arena_free(&arena);
    return s.status;
}

static void bad_messages(void)
{
#define M(literal) literal, sizeof(literal) - 1
    static const struct { const char *bytes; size_t n; const char *message; } cases[] = {
        {M("\x08"), "byte 0: field 1: the message ends inside a number"},
        {M("\x80"), "byte 0: the message ends inside a number"},
        {M("\x08\x01\x08\x80\x80"), "byte 2: field 1: the message ends inside a number"},
        {M("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"), "field 1: a number of more than 64 bits"},
        {M("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), "field 1: a number of more than 64 bits"},
        {M("\x00\x01"), "byte 0: no such field number"},
        {M("\x80\x80\x80\x80\x10\x01"), "no such field number"},                     /* 2^29 */
        {M("\x0b\x0c"), "field 1: groups are not supported"},
        {M("\x0c"), "field 1: groups are not supported"},
        {M("\x0e"), "field 1: no such kind of field"},
        {M("\x0f"), "field 1: no such kind of field"},
        {M("\x12\x05"), "field 2: 5 bytes are announced, 0 are left"},
        {M("\x12\x03\x0a\x01"), "field 2: 3 bytes are announced, 2 are left"},
        {M("\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), "18446744073709551615 bytes are announced, 0 are left"},
        {M("\x12\x03\x0a\x02x"), "byte 2: field 1: 2 bytes are announced, 1 are left"},      /* in the sub-message */
        {M("\x12\x03\x0a\x01\xff"), "byte 2: field 1: text that is not UTF-8"},
        {M("\x12\x04\x0a\x02x\x00"), "field 1: text that is not UTF-8"},
        {M("\x12\x02\x08\x01"), "field 1: holds a whole number where a length and bytes is expected"},
        {M("\x10\x01"), "field 2: holds a whole number where a length and bytes is expected"},
        {M("\x0a\x00"), "field 1: holds a length and bytes where a whole number is expected"},
        {M("\x1a\x02\x01\x80"), "field 3: the message ends inside a number"},
        {M("\x1d\x00\x00\x00\x00"), "field 3: holds 4 bytes where a whole number is expected"},
        {M("\x25\x00\x00\x00"), "field 4: the message ends inside a number"},
        {M("\x21\x00\x00\x00\x00\x00\x00\x00\x00"), "field 4: holds 8 bytes where 4 bytes is expected"},
        {M("\x2d\x00\x00\x00\x00"), "field 5: holds 4 bytes where 8 bytes is expected"},
        {M("\x29\x00\x00\x00\x00\x00\x00\x00"), "field 5: the message ends inside a number"},
    };
#undef M
    fv_context *ctx = fv_context_create();
    for (int i = 0; i < FVI_COUNT(cases); i++) {
        unsigned char *exact = malloc(cases[i].n);       /* overruns are seen */
        memcpy(exact, cases[i].bytes, cases[i].n);
        const fv_status status = read_all(ctx, exact, cases[i].n);
        CHECK_MSG(status == FV_ERROR_FORMAT, "case %d gives %d", i, (int)status);
        CHECK_HAS(fv_error_message(ctx), "model.onnx: byte ");
        CHECK_HAS(fv_error_message(ctx), cases[i].message);
        free(exact);
    }
    CHECK_EQ(read_all(ctx, (const unsigned char *)"", 0), FV_OK);
    CHECK_EQ(read_all(ctx, NULL, 0), FV_OK);
    CHECK_EQ(read_all(ctx, (const unsigned char *)"\x7a\x01?\x1a\x00\x78\x05", 7), FV_OK);     /* unknown fields, no numbers */
    fv_context_destroy(ctx);
}

static void too_deep(void)
{
    fvi_pb p = {0};
    for (int i = 0; i < FVI_PB_DEPTH; i++) fvi_pb_begin(&p, 1);
    for (int i = 0; i < FVI_PB_DEPTH; i++) fvi_pb_end(&p);
    CHECK(!p.failed);
    for (int more = 0; more < 2; more++) {
        fvi_pb outer = {0};
        if (more) fvi_pb_bytes(&outer, 1, p.data, p.bytes);
        fvi_pb_source s = {.name = "t", .data = more ? outer.data : p.data, .bytes = more ? outer.bytes : p.bytes};
        fvi_pb_reader r = fvi_pb_read(&s);
        fvi_pb_field f;
        while (fvi_pb_next(&r, &f)) r = fvi_pb_enter(&r, &f);
        CHECK_EQ(s.status, more ? FV_ERROR_FORMAT : FV_OK);
        fvi_pb_free(&outer);
    }
    fvi_pb_free(&p);
    for (int i = 0; i <= FVI_PB_DEPTH; i++) fvi_pb_begin(&p, 1);
    CHECK(p.failed);
    fvi_pb_free(&p);
    fvi_pb_end(&p);
    CHECK(p.failed);
    fvi_pb_free(&p);
}

static void no_memory(void)
{
    for (int64_t nth = 1; nth <= 8; nth++) {
        fvi_pb p = {0};
        fvi_memory_set_fault(nth);
        for (int i = 0; i < 400; i++) {
            fvi_pb_begin(&p, 2);
            fvi_pb_string(&p, 1, "some text, and then more of it");
            fvi_pb_end(&p);
        }
        fvi_memory_set_fault(0);
        if (!p.failed) CHECK_EQ(p.bytes, 400 * 34);
        fvi_pb_free(&p);
    }
}

TEST_MAIN(CASE(known_bytes), CASE(nested), CASE(numbers), CASE(bad_messages), CASE(too_deep), CASE(no_memory))
