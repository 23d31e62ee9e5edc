/* SPDX-License-Identifier: Apache-2.0 */
/* Row functions, see rows.h. */
#include "cpu/isa/rows.h"
#include "cpu/isa/vec.h"

/* `v` in the first n lanes, `other` in the rest. */
FVI_AI vf first_lanes(vf v, int n, vf other)
{
    static const float number[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    return vsel(vgt(vsplat((float)n), vld(number, 0, false)), v, other);
}

/* LOOP(n, BODY): BODY(i, part, lanes) for whole vectors and the rest of a row. */
#define LOOP(n, BODY)                                          \
    do {                                                       \
        int64_t at_ = 0;                                       \
        for (; at_ + VW <= (n); at_ += VW) BODY(at_, false, VW); \
        if (at_ < (n)) BODY(at_, true, (int)((n) - at_));      \
    } while (0)

FVI_AI vf load(const float *p, int64_t i, const bool part, int lanes)
{
    return part ? vld_n(p, i, lanes, false) : vld(p, i, false);
}
FVI_AI void store(float *p, int64_t i, vf v, const bool part, int lanes)
{
    if (part) vst_n(p, i, v, lanes, false);
    else vst(p, i, v, false);
}

/* The greatest that is a number. */
FVI_AI float top_of(const float *x, int64_t n)
{
    vf top = vsplat(-INFINITY);
#define BODY(i, part, lanes)                                               \
    do {                                                                   \
        vf v = load(x, i, part, lanes);                                    \
        top = vmax(part ? first_lanes(v, lanes, top) : v, top);            \
    } while (0)
    LOOP(n, BODY);
#undef BODY
    return vmax_all(top);
}

/* Sum of exp(x - top), stored too where y is given. */
FVI_AI float sum_exp(const float *x, float *y, int64_t n, float top)
{
    vf sum = vsplat(0);
#define BODY(i, part, lanes)                                               \
    do {                                                                   \
        vf e = vexp(load(x, i, part, lanes) - top);                        \
        if (y) store(y, i, e, part, lanes);                                \
        sum += part ? first_lanes(e, lanes, vsplat(0)) : e;                \
    } while (0)
    LOOP(n, BODY);
#undef BODY
    return vsum(sum);
}

static void softmax(const float *x, float *y, int64_t n)
{
    const float factor = 1.0f / sum_exp(x, y, n, top_of(x, n));
#define BODY(i, part, lanes) store(y, i, load(y, i, part, lanes) * factor, part, lanes)
    LOOP(n, BODY);
#undef BODY
}

static void log_softmax(const float *x, float *y, int64_t n)
{
    const float top = top_of(x, n), shift = logf(sum_exp(x, NULL, n, top));
#define BODY(i, part, lanes) store(y, i, load(x, i, part, lanes) - top - shift, part, lanes)
    LOOP(n, BODY);
#undef BODY
}

static void softmax_backward(const float *dy, const float *y, float *dx, int64_t n)
{
    vf sum = vsplat(0);
#define BODY(i, part, lanes) sum += load(dy, i, part, lanes) * load(y, i, part, lanes)
    LOOP(n, BODY);
#undef BODY
    const float dot = vsum(sum);
#define BODY(i, part, lanes) store(dx, i, load(y, i, part, lanes) * (load(dy, i, part, lanes) - dot), part, lanes)
    LOOP(n, BODY);
#undef BODY
}

static void log_softmax_backward(const float *dy, const float *y, float *dx, int64_t n)
{
    vf total = vsplat(0);
#define BODY(i, part, lanes) total += load(dy, i, part, lanes)
    LOOP(n, BODY);
#undef BODY
    const float sum = vsum(total);
#define BODY(i, part, lanes) store(dx, i, load(dy, i, part, lanes) - vexp(load(y, i, part, lanes)) * sum, part, lanes)
    LOOP(n, BODY);
#undef BODY
}

/* ---- rows side by side: one lane each ---------------------------------------------------------------------------- */

FVI_AI vf top_columns(const float *x, int64_t n, int64_t step, const bool part, int lanes)
{
    vf top = vsplat(-INFINITY);
    for (int64_t k = 0; k < n; k++) top = vmax(load(x, k * step, part, lanes), top);
    return top;
}

FVI_AI void softmax_lanes(const float *x, float *y, int64_t n, int64_t step, const bool part, int lanes)
{
    const vf top = top_columns(x, n, step, part, lanes);
    vf sum = vsplat(0);
    for (int64_t k = 0; k < n; k++) {
        const vf e = vexp(load(x, k * step, part, lanes) - top);
        store(y, k * step, e, part, lanes);
        sum += e;
    }
    const vf factor = 1.0f / sum;
    for (int64_t k = 0; k < n; k++) store(y, k * step, load(y, k * step, part, lanes) * factor, part, lanes);
}

FVI_AI void log_softmax_lanes(const float *x, float *y, int64_t n, int64_t step, const bool part, int lanes)
{
    const vf top = top_columns(x, n, step, part, lanes);
    vf sum = vsplat(0);
    for (int64_t k = 0; k < n; k++) sum += vexp(load(x, k * step, part, lanes) - top);
    const vf shift = vlog(sum);
    for (int64_t k = 0; k < n; k++) store(y, k * step, load(x, k * step, part, lanes) - top - shift, part, lanes);
}

FVI_AI void softmax_backward_lanes(const float *dy, const float *y, float *dx, int64_t n, int64_t step, const bool part,
                                   int lanes)
{
    vf dot = vsplat(0);
    for (int64_t k = 0; k < n; k++) dot += load(dy, k * step, part, lanes) * load(y, k * step, part, lanes);
    for (int64_t k = 0; k < n; k++)
        store(dx, k * step, load(y, k * step, part, lanes) * (load(dy, k * step, part, lanes) - dot), part, lanes);
}

FVI_AI void log_softmax_backward_lanes(const float *dy, const float *y, float *dx, int64_t n, int64_t step,
                                       const bool part, int lanes)
{
    vf sum = vsplat(0);
    for (int64_t k = 0; k < n; k++) sum += load(dy, k * step, part, lanes);
    for (int64_t k = 0; k < n; k++)
        store(dx, k * step, load(dy, k * step, part, lanes) - vexp(load(y, k * step, part, lanes)) * sum, part, lanes);
}

#define FORWARD_COLUMNS(name)                                                                                       \
    static void name##_columns(const float *x, float *y, int64_t n, int64_t step, int lanes)                        \
    {                                                                                                               \
        if (lanes == VW) name##_lanes(x, y, n, step, false, VW);                                                    \
        else name##_lanes(x, y, n, step, true, lanes);                                                              \
    }
#define BACKWARD_COLUMNS(name)                                                                                      \
    static void name##_columns(const float *dy, const float *y, float *dx, int64_t n, int64_t step, int lanes)      \
    {                                                                                                               \
        if (lanes == VW) name##_lanes(dy, y, dx, n, step, false, VW);                                               \
        else name##_lanes(dy, y, dx, n, step, true, lanes);                                                         \
    }
FORWARD_COLUMNS(softmax)
FORWARD_COLUMNS(log_softmax)
BACKWARD_COLUMNS(softmax_backward)
BACKWARD_COLUMNS(log_softmax_backward)

/* ---- cross-entropy ----------------------------------------------------------------------------------------------- */

FVI_AI vf coefficient(const fvi_ce_row *r, int64_t i, const bool part, int lanes)
{
    vf q = vsplat(r->spread);
    if (r->soft) q += load(r->soft, i, part, lanes) * r->hot;
    if (r->weights) q *= load(r->weights, i, part, lanes);
    return part ? first_lanes(q, lanes, vsplat(0)) : q;
}

static float hot_coefficient(const fvi_ce_row *r)
{
    return r->hot * (r->weights ? r->weights[r->index] : 1.0f);
}

static double cross_entropy(const fvi_ce_row *r)
{
    const float *x = r->x, top = top_of(x, r->n);
    const double shift = log((double)sum_exp(x, NULL, r->n, top)), hot = r->soft ? 0 : (double)hot_coefficient(r);
    double loss = 0;
    if (hot != 0) loss -= hot * ((double)x[r->index] - (double)top - shift);
    if (!r->soft && r->spread == 0) return loss;
    vf sum = vsplat(0), weight = vsplat(0);
#define BODY(i, part, lanes)                                                                    \
    do {                                                                                        \
        vf q = coefficient(r, i, part, lanes), d = load(x, i, part, lanes) - top;               \
        sum += vsel(veq(q, vsplat(0)), vsplat(0), q * d);                                       \
        weight += q;                                                                            \
    } while (0)
    LOOP(r->n, BODY);
#undef BODY
    const float total = vsum(weight);
    if (total != 0) loss += shift * (double)total;                     /* 0 times an infinite shift is 0 here */
    return loss - (double)vsum(sum);
}

static void cross_entropy_backward(const fvi_ce_row *r, float dloss, float *dx)
{
    const float *x = r->x, top = top_of(x, r->n), sum = sum_exp(x, dx, r->n, top);
    float total = r->total;
    if (r->soft) {
        vf q = vsplat(0);
#define BODY(i, part, lanes) q += coefficient(r, i, part, lanes)
        LOOP(r->n, BODY);
#undef BODY
        total = vsum(q);
    }
    const float factor = total / sum;
#define BODY(i, part, lanes)                                                                                  \
    store(dx, i, dloss * (load(dx, i, part, lanes) * factor - coefficient(r, i, part, lanes)), part, lanes)
    const float old = r->soft ? 0 : dx[r->index];
    LOOP(r->n, BODY);
#undef BODY
    if (r->soft) return;
    const float w = r->weights ? r->weights[r->index] : 1.0f;
    dx[r->index] = dloss * (old * factor - w * (r->hot + r->spread));
}

/* ---- ranking ----------------------------------------------------------------------------------------------------- */

FVI_AI int64_t argmax_any(const void *x, int64_t n, const bool bf)
{
    vf top = vsplat(-INFINITY), odd = vsplat(0);               /* odd: NaN when one is */
    int64_t i = 0;
    for (; i + VW <= n; i += VW) {
        const vf v = vld(x, i, bf);
        top = vmax(v, top);
        odd = vsel(vnan(v), v, odd);
    }
    float best = vmax_all(top);
    bool nan = false;
    for (int l = 0; l < VW; l++) nan = nan || odd[l] != odd[l];
    for (; i < n; i++) {
        const float v = sld(x, i, bf);
        best = v > best ? v : best;
        nan = nan || v != v;
    }
    for (i = 0; i < n; i++) {
        const float v = sld(x, i, bf);
        if (nan ? v != v : v == best) return i;
    }
    return 0;
}

FVI_AI int64_t greater_any(const void *x, int64_t n, float than, const bool bf)
{
    int64_t count = 0;
    for (int64_t i = 0; i < n; i++) count += !(sld(x, i, bf) <= than);
    return count;
}

static int64_t argmax_f32(const void *x, int64_t n) { return argmax_any(x, n, false); }
static int64_t argmax_bf16(const void *x, int64_t n) { return argmax_any(x, n, true); }
static int64_t greater_f32(const void *x, int64_t n, float than) { return greater_any(x, n, than, false); }
static int64_t greater_bf16(const void *x, int64_t n, float than) { return greater_any(x, n, than, true); }

const fvi_rows_table *FVI_ISA_NAME(fvi_rows_functions)(void)
{
    static const fvi_rows_table table = {
        .softmax = softmax, .softmax_backward = softmax_backward,
        .log_softmax = log_softmax, .log_softmax_backward = log_softmax_backward,
        .softmax_columns = softmax_columns, .softmax_backward_columns = softmax_backward_columns,
        .log_softmax_columns = log_softmax_columns, .log_softmax_backward_columns = log_softmax_backward_columns,
        .lanes = VW,
        .cross_entropy = cross_entropy, .cross_entropy_backward = cross_entropy_backward,
        .argmax = {argmax_f32, argmax_bf16}, .greater = {greater_f32, greater_bf16},
    };
    return &table;
}
