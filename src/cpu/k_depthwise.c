/* SPDX-License-Identifier: Apache-2.0 */
/* Depthwise convolution, forward and both gradients: groups = C = O, square odd kernels up to 11, stride 1 and 2, f32 and
 * bf16, channels-last or blocked by 16. The gradient of the input is the forward pass over the output's gradient, spread
 * by the stride, with flipped weights. The weight gradient sums images in four fixed parts, in double between images, so
 * it does not depend on the number of threads. Weights are plain (C, 1, k, k). */
#include "cpu/isa/depthwise.h"

#include "ops/conv2d.h"

#include <omp.h>

enum { PARTS = 4, MAX_KERNEL = 11 };

typedef struct state {
    int64_t n, c, h, w, oh, ow;        /* of x and y */
    int64_t pad_h, pad_w;
    int k, s;
    fvi_layout layout;
    bool bf16, weight_bf16, bias_bf16, has_bias;
    int64_t packed, packed_dy;         /* floats of one thread's packed images */
    int threads;
    void (*pack)(const fvi_dw_image *, const fvi_dw_packed *, int64_t, int64_t, int64_t);
    void (*convolve)(const fvi_dw_packed *, const float *, const float *, int, int, const fvi_dw_image *);
    void (*weight_gradient)(const fvi_dw_packed *, const fvi_dw_packed *, int, int, double *);
} state;

static bool real(fv_dtype d) { return d == FV_F32 || d == FV_BF16; }

static fvi_layout layout_of(fvi_layout l)
{
    return l == FVI_NHWC || l == FVI_NCHW16C ? l : FVI_NHWC;
}

static bool fits(const fvi_conv2d_attr *a, int64_t c, int64_t o, int64_t kh, int64_t kw)
{
    return a->groups == c && o == c && c % 16 == 0 && kh == kw && kh % 2 == 1 && kh <= MAX_KERNEL && a->stride[0] == a->stride[1] &&
           a->stride[0] <= 2 && a->dilation[0] == 1 && a->dilation[1] == 1 && a->padding[0] < kh && a->padding[1] < kw;
}

static bool choose_forward(fvi_query *q)
{
    const fvi_type *x = &q->in[0], *w = &q->in[1];
    if (!real(x->dtype) || !real(w->dtype) || !fits(q->node->attr, x->dim[1], w->dim[0], w->dim[2], w->dim[3])) return false;
    if (q->n_in > 2 && !real(q->in[2].dtype)) return false;
    q->in_layout[0] = q->out_layout[0] = layout_of(q->in_layout[0]);
    q->in_layout[1] = FVI_PLAIN;
    if (q->n_in > 2) q->in_layout[2] = FVI_PLAIN;
    return true;
}

static bool choose_dgrad(fvi_query *q)
{
    const fvi_type *dy = &q->in[0], *w = &q->in[1];
    if (!real(dy->dtype) || !real(w->dtype) || !fits(q->node->attr, dy->dim[1], w->dim[0], w->dim[2], w->dim[3])) return false;
    q->in_layout[0] = q->out_layout[0] = layout_of(q->in_layout[0]);
    q->in_layout[1] = FVI_PLAIN;
    return true;
}

static bool choose_wgrad(fvi_query *q)
{
    const fvi_conv2d_attr *a = q->node->attr;
    if (!real(q->in[0].dtype) || q->in[1].dtype != q->in[0].dtype || q->out[0].dtype != FV_F32) return false;
    if (!fits(a, q->in[0].dim[1], q->in[1].dim[1], a->kernel[0], a->kernel[1])) return false;
    const fvi_layout l = layout_of(q->in_layout[0] == FVI_PLAIN ? q->in_layout[1] : q->in_layout[0]);
    q->in_layout[0] = q->in_layout[1] = l;
    q->out_layout[0] = FVI_PLAIN;
    return true;
}

/* x and y: types of the input side and the output side. */
static fv_status make(const fvi_query *q, const fvi_type *x, const fvi_type *y, int64_t k, fvi_layout layout, state **out)
{
    const fvi_conv2d_attr *a = q->node->attr;
    state *s = fvi_calloc(1, sizeof *s);
    if (!s) return fvi_nomem(q->env->ctx);
    *s = (state){.n = x->dim[0], .c = x->dim[1], .h = x->dim[2], .w = x->dim[3], .oh = y->dim[2], .ow = y->dim[3], .pad_h = a->padding[0],
                 .pad_w = a->padding[1], .k = (int)k, .s = (int)a->stride[0], .layout = layout, .bf16 = x->dtype == FV_BF16,
                 .threads = FVI_MAX(q->env->threads, 1)};
    s->pack = FVI_ISA_PICK(q->env->isa, fvi_dw_pack);
    s->convolve = FVI_ISA_PICK(q->env->isa, fvi_dw_convolve);
    s->weight_gradient = FVI_ISA_PICK(q->env->isa, fvi_dw_weight_gradient);
    *out = s;
    return FV_OK;
}

static int64_t weight_floats(const state *s) { return FVI_ALIGN_UP((int64_t)s->k * s->k * 16 + 16, 16); }

static fv_status prepare_forward(const fvi_query *q, void **out, size_t *scratch)
{
    state *s = NULL;
    FVI_TRY(q->env->ctx, make(q, &q->in[0], &q->out[0], q->in[1].dim[2], q->out_layout[0], &s));
    s->weight_bf16 = q->in[1].dtype == FV_BF16;
    s->has_bias = q->n_in > 2;
    s->bias_bf16 = s->has_bias && q->in[2].dtype == FV_BF16;
    s->packed = (s->h + 2 * s->pad_h + s->s) * (s->w + 2 * s->pad_w + s->s) * 16;
    *scratch = (size_t)s->threads * (size_t)(s->packed + weight_floats(s)) * sizeof(float);
    *out = s;
    return FV_OK;
}

static fv_status prepare_dgrad(const fvi_query *q, void **out, size_t *scratch)
{
    state *s = NULL;
    FVI_TRY(q->env->ctx, make(q, &q->out[0], &q->in[0], q->in[1].dim[2], q->out_layout[0], &s));
    s->weight_bf16 = q->in[1].dtype == FV_BF16;
    s->packed = (s->h + s->k + s->s) * (s->w + s->k + s->s) * 16;
    *scratch = (size_t)s->threads * (size_t)(s->packed + weight_floats(s)) * sizeof(float);
    *out = s;
    return FV_OK;
}

static fv_status prepare_wgrad(const fvi_query *q, void **out, size_t *scratch)
{
    const fvi_conv2d_attr *a = q->node->attr;
    state *s = NULL;
    FVI_TRY(q->env->ctx, make(q, &q->in[0], &q->in[1], a->kernel[0], q->in_layout[0], &s));
    s->packed = (s->h + 2 * s->pad_h + s->s) * (s->w + 2 * s->pad_w + s->s) * 16;
    s->packed_dy = s->oh * s->ow * 16;
    *scratch = (size_t)s->threads * (size_t)(s->packed + s->packed_dy) * sizeof(float) + (size_t)(PARTS * s->c * s->k * s->k) * sizeof(double);
    *out = s;
    return FV_OK;
}

/* Channel block b of image n of a tensor (n, c, h, w). */
static fvi_dw_image image(const state *s, const void *data, int64_t n, int64_t b, int64_t h, int64_t w)
{
    const int64_t pixel = s->layout == FVI_NHWC ? s->c : 16;
    const int64_t at = s->layout == FVI_NHWC ? n * h * w * s->c + b * 16 : (n * (s->c / 16) + b) * h * w * 16;
    return (fvi_dw_image){(char *)(uintptr_t)data + at * (s->bf16 ? 2 : 4), s->bf16, h, w, pixel, pixel * w};
}

static float number(const void *p, bool bf16, int64_t i)
{
    if (!bf16) return ((const float *)p)[i];
    const uint32_t u = (uint32_t)((const uint16_t *)p)[i] << 16;
    float f;
    memcpy(&f, &u, 4);
    return f;
}

/* Weights of channel block b as [k][k][16]; flipped for the gradient of the input. */
static void gather_weights(const state *s, const void *w, int64_t b, bool flip, float *to)
{
    const int taps = s->k * s->k;
    for (int t = 0; t < taps; t++)
        for (int c = 0; c < 16; c++) to[t * 16 + c] = number(w, s->weight_bf16, (b * 16 + c) * taps + (flip ? taps - 1 - t : t));
}

/* Scratch was planned for s->threads; small work is not worth waking anyone. */
static int team(const state *s, const fvi_exec *x)
{
    return s->n * s->c * s->oh * s->ow * s->k * s->k < 100000 ? 1 : FVI_MIN(x->threads, s->threads);
}

static fv_status run_forward(void *p, void *const *in, void *const *out, void *scratch, const fvi_exec *x)
{
    const state *s = p;
    const int64_t blocks = s->c / 16;
    const int threads = team(s, x);
#pragma omp parallel for num_threads(threads) schedule(static) if (threads > 1)
    for (int64_t i = 0; i < s->n * blocks; i++) {
        const int64_t b = i / s->n, n = i % s->n;       /* one channel block after the other: weights stay */
        float *mine = (float *)scratch + omp_get_thread_num() * (s->packed + weight_floats(s)), *w = mine + s->packed, bias[16];
        gather_weights(s, in[1], b, false, w);
        for (int c = 0; s->has_bias && c < 16; c++) bias[c] = number(in[2], s->bias_bf16, b * 16 + c);
        const fvi_dw_packed packed = {mine, s->h + 2 * s->pad_h, s->w + 2 * s->pad_w};
        const fvi_dw_image from = image(s, in[0], n, b, s->h, s->w), to = image(s, out[0], n, b, s->oh, s->ow);
        s->pack(&from, &packed, s->pad_h, s->pad_w, 1);
        s->convolve(&packed, w, s->has_bias ? bias : NULL, s->k, s->s, &to);
    }
    return FV_OK;
}

static fv_status run_dgrad(void *p, void *const *in, void *const *out, void *scratch, const fvi_exec *x)
{
    const state *s = p;
    const int64_t blocks = s->c / 16;
    const int threads = team(s, x);
#pragma omp parallel for num_threads(threads) schedule(static) if (threads > 1)
    for (int64_t i = 0; i < s->n * blocks; i++) {
        const int64_t b = i / s->n, n = i % s->n;
        float *mine = (float *)scratch + omp_get_thread_num() * (s->packed + weight_floats(s)), *w = mine + s->packed;
        gather_weights(s, in[1], b, true, w);
        /* dx(i) sums dy(o) with o s = i + pad - kh: dy spread by s, shifted by k - 1 - pad, then stride 1 */
        const fvi_dw_packed packed = {mine, s->h + s->k - 1, s->w + s->k - 1};
        fvi_dw_image from = image(s, in[0], n, b, s->oh, s->ow);
        const fvi_dw_image to = image(s, out[0], n, b, s->h, s->w);
        s->pack(&from, &packed, s->k - 1 - s->pad_h, s->k - 1 - s->pad_w, s->s);
        s->convolve(&packed, w, NULL, s->k, 1, &to);
    }
    return FV_OK;
}

static fv_status run_wgrad(void *p, void *const *in, void *const *out, void *scratch, const fvi_exec *x)
{
    const state *s = p;
    const int64_t blocks = s->c / 16, taps = (int64_t)s->k * s->k;
    const int threads = team(s, x);
    double *parts = scratch;                             /* [part][block][taps][16] */
    float *images = (float *)(parts + PARTS * s->c * taps);
#pragma omp parallel for num_threads(threads) schedule(static, 1) if (threads > 1)
    for (int64_t i = 0; i < blocks * PARTS; i++) {
        const int64_t b = i / PARTS, part = i % PARTS;
        float *mine = images + omp_get_thread_num() * (s->packed + s->packed_dy);
        double *dw = parts + (part * blocks + b) * taps * 16;
        memset(dw, 0, (size_t)taps * 16 * sizeof *dw);
        for (int64_t n = s->n * part / PARTS; n < s->n * (part + 1) / PARTS; n++) {
            const fvi_dw_packed packed = {mine, s->h + 2 * s->pad_h, s->w + 2 * s->pad_w}, gradient = {mine + s->packed, s->oh, s->ow};
            const fvi_dw_image from = image(s, in[0], n, b, s->h, s->w), dy = image(s, in[1], n, b, s->oh, s->ow);
            s->pack(&from, &packed, s->pad_h, s->pad_w, 1);
            s->pack(&dy, &gradient, 0, 0, 1);
            s->weight_gradient(&packed, &gradient, s->k, s->s, dw);
        }
    }
    float *to = out[0];
    for (int64_t c = 0; c < s->c; c++)
        for (int64_t t = 0; t < taps; t++) {
            double sum = 0;
            for (int64_t part = 0; part < PARTS; part++) sum += parts[((part * blocks + c / 16) * taps + t) * 16 + c % 16];
            to[c * taps + t] = (float)sum;
        }
    return FV_OK;
}

static const fvi_kernel forward = {.name = "depthwise", .op = "conv2d", .priority = 30, .choose = choose_forward, .prepare = prepare_forward,
                                   .run = run_forward, .destroy = fvi_free};
static const fvi_kernel dgrad = {.name = "depthwise", .op = "conv2d_dgrad", .priority = 30, .choose = choose_dgrad, .prepare = prepare_dgrad,
                                 .run = run_dgrad, .destroy = fvi_free};
static const fvi_kernel wgrad = {.name = "depthwise", .op = "conv2d_wgrad", .priority = 30, .choose = choose_wgrad, .prepare = prepare_wgrad,
                                 .run = run_wgrad, .destroy = fvi_free};
FVI_KERNELS(k_depthwise, &forward, &dgrad, &wgrad);
