/* SPDX-License-Identifier: Apache-2.0 */
/* Recomputation (activation checkpointing; Chen et al. 2016, "Training deep nets with sublinear memory cost", with single
 * cheap ops as segments): a value that forward made and backward reads is made again there, from what is kept anyway, so
 * that its memory is free in between. Bits do not change: fvi_op.again promises that. */
#include "compile/compile.h"
#include "ir/op.h"

static bool backward_reads(const fv_graph *g, const fv_value *v)
{
    for (int i = 0; i < g->nodes.count; i++) {
        const fvi_node *n = g->nodes.items[i];
        for (int k = 0; k < n->n_in && !n->dead && n->origin; k++)
            if (n->in[k] == v) return true;
    }
    return false;
}

/* Alive in backward whether we read it there or not, or small beside what is saved. */
static bool kept(const fv_graph *g, const fv_value *v, const fv_value *saved)
{
    return v->node->var || v->node->op->kind == FVI_SOURCE || fvi_type_bytes(&v->type) * 16 <= fvi_type_bytes(&saved->type) || backward_reads(g, v);
}

static bool worth_it(const fv_graph *g, const fvi_node *n)
{
    bool yes = !n->dead && !n->origin && n->op->again && backward_reads(g, &n->out[0]);
    for (int k = 0; k < n->n_in && yes; k++) yes = kept(g, n->in[k], &n->out[0]);
    return yes;
}

static fv_status make_again(fv_graph *g, fvi_node *n)
{
    const int count = g->nodes.count;
    fv_value *out[FVI_MAX_OUT] = {NULL};
    fvi_expansion e = {g, n, n->in, out};
    int segment = -1;
    for (int i = 0; i < count; i++) {
        const fvi_node *user = g->nodes.items[i];
        for (int k = 0; k < user->n_in && !user->dead && user->origin; k++)
            if (user->in[k] == &n->out[0] && (segment < 0 || user->segment < segment)) segment = user->segment;
    }
    g->segment = segment;
    g->origin = n;                                      /* lends its path, and marks the new nodes as backward */
    const fv_status status = n->op->again(&e);
    g->origin = NULL;
    FVI_TRY(g->ctx, status);
    for (int i = 0; i < count; i++) {
        fvi_node *user = g->nodes.items[i];
        for (int k = 0; k < user->n_in && user->origin; k++)
            if (user->in[k] == &n->out[0]) user->in[k] = out[0];
    }
    return FV_OK;
}

/* From the last node to the first: what makes a value again may read values that are made again themselves. */
fv_status fvi_pass_recompute(fv_graph *g, const fvi_compiler *c)
{
    (void)c;
    const int segment = g->segment;
    fv_status status = FV_OK;
    for (int i = g->nodes.count - 1; i >= 0 && status == FV_OK; i--)
        if (worth_it(g, g->nodes.items[i])) status = make_again(g, g->nodes.items[i]);
    g->segment = segment;
    return status;
}
