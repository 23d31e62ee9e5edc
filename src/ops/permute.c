/* SPDX-License-Identifier: Apache-2.0 */
/* y = x with its axes in another order: axis i of y is axis axes[i] of x; dx = dy put back. */
#include "ir/onnx.h"
#include "ops/permute.h"
#include "ops/shape.h"

static const fvi_attr_def attrs[] = {
    {.name = "axes", .kind = FVI_ATTR_DIMS, .offset = offsetof(fvi_permute_attr, axes), .help = "for each axis of the result, the axis of x"},
    FVI_ATTR_END,
};

static fv_status infer(fvi_infer *c)
{
    const fvi_permute_attr *a = c->attr;
    const fvi_type *x = &c->in[0];
    char text[FVI_TYPE_TEXT];
    unsigned seen = 0;
    c->out[0] = *x;
    if (a->axes.n != x->rank) return fvi_infer_fail(c, "%lld axes for %s", (long long)a->axes.n, fvi_type_text(x, text));
    for (int i = 0; i < x->rank; i++) {
        const int64_t axis = a->axes.d[i];
        if (axis < 0 || axis >= x->rank || (seen >> axis & 1))
            return fvi_infer_fail(c, "axes must name each axis of %s once; entry %d is %lld",
                                  fvi_type_text(x, text), i, (long long)axis);
        seen |= 1u << axis;
        c->out[0].dim[i] = x->dim[axis];
    }
    return FV_OK;
}

static void reference(const fvi_ref *r)
{
    const fvi_permute_attr *a = r->attr;
    const fvi_type *x = &r->in[0].type, *y = &r->out[0].type;
    const int64_t n = fvi_type_numel(y);
    int64_t plain[FV_MAX_RANK], at[FV_MAX_RANK] = {0}, from = 0;
    fvi_plain_strides(x, plain);
    for (int64_t i = 0; i < n; i++) {
        r->out[0].i[i] = r->in[0].i[from];                 /* doubles and integers alike: 8 bytes */
        for (int axis = y->rank - 1; axis >= 0; axis--) {
            from += plain[a->axes.d[axis]];
            if (++at[axis] < y->dim[axis]) break;
            from -= plain[a->axes.d[axis]] * y->dim[axis];
            at[axis] = 0;
        }
    }
}

static fv_status gradient(fvi_gradient *c)
{
    const fvi_permute_attr *a = c->node->attr;
    fvi_permute_attr back = *a;
    for (int i = 0; i < c->in[0]->type.rank; i++) back.axes.d[a->axes.d[i]] = i;
    c->din[0] = fvi_emit(c->g, "permute", &back, 1, c->dout[0]);
    return fv_graph_status(c->g);
}

static const fvi_permute_attr nhwc = {{4, {0, 2, 3, 1}}}, swap = {{2, {1, 0}}}, heads = {{5, {2, 0, 3, 1, 4}}}, same = {{1, {0}}};
static const fvi_sample samples[] = {
    {"nhwc", &nhwc, 1, {FVI_S(FVI_DRAW_NORMAL, FV_N, 3, 5, 4)}},
    {"transpose", &swap, 1, {FVI_S(FVI_DRAW_NORMAL, FV_N, 7)}},
    {"heads", &heads, 1, {FVI_S(FVI_DRAW_NORMAL, FV_N, 5, 3, 2, 4)}},
    {"vector", &same, 1, {FVI_S(FVI_DRAW_NORMAL, 3 * FV_N)}},
};

static void onnx(fvi_onnx *o)
{
    const fvi_permute_attr *a = o->attr;
    if (!a->axes.n) o->same(o, 0, o->in[0]);
    else o->add(o, &(fvi_onnx_op){.type = "Transpose", .in = {o->in[0]}, .out = {o->out[0]},
                                  .attrs = {FVI_ONNX_INTS("perm", (int)a->axes.n, a->axes.d)}});
}

static const fvi_op op_permute = {
    .name = "permute", .version = 1, .kind = FVI_PRIMITIVE, .doc = "y = x with axis i taken from axis axes[i]",
    .n_in_min = 1, .n_in_max = 1, .n_out = 1, .attr_size = sizeof(fvi_permute_attr), .attrs = attrs,
    .infer = infer, .grad = gradient, .ref = reference,
    .samples = samples, .n_samples = FVI_COUNT(samples),
    .onnx_emit = onnx,
};
FVI_OPS(permute, &op_permute);

fv_value *fv_permute(fv_graph *g, fv_value *x, const int *axes)
{
    fvi_permute_attr a = {{.n = fv_value_rank(x)}};
    for (int i = 0; i < a.axes.n; i++) a.axes.d[i] = axes[i];
    return fvi_emit(g, "permute", &a, 1, x);
}
