/* SPDX-License-Identifier: Apache-2.0 */
/* The test runner, one program a file. A case is a function `static void name(void)`; the file ends with
 *     TEST_MAIN(CASE(name), CASE(other))
 * Each case is printed; the exit status is the result: 0 all passed, 1 a check failed or there was no case at all,
 * 77 every case was skipped. A failed check prints the place and returns from its function; CHECKs in helpers therefore
 * end the helper only, the case still counts as failed. Nothing here depends on NDEBUG. Arguments pick cases by name. */
#ifndef FOVEA_TEST_H
#define FOVEA_TEST_H

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

typedef struct test_case { const char *name; void (*run)(void); } test_case;

static struct { int checks, failures; bool skipped; } test_state;

#define TEST_UNUSED __attribute__((unused))

__attribute__((format(printf, 3, 4))) static bool test_check(bool ok, const char *place, const char *fmt, ...)
{
    test_state.checks++;
    if (ok) return true;
    test_state.failures++;
    va_list args;
    va_start(args, fmt);
    printf("    %s: ", place);
    vprintf(fmt, args);
    printf("\n");
    va_end(args);
    return false;
}

/* Equal infinities and NaN against NaN count as close. The tolerance is absolute + relative to the expected value. */
TEST_UNUSED static bool test_close(double a, double b, double tolerance)
{
    if (isnan(a) || isnan(b)) return isnan(a) && isnan(b);
    return a == b || fabs(a - b) <= tolerance * (1 + fabs(b));
}

TEST_UNUSED static bool test_same_text(const char *a, const char *b)
{
    return a && b ? !strcmp(a, b) : a == b;
}

#define TEST_STRING_(x) #x
#define TEST_STRING(x) TEST_STRING_(x)
#define TEST_PLACE __FILE__ ":" TEST_STRING(__LINE__)

#define CHECK(cond)                                                         \
    do {                                                                    \
        if (!test_check((cond), TEST_PLACE, "failed: %s", #cond)) return;   \
    } while (0)
/* CHECK with a message of its own. */
#define CHECK_MSG(cond, ...)                                                \
    do {                                                                    \
        if (!test_check((cond), TEST_PLACE, __VA_ARGS__)) return;           \
    } while (0)
/* Integers: got, expected. */
#define CHECK_EQ(a, b)                                                                                               \
    do {                                                                                                             \
        intmax_t test_a = (intmax_t)(a), test_b = (intmax_t)(b);                                                     \
        if (!test_check(test_a == test_b, TEST_PLACE, "%s is %" PRIdMAX ", expected %" PRIdMAX, #a, test_a, test_b)) \
            return;                                                                                                  \
    } while (0)
/* Floating point: got, expected, tolerance. */
#define CHECK_CLOSE(a, b, tolerance)                                                                               \
    do {                                                                                                           \
        double test_a = (double)(a), test_b = (double)(b);                                                         \
        if (!test_check(test_close(test_a, test_b, (tolerance)), TEST_PLACE, "%s is %.9g, expected %.9g (off by %.3g)", \
                        #a, test_a, test_b, test_a - test_b))                                                      \
            return;                                                                                                \
    } while (0)
/* Text: got, expected. */
#define CHECK_STR(a, b)                                                                                             \
    do {                                                                                                            \
        const char *test_a = (a), *test_b = (b);                                                                    \
        if (!test_check(test_same_text(test_a, test_b), TEST_PLACE, "%s is \"%s\", expected \"%s\"", #a,            \
                        test_a ? test_a : "(null)", test_b ? test_b : "(null)"))                                    \
            return;                                                                                                 \
    } while (0)
/* Text: got, a part that must be in it. */
#define CHECK_HAS(a, part)                                                                                          \
    do {                                                                                                            \
        const char *test_a = (a), *test_b = (part);                                                                 \
        if (!test_check(test_a && strstr(test_a, test_b), TEST_PLACE, "%s is \"%s\", which lacks \"%s\"", #a,       \
                        test_a ? test_a : "(null)", test_b))                                                        \
            return;                                                                                                 \
    } while (0)
/* Leaves the case as skipped, with the reason. */
#define SKIP(...)                      \
    do {                               \
        test_state.skipped = true;     \
        printf("    skipped: ");       \
        printf(__VA_ARGS__);           \
        printf("\n");                  \
        return;                        \
    } while (0)

static int test_main(const test_case *cases, int count, int argc, char **argv)
{
    int passed = 0, failed = 0, skipped = 0;
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (int i = 0; i < count; i++) {
        bool wanted = argc < 2;
        for (int k = 1; k < argc; k++)
            if (!strcmp(argv[k], cases[i].name)) wanted = true;
        if (!wanted) continue;
        memset(&test_state, 0, sizeof test_state);
        cases[i].run();
        const char *result = test_state.failures ? "FAILED" : test_state.skipped ? "skipped" : "ok";
        if (!test_state.failures && !test_state.skipped && !test_state.checks) {
            test_state.failures = 1;
            result = "FAILED (checked nothing)";
        }
        printf("%-40s %s (%d checks)\n", cases[i].name, result, test_state.checks);
        if (test_state.failures) failed++;
        else if (test_state.skipped) skipped++;
        else passed++;
    }
    printf("%d passed, %d failed, %d skipped\n", passed, failed, skipped);
    if (failed || !(passed + skipped)) return 1;
    return passed ? 0 : 77;
}

#define CASE(name) {#name, name}
#define TEST_MAIN(...)                                                                          \
    int main(int argc, char **argv)                                                             \
    {                                                                                           \
        static const test_case cases[] = {__VA_ARGS__};                                         \
        return test_main(cases, (int)(sizeof cases / sizeof cases[0]), argc, argv);             \
    }

#endif
