/* SPDX-License-Identifier: Apache-2.0 */
/* y = exp(x - max) / sum exp(x - max) along one axis; dx = y (dy - sum(dy y)). */
#include "ops/softmax.h"

FVI_AXIS_ATTRS(attrs, "the axis whose values sum to 1");

static void row(const fvi_ref *r, int64_t first, int64_t n, int64_t step)
{
    const double *x = r->in[0].f + first;
    double *y = r->out[0].f + first, top = -INFINITY, sum = 0;
    for (int64_t k = 0; k < n; k++) top = fmax(top, x[k * step]);
    for (int64_t k = 0; k < n; k++) sum += y[k * step] = exp(x[k * step] - top);
    for (int64_t k = 0; k < n; k++) y[k * step] /= sum;
}

static void row_backward(const fvi_ref *r, int64_t first, int64_t n, int64_t step)
{
    const double *dy = r->in[0].f + first, *y = r->in[1].f + first;
    double *dx = r->out[0].f + first, dot = 0;
    for (int64_t k = 0; k < n; k++) dot += dy[k * step] * y[k * step];
    for (int64_t k = 0; k < n; k++) dx[k * step] = y[k * step] * (dy[k * step] - dot);
}

static void reference(const fvi_ref *r) { fvi_softmax_rows(r, row); }
static void reference_backward(const fvi_ref *r) { fvi_softmax_rows(r, row_backward); }

static fv_status gradient(fvi_gradient *c)
{
    return fvi_act_gradient(c, "softmax_backward", c->out[0]);
}

FVI_AXIS_SAMPLES(samples, 1, FVI_DRAW_NORMAL);
FVI_AXIS_SAMPLES(backward_samples, 2, FVI_DRAW_UNIT);

static void onnx(fvi_onnx *o) { fvi_softmax_onnx(o, "Softmax"); }

static const fvi_op op_softmax = {
    .name = "softmax", .version = 1, .kind = FVI_PRIMITIVE, .doc = "y = exp(x) / sum of exp(x) along axis",
    .n_in_min = 1, .n_in_max = 1, .n_out = 1, .attr_size = sizeof(fvi_softmax_attr), .attrs = attrs,
    .infer = fvi_softmax_infer, .grad = gradient, .ref = reference, .samples = samples, .n_samples = FVI_COUNT(samples),
    .inplace = {1}, .precision = FVI_PRECISION_F32,
    .onnx_emit = onnx,
};
static const fvi_op op_softmax_backward = {
    .name = "softmax_backward", .version = 1, .kind = FVI_PRIMITIVE, .doc = "dx = y (dy - sum of dy y along axis)",
    .n_in_min = 2, .n_in_max = 2, .n_out = 1, .attr_size = sizeof(fvi_softmax_attr), .attrs = attrs,
    .infer = fvi_softmax_infer_backward, .no_grad = FVI_NO_SECOND, .ref = reference_backward,
    .samples = backward_samples, .n_samples = FVI_COUNT(backward_samples),
    .inplace = {1}, .precision = FVI_PRECISION_F32,
};
FVI_OPS(softmax, &op_softmax, &op_softmax_backward);

fv_value *fv_softmax(fv_graph *g, fv_value *x, int axis)
{
    return fvi_emit(g, "softmax", &(fvi_softmax_attr){axis}, 1, x);
}
