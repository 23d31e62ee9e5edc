/* SPDX-License-Identifier: Apache-2.0 */
/* y (N,C,1,1) = mean of x over H and W; dx = dy / (H W), repeated. Both are linear: each is the other's gradient. */
#include "ops/pool2d.h"

static const fvi_attr_def backward_attrs[] = {FVI_POOL2D_SIZE_ATTR(fvi_global_avg_pool2d_backward_attr), FVI_ATTR_END};

static fv_status infer(fvi_infer *c)
{
    FVI_TRY(c->ctx, fvi_pool2d_check(c, &c->in[0]));
    c->out[0] = c->in[0];
    c->out[0].dim[2] = c->out[0].dim[3] = 1;
    return FV_OK;
}

static fv_status infer_backward(fvi_infer *c)
{
    const fvi_global_avg_pool2d_backward_attr *a = c->attr;
    char t[FVI_TYPE_TEXT];
    FVI_TRY(c->ctx, fvi_pool2d_check(c, &c->in[0]));
    if (c->in[0].dim[2] != 1 || c->in[0].dim[3] != 1)
        return fvi_infer_fail(c, "the gradient must be (N, C, 1, 1), not %s", fvi_type_text(&c->in[0], t));
    c->out[0] = c->in[0];
    for (int i = 0; i < 2; i++) c->out[0].dim[2 + i] = a->size[i];
    return FV_OK;
}

static void reference(const fvi_ref *r)
{
    const fvi_type *x = &r->in[0].type;
    const int64_t n = x->dim[2] * x->dim[3];
#pragma omp parallel for if (FVI_WORTH_THREADS(x->dim[0] * x->dim[1] * n))
    for (int64_t plane = 0; plane < x->dim[0] * x->dim[1]; plane++) {
        const double *p = r->in[0].f + plane * n;
        double sum = 0;
#pragma omp simd reduction(+ : sum)
        for (int64_t i = 0; i < n; i++) sum += p[i];
        r->out[0].f[plane] = sum / (double)n;
    }
}

static void reference_backward(const fvi_ref *r)
{
    const fvi_type *dx = &r->out[0].type;
    const int64_t n = dx->dim[2] * dx->dim[3];
    for (int64_t plane = 0; plane < dx->dim[0] * dx->dim[1]; plane++)
        for (int64_t i = 0; i < n; i++) r->out[0].f[plane * n + i] = r->in[0].f[plane] / (double)n;
}

static fv_status gradient(fvi_gradient *c)
{
    const fvi_type *x = &c->in[0]->type;
    const fvi_global_avg_pool2d_backward_attr a = {{x->dim[2], x->dim[3]}};
    c->din[0] = fvi_emit(c->g, "global_avg_pool2d_backward", &a, 1, c->dout[0]);
    return fv_graph_status(c->g);
}

static fv_status gradient_backward(fvi_gradient *c)
{
    c->din[0] = fvi_emit(c->g, "global_avg_pool2d", NULL, 1, c->dout[0]);
    return fv_graph_status(c->g);
}

static const fvi_global_avg_pool2d_backward_attr wide = {{4, 5}}, square = {{7, 7}}, one = {{1, 1}};
#define N FVI_DRAW_NORMAL
static const fvi_sample samples[] = {
    {"wide", NULL, 1, {FVI_S(N, FV_N, 3, 4, 5)}},
    {"square", NULL, 1, {FVI_S(N, FV_N, 17, 7, 7)}},
    {"one", NULL, 1, {FVI_S(N, FV_N, 2, 1, 1)}},
};
static const fvi_sample backward_samples[] = {
    {"wide", &wide, 1, {FVI_S(N, FV_N, 3, 1, 1)}},
    {"square", &square, 1, {FVI_S(N, FV_N, 17, 1, 1)}},
    {"one", &one, 1, {FVI_S(N, FV_N, 2, 1, 1)}},
};

static const fvi_op op_global_avg_pool2d = {
    .name = "global_avg_pool2d", .version = 1, .kind = FVI_PRIMITIVE, .doc = "y = mean of each H x W plane",
    .n_in_min = 1, .n_in_max = 1, .n_out = 1,
    .infer = infer, .grad = gradient, .ref = reference, .samples = samples, .n_samples = FVI_COUNT(samples),
    .onnx = "GlobalAveragePool",
};
static const fvi_op op_global_avg_pool2d_backward = {
    .name = "global_avg_pool2d_backward", .version = 1, .kind = FVI_PRIMITIVE, .doc = "dx = dy / (H W), repeated over the plane",
    .n_in_min = 1, .n_in_max = 1, .n_out = 1, .attr_size = sizeof(fvi_global_avg_pool2d_backward_attr), .attrs = backward_attrs,
    .infer = infer_backward, .grad = gradient_backward, .ref = reference_backward,
    .samples = backward_samples, .n_samples = FVI_COUNT(backward_samples),
};
FVI_OPS(global_avg_pool2d, &op_global_avg_pool2d, &op_global_avg_pool2d_backward);

fv_value *fv_global_avg_pool2d(fv_graph *g, fv_value *x)
{
    return fvi_emit(g, "global_avg_pool2d", NULL, 1, x);
}
