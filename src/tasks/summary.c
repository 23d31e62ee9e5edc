/* SPDX-License-Identifier: Apache-2.0 */
/* What a model consists of: layers, parameters, FLOPs, and the memory that its plans would take. */
#include "base/base.h"
#include "fovea/model.h"
#include "fovea/nn.h"
#include "optim/optim.h"

typedef struct own_summary {
    fv_summary s;                        /* first: freed through it */
    fvi_arena arena;
    int capacity;
    bool failed;
} own_summary;

typedef struct builder { const fv_model *model; fv_session *session; } builder;

static fv_status build_forward(fv_graph *g, fv_value *const *in, int n_in, void *user)
{
    const builder *b = user;
    (void)n_in;
    fv_result(g, "output", fv_model_build(g, b->model, in[0]));
    return fv_graph_status(g);
}

/* A stand-in loss: foretelling memory needs a gradient, not a meaning. */
static fv_status build_gradient(fv_graph *g, fv_value *const *in, int n_in, void *user)
{
    const builder *b = user;
    (void)n_in;
    fv_value *y = fv_model_build(g, b->model, in[0]);
    return fv_accumulate_gradients(g, NULL, fv_sum(g, y, 0, false), fv_const(g, 1), true);
}

static fv_status build_update(fv_graph *g, fv_value *const *in, int n_in, void *user)
{
    const builder *b = user;
    (void)in;
    (void)n_in;
    return fv_optimizer_update(g, b->session, &(fv_optimizer_options){.kind = FV_ADAMW, .weight_decay = 0.01});
}

static void add_row(void *user, const fv_layer_row *row)
{
    own_summary *o = user;
    fv_summary_row r = {.path = fvi_arena_strdup(&o->arena, row->path), .op = fvi_arena_strdup(&o->arena, row->op), .rank = row->output.rank,
                        .parameters = row->parameters, .flops = row->flops};
    memcpy(r.dims, row->output.dims, sizeof r.dims);
    if (!r.path || !r.op || (o->s.n_rows == o->capacity && !fvi_grow((void **)&o->s.rows, &o->capacity, sizeof r))) {
        o->failed = true;
        return;
    }
    o->s.rows[o->s.n_rows++] = r;
    o->s.flops += r.flops;
}

static void count_variables(fv_session *session, fv_summary *s)
{
    int n = fv_session_var_count(session);
    for (int i = 0; i < n; i++) {
        const fv_var *v = fv_session_var(session, i);
        if (!fvi_var_is_model(v)) continue;
        if (fv_var_role(v) == FV_BUFFER) {
            s->buffers += fv_var_numel(v);
            continue;
        }
        s->parameters += fv_var_numel(v);
        s->parameter_tensors++;
        if (fv_var_trainable(v)) s->trainable += fv_var_numel(v);
    }
}

/* Memory of a training step: its functions compiled in a session of their own. */
static fv_status foretell_training(fv_context *ctx, const fv_model *m, const fv_input_spec *spec, const fv_tensor *in, const fv_summary_options *o, int64_t *bytes)
{
    fv_status status = FV_OK;
    fv_function *gradient = NULL, *update = NULL;
    builder b = {.model = m};
    FVI_TRY(ctx, fv_session_create(ctx, &(fv_session_options){.amp = o->amp, .passes = o->recompute ? "+recompute" : NULL}, &b.session));
    fv_function_options train = {.training = true};
    FVI_TRY_DONE(ctx, status, fv_function_create(b.session, "gradient", spec, 1, build_gradient, &b, &train, &gradient));
    FVI_TRY_DONE(ctx, status, fv_function_create(b.session, "update", NULL, 0, build_update, &b, &train, &update));
    FVI_TRY_DONE(ctx, status, fv_function_compile(gradient, in, 1, bytes));
    FVI_TRY_DONE(ctx, status, fv_function_compile(update, NULL, 0, bytes));
done:
    fv_function_destroy(gradient);
    fv_function_destroy(update);
    fv_session_destroy(b.session);
    return status;
}

fv_status fv_model_summary(fv_context *ctx, const fv_model *m, const fv_summary_options *o, fv_summary **out)
{
    fv_status status = FV_OK;
    fv_function *forward = NULL;
    builder b = {.model = m};
    int64_t c = o->input[0] ? o->input[0] : 3, h = o->input[1] ? o->input[1] : 224, w = o->input[2] ? o->input[2] : 224;
    int64_t n = o->batch_size ? o->batch_size : 1;
    *out = NULL;
    own_summary *own = fvi_calloc(1, sizeof *own);
    if (!own) return fvi_nomem(ctx);
    fv_input_spec spec = {"images", FV_F32, 4, {FV_N, c, h, w}};
    fv_tensor in = {FV_F32, 4, {n, c, h, w}, NULL};
    FVI_TRY_DONE(ctx, status, fv_session_create(ctx, &(fv_session_options){.amp = o->amp}, &b.session));
    FVI_TRY_DONE(ctx, status, fv_function_create(b.session, "forward", &spec, 1, build_forward, &b, NULL, &forward));
    FVI_TRY_DONE(ctx, status, fv_function_layers(forward, &in, 1, add_row, own));
    if (own->failed) {
        status = fvi_nomem(ctx);
        goto done;
    }
    count_variables(b.session, &own->s);
    if (!o->plain) FVI_TRY_DONE(ctx, status, fv_function_compile(forward, &in, 1, &own->s.infer_bytes));
    if (!o->plain && o->train) FVI_TRY_DONE(ctx, status, foretell_training(ctx, m, &spec, &in, o, &own->s.train_bytes));
    *out = &own->s;
    own = NULL;
done:
    fv_summary_destroy(own ? &own->s : NULL);
    fv_function_destroy(forward);
    fv_session_destroy(b.session);
    return status;
}

void fv_summary_destroy(fv_summary *s)
{
    if (!s) return;
    own_summary *own = (own_summary *)(void *)s;
    fvi_free(s->rows);
    fvi_arena_free(&own->arena);
    fvi_free(own);
}
