/* SPDX-License-Identifier: Apache-2.0 */
/* Inner loops of depthwise convolution. One multiply-add needs one load (the other operand stays in a register), so the
 * two load ports of a core keep its two multiply-add units busy: a tile of pixels in the forward pass, a row of taps in
 * the weight gradient. Measured first in the engine study: oneDNN's weight gradient runs at 1-5 % of the peak. */
#include "cpu/isa/depthwise.h"

#include <string.h>

#pragma GCC diagnostic ignored "-Wpsabi"                 /* vectors of 64 bytes never leave this file */

typedef float v16 __attribute__((vector_size(64)));
typedef float v16u __attribute__((vector_size(64), aligned(4), may_alias));
typedef uint16_t h16u __attribute__((vector_size(32), aligned(2), may_alias));
typedef uint32_t u16 __attribute__((vector_size(64)));
#define INLINE static inline __attribute__((always_inline))

/* Pixels of a forward tile; taps of the weight gradient that are summed together. */
#if defined(__AVX512F__)
enum { TILE = 14, TAPS = 7 };
#elif defined(__AVX2__)
enum { TILE = 6, TAPS = 7 };                             /* 16 registers of 8 floats */
#else
enum { TILE = 3, TAPS = 3 };
#endif

INLINE v16 load(const float *p)
{
    return *(const v16u *)p;
}

INLINE v16 load_bf16(const uint16_t *p)
{
    const u16 wide = __builtin_convertvector(*(const h16u *)p, u16) << 16;
    return (v16)wide;
}

INLINE void store_bf16(uint16_t *p, v16 x)
{
    const u16 u = (u16)x, rounded = (u + 0x7fffu + (u >> 16 & 1u)) >> 16;
    const u16 nan = (u16)(x != x);
    *(h16u *)p = __builtin_convertvector((nan & 0x7fc0u) | (~nan & rounded), h16u);
}

void FVI_ISA_NAME(fvi_dw_pack)(const fvi_dw_image *from, const fvi_dw_packed *to, int64_t top, int64_t left, int64_t step)
{
    memset(to->data, 0, (size_t)(to->h * to->w * 16) * sizeof *to->data);
    for (int64_t i = 0; i < from->h; i++) {
        float *out = to->data + ((top + i * step) * to->w + left) * 16;
        for (int64_t j = 0; j < from->w; j++) {
            const int64_t at = i * from->row + j * from->pixel;
            *(v16u *)(out + j * step * 16) = from->bf16 ? load_bf16((const uint16_t *)from->data + at) : load((const float *)from->data + at);
        }
    }
}

INLINE void tile(const float *x, int64_t x_row, const float *w, v16 start, int k, int s, int n, v16 acc[TILE])
{
    for (int t = 0; t < n; t++) acc[t] = start;
    for (int kh = 0; kh < k; kh++, x += x_row, w += k * 16)
        for (int kw = 0; kw < k; kw++) {
            const v16 weight = load(w + kw * 16);
            const float *p = x + kw * 16;
            for (int t = 0; t < n; t++) acc[t] += load(p + t * s * 16) * weight;
        }
}

INLINE void store_tile(const fvi_dw_image *to, int64_t i, int64_t j, int n, const v16 acc[TILE])
{
    const int64_t at = i * to->row + j * to->pixel;
    for (int t = 0; t < n; t++) {
        if (to->bf16) store_bf16((uint16_t *)to->data + at + t * to->pixel, acc[t]);
        else *(v16u *)((float *)to->data + at + t * to->pixel) = acc[t];
    }
}

/* A tile of n pixels when so many are left. */
#define REST(n)                                                                                      \
    if (j + (n) <= to->w) {                                                                          \
        v16 acc[TILE];                                                                               \
        tile(x->data + (i * s * x->w + j * s) * 16, x->w * 16, w, start, k, s, (n), acc);            \
        store_tile(to, i, j, (n), acc);                                                              \
        j += (n);                                                                                    \
    }

INLINE void convolve(const fvi_dw_packed *x, const float *w, v16 start, int k, int s, const fvi_dw_image *to)
{
    for (int64_t i = 0; i < to->h; i++) {
        int64_t j = 0;
        for (; j + TILE <= to->w; j += TILE) {
            v16 acc[TILE];
            tile(x->data + (i * s * x->w + j * s) * 16, x->w * 16, w, start, k, s, TILE, acc);
            store_tile(to, i, j, TILE, acc);
        }
        REST(TILE / 2)
        if (TILE > 8) REST(4)
        if (TILE > 4) REST(2)
        for (; j < to->w; j++) {
            v16 acc[TILE];
            tile(x->data + (i * s * x->w + j * s) * 16, x->w * 16, w, start, k, s, 1, acc);
            store_tile(to, i, j, 1, acc);
        }
    }
}
#undef REST

void FVI_ISA_NAME(fvi_dw_convolve)(const fvi_dw_packed *x, const float *w, const float *bias, int k, int s, const fvi_dw_image *to)
{
    const v16 zero = {0}, start = bias ? load(bias) : zero;
    if (k == 7 && s == 1) convolve(x, w, start, 7, 1, to);          /* constants unroll */
    else if (k == 3 && s == 1) convolve(x, w, start, 3, 1, to);
    else if (k == 3 && s == 2) convolve(x, w, start, 3, 2, to);
    else convolve(x, w, start, k, s, to);
}

/* The taps kw0 .. kw0 + n - 1 of row kh, over the whole image. Two chains a tap hide the latency of 64-byte vectors; the
 * narrower ones have enough chains already, and no registers to spare. */
INLINE void tap_row(const fvi_dw_packed *x, const fvi_dw_packed *dy, int kh, int kw0, int n, int s, double *dw)
{
    const v16 zero = {0};
    v16 even[8], odd[8];
#if defined(__AVX512F__)
    const bool two = true;
#else
    const bool two = false;
#endif
    for (int t = 0; t < n; t++) even[t] = odd[t] = zero;
    for (int64_t i = 0; i < dy->h; i++) {
        const float *g = dy->data + i * dy->w * 16, *p = x->data + ((i * s + kh) * x->w + kw0) * 16;
        int64_t j = 0;
        for (; two && j + 2 <= dy->w; j += 2, g += 32, p += 2 * s * 16) {
            const v16 a = load(g), b = load(g + 16);
            for (int t = 0; t < n; t++) even[t] += load(p + t * 16) * a;
            for (int t = 0; t < n; t++) odd[t] += load(p + (s + t) * 16) * b;
        }
        for (; !two && j < dy->w; j++, g += 16, p += s * 16) {
            const v16 a = load(g);
            for (int t = 0; t < n; t++) even[t] += load(p + t * 16) * a;
        }
        if (two && j < dy->w)
            for (int t = 0; t < n; t++) even[t] += load(p + t * 16) * load(g);
    }
    for (int t = 0; t < n; t++) {
        const v16 sum = even[t] + odd[t];
        for (int c = 0; c < 16; c++) dw[t * 16 + c] += (double)sum[c];
    }
}

void FVI_ISA_NAME(fvi_dw_weight_gradient)(const fvi_dw_packed *x, const fvi_dw_packed *dy, int k, int s, double *dw)
{
    for (int kh = 0; kh < k; kh++)
        for (int kw = 0; kw < k;) {
            double *to = dw + (kh * k + kw) * 16;
            const int left = k - kw;
            if (TAPS >= 7 && left >= 7) { tap_row(x, dy, kh, kw, 7, s, to); kw += 7; }
            else if (TAPS >= 7 && left >= 5) { tap_row(x, dy, kh, kw, 5, s, to); kw += 5; }
            else if (left >= 3) { tap_row(x, dy, kh, kw, 3, s, to); kw += 3; }
            else { tap_row(x, dy, kh, kw, 1, s, to); kw += 1; }
        }
}
