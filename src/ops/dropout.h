/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FVI_OPS_DROPOUT_H
#define FVI_OPS_DROPOUT_H

#include "base/attr.h"
#include "base/rng.h"

/* random = {seed, step, first sample}. Row n of x draws from fvi_rng_stream(stream, step, first sample + n); element j of
 * the row is kept when fvi_rng_uniform_at(seed, that, j) >= p. */
typedef struct fvi_dropout_attr { double p; int64_t stream; } fvi_dropout_attr;

static inline uint64_t fvi_dropout_row(const fvi_dropout_attr *a, const int64_t random[3], int64_t n)
{
    return fvi_rng_stream((uint64_t)a->stream, (uint64_t)random[1], (uint64_t)(random[2] + n));
}

#endif
