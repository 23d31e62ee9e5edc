/* SPDX-License-Identifier: Apache-2.0 */
/* Depthwise convolution on 16 channels of one image at a time. Rows of the padded image are packed to f32 (pixels of 16
 * floats) just before they are needed, in a ring that holds as many as the kernel is high, so that the multiply-adds
 * read the first cache only. */
#ifndef FVI_ISA_DEPTHWISE_H
#define FVI_ISA_DEPTHWISE_H

#include "cpu/isa.h"

/* An image of 16 channels inside a tensor: f32 or bf16, `pixel` and `row` in elements. stream: write past the caches
 * where the instruction set can; data is then aligned to 64 bytes. */
typedef struct fvi_dw_image { void *data; bool bf16, stream; int64_t h, w, pixel, row; } fvi_dw_image;

/* How the source lies in the padded image: its pixels `step` apart from (top, left) on, zero elsewhere; kernel and
 * stride that run over it. */
typedef struct fvi_dw_frame { int64_t top, left, step; int k, s; } fvi_dw_frame;

/* Rows of the result that the weight gradient takes together. */
static inline int64_t fvi_dw_band(int64_t h, int64_t w) { return FVI_MIN(h, FVI_MAX(64 / w, 1)); }
/* Floats of memory that a result of h x w needs: the ring (forward passes take two rows together) and a row of zeros;
 * for the weight gradient also rows of dy and sums. */
static inline int64_t fvi_dw_floats(int64_t h, int64_t w, int k, int s)
{
    const int64_t band = fvi_dw_band(h, w);
    return (((FVI_MAX(band, 2) - 1) * s + k + 1) * ((w - 1) * s + k) + band * w + (int64_t)k * k) * 16;
}

/* to(i, j) = bias + sum over kh, kw of x(i s + kh, j s + kw) w(kh, kw); w is [k][k][16], bias 16 floats or NULL. */
FVI_ISA_DECLARE(void, fvi_dw_convolve,
                (const fvi_dw_image *x, const fvi_dw_image *to, const fvi_dw_frame *f, const float *w,
                 const float *bias, float *memory))
/* dw [k][k][16] += sum over i, j of x(i s + kh, j s + kw) dy(i, j). */
FVI_ISA_DECLARE(void, fvi_dw_weight_gradient,
                (const fvi_dw_image *x, const fvi_dw_image *dy, const fvi_dw_frame *f, double *dw, float *memory))

#endif
