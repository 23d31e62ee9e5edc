/* SPDX-License-Identifier: Apache-2.0 */
/* Walking a plan: refresh stale derived values, resolve addresses, call kernels. Nothing is allocated here. */
#include "ir/plan.h"

#include <math.h>

void *fvi_plan_address(const fvi_plan *p, const fvi_run *r, fvi_loc l)
{
    switch (l.kind) {
    case FVI_LOC_VAR: return (char *)p->graph->store->vars.items[l.index]->data + l.offset;
    case FVI_LOC_INPUT: return (char *)r->inputs[l.index] + l.offset;
    case FVI_LOC_SCRATCH: return r->scratch + l.offset;
    case FVI_LOC_SAVED: return r->saved + l.offset;
    case FVI_LOC_DERIVED: return (char *)p->derived.items[l.index].item->data + l.offset;
    case FVI_LOC_NONE: default: return NULL;
    }
}

static void addresses(const fvi_plan *p, const fvi_run *r, const fvi_instr *c, void **in, void **out)
{
    for (int k = 0; k < c->node->n_in; k++) in[k] = fvi_plan_address(p, r, c->in[k]);
    for (int k = 0; k < c->node->n_out; k++) out[k] = fvi_plan_address(p, r, c->out[k]);
    if (!c->node->n_out) out[0] = fvi_plan_address(p, r, c->out[0]);
}

static fv_status call(const fvi_plan *p, const fvi_run *r, const fvi_instr *c, const fvi_exec *x)
{
    void **in = p->call_in[0], **out = p->call_out[0];
    addresses(p, r, c, in, out);
    const fv_status status = c->kernel->run(c->state, in, out, c->scratch.kind ? r->scratch + c->scratch.offset : NULL, x);
    if (status != FV_OK) fvi_error_prefix(p->ctx, "%s (%s, kernel %s): ", c->node->path, c->node->op->name, c->kernel->name);
    return status;
}

static fv_status call_group(const fvi_plan *p, const fvi_run *r, const fvi_instr *c, const fvi_exec *x)
{
    for (int i = 0; i < c->group; i++) {
        addresses(p, r, c + i, p->call_in[i], p->call_out[i]);
        p->call_state[i] = c[i].state;
    }
    return c->kernel->run_group(c->group, p->call_state, (void *const *const *)p->call_in,
                                (void *const *const *)p->call_out, x);
}

/* A derived value is stale when one of its variables was written after it was made. */
static fv_status refresh(const fvi_plan *p, const fvi_run *r, const fvi_exec *x)
{
    for (int i = 0; i < p->derived.count; i++) {
        const fvi_derived *d = &p->derived.items[i];
        bool stale = d->item->stamp == 0;
        for (int k = 0; k < d->n_vars && !stale; k++) stale = d->vars[k]->version > d->item->stamp;
        if (!stale) continue;
        for (int k = 0; k < d->count; k++) FVI_TRY(p->ctx, call(p, r, &p->prologue.items[d->first + k], x));
        d->item->stamp = p->graph->store->clock;
    }
    return FV_OK;
}

static bool all_finite(const fv_value *v, const void *data)
{
    const int64_t n = fvi_layout_elements(v->layout, &v->type);
    int64_t bad = 0;
    if (v->type.dtype == FV_F32) for (int64_t i = 0; i < n; i++) bad += !isfinite(((const float *)data)[i]);
    else if (v->type.dtype == FV_F64) for (int64_t i = 0; i < n; i++) bad += !isfinite(((const double *)data)[i]);
    else if (v->type.dtype == FV_BF16) for (int64_t i = 0; i < n; i++) bad += (((const uint16_t *)data)[i] & 0x7f80) == 0x7f80;
    return !bad;
}

static void poison(const fv_value *v, void *data)
{
    if (v->type.dtype == FV_F32) *(float *)data = NAN;
    else if (v->type.dtype == FV_F64) *(double *)data = NAN;
    else if (v->type.dtype == FV_BF16) *(uint16_t *)data = 0x7fc0;
}

static fv_status inspect(const fvi_plan *p, fvi_run *r, const fvi_instr *c)
{
    for (int k = 0; k < c->node->n_out; k++) {
        void *data = fvi_plan_address(p, r, c->out[k]);
        if (!data) continue;
        if (c == p->poison && k == 0) poison(&c->node->out[k], data);
        if (r->check && !all_finite(&c->node->out[k], data)) {
            r->bad = c->node;
            return FV_ERROR_NUMERIC;
        }
    }
    return FV_OK;
}

fv_status fvi_plan_run(const fvi_plan *p, fvi_run *r, int segment)
{
    const fvi_exec x = {p->ctx, p->env.threads, r->comm, r->ragged_rows};
    const int begin = segment < 0 ? 0 : p->segment_begin[segment];
    const int end = segment < 0 ? p->code.count : p->segment_begin[segment + 1];
    if (segment <= 0) FVI_TRY(p->ctx, refresh(p, r, &x));
    for (int i = begin, group; i < end; i += group) {
        const fvi_instr *c = &p->code.items[i];
        group = c->group > 1 && !r->check && !r->seconds && !p->poison ? c->group : 1;
        const double start = r->seconds ? fvi_seconds() : 0;
        FVI_TRY(p->ctx, group > 1 ? call_group(p, r, c, &x) : call(p, r, c, &x));
        if (r->seconds) r->seconds[i] += fvi_seconds() - start;
        if (r->check || c == p->poison) {
            const fv_status status = inspect(p, r, c);
            if (status != FV_OK) return status;
        }
    }
    for (int i = 0; i < p->n_written; i++)
        if (segment < 0 || p->written_segment[i] == segment) fvi_var_touched(p->graph->store, p->written[i]);
    return FV_OK;
}
