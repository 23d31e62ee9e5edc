/* SPDX-License-Identifier: Apache-2.0 */
/* reorder: the same bits in another memory order, whatever numbers they spell and whatever the processor. Not oneDNN's,
 * which passes bf16 through the processor's conversion, so that denormals become zero, and whose 2.6 lets two threads
 * write wrong elements where one side alone is padded (f32 (2, 48, 40, 40) from ABcd16b16a to ABcd8b8a).
 *
 * Blocks are powers of two, so an index is read as digits, runs of its bits in each of which both orders have one
 * stride: between Abcd16a and ABcd8a16b2a an output channel is a sixteen, an eight and a two. An axis that is no whole
 * number of blocks is cut where its digits end: 21 = 16 + 4 + 1. What is left are boxes with a stride a loop
 * (boxes.c). */
#include "cpu/boxes.h"
#include "ir/source.h"

enum { DIGITS = 5 };                   /* units of 1, 2, 4, 8 and 16 */

typedef struct reorder {
    size_t bytes;                      /* of the target */
    bool same;                         /* the bytes do not change */
    bool padded;                       /* the target has padding: cleared first */
    struct { fvi_box *items; int count, capacity; } boxes;
} reorder;

static bool choose(fvi_query *q)
{
    const fvi_layout from = q->in_layout[0], to = (fvi_layout)((const fvi_reorder_attr *)q->node->attr)->layout;
    if (from == FVI_OPAQUE || to == FVI_OPAQUE || fvi_layout_derived(from) || fvi_layout_derived(to)) return false;
    if (fvi_type_numel(&q->in[0]) < 1) return false;
    q->out_layout[0] = to;
    return true;
}

static void destroy(void *state)
{
    reorder *p = state;
    if (!p) return;
    fvi_free(p->boxes.items);
    fvi_free(p);
}

/* ---- boxes ------------------------------------------------------------------------------------------------------- */

typedef struct axis {
    int64_t dim, *from, *to;           /* offsets of its indices */
    int digits;
    fvi_box_loop digit[DIGITS];        /* n: its unit */
} axis;

static void find_digits(axis *a)
{
    for (int64_t bit = 1; bit < a->dim; bit *= 2)
        if (bit == 1 || a->from[bit] != 2 * a->from[bit / 2] || a->to[bit] != 2 * a->to[bit / 2])
            a->digit[a->digits++] = (fvi_box_loop){bit, a->from[bit], a->to[bit]};
}

/* Indices from `start` on, as many as have all digits below their highest one whole. Returns where they end. */
static int64_t take(const axis *a, int64_t start, fvi_box *b)
{
    int top = a->digits - 1;
    b->from += a->from[start];
    b->to += a->to[start];
    while (top >= 0 && a->digit[top].n > a->dim - start) top--;
    if (top < 0) return start + 1;                       /* an axis of length 1 */
    const int64_t unit = a->digit[top].n, n = (a->dim - start) / unit;
    for (int i = 0; i < top; i++)
        b->loop[b->n++] = (fvi_box_loop){a->digit[i + 1].n / a->digit[i].n, a->digit[i].from, a->digit[i].to};
    b->loop[b->n++] = (fvi_box_loop){n, a->digit[top].from, a->digit[top].to};
    return start + n * unit;
}

static bool cut(const axis *a, int axes, fvi_box b, size_t size, reorder *p)
{
    if (!axes) {
        fvi_box_ready(&b, size);
        return FVI_PUSH(&p->boxes, b);
    }
    for (int64_t start = 0; start < a->dim;) {
        fvi_box part = b;
        start = take(a, start, &part);
        if (!cut(a + 1, axes - 1, part, size, p)) return false;
    }
    return true;
}

static bool make_boxes(const fvi_query *q, reorder *p)
{
    const fvi_type *t = &q->in[0];
    axis a[FV_MAX_RANK] = {{0}};
    int64_t total = 1;
    for (int i = 0; i < t->rank; i++) total += 2 * t->dim[i];
    int64_t *tables = fvi_malloc((size_t)total * sizeof *tables), *next = tables;
    for (int i = 0; tables && i < t->rank; i++) {
        a[i] = (axis){.dim = t->dim[i], .from = next, .to = next + t->dim[i]};
        next += 2 * t->dim[i];
        fvi_layout_offsets(q->in_layout[0], t, i, a[i].from);
        fvi_layout_offsets(q->out_layout[0], t, i, a[i].to);
        find_digits(&a[i]);
    }
    const bool ok = tables && cut(a, t->rank, (fvi_box){0}, fv_dtype_size(t->dtype), p);
    fvi_free(tables);
    return ok;
}

/* ---- the kernel -------------------------------------------------------------------------------------------------- */

static fv_status prepare(const fvi_query *q, void **state, size_t *scratch_bytes)
{
    (void)scratch_bytes;
    reorder *p = fvi_calloc(1, sizeof *p);
    if (!p) return fvi_nomem(q->env->ctx);
    p->same = q->in_layout[0] == q->out_layout[0];
    p->bytes = fvi_layout_bytes(q->out_layout[0], &q->out[0]);
    p->padded = fvi_layout_elements(q->out_layout[0], &q->out[0]) != fvi_type_numel(&q->out[0]);
    if (!p->same && !make_boxes(q, p)) {
        destroy(p);
        return fvi_nomem(q->env->ctx);
    }
    *state = p;
    return FV_OK;
}

static fv_status run(void *state, void *const *in, void *const *out, void *scratch, const fvi_exec *x)
{
    (void)scratch;
    const reorder *p = state;
    if (p->same) {
        if (in[0] != out[0]) memcpy(out[0], in[0], p->bytes);
        return FV_OK;
    }
    if (p->padded) memset(out[0], 0, p->bytes);
    for (int i = 0; i < p->boxes.count; i++) fvi_box_copy(&p->boxes.items[i], in[0], out[0], x->threads);
    return FV_OK;
}

static const fvi_kernel kernel = {.name = "reorder", .op = "reorder", .priority = 10, .choose = choose,
                                  .prepare = prepare, .run = run, .destroy = destroy};

FVI_KERNELS(k_reorder, &kernel);
