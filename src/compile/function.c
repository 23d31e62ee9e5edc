/* SPDX-License-Identifier: Apache-2.0 */
/* Functions: a builder, the graphs it made (by key), the plans compiled from them (by key and batch size, the least
 * recently used is dropped), and calls. */
#include "compile/session.h"
#include "compile/registry.h"

#include <stdio.h>

enum { MAX_INPUTS = 32 };

typedef struct built { uint64_t key; fv_graph *graph; } built;
typedef struct entry { uint64_t key; int64_t batch; fvi_plan *plan; uint64_t used; fvi_block saved[8]; } entry;

struct fv_function {
    fv_session *s;
    fvi_arena arena;
    const char *name;
    fv_input_spec *inputs;
    int n_inputs;
    fv_build_fn *build;
    void *user;
    fv_function_options options;
    struct { const char **items; int count, capacity; } gradients_below;      /* of its graphs: known once one is built */
    struct { built *items; int count, capacity; } graphs;
    struct { entry *items; int count, capacity; } plans;
    struct { const char **items; int count, capacity; } names;       /* of results: graphs come and go */
    uint64_t clock;
    char bad[512];
    /* of the micro-batch under way, by slot */
    void *bound[8][MAX_INPUTS];
    int64_t rows[8][MAX_INPUTS];
};

fv_status fv_function_create(fv_session *s, const char *name, const fv_input_spec *inputs, int n_inputs, fv_build_fn *build, void *user,
                             const fv_function_options *options, fv_function **out)
{
    if (n_inputs > MAX_INPUTS) return fvi_fail(s->ctx, FV_ERROR_INVALID, "%s: at most %d inputs", name, MAX_INPUTS);
    fv_function *f = fvi_calloc(1, sizeof *f);
    if (!f) return fvi_nomem(s->ctx);
    f->s = s;
    f->build = build;
    f->user = user;
    if (options) f->options = *options;
    if (!f->options.cache) f->options.cache = 8;
    f->n_inputs = n_inputs;
    f->name = fvi_arena_strdup(&f->arena, name);
    f->inputs = fvi_arena_alloc(&f->arena, sizeof *inputs * (size_t)FVI_MAX(n_inputs, 1));
    bool ok = f->name && f->inputs;
    for (int i = 0; i < n_inputs && ok; i++) {
        f->inputs[i] = inputs[i];
        ok = (f->inputs[i].name = fvi_arena_strdup(&f->arena, inputs[i].name)) != NULL;
    }
    if (!ok) {
        fv_function_destroy(f);
        return fvi_nomem(s->ctx);
    }
    *out = f;
    return FV_OK;
}

static void drop_plan(fv_function *f, int i)
{
    entry *e = &f->plans.items[i];
    for (int k = 0; k < FVI_COUNT(e->saved); k++) {
        f->s->saved_bytes -= (int64_t)e->saved[k].bytes;
        fvi_free_aligned(e->saved[k].data, e->saved[k].bytes);
    }
    fvi_plan_destroy(e->plan);
    f->plans.items[i] = f->plans.items[--f->plans.count];
}

void fv_function_destroy(fv_function *f)
{
    if (!f) return;
    while (f->plans.count) drop_plan(f, f->plans.count - 1);
    for (int i = 0; i < f->graphs.count; i++) fvi_graph_destroy(f->graphs.items[i].graph);
    fvi_free(f->plans.items);
    fvi_free(f->graphs.items);
    fvi_free(f->names.items);
    fvi_free(f->gradients_below.items);
    fvi_arena_free(&f->arena);
    fvi_free(f);
}

/* ---- keys ---- */

static fv_status bad_input(fv_function *f, int i, const fv_tensor *t, const char *why)
{
    const fv_input_spec *s = &f->inputs[i];
    const fvi_type want = fvi_type_make(s->dtype, s->rank, s->dims), got = fvi_type_make(t->dtype, t->rank, t->dims);
    char a[FVI_TYPE_TEXT], b[FVI_TYPE_TEXT];
    return fvi_fail(f->s->ctx, FV_ERROR_SHAPE, "%s: input '%s' takes %s, got %s%s", f->name, s->name, fvi_type_text(&want, a), fvi_type_text(&got, b), why);
}

/* Types of the inputs with N, and N itself; 1 when no input has it. */
static fv_status bind_inputs(fv_function *f, const fv_tensor *in, int n_in, fvi_type *types, int64_t *batch)
{
    if (n_in != f->n_inputs) return fvi_fail(f->s->ctx, FV_ERROR_INVALID, "%s takes %d inputs, got %d", f->name, f->n_inputs, n_in);
    *batch = 0;
    for (int i = 0; i < n_in; i++) {
        const fv_input_spec *s = &f->inputs[i];
        if (in[i].dtype != s->dtype || in[i].rank != s->rank) return bad_input(f, i, &in[i], "");
        types[i] = fvi_type_make(s->dtype, s->rank, s->dims);
        for (int d = 0; d < s->rank; d++) {
            const int64_t want = s->dims[d], got = in[i].dims[d];
            if (got < 0) return bad_input(f, i, &in[i], ": negative dimension");
            if (want == FV_RAGGED) continue;
            if (want == FV_ANY) types[i].dim[d] = got;
            else if (fvi_dim_symbolic(want)) {
                if (got % -want || got == 0) return bad_input(f, i, &in[i], "");
                if (*batch && *batch != got / -want) return bad_input(f, i, &in[i], ": batch sizes of the inputs differ");
                *batch = got / -want;
            } else if (want != got) return bad_input(f, i, &in[i], "");
        }
    }
    if (!*batch) *batch = 1;
    return FV_OK;
}

static uint64_t key_of(const fv_function *f, const fvi_type *types)
{
    uint64_t h = fvi_store_trainable_hash(f->s->store) ^ f->s->adapters * 0x9e3779b97f4a7c15u;
    for (int i = 0; i < f->gradients_below.count; i++) h = h * 31 ^ fvi_store_gradient_hash(f->s->store, f->gradients_below.items[i]);
    for (int i = 0; i < f->n_inputs; i++) h = fvi_hash64(types[i].dim, sizeof *types[i].dim * (size_t)types[i].rank, h);
    return h;
}

/* ---- graphs and plans ---- */

static fv_status keep_gradient_paths(fv_function *f, const fv_graph *g)
{
    for (int i = 0; i < g->gradients_below.count; i++) {
        bool known = false;
        for (int k = 0; k < f->gradients_below.count; k++) known = known || !strcmp(f->gradients_below.items[k], g->gradients_below.items[i]);
        if (known) continue;
        const char *path = fvi_arena_strdup(&f->arena, g->gradients_below.items[i]);
        if (!path || !FVI_PUSH(&f->gradients_below, path)) return fvi_nomem(f->s->ctx);
    }
    return FV_OK;
}

static fv_status build_graph(fv_function *f, const fvi_type *types, fv_graph **out)
{
    fv_session *s = f->s;
    fv_graph *g = NULL;
    fv_value *in[MAX_INPUTS];
    FVI_TRY(s->ctx, fvi_graph_create(s->ctx, &fvi_registry_table, s->store, s->store->dtype, &g));
    g->training = f->options.training;
    g->amp = s->amp;
    g->user = s;
    for (int i = 0; i < f->n_inputs; i++) in[i] = fvi_input(g, f->inputs[i].name, &types[i]);
    fv_status status = g->status;
    if (status == FV_OK) status = f->build(g, in, f->n_inputs, f->user);
    if (g->status != FV_OK) status = g->status;
    if (status == FV_OK) status = fvi_graph_sweep(g);
    if (status == FV_OK) status = keep_gradient_paths(f, g);
    if (status == FV_OK) {
        *out = g;
    } else {
        if (!*fv_error_text(s->ctx)) status = fvi_fail(s->ctx, status, "the builder failed without a message");
        fvi_error_prefix(s->ctx, "%s: ", f->name);
        fvi_graph_destroy(g);
    }
    return status;
}

fv_status fvi_function_graph(fv_function *f, const fv_tensor *in, int n_in, fv_session **s, fv_graph **out)
{
    fvi_type types[MAX_INPUTS];
    int64_t batch;
    const bool amp = f->s->amp;
    *s = f->s;
    FVI_TRY(f->s->ctx, bind_inputs(f, in, n_in, types, &batch));
    f->s->amp = false;
    const fv_status status = build_graph(f, types, out);
    f->s->amp = amp;
    return status;
}

const char *fvi_function_name(const fv_function *f)
{
    return f->name;
}

static fv_status graph_for(fv_function *f, uint64_t key, const fvi_type *types, fv_graph **out)
{
    for (int i = 0; i < f->graphs.count; i++)
        if (f->graphs.items[i].key == key) {
            *out = f->graphs.items[i].graph;
            return FV_OK;
        }
    built b = {key, NULL};
    FVI_TRY(f->s->ctx, build_graph(f, types, &b.graph));
    if (f->graphs.count >= 16) {
        fvi_graph_destroy(f->graphs.items[0].graph);
        memmove(f->graphs.items, f->graphs.items + 1, sizeof b * (size_t)--f->graphs.count);
    }
    if (!FVI_PUSH(&f->graphs, b)) {
        fvi_graph_destroy(b.graph);
        return fvi_nomem(f->s->ctx);
    }
    *out = b.graph;
    return FV_OK;
}

static fv_status plan_for(fv_function *f, uint64_t key, int64_t batch, const fvi_type *types, entry **out)
{
    fv_session *s = f->s;
    for (int i = 0; i < f->plans.count; i++)
        if (f->plans.items[i].key == key && f->plans.items[i].batch == batch) {
            *out = &f->plans.items[i];
            (*out)->used = ++f->clock;
            return FV_OK;
        }
    fv_graph *graph = NULL;
    FVI_TRY(s->ctx, graph_for(f, key, types, &graph));
    fvi_compiler c = s->compiler;
    c.env.training = f->options.training;
    entry e = {.key = key, .batch = batch, .used = ++f->clock};
    FVI_TRY(s->ctx, fvi_compile(&c, graph, batch, f->options.in_flight, &e.plan));
    if (f->plans.count >= f->options.cache) {
        int oldest = 0;
        for (int i = 1; i < f->plans.count; i++)
            if (f->plans.items[i].used < f->plans.items[oldest].used) oldest = i;
        drop_plan(f, oldest);
    }
    fv_status status = fvi_session_scratch(s, e.plan->scratch_bytes);
    if (status == FV_OK && !FVI_PUSH(&f->plans, e)) status = fvi_nomem(s->ctx);
    if (status != FV_OK) {
        fvi_plan_destroy(e.plan);
        return status;
    }
    *out = &f->plans.items[f->plans.count - 1];
    return FV_OK;
}

static fv_status find_plan(fv_function *f, const fv_tensor *in, int n_in, entry **out)
{
    fvi_type types[MAX_INPUTS];
    int64_t batch;
    FVI_TRY(f->s->ctx, bind_inputs(f, in, n_in, types, &batch));
    const uint64_t key = key_of(f, types);
    FVI_TRY(f->s->ctx, plan_for(f, key, batch, types, out));
    /* Building may have made parameters; the key of the next call must find this plan again. */
    (*out)->key = key_of(f, types);
    for (int i = 0; i < f->graphs.count; i++)
        if (f->graphs.items[i].key == key) f->graphs.items[i].key = (*out)->key;
    return FV_OK;
}

fv_status fv_function_compile(fv_function *f, const fv_tensor *in_shapes, int n_in, int64_t *foretold_bytes)
{
    entry *e;
    FVI_TRY(f->s->ctx, find_plan(f, in_shapes, n_in, &e));
    if (foretold_bytes) *foretold_bytes = fvi_session_bytes(f->s);
    return FV_OK;
}

fv_status fv_function_results(fv_function *f, const fv_tensor *in, int n_in, fv_result_info *out, int capacity, int *n)
{
    entry *e;
    FVI_TRY(f->s->ctx, find_plan(f, in, n_in, &e));
    const fv_graph *g = e->plan->graph;
    for (int i = 0; i < g->results.count && i < capacity; i++) {
        const fvi_type *type = &g->results.items[i].value->type;
        const char *name = NULL;
        for (int k = 0; k < f->names.count && !name; k++)
            if (!strcmp(f->names.items[k], g->results.items[i].name)) name = f->names.items[k];
        if (!name && (!(name = fvi_arena_strdup(&f->arena, g->results.items[i].name)) || !FVI_PUSH(&f->names, name))) return fvi_nomem(f->s->ctx);
        out[i] = (fv_result_info){name, {.dtype = type->dtype, .rank = type->rank}};
        for (int k = 0; k < type->rank; k++) out[i].type.dims[k] = type->dim[k];
    }
    *n = g->results.count;
    return FV_OK;
}

int64_t fv_session_memory(const fv_session *s) { return fvi_session_bytes(s); }

int fv_function_segments(fv_function *f)
{
    return f->plans.count ? f->plans.items[f->plans.count - 1].plan->n_segments : 0;
}

/* ---- calls ---- */

static fv_status copy_results(fv_function *f, const entry *e, const fvi_run *r, const fv_tensor *out, int n_out)
{
    const fv_graph *g = e->plan->graph;
    if (n_out > g->results.count) return fvi_fail(f->s->ctx, FV_ERROR_INVALID, "%s has %d results, %d were asked for", f->name, g->results.count, n_out);
    for (int i = 0; i < n_out; i++) {
        if (!out[i].data) continue;
        const fv_value *v = g->results.items[i].value;
        const fvi_type got = fvi_type_make(out[i].dtype, out[i].rank, out[i].dims);
        char a[FVI_TYPE_TEXT], b[FVI_TYPE_TEXT];
        if (!fvi_type_equal(&got, &v->type))
            return fvi_fail(f->s->ctx, FV_ERROR_SHAPE, "%s: result '%s' is %s, not %s", f->name, g->results.items[i].name, fvi_type_text(&v->type, a), fvi_type_text(&got, b));
        const void *data = fvi_plan_address(e->plan, r, e->plan->results[i]);
        memcpy(out[i].data, data, fvi_type_bytes(&v->type));
    }
    return FV_OK;
}

static fvi_run run_of(fv_function *f, const entry *e, int slot)
{
    return (fvi_run){.scratch = f->s->scratch.data, .saved = e->saved[slot].data, .inputs = f->bound[slot], .ragged_rows = f->rows[slot], .comm = f->s->comm};
}

static void bind_data(fv_function *f, const fv_tensor *in, int n_in, int slot)
{
    for (int i = 0; i < n_in; i++) {
        f->bound[slot][i] = in[i].data;
        f->rows[slot][i] = in[i].rank ? in[i].dims[0] : 0;
    }
}

fv_status fv_function_call(fv_function *f, const fv_tensor *in, int n_in, const fv_tensor *out, int n_out)
{
    entry *e;
    FVI_TRY(f->s->ctx, find_plan(f, in, n_in, &e));
    bind_data(f, in, n_in, 0);
    if (f->options.in_flight) {
        for (int segment = 0; segment < e->plan->n_segments; segment++)
            FVI_TRY(f->s->ctx, fv_function_run_segment(f, 0, segment, in, n_in, out, segment == e->plan->n_segments - 1 ? n_out : 0));
        return FV_OK;
    }
    fvi_run r = run_of(f, e, 0);
    FVI_TRY(f->s->ctx, fvi_plan_run(e->plan, &r, -1));
    return copy_results(f, e, &r, out, n_out);
}

fv_status fv_function_run_segment(fv_function *f, int slot, int segment, const fv_tensor *in, int n_in, const fv_tensor *out, int n_out)
{
    entry *e;
    if (slot < 0 || slot >= FVI_COUNT(f->bound)) return fvi_fail(f->s->ctx, FV_ERROR_INVALID, "%s: slot %d is not in 0..%d", f->name, slot, FVI_COUNT(f->bound) - 1);
    if (!f->options.in_flight) return fvi_fail(f->s->ctx, FV_ERROR_INVALID, "%s was not created with in_flight", f->name);
    FVI_TRY(f->s->ctx, find_plan(f, in, n_in, &e));
    if (segment < 0 || segment >= e->plan->n_segments) return fvi_fail(f->s->ctx, FV_ERROR_INVALID, "%s has %d segments, no segment %d", f->name, e->plan->n_segments, segment);
    if (segment == 0) {
        bind_data(f, in, n_in, slot);
        if (e->saved[slot].bytes < e->plan->saved_bytes) {
            void *data = fvi_malloc_aligned(e->plan->saved_bytes);
            if (!data) return fvi_nomem(f->s->ctx);
            e->saved[slot] = (fvi_block){data, e->plan->saved_bytes};
            f->s->saved_bytes += (int64_t)e->plan->saved_bytes;
        }
    } else if (e->plan->saved_bytes && !e->saved[slot].data)
        return fvi_fail(f->s->ctx, FV_ERROR_INVALID, "%s: segment %d of slot %d before segment 0", f->name, segment, slot);
    fvi_run r = run_of(f, e, slot);
    FVI_TRY(f->s->ctx, fvi_plan_run(e->plan, &r, segment));
    return copy_results(f, e, &r, out, n_out);
}

/* ---- looking inside ---- */

fv_status fvi_function_plan(fv_function *f, const fv_tensor *in, int n_in, fvi_plan **plan, fvi_run *run)
{
    entry *e;
    FVI_TRY(f->s->ctx, find_plan(f, in, n_in, &e));
    bind_data(f, in, n_in, 0);
    *plan = e->plan;
    *run = run_of(f, e, 0);
    return FV_OK;
}

const char *fv_function_find_nonfinite(fv_function *f, const fv_tensor *in, int n_in)
{
    entry *e;
    if (find_plan(f, in, n_in, &e) != FV_OK) return NULL;
    bind_data(f, in, n_in, 0);
    fvi_plan *p = e->plan;
    void **backup = fvi_calloc((size_t)p->n_written + 1, sizeof *backup);
    bool ok = backup != NULL;
    for (int i = 0; i < p->n_written && ok; i++)
        if ((ok = (backup[i] = fvi_malloc(p->written[i]->bytes)) != NULL)) memcpy(backup[i], p->written[i]->data, p->written[i]->bytes);
    fvi_run r = run_of(f, e, 0);
    r.check = true;
    f->bad[0] = 0;
    if (ok && fvi_plan_run(p, &r, -1) == FV_ERROR_NUMERIC && r.bad)
        snprintf(f->bad, sizeof f->bad, "%s (%s), %s", r.bad->path, r.bad->op->name, r.bad->origin ? "backward" : "forward");
    for (int i = 0; backup && i < p->n_written; i++) {
        if (backup[i]) memcpy(p->written[i]->data, backup[i], p->written[i]->bytes);
        fvi_free(backup[i]);
    }
    fvi_free(backup);
    return f->bad[0] ? f->bad : NULL;
}

static double node_flops(const fvi_node *n)
{
    return n->op->flops ? n->op->flops(n) : 0;
}

static double node_bytes(const fvi_node *n)
{
    double bytes = 0;
    for (int k = 0; k < n->n_in; k++)
        if (n->in[k]->type.rank == 0 || n->in[k]->type.dim[0] != FV_RAGGED) bytes += (double)fvi_layout_bytes(n->in[k]->layout, &n->in[k]->type);
    for (int k = 0; k < n->n_out; k++) bytes += (double)fvi_layout_bytes(n->out[k].layout, &n->out[k].type);
    return bytes;
}

fv_status fv_function_profile(fv_function *f, const fv_tensor *in, int n_in, int repeats, fv_profile_fn *fn, void *user)
{
    entry *e;
    FVI_TRY(f->s->ctx, find_plan(f, in, n_in, &e));
    bind_data(f, in, n_in, 0);
    const fvi_plan *p = e->plan;
    fvi_run r = run_of(f, e, 0);
    FVI_TRY(f->s->ctx, fvi_plan_run(p, &r, -1));
    double *seconds = fvi_calloc((size_t)p->code.count + 1, sizeof *seconds);
    if (!seconds) return fvi_nomem(f->s->ctx);
    r.seconds = seconds;
    fv_status status = FV_OK;
    for (int i = 0; i < repeats && status == FV_OK; i++) status = fvi_plan_run(p, &r, -1);
    for (int i = 0; i < p->code.count && status == FV_OK; i++) {
        const fvi_instr *c = &p->code.items[i];
        const fv_profile_row row = {c->node->op->name, c->node->path, c->kernel->describe ? c->kernel->describe(c->state) : c->kernel->name,
                                    c->node->origin != NULL, seconds[i] / repeats, node_flops(c->node), node_bytes(c->node)};
        fn(user, &row);
    }
    fvi_free(seconds);
    return status;
}

fv_status fv_function_plan_text(fv_function *f, const fv_tensor *in, int n_in, char **out)
{
    entry *e;
    FVI_TRY(f->s->ctx, find_plan(f, in, n_in, &e));
    *out = fvi_plan_text(e->plan);
    return *out ? FV_OK : fvi_nomem(f->s->ctx);
}

void fv_text_free(char *text) { fvi_free(text); }

/* The user's graph, bound but not lowered. */
static fv_status bound_graph(fv_function *f, const fv_tensor *in, int n_in, fv_graph **out)
{
    fvi_type types[MAX_INPUTS];
    int64_t batch;
    fv_graph *g = NULL;
    FVI_TRY(f->s->ctx, bind_inputs(f, in, n_in, types, &batch));
    FVI_TRY(f->s->ctx, graph_for(f, key_of(f, types), types, &g));
    return fvi_graph_bind(g, batch, out);
}

fv_status fv_function_flops(fv_function *f, const fv_tensor *in, int n_in, double *flops)
{
    fv_graph *g = NULL;
    FVI_TRY(f->s->ctx, bound_graph(f, in, n_in, &g));
    *flops = 0;
    for (int i = 0; i < g->nodes.count; i++) *flops += node_flops(g->nodes.items[i]);
    fvi_graph_destroy(g);
    return FV_OK;
}

fv_status fv_function_layers(fv_function *f, const fv_tensor *in, int n_in, fv_layer_fn *fn, void *user)
{
    fv_graph *g = NULL;
    FVI_TRY(f->s->ctx, bound_graph(f, in, n_in, &g));
    for (int i = 0; i < g->nodes.count; i++) {
        const fvi_node *n = g->nodes.items[i];
        if (n->var || n->op->kind == FVI_SOURCE || !n->n_out) continue;
        fv_layer_row row = {n->op->name, n->path, {.dtype = n->out[0].type.dtype, .rank = n->out[0].type.rank}, 0, node_flops(n)};
        for (int k = 0; k < n->out[0].type.rank; k++) row.output.dims[k] = n->out[0].type.dim[k];
        for (int k = 0; k < n->n_in; k++)
            if (n->in[k]->node->var && n->in[k]->node->var->role == FV_PARAMETER) row.parameters += fvi_type_numel(&n->in[k]->node->var->type);
        fn(user, &row);
    }
    fvi_graph_destroy(g);
    return FV_OK;
}
