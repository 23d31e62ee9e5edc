/* SPDX-License-Identifier: Apache-2.0 */
/* Drawing inputs, and interpreting the references node by node: no plan, no kernel, no memory order takes part, so that
 * nothing which is to be judged helps to judge. */
#include "compile/sample.h"
#include "compile/registry.h"

#include "base/rng.h"

#include <math.h>
#include <stdio.h>

/* ---- elements ---- */

double fvi_sample_get(const void *p, fv_dtype d, int64_t i)
{
    uint32_t u;
    float f;
    switch (d) {
    case FV_F32: return (double)((const float *)p)[i];
    case FV_F64: return ((const double *)p)[i];
    case FV_BF16:
        u = (uint32_t)((const uint16_t *)p)[i] << 16;
        memcpy(&f, &u, 4);
        return (double)f;
    case FV_I64: return (double)((const int64_t *)p)[i];
    case FV_I32: return ((const int32_t *)p)[i];
    case FV_U8: case FV_BOOL: return ((const uint8_t *)p)[i];
    case FV_F16: case FV_DTYPE_COUNT: default: return NAN;
    }
}

static void put(void *p, fv_dtype d, int64_t i, double x)
{
    const float f = (float)x;
    uint32_t u;
    switch (d) {
    case FV_F32: ((float *)p)[i] = f; break;
    case FV_F64: ((double *)p)[i] = x; break;
    case FV_BF16:
        memcpy(&u, &f, 4);
        ((uint16_t *)p)[i] = (uint16_t)((u + 0x7fff + (u >> 16 & 1)) >> 16);
        break;
    case FV_I64: ((int64_t *)p)[i] = (int64_t)x; break;
    case FV_I32: ((int32_t *)p)[i] = (int32_t)x; break;
    case FV_U8: case FV_BOOL: ((uint8_t *)p)[i] = (uint8_t)x; break;
    case FV_F16: case FV_DTYPE_COUNT: default: break;
    }
}

static bool is_float(const fvi_sample_tensor *t) { return fv_dtype_is_float(t->type.dtype); }

/* ---- drawing ---- */

static double draw_one(fvi_rng *r, fvi_draw kind, int64_t classes)
{
    const double u = fvi_rng_uniform(r);
    switch (kind) {
    case FVI_DRAW_POSITIVE: return 0.2 + 1.8 * u;
    case FVI_DRAW_AWAY: return (fvi_rng_below(r, 2) ? 1 : -1) * (0.1 + 1.9 * u);
    case FVI_DRAW_UNIT: return 0.05 + 0.9 * u;
    case FVI_DRAW_PROBABILITY: return 0.1 + u;
    case FVI_DRAW_INDEX: return (double)fvi_rng_below(r, classes > 0 ? classes : 1);
    case FVI_DRAW_WHOLE: return (double)(fvi_rng_below(r, 2 * classes + 1) - classes);
    case FVI_DRAW_COUNTS: return (double)fvi_rng_below(r, 4);
    case FVI_DRAW_ZERO: return 0;
    case FVI_DRAW_ONE: return 1;
    case FVI_DRAW_STEP: return (double)(1 + fvi_rng_below(r, 5));
    case FVI_DRAW_NORMAL: case FVI_DRAW_DISTINCT: default: return fvi_rng_normal(r);
    }
}

/* Distinct values: a shuffled grid of odd multiples of 2^-7, exact in bf16 for some hundred elements. */
static fv_status draw_distinct(fvi_sample_run *s, fvi_sample_tensor *t, uint64_t seed)
{
    int64_t *order = fvi_arena_alloc(&s->arena, (size_t)(t->n + 1) * sizeof *order);
    if (!order) return fvi_nomem(s->ctx);
    fvi_rng_permutation(seed, 77, order, t->n);
    for (int64_t i = 0; i < t->n; i++) t->f[i] = (double)(2 * (order[i] - t->n / 2) + 1) / 128;
    return FV_OK;
}

static fv_status draw(fvi_sample_run *s, int k, uint64_t seed)
{
    const fvi_sample_in *in = &s->sample->in[k];
    fvi_sample_tensor *t = &s->in[k];
    fvi_rng r = fvi_rng_at(seed, (uint64_t)k);
    if (in->draw == FVI_DRAW_DISTINCT) return draw_distinct(s, t, seed);
    for (int64_t i = 0; i < t->n; i++) {
        const double x = draw_one(&r, in->draw, in->classes);
        if (is_float(t)) t->f[i] = x;
        else t->i[i] = (int64_t)x;
    }
    const int64_t width = t->type.rank ? t->type.dim[t->type.rank - 1] : 1;
    for (int64_t i = 0; in->draw == FVI_DRAW_PROBABILITY && i + width <= t->n; i += width) {
        double sum = 0;
        for (int64_t j = 0; j < width; j++) sum += t->f[i + j];
        for (int64_t j = 0; j < width; j++) t->f[i + j] /= sum;
    }
    return FV_OK;
}

/* Rows of a ragged input: what the counts behind it say. */
static int64_t ragged_rows(const fvi_sample_run *s, int k)
{
    int64_t rows = 0;
    for (int j = k + 1; j < s->n_in; j++) {
        if (s->sample->in[j].draw != FVI_DRAW_COUNTS) continue;
        for (int64_t i = 0; i < s->in[j].n; i++) rows += s->in[j].i[i];
        return rows;
    }
    return 3;
}

/* Draws in double, rounds to the node's types, and keeps the rounded numbers in both forms. */
static fv_status draw_inputs(fvi_sample_run *s)
{
    const uint64_t seed = fvi_hash_text(s->op->name) * 31 + fvi_hash_text(s->sample->name) + (uint64_t)s->batch;
    for (int k = s->n_in - 1; k >= 0; k--) {            /* counts stand behind the rows that they count */
        fvi_sample_tensor *t = &s->in[k];
        t->type = s->node->in[k]->type;
        if (t->type.rank && t->type.dim[0] == FV_RAGGED) s->rows[s->node->in[k]->node->slot] = t->type.dim[0] = ragged_rows(s, k);
        t->n = fvi_type_numel(&t->type);
        FVI_ASSERT(s->ctx, t->n >= 0);
        t->wide = fvi_arena_alloc(&s->arena, ((size_t)t->n + 1) * 8);
        t->data = fvi_arena_alloc(&s->arena, ((size_t)t->n + 1) * 8);
        if (!t->wide || !t->data) return fvi_nomem(s->ctx);
        FVI_TRY(s->ctx, draw(s, k, seed));
        for (int64_t i = 0; i < t->n; i++) {
            put(t->data, t->type.dtype, i, is_float(t) ? t->f[i] : (double)t->i[i]);
            if (is_float(t)) t->f[i] = fvi_sample_get(t->data, t->type.dtype, i);
        }
    }
    return FV_OK;
}

/* ---- graphs ---- */

bool fvi_sample_applies(const fvi_op *op, fvi_sample_mode mode)
{
    return mode != FVI_SAMPLE_BF16 || (op->precision != FVI_PRECISION_F32 && op->kind != FVI_EFFECT);
}

/* bf16 for all inputs of an op that follows, for the large ones of an op that takes any; LOW casts by itself. */
static bool lower_input(const fvi_sample_run *s, int k)
{
    const fvi_sample_in *in = s->sample->in;
    if (!fv_dtype_is_float(in[k].dtype)) return false;
    if (s->op->precision == FVI_PRECISION_FOLLOWS) return true;
    if (s->op->precision != FVI_PRECISION_ANY) return false;
    int most = 0;
    for (int j = 0; j < s->n_in; j++)
        if (fv_dtype_is_float(in[j].dtype)) most = FVI_MAX(most, in[j].rank);
    return in[k].rank == most;
}

/* The node in graph g; the session's type replaces the samples' f64. */
static fvi_node *add_node(const fvi_sample_run *s, fv_graph *g, bool bf16)
{
    fv_value *in[FVI_SAMPLE_IN] = {NULL};
    for (int k = 0; k < s->n_in; k++) {
        const fvi_sample_in *x = &s->sample->in[k];
        fvi_type t = fvi_type_make(x->dtype == FV_F64 ? g->dtype : x->dtype, x->rank, x->dim);
        if (bf16 && lower_input(s, k)) t.dtype = FV_BF16;
        in[k] = fvi_input(g, "x", &t);
    }
    return fvi_node_add(g, s->op, s->sample->attr, s->n_in, in);
}

static fv_status open_node(fvi_sample_run *s, fvi_sample_mode mode)
{
    FVI_TRY(s->ctx, fvi_graph_create(s->ctx, &fvi_registry_table, NULL, mode == FVI_SAMPLE_F64 ? FV_F64 : FV_F32, &s->graph));
    s->graph->amp = mode == FVI_SAMPLE_BF16;
    s->graph->training = true;
    const fvi_node *n = add_node(s, s->graph, mode == FVI_SAMPLE_BF16);
    if (!n) return s->graph->status;
    FVI_TRY(s->ctx, fvi_graph_bind(s->graph, s->batch, &s->bound));
    s->node = s->bound->nodes.items[s->bound->nodes.count - 1];
    FVI_ASSERT(s->ctx, s->node->op == s->op);
    s->n_out = s->node->n_out;
    return draw_inputs(s);
}

/* ---- what the reference says ---- */

static bool without_reference(const fvi_node *n, void *user)
{
    (void)user;
    return n->op->kind == FVI_COMPOSITE && !n->op->ref;
}

static fv_status interpret_node(fvi_sample_run *s, const fvi_node *n, void **wide)
{
    fvi_ref_tensor few[FVI_FEW_IN], *in = FVI_ROOM(&s->arena, few, n->n_in), out[FVI_MAX_OUT];
    fvi_exec x = {.ctx = s->ctx, .threads = 1};
    if (!in) return fvi_nomem(s->ctx);
    for (int k = 0; k < n->n_in; k++) in[k] = (fvi_ref_tensor){.type = n->in[k]->type, .p = wide[n->in[k]->id]};
    for (int k = 0; k < n->n_in; k++)
        if (in[k].type.rank && in[k].type.dim[0] == FV_RAGGED) in[k].type.dim[0] = s->rows[n->in[k]->node->slot];
    for (int k = 0; k < n->n_out; k++) {
        out[k].type = n->out[k].type;
        if (!(out[k].p = wide[n->out[k].id] = fvi_arena_alloc(&s->arena, ((size_t)fvi_type_numel(&out[k].type) + 1) * 8))) return fvi_nomem(s->ctx);
    }
    FVI_ASSERT(s->ctx, n->op->ref);
    n->op->ref(&(fvi_ref){n, n->attr, n->n_in, n->n_out, in, out, &x});
    return FV_OK;
}

static fv_status interpret(fvi_sample_run *s, fv_graph *g)
{
    fv_status status = FV_OK;
    int inputs = 0;
    void **wide = fvi_calloc((size_t)g->next_value + 1, sizeof *wide);
    if (!wide) return fvi_nomem(s->ctx);
    for (int i = 0; i < g->nodes.count && status == FV_OK; i++) {
        const fvi_node *n = g->nodes.items[i];
        if (fvi_node_is(n, "input")) wide[n->out[0].id] = s->in[inputs++].wide;
        else status = interpret_node(s, n, wide);
    }
    for (int k = 0; k < s->n_out && status == FV_OK; k++) {
        s->out[k].type = s->node->out[k].type;
        s->out[k].n = fvi_type_numel(&s->out[k].type);
        s->out[k].wide = wide[g->results.items[k].value->id];
    }
    fvi_free(wide);
    return status;
}

static fv_status expect(fvi_sample_run *s)
{
    fv_graph *g = NULL, *bound = NULL;
    FVI_TRY(s->ctx, fvi_graph_create(s->ctx, &fvi_registry_table, NULL, FV_F64, &g));
    g->training = true;
    fvi_node *n = add_node(s, g, false);
    fv_status status = n ? FV_OK : g->status;
    for (int k = 0; k < s->n_out && n; k++) fv_result(g, "y", &n->out[k]);
    for (int round = 0; round < 4 && status == FV_OK; round++) status = fvi_graph_expand(g, without_reference, NULL);
    if (status == FV_OK) status = fvi_graph_bind(g, s->batch, &bound);
    if (status == FV_OK) status = interpret(s, bound);
    fvi_graph_destroy(bound);
    fvi_graph_destroy(g);
    return status;
}

fv_status fvi_sample_open(fv_context *ctx, const fvi_op *op, const fvi_sample *sample, int64_t batch, fvi_sample_mode mode,
                          fvi_sample_run *s)
{
    *s = (fvi_sample_run){.ctx = ctx, .op = op, .sample = sample, .batch = batch, .n_in = sample->n_in};
    fv_status status = open_node(s, mode);
    if (status == FV_OK) status = expect(s);
    if (status == FV_OK) return FV_OK;
    fvi_error_prefix(ctx, "%s, sample %s: ", op->name, sample->name);
    fvi_sample_close(s);
    return status;
}

void fvi_sample_close(fvi_sample_run *s)
{
    fvi_graph_destroy(s->bound);
    fvi_graph_destroy(s->graph);
    fvi_arena_free(&s->arena);
    memset(s, 0, sizeof *s);
}
