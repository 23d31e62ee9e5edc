/* SPDX-License-Identifier: Apache-2.0 */
/* Plain loops that the compiler vectorises; memory is the limit. */
#include "cpu/isa/optimizer.h"

#include <math.h>

void FVI_ISA_NAME(fvi_update_sgd)(const float *const *in, float *const *out, int64_t n, const fvi_update_numbers *k)
{
    const float *p = in[0], *g = in[1], *buf = in[2];
    float *p_out = out[0], *buf_out = out[1];
    const float gscale = k->gscale, decay = k->decay, rate = k->rate, momentum = k->momentum, damp = k->damp,
                lookahead = k->lookahead;
    if (k->plain) {
#pragma omp simd
        for (int64_t i = 0; i < n; i++) {
            const float d = gscale * g[i] + decay * p[i], old = buf[i];
            p_out[i] = p[i] - rate * d;
            buf_out[i] = old;
        }
    } else if (k->nesterov) {
#pragma omp simd
        for (int64_t i = 0; i < n; i++) {
            const float d = gscale * g[i] + decay * p[i], b = momentum * buf[i] + damp * d;
            p_out[i] = p[i] - rate * (d + lookahead * b);
            buf_out[i] = b;
        }
    } else {
#pragma omp simd
        for (int64_t i = 0; i < n; i++) {
            const float d = gscale * g[i] + decay * p[i], b = momentum * buf[i] + damp * d;
            p_out[i] = p[i] - rate * b;
            buf_out[i] = b;
        }
    }
}

void FVI_ISA_NAME(fvi_update_adam)(const float *const *in, float *const *out, int64_t n, const fvi_update_numbers *k)
{
    const float *p = in[0], *g = in[1], *m = in[2], *v = in[3];
    float *p_out = out[0], *m_out = out[1], *v_out = out[2];
    const float gscale = k->gscale, decay = k->decay, keep = k->keep, rate = k->rate, rest1 = k->beta1_rest,
                beta2 = k->beta2, rest2 = k->beta2_rest, inv_root = k->inv_root, eps = k->eps;
#pragma omp simd
    for (int64_t i = 0; i < n; i++) {
        const float d = gscale * g[i] + decay * p[i];
        const float m_new = m[i] + rest1 * (d - m[i]), v_new = beta2 * v[i] + rest2 * d * d;
        p_out[i] = keep * p[i] - rate * m_new / (sqrtf(v_new) * inv_root + eps);
        m_out[i] = m_new;
        v_out[i] = v_new;
    }
}

void FVI_ISA_NAME(fvi_update_ema)(const float *const *in, float *const *out, int64_t n, const fvi_update_numbers *k)
{
    const float *e = in[0], *p = in[1];
    float *e_out = out[0];
    const float rate = k->rate;
#pragma omp simd
    for (int64_t i = 0; i < n; i++) e_out[i] = e[i] + rate * (p[i] - e[i]);
}

/* 64 chains in f32 over a chunk of a few thousand, then double: error far below the rounding of the terms. */
double FVI_ISA_NAME(fvi_sum_of_squares)(const float *x, int64_t n)
{
    float lane[64] = {0};
    int64_t i = 0;
    for (; i + 64 <= n; i += 64)
#pragma omp simd
        for (int k = 0; k < 64; k++) lane[k] += x[i + k] * x[i + k];
    double sum = 0;
    for (int k = 0; k < 64; k++) sum += (double)lane[k];
    for (; i < n; i++) sum += (double)x[i] * (double)x[i];
    return sum;
}
