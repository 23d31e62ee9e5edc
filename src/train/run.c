/* SPDX-License-Identifier: Apache-2.0 */
/* Run folders. */
#include "train/run.h"
#include "train/segments.h"
#include "base/file.h"
#include "base/thread.h"

#include "cpu/cpu.h"
#include "cpu/dnnl_shim.h"
#include "data/data.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

/* run, else run_root/<config>.<variants>. Owned by the caller, absolute. */
static char *run_path(const fv_config *c)
{
    if (c->v.run) return fvi_path_absolute(c->v.run);
    const char *env = getenv("FOVEA_RUN_ROOT");
    const char *root = c->v.run_root ? c->v.run_root : env && *env ? env : "runs";
    const char *stem = *c->stem ? c->stem : c->v.model;
    char *name = *c->variants ? fvi_format("%s.%s", stem, c->variants) : fvi_strdup(stem);
    char *joined = name ? fvi_path_join(root, name) : NULL;
    char *path = joined ? fvi_path_absolute(joined) : NULL;
    fvi_free(name);
    fvi_free(joined);
    return path;
}

static bool is_run(const char *path)
{
    char *file = fvi_path_join(path, "config.json");
    bool yes = file && fvi_file_exists(file);
    fvi_free(file);
    return yes;
}

/* path-2, path-3 ... or path.old-1 ...: the first that does not exist. */
static char *free_name(const char *path, const char *suffix, int first)
{
    for (int i = first; i < 10000; i++) {
        char *name = fvi_format("%s%s%d", path, suffix, i);
        if (!name || !fvi_file_exists(name)) return name;
        fvi_free(name);
    }
    return NULL;
}

static fv_status overwrite(fvi_run *r)
{
    char *old = free_name(r->path, ".old-", 1);
    if (!old) return fvi_nomem(r->ctx);
    fv_status status = FV_OK;
    if (rename(r->path, old) != 0)
        status = fvi_fail(r->ctx, FV_ERROR_IO, "cannot move %s aside to %s: %s", r->path, old, strerror(errno));
    else
        fvi_log(r->ctx, FV_LOG_INFO, "the old run is now %s", old);
    fvi_free(old);
    return status;
}

/* Is `path` the folder, or below it? */
static bool is_below(const char *path, const char *folder)
{
    size_t n = strlen(folder);
    return !strncmp(path, folder, n) && (path[n] == '/' || !path[n]);
}

/* A new run must not write over what another one saved in the same checkpoint_dir. */
static fv_status check_checkpoints(const fvi_run *r, const fv_config *c)
{
    static const char *const names[] = {"latest.safetensors", "latest.state.safetensors", "previous.safetensors", "best.safetensors"};
    if (!c->v.checkpoint_dir || is_below(r->checkpoints, r->path)) return FV_OK;
    for (int i = 0; i < FVI_COUNT(names); i++) {
        char *path = fvi_path_join(r->checkpoints, names[i]);
        if (!path) return fvi_nomem(r->ctx);
        const bool there = fvi_file_exists(path);
        fvi_free(path);
        if (there)
            return fvi_fail(r->ctx, FV_ERROR_CONFIG, "checkpoint_dir: %s holds the checkpoints of another run; name another folder, or move them away", r->checkpoints);
    }
    return FV_OK;
}

/* One process a run: the lock goes with the process, however it ends. */
static fv_status lock_run(fvi_run *r)
{
    char *path = fvi_path_join(r->path, ".lock");
    fv_status status = FV_OK;
    if (!path) return fvi_nomem(r->ctx);
    FVI_TRY_DONE(r->ctx, status, fvi_append_open(r->ctx, path, &r->lock));
    if (flock(r->lock, LOCK_EX | LOCK_NB) != 0)
        status = fvi_fail(r->ctx, FV_ERROR_CONFIG, "another process is training %s; wait for it, or use --new", r->path);
    else
        fvi_temporaries(r->path, "*.tmp.*", true);
done:
    fvi_free(path);
    return status;
}

/* Compares with the run's own configuration. */
static fv_status check_same(fvi_run *r, const fv_config *c, fv_run_mode mode)
{
    FVI_TRY(r->ctx, fvi_config_create(r->ctx, r->path, 0, NULL, &r->before));
    r->changes = fvi_config_difference(r->before, c);
    if (!r->changes) return fvi_nomem(r->ctx);
    r->changed = *r->changes != 0;
    if (mode == FV_RUN_CONTINUE && (r->before->v.seeds > 0) != (c->v.seeds > 0))
        return fvi_fail(r->ctx, FV_ERROR_CONFIG, "%s %s; use --new to train with%s seeds", r->path,
                        c->v.seeds > 0 ? "is a single run, which cannot become several" : "repeats a run with several seeds", c->v.seeds > 0 ? "" : "out");
    if (r->changed && mode == FV_RUN_RESUME)
        return fvi_fail(r->ctx, FV_ERROR_CONFIG,
                        "run %s exists with another configuration: %s. Use --continue to go on with the changes, --new for a new run, --overwrite to "
                        "replace it", r->path, r->changes);
    return FV_OK;
}

bool fvi_run_changed(const fvi_run *r, const fv_config *now, const char *key)
{
    return r->before && fvi_config_differs(r->before, now, key);
}

/* The table that the run was begun with, else the configured one. */
static fv_status find_table(fvi_run *r, const fv_config *c)
{
    size_t bytes;
    r->table_path = fvi_path_join(r->path, "kernels.json");
    if (!r->table_path) return fvi_nomem(r->ctx);
    if (!r->exists || !fvi_file_exists(r->table_path)) {
        fvi_free(r->table_path);
        r->table_path = NULL;
        if (!c->v.kernel_table || r->exists) return FV_OK;
        if (!(r->table_path = fvi_strdup(c->v.kernel_table))) return fvi_nomem(r->ctx);
    }
    FVI_TRY(r->ctx, fvi_file_read(r->ctx, r->table_path, 16 << 20, &r->table, &bytes));
    return FV_OK;
}

fv_status fvi_run_open(fv_context *ctx, const fv_config *c, const char *folder, fv_run_mode mode, bool dry, fvi_run *out)
{
    fv_status status = FV_OK;
    *out = (fvi_run){.ctx = ctx, .lock = -1, .metrics = -1};
    out->path = folder ? fvi_path_absolute(folder) : run_path(c);
    if (!out->path) return fvi_nomem(ctx);
    out->exists = is_run(out->path);
    if (!out->exists && mode == FV_RUN_CONTINUE) {
        status = fvi_fail(ctx, FV_ERROR_CONFIG, "there is no run %s to continue", out->path);
        goto done;
    }
    if (!out->exists && mode != FV_RUN_NEW && fvi_file_exists(out->path) && !fvi_is_dir(out->path)) {
        status = fvi_fail(ctx, FV_ERROR_CONFIG, "%s is in the way: a file, not a run folder; set run=", out->path);
        goto done;
    }
    if (mode == FV_RUN_NEW && fvi_file_exists(out->path)) {
        char *name = free_name(out->path, "-", 2);
        if (!name) {
            status = fvi_nomem(ctx);
            goto done;
        }
        fvi_free(out->path);
        out->path = name;
        out->exists = false;
    }
    out->checkpoints = c->v.checkpoint_dir ? fvi_path_absolute(c->v.checkpoint_dir) : fvi_path_join(out->path, "checkpoints");
    if (!out->checkpoints) {
        status = fvi_nomem(ctx);
        goto done;
    }
    if (!out->exists || mode == FV_RUN_OVERWRITE) FVI_TRY_DONE(ctx, status, check_checkpoints(out, c));
    if (out->exists && mode == FV_RUN_OVERWRITE) {
        if (!dry) FVI_TRY_DONE(ctx, status, overwrite(out));
        out->exists = false;
    }
    if (out->exists && !dry) FVI_TRY_DONE(ctx, status, lock_run(out));
    if (out->exists) FVI_TRY_DONE(ctx, status, check_same(out, c, mode));
    FVI_TRY_DONE(ctx, status, find_table(out, c));
done:
    if (status != FV_OK) fvi_run_close(out);
    return status;
}

/* ---- files ----------------------------------------------------------------------------------------------------------- */

fv_status fvi_run_write(fvi_run *r, const char *name, char *text)
{
    char *path = text ? fvi_path_join(r->path, name) : NULL;
    fv_status status = path ? fvi_file_write(r->ctx, path, text, strlen(text)) : fvi_nomem(r->ctx);
    fvi_free(path);
    fvi_free(text);
    return status;
}

char *fvi_classes_json(const fv_source *data)
{
    fvi_text t = {0};
    fvi_text_add(&t, "[");
    for (int64_t i = 0; i < data->classes; i++) {
        char number[24];
        snprintf(number, sizeof number, "%lld", (long long)i);
        if (i) fvi_text_add(&t, ", ");
        fvi_text_json_string(&t, data->class_names ? data->class_names[i] : number);
    }
    fvi_text_add(&t, "]");
    return fvi_text_take(&t);
}

static char *classes_text(const fv_source *data)
{
    fvi_text t = {0};
    for (int64_t i = 0; i < data->classes; i++) {
        char shown[1024];                                /* a line end in a name as \n: a line for each class */
        if (data->class_names) fvi_show_name(data->class_names[i], shown, sizeof shown);
        if (data->class_names) fvi_text_add(&t, "%s\n", shown);
        else fvi_text_add(&t, "%lld\n", (long long)i);
    }
    return fvi_text_take(&t);
}

static char *environment_text(const fv_context *ctx)
{
    fvi_text t = {0};
    fvi_text_add(&t, "{\n  \"fovea\": \"%s\",\n  \"cpu\": ", fv_version());
    fvi_text_json_string(&t, fvi_cpu_model());
    fvi_text_add(&t, ",\n  \"isa\": \"%s\",\n  \"onednn\": \"%s\",\n  \"cores\": %d,\n  \"threads\": %d\n}\n",
                 fvi_cpu_isa_name(fvi_cpu_detect_isa()), fvi_dnnl_version(), fvi_cpu_count(), fv_context_threads(ctx));
    return fvi_text_take(&t);
}

#define CSV_COLUMN(name, which) "," #name
#define CSV_HEADER "step,epoch,lr,loss,grad_norm" FVI_METRIC_LIST(CSV_COLUMN)

enum { CSV_COLUMNS = 5 + FVI_METRICS + FVI_OWN_METRICS };

/* The first line without its end; owned by the caller. */
static char *csv_header(const fvi_run *r)
{
    fvi_text t = {0};
    fvi_text_add(&t, "%s", CSV_HEADER);
    for (int i = 0; i < r->n_own; i++) fvi_text_add(&t, ",%s", r->own_columns[i]);
    return fvi_text_take(&t);
}

/* Cells of a line, at most `limit`; the line is taken apart. */
static int csv_cells(char *line, char **cells, int limit)
{
    int n = 0;
    for (char *cell; n < limit && (cell = strsep(&line, ","));) cells[n++] = cell;
    return n;
}

/* Where each of our columns (`ours` is taken apart) stands in a file that an earlier version may have written; -1: nowhere.
 * Returns how many there are. */
static int csv_places(char *header, char *ours, int places[CSV_COLUMNS])
{
    char *have[64], *want[CSV_COLUMNS];
    int n = csv_cells(header, have, 64), columns = csv_cells(ours, want, CSV_COLUMNS);
    for (int i = 0; i < columns; i++) {
        places[i] = -1;
        for (int k = 0; k < n; k++)
            if (!strcmp(have[k], want[i])) places[i] = k;
    }
    return columns;
}

/* Keeps the rows up to `step`: what a killed process wrote beyond its checkpoint will be written again. */
static char *csv_until(char *text, int64_t step, char *ours)
{
    fvi_text t = {0};
    int places[CSV_COLUMNS];
    char *next = text, *header = strsep(&next, "\n");
    fvi_text_add(&t, "%s\n", ours);
    const int columns = csv_places(header, ours, places);
    for (char *line; (line = strsep(&next, "\n"));) {
        char *end, *cells[64];
        long long at = strtoll(line, &end, 10);
        if (end == line || *end != ',' || at > step || !next) continue;
        int n = csv_cells(line, cells, 64);
        for (int i = 0; i < columns; i++)
            fvi_text_add(&t, "%s%s", i ? "," : "", places[i] >= 0 && places[i] < n ? cells[places[i]] : "");
        fvi_text_add(&t, "\n");
    }
    return fvi_text_take(&t);
}

static fv_status open_metrics(fvi_run *r, int64_t step)
{
    fv_status status = FV_OK;
    char *text = NULL, *kept = NULL, *header = csv_header(r), *path = fvi_path_join(r->path, "metrics.csv");
    size_t bytes;
    if (!path || !header) {
        status = fvi_nomem(r->ctx);
        goto done;
    }
    if (step > 0 && fvi_file_exists(path)) {
        FVI_TRY_DONE(r->ctx, status, fvi_file_read(r->ctx, path, (size_t)1 << 32, &text, &bytes));
        kept = csv_until(text, step, header);
    } else {
        kept = fvi_format("%s\n", header);
    }
    if (!kept) {
        status = fvi_nomem(r->ctx);
        goto done;
    }
    FVI_TRY_DONE(r->ctx, status, fvi_file_write(r->ctx, path, kept, strlen(kept)));
    FVI_TRY_DONE(r->ctx, status, fvi_append_open(r->ctx, path, &r->metrics));
done:
    fvi_free(text);
    fvi_free(kept);
    fvi_free(header);
    fvi_free(path);
    return status;
}

/* What happened to the run, a line each: started, resumed, continued with changes. */
static fv_status note_segment(fvi_run *r, const fv_config *c, int64_t step)
{
    char *path = fvi_path_join(r->path, "command.txt");
    fvi_text line = {0};
    int fd = -1;
    fvi_text_add(&line, "step %lld: %s%s%s%s%s\n", (long long)step, c->path ? c->path : "", c->path && *c->command ? " " : "", c->command,
                 r->changed ? "   changed: " : "", r->changed ? r->changes : "");
    fv_status status = path && !line.failed ? fvi_append_open(r->ctx, path, &fd) : fvi_nomem(r->ctx);
    if (status == FV_OK) status = fvi_append(r->ctx, fd, path, line.data, line.length);
    if (fd >= 0) close(fd);
    fvi_text_free(&line);
    fvi_free(path);
    return status;
}

static fv_status write_segments(fvi_run *r, const fv_config *c, int64_t step)
{
    char *path = fvi_path_join(r->path, "segments.json"), *text = NULL;
    fv_status status = path ? fvi_segments_text(path, r->exists ? r->before : NULL, c, step, &text) : fvi_nomem(r->ctx);
    if (status == FV_OK) status = fvi_run_write(r, "segments.json", text);
    fvi_free(path);
    return status;
}

/* Last, since config.json is what makes the folder a run, and the changes of a segment its own. */
static fv_status write_config(fvi_run *r, const fv_config *c, int64_t step)
{
    FVI_TRY(r->ctx, note_segment(r, c, step));
    if (r->exists && !r->changed) return FV_OK;
    FVI_TRY(r->ctx, write_segments(r, c, step));
    FVI_TRY(r->ctx, fvi_run_write(r, "config.json", fv_config_text(c, false)));
    return FV_OK;
}

fv_status fvi_run_begin_group(fvi_run *r, const fv_config *c)
{
    FVI_TRY(r->ctx, fvi_make_dirs(r->ctx, r->path));
    if (r->lock < 0) FVI_TRY(r->ctx, lock_run(r));
    if (!r->exists || r->changed) FVI_TRY(r->ctx, fvi_run_write(r, "origins.json", fv_config_text(c, true)));
    FVI_TRY(r->ctx, write_config(r, c, 0));
    return FV_OK;
}

fv_status fvi_run_begin(fvi_run *r, const fv_config *c, const fv_source *data, int64_t step)
{
    FVI_TRY(r->ctx, fvi_make_dirs(r->ctx, r->path));
    FVI_TRY(r->ctx, fvi_make_dirs(r->ctx, r->checkpoints));
    if (r->lock < 0) FVI_TRY(r->ctx, lock_run(r));
    if (!r->exists || r->changed) {
        FVI_TRY(r->ctx, fvi_run_write(r, "origins.json", fv_config_text(c, true)));
        FVI_TRY(r->ctx, fvi_run_write(r, "classes.txt", classes_text(data)));
        FVI_TRY(r->ctx, fvi_run_write(r, "environment.json", environment_text(r->ctx)));
        if (r->table) FVI_TRY(r->ctx, fvi_run_write(r, "kernels.json", fvi_strdup(r->table)));
    }
    FVI_TRY(r->ctx, open_metrics(r, step));
    FVI_TRY(r->ctx, write_config(r, c, step));
    return FV_OK;
}

static void cell(fvi_text *row, double v)
{
    if (isnan(v)) fvi_text_raw(row, ",", 1);
    else fvi_text_add(row, ",%.9g", v);
}

fv_status fvi_run_row(fvi_run *r, const fvi_metrics_row *m)
{
    const double cells[] = {m->epoch, m->rate, m->loss, m->norm};
    if (r->metrics < 0) return FV_OK;
    fvi_text_add(&r->rows, "%lld", (long long)m->step);
    for (int i = 0; i < FVI_COUNT(cells); i++) cell(&r->rows, cells[i]);
    for (int i = 0; i < FVI_METRICS; i++) cell(&r->rows, m->val ? m->val[i] : (double)NAN);
    for (int i = 0; i < r->n_own; i++) cell(&r->rows, m->own ? m->own[i] : (double)NAN);
    fvi_text_raw(&r->rows, "\n", 1);
    if (r->rows.failed) return fvi_nomem(r->ctx);
    return r->rows.length < 4096 ? FV_OK : fvi_run_flush(r);
}

fv_status fvi_run_flush(fvi_run *r)
{
    char *path = r->rows.length ? fvi_path_join(r->path, "metrics.csv") : NULL;
    if (!r->rows.length) return FV_OK;
    fv_status status = path ? fvi_append(r->ctx, r->metrics, path, r->rows.data, r->rows.length) : fvi_nomem(r->ctx);
    r->rows.length = 0;
    fvi_free(path);
    return status;
}

/* Rows that wait are written as far as that is possible: those beyond the last checkpoint come again when the run goes on. */
void fvi_run_close(fvi_run *r)
{
    const bool opened = r->ctx != NULL;
    r->ctx = NULL;                                       /* the error that ended the run stays the last one */
    if (opened && r->metrics >= 0) {
        fv_status ignored = fvi_run_flush(r);
        (void)ignored;
        close(r->metrics);
    }
    if (opened && r->lock >= 0) close(r->lock);
    fvi_text_free(&r->rows);
    fvi_free(r->path);
    fvi_free(r->checkpoints);
    fvi_free(r->changes);
    fvi_free(r->table);
    fvi_free(r->table_path);
    fv_config_destroy(r->before);
    for (int i = 0; i < r->n_own; i++) fvi_free(r->own_columns[i]);
    memset(r, 0, sizeof *r);
}
