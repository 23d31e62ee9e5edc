/* SPDX-License-Identifier: Apache-2.0 */
/* Running sums along an axis; dx = the running sum of dy from the other end. */
#include "ops/elementwise.h"
#include "ops/index.h"

typedef struct fvi_cumsum_attr { int64_t axis; bool exclusive, reverse; } fvi_cumsum_attr;

static const fvi_attr_def attrs[] = {
    {.name = "axis", .kind = FVI_ATTR_INT, .offset = offsetof(fvi_cumsum_attr, axis), .fallback = -1, .min = -FV_MAX_RANK,
     .max = FV_MAX_RANK - 1, .help = "the axis that is summed"},
    {.name = "exclusive", .kind = FVI_ATTR_BOOL, .offset = offsetof(fvi_cumsum_attr, exclusive), .help = "without the element itself"},
    {.name = "reverse", .kind = FVI_ATTR_BOOL, .offset = offsetof(fvi_cumsum_attr, reverse), .help = "from the last element on"},
    FVI_ATTR_END,
};

static fv_status infer(fvi_infer *c)
{
    FVI_TRY(c->ctx, fvi_infer_numbers(c, 0));
    FVI_TRY(c->ctx, fvi_axis_check(c, ((const fvi_cumsum_attr *)c->attr)->axis, &c->in[0]));
    return fvi_infer_same(c);
}

static void reference(const fvi_ref *r)
{
    const fvi_cumsum_attr *a = r->attr;
    const fvi_type *x = &r->in[0].type;
    const int axis = fvi_axis(a->axis, x->rank);
    const int64_t n = x->dim[axis], inner = fvi_inner(x, axis), rows = fvi_outer(x, axis) * inner;
    const bool floating = fv_dtype_is_float(x->dtype);
    for (int64_t row = 0; row < rows; row++) {
        const int64_t first = row / inner * n * inner + row % inner;
        double sum = 0;
        int64_t whole = 0;
        for (int64_t i = 0; i < n; i++) {
            const int64_t at = first + (a->reverse ? n - 1 - i : i) * inner;
            const double x_f = floating ? r->in[0].f[at] : 0;                       /* before it is overwritten in place */
            const int64_t x_i = floating ? 0 : r->in[0].i[at];
            if (floating) r->out[0].f[at] = a->exclusive ? sum : sum + x_f;
            else r->out[0].i[at] = a->exclusive ? whole : fvi_wrap_add(whole, x_i);
            sum += x_f;
            whole = fvi_wrap_add(whole, x_i);
        }
    }
}

static fv_status gradient(fvi_gradient *c)
{
    fvi_cumsum_attr back = *(const fvi_cumsum_attr *)c->node->attr;
    back.reverse = !back.reverse;
    c->din[0] = fvi_emit(c->g, "cumsum", &back, 1, c->dout[0]);
    return fv_graph_status(c->g);
}

static const fvi_cumsum_attr plain = {-1, false, false}, before = {1, true, false}, back = {1, false, true};
static const fvi_sample samples[] = {
    {"rows", &plain, 1, {FVI_S(FVI_DRAW_NORMAL, FV_N, 9)}},
    {"before", &before, 1, {FVI_S(FVI_DRAW_NORMAL, FV_N, 5, 3)}},
    {"back", &back, 1, {FVI_S(FVI_DRAW_NORMAL, FV_N, 5, 3)}},
    {"whole", &plain, 1, {FVI_S_WHOLE(FV_I64, 9, FV_N, 7)}},
};

static void onnx(fvi_onnx *o)
{
    const fvi_cumsum_attr *a = o->attr;
    const int64_t axis = fvi_axis(a->axis, o->node->in[0]->type.rank);
    o->add(o, &(fvi_onnx_op){.type = "CumSum", .in = {o->in[0], o->ints(o, 1, &axis)}, .out = {o->out[0]},
                             .attrs = {FVI_ONNX_INT("exclusive", a->exclusive), FVI_ONNX_INT("reverse", a->reverse)}});
}

static const fvi_op op_cumsum = {
    .name = "cumsum", .version = 1, .kind = FVI_PRIMITIVE, .doc = "y = running sums of x along axis",
    .n_in_min = 1, .n_in_max = 1, .n_out = 1, .attr_size = sizeof(fvi_cumsum_attr), .attrs = attrs,
    .infer = infer, .grad = gradient, .ref = reference, .samples = samples, .n_samples = FVI_COUNT(samples),
    .inplace = {1}, .precision = FVI_PRECISION_F32,
    .onnx_emit = onnx,
};
FVI_OPS(cumsum, &op_cumsum);

fv_value *fv_cumsum(fv_graph *g, fv_value *x, int axis, bool exclusive, bool reverse)
{
    return fvi_emit(g, "cumsum", &(fvi_cumsum_attr){axis, exclusive, reverse}, 1, x);
}
