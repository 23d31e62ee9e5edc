/* SPDX-License-Identifier: Apache-2.0 */
/* Layer normalisation of rows that lie together in memory. */
#ifndef FVI_ISA_LAYER_NORM_H
#define FVI_ISA_LAYER_NORM_H

#include "cpu/isa.h"

/* `rows` rows of n elements (f32 or bf16); statistics, scale and shift are f32. stream: y and dx past the caches, they
 * and their rows must be aligned to 64 bytes. */
typedef struct fvi_ln_forward {
    const void *x;
    void *y;
    const float *scale, *shift;
    float *mean, *rstd;
    int64_t rows, n;
    double eps;
    bool stream;
} fvi_ln_forward;

typedef struct fvi_ln_backward {
    const void *dy, *x;
    void *dx;
    const float *scale, *mean, *rstd;
    float *dscale, *dshift;            /* added to */
    int64_t rows, n;
    bool stream;
} fvi_ln_backward;

FVI_ISA_DECLARE(void, fvi_ln_forward_rows, (const fvi_ln_forward *t, bool bf))
FVI_ISA_DECLARE(void, fvi_ln_backward_rows, (const fvi_ln_backward *t, bool bf))

#endif
