/* SPDX-License-Identifier: Apache-2.0 */
/* Writing checkpoints. */
#include "train/checkpoint.h"
#include "optim/optim.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <unistd.h>

#define TRACKED ".num_batches_tracked"
#define MEAN ".running_mean"

typedef struct item { fv_var *var; fv_var *source; } item;           /* source: where the values come from; NULL var: a counter */

typedef struct collection {
    fv_context *ctx;
    fv_session *session;
    int64_t batches;
    fvi_arena arena;
    struct { item *items; int count, capacity; } vars;
    struct { fvi_st_entry *items; int count, capacity; } entries;
} collection;

static fv_status add(collection *c, const char *name, fv_var *var, fv_var *source)
{
    fvi_st_entry e = {.name = name, .dtype = FVI_ST_I64};
    if (var) {
        fv_tensor shape;
        fv_var_shape(var, &shape);
        e.dtype = fvi_st_from(shape.dtype);
        e.rank = shape.rank;
        memcpy(e.dims, shape.dims, (size_t)shape.rank * sizeof *e.dims);
    }
    item i = {var, source};
    return name && FVI_PUSH(&c->entries, e) && FVI_PUSH(&c->vars, i) ? FV_OK : fvi_nomem(c->ctx);
}

static fv_status fetch(void *user, int index, void *buffer)
{
    const collection *c = user;
    const item *i = &c->vars.items[index];
    if (!i->var) {
        memcpy(buffer, &c->batches, sizeof c->batches);
        return FV_OK;
    }
    fv_tensor t;
    fv_var_shape(i->var, &t);
    t.data = buffer;
    FVI_TRY(c->ctx, fv_var_get(c->session, i->source, &t));
    return FV_OK;
}

static fv_var *average_of(fv_session *s, const fv_var *v)
{
    int n = fv_session_var_count(s);
    for (int i = 0; i < n; i++) {
        fv_var *e = fv_session_var(s, i);
        if (fv_var_role(e) == FV_EMA && fv_var_base(e) == v) return e;
    }
    return NULL;
}

/* Parameters and buffers under their names, and a num_batches_tracked beside each running_mean. */
static fv_status collect_weights(collection *c, bool ema)
{
    int n = fv_session_var_count(c->session);
    for (int i = 0; i < n; i++) {
        fv_var *v = fv_session_var(c->session, i), *average = NULL;
        if (!fvi_var_is_model(v)) continue;
        if (ema) average = average_of(c->session, v);
        const char *name = fv_var_name(v);
        FVI_TRY(c->ctx, add(c, name, v, average ? average : v));
        size_t length = strlen(name), tail = sizeof MEAN - 1;
        if (length > tail && !strcmp(name + length - tail, MEAN))
            FVI_TRY(c->ctx, add(c, fvi_arena_format(&c->arena, "%.*s" TRACKED, (int)(length - tail), name), NULL, NULL));
    }
    return FV_OK;
}

static bool is_state(const fv_var *v)
{
    fv_role role = fv_var_role(v);
    return role == FV_OPTIMIZER || role == FV_EMA || role == FV_SCALAR || role == FV_RANDOM;
}

static fv_status collect_state(collection *c)
{
    int n = fv_session_var_count(c->session);
    for (int i = 0; i < n; i++) {
        fv_var *v = fv_session_var(c->session, i);
        if (is_state(v)) FVI_TRY(c->ctx, add(c, fv_var_name(v), v, v));
    }
    return FV_OK;
}

static void collection_free(collection *c)
{
    fvi_free(c->vars.items);
    fvi_free(c->entries.items);
    fvi_arena_free(&c->arena);
}

/* ---- metadata -------------------------------------------------------------------------------------------------------- */

enum { PAIRS = 12 };
typedef struct pairs { fvi_st_pair items[PAIRS]; int count; } pairs;

static void add_text(pairs *p, const char *key, const char *value)
{
    if (value) p->items[p->count++] = (fvi_st_pair){key, value};
}

static void add_texts(pairs *p, const fvi_texts *t)
{
    add_text(p, "format", "pt");
    add_text(p, "fovea.version", t->version);
    add_text(p, "fovea.model", t->model);
    add_text(p, "fovea.classes", t->classes);
    add_text(p, "fovea.config", t->config);
    add_text(p, "fovea.data", t->data);
}

/* ---- saving ---------------------------------------------------------------------------------------------------------- */

static fv_status write_collection(collection *c, const char *path, const pairs *p, char hash[33], fvi_writer **out)
{
    fvi_st_output o = {.entries = c->entries.items, .count = c->entries.count, .fetch = fetch, .user = c, .metadata = p->items, .n_metadata = p->count};
    FVI_TRY(c->ctx, fvi_st_write(c->ctx, path, &o, hash, out));
    return FV_OK;
}

static fv_status write_weights(fv_context *ctx, fv_session *s, const char *path, bool ema, const fvi_position *p, const fvi_texts *t,
                               char hash[33], fvi_writer **out)
{
    fv_status status = FV_OK;
    collection c = {.ctx = ctx, .session = s, .batches = p->batches};
    pairs m = {.count = 0};
    char step[32];
    snprintf(step, sizeof step, "%lld", (long long)p->step);
    add_texts(&m, t);
    add_text(&m, "fovea.step", step);
    add_text(&m, "fovea.ema", ema ? "true" : "false");
    FVI_TRY_DONE(ctx, status, collect_weights(&c, ema));
    FVI_TRY_DONE(ctx, status, write_collection(&c, path, &m, hash, out));
done:
    collection_free(&c);
    return status;
}

fv_status fvi_weights_save(fv_context *ctx, fv_session *s, const char *path, bool ema, const fvi_position *p, const fvi_texts *t)
{
    char hash[33];
    fvi_writer *w;
    FVI_TRY(ctx, write_weights(ctx, s, path, ema, p, t, hash, &w));
    FVI_TRY(ctx, fvi_writer_commit(w));
    return FV_OK;
}

static fv_status write_state(fv_context *ctx, fv_session *s, const char *path, const fvi_position *p, const fvi_texts *t, const char *weights,
                             fvi_writer **out)
{
    fv_status status = FV_OK;
    collection c = {.ctx = ctx, .session = s};
    pairs m = {.count = 0};
    char hash[33], *position = fvi_position_text(p);
    if (!position) return fvi_nomem(ctx);
    add_texts(&m, t);
    add_text(&m, "fovea.cpu", t->cpu);
    add_text(&m, "fovea.kernel_table", t->kernel_table);
    add_text(&m, "fovea.position", position);
    add_text(&m, "fovea.weights_hash", weights);
    FVI_TRY_DONE(ctx, status, collect_state(&c));
    FVI_TRY_DONE(ctx, status, write_collection(&c, path, &m, hash, out));
done:
    collection_free(&c);
    fvi_free(position);
    return status;
}

/* A rename that is content when there is nothing to rename. */
static fv_status set_aside(fv_context *ctx, const char *from, const char *to)
{
    if (rename(from, to) == 0 || errno == ENOENT) return FV_OK;
    return fvi_fail(ctx, FV_ERROR_IO, "cannot rename %s to %s: %s", from, to, strerror(errno));
}

typedef struct names { char *weights, *state, *old_weights, *old_state; } names;

static bool names_of(const char *folder, names *n)
{
    n->weights = fvi_path_join(folder, "latest.safetensors");
    n->state = fvi_path_join(folder, "latest.state.safetensors");
    n->old_weights = fvi_path_join(folder, "previous.safetensors");
    n->old_state = fvi_path_join(folder, "previous.state.safetensors");
    return n->weights && n->state && n->old_weights && n->old_state;
}

static void names_free(names *n)
{
    fvi_free(n->weights);
    fvi_free(n->state);
    fvi_free(n->old_weights);
    fvi_free(n->old_state);
}

fv_status fvi_checkpoint_save(fv_context *ctx, fv_session *s, const char *folder, const fvi_position *p, const fvi_texts *t)
{
    fv_status status = FV_OK;
    fvi_writer *weights = NULL, *state = NULL, *w;
    char hash[33];
    names n;
    if (!names_of(folder, &n)) {
        status = fvi_nomem(ctx);
        goto done;
    }
    FVI_TRY_DONE(ctx, status, fvi_make_dirs(ctx, folder));
    FVI_TRY_DONE(ctx, status, write_weights(ctx, s, n.weights, false, p, t, hash, &weights));
    FVI_TRY_DONE(ctx, status, write_state(ctx, s, n.state, p, t, hash, &state));
    /* Both are on the disk. From here on every moment leaves a pair: latest + latest, previous + latest, previous + previous. */
    FVI_TRY_DONE(ctx, status, set_aside(ctx, n.weights, n.old_weights));
    FVI_TRY_DONE(ctx, status, set_aside(ctx, n.state, n.old_state));
    w = weights;
    weights = NULL;
    FVI_TRY_DONE(ctx, status, fvi_writer_commit(w));
    w = state;
    state = NULL;
    FVI_TRY_DONE(ctx, status, fvi_writer_commit(w));
done:
    fvi_writer_abort(weights);
    fvi_writer_abort(state);
    /* A first save that failed between the two: weights without any state would look like a loss, and nothing was saved before. (A
     * commit whose folder could not be synced has renamed, so what is there is looked at, not how far this came.) */
    if (status != FV_OK && n.old_state && !fvi_file_exists(n.state) && !fvi_file_exists(n.old_state)) unlink(n.weights);
    names_free(&n);
    return status;
}

/* ---- averages -------------------------------------------------------------------------------------------------------- */

fv_status fvi_swap_averages(fv_context *ctx, fv_session *s)
{
    fv_status status = FV_OK;
    int n = fv_session_var_count(s);
    int64_t largest = 1;
    for (int i = 0; i < n; i++) largest = FVI_MAX(largest, fv_var_numel(fv_session_var(s, i)));
    size_t bytes = (size_t)largest * 8;
    void *a = fvi_malloc_aligned(bytes), *b = fvi_malloc_aligned(bytes);
    if (!a || !b) {
        status = fvi_nomem(ctx);
        goto done;
    }
    for (int i = 0; i < n; i++) {
        fv_var *average = fv_session_var(s, i), *v = fv_var_base(average);
        if (fv_var_role(average) != FV_EMA || !v) continue;
        fv_tensor x, y;
        fv_var_shape(v, &x);
        fv_var_shape(average, &y);
        x.data = a;
        y.data = b;
        FVI_TRY_DONE(ctx, status, fv_var_get(s, v, &x));
        FVI_TRY_DONE(ctx, status, fv_var_get(s, average, &y));
        FVI_TRY_DONE(ctx, status, fv_var_set(s, v, &y));
        FVI_TRY_DONE(ctx, status, fv_var_set(s, average, &x));
    }
done:
    fvi_free_aligned(a, bytes);
    fvi_free_aligned(b, bytes);
    return status;
}
