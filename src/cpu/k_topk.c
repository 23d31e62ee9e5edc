/* SPDX-License-Identifier: Apache-2.0 */
/* topk_correct and argmax along rows that lie together in memory, f32 and bf16. */
#include "cpu/isa/rows.h"
#include "ir/kernel.h"
#include "ops/shape.h"
#include "ops/softmax.h"

#include <math.h>

typedef struct state {
    const fvi_rows_table *f;
    int64_t rows, n, k;
    bool bf;
} state;

static bool real(fv_dtype d) { return d == FV_F32 || d == FV_BF16; }

static bool choose_topk(fvi_query *q)
{
    if (!real(q->in[0].dtype) || q->out[0].dtype != FV_F32 || !fvi_attr_find(q->node->op->attrs, "k")) return false;
    q->in_layout[0] = q->in_layout[1] = q->out_layout[0] = FVI_PLAIN;
    return true;
}

static bool choose_argmax(fvi_query *q)
{
    const fvi_softmax_attr *a = q->node->attr;
    const fvi_type *x = &q->in[0];
    const int axis = fvi_axis(a->axis, x->rank);
    const bool nhwc = x->rank == 4 && axis == 1 && q->in_layout[0] == FVI_NHWC;
    if (!real(x->dtype) || fvi_type_numel(x) < 1 || (!nhwc && fvi_inner(x, axis) > 1)) return false;
    q->in_layout[0] = nhwc ? FVI_NHWC : FVI_PLAIN;
    q->out_layout[0] = FVI_PLAIN;
    return true;
}

static fv_status prepare(const fvi_query *q, void **out, size_t *scratch)
{
    (void)scratch;
    const bool topk = fvi_node_is(q->node, "topk_correct");
    const fvi_type *x = &q->in[0];
    state *s = fvi_calloc(1, sizeof *s);
    if (!s) return fvi_nomem(q->env->ctx);
    *s = (state){.f = FVI_ISA_PICK(q->env->isa, fvi_rows_functions)(), .bf = x->dtype == FV_BF16};
    s->n = topk ? x->dim[1] : x->dim[fvi_axis(((const fvi_argmax_attr *)q->node->attr)->axis, x->rank)];
    s->rows = topk ? x->dim[0] : fvi_type_numel(x) / s->n;
    if (topk) memcpy(&s->k, (const char *)q->node->attr + fvi_attr_find(q->node->op->attrs, "k")->offset, sizeof s->k);
    *out = s;
    return FV_OK;
}

static const void *row_at(const state *s, const void *x, int64_t i)
{
    return (const char *)x + i * s->n * (s->bf ? 2 : 4);
}

static float value(const state *s, const void *row, int64_t i)
{
    if (!s->bf) return ((const float *)row)[i];
    const uint32_t u = (uint32_t)((const uint16_t *)row)[i] << 16;
    float f;
    memcpy(&f, &u, sizeof f);
    return f;
}

static fv_status run_topk(void *p, void *const *in, void *const *out, void *scratch, const fvi_exec *x)
{
    (void)scratch;
    const state *s = p;
    const int64_t *target = in[1];
    float *y = out[0];
#pragma omp parallel for num_threads(x->threads) schedule(static) if (s->rows * s->n > 32768)
    for (int64_t i = 0; i < s->rows; i++) {
        const void *row = row_at(s, in[0], i);
        const float its = target[i] >= 0 && target[i] < s->n ? value(s, row, target[i]) : NAN;
        y[i] = !isnan(its) && s->f->greater[s->bf](row, s->n, its) < s->k;
    }
    return FV_OK;
}

static fv_status run_argmax(void *p, void *const *in, void *const *out, void *scratch, const fvi_exec *x)
{
    (void)scratch;
    const state *s = p;
#pragma omp parallel for num_threads(x->threads) schedule(static) if (s->rows * s->n > 32768)
    for (int64_t i = 0; i < s->rows; i++) ((int64_t *)out[0])[i] = s->f->argmax[s->bf](row_at(s, in[0], i), s->n);
    return FV_OK;
}

static const fvi_kernel topk = {.name = "topk", .op = "topk_correct", .priority = 10, .choose = choose_topk,
                                .prepare = prepare, .run = run_topk, .destroy = fvi_free};
static const fvi_kernel argmax = {.name = "topk", .op = "argmax", .priority = 10, .choose = choose_argmax,
                                  .prepare = prepare, .run = run_argmax, .destroy = fvi_free};
FVI_KERNELS(k_topk, &topk, &argmax);
