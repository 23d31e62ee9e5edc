/* SPDX-License-Identifier: Apache-2.0 */
/* Streams of the optimizer updates: one pass over memory each. Outputs may be the inputs. */
#ifndef FVI_ISA_OPTIMIZER_H
#define FVI_ISA_OPTIMIZER_H

#include "cpu/isa.h"

/* Numbers of one call, folded from attributes and scalars; see src/ops/{sgd,adam,ema}.c for the formulas. */
typedef struct fvi_update_numbers {
    float keep;                        /* decoupled: 1 - lr weight_decay; else 1 */
    float decay;                       /* added to d as decay p */
    float gscale;
    float rate;                        /* sgd: lr; adam: lr / (1 - beta1^t) */
    float momentum, damp;              /* sgd: buf' = momentum buf + damp d */
    float lookahead;                   /* sgd: u = d + lookahead buf' (nesterov) or buf' (0) */
    float beta1_rest, beta2, beta2_rest, inv_root, eps;
    bool plain;                        /* sgd without momentum */
    bool nesterov;
} fvi_update_numbers;

FVI_ISA_DECLARE(void, fvi_update_sgd,
                (const float *const *in, float *const *out, int64_t n, const fvi_update_numbers *k))
FVI_ISA_DECLARE(void, fvi_update_adam,
                (const float *const *in, float *const *out, int64_t n, const fvi_update_numbers *k))
/* out = e + rate (p - e) */
FVI_ISA_DECLARE(void, fvi_update_ema,
                (const float *const *in, float *const *out, int64_t n, const fvi_update_numbers *k))
FVI_ISA_DECLARE(double, fvi_sum_of_squares, (const float *x, int64_t n))

#endif
