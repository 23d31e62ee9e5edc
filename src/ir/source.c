/* SPDX-License-Identifier: Apache-2.0 */
/* Records of the engine's own ops. `input`, `var_read` and `var_write` never run: the planner gives them addresses
 * (a `copy` stands in where a write cannot be done in place). `reorder` changes the memory order and nothing else. */
#include "ir/onnx.h"
#include "ir/source.h"

#include <stddef.h>

static fv_status infer_none(fvi_infer *c)
{
    (void)c;                            /* the builder sets the types */
    return FV_OK;
}

static const fvi_op op_input = {.name = "input", .version = 1, .kind = FVI_SOURCE, .doc = "a tensor bound at each call",
    .n_out = 1, .infer = infer_none, .no_grad = "a source", .precision = FVI_PRECISION_ANY, .random = true};
static const fvi_op op_var_read = {.name = "var_read", .version = 1, .kind = FVI_SOURCE, .doc = "the stored value of a variable",
    .n_out = 1, .infer = infer_none, .no_grad = "a source", .precision = FVI_PRECISION_ANY, .random = true};
static const fvi_op op_var_write = {.name = "var_write", .version = 1, .kind = FVI_EFFECT, .doc = "the variable holds the input after the call",
    .n_in_min = 1, .n_in_max = 1, .infer = infer_none, .no_grad = "an effect", .precision = FVI_PRECISION_ANY};

static const fvi_attr_def constant_attrs[] = {
    {.name = "value", .kind = FVI_ATTR_FLOAT, .offset = offsetof(fvi_constant_attr, value), .help = "every element"},
    {.name = "dims", .kind = FVI_ATTR_DIMS, .offset = offsetof(fvi_constant_attr, dims), .help = "shape, k*N allowed"},
    {.name = "dtype", .kind = FVI_ATTR_INT, .offset = offsetof(fvi_constant_attr, dtype), .help = "fv_dtype"},
    FVI_ATTR_END};

static fv_status infer_constant(fvi_infer *c)
{
    const fvi_constant_attr *a = c->attr;
    if (a->dims.n > FV_MAX_RANK) return fvi_infer_fail(c, "rank %lld is above %d", (long long)a->dims.n, FV_MAX_RANK);
    c->out[0] = fvi_type_make((fv_dtype)a->dtype, (int)a->dims.n, a->dims.d);
    return FV_OK;
}

static void ref_constant(const fvi_ref *r)
{
    const fvi_constant_attr *a = r->attr;
    const int64_t n = fvi_type_numel(&r->out[0].type);
    const bool real = fv_dtype_is_float(r->out[0].type.dtype);
    for (int64_t i = 0; i < n; i++) {
        if (real) r->out[0].f[i] = a->value;
        else r->out[0].i[i] = (int64_t)a->value;
    }
}

static void onnx_constant(fvi_onnx *o)
{
    const fvi_constant_attr *a = o->attr;
    const fvi_type *y = &o->node->out[0].type;
    const int64_t whole = (int64_t)a->value;
    const char *x = fv_dtype_is_float(y->dtype) ? o->number(o, a->value) : o->ints(o, 1, &whole);
    o->add(o, &(fvi_onnx_op){.type = "Expand", .in = {x, o->shape(o, y->rank, y->dim)}, .out = {o->out[0]}});
}

static const fvi_op op_constant = {.name = "constant", .version = 1, .kind = FVI_SOURCE, .doc = "every element is `value`", .n_out = 1,
    .attr_size = sizeof(fvi_constant_attr), .attrs = constant_attrs, .infer = infer_constant, .ref = ref_constant,
    .no_grad = "a source", .precision = FVI_PRECISION_ANY, .onnx_emit = onnx_constant};

static void ref_copy(const fvi_ref *r)
{
    memcpy(r->out[0].p, r->in[0].p, (size_t)fvi_type_numel(&r->out[0].type) * 8);
}

static fv_status grad_copy(fvi_gradient *c)
{
    c->din[0] = c->dout[0];
    return FV_OK;
}

static const fvi_sample copy_samples[] = {{"matrix", NULL, 1, {{FV_F64, 2, {FV_N, 3}, FVI_DRAW_NORMAL, 0, false}}}};
static void onnx_copy(fvi_onnx *o)
{
    o->same(o, 0, o->in[0]);
}

static const fvi_op op_copy = {.name = "copy", .version = 1, .doc = "y = x in memory of its own", .n_in_min = 1, .n_in_max = 1, .n_out = 1,
    .infer = fvi_infer_same, .grad = grad_copy, .ref = ref_copy, .samples = copy_samples, .n_samples = 1, .precision = FVI_PRECISION_ANY,
    .onnx_emit = onnx_copy};

static const fvi_attr_def reorder_attrs[] = {
    {.name = "layout", .kind = FVI_ATTR_INT, .offset = offsetof(fvi_reorder_attr, layout), .help = "fvi_layout of the output"},
    FVI_ATTR_END};
static const fvi_reorder_attr to_plain = {FVI_PLAIN};
static const fvi_sample reorder_samples[] = {{"to plain", &to_plain, 1, {{FV_F64, 4, {FV_N, 16, 2, 2}, FVI_DRAW_NORMAL, 0, false}}}};
static const fvi_op op_reorder = {.name = "reorder", .version = 1, .doc = "the same tensor in another memory order", .n_in_min = 1, .n_in_max = 1,
    .n_out = 1, .attr_size = sizeof(fvi_reorder_attr), .attrs = reorder_attrs, .infer = fvi_infer_same, .grad = grad_copy, .ref = ref_copy,
    .samples = reorder_samples, .n_samples = 1, .precision = FVI_PRECISION_ANY, .onnx_emit = onnx_copy};

FVI_OPS(source, &op_input, &op_var_read, &op_var_write, &op_constant, &op_copy, &op_reorder);
