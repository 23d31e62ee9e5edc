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
    int topk;
    int64_t *top;
    float *logits, *probabilities;       /* of a batch; of a picture */
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

static fv_status read_entry(const fv_source *s, fv_context *ctx, int64_t index, fv_bytes *bytes, int64_t *label)
{
    const job *j = s->user;
    const entry *e = &j->list.items[index];
    *label = 0;
    if (!e->bytes) return fvi_read_bytes(ctx, e->path, bytes);
    FVI_TRY(ctx, fv_bytes_resize(ctx, bytes, e->n_bytes));
    if (e->n_bytes) memcpy(bytes->data, e->bytes, e->n_bytes);         /* nothing piped: no memory either */
    return FV_OK;
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
    fvi_text_add(&j->row, "path");
    for (int k = 1; k <= j->topk; k++) fvi_text_add(&j->row, ",class_%d,probability_%d", k, k);
    fvi_text_add(&j->row, ",error\n");
    return write_row(j);
}

static fv_status write_result(job *j, const fv_prediction *r)
{
    fvi_csv_add(&j->row, r->name);
    for (int k = 0; k < j->topk; k++) {
        fvi_text_raw(&j->row, ",", 1);
        if (!r->error) fvi_csv_add(&j->row, j->p->info.class_names[r->top[k]]);
        fvi_text_raw(&j->row, ",", 1);
        if (!r->error) fvi_text_add(&j->row, "%.6g", (double)r->probabilities[r->top[k]]);
    }
    fvi_text_raw(&j->row, ",", 1);
    if (r->error) fvi_csv_add(&j->row, r->error);
    fvi_text_raw(&j->row, "\n", 1);
    return write_row(j);
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
static fv_status give_batch(job *j, const fvi_loader *l, const fvi_batch *b)
{
    const fv_predictor_info *info = &j->p->info;
    int64_t at = 0;
    for (int64_t id = b->first; id < b->first + b->n + b->dropped; id++) {
        fv_prediction r = {.index = id, .n_top = j->topk, .top = j->top};
        if (at == b->n || b->ids[at] != id) {
            r.error = reason_of(l, id);
            r.n_top = 0;
            j->totals.bad++;
        } else {
            char shown[512];
            r.logits = j->logits + (size_t)(at++ * info->classes);
            r.probabilities = j->probabilities;
            name_entry(&j->source, id, shown, sizeof shown);
            if (!fvi_softmax(r.logits, info->classes, j->probabilities))
                return fvi_fail(j->p->ctx, FV_ERROR_NUMERIC, "%s: the model's output is not finite: its weights are damaged, or training diverged", shown);
            fvi_top_classes(r.logits, info->classes, j->topk, j->top);
            j->totals.predicted++;
        }
        FVI_TRY(j->p->ctx, give(j, &r));
    }
    return FV_OK;
}

static fv_status predict_all(job *j)
{
    fv_predictor *p = j->p;
    const fvi_batch *b;
    fvi_loader *loader;
    fvi_loader_options o = {.source = &j->source, .augment = p->augment, .batch_size = p->info.batch_size, .min_last = 1, .workers = p->workers,
                            .skip_bad = p->skip_bad, .once = true};
    if (j->source.count <= o.batch_size) o.workers = 0;  /* nothing to compute beside decoding */
    const int64_t capacity = FVI_MIN(o.batch_size, j->source.count);
    if (!(j->logits = fvi_malloc((size_t)(capacity * p->info.classes) * sizeof *j->logits))) return fvi_nomem(p->ctx);
    FVI_TRY(p->ctx, fvi_loader_create(p->ctx, &o, &loader));
    fv_status status = FV_OK;
    do {
        FVI_TRY_DONE(p->ctx, status, fvi_loader_next(loader, &b));
        if (b->n) FVI_TRY_DONE(p->ctx, status, fvi_predictor_run(p, b->images, b->n, capacity, j->logits));
        FVI_TRY_DONE(p->ctx, status, give_batch(j, loader, b));
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
    fv_context *ctx = j->p->ctx;
    j->topk = (int)FVI_MIN(o && o->topk > 0 ? o->topk : 5, j->p->info.classes);
    FVI_TRY(ctx, list_pictures(j, pictures, n));
    if (!(j->top = fvi_calloc((size_t)j->topk, sizeof *j->top)) || !(j->probabilities = fvi_malloc((size_t)j->p->info.classes * sizeof(float))))
        return fvi_nomem(ctx);
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
    j.source = (fv_source){.classes = 1, .user = &j, .encoded = read_entry, .name = name_entry};
    const fv_status status = run_job(&j, pictures, n, o);
    j.totals.seconds = fvi_seconds() - begin;
    if (totals) *totals = j.totals;
    fvi_writer_abort(j.table);
    fvi_text_free(&j.row);
    fvi_free(j.top);
    fvi_free(j.logits);
    fvi_free(j.probabilities);
    fvi_free(j.list.items);
    fvi_arena_free(&j.arena);
    return status;
}
