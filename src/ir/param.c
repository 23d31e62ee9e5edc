/* SPDX-License-Identifier: Apache-2.0 */
/* Variables inside graphs: reads, writes, parameters (the one place where adapters, freezing and sharing hook in),
 * companions. A write is forwarded to later reads of the same graph, so a graph reads each variable once and writes it
 * at most once a segment. */
#include "ir/graph.h"

#include <math.h>
#include <stdio.h>

fv_init fv_init_kaiming_fan_out(int rank, const int64_t *dims)
{
    int64_t fan = rank > 0 ? dims[0] : 1;
    for (int i = 2; i < rank; i++) fan *= dims[i];
    return (fv_init){FV_INIT_NORMAL, 0, sqrt(2.0 / (double)FVI_MAX(fan, 1))};
}

fv_init fv_init_linear(int64_t fan_in)
{
    const double bound = 1 / sqrt((double)FVI_MAX(fan_in, 1));
    return (fv_init){FV_INIT_UNIFORM, -bound, bound};
}

static fv_value *fail_nomem(fv_graph *g)
{
    if (g->status == FV_OK) g->status = fvi_nomem(g->ctx);
    return NULL;
}

static fvi_node *var_node(fv_graph *g, const char *op, fvi_var *var, int n_in, fv_value **in)
{
    const fvi_op *record = g->table->find(op);
    fvi_node *n = fvi_node_add(g, record, NULL, n_in, in);
    if (!n) return NULL;
    n->var = var;
    n->path = fvi_arena_strdup(&g->arena, var->name);
    return n->path ? n : (fvi_node *)(void *)fail_nomem(g);
}

fv_value *fv_var_read(fv_graph *g, fv_var *var)
{
    if (g->status != FV_OK || !var) return NULL;
    while (g->current.count <= var->index)
        if (!FVI_PUSH(&g->current, NULL)) return fail_nomem(g);
    fv_value *v = fvi_value_now(g->current.items[var->index]);
    if (v) return v;
    const fvi_node *origin = g->origin;
    g->origin = NULL;
    fvi_node *n = var_node(g, "var_read", var, 0, NULL);
    g->origin = origin;
    if (!n) return NULL;
    n->out[0].type = var->type;
    return g->current.items[var->index] = &n->out[0];
}

void fv_var_write(fv_graph *g, fv_var *var, fv_value *value)
{
    if (g->status != FV_OK || !var) return;
    if (!value) {
        fv_graph_fail(g, FV_ERROR_INVALID, "%s: written with a missing value", var->name);
        return;
    }
    value = fvi_value_now(value);
    char a[FVI_TYPE_TEXT], b[FVI_TYPE_TEXT];
    if (!fvi_type_same_shape(&value->type, &var->type)) {
        fv_graph_fail(g, FV_ERROR_SHAPE, "%s holds %s, cannot take %s", var->name, fvi_type_text(&var->type, a), fvi_type_text(&value->type, b));
        return;
    }
    if (value->type.dtype != var->type.dtype) value = fvi_emit_cast(g, value, var->type.dtype);
    while (g->current.count <= var->index)
        if (!FVI_PUSH(&g->current, NULL)) { fail_nomem(g); return; }
    for (int i = g->nodes.count - 1; i >= 0; i--) {                       /* an earlier write of this segment is superseded */
        fvi_node *n = g->nodes.items[i];
        if (n->segment != g->segment) break;
        if (n->var == var && !n->n_out) n->dead = true;
    }
    if (!var_node(g, "var_write", var, 1, &value)) return;
    g->current.items[var->index] = value;
}

static fv_var *companion(fv_graph *g, fv_var *base, fv_role role, const char *name, const fvi_type *type, fv_init init);

/* The variable to read: itself, or under fv_push_mode its moving average, which begins as it does. */
static fvi_var *to_read(fv_graph *g, fvi_var *var)
{
    if (!g->modes.count || !g->modes.items[g->modes.count - 1].average || !fv_dtype_is_float(var->type.dtype)) return var;
    return companion(g, var, FV_EMA, "ema", &var->type, var->init);
}

/* LoRA (Hu et al. 2021, eq. 3): W + (alpha / r) B A. */
static fv_value *adapted(fv_graph *g, const fvi_var *var, fv_value *w)
{
    fv_value *delta = fvi_emit(g, "matmul", NULL, 2, fv_var_read(g, to_read(g, var->lora_b)), fv_var_read(g, to_read(g, var->lora_a)));
    struct { fvi_dims dims; } shape = {{.n = var->type.rank}};           /* reshape's attribute struct: dims only */
    for (int i = 0; i < var->type.rank; i++) shape.dims.d[i] = var->type.dim[i];
    delta = fvi_emit(g, "reshape", &shape, 1, fvi_emit_cast(g, delta, var->type.dtype));
    return fvi_emit(g, "add", NULL, 2, w, fvi_emit(g, "scale", &var->lora_scale, 1, delta));
}

fv_value *fv_param(fv_graph *g, const char *name, fv_param_kind kind, int rank, const int64_t *dims, fv_init init)
{
    if (g->status != FV_OK) return NULL;
    const char *path = fvi_graph_path(g, name);
    if (!path) return fail_nomem(g);
    const fvi_type type = fvi_type_make(g->store->dtype, rank, dims);
    fvi_var *var;
    const bool known = fvi_store_find(g->store, path);
    const fv_status status = fvi_store_get(g->store, path, FV_PARAMETER, &type, init, &var);
    if (status != FV_OK) {
        g->status = status;
        return NULL;
    }
    if (!known) var->kind = kind;
    fv_value *w = fv_var_read(g, to_read(g, var));
    return var->lora_a ? adapted(g, var, w) : w;
}

static fv_value *plain_var(fv_graph *g, const char *path, fv_role role, const fvi_type *type, fv_init init)
{
    fvi_var *var;
    if (!path) return fail_nomem(g);
    const fv_status status = fvi_store_get(g->store, path, role, type, init, &var);
    if (status != FV_OK) {
        g->status = status;
        return NULL;
    }
    return fv_var_read(g, var);
}

fv_value *fv_buffer(fv_graph *g, const char *name, fv_dtype dtype, int rank, const int64_t *dims, fv_init init)
{
    if (g->status != FV_OK) return NULL;
    const fvi_type type = fvi_type_make(dtype, rank, dims);
    const char *path = fvi_graph_path(g, name);
    fvi_var *var;
    if (!path) return fail_nomem(g);
    const fv_status status = fvi_store_get(g->store, path, FV_BUFFER, &type, init, &var);
    if (status != FV_OK) {
        g->status = status;
        return NULL;
    }
    return fv_var_read(g, to_read(g, var));
}

fv_value *fv_scalar(fv_graph *g, const char *name, double initial)
{
    if (g->status != FV_OK) return NULL;
    const fvi_type type = fvi_type_make(g->store->dtype, 0, NULL);
    return plain_var(g, name, FV_SCALAR, &type, (fv_init){FV_INIT_CONSTANT, initial, 0});
}

fv_value *fvi_random_state(fv_graph *g)
{
    if (g->status != FV_OK) return NULL;
    const int64_t three = 3;
    const fvi_type type = fvi_type_make(FV_I64, 1, &three);
    return plain_var(g, "random.state", FV_RANDOM, &type, (fv_init){FV_INIT_ZEROS, 0, 0});
}

static fv_var *companion(fv_graph *g, fv_var *base, fv_role role, const char *name, const fvi_type *type, fv_init init)
{
    if (g->status != FV_OK || !base) return NULL;
    fvi_var *var;
    const char *path = fvi_arena_format(&g->arena, "%s:%s", base->name, name);
    const fv_status status = path ? fvi_store_get(g->store, path, role, type, init, &var) : fvi_nomem(g->ctx);
    if (status != FV_OK) {
        g->status = status;
        return NULL;
    }
    var->base = base;
    if (!var->companion && !(var->companion = fvi_arena_strdup(&g->store->arena, name))) return (fv_var *)(void *)fail_nomem(g);
    return var;
}

fv_var *fv_companion(fv_graph *g, fv_var *base, fv_role role, const char *name)
{
    return companion(g, base, role, name, base ? &base->type : NULL, (fv_init){FV_INIT_ZEROS, 0, 0});
}

fv_var *fv_companion_scalar(fv_graph *g, fv_var *base, fv_role role, const char *name)
{
    const fvi_type type = fvi_type_make(g->store->dtype, 0, NULL);
    return companion(g, base, role, name, &type, (fv_init){FV_INIT_ZEROS, 0, 0});
}

fv_var *fv_graph_find_var(fv_graph *g, const char *name)
{
    return name ? fvi_store_find(g->store, name) : NULL;                   /* a name that memory did not suffice for */
}

int fv_graph_trainable(fv_graph *g, const char *prefix, fv_var **out, int capacity)
{
    int n = 0;
    for (int i = 0; i < g->store->vars.count; i++) {
        fvi_var *v = g->store->vars.items[i];
        if (v->role != FV_PARAMETER || !v->trainable || !fvi_path_below(v->name, prefix)) continue;
        if (v->index >= g->current.count || !g->current.items[v->index]) continue;      /* not read in this graph */
        if (n < capacity) out[n] = v;
        n++;
    }
    return n;
}

static void note_gradients_below(fv_graph *g, const char *prefix)
{
    for (int i = 0; i < g->gradients_below.count; i++)
        if (!strcmp(g->gradients_below.items[i], prefix)) return;
    const char *path = fvi_arena_strdup(&g->arena, prefix);
    if (!path || !FVI_PUSH(&g->gradients_below, path)) fv_graph_fail(g, FV_ERROR_NOMEM, "%s", fv_status_text(FV_ERROR_NOMEM));
}

int fvi_graph_gradients(fv_graph *g, const char *prefix, fv_var **out, int capacity)
{
    int n = 0;
    note_gradients_below(g, prefix ? prefix : "");
    for (int i = 0; i < g->store->vars.count; i++) {
        fvi_var *v = g->store->vars.items[i];
        if (v->role != FV_GRADIENT || !v->base || !v->base->trainable || !fvi_path_below(v->base->name, prefix)) continue;
        if (n < capacity) out[n] = v;
        n++;
    }
    return n;
}
