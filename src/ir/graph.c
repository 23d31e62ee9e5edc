/* SPDX-License-Identifier: Apache-2.0 */
/* Building graphs: nodes, names, inputs, results, the mixed-precision rule. Errors are sticky. */
#include "ir/graph.h"

#include "ir/source.h"

#include <stdio.h>
#include <stdlib.h>

fv_status fvi_graph_create(fv_context *ctx, const fvi_op_table *table, fvi_store *store, fv_dtype dtype, fv_graph **out)
{
    fv_graph *g = fvi_calloc(1, sizeof *g);
    if (!g) return fvi_nomem(ctx);
    g->ctx = ctx;
    g->table = table;
    g->store = store;
    g->dtype = dtype;
    *out = g;
    return FV_OK;
}

void fvi_graph_destroy(fv_graph *g)
{
    if (!g) return;
    fvi_free(g->nodes.items);
    fvi_free(g->results.items);
    fvi_free(g->marks.items);
    fvi_free(g->inputs.items);
    fvi_free(g->current.items);
    fvi_free(g->casts.items);
    fvi_free(g->path.items);
    fvi_free(g->path_stack.items);
    fvi_free(g->modes.items);
    fvi_free(g->gradients_below.items);
    fvi_arena_free(&g->arena);
    fvi_free(g);
}

fv_context *fv_graph_context(fv_graph *g) { return g->ctx; }
bool fv_graph_is_training(const fv_graph *g)
{
    return g->training && !(g->modes.count && g->modes.items[g->modes.count - 1].evaluation);
}

void fv_push_mode(fv_graph *g, const fv_mode *mode)
{
    const fv_mode *outer = g->modes.count ? &g->modes.items[g->modes.count - 1] : NULL;
    fv_mode now = {mode->evaluation || (outer && outer->evaluation), mode->average || (outer && outer->average)};
    now.evaluation = now.evaluation || now.average;      /* statistics of averages are averages */
    if (!FVI_PUSH(&g->modes, now) && g->status == FV_OK) g->status = fvi_nomem(g->ctx);
}

void fv_pop_mode(fv_graph *g)
{
    if (g->modes.count) g->modes.count--;
    else fv_graph_fail(g, FV_ERROR_INVALID, "fv_pop_mode without fv_push_mode");
}
fv_dtype fv_graph_dtype(const fv_graph *g) { return g->dtype; }
fv_status fv_graph_status(const fv_graph *g) { return g->status; }
fv_dtype fv_value_dtype(const fv_value *v) { return v ? v->type.dtype : FV_F32; }
int fv_value_rank(const fv_value *v) { return v ? v->type.rank : 0; }

int64_t fv_value_dim(const fv_value *v, int axis)
{
    if (!v) return 0;
    if (axis < 0) axis += v->type.rank;
    return axis < 0 || axis >= v->type.rank ? 0 : v->type.dim[axis];
}

fv_value *fv_graph_fail(fv_graph *g, fv_status status, const char *fmt, ...)
{
    if (g->status != FV_OK) return NULL;
    va_list ap;
    va_start(ap, fmt);
    char text[1024];
    fvi_vprint(text, sizeof text, fmt, ap);
    va_end(ap);
    const char *path = g->path.count ? g->path.items : "";
    g->status = fvi_fail(g->ctx, status, "%s%s%s", path, *path ? ": " : "", text);
    return NULL;
}

/* Records a failure that is already in the context. */
static void *sticky(fv_graph *g, fv_status status)
{
    if (g->status == FV_OK) g->status = status;
    return NULL;
}

fv_status fvi_infer_fail(const fvi_infer *c, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    char text[1024];
    fvi_vprint(text, sizeof text, fmt, ap);
    va_end(ap);
    const char *path = c->path ? c->path : "";
    return fvi_fail(c->ctx, FV_ERROR_SHAPE, "%s%s(%s): %s", path, *path ? " " : "", c->op->name, text);
}

fv_status fvi_again(fvi_expansion *c)
{
    c->out[0] = fvi_emit_v(c->g, c->node->op->name, c->node->attr, c->node->n_in, c->in);
    return fv_graph_status(c->g);
}

fv_status fvi_infer_same(fvi_infer *c)
{
    c->out[0] = c->in[0];
    return FV_OK;
}

fv_status fvi_infer_broadcast(fvi_infer *c)
{
    fvi_type t = c->in[0];
    for (int i = 1; i < c->n_in; i++) {
        char a[FVI_TYPE_TEXT], b[FVI_TYPE_TEXT];
        if (!fvi_type_broadcast(&t, &c->in[i], &t))
            return fvi_infer_fail(c, "shapes %s and %s do not broadcast", fvi_type_text(&t, a), fvi_type_text(&c->in[i], b));
    }
    c->out[0] = t;
    c->out[0].dtype = c->in[0].dtype;
    return FV_OK;
}

/* ---- names ---- */

void fv_push(fv_graph *g, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    const char *text = fvi_arena_vformat(&g->arena, fmt, ap);
    va_end(ap);
    if (!text || !FVI_PUSH(&g->path_stack, g->path.count)) {
        sticky(g, fvi_nomem(g->ctx));
        return;
    }
    const int old = g->path.count ? g->path.count - 1 : 0;      /* without the NUL */
    const size_t need = (size_t)old + strlen(text) + 2;
    while ((size_t)g->path.capacity < need)
        if (!fvi_grow((void **)&g->path.items, &g->path.capacity, 1)) { sticky(g, fvi_nomem(g->ctx)); return; }
    g->path.count = old + 1;
    g->path.count += snprintf(g->path.items + old, (size_t)(g->path.capacity - old), "%s%s", old ? "." : "", text);
}

void fv_pop(fv_graph *g)
{
    if (!g->path_stack.count) return;
    g->path.count = g->path_stack.items[--g->path_stack.count];
    if (g->path.count) g->path.items[g->path.count - 1] = 0;
}

const char *fv_name(fv_graph *g, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    const char *text = fvi_arena_vformat(&g->arena, fmt, ap);
    va_end(ap);
    return text ? text : sticky(g, fvi_nomem(g->ctx));
}

const char *fvi_graph_path(fv_graph *g, const char *name)
{
    const char *prefix = g->path.count ? g->path.items : "";
    const bool here = !name || !*name;
    const char *path = here ? fvi_arena_strdup(&g->arena, prefix) : fvi_arena_format(&g->arena, "%s%s%s", prefix, *prefix ? "." : "", name);
    return path ? path : sticky(g, fvi_nomem(g->ctx));
}

fv_value *fv_mark(fv_graph *g, const char *name, fv_value *v)
{
    if (!v || g->status != FV_OK) return NULL;
    const fvi_mark mark = {fvi_graph_path(g, name), v};
    if (!mark.path || !FVI_PUSH(&g->marks, mark)) return sticky(g, fvi_nomem(g->ctx));
    return v;
}

fv_value *fv_tap(fv_graph *g, const char *path)
{
    if (g->status != FV_OK) return NULL;
    for (int i = g->marks.count - 1; i >= 0; i--)
        if (!strcmp(g->marks.items[i].path, path)) return fvi_value_now(g->marks.items[i].value);
    const char **names = fvi_calloc((size_t)g->marks.count + 1, sizeof *names);
    const char *near = NULL;
    for (int i = 0; names && i < g->marks.count; i++) names[i] = g->marks.items[i].path;
    if (names) near = fvi_nearest(path, names);
    fv_graph_fail(g, FV_ERROR_INVALID, "no feature '%s'%s%s%s", path, near ? " (nearest: '" : "", near ? near : "", near ? "')" : "");
    fvi_free(names);
    return NULL;
}

/* ---- nodes ---- */

static fvi_node *append(fv_graph *g, const fvi_op *op, const void *attr, int n_in, fv_value *const *in, const fvi_type *out)
{
    fvi_node *n = fvi_arena_alloc(&g->arena, sizeof *n);
    if (!n) return sticky(g, fvi_nomem(g->ctx));
    n->op = op;
    n->n_in = n_in;
    n->n_out = op->n_out;
    n->in = fvi_arena_alloc(&g->arena, sizeof *n->in * (size_t)FVI_MAX(n_in, 1));
    n->out = fvi_arena_alloc(&g->arena, sizeof *n->out * (size_t)FVI_MAX(op->n_out, 1));
    void *copy = op->attr_size ? fvi_arena_alloc(&g->arena, op->attr_size) : NULL;
    n->path = g->origin ? g->origin->path : fvi_graph_path(g, NULL);
    if (!n->in || !n->out || (op->attr_size && !copy) || !n->path) return sticky(g, fvi_nomem(g->ctx));
    if (copy && attr) memcpy(copy, attr, op->attr_size);
    n->attr = copy;
    n->origin = g->origin;
    n->segment = g->segment;
    n->id = g->nodes.count;
    for (int i = 0; i < n_in; i++) n->in[i] = in[i];
    for (int i = 0; i < op->n_out; i++) {
        n->out[i] = (fv_value){.node = n, .index = i, .type = out[i]};
        n->out[i].id = g->next_value++;
    }
    if (!FVI_PUSH(&g->nodes, n)) return sticky(g, fvi_nomem(g->ctx));
    return n;
}

fv_value *fvi_emit_cast(fv_graph *g, fv_value *v, fv_dtype dtype)
{
    if (!v || v->type.dtype == dtype) return v;
    const int64_t attr = dtype;                          /* cast's attribute struct: the dtype only */
    return fvi_emit(g, "cast", &attr, 1, v);
}

static fv_value *cast_to(fv_graph *g, fv_value *v, fv_dtype dtype)
{
    if (v->type.dtype == dtype) return v;
    while (g->casts.count <= v->id)
        if (!FVI_PUSH(&g->casts, NULL)) return sticky(g, fvi_nomem(g->ctx));
    fv_value *known = fvi_value_now(g->casts.items[v->id]);
    if (known && known->type.dtype == dtype && known->node->segment <= g->segment && !known->node->dead) return known;
    fv_value *c = fvi_emit_cast(g, v, dtype);
    if (c && v->id < g->casts.count) g->casts.items[v->id] = c;
    return c;
}

/* Autocast. LOW: float inputs become bf16 (when on). F32: low inputs become the graph's type. FOLLOWS: the widest. */
static bool apply_precision(fv_graph *g, const fvi_op *op, int n_in, fv_value **in)
{
    if (op->precision == FVI_PRECISION_ANY || g->hold_amp) return true;
    fv_dtype want = FV_DTYPE_COUNT;
    if (op->precision == FVI_PRECISION_LOW && g->amp) want = FV_BF16;
    for (int i = 0; i < n_in && want == FV_DTYPE_COUNT; i++)
        if (fv_dtype_is_float(in[i]->type.dtype) && (op->precision == FVI_PRECISION_F32 || in[i]->type.dtype == g->dtype)) want = g->dtype;
    if (want == FV_DTYPE_COUNT) return true;
    for (int i = 0; i < n_in; i++)
        if (fv_dtype_is_float(in[i]->type.dtype) && in[i]->type.dtype != want && !(in[i] = cast_to(g, in[i], want))) return false;
    return true;
}

static bool arity(fv_graph *g, const fvi_op *op, int n_in)
{
    if (n_in >= op->n_in_min && n_in <= op->n_in_max) return true;
    const int least = op->n_in_min, most = op->n_in_max;
    if (most == FVI_ANY_IN)
        fv_graph_fail(g, FV_ERROR_INVALID, "%s takes %d or more inputs, not %d", op->name, least, n_in);
    else fv_graph_fail(g, FV_ERROR_INVALID, "%s takes %d to %d inputs, not %d", op->name, least, most, n_in);
    return false;
}

fvi_node *fvi_node_add(fv_graph *g, const fvi_op *op, const void *attr, int n_in, fv_value *const *in)
{
    if (g->status != FV_OK || !arity(g, op, n_in)) return NULL;
    fv_value *few[FVI_FEW_IN] = {NULL}, **arg = FVI_ROOM(&g->arena, few, n_in);
    fvi_type few_types[FVI_FEW_IN], *types = FVI_ROOM(&g->arena, few_types, n_in), out[FVI_MAX_OUT];
    if (!arg || !types) return sticky(g, fvi_nomem(g->ctx));
    for (int i = 0; i < n_in; i++) {
        if (!in[i]) {
            fv_graph_fail(g, FV_ERROR_INVALID, "%s: input %d is missing", op->name, i);
            return NULL;
        }
        arg[i] = fvi_value_now(in[i]);
    }
    if (!apply_precision(g, op, n_in, arg)) return NULL;
    for (int i = 0; i < n_in; i++) types[i] = arg[i]->type;
    void *fallback = NULL;
    if (op->attr_size && !attr) {
        if (!(fallback = fvi_arena_alloc(&g->arena, op->attr_size))) return sticky(g, fvi_nomem(g->ctx));
        fvi_attr_defaults(op->attrs, fallback);
        attr = fallback;
    }
    const char *path = g->origin ? g->origin->path : g->path.count ? g->path.items : "";
    fvi_infer c = {g->ctx, path, op, attr, n_in, types, out};
    fv_status status = op->attrs ? fvi_attr_check(g->ctx, op->attrs, attr, op->name) : FV_OK;
    if (status == FV_OK) status = op->infer(&c);
    if (status != FV_OK) return sticky(g, status);
    return append(g, op, attr, n_in, arg, out);
}

fv_value *fvi_emit_v(fv_graph *g, const char *name, const void *attr, int n_in, fv_value *const *in)
{
    if (g->status != FV_OK) return NULL;
    const fvi_op *op = g->table->find(name);
    if (!op) return fv_graph_fail(g, FV_ERROR_INVALID, "no op is called '%s'", name);
    fvi_node *n = fvi_node_add(g, op, attr, n_in, in);
    return n && n->n_out ? &n->out[0] : NULL;
}

fv_value *fvi_emit(fv_graph *g, const char *op, const void *attr, int n_in, ...)
{
    fv_value *few[FVI_FEW_IN] = {NULL}, **in = FVI_ROOM(&g->arena, few, n_in);
    if (!in) return sticky(g, fvi_nomem(g->ctx));
    va_list ap;
    va_start(ap, n_in);
    for (int i = 0; i < n_in; i++) in[i] = va_arg(ap, fv_value *);
    va_end(ap);
    return fvi_emit_v(g, op, attr, n_in, in);
}

fv_value *fvi_sum_to(fv_graph *g, fv_value *v, const fv_value *like)
{
    if (!v || fvi_type_same_shape(&v->type, &like->type)) return v;
    struct { fvi_dims dims; } attr = {{.n = like->type.rank}};       /* sum_to's attribute struct: dims only */
    for (int i = 0; i < like->type.rank; i++) attr.dims.d[i] = like->type.dim[i];
    return fvi_emit(g, "sum_to", &attr, 1, v);
}

/* "stride=2,2 padding=1,1" into an attribute struct. */
static fv_status parse_attrs(fv_graph *g, const fvi_op *op, const char *text, void *attr)
{
    fvi_attr_defaults(op->attrs, attr);
    for (const char *at = text ? text : ""; *(at += strspn(at, " ")); at += strcspn(at, " ")) {
        char *name = fvi_arena_format(&g->arena, "%.*s", (int)strcspn(at, " "), at);
        if (!name) return fvi_nomem(g->ctx);
        char *value = strchr(name, '=');
        if (!value || value == name || !value[1])
            return fvi_fail(g->ctx, FV_ERROR_INVALID, "%s: attributes are name=value, not '%s'", op->name, at);
        *value++ = 0;
        const fvi_attr_def *d = fvi_attr_find(op->attrs, name);
        if (!d) return fvi_fail(g->ctx, FV_ERROR_INVALID, "%s has no attribute '%s'", op->name, name);
        FVI_TRY(g->ctx, fvi_attr_parse(g->ctx, d, attr, value, name));
    }
    return FV_OK;
}

fv_value *fv_op(fv_graph *g, const char *name, const char *attrs, int n_in, ...)
{
    if (g->status != FV_OK) return NULL;
    const fvi_op *op = g->table->find(name);
    if (!op || op->kind == FVI_SOURCE) return fv_graph_fail(g, FV_ERROR_INVALID, "no op is called '%s'", name);
    if (!arity(g, op, n_in)) return NULL;
    fv_value *few[FVI_FEW_IN] = {NULL}, **in = FVI_ROOM(&g->arena, few, n_in);
    if (!in) return sticky(g, fvi_nomem(g->ctx));
    va_list ap;
    va_start(ap, n_in);
    for (int i = 0; i < n_in; i++) in[i] = va_arg(ap, fv_value *);
    va_end(ap);
    void *attr = NULL;
    if (op->attr_size) {
        if (!(attr = fvi_arena_alloc(&g->arena, op->attr_size))) return sticky(g, fvi_nomem(g->ctx));
        const fv_status status = parse_attrs(g, op, attrs, attr);
        if (status != FV_OK) return sticky(g, status);
    }
    fvi_node *n = fvi_node_add(g, op, attr, n_in, in);
    return n && n->n_out ? &n->out[0] : NULL;
}

fv_value *fv_output_of(fv_value *v, int index)
{
    v = fvi_value_now(v);
    return v && index >= 0 && index < v->node->n_out ? &v->node->out[index] : NULL;
}

fv_value *fv_full_of(fv_graph *g, fv_dtype dtype, double value, int rank, const int64_t *dims)
{
    fvi_constant_attr a;
    memset(&a, 0, sizeof a);
    a.value = value;
    a.dtype = dtype;
    a.dims.n = rank;
    for (int i = 0; i < rank && i < 8; i++) a.dims.d[i] = dims[i];
    return fvi_emit(g, "constant", &a, 0);
}

fv_value *fv_full(fv_graph *g, double value, int rank, const int64_t *dims)
{
    return fv_full_of(g, g->dtype, value, rank, dims);
}

fv_value *fv_const(fv_graph *g, double value) { return fv_full(g, value, 0, NULL); }

fv_value *fvi_input(fv_graph *g, const char *name, const fvi_type *type)
{
    if (g->status != FV_OK) return NULL;
    const fvi_op *op = g->table->find("input");
    fvi_node *n = append(g, op, NULL, 0, NULL, type);
    if (!n) return NULL;
    n->path = fvi_arena_strdup(&g->arena, name);
    n->slot = g->inputs.count;
    if (!n->path || !FVI_PUSH(&g->inputs, &n->out[0])) return sticky(g, fvi_nomem(g->ctx));
    return &n->out[0];
}

fv_status fvi_graph_name_input(fv_graph *g, int index, const char *name)
{
    FVI_ASSERT(g->ctx, index >= 0 && index < g->inputs.count);
    char *copy = fvi_arena_strdup(&g->arena, name);
    if (copy) g->inputs.items[index]->node->path = copy;
    return copy ? FV_OK : fvi_nomem(g->ctx);
}

void fv_result(fv_graph *g, const char *name, fv_value *v)
{
    if (g->status != FV_OK) return;
    if (!v) {
        fv_graph_fail(g, FV_ERROR_INVALID, "result '%s' is missing", name);
        return;
    }
    const fvi_result r = {fvi_arena_strdup(&g->arena, name), fvi_value_now(v)};
    if (!r.name || !FVI_PUSH(&g->results, r)) sticky(g, fvi_nomem(g->ctx));
}

void fv_cut(fv_graph *g)
{
    g->segment++;
}

bool fvi_node_is(const fvi_node *n, const char *op)
{
    return n && !strcmp(n->op->name, op);
}
