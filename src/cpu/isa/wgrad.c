/* SPDX-License-Identifier: Apache-2.0 */
/* A 16x16 tile of the weight gradient stays in 16 registers while all positions of all images pass by: each position
 * costs one load of dy and 16 multiply-adds with a broadcast operand. Taps that see only padding cost nothing. */
#include "cpu/isa/wgrad.h"

#include <string.h>

#pragma GCC diagnostic ignored "-Wpsabi"                 /* vectors of 64 bytes never leave this file */
typedef float v16 __attribute__((vector_size(64)));
typedef float v16u __attribute__((vector_size(64), aligned(4), may_alias));

/* Outputs [*from, *to) for which tap k of an axis lies inside the input. */
static void valid(int64_t size, int64_t out, int64_t stride, int64_t shift, int64_t *from, int64_t *to)
{
    /* 0 <= o stride + shift < size */
    int64_t a = shift >= 0 ? 0 : (-shift + stride - 1) / stride;
    int64_t b = size - 1 - shift < 0 ? 0 : (size - 1 - shift) / stride + 1;
    if (b > out) b = out;
    *from = a;
    *to = b > a ? b : a;
}

static void tap(const fvi_wgrad_shape *s, const float *x, const float *dy, int64_t ob, int64_t ib, int64_t i, int64_t j,
                float *dw)
{
    const v16 zero = {0};
    v16 acc[16];
    int64_t top, bottom, left, right;
    const int64_t down = i * s->dilation[0] - s->padding[0], across = j * s->dilation[1] - s->padding[1];
    valid(s->h, s->oh, s->stride[0], down, &top, &bottom);
    valid(s->w, s->ow, s->stride[1], across, &left, &right);
    if (top == bottom || left == right) {
        memset(dw, 0, 256 * sizeof *dw);
        return;
    }
    for (int k = 0; k < 16; k++) acc[k] = zero;
    for (int64_t n = 0; n < s->n; n++)
        for (int64_t o = top; o < bottom; o++) {
            const float *d = dy + (((n * s->out_blocks + ob) * s->oh + o) * s->ow + left) * 16;
            const int64_t row = (n * s->in_blocks + ib) * s->h + o * s->stride[0] + down;
            const float *p = x + (row * s->w + left * s->stride[1] + across) * 16;
            for (int64_t c = left; c < right; c++, d += 16, p += 16 * s->stride[1]) {
                const v16 g = *(const v16u *)d;
                for (int k = 0; k < 16; k++) acc[k] += g * p[k];
            }
        }
    for (int k = 0; k < 16; k++) *(v16u *)(dw + k * 16) = acc[k];
}

void FVI_ISA_NAME(fvi_wgrad_block)(const fvi_wgrad_shape *s, const float *x, const float *dy, int64_t ob, int64_t ib,
                                   float *dw)
{
    for (int64_t i = 0; i < s->kh; i++)
        for (int64_t j = 0; j < s->kw; j++, dw += 256) tap(s, x, dy, ob, ib, i, j, dw);
}
