/* SPDX-License-Identifier: Apache-2.0 */
/* dropout on plain f32 and bf16 tensors; the bits are those of src/ops/dropout.c whatever the number of threads. drop_path in
 * every memory order of activations: samples lie one behind the other in all of them. */
#include "cpu/isa/dropout.h"
#include "cpu/isa/elementwise.h"
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
    *s = (state){.attr = *a, .rows = q->in[0].dim[0], .row = fvi_type_numel(&q->in[0]) / q->in[0].dim[0],
                 .bf = q->in[0].dtype == FV_BF16, .threshold = (uint32_t)ceil(a->p * 0x1p24),
                 .factor = a->p < 1 ? (float)(1 / (1 - a->p)) : 0, .f = FVI_ISA_PICK(q->env->isa, fvi_dropout_run)};
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
        s->f((const char *)in[0] + at, (char *)out[0] + at, first, FVI_MIN((int64_t)STRETCH, s->row - first), s->bf,
             (uint64_t)random[0], fvi_dropout_row(&s->attr, random, n), s->threshold, s->factor);
    }
    return FV_OK;
}

static const fvi_kernel dropout = {.name = "dropout", .op = "dropout", .priority = 10, .choose = choose, .prepare = prepare, .run = run,
                                   .destroy = fvi_free, .inplace = {1}};

/* ---- drop_path ---------------------------------------------------------------------------------------------------- */

typedef struct path {
    fvi_drop_path_attr attr;
    int64_t rows, row;
    bool bf;
    void (*widen)(const uint16_t *, float *, int64_t);
    void (*narrow)(const float *, uint16_t *, int64_t);
} path;

static bool choose_path(fvi_query *q)
{
    const fvi_layout l = q->in_layout[0];
    if ((q->in[0].dtype != FV_F32 && q->in[0].dtype != FV_BF16) || fvi_type_numel(&q->in[0]) < 1) return false;
    if (l != FVI_NHWC && fvi_layout_block(l) == 1) q->in_layout[0] = FVI_PLAIN;
    q->in_layout[1] = FVI_PLAIN;
    q->out_layout[0] = q->in_layout[0];
    return true;
}

static fv_status prepare_path(const fvi_query *q, void **out, size_t *scratch)
{
    (void)scratch;
    const fvi_type *x = &q->in[0];
    path *s = fvi_calloc(1, sizeof *s);
    if (!s) return fvi_nomem(q->env->ctx);
    *s = (path){.attr = *(const fvi_drop_path_attr *)q->node->attr, .rows = x->dim[0],
                .row = fvi_layout_elements(q->in_layout[0], x) / x->dim[0], .bf = x->dtype == FV_BF16,
                .widen = FVI_ISA_PICK(q->env->isa, fvi_ew_widen), .narrow = FVI_ISA_PICK(q->env->isa, fvi_ew_narrow)};
    *out = s;
    return FV_OK;
}

static void scale(const path *s, const char *x, char *y, int64_t n, float factor)
{
    float buffer[STRETCH];
    const float *from = (const float *)(const void *)x;
    float *to = s->bf ? buffer : (float *)(void *)y;
    if (factor == 0) {
        memset(y, 0, (size_t)n * (s->bf ? 2 : 4));
        return;
    }
    if (s->bf) {
        s->widen((const uint16_t *)(const void *)x, buffer, n);
        from = buffer;
    }
    for (int64_t j = 0; j < n; j++) to[j] = from[j] * factor;
    if (s->bf) s->narrow(buffer, (uint16_t *)(void *)y, n);
}

static fv_status run_path(void *p, void *const *in, void *const *out, void *scratch, const fvi_exec *x)
{
    (void)scratch;
    const path *s = p;
    const int64_t parts = (s->row + STRETCH - 1) / STRETCH, size = s->bf ? 2 : 4;
#pragma omp parallel for num_threads(x->threads) schedule(static) if (s->rows * s->row > 32768)
    for (int64_t t = 0; t < s->rows * parts; t++) {
        const int64_t n = t / parts, first = t % parts * STRETCH, at = (n * s->row + first) * size;
        scale(s, (const char *)in[0] + at, (char *)out[0] + at, FVI_MIN((int64_t)STRETCH, s->row - first),
              (float)fvi_drop_path_factor(&s->attr, in[1], n));
    }
    return FV_OK;
}

static const fvi_kernel drop_path = {.name = "drop_path", .op = "drop_path", .priority = 10, .choose = choose_path,
                                     .prepare = prepare_path, .run = run_path, .destroy = fvi_free, .inplace = {1}};
FVI_KERNELS(k_dropout, &dropout, &drop_path);
