/* SPDX-License-Identifier: Apache-2.0 */
/* Weight gradient of a dense convolution over small maps, blocked by 16 channels. */
#ifndef FVI_ISA_WGRAD_H
#define FVI_ISA_WGRAD_H

#include "cpu/isa.h"

typedef struct fvi_wgrad_shape {
    int64_t n, in_blocks, out_blocks;  /* images, channel blocks of x and dy */
    int64_t h, w, oh, ow, kh, kw;
    int64_t stride[2], padding[2], dilation[2];
} fvi_wgrad_shape;

/* Block (ob, ib) of dw [ob][ib][kh][kw][16 in][16 out] from x and dy in (n, c/16, h, w, 16). */
FVI_ISA_DECLARE(void, fvi_wgrad_block,
                (const fvi_wgrad_shape *s, const float *x, const float *dy, int64_t ob, int64_t ib, float *dw))

#endif
