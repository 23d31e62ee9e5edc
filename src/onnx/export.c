/* SPDX-License-Identifier: Apache-2.0 */
/* Composites that have no ONNX form of their own are expanded, then node after node is handed to its op's emitter. */
#include "onnx/fold.h"

#include <stdio.h>

/* ---- names ---- */

static const char *name_of(onnx_export *e, fv_value *v)
{
    onnx_value_state *s = &e->values[v->id];
    if (s->name || e->file.status != FV_OK) return s->name ? s->name : "";
    if (s->constant && v->node->var) return s->name = onnx_var(&e->file, v->node->var);
    const onnx_known *k = s->constant ? onnx_known_of(e, v) : NULL;
    if (k) return s->name = onnx_known_values(e, onnx_about(v), k);
    onnx_fail(&e->file, FV_ERROR_INTERNAL, "%s (%s): read before it is computed", v->node->path, v->node->op->name);
    return "";
}

/* ---- what emitters call ---- */

typedef struct emitter { fvi_onnx o; onnx_export *e; } emitter;

static onnx_export *of(fvi_onnx *o)
{
    return ((emitter *)(void *)o)->e;
}

static const char *add(fvi_onnx *o, const fvi_onnx_op *op)
{
    return of(o)->file.status == FV_OK ? onnx_node(&of(o)->file, o->node->path, op) : "";
}

static const char *number(fvi_onnx *o, double value)
{
    const float narrow = (float)value;
    return onnx_values(&of(o)->file, "constant", FVI_ONNX_F32, 0, NULL, &narrow);
}

static const char *ints(fvi_onnx *o, int n, const int64_t *values)
{
    const int64_t count = n, none = 0;
    return onnx_values(&of(o)->file, "constant", FVI_ONNX_I64, 1, &count, n ? values : &none);
}

/* N from the shape of the first input that has it. */
static const char *batch_size(fvi_onnx *o)
{
    onnx_export *e = of(o);
    for (int i = 0; i < e->g->inputs.count && !e->batch; i++) {
        fv_value *v = e->g->inputs.items[i];
        for (int64_t d = 0; d < v->type.rank && !e->batch; d++) {
            if (!fvi_dim_symbolic(v->type.dim[d])) continue;
            const int64_t k = -v->type.dim[d], end = d + 1;
            const char *whole = fvi_onnx_1(o, "Shape", name_of(e, v));
            const char *n = o->add(o, &(fvi_onnx_op){.type = "Slice", .in = {whole, ints(o, 1, &d), ints(o, 1, &end)}});
            e->batch = k == 1 ? n : fvi_onnx_2(o, "Div", n, ints(o, 1, &k));
        }
    }
    if (!e->batch) o->fail(o, "the batch size cannot be told from the inputs");
    return e->batch ? e->batch : "";
}

static const char *shape(fvi_onnx *o, int n, const int64_t *dims)
{
    const char *parts[2 * FV_MAX_RANK];
    int count = 0, begin = 0;
    for (int i = 0; i < n; i++) {
        if (dims[i] >= 0) continue;
        const int64_t k = -dims[i];
        if (i > begin) parts[count++] = ints(o, i - begin, dims + begin);
        parts[count++] = k == 1 ? batch_size(o) : fvi_onnx_2(o, "Mul", batch_size(o), ints(o, 1, &k));
        begin = i + 1;
    }
    if (!count || n > begin) parts[count++] = ints(o, n - begin, dims + begin);
    if (count == 1) return parts[0];
    return o->add(o, &(fvi_onnx_op){.type = "Concat", .list = parts, .n_list = count, .attrs = {FVI_ONNX_INT("axis", 0)}});
}

static const char *fresh(fvi_onnx *o)
{
    return onnx_unique(&of(o)->file, *o->node->path ? o->node->path : o->node->op->name);
}

static void same(fvi_onnx *o, int k, const char *name)
{
    onnx_value_state *s = &of(o)->values[o->node->out[k].id];
    if (s->result) o->add(o, &(fvi_onnx_op){.type = "Identity", .in = {name}, .out = {o->out[k]}});
    else s->name = name;
}

FV_PRINTF(2, 3) static void fail(fvi_onnx *o, const char *fmt, ...)
{
    char text[400];
    va_list args;
    va_start(args, fmt);
    fvi_vprint(text, sizeof text, fmt, args);
    va_end(args);
    onnx_fail(&of(o)->file, FV_ERROR_INVALID, "%s (%s): %s", o->node->path, o->node->op->name, text);
}

/* ---- nodes ---- */

static void emit(onnx_export *e, fvi_node *n)
{
    const char *few[FVI_FEW_IN], **in = FVI_ROOM(&e->file.arena, few, n->n_in), *weight, *bias;
    fv_value *out = n->n_out ? &n->out[0] : NULL;
    emitter m = {{.node = n, .attr = n->attr, .opset = e->file.o->opset, .n_in = n->n_in, .in = in, .add = add, .number = number, .ints = ints,
                  .shape = shape, .fresh = fresh, .same = same, .fail = fail}, e};
    if (!in) {
        onnx_fail(&e->file, FV_ERROR_NOMEM, "out of memory");
        return;
    }
    if (!n->op->onnx && !n->op->onnx_emit) {
        fail(&m.o, "there is nothing like it in ONNX; export a function that is not for training");
        return;
    }
    const bool folded = fvi_node_is(n, "conv2d") && onnx_fold(e, n, &weight, &bias, &out);
    if (folded) {
        in[1] = weight;
        in[2] = bias;
        m.o.n_in = 3;
    }
    for (int k = 0; k < n->n_in; k++)
        if (!folded || !k) in[k] = name_of(e, n->in[k]);
    for (int k = 0; k < n->n_out; k++) {
        fv_value *v = k ? &n->out[k] : out;
        onnx_value_state *s = &e->values[v->id];
        if (k && !s->uses) continue;
        if (!s->name) {                                  /* the results have theirs */
            const char *wanted = *n->path ? fvi_arena_format(&e->file.arena, "%s/%s", n->path, n->op->name) : n->op->name;
            s->name = wanted ? onnx_unique(&e->file, wanted) : "";
            if (!wanted) onnx_fail(&e->file, FV_ERROR_NOMEM, "out of memory");
        }
        m.o.out[k] = s->name;
    }
    if (n->op->onnx) add(&m.o, &(fvi_onnx_op){.type = n->op->onnx, .list = in, .n_list = m.o.n_in, .out = {m.o.out[0]}});
    else n->op->onnx_emit(&m.o);
}

static bool without_form(const fvi_node *n, void *user)
{
    (void)user;
    return !n->op->onnx && !n->op->onnx_emit;
}

static void count_uses(onnx_export *e)
{
    for (int i = 0; i < e->g->nodes.count; i++) {
        fvi_node *n = e->g->nodes.items[i];
        for (int k = 0; k < n->n_in; k++) {
            onnx_value_state *s = &e->values[n->in[k]->id];
            s->uses++;
            s->user = n;
        }
    }
}

/* Inputs and results take their names first. A result that is an input, a constant or the same as an earlier one is copied
 * at the end. */
static void name_ends(onnx_export *e, const char **results)
{
    for (int i = 0; i < e->g->inputs.count; i++) {
        fv_value *v = e->g->inputs.items[i];
        e->values[v->id].name = onnx_unique(&e->file, v->node->path);
        onnx_value(&e->file, GRAPH_INPUT, e->values[v->id].name, &v->type);
    }
    for (int i = 0; i < e->g->results.count; i++) {
        fv_value *v = e->g->results.items[i].value;
        onnx_value_state *s = &e->values[v->id];
        results[i] = onnx_unique(&e->file, e->g->results.items[i].name);
        onnx_value(&e->file, GRAPH_OUTPUT, results[i], &v->type);
        s->uses++;
        if (s->name || s->constant) continue;
        s->name = results[i];
        s->result = true;
    }
}

static fv_status walk(onnx_export *e, const char **results)
{
    count_uses(e);
    onnx_mark_constants(e);
    name_ends(e, results);
    for (int i = 0; i < e->g->nodes.count && e->file.status == FV_OK; i++) {
        fvi_node *n = e->g->nodes.items[i];
        const bool effect = !n->n_out, constant = n->n_out && e->values[n->out[0].id].constant;
        if (effect) onnx_fail(&e->file, FV_ERROR_INVALID, "%s (%s): a file cannot keep state; export a function that writes no variable", n->path, n->op->name);
        else if (!n->dead && !constant && !fvi_node_is(n, "input")) emit(e, n);
    }
    for (int i = 0; i < e->g->results.count && e->file.status == FV_OK; i++) {
        const char *name = name_of(e, e->g->results.items[i].value);
        if (strcmp(name, results[i])) onnx_node(&e->file, "", &(fvi_onnx_op){.type = "Identity", .in = {name}, .out = {results[i]}});
    }
    return e->file.status;
}

fv_status fvi_onnx_write(fv_context *ctx, fv_graph *g, const char *path, const fvi_onnx_options *o, fvi_onnx_size *size)
{
    if (o->opset < FVI_ONNX_FIRST_OPSET || o->opset > FVI_ONNX_LAST_OPSET)
        return fvi_fail(ctx, FV_ERROR_INVALID, "opset %d: %d to %d can be written", o->opset, FVI_ONNX_FIRST_OPSET, FVI_ONNX_LAST_OPSET);
    onnx_export e = {.file = {.ctx = ctx, .path = path, .o = o}, .g = g};
    for (int round = 0; round < 4; round++) FVI_TRY(ctx, fvi_graph_expand(g, without_form, NULL));
    FVI_TRY(ctx, fvi_graph_sweep(g));
    e.values = fvi_calloc((size_t)g->next_value + 1, sizeof *e.values);
    const char **results = fvi_calloc((size_t)g->results.count + 1, sizeof *results);
    fv_status status = e.values && results ? walk(&e, results) : fvi_nomem(ctx);
    if (status == FV_OK) status = onnx_file_write(&e.file, size);
    onnx_file_free(&e.file);
    fvi_free(e.values);
    fvi_free(results);
    return status;
}
