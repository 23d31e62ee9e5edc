/* SPDX-License-Identifier: Apache-2.0 */
/* Tasks in use: functions made from their record, calls with batches, evaluation. */
#include "tasks/task.h"
#include "base/attr.h"
#include "compile/session.h"
#include "ir/graph.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

/* ---- by name ------------------------------------------------------------------------------------------------------------ */

#define FVI_TASK_FILE(file) extern const fv_task_def *const fvi_task_##file;
#include "task_list.inc"
#undef FVI_TASK_FILE

const fv_task_def *fv_task_known(int index)
{
    const fv_task_def *const all[] = {
#define FVI_TASK_FILE(file) fvi_task_##file,
#include "task_list.inc"
#undef FVI_TASK_FILE
    };
    return index >= 0 && index < FVI_COUNT(all) ? all[index] : NULL;
}

const fv_task_def *fv_task_find(const char *name)
{
    const fv_task_def *d;
    for (int i = 0; (d = fv_task_known(i)); i++)
        if (!strcmp(d->name, name)) return d;
    return NULL;
}

/* ---- what a task knows -------------------------------------------------------------------------------------------------- */

const fv_task_setup *fv_task_setup_of(const fv_task *t) { return &t->setup; }
void *fv_task_state(const fv_task *t) { return t->state; }
fv_context *fv_task_context(const fv_task *t) { return t->ctx; }
fv_session *fv_task_session(const fv_task *t) { return t->session; }

void *fv_task_keep(fv_task *t, size_t bytes)
{
    void *p = fvi_arena_alloc(&t->arena, bytes);
    if (!p) {
        const fv_status status = fvi_nomem(t->ctx);
        (void)status;
    }
    return p;
}

const char *fv_task_class_name(const fv_task *t, int64_t index, char room[32])
{
    if (t->setup.class_names && index >= 0 && index < t->setup.classes) return t->setup.class_names[index];
    snprintf(room, 32, "%lld", (long long)index);
    return room;
}

const fv_optimizer_options *fv_task_optimizer(const fv_task *t, const char *name)
{
    for (int i = 0; i < t->n_programs; i++) {
        const char *own = t->programs[i].name;
        if (own && name ? !strcmp(own, name) : own == name) return &t->programs[i].optimizer;
    }
    return NULL;
}

const fv_tensor *fv_results_find(const fv_results *r, const char *name)
{
    for (int i = 0; i < r->n; i++)
        if (!strcmp(r->names[i], name)) return &r->tensors[i];
    return NULL;
}

double fvi_results_number(const fv_results *r, const char *name)
{
    const fv_tensor *t = fv_results_find(r, name);
    if (!t || t->rank) return (double)NAN;
    return t->dtype == FV_F32 ? (double)*(const float *)t->data : t->dtype == FV_F64 ? *(const double *)t->data
           : t->dtype == FV_I64 ? (double)*(const int64_t *)t->data : (double)NAN;
}

int fvi_task_metric(const fv_task_def *def, const char *name)
{
    if (!strncmp(name, "val_", 4)) name += 4;
    for (int i = 0; def->metrics && def->metrics[i].name; i++)
        if (!strcmp(def->metrics[i].name, name) || fvi_word_in(def->metrics[i].aliases, name)) return i;
    return -1;
}

bool fvi_task_tells(const fv_task *t, int metric)
{
    return !t->def->tells || t->def->tells(t, metric);
}

/* ---- creation ----------------------------------------------------------------------------------------------------------- */

static fv_status check_record(fv_context *ctx, const fv_task_def *d)
{
    int functions = 0, calls = 0;
    while (d->functions && d->functions[functions].name) functions++;
    while (d->step && d->step[calls].function) calls++;
    if (!d->name || !d->fields || !d->collate || !functions || !calls || functions > FVI_TASK_FUNCTIONS || calls > FVI_TASK_CALLS)
        return fvi_fail(ctx, FV_ERROR_INVALID, "task %s wants a name, fields, collate, 1 to %d functions and a step of 1 to %d calls", d->name ? d->name : "(no name)",
                        FVI_TASK_FUNCTIONS, FVI_TASK_CALLS);
    return FV_OK;
}

fv_status fvi_task_set_program(fv_task *t, const fv_task_program *p)
{
    t->programs[0] = *p;
    t->n_programs = 1;
    if (t->def->programs) FVI_TRY(t->ctx, t->def->programs(t, t->programs, &t->n_programs));
    FVI_ASSERT(t->ctx, t->n_programs >= 1 && t->n_programs <= FV_PROGRAMS_MAX);
    for (int i = 0; i < t->n_programs; i++) t->programs[i].optimizer.program = t->programs[i].name;
    return FV_OK;
}

static fv_status set_up(fv_task *t, const fvi_task_options *o)
{
    FVI_TRY(t->ctx, check_record(t->ctx, t->def));
    if (t->def->state_size && !(t->state = fvi_calloc(1, t->def->state_size))) return fvi_nomem(t->ctx);
    if (t->def->create) FVI_TRY(t->ctx, t->def->create(t));
    FVI_TRY(t->ctx, t->def->fields(t, t->fields, &t->n_fields));
    FVI_ASSERT(t->ctx, t->n_fields >= 0 && t->n_fields <= FV_FIELDS_MAX);
    FVI_TRY(t->ctx, fvi_task_set_program(t, &o->program));
    while (t->def->metrics && t->def->metrics[t->n_metrics].name) t->n_metrics++;
    return FV_OK;
}

fv_status fvi_task_create(fv_context *ctx, const fvi_task_options *o, fv_task **out)
{
    *out = NULL;
    fv_task *t = fvi_calloc(1, sizeof *t);
    if (!t) return fvi_nomem(ctx);
    t->ctx = ctx;
    t->def = o->def;
    t->setup = o->setup;
    t->augment = o->augment;
    const fv_status status = set_up(t, o);
    if (status == FV_OK) *out = t;
    else fvi_task_destroy(t);
    return status;
}

static void free_part(fvi_task_part *p)
{
    fv_function_destroy(p->function);
    for (int i = 0; i < FV_FIELDS_MAX; i++) fvi_free(p->tensors[i].data);
}

void fvi_task_destroy(fv_task *t)
{
    if (!t) return;
    for (int i = 0; i < FVI_TASK_FUNCTIONS; i++)
        for (int first = 0; first < 2; first++) free_part(&t->parts[i][first]);
    fv_session_destroy(t->session);
    if (t->def->destroy && t->state) t->def->destroy(t);
    fvi_free(t->state);
    fvi_arena_free(&t->arena);
    fvi_free(t);
}

fv_status fvi_task_open(fv_task *t, const fv_session_options *o)
{
    FVI_TRY(t->ctx, fv_session_create(t->ctx, o, &t->session));
    return FV_OK;
}

/* ---- functions ---------------------------------------------------------------------------------------------------------- */

int fvi_task_function(const fv_task *t, const char *name)
{
    for (int i = 0; name && t->def->functions[i].name; i++)
        if (!strcmp(t->def->functions[i].name, name)) return i;
    return -1;
}

/* The first call of the step that is made for each batch, or once. */
static bool is_first_call(const fv_task *t, const fv_task_function *f, bool each_batch)
{
    for (const fv_step_call *c = t->def->step; c->function; c++)
        if (c->each_batch == each_batch) return !strcmp(c->function, f->name);
    return false;
}

static fv_status build_part(fv_graph *g, fv_value *const *in, int n_in, void *user)
{
    const fvi_task_part *p = user;
    fv_task *t = p->task;
    const fv_own_step *own = &t->setup.step;
    if (own->gradient && n_in >= 2 && is_first_call(t, p->def, true)) return own->gradient(g, t->setup.model, in[0], in[1], p->first, own->user);
    if (own->update && is_first_call(t, p->def, false)) return own->update(g, t->session, &t->programs[0].optimizer, own->user);
    return p->def->build(t, g, in, p->first);
}

static int field_of(const fv_task *t, const char *name, size_t length)
{
    for (int i = 0; i < t->n_fields; i++)
        if (strlen(t->fields[i].name) == length && !strncmp(t->fields[i].name, name, length)) return i;
    return -1;
}

static bool is_ragged(const fv_field *f)
{
    return f->rank > 0 && f->dims[0] == FV_RAGGED;
}

/* Inputs of the function; a ragged field is rows and counts. Returns how many there are. */
static int specs_of(const fvi_task_part *p, fv_input_spec *out)
{
    int n = 0;
    for (int i = 0; i < p->n_fields; i++) {
        const fv_field *f = &p->task->fields[p->fields[i]];
        fv_input_spec s = {.name = f->name, .dtype = f->dtype, .rank = f->rank + !is_ragged(f)};
        s.dims[0] = is_ragged(f) ? FV_RAGGED : FV_N;
        for (int k = is_ragged(f); k < f->rank; k++) s.dims[k + !is_ragged(f)] = f->dims[k];
        out[n++] = s;
        if (is_ragged(f)) out[n++] = (fv_input_spec){.name = "counts", .dtype = FV_I64, .rank = 1, .dims = {FV_N}};
    }
    return n;
}

fv_status fvi_task_part_of(fv_task *t, int index, bool first, fvi_task_part **out)
{
    fvi_task_part *p = &t->parts[index][first];
    fv_input_spec specs[2 * FV_FIELDS_MAX];
    *out = p;
    if (p->function) return FV_OK;
    *p = (fvi_task_part){.task = t, .def = &t->def->functions[index], .first = first};
    for (const char *name = p->def->inputs ? p->def->inputs : ""; *name; name += strspn(name, " ")) {
        const size_t n = strcspn(name, " ");
        const int field = field_of(t, name, n);
        if (field < 0 || p->n_fields == FV_FIELDS_MAX)
            return fvi_fail(t->ctx, FV_ERROR_INVALID, "task %s: function %s wants \"%.*s\", which is no field", t->def->name, p->def->name, (int)n, name);
        p->fields[p->n_fields++] = field;
        name += n;
    }
    const int n = specs_of(p, specs);
    FVI_TRY(t->ctx, fv_function_create(t->session, p->def->name, specs, n, build_part, p, &(fv_function_options){.training = p->def->training}, &p->function));
    return FV_OK;
}

int fvi_task_inputs(const fvi_task_part *p, const fv_batch *b, int64_t n, fv_tensor in[2 * FV_FIELDS_MAX])
{
    int count = 0;
    for (int i = 0; i < p->n_fields; i++) {
        const fv_field *f = &p->task->fields[p->fields[i]];
        fv_tensor t = {.dtype = f->dtype, .rank = f->rank + !is_ragged(f)};
        memcpy(t.dims + !is_ragged(f), f->dims, (size_t)f->rank * sizeof *f->dims);
        t.dims[0] = is_ragged(f) ? 0 : n;
        if (b) t = b->tensors[p->fields[i]];
        in[count++] = t;
        if (is_ragged(f)) in[count++] = (fv_tensor){FV_I64, 1, {n}, b ? b->counts[p->fields[i]] : NULL};
    }
    return count;
}

fv_status fvi_task_build(fv_task *t, int index)
{
    fvi_task_part *p;
    fv_tensor in[2 * FV_FIELDS_MAX];
    fv_session *s;
    fv_graph *g = NULL;
    FVI_ASSERT(t->ctx, index >= 0);
    FVI_TRY(t->ctx, fvi_task_part_of(t, index, true, &p));
    const int n = fvi_task_inputs(p, NULL, 1, in);
    const fv_status status = fvi_function_graph(p->function, in, n, &s, &g);
    fvi_graph_destroy(g);
    return status;
}

static fv_status compile(fv_task *t, int index, bool first, int64_t n, int64_t *bytes)
{
    fvi_task_part *p;
    fv_tensor in[2 * FV_FIELDS_MAX];
    FVI_ASSERT(t->ctx, index >= 0);
    FVI_TRY(t->ctx, fvi_task_part_of(t, index, first, &p));
    const int count = fvi_task_inputs(p, NULL, n, in);
    FVI_TRY(t->ctx, fv_function_compile(p->function, in, count, bytes));
    return FV_OK;
}

fv_status fvi_task_compile(fv_task *t, int64_t batch_size, unsigned uses, int64_t *bytes)
{
    /* Training first: it decides where variables live. Gradients before updates, which use what there is. The bytes are the
     * session's, after the last one. */
    for (int pass = 0; (uses & FVI_TASK_TRAIN) && pass < 2; pass++)
        for (const fv_step_call *c = t->def->step; c->function; c++) {
            const int index = fvi_task_function(t, c->function);
            if (index < 0) return fvi_fail(t->ctx, FV_ERROR_INVALID, "task %s: its step calls %s, which is no function of it", t->def->name, c->function);
            if (c->each_batch == (pass > 0)) continue;
            FVI_TRY(t->ctx, compile(t, index, true, batch_size, bytes));
            if (c->each_batch && (uses & FVI_TASK_ACCUMULATE)) FVI_TRY(t->ctx, compile(t, index, false, batch_size, bytes));
        }
    if ((uses & FVI_TASK_EVALUATE) && t->def->evaluate) FVI_TRY(t->ctx, compile(t, fvi_task_function(t, t->def->evaluate), true, batch_size, bytes));
    if ((uses & FVI_TASK_PREDICT) && t->def->predict) FVI_TRY(t->ctx, compile(t, fvi_task_function(t, t->def->predict), true, batch_size, bytes));
    if ((uses & FVI_TASK_TRAIN) && t->def->ready) FVI_TRY(t->ctx, t->def->ready(t));
    return FV_OK;
}

/* Host memory for the results that this call will have. */
static fv_status take_results(fvi_task_part *p, const fv_tensor *in, int n_in)
{
    fv_result_info info[FV_FIELDS_MAX];
    fv_context *ctx = p->task->ctx;
    int n = 0;
    FVI_TRY(ctx, fv_function_results(p->function, in, n_in, info, FV_FIELDS_MAX, &n));
    for (int i = 0; i < n; i++) {
        size_t bytes = fv_dtype_size(info[i].type.dtype);
        void *data = p->tensors[i].data;
        for (int k = 0; k < info[i].type.rank; k++) bytes *= (size_t)info[i].type.dims[k];
        if (bytes > p->bytes[i]) {
            if (!(data = fvi_realloc(data, bytes))) return fvi_nomem(ctx);
            p->bytes[i] = bytes;
        }
        p->names[i] = info[i].name;
        p->tensors[i] = info[i].type;
        p->tensors[i].data = data;
    }
    p->results = (fv_results){n, p->names, p->tensors};
    return FV_OK;
}

fv_status fvi_task_call(fv_task *t, int index, bool first, const fv_batch *b, const fv_results **out)
{
    fvi_task_part *p;
    fv_tensor in[2 * FV_FIELDS_MAX];
    FVI_ASSERT(t->ctx, index >= 0);
    FVI_TRY(t->ctx, fvi_task_part_of(t, index, first, &p));
    const int n = fvi_task_inputs(p, b, b ? b->n : 1, in);
    FVI_TRY(t->ctx, take_results(p, in, n));
    FVI_TRY(t->ctx, fv_function_call(p->function, in, n, p->tensors, p->results.n));
    *out = &p->results;
    return FV_OK;
}

const char *fvi_task_nonfinite(fv_task *t, int index, bool first, const fv_batch *b)
{
    fvi_task_part *p;
    fv_tensor in[2 * FV_FIELDS_MAX];
    if (fvi_task_part_of(t, index, first, &p) != FV_OK) return NULL;
    const int n = fvi_task_inputs(p, b, b ? b->n : 1, in);
    return fv_function_find_nonfinite(p->function, in, n);
}

fv_status fvi_task_evaluate(fv_task *t, const fv_batch *b, const fv_results **out)
{
    FVI_TRY(t->ctx, fvi_task_call(t, fvi_task_function(t, t->def->evaluate), true, b, out));
    return t->def->add ? t->def->add(t, b, *out) : FV_OK;
}

fv_status fvi_task_collate(const void *task, fv_loading *l, const fv_draw *d)
{
    const fv_task *t = task;
    return t->def->collate(t, l, d);
}

/* ---- rows, metadata ----------------------------------------------------------------------------------------------------- */

fv_status fv_rows_add(fv_rows *rows, const fv_cell *cells)
{
    if (rows->n == rows->limit) return FV_OK;            /* as many as were asked for */
    memcpy(rows->cells + (size_t)rows->n++ * (size_t)rows->n_columns, cells, (size_t)rows->n_columns * sizeof *cells);
    return FV_OK;
}

fv_status fv_metadata_add(fv_metadata *m, const char *key, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    char *text = fvi_format_v(fmt, args);
    va_end(args);
    const char *k = fvi_arena_strdup(&m->arena, key), *v = text ? fvi_arena_strdup(&m->arena, text) : NULL;
    fvi_free(text);
    if (!k || !v || (m->pairs.count == m->pairs.capacity && !fvi_grow(&m->pairs.items, &m->pairs.capacity, sizeof *m->pairs.items))) return fvi_nomem(m->ctx);
    m->pairs.items[m->pairs.count].key = k;
    m->pairs.items[m->pairs.count++].value = v;
    return FV_OK;
}
