/* SPDX-License-Identifier: Apache-2.0 */
/* What a model consists of: layers, parameters, FLOPs, and the memory that its plans would take. */
#include "base/base.h"
#include "fovea/model.h"
#include "optim/optim.h"
#include "tasks/task.h"

typedef struct own_summary {
    fv_summary s;                        /* first: freed through it */
    fvi_arena arena;
    int capacity;
    bool failed;
} own_summary;

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

/* The task with the model, of plain settings. */
static fv_status open_task(fv_context *ctx, const fv_model *m, const fv_summary_options *o, const int64_t input[3], bool recompute, fv_task **out)
{
    const fvi_task_options options = {
        .def = fv_task_find("classify"), .setup = {.model = m, .channels = input[0], .height = input[1], .width = input[2]},
        .program = {.optimizer = {.name = "adamw", .weight_decay = 0.01}}};
    FVI_TRY(ctx, fvi_task_create(ctx, &options, out));
    const fv_status status = fvi_task_open(*out, &(fv_session_options){.amp = o->amp, .passes = recompute ? "+recompute" : NULL});
    if (status != FV_OK) fvi_task_destroy(*out);
    return status;
}

/* Memory of a training step: its functions compiled in a session of their own. */
static fv_status foretell_training(fv_context *ctx, const fv_model *m, const fv_summary_options *o, const int64_t input[3], int64_t n, int64_t *bytes)
{
    fv_task *t;
    FVI_TRY(ctx, open_task(ctx, m, o, input, o->recompute, &t));
    const fv_status status = fvi_task_compile(t, n, FVI_TASK_TRAIN, bytes);
    fvi_task_destroy(t);
    return status;
}

fv_status fv_model_summary(fv_context *ctx, const fv_model *m, const fv_summary_options *o, fv_summary **out)
{
    fv_status status = FV_OK;
    fv_task *t = NULL;
    fvi_task_part *forward;
    fv_tensor in[2 * FV_FIELDS_MAX];
    const int64_t input[3] = {o->input[0] ? o->input[0] : 3, o->input[1] ? o->input[1] : 224, o->input[2] ? o->input[2] : 224};
    const int64_t n = o->batch_size ? o->batch_size : 1;
    *out = NULL;
    own_summary *own = fvi_calloc(1, sizeof *own);
    if (!own) return fvi_nomem(ctx);
    FVI_TRY_DONE(ctx, status, open_task(ctx, m, o, input, false, &t));
    FVI_TRY_DONE(ctx, status, fvi_task_part_of(t, fvi_task_function(t, t->def->predict), true, &forward));
    const int n_in = fvi_task_inputs(forward, NULL, n, in);
    FVI_TRY_DONE(ctx, status, fv_function_layers(forward->function, in, n_in, add_row, own));
    if (own->failed) {
        status = fvi_nomem(ctx);
        goto done;
    }
    count_variables(t->session, &own->s);
    if (!o->plain) FVI_TRY_DONE(ctx, status, fv_function_compile(forward->function, in, n_in, &own->s.infer_bytes));
    if (!o->plain && o->train) FVI_TRY_DONE(ctx, status, foretell_training(ctx, m, o, input, n, &own->s.train_bytes));
    *out = &own->s;
    own = NULL;
done:
    fv_summary_destroy(own ? &own->s : NULL);
    fvi_task_destroy(t);
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
