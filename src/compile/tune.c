/* SPDX-License-Identifier: Apache-2.0 */
/* `fovea tune`. Kernels ask env->table for a choice by (op, key); a table of our own listens and answers. One plan per
 * candidate name (every key takes it, where it can) gives the time of each call with it. Two tables come of that: the
 * fastest candidate per key among those with the memory orders of the shipped heuristics, and among all; memory orders that
 * differ from the neighbours' cost reorders, which only the whole function shows. So the whole function decides. */
#include "compile/registry.h"
#include "compile/session.h"

#include "base/file.h"
#include "base/thread.h"
#include "cpu/cpu.h"
#include "cpu/dnnl_shim.h"
#include "fovea/tools.h"

#include <stdio.h>

enum { MAX_NAMES = 12, MAX_KEYS = 1024 };

typedef struct candidate { bool used, same_layouts; double seconds; } candidate;
typedef struct tune_key {
    const char *op, *key;
    int calls;                         /* in one run of the function */
    int base, pick;                    /* names that the heuristics take, that the next plan shall take; -1: none */
    fvi_layout in, out;                /* of the heuristics' plan */
    candidate by_name[MAX_NAMES];
} tune_key;

typedef enum answer { ANSWER_NOTHING, ANSWER_ONE, ANSWER_PICKS } answer;

typedef struct tuner {
    fvi_kernel_table face;             /* first: find() gets its address */
    fv_context *ctx;
    fvi_arena arena;
    answer answer;
    int one;                           /* the name of ANSWER_ONE */
    const char *names[MAX_NAMES];
    int n_names;
    tune_key keys[MAX_KEYS];
    int n_keys, heard;                 /* heard: the key asked for last, -1 */
    bool failed;                       /* find() ran out of memory */
    /* what is tuned */
    const char *name;
    const fv_input_spec *inputs;
    fv_tensor in[32];
    int n_in, plans;
    fv_build_fn *build;
    void *user;
    const fv_function_options *function;
    bool amp;
} tuner;

typedef struct subject { fv_session *session; fv_function *f; fvi_plan *plan; fvi_run run; } subject;

/* ---- the table that listens ---- */

static int key_index(tuner *t, const char *op, const char *key)
{
    for (int i = 0; i < t->n_keys; i++)
        if (!strcmp(t->keys[i].op, op) && !strcmp(t->keys[i].key, key)) return i;
    tune_key k = {.op = fvi_arena_strdup(&t->arena, op), .key = fvi_arena_strdup(&t->arena, key), .base = -1, .pick = -1};
    if (!k.op || !k.key || t->n_keys == MAX_KEYS) {
        t->failed = true;
        return -1;
    }
    t->keys[t->n_keys] = k;
    return t->n_keys++;
}

static const char *find(const fvi_kernel_table *face, const char *op, const char *key)
{
    tuner *t = (tuner *)(uintptr_t)face;
    t->heard = key_index(t, op, key);
    if (t->heard < 0 || t->answer == ANSWER_NOTHING) return NULL;
    const int name = t->answer == ANSWER_ONE ? t->one : t->keys[t->heard].pick;
    return name < 0 ? NULL : t->names[name];
}

static fv_status collect_names(tuner *t)
{
    for (int i = 0; i < fvi_registry_kernel_count(); i++) {
        const char *const *list = fvi_registry_kernel(i)->choices;
        for (; list && *list; list++) {
            int k = 0;
            while (k < t->n_names && strcmp(t->names[k], *list)) k++;
            FVI_ASSERT(t->ctx, k < MAX_NAMES);
            if (k == t->n_names) t->names[t->n_names++] = *list;
        }
    }
    return FV_OK;
}

/* ---- one plan ---- */

static void close_subject(subject *s)
{
    fv_function_destroy(s->f);
    fv_session_destroy(s->session);
    memset(s, 0, sizeof *s);
}

/* A fresh session: home layouts of variables are chosen once in a session's life. */
static fv_status open_subject(tuner *t, answer a, int one, subject *s)
{
    memset(s, 0, sizeof *s);
    t->answer = a;
    t->one = one;
    t->plans++;
    const fv_session_options o = {.amp = t->amp};
    fv_status status = fv_session_create(t->ctx, &o, &s->session);
    if (status == FV_OK) s->session->compiler.env.table = &t->face;
    if (status == FV_OK) status = fv_function_create(s->session, t->name, t->inputs, t->n_in, t->build, t->user, t->function, &s->f);
    if (status == FV_OK) status = fvi_function_plan(s->f, t->in, t->n_in, &s->plan, &s->run);
    if (status == FV_OK) status = fvi_plan_run(s->plan, &s->run, -1);
    if (status == FV_OK && t->failed) status = fvi_fail(t->ctx, FV_ERROR_NOMEM, "%s: too many shapes to tune", t->name);
    if (status != FV_OK) close_subject(s);
    return status;
}

/* The key that a call asks the table for; -1 when it asks nothing. */
static int key_of(tuner *t, const subject *s, const fvi_instr *c)
{
    const fvi_node *n = c->node;
    if (!c->kernel->choices) return -1;
    fvi_query q;
    t->heard = -1;
    if (fvi_query_open(&q, &s->plan->env, n, true) != FV_OK) return -1;
    (void)c->kernel->choose(&q);
    fvi_query_close(&q);
    return t->heard;
}

/* The name in use: describe() has it as a word. */
static int name_in_use(const tuner *t, const fvi_instr *c)
{
    const char *text = c->kernel->describe ? c->kernel->describe(c->state) : "";
    for (; *text; text += strspn(text, " ")) {
        const size_t length = strcspn(text, " ");
        for (int i = 0; i < t->n_names; i++)
            if (strlen(t->names[i]) == length && !strncmp(t->names[i], text, length)) return i;
        text += length;
    }
    return -1;
}

/* Least time of one call, its operands being those of the whole run before. */
static fv_status time_call(const subject *s, const fvi_instr *c, double *seconds)
{
    const fvi_plan *p = s->plan;
    void **in = p->call_in[0], **out = p->call_out[0];
    const fvi_exec x = {p->ctx, p->env.threads, NULL, s->run.ragged_rows};
    for (int k = 0; k < c->node->n_in; k++) in[k] = fvi_plan_address(p, &s->run, c->in[k]);
    for (int k = 0; k < c->node->n_out; k++) out[k] = fvi_plan_address(p, &s->run, c->out[k]);
    void *scratch = c->scratch.kind ? s->run.scratch + c->scratch.offset : NULL;
    const double end = fvi_seconds() + 0.05;
    *seconds = 1e30;
    for (int i = 0; i < 4 || (i < 50 && fvi_seconds() < end); i++) {
        const double begin = fvi_seconds();
        FVI_TRY(p->ctx, c->kernel->run(c->state, in, out, scratch, &x));
        if (i) *seconds = FVI_MIN(*seconds, fvi_seconds() - begin);
    }
    return FV_OK;
}

/* Times every call that has a key in this plan. base: the plan of the heuristics. */
static fv_status time_calls(tuner *t, const subject *s, bool base)
{
    for (int i = 0; i < s->plan->code.count; i++) {
        const fvi_instr *c = &s->plan->code.items[i];
        const int index = key_of(t, s, c), name = index < 0 ? -1 : name_in_use(t, c);
        if (name < 0) continue;
        tune_key *k = &t->keys[index];
        const fvi_layout in = c->node->in[0]->layout, out = c->node->out[0].layout;
        if (base) {
            k->calls++;
            k->base = k->pick = name;
            k->in = in;
            k->out = out;
        }
        candidate *x = &k->by_name[name];
        double seconds;
        FVI_TRY(t->ctx, time_call(s, c, &seconds));
        if (!x->used) *x = (candidate){true, in == k->in && out == k->out, seconds};
        else x->seconds = FVI_MIN(x->seconds, seconds);
    }
    return FV_OK;
}

static fv_status time_candidates(tuner *t)
{
    subject s;
    for (int name = -1; name < t->n_names; name++) {
        FVI_TRY(t->ctx, open_subject(t, name < 0 ? ANSWER_NOTHING : ANSWER_ONE, name, &s));
        const fv_status status = time_calls(t, &s, name < 0);
        close_subject(&s);
        if (status != FV_OK) return status;
        if (name < 0 && !t->n_keys) break;
    }
    return FV_OK;
}

/* ---- tables ---- */

/* Sets the picks; true when any differs from the heuristics. A candidate must win by 2 %. */
static bool pick_fastest(tuner *t, bool same_layouts)
{
    bool any = false;
    for (int i = 0; i < t->n_keys; i++) {
        tune_key *k = &t->keys[i];
        if (k->base < 0) continue;
        double best = k->by_name[k->base].seconds * 0.98;
        k->pick = k->base;
        for (int c = 0; c < t->n_names; c++) {
            const candidate *x = &k->by_name[c];
            if (!x->used || (same_layouts && !x->same_layouts) || x->seconds >= best) continue;
            best = x->seconds;
            k->pick = c;
        }
        any |= k->pick != k->base;
    }
    return any;
}

static void pick_base(tuner *t)
{
    for (int i = 0; i < t->n_keys; i++) t->keys[i].pick = t->keys[i].base;
}

/* Least seconds of the whole function with the present picks. */
static fv_status time_whole(tuner *t, int rounds, double *seconds)
{
    subject s;
    fv_status status = open_subject(t, ANSWER_PICKS, 0, &s);
    for (int i = 0; i < rounds && status == FV_OK; i++) {
        const double begin = fvi_seconds();
        status = fvi_plan_run(s.plan, &s.run, -1);
        const double took = fvi_seconds() - begin;
        *seconds = *seconds == 0 ? took : FVI_MIN(*seconds, took);
    }
    close_subject(&s);
    return status;
}

/* Leaves the winner's picks. The heuristics go first and last: a machine that warms up or is disturbed favours nobody. */
static fv_status decide(tuner *t, int rounds, fv_tune_result *r)
{
    double same = 0, all = 0;
    pick_base(t);
    FVI_TRY(t->ctx, time_whole(t, rounds, &r->before));
    const bool try_same = pick_fastest(t, true);
    if (try_same) FVI_TRY(t->ctx, time_whole(t, rounds, &same));
    if (pick_fastest(t, false)) FVI_TRY(t->ctx, time_whole(t, rounds, &all));
    pick_base(t);
    FVI_TRY(t->ctx, time_whole(t, rounds, &r->before));
    r->after = r->before;
    const double wanted = r->before * 0.99;
    if (try_same && same < wanted && (all == 0 || same <= all)) {
        pick_fastest(t, true);
        r->after = same;
    } else if (all > 0 && all < wanted) {
        pick_fastest(t, false);
        r->after = all;
    }
    return FV_OK;
}

/* One object per op: {op: {key: value}}. */
static void write_by_op(const tuner *t, fvi_text *x, bool measured)
{
    bool first_op = true;
    for (int i = 0; i < t->n_keys; i++) {
        bool seen = t->keys[i].base < 0;
        for (int k = 0; k < i; k++) seen |= t->keys[k].base >= 0 && !strcmp(t->keys[k].op, t->keys[i].op);
        if (seen) continue;
        fvi_text_add(x, "%s\n    \"%s\": {", first_op ? "" : ",", t->keys[i].op);
        first_op = false;
        bool first = true;
        for (int j = i; j < t->n_keys; j++) {
            const tune_key *k = &t->keys[j];
            if (k->base < 0 || strcmp(k->op, t->keys[i].op)) continue;
            fvi_text_add(x, "%s\n      ", first ? "" : ",");
            fvi_text_json_string(x, k->key);
            first = false;
            if (!measured) {
                fvi_text_add(x, ": \"%s\"", t->names[k->pick]);
                continue;
            }
            const char *comma = ": {";
            for (int c = 0; c < t->n_names; c++) {
                if (!k->by_name[c].used) continue;
                fvi_text_add(x, "%s\"%s\": %.6g", comma, t->names[c], k->by_name[c].seconds);
                comma = ", ";
            }
            fvi_text_add(x, "}");
        }
        fvi_text_add(x, "\n    }");
    }
}

static fv_status write_table(tuner *t, fvi_writer *w, const char *note, const fv_tune_result *r)
{
    fvi_text x = {0};
    fvi_text_add(&x, "{\n  \"fovea\": \"%s\",\n  \"tuned\": ", fv_version());
    fvi_text_json_string(&x, note);
    fvi_text_add(&x, ",\n  \"cpu\": ");
    fvi_text_json_string(&x, fvi_cpu_model());
    fvi_text_add(&x, ",\n  \"isa\": \"%s\",\n  \"library\": \"oneDNN %s\",\n  \"threads\": %d,\n", fvi_cpu_isa_name(fvi_cpu_detect_isa()), fvi_dnnl_version(),
                 fv_context_threads(t->ctx));
    fvi_text_add(&x, "  \"seconds\": {\"heuristics\": %.6g, \"table\": %.6g},\n  \"choices\": {", r->before, r->after);
    write_by_op(t, &x, false);
    fvi_text_add(&x, "\n  },\n  \"measured\": {");
    write_by_op(t, &x, true);
    fvi_text_add(&x, "\n  }\n}\n");
    const size_t bytes = x.length;
    char *text = fvi_text_take(&x);
    if (!text) return fvi_nomem(t->ctx);
    const fv_status status = fvi_writer_write(w, text, bytes);
    fvi_free(text);
    return status;
}

static void report(const tuner *t, fv_tune_fn *fn, void *user)
{
    for (int i = 0; i < t->n_keys && fn; i++) {
        const tune_key *k = &t->keys[i];
        for (int c = 0; c < t->n_names && k->base >= 0; c++) {
            const fv_tune_row row = {k->op, k->key, t->names[c], k->by_name[c].seconds * k->calls, c == k->pick};
            if (k->by_name[c].used) fn(user, &row);
        }
    }
}

/* ---- inputs ---- */

/* Memory with something in it for inputs that have none. */
static fv_status fill_inputs(tuner *t, const fv_tensor *in)
{
    uint32_t state = 12345;
    for (int i = 0; i < t->n_in; i++) {
        t->in[i] = in[i];
        if (in[i].data) continue;
        int64_t n = 1;
        for (int d = 0; d < in[i].rank; d++)
            if (in[i].dims[d] < 0 || !fvi_mul_i64(n, in[i].dims[d], &n)) return fvi_fail(t->ctx, FV_ERROR_SHAPE, "%s: input %d has no size", t->name, i);
        void *data = t->in[i].data = fvi_arena_alloc(&t->arena, (size_t)n * fv_dtype_size(in[i].dtype) + 64);
        if (!data) return fvi_nomem(t->ctx);
        for (int64_t k = 0; k < n && in[i].dtype == FV_F32; k++) {
            state = state * 1664525u + 1013904223u;
            ((float *)data)[k] = (float)(state >> 8) / 8388608.0f - 1.0f;
        }
    }
    return FV_OK;
}

fv_status fv_tune(fv_context *ctx, const char *path, const char *name, const fv_input_spec *inputs, const fv_tensor *in, int n_in,
                  fv_build_fn *build, void *user, const fv_function_options *function, const fv_tune_options *options,
                  fv_tune_fn *fn, void *fn_user, fv_tune_result *result)
{
    const fv_tune_options none = {0}, *o = options ? options : &none;
    fv_tune_result r = {0};
    fvi_writer *w = NULL;
    tuner *t = fvi_calloc(1, sizeof *t);
    if (!t) return fvi_nomem(ctx);
    *t = (tuner){.face = {find}, .ctx = ctx, .name = name, .inputs = inputs, .n_in = n_in, .build = build, .user = user, .function = function, .amp = o->amp};
    fv_status status = n_in > FVI_COUNT(t->in) ? fvi_fail(ctx, FV_ERROR_INVALID, "%s: at most %d inputs", name, FVI_COUNT(t->in)) : FV_OK;
    if (status == FV_OK) status = fvi_writer_open(ctx, path, &w);       /* now: not only when all is timed */
    if (status == FV_OK) status = collect_names(t);
    if (status == FV_OK) status = fill_inputs(t, in);
    if (status == FV_OK) status = time_candidates(t);
    if (status == FV_OK) status = decide(t, o->rounds > 0 ? o->rounds : 5, &r);
    if (status == FV_OK) status = write_table(t, w, o->note ? o->note : name, &r);
    if (status == FV_OK) status = fvi_writer_commit(w);
    else fvi_writer_abort(w);
    if (status == FV_OK) report(t, fn, fn_user);
    for (int i = 0; i < t->n_keys; i++) r.keys += t->keys[i].base >= 0;
    r.plans = t->plans;
    if (status == FV_OK && result) *result = r;
    fvi_arena_free(&t->arena);
    fvi_free(t);
    return status;
}
