/* SPDX-License-Identifier: Apache-2.0 */
/* Prediction over files and folders: a list of pictures as a data source, the loader of evaluation in front of the model, results
 * in order, a table as CSV. */
#include "base/file.h"
#include "data/csv.h"
#include "data/list.h"
#include "data/loader.h"
#include "predict/predictor.h"

typedef struct entry { const char *path; const void *bytes; size_t n_bytes; } entry;      /* bytes NULL: a file */

typedef struct job {
    fv_source source;                    /* over the entries */
    fv_predictor *p;
    fvi_arena arena;                     /* paths of folders' files */
    struct { entry *items; int count, capacity; } list;
    fv_predict_totals totals;
    fv_predict_fn *fn;
    void *user;
    fv_rows rows;                        /* of a picture */
    fvi_writer *table;
    fvi_text row;
} job;

/* ---- what is predicted -------------------------------------------------------------------------------------------------- */

static fv_status add_entry(job *j, const entry *e)
{
    return FVI_PUSH(&j->list, *e) ? FV_OK : fvi_nomem(j->p->ctx);
}

static fv_status add_folder(job *j, const char *folder)
{
    fvi_list found = {0};
    fv_status status = (found.root = fvi_strdup(folder)) ? FV_OK : fvi_nomem(j->p->ctx);
    if (status == FV_OK) status = fvi_list_tree(j->p->ctx, &found);
    const size_t n = strlen(folder);
    for (int i = 0; i < found.count && status == FV_OK; i++) {
        const entry e = {.path = fvi_arena_format(&j->arena, "%s%s%s", folder, n && folder[n - 1] == '/' ? "" : "/", found.items[i].path)};
        status = e.path ? add_entry(j, &e) : fvi_nomem(j->p->ctx);
    }
    j->totals.ignored += found.ignored;
    fvi_list_free(&found);
    return status;
}

static fv_status list_pictures(job *j, const fv_picture *pictures, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        const fv_picture *in = &pictures[i];
        if (in->rgb) return fvi_fail(j->p->ctx, FV_ERROR_INVALID, "pixels are for fv_predict; fv_predict_files takes files and folders");
        if (!in->path) return fvi_fail(j->p->ctx, FV_ERROR_INVALID, "picture %lld has no path", (long long)i);
        if (!in->bytes && fvi_is_dir(in->path)) FVI_TRY(j->p->ctx, add_folder(j, in->path));
        else FVI_TRY(j->p->ctx, add_entry(j, &(entry){in->path, in->bytes, in->n_bytes}));
    }
    j->totals.pictures = j->source.count = j->list.count;
    if (j->list.count) return FV_OK;
    char shown[512];
    fvi_show_name(n ? pictures[0].path : "", shown, sizeof shown);
    return fvi_fail(j->p->ctx, FV_ERROR_FORMAT, "%s: no pictures%s", shown, j->totals.ignored ? " (the files there are none)" : "");
}

static fv_status read_entry(const fv_source *s, fv_context *ctx, int64_t index, fv_sample *out)
{
    const job *j = s->user;
    const entry *e = &j->list.items[index];
    return fvi_picture_sample(ctx, &(fv_picture){.path = e->path, .bytes = e->bytes, .n_bytes = e->n_bytes}, e->path, out);
}

static void name_entry(const fv_source *s, int64_t index, char *text, size_t capacity)
{
    const job *j = s->user;
    fvi_show_name(j->list.items[index].path, text, capacity);
}

/* ---- the table ---------------------------------------------------------------------------------------------------------- */

static fv_status write_row(job *j)
{
    const fv_status status = j->row.failed ? fvi_nomem(j->p->ctx) : fvi_writer_write(j->table, j->row.data, j->row.length);
    j->row.length = 0;
    return status;
}

static fv_status write_header(job *j)
{
    const fv_task_def *d = j->p->task->def;
    fvi_text_add(&j->row, "path");
    for (int k = 1; k <= (d->wide ? j->rows.limit : 1); k++)
        for (const fv_column *c = d->columns; c->name; c++) {
            if (c->json_only) continue;
            fvi_text_add(&j->row, d->wide ? ",%s_%d" : ",%s", c->name, k);
        }
    fvi_text_add(&j->row, ",error\n");
    return write_row(j);
}

/* Cells of one row of a prediction, empty ones beyond the last. */
static void add_cells(job *j, const fv_prediction *r, int row)
{
    int at = 0;
    for (const fv_column *c = j->p->task->def->columns; c->name; c++, at++) {
        if (c->json_only) continue;
        fvi_text_raw(&j->row, ",", 1);
        if (row >= r->n_rows) continue;
        const fv_cell *cell = &r->cells[row * r->n_columns + at];
        if (c->kind == FV_COLUMN_TEXT) fvi_csv_add(&j->row, cell->text ? cell->text : "");
        else if (c->kind == FV_COLUMN_INTEGER) fvi_text_add(&j->row, "%lld", (long long)cell->number);
        else fvi_text_add(&j->row, "%.6g", cell->number);
    }
}

static fv_status write_result(job *j, const fv_prediction *r)
{
    const bool wide = j->p->task->def->wide;
    const int lines = wide || r->n_rows == 0 ? 1 : r->n_rows;    /* a picture without rows has a line all the same */
    for (int line = 0; line < lines; line++) {
        fvi_csv_add(&j->row, r->name);
        for (int k = 0; k < (wide ? j->rows.limit : 1); k++) add_cells(j, r, wide ? k : line);
        fvi_text_raw(&j->row, ",", 1);
        if (r->error) fvi_csv_add(&j->row, r->error);
        fvi_text_raw(&j->row, "\n", 1);
        FVI_TRY(j->p->ctx, write_row(j));
    }
    return FV_OK;
}

/* ---- results ------------------------------------------------------------------------------------------------------------ */

/* The path with what is not UTF-8 as \xff; the path itself where all is. Owned by the caller when it is another one. */
static const char *utf8_name(const char *path)
{
    fvi_text t = {0};
    bool clean = true;
    size_t left = strlen(path);
    for (const char *s = path; left;) {
        const int n = fvi_utf8_next(s, left, NULL);
        if (n) fvi_text_raw(&t, s, (size_t)n);
        else fvi_text_add(&t, "\\x%02x", (unsigned)(unsigned char)*s), clean = false;
        s += n ? n : 1;
        left -= (size_t)(n ? n : 1);
    }
    if (!clean) return fvi_text_take(&t);
    fvi_text_free(&t);
    return path;
}

static fv_status give(job *j, fv_prediction *r)
{
    const char *path = j->list.items[r->index].path;
    if (!(r->name = utf8_name(path))) return fvi_nomem(j->p->ctx);
    fv_status status = j->table ? write_result(j, r) : FV_OK;
    if (status == FV_OK && j->fn && !j->fn(j->user, r)) status = fvi_fail(j->p->ctx, FV_ERROR_CANCELED, "prediction stopped");
    if (r->name != path) fvi_free((void *)(uintptr_t)r->name);
    return status;
}

static const char *reason_of(const fvi_loader *l, int64_t id)
{
    const fvi_bad_sample *bad;
    const int64_t n = fvi_loader_bad(l, &bad);
    for (int64_t i = n - 1; i >= 0; i--)
        if (bad[i].id == id) return bad[i].reason;
    return "cannot be read";
}

/* Those of the batch that could be read stand at its beginning with their numbers; the others are missing among them. */
static fv_status give_batch(job *j, const fvi_loader *l, const fv_batch *b, const fv_results *results)
{
    fv_task *t = j->p->task;
    int64_t at = 0;
    for (int64_t id = b->first; id < b->first + b->n + b->dropped; id++) {
        fv_prediction r = {.index = id, .n_columns = j->rows.n_columns, .cells = j->rows.cells};
        if (at == b->n || b->ids[at] != id) {
            r.error = reason_of(l, id);
            j->totals.bad++;
        } else {
            r.results = results;
            r.place = at++;
            j->rows.n = 0;
            const fv_status status = t->def->rows(t, results, r.place, j->rows.limit, &j->rows);
            if (status != FV_OK) {
                char shown[512];
                name_entry(&j->source, id, shown, sizeof shown);
                fvi_error_prefix(j->p->ctx, "%s: ", shown);
                return status;
            }
            r.n_rows = j->rows.n;
            j->totals.predicted++;
        }
        FVI_TRY(j->p->ctx, give(j, &r));
    }
    return FV_OK;
}

static fv_status predict_all(job *j)
{
    fv_predictor *p = j->p;
    const fv_batch *b;
    const fv_results *results = NULL;
    fvi_loader *loader;
    fvi_loader_options o = p->loading;
    o.source = &j->source;
    o.workers = j->source.count <= o.batch_size ? 0 : p->workers;        /* 0: nothing to compute beside decoding */
    const int64_t capacity = FVI_MIN(o.batch_size, j->source.count);
    FVI_TRY(p->ctx, fvi_loader_create(p->ctx, &o, &loader));
    fv_status status = FV_OK;
    do {
        FVI_TRY_DONE(p->ctx, status, fvi_loader_next(loader, &b));
        if (b->n) FVI_TRY_DONE(p->ctx, status, fvi_predictor_run(p, b, capacity, &results));
        FVI_TRY_DONE(p->ctx, status, give_batch(j, loader, b, results));
    } while (!b->last);
    if (!j->totals.predicted) {
        const fvi_bad_sample *bad;
        fvi_loader_bad(loader, &bad);
        if (j->source.count == 1) status = fvi_fail(p->ctx, FV_ERROR_FORMAT, "%s", bad[0].reason);
        else status = fvi_fail(p->ctx, FV_ERROR_FORMAT, "none of the %lld pictures can be read, as %s", (long long)j->source.count, bad[0].reason);
    }
done:
    fvi_loader_destroy(loader);
    return status;
}

static fv_status run_job(job *j, const fv_picture *pictures, int64_t n, const fv_predict_options *o)
{
    const fv_task_def *d = j->p->task->def;
    fv_context *ctx = j->p->ctx;
    if (!d->rows || !d->columns) return fvi_fail(ctx, FV_ERROR_UNSUPPORTED, "task %s predicts nothing that could be listed", d->name);
    while (d->columns[j->rows.n_columns].name) j->rows.n_columns++;
    j->rows.ctx = ctx;
    j->rows.limit = o && o->limit > 0 ? o->limit : d->limit;
    if (d->wide && j->p->info.classes) j->rows.limit = (int)FVI_MIN(j->rows.limit, j->p->info.classes);
    FVI_TRY(ctx, list_pictures(j, pictures, n));
    if (!(j->rows.cells = fvi_calloc((size_t)FVI_MAX(j->rows.limit, 1), (size_t)j->rows.n_columns * sizeof *j->rows.cells))) return fvi_nomem(ctx);
    if (o && o->table) {
        FVI_TRY(ctx, fvi_writer_open(ctx, o->table, &j->table));
        FVI_TRY(ctx, write_header(j));
    }
    FVI_TRY(ctx, predict_all(j));
    if (!j->table) return FV_OK;
    fvi_writer *w = j->table;
    j->table = NULL;
    return fvi_writer_commit(w);
}

fv_status fv_predict_files(fv_predictor *p, const fv_picture *pictures, int64_t n, const fv_predict_options *o, fv_predict_fn *fn, void *user,
                           fv_predict_totals *totals)
{
    const double begin = fvi_seconds();
    job j = {.p = p, .fn = fn, .user = user};
    j.source = (fv_source){.user = &j, .get = read_entry, .files = true, .name = name_entry};
    const fv_status status = run_job(&j, pictures, n, o);
    j.totals.seconds = fvi_seconds() - begin;
    if (totals) *totals = j.totals;
    fvi_writer_abort(j.table);
    fvi_text_free(&j.row);
    fvi_free(j.rows.cells);
    fvi_free(j.list.items);
    fvi_arena_free(&j.arena);
    return status;
}
