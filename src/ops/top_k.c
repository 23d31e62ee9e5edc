/* SPDX-License-Identifier: Apache-2.0 */
/* The k greatest (or least) numbers along an axis, in order, and their places. */
#include "ops/order.h"

typedef struct fvi_top_k_attr { int64_t k, axis; bool largest; } fvi_top_k_attr;

static const fvi_attr_def attrs[] = {
    {.name = "k", .kind = FVI_ATTR_INT, .offset = offsetof(fvi_top_k_attr, k), .fallback = 1, .min = 1, .max = 0x1p40, .help = "how many"},
    {.name = "axis", .kind = FVI_ATTR_INT, .offset = offsetof(fvi_top_k_attr, axis), .fallback = -1, .min = -FV_MAX_RANK,
     .max = FV_MAX_RANK - 1, .help = "the axis that is searched"},
    {.name = "largest", .kind = FVI_ATTR_BOOL, .offset = offsetof(fvi_top_k_attr, largest), .fallback = 1,
     .help = "the greatest, from the greatest on; else the least, from the least on"},
    FVI_ATTR_END,
};

static fv_status infer(fvi_infer *c)
{
    const fvi_top_k_attr *a = c->attr;
    return fvi_infer_order(c, a->axis, a->k);
}

static void reference(const fvi_ref *r)
{
    const fvi_top_k_attr *a = r->attr;
    fvi_ref_order(r, a->axis, a->largest);
}

static fv_status gradient(fvi_gradient *c)
{
    return fvi_gradient_order(c, ((const fvi_top_k_attr *)c->node->attr)->axis);
}

static void onnx(fvi_onnx *o)
{
    const fvi_top_k_attr *a = o->attr;
    fvi_order_onnx(o, a->axis, a->k, a->largest);
}

static const fvi_top_k_attr three = {3, -1, true}, one = {1, 1, false}, all = {4, -1, true};
static const fvi_sample samples[] = {
    {"classes", &three, 1, {FVI_S(FVI_DRAW_DISTINCT, FV_N, 9)}},
    {"channel", &one, 1, {FVI_S(FVI_DRAW_DISTINCT, FV_N, 5, 3, 2)}},
    {"all", &all, 1, {FVI_S(FVI_DRAW_DISTINCT, FV_N, 4)}},
    {"ties", &three, 1, {FVI_S_FIXED(FVI_DRAW_STEP, FV_N, 12)}},
    {"whole", &three, 1, {FVI_S_WHOLE(FV_I64, 3, FV_N, 9)}},
};

static const fvi_op op_top_k = {
    .name = "top_k", .version = 1, .kind = FVI_PRIMITIVE, .doc = "the k greatest (least) along axis, in order, and their places",
    .n_in_min = 1, .n_in_max = 1, .n_out = 2, .attr_size = sizeof(fvi_top_k_attr), .attrs = attrs,
    .infer = infer, .grad = gradient, .ref = reference, .samples = samples, .n_samples = FVI_COUNT(samples),
    .onnx_emit = onnx,
};
FVI_OPS(top_k, &op_top_k);

fv_value *fv_top_k(fv_graph *g, fv_value *x, int64_t k, int axis, bool largest, fv_value **places)
{
    fv_value *y = fvi_emit(g, "top_k", &(fvi_top_k_attr){k, axis, largest}, 1, x);
    if (places) *places = fv_output_of(y, 1);
    return y;
}
