/* SPDX-License-Identifier: Apache-2.0 */
/* y = x; no gradient flows to x. */
#include "ir/onnx.h"
#include "ir/graph.h"
#include "ops/samples.h"

static void reference(const fvi_ref *r)
{
    const int64_t n = fvi_type_numel(&r->out[0].type);
    if (r->out[0].p != r->in[0].p) memcpy(r->out[0].p, r->in[0].p, (size_t)n * sizeof(double));
}

static const fvi_sample samples[] = {
    {"image", NULL, 1, {FVI_S(FVI_DRAW_NORMAL, FV_N, 3, 5, 4)}},
    {"features", NULL, 1, {FVI_S(FVI_DRAW_NORMAL, 2 * FV_N, 7)}},
    {"scalar", NULL, 1, {FVI_S0(FVI_DRAW_NORMAL)}},
};

static void onnx(fvi_onnx *o)
{
    o->same(o, 0, o->in[0]);
}

static const fvi_op op_stop_gradient = {
    .name = "stop_gradient", .version = 1, .kind = FVI_DISCRETE, .doc = "y = x, without a gradient",
    .n_in_min = 1, .n_in_max = 1, .n_out = 1,
    .infer = fvi_infer_same, .no_grad = "by definition", .ref = reference,
    .samples = samples, .n_samples = FVI_COUNT(samples),
    .alias = true, .precision = FVI_PRECISION_ANY, .elementwise = true,
    .onnx_emit = onnx,
};
FVI_OPS(stop_gradient, &op_stop_gradient);

fv_value *fv_stop_gradient(fv_graph *g, fv_value *x)
{
    return fvi_emit(g, "stop_gradient", NULL, 1, x);
}
