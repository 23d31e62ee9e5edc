/* SPDX-License-Identifier: Apache-2.0 */
/* Philox against Random123's known answers (its file kat_vectors), and the numbers drawn from it. */
#include "test.h"

#include "base/rng.h"

#include <stdlib.h>

static void known_answers(void)
{
    static const struct { uint32_t counter[4], key[2], out[4]; } cases[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}, {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}, {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const uint32_t *c = cases[i].counter, *k = cases[i].key;
        uint32_t out[4];
        fvi_rng_block((uint64_t)k[1] << 32 | k[0], (uint64_t)c[3] << 32 | c[2], (uint64_t)c[1] << 32 | c[0], out);
        for (int w = 0; w < 4; w++) CHECK_EQ(out[w], cases[i].out[w]);
    }
}

static void cursor_reads_blocks(void)
{
    fvi_rng r = fvi_rng_at(3, 5);
    for (uint64_t i = 0; i < 9; i++) {
        uint32_t block[4];
        fvi_rng_block(3, 5, i / 4, block);
        CHECK_EQ(fvi_rng_u32(&r), block[i % 4]);
        CHECK_CLOSE(fvi_rng_uniform_at(3, 5, i), (block[i % 4] >> 8) / 16777216.0, 0);
    }
    CHECK_EQ(r.next, 9);
}

static void distributions(void)
{
    fvi_rng r = fvi_rng_at(1, 2);
    enum { N = 200000 };
    double mean = 0, square = 0, low = 1, high = 0;
    for (int i = 0; i < N; i++) {
        double u = fvi_rng_uniform(&r);
        mean += u / N;
        low = fmin(low, u);
        high = fmax(high, u);
    }
    CHECK_CLOSE(mean, 0.5, 0.003);                      /* 4 standard errors: 4 * 0.289 / sqrt(N) = 0.0026 */
    CHECK(low >= 0 && low < 1e-4 && high < 1 && high > 1 - 1e-4);
    mean = 0;
    double third = 0, fourth = 0;
    for (int i = 0; i < N; i++) {
        double x = fvi_rng_normal(&r);
        CHECK(isfinite(x));
        mean += x / N;
        square += x * x / N;
        third += x * x * x / N;
        fourth += x * x * x * x / N;
    }
    CHECK_CLOSE(mean, 0, 0.01);
    CHECK_CLOSE(square, 1, 0.01);
    CHECK_CLOSE(third, 0, 0.03);
    CHECK_CLOSE(fourth, 3, 0.03);
}

static void below_is_even(void)
{
    fvi_rng r = fvi_rng_at(9, 9);
    int counts[7] = {0};
    for (int i = 0; i < 70000; i++) {
        int64_t k = fvi_rng_below(&r, 7);
        CHECK(k >= 0 && k < 7);
        counts[k]++;
    }
    for (int k = 0; k < 7; k++) CHECK(counts[k] > 9600 && counts[k] < 10400);       /* 10000 +- 4.3 standard errors */
    CHECK_EQ(fvi_rng_below(&r, 1), 0);
    CHECK_EQ(fvi_rng_below(&r, 0), 0);
    CHECK_EQ(fvi_rng_below(&r, -4), 0);
    int64_t big = (int64_t)3 << 60, upper = 0;
    for (int i = 0; i < 3000; i++) {
        int64_t k = fvi_rng_below(&r, big);
        CHECK(k >= 0 && k < big);
        upper += k >= big / 2;
    }
    CHECK(upper > 1380 && upper < 1620);
}

static void permutations(void)
{
    enum { N = 1000 };
    int64_t a[N], b[N], seen[N] = {0};
    fvi_rng_permutation(5, 6, a, N);
    fvi_rng_permutation(5, 6, b, N);
    CHECK(!memcmp(a, b, sizeof a));
    int fixed = 0;
    for (int i = 0; i < N; i++) {
        CHECK(a[i] >= 0 && a[i] < N && !seen[a[i]]++);
        fixed += a[i] == i;
    }
    CHECK(fixed < 10);
    fvi_rng_permutation(5, 7, b, N);
    CHECK(memcmp(a, b, sizeof a));
    fvi_rng_permutation(5, 7, b, 0);
    fvi_rng_permutation(5, 7, b, 1);
    CHECK_EQ(b[0], 0);
}

/* One place at a time: every number once, and each number anywhere about as often. */
static void permutations_by_place(void)
{
    enum { MOST = 1000, STREAMS = 3000, N = 6 };
    static const int sizes[] = {1, 2, 3, 4, 5, 16, 17, 100, MOST};
    for (int k = 0; k < 9; k++) {
        bool seen[MOST] = {false};
        int moved = 0;
        for (int i = 0; i < sizes[k]; i++) {
            int64_t to = fvi_rng_permuted(7, 9, i, sizes[k]);
            CHECK(to >= 0 && to < sizes[k] && !seen[to]);
            seen[to] = true;
            moved += to != i;
        }
        CHECK(sizes[k] < 100 || moved > sizes[k] * 9 / 10);
    }
    int counts[N][N] = {{0}};
    for (uint64_t stream = 0; stream < STREAMS; stream++)
        for (int i = 0; i < N; i++) counts[i][fvi_rng_permuted(1, stream, i, N)]++;
    for (int i = 0; i < N * N; i++) CHECK_MSG(abs(counts[i / N][i % N] - STREAMS / N) < 110, "%d to %d: %d times", i / N, i % N, counts[i / N][i % N]);
    CHECK(fvi_rng_permuted(1, 2, 5, (int64_t)1 << 40) < (int64_t)1 << 40);
}

static void streams_differ(void)
{
    uint64_t all[1000];
    int n = 0;
    for (uint64_t a = 0; a < 10; a++)
        for (uint64_t b = 0; b < 10; b++)
            for (uint64_t c = 0; c < 10; c++) all[n++] = fvi_rng_stream(a, b, c);
    for (int i = 0; i < n; i++)
        for (int k = 0; k < i; k++)
            if (all[i] == all[k]) CHECK_MSG(false, "streams %d and %d agree", i, k);
    CHECK(fvi_rng_stream(1, 0, 0) != fvi_rng_stream(0, 1, 0));
}

/* These numbers (from an independent Python computation) are part of every seeded result: they must never change. */
static void frozen_values(void)
{
    fvi_rng r = fvi_rng_at(42, fvi_rng_stream(1, 2, 3));
    int64_t p[8];
    fvi_rng_permutation(42, 1, p, 8);
    char text[128];
    int n = 0;
    for (int i = 0; i < 8; i++) n += snprintf(text + n, sizeof text - (size_t)n, "%d", (int)p[i]);
    CHECK_STR(text, "54263170");
    for (int i = n = 0; i < 8; i++) n += snprintf(text + n, sizeof text - (size_t)n, "%d", (int)fvi_rng_permuted(42, 1, i, 8));
    CHECK_STR(text, "64152730");
    CHECK_EQ(fvi_rng_permuted(42, 1, 123456, 1000000), 202721);
    snprintf(text, sizeof text, "%016" PRIx64 " %08" PRIx32, fvi_rng_stream(1, 2, 3), fvi_rng_u32(&r));
    CHECK_STR(text, "d0734750fde362b3 de5914f4");
}

TEST_MAIN(CASE(known_answers), CASE(cursor_reads_blocks), CASE(distributions), CASE(below_is_even), CASE(permutations), CASE(permutations_by_place),
          CASE(streams_differ), CASE(frozen_values))
