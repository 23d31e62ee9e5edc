/* SPDX-License-Identifier: Apache-2.0 */
/* conv2d and its two gradients on oneDNN. */
#include "cpu/conv_plan.h"

static fvi_conv_case forward_case(const fvi_query *q)
{
    fvi_conv_case c;
    fvi_conv_case_set(&c, FVI_DNNL_FORWARD, q->node->attr, &q->in[0], &q->in[1], &q->out[0]);
    c.bias = q->n_in > 2;
    if (c.bias) c.bias_dtype = q->in[2].dtype;
    c.src = q->in_layout[0];
    c.weights = q->in_layout[1];
    c.dst = q->out_layout[0];
    return c;
}

static bool forward_choose(fvi_query *q)
{
    fvi_conv_case c = forward_case(q);
    if (q->out[0].dtype != c.dtype || !fvi_conv_choose(&c, "conv2d", q->env)) return false;
    q->in_layout[0] = c.src;
    q->in_layout[1] = c.weights;
    if (c.bias) q->in_layout[2] = FVI_PLAIN;
    q->out_layout[0] = c.dst;
    return true;
}

static fv_status forward_prepare(const fvi_query *q, void **state, size_t *scratch_bytes)
{
    const fvi_conv_case c = forward_case(q);
    fvi_conv *p;
    FVI_TRY(q->env->ctx, fvi_conv_create(&c, "conv2d", q->env, &p, scratch_bytes));
    *state = p;
    return FV_OK;
}

static fv_status forward_run(void *state, void *const *in, void *const *out, void *scratch, const fvi_exec *x)
{
    return fvi_conv_run(state, in[0], in[1], fvi_conv_has_bias(state) ? in[2] : NULL, NULL, out[0], scratch, x);
}

static fvi_conv_case dgrad_case(const fvi_query *q)
{
    fvi_conv_case c;
    fvi_conv_case_set(&c, FVI_DNNL_BACKWARD_DATA, q->node->attr, &q->out[0], &q->in[1], &q->in[0]);
    c.dst = q->in_layout[0];
    c.weights = q->in_layout[1];
    c.src = q->out_layout[0];
    return c;
}

static bool dgrad_choose(fvi_query *q)
{
    fvi_conv_case c = dgrad_case(q);
    if (q->out[0].dtype != c.dtype || !fvi_conv_choose(&c, "conv2d_dgrad", q->env)) return false;
    q->in_layout[0] = c.dst;
    q->in_layout[1] = c.weights;
    q->out_layout[0] = c.src;
    return true;
}

static fv_status dgrad_prepare(const fvi_query *q, void **state, size_t *scratch_bytes)
{
    const fvi_conv_case c = dgrad_case(q);
    fvi_conv *p;
    FVI_TRY(q->env->ctx, fvi_conv_create(&c, "conv2d_dgrad", q->env, &p, scratch_bytes));
    *state = p;
    return FV_OK;
}

static fv_status dgrad_run(void *state, void *const *in, void *const *out, void *scratch, const fvi_exec *x)
{
    return fvi_conv_run(state, out[0], in[1], NULL, NULL, in[0], scratch, x);
}

static fvi_conv_case wgrad_case(const fvi_query *q)
{
    fvi_conv_case c;
    fvi_conv_case_set(&c, FVI_DNNL_BACKWARD_WEIGHTS, q->node->attr, &q->in[0], &q->out[0], &q->in[1]);
    c.src = q->in_layout[0];
    c.dst = q->in_layout[1];
    c.weights = q->out_layout[0];
    return c;
}

static bool wgrad_choose(fvi_query *q)
{
    fvi_conv_case c = wgrad_case(q);
    if (q->in[1].dtype != c.dtype || !fvi_conv_choose(&c, "conv2d_wgrad", q->env)) return false;
    q->in_layout[0] = c.src;
    q->in_layout[1] = c.dst;
    q->out_layout[0] = c.weights;
    return true;
}

static fv_status wgrad_prepare(const fvi_query *q, void **state, size_t *scratch_bytes)
{
    const fvi_conv_case c = wgrad_case(q);
    fvi_conv *p;
    FVI_TRY(q->env->ctx, fvi_conv_create(&c, "conv2d_wgrad", q->env, &p, scratch_bytes));
    *state = p;
    return FV_OK;
}

static fv_status wgrad_run(void *state, void *const *in, void *const *out, void *scratch, const fvi_exec *x)
{
    return fvi_conv_run(state, in[0], out[0], NULL, NULL, in[1], scratch, x);
}

static const fvi_kernel forward = {.name = "dnnl_conv2d", .op = "conv2d", .priority = 10, .choose = forward_choose,
                                   .prepare = forward_prepare, .run = forward_run, .destroy = fvi_conv_destroy,
                                   .describe = fvi_conv_describe, .choices = fvi_conv_variants};
static const fvi_kernel dgrad = {.name = "dnnl_conv2d_dgrad", .op = "conv2d_dgrad", .priority = 10,
                                 .choose = dgrad_choose, .prepare = dgrad_prepare, .run = dgrad_run,
                                 .destroy = fvi_conv_destroy, .describe = fvi_conv_describe,
                                 .choices = fvi_conv_variants};
static const fvi_kernel wgrad = {.name = "dnnl_conv2d_wgrad", .op = "conv2d_wgrad", .priority = 10,
                                 .choose = wgrad_choose, .prepare = wgrad_prepare, .run = wgrad_run,
                                 .destroy = fvi_conv_destroy, .describe = fvi_conv_describe,
                                 .choices = fvi_conv_variants};

FVI_KERNELS(k_conv2d, &forward, &dgrad, &wgrad);
