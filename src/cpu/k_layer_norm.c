/* SPDX-License-Identifier: Apache-2.0 */
/* layer_norm and its gradient on rows that lie together in memory: the last axis of plain tensors, the channels of
 * NHWC. The sums over rows (dscale, dshift) are taken in units of rows that depend on the shape only: f32 within a
 * unit, double between units, in order. */
#include "cpu/isa/layer_norm.h"
#include "ir/kernel.h"
#include "ops/layer_norm.h"
#include "ops/shape.h"

enum { MOST_ROWS = 256, LEAST_ROWS = 16, STREAM_BYTES = 16 << 20 };

typedef struct state {
    int64_t rows, n, unit, units;
    double eps;
    bool bf;
    void (*forward)(const fvi_ln_forward *, bool);
    void (*backward)(const fvi_ln_backward *, bool);
} state;

/* x is input k; inputs of its shape take its memory order, statistics and parameters are plain f32. */
static bool choose_like(fvi_query *q, int k)
{
    const fvi_layer_norm_attr *a = q->node->attr;
    const fvi_type *x = &q->in[k];
    const int axis = fvi_axis(a->axis, x->rank);
    if ((x->dtype != FV_F32 && x->dtype != FV_BF16) || fvi_type_numel(x) < 1) return false;
    const bool nhwc = x->rank == 4 && axis == 1;
    if (!nhwc && axis != x->rank - 1) return false;
    if (nhwc && !q->env->layouts && q->in_layout[k] != FVI_NHWC) return false;
    const fvi_layout l = nhwc ? FVI_NHWC : FVI_PLAIN;
    for (int i = 0; i < q->n_in + q->n_out; i++) {
        const fvi_type *t = i < q->n_in ? &q->in[i] : &q->out[i - q->n_in];
        const bool same = fvi_type_same_shape(t, x);
        if (t->dtype != (same ? x->dtype : FV_F32)) return false;
        *(i < q->n_in ? &q->in_layout[i] : &q->out_layout[i - q->n_in]) = same ? l : FVI_PLAIN;
    }
    return true;
}

static bool choose(fvi_query *q) { return choose_like(q, 0); }
static bool choose_backward(fvi_query *q) { return choose_like(q, 1); }

static fv_status make(const fvi_query *q, int k, state **out)
{
    const fvi_layer_norm_attr *a = q->node->attr;
    const fvi_type *x = &q->in[k];
    state *s = fvi_calloc(1, sizeof *s);
    if (!s) return fvi_nomem(q->env->ctx);
    s->n = x->dim[fvi_axis(a->axis, x->rank)];
    s->rows = fvi_type_numel(x) / s->n;
    s->eps = a->eps;
    s->bf = x->dtype == FV_BF16;
    s->unit = FVI_MAX(FVI_MIN(s->rows / 16, (int64_t)MOST_ROWS), (int64_t)LEAST_ROWS);
    s->units = (s->rows + s->unit - 1) / s->unit;
    s->forward = FVI_ISA_PICK(q->env->isa, fvi_ln_forward_rows);
    s->backward = FVI_ISA_PICK(q->env->isa, fvi_ln_backward_rows);
    *out = s;
    return FV_OK;
}

static fv_status prepare(const fvi_query *q, void **out, size_t *scratch)
{
    (void)scratch;
    state *s = NULL;
    FVI_TRY(q->env->ctx, make(q, 0, &s));
    *out = s;
    return FV_OK;
}

static fv_status prepare_backward(const fvi_query *q, void **out, size_t *scratch)
{
    state *s = NULL;
    FVI_TRY(q->env->ctx, make(q, 1, &s));
    *scratch = (size_t)(s->units * 2 * s->n) * sizeof(float);
    *out = s;
    return FV_OK;
}

static bool streams(const state *s, const void *out, const void *a, const void *b)
{
    const int64_t size = s->bf ? 2 : 4;
    return out != a && out != b && s->rows * s->n * size >= STREAM_BYTES && s->n * size % 64 == 0 &&
           (uintptr_t)out % 64 == 0;
}

static fv_status run(void *p, void *const *in, void *const *out, void *scratch, const fvi_exec *x)
{
    (void)scratch;
    const state *s = p;
    const int64_t size = s->bf ? 2 : 4;
    const bool stream = streams(s, out[0], in[0], NULL);
#pragma omp parallel for num_threads(x->threads) schedule(static) if (s->rows * s->n > 8192)
    for (int64_t u = 0; u < s->units; u++) {
        const int64_t row = u * s->unit, at = row * s->n * size;
        const fvi_ln_forward t = {.x = (const char *)in[0] + at, .y = (char *)out[0] + at, .scale = in[1],
                                  .shift = in[2], .mean = out[1] ? (float *)out[1] + row : NULL,
                                  .rstd = out[2] ? (float *)out[2] + row : NULL,
                                  .rows = FVI_MIN(s->unit, s->rows - row), .n = s->n, .eps = s->eps, .stream = stream};
        s->forward(&t, s->bf);
    }
    return FV_OK;
}

static fv_status run_backward(void *p, void *const *in, void *const *out, void *scratch, const fvi_exec *x)
{
    const state *s = p;
    const int64_t size = s->bf ? 2 : 4, n = s->n;
    const bool stream = streams(s, out[0], in[0], in[1]);
    float *partial = scratch;
#pragma omp parallel for num_threads(x->threads) schedule(static) if (s->rows * n > 8192)
    for (int64_t u = 0; u < s->units; u++) {
        const int64_t row = u * s->unit, at = row * n * size;
        float *sums = partial + u * 2 * n;
        memset(sums, 0, (size_t)(2 * n) * sizeof *sums);
        const fvi_ln_backward t = {.dy = (const char *)in[0] + at, .x = (const char *)in[1] + at,
                                   .dx = (char *)out[0] + at, .scale = in[4], .mean = (const float *)in[2] + row,
                                   .rstd = (const float *)in[3] + row, .dscale = sums, .dshift = sums + n,
                                   .rows = FVI_MIN(s->unit, s->rows - row), .n = n, .stream = stream};
        s->backward(&t, s->bf);
    }
    for (int64_t first = 0; first < 2 * n; first += 64) {      /* columns of dscale, then of dshift */
        const int64_t here = FVI_MIN((int64_t)64, 2 * n - first);
        double sum[64] = {0};
        for (int64_t u = 0; u < s->units; u++)
            for (int64_t i = 0; i < here; i++) sum[i] += (double)partial[u * 2 * n + first + i];
        for (int64_t i = first; i < first + here; i++) {
            float *to = out[i < n ? 1 : 2];
            if (to) to[i < n ? i : i - n] = (float)sum[i - first];
        }
    }
    return FV_OK;
}

static const fvi_kernel forward = {.name = "layer_norm", .op = "layer_norm", .priority = 20, .choose = choose,
                                   .prepare = prepare, .run = run, .destroy = fvi_free, .inplace = {1}};
static const fvi_kernel backward = {.name = "layer_norm", .op = "layer_norm_backward", .priority = 20,
                                    .choose = choose_backward, .prepare = prepare_backward, .run = run_backward,
                                    .destroy = fvi_free, .inplace = {1}};
FVI_KERNELS(k_layer_norm, &forward, &backward);
