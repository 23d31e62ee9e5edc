/* SPDX-License-Identifier: Apache-2.0 */
/* RUN/bad_files.csv: the pictures that were skipped since the run began, each once. What earlier processes listed is read back when the
 * run goes on; loaders are asked for what is new to them. */
#include "base/file.h"
#include "data/csv.h"
#include "train/trainer.h"

#include <stdlib.h>

static const char *const sets[2] = {"train", "val"};

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* A picture that an earlier process has listed (those rows are sorted) is not listed again. */
static fv_status add(fv_context *ctx, fvi_bad_files *b, const char *set, const char *reason)
{
    fvi_text t = {0};
    fvi_text_add(&t, "%s,", set);
    fvi_csv_add(&t, reason);
    char *text = fvi_text_take(&t);
    const bool known = text && b->earlier && bsearch(&text, b->rows, (size_t)b->earlier, sizeof *b->rows, by_text);
    const char *row = text && !known ? fvi_arena_strdup(&b->arena, text) : NULL;
    fvi_free(text);
    if (known) return FV_OK;
    if (!row || (b->count == b->capacity && !fvi_grow(&b->rows, &b->capacity, sizeof *b->rows))) return fvi_nomem(ctx);
    b->rows[b->count++] = row;
    return FV_OK;
}

/* A list that cannot be read is no reason to stop a run: it is begun anew, and said. */
fv_status fvi_trainer_read_bad(fv_trainer *t)
{
    char *path = fvi_path_join(t->run.path, "bad_files.csv"), *text = NULL;
    const char *cells[8];
    fvi_csv c;
    size_t bytes;
    int n;
    fv_status status = path ? FV_OK : fvi_nomem(t->ctx);
    if (status == FV_OK && fvi_file_exists(path)) {
        status = fvi_file_read(t->ctx, path, (size_t)1 << 30, &text, &bytes);
        if (status == FV_OK) {
            fvi_csv_open(&c, path, text, bytes);
            for (bool first = true; (status = fvi_csv_row(t->ctx, &c, cells, FVI_COUNT(cells), &n)) == FV_OK && n; first = false)
                if (!first && n == 2 && (status = add(t->ctx, &t->bad, cells[0], cells[1])) != FV_OK) break;
            fvi_csv_close(&c);
        }
        if (status != FV_OK && status != FV_ERROR_NOMEM) {
            fvi_log(t->ctx, FV_LOG_WARN, "%s; the list is begun anew", fv_error_message(t->ctx));
            fvi_error_clear(t->ctx);
            status = FV_OK;
        }
    }
    if (t->bad.count) qsort(t->bad.rows, (size_t)t->bad.count, sizeof *t->bad.rows, by_text);
    t->bad.earlier = t->bad.listed = t->bad.count;
    fvi_free(text);
    fvi_free(path);
    return status;
}

/* What the loaders have met since the last call. */
static fv_status collect(fv_trainer *t)
{
    const fvi_loader *loaders[2] = {t->loader, t->val_loader};
    for (int i = 0; i < 2; i++) {
        const fvi_bad_sample *bad;
        const int64_t n = loaders[i] ? fvi_loader_bad(loaders[i], &bad) : 0;
        for (; t->bad.seen[i] < n; t->bad.seen[i]++) FVI_TRY(t->ctx, add(t->ctx, &t->bad, sets[i], bad[t->bad.seen[i]].reason));
    }
    return FV_OK;
}

int64_t fvi_trainer_bad(fv_trainer *t)
{
    if (collect(t) != FV_OK) fvi_error_clear(t->ctx);    /* no memory for the list: what is there is counted */
    return t->bad.count;
}

fv_status fvi_trainer_list_bad(fv_trainer *t)
{
    FVI_TRY(t->ctx, collect(t));
    if (t->bad.listed == t->bad.count) return FV_OK;
    fvi_text text = {0};
    fvi_text_add(&text, "split,reason\n");
    for (int i = 0; i < t->bad.count; i++) fvi_text_add(&text, "%s\n", t->bad.rows[i]);
    FVI_TRY(t->ctx, fvi_run_write(&t->run, "bad_files.csv", fvi_text_take(&text)));
    t->bad.listed = t->bad.count;
    return FV_OK;
}

void fvi_bad_files_free(fvi_bad_files *b)
{
    fvi_free(b->rows);
    fvi_arena_free(&b->arena);
}
