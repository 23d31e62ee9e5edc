/* SPDX-License-Identifier: Apache-2.0 */
/* y[..., c] = 1 where index[...] is c, else 0. An index outside 0 .. classes-1 gives a row of zeros (so -100, the label
 * that losses ignore, belongs to no class). */
#include "ir/onnx.h"
#include "ops/one_hot.h"
#include "ir/graph.h"
#include "ops/samples.h"

static const char *const names[] = {"f32", "f64", "bf16", "f16", NULL};
static const fvi_attr_def attrs[] = {
    {.name = "classes", .kind = FVI_ATTR_INT, .offset = offsetof(fvi_one_hot_attr, classes), .fallback = 1, .min = 1, .max = 0x1p40,
     .help = "length of the new last axis"},
    {.name = "dtype", .kind = FVI_ATTR_ENUM, .offset = offsetof(fvi_one_hot_attr, dtype), .names = names,
     .help = "type of the result"},
    FVI_ATTR_END,
};

static fv_status infer(fvi_infer *c)
{
    const fvi_one_hot_attr *a = c->attr;
    char text[FVI_TYPE_TEXT];
    if (c->in[0].dtype != FV_I64 || c->in[0].rank >= FV_MAX_RANK)
        return fvi_infer_fail(c, "indices must be i64 of rank below %d, not %s", FV_MAX_RANK, fvi_type_text(&c->in[0], text));
    fvi_type *y = &c->out[0];
    *y = c->in[0];
    y->dtype = (fv_dtype)a->dtype;
    y->dim[y->rank++] = a->classes;
    return FV_OK;
}

static void reference(const fvi_ref *r)
{
    const int64_t n = fvi_type_numel(&r->in[0].type), classes = ((const fvi_one_hot_attr *)r->attr)->classes;
    for (int64_t i = 0; i < n; i++)
        for (int64_t c = 0; c < classes; c++) r->out[0].f[i * classes + c] = r->in[0].i[i] == c;
}

static const fvi_one_hot_attr five = {5, FV_F32}, three = {3, FV_F32}, wide = {7, FV_F64};
static const fvi_sample samples[] = {
    {"labels", &five, 1, {FVI_S_INDEX(5, FV_N)}},
    {"outside", &three, 1, {FVI_S_INDEX(9, FV_N, 4)}},
    {"double", &wide, 1, {FVI_S_INDEX(7, 3 * FV_N)}},
};

/* Compares with 0, 1, ...: OneHot would take negative indices from the end. */
static void onnx(fvi_onnx *o)
{
    const fvi_one_hot_attr *a = o->attr;
    const int64_t last = -1;
    int64_t *count = fvi_malloc((size_t)a->classes * sizeof *count);
    if (!count) {
        o->fail(o, "out of memory");
        return;
    }
    for (int64_t i = 0; i < a->classes; i++) count[i] = i;
    const char *index = fvi_onnx_axes(o, "Unsqueeze", o->in[0], 1, &last, 13, -1, NULL);
    fvi_onnx_end_mask(o, fvi_onnx_2(o, "Equal", index, o->ints(o, (int)a->classes, count)));
    fvi_free(count);
}

static const fvi_op op_one_hot = {
    .name = "one_hot", .version = 1, .kind = FVI_DISCRETE, .doc = "y[..., c] = 1 where the index is c, else 0",
    .n_in_min = 1, .n_in_max = 1, .n_out = 1, .attr_size = sizeof(fvi_one_hot_attr), .attrs = attrs,
    .infer = infer, .no_grad = "integers have no gradient", .ref = reference,
    .samples = samples, .n_samples = FVI_COUNT(samples),
    .onnx_emit = onnx,
};
FVI_OPS(one_hot, &op_one_hot);
