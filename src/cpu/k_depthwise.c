/* SPDX-License-Identifier: Apache-2.0 */
/* Depthwise convolution, forward and both gradients: groups = C = O, square odd kernels up to 11, stride 1 and 2, f32
 * and bf16, channels-last or blocked by 16. The gradient of the input is the forward pass over the output's gradient,
 * spread by the stride, with flipped weights. The weight gradient sums images in parts that depend on the shape only,
 * in double between images, so it does not depend on the number of threads. Weights are plain (C, 1, k, k). */
#include "cpu/isa/depthwise.h"

#include "ops/conv2d.h"

#include <omp.h>

/* GROUP: channel blocks that one thread takes together */
enum { GROUP = 6, MAX_KERNEL = 11, STREAM_BYTES = 16 << 20 };

typedef struct state {
    int64_t n, c, h, w, oh, ow;        /* of x and y */
    int64_t pad_h, pad_w;
    int k, s;
    fvi_layout layout;
    bool bf16, weight_bf16, bias_bf16, has_bias;
    int64_t memory;                    /* floats of one thread */
    int64_t parts, groups;             /* of images and of channel blocks: tasks of the weight gradient */
    int threads;
    void (*convolve)(const fvi_dw_image *, const fvi_dw_image *, const fvi_dw_frame *, const float *, const float *,
                     float *);
    void (*weight_gradient)(const fvi_dw_image *, const fvi_dw_image *, const fvi_dw_frame *, double *, float *);
} state;

static bool real(fv_dtype d) { return d == FV_F32 || d == FV_BF16; }

static fvi_layout layout_of(fvi_layout l)
{
    return l == FVI_NHWC || l == FVI_NCHW16C ? l : FVI_NHWC;
}

static bool fits(const fvi_conv2d_attr *a, int64_t c, int64_t o, int64_t kh, int64_t kw)
{
    return a->groups == c && o == c && c % 16 == 0 && kh == kw && kh % 2 == 1 && kh <= MAX_KERNEL &&
           a->stride[0] == a->stride[1] && a->stride[0] <= 2 && a->dilation[0] == 1 && a->dilation[1] == 1 &&
           a->padding[0] < kh && a->padding[1] < kw;
}

static bool choose_forward(fvi_query *q)
{
    const fvi_type *x = &q->in[0], *w = &q->in[1];
    if (!real(x->dtype) || !real(w->dtype) || !fits(q->node->attr, x->dim[1], w->dim[0], w->dim[2], w->dim[3]))
        return false;
    if (q->n_in > 2 && !real(q->in[2].dtype)) return false;
    q->in_layout[0] = q->out_layout[0] = layout_of(q->in_layout[0]);
    q->in_layout[1] = FVI_PLAIN;
    if (q->n_in > 2) q->in_layout[2] = FVI_PLAIN;
    return true;
}

static bool choose_dgrad(fvi_query *q)
{
    const fvi_type *dy = &q->in[0], *w = &q->in[1];
    if (!real(dy->dtype) || !real(w->dtype) || !fits(q->node->attr, dy->dim[1], w->dim[0], w->dim[2], w->dim[3]))
        return false;
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
static fv_status make(const fvi_query *q, const fvi_type *x, const fvi_type *y, int64_t k, fvi_layout layout,
                      state **out)
{
    const fvi_conv2d_attr *a = q->node->attr;
    state *s = fvi_calloc(1, sizeof *s);
    if (!s) return fvi_nomem(q->env->ctx);
    *s = (state){.n = x->dim[0], .c = x->dim[1], .h = x->dim[2], .w = x->dim[3], .oh = y->dim[2], .ow = y->dim[3],
                 .pad_h = a->padding[0], .pad_w = a->padding[1], .k = (int)k, .s = (int)a->stride[0], .layout = layout,
                 .bf16 = x->dtype == FV_BF16, .threads = FVI_MAX(q->env->threads, 1)};
    s->convolve = FVI_ISA_PICK(q->env->isa, fvi_dw_convolve);
    s->weight_gradient = FVI_ISA_PICK(q->env->isa, fvi_dw_weight_gradient);
    *out = s;
    return FV_OK;
}

/* Floats of all the weights, then of each thread's memory. */
static int64_t weight_floats(const state *s) { return s->c * s->k * s->k; }

static void finish(state *s, int64_t h, int64_t w, int stride, size_t *scratch)
{
    s->memory = FVI_ALIGN_UP(fvi_dw_floats(h, w, s->k, stride), 16);
    *scratch = (size_t)(weight_floats(s) + s->threads * s->memory) * sizeof(float);
}

static fv_status prepare_forward(const fvi_query *q, void **out, size_t *scratch)
{
    state *s = NULL;
    FVI_TRY(q->env->ctx, make(q, &q->in[0], &q->out[0], q->in[1].dim[2], q->out_layout[0], &s));
    s->weight_bf16 = q->in[1].dtype == FV_BF16;
    s->has_bias = q->n_in > 2;
    s->bias_bf16 = s->has_bias && q->in[2].dtype == FV_BF16;
    finish(s, s->oh, s->ow, s->s, scratch);
    *out = s;
    return FV_OK;
}

static fv_status prepare_dgrad(const fvi_query *q, void **out, size_t *scratch)
{
    state *s = NULL;
    FVI_TRY(q->env->ctx, make(q, &q->out[0], &q->in[0], q->in[1].dim[2], q->out_layout[0], &s));
    s->weight_bf16 = q->in[1].dtype == FV_BF16;
    finish(s, s->h, s->w, 1, scratch);
    *out = s;
    return FV_OK;
}

static fv_status prepare_wgrad(const fvi_query *q, void **out, size_t *scratch)
{
    const fvi_conv2d_attr *a = q->node->attr;
    state *s = NULL;
    FVI_TRY(q->env->ctx, make(q, &q->in[0], &q->in[1], a->kernel[0], q->in_layout[0], &s));
    const int64_t blocks = s->c / 16;
    s->groups = (blocks + GROUP - 1) / GROUP;
    s->parts = FVI_MIN(s->n, FVI_MAX(16 / s->groups, 4));
    finish(s, s->oh, s->ow, s->s, scratch);
    *scratch = (size_t)(s->threads * s->memory) * sizeof(float) +
               (size_t)(s->parts * s->c * s->k * s->k) * sizeof(double);
    *out = s;
    return FV_OK;
}

/* Channel block b of image n of a tensor (n, c, h, w). */
static fvi_dw_image image(const state *s, const void *data, int64_t n, int64_t b, int64_t h, int64_t w)
{
    const int64_t pixel = s->layout == FVI_NHWC ? s->c : 16;
    const int64_t at = s->layout == FVI_NHWC ? n * h * w * s->c + b * 16 : (n * (s->c / 16) + b) * h * w * 16;
    return (fvi_dw_image){(char *)(uintptr_t)data + at * (s->bf16 ? 2 : 4), s->bf16, false, h, w, pixel, pixel * w};
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
        for (int c = 0; c < 16; c++)
            to[t * 16 + c] = number(w, s->weight_bf16, (b * 16 + c) * taps + (flip ? taps - 1 - t : t));
}

/* Scratch was planned for s->threads; small work is not worth waking anyone. */
static int team(const state *s, const fvi_exec *x)
{
    return s->n * s->c * s->oh * s->ow * s->k * s->k < 100000 ? 1 : FVI_MIN(x->threads, s->threads);
}

/* dx(i) sums dy(o) with o s = i + pad - kh: dy spread by s, shifted by k - 1 - pad, then stride 1 with flipped
 * weights. */
static void convolve_all(const state *s, void *const *in, void *const *out, float *weights, bool gradient, int threads)
{
    const int64_t blocks = s->c / 16, taps = (int64_t)s->k * s->k;
    const fvi_dw_frame f = gradient ? (fvi_dw_frame){s->k - 1 - s->pad_h, s->k - 1 - s->pad_w, s->s, s->k, 1}
                                    : (fvi_dw_frame){s->pad_h, s->pad_w, 1, s->k, s->s};
#pragma omp parallel num_threads(threads) if (threads > 1)
    {
        float *memory = weights + weight_floats(s) + omp_get_thread_num() * s->memory;
#pragma omp for schedule(static)
        for (int64_t b = 0; b < blocks; b++) gather_weights(s, in[1], b, gradient, weights + b * taps * 16);
#pragma omp for schedule(static)
        for (int64_t i = 0; i < s->n * blocks; i++) {
            const int64_t n = i / blocks, b = i % blocks;
            const fvi_dw_image from = gradient ? image(s, in[0], n, b, s->oh, s->ow)
                                               : image(s, in[0], n, b, s->h, s->w);
            fvi_dw_image to = gradient ? image(s, out[0], n, b, s->h, s->w) : image(s, out[0], n, b, s->oh, s->ow);
            to.stream = !s->bf16 && (uintptr_t)out[0] % 64 == 0 && s->n * s->c * to.h * to.w * 4 >= STREAM_BYTES;
            float bias[16];
            for (int c = 0; s->has_bias && c < 16; c++) bias[c] = number(in[2], s->bias_bf16, b * 16 + c);
            s->convolve(&from, &to, &f, weights + b * taps * 16, s->has_bias ? bias : NULL, memory);
        }
    }
}

static fv_status run_forward(void *p, void *const *in, void *const *out, void *scratch, const fvi_exec *x)
{
    const state *s = p;
    convolve_all(s, in, out, scratch, false, team(s, x));
    return FV_OK;
}

static fv_status run_dgrad(void *p, void *const *in, void *const *out, void *scratch, const fvi_exec *x)
{
    const state *s = p;
    convolve_all(s, in, out, scratch, true, team(s, x));
    return FV_OK;
}

static fv_status run_wgrad(void *p, void *const *in, void *const *out, void *scratch, const fvi_exec *x)
{
    const state *s = p;
    const int64_t blocks = s->c / 16, taps = (int64_t)s->k * s->k;
    const int threads = team(s, x);
    const fvi_dw_frame f = {s->pad_h, s->pad_w, 1, s->k, s->s};
    double *parts = scratch;                             /* [part][block][taps][16] */
    float *memory = (float *)(parts + s->parts * s->c * taps), *to = out[0];
#pragma omp parallel num_threads(threads) if (threads > 1)
    {
#pragma omp for schedule(static)
        for (int64_t i = 0; i < s->parts * s->groups; i++) {
            const int64_t part = i / s->groups, first = i % s->groups * GROUP, end = FVI_MIN(first + GROUP, blocks);
            double *dw = parts + part * blocks * taps * 16;
            memset(dw + first * taps * 16, 0, (size_t)((end - first) * taps * 16) * sizeof *dw);
            for (int64_t n = s->n * part / s->parts; n < s->n * (part + 1) / s->parts; n++)
                for (int64_t b = first; b < end; b++) {
                    const fvi_dw_image from = image(s, in[0], n, b, s->h, s->w),
                                       dy = image(s, in[1], n, b, s->oh, s->ow);
                    s->weight_gradient(&from, &dy, &f, dw + b * taps * 16, memory + omp_get_thread_num() * s->memory);
                }
        }
#pragma omp for schedule(static)
        for (int64_t b = 0; b < blocks; b++)
            for (int64_t t = 0; t < taps; t++) {
                double sum[16] = {0};
                for (int64_t part = 0; part < s->parts; part++)
                    for (int c = 0; c < 16; c++) sum[c] += parts[((part * blocks + b) * taps + t) * 16 + c];
                for (int c = 0; c < 16; c++) to[(b * 16 + c) * taps + t] = (float)sum[c];
            }
    }
    return FV_OK;
}

static const fvi_kernel forward = {.name = "depthwise", .op = "conv2d", .priority = 30, .choose = choose_forward,
                                   .prepare = prepare_forward, .run = run_forward, .destroy = fvi_free};
static const fvi_kernel dgrad = {.name = "depthwise", .op = "conv2d_dgrad", .priority = 30, .choose = choose_dgrad,
                                 .prepare = prepare_dgrad, .run = run_dgrad, .destroy = fvi_free};
static const fvi_kernel wgrad = {.name = "depthwise", .op = "conv2d_wgrad", .priority = 30, .choose = choose_wgrad,
                                 .prepare = prepare_wgrad, .run = run_wgrad, .destroy = fvi_free};
FVI_KERNELS(k_depthwise, &forward, &dgrad, &wgrad);
