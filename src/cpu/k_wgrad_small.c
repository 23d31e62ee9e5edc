/* SPDX-License-Identifier: Apache-2.0 */
/* conv2d_wgrad over small maps (few positions, many channels), where oneDNN's direct and Winograd kernels spend their
 * time on padding and on reducing copies of the weights: measured 2.5 to 12 ms against 0.3 to 1 ms at 256 to 512
 * channels on 2x2 and 1x1 maps of 32 images. f32, AVX-512, channels in multiples of 16. Each tile of weights is made by
 * one thread, so the result does not depend on their number. */
#include "cpu/isa/wgrad.h"

#include "ops/conv2d.h"

typedef struct state {
    fvi_wgrad_shape shape;
    void (*block)(const fvi_wgrad_shape *s, const float *x, const float *dy, int64_t ob, int64_t ib, float *dw);
} state;

enum { MOST_POSITIONS = 1024 };                          /* images x output pixels: beyond, Winograd and blocking win */

static bool choose(fvi_query *q)
{
    const fvi_conv2d_attr *a = q->node->attr;
    const fvi_type *x = &q->in[0], *dy = &q->in[1];
    if (q->env->isa < FVI_ISA_AVX512 || q->env->conv_layout != FVI_NCHW16C || a->groups != 1) return false;
    if (x->dtype != FV_F32 || dy->dtype != FV_F32 || q->out[0].dtype != FV_F32 || x->dim[1] % 16 || dy->dim[1] % 16)
        return false;
    if (dy->dim[0] * dy->dim[2] * dy->dim[3] > MOST_POSITIONS || x->dim[1] * dy->dim[1] < 64 * 64) return false;
    q->in_layout[0] = q->in_layout[1] = FVI_NCHW16C;
    q->out_layout[0] = FVI_OIHW16I16O;
    return true;
}

static fv_status prepare(const fvi_query *q, void **out, size_t *scratch)
{
    const fvi_conv2d_attr *a = q->node->attr;
    const int64_t *x = q->in[0].dim, *dy = q->in[1].dim;
    state *s = fvi_calloc(1, sizeof *s);
    if (!s) return fvi_nomem(q->env->ctx);
    s->shape = (fvi_wgrad_shape){x[0], x[1] / 16, dy[1] / 16, x[2], x[3], dy[2], dy[3], a->kernel[0], a->kernel[1],
                                 {a->stride[0], a->stride[1]}, {a->padding[0], a->padding[1]},
                                 {a->dilation[0], a->dilation[1]}};
    s->block = FVI_ISA_PICK(q->env->isa, fvi_wgrad_block);
    *out = s;
    *scratch = 0;
    return FV_OK;
}

static fv_status run(void *p, void *const *in, void *const *out, void *scratch, const fvi_exec *x)
{
    (void)scratch;
    const state *s = p;
    const fvi_wgrad_shape *w = &s->shape;
    const int64_t tile = w->kh * w->kw * 256;
#pragma omp parallel for num_threads(x->threads) if (x->threads > 1) schedule(static)
    for (int64_t i = 0; i < w->out_blocks * w->in_blocks; i++)
        s->block(w, in[0], in[1], i / w->in_blocks, i % w->in_blocks, (float *)out[0] + i * tile);
    return FV_OK;
}

static const fvi_kernel wgrad = {.name = "wgrad_small", .op = "conv2d_wgrad", .priority = 15, .choose = choose,
                                 .prepare = prepare, .run = run, .destroy = fvi_free};
FVI_KERNELS(k_wgrad_small, &wgrad);
