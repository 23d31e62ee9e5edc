/* SPDX-License-Identifier: Apache-2.0 */
/* Convolutions whose windows lie side by side (stride = kernel, no padding): patch embeddings, downsampling of
 * ConvNeXt. Cutting the image into patches is a permutation, the rest one matrix product. oneDNN's own convolutions
 * fall to its reference for large kernels (docs/kernels.md).
 *
 * P has a row for each output pixel and a column for each weight of one output channel, in the order of the image's
 * memory: (c, kh, kw) for plain images with plain weights, (kh, kw, c) for channels-last ones with OHWI weights. */
#include "cpu/gemm_plan.h"
#include "ops/conv2d.h"

typedef enum pass { FORWARD, DGRAD, WGRAD } pass;

typedef struct patch {
    pass pass;
    fvi_dnnl *gemm;
    int64_t n, c, h, w, o, oh, ow, kh, kw;
    bool nhwc;                         /* x or dx is channels-last; else plain */
    bool planes;                       /* forward: y is plain: a product for each image, the bias laid out before */
    bool bias;
    size_t size;                       /* bytes of an element */
    size_t p_at;                       /* where P lies in the scratch */
} patch;

static bool geometry(const fvi_conv2d_attr *a, const fvi_type *x, const fvi_type *y, int64_t kh, int64_t kw, patch *p)
{
    *p = (patch){.n = x->dim[0], .c = x->dim[1], .h = x->dim[2], .w = x->dim[3], .o = y->dim[1], .oh = y->dim[2],
                 .ow = y->dim[3], .kh = kh, .kw = kw, .size = fv_dtype_size(x->dtype)};
    return a->groups == 1 && a->stride[0] == kh && a->stride[1] == kw && !a->padding[0] && !a->padding[1] &&
           a->dilation[0] == 1 && a->dilation[1] == 1 && kh * kw > 1 && p->n > 0 && x->dtype == y->dtype;
}

/* Where the product beats the direct convolutions, or these would need blocked images. */
static bool worth(const patch *p, const fvi_env *env, fvi_layout image)
{
    if (image != FVI_PLAIN && image != FVI_NHWC && image != FVI_OPAQUE) return p->kh >= 8 && p->kw >= 8;
    return !env->layouts || env->conv_layout == FVI_NHWC || image == FVI_NHWC || (p->kh >= 8 && p->kw >= 8);
}

static fvi_layout weights_layout(const patch *p) { return p->nhwc ? FVI_OHWI : FVI_PLAIN; }
static fvi_layout image_layout(const patch *p) { return p->nhwc ? FVI_NHWC : FVI_PLAIN; }

/* The product of a pass: W is (O, K), P (N oh ow, K). */
static fvi_gemm_case product(const patch *p, fv_dtype t, fv_dtype bias_dtype)
{
    const int64_t k = p->c * p->kh * p->kw, pixels = p->oh * p->ow, rows = p->n * pixels;
    if (p->pass == DGRAD)
        return (fvi_gemm_case){.batch = 1, .m = rows, .k = p->o, .n = k, .a = {t, 0, p->o, 1}, .b = {t, 0, k, 1},
                               .c = {t, 0, k, 1}};
    if (p->pass == WGRAD)
        return (fvi_gemm_case){.batch = 1, .m = p->o, .k = rows, .n = k, .a = {t, 0, 1, p->o}, .b = {t, 0, k, 1},
                               .c = {FV_F32, 0, k, 1}};
    if (p->planes)
        return (fvi_gemm_case){.batch = p->n, .m = p->o, .k = k, .n = pixels, .a = {t, 0, k, 1},
                               .b = {t, pixels * k, 1, k}, .c = {t, p->o * pixels, pixels, 1}, .accumulate = p->bias};
    return (fvi_gemm_case){.batch = 1, .m = rows, .k = k, .n = p->o, .a = {t, 0, k, 1}, .b = {t, 0, 1, k},
                           .c = {t, 0, p->o, 1}, .bias = p->bias, .bias_dtype = bias_dtype};
}

static bool possible(const fvi_query *q, const patch *p, fv_dtype bias_dtype)
{
    const fvi_gemm_case g = product(p, q->in[0].dtype, bias_dtype);
    return fvi_gemm_possible(&g, q->env);
}

/* ---- choosing ---------------------------------------------------------------------------------------------------- */

static void forward_of(const fvi_query *q, patch *p)
{
    p->pass = FORWARD;
    p->bias = q->n_in > 2;
    p->nhwc = q->in_layout[0] == FVI_NHWC;
    /* a sequence of tokens comes next, or nothing is known */
    p->planes = !q->env->layouts || (p->kh >= 8 && p->kw >= 8);
}

static bool forward_choose(fvi_query *q)
{
    patch p;
    const fvi_type *w = &q->in[1];
    if (!geometry(q->node->attr, &q->in[0], &q->out[0], w->dim[2], w->dim[3], &p) || w->dtype != q->in[0].dtype ||
        !worth(&p, q->env, q->in_layout[0]))
        return false;
    if (q->n_in > 2 && q->in[2].dtype != q->in[0].dtype) return false;
    forward_of(q, &p);
    if (!possible(q, &p, q->in[0].dtype)) return false;
    q->in_layout[0] = image_layout(&p);
    q->in_layout[1] = weights_layout(&p);
    if (p.bias) q->in_layout[2] = FVI_PLAIN;
    q->out_layout[0] = p.planes ? FVI_PLAIN : FVI_NHWC;
    return true;
}

/* The gradient of few channels (a picture) is plain. */
static void dgrad_of(const fvi_query *q, patch *p)
{
    p->pass = DGRAD;
    p->nhwc = q->env->layouts && p->c >= 16;
}

static bool dgrad_choose(fvi_query *q)
{
    patch p;
    const fvi_type *w = &q->in[1];
    if (!geometry(q->node->attr, &q->out[0], &q->in[0], w->dim[2], w->dim[3], &p) || w->dtype != q->in[0].dtype ||
        !worth(&p, q->env, q->in_layout[0]))
        return false;
    dgrad_of(q, &p);
    if (!q->env->layouts || !possible(q, &p, FV_F32)) return false;
    q->in_layout[0] = FVI_NHWC;
    q->in_layout[1] = weights_layout(&p);
    q->out_layout[0] = image_layout(&p);
    return true;
}

static void wgrad_of(const fvi_query *q, patch *p)
{
    p->pass = WGRAD;
    p->nhwc = q->in_layout[0] == FVI_NHWC;
}

static bool wgrad_choose(fvi_query *q)
{
    patch p;
    const fvi_type *w = &q->out[0];
    if (!geometry(q->node->attr, &q->in[0], &q->in[1], w->dim[2], w->dim[3], &p) || w->dtype != FV_F32 ||
        !worth(&p, q->env, q->in_layout[0]))
        return false;
    wgrad_of(q, &p);
    if (!q->env->layouts || !possible(q, &p, FV_F32)) return false;
    q->in_layout[0] = image_layout(&p);
    q->in_layout[1] = FVI_NHWC;
    q->out_layout[0] = weights_layout(&p);
    return true;
}

/* ---- preparing --------------------------------------------------------------------------------------------------- */

static void destroy(void *state)
{
    patch *p = state;
    if (p) fvi_dnnl_free(p->gemm);
    fvi_free(p);
}

static fv_status finish(const fvi_query *q, const patch *made, fv_dtype bias_dtype, void **state, size_t *scratch_bytes)
{
    patch *p = fvi_malloc(sizeof *p);
    if (!p) return fvi_nomem(q->env->ctx);
    *p = *made;
    const fvi_gemm_case g = product(p, q->in[0].dtype, bias_dtype);
    const fv_status status = fvi_gemm_create(&g, q->env, &p->gemm);
    if (status != FV_OK) {
        p->gemm = NULL;
        destroy(p);
        return status;
    }
    p->p_at = FVI_ALIGN_UP(fvi_dnnl_scratch(p->gemm), FVI_ALIGNMENT);
    *scratch_bytes = p->p_at + (size_t)(p->n * p->oh * p->ow * p->c * p->kh * p->kw) * p->size;
    *state = p;
    return FV_OK;
}

static fv_status forward_prepare(const fvi_query *q, void **state, size_t *scratch_bytes)
{
    patch p;
    FVI_ASSERT(q->env->ctx, geometry(q->node->attr, &q->in[0], &q->out[0], q->in[1].dim[2], q->in[1].dim[3], &p));
    forward_of(q, &p);
    return finish(q, &p, q->in[0].dtype, state, scratch_bytes);
}

static fv_status dgrad_prepare(const fvi_query *q, void **state, size_t *scratch_bytes)
{
    patch p;
    FVI_ASSERT(q->env->ctx, geometry(q->node->attr, &q->out[0], &q->in[0], q->in[1].dim[2], q->in[1].dim[3], &p));
    dgrad_of(q, &p);
    return finish(q, &p, FV_F32, state, scratch_bytes);
}

static fv_status wgrad_prepare(const fvi_query *q, void **state, size_t *scratch_bytes)
{
    patch p;
    FVI_ASSERT(q->env->ctx, geometry(q->node->attr, &q->in[0], &q->in[1], q->out[0].dim[2], q->out[0].dim[3], &p));
    wgrad_of(q, &p);
    return finish(q, &p, FV_F32, state, scratch_bytes);
}

/* ---- running ----------------------------------------------------------------------------------------------------- */

static inline void move(char *restrict to, const char *restrict from, size_t bytes)
{
    if (bytes == 16) memcpy(to, from, 16);               /* 4 floats: 4x4 patches */
    else if (bytes == 8) memcpy(to, from, 8);
    else memcpy(to, from, bytes);
}

/* Image to P or back, a row of patches at a time. A run is what stands together in both. */
static void cut(const patch *p, char *image, char *rows, bool back, int threads)
{
    const int64_t runs = p->nhwc ? 1 : p->c, k = p->c * p->kh * p->kw;
    const size_t bytes = (size_t)(p->nhwc ? p->kw * p->c : p->kw) * p->size;
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t row = 0; row < p->n * p->oh; row++) {
        const int64_t n = row / p->oh, i = row % p->oh;
        for (int64_t j = 0; j < p->ow; j++)
            for (int64_t c = 0; c < runs; c++)
                for (int64_t u = 0; u < p->kh; u++) {
                    const int64_t y = i * p->kh + u, x = j * p->kw;
                    const int64_t at = p->nhwc ? ((n * p->h + y) * p->w + x) * p->c
                                               : ((n * p->c + c) * p->h + y) * p->w + x;
                    char *a = image + (size_t)at * p->size;
                    char *b = rows + (size_t)((row * p->ow + j) * k) * p->size + (size_t)(c * p->kh + u) * bytes;
                    if (back) move(a, b, bytes);
                    else move(b, a, bytes);
                }
    }
}

/* y = bias in every pixel of plain images. */
static void lay_bias(const patch *p, const void *bias, void *y, int threads)
{
    const int64_t pixels = p->oh * p->ow;
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t plane = 0; plane < p->n * p->o; plane++) {
        if (p->size == 4)
            for (int64_t i = 0; i < pixels; i++)
                ((uint32_t *)y)[plane * pixels + i] = ((const uint32_t *)bias)[plane % p->o];
        else
            for (int64_t i = 0; i < pixels; i++)
                ((uint16_t *)y)[plane * pixels + i] = ((const uint16_t *)bias)[plane % p->o];
    }
}

static fv_status run(void *state, void *const *in, void *const *out, void *scratch, const fvi_exec *x)
{
    patch *p = state;
    char *rows = (char *)scratch + p->p_at;
    if (p->pass == DGRAD) {
        FVI_TRY(x->ctx, fvi_gemm_run(p->gemm, in[0], in[1], NULL, rows, scratch, x));
        /* pixels of no patch */
        if (p->h % p->kh || p->w % p->kw) memset(out[0], 0, (size_t)(p->n * p->c * p->h * p->w) * p->size);
        cut(p, out[0], rows, true, x->threads);
        return FV_OK;
    }
    cut(p, in[0], rows, false, x->threads);
    if (p->pass == WGRAD) return fvi_gemm_run(p->gemm, in[1], rows, NULL, out[0], scratch, x);
    if (!p->planes) return fvi_gemm_run(p->gemm, rows, in[1], p->bias ? in[2] : NULL, out[0], scratch, x);
    if (p->bias) lay_bias(p, in[2], out[0], x->threads);
    return fvi_gemm_run(p->gemm, in[1], rows, NULL, out[0], scratch, x);
}

static const char *describe(const void *state) { return fvi_gemm_describe(((const patch *)state)->gemm); }

static const fvi_kernel forward = {.name = "patch_conv2d", .op = "conv2d", .priority = 20, .choose = forward_choose,
    .prepare = forward_prepare, .run = run, .destroy = destroy, .describe = describe};
static const fvi_kernel dgrad = {.name = "patch_conv2d_dgrad", .op = "conv2d_dgrad", .priority = 20,
                                 .choose = dgrad_choose, .prepare = dgrad_prepare, .run = run, .destroy = destroy,
                                 .describe = describe};
static const fvi_kernel wgrad = {.name = "patch_conv2d_wgrad", .op = "conv2d_wgrad", .priority = 20,
                                 .choose = wgrad_choose, .prepare = wgrad_prepare, .run = run, .destroy = destroy,
                                 .describe = describe};

FVI_KERNELS(k_conv2d_patch, &forward, &dgrad, &wgrad);
