/* SPDX-License-Identifier: Apache-2.0 */
/* Pooling, see pool.h. Bodies are written once with the constants bf (data type), with (index wanted) and instantiated
 * at the end. */
#include "cpu/isa/pool.h"
#include "cpu/isa/vec.h"

/* Lanes of the unit in vectors; `part` is the last, incomplete one. */
#define EACH_VECTOR(s, BODY)                                          \
    do {                                                              \
        int c = 0;                                                    \
        for (; c + VW <= (s)->lanes; c += VW) BODY(c, VW, false);     \
        if (c < (s)->lanes) BODY(c, (s)->lanes - c, true);            \
    } while (0)

FVI_AI vf load(const void *p, int64_t i, int n, const bool bf, const bool part)
{
    return part ? vld_n(p, i, n, bf) : vld(p, i, bf);
}
FVI_AI void store(void *p, int64_t i, vf v, int n, const bool bf, const bool part)
{
    if (part) vst_n(p, i, v, n, bf);
    else vst(p, i, v, bf);
}

typedef struct box { int64_t top, bottom, left, right; } box;

FVI_AI box window(const fvi_pool_span *s, int64_t i, int64_t j)
{
    return (box){s->row.from[i], s->row.to[i], s->column.from[j], s->column.to[j]};
}

/* ---- maximum ----------------------------------------------------------------------------------------------------- */

/* The first of equal values; a NaN wins over everything before it. */
FVI_AI void max_one(const fvi_pool_span *s, const void *x, void *y, int64_t *index, int64_t i, int64_t j, int c, int n,
                    const bool bf, const bool with, const bool part)
{
    const box b = window(s, i, j);
    vf best = load(x, (b.top * s->w + b.left) * s->step + c, n, bf, part);
    vu at = (vu){0} + (uint32_t)(b.top * s->w + b.left);
    for (int64_t u = b.top; u < b.bottom; u++)
        for (int64_t v = b.left; v < b.right; v++) {
            const vf value = load(x, (u * s->w + v) * s->step + c, n, bf, part);
            const vmask take = vgt(value, best) | vnan(value);
            best = vsel(take, value, best);
            if (with) at = vselu(take, (vu){0} + (uint32_t)(u * s->w + v), at);
        }
    const int64_t o = (i * s->ow + j) * s->step + c;
    store(y, o, best, n, bf, part);
    if (!with) return;
    uint32_t places[VW];
    memcpy(places, &at, sizeof places);
    if (!part && s->valid == s->lanes)
        for (int k = 0; k < VW; k++) index[o + k] = places[k];
    else
        for (int k = 0; k < n; k++) index[o + k] = c + k < s->valid ? places[k] : 0;
}

FVI_AI void max_rows(const fvi_pool_span *s, const void *x, void *y, int64_t *index, int64_t o0, int64_t o1,
                     const bool bf, const bool with)
{
#define ONE(c, n, part) max_one(s, x, y, index, i, j, c, n, bf, with, part)
    for (int64_t i = o0; i < o1; i++)
        for (int64_t j = 0; j < s->ow; j++) EACH_VECTOR(s, ONE);
#undef ONE
}

static void max_f32(const fvi_pool_span *s, const void *x, void *y, int64_t *index, int64_t o0, int64_t o1)
{
    if (index) max_rows(s, x, y, index, o0, o1, false, true);
    else max_rows(s, x, y, NULL, o0, o1, false, false);
}
static void max_bf16(const fvi_pool_span *s, const void *x, void *y, int64_t *index, int64_t o0, int64_t o1)
{
    if (index) max_rows(s, x, y, index, o0, o1, true, true);
    else max_rows(s, x, y, NULL, o0, o1, true, false);
}

/* Adds dy at the recorded places of a unit whose pixels stand `step` apart in acc. */
FVI_AI void scatter(const fvi_pool_span *s, const void *dy, const int64_t *index, float *acc, int64_t step,
                    const bool bf)
{
    const uint64_t pixels = (uint64_t)(s->h * s->w);
    for (int64_t o = 0; o < s->oh * s->ow; o++)
        for (int c = 0; c < s->lanes; c++) {
            const uint64_t at = (uint64_t)index[o * s->step + c];
            if (at < pixels) acc[(int64_t)at * step + c] += sld(dy, o * s->step + c, bf);
        }
}

static void max_backward_f32(const fvi_pool_span *s, const void *dy, const int64_t *index, void *dx, float *acc)
{
    (void)acc;
    float *d = dx;
    if (s->step == s->lanes) memset(d, 0, (size_t)(s->h * s->w * s->step) * sizeof *d);
    else
        for (int64_t i = 0; i < s->h * s->w; i++) memset(d + i * s->step, 0, (size_t)s->lanes * sizeof *d);
    scatter(s, dy, index, d, s->step, false);
}

static void max_backward_bf16(const fvi_pool_span *s, const void *dy, const int64_t *index, void *dx, float *acc)
{
    memset(acc, 0, (size_t)(s->h * s->w * 16) * sizeof *acc);
    scatter(s, dy, index, acc, 16, true);
#define ONE(c, n, part) store(dx, i *s->step + c, load(acc, i * 16 + c, n, false, part), n, true, part)
    for (int64_t i = 0; i < s->h * s->w; i++) EACH_VECTOR(s, ONE);
#undef ONE
}

/* ---- average ----------------------------------------------------------------------------------------------------- */

FVI_AI void average_one(const fvi_pool_span *s, const void *x, void *y, int64_t i, int64_t j, int c, int n,
                        const bool bf, const bool part)
{
    const box b = window(s, i, j);
    vf sum = {0};
    for (int64_t u = b.top; u < b.bottom; u++)
        for (int64_t v = b.left; v < b.right; v++) sum += load(x, (u * s->w + v) * s->step + c, n, bf, part);
    store(y, (i * s->ow + j) * s->step + c, sum * (s->row.share[i] * s->column.share[j]), n, bf, part);
}

FVI_AI void average_rows(const fvi_pool_span *s, const void *x, void *y, int64_t o0, int64_t o1, const bool bf)
{
#define ONE(c, n, part) average_one(s, x, y, i, j, c, n, bf, part)
    for (int64_t i = o0; i < o1; i++)
        for (int64_t j = 0; j < s->ow; j++) EACH_VECTOR(s, ONE);
#undef ONE
}

/* Every input pixel collects from the windows that hold it. */
FVI_AI void average_back_one(const fvi_pool_span *s, const void *dy, void *dx, int64_t i, int64_t j, int c, int n,
                             const bool bf, const bool part)
{
    vf sum = {0};
    for (int64_t u = s->row.first[i]; u < s->row.last[i]; u++)
        for (int64_t v = s->column.first[j]; v < s->column.last[j]; v++)
            sum += load(dy, (u * s->ow + v) * s->step + c, n, bf, part) * (s->row.share[u] * s->column.share[v]);
    store(dx, (i * s->w + j) * s->step + c, sum, n, bf, part);
}

FVI_AI void average_back_rows(const fvi_pool_span *s, const void *dy, void *dx, int64_t i0, int64_t i1, const bool bf)
{
#define ONE(c, n, part) average_back_one(s, dy, dx, i, j, c, n, bf, part)
    for (int64_t i = i0; i < i1; i++)
        for (int64_t j = 0; j < s->w; j++) EACH_VECTOR(s, ONE);
#undef ONE
}

/* ---- mean of the whole image ------------------------------------------------------------------------------------- */

/* Four sums side by side: less waiting and less rounding than one. */
FVI_AI void mean_one(const fvi_pool_span *s, const void *x, void *y, int c, int n, const bool bf, const bool part)
{
    const int64_t pixels = s->h * s->w;
    vf sum[4] = {{0}};
    int64_t i = 0;
    for (; i + 4 <= pixels; i += 4)
        FVI_UNROLL for (int k = 0; k < 4; k++) sum[k] += load(x, (i + k) * s->step + c, n, bf, part);
    for (; i < pixels; i++) sum[0] += load(x, i * s->step + c, n, bf, part);
    store(y, c, ((sum[0] + sum[1]) + (sum[2] + sum[3])) * (1.0f / (float)pixels), n, bf, part);
}

/* One channel a unit (plain order): the pixels are the lanes. */
FVI_AI void mean_plain(const fvi_pool_span *s, const void *x, void *y, const bool bf)
{
    const int64_t pixels = s->h * s->w;
    vf sum = {0};
    int64_t i = 0;
    for (; i + VW <= pixels; i += VW) sum += vld(x, i, bf);
    if (i < pixels) sum += vld_n(x, i, (int)(pixels - i), bf);
    sst(y, 0, vsum(sum) / (float)pixels, bf);
}

FVI_AI void mean_unit(const fvi_pool_span *s, const void *x, void *y, const bool bf)
{
#define ONE(c, n, part) mean_one(s, x, y, c, n, bf, part)
    if (s->lanes == 1 && s->step == 1) mean_plain(s, x, y, bf);
    else EACH_VECTOR(s, ONE);
#undef ONE
}

FVI_AI void mean_back(const fvi_pool_span *s, const void *dy, void *dx, const bool bf)
{
    const int64_t pixels = s->h * s->w;
    const float share = 1.0f / (float)pixels;
    if (s->lanes == 1 && s->step == 1) {
        const vf v = vsplat(sld(dy, 0, bf) * share);
        int64_t i = 0;
        for (; i + VW <= pixels; i += VW) vst(dx, i, v, bf);
        if (i < pixels) vst_n(dx, i, v, (int)(pixels - i), bf);
        return;
    }
#define ONE(c, n, part) store(dx, i *s->step + c, load(dy, c, n, bf, part) * share, n, bf, part)
    for (int64_t i = 0; i < pixels; i++) EACH_VECTOR(s, ONE);
#undef ONE
}

/* ---- instances --------------------------------------------------------------------------------------------------- */

#define INSTANCES(suffix, bf)                                                                                   \
    static void average_##suffix(const fvi_pool_span *s, const void *x, void *y, int64_t o0, int64_t o1)        \
    {                                                                                                           \
        average_rows(s, x, y, o0, o1, bf);                                                                      \
    }                                                                                                           \
    static void average_back_##suffix(const fvi_pool_span *s, const void *dy, void *dx, int64_t i0, int64_t i1) \
    {                                                                                                           \
        average_back_rows(s, dy, dx, i0, i1, bf);                                                               \
    }                                                                                                           \
    static void mean_##suffix(const fvi_pool_span *s, const void *x, void *y) { mean_unit(s, x, y, bf); }       \
    static void mean_back_##suffix(const fvi_pool_span *s, const void *dy, void *dx) { mean_back(s, dy, dx, bf); }
INSTANCES(f32, false)
INSTANCES(bf16, true)

const fvi_pool_table *FVI_ISA_NAME(fvi_pool_functions)(void)
{
    static const fvi_pool_table table = {
        .max = {max_f32, max_bf16},
        .max_backward = {max_backward_f32, max_backward_bf16},
        .average = {average_f32, average_bf16},
        .average_backward = {average_back_f32, average_back_bf16},
        .mean = {mean_f32, mean_bf16},
        .mean_backward = {mean_back_f32, mean_back_bf16},
    };
    return &table;
}
