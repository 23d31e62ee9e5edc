/* SPDX-License-Identifier: Apache-2.0 */
/* Batch normalisation, see bn.h. Bodies are written once with constant parameters (data type bf, activation, nv vectors
 * of a row, ru rows at a time) and instantiated at the end; nv * ru = 4 sums run side by side. */
#include "cpu/isa/bn.h"
#include "cpu/isa/vec.h"

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("no-unswitch-loops")      /* a well-foretold branch costs less than four copies of each loop */
#endif

enum { TOGETHER = 8 };                 /* wide rows are taken so many at a time, column by column */

/* BODY(i0, rows, c0, nv, ru, part, lanes) over a run: i0 is the first element of a group of rows, c0 the column. Whole
 * vectors by 4, 2, 1, then the `lanes` left over. */
#define STRIPS(run, BODY)                                                                          \
    for (int64_t r0 = 0, group = (run)->width > 4 * VW ? TOGETHER : (run)->rows; r0 < (run)->rows; r0 += group) { \
        const int width = (run)->width;                                                            \
        const int64_t i0 = r0 * width, rows = (run)->rows - r0 < group ? (run)->rows - r0 : group; \
        int c0 = 0;                                                                                \
        for (; c0 + 4 * VW <= width; c0 += 4 * VW) BODY(i0, rows, c0, 4, 1, false, 0);             \
        if (VW < 16)                                                                               \
            for (; c0 + 2 * VW <= width; c0 += 2 * VW) BODY(i0, rows, c0, 2, 2, false, 0);         \
        for (; c0 + VW <= width; c0 += VW) BODY(i0, rows, c0, 1, 4, false, 0);                     \
        if (c0 < width) BODY(i0, rows, c0, 1, 1, true, width - c0);                                \
    }                                                                                              \
    for (int c0 = 0; c0 < (run)->tail; c0 += VW)                                                   \
        BODY((run)->rows * (run)->width, 1, c0, 1, 1, true, ((run)->tail - c0 < VW ? (run)->tail - c0 : VW))

/* ONE(i, v, j) for every vector of a strip: element i, vector v of the row, sum j. */
#define EACH(i0, rows, width, c0, nv, ru, ONE)                                             \
    do {                                                                                   \
        int64_t i = (i0) + (c0), r = 0;                                                    \
        for (; r + (ru) <= (rows); r += (ru), i += (int64_t)(ru) * (width))                \
            FVI_UNROLL for (int u = 0; u < (ru); u++)                                      \
                FVI_UNROLL for (int v = 0; v < (nv); v++)                                  \
                    ONE(i + u * (width) + v * VW, v, u * (nv) + v);                        \
        if ((ru) > 1)                                                                      \
            for (; r < (rows); r++, i += (width))                                          \
                FVI_UNROLL for (int v = 0; v < (nv); v++) ONE(i + v * VW, v, v);           \
    } while (0)

FVI_AI vf load(const void *p, int64_t i, const bool bf, const bool part, int lanes)
{
    return part ? vld_n(p, i, lanes, bf) : vld(p, i, bf);
}
FVI_AI void store(void *p, int64_t i, vf v, const bool bf, const bool part, int lanes, bool stream)
{
    if (part) vst_n(p, i, v, lanes, bf);
    else if (stream) vst_stream(p, i, v, bf);
    else vst(p, i, v, bf);
}
/* to[c0 ...] += the sums of nv vectors, ru of each. */
FVI_AI void add_to(float *to, int c0, const vf *sum, const int nv, const int ru, const bool part, int lanes)
{
    FVI_UNROLL for (int v = 0; v < nv; v++) {
        vf s = sum[v];
        FVI_UNROLL for (int u = 1; u < ru; u++) s += sum[u * nv + v];
        store(to, c0 + v * VW, load(to, c0 + v * VW, false, part, lanes) + s, false, part, lanes, false);
    }
}

/* ---- statistics -------------------------------------------------------------------------------------------------- */

FVI_AI void stats_strip(const void *x, int64_t i0, int64_t rows, int width, int c0, const int nv, const int ru,
                        const bool bf, const bool part, int lanes, const float *shift, float *sum_to, float *squares_to)
{
    vf k[4], sum[4], sq[4];
    FVI_UNROLL for (int v = 0; v < nv; v++) k[v] = load(shift, c0 + v * VW, false, part, lanes);
    FVI_UNROLL for (int j = 0; j < 4; j++) sum[j] = sq[j] = vsplat(0);
#define ONE(i, v, j)                                \
    do {                                            \
        vf d = load(x, i, bf, part, lanes) - k[v];  \
        sum[j] += d;                                \
        sq[j] += d * d;                             \
    } while (0)
    EACH(i0, rows, width, c0, nv, ru, ONE);
#undef ONE
    add_to(sum_to, c0, sum, nv, ru, part, lanes);
    add_to(squares_to, c0, sq, nv, ru, part, lanes);
}

FVI_AI void stats_any(const void *x, const fvi_bn_run *r, const float *shift, float *sum, float *squares, const bool bf)
{
#define BODY(i0, rows, c, nv, ru, part, lanes) \
    stats_strip(x, i0, rows, r->width, c, nv, ru, bf, part, lanes, shift, sum, squares)
    STRIPS(r, BODY);
#undef BODY
}

static void merge(const float *shift, const float *sum, const float *squares, int64_t stride, int64_t units,
                  const double *count, int lanes, double *mean, double *m2)
{
    double n = 0, m[16] = {0}, q[16] = {0};
    for (int64_t u = 0; u < units; u++) {
        n += count[u];
        for (int l = 0; l < lanes; l++) m[l] += count[u] * shift[u * stride + l] + sum[u * stride + l];
    }
    for (int l = 0; l < lanes; l++) m[l] /= n;
    for (int64_t u = 0; u < units; u++)
        for (int l = 0; l < lanes; l++) {
            double s = sum[u * stride + l], d = shift[u * stride + l] - m[l];
            q[l] += squares[u * stride + l] + d * (2 * s + count[u] * d);
        }
    for (int l = 0; l < lanes; l++) mean[l] = m[l], m2[l] = q[l] > 0 ? q[l] : 0;
}

static void add(const float *part, int64_t stride, int64_t units, int lanes, double *out)
{
    double s[16] = {0};
    for (int64_t u = 0; u < units; u++)
        for (int l = 0; l < lanes; l++) s[l] += part[u * stride + l];
    for (int l = 0; l < lanes; l++) out[l] = s[l];
}

/* ---- forward ----------------------------------------------------------------------------------------------------- */

FVI_AI void forward_strip(const fvi_bn_forward *t, int64_t i0, int64_t rows, int width, int c0, const int nv,
                          const int ru, const bool bf, const bool silu, const bool part, int lanes)
{
    const vf low = vsplat(t->relu ? 0.0f : -INFINITY);
    const bool stream = t->stream;
    const void *x = t->x, *residual = t->residual;
    void *y = t->y;
    vf mean[4], a[4], shift[4];
    FVI_UNROLL for (int v = 0; v < nv; v++) {
        mean[v] = load(t->mean, c0 + v * VW, false, part, lanes);
        a[v] = load(t->a, c0 + v * VW, false, part, lanes);
        shift[v] = load(t->shift, c0 + v * VW, false, part, lanes);
    }
#define ONE(i, v, j)                                                           \
    do {                                                                       \
        vf z = (load(x, i, bf, part, lanes) - mean[v]) * a[v] + shift[v];      \
        if (residual) z += load(residual, i, bf, part, lanes);                 \
        z = silu ? z * vsigmoid(z) : vmax(low, z);                             \
        store(y, i, z, bf, part, lanes, stream);                               \
    } while (0)
    EACH(i0, rows, width, c0, nv, ru, ONE);
#undef ONE
}

FVI_AI void forward_any(const fvi_bn_forward *t, const fvi_bn_run *r, const bool bf, const bool silu)
{
#define BODY(i0, rows, c, nv, ru, part, lanes) forward_strip(t, i0, rows, r->width, c, nv, ru, bf, silu, part, lanes)
    STRIPS(r, BODY);
#undef BODY
}

/* ---- backward ---------------------------------------------------------------------------------------------------- */

/* g = act'(z) * (dy + dy2), z = d * a + shift, d = x - mean. */
FVI_AI vf gradient(const fvi_bn_backward *t, int64_t i, vf d, vf a, vf shift, const bool bf, const int act,
                   const bool part, int lanes)
{
    vf g = load(t->dy, i, bf, part, lanes);
    if (t->dy2) g += load(t->dy2, i, bf, part, lanes);
    if (act == FVI_BN_RELU) {
        vmask off = vge(vsplat(0), load(t->y, i, bf, part, lanes));
        if (!part && t->mask) vmask_store(t->mask, i, off);
        g = vsel(off, vsplat(0), g);
    }
    if (act == FVI_BN_MASK) g = vsel(vmask_load(t->mask, i), vsplat(0), g);
    if (act == FVI_BN_SILU) {
        vf z = d * a + shift, p = vsigmoid(z);
        g *= p * (1.0f + z * (1.0f - p));
    }
    return g;
}

FVI_AI void sums_strip(const fvi_bn_backward *t0, int64_t i0, int64_t rows, int width, int c0, const int nv,
                       const int ru, const bool bf, const int act, const bool part, int lanes)
{
    const fvi_bn_backward local = *t0, *t = &local;        /* a copy: stores to g cannot change it */
    vf mean[4], a[4], shift[4], sg[4], sx[4];
    FVI_UNROLL for (int v = 0; v < nv; v++) {
        mean[v] = load(t->mean, c0 + v * VW, false, part, lanes);
        a[v] = act == FVI_BN_SILU ? load(t->a, c0 + v * VW, false, part, lanes) : vsplat(0);
        shift[v] = act == FVI_BN_SILU ? load(t->shift, c0 + v * VW, false, part, lanes) : vsplat(0);
    }
    FVI_UNROLL for (int j = 0; j < 4; j++) sg[j] = sx[j] = vsplat(0);
#define ONE(i, v, j)                                                                     \
    do {                                                                                 \
        vf d = load(t->x, i, bf, part, lanes) - mean[v];                                 \
        vf g = gradient(t, i, d, a[v], shift[v], bf, act, part, lanes);                  \
        sg[j] += g;                                                                      \
        sx[j] += g * d;                                                                  \
        if (t->g) store(t->g, i, g, bf, part, lanes, false);                             \
    } while (0)
    EACH(i0, rows, width, c0, nv, ru, ONE);
#undef ONE
    add_to(t->sum_g, c0, sg, nv, ru, part, lanes);
    add_to(t->sum_gx, c0, sx, nv, ru, part, lanes);
}

FVI_AI void sums_any(const fvi_bn_backward *t, const fvi_bn_run *r, const bool bf, const int act)
{
#define BODY(i0, rows, c, nv, ru, part, lanes) sums_strip(t, i0, rows, r->width, c, nv, ru, bf, act, part, lanes)
    STRIPS(r, BODY);
#undef BODY
}

FVI_AI void backward_strip(const fvi_bn_backward *t0, int64_t i0, int64_t rows, int width, int c0, const int nv,
                           const int ru, const bool bf, const int act, const bool part, int lanes)
{
    const fvi_bn_backward local = *t0, *t = &local;
    vf mean[4], a[4], shift[4], c1[4], c2[4];
    FVI_UNROLL for (int v = 0; v < nv; v++) {
        mean[v] = load(t->mean, c0 + v * VW, false, part, lanes);
        a[v] = load(t->a, c0 + v * VW, false, part, lanes);
        c1[v] = load(t->c1, c0 + v * VW, false, part, lanes);
        c2[v] = load(t->c2, c0 + v * VW, false, part, lanes);
        shift[v] = act == FVI_BN_SILU ? load(t->shift, c0 + v * VW, false, part, lanes) : vsplat(0);
    }
#define ONE(i, v, j)                                                                           \
    do {                                                                                       \
        vf d = load(t->x, i, bf, part, lanes) - mean[v];                                       \
        vf g = gradient(t, i, d, a[v], shift[v], bf, act, part, lanes);                        \
        store(t->dx, i, a[v] * g - (c2[v] * d + c1[v]), bf, part, lanes, t->stream);           \
    } while (0)
    EACH(i0, rows, width, c0, nv, ru, ONE);
#undef ONE
}

FVI_AI void backward_any(const fvi_bn_backward *t, const fvi_bn_run *r, const bool bf, const int act)
{
#define BODY(i0, rows, c, nv, ru, part, lanes) backward_strip(t, i0, rows, r->width, c, nv, ru, bf, act, part, lanes)
    STRIPS(r, BODY);
#undef BODY
}

/* ---- instances --------------------------------------------------------------------------------------------------- */

#define INSTANCES(type, bf)                                                                                        \
    static void stats_##type(const void *x, const fvi_bn_run *r, const float *shift, float *sum, float *squares)   \
    {                                                                                                              \
        stats_any(x, r, shift, sum, squares, bf);                                                                  \
    }                                                                                                              \
    static void forward_##type(const fvi_bn_forward *t, const fvi_bn_run *r) { forward_any(t, r, bf, false); }     \
    static void forward_silu_##type(const fvi_bn_forward *t, const fvi_bn_run *r) { forward_any(t, r, bf, true); } \
    static void sums_none_##type(const fvi_bn_backward *t, const fvi_bn_run *r) { sums_any(t, r, bf, FVI_BN_NONE); } \
    static void sums_relu_##type(const fvi_bn_backward *t, const fvi_bn_run *r) { sums_any(t, r, bf, FVI_BN_RELU); } \
    static void sums_silu_##type(const fvi_bn_backward *t, const fvi_bn_run *r) { sums_any(t, r, bf, FVI_BN_SILU); } \
    static void backward_none_##type(const fvi_bn_backward *t, const fvi_bn_run *r)                                \
    {                                                                                                              \
        backward_any(t, r, bf, FVI_BN_NONE);                                                                       \
    }                                                                                                              \
    static void backward_relu_##type(const fvi_bn_backward *t, const fvi_bn_run *r)                                \
    {                                                                                                              \
        backward_any(t, r, bf, FVI_BN_RELU);                                                                       \
    }                                                                                                              \
    static void backward_silu_##type(const fvi_bn_backward *t, const fvi_bn_run *r)                                \
    {                                                                                                              \
        backward_any(t, r, bf, FVI_BN_SILU);                                                                       \
    }                                                                                                              \
    static void backward_mask_##type(const fvi_bn_backward *t, const fvi_bn_run *r)                                \
    {                                                                                                              \
        backward_any(t, r, bf, FVI_BN_MASK);                                                                       \
    }
INSTANCES(f32, false)
INSTANCES(bf16, true)

const fvi_bn_table *FVI_ISA_NAME(fvi_bn_functions)(void)
{
    static const fvi_bn_table table = {
        {stats_f32, stats_bf16},
        {{forward_f32, forward_silu_f32}, {forward_bf16, forward_silu_bf16}},
        {{sums_none_f32, sums_relu_f32, sums_silu_f32, NULL}, {sums_none_bf16, sums_relu_bf16, sums_silu_bf16, NULL}},
        {{backward_none_f32, backward_relu_f32, backward_silu_f32, backward_mask_f32},
         {backward_none_bf16, backward_relu_bf16, backward_silu_bf16, backward_mask_bf16}},
        merge, add, vstream_end, VW < 8 ? 2 : 3,
    };
    return &table;
}
