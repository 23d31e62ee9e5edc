/* SPDX-License-Identifier: Apache-2.0 */
/* y = mean of x over the given axes; dx = dy / count, repeated. The count of a batch axis is known only when the plan is
 * bound: it is the sum of that many ones, on a tensor of that length. */
#include "ops/reduce.h"

FVI_REDUCE_ATTRS(attrs);

static fv_status infer(fvi_infer *c)
{
    FVI_TRY(c->ctx, fvi_infer_floats(c, 0));
    return fvi_infer_reduce_wide(c);
}

static double add(double x, double sum, const void *attr)
{
    (void)attr;
    return sum + x;
}

static void reference(const fvi_ref *r)
{
    fvi_ref_reduce(r, 0, add, 0, NULL);
    const int64_t n = fvi_type_numel(&r->out[0].type), count = fvi_type_numel(&r->in[0].type) / n;
    for (int64_t i = 0; i < n; i++) r->out[0].f[i] /= (double)count;
}

static fv_status gradient(fvi_gradient *c)
{
    const fvi_type *x = &c->in[0]->type;
    fv_value *dy = fvi_reduce_kept(c, c->dout[0]);
    double count = 1;
    for (int i = 0; i < x->rank; i++) {
        if (!fvi_reduced(c->node->attr, i)) continue;
        if (x->dim[i] > 0) {
            count *= (double)x->dim[i];
            continue;
        }
        fv_value *ones = fv_full(c->g, 1, 1, &x->dim[i]);
        fv_value *length = fvi_emit(c->g, "sum", NULL, 1, ones);
        dy = fvi_emit(c->g, "div", NULL, 2, dy, fvi_cast_like(c->g, length, dy));
    }
    if (count != 1) dy = fvi_emit(c->g, "scale", &(fvi_scale_attr){1 / count}, 1, dy);
    c->din[0] = fv_broadcast_to(c->g, fvi_cast_like(c->g, dy, c->in[0]), x->rank, x->dim);
    return fv_graph_status(c->g);
}

FVI_REDUCE_SAMPLES(samples, FVI_DRAW_NORMAL, );

static void onnx(fvi_onnx *o) { fvi_reduce_onnx(o, "ReduceMean", 18); }

static const fvi_op op_mean = {
    .name = "mean", .version = 1, .kind = FVI_PRIMITIVE, .doc = "y = mean of x over axes",
    .n_in_min = 1, .n_in_max = 1, .n_out = 1, .attr_size = sizeof(fvi_reduce_attr), .attrs = attrs,
    .infer = infer, .grad = gradient, .ref = reference,
    .samples = samples, .n_samples = FVI_COUNT(samples),
    .precision = FVI_PRECISION_F32,
    .onnx_emit = onnx,
};
FVI_OPS(mean, &op_mean);

fv_value *fv_mean(fv_graph *g, fv_value *x, unsigned axes, bool keep_dims)
{
    return fvi_emit(g, "mean", &(fvi_reduce_attr){axes, keep_dims}, 1, x);
}
