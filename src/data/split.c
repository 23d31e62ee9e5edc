/* SPDX-License-Identifier: Apache-2.0 */
/* Sets by seed: within each class (stratified) or over all, files are put in the order of a hash of seed and path, and the
 * first go to test, the next to val, the rest to train. So a file that is added moves few others, and the order in which a
 * folder is read does not matter. Identical files form one group, which stays together. */
#include "base/file.h"
#include "data/list.h"

#include <math.h>
#include <stdlib.h>
#include <sys/stat.h>

/* ---- identical files ---------------------------------------------------------------------------------------------------- */

typedef struct content { int32_t file; int64_t size; uint64_t head, whole[2]; } content;

static int by_size(const void *a, const void *b)
{
    const content *x = a, *y = b;
    if (x->size != y->size) return x->size < y->size ? -1 : 1;
    return x->file < y->file ? -1 : x->file > y->file;
}

static int by_head(const void *a, const void *b)
{
    const content *x = a, *y = b;
    if (x->size != y->size) return x->size < y->size ? -1 : 1;
    if (x->head != y->head) return x->head < y->head ? -1 : 1;
    return x->file < y->file ? -1 : x->file > y->file;
}

static int by_whole(const void *a, const void *b)
{
    const content *x = a, *y = b;
    int order = memcmp(x->whole, y->whole, sizeof x->whole);
    if (order) return order;
    return x->file < y->file ? -1 : x->file > y->file;
}

static int64_t size_of(const fvi_list *l, const fvi_file *f)
{
    struct stat st;
    char path[FVI_PATH_ROOM];
    if (f->size >= 0) return f->size;
    return fvi_path_in(path, l->root, f->path) && stat(path, &st) == 0 && S_ISREG(st.st_mode) ? (int64_t)st.st_size : -1;
}

/* Hashes of the beginning, or of all. *ok false: the file cannot be read. */
static fv_status hash_file(fv_context *ctx, const fvi_list *l, content *c, bool all, fv_bytes *bytes, bool *ok)
{
    char path[FVI_PATH_ROOM];
    uint8_t head[4096];
    *ok = fvi_path_in(path, l->root, l->items[c->file].path);
    if (*ok && all) {
        fv_status status = fvi_read_bytes(NULL, path, bytes);
        if (status == FV_ERROR_NOMEM) return fvi_nomem(ctx);
        *ok = status == FV_OK;
        for (uint64_t i = 0; i < 2 && *ok; i++) c->whole[i] = fvi_hash64(bytes->data, bytes->size, i + 1);
    } else if (*ok) {
        int64_t n = fvi_read_head(path, head, sizeof head);
        *ok = n >= 0;
        if (*ok) c->head = fvi_hash64(head, (size_t)n, 0);
    }
    return FV_OK;
}

/* Keeps what has company: runs of equal keys longer than one. */
static int keep_runs(content *c, int n, bool heads)
{
    int kept = 0;
    for (int i = 0; i < n;) {
        int k = i + 1;
        while (k < n && c[k].size == c[i].size && (!heads || c[k].head == c[i].head)) k++;
        if (k - i > 1) {
            memmove(c + kept, c + i, (size_t)(k - i) * sizeof *c);
            kept += k - i;
        }
        i = k;
    }
    return kept;
}

static fv_status hash_all(fv_context *ctx, const fvi_list *l, content *c, int *n, bool whole, fv_bytes *bytes)
{
    int kept = 0;
    bool ok;
    for (int i = 0; i < *n; i++) {
        FVI_TRY(ctx, hash_file(ctx, l, &c[i], whole, bytes, &ok));
        if (ok) c[kept++] = c[i];
    }
    *n = kept;
    return FV_OK;
}

fv_status fvi_list_twins(fv_context *ctx, fvi_list *l, int32_t *twin)
{
    content *c = fvi_calloc((size_t)l->count, sizeof *c);
    fv_bytes bytes = {0};
    fv_status status = FV_OK;
    int n = 0;
    if (!c) return fvi_nomem(ctx);
    for (int i = 0; i < l->count; i++) {
        int64_t size = size_of(l, &l->items[i]);
        twin[i] = i;
        if (size > 0) c[n++] = (content){.file = i, .size = size};
    }
    if (n) qsort(c, (size_t)n, sizeof *c, by_size);
    n = keep_runs(c, n, false);
    FVI_TRY_DONE(ctx, status, hash_all(ctx, l, c, &n, false, &bytes));
    if (n) qsort(c, (size_t)n, sizeof *c, by_head);
    n = keep_runs(c, n, true);
    FVI_TRY_DONE(ctx, status, hash_all(ctx, l, c, &n, true, &bytes));
    if (n) qsort(c, (size_t)n, sizeof *c, by_whole);
    for (int i = 1; i < n; i++)
        if (!memcmp(c[i].whole, c[i - 1].whole, sizeof c[i].whole)) twin[c[i].file] = twin[c[i - 1].file];
done:
    fv_bytes_free(&bytes);
    fvi_free(c);
    return status;
}

/* ---- sets --------------------------------------------------------------------------------------------------------------- */

typedef struct group { int32_t first, label, files; uint64_t key; } group;     /* first: a file; the others are its twins */

static int by_key(const void *a, const void *b)
{
    const group *x = a, *y = b;
    if (x->label != y->label) return x->label < y->label ? -1 : 1;
    if (x->key != y->key) return x->key < y->key ? -1 : 1;
    return x->first < y->first ? -1 : x->first > y->first;
}

/* A share of n: rounded, at least one where there is something to share, and at least one is left. */
static int64_t share_of(double share, int64_t n, int64_t taken)
{
    if (share <= 0) return 0;
    return FVI_MAX(FVI_MIN(FVI_MAX(llround(share * (double)n), 1), n - taken - 1), 0);
}

/* Sets of one run of groups (a class, or all): whole groups until each share is full. */
static void divide(group *g, int n, const fvi_split_rules *r, int8_t *sets, int32_t *folds)
{
    int64_t files = 0, done = 0;
    for (int i = 0; i < n; i++) files += g[i].files;
    int64_t val = r->folds > 1 ? 0 : share_of(r->val, files, 0), test = r->folds > 1 ? 0 : share_of(r->test, files, val);
    bool trained = false;
    for (int i = 0; i < n; i++, done += g[i - 1].files) {
        int fold = r->folds > 1 ? (int)FVI_MIN(done * r->folds / files, r->folds - 1) : 0;
        int set = done < test ? FV_SPLIT_TEST : done < test + val ? FV_SPLIT_VAL : FV_SPLIT_TRAIN;
        if (r->folds > 1) set = fold == r->fold ? FV_SPLIT_VAL : FV_SPLIT_TRAIN;
        if (i == n - 1 && !trained) set = FV_SPLIT_TRAIN;                    /* never a class that is not learned */
        trained = trained || set == FV_SPLIT_TRAIN;
        sets[g[i].first] = (int8_t)set;
        folds[g[i].first] = fold;
    }
}

/* Groups of the files without a set, keyed by the smallest hash of their paths. A group that has a file in two classes
 * counts as of its first file's. */
static int make_groups(const fvi_list *l, const fvi_split_rules *r, group *g)
{
    int n = 0;
    for (int i = 0; i < l->count; i++) {
        int32_t first = r->twin ? r->twin[i] : i;
        if (l->items[i].set != FVI_NO_SET) continue;
        uint64_t key = fvi_hash64(l->items[i].path, strlen(l->items[i].path), r->seed);
        if (g[first].files++ == 0 || key < g[first].key) g[first].key = key;
        g[first].first = first;
    }
    for (int i = 0; i < l->count; i++) {
        if (!g[i].files) continue;
        g[n] = g[i];
        g[n].label = r->random ? 0 : l->items[g[n].first].label;
        n++;
    }
    return n;
}

fv_status fvi_list_split(fv_context *ctx, fvi_list *l, const fvi_split_rules *r)
{
    group *g = fvi_calloc((size_t)l->count, sizeof *g);
    int8_t *sets = fvi_calloc((size_t)l->count, sizeof *sets);
    int32_t *folds = fvi_calloc((size_t)l->count, sizeof *folds);
    fv_status status = g && sets && folds ? FV_OK : fvi_nomem(ctx);
    if (status == FV_OK) {
        int n = make_groups(l, r, g);
        if (n) qsort(g, (size_t)n, sizeof *g, by_key);
        for (int i = 0, k; i < n; i = k) {
            for (k = i + 1; k < n && g[k].label == g[i].label; k++) {}
            divide(g + i, k - i, r, sets, folds);
        }
        for (int i = 0; i < l->count; i++) {
            fvi_file *f = &l->items[i];
            int first = r->twin ? r->twin[i] : i;
            if (f->set != FVI_NO_SET) continue;
            f->set = sets[first];
            f->fold = folds[first];
        }
    }
    fvi_free(g);
    fvi_free(sets);
    fvi_free(folds);
    return status;
}
