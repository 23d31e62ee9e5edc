/* SPDX-License-Identifier: Apache-2.0 */
/* Small passes: expansion of composites, merging of equal nodes, hoisting of what depends on variables only. */
#include "compile/compile.h"
#include "compile/registry.h"

#include <stdlib.h>

bool fvi_served(const fvi_node *n, const fvi_compiler *c)
{
    bool served = false;
    const fvi_kernel *k = c->passes.kernels ? fvi_registry_next_kernel(n->op->name, NULL) : NULL;
    for (; k && !served; k = fvi_registry_next_kernel(n->op->name, k)) {
        fvi_query q;
        if (fvi_query_open(&q, &c->env, n, false) != FV_OK) return false;      /* no memory: fvi_compile notices */
        served = k->choose(&q);
        fvi_query_close(&q);
    }
    return served;
}

static bool unserved(const fvi_node *n, void *user)
{
    const fvi_compiler *c = user;
    return n->op->kind == FVI_COMPOSITE && !fvi_served(n, c) && (!n->op->ref || c->passes.kernels);
}

fv_status fvi_pass_expand(fv_graph *g, const fvi_compiler *c)
{
    fvi_compiler copy = *c;
    for (int round = 0; round < 4; round++) {          /* composites may hold composites */
        const int before = g->next_value;
        FVI_TRY(g->ctx, fvi_graph_expand(g, unserved, &copy));
        if (g->next_value == before) break;
    }
    return fvi_graph_sweep(g);
}

/* ---- equal nodes ---- */

static uint64_t node_hash(const fvi_node *n)
{
    uint64_t h = fvi_hash_text(n->op->name) + (uint64_t)n->segment;
    if (n->op->attrs) h = fvi_attr_hash(n->op->attrs, n->attr, h);
    for (int k = 0; k < n->n_in; k++) h = (h ^ (uint64_t)n->in[k]->id) * 1099511628211u;
    return h;
}

static bool node_equal(const fvi_node *a, const fvi_node *b)
{
    if (a->op != b->op || a->n_in != b->n_in || a->segment != b->segment || a->op->random || a->op->kind == FVI_EFFECT || a->var) return false;
    for (int k = 0; k < a->n_in; k++)
        if (a->in[k] != b->in[k]) return false;
    for (int k = 0; k < a->n_out; k++)
        if (!fvi_type_equal(&a->out[k].type, &b->out[k].type)) return false;
    return !a->op->attrs || fvi_attr_equal(a->op->attrs, a->attr, b->attr);
}

fv_status fvi_pass_cse(fv_graph *g)
{
    int size = 64;
    while (size < 2 * g->nodes.count) size *= 2;
    fvi_node **table = fvi_calloc((size_t)size, sizeof *table);
    if (!table) return fvi_nomem(g->ctx);
    for (int i = 0; i < g->nodes.count; i++) {
        fvi_node *n = g->nodes.items[i];
        int at = (int)(node_hash(n) & (uint64_t)(size - 1));
        while (table[at] && !node_equal(table[at], n)) at = (at + 1) & (size - 1);
        if (!table[at]) {
            table[at] = n;
            continue;
        }
        for (int k = 0; k < n->n_out; k++) fvi_graph_replace(g, &n->out[k], &table[at]->out[k]);
        n->dead = true;
    }
    fvi_free(table);
    return fvi_graph_sweep(g);
}

/* ---- hoisting ---- */

fv_status fvi_pass_hoist(fv_graph *g, const fvi_compiler *c)
{
    (void)c;
    for (int i = 0; i < g->store->vars.count; i++) g->store->vars.items[i]->note = 0;
    for (int i = 0; i < g->nodes.count; i++)
        if (g->nodes.items[i]->var && !g->nodes.items[i]->n_out) g->nodes.items[i]->var->note = 1;      /* written here */
    for (int i = 0; i < g->nodes.count; i++) {
        fvi_node *n = g->nodes.items[i];
        if (n->var) {                                  /* a read itself stays an address; `note` says whether users may hoist */
            n->note = n->n_out && !n->var->note && (n->var->role == FV_PARAMETER || n->var->role == FV_BUFFER || n->var->role == FV_EMA) ? n : NULL;
            n->hoisted = false;
            continue;
        }
        bool ok = n->op->kind != FVI_EFFECT && !n->op->random && !fvi_node_is(n, "input");
        for (int k = 0; k < n->n_in; k++) ok &= n->in[k]->node->note != NULL;
        n->hoisted = ok;
        n->note = ok ? n : NULL;
    }
    for (int i = 0; i < g->store->vars.count; i++) g->store->vars.items[i]->note = 0;
    return FV_OK;
}
