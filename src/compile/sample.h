/* SPDX-License-Identifier: Apache-2.0 */
/* An op with one of its samples, ready to run: N bound, inputs drawn and rounded to their types, and what the reference
 * makes of them in double. */
#ifndef FVI_SAMPLE_H
#define FVI_SAMPLE_H

#include "ir/graph.h"

typedef enum fvi_sample_mode { FVI_SAMPLE_F32, FVI_SAMPLE_F64, FVI_SAMPLE_BF16, FVI_SAMPLE_MODES } fvi_sample_mode;

/* `wide` has doubles for floating tensors and int64_t for others; `data` the same numbers in the tensor's own type. */
typedef struct fvi_sample_tensor { fvi_type type; int64_t n; union { double *f; int64_t *i; void *wide; }; void *data; } fvi_sample_tensor;

typedef struct fvi_sample_run {
    fv_context *ctx;
    const fvi_op *op;
    const fvi_sample *sample;
    int64_t batch;
    fvi_arena arena;
    fv_graph *graph, *bound;           /* of the session's type: where `node` is */
    const fvi_node *node;
    int n_in, n_out;
    fvi_sample_tensor in[FVI_SAMPLE_IN], out[FVI_MAX_OUT];       /* out: without data */
    int64_t rows[FVI_SAMPLE_IN];          /* of ragged inputs, by slot */
} fvi_sample_run;

/* Does the mode make a difference to the op? (No bf16 where f32 is demanded; effects take none either.) */
bool fvi_sample_applies(const fvi_op *op, fvi_sample_mode mode);
/* A failure leaves nothing to close. */
fv_status fvi_sample_open(fv_context *ctx, const fvi_op *op, const fvi_sample *sample, int64_t batch, fvi_sample_mode mode,
                          fvi_sample_run *s) FV_CHECKED;
void fvi_sample_close(fvi_sample_run *s);

/* Larger ones, for kernels (large_samples.c). */
typedef struct fvi_large_sample { const char *op; fvi_sample sample; } fvi_large_sample;
extern const fvi_large_sample fvi_large_samples[];
extern const int fvi_large_sample_count;
enum { FVI_LARGE_BATCH = 4 };

/* Element i of memory of type d, integers as numbers. */
double fvi_sample_get(const void *p, fv_dtype d, int64_t i);

#endif
