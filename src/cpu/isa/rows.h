/* SPDX-License-Identifier: Apache-2.0 */
/* Softmax, its relatives and what classification asks of logits, one row of n neighbouring values at a time. */
#ifndef FVI_ISA_ROWS_H
#define FVI_ISA_ROWS_H

#include "cpu/isa.h"

typedef struct fvi_ce_row {            /* coefficients q_k = w_k (hot t_k + spread), t: soft or one-hot at `index` */
    const float *x, *soft, *weights;   /* soft or weights may be NULL */
    int64_t n, index;
    float hot, spread;
    float total;                       /* sum of q; backward only, and only when soft is NULL */
} fvi_ce_row;

typedef struct fvi_rows_table {
    /* y may be x; dx may be dy or y. */
    void (*softmax)(const float *x, float *y, int64_t n);
    void (*softmax_backward)(const float *dy, const float *y, float *dx, int64_t n);
    void (*log_softmax)(const float *x, float *y, int64_t n);
    void (*log_softmax_backward)(const float *dy, const float *y, float *dx, int64_t n);
    /* The same for `lanes` (at most fvi_rows_lanes) rows whose values are `step` apart and which lie side by side. */
    void (*softmax_columns)(const float *x, float *y, int64_t n, int64_t step, int lanes);
    void (*softmax_backward_columns)(const float *dy, const float *y, float *dx, int64_t n, int64_t step, int lanes);
    void (*log_softmax_columns)(const float *x, float *y, int64_t n, int64_t step, int lanes);
    void (*log_softmax_backward_columns)(const float *dy, const float *y, float *dx, int64_t n, int64_t step,
                                         int lanes);
    int lanes;
    double (*cross_entropy)(const fvi_ce_row *r);                       /* - sum of q log p; where q is 0, 0 */
    void (*cross_entropy_backward)(const fvi_ce_row *r, float dloss, float *dx);
    int64_t (*argmax[2])(const void *x, int64_t n);                     /* [1]: bf16 */
    int64_t (*greater[2])(const void *x, int64_t n, float than);        /* how many are not <= than */
} fvi_rows_table;

FVI_ISA_DECLARE(const fvi_rows_table *, fvi_rows_functions, (void))

#endif
