/* SPDX-License-Identifier: Apache-2.0 */
/* Batch normalisation, see bn.h. Each body is written once, with the data type and the activation as constants, and
 * runs in two forms: on four vectors at a time, and on one vector of `lanes` elements for what is left over. Four
 * vectors are four columns of a row, two of each of two rows, or one of each of four: only their places differ. */
#include "cpu/isa/bn.h"
#include "cpu/isa/vec.h"

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("no-unswitch-loops")      /* a well-foretold branch costs less than four copies of each loop */
#endif

enum { TOGETHER = 8 };                 /* wide rows are taken so many at a time, column by column */

/* Four vectors, `times` times, `step` elements on each time: vector j is at element first + at[j], column column[j]. */
typedef struct quad { int64_t first, times, step, at[4]; int column[4]; } quad;

FVI_AI quad quad_of(int64_t first, int64_t rows, int width, int column, int nv)
{
    const int ru = 4 / nv;
    quad q = {.first = first + column, .times = rows / ru, .step = (int64_t)ru * width};
    FVI_UNROLL for (int j = 0; j < 4; j++) {
        q.at[j] = (int64_t)(j / nv) * width + j % nv * VW;
        q.column[j] = column + j % nv * VW;
    }
    return q;
}

/* What a body does with four vectors of a run, and with the n <= VW elements from i on, which begin at column c. */
typedef void quad_fn(const void *args, const quad *q, const bool bf, const int act);
typedef void one_fn(const void *args, int64_t i, int c, int n, const bool bf, const int act);

/* All of a run. Inlined with the body: bf and act are constants. */
FVI_AI void walk(const fvi_bn_run *run, quad_fn *four, one_fn *one, const void *args, const bool bf, const int act)
{
    const int64_t group = run->width > 4 * VW ? TOGETHER : run->rows;
    for (int64_t r0 = 0; r0 < run->rows; r0 += group) {
        const int width = run->width;
        const int64_t i0 = r0 * width, rows = run->rows - r0 < group ? run->rows - r0 : group;
        int c = 0;
        for (int nv; c + VW <= width; c += nv * VW) {
            nv = c + 4 * VW <= width ? 4 : c + 2 * VW <= width ? 2 : 1;
            const quad q = quad_of(i0, rows, width, c, nv);
            four(args, &q, bf, act);
            for (int64_t r = q.times * (4 / nv); r < rows; r++)
                for (int v = 0; v < nv; v++) one(args, i0 + r * width + c + v * VW, c + v * VW, VW, bf, act);
        }
        for (int64_t r = 0; c < width && r < rows; r++) one(args, i0 + r * width + c, c, width - c, bf, act);
    }
    for (int c = 0; c < run->tail; c += VW)
        one(args, run->rows * run->width + c, c, run->tail - c < VW ? run->tail - c : VW, bf, act);
}

/* sum[column] += value */
FVI_AI void add_to(float *sum, int column, vf value) { vst(sum, column, vld(sum, column, false) + value, false); }
FVI_AI void add_to_n(float *sum, int column, vf value, int n)
{
    vst_n(sum, column, vld_n(sum, column, n, false) + value, n, false);
}

/* ---- statistics -------------------------------------------------------------------------------------------------- */

typedef struct statistics { const void *x; const float *shift; float *sum, *squares; } statistics;

FVI_AI void stats_four(const void *args, const quad *q, const bool bf, const int act)
{
    (void)act;
    const statistics *t = args;
    vf shift[4], sum[4], squares[4];
    FVI_UNROLL for (int j = 0; j < 4; j++) {
        shift[j] = vld(t->shift, q->column[j], false);
        sum[j] = squares[j] = vsplat(0);
    }
    int64_t i = q->first;
    for (int64_t n = 0; n < q->times; n++, i += q->step)
        FVI_UNROLL for (int j = 0; j < 4; j++) {
            const vf d = vld(t->x, i + q->at[j], bf) - shift[j];
            sum[j] += d;
            squares[j] += d * d;
        }
    FVI_UNROLL for (int j = 0; j < 4; j++) {
        add_to(t->sum, q->column[j], sum[j]);
        add_to(t->squares, q->column[j], squares[j]);
    }
}

FVI_AI void stats_one(const void *args, int64_t i, int c, int n, const bool bf, const int act)
{
    (void)act;
    const statistics *t = args;
    const vf d = vld_n(t->x, i, n, bf) - vld_n(t->shift, c, n, false);
    add_to_n(t->sum, c, d, n);
    add_to_n(t->squares, c, d * d, n);
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

FVI_AI vf activated(vf z, const int act, vf low) { return act == FVI_BN_SILU ? z * vsigmoid(z) : vmax(low, z); }

/* Below ReLU's zero, or below nothing. */
FVI_AI vf lowest(const fvi_bn_forward *t) { return vsplat(t->relu ? 0.0f : -INFINITY); }

FVI_AI void forward_four(const void *args, const quad *q, const bool bf, const int act)
{
    const fvi_bn_forward *t = args;
    const vf low = lowest(t);
    vf mean[4], a[4], shift[4];
    FVI_UNROLL for (int j = 0; j < 4; j++) {
        mean[j] = vld(t->mean, q->column[j], false);
        a[j] = vld(t->a, q->column[j], false);
        shift[j] = vld(t->shift, q->column[j], false);
    }
    int64_t i = q->first;
    for (int64_t n = 0; n < q->times; n++, i += q->step)
        FVI_UNROLL for (int j = 0; j < 4; j++) {
            vf z = (vld(t->x, i + q->at[j], bf) - mean[j]) * a[j] + shift[j];
            if (t->residual) z += vld(t->residual, i + q->at[j], bf);
            z = activated(z, act, low);
            if (t->stream) vst_stream(t->y, i + q->at[j], z, bf);
            else vst(t->y, i + q->at[j], z, bf);
        }
}

FVI_AI void forward_one(const void *args, int64_t i, int c, int n, const bool bf, const int act)
{
    const fvi_bn_forward *t = args;
    vf z = (vld_n(t->x, i, n, bf) - vld_n(t->mean, c, n, false)) * vld_n(t->a, c, n, false);
    z += vld_n(t->shift, c, n, false);
    if (t->residual) z += vld_n(t->residual, i, n, bf);
    vst_n(t->y, i, activated(z, act, lowest(t)), n, bf);
}

/* ---- backward ---------------------------------------------------------------------------------------------------- */

FVI_AI vf load(const void *p, int64_t i, const bool bf, const bool part, int lanes)
{
    return part ? vld_n(p, i, lanes, bf) : vld(p, i, bf);
}

/* g = act'(z) * (dy + dy2), z = d * a + shift, d = x - mean. */
FVI_AI vf gradient(const fvi_bn_backward *t, int64_t i, vf d, vf a, vf shift, const bool bf, const int act,
                   const bool part, int lanes)
{
    vf g = load(t->dy, i, bf, part, lanes);
    if (t->dy2) g += load(t->dy2, i, bf, part, lanes);
    if (act == FVI_BN_RELU) {
        vmask off = vge(vsplat(0), load(t->y, i, bf, part, lanes));
        if (t->mask) vmask_store(t->mask, i, off);             /* then no vector is a part */
        g = vsel(off, vsplat(0), g);
    }
    if (act == FVI_BN_MASK) g = vsel(vmask_load(t->mask, i), vsplat(0), g);
    if (act == FVI_BN_SILU) {
        vf z = d * a + shift, p = vsigmoid(z);
        g *= p * (1.0f + z * (1.0f - p));
    }
    return g;
}

FVI_AI void sums_four(const void *args, const quad *q, const bool bf, const int act)
{
    const fvi_bn_backward *t = args;
    const bool silu = act == FVI_BN_SILU;
    vf mean[4], a[4], shift[4], sum_g[4], sum_gx[4];
    FVI_UNROLL for (int j = 0; j < 4; j++) {
        mean[j] = vld(t->mean, q->column[j], false);
        a[j] = silu ? vld(t->a, q->column[j], false) : mean[j];
        shift[j] = silu ? vld(t->shift, q->column[j], false) : mean[j];
        sum_g[j] = sum_gx[j] = vsplat(0);
    }
    int64_t i = q->first;
    for (int64_t n = 0; n < q->times; n++, i += q->step)
        FVI_UNROLL for (int j = 0; j < 4; j++) {
            const vf d = vld(t->x, i + q->at[j], bf) - mean[j];
            const vf g = gradient(t, i + q->at[j], d, a[j], shift[j], bf, act, false, VW);
            sum_g[j] += g;
            sum_gx[j] += g * d;
            if (t->g) vst(t->g, i + q->at[j], g, bf);
        }
    FVI_UNROLL for (int j = 0; j < 4; j++) {
        add_to(t->sum_g, q->column[j], sum_g[j]);
        add_to(t->sum_gx, q->column[j], sum_gx[j]);
    }
}

FVI_AI void sums_one(const void *args, int64_t i, int c, int n, const bool bf, const int act)
{
    const fvi_bn_backward *t = args;
    const bool silu = act == FVI_BN_SILU;
    const vf d = vld_n(t->x, i, n, bf) - vld_n(t->mean, c, n, false);
    const vf a = silu ? vld_n(t->a, c, n, false) : d, shift = silu ? vld_n(t->shift, c, n, false) : d;
    const vf g = gradient(t, i, d, a, shift, bf, act, true, n);
    add_to_n(t->sum_g, c, g, n);
    add_to_n(t->sum_gx, c, g * d, n);
    if (t->g) vst_n(t->g, i, g, n, bf);
}

FVI_AI void backward_four(const void *args, const quad *q, const bool bf, const int act)
{
    const fvi_bn_backward *t = args;
    vf mean[4], a[4], c1[4], c2[4], shift[4];
    FVI_UNROLL for (int j = 0; j < 4; j++) {
        mean[j] = vld(t->mean, q->column[j], false);
        a[j] = vld(t->a, q->column[j], false);
        c1[j] = vld(t->c1, q->column[j], false);
        c2[j] = vld(t->c2, q->column[j], false);
        shift[j] = act == FVI_BN_SILU ? vld(t->shift, q->column[j], false) : mean[j];
    }
    int64_t i = q->first;
    for (int64_t n = 0; n < q->times; n++, i += q->step)
        FVI_UNROLL for (int j = 0; j < 4; j++) {
            const vf d = vld(t->x, i + q->at[j], bf) - mean[j];
            vf g = gradient(t, i + q->at[j], d, a[j], shift[j], bf, act, false, VW);
            g = a[j] * g - (c2[j] * d + c1[j]);
            if (t->stream) vst_stream(t->dx, i + q->at[j], g, bf);
            else vst(t->dx, i + q->at[j], g, bf);
        }
}

FVI_AI void backward_one(const void *args, int64_t i, int c, int n, const bool bf, const int act)
{
    const fvi_bn_backward *t = args;
    const vf d = vld_n(t->x, i, n, bf) - vld_n(t->mean, c, n, false), a = vld_n(t->a, c, n, false);
    const vf shift = act == FVI_BN_SILU ? vld_n(t->shift, c, n, false) : a;
    vf g = gradient(t, i, d, a, shift, bf, act, true, n);
    g = a * g - (vld_n(t->c2, c, n, false) * d + vld_n(t->c1, c, n, false));
    vst_n(t->dx, i, g, n, bf);
}

/* ---- instances --------------------------------------------------------------------------------------------------- */

/* The arguments are copied: stores cannot change a copy, so the loops need not read it again. */
#define STATS(type, bf)                                                                                             \
    static void stats_##type(const void *x, const fvi_bn_run *r, const float *shift, float *sum, float *squares)    \
    {                                                                                                               \
        const statistics args = {x, shift, sum, squares};                                                           \
        walk(r, stats_four, stats_one, &args, bf, FVI_BN_NONE);                                                     \
    }
#define FUNCTION(direction, body, name, bf, act)                                                                    \
    static void name(const fvi_bn_##direction *t, const fvi_bn_run *r)                                              \
    {                                                                                                               \
        const fvi_bn_##direction args = *t;                                                                         \
        walk(r, body##_four, body##_one, &args, bf, act);                                                           \
    }
#define FUNCTIONS(type, bf)                                                                                         \
    STATS(type, bf)                                                                                                 \
    FUNCTION(forward, forward, forward_##type, bf, FVI_BN_NONE)                                                     \
    FUNCTION(forward, forward, forward_silu_##type, bf, FVI_BN_SILU)                                                \
    FUNCTION(backward, sums, sums_none_##type, bf, FVI_BN_NONE)                                                     \
    FUNCTION(backward, sums, sums_relu_##type, bf, FVI_BN_RELU)                                                     \
    FUNCTION(backward, sums, sums_silu_##type, bf, FVI_BN_SILU)                                                     \
    FUNCTION(backward, backward, backward_none_##type, bf, FVI_BN_NONE)                                             \
    FUNCTION(backward, backward, backward_relu_##type, bf, FVI_BN_RELU)                                             \
    FUNCTION(backward, backward, backward_silu_##type, bf, FVI_BN_SILU)                                             \
    FUNCTION(backward, backward, backward_mask_##type, bf, FVI_BN_MASK)
FUNCTIONS(f32, false)
FUNCTIONS(bf16, true)

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
