/* SPDX-License-Identifier: Apache-2.0 */
/* Reductions, see reduce.h. Sums run in f32 over a few hundred terms at most for each lane, then go on in double. */
#include "cpu/isa/reduce.h"
#include "cpu/isa/vec.h"

enum { STRETCH = 4096, ROWS = 128 };

FVI_AI vf fold(vf a, vf x, const fvi_reduce_op op)
{
    if (op == FVI_REDUCE_SUM) return a + x;
    return vsel(vnan(a), a, vmax(a, x));                       /* vmax gives x where x is NaN */
}

FVI_AI void fold_double(double *to, float x, const fvi_reduce_op op)
{
    if (op == FVI_REDUCE_SUM) *to += (double)x;
    else if ((double)x > *to || x != x) *to = (double)x;
}

FVI_AI vf neutral(const fvi_reduce_op op)
{
    return vsplat(op == FVI_REDUCE_SUM ? 0.0f : -INFINITY);
}

FVI_AI void row_any(const void *x, int64_t n, const bool bf, const fvi_reduce_op op, double *to)
{
    for (int64_t first = 0; first < n; first += STRETCH) {
        const int64_t end = first + STRETCH < n ? first + STRETCH : n;
        vf a[4];
        FVI_UNROLL for (int v = 0; v < 4; v++) a[v] = neutral(op);
        int64_t i = first;
        for (; i + 4 * VW <= end; i += 4 * VW)
            FVI_UNROLL for (int v = 0; v < 4; v++) a[v] = fold(a[v], vld(x, i + v * VW, bf), op);
        for (; i + VW <= end; i += VW) a[0] = fold(a[0], vld(x, i, bf), op);
        if (op == FVI_REDUCE_SUM) {
            if (i < end) a[1] += vld_n(x, i, (int)(end - i), bf);
            *to += (double)vsum((a[0] + a[1]) + (a[2] + a[3]));
            continue;
        }
        const vf all = fold(fold(a[0], a[1], op), fold(a[2], a[3], op), op);
        float lane[VW];
        memcpy(lane, &all, sizeof lane);
        for (int l = 0; l < VW; l++) fold_double(to, lane[l], op);
        for (; i < end; i++) fold_double(to, sld(x, i, bf), op);
    }
}

FVI_AI void strip(const void *x, int64_t rows, int64_t step, const int nv, const bool bf, const fvi_reduce_op op,
                  double *to)
{
    vf a[4];
    FVI_UNROLL for (int v = 0; v < nv; v++) a[v] = neutral(op);
    for (int64_t r = 0; r < rows; r++)
        FVI_UNROLL for (int v = 0; v < nv; v++) a[v] = fold(a[v], vld(x, r * step + v * VW, bf), op);
    FVI_UNROLL for (int v = 0; v < nv; v++)
        for (int l = 0; l < VW; l++) fold_double(&to[v * VW + l], a[v][l], op);
}

/* One vector a row: four rows side by side. */
FVI_AI void narrow_strip(const void *x, int64_t rows, int64_t step, const bool bf, const fvi_reduce_op op, double *to)
{
    vf a[4];
    FVI_UNROLL for (int u = 0; u < 4; u++) a[u] = neutral(op);
    int64_t r = 0;
    for (; r + 4 <= rows; r += 4)
        FVI_UNROLL for (int u = 0; u < 4; u++) a[u] = fold(a[u], vld(x, (r + u) * step, bf), op);
    for (; r < rows; r++) a[0] = fold(a[0], vld(x, r * step, bf), op);
    const vf all = fold(fold(a[0], a[1], op), fold(a[2], a[3], op), op);
    for (int l = 0; l < VW; l++) fold_double(&to[l], all[l], op);
}

FVI_AI const void *at(const void *x, int64_t i, const bool bf)
{
    return (const char *)x + i * (bf ? 2 : 4);
}

FVI_AI void columns_any(const void *x, int64_t rows, int64_t step, int64_t width, const bool bf, const fvi_reduce_op op,
                        double *to)
{
    for (int64_t first = 0; first < rows; first += ROWS) {
        const int64_t n = rows - first < ROWS ? rows - first : ROWS;
        const void *p = at(x, first * step, bf);
        int64_t c = 0;
        for (; c + 4 * VW <= width; c += 4 * VW) strip(at(p, c, bf), n, step, 4, bf, op, to + c);
        for (; c + VW <= width; c += VW) narrow_strip(at(p, c, bf), n, step, bf, op, to + c);
        if (c == width) continue;
        vf a = neutral(op);
        for (int64_t r = 0; r < n; r++) a = fold(a, vld_n(p, r * step + c, (int)(width - c), bf), op);
        for (int l = 0; c + l < width; l++) fold_double(&to[c + l], a[l], op);
    }
}

void FVI_ISA_NAME(fvi_reduce_row)(const void *x, int64_t n, bool bf, fvi_reduce_op op, double *to)
{
    if (op == FVI_REDUCE_SUM && bf) row_any(x, n, true, FVI_REDUCE_SUM, to);
    else if (op == FVI_REDUCE_SUM) row_any(x, n, false, FVI_REDUCE_SUM, to);
    else if (bf) row_any(x, n, true, FVI_REDUCE_MAX, to);
    else row_any(x, n, false, FVI_REDUCE_MAX, to);
}

void FVI_ISA_NAME(fvi_reduce_columns)(const void *x, int64_t rows, int64_t step, int64_t width, bool bf,
                                      fvi_reduce_op op, double *to)
{
    if (op == FVI_REDUCE_SUM && bf) columns_any(x, rows, step, width, true, FVI_REDUCE_SUM, to);
    else if (op == FVI_REDUCE_SUM) columns_any(x, rows, step, width, false, FVI_REDUCE_SUM, to);
    else if (bf) columns_any(x, rows, step, width, true, FVI_REDUCE_MAX, to);
    else columns_any(x, rows, step, width, false, FVI_REDUCE_MAX, to);
}
