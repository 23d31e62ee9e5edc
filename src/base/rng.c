/* SPDX-License-Identifier: Apache-2.0 */
/* Philox4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3", SC11; constants from the
 * paper, checked against Random123's known answers in tests/unit/test_rng.c). The counter is (index, stream), the key is
 * the seed. Numbers made here are part of the run's identity: changing any of them changes every seeded result. */
#include "base/rng.h"

#include <math.h>

void fvi_rng_block(uint64_t seed, uint64_t stream, uint64_t index, uint32_t out[4])
{
    uint32_t c0 = (uint32_t)index, c1 = (uint32_t)(index >> 32), c2 = (uint32_t)stream, c3 = (uint32_t)(stream >> 32);
    uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
    for (int round = 0; round < 10; round++) {
        uint64_t a = (uint64_t)0xD2511F53u * c0, b = (uint64_t)0xCD9E8D57u * c2;
        c0 = (uint32_t)(b >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)b;
        c2 = (uint32_t)(a >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)a;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    out[0] = c0, out[1] = c1, out[2] = c2, out[3] = c3;
}

/* Finaliser of splitmix64 (Vigna): a bijection that mixes every bit into every other. */
static uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    return x ^ (x >> 31);
}

uint64_t fvi_rng_stream(uint64_t a, uint64_t b, uint64_t c)
{
    const uint64_t golden = 0x9E3779B97F4A7C15u;
    uint64_t h = mix(a + golden);
    h = mix((h ^ b) + golden);
    return mix((h ^ c) + golden);
}

uint32_t fvi_rng_u32(fvi_rng *r)
{
    uint32_t block[4];
    fvi_rng_block(r->seed, r->stream, r->next >> 2, block);
    return block[r->next++ & 3];
}

double fvi_rng_uniform(fvi_rng *r)
{
    uint64_t high = fvi_rng_u32(r) >> 5, low = fvi_rng_u32(r) >> 6;       /* 27 + 26 bits */
    return (double)(high << 26 | low) * 0x1p-53;
}

double fvi_rng_normal(fvi_rng *r)
{
    double radius = sqrt(-2 * log(1 - fvi_rng_uniform(r)));                /* 1 - u is in (0, 1] */
    return radius * cos(6.283185307179586476925 * fvi_rng_uniform(r));
}

int64_t fvi_rng_below(fvi_rng *r, int64_t n)
{
    if (n <= 1) return 0;
    if (n <= UINT32_MAX) {                              /* Lemire, "Fast random integer generation in an interval", 2019 */
        uint32_t range = (uint32_t)n;
        uint64_t m = (uint64_t)fvi_rng_u32(r) * range;
        if ((uint32_t)m < range) {
            uint32_t reject = -range % range;
            while ((uint32_t)m < reject) m = (uint64_t)fvi_rng_u32(r) * range;
        }
        return (int64_t)(m >> 32);
    }
    uint64_t range = (uint64_t)n, reject = -range % range, x;
    do {
        x = (uint64_t)fvi_rng_u32(r) << 32;
        x |= fvi_rng_u32(r);
    } while (x < reject);
    return (int64_t)(x % range);
}

float fvi_rng_uniform_at(uint64_t seed, uint64_t stream, uint64_t index)
{
    uint32_t block[4];
    fvi_rng_block(seed, stream, index >> 2, block);
    return (float)(block[index & 3] >> 8) * 0x1p-24f;
}

void fvi_rng_permutation(uint64_t seed, uint64_t stream, int64_t *out, int64_t n)
{
    fvi_rng r = fvi_rng_at(seed, stream);
    for (int64_t i = 0; i < n; i++) out[i] = i;
    for (int64_t i = n - 1; i > 0; i--) {
        int64_t j = fvi_rng_below(&r, i + 1), kept = out[i];
        out[i] = out[j];
        out[j] = kept;
    }
}

int64_t fvi_rng_permuted(uint64_t seed, uint64_t stream, int64_t i, int64_t n)
{
    int half = 1;
    while (half < 31 && (int64_t)1 << 2 * half < n) half++;
    const uint64_t mask = ((uint64_t)1 << half) - 1;
    uint64_t x = (uint64_t)i;
    do {
        uint64_t left = x >> half, right = x & mask;
        for (uint64_t round = 0; round < 6; round++) {
            uint32_t words[4];
            fvi_rng_block(seed, stream, round << half | right, words);
            const uint64_t mixed = left ^ (words[0] & mask);
            left = right;
            right = mixed;
        }
        x = left << half | right;
    } while (x >= (uint64_t)n);
    return (int64_t)x;
}
