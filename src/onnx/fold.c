/* SPDX-License-Identifier: Apache-2.0 */
/* What needs no input: values that depend on variables alone (merged adapters, masks) are computed with the ops' own
 * references in double, and batch norm goes into the convolution before it: w' = w s, b' = shift + (b - mean) s,
 * s = scale / sqrt(var + eps). */
#include "onnx/fold.h"
#include "ir/kernel.h"

#include "ops/batch_norm.h"

#include <math.h>
#include <stdio.h>

static bool bound(const fvi_type *t)
{
    for (int i = 0; i < t->rank; i++)
        if (t->dim[i] < 0) return false;
    return true;
}

static bool constant_node(const onnx_export *e, const fvi_node *n)
{
    if (n->n_out && n->var) return true;
    if (!n->op->ref || n->op->random || n->op->kind == FVI_EFFECT) return false;
    for (int k = 0; k < n->n_in; k++)
        if (!e->values[n->in[k]->id].constant) return false;
    for (int k = 0; k < n->n_out; k++)
        if (!bound(&n->out[k].type)) return false;
    return true;
}

void onnx_mark_constants(onnx_export *e)
{
    for (int i = 0; i < e->g->nodes.count; i++) {
        fvi_node *n = e->g->nodes.items[i];
        const bool constant = constant_node(e, n);
        for (int k = 0; k < n->n_out; k++) e->values[n->out[k].id].constant = constant;
    }
}

static onnx_known *room(onnx_export *e, const fvi_type *type)
{
    const int64_t n = fvi_type_numel(type);
    onnx_known *k = fvi_arena_alloc(&e->file.arena, sizeof *k);
    if (k && n >= 0) {
        k->type = *type;
        k->p = fvi_arena_alloc(&e->file.arena, ((size_t)n + 1) * 8);
    }
    if (k && k->p) return k;
    onnx_fail(&e->file, FV_ERROR_NOMEM, "out of memory");
    return NULL;
}

static const onnx_known *read_variable(onnx_export *e, fv_value *v)
{
    fvi_var *var = v->node->var;
    const bool real = fv_dtype_is_float(var->type.dtype);
    onnx_known *k = room(e, &var->type);
    if (!k) return NULL;
    const fv_status status = e->file.o->fetch(e->file.o->user, var, real ? FV_F64 : var->type.dtype, k->p);
    if (status != FV_OK) {
        if (e->file.status == FV_OK) e->file.status = status;
        return NULL;
    }
    const size_t size = fv_dtype_size(var->type.dtype);
    for (int64_t i = fvi_type_numel(&var->type) - 1; i >= 0 && size < 8 && !real; i--)       /* in place, from the end */
        k->i[i] = size == 4 ? ((const int32_t *)k->p)[i] : ((const uint8_t *)k->p)[i];
    return e->values[v->id].known = k;
}

const onnx_known *onnx_known_of(onnx_export *e, fv_value *v)
{
    if (e->file.status != FV_OK || e->values[v->id].known) return e->values[v->id].known;
    fvi_node *n = v->node;
    if (n->var) return read_variable(e, v);
    fvi_ref_tensor few[FVI_FEW_IN], *in = FVI_ROOM(&e->file.arena, few, n->n_in), out[FVI_MAX_OUT];
    fvi_exec x = {.ctx = e->file.ctx, .threads = 1};
    if (!in) {
        onnx_fail(&e->file, FV_ERROR_NOMEM, "out of memory");
        return NULL;
    }
    for (int k = 0; k < n->n_in; k++) {
        const onnx_known *input = onnx_known_of(e, n->in[k]);
        if (!input) return NULL;
        in[k] = (fvi_ref_tensor){.type = input->type, .p = input->p};
    }
    for (int k = 0; k < n->n_out; k++) {
        onnx_known *made = e->values[n->out[k].id].known = room(e, &n->out[k].type);
        if (!made) return NULL;
        out[k] = (fvi_ref_tensor){.type = made->type, .p = made->p};
    }
    n->op->ref(&(fvi_ref){n, n->attr, n->n_in, n->n_out, in, out, &x});
    return e->values[v->id].known;
}

const char *onnx_known_values(onnx_export *e, const char *wanted, const onnx_known *k)
{
    if (e->file.status != FV_OK) return "";
    const int64_t n = fvi_type_numel(&k->type);
    const int type = fvi_onnx_type(k->type.dtype);
    union { float *f; int32_t *i; uint8_t *u; void *p; } narrow;
    if (type == FVI_ONNX_I64) return onnx_values(&e->file, wanted, type, k->type.rank, k->type.dim, k->i);
    if (!(narrow.p = fvi_malloc((size_t)n * sizeof(float)))) {
        onnx_fail(&e->file, FV_ERROR_NOMEM, "out of memory");
        return "";
    }
    for (int64_t i = 0; i < n; i++)
        if (type == FVI_ONNX_F32) narrow.f[i] = (float)k->f[i];
        else if (type == FVI_ONNX_I32) narrow.i[i] = (int32_t)k->i[i];
        else narrow.u[i] = (uint8_t)k->i[i];
    const char *name = onnx_values(&e->file, wanted, type, k->type.rank, k->type.dim, narrow.p);
    fvi_free(narrow.p);
    return name;
}

/* What an expression over parameters is called: as the first of them, W of W + (alpha / r) B A. */
const char *onnx_about(const fv_value *v)
{
    while (!v->node->var && v->node->n_in) v = v->node->in[0];
    return v->node->var ? v->node->var->name : "constant";
}

/* ---- batch norm ---- */

static bool foldable(const onnx_export *e, const fvi_node *conv, const fvi_node *bn)
{
    if (!bn || !fvi_node_is(bn, "batch_norm_eval") || bn->in[0] != &conv->out[0]) return false;
    for (int k = 1; k < conv->n_in; k++)
        if (!e->values[conv->in[k]->id].constant) return false;
    for (int k = 1; k < bn->n_in; k++)
        if (!e->values[bn->in[k]->id].constant) return false;
    return true;
}

/* The bias that belongs to "x.weight". */
static const char *bias_name(onnx_export *e, const char *weight)
{
    const size_t n = strlen(weight);
    if (n > 7 && !strcmp(weight + n - 7, ".weight")) return fvi_arena_format(&e->file.arena, "%.*s.bias", (int)(n - 7), weight);
    return fvi_arena_format(&e->file.arena, "%s.bias", weight);
}

bool onnx_fold(onnx_export *e, fvi_node *conv, const char **weight, const char **bias, fv_value **last)
{
    const onnx_value_state *state = &e->values[conv->out[0].id];
    fvi_node *bn = state->uses == 1 && !state->result ? state->user : NULL;
    if (e->file.o->keep_batch_norm || !foldable(e, conv, bn)) return false;
    const onnx_known *in[5] = {NULL}, *w = onnx_known_of(e, conv->in[1]), *b = conv->n_in > 2 ? onnx_known_of(e, conv->in[2]) : NULL;
    for (int k = 1; k < 5; k++) in[k] = onnx_known_of(e, bn->in[k]);
    onnx_known *to = w ? room(e, &w->type) : NULL, *shift = in[1] ? room(e, &in[1]->type) : NULL;
    *last = &bn->out[0];
    *weight = *bias = "";
    bn->dead = true;
    if (e->file.status != FV_OK) return true;
    const double eps = ((const fvi_batch_norm_attr *)bn->attr)->eps;
    const int64_t channels = w->type.dim[0], each = fvi_type_numel(&w->type) / FVI_MAX(channels, 1);
    for (int64_t c = 0; c < channels; c++) {
        const double s = in[1]->f[c] / sqrt(in[4]->f[c] + eps);
        for (int64_t i = 0; i < each; i++) to->f[c * each + i] = w->f[c * each + i] * s;
        shift->f[c] = in[2]->f[c] + ((b ? b->f[c] : 0) - in[3]->f[c]) * s;
    }
    const char *name = onnx_about(conv->in[1]), *second = bias_name(e, name);
    *weight = onnx_known_values(e, name, to);
    *bias = onnx_known_values(e, second ? second : "bias", shift);
    return true;
}
