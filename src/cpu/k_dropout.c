/* SPDX-License-Identifier: Apache-2.0 */
/* dropout on plain f32 and bf16 tensors; the bits are those of src/ops/dropout.c whatever the number of threads. */
#include "cpu/isa/dropout.h"
#include "ir/kernel.h"
#include "ops/dropout.h"

#include <math.h>

enum { STRETCH = 4096 };               /* a multiple of 64 */

typedef struct state {
    fvi_dropout_attr attr;
    int64_t rows, row;
    bool bf;
    uint32_t threshold;
    float factor;
    void (*f)(const void *, void *, int64_t, int64_t, bool, uint64_t, uint64_t, uint32_t, float);
} state;

static bool choose(fvi_query *q)
{
    if ((q->in[0].dtype != FV_F32 && q->in[0].dtype != FV_BF16) || fvi_type_numel(&q->in[0]) < 1) return false;
    q->in_layout[0] = q->in_layout[1] = q->out_layout[0] = FVI_PLAIN;
    return true;
}

static fv_status prepare(const fvi_query *q, void **out, size_t *scratch)
{
    (void)scratch;
    const fvi_dropout_attr *a = q->node->attr;
    state *s = fvi_calloc(1, sizeof *s);
    if (!s) return fvi_nomem(q->env->ctx);
    *s = (state){.attr = *a, .rows = q->in[0].dim[0], .row = fvi_type_numel(&q->in[0]) / q->in[0].dim[0], .bf = q->in[0].dtype == FV_BF16,
                 .threshold = (uint32_t)ceil(a->p * 0x1p24), .factor = a->p < 1 ? (float)(1 / (1 - a->p)) : 0,
                 .f = FVI_ISA_PICK(q->env->isa, fvi_dropout_run)};
    *out = s;
    return FV_OK;
}

static fv_status run(void *p, void *const *in, void *const *out, void *scratch, const fvi_exec *x)
{
    (void)scratch;
    const state *s = p;
    const int64_t *random = in[1], parts = (s->row + STRETCH - 1) / STRETCH, size = s->bf ? 2 : 4;
#pragma omp parallel for num_threads(x->threads) schedule(static) if (s->rows * s->row > 8192)
    for (int64_t t = 0; t < s->rows * parts; t++) {
        const int64_t n = t / parts, first = t % parts * STRETCH, at = (n * s->row + first) * size;
        s->f((const char *)in[0] + at, (char *)out[0] + at, first, FVI_MIN((int64_t)STRETCH, s->row - first), s->bf, (uint64_t)random[0],
             fvi_dropout_row(&s->attr, random, n), s->threshold, s->factor);
    }
    return FV_OK;
}

static const fvi_kernel dropout = {.name = "dropout", .op = "dropout", .priority = 10, .choose = choose, .prepare = prepare, .run = run,
                                   .destroy = fvi_free, .inplace = {1}};
FVI_KERNELS(k_dropout, &dropout);
