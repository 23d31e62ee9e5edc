/* SPDX-License-Identifier: Apache-2.0 */
/* Sets by seed: within each class (stratified) or over all, files are put in the order of a hash of seed and path, and the first go to test, the
 * next to val, the rest to train. So a file that is added moves few others, and the order in which a folder is read does not
 * matter. Identical files form one group, which stays together and is drawn as a single file is; groups are placed from the largest on, and what
 * they leave uneven the smaller ones even out. */
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

/* Hashes of the beginning, or of all. *ok false: the file cannot be read, and that is its own fault. */
static fv_status hash_file(fv_context *ctx, const fvi_list *l, content *c, bool all, fv_bytes *bytes, bool *ok)
{
    char path[FVI_PATH_ROOM];
    uint8_t head[4096];
    size_t n;
    *ok = fvi_path_in(path, l->root, l->items[c->file].path);
    if (!*ok) return FV_OK;
    fv_status status = all ? fvi_read_bytes(ctx, path, bytes) : fvi_read_head(ctx, path, head, sizeof head, &n);
    *ok = status == FV_OK;
    if (*ok && !all) c->head = fvi_hash64(head, n, 0);
    for (uint64_t i = 0; i < 2 && *ok && all; i++) c->whole[i] = fvi_hash64(bytes->data, bytes->size, i + 1);
    if (!fvi_is_bad_sample(status)) return status;
    fvi_error_clear(ctx);
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

/* Files that stay together; mostly one. `first`: a file, the others are its twins; `name`: the first path, in order of bytes. */
typedef struct group { const char *name; int32_t first, label, files, bin; uint64_t key; } group;

/* What the groups of a class are divided among: test, val and train, or test and the folds. */
typedef struct bin {
    int64_t due, room;                   /* files: that it should get; of these, what is not taken yet (below 0: more than its due) */
    int64_t groups, quota;               /* that it has; of the size at hand */
    int32_t fold;
    int8_t set;
} bin;

typedef struct division {
    const fvi_split_rules *rules;
    const fvi_list *list;
    bin *bins;
    int n_bins;
} division;

static int by_class_and_size(const void *a, const void *b)
{
    const group *x = a, *y = b;
    if (x->label != y->label) return x->label < y->label ? -1 : 1;
    if (x->files != y->files) return x->files > y->files ? -1 : 1;
    if (x->key != y->key) return x->key < y->key ? -1 : 1;
    return strcmp(x->name, y->name);
}

/* A share of n: rounded, at least one where there is something to share, and at least one is left. */
static int64_t share_of(double share, int64_t n, int64_t taken)
{
    if (share <= 0) return 0;
    return FVI_MAX(FVI_MIN(FVI_MAX(llround(share * (double)n), 1), n - taken - 1), 0);
}

static fv_status make_bins(fv_context *ctx, division *d)
{
    const fvi_split_rules *r = d->rules;
    const int folds = r->folds > 1 ? r->folds : 0;
    d->n_bins = folds ? 1 + folds : 3;
    d->bins = fvi_calloc((size_t)d->n_bins, sizeof *d->bins);
    if (!d->bins) return fvi_nomem(ctx);
    d->bins[0] = (bin){.set = FV_SPLIT_TEST, .fold = FVI_NO_FOLD};
    for (int i = 0; i < folds; i++) d->bins[1 + i] = (bin){.set = i == r->fold ? FV_SPLIT_VAL : FV_SPLIT_TRAIN, .fold = i};
    if (folds) return FV_OK;
    d->bins[1] = (bin){.set = FV_SPLIT_VAL, .fold = FVI_NO_FOLD};
    d->bins[2] = (bin){.set = FV_SPLIT_TRAIN, .fold = FVI_NO_FOLD};
    return FV_OK;
}

/* What is due to each of n files. */
static void set_dues(division *d, int64_t n)
{
    const int64_t folds = d->n_bins - 1, val = d->rules->folds > 1 ? 0 : share_of(d->rules->val, n, 0), test = share_of(d->rules->test, n, val);
    d->bins[0].due = test;
    if (d->rules->folds > 1) {
        for (int64_t i = 0, rest = n - test; i < folds; i++)
            d->bins[1 + i].due = (rest * (i + 1) + folds - 1) / folds - (rest * i + folds - 1) / folds;
    } else {
        d->bins[1].due = val;
        d->bins[2].due = n - val - test;
    }
    for (int i = 0; i < d->n_bins; i++) {
        d->bins[i].room = d->bins[i].due;
        d->bins[i].groups = 0;
    }
}

/* How many of n groups of one size each bin gets. Where enough smaller ones follow to fill what is left over, each gets its share of this size too,
 * whole by a random number, as far as it has room: a picture with a twin is as likely to validate as one without. The others go where
 * most is missing. */
static void set_quotas(division *d, const group *g, int n, int64_t smaller, int64_t all)
{
    const int64_t size = g->files;
    const uint64_t class = d->rules->random ? 0 : fvi_hash_text(d->list->classes[g->label]);
    fvi_rng r = fvi_rng_at(d->rules->seed, fvi_rng_stream(class, (uint64_t)size, FVI_PURPOSE_SPLIT));
    const double shift = fvi_rng_uniform(&r);
    int64_t left = n;
    int used = 0;
    double sum = 0;
    for (int i = 0; i < d->n_bins; i++) {
        used += d->bins[i].due > 0;
        d->bins[i].quota = 0;
    }
    const bool spread = size > 1 && smaller >= size * (used - 1);
    for (int i = 0; i < d->n_bins && spread; i++) {
        bin *b = &d->bins[i];
        const double from = floor(sum + shift), to = floor((sum += n * ((double)b->due / (double)all)) + shift);
        b->quota = FVI_MIN(FVI_MIN((int64_t)(to - from), left), FVI_MAX(b->room, 0) / size);
        left -= b->quota;
    }
    for (int i = 0; i < d->n_bins; i++) d->bins[i].room -= d->bins[i].quota * size;
    for (; left; left--) {
        bin *most = &d->bins[0];
        for (int i = 1; i < d->n_bins; i++)
            if (d->bins[i].room > most->room) most = &d->bins[i];
        most->quota++;
        most->room -= size;
    }
}

/* The smallest group of one bin (-1: of any) goes to another. */
static void move_smallest(division *d, group *g, int n, int from, int to)
{
    for (int i = n - 1; i >= 0; i--) {
        if (from >= 0 && g[i].bin != from) continue;
        d->bins[g[i].bin].groups--;
        d->bins[to].groups++;
        g[i].bin = to;
        return;
    }
}

/* Bins of one run of groups (a class, or all), from the largest on. Of one size each bin gets the next ones in the order of their keys. */
static void divide(division *d, group *g, int n)
{
    int64_t all = 0;
    for (int i = 0; i < n; i++) all += g[i].files;
    set_dues(d, all);
    int64_t smaller = all;
    for (int i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && g[end].files == g[i].files; end++) {}
        smaller -= (int64_t)(end - i) * g[i].files;
        set_quotas(d, g + i, end - i, smaller, all);
        for (int b = 0, k = i; b < d->n_bins; b++) {
            d->bins[b].groups += d->bins[b].quota;
            for (int64_t last = k + d->bins[b].quota; k < last; k++) g[k].bin = b;
        }
    }
    if (d->rules->folds > 1) return;
    if (!d->bins[2].groups) move_smallest(d, g, n, -1, 2);                   /* never a class that is not learned */
    for (int b = 0; b < 2; b++)
        if (d->bins[b].due && !d->bins[b].groups && d->bins[2].groups > 1) move_smallest(d, g, n, 2, b);
}

/* Groups of the files without a set; number[i]: that of the group of the twins of file i. A group that has a file in two classes counts as of
 * its first file's. */
static int make_groups(const fvi_list *l, const fvi_split_rules *r, group *g, int32_t *number)
{
    int n = 0;
    for (int i = 0; i < l->count; i++) number[i] = -1;
    for (int i = 0; i < l->count; i++) {
        const int32_t first = r->twin ? r->twin[i] : i;
        const fvi_file *f = &l->items[i];
        if (f->set != FVI_NO_SET) continue;
        if (number[first] < 0) {
            g[n] = (group){.name = f->path, .first = first, .label = r->random ? 0 : l->items[first].label};
            number[first] = n++;
        }
        group *own = &g[number[first]];
        own->files++;
        if (strcmp(f->path, own->name) < 0) own->name = f->path;
    }
    for (int i = 0; i < n; i++) g[i].key = fvi_hash64(g[i].name, strlen(g[i].name), r->seed);
    return n;
}

fv_status fvi_list_split(fv_context *ctx, fvi_list *l, const fvi_split_rules *r)
{
    division d = {.rules = r, .list = l};
    group *g = fvi_calloc((size_t)l->count, sizeof *g);
    int32_t *at = fvi_calloc((size_t)l->count, sizeof *at);                  /* by first file: number of the group, then its bin */
    fv_status status = g && at ? make_bins(ctx, &d) : fvi_nomem(ctx);
    if (status == FV_OK) {
        const int n = make_groups(l, r, g, at);
        if (n) qsort(g, (size_t)n, sizeof *g, by_class_and_size);
        for (int i = 0, k; i < n; i = k) {
            for (k = i + 1; k < n && g[k].label == g[i].label; k++) {}
            divide(&d, g + i, k - i);
        }
        for (int i = 0; i < n; i++) at[g[i].first] = g[i].bin;
        for (int i = 0; i < l->count; i++) {
            fvi_file *f = &l->items[i];
            if (f->set != FVI_NO_SET) continue;
            const bin *b = &d.bins[at[r->twin ? r->twin[i] : i]];
            f->set = b->set;
            f->fold = b->fold;
        }
    }
    fvi_free(d.bins);
    fvi_free(g);
    fvi_free(at);
    return status;
}
