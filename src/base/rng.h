/* SPDX-License-Identifier: Apache-2.0 */
/* Counter-based random numbers: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC11).
 * A number is a pure function of (seed, stream, index): no state, so no order, thread, rank or resume can change it. */
#ifndef FVI_RNG_H
#define FVI_RNG_H

#include <stdint.h>

/* Four 32-bit words of block `index` in stream (seed, stream). */
void fvi_rng_block(uint64_t seed, uint64_t stream, uint64_t index, uint32_t out[4]);
/* Mixes values into one stream name, e.g. fvi_rng_stream(epoch, sample, purpose). */
uint64_t fvi_rng_stream(uint64_t a, uint64_t b, uint64_t c);

/* A cursor over one stream, for code that draws a handful of numbers in order. */
typedef struct fvi_rng { uint64_t seed, stream, next; } fvi_rng;
static inline fvi_rng fvi_rng_at(uint64_t seed, uint64_t stream) { fvi_rng r = {seed, stream, 0}; return r; }
uint32_t fvi_rng_u32(fvi_rng *r);
double fvi_rng_uniform(fvi_rng *r);                            /* [0, 1), 53 bits */
double fvi_rng_normal(fvi_rng *r);                             /* Box-Muller, mean 0, std 1 */
int64_t fvi_rng_below(fvi_rng *r, int64_t n);                  /* 0 .. n-1, unbiased */
/* Random access: uniform in [0, 1) with 24 bits of element `index`; word index&3 of block index>>2. */
float fvi_rng_uniform_at(uint64_t seed, uint64_t stream, uint64_t index);
/* The permutation of 0..n-1 for (seed, stream): Fisher-Yates with fvi_rng_below. */
void fvi_rng_permutation(uint64_t seed, uint64_t stream, int64_t *out, int64_t n);
/* Where another permutation of 0..n-1 for (seed, stream) puts i, without making the whole of it: a Feistel network over the next power of
 * four, gone through again until the result is below n. */
int64_t fvi_rng_permuted(uint64_t seed, uint64_t stream, int64_t i, int64_t n);

#endif
