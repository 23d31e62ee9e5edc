/* SPDX-License-Identifier: Apache-2.0 */
/* Convolutions and matrix products of bf16 tensors on processors without bf16 arithmetic: operands are widened to f32,
 * the f32 kernel runs, results are rounded to bf16. That is what a bf16 kernel does by definition (products and sums in
 * f32); oneDNN's emulation of the instructions takes three to five times as long, where it has one (docs/kernels.md).
 * The tensors themselves stay bf16, so the plan's memory is halved as elsewhere; the f32 copies of one call lie in its
 * scratch. */
#include "cpu/conv_plan.h"
#include "cpu/isa/cast.h"

#include <stdio.h>

enum { STRETCH = 16384 };                                /* elements that a thread takes at a time */

extern const fvi_kernel_list fvi_kernels_k_conv2d_patch, fvi_kernels_k_wgrad_small, fvi_kernels_k_conv2d,
    fvi_kernels_k_conv2d_act, fvi_kernels_k_linear, fvi_kernels_k_matmul;
/* The kernels to run in f32, those of higher priority first. Not k_winograd.c, whose derived weights are f32 only. */
static const fvi_kernel_list *const files[] = {&fvi_kernels_k_conv2d_patch, &fvi_kernels_k_wgrad_small,
                                               &fvi_kernels_k_conv2d, &fvi_kernels_k_conv2d_act, &fvi_kernels_k_linear,
                                               &fvi_kernels_k_matmul};

/* elements; where its f32 copy lies in the scratch */
typedef struct operand { bool wide; int64_t n; size_t at; } operand;

typedef struct widened {
    const fvi_kernel *kernel;
    void *state;
    int n_in, n_out;
    operand in[FVI_FEW_IN], out[FVI_MAX_OUT];
    void (*widen)(const void *x, void *y, int64_t n);
    void (*narrow)(const void *x, void *y, int64_t n);
    char text[96];
} widened;

static void types_to_f32(fvi_type *t, int n)
{
    for (int i = 0; i < n; i++)
        if (t[i].dtype == FV_BF16) t[i].dtype = FV_F32;
}

/* Few inputs: nothing to close. */
static bool f32_query(const fvi_query *q, fvi_query *f)
{
    if (q->n_in > FVI_FEW_IN || fvi_query_copy(f, q) != FV_OK) return false;
    types_to_f32(f->in, f->n_in);
    types_to_f32(f->out, f->n_out);
    return true;
}

static bool same_layouts(const fvi_query *a, const fvi_query *b)
{
    return !memcmp(a->in_layout, b->in_layout, sizeof *a->in_layout * (size_t)a->n_in) &&
           !memcmp(a->out_layout, b->out_layout, sizeof *a->out_layout * (size_t)a->n_out);
}

/* The first kernel that takes the f32 query; its layouts are in *f. fixed: they must be those that *q has. */
static const fvi_kernel *find(const fvi_query *q, bool fixed, fvi_query *f)
{
    const fvi_kernel *last = NULL;
    for (int i = 0; i < FVI_COUNT(files); i++)
        for (int k = 0; k < files[i]->count; k++) {
            const fvi_kernel *kernel = files[i]->kernels[k];
            if (strcmp(kernel->op, q->node->op->name)) continue;
            if (!f32_query(q, f)) return NULL;
            last = kernel;
            if (kernel->choose(f) && (!fixed || same_layouts(f, q))) return kernel;
        }
    /* Asked again with its own answer, oneDNN's convolution may like another variant better; it can still be made with the
     * layouts that it named first, and checks them. */
    return fixed && f32_query(q, f) ? last : NULL;
}

static bool choose(fvi_query *q)
{
    if (q->env->isa >= FVI_ISA_AVX512_BF16 || q->in[0].dtype != FV_BF16) return false;
    for (int i = 0; i < q->n_in; i++)
        if (q->in[i].dtype != FV_BF16 && q->in[i].dtype != FV_F32) return false;
    fvi_query f;
    if (!find(q, false, &f)) return false;
    memcpy(q->in_layout, f.in_layout, sizeof *q->in_layout * (size_t)q->n_in);
    memcpy(q->out_layout, f.out_layout, sizeof *q->out_layout * (size_t)q->n_out);
    return true;
}

static void destroy(void *state)
{
    widened *p = state;
    if (p && p->state) p->kernel->destroy(p->state);
    fvi_free(p);
}

static void place(operand *o, const fvi_type *t, fvi_layout l, size_t *at)
{
    *o = (operand){t->dtype == FV_BF16, fvi_layout_elements(l, t), *at};
    if (o->wide) *at += FVI_ALIGN_UP((size_t)o->n * sizeof(float), FVI_ALIGNMENT);
}

static fv_status prepare(const fvi_query *q, void **state, size_t *scratch_bytes)
{
    widened *p = fvi_calloc(1, sizeof *p);
    if (!p) return fvi_nomem(q->env->ctx);
    fvi_query f;
    size_t at = 0;
    p->kernel = find(q, true, &f);
    const fv_status status = p->kernel->prepare(&f, &p->state, &at);
    if (status != FV_OK) {
        p->state = NULL;
        destroy(p);
        return status;
    }
    at = FVI_ALIGN_UP(at, FVI_ALIGNMENT);
    p->n_in = q->n_in;
    p->n_out = q->n_out;
    for (int i = 0; i < q->n_in; i++) place(&p->in[i], &q->in[i], q->in_layout[i], &at);
    for (int i = 0; i < q->n_out; i++) {
        const int over = p->kernel->inplace[i] - 1;      /* the operand whose copy the result may take */
        if (over >= 0 && over < q->n_in && p->in[over].wide && q->out[i].dtype == FV_BF16) p->out[i] = p->in[over];
        else place(&p->out[i], &q->out[i], q->out_layout[i], &at);
    }
    p->widen = FVI_ISA_PICK(q->env->isa, fvi_cast_bf16_f32);
    p->narrow = FVI_ISA_PICK(q->env->isa, fvi_cast_f32_bf16);
    snprintf(p->text, sizeof p->text, "f32 %s", p->kernel->describe ? p->kernel->describe(p->state) : p->kernel->name);
    *scratch_bytes = at;
    *state = p;
    return FV_OK;
}

static void cast(void (*f)(const void *, void *, int64_t), const void *x, size_t x_size, void *y, size_t y_size,
                 int64_t n, int threads)
{
#pragma omp parallel for num_threads(threads) schedule(static) if (n > 2 * STRETCH)
    for (int64_t i = 0; i < n; i += STRETCH)
        f((const char *)x + (size_t)i * x_size, (char *)y + (size_t)i * y_size, FVI_MIN((int64_t)STRETCH, n - i));
}

static fv_status run(void *state, void *const *in, void *const *out, void *scratch, const fvi_exec *x)
{
    const widened *p = state;
    void *wide_in[FVI_FEW_IN], *wide_out[FVI_MAX_OUT];
    for (int i = 0; i < p->n_in; i++) {
        wide_in[i] = p->in[i].wide ? (char *)scratch + p->in[i].at : in[i];
        if (p->in[i].wide) cast(p->widen, in[i], sizeof(uint16_t), wide_in[i], sizeof(float), p->in[i].n, x->threads);
    }
    for (int i = 0; i < p->n_out; i++) wide_out[i] = p->out[i].wide ? (char *)scratch + p->out[i].at : out[i];
    FVI_TRY(x->ctx, p->kernel->run(p->state, wide_in, wide_out, scratch, x));
    for (int i = 0; i < p->n_out; i++)
        if (p->out[i].wide)
            cast(p->narrow, wide_out[i], sizeof(float), out[i], sizeof(uint16_t), p->out[i].n, x->threads);
    return FV_OK;
}

static const char *describe(const void *state) { return ((const widened *)state)->text; }

/* Above all but the depthwise kernels, which widen as they load. */
#define WIDEN(id, op_, ...)                                                                     \
    static const fvi_kernel id = {.name = "widen", .op = op_, .priority = 25,                   \
                                  .choose = choose, .prepare = prepare, .run = run,             \
                                  .destroy = destroy, .describe = describe, __VA_ARGS__}
WIDEN(conv2d, "conv2d", .choices = fvi_conv_variants);
WIDEN(conv2d_dgrad, "conv2d_dgrad", .choices = fvi_conv_variants);
WIDEN(conv2d_wgrad, "conv2d_wgrad", .choices = fvi_conv_variants);
WIDEN(conv2d_act, "conv2d_act", .choices = fvi_conv_variants, .inplace = {4});
WIDEN(linear, "linear", .choices = NULL);
WIDEN(matmul, "matmul", .choices = NULL);

FVI_KERNELS(k_widen, &conv2d, &conv2d_dgrad, &conv2d_wgrad, &conv2d_act, &linear, &matmul);
