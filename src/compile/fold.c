/* SPDX-License-Identifier: Apache-2.0 */
/* Inference: conv2d + batch_norm_eval (+ add) (+ activation) becomes one convolution with folded weights,
 * w' = w s, b' = shift - mean s (+ b s), s = scale / sqrt(var + eps). The folded weights depend on variables only, so
 * they are computed once. */
#include "compile/compile.h"
#include "compile/registry.h"

#include "ops/batch_norm.h"
#include "ops/conv2d_act.h"

static fvi_node *only_user(const fv_graph *g, const fv_value *v)
{
    fvi_node *found = NULL;
    for (int i = 0; i < g->results.count; i++)
        if (g->results.items[i].value == v) return NULL;
    for (int i = 0; i < g->nodes.count; i++) {
        fvi_node *n = g->nodes.items[i];
        for (int k = 0; k < n->n_in && !n->dead; k++)
            if (n->in[k] == v) {
                if (found) return NULL;
                found = n;
            }
    }
    return found;
}

static bool variable(const fv_value *v)
{
    return v->node->var && v->node->var->role != FV_SCALAR;
}

/* The parameter under a cast; NULL when v is neither. */
static fv_value *uncast(fv_value *v)
{
    if (variable(v)) return v;
    return fvi_node_is(v->node, "cast") && variable(v->node->in[0]) ? v->node->in[0] : NULL;
}

static fv_value *folded_weights(fv_graph *g, fv_value *w, fv_value *s, fv_dtype dtype)
{
    const int64_t dims[4] = {w->type.dim[0], 1, 1, 1};
    return fv_cast(g, fv_mul(g, w, fv_reshape(g, s, 4, dims)), dtype);
}

static fvi_node *fold(fv_graph *g, fvi_node *conv, fvi_node *bn, fvi_node *add, fvi_node *act, fv_value *residual)
{
    const double eps = ((const fvi_batch_norm_attr *)bn->attr)->eps;
    const fv_dtype dtype = conv->in[1]->type.dtype;
    fv_value *w = uncast(conv->in[1]), *b = conv->n_in > 2 ? uncast(conv->in[2]) : NULL;
    g->origin = conv;
    g->segment = conv->segment;
    fv_value *s = fv_mul(g, bn->in[1], fvi_emit(g, "rsqrt", NULL, 1, fv_offset(g, bn->in[4], eps)));
    fv_value *shift = fv_sub(g, bn->in[2], fv_mul(g, bn->in[3], s));
    if (b) shift = fv_add(g, shift, fv_mul(g, b, s));
    fvi_conv2d_act_attr attr;
    memset(&attr, 0, sizeof attr);
    attr.conv = *(const fvi_conv2d_attr *)conv->attr;
    attr.act = !act ? FVI_ACT_NONE : fvi_node_is(act, "relu") ? FVI_ACT_RELU : FVI_ACT_SILU;
    fv_value *in[4] = {conv->in[0], folded_weights(g, w, s, dtype), fv_cast(g, shift, dtype), residual};
    g->segment = (act ? act : add ? add : bn)->segment;
    fvi_node *n = in[1] && in[2] ? fvi_node_add(g, fvi_registry_find_op("conv2d_act"), &attr, residual ? 4 : 3, in) : NULL;
    g->origin = NULL;
    if (n) n->origin = NULL;
    return n;
}

static void kill(fvi_node *n)
{
    if (n) n->dead = true;
}

static void try_fold(fv_graph *g, const fvi_compiler *c, fvi_node *conv)
{
    fvi_node *bn = only_user(g, &conv->out[0]);
    if (!bn || !fvi_node_is(bn, "batch_norm_eval") || bn->in[0] != &conv->out[0] || !uncast(conv->in[1])) return;
    if (conv->n_in > 2 && !uncast(conv->in[2])) return;
    for (int k = 1; k < 5; k++)
        if (!variable(bn->in[k])) return;
    fvi_node *add = NULL, *act = NULL, *next = only_user(g, &bn->out[0]);
    fv_value *residual = NULL, *last = &bn->out[0];
    if (next && fvi_node_is(next, "add") && fvi_type_equal(&next->in[0]->type, &next->in[1]->type)) {
        add = next;
        residual = add->in[add->in[0] == &bn->out[0]];
        last = &add->out[0];
        next = only_user(g, last);
    }
    if (next && (fvi_node_is(next, "relu") || fvi_node_is(next, "silu"))) {
        act = next;
        last = &act->out[0];
    }
    fvi_node *n = fold(g, conv, bn, add, act, residual);
    if (!n) return;
    if (!fvi_served(n, c) || !fvi_type_equal(&n->out[0].type, &last->type)) {
        n->dead = true;
        return;
    }
    fvi_graph_replace(g, last, &n->out[0]);
    kill(bn);
    kill(add);
    kill(act);
    kill(conv);
}

fv_status fvi_pass_fold(fv_graph *g, const fvi_compiler *c)
{
    if (g->training || !c->passes.hoist) return FV_OK;
    const int count = g->nodes.count;
    for (int i = 0; i < count && g->status == FV_OK; i++)
        if (!g->nodes.items[i]->dead && fvi_node_is(g->nodes.items[i], "conv2d")) try_fold(g, c, g->nodes.items[i]);
    if (g->status != FV_OK) return g->status;
    FVI_TRY(g->ctx, fvi_graph_sweep(g));
    return fvi_graph_sort(g);
}
