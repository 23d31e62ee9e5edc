/* SPDX-License-Identifier: Apache-2.0 */
/* What a kernel is asked about a node. Types and layouts of a few inputs stand in the query itself, of many in memory of
 * their own. */
#include "ir/kernel.h"

static fv_status make_room(fvi_query *q)
{
    const size_t n = (size_t)q->n_in;
    q->in = q->few.in;
    q->in_layout = q->few.layout;
    if (q->n_in <= FVI_FEW_IN) return FV_OK;
    if (!(q->in = fvi_malloc(n * (sizeof *q->in + sizeof *q->in_layout)))) return fvi_nomem(q->env->ctx);
    q->in_layout = (fvi_layout *)(void *)(q->in + n);
    return FV_OK;
}

fv_status fvi_query_open(fvi_query *q, const fvi_env *env, const fvi_node *node, bool decided)
{
    memset(q, 0, sizeof *q);
    q->env = env;
    q->node = node;
    q->n_in = node->n_in;
    q->n_out = node->n_out;
    FVI_TRY(env->ctx, make_room(q));
    for (int i = 0; i < node->n_in; i++) {
        q->in[i] = node->in[i]->type;
        q->in_layout[i] = node->in[i]->layout;
    }
    for (int i = 0; i < node->n_out; i++) {
        q->out[i] = node->out[i].type;
        q->out_layout[i] = decided ? node->out[i].layout : FVI_PLAIN;
        q->out_used[i] = true;
    }
    return FV_OK;
}

fv_status fvi_query_copy(fvi_query *q, const fvi_query *from)
{
    *q = *from;
    FVI_TRY(q->env->ctx, make_room(q));
    memcpy(q->in, from->in, sizeof *q->in * (size_t)q->n_in);
    memcpy(q->in_layout, from->in_layout, sizeof *q->in_layout * (size_t)q->n_in);
    return FV_OK;
}

void fvi_query_close(fvi_query *q)
{
    if (q->in != q->few.in) fvi_free(q->in);
    q->in = NULL;
}
