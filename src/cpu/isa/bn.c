/* SPDX-License-Identifier: Apache-2.0 */
/* Batch normalisation, see bn.h. Each body is written once, with the data type and the activation as constants, and runs
 * in two forms: on four vectors at a time, and on one vector of `lanes` elements for what is left over. Four vectors are
 * four columns of a row, two of each of two rows, or one of each of four: only their places differ. */
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

/* QUAD(q) and ONE(element, column, lanes) over all of a run. */
#define WALK(run, QUAD, ONE)                                                                                       for (int64_t r0 = 0, group = (run)->width > 4 * VW ? TOGETHER : (run)->rows; r0 < (run)->rows; r0 += group) {         const int width = (run)->width;                                                                                const int64_t i0 = r0 * width, rows = (run)->rows - r0 < group ? (run)->rows - r0 : group;                     int c = 0;                                                                                                     for (int nv; c + VW <= width; c += nv * VW) {                                                                      nv = c + 4 * VW <= width ? 4 : c + 2 * VW <= width ? 2 : 1;                                                    const quad q = quad_of(i0, rows, width, c, nv);                                                                QUAD(q);                                                                                                       for (int64_t r = q.times * (4 / nv); r < rows; r++)                                                                for (int v = 0; v < nv; v++) ONE(i0 + r * width + c + v * VW, c + v * VW, VW);                         }                                                                                                              for (int64_t r = 0; c < width && r < rows; r++) ONE(i0 + r * width + c, c, width - c);                     }                                                                                                              for (int c = 0; c < (run)->tail; c += VW)                                                                          ONE((run)->rows * (run)->width + c, c, (run)->tail - c < VW ? (run)->tail - c : VW)

/* ---- statistics -------------------------------------------------------------------------------------------------- */

FVI_AI void stats_any(const void *x, const fvi_bn_run *run, const float *shift, float *sum, float *squares, const bool bf)
{
#define QUAD(q)                                                                                            do {                                                                                                       vf k[4], s[4], t[4];                                                                                   FVI_UNROLL for (int j = 0; j < 4; j++) k[j] = vld(shift, q.column[j], false), s[j] = t[j] = vsplat(0);         int64_t i = q.first;                                                                                   for (int64_t n = 0; n < q.times; n++, i += q.step)                                                         FVI_UNROLL for (int j = 0; j < 4; j++) {                                                                   vf d = vld(x, i + q.at[j], bf) - k[j];                                                                 s[j] += d;                                                                                             t[j] += d * d;                                                                                     }                                                                                                  FVI_UNROLL for (int j = 0; j < 4; j++) {                                                                   vst(sum, q.column[j], vld(sum, q.column[j], false) + s[j], false);                                     vst(squares, q.column[j], vld(squares, q.column[j], false) + t[j], false);                         }                                                                                                  } while (0)
#define ONE(i, c, n)                                                                  do {                                                                                  vf d = vld_n(x, i, n, bf) - vld_n(shift, c, n, false);                            vst_n(sum, c, vld_n(sum, c, n, false) + d, n, false);                             vst_n(squares, c, vld_n(squares, c, n, false) + d * d, n, false);             } while (0)
    WALK(run, QUAD, ONE);
#undef QUAD
#undef ONE
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

FVI_AI void forward_any(const fvi_bn_forward *t, const fvi_bn_run *run, const bool bf, const bool silu)
{
    const vf low = vsplat(t->relu ? 0.0f : -INFINITY);
    const bool stream = t->stream;
    const void *x = t->x, *residual = t->residual;
    void *y = t->y;
#define QUAD(q)                                                                            do {                                                                                       vf mean[4], a[4], shift[4];                                                            FVI_UNROLL for (int j = 0; j < 4; j++) {                                                   mean[j] = vld(t->mean, q.column[j], false);                                            a[j] = vld(t->a, q.column[j], false);                                                  shift[j] = vld(t->shift, q.column[j], false);                                      }                                                                                      int64_t i = q.first;                                                                   for (int64_t n = 0; n < q.times; n++, i += q.step)                                         FVI_UNROLL for (int j = 0; j < 4; j++) {                                                   vf z = (vld(x, i + q.at[j], bf) - mean[j]) * a[j] + shift[j];                          if (residual) z += vld(residual, i + q.at[j], bf);                                     z = silu ? z * vsigmoid(z) : vmax(low, z);                                             if (stream) vst_stream(y, i + q.at[j], z, bf);                                         else vst(y, i + q.at[j], z, bf);                                                   }                                                                              } while (0)
#define ONE(i, c, n)                                                                                           do {                                                                                                           vf z = (vld_n(x, i, n, bf) - vld_n(t->mean, c, n, false)) * vld_n(t->a, c, n, false);                      z += vld_n(t->shift, c, n, false);                                                                         if (residual) z += vld_n(residual, i, n, bf);                                                              vst_n(y, i, silu ? z * vsigmoid(z) : vmax(low, z), n, bf);                                             } while (0)
    WALK(run, QUAD, ONE);
#undef QUAD
#undef ONE
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

FVI_AI void sums_any(const fvi_bn_backward *given, const fvi_bn_run *run, const bool bf, const int act)
{
    const fvi_bn_backward copy = *given, *t = &copy;           /* stores to g cannot change a copy */
    const bool silu = act == FVI_BN_SILU;
#define QUAD(q)                                                                                    do {                                                                                               vf mean[4], a[4], shift[4], sg[4], sx[4];                                                      FVI_UNROLL for (int j = 0; j < 4; j++) {                                                           mean[j] = vld(t->mean, q.column[j], false);                                                    a[j] = silu ? vld(t->a, q.column[j], false) : mean[j];                                         shift[j] = silu ? vld(t->shift, q.column[j], false) : mean[j];                                 sg[j] = sx[j] = vsplat(0);                                                                 }                                                                                              int64_t i = q.first;                                                                           for (int64_t n = 0; n < q.times; n++, i += q.step)                                                 FVI_UNROLL for (int j = 0; j < 4; j++) {                                                           vf d = vld(t->x, i + q.at[j], bf) - mean[j];                                                   vf g = gradient(t, i + q.at[j], d, a[j], shift[j], bf, act, false, VW);                        sg[j] += g;                                                                                    sx[j] += g * d;                                                                                if (t->g) vst(t->g, i + q.at[j], g, bf);                                                   }                                                                                          FVI_UNROLL for (int j = 0; j < 4; j++) {                                                           vst(t->sum_g, q.column[j], vld(t->sum_g, q.column[j], false) + sg[j], false);                  vst(t->sum_gx, q.column[j], vld(t->sum_gx, q.column[j], false) + sx[j], false);            }                                                                                          } while (0)
#define ONE(i, c, n)                                                                                           do {                                                                                                           vf d = vld_n(t->x, i, n, bf) - vld_n(t->mean, c, n, false);                                                vf a = silu ? vld_n(t->a, c, n, false) : d, shift = silu ? vld_n(t->shift, c, n, false) : d;               vf g = gradient(t, i, d, a, shift, bf, act, true, n);                                                      vst_n(t->sum_g, c, vld_n(t->sum_g, c, n, false) + g, n, false);                                            vst_n(t->sum_gx, c, vld_n(t->sum_gx, c, n, false) + g * d, n, false);                                      if (t->g) vst_n(t->g, i, g, n, bf);                                                                    } while (0)
    WALK(run, QUAD, ONE);
#undef QUAD
#undef ONE
}

FVI_AI void backward_any(const fvi_bn_backward *given, const fvi_bn_run *run, const bool bf, const int act)
{
    const fvi_bn_backward copy = *given, *t = &copy;
    const bool silu = act == FVI_BN_SILU;
#define QUAD(q)                                                                                    do {                                                                                               vf mean[4], a[4], c1[4], c2[4], shift[4];                                                      FVI_UNROLL for (int j = 0; j < 4; j++) {                                                           mean[j] = vld(t->mean, q.column[j], false);                                                    a[j] = vld(t->a, q.column[j], false);                                                          c1[j] = vld(t->c1, q.column[j], false);                                                        c2[j] = vld(t->c2, q.column[j], false);                                                        shift[j] = silu ? vld(t->shift, q.column[j], false) : mean[j];                             }                                                                                              int64_t i = q.first;                                                                           for (int64_t n = 0; n < q.times; n++, i += q.step)                                                 FVI_UNROLL for (int j = 0; j < 4; j++) {                                                           vf d = vld(t->x, i + q.at[j], bf) - mean[j];                                                   vf g = gradient(t, i + q.at[j], d, a[j], shift[j], bf, act, false, VW);                        g = a[j] * g - (c2[j] * d + c1[j]);                                                            if (t->stream) vst_stream(t->dx, i + q.at[j], g, bf);                                          else vst(t->dx, i + q.at[j], g, bf);                                                       }                                                                                      } while (0)
#define ONE(i, c, n)                                                                                           do {                                                                                                           vf d = vld_n(t->x, i, n, bf) - vld_n(t->mean, c, n, false), a = vld_n(t->a, c, n, false);                  vf g = gradient(t, i, d, a, silu ? vld_n(t->shift, c, n, false) : a, bf, act, true, n);                    g = a * g - (vld_n(t->c2, c, n, false) * d + vld_n(t->c1, c, n, false));                                   vst_n(t->dx, i, g, n, bf);                                                                             } while (0)
    WALK(run, QUAD, ONE);
#undef QUAD
#undef ONE
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
