/* SPDX-License-Identifier: Apache-2.0 */
/* The small files of a run folder. */
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
#include <unistd.h>

/* ---- files ----------------------------------------------------------------------------------------------------------- */

fv_status fvi_run_write(fvi_run_folder *r, const char *name, char *text)
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

#define CSV_HEADER "step,epoch,lr,loss,grad_norm"

enum { CSV_COLUMNS = 5 + FVI_COLUMNS_MAX, CSV_CELLS = 256 };

fv_status fvi_run_column(fvi_run_folder *r, const char *name)
{
    if (r->n_columns == FVI_COLUMNS_MAX) return fvi_fail(r->ctx, FV_ERROR_INVALID, "more than %d columns of metrics.csv, as %s", FVI_COLUMNS_MAX, name);
    if (!(r->columns[r->n_columns] = fvi_strdup(name))) return fvi_nomem(r->ctx);
    r->n_columns++;
    return FV_OK;
}

/* The first line without its end; owned by the caller. */
static char *csv_header(const fvi_run_folder *r)
{
    fvi_text t = {0};
    fvi_text_add(&t, "%s", CSV_HEADER);
    for (int i = 0; i < r->n_columns; i++) fvi_text_add(&t, ",%s", r->columns[i]);
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
    char *have[CSV_CELLS], *want[CSV_COLUMNS];
    int n = csv_cells(header, have, CSV_CELLS), columns = csv_cells(ours, want, CSV_COLUMNS);
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
        char *end, *cells[CSV_CELLS];
        long long at = strtoll(line, &end, 10);
        if (end == line || *end != ',' || at > step || !next) continue;
        int n = csv_cells(line, cells, CSV_CELLS);
        for (int i = 0; i < columns; i++)
            fvi_text_add(&t, "%s%s", i ? "," : "", places[i] >= 0 && places[i] < n ? cells[places[i]] : "");
        fvi_text_add(&t, "\n");
    }
    return fvi_text_take(&t);
}

static fv_status open_metrics(fvi_run_folder *r, int64_t step)
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
static fv_status note_segment(fvi_run_folder *r, const fv_config *c, int64_t step)
{
    char room[FV_SHELL_ROOM];
    char *path = fvi_path_join(r->path, "command.txt");
    fvi_text line = {0};
    int fd = -1;
    fvi_text_add(&line, "step %lld: %s%s%s%s%s\n", (long long)step, c->path ? fv_shell_word(c->path, room) : "", c->path && *c->command ? " " : "", c->command,
                 r->changed ? "   changed: " : "", r->changed ? r->changes : "");
    fv_status status = path && !line.failed ? fvi_append_open(r->ctx, path, &fd) : fvi_nomem(r->ctx);
    if (status == FV_OK) status = fvi_append(r->ctx, fd, path, line.data, line.length);
    if (fd >= 0) close(fd);
    fvi_text_free(&line);
    fvi_free(path);
    return status;
}

static fv_status write_segments(fvi_run_folder *r, const fv_config *c, int64_t step)
{
    char *path = fvi_path_join(r->path, "segments.json"), *text = NULL;
    fv_status status = path ? fvi_segments_text(path, r->exists ? r->before : NULL, c, step, &text) : fvi_nomem(r->ctx);
    if (status == FV_OK) status = fvi_run_write(r, "segments.json", text);
    fvi_free(path);
    return status;
}

/* Last, since config.json is what makes the folder a run, and the changes of a segment its own. A split of other keys goes before it
 * and comes behind it: a process that is killed in between leaves a run that divides its data as its configuration says. */
static fv_status write_config(fvi_run_folder *r, const fv_config *c, int64_t step, bool new_split)
{
    FVI_TRY(r->ctx, note_segment(r, c, step));
    if (r->exists && !r->changed && !r->moved) return FV_OK;
    if (!r->exists || r->changed) FVI_TRY(r->ctx, write_segments(r, c, step));
    char *split = r->exists && new_split ? fvi_path_join(r->path, "split.csv") : NULL;
    if (split) unlink(split);
    fvi_free(split);
    FVI_TRY(r->ctx, fvi_run_write(r, "config.json", fv_config_text(c, false)));
    return FV_OK;
}

fv_status fvi_run_begin_group(fvi_run_folder *r, const fv_config *c)
{
    if (!r->exists || r->changed) FVI_TRY(r->ctx, fvi_run_write(r, "origins.json", fv_config_text(c, true)));
    FVI_TRY(r->ctx, write_config(r, c, 0, false));
    return FV_OK;
}

fv_status fvi_run_begin(fvi_run_folder *r, const fv_config *c, const fv_source *data, int64_t step, bool new_split)
{
    FVI_TRY(r->ctx, fvi_make_dirs(r->ctx, r->checkpoints));
    if (!r->exists || r->changed) {
        FVI_TRY(r->ctx, fvi_run_write(r, "origins.json", fv_config_text(c, true)));
        FVI_TRY(r->ctx, fvi_run_write(r, "classes.txt", classes_text(data)));
        FVI_TRY(r->ctx, fvi_run_write(r, "environment.json", environment_text(r->ctx)));
        if (r->table) FVI_TRY(r->ctx, fvi_run_write(r, "kernels.json", fvi_strdup(r->table)));
    }
    FVI_TRY(r->ctx, open_metrics(r, step));
    FVI_TRY(r->ctx, write_config(r, c, step, new_split));
    return FV_OK;
}

static void cell(fvi_text *row, double v)
{
    if (isnan(v)) fvi_text_raw(row, ",", 1);
    else fvi_text_add(row, ",%.9g", v);
}

fv_status fvi_run_row(fvi_run_folder *r, const fvi_metrics_row *m)
{
    const double cells[] = {m->epoch, m->rate, m->loss, m->norm};
    if (r->metrics < 0) return FV_OK;
    fvi_text_add(&r->rows, "%lld", (long long)m->step);
    for (int i = 0; i < FVI_COUNT(cells); i++) cell(&r->rows, cells[i]);
    for (int i = 0; i < r->n_columns; i++) cell(&r->rows, m->values[i]);
    fvi_text_raw(&r->rows, "\n", 1);
    if (r->rows.failed) return fvi_nomem(r->ctx);
    return r->rows.length < 4096 ? FV_OK : fvi_run_flush(r);
}

fv_status fvi_run_flush(fvi_run_folder *r)
{
    char *path = r->rows.length ? fvi_path_join(r->path, "metrics.csv") : NULL;
    if (!r->rows.length) return FV_OK;
    fv_status status = path ? fvi_append(r->ctx, r->metrics, path, r->rows.data, r->rows.length) : fvi_nomem(r->ctx);
    if (status == FV_OK) r->rows.length = 0;             /* else they are tried once more */
    fvi_free(path);
    return status;
}

/* Rows that wait are written as far as that is possible: those beyond the last checkpoint come again when the run goes on. */
void fvi_run_close(fvi_run_folder *r)
{
    const bool opened = r->ctx != NULL;
    r->ctx = NULL;                                       /* the error that ended the run stays the last one */
    if (opened && r->metrics >= 0) {
        fv_status ignored = fvi_run_flush(r);
        (void)ignored;
        close(r->metrics);
    }
    if (opened) fvi_run_release(r);
    fvi_text_free(&r->rows);
    fvi_free(r->path);
    fvi_free(r->checkpoints);
    fvi_free(r->changes);
    fvi_free(r->table);
    fvi_free(r->table_path);
    fv_config_destroy(r->before);
    for (int i = 0; i < r->n_columns; i++) fvi_free(r->columns[i]);
    memset(r, 0, sizeof *r);
}
