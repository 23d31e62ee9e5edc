/* SPDX-License-Identifier: Apache-2.0 */
/* Random bits of dropout: those of fvi_rng_uniform_at, a vector of Philox blocks at a time. */
#ifndef FVI_ISA_DROPOUT_H
#define FVI_ISA_DROPOUT_H

#include "cpu/isa.h"

/* Elements first .. first + n - 1 of a row (first a multiple of 64): y = factor x where the upper 24 bits of the
 * element's random word are at least `threshold`, else 0. x and y stand at the first element. */
FVI_ISA_DECLARE(void, fvi_dropout_run,
                (const void *x, void *y, int64_t first, int64_t n, bool bf, uint64_t seed, uint64_t stream,
                 uint32_t threshold, float factor))

#endif
