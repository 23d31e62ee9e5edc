/* SPDX-License-Identifier: Apache-2.0 */
/* Layer normalisation, see layer_norm.h. Some rows at a time, which stay in the first cache. Forward: means, then
 * centred squares, then outputs. Backward: first the two sums of each row, then dx together with the sums over rows, a
 * strip of columns after the other, whose sums stay in registers. Widths of known networks are constants, so that their
 * loops unroll. */
#include "cpu/isa/layer_norm.h"
#include "cpu/isa/vec.h"

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("no-unswitch-loops")
#endif

FVI_AI float total(vf a)
{
#if defined(__AVX512F__)
    return _mm512_reduce_add_ps((__m512)a);
#elif defined(__AVX2__)
    __m128 h = _mm_add_ps(_mm256_castps256_ps128((__m256)a), _mm256_extractf128_ps((__m256)a, 1));
    h = _mm_add_ps(h, _mm_movehl_ps(h, h));
    return _mm_cvtss_f32(_mm_add_ss(h, _mm_movehdup_ps(h)));
#else
    return vsum(a);
#endif
}

FVI_AI void put(void *p, int64_t i, vf v, const bool bf, bool stream)
{
    if (stream) vst_stream(p, i, v, bf);
    else vst(p, i, v, bf);
}

FVI_AI vf four(const vf a[4])
{
    return (a[0] + a[1]) + (a[2] + a[3]);
}

/* x - mean in the first n lanes, 0 in the others. */
FVI_AI vf centred_part(const void *x, int64_t i, int n, float mean, const bool bf)
{
    static const float ones[16] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
    return vld_n(x, i, n, bf) - mean * vld_n(ones, 0, n, false);
}

/* ---- forward ----------------------------------------------------------------------------------------------------- */

enum { GROUP = 16 };        /* rows that are worked on at a time: their sums do not wait for each other */

/* Rows of n columns that stay in the first cache, `arrays` of them. */
FVI_AI int group_of(const int64_t n, const int arrays, const bool bf)
{
    const int64_t fit = 24576 / (n * arrays * (bf ? 2 : 4));
    return fit < 4 ? 4 : fit > GROUP ? GROUP : (int)fit;
}

/* Sum of a row; `wide`, where given, takes it as f32. */
FVI_AI float sum_of(const void *x, float *wide, const int64_t n, const bool bf)
{
    const int64_t whole = n / VW * VW;
    vf a[4] = {vsplat(0), vsplat(0), vsplat(0), vsplat(0)};
    int64_t i = 0;
    for (; i + 4 * VW <= whole; i += 4 * VW)
        FVI_UNROLL for (int v = 0; v < 4; v++) {
            const vf f = vld(x, i + v * VW, bf);
            if (wide) vst(wide, i + v * VW, f, false);
            a[v] += f;
        }
    for (; i < whole; i += VW) {
        const vf f = vld(x, i, bf);
        if (wide) vst(wide, i, f, false);
        a[0] += f;
    }
    if (whole < n) {
        const vf f = vld_n(x, whole, (int)(n - whole), bf);
        if (wide) vst_n(wide, whole, f, (int)(n - whole), false);
        a[1] += f;
    }
    return total(four(a));
}

FVI_AI float centred_squares(const void *x, const float mean, const int64_t n, const bool bf)
{
    const int64_t whole = n / VW * VW;
    vf q[4] = {vsplat(0), vsplat(0), vsplat(0), vsplat(0)};
    int64_t i = 0;
    for (; i + 4 * VW <= whole; i += 4 * VW)
        FVI_UNROLL for (int v = 0; v < 4; v++) {
            const vf d = vld(x, i + v * VW, bf) - mean;
            q[v] += d * d;
        }
    for (; i < whole; i += VW) {
        const vf d = vld(x, i, bf) - mean;
        q[0] += d * d;
    }
    if (whole < n) {
        const vf d = centred_part(x, whole, (int)(n - whole), mean, bf);
        q[1] += d * d;
    }
    return total(four(q));
}

FVI_AI void normalise(const fvi_ln_forward *t, const void *x, const bool x_bf, void *y, const float mean,
                      const float rstd, const int64_t n, const bool bf)
{
    const int64_t whole = n / VW * VW;
    const int left = (int)(n - whole);
    for (int64_t i = 0; i < whole; i += VW)
        put(y, i, (vld(x, i, x_bf) - mean) * rstd * vld(t->scale, i, false) + vld(t->shift, i, false), bf, t->stream);
    if (left)
        vst_n(y, whole,
              (vld_n(x, whole, left, x_bf) - mean) * rstd * vld_n(t->scale, whole, left, false) +
                  vld_n(t->shift, whole, left, false),
              left, bf);
}

enum { WIDE = 3072 };       /* floats of the rows in hand: beside their bf16 and the outputs in the first cache */

/* widen: bf16 rows are unpacked once, into a buffer, not in each of the three passes. */
FVI_AI void forward_rows(const fvi_ln_forward *t0, const int64_t n, const bool bf, const bool widen)
{
    const fvi_ln_forward local = *t0, *t = &local;
    const int64_t bytes = n * (bf ? 2 : 4);
    const int most = widen ? FVI_MIN(GROUP, (int)(WIDE / n)) : 1;      /* f32 waits for memory, and best row by row */
    const float share = 1.0f / (float)n, eps = (float)t->eps;
    float mean[GROUP], rstd[GROUP] = {0};
    _Alignas(64) float wide[WIDE];
    for (int64_t row = 0; row < t->rows; row += most) {
        const int rows = (int)(t->rows - row < most ? t->rows - row : most);
        const char *x = (const char *)t->x + row * bytes;
        char *y = (char *)t->y + row * bytes;
        for (int r = 0; r < rows; r++) mean[r] = sum_of(x + r * bytes, widen ? wide + r * n : NULL, n, bf) * share;
        for (int r = 0; r < rows; r++)
            rstd[r] = widen ? centred_squares(wide + r * n, mean[r], n, false)
                            : centred_squares(x + r * bytes, mean[r], n, bf);
        for (int r = 0; r < GROUP; r++) rstd[r] = 1.0f / sqrtf(rstd[r] * share + eps);
        for (int r = 0; r < rows; r++) {
            if (widen) normalise(t, wide + r * n, false, y + r * bytes, mean[r], rstd[r], n, bf);
            else normalise(t, x + r * bytes, bf, y + r * bytes, mean[r], rstd[r], n, bf);
        }
        for (int r = 0; t->mean && r < rows; r++) t->mean[row + r] = mean[r];
        for (int r = 0; t->rstd && r < rows; r++) t->rstd[row + r] = rstd[r];
    }
    if (t->stream) vstream_end();
}

FVI_AI void forward_any(const fvi_ln_forward *t, const int64_t n, const bool bf)
{
    if (bf && n <= WIDE / 2) forward_rows(t, n, bf, true);
    else forward_rows(t, n, bf, false);
}

/* ---- backward ---------------------------------------------------------------------------------------------------- */

typedef struct group { float mean[GROUP], rstd[GROUP], c1[GROUP], c2[GROUP]; } group;

/* c1 = rstd mean(g), c2 = rstd^3 mean(g (x - mean)), g = dy scale: dx = rstd g - c1 - (x - mean) c2. */
FVI_AI void row_sums(const fvi_ln_backward *t, int64_t row, int at, const int64_t n, const bool bf, group *g)
{
    const int64_t whole = n / VW * VW, first = row * n;
    const int left = (int)(n - whole);
    const float mean = t->mean[row], rstd = t->rstd[row], share = 1.0f / (float)n;
    vf a[4] = {vsplat(0), vsplat(0), vsplat(0), vsplat(0)}, b[4] = {vsplat(0), vsplat(0), vsplat(0), vsplat(0)};
    int64_t i = 0;
    for (; i + 4 * VW <= whole; i += 4 * VW)
        FVI_UNROLL for (int v = 0; v < 4; v++) {
            const vf w = vld(t->dy, first + i + v * VW, bf) * vld(t->scale, i + v * VW, false);
            a[v] += w;
            b[v] += w * (vld(t->x, first + i + v * VW, bf) - mean);
        }
    for (; i < whole; i += VW) {
        const vf w = vld(t->dy, first + i, bf) * vld(t->scale, i, false);
        a[0] += w;
        b[0] += w * (vld(t->x, first + i, bf) - mean);
    }
    if (left) {
        const vf w = vld_n(t->dy, first + whole, left, bf) * vld_n(t->scale, whole, left, false);
        a[1] += w;
        b[1] += w * centred_part(t->x, first + whole, left, mean, bf);
    }
    g->mean[at] = mean;
    g->rstd[at] = rstd;
    g->c1[at] = rstd * share * total(four(a));
    g->c2[at] = rstd * rstd * rstd * share * total(four(b));
}

/* Columns c .. c + nv VW - 1 of `rows` rows from `row` on. */
FVI_AI void strip(const fvi_ln_backward *t, int64_t row, int rows, const group *g, int64_t c, const int64_t n,
                  const int nv, const bool bf)
{
    vf scale[4], ds[4], db[4];
    FVI_UNROLL for (int v = 0; v < nv; v++) {
        scale[v] = vld(t->scale, c + v * VW, false);
        ds[v] = vld(t->dscale, c + v * VW, false);
        db[v] = vld(t->dshift, c + v * VW, false);
    }
    for (int r = 0; r < rows; r++) {
        const int64_t first = (row + r) * n + c;
        const float mean = g->mean[r], rstd = g->rstd[r], c1 = g->c1[r], c2 = g->c2[r];
        FVI_UNROLL for (int v = 0; v < nv; v++) {
            const vf dy = vld(t->dy, first + v * VW, bf), d = vld(t->x, first + v * VW, bf) - mean;
            ds[v] += dy * (d * rstd);
            db[v] += dy;
            put(t->dx, first + v * VW, dy * (scale[v] * rstd) - (d * c2 + c1), bf, t->stream);
        }
    }
    FVI_UNROLL for (int v = 0; v < nv; v++) {
        vst(t->dscale, c + v * VW, ds[v], false);
        vst(t->dshift, c + v * VW, db[v], false);
    }
}

FVI_AI void last_strip(const fvi_ln_backward *t, int64_t row, int rows, const group *g, int64_t c, const int64_t n,
                       int left, const bool bf)
{
    const vf scale = vld_n(t->scale, c, left, false);
    vf ds = vld_n(t->dscale, c, left, false), db = vld_n(t->dshift, c, left, false);
    for (int r = 0; r < rows; r++) {
        const int64_t first = (row + r) * n + c;
        const vf dy = vld_n(t->dy, first, left, bf), d = vld_n(t->x, first, left, bf) - g->mean[r];
        ds += dy * (d * g->rstd[r]);
        db += dy;
        vst_n(t->dx, first, dy * (scale * g->rstd[r]) - (d * g->c2[r] + g->c1[r]), left, bf);
    }
    vst_n(t->dscale, c, ds, left, false);
    vst_n(t->dshift, c, db, left, false);
}

FVI_AI void backward_any(const fvi_ln_backward *t0, const int64_t n, const bool bf)
{
    const fvi_ln_backward local = *t0, *t = &local;
    const int most = group_of(n, 2, bf);                       /* of dy and x */
    group g;
    for (int64_t row = 0; row < t->rows; row += most) {
        const int rows = (int)(t->rows - row < most ? t->rows - row : most);
        for (int r = 0; r < rows; r++) row_sums(t, row + r, r, n, bf, &g);
        int64_t c = 0;
        for (; c + 4 * VW <= n; c += 4 * VW) strip(t, row, rows, &g, c, n, 4, bf);
        if (c + 2 * VW <= n) strip(t, row, rows, &g, c, n, 2, bf), c += 2 * VW;
        if (c + VW <= n) strip(t, row, rows, &g, c, n, 1, bf), c += VW;
        if (c < n) last_strip(t, row, rows, &g, c, n, (int)(n - c), bf);
    }
    if (t->stream) vstream_end();
}

#define WIDTHS(f, t, bf)                      \
    switch ((t)->n) {                         \
    case 96: f(t, 96, bf); break;             \
    case 192: f(t, 192, bf); break;           \
    case 384: f(t, 384, bf); break;           \
    case 768: f(t, 768, bf); break;           \
    default: f(t, (t)->n, bf); break;         \
    }

void FVI_ISA_NAME(fvi_ln_forward_rows)(const fvi_ln_forward *t, bool bf)
{
    if (bf) WIDTHS(forward_any, t, true)
    else WIDTHS(forward_any, t, false)
}

void FVI_ISA_NAME(fvi_ln_backward_rows)(const fvi_ln_backward *t, bool bf)
{
    if (bf) WIDTHS(backward_any, t, true)
    else WIDTHS(backward_any, t, false)
}
