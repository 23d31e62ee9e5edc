/* SPDX-License-Identifier: Apache-2.0 */
/* conv2d_act for inference: bias, residual and activation inside oneDNN's convolution. The residual is summed from
 * where the output lies when both are one buffer, else from its own. */
#include "cpu/conv_plan.h"
#include "ops/conv2d_act.h"

static fvi_conv_case case_of(const fvi_query *q)
{
    const fvi_conv2d_act_attr *a = q->node->attr;
    fvi_conv_case c;
    fvi_conv_case_set(&c, FVI_DNNL_FORWARD, &a->conv, &q->in[0], &q->in[1], &q->out[0]);
    c.bias = true;
    c.bias_dtype = q->in[2].dtype;
    c.addend = q->n_in > 3;
    c.act = a->act == FVI_ACT_RELU ? FVI_DNNL_RELU : a->act == FVI_ACT_SILU ? FVI_DNNL_SILU : FVI_DNNL_NONE;
    c.src = q->in_layout[0];
    c.weights = q->in_layout[1];
    c.dst = q->out_layout[0];
    return c;
}

static bool choose(fvi_query *q)
{
    fvi_conv_case c = case_of(q);
    if (q->out[0].dtype != c.dtype || (c.addend && q->in[3].dtype != c.dtype) ||
        !fvi_conv_choose(&c, "conv2d_act", q->env))
        return false;
    q->in_layout[0] = c.src;
    q->in_layout[1] = c.weights;
    q->in_layout[2] = FVI_PLAIN;
    if (c.addend) q->in_layout[3] = c.dst;
    q->out_layout[0] = c.dst;
    return true;
}

static fv_status prepare(const fvi_query *q, void **state, size_t *scratch_bytes)
{
    const fvi_conv_case c = case_of(q);
    fvi_conv *p;
    FVI_TRY(q->env->ctx, fvi_conv_create(&c, "conv2d_act", q->env, &p, scratch_bytes));
    *state = p;
    return FV_OK;
}

static fv_status run(void *state, void *const *in, void *const *out, void *scratch, const fvi_exec *x)
{
    return fvi_conv_run(state, in[0], in[1], in[2], fvi_conv_has_addend(state) ? in[3] : NULL, out[0], scratch, x);
}

static const fvi_kernel kernel = {.name = "dnnl_conv2d_act", .op = "conv2d_act", .priority = 10, .choose = choose,
                                  .prepare = prepare, .run = run, .destroy = fvi_conv_destroy,
                                  .describe = fvi_conv_describe, .choices = fvi_conv_variants, .inplace = {4}};

FVI_KERNELS(k_conv2d_act, &kernel);
