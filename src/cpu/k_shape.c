/* SPDX-License-Identifier: Apache-2.0 */
/* permute, concat, slice and pad: boxes of elements copied from one memory order to another. Neighbouring axes that both
 * sides walk alike become one run, copied with memcpy; where the innermost runs differ (transposes), tiles of the two
 * axes that are contiguous on either side. concat, slice and pad also work inside NHWC and channel-blocked tensors when
 * the cut lies between blocks. */
#include "cpu/axes.h"
#include "ir/kernel.h"
#include "ops/concat.h"
#include "ops/pad.h"
#include "ops/permute.h"
#include "ops/shape.h"
#include "ops/slice.h"

enum { AXES = FV_MAX_RANK + 1, TILE = 16, PIECE = 32768 };

typedef struct box {
    int n;                             /* axes, outermost first; the last one is the run when `run` */
    int64_t dim[AXES], from[AXES], to[AXES];
    int64_t from_start, to_start;
    bool run;
    int64_t outer;                     /* product of all but the last axis (run), or but the last two */
    int64_t pieces;                    /* a long run is cut in so many, or the last axis but one */
} box;

typedef struct state {
    int64_t size;                      /* bytes of an element */
    int boxes;
    int64_t total, out_bytes;
    bool fill;                         /* the output is filled with `pattern` first */
    unsigned char pattern[8];
    box box[FVI_MAX_IN];
} state;

/* ---- boxes -------------------------------------------------------------------------------------------------------- */

/* Axes of length 1 go; an axis that continues the next one in both memories joins it. */
static void merge(box *b)
{
    int n = 0;
    for (int i = 0; i < b->n; i++) {
        if (b->dim[i] == 1) continue;
        if (n && b->from[n - 1] == b->dim[i] * b->from[i] && b->to[n - 1] == b->dim[i] * b->to[i]) {
            b->dim[n - 1] *= b->dim[i];
            b->from[n - 1] = b->from[i];
            b->to[n - 1] = b->to[i];
            continue;
        }
        b->dim[n] = b->dim[i];
        b->from[n] = b->from[i];
        b->to[n] = b->to[i];
        n++;
    }
    if (!n) {
        b->dim[0] = b->from[0] = b->to[0] = 1;
        n = 1;
    }
    b->n = n;
}

/* Puts the axis that is contiguous in the source next to the last one. */
static void arrange(box *b, int64_t size)
{
    merge(b);
    const int last = b->n - 1;
    b->run = b->from[last] == 1 && b->to[last] == 1;
    b->outer = b->pieces = 1;
    if (b->run) {
        b->pieces = FVI_MAX(1, b->dim[last] * size / PIECE);
        for (int i = 0; i < last; i++) b->outer *= b->dim[i];
        return;
    }
    int best = last - 1;
    for (int i = 0; i < last; i++)
        if (b->from[i] < b->from[best]) best = i;
    for (int i = best; i >= 0 && i < last - 1; i++) {
        const int64_t dim = b->dim[i], from = b->from[i], to = b->to[i];
        b->dim[i] = b->dim[i + 1], b->from[i] = b->from[i + 1], b->to[i] = b->to[i + 1];
        b->dim[i + 1] = dim, b->from[i + 1] = from, b->to[i + 1] = to;
    }
    for (int i = 0; i < last - 1; i++) b->outer *= b->dim[i];
    if (last) b->pieces = FVI_MAX(1, FVI_MIN(b->dim[last - 1] / TILE, b->dim[last - 1] * b->dim[last] * size / PIECE));
}

#define COPY_TILES(T)                                                                                                      \
    static void copy_##T(const T *src, T *dst, int64_t n, int64_t m, int64_t fn, int64_t tn, int64_t fm, int64_t tm)       \
    {                                                                                                                      \
        for (int64_t i0 = 0; i0 < n; i0 += TILE)                                                                           \
            for (int64_t j0 = 0; j0 < m; j0 += TILE)                                                                       \
                for (int64_t i = i0; i < FVI_MIN(i0 + TILE, n); i++)                                                       \
                    for (int64_t j = j0; j < FVI_MIN(j0 + TILE, m); j++) dst[i * tn + j * tm] = src[i * fn + j * fm];      \
    }
COPY_TILES(uint8_t)
COPY_TILES(uint16_t)
COPY_TILES(uint32_t)
COPY_TILES(uint64_t)

static void copy_tiles(const box *b, int64_t size, int64_t piece, const char *src, char *dst)
{
    const int l = b->n - 1, k = l - 1;
    const int64_t whole = k >= 0 ? b->dim[k] : 1, fn = k >= 0 ? b->from[k] : 0, tn = k >= 0 ? b->to[k] : 0;
    const int64_t first = whole * piece / b->pieces, n = whole * (piece + 1) / b->pieces - first;
    const void *s = src + first * fn * size;
    void *d = dst + first * tn * size;
    switch (size) {
    case 1: copy_uint8_t(s, d, n, b->dim[l], fn, tn, b->from[l], b->to[l]); break;
    case 2: copy_uint16_t(s, d, n, b->dim[l], fn, tn, b->from[l], b->to[l]); break;
    case 4: copy_uint32_t(s, d, n, b->dim[l], fn, tn, b->from[l], b->to[l]); break;
    default: copy_uint64_t(s, d, n, b->dim[l], fn, tn, b->from[l], b->to[l]); break;
    }
}

static void copy_box(const box *b, int64_t size, const void *src, void *dst, int64_t total, const fvi_exec *x)
{
    const int outer_axes = b->run ? b->n - 1 : b->n - 2;
#pragma omp parallel for num_threads(x->threads) schedule(static) if (total * size > 65536 && b->outer * b->pieces > 1)
    for (int64_t t = 0; t < b->outer * b->pieces; t++) {
        int64_t rest = t / b->pieces, from = b->from_start, to = b->to_start;
        for (int i = outer_axes - 1; i >= 0; i--) {
            const int64_t at = rest % b->dim[i];
            rest /= b->dim[i];
            from += at * b->from[i];
            to += at * b->to[i];
        }
        if (b->run) {
            const int64_t run = b->dim[b->n - 1], first = run * (t % b->pieces) / b->pieces, end = run * (t % b->pieces + 1) / b->pieces;
            memcpy((char *)dst + (to + first) * size, (const char *)src + (from + first) * size, (size_t)((end - first) * size));
        } else {
            copy_tiles(b, size, t % b->pieces, (const char *)src + from * size, (char *)dst + to * size);
        }
    }
}

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
    for (int k = 0; k < s->boxes; k++) copy_box(&s->box[k], s->size, in[k], out[0], s->total / s->boxes, x);
    return FV_OK;
}

/* ---- boxes of the ops ---------------------------------------------------------------------------------------------- */

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
static bool window(fvi_layout l, const fvi_type *whole, const fvi_type *part, const int64_t *start, bool in, box *b)
{
    fvi_memory_axes w, p;
    int64_t ws[AXES], ps[AXES], at = 0;
    if (!fvi_memory_axes_of(l, whole, &w) || !fvi_memory_axes_of(l, part, &p)) return false;
    strides(&w, ws);
    strides(&p, ps);
    *b = (box){.n = w.n};
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
        b->dim[i] = p.a[i].dim;
        b->from[i] = in ? ps[i] : ws[i];
        b->to[i] = in ? ws[i] : ps[i];
    }
    *(in ? &b->to_start : &b->from_start) = at;
    return true;
}

static bool box_of_permute(const fvi_query *q, state *s)
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
    box *b = &s->box[s->boxes++];
    *b = (box){.n = y->rank};
    for (int i = 0; i < y->rank; i++) {
        b->dim[i] = y->dim[i];
        b->from[i] = by_axis[a->axes.d[i]];
        b->to[i] = os[i];
    }
    return true;
}

static bool boxes_of_concat(const fvi_query *q, state *s)
{
    const int axis = fvi_axis(((const fvi_concat_attr *)q->node->attr)->axis, q->out[0].rank);
    int64_t start[AXES] = {0};
    for (int k = 0; k < q->n_in; k++) {
        if (!window(q->in_layout[0], &q->out[0], &q->in[k], start, true, &s->box[s->boxes++])) return false;
        start[axis] += q->in[k].dim[axis];
    }
    return true;
}

static bool box_of_slice(const fvi_query *q, state *s)
{
    const fvi_slice_attr *a = q->node->attr;
    int64_t start[AXES] = {0};
    start[fvi_axis(a->axis, q->in[0].rank)] = fvi_dims_at(&a->start, 0, 0);
    return window(q->in_layout[0], &q->in[0], &q->out[0], start, false, &s->box[s->boxes++]);
}

static bool box_of_pad(const fvi_query *q, state *s)
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
    } else return false;
    const int block = fvi_layout_block(l);
    /* Padding of a block must stay zero, so a value does not go where there is some; x's own padding would be copied. */
    if (block > 1 && y->rank == 4 && ((y->dim[1] % block && f != 0) || (q->in[0].dim[1] % block && f != 0))) return false;
    return window(l, y, &q->in[0], start, true, &s->box[s->boxes++]);
}

static bool boxes(const fvi_query *q, state *s)
{
    s->boxes = 0;
    return fvi_node_is(q->node, "permute") ? box_of_permute(q, s)
         : fvi_node_is(q->node, "concat")  ? boxes_of_concat(q, s)
         : fvi_node_is(q->node, "slice")   ? box_of_slice(q, s)
                                           : box_of_pad(q, s);
}

/* ---- choice -------------------------------------------------------------------------------------------------------- */

static bool choose(fvi_query *q)
{
    state s = {0};
    fvi_layout l = FVI_PLAIN;
    for (int k = q->n_in - 1; k >= 0; k--) {
        if (q->in[k].rank && q->in[k].dim[0] == FV_RAGGED) return false;
        if (q->in_layout[k] != FVI_PLAIN) l = q->in_layout[k];
    }
    if (fvi_type_numel(&q->out[0]) < 1) return false;
    for (int plain = 0; plain < 2; plain++) {
        for (int k = 0; k < q->n_in; k++) q->in_layout[k] = plain ? FVI_PLAIN : l;
        q->out_layout[0] = fvi_node_is(q->node, "permute") ? FVI_PLAIN : q->in_layout[0];
        if (boxes(q, &s)) return true;
    }
    return false;
}

static fv_status prepare(const fvi_query *q, void **out, size_t *scratch)
{
    (void)scratch;
    state *s = fvi_calloc(1, sizeof *s);
    if (!s) return fvi_nomem(q->env->ctx);
    if (!boxes(q, s)) {
        fvi_free(s);
        return fvi_fail(q->env->ctx, FV_ERROR_INTERNAL, "copy in a memory order that was not chosen");
    }
    s->size = (int64_t)fv_dtype_size(q->out[0].dtype);
    s->total = fvi_layout_elements(q->out_layout[0], &q->out[0]);
    for (int k = 0; k < s->boxes; k++) arrange(&s->box[k], s->size);
    *out = s;
    return FV_OK;
}

#define KERNEL(id, op_)                                                                                                 \
    static const fvi_kernel id = {.name = "shape", .op = (op_), .priority = 10, .choose = choose, .prepare = prepare,   \
                                  .run = run, .destroy = fvi_free}
KERNEL(permute, "permute");
KERNEL(concat, "concat");
KERNEL(slice, "slice");
KERNEL(pad, "pad");
FVI_KERNELS(k_shape, &permute, &concat, &slice, &pad);
