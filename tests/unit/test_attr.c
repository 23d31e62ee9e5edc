/* SPDX-License-Identifier: Apache-2.0 */
/* Attribute tables: defaults, parsing, printing, checking, comparing, hashing, with tables of bad values. */
#include "test.h"

#include "base/attr.h"

static const char *const colours[] = {"red", "green", "blue", NULL};
static const char *const planes[] = {"jet", "glider", NULL};

typedef struct things {
    bool on;
    int64_t steps, stride[2];
    double rate, betas[2];
    int64_t colour;
    char *name, *plane;
    fvi_dims shape;
} things;

static const fvi_attr_def table[] = {
    {.name = "on", .kind = FVI_ATTR_BOOL, .offset = offsetof(things, on), .fallback = 1},
    {.name = "steps", .kind = FVI_ATTR_INT, .offset = offsetof(things, steps), .fallback = 10, .min = 1, .max = INFINITY, .aliases = "max_iter iters"},
    {.name = "stride", .kind = FVI_ATTR_INT, .offset = offsetof(things, stride), .count = 2, .fallback = 1, .min = 1, .max = 8},
    {.name = "rate", .kind = FVI_ATTR_FLOAT, .offset = offsetof(things, rate), .fallback = 0.1, .min = 0, .max = 10},
    {.name = "betas", .kind = FVI_ATTR_FLOAT, .offset = offsetof(things, betas), .count = 2, .fallback = 0.9, .fallback_text = "0.9,0.999"},
    {.name = "colour", .kind = FVI_ATTR_ENUM, .offset = offsetof(things, colour), .fallback = 2, .names = colours, .aliases = "color"},
    {.name = "name", .kind = FVI_ATTR_STRING, .offset = offsetof(things, name)},
    {.name = "plane", .kind = FVI_ATTR_STRING, .offset = offsetof(things, plane), .names = planes, .fallback_text = "jet"},
    {.name = "shape", .kind = FVI_ATTR_DIMS, .offset = offsetof(things, shape), .min = 0, .max = 100},
    FVI_ATTR_END,
};

static void defaults(void)
{
    things t = {0};
    fvi_attr_defaults(table, &t);
    CHECK(t.on && t.steps == 10 && t.stride[0] == 1 && t.stride[1] == 1 && t.colour == 2 && !t.name && t.shape.n == 0);
    CHECK_CLOSE(t.betas[0], 0.9, 0);
    CHECK_CLOSE(t.betas[1], 0.999, 0);
    CHECK_STR(t.plane, "jet");
    CHECK_EQ(fvi_attr_check(NULL, table, &t, "things"), FV_OK);
    fvi_attr_clear(table, &t);
    CHECK(!t.plane);
    fvi_attr_clear(table, &t);
    fvi_attr_defaults(NULL, &t);
    fvi_attr_clear(NULL, &t);
    CHECK(fvi_attr_equal(NULL, &t, NULL));
    CHECK_EQ(fvi_attr_hash(NULL, NULL, 7), 7);
}

static void finding(void)
{
    CHECK(fvi_attr_find(table, "steps") == &table[1]);
    CHECK(fvi_attr_find(table, "max_iter") == &table[1]);
    CHECK(fvi_attr_find(table, "iters") == &table[1]);
    CHECK(fvi_attr_find(table, "color") == &table[5]);
    CHECK(!fvi_attr_find(table, "iter"));
    CHECK(!fvi_attr_find(table, "max_iter iters"));
    CHECK(!fvi_attr_find(table, ""));
    CHECK(!fvi_attr_find(NULL, "steps"));
}

static void good_values(void)
{
    static const struct { const char *key, *text, *printed; } cases[] = {
        {"on", "false", "false"}, {"on", "YES", "true"}, {"on", "0", "false"}, {"on", "null", "true"},
        {"steps", "7", "7"}, {"steps", " 7 ", "7"}, {"steps", "1e3", "1000"}, {"steps", "[5]", "5"}, {"steps", "null", "10"},
        {"steps", "9223372036854775807", "9223372036854775807"},
        {"stride", "3", "[3,3]"}, {"stride", "1,2", "[1,2]"}, {"stride", "[1, 2]", "[1,2]"}, {"stride", " [ 4 , 2 ] ", "[4,2]"},
        {"rate", "1e-3", "0.001"}, {"rate", ".5", "0.5"}, {"rate", "0.30000000000000004", "0.30000000000000004"},
        {"betas", "0.9,0.95", "[0.9,0.95]"}, {"betas", "inf", "[1e999,1e999]"}, {"betas", "-1e999,0", "[-1e999,0]"}, {"betas", "null", "[0.9,0.999]"},
        {"colour", "red", "\"red\""}, {"colour", "\"green\"", "\"green\""}, {"colour", "null", "\"blue\""},
        {"name", "x y", "\"x y\""}, {"name", "\"null\"", "\"null\""}, {"name", "null", "null"}, {"name", "", "\"\""},
        {"name", "a\"b\\", "\"a\\\"b\\\\\""}, {"name", "\xE5\x9B\xBE", "\"\xE5\x9B\xBE\""}, {"name", "\"", "\"\\\"\""},
        {"plane", "glider", "\"glider\""}, {"plane", "null", "\"jet\""},
        {"shape", "", "[]"}, {"shape", "[]", "[]"}, {"shape", "3", "[3]"}, {"shape", "1,2,3,4,5,6,7,8", "[1,2,3,4,5,6,7,8]"},
    };
    things t = {0}, again = {0};
    fvi_attr_defaults(table, &t);
    fvi_attr_defaults(table, &again);
    for (int i = 0; i < FVI_COUNT(cases); i++) {
        const fvi_attr_def *d = fvi_attr_find(table, cases[i].key);
        CHECK_MSG(fvi_attr_parse(NULL, d, &t, cases[i].text, d->name) == FV_OK, "%s=%s is refused", d->name, cases[i].text);
        char *printed = fvi_attr_text(d, &t);
        CHECK_STR(printed, cases[i].printed);
        CHECK_EQ(fvi_attr_parse(NULL, d, &again, printed, d->name), FV_OK);
        fvi_free(printed);
        CHECK(fvi_attr_equal(table, &t, &again));
        CHECK_EQ(fvi_attr_hash(table, &t, 1), fvi_attr_hash(table, &again, 1));
    }
    fvi_attr_clear(table, &t);
    fvi_attr_clear(table, &again);
}

static void bad_values(void)
{
    static const struct { const char *key, *text, *message; } cases[] = {
        {"on", "maybe", "k: \"maybe\" is neither true nor false"}, {"on", "", "neither"}, {"on", "2", "neither"},
        {"steps", "", "is not a whole number"}, {"steps", "abc", "is not a whole number"}, {"steps", "7x", "is not a whole number"},
        {"steps", "1.5", "is not a whole number"}, {"steps", "1,2", "more than 1 item"}, {"steps", "0", "0 is out of range (at least 1)"},
        {"steps", "99999999999999999999", "is not a whole number"}, {"steps", "[5", "is not"}, {"steps", "5]", "is not"}, {"steps", "5,", "is not"},
        {"steps", "nan", "is not a whole number"}, {"steps", "inf", "is not a whole number"},
        {"stride", "1,2,3", "more than 2 items"}, {"stride", "1,,2", "is not"}, {"stride", "[1,2] x", "is not"}, {"stride", "9", "9 is out of range (1 .. 8)"},
        {"stride", "1 2", "is not"}, {"stride", "[[1,2]]", "is not"},
        {"rate", "fast", "is not a number"}, {"rate", "nan", "is not a number"}, {"rate", "-0.5", "-0.5 is out of range (0 .. 10)"}, {"rate", "1,5", "more than 1"},
        {"betas", "", "is not"}, {"betas", "[]", "is not"},
        {"colour", "grene", "did you mean \"green\"? (known: red, green, blue)"}, {"colour", "purple-ish", "unknown value \"purple-ish\" (known"},
        {"plane", "gliders", "did you mean \"glider\""}, {"plane", "", "unknown value"},
        {"shape", "1,2,3,4,5,6,7,8,9", "more than 8 items"}, {"shape", "1.5", "is not"}, {"shape", "-1", "out of range"}, {"shape", "1,", "is not"},
    };
    fv_context *ctx = fv_context_create();
    things t = {0}, before = {0};
    fvi_attr_defaults(table, &t);
    fvi_attr_defaults(table, &before);
    for (int i = 0; i < FVI_COUNT(cases); i++) {
        const fvi_attr_def *d = fvi_attr_find(table, cases[i].key);
        CHECK_MSG(fvi_attr_parse(ctx, d, &t, cases[i].text, "k") == FV_ERROR_CONFIG, "%s=%s is taken", d->name, cases[i].text);
        CHECK_HAS(fv_error_message(ctx), cases[i].message);
        CHECK(fvi_attr_equal(table, &t, &before));
    }
    fvi_attr_clear(table, &t);
    fvi_attr_clear(table, &before);
    fv_context_destroy(ctx);
}

static void checking(void)
{
    fv_context *ctx = fv_context_create();
    things t = {0};
    fvi_attr_defaults(table, &t);
    t.stride[1] = 0;
    CHECK_EQ(fvi_attr_check(ctx, table, &t, "conv1"), FV_ERROR_CONFIG);
    CHECK_STR(fv_error_message(ctx), "conv1: stride: 0 is out of range (1 .. 8)");
    t.stride[1] = 1;
    t.colour = 3;
    CHECK_EQ(fvi_attr_check(ctx, table, &t, ""), FV_ERROR_CONFIG);
    CHECK_STR(fv_error_message(ctx), "colour: 3 is not one of its 3 values");
    t.colour = 0;
    t.rate = NAN;
    CHECK_EQ(fvi_attr_check(ctx, table, &t, NULL), FV_ERROR_CONFIG);
    t.rate = 1;
    t.shape.n = 9;
    CHECK_EQ(fvi_attr_check(ctx, table, &t, NULL), FV_ERROR_CONFIG);
    t.shape.n = 1;
    t.shape.d[0] = 101;
    CHECK_EQ(fvi_attr_check(ctx, table, &t, NULL), FV_ERROR_CONFIG);
    t.shape.d[0] = 100;
    CHECK_EQ(fvi_attr_check(ctx, table, &t, NULL), FV_OK);
    t.plane[0] = 'J';
    CHECK_EQ(fvi_attr_check(ctx, table, &t, NULL), FV_ERROR_CONFIG);
    fvi_attr_clear(table, &t);
    fv_context_destroy(ctx);
}

static void equality_sees_every_field(void)
{
    static const struct { const char *key, *text; } changes[] = {
        {"on", "false"}, {"steps", "11"}, {"stride", "1,2"}, {"rate", "0.2"}, {"betas", "0.9,0.99"},
        {"colour", "red"}, {"name", ""}, {"plane", "glider"}, {"shape", "0"},
    };
    for (int i = 0; i < FVI_COUNT(changes); i++) {
        things a, b;
        memset(&a, 0x00, sizeof a);                     /* padding must not matter */
        memset(&b, 0xFF, sizeof b);
        a.name = a.plane = b.name = b.plane = NULL;
        fvi_attr_defaults(table, &a);
        fvi_attr_defaults(table, &b);
        CHECK(fvi_attr_equal(table, &a, &b));
        CHECK_EQ(fvi_attr_hash(table, &a, 0), fvi_attr_hash(table, &b, 0));
        CHECK_EQ(fvi_attr_parse(NULL, fvi_attr_find(table, changes[i].key), &b, changes[i].text, ""), FV_OK);
        CHECK(!fvi_attr_equal(table, &a, &b));
        CHECK(fvi_attr_hash(table, &a, 0) != fvi_attr_hash(table, &b, 0));
        fvi_attr_clear(table, &a);
        fvi_attr_clear(table, &b);
    }
}

static void out_of_memory(void)
{
    static const struct { const char *key, *text; } cases[] = {{"name", "text"}, {"name", "\"t\\n\""}, {"stride", "1,2"}, {"colour", "red"}, {"plane", "null"}};
    for (int i = 0; i < FVI_COUNT(cases); i++) {
        bool done = false;
        for (int nth = 1; !done && nth < 10; nth++) {
            things t = {0};
            fvi_attr_defaults(table, &t);
            fvi_memory_set_fault(nth);
            fv_status status = fvi_attr_parse(NULL, fvi_attr_find(table, cases[i].key), &t, cases[i].text, "");
            int64_t count = fvi_memory_count();
            fvi_memory_set_fault(0);
            CHECK(count > 0);
            CHECK_MSG(status == FV_OK || status == FV_ERROR_NOMEM, "%s: status %d", cases[i].key, (int)status);
            done = status == FV_OK;
            fvi_attr_clear(table, &t);
        }
        CHECK(done);
    }
}

TEST_MAIN(CASE(defaults), CASE(finding), CASE(good_values), CASE(bad_values), CASE(checking), CASE(equality_sees_every_field),
          CASE(out_of_memory))
