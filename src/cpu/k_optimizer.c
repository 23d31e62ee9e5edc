/* SPDX-License-Identifier: Apache-2.0 */
/* sgd, adam, ema and sum_squares in f32, in any memory order that all tensors of the op share (padding stays zero).
 * Many parameters come as one group: the segments are cut in grains and shared out in one parallel region. Updates are
 * elementwise and sums have fixed chunks, so nothing depends on the number of threads. */
#include "cpu/isa/optimizer.h"

#include "ops/optimizer.h"

#include <math.h>
#include <omp.h>

enum { GRAIN = 8192, MAX_TENSORS = 4 };

typedef struct state {
    int64_t n;                         /* elements, padding included */
    int tensors, outputs;              /* leading tensor inputs, tensor outputs */
    const void *attr;
    /* scalars of a call to numbers; returns false when everything stays (skip) */
    bool (*numbers)(const struct state *s, void *const *in, void *const *out, fvi_update_numbers *k);
    void (*stream)(const float *const *in, float *const *out, int64_t n, const fvi_update_numbers *k);
    double (*squares)(const float *x, int64_t n);
    fvi_update_numbers k;              /* of the call under way */
    bool skip;
    double *partial;                   /* sum_squares: one a grain; owned */
} state;

static float scalar(void *const *in, int i) { return *(const float *)in[i]; }
static void put(void *const *out, int i, float x) { *(float *)out[i] = x; }

static bool sgd_numbers(const state *s, void *const *in, void *const *out, fvi_update_numbers *k)
{
    const fvi_sgd_attr *a = s->attr;
    const float step = scalar(in, 3), momentum = scalar(in, 5);
    const bool skip = scalar(in, 7) != 0;
    put(out, 2, skip ? step : step + 1);
    const bool first = step == 0;
    *k = (fvi_update_numbers){.gscale = scalar(in, 6), .decay = (float)a->weight_decay,
                              .rate = (float)(a->lr_scale * (double)scalar(in, 4)), .momentum = first ? 0 : momentum,
                              .damp = first ? 1 : (float)(1 - a->dampening), .lookahead = momentum,
                              .plain = momentum == 0, .nesterov = a->nesterov};
    return !skip;
}

static bool adam_numbers(const state *s, void *const *in, void *const *out, fvi_update_numbers *k)
{
    const fvi_adam_attr *a = s->attr;
    const double t = (double)scalar(in, 4) + 1, lr = a->lr_scale * (double)scalar(in, 5), beta1 = (double)scalar(in, 6);
    const bool skip = scalar(in, 8) != 0;
    put(out, 3, (float)(skip ? t - 1 : t));
    *k = (fvi_update_numbers){.gscale = scalar(in, 7), .keep = a->decoupled ? (float)(1 - lr * a->weight_decay) : 1,
                              .decay = a->decoupled ? 0 : (float)a->weight_decay,
                              .rate = (float)(lr / (1 - pow(beta1, t))), .beta1_rest = (float)(1 - beta1),
                              .beta2 = (float)a->beta2, .beta2_rest = (float)(1 - a->beta2),
                              .inv_root = (float)(1 / sqrt(1 - pow(a->beta2, t))), .eps = (float)a->eps};
    return !skip;
}

static bool ema_numbers(const state *s, void *const *in, void *const *out, fvi_update_numbers *k)
{
    (void)s, (void)out;
    *k = (fvi_update_numbers){.rate = 1 - scalar(in, 2)};
    return scalar(in, 3) == 0;
}

/* ---- planning ---- */

static bool choose_update(fvi_query *q, int tensors, int outputs)
{
    for (int i = 0; i < q->n_in; i++) {
        if (q->in[i].dtype != FV_F32 || (i >= tensors && q->in[i].rank)) return false;
        q->in_layout[i] = i < tensors ? q->in_layout[0] : FVI_PLAIN;
    }
    for (int i = 0; i < q->n_out; i++) q->out_layout[i] = i < outputs ? q->in_layout[0] : FVI_PLAIN;
    return q->in_layout[0] != FVI_OPAQUE;
}

static bool choose_sgd(fvi_query *q) { return choose_update(q, 3, 2); }
static bool choose_adam(fvi_query *q) { return choose_update(q, 4, 3); }
static bool choose_ema(fvi_query *q) { return choose_update(q, 2, 1); }

static bool choose_squares(fvi_query *q)
{
    q->out_layout[0] = FVI_PLAIN;
    return q->in[0].dtype == FV_F32 && q->out[0].dtype == FV_F32 && q->in_layout[0] != FVI_OPAQUE;
}

static fv_status make(const fvi_query *q, state **out)
{
    *out = fvi_calloc(1, sizeof **out);
    if (!*out) return fvi_nomem(q->env->ctx);
    (*out)->n = fvi_layout_elements(q->in_layout[0], &q->in[0]);
    (*out)->attr = q->node->attr;
    return FV_OK;
}

static fv_status prepare_sgd(const fvi_query *q, void **out, size_t *scratch)
{
    state *s = NULL;
    FVI_TRY(q->env->ctx, make(q, &s));
    s->tensors = 3, s->outputs = 2, s->numbers = sgd_numbers;
    s->stream = FVI_ISA_PICK(q->env->isa, fvi_update_sgd);
    *out = s;
    *scratch = 0;
    return FV_OK;
}

static fv_status prepare_adam(const fvi_query *q, void **out, size_t *scratch)
{
    state *s = NULL;
    FVI_TRY(q->env->ctx, make(q, &s));
    s->tensors = 4, s->outputs = 3, s->numbers = adam_numbers;
    s->stream = FVI_ISA_PICK(q->env->isa, fvi_update_adam);
    *out = s;
    *scratch = 0;
    return FV_OK;
}

static fv_status prepare_ema(const fvi_query *q, void **out, size_t *scratch)
{
    state *s = NULL;
    FVI_TRY(q->env->ctx, make(q, &s));
    s->tensors = 2, s->outputs = 1, s->numbers = ema_numbers;
    s->stream = FVI_ISA_PICK(q->env->isa, fvi_update_ema);
    *out = s;
    *scratch = 0;
    return FV_OK;
}

static int64_t grains(int64_t n) { return (n + GRAIN - 1) / GRAIN; }

static void destroy(void *p)
{
    if (p) fvi_free(((state *)p)->partial);
    fvi_free(p);
}

static fv_status prepare_squares(const fvi_query *q, void **out, size_t *scratch)
{
    state *s = NULL;
    FVI_TRY(q->env->ctx, make(q, &s));
    s->squares = FVI_ISA_PICK(q->env->isa, fvi_sum_of_squares);
    s->partial = fvi_calloc((size_t)grains(s->n) + 1, sizeof *s->partial);
    if (!s->partial) {
        destroy(s);
        return fvi_nomem(q->env->ctx);
    }
    *out = s;
    *scratch = 0;
    return FV_OK;
}

/* ---- running ---- */

static void update_grain(const state *s, void *const *in, void *const *out, int64_t grain)
{
    const int64_t from = grain * GRAIN, n = FVI_MIN(s->n - from, GRAIN);
    const float *x[MAX_TENSORS];
    float *y[MAX_TENSORS];
    for (int i = 0; i < s->tensors; i++) x[i] = (const float *)in[i] + from;
    for (int i = 0; i < s->outputs; i++) y[i] = (float *)out[i] + from;
    if (!s->skip) s->stream(x, y, n, &s->k);
    else
        for (int i = 0; i < s->outputs; i++) {
            /* outputs follow p, buf and p, m, v: input 0, then those behind g */
            const float *kept = x[i ? i + 1 : 0];
            if (y[i] != kept) memcpy(y[i], kept, (size_t)n * sizeof *kept);
        }
}

static void squares_grain(const state *s, const float *x, int64_t grain)
{
    const int64_t from = grain * GRAIN;
    s->partial[grain] = s->squares(x + from, FVI_MIN(s->n - from, GRAIN));
}

/* Grains of all segments in order; thread t takes the t-th part. */
static void share_out(int n, void **states, void *const *const *in, void *const *const *out, int64_t total, int threads)
{
#pragma omp parallel num_threads(threads) if (total > 4 && threads > 1)
    {
        const int64_t id = omp_get_thread_num(), count = omp_get_num_threads();
        int64_t at = total * id / count, end = total * (id + 1) / count, before = 0;
        for (int i = 0; i < n && at < end; i++) {
            const state *s = states[i];
            const int64_t here = grains(s->n);
            for (; at < end && at < before + here; at++) {
                if (s->squares) squares_grain(s, in[i][0], at - before);
                else update_grain(s, in[i], out[i], at - before);
            }
            before += here;
        }
    }
}

static fv_status run_group(int n, void **states, void *const *const *in, void *const *const *out, const fvi_exec *x)
{
    int64_t total = 0;
    for (int i = 0; i < n; i++) {
        state *s = states[i];
        total += grains(s->n);
        if (s->numbers) s->skip = !s->numbers(s, in[i], out[i], &s->k);
    }
    share_out(n, states, in, out, total, x->threads);
    for (int i = 0; i < n; i++) {
        const state *s = states[i];
        if (!s->squares) continue;
        double sum = 0;
        for (int64_t k = 0; k < grains(s->n); k++) sum += s->partial[k];
        put(out[i], 0, (float)sum);
    }
    return FV_OK;
}

static fv_status run(void *p, void *const *in, void *const *out, void *scratch, const fvi_exec *x)
{
    (void)scratch;
    return run_group(1, &p, &in, &out, x);
}

static const fvi_kernel sgd = {.name = "sgd", .op = "sgd", .priority = 10, .choose = choose_sgd, .prepare = prepare_sgd,
                               .run = run, .run_group = run_group, .destroy = destroy, .inplace = {1, 3, 4}};
static const fvi_kernel adam = {.name = "adam", .op = "adam", .priority = 10, .choose = choose_adam,
                                .prepare = prepare_adam, .run = run, .run_group = run_group, .destroy = destroy,
                                .inplace = {1, 3, 4, 5}};
static const fvi_kernel ema = {.name = "ema", .op = "ema", .priority = 10, .choose = choose_ema, .prepare = prepare_ema,
                               .run = run, .run_group = run_group, .destroy = destroy, .inplace = {1}};
static const fvi_kernel squares = {.name = "sum_squares", .op = "sum_squares", .priority = 10, .choose = choose_squares,
                                   .prepare = prepare_squares, .run = run, .run_group = run_group, .destroy = destroy};
FVI_KERNELS(k_optimizer, &sgd, &adam, &ema, &squares);
