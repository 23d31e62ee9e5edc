/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FVI_OPS_DROPOUT_H
#define FVI_OPS_DROPOUT_H

#include "base/attr.h"
#include "base/rng.h"
#include "ir/graph.h"

/* random = {seed, step, first sample}. Row n of x draws from fvi_rng_stream(stream, step, first sample + n); element j of
 * the row is kept when fvi_rng_uniform_at(seed, that, j) >= p. */
typedef struct fvi_dropout_attr { double p; int64_t stream; } fvi_dropout_attr;

static inline uint64_t fvi_dropout_row(const fvi_dropout_attr *a, const int64_t random[3], int64_t n)
{
    return fvi_rng_stream((uint64_t)a->stream, (uint64_t)random[1], (uint64_t)(random[2] + n));
}

/* drop_path: whole samples; batch: all of them or none. */
typedef struct fvi_drop_path_attr { fvi_dropout_attr drop; bool batch; } fvi_drop_path_attr;

/* What sample n is multiplied by: 1 / (1 - p) when it is kept, else 0. A whole batch draws as one sample that is the same in
 * every micro-batch and rank of a step. */
static inline double fvi_drop_path_factor(const fvi_drop_path_attr *a, const int64_t random[3], int64_t n)
{
    const uint64_t stream = a->batch ? fvi_rng_stream((uint64_t)a->drop.stream, (uint64_t)random[1], 0)
                                     : fvi_dropout_row(&a->drop, random, n);
    const bool kept = (double)fvi_rng_uniform_at((uint64_t)random[0], stream, 0) >= a->drop.p;
    return kept && a->drop.p < 1 ? 1 / (1 - a->drop.p) : 0;
}

FV_CHECKED fv_status fvi_dropout_infer(fvi_infer *c);         /* x floating with samples first, random i64 (3) */
/* For ops whose attributes begin with fvi_dropout_attr: the stream of a new node of `op`, named by the path in the model; a second
 * one at the same path counts on. */
int64_t fvi_dropout_stream(fv_graph *g, const char *op);
/* The node of `op` over x and the random state. k*N rows are k of each sample: they are drawn as (N, the rest). */
fv_value *fvi_dropout_emit(fv_graph *g, const char *op, const void *attr, fv_value *x);

#endif
