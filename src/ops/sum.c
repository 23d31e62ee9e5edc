/* SPDX-License-Identifier: Apache-2.0 */
/* y = sum of x over the given axes; dx = dy, repeated. */
#include "ops/reduce.h"

FVI_REDUCE_ATTRS(attrs);

static double add(double x, double sum, const void *attr)
{
    (void)attr;
    return sum + x;
}

static void reference(const fvi_ref *r)
{
    fvi_ref_reduce(r, 0, add, 0, fvi_wrap_add);
}

static fv_status gradient(fvi_gradient *c)
{
    const fvi_type *x = &c->in[0]->type;
    fv_value *dy = fvi_cast_like(c->g, fvi_reduce_kept(c, c->dout[0]), c->in[0]);
    c->din[0] = fv_broadcast_to(c->g, dy, x->rank, x->dim);
    return fv_graph_status(c->g);
}

FVI_REDUCE_SAMPLES(samples, FVI_DRAW_NORMAL, FVI_REDUCE_WHOLE_ROWS(samples)
                   {"truth", &samples_rows, 1, {FVI_S_BOOL(FV_N, 5)}});

static void onnx(fvi_onnx *o) { fvi_reduce_onnx(o, "ReduceSum", 13); }

static const fvi_op op_sum = {
    .name = "sum", .version = 1, .kind = FVI_PRIMITIVE, .doc = "y = sum of x over axes",
    .n_in_min = 1, .n_in_max = 1, .n_out = 1, .attr_size = sizeof(fvi_reduce_attr), .attrs = attrs,
    .infer = fvi_infer_reduce_wide, .grad = gradient, .ref = reference,
    .samples = samples, .n_samples = FVI_COUNT(samples),
    .precision = FVI_PRECISION_F32,
    .onnx_emit = onnx,
};
FVI_OPS(sum, &op_sum);

fv_value *fv_sum(fv_graph *g, fv_value *x, unsigned axes, bool keep_dims)
{
    return fvi_emit(g, "sum", &(fvi_reduce_attr){axes, keep_dims}, 1, x);
}
