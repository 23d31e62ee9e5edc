/* SPDX-License-Identifier: Apache-2.0 */
/* sum, mean, amax, sum_to. Axes that lie side by side in memory and share their fate are one; what is then of the form
 * reduced x kept x reduced x kept (each may be 1) is served: whole tensors, rows, batches, bias gradients in every
 * memory order of activations. The reduced part is cut in units that depend on the shape only; their partial results
 * are added up in double, in order. */
#include "cpu/axes.h"
#include "cpu/isa/reduce.h"
#include "ir/kernel.h"
#include "ops/reduce.h"

enum { CHUNK = 8192, WIDTH = 2048, LEAST_ROWS = 32 };

typedef struct shape { int64_t r0, k0, r1, k1, outputs, count; } shape;

typedef struct state {
    shape d;
    fvi_reduce_op op;
    bool bf, out_bf, mean;
    int64_t parts, together, units, strips;    /* r0 x parts units, or `together` whole r0 each; strips of k1 */
    void (*row)(const void *, int64_t, bool, fvi_reduce_op, double *);
    void (*columns)(const void *, int64_t, int64_t, int64_t, bool, fvi_reduce_op, double *);
} state;

/* ---- choice ------------------------------------------------------------------------------------------------------ */

static bool is(const fvi_query *q, const char *op) { return fvi_node_is(q->node, op); }

static unsigned reduced_axes(const fvi_query *q)
{
    const fvi_type *x = &q->in[0], *y = &q->out[0];
    unsigned mask = 0;
    for (int i = 0; i < x->rank; i++) {
        const int j = i - (x->rank - y->rank);
        if (is(q, "sum_to") ? j < 0 || (y->dim[j] == 1 && x->dim[i] != 1) : fvi_reduced(q->node->attr, i))
            mask |= 1u << i;
    }
    return mask;
}

static bool fits(const fvi_query *q, fvi_layout l, shape *d)
{
    const fvi_type *x = &q->in[0];
    const unsigned mask = reduced_axes(q);
    const int64_t block = fvi_layout_block(l);
    const bool padded = block > 1 && x->rank == 4 && x->dim[1] % block;
    fvi_memory_axes m;
    if (!fvi_memory_axes_of(l, x, &m)) return false;
    int64_t part[4] = {1, 1, 1, 1};
    int at = 0, last = -1;
    *d = (shape){.outputs = fvi_type_numel(&q->out[0]), .count = fvi_type_numel(x)};
    d->count /= FVI_MAX(d->outputs, 1);
    for (int i = 0; i < m.n; i++) {
        if (m.a[i].dim == 1) continue;
        const bool kept = !(mask >> m.a[i].axis & 1);
        if (kept && m.a[i].axis < last) return false;          /* the result would not be in plain order */
        if (kept) last = m.a[i].axis;
        if (kept != (at & 1)) at++;
        if (at > 3) return false;
        part[at] *= m.a[i].dim;
    }
    d->r0 = part[0], d->k0 = part[1], d->r1 = part[2], d->k1 = part[3];
    if (d->r1 * d->k1 == 1) *d = (shape){1, 1, part[0], part[1], d->outputs, d->count};
    if (!padded) return true;
    if (mask >> 1 & 1) return !is(q, "amax");                  /* padding is zero: it may be added */
    return d->outputs == x->dim[1];                            /* surplus results at the end, left out */
}

static bool choose(fvi_query *q)
{
    const fv_dtype x = q->in[0].dtype, y = q->out[0].dtype;
    shape d;
    if ((x != FV_F32 && x != FV_BF16) || (y != FV_F32 && y != FV_BF16) || fvi_type_numel(&q->in[0]) < 1) return false;
    if (!fits(q, q->in_layout[0], &d)) {
        q->in_layout[0] = FVI_PLAIN;
        if (!fits(q, FVI_PLAIN, &d)) return false;
    }
    q->out_layout[0] = FVI_PLAIN;
    return true;
}

static fv_status prepare(const fvi_query *q, void **out, size_t *scratch)
{
    state *s = fvi_calloc(1, sizeof *s);
    if (!s) return fvi_nomem(q->env->ctx);
    if (!fits(q, q->in_layout[0], &s->d)) {
        fvi_free(s);
        return fvi_fail(q->env->ctx, FV_ERROR_INTERNAL, "reduction in a memory order that was not chosen");
    }
    const shape *d = &s->d;
    s->op = is(q, "amax") ? FVI_REDUCE_MAX : FVI_REDUCE_SUM;
    s->mean = is(q, "mean");
    s->bf = q->in[0].dtype == FV_BF16;
    s->out_bf = q->out[0].dtype == FV_BF16;
    s->row = FVI_ISA_PICK(q->env->isa, fvi_reduce_row);
    s->columns = FVI_ISA_PICK(q->env->isa, fvi_reduce_columns);
    const int64_t piece = d->r1 * d->k1;
    s->parts = d->k1 == 1 ? piece / CHUNK : FVI_MIN(piece / CHUNK, d->r1 / LEAST_ROWS);
    s->parts = FVI_MAX(s->parts, 1);
    s->together = s->parts > 1 ? 1 : FVI_MIN(FVI_MAX(CHUNK / piece, d->k1 > 1 ? LEAST_ROWS : 1), d->r0);
    s->units = (d->r0 + s->together - 1) / s->together * s->parts;
    s->strips = (d->k1 + WIDTH - 1) / WIDTH;
    *scratch = s->units > 1 ? (size_t)(s->units * d->k0 * d->k1) * sizeof(double) : 0;
    *out = s;
    return FV_OK;
}

/* ---- running ----------------------------------------------------------------------------------------------------- */

static void put(const state *s, void *y, int64_t i, double v)
{
    if (i >= s->d.outputs) return;
    const float f = (float)(s->mean ? v / (double)s->d.count : v);
    if (!s->out_bf) {
        ((float *)y)[i] = f;
        return;
    }
    uint32_t u;
    memcpy(&u, &f, sizeof u);
    ((uint16_t *)y)[i] = (uint16_t)(f != f ? u >> 16 | 0x40 : (u + 0x7fff + (u >> 16 & 1)) >> 16);
}

/* Columns [c, c + n) of group k, over the rows of one unit, into to[n]. */
static void reduce_unit(const state *s, const void *x, int64_t unit, int64_t k, int64_t c, int64_t n, double *to)
{
    const shape *d = &s->d;
    const int64_t first = unit / s->parts * s->together, part = unit % s->parts;
    const int64_t row = d->r1 * part / s->parts, rows = d->r1 * (part + 1) / s->parts - row;
    for (int64_t i = 0; i < n; i++) to[i] = s->op == FVI_REDUCE_MAX ? -(double)INFINITY : 0;
    for (int64_t r = first; r < FVI_MIN(first + s->together, d->r0); r++) {
        const char *p = (const char *)x + (((r * d->k0 + k) * d->r1 + row) * d->k1 + c) * (s->bf ? 2 : 4);
        if (d->k1 == 1) s->row(p, rows, s->bf, s->op, to);
        else s->columns(p, rows, d->k1, n, s->bf, s->op, to);
    }
}

static fv_status run(void *p, void *const *in, void *const *out, void *scratch, const fvi_exec *x)
{
    const state *s = p;
    const shape *d = &s->d;
    const int64_t tasks = s->units * d->k0 * s->strips, total = d->r0 * d->k0 * d->r1 * d->k1, results = d->k0 * d->k1;
    double *partial = scratch;
#pragma omp parallel for num_threads(x->threads) schedule(static) if (total > 32768 && tasks > 1)
    for (int64_t t = 0; t < tasks; t++) {
        const int64_t strip = t % s->strips, k = t / s->strips % d->k0, unit = t / s->strips / d->k0;
        const int64_t c = strip * WIDTH, n = FVI_MIN((int64_t)WIDTH, d->k1 - c);
        double local[WIDTH];
        double *to = s->units > 1 ? partial + unit * results + k * d->k1 + c : local;
        reduce_unit(s, in[0], unit, k, c, n, to);
        if (s->units > 1) continue;
        for (int64_t i = 0; i < n; i++) put(s, out[0], k * d->k1 + c + i, local[i]);
    }
    if (s->units == 1) return FV_OK;
#pragma omp parallel for num_threads(x->threads) schedule(static) if (s->units * results > 32768 && results > 1)
    for (int64_t i = 0; i < results; i++) {
        double v = partial[i];
        for (int64_t u = 1; u < s->units; u++) {
            const double w = partial[u * results + i];
            if (s->op == FVI_REDUCE_SUM) v += w;
            else if (w > v || w != w) v = w;
        }
        put(s, out[0], i, v);
    }
    return FV_OK;
}

#define KERNEL(id, op_)                                                                                                \
    static const fvi_kernel id = {.name = "reduce", .op = (op_), .priority = 10, .choose = choose, .prepare = prepare, \
                                  .run = run, .destroy = fvi_free}
KERNEL(sum, "sum");
KERNEL(mean, "mean");
KERNEL(amax, "amax");
KERNEL(sum_to, "sum_to");
FVI_KERNELS(k_reduce, &sum, &mean, &amax, &sum_to);
