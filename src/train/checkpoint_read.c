/* SPDX-License-Identifier: Apache-2.0 */
/* Reading checkpoints: which pair fits together, and putting its values into a session. */
#include "optim/optim.h"
#include "train/checkpoint.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <unistd.h>

static const char *const weight_names[2] = {"latest.safetensors", "previous.safetensors"};
static const char *const state_names[2] = {"latest.state.safetensors", "previous.state.safetensors"};

/* Files of ours that writers left which were killed; a checkpoint_dir may hold others'. */
static void discard_temporaries(const char *folder)
{
    static const char *const patterns[] = {"latest.safetensors.tmp.*", "latest.state.safetensors.tmp.*", "best.safetensors.tmp.*"};
    for (int i = 0; i < FVI_COUNT(patterns); i++) fvi_temporaries(folder, patterns[i], true);
}

#define REMEDY "; restore the file, or start again with --new"

static fv_status read_position(fv_context *ctx, fvi_st_file *f, fvi_position *p)
{
    const char *text = fvi_st_metadata(f, "fovea.position");
    if (!text) return fvi_fail(ctx, FV_ERROR_FORMAT, "%s is not a state file of fovea" REMEDY, f->path);
    return fvi_position_parse(ctx, &f->arena, f->path, text, p);
}

/* Opens one file and checks the hash of its data. */
static fv_status open_checked(fv_context *ctx, const char *path, fvi_st_file *f)
{
    FVI_TRY(ctx, fvi_st_open(ctx, path, f));
    fv_status status = fvi_st_check(ctx, f);
    if (status != FV_OK) fvi_st_close(f);
    return status;
}

typedef struct half { char *path; fvi_st_file file; bool exists, good; char *why; } half;

static fv_status open_half(fv_context *ctx, const char *folder, const char *name, half *h)
{
    h->path = fvi_path_join(folder, name);
    if (!h->path) return fvi_nomem(ctx);
    h->exists = fvi_file_exists(h->path);
    if (!h->exists) return FV_OK;
    fv_status status = open_checked(ctx, h->path, &h->file);
    if (status == FV_ERROR_NOMEM) return status;
    h->good = status == FV_OK;
    if (!h->good) {
        h->why = fvi_strdup(fv_error_message(ctx));
        fvi_error_clear(ctx);
        if (!h->why) return fvi_nomem(ctx);
    }
    return FV_OK;
}

static bool fits(const half *weights, const half *state)
{
    const char *wanted = state->good ? fvi_st_metadata(&state->file, "fovea.weights_hash") : NULL;
    const char *have = weights->good ? fvi_st_metadata(&weights->file, FVI_ST_HASH_KEY) : NULL;
    return wanted && have && !strcmp(wanted, have);
}

static fv_status move(fv_context *ctx, const char *folder, const char *from, const char *to)
{
    fv_status status = FV_OK;
    char *a = fvi_path_join(folder, from), *b = fvi_path_join(folder, to);
    if (!a || !b)
        status = fvi_nomem(ctx);
    else if (rename(a, b) != 0 && errno != ENOENT)
        status = fvi_fail(ctx, FV_ERROR_IO, "cannot rename %s to %s: %s", a, b, strerror(errno));
    fvi_free(a);
    fvi_free(b);
    return status;
}

/* Makes the pair (w, s) the latest one again. What was latest and does not fit is kept as damaged.* when it was damaged. */
static fv_status make_latest(fv_context *ctx, const char *folder, const half *weights, const half *states, int w, int s)
{
    if (s == 1 && states[0].exists && !states[0].good) FVI_TRY(ctx, move(ctx, folder, state_names[0], "damaged.state.safetensors"));
    if (w == 1 && weights[0].exists && !weights[0].good) FVI_TRY(ctx, move(ctx, folder, weight_names[0], "damaged.safetensors"));
    if (w == 1) FVI_TRY(ctx, move(ctx, folder, weight_names[1], weight_names[0]));
    if (s == 1) FVI_TRY(ctx, move(ctx, folder, state_names[1], state_names[0]));
    return FV_OK;
}

static fv_status none_fits(fv_context *ctx, const char *folder, const half *weights, const half *states)
{
    const char *why = states[0].why ? states[0].why : weights[0].why ? weights[0].why : states[1].why ? states[1].why : weights[1].why;
    if (why) return fvi_fail(ctx, FV_ERROR_FORMAT, "no checkpoint in %s can be used: %s", folder, why);
    for (int i = 0; i < 2; i++)
        if (states[i].exists != weights[i].exists)
            return fvi_fail(ctx, FV_ERROR_FORMAT, "no checkpoint in %s can be used: %s has no %s beside it" REMEDY, folder,
                            states[i].exists ? state_names[i] : weight_names[i], states[i].exists ? weight_names[i] : state_names[i]);
    return fvi_fail(ctx, FV_ERROR_FORMAT, "no checkpoint in %s can be used: weights and state are not of the same moment (their hashes differ)" REMEDY,
                    folder);
}

fv_status fvi_checkpoint_open(fv_context *ctx, const char *folder, bool repair, fvi_checkpoint *out, bool *found)
{
    fv_status status = FV_OK;
    half weights[2] = {{0}}, states[2] = {{0}};
    int w = -1, s = -1;
    memset(out, 0, sizeof *out);
    *found = false;
    for (int i = 0; i < 2 && !fits(&weights[0], &states[0]); i++) {      /* the previous ones only when they are needed */
        FVI_TRY_DONE(ctx, status, open_half(ctx, folder, weight_names[i], &weights[i]));
        FVI_TRY_DONE(ctx, status, open_half(ctx, folder, state_names[i], &states[i]));
    }
    for (int i = 0; i < 4 && w < 0; i++)                 /* the newest state first */
        if (fits(&weights[i & 1], &states[i >> 1])) {
            w = i & 1;
            s = i >> 1;
        }
    if (w < 0) {
        bool any = weights[0].exists || weights[1].exists || states[0].exists || states[1].exists;
        /* First saves that were killed, once or in a row: weights are there, the state is still a temporary. Nothing is lost. */
        bool first = !states[0].exists && !states[1].exists && fvi_temporaries(folder, "latest.state.safetensors.tmp.*", false);
        if (any && !first) status = none_fits(ctx, folder, weights, states);
        if (status == FV_OK && repair) {                 /* weights first: without a state of any kind beside them they would be a fault */
            for (int i = 0; i < 2; i++)
                if (weights[i].exists) unlink(weights[i].path);
            discard_temporaries(folder);
        }
        goto done;
    }
    FVI_TRY_DONE(ctx, status, read_position(ctx, &states[s].file, &out->position));
    if (s == 1 && (states[0].why || weights[0].why))
        fvi_log(ctx, FV_LOG_WARN, "%s; going on from the previous checkpoint, step %lld", states[0].why ? states[0].why : weights[0].why,
                (long long)out->position.step);
    if (repair) {
        discard_temporaries(folder);
        FVI_TRY_DONE(ctx, status, make_latest(ctx, folder, weights, states, w, s));
    }
    out->weights = weights[w].file;
    out->state = states[s].file;
    memset(&weights[w].file, 0, sizeof weights[w].file);
    memset(&states[s].file, 0, sizeof states[s].file);
    *found = true;
done:
    for (int i = 0; i < 2; i++) {
        fvi_st_close(&weights[i].file);
        fvi_st_close(&states[i].file);
        fvi_free(weights[i].path);
        fvi_free(states[i].path);
        fvi_free(weights[i].why);
        fvi_free(states[i].why);
    }
    return status;
}

void fvi_checkpoint_close(fvi_checkpoint *c)
{
    fvi_st_close(&c->weights);
    fvi_st_close(&c->state);
}

/* ---- into a session -------------------------------------------------------------------------------------------------- */

static void shape_text(int rank, const int64_t *dims, char out[128])
{
    size_t used = (size_t)snprintf(out, 128, "(");
    for (int i = 0; i < rank && used < 100; i++) used += (size_t)snprintf(out + used, 128 - used, "%s%lld", i ? ", " : "", (long long)dims[i]);
    snprintf(out + used, 128 - used, ")");
}

static fv_status set_from(fv_context *ctx, fv_session *s, const fvi_st_file *f, const fvi_st_tensor *t, fv_var *v)
{
    fv_tensor shape;
    char have[128], want[128];
    fv_var_shape(v, &shape);
    if (shape.rank != t->rank || memcmp(shape.dims, t->dims, (size_t)t->rank * sizeof *t->dims)) {
        shape_text(t->rank, t->dims, have);
        shape_text(shape.rank, shape.dims, want);
        return fvi_fail(ctx, FV_ERROR_FORMAT, "%s: %s is %s, the model wants %s: the file is of another model; use its own configuration", f->path,
                        t->name, have, want);
    }
    size_t bytes = (size_t)FVI_MAX(t->numel, 1) * fv_dtype_size(shape.dtype);
    shape.data = fvi_malloc_aligned(bytes);
    if (!shape.data) return fvi_nomem(ctx);
    fv_status status = fvi_st_read(ctx, f, t, shape.dtype, shape.data);
    if (status == FV_OK) status = fv_var_set(s, v, &shape);
    fvi_free_aligned(shape.data, bytes);
    return status;
}

static bool is_counter(const char *name)
{
    static const char tail[] = ".num_batches_tracked";
    size_t n = strlen(name);
    return n >= sizeof tail && !strcmp(name + n - (sizeof tail - 1), tail);
}

fv_status fvi_weights_load(fv_context *ctx, fv_session *s, const fvi_st_file *f, const fv_task_def *def)
{
    int n = fv_session_var_count(s), used = 0, counters = 0;
    for (int i = 0; i < n; i++) {
        fv_var *v = fv_session_var(s, i);
        if (!fvi_var_is_model(v)) continue;
        const fvi_st_tensor *t = fvi_st_find(f, fv_var_name(v));
        if (!t)
            return fvi_fail(ctx, FV_ERROR_FORMAT, "%s has no tensor %s, which the model needs: the file is of another model", f->path, fv_var_name(v));
        FVI_TRY(ctx, set_from(ctx, s, f, t, v));
        used++;
    }
    if (def && def->programs) return FV_OK;
    for (int i = 0; i < f->count; i++) counters += is_counter(f->tensors[i].name);
    if (used + counters == f->count) return FV_OK;
    for (int i = 0; i < f->count; i++) {
        const fv_var *v = fv_session_find(s, f->tensors[i].name);
        if (!is_counter(f->tensors[i].name) && (!v || !fvi_var_is_model(v)))
            return fvi_fail(ctx, FV_ERROR_FORMAT, "%s: tensor %s has no place in the model (%d like it): the file is of another model", f->path,
                            f->tensors[i].name, f->count - used - counters);
    }
    return FV_OK;
}

static bool is_state(const fv_var *v)
{
    fv_role role = fv_var_role(v);
    return role == FV_OPTIMIZER || role == FV_EMA || role == FV_SCALAR || role == FV_RANDOM;
}

/* Does the file hold the whole state of the parameter that `v` belongs to? Adam's averages without Adam's count, or the
 * other way round, would be worse than none. */
static bool state_is_whole(const fvi_checkpoint *c, fv_session *s, const fv_var *v)
{
    const fv_var *base = fv_var_base(v);
    int n = fv_session_var_count(s);
    for (int i = 0; i < n; i++) {
        const fv_var *other = fv_session_var(s, i);
        if (fv_var_role(other) == FV_OPTIMIZER && fv_var_base(other) == base && !fvi_st_find(&c->state, fv_var_name(other))) return false;
    }
    return true;
}

/* An average that was not kept before: it begins with the weights, not with zeros. */
static fv_status begin_average(fv_context *ctx, fv_session *s, fv_var *average)
{
    fv_tensor t;
    fv_var_shape(average, &t);
    size_t bytes = (size_t)FVI_MAX(fv_var_numel(average), 1) * fv_dtype_size(t.dtype);
    if (!(t.data = fvi_malloc_aligned(bytes))) return fvi_nomem(ctx);
    fv_status status = fv_var_get(s, fv_var_base(average), &t);
    if (status == FV_OK) status = fv_var_set(s, average, &t);
    fvi_free_aligned(t.data, bytes);
    return status;
}

fv_status fvi_checkpoint_restore(fv_context *ctx, const fvi_checkpoint *c, fv_session *s, bool lenient)
{
    int n = fv_session_var_count(s), missing = 0;
    FVI_TRY(ctx, fvi_weights_load(ctx, s, &c->weights, NULL));
    for (int i = 0; i < n; i++) {
        fv_var *v = fv_session_var(s, i);
        if (!is_state(v)) continue;
        const fvi_st_tensor *t = fvi_st_find(&c->state, fv_var_name(v));
        if (t && lenient && fv_var_role(v) == FV_OPTIMIZER && !state_is_whole(c, s, v)) t = NULL;
        if (t) {
            FVI_TRY(ctx, set_from(ctx, s, &c->state, t, v));
            continue;
        }
        if (lenient && fv_var_role(v) == FV_EMA && fv_var_base(v)) {
            FVI_TRY(ctx, begin_average(ctx, s, v));
            continue;
        }
        if (!lenient && fv_var_role(v) != FV_RANDOM && fv_var_role(v) != FV_SCALAR)
            return fvi_fail(ctx, FV_ERROR_FORMAT, "%s has no tensor %s, which the optimizer needs" REMEDY, c->state.path, fv_var_name(v));
        missing++;
    }
    if (lenient && missing) fvi_log(ctx, FV_LOG_INFO, "%d tensors of the optimizer start anew", missing);
    return FV_OK;
}
