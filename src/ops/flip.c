/* SPDX-License-Identifier: Apache-2.0 */
/* y = x with the given axes turned round; dx = dy turned back. */
#include "ir/onnx.h"
#include "ops/flip.h"
#include "ops/shape.h"

static const fvi_attr_def attrs[] = {
    {.name = "axes", .kind = FVI_ATTR_INT, .offset = offsetof(fvi_flip_attr, axes), .min = 0, .max = 63,
     .help = "sum of 1 << axis over the axes that are turned round"},
    FVI_ATTR_END,
};

static fv_status infer(fvi_infer *c)
{
    const fvi_flip_attr *a = c->attr;
    char text[FVI_TYPE_TEXT];
    if (a->axes >> c->in[0].rank)
        return fvi_infer_fail(c, "axes = %lld names an axis that %s lacks", (long long)a->axes, fvi_type_text(&c->in[0], text));
    return fvi_infer_same(c);
}

static void reference(const fvi_ref *r)
{
    const fvi_flip_attr *a = r->attr;
    const fvi_type *x = &r->in[0].type;
    const int64_t n = fvi_type_numel(x);
    int64_t stride[FV_MAX_RANK];
    fvi_plain_strides(x, stride);
    for (int64_t i = 0; i < n; i++) {
        int64_t from = i;
        for (int axis = 0; axis < x->rank; axis++) {
            const int64_t at = i / stride[axis] % x->dim[axis];
            if (a->axes >> axis & 1) from += (x->dim[axis] - 1 - 2 * at) * stride[axis];
        }
        r->out[0].i[i] = r->in[0].i[from];                 /* numbers of any kind: 8 bytes */
    }
}

static fv_status gradient(fvi_gradient *c)
{
    c->din[0] = fvi_emit(c->g, "flip", c->node->attr, 1, c->dout[0]);
    return fv_graph_status(c->g);
}

static const fvi_flip_attr width = {8}, both = {12}, last = {2}, none = {0};
static const fvi_sample samples[] = {
    {"width", &width, 1, {FVI_S(FVI_DRAW_NORMAL, FV_N, 3, 5, 4)}},
    {"both", &both, 1, {FVI_S(FVI_DRAW_NORMAL, FV_N, 3, 5, 4)}},
    {"last", &last, 1, {FVI_S(FVI_DRAW_NORMAL, 3 * FV_N, 7)}},
    {"none", &none, 1, {FVI_S(FVI_DRAW_NORMAL, FV_N, 7)}},
    {"whole", &last, 1, {FVI_S_WHOLE(FV_I64, 9, FV_N, 7)}},
};

/* Slices that step backwards, from the last element to before the first. */
static void onnx(fvi_onnx *o)
{
    const fvi_flip_attr *a = o->attr;
    int64_t axes[FV_MAX_RANK], start[FV_MAX_RANK], end[FV_MAX_RANK], step[FV_MAX_RANK];
    int n = 0;
    for (int i = 0; i < o->node->in[0]->type.rank; i++) {
        if (!(a->axes >> i & 1)) continue;
        axes[n] = i, start[n] = -1, end[n] = INT64_MIN, step[n] = -1;
        n++;
    }
    if (!n) {
        o->same(o, 0, o->in[0]);
        return;
    }
    o->add(o, &(fvi_onnx_op){.type = "Slice", .out = {o->out[0]},
                             .in = {o->in[0], o->ints(o, n, start), o->ints(o, n, end), o->ints(o, n, axes), o->ints(o, n, step)}});
}

static const fvi_op op_flip = {
    .name = "flip", .version = 1, .kind = FVI_PRIMITIVE, .doc = "y = x with axes turned round",
    .n_in_min = 1, .n_in_max = 1, .n_out = 1, .attr_size = sizeof(fvi_flip_attr), .attrs = attrs,
    .infer = infer, .grad = gradient, .ref = reference,
    .samples = samples, .n_samples = FVI_COUNT(samples),
    .onnx_emit = onnx,
};
FVI_OPS(flip, &op_flip);

fv_value *fv_flip(fv_graph *g, fv_value *x, unsigned axes)
{
    return fvi_emit(g, "flip", &(fvi_flip_attr){axes}, 1, x);
}
