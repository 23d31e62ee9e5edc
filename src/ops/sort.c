/* SPDX-License-Identifier: Apache-2.0 */
/* The numbers along an axis in order, and the places that they come from; equals keep theirs (stable). */
#include "ops/order.h"

typedef struct fvi_sort_attr { int64_t axis; bool descending; } fvi_sort_attr;

static const fvi_attr_def attrs[] = {
    {.name = "axis", .kind = FVI_ATTR_INT, .offset = offsetof(fvi_sort_attr, axis), .fallback = -1, .min = -FV_MAX_RANK,
     .max = FV_MAX_RANK - 1, .help = "the axis that is put in order"},
    {.name = "descending", .kind = FVI_ATTR_BOOL, .offset = offsetof(fvi_sort_attr, descending), .help = "from the greatest on"},
    FVI_ATTR_END,
};

static fv_status infer(fvi_infer *c)
{
    return fvi_infer_order(c, ((const fvi_sort_attr *)c->attr)->axis, 0);
}

static void reference(const fvi_ref *r)
{
    const fvi_sort_attr *a = r->attr;
    fvi_ref_order(r, a->axis, a->descending);
}

static fv_status gradient(fvi_gradient *c)
{
    return fvi_gradient_order(c, ((const fvi_sort_attr *)c->node->attr)->axis);
}

static void onnx(fvi_onnx *o)
{
    const fvi_sort_attr *a = o->attr;
    const fvi_type *x = &o->node->in[0]->type;
    fvi_order_onnx(o, a->axis, x->dim[fvi_axis(a->axis, x->rank)], a->descending);
}

static const fvi_sort_attr up = {-1, false}, down = {1, true};
static const fvi_sample samples[] = {
    {"rows", &up, 1, {FVI_S(FVI_DRAW_DISTINCT, FV_N, 9)}},
    {"channel", &down, 1, {FVI_S(FVI_DRAW_DISTINCT, FV_N, 5, 3, 2)}},
    {"ties", &up, 1, {FVI_S_FIXED(FVI_DRAW_STEP, FV_N, 12)}},
    {"whole", &down, 1, {FVI_S_WHOLE(FV_I64, 3, FV_N, 9)}},
};

static const fvi_op op_sort = {
    .name = "sort", .version = 1, .kind = FVI_PRIMITIVE, .doc = "x in order along axis, and the places it comes from",
    .n_in_min = 1, .n_in_max = 1, .n_out = 2, .attr_size = sizeof(fvi_sort_attr), .attrs = attrs,
    .infer = infer, .grad = gradient, .ref = reference, .samples = samples, .n_samples = FVI_COUNT(samples),
    .onnx_emit = onnx,
};
FVI_OPS(sort, &op_sort);

fv_value *fv_sort(fv_graph *g, fv_value *x, int axis, bool descending, fv_value **places)
{
    fv_value *y = fvi_emit(g, "sort", &(fvi_sort_attr){axis, descending}, 1, x);
    if (places) *places = fv_output_of(y, 1);
    return y;
}
