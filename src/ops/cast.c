/* SPDX-License-Identifier: Apache-2.0 */
/* y = x in another element type: floats round to nearest even, float to integer truncates, anything but 0 is true.
 * Out of range values saturate in i64, NaN gives 0. dx = dy in the type of x; integers take no gradient. */
#include "ir/onnx.h"
#include "ops/cast.h"
#include "ir/graph.h"
#include "ops/samples.h"

#include <math.h>

static const char *const names[] = {"f32", "f64", "bf16", "f16", "i64", "i32", "u8", "bool", NULL};
static const fvi_attr_def attrs[] = {
    {.name = "dtype", .kind = FVI_ATTR_ENUM, .offset = offsetof(fvi_cast_attr, dtype), .names = names,
     .help = "type of the result"},
    FVI_ATTR_END,
};

static fv_status infer(fvi_infer *c)
{
    c->out[0] = c->in[0];
    c->out[0].dtype = (fv_dtype)((const fvi_cast_attr *)c->attr)->dtype;
    return FV_OK;
}

static int64_t to_integer(double x)
{
    if (isnan(x)) return 0;
    if (x >= 0x1p63) return INT64_MAX;
    return x < -0x1p63 ? INT64_MIN : (int64_t)x;
}

static void reference(const fvi_ref *r)
{
    const fvi_ref_tensor *x = &r->in[0], *y = &r->out[0];
    const int64_t n = fvi_type_numel(&y->type);
    const bool from_float = fv_dtype_is_float(x->type.dtype), to_bool = y->type.dtype == FV_BOOL;
    for (int64_t i = 0; i < n; i++)
        if (fv_dtype_is_float(y->type.dtype)) y->f[i] = from_float ? x->f[i] : (double)x->i[i];
        else if (to_bool) y->i[i] = from_float ? x->f[i] != 0 : x->i[i] != 0;
        else y->i[i] = from_float ? to_integer(x->f[i]) : x->i[i];
}

static fv_status gradient(fvi_gradient *c)
{
    const fv_dtype from = c->in[0]->type.dtype;
    if (fv_dtype_is_float(from)) c->din[0] = fv_cast(c->g, c->dout[0], from);
    return fv_graph_status(c->g);
}

static const fvi_cast_attr to_f64 = {FV_F64}, to_i64 = {FV_I64}, to_bool_attr = {FV_BOOL};
static const fvi_sample samples[] = {
    {"float", &to_f64, 1, {FVI_S(FVI_DRAW_NORMAL, FV_N, 3, 5)}},
    {"truncate", &to_i64, 1, {FVI_S_FIXED(FVI_DRAW_NORMAL, FV_N, 7)}},
    {"labels", &to_f64, 1, {FVI_S_INDEX(9, FV_N)}},
    {"mask", &to_bool_attr, 1, {FVI_S_INDEX(2, FV_N, 4)}},
};

static void onnx(fvi_onnx *o)
{
    const int from = fvi_onnx_type(o->node->in[0]->type.dtype), to = fvi_onnx_type(o->node->out[0].type.dtype);
    if (from == to) o->same(o, 0, o->in[0]);
    else o->add(o, &(fvi_onnx_op){.type = "Cast", .in = {o->in[0]}, .out = {o->out[0]}, .attrs = {FVI_ONNX_INT("to", to)}});
}

static const fvi_op op_cast = {
    .name = "cast", .version = 1, .kind = FVI_PRIMITIVE, .doc = "y = x in another element type",
    .n_in_min = 1, .n_in_max = 1, .n_out = 1, .attr_size = sizeof(fvi_cast_attr), .attrs = attrs,
    .infer = infer, .grad = gradient, .ref = reference,
    .samples = samples, .n_samples = FVI_COUNT(samples),
    .precision = FVI_PRECISION_ANY, .elementwise = true,
    .onnx_emit = onnx,
};
FVI_OPS(cast, &op_cast);

fv_value *fv_cast(fv_graph *g, fv_value *x, fv_dtype dtype)
{
    if (x && x->type.dtype == dtype) return x;
    return fvi_emit(g, "cast", &(fvi_cast_attr){dtype}, 1, x);
}
