/* SPDX-License-Identifier: Apache-2.0 */
/* Fusion after autodiff: batch norm (+ residual add) + activation becomes one op, forward and backward. The gradient is
 * not written for the fused op: the pattern is matched in the backward nodes too; the oracle is what it replaces. */
#include "compile/compile.h"
#include "compile/registry.h"

#include "ops/batch_norm.h"
#include "ops/bn_act.h"

typedef struct pattern {
    fvi_node *bn, *add, *act;          /* forward; add may be NULL */
    fv_value *residual;
    int64_t kind;                      /* FVI_ACT_ */
    fvi_node *act_back, *bn_back;      /* backward; NULL when there is none */
} pattern;

/* The only forward node that reads v; NULL when there are more, or when it is a result. */
static fvi_node *single_user(const fv_graph *g, const fv_value *v)
{
    fvi_node *found = NULL;
    for (int i = 0; i < g->results.count; i++)
        if (g->results.items[i].value == v) return NULL;
    for (int i = 0; i < g->nodes.count; i++) {
        fvi_node *n = g->nodes.items[i];
        for (int k = 0; k < n->n_in && !n->dead && !n->origin; k++)
            if (n->in[k] == v) {
                if (found) return NULL;
                found = n;
            }
    }
    return found;
}

static int64_t act_kind(const fvi_node *n)
{
    return fvi_node_is(n, "relu") ? FVI_ACT_RELU : fvi_node_is(n, "silu") ? FVI_ACT_SILU : FVI_ACT_NONE;
}

static bool match_forward(const fv_graph *g, fvi_node *bn, pattern *p)
{
    *p = (pattern){.bn = bn};
    fvi_node *next = single_user(g, &bn->out[0]);
    const fv_value *before_act = &bn->out[0];
    if (next && fvi_node_is(next, "add") && fvi_type_equal(&next->in[0]->type, &next->in[1]->type)) {
        p->add = next;
        p->residual = next->in[next->in[0] == &bn->out[0]];
        before_act = &next->out[0];
        next = single_user(g, before_act);
    }
    if (!next || !(p->kind = act_kind(next))) return false;
    if (p->kind == FVI_ACT_SILU && p->add) return false;              /* silu cannot be inverted: no fused gradient */
    p->act = next;
    return true;
}

/* Gradient nodes that read the inside of the pattern must be the ones that we replace. */
static bool match_backward(const fv_graph *g, pattern *p)
{
    const fv_value *before_act = p->add ? &p->add->out[0] : &p->bn->out[0];
    const fv_value *key = p->kind == FVI_ACT_RELU ? &p->act->out[0] : before_act;
    const char *back = p->kind == FVI_ACT_RELU ? "relu_backward" : "silu_backward";
    for (int i = 0; i < g->nodes.count; i++) {
        fvi_node *n = g->nodes.items[i];
        if (n->dead || !n->origin) continue;
        if (fvi_node_is(n, back) && n->in[1] == key) {
            if (p->act_back) return false;
            p->act_back = n;
        } else if (fvi_node_is(n, "batch_norm_train_backward") && n->in[2] == &p->bn->out[1]) {
            if (p->bn_back) return false;
            p->bn_back = n;
        } else
            for (int k = 0; k < n->n_in; k++)
                if (n->in[k] == &p->bn->out[0] || n->in[k] == before_act) return false;
    }
    if (!p->act_back && !p->bn_back) return true;
    return p->act_back && p->bn_back && p->bn_back->in[0] == &p->act_back->out[0];
}

static fvi_node *add_node(fv_graph *g, const char *op, const void *attr, int n_in, fv_value **in, const fvi_node *like)
{
    g->origin = like;
    g->segment = like->segment;
    fvi_node *n = fvi_node_add(g, fvi_registry_find_op(op), attr, n_in, in);
    g->origin = NULL;
    if (n) n->origin = like->origin;
    return n;
}

static bool fuse_forward(fv_graph *g, const fvi_compiler *c, const pattern *p, fvi_node **out)
{
    const fvi_bn_act_train_attr attr = {((const fvi_batch_norm_attr *)p->bn->attr)->eps, p->kind};
    fv_value *in[4] = {p->bn->in[0], p->bn->in[1], p->bn->in[2], p->residual};
    fvi_node *n = add_node(g, "bn_act_train", &attr, p->residual ? 4 : 3, in, p->bn);
    if (!n) return false;
    n->segment = p->act->segment;
    if (!fvi_served(n, c)) {
        n->dead = true;
        return false;
    }
    fvi_graph_replace(g, &p->act->out[0], &n->out[0]);
    for (int k = 1; k < 4; k++) fvi_graph_replace(g, &p->bn->out[k], &n->out[k]);
    p->bn->dead = p->act->dead = true;
    if (p->add) p->add->dead = true;
    *out = n;
    return true;
}

static void fuse_backward(fv_graph *g, const pattern *p, const fvi_node *forward, const int *uses)
{
    fv_value *dy = p->act_back->in[0], *dy2 = NULL;
    /* dy = d1 + d2 made only for us: summed inside instead. */
    fvi_node *sum = fvi_node_is(dy->node, "add") && uses[dy->id] == 1 && fvi_type_equal(&dy->node->in[0]->type, &dy->node->in[1]->type) &&
                    dy->node->segment == p->act_back->segment ? dy->node : NULL;
    if (sum) {
        dy = sum->in[0];
        dy2 = sum->in[1];
    }
    const bool residual = uses[p->act_back->out[0].id] > 1;
    const fvi_bn_act_train_backward_attr attr = {((const fvi_batch_norm_attr *)p->bn->attr)->eps, p->kind, dy2 != NULL, residual};
    fv_value *in[8] = {dy, (fv_value *)(uintptr_t)&forward->out[0], p->bn->in[0], (fv_value *)(uintptr_t)&forward->out[1],
                       (fv_value *)(uintptr_t)&forward->out[2], p->bn->in[1], p->bn->in[2], dy2};
    fvi_node *n = add_node(g, "bn_act_train_backward", &attr, dy2 ? 8 : 7, in, p->bn_back);
    if (!n) return;
    for (int k = 0; k < 3; k++) fvi_graph_replace(g, &p->bn_back->out[k], &n->out[k]);
    p->bn_back->dead = true;
    if (residual) fvi_graph_replace(g, &p->act_back->out[0], &n->out[3]);
    p->act_back->dead = true;
    if (sum) sum->dead = true;
}

fv_status fvi_pass_fuse(fv_graph *g, const fvi_compiler *c)
{
    const int count = g->nodes.count;
    for (int i = 0; i < count && g->status == FV_OK; i++) {
        fvi_node *bn = g->nodes.items[i], *forward;
        pattern p;
        if (bn->dead || !fvi_node_is(bn, "batch_norm_train")) continue;
        if (!match_forward(g, bn, &p) || !match_backward(g, &p)) continue;
        int *uses = fvi_graph_uses(g);
        if (!uses) return fvi_nomem(g->ctx);
        if (fuse_forward(g, c, &p, &forward) && p.bn_back) fuse_backward(g, &p, forward, uses);
        fvi_free(uses);
    }
    if (g->status != FV_OK) return g->status;
    FVI_TRY(g->ctx, fvi_graph_sweep(g));
    return fvi_graph_sort(g);
}
