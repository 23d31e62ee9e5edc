/* SPDX-License-Identifier: Apache-2.0 */
/* gather and take_along for elements of every type, index_add and scatter_add in f32, on plain tensors seen as (outer, n, inner).
 * What is added is cut by outer and inner, so that each element is made by one thread in the order of the index. */
#include "ir/kernel.h"
#include "ops/index.h"

enum { PIECE = 1024, THREADED = 16384 };

typedef struct state {
    int64_t outer, n, inner, count;    /* count: indices, or those along the axis */
    size_t size;                       /* of an element */
    bool narrow;                       /* the index is i32 */
} state;

static int64_t index_at(const state *s, const void *index, int64_t i)
{
    return s->narrow ? ((const int32_t *)index)[i] : ((const int64_t *)index)[i];
}

static bool inside(const state *s, int64_t at) { return at >= 0 && at < s->n; }

/* ---- choice ------------------------------------------------------------------------------------------------------- */

static bool choose(fvi_query *q)
{
    for (int k = 0; k < q->n_in; k++) {
        if (q->in[k].rank && q->in[k].dim[0] == FV_RAGGED) return false;
        q->in_layout[k] = FVI_PLAIN;
    }
    q->out_layout[0] = FVI_PLAIN;
    return fvi_type_numel(&q->out[0]) > 0 && fvi_type_numel(&q->in[0]) > 0;
}

static bool choose_add(fvi_query *q) { return q->out[0].dtype == FV_F32 && choose(q); }

static fv_status make(const fvi_query *q, bool along, void **out)
{
    const fvi_type *x = &q->in[0], *index = &q->in[1];
    const int axis = fvi_axis(((const fvi_gather_attr *)q->node->attr)->axis, x->rank);
    state *s = fvi_calloc(1, sizeof *s);
    if (!s) return fvi_nomem(q->env->ctx);
    *s = (state){fvi_outer(x, axis), x->dim[axis], fvi_inner(x, axis), along ? index->dim[axis] : fvi_type_numel(index),
                 fv_dtype_size(x->dtype), index->dtype == FV_I32};
    *out = s;
    return FV_OK;
}

static fv_status prepare_slices(const fvi_query *q, void **out, size_t *scratch)
{
    (void)scratch;
    return make(q, false, out);
}

static fv_status prepare_along(const fvi_query *q, void **out, size_t *scratch)
{
    (void)scratch;
    return make(q, true, out);
}

/* ---- run ---------------------------------------------------------------------------------------------------------- */

static fv_status run_gather(void *p, void *const *in, void *const *out, void *scratch, const fvi_exec *x)
{
    (void)scratch;
    const state *s = p;
    const size_t row = (size_t)s->inner * s->size;
    const int64_t total = s->outer * s->count;
#pragma omp parallel for num_threads(x->threads) schedule(static) if (total * s->inner > THREADED)
    for (int64_t t = 0; t < total; t++) {
        const int64_t at = index_at(s, in[1], t % s->count);
        char *to = (char *)out[0] + (size_t)t * row;
        if (inside(s, at)) memcpy(to, (const char *)in[0] + (size_t)(t / s->count * s->n + at) * row, row);
        else memset(to, 0, row);
    }
    return FV_OK;
}

#define TAKE(T)                                                                                              \
    for (int64_t j = 0; j < s->inner; j++) {                                                                 \
        const int64_t at = index_at(s, in[1], t * s->inner + j);                                             \
        ((T *)out[0])[t * s->inner + j] = inside(s, at) ? ((const T *)in[0])[(first + at) * s->inner + j] : 0; \
    }

static fv_status run_take_along(void *p, void *const *in, void *const *out, void *scratch, const fvi_exec *x)
{
    (void)scratch;
    const state *s = p;
    const int64_t total = s->outer * s->count;
#pragma omp parallel for num_threads(x->threads) schedule(static) if (total * s->inner > THREADED)
    for (int64_t t = 0; t < total; t++) {
        const int64_t first = t / s->count * s->n;
        if (s->size == 1) TAKE(uint8_t)
        else if (s->size == 2) TAKE(uint16_t)
        else if (s->size == 4) TAKE(uint32_t)
        else TAKE(uint64_t)
    }
    return FV_OK;
}

/* Piece `t` of the columns: elements [*from, *end) of the inner part of one outer index, which is returned. */
static int64_t piece(const state *s, int64_t t, int64_t pieces, int64_t *from, int64_t *end)
{
    *from = t % pieces * PIECE;
    *end = FVI_MIN(*from + PIECE, s->inner);
    return t / pieces;
}

static fv_status run_add(const state *s, void *const *in, float *y, bool along, const fvi_exec *x)
{
    const int64_t pieces = (s->inner + PIECE - 1) / PIECE, work = s->outer * (s->n + s->count) * s->inner;
#pragma omp parallel for num_threads(x->threads) schedule(static) if (work > THREADED)
    for (int64_t t = 0; t < s->outer * pieces; t++) {
        int64_t from, end;
        const int64_t o = piece(s, t, pieces, &from, &end);
        float *to = y + o * s->n * s->inner;
        const float *base = (const float *)in[0] + o * s->n * s->inner, *src = (const float *)in[2] + o * s->count * s->inner;
        for (int64_t i = 0; i < s->n && to != base; i++)
            memcpy(to + i * s->inner + from, base + i * s->inner + from, (size_t)(end - from) * sizeof *to);
        for (int64_t i = 0; i < s->count && !along; i++) {
            const int64_t at = index_at(s, in[1], i);
            for (int64_t j = from; j < end && inside(s, at); j++) to[at * s->inner + j] += src[i * s->inner + j];
        }
        for (int64_t i = 0; i < s->count && along; i++)
            for (int64_t j = from; j < end; j++) {
                const int64_t at = index_at(s, in[1], (o * s->count + i) * s->inner + j);
                if (inside(s, at)) to[at * s->inner + j] += src[i * s->inner + j];
            }
    }
    return FV_OK;
}

static fv_status run_index_add(void *p, void *const *in, void *const *out, void *scratch, const fvi_exec *x)
{
    (void)scratch;
    return run_add(p, in, out[0], false, x);
}

static fv_status run_scatter_add(void *p, void *const *in, void *const *out, void *scratch, const fvi_exec *x)
{
    (void)scratch;
    return run_add(p, in, out[0], true, x);
}

#define KERNEL(id, choose_, prepare_, ...)                                                                               \
    static const fvi_kernel id = {.name = "index", .op = #id, .priority = 10, .choose = choose_, .prepare = prepare_,    \
                                  .run = run_##id, .destroy = fvi_free, __VA_ARGS__}
KERNEL(gather, choose, prepare_slices, .inplace = {0});
KERNEL(take_along, choose, prepare_along, .inplace = {0});
KERNEL(index_add, choose_add, prepare_slices, .inplace = {1});
KERNEL(scatter_add, choose_add, prepare_along, .inplace = {1});
FVI_KERNELS(k_index, &gather, &take_along, &index_add, &scatter_add);
