/* SPDX-License-Identifier: Apache-2.0 */
/* Elementwise ops whose operands broadcast (layer scale, gates, drop path, position embeddings, scalars), f32 and bf16,
 * in every memory order of activations. The output is walked in blocks in the order of memory; an operand of its shape
 * is read in place, any other is spread into a block-sized buffer, and the vector functions of k_elementwise do the
 * rest. An operand that repeats within a block, as a vector of channels does in NHWC, is spread once a thread. */
#include "cpu/axes.h"
#include "cpu/isa/elementwise.h"

#include "ops/elementwise.h"

#include <omp.h>

enum { BLOCK = 2048, THREADED = 32768, MAX_INPUTS = 3, AXES = FV_MAX_RANK + 1 };

typedef struct entry {
    const char *op;
    int inputs;
    fvi_elementwise_fn *fn[3];         /* base, avx2, avx512 */
} entry;

#if defined(__x86_64__)
#define ENTRY(name, n) {#name, n, {fvi_ew_##name##_base, fvi_ew_##name##_avx2, fvi_ew_##name##_avx512}},
#else
#define ENTRY(name, n) {#name, n, {fvi_ew_##name##_base, fvi_ew_##name##_base, fvi_ew_##name##_base}},
#endif
#define BROADCAST_LIST(X) \
    X(add, 2) X(sub, 2) X(mul, 2) X(div, 2) X(maximum, 2) X(minimum, 2) X(greater, 2) X(equal, 2) X(select, 3) X(lerp, 2) \
    X(less, 2) X(less_equal, 2) X(greater_equal, 2) X(not_equal, 2) X(logical_and, 2) X(logical_or, 2) X(logical_xor, 2)
static const entry table[] = {BROADCAST_LIST(ENTRY)};

typedef struct state {
    fvi_elementwise_fn *fn;
    int inputs, axes;
    int64_t n, block;                  /* elements of the output; elements of a block */
    int64_t dim[AXES];                 /* of the output, outermost first; axes that all operands walk alike are one */
    int64_t step[MAX_INPUTS][AXES];    /* of an operand, 0 where it repeats */
    bool full[MAX_INPUTS], once[MAX_INPUTS], low[MAX_INPUTS], low_out;
    float k[2];
    void (*widen)(const uint16_t *, float *, int64_t);
    void (*narrow)(const float *, uint16_t *, int64_t);
} state;

static const entry *find(const fvi_node *n)
{
    for (int i = 0; i < FVI_COUNT(table); i++)
        if (!strcmp(table[i].op, n->op->name)) return &table[i];
    return NULL;
}

static bool real(fv_dtype d) { return d == FV_F32 || d == FV_BF16; }

/* ---- choice ------------------------------------------------------------------------------------------------------ */

static bool choose(fvi_query *q)
{
    const entry *e = find(q->node);
    const fvi_type *y = &q->out[0];
    fvi_layout l = FVI_PLAIN;
    fvi_memory_axes m;
    if (!e || q->n_in != e->inputs || !real(y->dtype) || fvi_type_numel(y) < 1) return false;
    for (int i = 0; i < q->n_in; i++) {
        if (!real(q->in[i].dtype)) return false;
        if (fvi_type_same_shape(&q->in[i], y) && l == FVI_PLAIN && q->in_layout[i] != FVI_OPAQUE) l = q->in_layout[i];
    }
    /* Padding must stay zero, and a vector of channels has none: whole blocks only. */
    if (!fvi_memory_axes_of(l, y, &m) || fvi_layout_elements(l, y) != fvi_type_numel(y)) l = FVI_PLAIN;
    for (int i = 0; i < q->n_in; i++) q->in_layout[i] = fvi_type_same_shape(&q->in[i], y) ? l : FVI_PLAIN;
    q->out_layout[0] = l;
    return true;
}

/* The step of plain `t` along axis `axis` of an output of rank `rank`. */
static int64_t plain_step(const fvi_type *t, int rank, int axis)
{
    const int i = axis - (rank - t->rank);
    int64_t step = 1;
    if (i < 0 || t->dim[i] == 1) return 0;
    for (int k = i + 1; k < t->rank; k++) step *= t->dim[k];
    return step;
}

static void geometry(state *s, const fvi_query *q)
{
    const fvi_type *y = &q->out[0];
    fvi_memory_axes m;
    fvi_memory_axes_of(q->out_layout[0], y, &m);
    s->n = fvi_type_numel(y);
    int64_t inner = s->n;
    for (int j = 0; j < m.n; j++) {
        if (m.a[j].dim == 1) continue;
        const int last = s->axes - 1;
        int64_t step[MAX_INPUTS] = {0};
        bool joins = last >= 0;
        inner /= m.a[j].dim;
        for (int i = 0; i < s->inputs; i++) {
            step[i] = s->full[i] ? inner : plain_step(&q->in[i], y->rank, m.a[j].axis) * m.a[j].unit;
            joins = joins && s->step[i][last] == step[i] * m.a[j].dim;
        }
        const int at = joins ? last : s->axes++;
        s->dim[at] = joins ? s->dim[at] * m.a[j].dim : m.a[j].dim;
        for (int i = 0; i < s->inputs; i++) s->step[i][at] = step[i];
    }
    if (!s->axes) s->axes = 1, s->dim[0] = 1;
}

/* Elements after which operand i repeats. */
static int64_t period(const state *s, int i)
{
    int64_t p = 1;
    int first = 0;
    while (first < s->axes && s->step[i][first] == 0) first++;
    for (int j = first; j < s->axes; j++) p *= s->dim[j];
    return p;
}

static fv_status prepare(const fvi_query *q, void **out, size_t *scratch)
{
    const entry *e = find(q->node);
    state *s = e ? fvi_calloc(1, sizeof *s) : NULL;
    (void)scratch;
    if (!s) return fvi_nomem(q->env->ctx);
    s->fn = e->fn[q->env->isa >= FVI_ISA_AVX512 ? 2 : q->env->isa == FVI_ISA_AVX2 ? 1 : 0];
    s->widen = FVI_ISA_PICK(q->env->isa, fvi_ew_widen);
    s->narrow = FVI_ISA_PICK(q->env->isa, fvi_ew_narrow);
    s->inputs = e->inputs;
    s->low_out = q->out[0].dtype == FV_BF16;
    for (int i = 0; i < s->inputs; i++) {
        s->full[i] = fvi_type_same_shape(&q->in[i], &q->out[0]);
        s->low[i] = q->in[i].dtype == FV_BF16;
    }
    geometry(s, q);
    int64_t unit = 1;
    for (int i = 0; i < s->inputs; i++) {
        const int64_t p = s->full[i] ? 0 : period(s, i);
        s->once[i] = p > 0 && p <= BLOCK && (p % unit == 0 || unit % p == 0);
        if (s->once[i]) unit = FVI_MAX(unit, p);
    }
    s->block = BLOCK / unit * unit;
    if (fvi_node_is(q->node, "lerp")) {
        const fvi_lerp_attr *a = q->node->attr;
        s->k[0] = (float)a->t, s->k[1] = (float)(1 - a->t);
    }
    *out = s;
    return FV_OK;
}

/* ---- run --------------------------------------------------------------------------------------------------------- */

/* n elements of an operand along the innermost axis. */
static void spread_run(const state *s, const void *p, bool low, int64_t offset, int64_t step, float *y, int64_t n)
{
    const float *f = p;
    const uint16_t *h = p;
    if (step == 1 && low) s->widen(h + offset, y, n);
    else if (step == 1) memcpy(y, f + offset, (size_t)n * sizeof *y);
    else if (step == 0) {
        float v;
        if (low) s->widen(h + offset, &v, 1);
        else v = f[offset];
        for (int64_t j = 0; j < n; j++) y[j] = v;
    } else
        for (int64_t j = 0; j < n; j++)
            if (low) s->widen(h + offset + j * step, y + j, 1);
            else y[j] = f[offset + j * step];
}

/* Elements [from, from + n) of operand i, as the output walks them. */
static void spread(const state *s, int i, const void *p, int64_t from, int64_t n, float *y)
{
    int64_t at[AXES], offset = 0, rest = from;
    const int inner = s->axes - 1;
    for (int j = inner; j >= 0; j--) {
        at[j] = rest % s->dim[j];
        rest /= s->dim[j];
        offset += at[j] * s->step[i][j];
    }
    while (n > 0) {
        const int64_t run = FVI_MIN(n, s->dim[inner] - at[inner]);
        spread_run(s, p, s->low[i], offset, s->step[i][inner], y, run);
        y += run, n -= run;
        offset += run * s->step[i][inner];
        at[inner] += run;
        for (int j = inner; j > 0 && at[j] == s->dim[j]; j--) {
            offset += s->step[i][j - 1] - s->dim[j] * s->step[i][j];
            at[j] = 0;
            at[j - 1]++;
        }
    }
}

/* Blocks [first, last). */
static void work(const state *s, void *const *in, void *out, int64_t first, int64_t last)
{
    _Alignas(64) float buffer[MAX_INPUTS + 1][BLOCK];
    const float *x[MAX_INPUTS] = {NULL};
    for (int i = 0; i < s->inputs; i++)
        if (s->once[i] && first < last) spread(s, i, in[i], 0, FVI_MIN(s->block, s->n), buffer[i]);
    for (int64_t b = first; b < last; b++) {
        const int64_t from = b * s->block, n = FVI_MIN(s->block, s->n - from);
        for (int i = 0; i < s->inputs; i++) {
            x[i] = buffer[i];
            if (s->full[i] && !s->low[i]) x[i] = (const float *)in[i] + from;
            else if (s->full[i]) s->widen((const uint16_t *)in[i] + from, buffer[i], n);
            else if (!s->once[i]) spread(s, i, in[i], from, n, buffer[i]);
        }
        float *y = s->low_out ? buffer[MAX_INPUTS] : (float *)out + from;
        s->fn(x[0], x[1], x[2], y, n, s->k);
        if (s->low_out) s->narrow(y, (uint16_t *)out + from, n);
    }
}

static fv_status run(void *p, void *const *in, void *const *out, void *scratch, const fvi_exec *x)
{
    (void)scratch;
    const state *s = p;
    const int64_t blocks = (s->n + s->block - 1) / s->block;
#pragma omp parallel num_threads(x->threads) if (s->n > THREADED && x->threads > 1)
    {
        const int64_t me = omp_get_thread_num(), team = omp_get_num_threads();
        work(s, in, out[0], blocks * me / team, blocks * (me + 1) / team);
    }
    return FV_OK;
}

#define KERNEL(name_, inputs)                                                                                  \
    static const fvi_kernel kernel_##name_ = {.name = "broadcast", .op = #name_, .priority = 5,                \
                                              .choose = choose, .prepare = prepare, .run = run,                \
                                              .destroy = fvi_free, .inplace = {1}};
BROADCAST_LIST(KERNEL)
#define LISTED(name_, inputs) &kernel_##name_,
extern const fvi_kernel_list fvi_kernels_k_broadcast;
static const fvi_kernel *const listed[] = {BROADCAST_LIST(LISTED)};
const fvi_kernel_list fvi_kernels_k_broadcast = {FVI_COUNT(listed), listed};
