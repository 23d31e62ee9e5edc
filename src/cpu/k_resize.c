/* SPDX-License-Identifier: Apache-2.0 */
/* resize and resize_backward, f32 and bf16, in every memory order of activations: seen as (outer, height, width, inner). Each
 * row of the result is a weighted sum of rows, made in a buffer, and then of columns of it. Backward uses the transposed lists,
 * so that each element is made by one thread in a fixed order. */
#include "cpu/isa/elementwise.h"
#include "ops/resize.h"

#include <omp.h>

/* For each place of the result a list of places of the source with weights: entries first[i] .. first[i + 1]. */
typedef struct lists { int64_t count, *first, *at; float *weight; } lists;

typedef struct state {
    lists rows, columns;
    int64_t outer, inner, in_h, in_w, out_h, out_w;
    bool low;
    void (*widen)(const uint16_t *, float *, int64_t);
    void (*narrow)(const float *, uint16_t *, int64_t);
} state;

/* ---- lists -------------------------------------------------------------------------------------------------------- */

/* From `out` places of the result to `in` of x; back: from places of x to those of the result. */
static bool make_lists(const fvi_resize_attr *a, int axis, int64_t in, int64_t out, bool back, lists *l)
{
    const int64_t count = back ? in : out;
    *l = (lists){.count = count, .first = fvi_calloc((size_t)count + 2, sizeof *l->first), .at = fvi_malloc((size_t)out * 4 * sizeof *l->at),
                 .weight = fvi_malloc((size_t)out * 4 * sizeof *l->weight)};
    if (!l->first || !l->at || !l->weight) return false;
    for (int64_t i = 0; i < out; i++) {                  /* lengths, two entries on */
        const fvi_resize_taps t = fvi_resize_taps_of(a, axis, in, out, i);
        for (int k = 0; k < t.n; k++) l->first[(back ? t.at[k] : i) + 2]++;
    }
    for (int64_t i = 2; i < count + 2; i++) l->first[i] += l->first[i - 1];
    for (int64_t i = 0; i < out; i++) {
        const fvi_resize_taps t = fvi_resize_taps_of(a, axis, in, out, i);
        for (int k = 0; k < t.n; k++) {
            const int64_t to = l->first[(back ? t.at[k] : i) + 1]++;
            l->at[to] = back ? i : t.at[k];
            l->weight[to] = (float)t.weight[k];
        }
    }
    return true;
}

static void free_lists(lists *l)
{
    fvi_free(l->first);
    fvi_free(l->at);
    fvi_free(l->weight);
}

/* ---- choice ------------------------------------------------------------------------------------------------------- */

static bool choose(fvi_query *q)
{
    const fv_dtype d = q->in[0].dtype;
    const fvi_layout l = q->in_layout[0];
    if ((d != FV_F32 && d != FV_BF16) || fvi_type_numel(&q->in[0]) < 1 || fvi_type_numel(&q->out[0]) < 1) return false;
    if (l != FVI_NHWC && fvi_layout_block(l) == 1) q->in_layout[0] = FVI_PLAIN;
    q->out_layout[0] = q->in_layout[0];
    return true;
}

static void destroy(void *p)
{
    state *s = p;
    free_lists(&s->rows);
    free_lists(&s->columns);
    fvi_free(s);
}

static fv_status prepare(const fvi_query *q, void **out, size_t *scratch)
{
    const fvi_type *x = &q->in[0], *y = &q->out[0];
    const fvi_resize_attr *a = q->node->attr;
    const fvi_layout l = q->in_layout[0];
    const bool back = fvi_node_is(q->node, "resize_backward");
    const int64_t block = fvi_layout_block(l), *from = &x->dim[2], *to = &y->dim[2];
    state *s = fvi_calloc(1, sizeof *s);
    if (!s) return fvi_nomem(q->env->ctx);
    s->inner = l == FVI_NHWC ? x->dim[1] : block;
    s->outer = x->dim[0] * (l == FVI_NHWC ? 1 : (x->dim[1] + block - 1) / block);
    s->in_h = from[0], s->in_w = from[1], s->out_h = to[0], s->out_w = to[1];
    s->low = x->dtype == FV_BF16;
    s->widen = FVI_ISA_PICK(q->env->isa, fvi_ew_widen);
    s->narrow = FVI_ISA_PICK(q->env->isa, fvi_ew_narrow);
    *scratch = (size_t)(q->env->threads * (2 * s->in_w + s->out_w) * s->inner) * sizeof(float);
    const int64_t *small = back ? to : from, *large = back ? from : to;
    if (!make_lists(a, 0, small[0], large[0], back, &s->rows) || !make_lists(a, 1, small[1], large[1], back, &s->columns)) {
        destroy(s);
        return fvi_nomem(q->env->ctx);
    }
    *out = s;
    return FV_OK;
}

/* ---- run ---------------------------------------------------------------------------------------------------------- */

/* Row i of the result before its columns are put together; in `sum`, or where it lies when it is one row as it is. */
static const float *sum_of_rows(const state *s, const char *plane, int64_t i, float *sum, float *wide)
{
    const int64_t first = s->rows.first[i], end = s->rows.first[i + 1], n = s->in_w * s->inner;
    const size_t bytes = (size_t)n * (s->low ? 2 : 4);
    if (end == first) memset(sum, 0, (size_t)n * sizeof *sum);
    for (int64_t k = first; k < end; k++) {
        const float w = s->rows.weight[k];
        const char *at = plane + (size_t)s->rows.at[k] * bytes;
        const float *row = s->low ? wide : (const float *)(const void *)at;
        if (s->low) s->widen((const uint16_t *)(const void *)at, wide, n);
        if (end == first + 1 && w == 1) return row;
        if (k == first)
            for (int64_t j = 0; j < n; j++) sum[j] = w * row[j];
        else
            for (int64_t j = 0; j < n; j++) sum[j] += w * row[j];
    }
    return sum;
}

static void sum_of_columns(const state *s, const float *row, float *y)
{
    const int64_t inner = s->inner;
    for (int64_t j = 0; j < s->out_w; j++) {
        const int64_t first = s->columns.first[j], end = s->columns.first[j + 1];
        float *to = y + j * inner;
        if (inner == 1) {
            float sum = 0;
            for (int64_t k = first; k < end; k++) sum += s->columns.weight[k] * row[s->columns.at[k]];
            *to = sum;
            continue;
        }
        for (int64_t c = 0; c < inner; c++) to[c] = 0;
        for (int64_t k = first; k < end; k++) {
            const float w = s->columns.weight[k], *from = row + s->columns.at[k] * inner;
            for (int64_t c = 0; c < inner; c++) to[c] += w * from[c];
        }
    }
}

static fv_status run(void *p, void *const *in, void *const *out, void *scratch, const fvi_exec *x)
{
    const state *s = p;
    const size_t size = s->low ? 2 : 4;
    const int64_t wide = s->in_w * s->inner, made = s->out_w * s->inner, total = s->outer * s->out_h;
#pragma omp parallel for num_threads(x->threads) schedule(static) if (total * (wide + made) > 32768)
    for (int64_t t = 0; t < total; t++) {
        float *buffer = (float *)scratch + omp_get_thread_num() * (2 * wide + made), *y = buffer + 2 * wide;
        const char *plane = (const char *)in[0] + (size_t)(t / s->out_h * s->in_h * wide) * size;
        char *to = (char *)out[0] + (size_t)(t * made) * size;
        const float *row = sum_of_rows(s, plane, t % s->out_h, buffer, buffer + wide);
        sum_of_columns(s, row, s->low ? y : (float *)(void *)to);
        if (s->low) s->narrow(y, (uint16_t *)(void *)to, made);
    }
    return FV_OK;
}

#define KERNEL(id, op_)                                                                                                \
    static const fvi_kernel id = {.name = "resize", .op = (op_), .priority = 10, .choose = choose, .prepare = prepare, \
                                  .run = run, .destroy = destroy}
KERNEL(forward, "resize");
KERNEL(backward, "resize_backward");
FVI_KERNELS(k_resize, &forward, &backward);
