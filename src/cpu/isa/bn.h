/* SPDX-License-Identifier: Apache-2.0 */
/* Inner loops of batch normalisation. Every layout is seen as runs of rows of `width` neighbouring channels: NCHW16C
 * has rows of 16, NHWC rows of C, and a plain plane is cut in rows of 16 lanes of one channel with a `tail` of fewer at
 * its end. Sums are added to, so that several runs of the same channels may be summed. */
#ifndef FVI_CPU_BN_H
#define FVI_CPU_BN_H

#include "cpu/isa.h"

typedef struct fvi_bn_run { int64_t rows; int width, tail; } fvi_bn_run;

typedef enum fvi_bn_act { FVI_BN_NONE, FVI_BN_RELU, FVI_BN_SILU, FVI_BN_MASK, FVI_BN_ACTS } fvi_bn_act;

/* Pointers stand at the run's first element; coefficients and sums (`width` floats) at its first channel. */
typedef struct fvi_bn_forward {        /* y = act((x - mean) * a + shift + residual) */
    const void *x, *residual;          /* residual or NULL */
    void *y;
    const float *mean, *a, *shift;
    bool relu, stream;
} fvi_bn_forward;

typedef struct fvi_bn_backward {
    const void *dy, *dy2, *y, *x;      /* dy2 or NULL; y for relu only */
    void *dx, *g;                      /* g = act'(...) * (dy + dy2): written by sums() unless NULL */
    const float *mean, *a, *shift;     /* shift for silu only */
    const float *c1, *c2;              /* dx = a * g - c2 * (x - mean) - c1 */
    float *sum_g, *sum_gx;             /* of g and g * (x - mean) */
    /* relu: where y > 0, a bit an element, written by sums(), read with FVI_BN_MASK */
    uint8_t *mask;
    bool stream;
} fvi_bn_backward;

typedef struct fvi_bn_table {          /* [0] f32, [1] bf16; [act] */
    /* sum += x - shift, squares += (x - shift)^2 */
    void (*stats[2])(const void *x, const fvi_bn_run *r, const float *shift, float *sum, float *squares);
    void (*forward[2][2])(const fvi_bn_forward *t, const fvi_bn_run *r);         /* [1]: silu */
    void (*sums[2][FVI_BN_ACTS])(const fvi_bn_backward *t, const fvi_bn_run *r); /* not FVI_BN_MASK */
    void (*backward[2][FVI_BN_ACTS])(const fvi_bn_backward *t, const fvi_bn_run *r);
    /* Over `units` partial results, `stride` floats apart, of up to 16 lanes; count[u] rows each: mean and sum of
     * squared distances from it. */
    void (*merge)(const float *shift, const float *sum, const float *squares, int64_t stride, int64_t units,
                  const double *count, int lanes, double *mean, double *m2);
    void (*add)(const float *part, int64_t stride, int64_t units, int lanes, double *out);
    void (*fence)(void);               /* after streaming stores */
    int mask_shift;                    /* element i has its bit in byte i >> mask_shift of the mask */
} fvi_bn_table;

FVI_ISA_DECLARE(const fvi_bn_table *, fvi_bn_functions, (void))

#endif
