/* SPDX-License-Identifier: Apache-2.0 */
/* Inner loops of depthwise convolution. A tile of pixels (forward) or a row of taps (weight gradient) stays in
 * registers, so one multiply-add needs one load at most. oneDNN's weight gradient runs at 1-5 % of the peak. */
#include "cpu/isa/depthwise.h"

#include <string.h>
#if defined(__AVX512F__)
#include <immintrin.h>
#endif

typedef float v16 __attribute__((vector_size(64)));
typedef float v16u __attribute__((vector_size(64), aligned(4), may_alias));
typedef uint16_t h16u __attribute__((vector_size(32), aligned(2), may_alias));
typedef uint32_t u16 __attribute__((vector_size(64)));
#define INLINE static inline __attribute__((always_inline))
#if defined(__clang__)
#define UNROLL _Pragma("unroll")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

/* Pixels of a forward tile; taps of the weight gradient that are summed together, in one or two chains each. */
#if defined(__AVX512F__)
enum { TILE = 14, TAPS = 7, CHAINS = 2 };
#elif defined(__AVX2__)
enum { TILE = 6, TAPS = 7, CHAINS = 1 };                 /* 16 registers of 8 floats */
#else
enum { TILE = 3, TAPS = 3, CHAINS = 1 };
#endif
enum { MOST = 16 };                                      /* rows of a kernel */

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

/* ---- rows -------------------------------------------------------------------------------------------------------- */

/* The first n pixels of row i, `step` pixels apart. */
static void pack_row(const fvi_dw_image *from, int64_t i, int64_t n, int64_t step, float *to)
{
    const int64_t at = i * from->row, pixel = from->pixel;
    if (from->bf16)
        for (int64_t j = 0; j < n; j++)
            *(v16u *)(to + j * step * 16) = load_bf16((const uint16_t *)from->data + at + j * pixel);
    else
        for (int64_t j = 0; j < n; j++)
            *(v16u *)(to + j * step * 16) = load((const float *)from->data + at + j * pixel);
}

/* Asks for the first n pixels of a row ahead of time: they lie too far apart for the hardware to guess. */
INLINE void ask_row(const fvi_dw_image *image, int64_t i, int64_t n, const bool write)
{
    if (i >= image->h) return;
    const int64_t size = image->bf16 ? 2 : 4;
    const char *p = (const char *)image->data + i * image->row * size;
    for (int64_t j = 0; j < n; j++) {
        if (write) __builtin_prefetch(p + j * image->pixel * size, 1, 2);
        else __builtin_prefetch(p + j * image->pixel * size, 0, 2);
    }
}

typedef struct ring {
    const fvi_dw_image *from;
    const fvi_dw_frame *f;
    float *zero, *rows;                /* `size` rows of `width` pixels */
    int64_t size, width, pixels, next; /* pixels: of a source row that are looked at; next: first row not yet packed */
} ring;

static ring ring_open(const fvi_dw_image *from, const fvi_dw_frame *f, int64_t w, int64_t band, float *memory)
{
    ring r = {.from = from, .f = f, .zero = memory, .size = (band - 1) * f->s + f->k, .width = (w - 1) * f->s + f->k};
    r.rows = memory + r.width * 16;
    r.pixels = FVI_MIN(from->w, FVI_MAX(0, (r.width - f->left + f->step - 1) / f->step));
    memset(memory, 0, (size_t)((r.size + 1) * r.width * 16) * sizeof *memory);
    return r;
}

/* The source row at row p of the padded image; -1: zeros. */
INLINE int64_t source_row(const ring *r, int64_t p)
{
    const int64_t at = p - r->f->top;
    return at < 0 || at % r->f->step || at / r->f->step >= r->from->h ? -1 : at / r->f->step;
}

/* Packs the rows before `end`. */
static void ring_fill(ring *r, int64_t end)
{
    for (; r->next < end; r->next++) {
        const int64_t i = source_row(r, r->next);
        if (i < 0) continue;
        ask_row(r->from, i + 1, r->pixels, false);
        pack_row(r->from, i, r->pixels, r->f->step, r->rows + (r->next % r->size * r->width + r->f->left) * 16);
    }
}

INLINE const float *ring_row(const ring *r, int64_t p)
{
    return source_row(r, p) < 0 ? r->zero : r->rows + p % r->size * r->width * 16;
}

/* ---- forward ----------------------------------------------------------------------------------------------------- */

INLINE void tile(const float *const *rows, int64_t at, const float *w, v16 start, const int k, const int s, const int n,
                 v16 acc[TILE])
{
    UNROLL for (int t = 0; t < n; t++) acc[t] = start;
    for (int kh = 0; kh < k; kh++, w += k * 16) {
        const float *x = rows[kh] + at;
        for (int kw = 0; kw < k; kw++) {
            const v16 weight = load(w + kw * 16);
            const float *p = x + kw * 16;
            UNROLL for (int t = 0; t < n; t++) acc[t] += load(p + t * s * 16) * weight;
        }
    }
}

INLINE void store_tile(const fvi_dw_image *to, int64_t i, int64_t j, const int n, const v16 acc[TILE])
{
    const int64_t at = i * to->row + j * to->pixel, pixel = to->pixel;
#if defined(__AVX512F__)
    if (to->stream && !to->bf16) {
        UNROLL for (int t = 0; t < n; t++) _mm512_stream_ps((float *)to->data + at + t * pixel, (__m512)acc[t]);
        return;
    }
#endif
    if (to->bf16) {
        UNROLL for (int t = 0; t < n; t++) store_bf16((uint16_t *)to->data + at + t * pixel, acc[t]);
    } else {
        UNROLL for (int t = 0; t < n; t++) *(v16u *)((float *)to->data + at + t * pixel) = acc[t];
    }
}

INLINE void pixels(const float *const *rows, const float *w, v16 start, const int k, const int s,
                   const fvi_dw_image *to, int64_t i, int64_t j, const int n)
{
    v16 acc[TILE];
    tile(rows, j * s * 16, w, start, k, s, n, acc);
    store_tile(to, i, j, n, acc);
}

#if defined(__AVX512F__)
/* n pixels of two rows, stride 1: each value of x serves both, and fewer rows pass through the cache. */
INLINE void pixel_pairs(const float *const *rows, const float *w, v16 start, const int k, const fvi_dw_image *to,
                        int64_t i, int64_t j, const int n)
{
    v16 above[TILE], below[TILE];
    UNROLL for (int t = 0; t < n; t++) above[t] = below[t] = start;
    for (int kw = 0; kw < k; kw++) {
        const float *x = rows[0] + (j + kw) * 16, *y = rows[k] + (j + kw) * 16, *v = w + kw * 16;
        const v16 first = load(v), last = load(v + (k - 1) * k * 16);
        UNROLL for (int t = 0; t < n; t++) above[t] += load(x + t * 16) * first;
        UNROLL for (int t = 0; t < n; t++) below[t] += load(y + t * 16) * last;
    }
    for (int kh = 1; kh < k; kh++) {
        const float *x = rows[kh] + j * 16, *v = w + kh * k * 16;
        for (int kw = 0; kw < k; kw++) {
            const v16 here = load(v + kw * 16), before = load(v + (kw - k) * 16);
            UNROLL for (int t = 0; t < n; t++) {
                const v16 value = load(x + (kw + t) * 16);
                above[t] += value * here;
                below[t] += value * before;
            }
        }
    }
    store_tile(to, i, j, n, above);
    store_tile(to, i + 1, j, n, below);
}

/* Two rows at a time while there are two; returns the row where it stopped. */
INLINE int64_t convolve_pairs(ring *r, const float *w, v16 start, const int k, const fvi_dw_image *to)
{
    int64_t i = 0;
    for (; i + 2 <= to->h; i += 2) {
        const float *rows[MOST];
        ring_fill(r, i + k + 1);
        if (!to->stream) ask_row(to, i + 2, to->w, true), ask_row(to, i + 3, to->w, true);
        for (int kh = 0; kh <= k; kh++) rows[kh] = ring_row(r, i + kh);
        int64_t j = 0;
        for (; j + TILE / 2 <= to->w; j += TILE / 2) pixel_pairs(rows, w, start, k, to, i, j, TILE / 2);
        if (j + 4 <= to->w) pixel_pairs(rows, w, start, k, to, i, j, 4), j += 4;
        if (j + 2 <= to->w) pixel_pairs(rows, w, start, k, to, i, j, 2), j += 2;
        if (j < to->w) pixel_pairs(rows, w, start, k, to, i, j, 1);
    }
    return i;
}
#endif

INLINE void convolve(ring *r, const float *w, v16 start, const int k, const int s, const fvi_dw_image *to)
{
    int64_t i = 0;
#if defined(__AVX512F__)
    if (s == 1) i = convolve_pairs(r, w, start, k, to);
#endif
    for (; i < to->h; i++) {
        const float *rows[MOST];
        ring_fill(r, i * s + k);
        if (!to->stream) ask_row(to, i + 1, to->w, true);
        for (int kh = 0; kh < k; kh++) rows[kh] = ring_row(r, i * s + kh);
        int64_t j = 0;
        for (; j + TILE <= to->w; j += TILE) pixels(rows, w, start, k, s, to, i, j, TILE);
        if (j + TILE / 2 <= to->w) pixels(rows, w, start, k, s, to, i, j, TILE / 2), j += TILE / 2;
        if (TILE > 8 && j + 4 <= to->w) pixels(rows, w, start, k, s, to, i, j, 4), j += 4;
        if (TILE > 4 && j + 2 <= to->w) pixels(rows, w, start, k, s, to, i, j, 2), j += 2;
        for (; j < to->w; j++) pixels(rows, w, start, k, s, to, i, j, 1);
    }
}

void FVI_ISA_NAME(fvi_dw_convolve)(const fvi_dw_image *x, const fvi_dw_image *to, const fvi_dw_frame *f, const float *w,
                                   const float *bias, float *memory)
{
    const v16 zero = {0}, start = bias ? load(bias) : zero;
    ring r = ring_open(x, f, to->w, FVI_MIN(to->h, 2), memory);
    if (f->k == 7 && f->s == 1) convolve(&r, w, start, 7, 1, to);      /* constants unroll */
    else if (f->k == 3 && f->s == 1) convolve(&r, w, start, 3, 1, to);
    else if (f->k == 3 && f->s == 2) convolve(&r, w, start, 3, 2, to);
    else if (f->s == 1) convolve(&r, w, start, f->k, 1, to);
    else convolve(&r, w, start, f->k, f->s, to);
#if defined(__AVX512F__)
    if (to->stream) _mm_sfence();
#endif
}

/* ---- weight gradient --------------------------------------------------------------------------------------------- */

/* Adds n neighbouring taps of one kernel row, over `rows` rows of dy from row i on, to sum[n][16]. */
INLINE void taps(const ring *x, const float *dy, int64_t i, int64_t rows, int64_t width, int kh, int kw, const int n,
                 const int s, float *sum)
{
    const v16 zero = {0};
    v16 even[TAPS], odd[TAPS];
    UNROLL for (int t = 0; t < n; t++) even[t] = load(sum + t * 16), odd[t] = zero;
    for (int64_t row = 0; row < rows; row++) {
        const float *g = dy + row * width * 16, *p = ring_row(x, (i + row) * s + kh) + kw * 16;
        int64_t j = 0;
        for (; CHAINS == 2 && j + 2 <= width; j += 2, g += 32, p += 2 * s * 16) {
            const v16 a = load(g), b = load(g + 16);
            UNROLL for (int t = 0; t < n; t++) even[t] += load(p + t * 16) * a;
            UNROLL for (int t = 0; t < n; t++) odd[t] += load(p + (s + t) * 16) * b;
        }
        for (; j < width; j++, g += 16, p += s * 16) {
            const v16 a = load(g);
            UNROLL for (int t = 0; t < n; t++) even[t] += load(p + t * 16) * a;
        }
    }
    UNROLL for (int t = 0; t < n; t++) *(v16u *)(sum + t * 16) = CHAINS == 2 ? even[t] + odd[t] : even[t];
}

INLINE void weight_gradient(ring *r, const fvi_dw_image *dy, int64_t band, const int k, const int s, float *packed,
                            float *sum)
{
    for (int64_t i = 0; i < dy->h; i += band) {
        const int64_t rows = FVI_MIN(band, dy->h - i);
        ring_fill(r, (i + rows - 1) * s + k);
        for (int64_t row = 0; row < rows; row++) ask_row(dy, i + rows + row, dy->w, false);
        for (int64_t row = 0; row < rows; row++) pack_row(dy, i + row, dy->w, 1, packed + row * dy->w * 16);
        for (int kh = 0; kh < k; kh++)
            for (int kw = 0; kw < k;) {
                const int left = k - kw;
                float *to = sum + (kh * k + kw) * 16;
                if (TAPS >= 7 && left >= 7) taps(r, packed, i, rows, dy->w, kh, kw, 7, s, to), kw += 7;
                else if (TAPS >= 5 && left >= 5) taps(r, packed, i, rows, dy->w, kh, kw, 5, s, to), kw += 5;
                else if (left >= 3) taps(r, packed, i, rows, dy->w, kh, kw, 3, s, to), kw += 3;
                else taps(r, packed, i, rows, dy->w, kh, kw, 1, s, to), kw += 1;
            }
    }
}

void FVI_ISA_NAME(fvi_dw_weight_gradient)(const fvi_dw_image *x, const fvi_dw_image *dy, const fvi_dw_frame *f,
                                          double *dw, float *memory)
{
    const int64_t band = fvi_dw_band(dy->h, dy->w), count = (int64_t)f->k * f->k * 16;
    ring r = ring_open(x, f, dy->w, band, memory);
    float *packed = memory + (r.size + 1) * r.width * 16, *sum = packed + band * dy->w * 16;
    memset(sum, 0, (size_t)count * sizeof *sum);
    if (f->k == 7 && f->s == 1) weight_gradient(&r, dy, band, 7, 1, packed, sum);
    else if (f->k == 3 && f->s == 1) weight_gradient(&r, dy, band, 3, 1, packed, sum);
    else if (f->s == 1) weight_gradient(&r, dy, band, f->k, 1, packed, sum);
    else weight_gradient(&r, dy, band, f->k, f->s, packed, sum);
    for (int64_t c = 0; c < count; c++) dw[c] += (double)sum[c];
}
