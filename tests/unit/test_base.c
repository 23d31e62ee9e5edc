/* SPDX-License-Identifier: Apache-2.0 */
/* Status, context, error text, log, memory, arena, hashing, text helpers, the machine. */
#include "test.h"

#include "base/context.h"
#include "base/json.h"
#include "base/thread.h"

#include <locale.h>
#include <stdlib.h>

static void dtypes_and_version(void)
{
    CHECK_STR(fv_version(), "0.1.0");
    CHECK_STR(fv_status_text(FV_OK), "ok");
    CHECK_STR(fv_status_text(FV_ERROR_CONFIG), "wrong configuration");
    CHECK_STR(fv_status_text((fv_status)-99), "unknown status");
    size_t total = 0;
    for (int d = 0; d < FV_DTYPE_COUNT; d++) {
        total += fv_dtype_size((fv_dtype)d);
        CHECK(strlen(fv_dtype_name((fv_dtype)d)) >= 2);
    }
    CHECK_EQ(total, 4 + 8 + 2 + 2 + 8 + 4 + 1 + 1);
    CHECK_STR(fv_dtype_name(FV_BF16), "bf16");
    CHECK(fv_dtype_is_float(FV_F16));
    CHECK(!fv_dtype_is_float(FV_I64));
    CHECK_EQ(fv_dtype_size((fv_dtype)77), 0);
}

static fv_status inner(fv_context *ctx)
{
    return fvi_fail(ctx, FV_ERROR_SHAPE, "inner %d", 7);
}

static fv_status outer(fv_context *ctx)
{
    FVI_TRY(ctx, inner(ctx));
    return FV_OK;
}

static fv_status asserts(fv_context *ctx, int n)
{
    FVI_ASSERT(ctx, n > 0);
    return FV_OK;
}

static void error_chain(void)
{
    fv_context *ctx = fv_context_create();
    CHECK(ctx);
    CHECK_STR(fv_error_text(ctx), "");
    CHECK_EQ(fv_error_status(ctx), FV_OK);
    CHECK_EQ(outer(ctx), FV_ERROR_SHAPE);
    CHECK_STR(fv_error_message(ctx), "inner 7");
    CHECK_HAS(fv_error_text(ctx), "inner 7\n  at tests/unit/test_base.c:");
    int places = 0;
    for (const char *p = fv_error_text(ctx); (p = strstr(p, "\n  at ")); p++) places++;
    CHECK_EQ(places, 2);
    fvi_error_prefix(ctx, "layer%d: ", 3);
    CHECK_STR(fv_error_message(ctx), "layer3: inner 7");
    CHECK_HAS(fv_error_text(ctx), "layer3: inner 7\n  at tests");
    CHECK_EQ(asserts(ctx, 0), FV_ERROR_INTERNAL);
    CHECK_STR(fv_error_message(ctx), "internal check failed: n > 0");
    CHECK_EQ(asserts(ctx, 1), FV_OK);
    CHECK_EQ(fvi_fail(ctx, FV_ERROR_IO, "<%s>", fv_error_message(ctx)), FV_ERROR_IO);     /* quotes the old one */
    CHECK_STR(fv_error_message(ctx), "<internal check failed: n > 0>");
    fvi_error_clear(ctx);
    CHECK_STR(fv_error_text(ctx), "");
    fvi_error_place(ctx, "file.c", 1);
    CHECK_STR(fv_error_text(ctx), "");
    CHECK_EQ(fvi_fail(NULL, FV_ERROR_IO, "no context"), FV_ERROR_IO);
    fv_context_destroy(ctx);
    fv_context_destroy(NULL);
}

static void long_errors(void)
{
    fv_context *ctx = fv_context_create();
    char *text = malloc(9001);
    CHECK(ctx && text);
    for (int i = 0; i < 9000; i += 3) memcpy(text + i, "\xE5\x9B\xBE", 4);
    for (int shift = 0; shift < 3; shift++) {           /* the cut falls on every byte of a character */
        CHECK_EQ(fvi_fail(ctx, FV_ERROR_IO, "%.*s%s", shift, "ab", text), FV_ERROR_IO);
        size_t n = strlen(fv_error_message(ctx));
        CHECK(n >= 4093 && n < 4096);
        CHECK_EQ((n - (size_t)FVI_MIN(shift, 2)) % 3, 0);
        fvi_error_prefix(ctx, "p: ");
        CHECK_HAS(fv_error_message(ctx), "p: ");
        CHECK_HAS(fv_error_text(ctx), "\n  at ");
    }
    for (int i = 0; i < 1000; i++) fvi_error_place(ctx, "some/file/far/away.c", i);
    CHECK(strlen(fv_error_text(ctx)) < 4096 + 2048);
    CHECK_EQ(fv_error_text(ctx)[strlen(fv_error_text(ctx)) - 1] >= '0', 1);               /* only whole places */
    free(text);
    fv_context_destroy(ctx);
}

static void note_log(void *user, fv_log_level level, const char *text)
{
    snprintf(user, 64, "%d %s", (int)level, text);
}

static void logging_and_threads(void)
{
    char last[64] = "";
    fv_context *ctx = fv_context_create();
    CHECK(ctx);
    fvi_log(ctx, FV_LOG_WARN, "nobody %d", 1);
    fv_context_set_log(ctx, note_log, last);
    fvi_log(ctx, FV_LOG_WARN, "three %s", "words");
    CHECK_STR(last, "2 three words");
    CHECK_EQ(fv_context_threads(ctx), fvi_cpu_count());
    fv_context_set_threads(ctx, 3);
    CHECK_EQ(fv_context_threads(ctx), 3);
    fv_context_set_threads(ctx, -1);
    CHECK_EQ(fv_context_threads(ctx), fvi_cpu_count());
    fv_context_destroy(ctx);
}

static bool all_zero(const unsigned char *p, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        if (p[i]) return false;
    return true;
}

static void memory_blocks(void)
{
    static const size_t sizes[] = {0, 1, 63, 64, 65, 4096, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 3 << 20, 8 << 20};
    for (int i = 0; i < FVI_COUNT(sizes); i++) {
        for (int again = 0; again < 2; again++) {
            unsigned char *p = fvi_malloc_aligned(sizes[i]);
            CHECK(p && (uintptr_t)p % 64 == 0);
            CHECK(all_zero(p, sizes[i]));
            memset(p, 0xAB, sizes[i]);
            fvi_free_aligned(p, sizes[i]);
        }
    }
    CHECK(!fvi_malloc_aligned(SIZE_MAX - 10));
    fvi_free_aligned(NULL, 5);
    void *zero = fvi_malloc(0), *none = fvi_calloc(0, 8);
    CHECK(zero && none);
    fvi_free(zero);
    fvi_free(none);
    volatile size_t huge = SIZE_MAX / 4;
    CHECK(!fvi_calloc(huge, 8));
    int64_t before = fvi_memory_count();
    fvi_memory_set_fault(2);
    char *first = fvi_strdup("a"), *second = fvi_strdup("b"), *third = fvi_format("%d", 3);
    CHECK(first && !second && third);
    CHECK_EQ(fvi_memory_count() - before, 3);
    CHECK_STR(third, "3");
    fvi_free(first);
    fvi_free(third);
}

static void arena(void)
{
    fvi_arena a = {0};
    unsigned char *kept[400];
    for (int i = 0; i < 400; i++) {
        size_t bytes = i % 50 == 49 ? 200000 : (size_t)i * 3;
        kept[i] = fvi_arena_alloc(&a, bytes);
        CHECK(kept[i] && (uintptr_t)kept[i] % 16 == 0 && all_zero(kept[i], bytes));
        memset(kept[i], i, bytes);
    }
    for (int i = 0; i < 400; i++) {
        size_t bytes = i % 50 == 49 ? 200000 : (size_t)i * 3;
        for (size_t k = 0; k < bytes; k++)
            if (kept[i][k] != (unsigned char)i) CHECK_MSG(false, "block %d was overwritten", i);
    }
    CHECK_STR(fvi_arena_strdup(&a, "text"), "text");
    CHECK_STR(fvi_arena_format(&a, "%s/%d", "layer", 12), "layer/12");
    CHECK(a.total >= 8 * 200000);
    CHECK(!fvi_arena_alloc(&a, SIZE_MAX - 3));
    fvi_arena_free(&a);
    CHECK(!a.head && !a.total);
    fvi_memory_set_fault(1);
    CHECK(!fvi_arena_alloc(&a, 10));
    fvi_arena_free(&a);
}

static void growing_arrays(void)
{
    struct { int64_t *items; int count, capacity; } v = {0};
    struct { const char **items; int count, capacity; } names = {0};
    for (int i = 0; i < 1000; i++) CHECK(FVI_PUSH(&v, i * 3));
    CHECK(FVI_PUSH(&names, "one"));
    CHECK_STR(names.items[0], "one");
    CHECK_EQ(v.count, 1000);
    CHECK_EQ(v.items[999], 2997);
    while (v.count < v.capacity) CHECK(FVI_PUSH(&v, 0));
    fvi_memory_set_fault(1);
    CHECK(!FVI_PUSH(&v, 1));
    CHECK_EQ(v.items[999], 2997);
    fvi_free(v.items);
    fvi_free(names.items);
    int64_t r;
    CHECK(fvi_mul_i64(1 << 20, 1 << 20, &r) && r == (int64_t)1 << 40);
    CHECK(!fvi_mul_i64(INT64_MAX, 2, &r));
    CHECK(!fvi_mul_i64(-1, 2, &r));
    CHECK(fvi_add_i64(INT64_MAX, 0, &r) && r == INT64_MAX);
    CHECK(!fvi_add_i64(INT64_MAX, 1, &r));
}

/* Known answers: printf abc | xxhsum -H3, -H2 */
static void hashing(void)
{
    CHECK_EQ(fvi_hash64("abc", 3, 0), (int64_t)0x78af5f94892f3950);
    CHECK_EQ(fvi_hash_text("abc"), (int64_t)0x78af5f94892f3950);
    CHECK(fvi_hash64("abc", 3, 1) != fvi_hash64("abc", 3, 0));
    char hex[33];
    fvi_hash_state *h = fvi_hash_begin();
    CHECK(h);
    fvi_hash_update(h, "a", 1);
    fvi_hash_update(h, "bc", 2);
    fvi_hash_end(h, hex);
    CHECK_STR(hex, "06b05ab6733a618578af5f94892f3950");
    fvi_hash_update(NULL, "a", 1);
    fvi_hash_end(NULL, hex);
    CHECK_STR(hex, "");
}

static void nearest_names(void)
{
    static const char *const names[] = {"learning_rate", "batch_size", "max_steps", "momentum", "lr_decay_iters", "eps", "nesterov", NULL};
    static const struct { const char *word, *expected; } cases[] = {
        {"learning_rat", "learning_rate"}, {"learnign_rate", "learning_rate"}, {"batch-size", "batch_size"},
        {"BatchSize", "batch_size"},       {"maxsteps", "max_steps"},          {"momentun", "momentum"},
        {"rate", "learning_rate"},         {"epss", "eps"},                    {"zzzzzz", NULL},
        {"", NULL},                        {"x", NULL},                        {"decay", "lr_decay_iters"},
    };
    for (int i = 0; i < FVI_COUNT(cases); i++) CHECK_STR(fvi_nearest(cases[i].word, names), cases[i].expected);
    CHECK(!fvi_nearest("a", NULL));
    char longer[200];
    memset(longer, 'a', sizeof longer - 1);
    longer[sizeof longer - 1] = 0;
    CHECK(!fvi_nearest(longer, names));
}

static void patterns(void)
{
    static const struct { const char *pattern, *text; bool match; } cases[] = {
        {"*", "", true},          {"*", "abc", true},     {"a*c", "abbbc", true},  {"a*c", "abbb", false},
        {"layer1.*", "layer1.0.conv1.weight", true},      {"layer1.*", "layer10.0", false},
        {"*.bias", "a.bias.bias", true},                  {"a*b*c", "aXbYbZc", true}, {"abc", "abc", true},
        {"abc", "abcd", false},   {"", "", true},         {"", "a", false},        {"**", "x", true},
        {"*aaab", "aaaaaaaaaaaab", true},                 {"*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaa", false},
    };
    for (int i = 0; i < FVI_COUNT(cases); i++)
        CHECK_MSG(fvi_glob(cases[i].pattern, cases[i].text) == cases[i].match, "%s against %s", cases[i].pattern, cases[i].text);
}

static void utf8(void)
{
    static const struct { const char *text; int length; uint32_t code; } cases[] = {
        {"a", 1, 'a'}, {"\xC3\xA9", 2, 0xE9}, {"\xE5\x9B\xBE", 3, 0x56FE}, {"\xF0\x9F\x98\x80", 4, 0x1F600},
        {"\xC0\x80", 0, 0}, {"\xC1\xBF", 0, 0}, {"\xE0\x80\x80", 0, 0}, {"\xED\xA0\x80", 0, 0}, {"\xF4\x90\x80\x80", 0, 0},
        {"\x80", 0, 0}, {"\xE5\x9B", 0, 0}, {"\xFF", 0, 0}, {"\xF8\x88\x80\x80", 0, 0}, {"", 0, 0}, {"\xC3(", 0, 0},
    };
    for (int i = 0; i < FVI_COUNT(cases); i++) {
        uint32_t code = 0;
        CHECK_EQ(fvi_utf8_next(cases[i].text, strlen(cases[i].text), &code), cases[i].length);
        if (cases[i].length) CHECK_EQ(code, cases[i].code);
    }
}

static void numbers_in_any_locale(void)
{
    static const double values[] = {0, -0.0, 0.1, 1e-3, 1.0 / 3, 5e-324, 1.7976931348623157e308, 123456789, 2.5e-8, -1e22};
    const char *locale = setlocale(LC_ALL, "de_DE.UTF-8");              /* a decimal comma, where installed */
    for (int i = 0; i < FVI_COUNT(values); i++) {
        char text[32];
        const char *end;
        fvi_print_double(text, values[i]);
        CHECK(!strchr(text, ','));
        double back = fvi_parse_double(text, &end);
        CHECK(!*end && !memcmp(&back, &values[i], sizeof back));
    }
    char text[32];
    fvi_print_double(text, 0.1);
    CHECK_STR(text, "0.1");
    fvi_print_double(text, 1e-3);
    CHECK_STR(text, "0.001");
    if (locale) setlocale(LC_ALL, "C");
}

/* What the shell makes of the word is the word. */
static void shell_words(void)
{
    static const struct { const char *word, *shown; } cases[] = {
        {"runs/a-1.b_2", "runs/a-1.b_2"}, {"x=.5", "x=.5"}, {"", "''"}, {"my run", "'my run'"}, {"it's", "'it'\\''s'"},
        {"'", "''\\'''"}, {"$HOME", "'$HOME'"}, {"a;b", "'a;b'"}, {"~", "'~'"}, {"a*", "'a*'"}, {"=x", "'=x'"},
        {"+small", "+small"}, {"a\nb", "'a\nb'"}, {"\\n `x` \"y\" {z} (a) [b] >c |d& !e #f", NULL},
        {"龙 dragon", "'龙 dragon'"}, {"龙", "龙"}, {"\xff", "\xff"}};
    char room[FV_SHELL_ROOM], command[256], back[128];
    for (int i = 0; i < FVI_COUNT(cases); i++) {
        const char *shown = fv_shell_word(cases[i].word, room);
        if (cases[i].shown) CHECK_STR(shown, cases[i].shown);
        snprintf(command, sizeof command, "printf %%s %s", shown);
        FILE *f = popen(command, "r");
        CHECK(f);
        back[fread(back, 1, sizeof back - 1, f)] = 0;
        CHECK(pclose(f) == 0);
        CHECK_STR(back, cases[i].word);
    }
    char *large = malloc(3 * FV_SHELL_ROOM);
    CHECK(large);
    for (size_t n = FV_SHELL_ROOM - 20; n < FV_SHELL_ROOM + 20; n++) {
        memset(large, ' ', n);
        large[n] = 0;
        const char *shown = fv_shell_word(large, room);
        CHECK(shown == large || (strlen(shown) == n + 2 && shown == room));
        memset(large, '\'', n);
        CHECK(fv_shell_word(large, room) == large);
    }
    free(large);
}

static void text_buffer(void)
{
    fvi_text t = {0};
    char *empty = fvi_text_take(&t);
    CHECK_STR(empty, "");
    fvi_free(empty);
    for (int i = 0; i < 1000; i++) fvi_text_add(&t, "%03d,", i);
    fvi_text_raw(&t, "end", 3);
    CHECK_EQ(t.length, 4003);
    char *s = fvi_text_take(&t);
    CHECK(s && strlen(s) == 4003 && !strcmp(s + 3996, "999,end"));
    fvi_free(s);
    for (int nth = 1; nth < 4; nth++) {
        fvi_memory_set_fault(nth);
        for (int i = 0; i < 100; i++) fvi_text_add(&t, "%d", i);
        CHECK(!fvi_text_take(&t));
        CHECK(!t.data && !t.failed);
    }
    fvi_text_add(&t, "x");
    fvi_text_free(&t);
}

static void machine(void)
{
    int cores = fvi_cpu_count();
    CHECK(cores >= 1 && cores < 4096);
    CHECK(strlen(fvi_cpu_model()) > 3);
    int64_t now = fvi_memory_now(), peak = fvi_memory_peak();
    CHECK(now > 100 << 10 && peak > 0);
    size_t bytes = (size_t)64 << 20;
    unsigned char *p = fvi_malloc_aligned(bytes);
    CHECK(p);
    memset(p, 1, bytes);
    CHECK(fvi_memory_now() > now + (int64_t)bytes * 3 / 4);
    CHECK(fvi_memory_peak() >= now + (int64_t)bytes * 3 / 4);
    fvi_free_aligned(p, bytes);
    double t = fvi_seconds();
    CHECK(fvi_seconds() >= t);
}

static int cores_of_self(void)
{
    cpu_set_t set[4096 / CPU_SETSIZE];
    return sched_getaffinity(0, sizeof set, set) == 0 ? CPU_COUNT_S(sizeof set, set) : -1;
}

static void pinning(void)
{
    int cores = fvi_cpu_count(), allowed = cores_of_self();
    fvi_pin_threads(1);
    CHECK_EQ(cores_of_self(), 1);
    CHECK_EQ(fvi_cpu_count(), cores);
    fvi_unpin_self();
    CHECK_EQ(cores_of_self(), allowed);
    fvi_pin_threads(100000);
    CHECK_EQ(cores_of_self(), allowed);
}

TEST_MAIN(CASE(dtypes_and_version), CASE(error_chain), CASE(long_errors), CASE(logging_and_threads), CASE(memory_blocks),
          CASE(arena), CASE(growing_arrays), CASE(hashing), CASE(nearest_names), CASE(patterns), CASE(utf8),
          CASE(numbers_in_any_locale), CASE(shell_words), CASE(text_buffer), CASE(machine), CASE(pinning))
