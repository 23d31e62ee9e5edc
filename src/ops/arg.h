/* SPDX-License-Identifier: Apache-2.0 */
/* argmax and argmin: the place of the greatest or least value along one axis, the lowest of equals; NaN counts as the one
 * that is sought, as in PyTorch. */
#ifndef FVI_OPS_ARG_H
#define FVI_OPS_ARG_H

#include "ops/softmax.h"

static inline fv_status fvi_infer_arg(fvi_infer *c)
{
    const fvi_argmax_attr *a = c->attr;
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

static inline void fvi_ref_arg(const fvi_ref *r, bool least)
{
    const fvi_argmax_attr *a = r->attr;
    const fvi_type *x = &r->in[0].type;
    const int axis = fvi_axis(a->axis, x->rank);
    const int64_t n = x->dim[axis], inner = fvi_inner(x, axis), rows = fvi_outer(x, axis) * inner;
    for (int64_t row = 0; row < rows; row++) {
        const double *v = r->in[0].f + row / inner * n * inner + row % inner;
        int64_t best = 0;
        for (int64_t k = 1; k < n && !isnan(v[best * inner]); k++) {
            const double here = v[k * inner], held = v[best * inner];
            if ((least ? here < held : here > held) || isnan(here)) best = k;
        }
        r->out[0].i[row] = best;
    }
}

static inline void fvi_arg_onnx(fvi_onnx *o, const char *type)
{
    const int64_t axis = ((const fvi_argmax_attr *)o->attr)->axis;
    o->add(o, &(fvi_onnx_op){.type = type, .in = {o->in[0]}, .out = {o->out[0]},
                             .attrs = {FVI_ONNX_INT("axis", axis), FVI_ONNX_INT("keepdims", 0)}});
}

#endif
