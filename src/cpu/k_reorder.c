/* SPDX-License-Identifier: Apache-2.0 */
/* reorder: the same tensor in another memory order, of another float type where the types differ. oneDNN's JIT for f32 and
 * bf16; what it has no fast way for, and other types, by our own walk: an element's offset is a sum of one table entry per
 * axis, and the last two axes that are not of length 1 are the inner loops. */
#include "cpu/dnnl_shim.h"
#include "ir/kernel.h"
#include "ir/source.h"

enum { AXES = FV_MAX_RANK };

typedef struct reorder {
    fvi_dnnl *dnnl;                    /* or NULL: the walk */
    fv_dtype from_type, to_type;
    bool same;                         /* the bytes do not change */
    size_t to_bytes;
    bool padded;                       /* the target has padding: cleared first */
    int64_t dim[AXES];
    int64_t *from[AXES], *to[AXES];    /* offsets in elements */
    int64_t *tables;
} reorder;

static bool choose(fvi_query *q)
{
    const fvi_reorder_attr *a = q->node->attr;
    const fvi_layout from = q->in_layout[0], to = (fvi_layout)a->layout;
    if (from == FVI_OPAQUE || to == FVI_OPAQUE || fvi_layout_derived(from) || fvi_layout_derived(to) || fvi_type_numel(&q->in[0]) < 1) return false;
    if (q->in[0].dtype != q->out[0].dtype && (q->in[0].dtype == FV_F64 || !fv_dtype_is_float(q->in[0].dtype))) return false;
    q->out_layout[0] = to;
    return true;
}

static void destroy(void *state)
{
    reorder *p = state;
    if (!p) return;
    fvi_dnnl_free(p->dnnl);
    fvi_free(p->tables);
    fvi_free(p);
}

/* ---- offsets --------------------------------------------------------------------------------------------------------- */

/* Axes that are not 1 in the order of the target's strides, outermost first, so that writes run through memory. */
static int order_axes(const reorder *p, const fvi_type *t, int order[AXES])
{
    int n = 0;
    for (int a = 0; a < t->rank; a++) {
        if (t->dim[a] == 1) continue;
        int at = n++;
        for (; at > 0 && p->to[order[at - 1]][1] < p->to[a][1]; at--) order[at] = order[at - 1];
        order[at] = a;
    }
    return n;
}

static fv_status walk_prepare(const fvi_query *q, reorder *p)
{
    const fvi_type *t = &q->in[0];
    int64_t total = 2 * AXES;
    for (int a = 0; a < t->rank; a++) total += 2 * t->dim[a];
    p->tables = fvi_calloc((size_t)total, sizeof *p->tables);
    if (!p->tables) return fvi_nomem(q->env->ctx);
    int64_t *free_table = p->tables, *none = free_table;                 /* none: the single offset 0 of absent axes */
    free_table += 1;
    for (int a = 0; a < t->rank; a++) {
        p->from[a] = free_table;
        p->to[a] = free_table + t->dim[a];
        free_table += 2 * t->dim[a];
        fvi_layout_offsets(q->in_layout[0], t, a, p->from[a]);
        fvi_layout_offsets(q->out_layout[0], t, a, p->to[a]);
    }
    int order[AXES];
    const int n = order_axes(p, t, order);
    const reorder before = *p;
    for (int i = 0; i < AXES; i++) {
        const int at = i - (AXES - n);
        p->dim[i] = at < 0 ? 1 : t->dim[order[at]];
        p->from[i] = at < 0 ? none : before.from[order[at]];
        p->to[i] = at < 0 ? none : before.to[order[at]];
    }
    return FV_OK;
}

/* ---- preparing --------------------------------------------------------------------------------------------------------- */

static fvi_dnnl_tensor describe_tensor(const fvi_type *t, fvi_layout l)
{
    fvi_dnnl_tensor d = {.dtype = t->dtype, .rank = t->rank, .layout = l};
    memcpy(d.dim, t->dim, sizeof t->dim);
    return d;
}

static fv_status prepare(const fvi_query *q, void **state, size_t *scratch_bytes)
{
    fv_context *ctx = q->env->ctx;
    fv_status status = FV_OK;
    reorder *p = fvi_calloc(1, sizeof *p);
    if (!p) return fvi_nomem(ctx);
    p->from_type = q->in[0].dtype;
    p->to_type = q->out[0].dtype;
    p->same = q->in_layout[0] == q->out_layout[0] && p->from_type == p->to_type;
    p->to_bytes = fvi_layout_bytes(q->out_layout[0], &q->out[0]);
    p->padded = fvi_layout_elements(q->out_layout[0], &q->out[0]) != fvi_type_numel(&q->out[0]);
    const fvi_dnnl_tensor from = describe_tensor(&q->in[0], q->in_layout[0]), to = describe_tensor(&q->out[0], q->out_layout[0]);
    if (!p->same && from.rank && fvi_dnnl_reorder(NULL, &from, &to, q->env->threads, &p->dnnl) == FV_OK) {
        if (fvi_dnnl_speed_of(p->dnnl) == FVI_DNNL_FAST) {
            FVI_TRY_DONE(ctx, status, fvi_dnnl_ready(ctx, p->dnnl));
            *scratch_bytes = fvi_dnnl_scratch(p->dnnl);
            goto done;
        }
        fvi_dnnl_free(p->dnnl);
        p->dnnl = NULL;
    }
    if (!p->same) FVI_TRY_DONE(ctx, status, walk_prepare(q, p));
done:
    if (status != FV_OK) destroy(p);
    else *state = p;
    return status;
}

/* ---- running ------------------------------------------------------------------------------------------------------------- */

static inline float from_bf16(uint16_t h)
{
    const uint32_t bits = (uint32_t)h << 16;
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

static inline uint16_t to_bf16(float f)
{
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    if ((bits & 0x7fffffff) > 0x7f800000) return (uint16_t)(bits >> 16 | 0x40);
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

/* Every element, the two innermost axes in one call: FROM and TO are the element types, EXPR makes one of the other. */
#define PLANE(name, FROM, TO, EXPR)                                                              \
    static void name(const reorder *p, const void *src, void *dst, int64_t from, int64_t to)     \
    {                                                                                            \
        for (int64_t i = 0; i < p->dim[4]; i++) {                                                \
            const FROM *s = (const FROM *)src + from + p->from[4][i];                            \
            TO *d = (TO *)dst + to + p->to[4][i];                                                \
            for (int64_t j = 0; j < p->dim[5]; j++) {                                            \
                const FROM v = s[p->from[5][j]];                                                 \
                d[p->to[5][j]] = EXPR;                                                           \
            }                                                                                    \
        }                                                                                        \
    }
PLANE(plane_8, uint8_t, uint8_t, v)
PLANE(plane_16, uint16_t, uint16_t, v)
PLANE(plane_32, uint32_t, uint32_t, v)
PLANE(plane_64, uint64_t, uint64_t, v)
PLANE(plane_widen, uint16_t, float, from_bf16(v))
PLANE(plane_narrow, float, uint16_t, to_bf16(v))

typedef void plane_fn(const reorder *p, const void *src, void *dst, int64_t from, int64_t to);

static plane_fn *plane_of(const reorder *p)
{
    if (p->from_type != p->to_type) return p->to_type == FV_F32 ? plane_widen : plane_narrow;
    switch (fv_dtype_size(p->to_type)) {
    case 1: return plane_8;
    case 2: return plane_16;
    case 4: return plane_32;
    default: return plane_64;
    }
}

static fv_status run(void *state, void *const *in, void *const *out, void *scratch, const fvi_exec *x)
{
    const reorder *p = state;
    if (p->dnnl) {
        void *ptr[FVI_DNNL_SLOTS] = {[FVI_DNNL_SRC] = in[0], [FVI_DNNL_DST] = out[0]};
        return fvi_dnnl_run(x->ctx, p->dnnl, ptr, scratch);
    }
    if (p->same) {
        if (in[0] != out[0]) memcpy(out[0], in[0], p->to_bytes);
        return FV_OK;
    }
    if (p->padded) memset(out[0], 0, p->to_bytes);
    plane_fn *plane = plane_of(p);
    const int64_t *d = p->dim, blocks = d[0] * d[1] * d[2] * d[3];
#pragma omp parallel for num_threads(x->threads) schedule(static) if (blocks * d[4] * d[5] > 20000)
    for (int64_t i = 0; i < blocks; i++) {
        const int64_t i3 = i % d[3], i2 = i / d[3] % d[2], i1 = i / (d[3] * d[2]) % d[1], i0 = i / (d[3] * d[2] * d[1]);
        plane(p, in[0], out[0], p->from[0][i0] + p->from[1][i1] + p->from[2][i2] + p->from[3][i3],
              p->to[0][i0] + p->to[1][i1] + p->to[2][i2] + p->to[3][i3]);
    }
    return FV_OK;
}

static const char *describe(const void *state)
{
    const reorder *p = state;
    return p->dnnl ? fvi_dnnl_impl(p->dnnl) : p->same ? "copy" : "walk";
}

static const fvi_kernel kernel = {.name = "reorder", .op = "reorder", .priority = 10, .choose = choose, .prepare = prepare,
    .run = run, .destroy = destroy, .describe = describe};

FVI_KERNELS(k_reorder, &kernel);
