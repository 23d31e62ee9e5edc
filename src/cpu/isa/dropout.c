/* SPDX-License-Identifier: Apache-2.0 */
/* Dropout, see dropout.h. The generator is Philox4x32-10 as in src/base/rng.c, 16 blocks side by side: loops over the
 * blocks become vectors. */
#include "cpu/isa/dropout.h"
#include "cpu/isa/vec.h"

enum { BLOCKS = 16, RUN = 4 * BLOCKS };

typedef uint32_t w16 __attribute__((vector_size(64)));
typedef uint64_t d8 __attribute__((vector_size(64)));

/* High and low halves of m * c, 16 times. */
FVI_AI void multiply(uint32_t m, w16 c, w16 *high, w16 *low)
{
    const d8 even = ((d8)c & 0xffffffffu) * (uint64_t)m, odd = ((d8)c >> 32) * (uint64_t)m;
    *high = (w16)((even >> 32) | (odd & 0xffffffff00000000u));
    *low = (w16)((even & 0xffffffffu) | (odd << 32));
}

/* Words of blocks index .. index + 15: word[4 * block + k]. */
static void philox(uint64_t seed, uint64_t stream, uint64_t index, uint32_t word[RUN])
{
    static const w16 number = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    const w16 zero = {0};
    w16 c0 = number + (uint32_t)index, c1 = zero + (uint32_t)(index >> 32);    /* index is a multiple of 16: no carry */
    w16 c2 = zero + (uint32_t)stream, c3 = zero + (uint32_t)(stream >> 32);
    uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
    for (int round = 0; round < 10; round++) {
        w16 high_a, low_a, high_b, low_b;
        multiply(0xD2511F53u, c0, &high_a, &low_a);
        multiply(0xCD9E8D57u, c2, &high_b, &low_b);
        c0 = high_b ^ c1 ^ k0;
        c1 = low_b;
        c2 = high_a ^ c3 ^ k1;
        c3 = low_a;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    for (int b = 0; b < BLOCKS; b++) {
        word[4 * b] = c0[b];
        word[4 * b + 1] = c1[b];
        word[4 * b + 2] = c2[b];
        word[4 * b + 3] = c3[b];
    }
}

FVI_AI void run_any(const void *x, void *y, int64_t first, int64_t n, uint64_t seed, uint64_t stream,
                    uint32_t threshold, float factor, const bool bf)
{
    for (int64_t at = 0; at < n; at += RUN) {
        uint32_t word[RUN];
        philox(seed, stream, (uint64_t)(first + at) / 4, word);
        const int64_t here = n - at < RUN ? n - at : RUN;
        for (int64_t i = 0; i < here; i++) {
            const float v = sld(x, at + i, bf) * factor;
            sst(y, at + i, word[i] >> 8 >= threshold ? v : 0.0f, bf);
        }
    }
}

void FVI_ISA_NAME(fvi_dropout_run)(const void *x, void *y, int64_t first, int64_t n, bool bf, uint64_t seed,
                                   uint64_t stream, uint32_t threshold, float factor)
{
    if (bf) run_any(x, y, first, n, seed, stream, threshold, factor, true);
    else run_any(x, y, first, n, seed, stream, threshold, factor, false);
}
