/* SPDX-License-Identifier: Apache-2.0 */
/* Opens what the configuration names: finds out the format, lists the files, makes or reads the split, and refuses what
 * cannot be learned from. */
#include "data/open.h"
#include "base/file.h"

#include <dirent.h>

/* ---- what is there ------------------------------------------------------------------------------------------------------ */

static bool has(const char *root, const char *below)
{
    char path[FVI_PATH_ROOM];
    return fvi_path_in(path, root, below) && fvi_file_exists(path);
}

static bool has_any(const char *root, const char *const *names)
{
    for (int i = 0; names[i]; i++)
        if (has(root, names[i])) return true;
    return false;
}

/* Is there an entry that fits the pattern (NULL: a folder that is not hidden)? */
static bool has_entry(const char *root, const char *pattern)
{
    bool found = false;
    DIR *dir = opendir(root);
    if (!dir) return false;
    for (struct dirent *e; !found && (e = readdir(dir));) {
        if (e->d_name[0] == '.') continue;
        if (pattern) {
            found = fvi_glob(pattern, e->d_name);
            continue;
        }
        char path[FVI_PATH_ROOM];
        found = fvi_path_in(path, root, e->d_name) && fvi_is_dir(path);
    }
    closedir(dir);
    return found;
}

static bool has_batches(const char *root)
{
    char below[FVI_PATH_ROOM];
    return has_entry(root, "data_batch_*.bin") || has(root, "test_batch.bin") ||
           (fvi_path_in(below, root, "cifar-10-batches-bin") && has_entry(below, "data_batch_*.bin"));
}

const char *fvi_data_detect(const char *root)
{
    static const char *const coarse_and_fine[] = {"train.bin", "cifar-100-binary/train.bin", NULL};
    static const char *const digits[] = {"train-images-idx3-ubyte", "train-images-idx3-ubyte.gz", "train-images.idx3-ubyte", "train-images.idx3-ubyte.gz",
                                         "raw/train-images-idx3-ubyte", "raw/train-images-idx3-ubyte.gz", "MNIST/raw/train-images-idx3-ubyte",
                                         "MNIST/raw/train-images-idx3-ubyte.gz", NULL};
    static const char *const lists[] = {"train.csv", NULL};
    if (!fvi_is_dir(root)) return fvi_file_exists(root) ? "csv" : NULL;
    if (has_batches(root)) return "cifar10";
    if (has_any(root, coarse_and_fine)) return "cifar100";
    if (has_any(root, digits)) return "mnist";
    if (has_any(root, lists)) return "csv";
    return has_entry(root, NULL) ? "folder" : NULL;
}

static fv_status find_format(fv_context *ctx, const fv_data_options *o, const char **format)
{
    static const char *const known[] = {"folder", "csv", "cifar10", "cifar100", "mnist", NULL};
    char shown[1024];
    fvi_show_name(o->root, shown, sizeof shown);
    if (!fvi_file_exists(o->root)) return fvi_fail(ctx, FV_ERROR_IO, "data.root: %s does not exist; give data=DIR, a folder of pictures or of a known data set", shown);
    if (!o->format || !strcmp(o->format, "auto")) {
        if ((*format = fvi_data_detect(o->root))) return FV_OK;
        return fvi_fail(ctx, FV_ERROR_IO, "%s: no data that fovea knows: no class folders with pictures, no train.csv, no data_batch_*.bin (CIFAR-10), no train.bin "
                        "(CIFAR-100), no train-images-idx3-ubyte (MNIST)", shown);
    }
    for (int i = 0; known[i]; i++)
        if (!strcmp(o->format, known[i])) {
            *format = known[i];
            return FV_OK;
        }
    return fvi_fail(ctx, FV_ERROR_CONFIG, "data.format: \"%s\" is none of folder, csv, cifar10, cifar100, mnist", o->format);
}

/* ---- lists -------------------------------------------------------------------------------------------------------------- */

/* The sub-folder of a set: as given, else by its usual names; "" in `out`: there is none. */
static void find_set(const fv_data_options *o, int set, const char **out)
{
    static const char *const usual[FV_SPLITS][4] = {{"train", "training", NULL}, {"val", "valid", "validation", NULL}, {"test", "testing", NULL}};
    *out = o->sets[set] ? o->sets[set] : "";
    for (int i = 0; usual[set][i] && !**out; i++) {
        char path[FVI_PATH_ROOM];
        if (fvi_path_in(path, o->root, usual[set][i]) && fvi_is_dir(path) && has_entry(path, NULL)) *out = usual[set][i];
    }
}

static fv_status list_folders(fv_context *ctx, const fv_data_options *o, fvi_list *l)
{
    const char *below[FV_SPLITS];
    for (int i = 0; i < FV_SPLITS; i++) find_set(o, i, &below[i]);
    if (!fvi_is_dir(o->root)) return fvi_fail(ctx, FV_ERROR_IO, "data.root: %s is not a folder; data.format=csv reads lists", o->root);
    if (!*below[FV_SPLIT_TRAIN] && (o->sets[FV_SPLIT_VAL] || o->sets[FV_SPLIT_TEST]))
        return fvi_fail(ctx, FV_ERROR_CONFIG, "data.val or data.test is given, but not data.train");
    if (!*below[FV_SPLIT_TRAIN]) return fvi_list_folder(ctx, l, "", FVI_NO_SET);
    bool val = *below[FV_SPLIT_VAL];
    FVI_TRY(ctx, fvi_list_folder(ctx, l, below[FV_SPLIT_TRAIN], val ? FV_SPLIT_TRAIN : FVI_NO_SET));
    for (int i = FV_SPLIT_VAL; i < FV_SPLITS; i++)
        if (*below[i]) FVI_TRY(ctx, fvi_list_folder(ctx, l, below[i], i));
    return FV_OK;
}

static fv_status read_list(fv_context *ctx, fvi_list *l, const char *path, const fvi_csv_rules *rules)
{
    char *text = NULL, shown[1024];
    size_t bytes;
    fvi_show_name(path, shown, sizeof shown);
    FVI_TRY(ctx, fvi_file_read(ctx, path, (size_t)1 << 30, &text, &bytes));
    fv_status status = fvi_list_csv(ctx, l, shown, text, bytes, rules);
    fvi_free(text);
    return status;
}

static fv_status list_csv(fv_context *ctx, const fv_data_options *o, fvi_list *l)
{
    static const char *const usual[FV_SPLITS] = {"train.csv", "val.csv", "test.csv"};
    fvi_csv_rules rules = {.set = FVI_NO_SET, .outside = o->allow_outside};
    if (!fvi_is_dir(o->root)) return read_list(ctx, l, o->root, &rules);
    bool val = o->sets[FV_SPLIT_VAL] || has(o->root, usual[FV_SPLIT_VAL]);
    for (int i = 0; i < FV_SPLITS; i++) {
        const char *name = o->sets[i] ? o->sets[i] : usual[i];
        if (!o->sets[i] && i != FV_SPLIT_TRAIN && !has(o->root, name)) continue;
        char *path = fvi_path_join(o->root, name);
        if (!path) return fvi_nomem(ctx);
        rules.set = i == FV_SPLIT_TRAIN && !val ? FVI_NO_SET : i;
        fv_status status = read_list(ctx, l, path, &rules);
        fvi_free(path);
        FVI_TRY(ctx, status);
    }
    return FV_OK;
}

/* Where paths start: the folder, or that of the CSV, or data.images. */
static fv_status set_root(fv_context *ctx, const fv_data_options *o, const char *format, fvi_list *l)
{
    bool csv = !strcmp(format, "csv");
    char *folder = csv && !fvi_is_dir(o->root) ? fvi_path_dir(o->root) : fvi_strdup(o->root);
    char *images = folder && csv && o->images ? fvi_path_join(folder, o->images) : NULL;
    if (folder && csv && o->images) {
        fvi_free(folder);
        folder = images;
    }
    if (!folder) return fvi_nomem(ctx);
    size_t n = strlen(folder);
    while (n > 1 && folder[n - 1] == '/') folder[--n] = 0;
    l->root = folder;
    return FV_OK;
}

fv_status fvi_data_list(fv_context *ctx, const fv_data_options *o, const char *format, fvi_list *l)
{
    bool csv = !strcmp(format, "csv");
    FVI_TRY(ctx, set_root(ctx, o, format, l));
    FVI_TRY(ctx, fvi_list_give_classes(ctx, l, o->classes, o->n_classes));
    if (o->split_file && fvi_file_exists(o->split_file)) {
        fvi_csv_rules rules = {.set = FVI_NO_SET, .outside = o->allow_outside, .split = true};
        FVI_TRY(ctx, read_list(ctx, l, o->split_file, &rules));
    } else if (csv) {
        FVI_TRY(ctx, list_csv(ctx, o, l));
    } else {
        FVI_TRY(ctx, list_folders(ctx, o, l));
    }
    return fvi_list_sort_classes(ctx, l, csv);
}

/* ---- checks ------------------------------------------------------------------------------------------------------------- */

static fv_status check_classes(fv_context *ctx, const fv_data_options *o, const fvi_list *l, const int64_t (*counts)[FV_SPLITS])
{
    char shown[256];
    int64_t sums[FV_SPLITS] = {0}, unseen = 0, first = -1;
    for (int c = 0; c < l->n_classes; c++) {
        for (int i = 0; i < FV_SPLITS; i++) sums[i] += counts[c][i];
        fvi_show_name(l->classes[c], shown, sizeof shown);
        if (!counts[c][FV_SPLIT_TRAIN] && !o->allow_empty)
            return fvi_fail(ctx, FV_ERROR_FORMAT, "%s: class \"%s\" has no picture to train on; remove its folder, or set data.allow_empty=true", l->root, shown);
    }
    for (int c = 0; c < l->n_classes && sums[FV_SPLIT_VAL]; c++)
        if (!counts[c][FV_SPLIT_VAL] && unseen++ == 0) first = c;
    if (unseen) {
        fvi_show_name(l->classes[first], shown, sizeof shown);
        fvi_log(ctx, FV_LOG_WARN, "%lld classes have no picture to validate with, as \"%s\"", (long long)unseen, shown);
    }
    return FV_OK;
}

static fv_status check_list(fv_context *ctx, const fv_data_options *o, const fvi_list *l)
{
    char shown[256], first[256];
    fvi_show_name(l->root, shown, sizeof shown);
    if (l->ignored) {
        fvi_show_name(l->first_ignored, first, sizeof first);
        fvi_log(ctx, FV_LOG_INFO, "%s: %lld files that are no pictures are left out, as %s", shown, (long long)l->ignored, first);
    }
    if (!l->count)
        return fvi_fail(ctx, FV_ERROR_FORMAT, "%s: no pictures in class folders; it should hold a folder for each class, as %s/cat/1.jpg, %s/dog/2.jpg", shown,
                        shown, shown);
    if (l->n_classes < 2)
        return fvi_fail(ctx, FV_ERROR_FORMAT, "%s: one class only (%s): a classifier needs two or more. Is the folder one level too deep or too high?", shown,
                        l->classes[0]);
    if (o->whole || (o->leave_out & 1u << FV_SPLIT_TRAIN)) return FV_OK;
    int64_t (*counts)[FV_SPLITS] = fvi_calloc((size_t)l->n_classes, sizeof *counts);
    if (!counts) return fvi_nomem(ctx);
    for (int i = 0; i < l->count; i++) counts[l->items[i].label][l->items[i].set]++;
    fv_status status = check_classes(ctx, o, l, (const int64_t (*)[FV_SPLITS])counts);
    fvi_free(counts);
    return status;
}

/* Identical files in train and in another set make its figures too good; in two classes one of them is wrong. */
static void warn_of_twins(fv_context *ctx, fv_data *d, const int32_t *twin)
{
    const fvi_list *l = &d->list;
    int64_t classes = 0, sets = 0;
    char a[256] = "", b[256] = "";
    for (int i = 0; i < l->count; i++) {
        const fvi_file *f = &l->items[i], *t = &l->items[twin[i]];
        if (twin[i] == i) continue;
        bool differs = f->set != t->set;
        if ((differs && sets == 0) || (f->label != t->label && sets + classes == 0)) {
            fvi_show_name(t->path, a, sizeof a);
            fvi_show_name(f->path, b, sizeof b);
        }
        sets += differs;
        classes += f->label != t->label;
    }
    d->doubles_across = sets;
    if (sets) fvi_log(ctx, FV_LOG_WARN, "%lld pictures are in two sets, so that validation knows them from training, as %s and %s; see fovea data check", (long long)sets, a, b);
    if (classes) fvi_log(ctx, FV_LOG_WARN, "%lld pictures are in two classes%s%s%s%s; see fovea data check", (long long)classes, sets ? "" : ", as ", sets ? "" : a,
                         sets ? "" : " and ", sets ? "" : b);
}

/* ---- opening ------------------------------------------------------------------------------------------------------------ */

static fv_status split_list(fv_context *ctx, const fv_data_options *o, fv_data *d)
{
    fvi_list *l = &d->list;
    fv_status status = FV_OK;
    int undecided = 0;
    int32_t *twin = NULL;
    fvi_split_rules rules = {.val = o->val < 0 ? 0.2 : o->val, .test = o->test < 0 ? 0 : o->test, .folds = o->folds, .fold = o->fold, .seed = o->seed,
                             .random = o->random_split};
    for (int i = 0; i < l->count; i++) undecided += l->items[i].set == FVI_NO_SET;
    bool stored = o->split_file && fvi_file_exists(o->split_file);
    if (o->whole && undecided == l->count) return FV_OK;
    if (!stored && !o->whole) {
        if (!(twin = fvi_calloc((size_t)l->count, sizeof *twin))) return fvi_nomem(ctx);
        FVI_TRY_DONE(ctx, status, fvi_list_twins(ctx, l, twin));
    }
    rules.twin = o->split_duplicates ? NULL : twin;
    if (undecided) FVI_TRY_DONE(ctx, status, fvi_list_split(ctx, l, &rules));
    if (twin) warn_of_twins(ctx, d, twin);
done:
    fvi_free(twin);
    return status;
}

static fv_status open_list(fv_context *ctx, const fv_data_options *o, fv_data *d)
{
    if (o->folds < 0 || o->folds == 1 || (o->folds && (o->fold < 0 || o->fold >= o->folds)))
        return fvi_fail(ctx, FV_ERROR_CONFIG, "data.split: fold %d of %d folds; folds are 2 or more, and fold counts from 0", o->fold, o->folds);
    if (FVI_MAX(o->val, 0.0) + FVI_MAX(o->test, 0.0) >= 1)
        return fvi_fail(ctx, FV_ERROR_CONFIG, "data.split: val %g and test %g leave nothing to train on", o->val, o->test);
    d->listed = true;
    FVI_TRY(ctx, fvi_data_list(ctx, o, d->format, &d->list));
    if (d->list.count) FVI_TRY(ctx, split_list(ctx, o, d));
    FVI_TRY(ctx, check_list(ctx, o, &d->list));
    bool whole = true;
    for (int i = 0; i < d->list.count && whole; i++) whole = d->list.items[i].set == FVI_NO_SET;
    for (int i = 0; i < FV_SPLITS; i++)
        if (!(o->leave_out & 1u << i)) FVI_TRY(ctx, fvi_list_source(ctx, &d->list, whole ? FVI_NO_SET : i, &d->sets[i]));
    return FV_OK;
}

static fv_status open_records(fv_context *ctx, const fv_data_options *o, bool train, const char *format, fv_source **out)
{
    if (!strcmp(format, "cifar10")) return fv_source_cifar10(ctx, o->root, train, out);
    if (!strcmp(format, "cifar100")) return fv_source_cifar100(ctx, o->root, train, o->coarse, out);
    return fv_source_mnist(ctx, o->root, train, out);
}

static fv_status open_data(fv_context *ctx, const fv_data_options *o, fv_data *d)
{
    FVI_TRY(ctx, find_format(ctx, o, &d->format));
    if (!strcmp(d->format, "folder") || !strcmp(d->format, "csv")) return open_list(ctx, o, d);
    const unsigned held_out = 1u << FV_SPLIT_VAL | 1u << FV_SPLIT_TEST;
    if (!(o->leave_out & 1u << FV_SPLIT_TRAIN)) FVI_TRY(ctx, open_records(ctx, o, true, d->format, &d->sets[FV_SPLIT_TRAIN]));
    if ((o->leave_out & held_out) == held_out) return FV_OK;
    FVI_TRY(ctx, open_records(ctx, o, false, d->format, &d->sets[FV_SPLIT_VAL]));
    d->sets[FV_SPLIT_TEST] = d->sets[FV_SPLIT_VAL];
    d->shared_test = true;
    return FV_OK;
}

fv_status fv_data_open(fv_context *ctx, const fv_data_options *o, fv_data **out)
{
    *out = NULL;
    if (!o->root) return fvi_fail(ctx, FV_ERROR_CONFIG, "no data: give data=DIR, a folder of pictures (a folder for each class) or of a known data set");
    fv_data *d = fvi_calloc(1, sizeof *d);
    if (!d) return fvi_nomem(ctx);
    fv_status status = open_data(ctx, o, d);
    if (status == FV_OK)
        *out = d;
    else
        fv_data_destroy(d);
    return status;
}

void fv_data_destroy(fv_data *d)
{
    if (!d) return;
    for (int i = 0; i < FV_SPLITS; i++)
        if (i != FV_SPLIT_TEST || !d->shared_test) fv_source_destroy(d->sets[i]);
    fvi_list_free(&d->list);
    fvi_free(d);
}

const fv_source *fv_data_source(const fv_data *d, fv_split split)
{
    return (unsigned)split < FV_SPLITS ? d->sets[split] : NULL;
}

const char *fv_data_format(const fv_data *d)
{
    return d->format;
}

fv_status fv_data_write_split(fv_context *ctx, const fv_data *d, const char *path)
{
    if (!d->listed) return FV_OK;
    char *text = fvi_list_text(&d->list);
    if (!text) return fvi_nomem(ctx);
    fv_status status = fvi_file_write(ctx, path, text, strlen(text));
    fvi_free(text);
    return status;
}
