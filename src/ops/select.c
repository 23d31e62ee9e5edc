/* SPDX-License-Identifier: Apache-2.0 */
/* y = a where cond is not 0, else b; dy flows to the one taken. NaN counts as not 0. */
#include "ir/onnx.h"
#include "ops/elementwise.h"

/* a and b of one type; cond of any. */
static fv_status infer(fvi_infer *c)
{
    if (c->in[1].dtype != c->in[2].dtype)
        return fvi_infer_fail(c, "inputs 1 and 2 are %s and %s: fv_cast one to the other's type",
                              fv_dtype_name(c->in[1].dtype), fv_dtype_name(c->in[2].dtype));
    FVI_TRY(c->ctx, fvi_infer_broadcast(c));
    c->out[0].dtype = c->in[1].dtype;
    return FV_OK;
}

static void reference(const fvi_ref *r)
{
    const fvi_type *out = &r->out[0].type;
    const int64_t n = fvi_type_numel(out);
    const bool floating = fv_dtype_is_float(r->in[0].type.dtype);
    int64_t stride[3][FV_MAX_RANK], offset[3] = {0, 0, 0}, at[FV_MAX_RANK] = {0};
    for (int k = 0; k < 3; k++) fvi_broadcast_strides(&r->in[k].type, out, stride[k]);
    for (int64_t i = 0; i < n; i++) {
        const bool cond = floating ? r->in[0].f[offset[0]] != 0 : r->in[0].i[offset[0]] != 0;
        r->out[0].i[i] = cond ? r->in[1].i[offset[1]] : r->in[2].i[offset[2]];      /* numbers of any kind: 8 bytes */
        fvi_broadcast_next(out, at, 3, stride, offset);
    }
}

static fv_status gradient(fvi_gradient *c)
{
    fv_value *zero = fvi_number_like(c->g, 0, c->dout[0]);
    if (c->need[1]) fvi_gradient_set(c, 1, fvi_emit(c->g, "select", NULL, 3, c->in[0], c->dout[0], zero));
    if (c->need[2]) fvi_gradient_set(c, 2, fvi_emit(c->g, "select", NULL, 3, c->in[0], zero, c->dout[0]));
    return fv_graph_status(c->g);
}

/* INDEX below 2 in a floating input draws zeros and ones. */
#define CONDITION(...) \
    {.dtype = FV_F64, .rank = 2, .dim = {__VA_ARGS__}, .draw = FVI_DRAW_INDEX, .classes = 2, .no_grad = true}
static const fvi_sample samples[] = {
    {"taken", NULL, 3, {FVI_S_FIXED(FVI_DRAW_ONE, FV_N, 3, 4), FVI_S(FVI_DRAW_NORMAL, FV_N, 3, 4),
                        FVI_S(FVI_DRAW_NORMAL, FV_N, 3, 4)}},
    {"other", NULL, 3, {FVI_S_FIXED(FVI_DRAW_ZERO, FV_N, 3, 4), FVI_S(FVI_DRAW_NORMAL, FV_N, 3, 4),
                        FVI_S(FVI_DRAW_NORMAL, FV_N, 3, 4)}},
    {"mixed", NULL, 3, {CONDITION(FV_N, 6), FVI_S(FVI_DRAW_NORMAL, FV_N, 6), FVI_S(FVI_DRAW_NORMAL, FV_N, 6)}},
    {"broadcast", NULL, 3, {CONDITION(FV_N, 1), FVI_S(FVI_DRAW_NORMAL, 5), FVI_S0(FVI_DRAW_NORMAL)}},
    {"truth", NULL, 3, {FVI_S_BOOL(FV_N, 3, 1), FVI_S(FVI_DRAW_NORMAL, FV_N, 3, 4), FVI_S(FVI_DRAW_NORMAL, 4)}},
    {"whole", NULL, 3, {FVI_S_BOOL(FV_N, 7), FVI_S_WHOLE(FV_I64, 9, FV_N, 7), FVI_S_WHOLE(FV_I64, 9, 7)}},
};

static void onnx(fvi_onnx *o)
{
    o->add(o, &(fvi_onnx_op){.type = "Where", .in = {fvi_onnx_truth(o, 0), o->in[1], o->in[2]}, .out = {o->out[0]}});
}

static const fvi_op op_select = {
    .name = "select", .version = 1, .kind = FVI_PRIMITIVE, .doc = "y = a where cond is not 0, else b",
    .n_in_min = 3, .n_in_max = 3, .n_out = 1,
    .infer = infer, .grad = gradient, .ref = reference,
    .samples = samples, .n_samples = FVI_COUNT(samples),
    .inplace = {2}, .elementwise = true,
    .onnx_emit = onnx,
};
FVI_OPS(select, &op_select);

fv_value *fv_select(fv_graph *g, fv_value *condition, fv_value *a, fv_value *b)
{
    return fvi_emit(g, "select", NULL, 3, condition, a, b);
}
