/* SPDX-License-Identifier: Apache-2.0 */
/* y = least x over the given axes, NaN if one is; dx = dy where x is the least, shared evenly among equals (PyTorch). */
#include "ops/reduce.h"

FVI_REDUCE_ATTRS(attrs);

static double least(double x, double min, const void *attr)
{
    (void)attr;
    return x < min || isnan(x) ? x : min;
}

static int64_t whole(int64_t x, int64_t min) { return x < min ? x : min; }

static fv_status infer(fvi_infer *c)
{
    FVI_TRY(c->ctx, fvi_infer_numbers(c, 0));
    return fvi_infer_reduce(c);
}

static void reference(const fvi_ref *r)
{
    fvi_ref_reduce(r, INFINITY, least, INT64_MAX, whole);
}

static fv_status gradient(fvi_gradient *c)
{
    fv_value *y = fvi_reduce_kept(c, c->out[0]), *dy = fvi_reduce_kept(c, c->dout[0]);
    fv_value *mask = fvi_emit(c->g, "equal", NULL, 2, c->in[0], y);
    fv_value *count = mask && dy ? fvi_sum_to(c->g, mask, dy) : NULL;
    fv_value *share = fvi_emit(c->g, "div", NULL, 2, dy, count);
    c->din[0] = fvi_emit(c->g, "mul", NULL, 2, mask, share);
    return fv_graph_status(c->g);
}

FVI_REDUCE_SAMPLES(samples, FVI_DRAW_DISTINCT, FVI_REDUCE_WHOLE_ROWS(samples));

static void onnx(fvi_onnx *o) { fvi_reduce_onnx(o, "ReduceMin", 18); }

static const fvi_op op_amin = {
    .name = "amin", .version = 1, .kind = FVI_PRIMITIVE, .doc = "y = least x over axes",
    .n_in_min = 1, .n_in_max = 1, .n_out = 1, .attr_size = sizeof(fvi_reduce_attr), .attrs = attrs,
    .infer = infer, .grad = gradient, .ref = reference,
    .samples = samples, .n_samples = FVI_COUNT(samples),
    .onnx_emit = onnx,
};
FVI_OPS(amin, &op_amin);

fv_value *fv_amin(fv_graph *g, fv_value *x, unsigned axes, bool keep_dims)
{
    return fvi_emit(g, "amin", &(fvi_reduce_attr){axes, keep_dims}, 1, x);
}
