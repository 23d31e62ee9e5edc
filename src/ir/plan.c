/* SPDX-License-Identifier: Apache-2.0 */
/* From a lowered graph to a plan: who lives where (variables written in place, outputs that take over an input's
 * memory, liveness-packed scratch), which calls are made, which values are derived from variables only. */
#include "ir/plan.h"

#include "base/json.h"

typedef struct storage { fvi_interval span; bool saved; } storage;

typedef struct builder {
    fvi_plan *p;
    fv_graph *g;
    fvi_derived_store *store;
    bool in_flight;
    fvi_loc *loc;                      /* by value id */
    int *last;                         /* by value id: index of the last node that reads it, aliases included */
    int *of;                           /* by value id: storage number, -1 */
    uint64_t *key;                     /* by value id, of what depends on variables only: equal for equal expressions */
    fvi_var **target;                  /* by value id: variable that it is written to, in its own segment */
    int *read_last;                    /* by var index: last use of what was read from it, -1 */
    fvi_node **reads;                  /* by var index: its var_read */
    struct { storage *items; int count, capacity; } storages;
} builder;

static void *plan_array(fvi_plan *p, int n, size_t size)
{
    return fvi_arena_alloc(&p->arena, (size_t)FVI_MAX(n, 1) * size);
}

static size_t value_bytes(const fv_value *v)
{
    return fvi_layout_bytes(v->layout, &v->type);
}

/* `alias` ops hand the memory on, when it is plain on both sides. */
static bool is_alias(const fvi_node *n)
{
    return n->op->alias && n->in[0]->layout == n->out[0].layout && n->in[0]->type.dtype == n->out[0].type.dtype &&
           value_bytes(n->in[0]) == value_bytes(&n->out[0]);
}

/* ---- order and liveness ---- */

/* Writes go to the end of their segment: every read of the old value then stands before. */
static fv_status order_nodes(fv_graph *g)
{
    FVI_TRY(g->ctx, fvi_graph_sort(g));
    fvi_node **items = fvi_malloc(((size_t)g->nodes.count + 1) * sizeof *items);
    if (!items) return fvi_nomem(g->ctx);
    int n = 0;
    for (int begin = 0, end; begin < g->nodes.count; begin = end) {
        for (end = begin; end < g->nodes.count && g->nodes.items[end]->segment == g->nodes.items[begin]->segment; end++)
            if (!fvi_node_is(g->nodes.items[end], "var_write")) items[n++] = g->nodes.items[end];
        for (int i = begin; i < end; i++)
            if (fvi_node_is(g->nodes.items[i], "var_write")) items[n++] = g->nodes.items[i];
    }
    memcpy(g->nodes.items, items, (size_t)n * sizeof *items);
    fvi_free(items);
    for (int i = 0; i < n; i++) g->nodes.items[i]->id = i;
    return FV_OK;
}

static void liveness(builder *b)
{
    fv_graph *g = b->g;
    for (int i = 0; i < g->next_value; i++) b->last[i] = -1;
    for (int i = 0; i < g->results.count; i++) b->last[g->results.items[i].value->id] = g->nodes.count;
    for (int i = g->nodes.count - 1; i >= 0; i--) {
        const fvi_node *n = g->nodes.items[i];
        const int until = is_alias(n) ? FVI_MAX(i, b->last[n->out[0].id]) : i;
        for (int k = 0; k < n->n_in; k++) b->last[n->in[k]->id] = FVI_MAX(b->last[n->in[k]->id], k ? i : until);
        if (n->var && n->n_in) b->target[n->in[0]->id] = n->in[0]->node->segment == n->segment ? n->var : b->target[n->in[0]->id];
    }
    for (int i = 0; i < g->nodes.count; i++)
        if (g->nodes.items[i]->var && g->nodes.items[i]->n_out) {
            b->reads[g->nodes.items[i]->var->index] = g->nodes.items[i];
            b->read_last[g->nodes.items[i]->var->index] = b->last[g->nodes.items[i]->out[0].id];
        }
}

/* ---- places ---- */

static fv_status new_storage(builder *b, const fv_value *v, int first)
{
    storage s = {.span = {value_bytes(v), 0, first, b->last[v->id] < 0 ? first : b->last[v->id]}};
    if (b->in_flight && s.span.last > first) {
        const int end = FVI_MIN(s.span.last, b->g->nodes.count - 1);
        s.saved = b->g->nodes.items[end]->segment != b->g->nodes.items[first]->segment || s.span.last >= b->g->nodes.count;
    }
    if (!FVI_PUSH(&b->storages, s)) return fvi_nomem(b->g->ctx);
    b->of[v->id] = b->storages.count - 1;
    return FV_OK;
}

/* Can output `k` of node n be computed right into the variable that it is written to? */
static bool into_var(const builder *b, const fvi_node *n, int k, int at)
{
    const fvi_var *var = b->target[n->out[k].id];
    if (!var || var->home != n->out[k].layout || var->type.dtype != n->out[k].type.dtype) return false;
    const int until = b->read_last[var->index];
    if (until < at) return true;
    const int from = n->kernel->inplace[k] - 1;
    return until == at && from >= 0 && b->reads[var->index] && n->in[from] == &b->reads[var->index]->out[0];
}

static bool take_over(builder *b, const fvi_node *n, int k, int at)
{
    const int from = n->kernel->inplace[k] - 1;
    if (from < 0 || from >= n->n_in) return false;
    const fv_value *in = n->in[from], *out = &n->out[k];
    const int s = b->of[in->id];
    if (s < 0 || b->storages.items[s].span.last != at || in->layout != out->layout || value_bytes(in) != value_bytes(out)) return false;
    for (int i = 0; i < n->n_in; i++)                   /* the same memory read twice is not taken over */
        if (i != from && b->of[n->in[i]->id] == s) return false;
    if (b->in_flight) return false;                     /* segments would disagree on saved or scratch */
    b->of[out->id] = s;
    b->storages.items[s].span.last = FVI_MAX(at, b->last[out->id]);
    return true;
}

static fv_status place_outputs(builder *b, const fvi_node *n, int at)
{
    for (int k = 0; k < n->n_out; k++) {
        const fv_value *v = &n->out[k];
        if (b->last[v->id] < 0 && n->kernel->skips_unused) continue;
        if (into_var(b, n, k, at)) b->loc[v->id] = (fvi_loc){FVI_LOC_VAR, b->target[v->id]->index, 0};
        else if (!take_over(b, n, k, at)) FVI_TRY(b->g->ctx, new_storage(b, v, at));
    }
    return FV_OK;
}

static fv_status add_call(builder *b, const fvi_node *n, const fvi_kernel *kernel, fvi_instr *c, size_t *scratch)
{
    fvi_query q;
    memset(c, 0, sizeof *c);
    c->kernel = kernel;
    c->node = n;
    c->in = plan_array(b->p, n->n_in, sizeof *c->in);
    c->out = plan_array(b->p, n->n_out, sizeof *c->out);
    if (!c->in || !c->out) return fvi_nomem(b->g->ctx);
    *scratch = 0;
    FVI_TRY(b->g->ctx, fvi_query_open(&q, &b->p->env, n, true));
    for (int i = 0; i < n->n_out; i++) q.out_used[i] = b->last[n->out[i].id] >= 0;
    const fv_status status = kernel->prepare(&q, &c->state, scratch);
    fvi_query_close(&q);
    if (status != FV_OK) fvi_error_prefix(b->g->ctx, "%s (%s, kernel %s): ", n->path, n->op->name, kernel->name);
    return status;
}

/* Takes over the call's state, also when it fails. */
static fv_status append(builder *b, fvi_code *code, fvi_instr c)
{
    if (FVI_PUSH(code, c)) return FV_OK;
    if (c.kernel->destroy) c.kernel->destroy(c.state);
    return fvi_nomem(b->g->ctx);
}

/* ---- var_write that could not be done in place ---- */

static fv_status copy_prepare(const fvi_query *q, void **state, size_t *scratch)
{
    size_t *bytes = fvi_malloc(sizeof *bytes);
    if (!bytes) return fvi_nomem(q->env->ctx);
    *bytes = fvi_layout_bytes(q->in_layout[0], &q->in[0]);
    *state = bytes;
    *scratch = 0;
    return FV_OK;
}

static fv_status copy_run(void *state, void *const *in, void *const *out, void *scratch, const fvi_exec *x)
{
    (void)scratch, (void)x;
    memcpy(out[0], in[0], *(const size_t *)state);
    return FV_OK;
}

static const fvi_kernel copy_kernel = {.name = "store", .op = "var_write", .prepare = copy_prepare, .run = copy_run, .destroy = fvi_free};

static fv_status write_var(builder *b, const fvi_node *n, int at)
{
    const fvi_loc from = b->loc[n->in[0]->id];
    if (from.kind == FVI_LOC_VAR && from.index == n->var->index) return FV_OK;           /* done in place */
    if (b->read_last[n->var->index] > at)
        return fvi_fail(b->g->ctx, FV_ERROR_INTERNAL, "%s: its old value is used after it is written", n->var->name);
    fvi_instr c;
    size_t scratch;
    FVI_TRY(b->g->ctx, add_call(b, n, &copy_kernel, &c, &scratch));
    return append(b, &b->p->code, c);
}

/* ---- derived values ---- */

/* The keys of the inputs are known: nodes stand in order. */
static uint64_t derived_key(const builder *b, const fv_value *v)
{
    const fvi_node *n = v->node;
    uint64_t h = fvi_hash_text(n->op->name) ^ (uint64_t)v->index * 0x9e3779b97f4a7c15u;
    const int64_t shape[] = {v->type.dtype, v->layout, v->type.rank};
    h = fvi_hash64(shape, sizeof shape, h);
    h = fvi_hash64(v->type.dim, sizeof *v->type.dim * (size_t)v->type.rank, h);
    if (n->var) h = fvi_hash64(n->var->name, strlen(n->var->name), h);
    if (n->op->attrs) h = fvi_attr_hash(n->op->attrs, n->attr, h);
    for (int k = 0; k < n->n_in; k++) h = fvi_hash64(&b->key[n->in[k]->id], sizeof *b->key, h);
    return h;
}

static fv_status derived_item(builder *b, const fv_value *v, fvi_derived_item **out)
{
    const uint64_t key = b->key[v->id];
    for (int i = 0; i < b->store->list.count; i++)
        if (b->store->list.items[i]->key == key) {
            *out = b->store->list.items[i];
            return FV_OK;
        }
    fvi_derived_item *item = fvi_calloc(1, sizeof *item);
    if (!item) return fvi_nomem(b->g->ctx);
    item->key = key;
    item->bytes = value_bytes(v);
    item->data = fvi_malloc_aligned(item->bytes);
    if (!item->data || !FVI_PUSH(&b->store->list, item)) {
        fvi_free_aligned(item->data, item->bytes);
        fvi_free(item);
        return fvi_nomem(b->g->ctx);
    }
    *out = item;
    return FV_OK;
}

void fvi_derived_store_free(fvi_derived_store *d)
{
    for (int i = 0; i < d->list.count; i++) {
        fvi_free_aligned(d->list.items[i]->data, d->list.items[i]->bytes);
        fvi_free(d->list.items[i]);
    }
    fvi_free(d->list.items);
    d->list.items = NULL;
    d->list.count = d->list.capacity = 0;
}

/* Instructions of the hoisted nodes under `n`, inputs first; intermediates stand one behind the other in scratch. */
static fv_status derive(builder *b, const fvi_node *n, const fv_value *root, fvi_loc root_loc, fvi_derived *d, size_t *at)
{
    if (n->var) {
        for (int i = 0; i < d->n_vars; i++)
            if (d->vars[i] == n->var) return FV_OK;
        d->vars[d->n_vars++] = n->var;
        return FV_OK;
    }
    for (int i = d->first; i < b->p->prologue.count; i++)
        if (b->p->prologue.items[i].node == n) return FV_OK;
    for (int k = 0; k < n->n_in; k++) FVI_TRY(b->g->ctx, derive(b, n->in[k]->node, root, root_loc, d, at));
    fvi_instr c;
    size_t scratch;
    FVI_TRY(b->g->ctx, add_call(b, n, n->kernel, &c, &scratch));
    for (int k = 0; k < n->n_in; k++) c.in[k] = n->in[k]->node->var ? (fvi_loc){FVI_LOC_VAR, n->in[k]->node->var->index, 0} : b->loc[n->in[k]->id];
    for (int k = 0; k < n->n_out; k++) {
        if (&n->out[k] == root) c.out[k] = root_loc;
        else {
            c.out[k] = (fvi_loc){FVI_LOC_SCRATCH, 0, *at};
            *at += FVI_ALIGN_UP(value_bytes(&n->out[k]), FVI_ALIGNMENT);
        }
        b->loc[n->out[k].id] = c.out[k];
    }
    c.scratch = (fvi_loc){FVI_LOC_SCRATCH, 0, *at};
    *at += FVI_ALIGN_UP(scratch, FVI_ALIGNMENT);
    return append(b, &b->p->prologue, c);
}

static fv_status derived_roots(builder *b, size_t *scratch)
{
    fv_graph *g = b->g;
    bool *root = fvi_calloc((size_t)g->next_value + 1, 1);
    fvi_loc *final = fvi_calloc((size_t)g->next_value + 1, sizeof *final);
    fv_status status = root && final ? FV_OK : fvi_nomem(g->ctx);
    for (int i = 0; i < g->nodes.count && status == FV_OK; i++)
        for (int k = 0; k < g->nodes.items[i]->n_in; k++)
            if (!g->nodes.items[i]->hoisted && g->nodes.items[i]->in[k]->node->hoisted) root[g->nodes.items[i]->in[k]->id] = true;
    for (int i = 0; i < g->results.count && status == FV_OK; i++)
        if (g->results.items[i].value->node->hoisted) root[g->results.items[i].value->id] = true;
    for (int i = 0; i < g->nodes.count && status == FV_OK; i++)
        for (int k = 0; k < g->nodes.items[i]->n_out && status == FV_OK; k++) {
            fv_value *v = &g->nodes.items[i]->out[k];
            if (v->node->hoisted || v->node->var) b->key[v->id] = derived_key(b, v);
            if (!root[v->id] || !v->node->hoisted) continue;
            fvi_derived d = {.first = b->p->prologue.count, .vars = plan_array(b->p, g->nodes.count, sizeof *d.vars)};
            size_t at = 0;
            status = d.vars ? derived_item(b, v, &d.item) : fvi_nomem(g->ctx);
            const fvi_loc here = {FVI_LOC_DERIVED, b->p->derived.count, 0};
            if (status == FV_OK) status = derive(b, v->node, v, here, &d, &at);
            d.count = b->p->prologue.count - d.first;
            final[v->id] = here;
            if (status == FV_OK && !FVI_PUSH(&b->p->derived, d)) status = fvi_nomem(g->ctx);
            *scratch = FVI_MAX(*scratch, at);
        }
    for (int i = 0; i < g->next_value && status == FV_OK; i++)
        if (final[i].kind) b->loc[i] = final[i];
    fvi_free(root);
    fvi_free(final);
    return status;
}

/* ---- the whole ---- */

static fv_status need_memory(builder *b)
{
    fvi_var **vars = fvi_malloc(((size_t)b->g->nodes.count + 1) * sizeof *vars);
    if (!vars) return fvi_nomem(b->g->ctx);
    int n = 0;
    for (int i = 0; i < b->g->store->vars.count; i++) b->g->store->vars.items[i]->note = 0;
    for (int i = 0; i < b->g->nodes.count; i++) {
        fvi_var *v = b->g->nodes.items[i]->var;
        if (v && !v->note++) vars[n++] = v;
    }
    for (int i = 0; i < n; i++) vars[i]->note = 0;
    const fv_status status = fvi_store_materialise(b->g->store, vars, n);
    fvi_free(vars);
    return status;
}

static fv_status lay_out(builder *b)
{
    fv_graph *g = b->g;
    fvi_plan *p = b->p;
    fv_status status = FV_OK;
    for (int i = 0; i < g->nodes.count && status == FV_OK; i++) {
        const fvi_node *n = g->nodes.items[i];
        if (n->hoisted) continue;
        if (fvi_node_is(n, "input")) b->loc[n->out[0].id] = (fvi_loc){FVI_LOC_INPUT, n->slot, 0};
        else if (n->var && n->n_out) b->loc[n->out[0].id] = (fvi_loc){FVI_LOC_VAR, n->var->index, 0};
        else if (n->var) status = write_var(b, n, i);
        else if (is_alias(n)) {
            b->loc[n->out[0].id] = b->loc[n->in[0]->id];
            b->of[n->out[0].id] = b->of[n->in[0]->id];
        } else {
            fvi_instr c;
            size_t bytes = 0;
            status = add_call(b, n, n->kernel, &c, &bytes);
            if (status == FV_OK) status = append(b, &p->code, c);
            if (status == FV_OK) status = place_outputs(b, n, i);
            if (status == FV_OK && bytes) {                          /* scratch of the call: alive during it only */
                const storage s = {.span = {bytes, 0, i, i}};
                if (!FVI_PUSH(&b->storages, s)) status = fvi_nomem(g->ctx);
                p->code.items[p->code.count - 1].scratch = (fvi_loc){FVI_LOC_SCRATCH, b->storages.count - 1, 0};
            }
        }
    }
    return status;
}

static fv_status pack_storages(builder *b)
{
    fv_graph *g = b->g;
    const int n = b->storages.count;
    fvi_interval *spans = fvi_malloc(((size_t)n + 1) * sizeof *spans);
    if (!spans) return fvi_nomem(g->ctx);
    fv_status status = FV_OK;
    for (int pass = 0; pass < 2 && status == FV_OK; pass++) {
        for (int i = 0; i < n; i++) {
            spans[i] = b->storages.items[i].span;
            if (b->storages.items[i].saved != (pass == 1)) spans[i].bytes = 0;
        }
        status = fvi_pack(g->ctx, spans, n, pass ? &b->p->saved_bytes : &b->p->scratch_bytes);
        for (int i = 0; i < n; i++)
            if (b->storages.items[i].saved == (pass == 1)) b->storages.items[i].span.offset = spans[i].offset;
    }
    fvi_free(spans);
    for (int i = 0; i < g->nodes.count; i++)
        for (int k = 0; k < g->nodes.items[i]->n_out; k++) {
            const int id = g->nodes.items[i]->out[k].id, s = b->of[id];
            if (s < 0) continue;
            const storage *st = &b->storages.items[s];
            b->loc[id] = (fvi_loc){st->saved ? FVI_LOC_SAVED : FVI_LOC_SCRATCH, 0, st->span.offset};
        }
    return status;
}

/* Tables of pointers for one call, or for all calls of a group. */
static fv_status pointer_tables(fvi_plan *p)
{
    int most_in = 0, most_out = 1, most = 1;
    for (int i = 0; i < p->code.count + p->prologue.count; i++) {
        const fvi_instr *c = i < p->code.count ? &p->code.items[i] : &p->prologue.items[i - p->code.count];
        most = FVI_MAX(most, c->group);
        most_in = FVI_MAX(most_in, c->node->n_in);
        most_out = FVI_MAX(most_out, c->node->n_out);
    }
    p->call_in = plan_array(p, most, sizeof *p->call_in);
    p->call_out = plan_array(p, most, sizeof *p->call_out);
    p->call_state = plan_array(p, most, sizeof *p->call_state);
    if (!p->call_in || !p->call_out || !p->call_state) return fvi_nomem(p->ctx);
    for (int i = 0; i < most; i++) {
        p->call_in[i] = plan_array(p, most_in, sizeof **p->call_in);
        p->call_out[i] = plan_array(p, most_out, sizeof **p->call_out);
        if (!p->call_in[i] || !p->call_out[i]) return fvi_nomem(p->ctx);
    }
    return FV_OK;
}

/* Fills the addresses of the calls, the segments and the groups. */
static fv_status link_code(builder *b)
{
    fvi_plan *p = b->p;
    fv_graph *g = b->g;
    p->n_segments = g->nodes.count ? g->nodes.items[g->nodes.count - 1]->segment + 1 : 1;
    p->segment_begin = plan_array(p, p->n_segments + 1, sizeof *p->segment_begin);
    p->results = plan_array(p, g->results.count, sizeof *p->results);
    p->written = plan_array(p, g->nodes.count, sizeof *p->written);
    p->written_segment = plan_array(p, g->nodes.count, sizeof *p->written_segment);
    if (!p->segment_begin || !p->results || !p->written || !p->written_segment) return fvi_nomem(g->ctx);
    int segment = 0;
    for (int i = 0; i < p->code.count; i++) {
        fvi_instr *c = &p->code.items[i];
        while (segment < c->node->segment) p->segment_begin[++segment] = i;
        for (int k = 0; k < c->node->n_in; k++) c->in[k] = b->loc[c->node->in[k]->id];
        for (int k = 0; k < c->node->n_out; k++) c->out[k] = b->loc[c->node->out[k].id];
        if (c->kernel == &copy_kernel) c->out[0] = (fvi_loc){FVI_LOC_VAR, c->node->var->index, 0};
        if (c->scratch.kind) c->scratch.offset = b->storages.items[c->scratch.index].span.offset;
    }
    while (segment < p->n_segments) p->segment_begin[++segment] = p->code.count;
    for (int i = 0; i < g->results.count; i++) p->results[i] = b->loc[g->results.items[i].value->id];
    for (int i = 0; i < g->nodes.count; i++)
        if (g->nodes.items[i]->var && !g->nodes.items[i]->n_out) {
            p->written_segment[p->n_written] = g->nodes.items[i]->segment;
            p->written[p->n_written++] = g->nodes.items[i]->var;
        }
    for (int i = 0, run; i < p->code.count; i += run) {
        const fvi_instr *c = &p->code.items[i];
        for (run = 1; c->kernel->run_group && i + run < p->code.count && p->code.items[i + run].kernel == c->kernel &&
                      p->code.items[i + run].node->segment == c->node->segment; run++) {}
        p->code.items[i].group = run;
    }
    return pointer_tables(p);
}

static fv_status build(builder *b)
{
    fv_graph *g = b->g;
    FVI_TRY(g->ctx, order_nodes(g));
    const int values = g->next_value + 1, vars = g->store->vars.count + 1;
    b->loc = fvi_calloc((size_t)values, sizeof *b->loc);
    b->last = fvi_calloc((size_t)values, sizeof *b->last);
    b->of = fvi_calloc((size_t)values, sizeof *b->of);
    b->key = fvi_calloc((size_t)values, sizeof *b->key);
    b->target = fvi_calloc((size_t)values, sizeof *b->target);
    b->read_last = fvi_calloc((size_t)vars, sizeof *b->read_last);
    b->reads = fvi_calloc((size_t)vars, sizeof *b->reads);
    if (!b->loc || !b->last || !b->of || !b->key || !b->target || !b->read_last || !b->reads) return fvi_nomem(g->ctx);
    for (int i = 0; i < values; i++) b->of[i] = -1;
    for (int i = 0; i < vars; i++) b->read_last[i] = -1;
    FVI_TRY(g->ctx, need_memory(b));
    liveness(b);
    size_t prologue = 0;
    FVI_TRY(g->ctx, derived_roots(b, &prologue));
    FVI_TRY(g->ctx, lay_out(b));
    FVI_TRY(g->ctx, pack_storages(b));
    b->p->scratch_bytes = FVI_MAX(b->p->scratch_bytes, prologue);
    return link_code(b);
}

fv_status fvi_plan_create(fv_graph *graph, const fvi_env *env, fvi_derived_store *derived, bool in_flight, fvi_plan **out)
{
    fvi_plan *p = fvi_calloc(1, sizeof *p);
    if (!p) {
        fvi_graph_destroy(graph);
        return fvi_nomem(env->ctx);
    }
    p->ctx = env->ctx;
    p->graph = graph;
    p->env = *env;
    builder b = {.p = p, .g = graph, .store = derived, .in_flight = in_flight};
    const fv_status status = build(&b);
    fvi_free(b.loc);
    fvi_free(b.last);
    fvi_free(b.of);
    fvi_free(b.key);
    fvi_free(b.target);
    fvi_free(b.read_last);
    fvi_free(b.reads);
    fvi_free(b.storages.items);
    if (status == FV_OK) *out = p;
    else fvi_plan_destroy(p);
    return status;
}

void fvi_plan_destroy(fvi_plan *p)
{
    if (!p) return;
    for (int i = 0; i < p->code.count; i++)
        if (p->code.items[i].kernel->destroy) p->code.items[i].kernel->destroy(p->code.items[i].state);
    for (int i = 0; i < p->prologue.count; i++)
        if (p->prologue.items[i].kernel->destroy) p->prologue.items[i].kernel->destroy(p->prologue.items[i].state);
    fvi_free(p->code.items);
    fvi_free(p->prologue.items);
    fvi_free(p->derived.items);
    fvi_arena_free(&p->arena);
    fvi_graph_destroy(p->graph);
    fvi_free(p);
}

char *fvi_plan_text(const fvi_plan *p)
{
    fvi_text t = {0};
    char buf[FVI_TYPE_TEXT];
    fvi_text_add(&t, "%d calls, %d derived values, scratch %zu bytes, saved %zu bytes\n", p->code.count, p->derived.count, p->scratch_bytes, p->saved_bytes);
    for (int i = 0; i < p->code.count; i++) {
        const fvi_instr *c = &p->code.items[i];
        fvi_text_add(&t, "%4d %d %-28s %-44s %s", i, c->node->segment, c->node->op->name, c->node->path, c->kernel->describe ? c->kernel->describe(c->state) : c->kernel->name);
        for (int k = 0; k < c->node->n_out; k++) fvi_text_add(&t, " %s %s@%d+%zu", fvi_type_text(&c->node->out[k].type, buf), fvi_layout_name(c->node->out[k].layout), c->out[k].kind, c->out[k].offset);
        fvi_text_add(&t, "\n");
    }
    return fvi_text_take(&t);
}
