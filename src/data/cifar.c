/* SPDX-License-Identifier: Apache-2.0 */
/* CIFAR-10 and CIFAR-100 binary batches: records of one label byte (CIFAR-100: coarse, then fine) and 3 x 32 x 32 pixel
 * bytes (planes R, G, B). A file may hold any number of records. Files are mapped, nothing is copied; every label is
 * checked when the source is opened. */
#include "base/file.h"
#include "data/data.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { SIDE = 32, PIXELS = 3 * SIDE * SIDE, MOST_CLASSES = 100 };

#define REMEDY "; get %s from https://www.cs.toronto.edu/~kriz/cifar.html and unpack it there"

typedef struct variant {
    const char *title, *archive, *folder, *names;
    const char *wanted[2];               /* files: test, train */
    int labels, at, classes;             /* label bytes of a record; which one counts; its range */
} variant;

static const variant variants[] = {
    {"CIFAR-10", "cifar-10-binary.tar.gz", "cifar-10-batches-bin", "batches.meta.txt", {"test_batch.bin", "data_batch_*.bin"}, 1, 0, 10},
    {"CIFAR-100", "cifar-100-binary.tar.gz", "cifar-100-binary", "fine_label_names.txt", {"test.bin", "train.bin"}, 2, 1, 100},
    {"CIFAR-100", "cifar-100-binary.tar.gz", "cifar-100-binary", "coarse_label_names.txt", {"test.bin", "train.bin"}, 2, 0, 20},
};

typedef struct cifar_file { char *name; fvi_map map; int64_t records; } cifar_file;

typedef struct cifar {
    fv_source source;
    const variant *v;
    size_t record;                       /* bytes */
    cifar_file *files;
    int n_files;
    char *names[MOST_CLASSES + 1];
} cifar;

static const char *const default_names[10] = {"airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"};

static void cifar_destroy(fv_source *s)
{
    cifar *c = s->user;
    for (int i = 0; i < c->n_files; i++) {
        fvi_file_unmap(&c->files[i].map);
        fvi_free(c->files[i].name);
    }
    for (int i = 0; i < MOST_CLASSES; i++) fvi_free(c->names[i]);
    fvi_free(c->files);
    fvi_free(c);
}

/* File and record of a sample. */
static const cifar_file *locate(const cifar *c, int64_t index, int64_t *record)
{
    int f = 0;
    while (f < c->n_files - 1 && index >= c->files[f].records) index -= c->files[f++].records;
    *record = index;
    return &c->files[f];
}

static fv_status cifar_get(const fv_source *s, fv_context *ctx, int64_t index, fv_sample *out)
{
    fv_image *image = &out->image;
    int64_t *label = &out->label;
    int64_t record;
    if (index < 0 || index >= s->count) return fvi_fail(ctx, FV_ERROR_INVALID, "sample %lld of %lld", (long long)index, (long long)s->count);
    const cifar *c = s->user;
    const cifar_file *f = locate(c, index, &record);
    const uint8_t *p = f->map.data + (size_t)record * c->record;
    FVI_TRY(ctx, fv_image_resize(ctx, image, SIDE, SIDE));
    memcpy(image->pixels, p + c->v->labels, PIXELS);
    *label = p[c->v->at];
    return FV_OK;
}

static void cifar_name(const fv_source *s, int64_t index, char *text, size_t capacity)
{
    int64_t record;
    const cifar_file *f = locate(s->user, index, &record);
    snprintf(text, capacity, "%s, record %lld", fvi_path_base(f->name), (long long)record);
}

static fv_status open_file(fv_context *ctx, const cifar *c, cifar_file *f)
{
    const variant *v = c->v;
    FVI_TRY(ctx, fvi_file_map(ctx, f->name, &f->map));
    if (f->map.bytes == 0 || f->map.bytes % c->record)
        return fvi_fail(ctx, FV_ERROR_FORMAT, "%s: %zu bytes is not a whole number of %s records of %zu bytes: truncated, or the Python version" REMEDY,
                        f->name, f->map.bytes, v->title, c->record, v->archive);
    f->records = (int64_t)(f->map.bytes / c->record);
    for (int64_t i = 0; i < f->records; i++) {
        int label = f->map.data[(size_t)i * c->record + (size_t)v->at];
        if (label >= v->classes)
            return fvi_fail(ctx, FV_ERROR_FORMAT, "%s: record %lld has label %d, %s labels are 0 to %d: not %s, or damaged" REMEDY, f->name, (long long)i,
                            label, v->title, v->classes - 1, v->title, v->archive);
    }
    return FV_OK;
}

static int by_name(const void *a, const void *b)
{
    const char *x = ((const cifar_file *)a)->name, *y = ((const cifar_file *)b)->name;
    size_t m = strlen(x), n = strlen(y);
    return m != n ? (m < n ? -1 : 1) : strcmp(x, y);     /* data_batch_2 before data_batch_10 */
}

/* The wanted .bin files of `folder`, in order. One that is not there is empty. */
static fv_status list_files(fv_context *ctx, cifar *c, const char *folder, bool train)
{
    fv_status status = FV_OK;
    int capacity = 0;
    DIR *dir = opendir(folder);
    if (!dir) return errno == ENOENT || errno == ENOTDIR ? FV_OK : fvi_fail(ctx, FV_ERROR_IO, "%s: %s", folder, strerror(errno));
    for (struct dirent *e; (e = readdir(dir));) {
        if (!fvi_glob(c->v->wanted[train], e->d_name)) continue;
        cifar_file f = {.name = fvi_path_join(folder, e->d_name)};
        if (!f.name || (c->n_files == capacity && !fvi_grow((void **)&c->files, &capacity, sizeof f))) {
            fvi_free(f.name);
            status = fvi_nomem(ctx);
            break;
        }
        c->files[c->n_files++] = f;
    }
    closedir(dir);
    if (c->n_files > 1) qsort(c->files, (size_t)c->n_files, sizeof *c->files, by_name);
    return status;
}

/* CIFAR-10 has five batches to train on. The first ones of them are a data set too, but nobody should have it unawares; where one between others is
 * missing it was lost. */
static void tell_missing(fv_context *ctx, const cifar *c, const char *folder)
{
    enum { BATCHES = 5 };
    char text[256] = "";
    size_t used = 0;
    bool lost = false;
    for (int k = 1; k <= BATCHES; k++) {
        char name[32];
        bool there = false;
        snprintf(name, sizeof name, "data_batch_%d.bin", k);
        for (int i = 0; i < c->n_files && !there; i++) there = !strcmp(fvi_path_base(c->files[i].name), name);
        lost = lost || (there && used);
        if (!there) used += (size_t)snprintf(text + used, sizeof text - used, "%s%s", used ? ", " : "", name);
    }
    if (used) fvi_log(ctx, lost ? FV_LOG_WARN : FV_LOG_INFO, "%s: without %s there are %lld pictures to train on", folder, text, (long long)c->source.count);
}

/* The names file: a name a line. Absent: the known names of CIFAR-10, numbers for CIFAR-100. */
static fv_status read_names(fv_context *ctx, cifar *c, const char *folder)
{
    fv_status status = FV_OK;
    char *text = NULL, *path = fvi_path_join(folder, c->v->names);
    if (!path) return fvi_nomem(ctx);
    int n = 0, classes = c->v->classes;
    if (fvi_file_exists(path)) {
        size_t bytes;
        FVI_TRY_DONE(ctx, status, fvi_file_read(ctx, path, 1 << 16, &text, &bytes));
        char *next = text;
        for (char *line; (line = strsep(&next, "\r\n"));) {
            if (!*line) continue;
            if (n == classes || !(c->names[n++] = fvi_strdup(line))) {
                status = n == classes ? fvi_fail(ctx, FV_ERROR_FORMAT, "%s: more than %d class names", path, classes) : fvi_nomem(ctx);
                goto done;
            }
        }
        if (n && n < classes) {
            status = fvi_fail(ctx, FV_ERROR_FORMAT, "%s: %d class names, expected %d", path, n, classes);
            goto done;
        }
    }
    if (!n && classes != FVI_COUNT(default_names)) c->source.class_names = NULL;
    for (; n < FVI_COUNT(default_names); n++)
        if (!(c->names[n] = fvi_strdup(default_names[n]))) {
            status = fvi_nomem(ctx);
            goto done;
        }
done:
    fvi_free(text);
    fvi_free(path);
    return status;
}

static fv_status open_source(fv_context *ctx, const char *root, const variant *v, bool train, fv_source **out)
{
    fv_status status = FV_OK;
    const char *wanted = v->wanted[train];
    char *below = fvi_path_join(root, v->folder);
    cifar *c = fvi_calloc(1, sizeof *c);
    *out = NULL;
    if (!below || !c) {
        fvi_free(below);
        fvi_free(c);
        return fvi_nomem(ctx);
    }
    c->v = v;
    c->record = (size_t)v->labels + PIXELS;
    c->source = (fv_source){.classes = v->classes, .class_names = (const char *const *)c->names, .user = c,
                            .get = cifar_get, .name = cifar_name, .destroy = cifar_destroy};
    if (!fvi_is_dir(root)) {
        status = fvi_fail(ctx, FV_ERROR_IO, "data.root: folder %s does not exist; give data=DIR, the folder with %s" REMEDY, root, wanted, v->archive);
        goto done;
    }
    const char *folder = root;
    FVI_TRY_DONE(ctx, status, list_files(ctx, c, folder, train));
    if (!c->n_files) {
        folder = below;
        FVI_TRY_DONE(ctx, status, list_files(ctx, c, folder, train));
    }
    if (!c->n_files) {
        status = fvi_fail(ctx, FV_ERROR_IO, "no %s in %s nor in its sub-folder %s" REMEDY, wanted, root, v->folder, v->archive);
        goto done;
    }
    for (int i = 0; i < c->n_files; i++) {
        FVI_TRY_DONE(ctx, status, open_file(ctx, c, &c->files[i]));
        c->source.count += c->files[i].records;
    }
    if (train && c->v == &variants[0]) tell_missing(ctx, c, folder);
    FVI_TRY_DONE(ctx, status, read_names(ctx, c, folder));
    *out = &c->source;
    c = NULL;
done:
    if (c) cifar_destroy(&c->source);
    fvi_free(below);
    return status;
}

fv_status fv_source_cifar10(fv_context *ctx, const char *root, bool train, fv_source **out)
{
    return open_source(ctx, root, &variants[0], train, out);
}

fv_status fv_source_cifar100(fv_context *ctx, const char *root, bool train, bool coarse, fv_source **out)
{
    return open_source(ctx, root, &variants[coarse ? 2 : 1], train, out);
}
