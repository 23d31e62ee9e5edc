/* SPDX-License-Identifier: Apache-2.0 */
/* Place of the largest value along one axis, the lowest of equals; NaN counts as largest, as in PyTorch. */
#include "ir/onnx.h"
#include "ops/softmax.h"

FVI_AXIS_ATTRS(attrs, "the axis that is searched and removed");

static fv_status infer(fvi_infer *c)
{
    const fvi_softmax_attr *a = c->attr;
    const fvi_type *x = &c->in[0];
    char t[FVI_TYPE_TEXT];
    FVI_TRY(c->ctx, fvi_infer_floats(c, 0));
    FVI_TRY(c->ctx, fvi_axis_check(c, a->axis, x));
    const int axis = fvi_axis(a->axis, x->rank);
    if (x->dim[axis] == 0) return fvi_infer_fail(c, "axis %d of %s is empty", axis, fvi_type_text(x, t));
    c->out[0] = (fvi_type){.dtype = FV_I64};
    for (int i = 0; i < x->rank; i++)
        if (i != axis) c->out[0].dim[c->out[0].rank++] = x->dim[i];
    return FV_OK;
}

static void reference(const fvi_ref *r)
{
    const fvi_softmax_attr *a = r->attr;
    const fvi_type *x = &r->in[0].type;
    const int axis = fvi_axis(a->axis, x->rank);
    const int64_t n = x->dim[axis], inner = fvi_inner(x, axis), rows = fvi_outer(x, axis) * inner;
    for (int64_t row = 0; row < rows; row++) {
        const double *v = r->in[0].f + row / inner * n * inner + row % inner;
        int64_t best = 0;
        for (int64_t k = 1; k < n && !isnan(v[best * inner]); k++)
            if (v[k * inner] > v[best * inner] || isnan(v[k * inner])) best = k;
        r->out[0].i[row] = best;
    }
}

FVI_AXIS_SAMPLES(samples, 1, FVI_DRAW_NORMAL);

static void onnx(fvi_onnx *o)
{
    o->add(o, &(fvi_onnx_op){.type = "ArgMax", .in = {o->in[0]}, .out = {o->out[0]},
                             .attrs = {FVI_ONNX_INT("axis", ((const fvi_softmax_attr *)o->attr)->axis), FVI_ONNX_INT("keepdims", 0)}});
}

static const fvi_op op_argmax = {
    .name = "argmax", .version = 1, .kind = FVI_DISCRETE, .doc = "y = place of the largest x along axis, the lowest of equals",
    .n_in_min = 1, .n_in_max = 1, .n_out = 1, .attr_size = sizeof(fvi_softmax_attr), .attrs = attrs,
    .infer = infer, .no_grad = "its result is an integer", .ref = reference, .samples = samples, .n_samples = FVI_COUNT(samples),
    .precision = FVI_PRECISION_ANY,
    .onnx_emit = onnx,
};
FVI_OPS(argmax, &op_argmax);
