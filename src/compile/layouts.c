/* SPDX-License-Identifier: Apache-2.0 */
/* Kernels and memory orders. Nodes are visited in order; each asks its candidate kernels with the layouts that its
 * inputs have now; where a kernel wants another one, a reorder is put in between (once per value and layout). A first
 * walk only finds out which home layout each new variable should get: that of its weight gradient, else that of its
 * first consumer. A second walk decides. */
#include "compile/compile.h"
#include "compile/registry.h"

#include "ir/source.h"

typedef struct wish { fvi_layout layout; int priority; } wish;
typedef struct made { fvi_layout layout; fv_value *value; int next; } made;      /* reorders of a value */

typedef struct walk {
    fv_graph *g;
    const fvi_compiler *c;
    bool insert;
    wish *wishes;                      /* by var index */
    struct { int *items; int count, capacity; } first_made;      /* by value id: index into made, -1 */
    struct { made *items; int count, capacity; } made;
    struct { fvi_node **items; int count, capacity; } out;
    int values;
} walk;

static bool is_companion_like_base(const fvi_var *v)
{
    return v->base && fvi_type_same_shape(&v->type, &v->base->type);
}

static fvi_layout var_layout(const fvi_var *v)
{
    if (is_companion_like_base(v)) return var_layout(v->base);
    if (v->home_fixed) return v->home;
    return v->type.rank < 2 ? FVI_PLAIN : FVI_OPAQUE;
}

static void want(walk *w, const fvi_var *v, fvi_layout l, int priority)
{
    if (is_companion_like_base(v)) {
        want(w, v->base, l, priority);
        return;
    }
    wish *x = &w->wishes[v->index];
    if (l != FVI_OPAQUE && !fvi_layout_derived(l) && priority > x->priority) *x = (wish){l, priority};
}

/* Free inputs of elementwise ops take the order of the others. */
static void settle_free(const fvi_node *n, fvi_query *q)
{
    fvi_layout known = FVI_OPAQUE;
    for (int k = 0; k < q->n_in; k++)
        if (q->in_layout[k] != FVI_OPAQUE && q->in[k].rank && fvi_type_same_shape(&q->in[k], &q->out[0]) && known == FVI_OPAQUE) known = q->in_layout[k];
    const bool follow = n->op->elementwise || n->op->kind == FVI_EFFECT;
    for (int k = 0; k < q->n_in; k++)
        if (q->in_layout[k] == FVI_OPAQUE && (follow || n->op->precision != FVI_PRECISION_LOW)) q->in_layout[k] = follow && known != FVI_OPAQUE ? known : FVI_PLAIN;
}

static fv_status query_of(const walk *w, const fvi_node *n, fvi_query *q, const int *uses)
{
    FVI_TRY(w->g->ctx, fvi_query_open(q, &w->c->env, n, false));
    for (int k = 0; k < n->n_out; k++) q->out_used[k] = uses[n->out[k].id] > 0;
    settle_free(n, q);
    for (int k = 0; k < q->n_in && !w->c->passes.layout; k++) q->in_layout[k] = FVI_PLAIN;
    return FV_OK;
}

/* Leaves the query with the kernel's answer open. */
static fv_status choose_kernel(walk *w, fvi_node *n, fvi_query *q, const int *uses)
{
    const fvi_kernel *k = NULL;
    do {
        k = w->c->passes.kernels ? fvi_registry_next_kernel(n->op->name, k) : NULL;
        n->kernel = k ? k : &fvi_reference_kernel;
        n->kernel_name = n->kernel->name;
        FVI_TRY(w->g->ctx, query_of(w, n, q, uses));
        if (n->kernel->choose(q)) return FV_OK;
        fvi_query_close(q);
    } while (k);
    return fvi_fail(w->g->ctx, FV_ERROR_UNSUPPORTED, "%s: no kernel and no reference for %s", n->path, n->op->name);
}

static fv_status push(walk *w, fvi_node *n)
{
    return FVI_PUSH(&w->out, n) ? FV_OK : fvi_nomem(w->g->ctx);
}

/* Room in first_made for the values that the graph has by now. */
static bool know_values(walk *w)
{
    while (w->first_made.count < w->g->next_value)
        if (!FVI_PUSH(&w->first_made, -1)) return false;
    return true;
}

/* v in layout l: a known reorder or a new one, put before the node under way. */
static fv_status reordered(walk *w, fv_value *v, fvi_layout l, int segment, fv_value **out)
{
    fv_graph *g = w->g;
    for (int i = w->first_made.items[v->id]; i >= 0; i = w->made.items[i].next)
        if (w->made.items[i].layout == l) {
            *out = w->made.items[i].value;
            return FV_OK;
        }
    const fvi_reorder_attr attr = {l};
    g->segment = FVI_MAX(v->node->segment, v->node->var || v->node->hoisted ? segment : v->node->segment);
    const fvi_node *origin = g->origin;
    g->origin = v->node;
    const int before = g->nodes.count;
    fvi_node *n = fvi_node_add(g, fvi_registry_find_op("reorder"), &attr, 1, &v);
    g->origin = origin;
    if (!n) return g->status;
    g->nodes.count = before;                            /* it goes into our own list instead */
    n->origin = v->node->origin;
    n->out[0].layout = l;
    const fvi_kernel *k = w->c->passes.kernels ? fvi_registry_next_kernel("reorder", NULL) : NULL;
    for (; k && !n->kernel; k = fvi_registry_next_kernel("reorder", k)) {
        fvi_query q;
        FVI_TRY(g->ctx, fvi_query_open(&q, &w->c->env, n, true));
        if (k->choose(&q)) n->kernel = k;
        fvi_query_close(&q);
    }
    if (!n->kernel) return fvi_fail(g->ctx, FV_ERROR_UNSUPPORTED, "%s: no way from layout %s to %s", v->node->path, fvi_layout_name(v->layout), fvi_layout_name(l));
    n->kernel_name = n->kernel->name;
    const made m = {l, &n->out[0], w->first_made.items[v->id]};
    if (!FVI_PUSH(&w->made, m) || !know_values(w)) return fvi_nomem(g->ctx);
    w->first_made.items[v->id] = w->made.count - 1;
    *out = &n->out[0];
    return push(w, n);
}

static fv_status visit(walk *w, fvi_node *n, const int *uses)
{
    if (fvi_node_is(n, "input")) {
        n->out[0].layout = FVI_PLAIN;
        return FV_OK;
    }
    if (n->var && n->n_out) {
        n->out[0].layout = var_layout(n->var);
        return FV_OK;
    }
    if (n->var) {                                       /* a write: wants the home */
        const fvi_layout home = var_layout(n->var);
        if (home == FVI_OPAQUE) want(w, n->var, n->in[0]->layout, n->var->role == FV_GRADIENT ? 3 : 1);
        else if (w->insert && n->in[0]->layout != home) return reordered(w, n->in[0], home, n->segment, &n->in[0]);
        return FV_OK;
    }
    fvi_query q;
    FVI_TRY(w->g->ctx, choose_kernel(w, n, &q, uses));
    fv_status status = FV_OK;
    for (int k = 0; k < n->n_in && status == FV_OK; k++) {
        const fvi_layout have = n->in[k]->layout, need = q.in_layout[k];
        if (have == FVI_OPAQUE && n->in[k]->node->var) want(w, n->in[k]->node->var, need, 2);
        else if (w->insert && have != need && need != FVI_OPAQUE)
            status = reordered(w, n->in[k], need, n->segment, &n->in[k]);
    }
    for (int k = 0; k < n->n_out; k++) n->out[k].layout = q.out_layout[k];
    fvi_query_close(&q);
    return status;
}

static fv_status walk_nodes(walk *w, bool insert)
{
    fv_graph *g = w->g;
    int *uses = fvi_graph_uses(g);
    w->first_made.count = 0;
    fv_status status = uses && know_values(w) ? FV_OK : fvi_nomem(g->ctx);
    w->insert = insert;
    for (int i = 0; i < g->nodes.count && status == FV_OK; i++) {
        status = visit(w, g->nodes.items[i], uses);
        if (status == FV_OK) status = push(w, g->nodes.items[i]);
    }
    for (int i = 0; insert && i < g->results.count && status == FV_OK; i++) {        /* results leave plain */
        fv_value **v = &g->results.items[i].value;
        if ((*v)->layout != FVI_PLAIN) status = reordered(w, *v, FVI_PLAIN, (*v)->node->segment, v);
    }
    fvi_free(uses);
    if (insert && status == FV_OK) {
        fvi_free(g->nodes.items);
        memcpy(&g->nodes, &w->out, sizeof g->nodes);
        memset(&w->out, 0, sizeof w->out);
    }
    w->out.count = 0;
    w->made.count = 0;
    return status;
}

static void fix_homes(const walk *w)
{
    for (int i = 0; i < w->g->nodes.count; i++) {
        fvi_var *v = w->g->nodes.items[i]->var;
        if (!v || v->home_fixed) continue;
        if (is_companion_like_base(v)) {
            if (!v->base->home_fixed) {
                v->base->home = w->wishes[v->base->index].priority ? w->wishes[v->base->index].layout : FVI_PLAIN;
                v->base->home_fixed = true;
            }
            v->home = v->base->home;
        } else v->home = v->type.rank < 2 || !w->wishes[v->index].priority ? FVI_PLAIN : w->wishes[v->index].layout;
        v->home_fixed = true;
    }
}

fv_status fvi_pass_layout(fv_graph *g, const fvi_compiler *c)
{
    walk w = {.g = g, .c = c, .wishes = fvi_calloc((size_t)g->store->vars.count + 1, sizeof *w.wishes)};
    fv_status status = w.wishes ? FV_OK : fvi_nomem(g->ctx);
    if (status == FV_OK) status = walk_nodes(&w, false);
    if (status == FV_OK) {
        fix_homes(&w);
        status = walk_nodes(&w, true);
    }
    fvi_free(w.wishes);
    fvi_free(w.made.items);
    fvi_free(w.first_made.items);
    fvi_free(w.out.items);
    return status;
}
