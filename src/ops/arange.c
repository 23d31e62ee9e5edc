/* SPDX-License-Identifier: Apache-2.0 */
/* y[i] = start + i step, i = 0 .. count - 1. */
#include "ir/onnx.h"
#include "ops/shape.h"

typedef struct fvi_arange_attr { double start, step; fvi_dims count; int64_t dtype; } fvi_arange_attr;

static const char *const names[] = {"f32", "f64", "bf16", "f16", "i64", "i32", NULL};
static const fvi_attr_def attrs[] = {
    {.name = "start", .kind = FVI_ATTR_FLOAT, .offset = offsetof(fvi_arange_attr, start), .help = "first element"},
    {.name = "step", .kind = FVI_ATTR_FLOAT, .offset = offsetof(fvi_arange_attr, step), .fallback = 1, .help = "from one to the next"},
    {.name = "count", .kind = FVI_ATTR_DIMS, .offset = offsetof(fvi_arange_attr, count), .help = "how many; k*N allowed"},
    {.name = "dtype", .kind = FVI_ATTR_ENUM, .offset = offsetof(fvi_arange_attr, dtype), .names = names, .fallback = FV_I64,
     .help = "type of the result"},
    FVI_ATTR_END,
};

static fv_status infer(fvi_infer *c)
{
    const fvi_arange_attr *a = c->attr;
    if (a->count.n != 1 || !fvi_dims_type(&a->count, (fv_dtype)a->dtype, &c->out[0]))
        return fvi_infer_fail(c, "count must be one number, k or k*N");
    return FV_OK;
}

static void reference(const fvi_ref *r)
{
    const fvi_arange_attr *a = r->attr;
    const fvi_type *y = &r->out[0].type;
    for (int64_t i = 0; i < y->dim[0]; i++)
        if (fv_dtype_is_float(y->dtype)) r->out[0].f[i] = a->start + (double)i * a->step;
        else r->out[0].i[i] = (int64_t)a->start + i * (int64_t)a->step;
}

static const fvi_arange_attr anchors = {0.5, 1, {1, {8}}, FV_F32}, places = {0, 1, {1, {2 * FV_N}}, FV_I64}, down = {9, -2, {1, {5}}, FV_I32};
static const fvi_sample samples[] = {{"anchors", &anchors, 0, {{0}}}, {"places", &places, 0, {{0}}}, {"down", &down, 0, {{0}}}};

static void onnx(fvi_onnx *o)
{
    const fvi_arange_attr *a = o->attr;
    const fvi_type *y = &o->node->out[0].type;
    const int64_t first = (int64_t)a->start, step = (int64_t)a->step, none = 0;
    const bool floating = fv_dtype_is_float(y->dtype);
    const int made = floating ? FVI_ONNX_F32 : FVI_ONNX_I64;
    const char *count = fvi_onnx_axes(o, "Squeeze", o->shape(o, 1, y->dim), 1, &none, 13, -1, NULL);
    const char *from = floating ? o->number(o, 0) : fvi_onnx_axes(o, "Squeeze", o->ints(o, 1, &none), 1, &none, 13, -1, NULL);
    const char *by = floating ? o->number(o, 1) : NULL;
    const int64_t one = 1;
    if (!floating) by = fvi_onnx_axes(o, "Squeeze", o->ints(o, 1, &one), 1, &none, 13, -1, NULL);
    else count = fvi_onnx_cast(o, count, FVI_ONNX_I64, made, NULL);
    const char *i = o->add(o, &(fvi_onnx_op){.type = "Range", .in = {from, count, by}});
    i = fvi_onnx_2(o, "Mul", i, floating ? o->number(o, a->step) : o->ints(o, 1, &step));
    i = fvi_onnx_2(o, "Add", i, floating ? o->number(o, a->start) : o->ints(o, 1, &first));
    fvi_onnx_cast(o, i, made, fvi_onnx_type(y->dtype), o->out[0]);
}

static const fvi_op op_arange = {
    .name = "arange", .version = 1, .kind = FVI_DISCRETE, .doc = "y[i] = start + i step",
    .n_out = 1, .attr_size = sizeof(fvi_arange_attr), .attrs = attrs,
    .infer = infer, .no_grad = "it has no input", .ref = reference,
    .samples = samples, .n_samples = FVI_COUNT(samples),
    .precision = FVI_PRECISION_ANY, .onnx_emit = onnx,
};
FVI_OPS(arange, &op_arange);

fv_value *fv_arange(fv_graph *g, fv_dtype dtype, double start, double step, int64_t count)
{
    return fvi_emit(g, "arange", &(fvi_arange_attr){start, step, {1, {count}}, dtype}, 0);
}
