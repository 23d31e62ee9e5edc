/* SPDX-License-Identifier: Apache-2.0 */
/* Depthwise convolution on 16 channels at a time: a padded image of one channel block is packed to f32 (rows of pixels of
 * 16 floats), then convolved from there. All three passes are made of these four functions. */
#ifndef FVI_ISA_DEPTHWISE_H
#define FVI_ISA_DEPTHWISE_H

#include "cpu/isa.h"

/* An image of 16 channels inside a tensor: f32 or bf16, `pixel` and `row` in elements. */
typedef struct fvi_dw_image { void *data; bool bf16; int64_t h, w, pixel, row; } fvi_dw_image;
/* A packed image: h x w pixels of 16 floats. */
typedef struct fvi_dw_packed { float *data; int64_t h, w; } fvi_dw_packed;

/* Writes `from` into `to` at (top, left), its pixels `step` apart; everything else becomes zero. */
FVI_ISA_DECLARE(void, fvi_dw_pack, (const fvi_dw_image *from, const fvi_dw_packed *to, int64_t top, int64_t left, int64_t step))
/* to(i, j) = bias + sum over kh, kw of x(i s + kh, j s + kw) w(kh, kw); w is [k][k][16], bias 16 floats or NULL. */
FVI_ISA_DECLARE(void, fvi_dw_convolve, (const fvi_dw_packed *x, const float *w, const float *bias, int k, int s, const fvi_dw_image *to))
/* dw [k][k][16] += sum over i, j of x(i s + kh, j s + kw) dy(i, j). */
FVI_ISA_DECLARE(void, fvi_dw_weight_gradient, (const fvi_dw_packed *x, const fvi_dw_packed *dy, int k, int s, double *dw))

#endif
