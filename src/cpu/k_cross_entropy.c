/* SPDX-License-Identifier: Apache-2.0 */
/* cross_entropy and its gradient on f32 logits: every row by one thread, rows added up in double in their order. */
#include "cpu/isa/rows.h"
#include "ir/kernel.h"
#include "ops/cross_entropy.h"

#include <math.h>

typedef struct state {
    const fvi_rows_table *f;
    fvi_cross_entropy_attr attr;
    int64_t rows, classes;
    bool soft;
    int first, n_in;                   /* the inputs logits, target, (weights) start at `first` */
} state;

static bool choose_from(fvi_query *q, int first)
{
    const fvi_type *target = &q->in[first + 1];
    for (int i = 0; i < q->n_in; i++) {
        if (q->in[i].dtype != FV_F32 && !(i == first + 1 && target->dtype == FV_I64)) return false;
        q->in_layout[i] = FVI_PLAIN;
    }
    for (int i = 0; i < q->n_out; i++) q->out_layout[i] = FVI_PLAIN;
    return fvi_type_numel(&q->in[first]) > 0 && q->out[0].dtype == FV_F32;
}

static bool choose(fvi_query *q) { return choose_from(q, 0); }
static bool choose_backward(fvi_query *q) { return choose_from(q, 1); }

static fv_status prepare_from(const fvi_query *q, int first, void **out)
{
    state *s = fvi_calloc(1, sizeof *s);
    if (!s) return fvi_nomem(q->env->ctx);
    *s = (state){.f = FVI_ISA_PICK(q->env->isa, fvi_rows_functions)(), .rows = q->in[first].dim[0],
                 .classes = q->in[first].dim[1], .soft = q->in[first + 1].rank == 2, .first = first, .n_in = q->n_in};
    memcpy(&s->attr, q->node->attr, sizeof s->attr);
    *out = s;
    return FV_OK;
}

static fv_status prepare(const fvi_query *q, void **out, size_t *scratch)
{
    *scratch = (size_t)(2 * q->in[0].dim[0]) * sizeof(double);
    return prepare_from(q, 0, out);
}

static fv_status prepare_backward(const fvi_query *q, void **out, size_t *scratch)
{
    (void)scratch;
    return prepare_from(q, 1, out);
}

typedef enum kind { KEPT, IGNORED, WRONG } kind;

static kind row_of(const state *s, void *const *in, int64_t i, fvi_ce_row *r)
{
    const float e = (float)s->attr.label_smoothing;
    *r = (fvi_ce_row){.x = (const float *)in[s->first] + i * s->classes, .n = s->classes, .hot = 1 - e,
                      .spread = e / (float)s->classes, .weights = s->n_in > s->first + 2 ? in[s->first + 2] : NULL};
    if (s->soft) {
        r->soft = (const float *)in[s->first + 1] + i * s->classes;
        return KEPT;
    }
    r->index = ((const int64_t *)in[s->first + 1])[i];
    if (r->index == s->attr.ignore_index) return IGNORED;
    return r->index < 0 || r->index >= s->classes ? WRONG : KEPT;
}

static fv_status run(void *p, void *const *in, void *const *out, void *scratch, const fvi_exec *x)
{
    const state *s = p;
    double *loss = scratch, *weight = loss + s->rows, sums[2] = {0, 0};
#pragma omp parallel for num_threads(x->threads) schedule(static) if (s->rows * s->classes > 4096)
    for (int64_t i = 0; i < s->rows; i++) {
        fvi_ce_row r;
        const kind k = row_of(s, in, i, &r);
        loss[i] = k == KEPT ? s->f->cross_entropy(&r) : k == WRONG ? (double)NAN : 0;
        weight[i] = k != KEPT ? loss[i] : s->soft || !r.weights ? 1 : (double)r.weights[r.index];
    }
    for (int64_t i = 0; i < s->rows; i++) {
        sums[0] += loss[i];
        sums[1] += weight[i];
    }
    *(float *)out[0] = (float)sums[0];
    *(float *)out[1] = (float)sums[1];
    return FV_OK;
}

static fv_status run_backward(void *p, void *const *in, void *const *out, void *scratch, const fvi_exec *x)
{
    (void)scratch;
    const state *s = p;
    const float dloss = *(const float *)in[0], *weights = s->n_in > 3 ? in[3] : NULL;
    const double e = s->attr.label_smoothing;
    double all = weights ? 0 : (double)s->classes;
    for (int64_t k = 0; weights && k < s->classes; k++) all += (double)weights[k];
#pragma omp parallel for num_threads(x->threads) schedule(static) if (s->rows * s->classes > 4096)
    for (int64_t i = 0; i < s->rows; i++) {
        fvi_ce_row r;
        const kind k = row_of(s, in, i, &r);
        float *dx = (float *)out[0] + i * s->classes;
        if (k == KEPT) {
            if (!s->soft)
                r.total = (float)((1 - e) * (weights ? (double)weights[r.index] : 1) + e / (double)s->classes * all);
            s->f->cross_entropy_backward(&r, dloss, dx);
            continue;
        }
        for (int64_t c = 0; c < s->classes; c++) dx[c] = k == WRONG ? NAN : 0;
    }
    return FV_OK;
}

static const fvi_kernel forward = {.name = "cross_entropy", .op = "cross_entropy", .priority = 10, .choose = choose,
                                   .prepare = prepare, .run = run, .destroy = fvi_free};
static const fvi_kernel backward = {.name = "cross_entropy", .op = "cross_entropy_backward", .priority = 10,
                                    .choose = choose_backward, .prepare = prepare_backward, .run = run_backward,
                                    .destroy = fvi_free};
FVI_KERNELS(k_cross_entropy, &forward, &backward);
