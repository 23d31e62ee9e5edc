/* SPDX-License-Identifier: Apache-2.0 */
/* All elementwise ops in f32 and bf16, one mechanism: a table from op to vector function. Operands have the shape of
 * the output (any memory order, the same for all) or are scalars; other broadcasting goes to the reference. Memory
 * orders with padding are taken only by functions that keep zero zero. bf16 goes through blocks in the first cache. */
#include "cpu/isa/elementwise.h"

#include "ops/activation.h"

#include <omp.h>

enum { BLOCK = 2048, THREADED = 32768, MAX_INPUTS = 3 };

typedef struct entry {
    const char *op;
    int inputs;
    bool zero;                         /* f(0) = 0 */
    fvi_elementwise_fn *fn[3];         /* base, avx2, avx512 */
} entry;

#if defined(__x86_64__)
#define ALL_SETS(name) {fvi_ew_##name##_base, fvi_ew_##name##_avx2, fvi_ew_##name##_avx512}
#else
#define ALL_SETS(name) {fvi_ew_##name##_base, fvi_ew_##name##_base, fvi_ew_##name##_base}
#endif
#define ENTRY(name, n, z) {#name, n, z, ALL_SETS(name)},
static const entry table[] = {FVI_ELEMENTWISE_LIST(ENTRY)};
static const entry gelu_tanh[2] = {{"gelu", 1, true, ALL_SETS(gelu_tanh)},
                                   {"gelu_backward", 2, true, ALL_SETS(gelu_tanh_backward)}};

typedef struct state {
    fvi_elementwise_fn *fn;
    int inputs;
    int64_t n;
    bool scalar[MAX_INPUTS], low[MAX_INPUTS], low_out;
    float k[2];
    void (*widen)(const uint16_t *, float *, int64_t);
    void (*narrow)(const float *, uint16_t *, int64_t);
} state;

static const entry *find(const fvi_node *n)
{
    const char *name = n->op->name;
    if (!strncmp(name, "gelu", 4) && ((const fvi_gelu_attr *)n->attr)->tanh) return &gelu_tanh[name[4] != 0];
    for (int i = 0; i < FVI_COUNT(table); i++)
        if (!strcmp(table[i].op, name)) return &table[i];
    return NULL;
}

static bool real(fv_dtype d) { return d == FV_F32 || d == FV_BF16; }

static bool is_scalar(const fvi_type *t) { return fvi_type_numel(t) == 1; }

/* The memory order of all full operands: blocked wins over plain, so that fewer tensors are reordered. */
static fvi_layout common(const fvi_query *q)
{
    fvi_layout l = FVI_PLAIN;
    for (int i = 0; i < q->n_in; i++)
        if (fvi_type_same_shape(&q->in[i], &q->out[0]) && q->in_layout[i] != FVI_PLAIN &&
            q->in_layout[i] != FVI_OPAQUE && l == FVI_PLAIN)
            l = q->in_layout[i];
    return l;
}

static bool choose(fvi_query *q)
{
    const entry *e = find(q->node);
    if (!e || q->n_in != e->inputs || !real(q->out[0].dtype) || fvi_type_numel(&q->out[0]) < 1) return false;
    fvi_layout l = common(q);
    if (!e->zero && fvi_layout_elements(l, &q->out[0]) != fvi_type_numel(&q->out[0])) l = FVI_PLAIN;
    bool any_full = false;
    for (int i = 0; i < q->n_in; i++) {
        if (!real(q->in[i].dtype)) return false;
        const bool full = fvi_type_same_shape(&q->in[i], &q->out[0]);
        if (!full && !is_scalar(&q->in[i])) return false;
        any_full |= full;
        q->in_layout[i] = full ? l : FVI_PLAIN;
        /* a scalar operand is not zero in the padding */
        if (!full && fvi_layout_elements(l, &q->out[0]) != fvi_type_numel(&q->out[0]) && strcmp(e->op, "mul"))
            return false;
    }
    q->out_layout[0] = l;
    return any_full;
}

static void numbers(const fvi_node *n, float k[2])
{
    if (fvi_node_is(n, "leaky_relu") || fvi_node_is(n, "leaky_relu_backward"))
        k[0] = (float)((const fvi_leaky_relu_attr *)n->attr)->slope;
    else if (fvi_node_is(n, "scale")) k[0] = (float)((const fvi_scale_attr *)n->attr)->factor;
    else if (fvi_node_is(n, "offset")) k[0] = (float)((const fvi_offset_attr *)n->attr)->value;
    else if (fvi_node_is(n, "pow")) k[0] = (float)((const fvi_pow_attr *)n->attr)->exponent;
    else if (fvi_node_is(n, "clamp")) {
        k[0] = (float)((const fvi_clamp_attr *)n->attr)->low;
        k[1] = (float)((const fvi_clamp_attr *)n->attr)->high;
    } else if (fvi_node_is(n, "lerp")) {
        k[0] = (float)((const fvi_lerp_attr *)n->attr)->t;
        k[1] = (float)(1 - ((const fvi_lerp_attr *)n->attr)->t);
    }
}

static fv_status prepare(const fvi_query *q, void **out, size_t *scratch)
{
    const entry *e = find(q->node);
    state *s = fvi_calloc(1, sizeof *s);
    if (!s || !e) {
        fvi_free(s);
        return fvi_nomem(q->env->ctx);
    }
    s->fn = e->fn[q->env->isa >= FVI_ISA_AVX512 ? 2 : q->env->isa == FVI_ISA_AVX2 ? 1 : 0];
    s->widen = FVI_ISA_PICK(q->env->isa, fvi_ew_widen);
    s->narrow = FVI_ISA_PICK(q->env->isa, fvi_ew_narrow);
    s->inputs = e->inputs;
    s->n = fvi_layout_elements(q->out_layout[0], &q->out[0]);
    for (int i = 0; i < s->inputs; i++) {
        s->scalar[i] = !fvi_type_same_shape(&q->in[i], &q->out[0]);
        s->low[i] = q->in[i].dtype == FV_BF16;
    }
    s->low_out = q->out[0].dtype == FV_BF16;
    numbers(q->node, s->k);
    *out = s;
    *scratch = 0;
    return FV_OK;
}

static void run_block(const state *s, void *const *in, void *out, int64_t from, int64_t n)
{
    _Alignas(64) float buffer[MAX_INPUTS + 1][BLOCK];
    const float *x[MAX_INPUTS] = {NULL};
    for (int i = 0; i < s->inputs; i++) {
        if (s->scalar[i]) {
            float v = 0;
            if (s->low[i]) s->widen(in[i], &v, 1);
            else v = *(const float *)in[i];
            for (int64_t j = 0; j < n; j++) buffer[i][j] = v;
            x[i] = buffer[i];
        } else if (s->low[i]) {
            s->widen((const uint16_t *)in[i] + from, buffer[i], n);
            x[i] = buffer[i];
        } else x[i] = (const float *)in[i] + from;
    }
    float *y = s->low_out ? buffer[MAX_INPUTS] : (float *)out + from;
    s->fn(x[0], x[1], x[2], y, n, s->k);
    if (s->low_out) s->narrow(y, (uint16_t *)out + from, n);
}

static fv_status run(void *p, void *const *in, void *const *out, void *scratch, const fvi_exec *x)
{
    (void)scratch;
    const state *s = p;
    const int64_t blocks = (s->n + BLOCK - 1) / BLOCK;
#pragma omp parallel for num_threads(x->threads) if (s->n > THREADED && x->threads > 1) schedule(static)
    for (int64_t b = 0; b < blocks; b++) run_block(s, in, out[0], b * BLOCK, FVI_MIN(s->n - b * BLOCK, BLOCK));
    return FV_OK;
}

#define KERNEL(name_, inputs, zero)                                                                            \
    static const fvi_kernel kernel_##name_ = {.name = "elementwise", .op = #name_, .priority = 10,             \
                                              .choose = choose, .prepare = prepare, .run = run,                \
                                              .destroy = fvi_free, .inplace = {1}};
FVI_ELEMENTWISE_LIST(KERNEL)
#define LISTED(name_, inputs, zero) &kernel_##name_,
extern const fvi_kernel_list fvi_kernels_k_elementwise;
static const fvi_kernel *const listed[] = {FVI_ELEMENTWISE_LIST(LISTED)};
const fvi_kernel_list fvi_kernels_k_elementwise = {FVI_COUNT(listed), listed};
