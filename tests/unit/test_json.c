/* SPDX-License-Identifier: Apache-2.0 */
/* JSON: what is read, with tables of what must be refused and the line it is reported on; writing; limits; no memory. */
#include "test.h"

#include "base/json.h"

#include <stdlib.h>

/* Parses text; on success writes it back compactly into out. */
static fv_status parse_with(fv_context *ctx, const char *text, size_t bytes, bool relaxed, char *out, size_t room)
{
    fvi_arena arena = {0};
    fvi_json *v;
    char *exact = malloc(bytes ? bytes : 1);            /* no NUL behind it: sanitizers see every overrun */
    if (bytes) memcpy(exact, text, bytes);
    fv_status status = fvi_json_parse(ctx, &arena, "t.json", exact, bytes, relaxed, &v);
    if (status == FV_OK && out) {
        fvi_text t = {0};
        fvi_text_json(&t, v, 0);
        char *s = fvi_text_take(&t);
        snprintf(out, room, "%s", s ? s : "");
        fvi_free(s);
    }
    free(exact);
    fvi_arena_free(&arena);
    return status;
}

static void good_texts(void)
{
    static const struct { const char *text, *compact; } cases[] = {
        {"null", "null"}, {" true ", "true"}, {"false", "false"}, {"0", "0"}, {"-0", "0"}, {"-0.0", "-0.0"}, {"12", "12"}, {"-7", "-7"},
        {"1.5", "1.5"}, {"1e3", "1000"}, {"1E+2", "100"}, {"2e-3", "0.002"}, {"9223372036854775807", "9223372036854775807"},
        {"-9223372036854775808", "-9223372036854775808"}, {"9223372036854775808", "9.223372036854776e+18"}, {"1e-999", "0"},
        {"\"\"", "\"\""}, {"\"a\\n\\t\\\"\\\\\\/\\b\\f\\r\"", "\"a\\n\\t\\\"\\\\/\\u0008\\u000c\\u000d\""},
        {"\"\\u00e9\\u56fE\"", "\"\xC3\xA9\xE5\x9B\xBE\""}, {"\"\\ud83d\\ude00\"", "\"\xF0\x9F\x98\x80\""}, {"\"\x7F\"", "\"\\u007f\""},
        {"[]", "[]"}, {"{}", "{}"}, {"[1,[2,[3]],{}]", "[1,[2,[3]],{}]"}, {"{\"a\":1,\"b\":{\"a\":2}}", "{\"a\":1,\"b\":{\"a\":2}}"},
        {" [ 1 , 2 ]\r\n\t", "[1,2]"}, {"\xEF\xBB\xBF{\"a\":1}", "{\"a\":1}"}, {"{\"\":1}", "{\"\":1}"}, {"{\"A\":1,\"a\":2}", "{\"A\":1,\"a\":2}"},
    };
    for (int i = 0; i < FVI_COUNT(cases); i++)
        for (int relaxed = 0; relaxed < 2; relaxed++) {
            char out[256] = "";
            CHECK_MSG(parse_with(NULL, cases[i].text, strlen(cases[i].text), relaxed, out, sizeof out) == FV_OK, "refused: %s", cases[i].text);
            CHECK_STR(out, cases[i].compact);
        }
}

static void bad_texts(void)
{
    static const struct { const char *text; const char *message; } cases[] = {
        {"", "t.json:1: the file is empty"}, {" \n \n", "t.json:3: the file is empty"},
        {"[1,\n2", "t.json:2: the file ends inside the array of line 1"}, {"{\n\n\"a\":{", "t.json:3: the file ends inside the object of line 3"},
        {"{\"a\":1,", "the file ends inside the object of line 1"}, {"[", "the file ends inside"}, {"{", "the file ends inside"},
        {"{\"a\"", "expected ':' after a key, found the end of the file"}, {"{\"a\":", "expected a value, found the end of the file"},
        {"{a:1}", "expected a key in quotes, found 'a'"}, {"{1:1}", "expected a key in quotes"}, {"{\"a\" 1}", "expected ':'"},
        {"[1 2]", "expected ',' or ']', found '2'"}, {"{\"a\":1 \"b\":2}", "expected ',' or '}'"}, {"[1}", "expected ',' or ']', found '}'"},
        {"[,1]", "expected a value, found ','"}, {"[1,,2]", "expected a value, found ','"}, {"]", "expected a value, found ']'"}, {"1 2", "expected the end of the file"},
        {"{} {}", "expected the end"}, {"{\"a\":1,,}", "expected a key in quotes"},
        {"tru", "tru is not a JSON value"}, {"nul", "nul is not"}, {"True", "True is not"}, {"NaN", "NaN is not a JSON value"}, {"[Infinity]", "Infinity is not"},
        {"-Infinity", "needs a digit after its minus sign"}, {"hello", "text needs quotes"}, {"'a'", "expected a value, found '''"},
        {"01", "must not begin with a zero"}, {"-01", "must not begin with a zero"}, {"1.", "digit after its point"}, {".5", "expected a value, found '.'"}, {"1e", "digit in its exponent"},
        {"1e+", "digit in its exponent"}, {"+1", "expected a value, found '+'"}, {"-", "minus sign"}, {"0x10", "expected the end of the file, found 'x'"},
        {"1e999", "the number 1e999 is too large"}, {"-1e400", "is too large"},
        {"11111111111111111111111111111111111111111111111111111111111111111", "a number is longer than 64 characters"},
        {"\"abc", "no closing quote"}, {"\"abc\\\"", "no closing quote"}, {"\"abc\\", "no closing quote"}, {"\"a\nb\"", "no closing quote"}, {"\"", "no closing quote"},
        {"\"a\tb\"", "control character 0x09"}, {"\"\\x\"", "unknown escape"}, {"\"\\u12\"", "four hexadecimal"}, {"\"\\u12G4\"", "four hexadecimal"}, {"\"\\u\"", "four hexadecimal"},
        {"\"\\u0000\"", "\\u0000 is not allowed"}, {"\"\\ud83d\"", "\\uD83D is half of a surrogate pair"}, {"\"\\ude00\"", "half of a surrogate"},
        {"\"\\ud83d\\u0041\"", "half of a surrogate"}, {"\"\\ud83dx\"", "half of a surrogate"}, {"\"\\ud83d\\ud83d\"", "half of a surrogate"}, {"\"\\ud83d\\ude\"", "half of a surrogate"},
        {"\"\x80\"", "not valid UTF-8 (byte 0x80)"}, {"\"\xC0\x80\"", "not valid UTF-8"}, {"\"\xED\xA0\x80\"", "not valid UTF-8"}, {"\"\xE5\x9B\"", "not valid UTF-8"},
        {"\"\xF4\x90\x80\x80\"", "not valid UTF-8"}, {"\"\xFF\"", "not valid UTF-8"}, {"\xFF", "found a byte that is not UTF-8"}, {"[\x01]", "found a control character"},
        {"{\"a\":1,\n\"b\":2,\n\"a\":3}", "t.json:3: the key \"a\" is given twice (first on line 1)"}, {"{\"\\u0061\":1,\"a\":2}", "given twice"},
        {"[1 /* x */]", "omment"}, {"/", "omment"}, {"\xEF\xBB", "not UTF-8"}, {"\xEF\xBB\xBF", "the file is empty"},
    };
    fv_context *ctx = fv_context_create();
    for (int i = 0; i < FVI_COUNT(cases); i++)
        for (int relaxed = 0; relaxed < 2; relaxed++) {
            fvi_error_clear(ctx);
            fv_status status = parse_with(ctx, cases[i].text, strlen(cases[i].text), relaxed, NULL, 0);
            CHECK_MSG(status == FV_ERROR_FORMAT, "%s gives %d", cases[i].text, (int)status);
            CHECK_HAS(fv_error_message(ctx), cases[i].message);
            CHECK_HAS(fv_error_message(ctx), "t.json:");
        }
    CHECK_EQ(parse_with(ctx, "\"a\0b\"", 5, true, NULL, 0), FV_ERROR_FORMAT);
    CHECK_EQ(parse_with(ctx, "[1]\0", 4, true, NULL, 0), FV_ERROR_FORMAT);
    fv_context_destroy(ctx);
}

static void relaxed_and_strict(void)
{
    static const struct { const char *text, *compact, *strict; } cases[] = {
        {"[1,2,]", "[1,2]", "t.json:1: a comma in front of ']' is not allowed here"},
        {"{\"a\":1,}", "{\"a\":1}", "a comma in front of '}'"},
        {"{ \"a\" : 1 ,\n // end\n }", "{\"a\":1}", "t.json:2: comments are not allowed here"},
        {"// head\n{} // tail", "{}", "t.json:1: comments are not allowed here"},
        {"{} // tail at the end", "{}", "comments"},
        {"[1, // one\n2]//", "[1,2]", "comments"},
        {"{\"u\":\"http://x\"}//\r\n", "{\"u\":\"http://x\"}", "comments"},
    };
    fv_context *ctx = fv_context_create();
    for (int i = 0; i < FVI_COUNT(cases); i++) {
        char out[64] = "";
        size_t n = strlen(cases[i].text);
        CHECK_MSG(parse_with(ctx, cases[i].text, n, true, out, sizeof out) == FV_OK, "%s: %s", cases[i].text, fv_error_message(ctx));
        CHECK_STR(out, cases[i].compact);
        CHECK_EQ(parse_with(ctx, cases[i].text, n, false, NULL, 0), FV_ERROR_FORMAT);
        CHECK_HAS(fv_error_message(ctx), cases[i].strict);
    }
    CHECK_EQ(parse_with(ctx, "[,]", 3, true, NULL, 0), FV_ERROR_FORMAT);
    CHECK_EQ(parse_with(ctx, "[1]/", 4, true, NULL, 0), FV_ERROR_FORMAT);
    fv_context_destroy(ctx);
}

static void values_and_lines(void)
{
    static const char text[] = "{ // configuration\n  \"lr\": 1e-3,\n  \"steps\":\n    500, \"list\": [true,\n null, \"x\"], \"big\": 1e300,\n\n"
                               "  \"name\": \"\\u56fe\" }\n";
    fvi_arena arena = {0};
    fvi_json *v;
    CHECK_EQ(fvi_json_parse(NULL, &arena, "", text, sizeof text - 1, true, &v), FV_OK);
    CHECK(v->kind == FVI_JSON_OBJECT && v->line == 1 && v->count == 5 && !v->key);
    const fvi_json *lr = fvi_json_get(v, "lr"), *steps = fvi_json_get(v, "steps"), *list = fvi_json_get(v, "list"), *name = fvi_json_get(v, "name");
    CHECK(lr && lr->kind == FVI_JSON_NUMBER && lr->number == 1e-3 && !lr->is_integer && lr->line == 2);
    CHECK(steps && steps->is_integer && steps->integer == 500 && steps->number == 500 && steps->line == 4);
    CHECK(list && list->count == 3 && list->line == 4 && list->child->kind == FVI_JSON_BOOL && list->child->number == 1);
    CHECK(list->child->next->kind == FVI_JSON_NULL && list->child->next->line == 5);
    CHECK(!fvi_json_get(v, "big")->is_integer);
    CHECK_STR(name->string, "\xE5\x9B\xBE");
    CHECK_EQ(name->line, 7);
    CHECK_STR(name->key, "name");
    CHECK(!name->next);
    CHECK(!fvi_json_get(v, "none") && !fvi_json_get(list, "x") && !fvi_json_get(NULL, "x"));
    fvi_arena_free(&arena);
}

static void limits(void)
{
    fv_context *ctx = fv_context_create();
    char deep[200001];
    memset(deep, '[', sizeof deep);
    CHECK_EQ(parse_with(ctx, deep, 200000, false, NULL, 0), FV_ERROR_FORMAT);
    CHECK_HAS(fv_error_message(ctx), "nested deeper than 64 levels");
    memset(deep + 64, ']', 64);
    CHECK_EQ(parse_with(ctx, deep, 128, false, NULL, 0), FV_OK);
    memset(deep + 64, '[', 64);
    memset(deep + 65, ']', 65);
    CHECK_EQ(parse_with(ctx, deep, 130, false, NULL, 0), FV_ERROR_FORMAT);
    for (int i = 0; i < 20000; i++) memcpy(deep + i * 5, "{\"a\":", 5);
    CHECK_EQ(parse_with(ctx, deep, 100000, true, NULL, 0), FV_ERROR_FORMAT);
    size_t most = 16 << 20;
    char *large = malloc(most + 3);
    CHECK(large);
    memset(large, 'a', most + 3);
    large[0] = large[most + 1] = large[most + 2] = '"';
    CHECK_EQ(parse_with(ctx, large, most + 2, false, NULL, 0), FV_OK);
    large[most + 1] = 'a';
    CHECK_EQ(parse_with(ctx, large, most + 3, false, NULL, 0), FV_ERROR_FORMAT);
    CHECK_HAS(fv_error_message(ctx), "longer than 16777216 bytes");
    free(large);
    fv_context_destroy(ctx);
}

/* Duplicate keys are found in large objects too, and in linear time. */
static void many_keys(void)
{
    fv_context *ctx = fv_context_create();
    for (int n = 14; n < 60000; n = n * 3 / 2) {
        fvi_text t = {0};
        fvi_text_add(&t, "{");
        for (int i = 0; i < n; i++) fvi_text_add(&t, "\"key%d\":%d,\n", i, i);
        size_t length = t.length;
        fvi_text_add(&t, "\"last\":0}");
        CHECK_EQ(parse_with(ctx, t.data, t.length, false, NULL, 0), FV_OK);
        t.length = length;
        fvi_text_add(&t, "\"key%d\":0}", n / 2);
        CHECK_EQ(parse_with(ctx, t.data, t.length, false, NULL, 0), FV_ERROR_FORMAT);
        char wanted[100];
        snprintf(wanted, sizeof wanted, "t.json:%d: the key \"key%d\" is given twice (first on line %d)", n + 1, n / 2, n / 2 + 1);
        CHECK_STR(fv_error_message(ctx), wanted);
        fvi_text_free(&t);
    }
    fv_context_destroy(ctx);
}

/* Every prefix of a text is refused without harm. */
static void truncated(void)
{
    static const char text[] = "{\"a\": [1, -2.5e+3, true, null], \"b\\u00e9\": {\"c\": \"\\ud83d\\ude00 \xE5\x9B\xBE\"}}";
    for (size_t n = 0; n < sizeof text - 1; n++) CHECK_EQ(parse_with(NULL, text, n, true, NULL, 0), FV_ERROR_FORMAT);
    CHECK_EQ(parse_with(NULL, text, sizeof text - 1, false, NULL, 0), FV_OK);
}

static void writing(void)
{
    fvi_arena arena = {0};
    fvi_json *v;
    static const char text[] = "{\"a\":[1,2.5,\"x\"],\"b\":{},\"c\":{\"d\":[[1],[]],\"e\":null}}";
    CHECK_EQ(fvi_json_parse(NULL, &arena, "", text, sizeof text - 1, false, &v), FV_OK);
    fvi_text t = {0};
    fvi_text_json(&t, v, 2);
    char *s = fvi_text_take(&t);
    CHECK_STR(s, "{\n  \"a\": [1, 2.5, \"x\"],\n  \"b\": {},\n  \"c\": {\n    \"d\": [\n      [1],\n      []\n    ],\n    \"e\": null\n  }\n}");
    fvi_free(s);
    fvi_text_json_string(&t, "a\x80z\xC3\xA9\x01\xED\xA0\x80");
    fvi_text_json_string(&t, NULL);
    fvi_text_json_number(&t, NAN);
    fvi_text_json_number(&t, 1.0 / 3);
    s = fvi_text_take(&t);
    CHECK_STR(s, "\"a\xEF\xBF\xBDz\xC3\xA9\\u0001\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"nullnull0.3333333333333333");
    fvi_free(s);
    fvi_arena_free(&arena);
}

static void out_of_memory(void)
{
    static const char text[] = "{\"k0\":[1,\"two\"],\"k1\":0,\"k2\":0,\"k3\":0,\"k4\":0,\"k5\":0,\"k6\":0,\"k7\":0,\"k8\":0,\"k9\":0,"
                               "\"k10\":0,\"k11\":0,\"k12\":0,\"k13\":0,\"k14\":0,\"k15\":0,\"k16\":0,\"k17\":0}";
    fv_context *ctx = fv_context_create();
    int failures = 0;
    for (int nth = 1; nth < 500; nth++) {
        fvi_arena arena = {0};
        fvi_json *v;
        fvi_memory_set_fault(nth);
        fv_status status = fvi_json_parse(ctx, &arena, "t", text, sizeof text - 1, false, &v);
        fvi_memory_set_fault(0);
        fvi_arena_free(&arena);
        CHECK(status == FV_OK || status == FV_ERROR_NOMEM);
        CHECK((status == FV_OK) == (v != NULL));
        if (status == FV_OK) break;
        failures++;
    }
    CHECK(failures >= 2);
    fv_context_destroy(ctx);
}

TEST_MAIN(CASE(good_texts), CASE(bad_texts), CASE(relaxed_and_strict), CASE(values_and_lines), CASE(limits), CASE(many_keys),
          CASE(truncated), CASE(writing), CASE(out_of_memory))
