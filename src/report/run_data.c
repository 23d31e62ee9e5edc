/* SPDX-License-Identifier: Apache-2.0 */
/* Reading a run folder. */
#include "report/run_data.h"
#include "base/file.h"

#include <math.h>

enum { JSON_LIMIT = 64 << 20, RECORD_LIMIT = 256 << 20, MAX_COLUMNS = 64 };
#define CSV_LIMIT ((size_t)1 << 30)

static fv_status note(fv_context *ctx, fvi_run_data *r, const char *text)
{
    const char *copy = fvi_arena_strdup(&r->arena, text);
    return copy && FVI_PUSH(&r->notes, copy) ? FV_OK : fvi_nomem(ctx);
}

/* An error other than lack of memory becomes a note. */
static fv_status forgive(fv_context *ctx, fvi_run_data *r, fv_status status)
{
    if (status == FV_OK || status == FV_ERROR_NOMEM) return status;
    char *text = fvi_strdup(ctx ? fv_error_message(ctx) : "a file cannot be read");
    fvi_error_clear(ctx);
    status = text ? note(ctx, r, text) : fvi_nomem(ctx);
    fvi_free(text);
    return status;
}

/* The whole file, or NULL when it is absent. Owned by the caller. */
static fv_status read_part(fv_context *ctx, const fvi_run_data *r, const char *name, size_t limit, char **path, char **text, size_t *bytes)
{
    *text = NULL;
    *path = fvi_path_join(r->path, name);
    if (!*path) return fvi_nomem(ctx);
    if (!fvi_file_exists(*path)) return FV_OK;
    FVI_TRY(ctx, fvi_file_read(ctx, *path, limit, text, bytes));
    return FV_OK;
}

static fv_status read_json(fv_context *ctx, fvi_run_data *r, const char *name, const fvi_json **out)
{
    char *path, *text;
    size_t bytes;
    fvi_json *v = NULL;
    fv_status status = read_part(ctx, r, name, JSON_LIMIT, &path, &text, &bytes);
    if (status == FV_OK && text) status = fvi_json_parse(ctx, &r->arena, path, text, bytes, false, &v);
    if (status == FV_OK && v && v->kind != FVI_JSON_OBJECT) status = fvi_fail(ctx, FV_ERROR_FORMAT, "%s: not a JSON object", path);
    if (status == FV_OK) *out = v;
    fvi_free(text);
    fvi_free(path);
    return status;
}

static fv_status read_record(fv_context *ctx, fvi_run_data *r)
{
    char *path, *text;
    size_t bytes;
    fv_status status = read_part(ctx, r, "evaluation.json", RECORD_LIMIT, &path, &text, &bytes);
    if (status == FV_OK && text) {
        status = fvi_record_parse(ctx, path, text, bytes, &r->arena, &r->record);
        r->have_record = status == FV_OK;
    }
    fvi_free(text);
    fvi_free(path);
    return status;
}

static fv_status read_commands(fv_context *ctx, fvi_run_data *r)
{
    char *path, *text;
    size_t bytes;
    fv_status status = read_part(ctx, r, "command.txt", JSON_LIMIT, &path, &text, &bytes);
    if (status == FV_OK && text && !(r->commands = fvi_arena_strdup(&r->arena, text))) status = fvi_nomem(ctx);
    fvi_free(text);
    fvi_free(path);
    return status;
}

/* ---- metrics.csv ------------------------------------------------------------------------------------------------------ */

static fv_status parse_header(fv_context *ctx, fvi_run_data *r, char *line)
{
    const char **names = fvi_arena_alloc(&r->arena, MAX_COLUMNS * sizeof *names);
    if (!names) return fvi_nomem(ctx);
    for (char *cell; r->n_columns < MAX_COLUMNS && (cell = strsep(&line, ","));)
        if (!(names[r->n_columns++] = fvi_arena_strdup(&r->arena, cell))) return fvi_nomem(ctx);
    r->columns = names;
    return FV_OK;
}

/* A last line without its end is left out: its writer is at work, or was stopped. */
static fv_status parse_rows(fv_context *ctx, fvi_run_data *r, char *text)
{
    int64_t lines = 0;
    for (const char *p = text; (p = strchr(p, '\n')); p++) lines++;
    double *cells = fvi_arena_alloc(&r->arena, (size_t)lines * (size_t)r->n_columns * sizeof *cells);
    if (!cells) return fvi_nomem(ctx);
    r->cells = cells;
    for (char *end; (end = strchr(text, '\n')); text = end + 1) {
        *end = 0;
        const char *at = text;
        for (int i = 0; i < r->n_columns; i++) {
            const char *after;
            double v = fvi_parse_double(at, &after);
            cells[r->n_rows * r->n_columns + i] = after != at && (*after == ',' || !*after) ? v : (double)NAN;
            at = strchr(at, ',');
            at = at ? at + 1 : end;
        }
        if (isfinite(cells[r->n_rows * r->n_columns])) r->n_rows++;
    }
    return FV_OK;
}

fv_status fvi_run_data_metrics(fv_context *ctx, fvi_run_data *r, char *text)
{
    char *header = strsep(&text, "\n");
    if (!text) return FV_OK;                             /* not even a header */
    FVI_TRY(ctx, parse_header(ctx, r, header));
    FVI_TRY(ctx, parse_rows(ctx, r, text));
    return FV_OK;
}

static fv_status read_metrics(fv_context *ctx, fvi_run_data *r)
{
    char *path, *text;
    size_t bytes;
    fv_status status = read_part(ctx, r, "metrics.csv", CSV_LIMIT, &path, &text, &bytes);
    if (status == FV_OK && text) status = fvi_run_data_metrics(ctx, r, text);
    fvi_free(text);
    fvi_free(path);
    return status;
}

/* ---- a run ------------------------------------------------------------------------------------------------------------ */

static fv_status read_all(fv_context *ctx, fvi_run_data *r)
{
    FVI_TRY(ctx, read_json(ctx, r, "config.json", &r->config));
    if (!r->config) return fvi_fail(ctx, FV_ERROR_IO, "%s is not a run: it holds no config.json", r->path);
    FVI_TRY(ctx, forgive(ctx, r, read_json(ctx, r, "origins.json", &r->origins)));
    FVI_TRY(ctx, forgive(ctx, r, read_json(ctx, r, "environment.json", &r->environment)));
    FVI_TRY(ctx, forgive(ctx, r, read_json(ctx, r, "summary.json", &r->summary)));
    FVI_TRY(ctx, forgive(ctx, r, read_commands(ctx, r)));
    FVI_TRY(ctx, forgive(ctx, r, read_metrics(ctx, r)));
    FVI_TRY(ctx, forgive(ctx, r, read_record(ctx, r)));
    return FV_OK;
}

static const fv_task_def *task_of(const fv_json *config, const fv_task_def *own)
{
    const char *name = fvi_run_data_string(config, "task");
    if (!name) name = "classify";                        /* of versions that knew nothing else */
    return own && !strcmp(own->name, name) ? own : fv_task_find(name);
}

fv_status fvi_run_data_read(fv_context *ctx, const fv_task_def *own, const char *path, fvi_run_data *out)
{
    *out = (fvi_run_data){.path = fvi_path_absolute(path)};
    if (!out->path) return fvi_nomem(ctx);
    for (size_t n = strlen(out->path); n > 1 && out->path[n - 1] == '/'; n--) out->path[n - 1] = 0;
    out->name = fvi_path_base(out->path);
    fv_status status = read_all(ctx, out);
    if (status == FV_OK) out->task = task_of(out->config, own);
    if (status != FV_OK) fvi_run_data_free(out);
    return status;
}

void fvi_run_data_free(fvi_run_data *r)
{
    fvi_free(r->path);
    fvi_free(r->notes.items);
    fvi_arena_free(&r->arena);
    memset(r, 0, sizeof *r);
}

int fvi_run_data_column(const fvi_run_data *r, const char *name)
{
    for (int i = 0; i < r->n_columns; i++)
        if (!strcmp(r->columns[i], name)) return i;
    return -1;
}

double fvi_run_data_number(const fvi_json *object, const char *key)
{
    const fvi_json *v = fvi_json_get(object, key);
    return v && v->kind == FVI_JSON_NUMBER ? v->number : (double)NAN;
}

const char *fvi_run_data_string(const fvi_json *object, const char *key)
{
    const fvi_json *v = fvi_json_get(object, key);
    return v && v->kind == FVI_JSON_STRING ? v->string : NULL;
}

double fvi_run_data_metric(const fvi_run_data *r, const char *name)
{
    for (int i = 0; r->have_record && i < r->record.n_metrics; i++)
        if (!strcmp(r->record.metrics[i].name, name)) return r->record.metrics[i].value;
    return (double)NAN;
}

static bool same_names(const fvi_run_data *runs, int n, int k)
{
    for (int i = 0; i < n; i++)
        if (i != k && !strcmp(runs[i].name, runs[k].name)) return true;
    return false;
}

const char *fvi_run_data_label(const fvi_run_data *runs, int n, int k)
{
    return same_names(runs, n, k) ? runs[k].path : runs[k].name;
}
