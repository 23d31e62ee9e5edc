/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/op_cases.h"

#include "base/rng.h"

#include <math.h>
#include <stdio.h>

enum { OP_MOST = OP_INPUTS + FVI_MAX_OUT };

bool op_is_float(const op_tensor *t)
{
    return fv_dtype_is_float(t->bound.dtype);
}

bool op_case_wants_gradient(const op_case *c, int input)
{
    return input < c->n_in && op_is_float(&c->in[input]) && !c->sample->in[input].no_grad;
}

static bool allocate(op_tensor *t)
{
    t->n = fvi_type_numel(&t->bound);
    t->p = t->n < 0 ? NULL : fvi_calloc((size_t)t->n + 1, 8);
    return t->p != NULL;
}

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

/* A shuffled grid with steps of 0.02; grids of different inputs are shifted, so that they do not meet either. */
static bool draw_distinct(op_tensor *t, uint64_t seed, int input)
{
    int64_t *order = fvi_malloc((size_t)(t->n + 1) * sizeof *order);
    if (!order) return false;
    fvi_rng_permutation(seed, 77, order, t->n);
    for (int64_t i = 0; i < t->n; i++) t->f[i] = ((double)order[i] - (double)t->n / 2) * 0.02 + 0.0061 * (input + 1);
    fvi_free(order);
    return true;
}

static void rows_to_probabilities(op_tensor *t)
{
    const int64_t width = t->bound.rank ? t->bound.dim[t->bound.rank - 1] : 1;
    for (int64_t i = 0; i + width <= t->n; i += width) {
        double sum = 0;
        for (int64_t k = 0; k < width; k++) sum += t->f[i + k];
        for (int64_t k = 0; k < width; k++) t->f[i + k] /= sum;
    }
}

static bool draw(op_case *c, int input, uint64_t seed)
{
    const fvi_sample_in *s = &c->sample->in[input];
    op_tensor *t = &c->in[input];
    fvi_rng r = fvi_rng_at(seed, (uint64_t)input);
    if (s->draw == FVI_DRAW_DISTINCT) return draw_distinct(t, seed, input);
    for (int64_t i = 0; i < t->n; i++) {
        const double x = draw_one(&r, s->draw, s->classes);
        if (op_is_float(t)) t->f[i] = x;
        else t->i[i] = (int64_t)x;
    }
    if (s->draw == FVI_DRAW_COUNTS && t->n && !t->i[0]) t->i[0] = 2;
    if (s->draw == FVI_DRAW_PROBABILITY) rows_to_probabilities(t);
    return true;
}

/* Rows of a ragged input: what the counts behind it say. */
static int64_t ragged_rows(const op_case *c, int input)
{
    int64_t rows = 0;
    for (int k = input + 1; k < c->n_in; k++)
        if (c->sample->in[k].draw == FVI_DRAW_COUNTS) {
            for (int64_t i = 0; i < c->in[k].n; i++) rows += c->in[k].i[i];
            return rows;
        }
    return 3;
}

static bool draw_inputs(op_case *c, uint64_t seed)
{
    for (int k = c->n_in - 1; k >= 0; k--) {            /* counts stand behind the rows that they count */
        op_tensor *t = &c->in[k];
        if (t->bound.rank && t->bound.dim[0] == FV_RAGGED) t->bound.dim[0] = ragged_rows(c, k);
        if (!allocate(t) || !draw(c, k, seed)) return false;
    }
    return true;
}

/* ---- opening ---- */

static bool infer(op_case *c, fv_graph *g)
{
    fv_value *in[OP_INPUTS];
    for (int k = 0; k < c->n_in; k++) {
        char name[16];
        snprintf(name, sizeof name, "in%d", k);
        in[k] = fvi_input(g, name, &c->in[k].symbolic);
    }
    const fvi_node *n = fvi_node_add(g, c->op, c->sample->attr, c->n_in, in);
    for (int k = 0; n && k < c->n_out; k++) c->out[k].symbolic = n->out[k].type;
    return n != NULL;
}

bool op_case_open(op_case *c, fv_context *ctx, const fvi_op *op, const fvi_sample *sample, int64_t batch)
{
    *c = (op_case){.ctx = ctx, .op = op, .sample = sample, .batch = batch, .n_in = sample->n_in, .n_out = op->n_out};
    uint64_t seed = fvi_hash_text(op->name) * 31 + fvi_hash_text(sample->name) + (uint64_t)batch;
    for (int k = 0; k < c->n_in; k++) {
        const fvi_sample_in *s = &sample->in[k];
        c->in[k].symbolic = fvi_type_make(s->dtype, s->rank, s->dim);
        c->in[k].bound = fvi_type_bind(&c->in[k].symbolic, batch);
    }
    fv_graph *g = NULL;
    if (fvi_graph_create(ctx, &fvi_registry_table, NULL, FV_F64, &g) != FV_OK) return false;
    bool ok = infer(c, g) && draw_inputs(c, seed);
    fvi_graph_destroy(g);
    for (int k = 0; k < c->n_out && ok; k++) {
        c->out[k].bound = fvi_type_bind(&c->out[k].symbolic, batch);
        c->seed[k] = c->out[k];
        ok = allocate(&c->out[k]) && allocate(&c->seed[k]);
        fvi_rng r = fvi_rng_at(seed, 100 + (uint64_t)k);
        for (int64_t i = 0; ok && op_is_float(&c->out[k]) && i < c->out[k].n; i++) c->seed[k].f[i] = fvi_rng_normal(&r);
    }
    if (!ok) op_case_close(c);
    return ok;
}

void op_case_close(op_case *c)
{
    for (int k = 0; k < OP_INPUTS; k++) fvi_free(c->in[k].p);
    for (int k = 0; k < FVI_MAX_OUT; k++) {
        fvi_free(c->out[k].p);
        fvi_free(c->seed[k].p);
    }
    memset(c, 0, sizeof *c);
}

/* ---- as a function ---- */

static bool is_node(const fvi_node *n, void *user)
{
    return n == *(fvi_node **)user;
}

static bool seeded(const op_program *p, int k)
{
    return p->gradient && op_is_float(&p->c->out[k]);
}

static fv_status build_gradient(op_program *p, fv_graph *g, fv_value *const *in, fv_value *const *out)
{
    fv_value *losses[FVI_MAX_OUT], *seeds[FVI_MAX_OUT], *wrt[OP_INPUTS], *grads[OP_INPUTS];
    int n_losses = 0, n_wrt = 0;
    for (int k = 0; k < p->c->n_out; k++)
        if (seeded(p, k)) {
            losses[n_losses] = out[k];
            seeds[n_losses] = in[p->c->n_in + n_losses];
            n_losses++;
        }
    for (int k = 0; k < p->c->n_in; k++)
        if (op_case_wants_gradient(p->c, k)) wrt[n_wrt++] = in[k];
    const fv_status status = fv_grad(g, n_losses, losses, seeds, n_wrt, wrt, grads);
    if (status != FV_OK) return status;
    for (int k = 0, j = 0; k < p->c->n_in; k++) {
        if (!op_case_wants_gradient(p->c, k)) continue;
        char name[16];
        snprintf(name, sizeof name, "din%d", k);
        if (!(p->none[k] = grads[j] == NULL)) fv_result(g, name, grads[j]);
        j++;
    }
    return fv_graph_status(g);
}

static fv_status build(fv_graph *g, fv_value *const *in, int n_in, void *user)
{
    (void)n_in;
    op_program *p = user;
    const op_case *c = p->c;
    fvi_node *n = fvi_node_add(g, c->op, c->sample->attr, c->n_in, in);
    if (!n) return fv_graph_status(g);
    if (p->expand) {
        const fv_status status = fvi_graph_expand(g, is_node, &n);
        if (status != FV_OK) return status;
    }
    fv_value *out[FVI_MAX_OUT];
    for (int k = 0; k < c->n_out; k++) {
        char name[16];
        snprintf(name, sizeof name, "out%d", k);
        out[k] = fvi_value_now(&n->out[k]);
        if (!p->gradient) fv_result(g, name, out[k]);
    }
    return p->gradient ? build_gradient(p, g, in, out) : fv_graph_status(g);
}

fv_status op_program_open(op_program *p, fv_session *s, op_case *c, bool expand, bool gradient)
{
    *p = (op_program){.c = c, .expand = expand, .gradient = gradient};
    fv_input_spec specs[OP_MOST + 1];
    char names[OP_MOST][16];
    int n = 0;
    for (int k = 0; k < c->n_in + c->n_out; k++) {
        if (k >= c->n_in && !seeded(p, k - c->n_in)) continue;
        const op_tensor *t = k < c->n_in ? &c->in[k] : &c->seed[k - c->n_in];
        snprintf(names[n], sizeof names[n], "%s%d", k < c->n_in ? "in" : "seed", k < c->n_in ? k : k - c->n_in);
        specs[n] = (fv_input_spec){.name = names[n], .dtype = t->symbolic.dtype, .rank = t->symbolic.rank};
        memcpy(specs[n].dims, t->symbolic.dim, sizeof specs[n].dims);
        n++;
    }
    specs[n++] = (fv_input_spec){.name = "batch", .dtype = FV_F64, .rank = 1, .dims = {FV_N}};     /* tells N when no input does */
    for (int k = 0; k < c->n_in && gradient; k++) {
        p->din[k] = c->in[k];
        p->din[k].p = fvi_calloc((size_t)c->in[k].n + 1, 8);
        if (!p->din[k].p) return FV_ERROR_NOMEM;
    }
    const fv_function_options options = {.training = true};
    return fv_function_create(s, c->op->name, specs, n, build, p, &options, &p->function);
}

void op_program_close(op_program *p)
{
    fv_function_destroy(p->function);
    for (int k = 0; k < OP_INPUTS; k++) fvi_free(p->din[k].p);
    memset(p, 0, sizeof *p);
}

/* ---- running ---- */

/* A tensor in its own type; the memory is 8 bytes an element. */
static void pack(const op_tensor *t, fv_tensor *out, void *data)
{
    *out = (fv_tensor){.dtype = t->bound.dtype, .rank = t->bound.rank, .data = data};
    memcpy(out->dims, t->bound.dim, sizeof out->dims);
    for (int64_t i = 0; data && i < t->n; i++) switch (t->bound.dtype) {
        case FV_F32: ((float *)data)[i] = (float)t->f[i]; break;
        case FV_I32: ((int32_t *)data)[i] = (int32_t)t->i[i]; break;
        case FV_U8: case FV_BOOL: ((uint8_t *)data)[i] = (uint8_t)t->i[i]; break;
        case FV_F64: case FV_I64: ((int64_t *)data)[i] = t->i[i]; break;
        case FV_BF16: case FV_F16: case FV_DTYPE_COUNT: default: break;
        }
}

static void unpack(op_tensor *t, const void *data)
{
    for (int64_t i = 0; i < t->n; i++) switch (t->bound.dtype) {
        case FV_F32: t->f[i] = ((const float *)data)[i]; break;
        case FV_I32: t->i[i] = ((const int32_t *)data)[i]; break;
        case FV_U8: case FV_BOOL: t->i[i] = ((const uint8_t *)data)[i]; break;
        case FV_F64: case FV_I64: t->i[i] = ((const int64_t *)data)[i]; break;
        case FV_BF16: case FV_F16: case FV_DTYPE_COUNT: default: t->f[i] = NAN; break;
        }
}

fv_status op_program_run(op_program *p)
{
    const op_case *c = p->c;
    fv_tensor in[OP_MOST + 1], out[OP_MOST];
    op_tensor *result[OP_MOST];
    double unused[8] = {0};
    int n_in = 0, n_out = 0;
    fvi_arena arena = {0};
    for (int k = 0; k < c->n_in + c->n_out; k++) {
        if (k >= c->n_in && !seeded(p, k - c->n_in)) continue;
        const op_tensor *t = k < c->n_in ? &c->in[k] : &c->seed[k - c->n_in];
        pack(t, &in[n_in++], fvi_arena_alloc(&arena, ((size_t)t->n + 1) * 8));
    }
    in[n_in++] = (fv_tensor){.dtype = FV_F64, .rank = 1, .dims = {c->batch}, .data = unused};
    fv_status status = fv_function_compile(p->function, in, n_in, NULL);        /* builds: says what flows where */
    for (int k = 0; k < (p->gradient ? c->n_in : c->n_out) && status == FV_OK; k++) {
        if (p->gradient && (!op_case_wants_gradient(c, k) || p->none[k])) continue;
        op_tensor *t = p->gradient ? &p->din[k] : &p->c->out[k];
        result[n_out] = t;
        pack(t, &out[n_out++], fvi_arena_alloc(&arena, ((size_t)t->n + 1) * 8));
    }
    if (status == FV_OK) status = fv_function_call(p->function, in, n_in, out, n_out);
    for (int k = 0; k < n_out && status == FV_OK; k++) unpack(result[k], out[k].data);
    fvi_arena_free(&arena);
    return status;
}
