/* SPDX-License-Identifier: Apache-2.0 */
/* conv2d, conv2d_act and the gradient with respect to the input, with 3x3 windows and stride 1, by Winograd's F(4x4,
 * 3x3). Where weights do not change (inference), they are transformed once, by a reorder to an order of memory of its
 * own; at every call in training, and where many tiles share the work and the four times larger copy would be much to
 * keep. (oneDNN 2.x does it at every call, 3.x has no Winograd.) Tiles are worked on in chunks; each in three phases,
 * shared out among the threads. Sums do not depend on the number of threads. The gradient is a convolution too: of dy,
 * padded by 2 less the padding, with the windows turned. */
#include "cpu/conv_plan.h"
#include "cpu/isa/winograd.h"
#include "ir/source.h"
#include "ops/conv2d_act.h"

enum { PIECE = 8 };                                      /* tiles of an item of work in the first and last phase */

/* G g G^T of weights in any order. */
typedef struct transform {
    int64_t outs, ins, block;
    int64_t *o_at, *i_at, k_at[9];                       /* offsets of an element, by axis; o_at is the owner of both */
    void (*run)(const float *w, const int64_t *o_at, const int64_t *i_at, const int64_t k_at[9], int64_t outs,
                int64_t ins, int64_t ob, float *u);
} transform;

typedef struct winograd {
    fvi_winograd_shape shape;
    int64_t tiles, chunk, block, outs;
    bool bias, addend;
    bool here;                                           /* weights are transformed at every call */
    transform weights;
    size_t m_at, bias_at, u_at;                          /* in scratch; bias_at 0: used in place */
    void (*input)(const fvi_winograd_shape *s, const float *x, int64_t first, int64_t count, int64_t cb, int64_t from,
                  int64_t to, float *v);
    void (*product)(const fvi_winograd_shape *s, const float *v, const float *u, int64_t count, int64_t e, int64_t ob,
                    float *m);
    void (*output)(const fvi_winograd_shape *s, const float *m, const float *bias, const float *addend, int64_t first,
                   int64_t count, int64_t ob, int64_t from, int64_t to, float *y);
} winograd;

static fvi_layout image_layout(const fvi_env *env) { return env->isa >= FVI_ISA_AVX512 ? FVI_NCHW16C : FVI_NCHW8C; }
static fvi_layout weights_layout(const fvi_env *env)
{
    return env->isa >= FVI_ISA_AVX512 ? FVI_WINOGRAD16 : FVI_WINOGRAD8;
}

static bool is_fused(const fvi_query *q) { return !strcmp(q->node->op->name, "conv2d_act"); }
static bool is_back(const fvi_query *q) { return !strcmp(q->node->op->name, "conv2d_dgrad"); }

/* In multiply-adds at the direct convolution's speed, fitted to docs/kernels.md: the products, both transforms, and the
 * transformed weights, which are four times the memory and come from there once a call, or are made. */
static bool wins(const winograd *p)
{
    const fvi_winograd_shape *s = &p->shape;
    const double c = (double)s->c, o = (double)s->o, t = (double)p->tiles, in_cache = 1 << 20;
    const double per_sum = 1.1, per_pixel = 20, per_weight = (36 * c * o > in_cache ? 21 : 6) + (p->here ? 20 : 0);
    const double direct = 9 * (double)(s->n * s->oh * s->ow) * c * o;
    return 36 * (per_sum * t * c * o + per_pixel * t * (c + o) + per_weight * c * o) < 0.95 * direct;
}

static bool shape_of(const fvi_query *q, winograd *p)
{
    const fvi_conv2d_attr *a = q->node->attr;            /* of conv2d_act too: its first member */
    const fvi_type *x = &q->in[0], *y = &q->out[0];
    const fvi_env *env = q->env;
    const bool back = is_back(q);
    if (!env->layouts || env->isa < FVI_ISA_AVX2 || env->conv_layout != image_layout(env)) return false;
    if (a->groups != 1) return false;
    for (int i = 0; i < 2; i++)
        if (q->in[1].dim[2 + i] != 3 || a->stride[i] != 1 || a->dilation[i] != 1 || (back && a->padding[i] > 2))
            return false;
    if (y->dtype != FV_F32 || x->dim[0] < 1 || y->dim[2] < 1 || y->dim[3] < 1) return false;
    for (int i = 0; i < q->n_in; i++)
        if (q->in[i].dtype != FV_F32) return false;
    const int64_t b = fvi_layout_block(image_layout(env));
    if (x->dim[1] < b || y->dim[1] < b) return false;
    *p = (winograd){.block = b, .outs = y->dim[1], .bias = q->n_in > 2, .addend = q->n_in > 3};
    fvi_winograd_shape *s = &p->shape;
    *s = (fvi_winograd_shape){
        .n = x->dim[0], .c = FVI_ALIGN_UP(x->dim[1], b), .h = x->dim[2], .w = x->dim[3],
        .o = FVI_ALIGN_UP(y->dim[1], b), .oh = y->dim[2], .ow = y->dim[3],
        .padding = {back ? 2 - a->padding[0] : a->padding[0], back ? 2 - a->padding[1] : a->padding[1]},
        .tiles_h = (y->dim[2] + 3) / 4, .tiles_w = (y->dim[3] + 3) / 4, .act = FVI_ACT_NONE};
    s->row = s->c + 16;
    if (is_fused(q)) s->act = (int)((const fvi_conv2d_act_attr *)q->node->attr)->act;
    p->tiles = s->n * s->tiles_h * s->tiles_w;
    p->here = back || env->training || (p->tiles >= 64 && 36 * s->c * s->o > 2 << 20);
    return true;
}

/* A kernel table's word goes before the estimate. */
static bool wanted(const fvi_query *q, const winograd *p)
{
    if (q->in_layout[0] == FVI_NHWC) return false;
    fvi_conv_case c;
    char key[FVI_CONV_KEY];
    if (is_back(q)) fvi_conv_case_set(&c, FVI_DNNL_BACKWARD_DATA, q->node->attr, &q->out[0], &q->in[1], &q->in[0]);
    else fvi_conv_case_set(&c, FVI_DNNL_FORWARD, q->node->attr, &q->in[0], &q->in[1], &q->out[0]);
    fvi_conv_key(&c, q->env->threads, key);
    const fvi_kernel_table *t = q->env->table;
    const char *tuned = t && t->find ? t->find(t, q->node->op->name, key) : NULL;
    if (tuned) return !strcmp(tuned, FVI_CONV_OWN);
    /* In training oneDNN's is as fast forwards, and leaves the weights in the order of their gradient. */
    if (q->env->training && !is_back(q) && q->env->isa >= FVI_ISA_AVX512 && fvi_dnnl_has_winograd()) return false;
    return wins(p);
}

static bool choose(fvi_query *q)
{
    winograd p;
    if (!shape_of(q, &p) || !wanted(q, &p)) return false;
    q->in_layout[0] = q->out_layout[0] = image_layout(q->env);
    if (!p.here) q->in_layout[1] = weights_layout(q->env);
    else if (!(q->env->training || is_back(q)) || q->in_layout[1] == FVI_OPAQUE)
        q->in_layout[1] = p.block == 16 ? FVI_OIHW16I16O : FVI_OIHW8I8O;
    if (p.bias) q->in_layout[2] = FVI_PLAIN;
    if (p.addend) q->in_layout[3] = q->out_layout[0];
    return true;
}

static void forget(transform *t)
{
    fvi_free(t->o_at);
    t->o_at = NULL;
}

/* back: the roles of the channels are exchanged, and the window is turned. */
static fv_status plan_transform(const fvi_env *env, const fvi_type *w, fvi_layout from, bool back, transform *t)
{
    const int64_t outs = w->dim[back], ins = w->dim[!back];
    *t = (transform){.outs = outs, .ins = ins, .block = fvi_layout_block(image_layout(env)),
                     .run = FVI_ISA_PICK(env->isa, fvi_winograd_weights)};
    t->o_at = fvi_calloc((size_t)(outs + ins), sizeof *t->o_at);
    if (!t->o_at) return fvi_nomem(env->ctx);
    t->i_at = t->o_at + outs;
    int64_t rows[3], columns[3];
    fvi_layout_offsets(from, w, back, t->o_at);
    fvi_layout_offsets(from, w, !back, t->i_at);
    fvi_layout_offsets(from, w, 2, rows);
    fvi_layout_offsets(from, w, 3, columns);
    for (int k = 0; k < 9; k++) t->k_at[k] = back ? rows[2 - k / 3] + columns[2 - k % 3] : rows[k / 3] + columns[k % 3];
    return FV_OK;
}

static void run_transform(const transform *t, const float *w, float *u, int threads)
{
#pragma omp parallel for num_threads(threads) schedule(static) if (threads > 1)
    for (int64_t ob = 0; ob < (t->outs + t->block - 1) / t->block; ob++)
        t->run(w, t->o_at, t->i_at, t->k_at, t->outs, t->ins, ob, u);
}

static void destroy(void *state)
{
    winograd *p = state;
    if (p) forget(&p->weights);
    fvi_free(p);
}

static fv_status prepare(const fvi_query *q, void **state, size_t *scratch_bytes)
{
    winograd *p = fvi_malloc(sizeof *p);
    if (!p) return fvi_nomem(q->env->ctx);
    const bool fits = shape_of(q, p);
    FVI_ASSERT(q->env->ctx, fits);
    const fvi_winograd_shape *s = &p->shape;
    /* A chunk's v and m are about as large as the weights, which every chunk reads, but stay in the caches. */
    const int64_t least = 1 << 19, most = 5 << 19, per_tile = 36 * (s->row + s->o), weights = 36 * s->c * s->o;
    const int64_t fit = FVI_MAX(FVI_MIN(FVI_MAX(least, weights), most) / per_tile, (int64_t)PIECE);
    const int64_t chunks = (p->tiles + fit - 1) / fit;
    p->chunk = (p->tiles + chunks - 1) / chunks;
    size_t at = FVI_ALIGN_UP((size_t)(36 * p->chunk * s->row) * sizeof(float), FVI_ALIGNMENT);
    p->m_at = at;
    at += FVI_ALIGN_UP((size_t)(36 * p->chunk * s->o) * sizeof(float), FVI_ALIGNMENT);
    if (p->bias && s->o != p->outs) {
        p->bias_at = at;
        at += FVI_ALIGN_UP((size_t)s->o * sizeof(float), FVI_ALIGNMENT);
    }
    if (p->here) {
        p->u_at = at;
        at += FVI_ALIGN_UP((size_t)(36 * s->c * s->o) * sizeof(float), FVI_ALIGNMENT);
        const fv_status status = plan_transform(q->env, &q->in[1], q->in_layout[1], is_back(q), &p->weights);
        if (status != FV_OK) {
            fvi_free(p);
            return status;
        }
    }
    p->input = FVI_ISA_PICK(q->env->isa, fvi_winograd_input);
    p->product = FVI_ISA_PICK(q->env->isa, fvi_winograd_product);
    p->output = FVI_ISA_PICK(q->env->isa, fvi_winograd_output);
    *scratch_bytes = at;
    *state = p;
    return FV_OK;
}

static fv_status run(void *state, void *const *in, void *const *out, void *scratch, const fvi_exec *x)
{
    const winograd *p = state;
    const fvi_winograd_shape *s = &p->shape;
    const float *images = in[0], *u = in[1], *bias = p->bias ? in[2] : NULL, *addend = p->addend ? in[3] : NULL;
    if (p->here) {
        float *made = (float *)(void *)((char *)scratch + p->u_at);
        run_transform(&p->weights, u, made, x->threads);
        u = made;
    }
    float *v = scratch, *m = (float *)(void *)((char *)scratch + p->m_at), *y = out[0];
    if (p->bias_at) {
        float *longer = (float *)(void *)((char *)scratch + p->bias_at);
        memcpy(longer, bias, (size_t)p->outs * sizeof *longer);
        memset(longer + p->outs, 0, (size_t)(s->o - p->outs) * sizeof *longer);
        bias = longer;
    }
    const int64_t in_blocks = s->c / p->block, out_blocks = s->o / p->block,
                  groups = (out_blocks + FVI_WINOGRAD_GROUP - 1) / FVI_WINOGRAD_GROUP;
#pragma omp parallel num_threads(x->threads) if (x->threads > 1)
    for (int64_t first = 0; first < p->tiles; first += p->chunk) {
        const int64_t count = FVI_MIN(p->chunk, p->tiles - first), pieces = (count + PIECE - 1) / PIECE;
#pragma omp for schedule(static)
        for (int64_t i = 0; i < in_blocks * pieces; i++) {
            const int64_t from = i % pieces * PIECE;
            p->input(s, images, first, count, i / pieces, from, FVI_MIN(from + PIECE, count), v);
        }
#pragma omp for schedule(static)
        for (int64_t i = 0; i < 36 * groups; i++)
            p->product(s, v, u, count, i / groups, i % groups * FVI_WINOGRAD_GROUP, m);
#pragma omp for schedule(static)
        for (int64_t i = 0; i < out_blocks * pieces; i++) {
            const int64_t from = i % pieces * PIECE;
            p->output(s, m, bias, addend, first, count, i / pieces, from, FVI_MIN(from + PIECE, count), y);
        }
    }
    return FV_OK;
}

static const char *describe(const void *state)
{
    (void)state;
    return "F(4x4,3x3) " FVI_CONV_OWN;
}

/* ---- weights, once ----------------------------------------------------------------------------------------------- */

static bool weights_choose(fvi_query *q)
{
    const fvi_layout to = (fvi_layout)((const fvi_reorder_attr *)q->node->attr)->layout, from = q->in_layout[0];
    if (to != weights_layout(q->env) || from == FVI_OPAQUE || fvi_layout_derived(from) || q->env->isa < FVI_ISA_AVX2)
        return false;
    if (q->in[0].dtype != FV_F32 || q->out[0].dtype != FV_F32) return false;
    q->out_layout[0] = to;
    return true;
}

static void weights_destroy(void *state)
{
    forget(state);
    fvi_free(state);
}

static fv_status weights_prepare(const fvi_query *q, void **state, size_t *scratch_bytes)
{
    transform *t = fvi_malloc(sizeof *t);
    if (!t) return fvi_nomem(q->env->ctx);
    const fv_status status = plan_transform(q->env, &q->in[0], q->in_layout[0], false, t);
    *scratch_bytes = 0;
    if (status == FV_OK) *state = t;
    else fvi_free(t);
    return status;
}

static fv_status weights_run(void *state, void *const *in, void *const *out, void *scratch, const fvi_exec *x)
{
    (void)scratch;
    run_transform(state, in[0], out[0], x->threads);
    return FV_OK;
}

static const fvi_kernel conv = {.name = "winograd", .op = "conv2d", .priority = 15, .choose = choose,
                                .prepare = prepare, .run = run, .destroy = destroy, .describe = describe,
                                .choices = fvi_conv_variants};
static const fvi_kernel conv_act = {.name = "winograd", .op = "conv2d_act", .priority = 15, .choose = choose,
                                    .prepare = prepare, .run = run, .destroy = destroy, .describe = describe,
                                    .choices = fvi_conv_variants, .inplace = {4}};
static const fvi_kernel dgrad = {.name = "winograd", .op = "conv2d_dgrad", .priority = 15, .choose = choose,
                                 .prepare = prepare, .run = run, .destroy = destroy, .describe = describe,
                                 .choices = fvi_conv_variants};
static const fvi_kernel weights = {.name = "winograd_weights", .op = "reorder", .priority = 20,
                                   .choose = weights_choose, .prepare = weights_prepare, .run = weights_run,
                                   .destroy = weights_destroy};

FVI_KERNELS(k_winograd, &conv, &conv_act, &dgrad, &weights);
