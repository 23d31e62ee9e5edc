/* SPDX-License-Identifier: Apache-2.0 */
/* What passes do to graphs: count uses, replace values, sweep, sort, expand composites, bind N, dump. */
#include "ir/graph.h"

#include "base/json.h"

int *fvi_graph_uses(const fv_graph *g)
{
    int *uses = fvi_calloc((size_t)g->next_value + 1, sizeof *uses);
    if (!uses) return NULL;
    for (int i = 0; i < g->nodes.count; i++) {
        const fvi_node *n = g->nodes.items[i];
        for (int k = 0; !n->dead && k < n->n_in; k++) uses[n->in[k]->id]++;
    }
    for (int i = 0; i < g->results.count; i++) uses[g->results.items[i].value->id]++;
    return uses;
}

void fvi_graph_replace(fv_graph *g, fv_value *from, fv_value *to)
{
    if (from == to) return;
    from->forward = to;
    for (int i = 0; i < g->nodes.count; i++) {
        fvi_node *n = g->nodes.items[i];
        for (int k = 0; k < n->n_in; k++)
            if (n->in[k] == from) n->in[k] = to;
    }
    for (int i = 0; i < g->results.count; i++)
        if (g->results.items[i].value == from) g->results.items[i].value = to;
    for (int i = 0; i < g->current.count; i++)
        if (g->current.items[i] == from) g->current.items[i] = to;
}

fv_status fvi_graph_sweep(fv_graph *g)
{
    int *uses = fvi_graph_uses(g);
    if (!uses) return fvi_nomem(g->ctx);
    int kept = g->nodes.count;
    for (int i = g->nodes.count - 1; i >= 0; i--) {
        fvi_node *n = g->nodes.items[i];
        bool wanted = !n->dead && (fvi_node_is(n, "var_write") || fvi_node_is(n, "input"));
        for (int k = 0; !n->dead && k < n->n_out; k++) wanted |= uses[n->out[k].id] > 0;
        if (!wanted) {
            for (int k = 0; !n->dead && k < n->n_in; k++) uses[n->in[k]->id]--;
            n->dead = true;
        }
    }
    kept = 0;
    for (int i = 0; i < g->nodes.count; i++)
        if (!g->nodes.items[i]->dead) g->nodes.items[kept++] = g->nodes.items[i];
    g->nodes.count = kept;
    fvi_free(uses);
    return FV_OK;
}

/* Places `root` after everything that it needs; a placed node has id -1. */
static bool visit(fv_graph *g, fvi_node *root, fvi_node **stack, fvi_node **order, int *count)
{
    int depth = 0;
    stack[depth++] = root;
    while (depth) {
        fvi_node *n = stack[depth - 1];
        bool ready = true;
        for (int k = 0; k < n->n_in && ready; k++) {
            fvi_node *p = n->in[k]->node;
            if (p->id >= 0) {                          /* not yet placed */
                if (depth >= g->nodes.count + 1) return false;       /* a cycle */
                stack[depth++] = p;
                ready = false;
            }
        }
        if (!ready) continue;
        depth--;
        if (n->id < 0) continue;
        n->id = -1;
        order[(*count)++] = n;
    }
    return true;
}

fv_status fvi_graph_sort(fv_graph *g)
{
    const int n = g->nodes.count;
    fvi_node **stack = fvi_malloc(((size_t)n + 1) * sizeof *stack), **order = fvi_malloc(((size_t)n + 1) * sizeof *order);
    fv_status status = FV_OK;
    int count = 0, segments = 0;
    if (!stack || !order) status = fvi_nomem(g->ctx);
    for (int i = 0; i < n; i++) {
        g->nodes.items[i]->id = i;
        segments = FVI_MAX(segments, g->nodes.items[i]->segment + 1);
    }
    for (int s = 0; s < segments && status == FV_OK; s++)
        for (int i = 0; i < n && status == FV_OK; i++)
            if (g->nodes.items[i]->segment == s && g->nodes.items[i]->id >= 0 && !visit(g, g->nodes.items[i], stack, order, &count))
                status = fvi_fail(g->ctx, FV_ERROR_INTERNAL, "the graph has a cycle at %s (%s)", g->nodes.items[i]->path, g->nodes.items[i]->op->name);
    if (status == FV_OK && count != n) status = fvi_fail(g->ctx, FV_ERROR_INTERNAL, "sorting lost %d nodes", n - count);
    for (int i = 0; i < count && status == FV_OK; i++) {
        g->nodes.items[i] = order[i];
        order[i]->id = i;
    }
    fvi_free(stack);
    fvi_free(order);
    return status;
}

fv_status fvi_graph_expand(fv_graph *g, bool (*expand)(const fvi_node *n, void *user), void *user)
{
    const int count = g->nodes.count, segment = g->segment, path_count = g->path.count;
    const fvi_node *origin = g->origin;
    fvi_node **old = g->nodes.items;
    memset(&g->nodes, 0, sizeof g->nodes);
    fv_status status = FV_OK;
    for (int i = 0; i < count && status == FV_OK; i++) {
        fvi_node *n = old[i];
        if (n->dead) continue;
        for (int k = 0; k < n->n_in; k++) n->in[k] = fvi_value_now(n->in[k]);
        if (!n->op->expand || !expand(n, user)) {
            if (!FVI_PUSH(&g->nodes, n)) status = fvi_nomem(g->ctx);
            continue;
        }
        fv_value *out[FVI_MAX_OUT] = {NULL};
        fvi_expansion e = {g, n, n->in, out};
        g->segment = n->segment;
        g->origin = n;                                  /* lends its path */
        const int first = g->nodes.count;
        status = n->op->expand(&e);
        if (status == FV_OK) status = g->status;
        for (int k = first; k < g->nodes.count; k++) g->nodes.items[k]->origin = n->origin;
        for (int k = 0; k < n->n_out && status == FV_OK; k++)
            if (out[k]) {
                n->out[k].forward = out[k];
                for (int r = 0; r < g->results.count; r++)
                    if (g->results.items[r].value == &n->out[k]) g->results.items[r].value = out[k];
                for (int r = 0; r < g->current.count; r++)
                    if (g->current.items[r] == &n->out[k]) g->current.items[r] = out[k];
            }
        n->dead = true;
    }
    fvi_free(old);
    g->segment = segment;
    g->origin = origin;
    g->path.count = path_count;
    return status;
}

/* ---- binding N ---- */

static void bind_attr(const fvi_op *op, void *attr, int64_t batch)
{
    for (const fvi_attr_def *d = op->attrs; d && d->name; d++) {
        if (d->kind != FVI_ATTR_DIMS) continue;
        fvi_dims *dims = (fvi_dims *)((char *)attr + d->offset);
        for (int64_t i = 0; i < dims->n; i++) dims->d[i] = fvi_dim_bind(dims->d[i], batch);
    }
}

static fv_status bind_node(fv_graph *b, const fvi_node *n, fv_value **map, int64_t batch)
{
    fvi_node *m = fvi_arena_alloc(&b->arena, sizeof *m);
    if (!m) return fvi_nomem(b->ctx);
    *m = *n;
    m->in = fvi_arena_alloc(&b->arena, sizeof *m->in * (size_t)FVI_MAX(n->n_in, 1));
    m->out = fvi_arena_alloc(&b->arena, sizeof *m->out * (size_t)FVI_MAX(n->n_out, 1));
    void *attr = n->attr ? fvi_arena_alloc(&b->arena, n->op->attr_size) : NULL;
    m->path = fvi_arena_strdup(&b->arena, n->path);
    if (!m->in || !m->out || (n->attr && !attr) || !m->path) return fvi_nomem(b->ctx);
    if (attr) {
        memcpy(attr, n->attr, n->op->attr_size);
        bind_attr(n->op, attr, batch);
    }
    m->attr = attr;
    m->id = b->nodes.count;
    m->origin = n->origin;
    fvi_type few[FVI_FEW_IN], *in = FVI_ROOM(&b->arena, few, n->n_in), out[FVI_MAX_OUT];
    if (!in) return fvi_nomem(b->ctx);
    for (int k = 0; k < n->n_in; k++) {
        m->in[k] = map[n->in[k]->id];
        in[k] = m->in[k]->type;
    }
    for (int k = 0; k < n->n_out; k++) out[k] = fvi_type_bind(&n->out[k].type, batch);
    fvi_infer c = {b->ctx, m->path, n->op, attr, n->n_in, in, out};
    FVI_TRY(b->ctx, n->op->infer(&c));                  /* again, now with numbers: what only numbers show is caught here */
    for (int k = 0; k < n->n_out; k++) {
        m->out[k] = (fv_value){.node = m, .index = k, .id = b->next_value++, .type = out[k]};
        map[n->out[k].id] = &m->out[k];
    }
    if (fvi_node_is(m, "input") && !FVI_PUSH(&b->inputs, &m->out[0])) return fvi_nomem(b->ctx);
    return FVI_PUSH(&b->nodes, m) ? FV_OK : fvi_nomem(b->ctx);
}

fv_status fvi_graph_bind(const fv_graph *g, int64_t batch, fv_graph **out)
{
    fv_graph *b = NULL;
    FVI_TRY(g->ctx, fvi_graph_create(g->ctx, g->table, g->store, g->dtype, &b));
    b->training = g->training;
    b->hold_amp = true;                                  /* casts are in place already */
    b->batch = batch;
    b->user = g->user;
    fv_value **map = fvi_calloc((size_t)g->next_value + 1, sizeof *map);
    fv_status status = map ? FV_OK : fvi_nomem(g->ctx);
    for (int i = 0; i < g->nodes.count && status == FV_OK; i++)
        if (!g->nodes.items[i]->dead) status = bind_node(b, g->nodes.items[i], map, batch);
    for (int i = 0; i < g->results.count && status == FV_OK; i++) {
        const fvi_result r = {fvi_arena_strdup(&b->arena, g->results.items[i].name), map[g->results.items[i].value->id]};
        if (!r.name || !FVI_PUSH(&b->results, r)) status = fvi_nomem(g->ctx);
    }
    /* origin pointed into the old graph: keep only the fact that it is a gradient */
    for (int i = 0; i < b->nodes.count; i++)
        if (b->nodes.items[i]->origin) b->nodes.items[i]->origin = b->nodes.items[i];
    fvi_free(map);
    if (status == FV_OK) *out = b;
    else fvi_graph_destroy(b);
    return status;
}

char *fvi_graph_dump(const fv_graph *g)
{
    fvi_text t = {0};
    char buf[FVI_TYPE_TEXT];
    for (int i = 0; i < g->nodes.count; i++) {
        const fvi_node *n = g->nodes.items[i];
        fvi_text_add(&t, "%d", n->segment);
        for (int k = 0; k < n->n_out; k++)
            fvi_text_add(&t, "%s%%%d %s %s", k ? ", " : " ", n->out[k].id, fvi_type_text(&n->out[k].type, buf), fvi_layout_name(n->out[k].layout));
        fvi_text_add(&t, " = %s(", n->op->name);
        for (int k = 0; k < n->n_in; k++) fvi_text_add(&t, "%s%%%d", k ? ", " : "", n->in[k]->id);
        fvi_text_add(&t, ")%s%s%s%s%s  [%s]%s\n", n->var ? " " : "", n->var ? n->var->name : "", n->kernel ? " {" : "", n->kernel ? n->kernel_name : "",
                     n->kernel ? "}" : "", n->path, n->origin ? " grad" : "");
    }
    return fvi_text_take(&t);
}
