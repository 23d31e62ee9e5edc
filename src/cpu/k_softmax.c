/* SPDX-License-Identifier: Apache-2.0 */
/* softmax, log_softmax and their gradients, f32: rows that lie together in memory (the last axis; channels of NHWC),
 * and rows side by side, a vector of them at a time (any other axis of a plain tensor). */
#include "cpu/isa/rows.h"
#include "ir/kernel.h"
#include "ops/shape.h"
#include "ops/softmax.h"

typedef struct state {
    int64_t outer, n, inner;
    void (*forward)(const float *, float *, int64_t);
    void (*forward_columns)(const float *, float *, int64_t, int64_t, int);
    void (*backward)(const float *, const float *, float *, int64_t);
    void (*backward_columns)(const float *, const float *, float *, int64_t, int64_t, int);
    int lanes;
} state;

static bool choose(fvi_query *q)
{
    const fvi_softmax_attr *a = q->node->attr;
    const fvi_type *x = &q->in[0];
    for (int i = 0; i < q->n_in; i++)
        if (q->in[i].dtype != FV_F32) return false;
    if (fvi_type_numel(x) < 1) return false;
    const bool nhwc = x->rank == 4 && fvi_axis(a->axis, 4) == 1 && q->in_layout[q->n_in - 1] == FVI_NHWC;
    for (int i = 0; i < q->n_in; i++) q->in_layout[i] = nhwc ? FVI_NHWC : FVI_PLAIN;
    q->out_layout[0] = nhwc ? FVI_NHWC : FVI_PLAIN;
    return true;
}

static fv_status prepare(const fvi_query *q, void **out, size_t *scratch)
{
    (void)scratch;
    const fvi_softmax_attr *a = q->node->attr;
    const fvi_type *x = &q->in[0];
    const int axis = fvi_axis(a->axis, x->rank);
    const fvi_rows_table *f = FVI_ISA_PICK(q->env->isa, fvi_rows_functions)();
    const bool log = fvi_node_is(q->node, "log_softmax") || fvi_node_is(q->node, "log_softmax_backward");
    state *s = fvi_calloc(1, sizeof *s);
    if (!s) return fvi_nomem(q->env->ctx);
    *s = (state){.outer = fvi_outer(x, axis), .n = x->dim[axis], .inner = fvi_inner(x, axis), .lanes = f->lanes};
    if (q->in_layout[0] == FVI_NHWC) {
        s->outer *= s->inner;
        s->inner = 1;
    }
    s->forward = log ? f->log_softmax : f->softmax;
    s->forward_columns = log ? f->log_softmax_columns : f->softmax_columns;
    s->backward = log ? f->log_softmax_backward : f->softmax_backward;
    s->backward_columns = log ? f->log_softmax_backward_columns : f->softmax_backward_columns;
    *out = s;
    return FV_OK;
}

/* One row, or `lanes` rows side by side: offset of the first element and how many. */
static int64_t place(const state *s, int64_t task, int *lanes)
{
    if (s->inner == 1) return task * s->n;
    const int64_t groups = (s->inner + s->lanes - 1) / s->lanes, at = task % groups * s->lanes;
    *lanes = (int)FVI_MIN((int64_t)s->lanes, s->inner - at);
    return task / groups * s->n * s->inner + at;
}

static int64_t tasks_of(const state *s)
{
    return s->outer * (s->inner == 1 ? 1 : (s->inner + s->lanes - 1) / s->lanes);
}

static fv_status run(void *p, void *const *in, void *const *out, void *scratch, const fvi_exec *x)
{
    (void)scratch;
    const state *s = p;
    const int64_t tasks = tasks_of(s);
#pragma omp parallel for num_threads(x->threads) schedule(static) if (s->outer * s->n * s->inner > 8192)
    for (int64_t t = 0; t < tasks; t++) {
        int lanes = 1;
        const int64_t i = place(s, t, &lanes);
        if (s->inner == 1) s->forward((const float *)in[0] + i, (float *)out[0] + i, s->n);
        else s->forward_columns((const float *)in[0] + i, (float *)out[0] + i, s->n, s->inner, lanes);
    }
    return FV_OK;
}

static fv_status run_backward(void *p, void *const *in, void *const *out, void *scratch, const fvi_exec *x)
{
    (void)scratch;
    const state *s = p;
    const int64_t tasks = tasks_of(s);
    const float *dy = in[0], *y = in[1];
    float *dx = out[0];
#pragma omp parallel for num_threads(x->threads) schedule(static) if (s->outer * s->n * s->inner > 8192)
    for (int64_t t = 0; t < tasks; t++) {
        int lanes = 1;
        const int64_t i = place(s, t, &lanes);
        if (s->inner == 1) s->backward(dy + i, y + i, dx + i, s->n);
        else s->backward_columns(dy + i, y + i, dx + i, s->n, s->inner, lanes);
    }
    return FV_OK;
}

#define KERNEL(id, op_, run_)                                                                   \
    static const fvi_kernel id = {.name = "softmax", .op = (op_), .priority = 10,               \
                                  .choose = choose, .prepare = prepare, .run = (run_),          \
                                  .destroy = fvi_free, .inplace = {1}}
KERNEL(softmax, "softmax", run);
KERNEL(log_softmax, "log_softmax", run);
KERNEL(softmax_backward, "softmax_backward", run_backward);
KERNEL(log_softmax_backward, "log_softmax_backward", run_backward);
FVI_KERNELS(k_softmax, &softmax, &log_softmax, &softmax_backward, &log_softmax_backward);
