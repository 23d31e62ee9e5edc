/* SPDX-License-Identifier: Apache-2.0 */
/* permute, flip, broadcast_to, concat, slice and pad: boxes of elements copied from one memory order to another (boxes.c).
 * concat, slice and pad also work inside NHWC and channel-blocked tensors when the cut lies between blocks. */
#include "cpu/axes.h"
#include "cpu/boxes.h"
#include "ir/kernel.h"
#include "ops/concat.h"
#include "ops/flip.h"
#include "ops/pad.h"
#include "ops/permute.h"
#include "ops/shape.h"
#include "ops/slice.h"

enum { AXES = FV_MAX_RANK + 1, PIECE = 32768 };

typedef struct state {
    int64_t size;                      /* bytes of an element */
    int boxes;
    int64_t out_bytes;
    bool fill;                         /* the output is filled with `pattern` first */
    unsigned char pattern[8];
    fvi_box box[];                     /* none while a kernel is only chosen */
} state;

static void fill(const state *s, void *out, const fvi_exec *x)
{
    bool zero = true;
    for (int i = 0; i < s->size; i++) zero = zero && !s->pattern[i];
    const int64_t pieces = (s->out_bytes + PIECE - 1) / PIECE;
#pragma omp parallel for num_threads(x->threads) schedule(static) if (pieces > 2)
    for (int64_t p = 0; p < pieces; p++) {
        char *to = (char *)out + p * PIECE;
        const int64_t bytes = FVI_MIN((int64_t)PIECE, s->out_bytes - p * PIECE);
        if (zero) memset(to, 0, (size_t)bytes);
        for (int64_t i = 0; !zero && i < bytes; i += s->size) memcpy(to + i, s->pattern, (size_t)s->size);
    }
}

static fv_status run(void *p, void *const *in, void *const *out, void *scratch, const fvi_exec *x)
{
    (void)scratch;
    const state *s = p;
    if (s->fill) fill(s, out[0], x);
    for (int k = 0; k < s->boxes; k++) fvi_box_copy(&s->box[k], in[k], out[0], x->threads);
    return FV_OK;
}

/* ---- boxes of the ops -------------------------------------------------------------------------------------------- */

static void strides(const fvi_memory_axes *m, int64_t stride[AXES])
{
    int64_t step = 1;
    for (int i = m->n - 1; i >= 0; i--) {
        stride[i] = step;
        step *= m->a[i].dim;
    }
}

/* The box of `part`'s size at index `start` (one entry an axis) of `whole`; the part is the source when `in`, else the
 * target. Both are in layout l. false when a cut goes through a block. */
static bool window(fvi_layout l, const fvi_type *whole, const fvi_type *part, const int64_t *start, bool in, fvi_box *b)
{
    fvi_memory_axes w, p;
    int64_t ws[AXES], ps[AXES], at = 0;
    if (!fvi_memory_axes_of(l, whole, &w) || !fvi_memory_axes_of(l, part, &p)) return false;
    strides(&w, ws);
    strides(&p, ps);
    *b = (fvi_box){.n = w.n};
    for (int i = 0; i < w.n; i++) {
        const int axis = w.a[i].axis;
        const int64_t unit = w.a[i].unit, begin = start[axis];
        if (unit > 1) {                /* blocks: the part ends with a block, or with the whole */
            const int64_t end = begin + part->dim[axis];
            if (begin % unit || (end % unit && end != whole->dim[axis])) return false;
            at += begin / unit * ws[i];
        } else if (l == FVI_PLAIN || l == FVI_NHWC || axis != 1) {
            at += begin * ws[i];
        }
        b->loop[i] = (fvi_box_loop){p.a[i].dim, in ? ps[i] : ws[i], in ? ws[i] : ps[i]};
    }
    *(in ? &b->to : &b->from) = at;
    return true;
}

/* keep: boxes stand in the state, else they are only counted. */
static void put_box(state *s, const fvi_box *b, bool keep)
{
    if (keep) s->box[s->boxes] = *b;
    s->boxes++;
}

static bool box_of_permute(const fvi_query *q, state *s, bool keep)
{
    const fvi_permute_attr *a = q->node->attr;
    const fvi_type *y = &q->out[0];
    fvi_memory_axes m, out;
    int64_t ms[AXES], os[AXES], by_axis[AXES] = {0};
    if (fvi_layout_block(q->in_layout[0]) > 1 || !fvi_memory_axes_of(q->in_layout[0], &q->in[0], &m)) return false;
    (void)fvi_memory_axes_of(FVI_PLAIN, y, &out);
    strides(&m, ms);
    strides(&out, os);
    for (int i = 0; i < m.n; i++) by_axis[m.a[i].axis] = ms[i];
    fvi_box b = {.n = y->rank};
    for (int i = 0; i < y->rank; i++) b.loop[i] = (fvi_box_loop){y->dim[i], by_axis[a->axes.d[i]], os[i]};
    put_box(s, &b, keep);
    return true;
}

/* Plain on both sides; axes of length 1 are read again and again. */
static bool box_of_broadcast(const fvi_query *q, state *s, bool keep)
{
    const fvi_type *x = &q->in[0], *y = &q->out[0];
    int64_t from[FV_MAX_RANK], to[FV_MAX_RANK];
    fvi_box b = {.n = y->rank};
    if (q->in_layout[0] != FVI_PLAIN) return false;
    fvi_plain_strides(x, from);
    fvi_plain_strides(y, to);
    for (int i = 0; i < y->rank; i++) {
        const int k = i - (y->rank - x->rank);
        b.loop[i] = (fvi_box_loop){y->dim[i], k < 0 || x->dim[k] == 1 ? 0 : from[k], to[i]};
    }
    put_box(s, &b, keep);
    return true;
}

/* Plain on both sides; flipped axes are read from their end. */
static bool box_of_flip(const fvi_query *q, state *s, bool keep)
{
    const fvi_type *x = &q->in[0];
    int64_t stride[FV_MAX_RANK];
    fvi_box b = {.n = x->rank};
    if (q->in_layout[0] != FVI_PLAIN) return false;
    fvi_plain_strides(x, stride);
    for (int i = 0; i < x->rank; i++) {
        const bool flipped = ((const fvi_flip_attr *)q->node->attr)->axes >> i & 1;
        b.loop[i] = (fvi_box_loop){x->dim[i], flipped ? -stride[i] : stride[i], stride[i]};
        if (flipped) b.from += (x->dim[i] - 1) * stride[i];
    }
    put_box(s, &b, keep);
    return true;
}

static bool boxes_of_concat(const fvi_query *q, state *s, bool keep)
{
    const int axis = fvi_axis(((const fvi_concat_attr *)q->node->attr)->axis, q->out[0].rank);
    int64_t start[AXES] = {0};
    for (int k = 0; k < q->n_in; k++) {
        fvi_box b;
        if (!window(q->in_layout[0], &q->out[0], &q->in[k], start, true, &b)) return false;
        put_box(s, &b, keep);
        start[axis] += q->in[k].dim[axis];
    }
    return true;
}

static bool box_of_slice(const fvi_query *q, state *s, bool keep)
{
    const fvi_slice_attr *a = q->node->attr;
    int64_t start[AXES] = {0};
    start[fvi_axis(a->axis, q->in[0].rank)] = fvi_dims_at(&a->start, 0, 0);
    fvi_box b;
    if (!window(q->in_layout[0], &q->in[0], &q->out[0], start, false, &b)) return false;
    put_box(s, &b, keep);
    return true;
}

static bool box_of_pad(const fvi_query *q, state *s, bool keep)
{
    const fvi_pad_attr *a = q->node->attr;
    const fvi_type *y = &q->out[0];
    const fvi_layout l = q->in_layout[0];
    const float f = (float)a->value;
    int64_t start[AXES] = {0};
    uint32_t u;
    for (int i = 0; i < y->rank; i++) start[i] = fvi_dims_at(&a->before, i, 0);
    s->fill = !fvi_type_same_shape(&q->in[0], y);
    s->out_bytes = (int64_t)fvi_layout_bytes(l, y);
    memcpy(&u, &f, sizeof u);
    if (y->dtype == FV_F64) memcpy(s->pattern, &a->value, 8);
    else if (y->dtype == FV_F32) memcpy(s->pattern, &u, 4);
    else if (y->dtype == FV_BF16) {
        const uint16_t h = (uint16_t)(f != f ? u >> 16 | 0x40 : (u + 0x7fff + (u >> 16 & 1)) >> 16);
        memcpy(s->pattern, &h, 2);
    } else if (!fv_dtype_is_float(y->dtype)) {
        const int64_t whole = (int64_t)a->value;
        memcpy(s->pattern, &whole, fv_dtype_size(y->dtype));       /* its lowest bytes */
    } else return false;
    const int block = fvi_layout_block(l);
    /* Padding of a block must stay zero, so a value does not go where there is some; x's own padding would be copied. */
    if (block > 1 && y->rank == 4 && ((y->dim[1] % block && f != 0) || (q->in[0].dim[1] % block && f != 0))) return false;
    fvi_box b;
    if (!window(l, y, &q->in[0], start, true, &b)) return false;
    put_box(s, &b, keep);
    return true;
}

static bool boxes(const fvi_query *q, state *s, bool keep)
{
    s->boxes = 0;
    return fvi_node_is(q->node, "permute")      ? box_of_permute(q, s, keep)
         : fvi_node_is(q->node, "broadcast_to") ? box_of_broadcast(q, s, keep)
         : fvi_node_is(q->node, "flip")         ? box_of_flip(q, s, keep)
         : fvi_node_is(q->node, "concat")       ? boxes_of_concat(q, s, keep)
         : fvi_node_is(q->node, "slice")        ? box_of_slice(q, s, keep)
                                                : box_of_pad(q, s, keep);
}

/* ---- choice ------------------------------------------------------------------------------------------------------ */

static bool choose(fvi_query *q)
{
    state s;
    fvi_layout l = FVI_PLAIN;
    for (int k = q->n_in - 1; k >= 0; k--) {
        if (q->in[k].rank && q->in[k].dim[0] == FV_RAGGED) return false;
        if (q->in_layout[k] != FVI_PLAIN) l = q->in_layout[k];
    }
    if (fvi_type_numel(&q->out[0]) < 1) return false;
    for (int plain = 0; plain < 2; plain++) {
        for (int k = 0; k < q->n_in; k++) q->in_layout[k] = plain ? FVI_PLAIN : l;
        q->out_layout[0] = fvi_node_is(q->node, "permute") ? FVI_PLAIN : q->in_layout[0];
        if (boxes(q, &s, false)) return true;
    }
    return false;
}

static fv_status prepare(const fvi_query *q, void **out, size_t *scratch)
{
    (void)scratch;
    state *s = fvi_calloc(1, sizeof *s + sizeof *s->box * (size_t)q->n_in);
    if (!s) return fvi_nomem(q->env->ctx);
    if (!boxes(q, s, true)) {
        fvi_free(s);
        return fvi_fail(q->env->ctx, FV_ERROR_INTERNAL, "copy in a memory order that was not chosen");
    }
    s->size = (int64_t)fv_dtype_size(q->out[0].dtype);
    for (int k = 0; k < s->boxes; k++) fvi_box_ready(&s->box[k], (size_t)s->size);
    *out = s;
    return FV_OK;
}

#define KERNEL(id, op_)                                                                                               \
    static const fvi_kernel id = {.name = "shape", .op = (op_), .priority = 10, .choose = choose, .prepare = prepare, \
                                  .run = run, .destroy = fvi_free}
KERNEL(permute, "permute");
KERNEL(broadcast_to, "broadcast_to");
KERNEL(flip, "flip");
KERNEL(concat, "concat");
KERNEL(slice, "slice");
KERNEL(pad, "pad");
FVI_KERNELS(k_shape, &permute, &broadcast_to, &flip, &concat, &slice, &pad);
