/* SPDX-License-Identifier: Apache-2.0 */
/* Choice. Variants are tried in order of their expected speed; the first for which oneDNN has a real implementation (no
 * reference, no im2col) is taken, and only when there is none a slow one. A variant fixes the order of the activations;
 * the weights' order is oneDNN's choice, mapped to ours. Where that order is private to oneDNN, the weights are kept in
 * one of ours and converted in scratch at every call. */
#include "cpu/conv_plan.h"

#include <stdio.h>

typedef enum variant { BLOCKED, WINOGRAD, NHWC, NHWC_OURS, PLAIN, VARIANTS } variant;
const char *const fvi_conv_variants[VARIANTS + 2] = {"direct", "winograd", "nhwc", "nhwc_jit", "plain", FVI_CONV_OWN,
                                                     NULL};

struct fvi_conv {
    fvi_conv_case c;
    fvi_dnnl *main;                    /* addend, if any, already in dst */
    fvi_dnnl *beside;                  /* addend elsewhere, or NULL: it is copied to dst first */
    fvi_dnnl *convert;                 /* weights to the private order (wgrad: from it), or NULL */
    int64_t padded_o;
    size_t private_at, bias_at;        /* offsets in scratch; bias_at 0: the bias is used in place */
    size_t dst_bytes;
    char text[96];
};

void fvi_conv_case_set(fvi_conv_case *c, fvi_dnnl_pass pass, const fvi_conv2d_attr *a, const fvi_type *x,
                       const fvi_type *w, const fvi_type *y)
{
    *c = (fvi_conv_case){.pass = pass, .dtype = pass == FVI_DNNL_BACKWARD_DATA ? y->dtype : x->dtype,
                         .weights_dtype = w->dtype, .bias_dtype = FV_F32, .n = x->dim[0], .c = x->dim[1],
                         .h = x->dim[2], .w = x->dim[3], .o = y->dim[1], .oh = y->dim[2], .ow = y->dim[3],
                         .kh = w->dim[2], .kw = w->dim[3], .groups = a->groups};
    for (int i = 0; i < 2; i++) {
        c->stride[i] = a->stride[i];
        c->padding[i] = a->padding[i];
        c->dilation[i] = a->dilation[i];
    }
}

void fvi_conv_key(const fvi_conv_case *c, int threads, char key[FVI_CONV_KEY])
{
#define LL(x) (long long)(x)
    snprintf(key, FVI_CONV_KEY,
             "%s n%lld c%lld h%lld w%lld o%lld k%lldx%lld s%lldx%lld p%lldx%lld d%lldx%lld g%lld t%d",
             fv_dtype_name(c->dtype), LL(c->n), LL(c->c), LL(c->h), LL(c->w), LL(c->o), LL(c->kh), LL(c->kw),
             LL(c->stride[0]), LL(c->stride[1]), LL(c->padding[0]), LL(c->padding[1]), LL(c->dilation[0]),
             LL(c->dilation[1]), LL(c->groups), threads);
#undef LL
}

/* ---- describing a variant to oneDNN ------------------------------------------------------------------------------ */

/* Layouts and rounded-up channel counts of a variant. */
typedef struct form { fvi_layout src, dst; int64_t c, o, groups; bool winograd; } form;

static bool depthwise(const fvi_conv_case *c) { return c->groups > 1 && c->groups == c->c && c->groups == c->o; }

/* Few input channels: the plain order in, the blocked one out. A deeper layer that has few channels, but got them in
 * blocks, keeps the blocks. */
static bool first_layer(const fvi_conv_case *c)
{
    return c->pass != FVI_DNNL_BACKWARD_DATA && c->groups == 1 && (c->c <= 4 || (c->c < 16 && c->src == FVI_PLAIN));
}

static bool form_of(const fvi_conv_case *c, variant v, const fvi_env *env, form *f)
{
    *f = (form){.c = c->c, .o = c->o, .groups = c->groups, .winograd = v == WINOGRAD};
    f->src = f->dst = v == PLAIN ? FVI_PLAIN : FVI_NHWC;
    if (v != BLOCKED && v != WINOGRAD) return true;
    const fvi_layout blocked = env->conv_layout == FVI_NCHW8C || env->isa < FVI_ISA_AVX512 ? FVI_NCHW8C : FVI_NCHW16C;
    const int64_t block = fvi_layout_block(blocked);
    f->src = f->dst = blocked;
    if (depthwise(c)) {
        f->c = f->o = f->groups = FVI_ALIGN_UP(c->c, block);
        return true;
    }
    if (c->groups > 1) return c->c % block == 0 && c->o % block == 0;
    f->o = FVI_ALIGN_UP(c->o, block);
    if (v == BLOCKED && first_layer(c)) f->src = FVI_PLAIN;
    else f->c = FVI_ALIGN_UP(c->c, block);
    return true;
}

static fvi_dnnl_tensor tensor(fv_dtype type, fvi_layout l, int64_t a, int64_t b, int64_t h, int64_t w)
{
    return (fvi_dnnl_tensor){.dtype = type, .rank = 4, .dim = {a, b, h, w}, .layout = l};
}

static fvi_dnnl_tensor weights_tensor(const fvi_conv_case *c, const form *f, fvi_layout l)
{
    fvi_dnnl_tensor t = tensor(c->weights_dtype, l, f->o, f->c / f->groups, c->kh, c->kw);
    t.groups = f->groups;
    return t;
}

enum { ADD_NONE, ADD_IN_DST, ADD_BESIDE };

static fv_status make(fv_context *ctx, const fvi_conv_case *c, const form *f, fvi_layout weights, int add,
                      const fvi_env *env, fvi_dnnl_speed slowest, fvi_dnnl **out)
{
    fvi_dnnl_conv_desc d = {.pass = c->pass, .winograd = f->winograd, .add_in_dst = add == ADD_IN_DST, .act = c->act};
    d.src = tensor(c->dtype, f->src, c->n, f->c, c->h, c->w);
    d.weights = weights_tensor(c, f, weights);
    d.dst = tensor(c->dtype, f->dst, c->n, f->o, c->oh, c->ow);
    if (c->bias) d.bias = (fvi_dnnl_tensor){.dtype = c->bias_dtype, .rank = 1, .dim = {f->o}};
    if (add == ADD_BESIDE) d.addend = d.dst;
    memcpy(d.stride, c->stride, sizeof d.stride);
    memcpy(d.padding, c->padding, sizeof d.padding);
    memcpy(d.dilation, c->dilation, sizeof d.dilation);
    return fvi_dnnl_conv(ctx, &d, env->threads, slowest, out);
}

/* ---- weights ----------------------------------------------------------------------------------------------------- */

static fvi_type weights_type(const fvi_conv_case *c)
{
    return fvi_type_make(c->weights_dtype, 4, (const int64_t[]){c->o, c->c / c->groups, c->kh, c->kw});
}

/* Do the bytes of our layout of (O, C/g, kh, kw) equal oneDNN's of the rounded-up tensor? */
static bool same_padding(const fvi_conv_case *c, const form *f, fvi_layout l)
{
    const fvi_type t = weights_type(c);
    return l != FVI_OPAQUE && fvi_layout_elements(l, &t) == f->o * (f->c / f->groups) * c->kh * c->kw;
}

/* The order in which weights are kept that oneDNN wants in one of its own: one of ours that it can convert. */
static fvi_layout stand_in(const fvi_conv_case *c, const form *f)
{
    static const fvi_layout list[] = {FVI_PLAIN, FVI_OIHW16I16O, FVI_OIHW8I8O, FVI_OHWI16O, FVI_OHWI8O, FVI_OIHW16O,
                                      FVI_OIHW8O};
    if (c->weights != FVI_OPAQUE && c->pass != FVI_DNNL_BACKWARD_WEIGHTS && same_padding(c, f, c->weights))
        return c->weights;
    for (int i = 0; i < FVI_COUNT(list); i++)
        if (same_padding(c, f, list[i])) return list[i];
    return FVI_OPAQUE;
}

/* Orders to demand of the JIT on channels-last data, where its first choice is private (brgemm). */
static fvi_layout jit_weights(const fvi_conv_case *c)
{
    const bool back = c->pass == FVI_DNNL_BACKWARD_DATA, half = c->weights_dtype == FV_BF16;
    if (c->c < 16 && !back) return FVI_OHWI16O;
    return back ? (half ? FVI_OIHW8O16I2O : FVI_OIHW16O16I) : half ? FVI_OIHW8I16O2I : FVI_OIHW16I16O;
}

/* One variant: creates it and finds the weights' order. *private_order: they need converting. */
static bool attempt(const fvi_conv_case *c, variant v, const fvi_env *env, fvi_dnnl_speed slowest, form *f,
                    fvi_layout *weights, bool *private_order, fvi_dnnl **out)
{
    *out = NULL;
    if (!form_of(c, v, env, f)) return false;
    const fvi_layout ask = v == NHWC_OURS ? jit_weights(c) : v == PLAIN ? FVI_PLAIN : FVI_OPAQUE;
    if (make(NULL, c, f, ask, c->addend ? ADD_IN_DST : ADD_NONE, env, slowest, out) != FV_OK) return false;
    *weights = fvi_dnnl_layout(*out, FVI_DNNL_WEIGHTS);
    *private_order = !same_padding(c, f, *weights);
    if (*private_order) *weights = stand_in(c, f);
    if (*weights != FVI_OPAQUE) return true;
    fvi_dnnl_free(*out);
    *out = NULL;
    return false;
}

/* ---- expected speed ---------------------------------------------------------------------------------------------- */

/* Winograd F(4x4, 3x3) does 2.25 operations for 9, but reads and writes transformed copies of images and weights; the
 * direct gradient of large weights is held up by adding to them once for every image. All in units of one multiply-add
 * at the direct forward pass's speed, fitted to docs/kernels.md (within 15 % of most measurements, and far from them
 * only where the answer is clear). */
static bool winograd_wins(const fvi_conv_case *c, const fvi_env *env)
{
    if (!fvi_dnnl_has_winograd() || c->dtype != FV_F32 || env->isa < FVI_ISA_AVX512 || c->groups != 1 || c->kh != 3 ||
        c->kw != 3 || c->stride[0] != 1 || c->stride[1] != 1 || c->dilation[0] != 1 || c->dilation[1] != 1 ||
        c->c < 16 || c->o < 16)
        return false;
    const double per_pixel = 34, per_weight = 95, per_sum = 25, second_cache = 1 << 20;
    const double cc = (double)FVI_ALIGN_UP(c->c, 16), oo = (double)FVI_ALIGN_UP(c->o, 16);
    const double tiles = (double)(c->n * ((c->oh + 3) / 4) * ((c->ow + 3) / 4));
    double pixels = (double)(c->n * c->oh * c->ow);
    if (c->pass == FVI_DNNL_BACKWARD_WEIGHTS && 36 * cc * oo > second_cache) pixels += per_sum * (double)c->n;
    const double direct = 9 * pixels * cc * oo;
    const double winograd = 36 * (tiles * cc * oo + per_pixel * tiles * (cc + oo) + per_weight * cc * oo);
    return winograd < 0.95 * direct;
}

/* On channels-last data oneDNN's first choice is brgemm, whose weights are converted at every call; with few pixels or
 * large weights the JIT that takes one of our orders is faster. */
static bool jit_wins(const fvi_conv_case *c)
{
    const int64_t weights = c->o * (c->c / c->groups) * c->kh * c->kw;
    return c->pass != FVI_DNNL_BACKWARD_WEIGHTS && (c->n * c->oh * c->ow < 1000 || weights > 1 << 20);
}

/* Variants in the order to try them. */
static int order_of(const fvi_conv_case *c, const char *op, const fvi_env *env, variant list[VARIANTS + 2])
{
    int n = 0;
    if (!env->layouts) {
        list[n++] = PLAIN;
        return n;
    }
    const fvi_layout given = c->pass == FVI_DNNL_BACKWARD_DATA ? c->dst : c->src;
    const bool nhwc = given == FVI_NHWC || (env->conv_layout == FVI_NHWC && given == FVI_PLAIN);
    char key[FVI_CONV_KEY];
    fvi_conv_key(c, env->threads, key);
    const char *tuned = env->table && env->table->find ? env->table->find(env->table, op, key) : NULL;
    for (int v = 0; tuned && v < VARIANTS; v++)
        if (strcmp(tuned, fvi_conv_variants[v]) == 0) list[n++] = (variant)v;
    if (!nhwc && winograd_wins(c, env)) list[n++] = WINOGRAD;
    if (nhwc) {
        if (jit_wins(c)) list[n++] = NHWC_OURS;
        list[n++] = NHWC;
    }
    list[n++] = BLOCKED;
    if (!nhwc) list[n++] = NHWC;
    list[n++] = PLAIN;
    return n;
}

static bool supported(const fvi_conv_case *c)
{
    if (c->dtype != FV_F32 && c->dtype != FV_BF16) return false;
    if (c->bias && c->bias_dtype != FV_F32 && c->bias_dtype != c->dtype) return false;
    if (c->n < 1 || c->c < 1 || c->o < 1 || c->oh < 1 || c->ow < 1) return false;
    return c->weights_dtype == (c->pass == FVI_DNNL_BACKWARD_WEIGHTS ? FV_F32 : c->dtype);
}

typedef struct decision {
    variant variant;
    form form;
    fvi_layout weights;
    bool private_order;
    fvi_dnnl *primitive;
} decision;

/* fixed: the layouts in c are final, only what agrees with them will do. */
static bool decide(const fvi_conv_case *c, const char *op, const fvi_env *env, bool fixed, decision *d)
{
    variant list[VARIANTS + 2];
    const int n = order_of(c, op, env, list);
    for (int slowest = FVI_DNNL_FAST; slowest <= FVI_DNNL_REFERENCE; slowest++)
        for (int i = 0; i < n; i++) {
            d->variant = list[i];
            if (!attempt(c, list[i], env, (fvi_dnnl_speed)slowest, &d->form, &d->weights, &d->private_order,
                         &d->primitive))
                continue;
            if (!fixed || (d->form.src == c->src && d->form.dst == c->dst && d->weights == c->weights)) return true;
            fvi_dnnl_free(d->primitive);
        }
    return false;
}

bool fvi_conv_choose(fvi_conv_case *c, const char *op, const fvi_env *env)
{
    if (!supported(c)) return false;
    decision d;
    if (!decide(c, op, env, false, &d)) return false;
    fvi_dnnl_free(d.primitive);
    c->src = d.form.src;
    c->dst = d.form.dst;
    c->weights = d.weights;
    return true;
}

/* ---- prepared ---------------------------------------------------------------------------------------------------- */

void fvi_conv_destroy(void *state)
{
    fvi_conv *p = state;
    if (!p) return;
    fvi_dnnl_free(p->main);
    fvi_dnnl_free(p->beside);
    fvi_dnnl_free(p->convert);
    fvi_free(p);
}

bool fvi_conv_has_bias(const fvi_conv *p) { return p->c.bias; }
bool fvi_conv_has_addend(const fvi_conv *p) { return p->c.addend; }
const char *fvi_conv_describe(const void *p) { return ((const fvi_conv *)p)->text; }

static fv_status converter(const fvi_conv *p, const form *f, const fvi_env *env, fvi_dnnl **out)
{
    const fvi_dnnl_tensor ours = weights_tensor(&p->c, f, p->c.weights);
    if (p->c.pass != FVI_DNNL_BACKWARD_WEIGHTS)
        return fvi_dnnl_reorder_for(env->ctx, &ours, p->main, FVI_DNNL_WEIGHTS, env->threads, out);
    return fvi_dnnl_reorder_from(env->ctx, p->main, FVI_DNNL_WEIGHTS, &ours, env->threads, out);
}

/* Places of the converted weights and the lengthened bias behind the primitives' own scratch. */
static size_t lay_out(fvi_conv *p)
{
    size_t at = fvi_dnnl_scratch(p->main);
    if (p->beside) at = FVI_MAX(at, fvi_dnnl_scratch(p->beside));
    if (p->convert) at = FVI_MAX(at, fvi_dnnl_scratch(p->convert));
    at = FVI_ALIGN_UP(at, FVI_ALIGNMENT);
    if (p->convert) {
        p->private_at = at;
        at += FVI_ALIGN_UP(fvi_dnnl_bytes(p->main, FVI_DNNL_WEIGHTS), FVI_ALIGNMENT);
    }
    if (p->c.bias && p->padded_o != p->c.o) {
        p->bias_at = at = FVI_MAX(at, FVI_ALIGNMENT);
        at += FVI_ALIGN_UP((size_t)p->padded_o * fv_dtype_size(p->c.bias_dtype), FVI_ALIGNMENT);
    }
    return at;
}

fv_status fvi_conv_create(const fvi_conv_case *c, const char *op, const fvi_env *env, fvi_conv **out,
                          size_t *scratch_bytes)
{
    fv_context *ctx = env->ctx;
    fv_status status = FV_OK;
    *out = NULL;
    fvi_conv *p = fvi_calloc(1, sizeof *p);
    if (!p) return fvi_nomem(ctx);
    p->c = *c;
    decision d;
    if (!decide(c, op, env, true, &d)) {
        status = fvi_fail(ctx, FV_ERROR_UNSUPPORTED, "oneDNN has no %s for this shape", op);
        goto done;
    }
    const form *f = &d.form;
    p->main = d.primitive;
    p->padded_o = f->o;
    p->dst_bytes = fvi_dnnl_bytes(p->main, FVI_DNNL_DST);
    FVI_TRY_DONE(ctx, status, fvi_dnnl_ready(ctx, p->main));
    if (d.private_order) {
        FVI_TRY_DONE(ctx, status, converter(p, f, env, &p->convert));
        FVI_TRY_DONE(ctx, status, fvi_dnnl_ready(ctx, p->convert));
    }
    if (c->addend && make(NULL, c, f, d.private_order ? FVI_OPAQUE : d.weights, ADD_BESIDE, env, FVI_DNNL_FAST,
                          &p->beside) == FV_OK) {
        if (fvi_dnnl_same_layout(p->main, p->beside, FVI_DNNL_WEIGHTS))
            FVI_TRY_DONE(ctx, status, fvi_dnnl_ready(ctx, p->beside));
        else {
            fvi_dnnl_free(p->beside);
            p->beside = NULL;
        }
    }
    snprintf(p->text, sizeof p->text, "%s %s%s%s%s", fvi_dnnl_impl(p->main), fvi_conv_variants[d.variant],
             f->o != c->o || f->c != c->c ? " padded" : "", d.private_order ? " converts-weights" : "",
             fvi_dnnl_speed_of(p->main) != FVI_DNNL_FAST ? " SLOW" : "");
    *scratch_bytes = lay_out(p);
done:
    if (status != FV_OK) fvi_conv_destroy(p);
    else *out = p;
    return status;
}

/* dst = addend, in parts by thread. */
static void copy(void *dst, const void *src, size_t bytes, int threads)
{
    const size_t part = FVI_ALIGN_UP(bytes / (size_t)FVI_MAX(threads, 1) + 1, (size_t)4096);
    const int64_t parts = (int64_t)((bytes + part - 1) / part);
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t i = 0; i < parts; i++) {
        const size_t at = (size_t)i * part;
        memcpy((char *)dst + at, (const char *)src + at, FVI_MIN(part, bytes - at));
    }
}

fv_status fvi_conv_run(fvi_conv *p, void *src, void *weights, const void *bias, const void *addend, void *dst,
                       void *scratch, const fvi_exec *x)
{
    const bool to_weights = p->c.pass == FVI_DNNL_BACKWARD_WEIGHTS;
    union { const void *in; void *any; } b = {bias}, a = {addend};      /* oneDNN's interface has no const */
    void *ptr[FVI_DNNL_SLOTS] = {src, weights, b.any, dst, a.any};
    void *turn[FVI_DNNL_SLOTS] = {NULL};
    if (p->convert) {
        void *private_weights = (char *)scratch + p->private_at;
        turn[FVI_DNNL_SRC] = to_weights ? private_weights : weights;
        turn[FVI_DNNL_DST] = to_weights ? weights : private_weights;
        ptr[FVI_DNNL_WEIGHTS] = private_weights;
        if (!to_weights) FVI_TRY(x->ctx, fvi_dnnl_run(x->ctx, p->convert, turn, scratch));
    }
    if (p->bias_at) {
        const size_t size = fv_dtype_size(p->c.bias_dtype);
        char *longer = (char *)scratch + p->bias_at;
        memcpy(longer, bias, (size_t)p->c.o * size);
        memset(longer + (size_t)p->c.o * size, 0, (size_t)(p->padded_o - p->c.o) * size);
        ptr[FVI_DNNL_BIAS] = longer;
    }
    fvi_dnnl *run = p->main;
    if (p->c.addend && addend != dst) {
        if (p->beside) run = p->beside;
        else copy(dst, addend, p->dst_bytes, x->threads);
    }
    FVI_TRY(x->ctx, fvi_dnnl_run(x->ctx, run, ptr, scratch));
    return p->convert && to_weights ? fvi_dnnl_run(x->ctx, p->convert, turn, scratch) : FV_OK;
}
