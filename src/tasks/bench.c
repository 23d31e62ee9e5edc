/* SPDX-License-Identifier: Apache-2.0 */
/* Steps of a task over a batch of pseudo-random numbers, for timing. */
#include "fovea/tools.h"
#include "optim/optimizer.h"
#include "tasks/task.h"

struct fv_bench {
    fv_context *ctx;
    fv_task *task;
    fvi_batch batch;
    bool train;
};

/* Numbers around zero; whole ones 0 and 1 in turn; ragged fields without rows. */
static void fill(fvi_batch *b, int64_t n)
{
    uint32_t state = 12345;
    for (int i = 0; i < b->b.n_fields; i++) {
        fv_tensor *t = &b->tensors[i];
        if (b->counts[i]) continue;
        t->dims[0] = n;
        const int64_t values = n * (int64_t)(fvi_field_bytes(&b->b.fields[i]) / fv_dtype_size(t->dtype));
        for (int64_t k = 0; k < values && t->dtype == FV_F32; k++) {
            state = state * 1664525u + 1013904223u;
            ((float *)t->data)[k] = (float)(state >> 8) / 8388608.0f - 1.0f;
        }
        for (int64_t k = 0; k < values && t->dtype == FV_I64; k++) ((int64_t *)t->data)[k] = k % 2;
    }
    b->b.n = n;
    b->b.ids = b->ids;
    b->b.tensors = b->tensors;
    b->b.counts = b->counts;
}

static fv_status open_bench(fv_bench *b, const fv_bench_options *o)
{
    const fvi_task_options options = {
        .def = o->task ? o->task : fv_task_find("classify"),
        .setup = {.model = o->model, .classes = o->classes, .channels = o->input[0], .height = o->input[1], .width = o->input[2]},
        .program = {.optimizer = o->optimizer}};
    const fv_session_options session = {.amp = o->amp, .passes = o->recompute ? "+recompute" : NULL, .kernel_table = o->kernel_table};
    FVI_TRY(b->ctx, fvi_task_create(b->ctx, &options, &b->task));
    FVI_TRY(b->ctx, fvi_task_open(b->task, &session));
    FVI_TRY(b->ctx, fvi_batch_create(b->ctx, b->task->fields, b->task->n_fields, o->batch_size, &b->batch));
    fill(&b->batch, o->batch_size);
    return FV_OK;
}

fv_status fv_bench_create(fv_context *ctx, const fv_bench_options *o, fv_bench **out)
{
    *out = NULL;
    fv_bench *b = fvi_calloc(1, sizeof *b);
    if (!b) return fvi_nomem(ctx);
    b->ctx = ctx;
    b->train = o->train;
    const fv_status status = open_bench(b, o);
    if (status == FV_OK) *out = b;
    else fv_bench_destroy(b);
    return status;
}

/* Rates as a run would have them: scalars exist once the updates are compiled. */
static fv_status set_rates(fv_bench *b)
{
    for (int i = 0; i < b->task->n_programs; i++) {
        const fv_optimizer_options *o = &b->task->programs[i].optimizer;
        FVI_TRY(b->ctx, fvi_set_scalar(b->task->session, o->program, "lr", NULL, 1e-4));
        const char *momentum = fv_optimizer_momentum(o->name);
        if (momentum) FVI_TRY(b->ctx, fvi_set_scalar(b->task->session, o->program, momentum, NULL, 0.9));
    }
    return FV_OK;
}

fv_status fv_bench_step(fv_bench *b)
{
    const fv_results *r;
    const fv_task_def *d = b->task->def;
    if (!b->train) return fvi_task_call(b->task, fvi_task_function(b->task, d->predict), true, &b->batch.b, &r);
    FVI_TRY(b->ctx, set_rates(b));
    for (const fv_step_call *c = d->step; c->function; c++)
        FVI_TRY(b->ctx, fvi_task_call(b->task, fvi_task_function(b->task, c->function), true, &b->batch.b, &r));
    return FV_OK;
}

static fv_status profile(fv_bench *b, const char *function, int repeats, fv_profile_fn *fn, void *user)
{
    fvi_task_part *p;
    fv_tensor in[2 * FV_FIELDS_MAX];
    FVI_TRY(b->ctx, fvi_task_part_of(b->task, fvi_task_function(b->task, function), true, &p));
    const int n = fvi_task_inputs(p, &b->batch.b, b->batch.b.n, in);
    return fv_function_profile(p->function, in, n, repeats, fn, user);
}

fv_status fv_bench_profile(fv_bench *b, int repeats, fv_profile_fn *fn, void *user)
{
    if (!b->train) return profile(b, b->task->def->predict, repeats, fn, user);
    for (const fv_step_call *c = b->task->def->step; c->function; c++) FVI_TRY(b->ctx, profile(b, c->function, repeats, fn, user));
    return FV_OK;
}

int64_t fv_bench_memory(const fv_bench *b)
{
    return fv_session_memory(b->task->session);
}

void fv_bench_destroy(fv_bench *b)
{
    if (!b) return;
    fvi_task_destroy(b->task);
    fvi_batch_free(&b->batch);
    fvi_free(b);
}
