/* SPDX-License-Identifier: Apache-2.0 */
/* Pooling by our own loops (isa/pool.c) in any activation layout: blocked ones and channels-last in vectors of
 * channels, plain ones a channel at a time. Units (an image, up to 16 channels) and bands of rows are spread over the
 * threads; every element has one writer and a fixed order of additions, so results do not depend on the number of
 * threads. */
#include "cpu/isa/pool.h"
#include "ops/pool2d.h"

#include <omp.h>

enum { BANDS = 8 };                    /* row bands of a unit when there are few units */

typedef struct pool {
    const fvi_pool_table *table;
    fvi_pool_span span;                /* lanes, valid: set by unit */
    int64_t units, chunks, channels;   /* units = images (and channel blocks) x chunks of 16 channels */
    int64_t x_unit, y_unit;            /* elements of x and y of one image (and block) */
    int block;                         /* channels of a block; 0: channels-last; 1: plain */
    int64_t blocks;                    /* channel blocks of an image */
    bool bf;
    size_t acc_bytes;                  /* scratch of one thread */
    int threads;
    int32_t *tables;
} pool;

static bool activation_layout(fvi_layout l)
{
    return l == FVI_PLAIN || l == FVI_NHWC || l == FVI_NCHW16C || l == FVI_NCHW8C;
}

static void destroy(void *state)
{
    pool *p = state;
    if (!p) return;
    fvi_free(p->tables);
    fvi_free(p);
}

/* ---- choosing: whatever order x (or dy) has ---------------------------------------------------------------------- */

static bool choose_types(const fvi_query *q)
{
    const fv_dtype t = q->in[0].dtype;
    if ((t != FV_F32 && t != FV_BF16) || q->out[0].dtype != t) return false;
    return fvi_type_numel(&q->in[0]) > 0 && q->in[0].dim[2] * q->in[0].dim[3] < INT32_MAX &&
           q->out[0].dim[2] * q->out[0].dim[3] < INT32_MAX;
}

static bool choose(fvi_query *q)
{
    if (!choose_types(q)) return false;
    const fvi_layout l = q->env->layouts && activation_layout(q->in_layout[0]) ? q->in_layout[0] : FVI_PLAIN;
    for (int i = 0; i < q->n_in; i++) q->in_layout[i] = l;
    for (int i = 0; i < q->n_out; i++) q->out_layout[i] = l;
    return true;
}

/* (N, C, 1, 1) has the same bytes in this order as plain. */
static bool like_plain(fvi_layout l, int64_t channels)
{
    return l == FVI_PLAIN || l == FVI_NHWC || channels % fvi_layout_block(l) == 0;
}

static bool choose_mean(fvi_query *q)
{
    if (!choose(q)) return false;
    if (like_plain(q->in_layout[0], q->in[0].dim[1])) q->out_layout[0] = FVI_PLAIN;
    return true;
}

/* From plain: into the order that convolutions like. */
static bool choose_mean_backward(fvi_query *q)
{
    if (!choose(q)) return false;
    const fvi_layout l = q->env->conv_layout;
    if (q->env->layouts && q->in_layout[0] == FVI_PLAIN && activation_layout(l) && like_plain(l, q->in[0].dim[1]))
        q->out_layout[0] = l;
    return true;
}

/* ---- preparing --------------------------------------------------------------------------------------------------- */

/* Windows of one axis into tables cut from *at. */
static void fill_axis(const fvi_pool2d_attr *a, int axis, int64_t in, int64_t out, fvi_pool_axis *t, int32_t **at)
{
    t->from = *at;
    t->to = t->from + out;
    t->share = (float *)(void *)(t->to + out);
    t->first = t->to + 2 * out;
    t->last = t->first + in;
    *at = t->last + in;
    for (int64_t i = 0; i < in; i++) t->first[i] = t->last[i] = 0;
    for (int64_t o = 0; o < out; o++) {
        int64_t from, to;
        const int64_t length = fvi_pool2d_window(a, axis, o, in, &from, &to);
        t->from[o] = (int32_t)from;
        t->to[o] = (int32_t)to;
        t->share[o] = 1.0f / (float)(a->count_include_pad ? length : to - from);
        for (int64_t i = from; i < to; i++) {
            if (!t->last[i]) t->first[i] = (int32_t)o;
            t->last[i] = (int32_t)o + 1;
        }
    }
}

/* x and y in the sense of the forward op. */
static fv_status make(const fvi_query *q, const fvi_type *x, const fvi_type *y, const fvi_pool2d_attr *a, pool **out)
{
    pool *p = fvi_calloc(1, sizeof *p);
    if (!p) return fvi_nomem(q->env->ctx);
    const fvi_layout l = q->in_layout[0] == FVI_PLAIN ? q->out_layout[0] : q->in_layout[0];
    p->table = FVI_ISA_PICK(q->env->isa, fvi_pool_functions)();
    p->bf = x->dtype == FV_BF16;
    p->threads = q->env->threads;
    p->channels = x->dim[1];
    p->block = l == FVI_PLAIN ? 1 : l == FVI_NHWC ? 0 : fvi_layout_block(l);
    p->blocks = p->block ? (p->channels + p->block - 1) / p->block : 1;
    p->chunks = p->block ? 1 : (p->channels + 15) / 16;
    p->units = x->dim[0] * p->blocks * p->chunks;
    p->span = (fvi_pool_span){.h = x->dim[2], .w = x->dim[3], .oh = y->dim[2], .ow = y->dim[3],
                              .step = p->block ? p->block : p->channels};
    p->x_unit = p->span.h * p->span.w * p->span.step;
    p->y_unit = p->span.oh * p->span.ow * p->span.step;
    *out = p;
    if (!a) return FV_OK;
    p->tables = fvi_malloc((size_t)(2 * (p->span.h + p->span.w) + 3 * (p->span.oh + p->span.ow)) * sizeof *p->tables);
    if (!p->tables) {
        destroy(p);
        *out = NULL;
        return fvi_nomem(q->env->ctx);
    }
    int32_t *at = p->tables;
    fill_axis(a, 0, p->span.h, p->span.oh, &p->span.row, &at);
    fill_axis(a, 1, p->span.w, p->span.ow, &p->span.column, &at);
    return FV_OK;
}

static fv_status prepare_forward(const fvi_query *q, void **state, size_t *scratch_bytes)
{
    (void)scratch_bytes;
    pool *p = NULL;
    FVI_TRY(q->env->ctx, make(q, &q->in[0], &q->out[0], q->node->attr, &p));
    *state = p;
    return FV_OK;
}

static fv_status prepare_backward(const fvi_query *q, void **state, size_t *scratch_bytes)
{
    (void)scratch_bytes;
    pool *p = NULL;
    FVI_TRY(q->env->ctx, make(q, &q->out[0], &q->in[0], q->node->attr, &p));
    *state = p;
    return FV_OK;
}

static fv_status prepare_max_backward(const fvi_query *q, void **state, size_t *scratch_bytes)
{
    pool *p = NULL;
    FVI_TRY(q->env->ctx, make(q, &q->out[0], &q->in[0], q->node->attr, &p));
    p->acc_bytes = p->bf ? (size_t)(p->span.h * p->span.w) * 16 * sizeof(float) : 0;
    *scratch_bytes = p->acc_bytes * (size_t)p->threads;
    *state = p;
    return FV_OK;
}

static fv_status prepare_mean(const fvi_query *q, void **state, size_t *scratch_bytes)
{
    (void)scratch_bytes;
    pool *p = NULL;
    FVI_TRY(q->env->ctx, make(q, &q->in[0], &q->out[0], NULL, &p));
    *state = p;
    return FV_OK;
}

static fv_status prepare_mean_backward(const fvi_query *q, void **state, size_t *scratch_bytes)
{
    (void)scratch_bytes;
    pool *p = NULL;
    FVI_TRY(q->env->ctx, make(q, &q->out[0], &q->in[0], NULL, &p));
    *state = p;
    return FV_OK;
}

/* ---- running ----------------------------------------------------------------------------------------------------- */

/* The span of unit u and where it begins in x and y, in elements. */
static fvi_pool_span unit_of(const pool *p, int64_t u, int64_t *x, int64_t *y)
{
    fvi_pool_span s = p->span;
    const int64_t image = u / p->chunks, chunk = u % p->chunks;      /* image: and block */
    *x = image * p->x_unit + chunk * 16;
    *y = image * p->y_unit + chunk * 16;
    s.lanes = p->block ? p->block : (int)FVI_MIN(16, p->channels - chunk * 16);
    s.valid = s.lanes;
    if (p->block > 1) s.valid = (int)FVI_MIN(p->block, p->channels - image % p->blocks * p->block);
    return s;
}

static inline void *at(void *p, int64_t i, bool bf) { return (char *)p + i * (bf ? 2 : 4); }
static int bands_of(const pool *p, int threads) { return p->units >= 4 * threads ? 1 : BANDS; }

static fv_status run_max(void *state, void *const *in, void *const *out, void *scratch, const fvi_exec *x)
{
    (void)scratch;
    const pool *p = state;
    const int bands = bands_of(p, x->threads);
#pragma omp parallel for collapse(2) num_threads(x->threads) schedule(static)
    for (int64_t u = 0; u < p->units; u++)
        for (int b = 0; b < bands; b++) {
            int64_t from, to;
            const fvi_pool_span s = unit_of(p, u, &from, &to);
            p->table->max[p->bf](&s, at(in[0], from, p->bf), at(out[0], to, p->bf),
                                 out[1] ? (int64_t *)out[1] + to : NULL, s.oh * b / bands, s.oh * (b + 1) / bands);
        }
    return FV_OK;
}

static fv_status run_max_backward(void *state, void *const *in, void *const *out, void *scratch, const fvi_exec *x)
{
    const pool *p = state;
#pragma omp parallel for num_threads(x->threads) schedule(static)
    for (int64_t u = 0; u < p->units; u++) {
        int64_t to, from;
        const fvi_pool_span s = unit_of(p, u, &to, &from);
        float *acc = p->acc_bytes ? (float *)(void *)((char *)scratch + p->acc_bytes * (size_t)omp_get_thread_num())
                                  : NULL;
        p->table->max_backward[p->bf](&s, at(in[0], from, p->bf), (const int64_t *)in[1] + from, at(out[0], to, p->bf),
                                      acc);
    }
    return FV_OK;
}

static fv_status run_average(void *state, void *const *in, void *const *out, void *scratch, const fvi_exec *x)
{
    (void)scratch;
    const pool *p = state;
    const int bands = bands_of(p, x->threads);
#pragma omp parallel for collapse(2) num_threads(x->threads) schedule(static)
    for (int64_t u = 0; u < p->units; u++)
        for (int b = 0; b < bands; b++) {
            int64_t from, to;
            const fvi_pool_span s = unit_of(p, u, &from, &to);
            p->table->average[p->bf](&s, at(in[0], from, p->bf), at(out[0], to, p->bf), s.oh * b / bands,
                                     s.oh * (b + 1) / bands);
        }
    return FV_OK;
}

static fv_status run_average_backward(void *state, void *const *in, void *const *out, void *scratch, const fvi_exec *x)
{
    (void)scratch;
    const pool *p = state;
    const int bands = bands_of(p, x->threads);
#pragma omp parallel for collapse(2) num_threads(x->threads) schedule(static)
    for (int64_t u = 0; u < p->units; u++)
        for (int b = 0; b < bands; b++) {
            int64_t to, from;
            const fvi_pool_span s = unit_of(p, u, &to, &from);
            p->table->average_backward[p->bf](&s, at(in[0], from, p->bf), at(out[0], to, p->bf), s.h * b / bands,
                                              s.h * (b + 1) / bands);
        }
    return FV_OK;
}

static fv_status run_mean(void *state, void *const *in, void *const *out, void *scratch, const fvi_exec *x)
{
    (void)scratch;
    const pool *p = state;
#pragma omp parallel for num_threads(x->threads) schedule(static)
    for (int64_t u = 0; u < p->units; u++) {
        int64_t from, to;
        const fvi_pool_span s = unit_of(p, u, &from, &to);
        p->table->mean[p->bf](&s, at(in[0], from, p->bf), at(out[0], to, p->bf));
    }
    return FV_OK;
}

static fv_status run_mean_backward(void *state, void *const *in, void *const *out, void *scratch, const fvi_exec *x)
{
    (void)scratch;
    const pool *p = state;
#pragma omp parallel for num_threads(x->threads) schedule(static)
    for (int64_t u = 0; u < p->units; u++) {
        int64_t to, from;
        const fvi_pool_span s = unit_of(p, u, &to, &from);
        p->table->mean_backward[p->bf](&s, at(in[0], from, p->bf), at(out[0], to, p->bf));
    }
    return FV_OK;
}

static const fvi_kernel max_pool = {.name = "max_pool", .op = "max_pool2d", .priority = 10, .choose = choose,
    .prepare = prepare_forward, .run = run_max, .destroy = destroy, .skips_unused = true};
static const fvi_kernel max_pool_backward = {.name = "max_pool_backward", .op = "max_pool2d_backward", .priority = 10,
    .choose = choose, .prepare = prepare_max_backward, .run = run_max_backward, .destroy = destroy};
static const fvi_kernel average_pool = {.name = "avg_pool", .op = "avg_pool2d", .priority = 10, .choose = choose,
    .prepare = prepare_forward, .run = run_average, .destroy = destroy};
static const fvi_kernel average_pool_backward = {.name = "avg_pool_backward", .op = "avg_pool2d_backward",
                                                 .priority = 10, .choose = choose, .prepare = prepare_backward,
                                                 .run = run_average_backward, .destroy = destroy};
static const fvi_kernel mean_pool = {.name = "global_avg_pool", .op = "global_avg_pool2d", .priority = 10,
                                     .choose = choose_mean, .prepare = prepare_mean, .run = run_mean,
                                     .destroy = destroy};
static const fvi_kernel mean_pool_backward = {.name = "global_avg_pool_backward", .op = "global_avg_pool2d_backward",
                                              .priority = 10, .choose = choose_mean_backward,
                                              .prepare = prepare_mean_backward, .run = run_mean_backward,
                                              .destroy = destroy};

FVI_KERNELS(k_pool, &max_pool, &max_pool_backward, &average_pool, &average_pool_backward, &mean_pool,
            &mean_pool_backward);
