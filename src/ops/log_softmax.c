/* SPDX-License-Identifier: Apache-2.0 */
/* y = x - max - log sum exp(x - max) along one axis; dx = dy - exp(y) sum(dy). */
#include "ops/softmax.h"

FVI_AXIS_ATTRS(attrs, "the axis whose exponentials sum to 1");

static void row(const fvi_ref *r, int64_t first, int64_t n, int64_t step)
{
    const double *x = r->in[0].f + first;
    double *y = r->out[0].f + first, top = -INFINITY, sum = 0;
    for (int64_t k = 0; k < n; k++) top = fmax(top, x[k * step]);
    for (int64_t k = 0; k < n; k++) sum += exp(x[k * step] - top);
    const double shift = log(sum);
    for (int64_t k = 0; k < n; k++) y[k * step] = x[k * step] - top - shift;
}

static void row_backward(const fvi_ref *r, int64_t first, int64_t n, int64_t step)
{
    const double *dy = r->in[0].f + first, *y = r->in[1].f + first;
    double *dx = r->out[0].f + first, sum = 0;
    for (int64_t k = 0; k < n; k++) sum += dy[k * step];
    for (int64_t k = 0; k < n; k++) dx[k * step] = dy[k * step] - exp(y[k * step]) * sum;
}

static void reference(const fvi_ref *r) { fvi_softmax_rows(r, row); }
static void reference_backward(const fvi_ref *r) { fvi_softmax_rows(r, row_backward); }

static fv_status gradient(fvi_gradient *c)
{
    return fvi_act_gradient(c, "log_softmax_backward", c->out[0]);
}

FVI_AXIS_SAMPLES(samples, 1, FVI_DRAW_NORMAL);
FVI_AXIS_SAMPLES(backward_samples, 2, FVI_DRAW_NORMAL);

static void onnx(fvi_onnx *o) { fvi_softmax_onnx(o, "LogSoftmax"); }

static const fvi_op op_log_softmax = {
    .name = "log_softmax", .version = 1, .kind = FVI_PRIMITIVE, .doc = "y = x - log of sum of exp(x) along axis",
    .n_in_min = 1, .n_in_max = 1, .n_out = 1, .attr_size = sizeof(fvi_softmax_attr), .attrs = attrs,
    .infer = fvi_softmax_infer, .grad = gradient, .ref = reference, .samples = samples, .n_samples = FVI_COUNT(samples),
    .inplace = {1}, .precision = FVI_PRECISION_F32,
    .onnx_emit = onnx,
};
static const fvi_op op_log_softmax_backward = {
    .name = "log_softmax_backward", .version = 1, .kind = FVI_PRIMITIVE, .doc = "dx = dy - exp(y) sum of dy along axis",
    .n_in_min = 2, .n_in_max = 2, .n_out = 1, .attr_size = sizeof(fvi_softmax_attr), .attrs = attrs,
    .infer = fvi_softmax_infer_backward, .no_grad = FVI_NO_SECOND, .ref = reference_backward,
    .samples = backward_samples, .n_samples = FVI_COUNT(backward_samples),
    .inplace = {1}, .precision = FVI_PRECISION_F32,
};
FVI_OPS(log_softmax, &op_log_softmax, &op_log_softmax_backward);

fv_value *fv_log_softmax(fv_graph *g, fv_value *x, int axis)
{
    return fvi_emit(g, "log_softmax", &(fvi_softmax_attr){axis}, 1, x);
}
