/* SPDX-License-Identifier: Apache-2.0 */
/* What this machine can do at most, for the "share of the ceiling" of bench/README.md: multiply-adds from registers per
 * instruction set, and triads a = b + s c in memory and in cache. Argument: threads (all cores). One JSON object; the best of
 * several rounds, as other programs only ever slow a round. */
#include "base/base.h"
#include "base/thread.h"
#include "cpu/cpu.h"

#include <omp.h>
#include <stdio.h>
#include <stdlib.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

enum { CHAINS = 12, ROUNDS = 7 };

/* ---- multiply-adds: chains that do not depend on each other, long enough to fill the pipeline ---- */

/* Writes the result where it cannot be left out. */
static volatile float sink;

#define FMA_LOOP(name, target_, type, set, fma, lanes)                                        \
    __attribute__((target(target_), noinline)) static double name(int64_t n)                   \
    {                                                                                          \
        type x[CHAINS], a = set(1.0000001f), b = set(1e-9f);                                   \
        for (int i = 0; i < CHAINS; i++) x[i] = set((float)i);                                 \
        for (int64_t k = 0; k < n; k++)                                                        \
            for (int i = 0; i < CHAINS; i++) x[i] = fma(x[i], a, b);                           \
        float out[16], sum = 0;                                                                \
        for (int i = 0; i < CHAINS; i++) {                                                     \
            memcpy(out, &x[i], sizeof x[i]);                                                   \
            sum += out[0];                                                                     \
        }                                                                                      \
        sink = sum;                                                                            \
        return 2.0 * (double)n * CHAINS * (lanes);                                             \
    }

#if defined(__x86_64__)
static inline __attribute__((always_inline, target("sse2"))) __m128 multiply_add_128(__m128 x, __m128 a, __m128 b)
{
    return _mm_add_ps(_mm_mul_ps(x, a), b);
}
FMA_LOOP(fma_base, "sse2", __m128, _mm_set1_ps, multiply_add_128, 4)
FMA_LOOP(fma_avx2, "avx2,fma", __m256, _mm256_set1_ps, _mm256_fmadd_ps, 8)
FMA_LOOP(fma_avx512, "avx512f", __m512, _mm512_set1_ps, _mm512_fmadd_ps, 16)

/* 32 products of bf16 pairs in each instruction. */
__attribute__((target("avx512f,avx512bf16"), noinline)) static double dot_bf16(int64_t n)
{
    __m512 x[CHAINS];
    const __m512bh a = _mm512_cvtne2ps_pbh(_mm512_set1_ps(1e-3f), _mm512_set1_ps(1e-3f));
    for (int i = 0; i < CHAINS; i++) x[i] = _mm512_set1_ps((float)i);
    for (int64_t k = 0; k < n; k++)
        for (int i = 0; i < CHAINS; i++) x[i] = _mm512_dpbf16_ps(x[i], a, a);
    float sum = 0;
    for (int i = 0; i < CHAINS; i++) sum += _mm512_cvtss_f32(x[i]);
    sink = sum;
    return 2.0 * (double)n * CHAINS * 32;
}
#else
static inline float plain_set(float x) { return x; }
static inline float multiply_add(float x, float a, float b) { return x * a + b; }
__attribute__((noinline)) static double fma_base(int64_t n)
{
    float x[CHAINS * 16];
    for (int i = 0; i < CHAINS * 16; i++) x[i] = plain_set((float)i);
    for (int64_t k = 0; k < n; k++)
        for (int i = 0; i < CHAINS * 16; i++) x[i] = multiply_add(x[i], 1.0000001f, 1e-9f);
    sink = x[3];
    return 2.0 * (double)n * CHAINS * 16;
}
#endif

static double gflops(double (*loop)(int64_t), int threads)
{
    double best = 0;
    for (int round = 0; round < ROUNDS; round++) {
        double operations = 0, begin = 0, end = 0;
#pragma omp parallel num_threads(threads) reduction(+ : operations)
        {
            (void)loop(1000);
#pragma omp barrier
#pragma omp master
            begin = fvi_seconds();
            operations = loop(1000000);
#pragma omp barrier
#pragma omp master
            end = fvi_seconds();
        }
        best = FVI_MAX(best, operations / (end - begin) / 1e9);
    }
    return best;
}

/* ---- memory ---- */

typedef enum traffic { PLAIN, STREAMED, READ } traffic;

static void triad(traffic kind, float *a, const float *b, const float *c, int64_t n)
{
    float sum = 0;
    int64_t i = 0;
    if (kind == READ) {
#pragma omp simd reduction(+ : sum)
        for (int64_t k = 0; k < n; k++) sum += b[k] + c[k];
        sink = sum;
        return;
    }
#if defined(__x86_64__)
    if (kind == STREAMED)
        for (; i + 4 <= n; i += 4) _mm_stream_ps(a + i, _mm_add_ps(_mm_load_ps(b + i), _mm_mul_ps(_mm_set1_ps(3), _mm_load_ps(c + i))));
#endif
    for (; i < n; i++) a[i] = b[i] + 3 * c[i];
}

/* GB/s of three arrays of `bytes` together, counted as the program sees it (no read for ownership). */
static double bandwidth(traffic kind, size_t bytes, int threads)
{
    const int64_t n = (int64_t)(bytes / sizeof(float)) / (16 * threads) * (16 * threads), part = n / threads;
    float *memory[3];
    double best = 0;
    for (int i = 0; i < 3; i++)
        if (!(memory[i] = fvi_malloc_aligned(bytes))) return 0;
    const int repeats = (int)FVI_MAX(1, (int64_t)(64 << 20) / (int64_t)bytes);
    for (int round = 0; round < ROUNDS + 1; round++) {
        double begin = 0, end = 0;
#pragma omp parallel num_threads(threads)
        {
            const int64_t at = omp_get_thread_num() * part;
            if (round == 0)
                for (int i = 0; i < 3; i++)
                    for (int64_t k = 0; k < part; k++) memory[i][at + k] = 1;
#pragma omp barrier
#pragma omp master
            begin = fvi_seconds();
            for (int r = 0; r < repeats; r++) triad(kind, memory[0] + at, memory[1] + at, memory[2] + at, part);
#pragma omp barrier
#pragma omp master
            end = fvi_seconds();
        }
        const double arrays = kind == READ ? 2 : 3;
        if (round) best = FVI_MAX(best, arrays * (double)n * sizeof(float) * repeats / (end - begin) / 1e9);
    }
    for (int i = 0; i < 3; i++) fvi_free_aligned(memory[i], bytes);
    return best;
}

int main(int argc, char **argv)
{
    const int threads = argc > 1 ? atoi(argv[1]) : fvi_cpu_count();
    if (threads < 1) return 2;
    const fvi_isa isa = fvi_cpu_detect_isa();
    fvi_pin_threads(threads);
    printf("{\"cpu\": \"%s\", \"isa\": \"%s\", \"threads\": %d, \"gflops\": {\"base\": %.1f", fvi_cpu_model(), fvi_cpu_isa_name(isa), threads,
           gflops(fma_base, threads));
#if defined(__x86_64__)
    if (isa >= FVI_ISA_AVX2) printf(", \"avx2\": %.1f", gflops(fma_avx2, threads));
    if (isa >= FVI_ISA_AVX512) printf(", \"avx512\": %.1f", gflops(fma_avx512, threads));
    if (isa >= FVI_ISA_AVX512_BF16) printf(", \"bf16\": %.1f", gflops(dot_bf16, threads));
#endif
    printf("}, \"gb_per_s\": {\"memory\": %.1f, \"memory_streamed\": %.1f, \"memory_read\": %.1f, \"cache\": %.1f}}\n",
           bandwidth(PLAIN, (size_t)256 << 20, threads), bandwidth(STREAMED, (size_t)256 << 20, threads), bandwidth(READ, (size_t)256 << 20, threads),
           bandwidth(PLAIN, (size_t)4 << 20, threads));
    return 0;
}
