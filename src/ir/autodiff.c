/* SPDX-License-Identifier: Apache-2.0 */
/* Reverse-mode differentiation on the graph: walks nodes backwards and lets each op add the nodes of its gradient
 * (Griewank and Walther, Evaluating Derivatives, section 3.2). Composites without a gradient of their own are expanded
 * first. Contributions are summed in a fixed order: later uses first. */
#include "ir/graph.h"

typedef struct tape {
    fv_graph *g;
    bool *depends;                     /* by value id: reachable from a wrt */
    fv_value **grad;                   /* by value id */
    int values;                        /* ids below this are forward values */
} tape;

static bool lacks_gradient(const fvi_node *n, void *user)
{
    (void)user;
    return n->op->kind == FVI_COMPOSITE && !n->op->grad;
}

static void add_to(tape *t, fv_value *v, fv_value *grad)
{
    if (!grad || t->g->status != FV_OK) return;
    char a[FVI_TYPE_TEXT], b[FVI_TYPE_TEXT];
    if (!fvi_type_same_shape(&v->type, &grad->type)) {
        fv_graph_fail(t->g, FV_ERROR_INTERNAL, "gradient %s of a value %s of %s (%s)", fvi_type_text(&grad->type, a),
                      fvi_type_text(&v->type, b), v->node->path, v->node->op->name);
        return;
    }
    /* A gradient of full precision for a value that was cast down is kept: the cast's own gradient would widen it again. */
    const bool through_cast = fvi_node_is(v->node, "cast") && v->node->in[0]->type.dtype == grad->type.dtype;
    if (grad->type.dtype != v->type.dtype && !through_cast) grad = fvi_emit_cast(t->g, grad, v->type.dtype);
    fv_value **slot = &t->grad[v->id];
    *slot = *slot ? fvi_emit(t->g, "add", NULL, 2, *slot, grad) : grad;
}

static fv_status step(tape *t, fvi_node *n)
{
    fv_value *dout[FVI_MAX_OUT] = {NULL}, *few[FVI_FEW_IN] = {NULL}, **din = FVI_ROOM(&t->g->arena, few, n->n_in);
    bool few_needs[FVI_FEW_IN], *need = FVI_ROOM(&t->g->arena, few_needs, n->n_in), any_out = false, any_in = false;
    if (!din || !need) return fvi_nomem(t->g->ctx);
    for (int k = 0; k < n->n_out; k++) any_out |= (dout[k] = t->grad[n->out[k].id]) != NULL;
    for (int k = 0; k < n->n_in; k++)
        any_in |= need[k] = n->in[k]->id < t->values && t->depends[n->in[k]->id] && fv_dtype_is_float(n->in[k]->type.dtype);
    if (!any_out || !any_in) return FV_OK;
    if (!n->op->grad) {                                 /* discrete: nothing flows, by its written reason */
        if (n->op->kind == FVI_PRIMITIVE || n->op->kind == FVI_COMPOSITE)
            fv_graph_fail(t->g, FV_ERROR_UNSUPPORTED, "no gradient through %s (%s): %s", n->path, n->op->name, n->op->no_grad);
        return t->g->status;
    }
    fv_value *outs[FVI_MAX_OUT];
    for (int k = 0; k < n->n_out; k++) outs[k] = &n->out[k];
    fvi_gradient c = {t->g, n, n->in, outs, dout, din, need};
    FVI_TRY(t->g->ctx, n->op->grad(&c));
    if (t->g->status != FV_OK) return t->g->status;
    for (int k = 0; k < n->n_in; k++)
        if (need[k]) add_to(t, n->in[k], din[k]);
    return t->g->status;
}

static void mark_depends(tape *t, int n_wrt, fv_value *const *wrt)
{
    for (int i = 0; i < n_wrt; i++) t->depends[fvi_value_now(wrt[i])->id] = true;
    for (int i = 0; i < t->g->nodes.count; i++) {
        fvi_node *n = t->g->nodes.items[i];
        bool from = false;
        for (int k = 0; k < n->n_in && !n->dead; k++) from |= t->depends[n->in[k]->id];
        for (int k = 0; k < n->n_out && from; k++) t->depends[n->out[k].id] = true;
    }
}

static fv_status seed(tape *t, int n, fv_value *const *losses, fv_value *const *seeds)
{
    for (int i = 0; i < n; i++) {
        fv_value *loss = fvi_value_now(losses[i]);
        char a[FVI_TYPE_TEXT];
        if (!loss || (loss->type.rank && !(seeds && seeds[i]))) {
            fv_graph_fail(t->g, FV_ERROR_SHAPE, "a loss must be a scalar, not %s (sum it, or give a seed)", loss ? fvi_type_text(&loss->type, a) : "missing");
            return t->g->status;
        }
        fv_value *s = seeds && seeds[i] ? fvi_value_now(seeds[i]) : fv_const(t->g, 1);
        add_to(t, loss, s);
    }
    return t->g->status;
}

static fv_status walk(tape *t, int nodes, int last)
{
    fv_graph *g = t->g;
    for (int i = nodes - 1; i >= 0 && g->status == FV_OK; i--) {
        fvi_node *n = g->nodes.items[i];
        if (n->dead) continue;
        bool wanted = false;
        for (int k = 0; k < n->n_out; k++) wanted |= n->out[k].id < t->values && t->depends[n->out[k].id] && t->grad[n->out[k].id];
        if (!wanted) continue;
        g->origin = n;
        g->segment = FVI_MAX(g->segment, 2 * last - n->segment);
        FVI_TRY(g->ctx, step(t, n));
    }
    return g->status;
}

fv_status fv_grad(fv_graph *g, int n_losses, fv_value *const *losses, fv_value *const *seeds, int n_wrt, fv_value *const *wrt, fv_value **grads)
{
    for (int i = 0; i < n_wrt; i++) {
        grads[i] = NULL;
        if (!wrt[i]) fv_graph_fail(g, FV_ERROR_INVALID, "gradient with respect to a missing value");
    }
    if (g->status != FV_OK) return g->status;
    fv_status status = fvi_graph_expand(g, lacks_gradient, NULL);
    if (status != FV_OK) return g->status = status;
    const fvi_node *origin = g->origin;
    const int last = g->segment, nodes = g->nodes.count;
    tape t = {.g = g, .values = g->next_value};
    /* Seeds and nested gradients add values behind t.values; the arrays cover only forward values. */
    t.depends = fvi_calloc((size_t)t.values + 1, sizeof *t.depends);
    t.grad = fvi_calloc((size_t)t.values + 1, sizeof *t.grad);
    status = t.depends && t.grad ? FV_OK : fvi_nomem(g->ctx);
    if (status == FV_OK) {
        mark_depends(&t, n_wrt, wrt);
        status = seed(&t, n_losses, losses, seeds);
    }
    if (status == FV_OK) status = walk(&t, nodes, last);
    if (status == FV_OK)
        for (int i = 0; i < n_wrt; i++) {
            const fv_value *w = fvi_value_now(wrt[i]);
            grads[i] = t.grad[w->id];
            if (grads[i] && grads[i]->type.dtype != w->type.dtype) grads[i] = fvi_emit_cast(g, grads[i], w->type.dtype);
        }
    g->origin = origin;
    g->segment = 2 * last;
    fvi_free(t.depends);
    fvi_free(t.grad);
    if (status != FV_OK && g->status == FV_OK) g->status = status;
    return g->status;
}
