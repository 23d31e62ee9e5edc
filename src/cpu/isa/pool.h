/* SPDX-License-Identifier: Apache-2.0 */
/* Inner loops of pooling. A unit is one image and up to 16 neighbouring channels: pixels stand `step` elements apart
 * and hold `lanes` values of the unit. Windows are given as tables by row and by column. */
#ifndef FVI_CPU_POOL_H
#define FVI_CPU_POOL_H

#include "cpu/isa.h"

typedef struct fvi_pool_axis {         /* one of height, width */
    int32_t *from, *to;                /* by output: the window inside the input */
    int32_t *first, *last;             /* by input: outputs whose window holds it, [first, last) */
    float *share;                      /* by output: 1 / length that counts in an average */
} fvi_pool_axis;

typedef struct fvi_pool_span {
    int64_t h, w, oh, ow, step;
    int lanes, valid;                  /* valid: channels that are not padding */
    fvi_pool_axis row, column;
} fvi_pool_span;

typedef struct fvi_pool_table {        /* [0] f32, [1] bf16; pointers stand at the unit's first element */
    /* Output rows [o0, o1). index may be NULL; that of padding is 0. */
    void (*max[2])(const fvi_pool_span *s, const void *x, void *y, int64_t *index, int64_t o0, int64_t o1);
    /* dx of the whole unit. bf16: sums in `acc`, h * w * 16 floats. */
    void (*max_backward[2])(const fvi_pool_span *s, const void *dy, const int64_t *index, void *dx, float *acc);
    void (*average[2])(const fvi_pool_span *s, const void *x, void *y, int64_t o0, int64_t o1);
    /* input rows */
    void (*average_backward[2])(const fvi_pool_span *s, const void *dy, void *dx, int64_t i0, int64_t i1);
    void (*mean[2])(const fvi_pool_span *s, const void *x, void *y);
    void (*mean_backward[2])(const fvi_pool_span *s, const void *dy, void *dx);
} fvi_pool_table;

FVI_ISA_DECLARE(const fvi_pool_table *, fvi_pool_functions, (void))

#endif
