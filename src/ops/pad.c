/* SPDX-License-Identifier: Apache-2.0 */
/* y = x with constant elements added before and after along each axis; dx = the middle of dy. */
#include "ir/onnx.h"
#include "ops/pad.h"
#include "ops/elementwise.h"
#include "ops/shape.h"

static const fvi_attr_def attrs[] = {
    {.name = "before", .kind = FVI_ATTR_DIMS, .offset = offsetof(fvi_pad_attr, before), .help = "for each axis; k*N allowed"},
    {.name = "after", .kind = FVI_ATTR_DIMS, .offset = offsetof(fvi_pad_attr, after), .help = "for each axis; k*N allowed"},
    {.name = "value", .kind = FVI_ATTR_FLOAT, .offset = offsetof(fvi_pad_attr, value), .help = "of the new elements"},
    FVI_ATTR_END,
};

static fv_status infer(fvi_infer *c)
{
    const fvi_pad_attr *a = c->attr;
    const fvi_type *x = &c->in[0];
    fvi_type *y = &c->out[0];
    char text[FVI_TYPE_TEXT];
    *y = *x;
    if (a->before.n > x->rank || a->after.n > x->rank)
        return fvi_infer_fail(c, "before and after name more axes than %s has", fvi_type_text(x, text));
    for (int i = 0; i < x->rank; i++) {
        const int64_t before = fvi_dims_at(&a->before, i, 0), after = fvi_dims_at(&a->after, i, 0);
        if (!fvi_dim_add(y->dim[i], before, &y->dim[i]) || !fvi_dim_add(y->dim[i], after, &y->dim[i]))
            return fvi_infer_fail(c, "cannot add %lld and %lld elements to axis %d of %s: constants and multiples of N do not mix "
                                  "(-k stands for k*N)", (long long)before, (long long)after, i, fvi_type_text(x, text));
    }
    return FV_OK;
}

static void reference(const fvi_ref *r)
{
    const fvi_pad_attr *a = r->attr;
    const fvi_type *x = &r->in[0].type, *y = &r->out[0].type;
    const int64_t n = fvi_type_numel(x), n_out = fvi_type_numel(y);
    int64_t stride[1][FV_MAX_RANK], offset[1] = {0}, at[FV_MAX_RANK] = {0};
    fvi_plain_strides(y, stride[0]);
    for (int i = 0; i < x->rank; i++) offset[0] += fvi_dims_at(&a->before, i, 0) * stride[0][i];
    const bool floating = fv_dtype_is_float(y->dtype);
    for (int64_t i = 0; i < n_out; i++)
        if (floating) r->out[0].f[i] = a->value;
        else r->out[0].i[i] = (int64_t)a->value;
    for (int64_t i = 0; i < n; i++) {
        r->out[0].i[offset[0]] = r->in[0].i[i];            /* numbers of any kind: 8 bytes */
        fvi_broadcast_next(x, at, 1, stride, offset);
    }
}

static fv_status gradient(fvi_gradient *c)
{
    const fvi_pad_attr *a = c->node->attr;
    const fvi_type *x = &c->in[0]->type, *y = &c->out[0]->type;
    fv_value *dx = c->dout[0];
    for (int i = 0; i < x->rank; i++)
        if (x->dim[i] != y->dim[i]) dx = fv_slice(c->g, dx, i, fvi_dims_at(&a->before, i, 0), x->dim[i]);
    c->din[0] = dx;
    return fv_graph_status(c->g);
}

static const fvi_pad_attr image = {{4, {0, 0, 1, 2}}, {4, {0, 0, 1, 0}}, 0}, token = {{2, {0, 1}}, {0, {0}}, -1.5},
                          batch = {{1, {FV_N}}, {1, {2 * FV_N}}, 0}, none = {{0, {0}}, {0, {0}}, 0}, labels = {{2, {0, 1}}, {2, {0, 2}}, -100};
static const fvi_sample samples[] = {
    {"image", &image, 1, {FVI_S(FVI_DRAW_NORMAL, FV_N, 3, 5, 4)}},
    {"token", &token, 1, {FVI_S(FVI_DRAW_NORMAL, FV_N, 4, 3)}},
    {"batch", &batch, 1, {FVI_S(FVI_DRAW_NORMAL, FV_N, 3)}},
    {"none", &none, 1, {FVI_S(FVI_DRAW_NORMAL, FV_N, 3)}},
    {"whole", &labels, 1, {FVI_S_WHOLE(FV_I64, 9, FV_N, 3)}},
};

static void onnx(fvi_onnx *o)
{
    const fvi_pad_attr *a = o->attr;
    const int rank = o->node->in[0]->type.rank;
    int64_t pads[2 * FV_MAX_RANK] = {0};
    if (!rank) {
        o->same(o, 0, o->in[0]);
        return;
    }
    for (int i = 0; i < rank; i++) {
        pads[i] = fvi_dims_at(&a->before, i, 0);
        pads[rank + i] = fvi_dims_at(&a->after, i, 0);
    }
    const fvi_type *x = &o->node->in[0]->type;
    const char *value = fvi_onnx_cast(o, o->number(o, a->value), FVI_ONNX_F32, fvi_onnx_type(x->dtype), NULL);
    o->add(o, &(fvi_onnx_op){.type = "Pad", .in = {o->in[0], o->shape(o, 2 * rank, pads), value}, .out = {o->out[0]}});
}

static const fvi_op op_pad = {
    .name = "pad", .version = 1, .kind = FVI_PRIMITIVE, .doc = "y = x with value added before and after along each axis",
    .n_in_min = 1, .n_in_max = 1, .n_out = 1, .attr_size = sizeof(fvi_pad_attr), .attrs = attrs,
    .infer = infer, .grad = gradient, .ref = reference,
    .samples = samples, .n_samples = FVI_COUNT(samples),
    .onnx_emit = onnx,
};
FVI_OPS(pad, &op_pad);

fv_value *fv_pad(fv_graph *g, fv_value *x, const int64_t *before, const int64_t *after, double value)
{
    const int rank = fv_value_rank(x);
    return fvi_emit(g, "pad", &(fvi_pad_attr){fvi_dims_of(rank, before).dims, fvi_dims_of(rank, after).dims, value}, 1, x);
}
