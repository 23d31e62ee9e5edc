/* SPDX-License-Identifier: Apache-2.0 */
/* Opens what the configuration names: finds out the format, lists the files, makes or reads the split, and refuses what
 * cannot be learned from. */
#include "data/open.h"
#include "base/file.h"
#include "base/json.h"
#include "data/sets.h"

#include <dirent.h>
#include <stdio.h>

/* ---- what is there ------------------------------------------------------------------------------------------------------ */

bool fvi_has_below(const char *root, const char *below)
{
    char path[FVI_PATH_ROOM];
    return fvi_path_in(path, root, below) && fvi_file_exists(path);
}

bool fvi_has_entry(const char *root, const char *pattern)
{
    bool found = false;
    DIR *dir = opendir(root);
    if (!dir) return false;
    for (struct dirent *e; !found && (e = readdir(dir));) {
        if (fvi_is_system_name(e->d_name)) continue;
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

const fvi_data_format *fvi_data_detect(const char *root, const char *const sets[FV_SPLITS])
{
    const fvi_data_format *found = NULL, *f;
    for (int i = 0; i < FV_SPLITS; i++)
        if (sets[i] && fvi_is_list(sets[i]) && fvi_is_dir(root)) return fvi_data_format_find("csv");
    for (int i = 0; (f = fvi_data_format_at(i)); i++)
        if ((!found || f->rank < found->rank) && f->detect(root)) found = f;
    return found;
}

/* What would be known, in the order of the formats' ranks. */
static char *known_formats(bool names)
{
    fvi_text t = {0};
    const fvi_data_format *f, *next;
    for (int last = -1;; last = next->rank) {
        next = NULL;
        for (int i = 0; (f = fvi_data_format_at(i)); i++)
            if (f->rank > last && (!next || f->rank < next->rank)) next = f;
        if (!next) break;
        fvi_text_add(&t, "%s%s%s", t.length ? ", " : "", names ? "" : "no ", names ? next->name : next->there);
    }
    return fvi_text_take(&t);
}

static fv_status find_format(fv_context *ctx, const fv_data_options *o, const fvi_data_format **format)
{
    const bool automatic = !o->format || !strcmp(o->format, "auto");
    char shown[1024];
    fvi_show_name(o->root, shown, sizeof shown);
    if (!fvi_file_exists(o->root)) return fvi_fail(ctx, FV_ERROR_IO, "data.root: %s does not exist; give data=DIR, a folder of pictures or of a known data set", shown);
    if ((*format = automatic ? fvi_data_detect(o->root, o->sets) : fvi_data_format_find(o->format))) return FV_OK;
    char *known = known_formats(!automatic);
    fv_status status;
    if (!known) status = fvi_nomem(ctx);
    else if (automatic) status = fvi_fail(ctx, FV_ERROR_IO, "%s: no data that fovea knows: %s", shown, known);
    else status = fvi_fail(ctx, FV_ERROR_CONFIG, "data.format: \"%s\" is none of %s", o->format, known);
    fvi_free(known);
    return status;
}

/* Where the data say themselves what is in which set, folds and a test set cannot be made of them. */
static fv_status check_free(fv_context *ctx, const fv_data_options *o, const char *who, const char *remedy, bool val, bool test)
{
    const bool folds = o->folds > 1 && val;
    if (o->whole || (!folds && !(o->test > 0 && test))) return FV_OK;
    const char *key = folds ? "data.split.folds" : "data.split.test";
    return fvi_fail(ctx, FV_ERROR_CONFIG, "%s cannot be obeyed, since %s decides what %s; leave it away, or %s", key, who, folds ? "validates" : "is held out", remedy);
}

/* ---- lists -------------------------------------------------------------------------------------------------------------- */

static fv_status check_sets(fv_context *ctx, const fv_data_options *o, const char *const names[FV_SPLITS])
{
    const bool val = names[FV_SPLIT_VAL], test = names[FV_SPLIT_TEST];
    char who[600], shown[256], remedy[600];
    fvi_show_name(val ? names[FV_SPLIT_VAL] : test ? names[FV_SPLIT_TEST] : "", shown, sizeof shown);
    snprintf(who, sizeof who, "the set %s", shown);
    snprintf(remedy, sizeof remedy, "put what is in %s into the training set", shown);
    return check_free(ctx, o, who, remedy, val, val || test);
}

fv_status fvi_list_class_folders(fv_context *ctx, const fv_data_options *o, fvi_list *l)
{
    const char *below[FV_SPLITS];
    if (!fvi_is_dir(o->root)) return fvi_fail(ctx, FV_ERROR_IO, "data.root: %s is not a folder; data.format=csv reads lists", o->root);
    FVI_TRY(ctx, fvi_find_sets(ctx, o, l, false, below));
    if (!below[FV_SPLIT_TRAIN] && !below[FV_SPLIT_VAL] && !below[FV_SPLIT_TEST]) return fvi_list_folder(ctx, l, "", FVI_NO_SET);
    FVI_TRY(ctx, check_sets(ctx, o, below));
    for (int i = 0; i < FV_SPLITS; i++)
        if (below[i]) FVI_TRY(ctx, fvi_list_folder(ctx, l, below[i], i == FV_SPLIT_TRAIN && !below[FV_SPLIT_VAL] ? FVI_NO_SET : i));
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

/* What the columns split and fold of lists decide. */
static fv_status check_columns(fv_context *ctx, const fv_data_options *o, const fvi_list *l)
{
    int counts[FV_SPLITS] = {0}, undecided = 0;
    for (int i = 0; i < l->count; i++) {
        if (l->items[i].set == FVI_NO_SET) undecided++;
        else counts[l->items[i].set]++;
    }
    const int train = counts[FV_SPLIT_TRAIN], val = counts[FV_SPLIT_VAL], sets = train + val + counts[FV_SPLIT_TEST];
    FVI_TRY(ctx, check_free(ctx, o, l->by_folds ? "the list's column of folds" : "the list's column of sets",
                            l->by_folds ? "give those rows that are held out the split test" : "take that column out", !l->by_folds && train + val, sets));
    if (l->by_folds && (!train || !val))
        return fvi_fail(ctx, FV_ERROR_CONFIG, "data.split.fold=%d: %s row of the list has that fold, so that nothing %s", o->fold, val ? "every" : "no",
                        val ? "is left to train on" : "validates");
    if (l->has_folds && o->folds < 2 && undecided && !o->whole)
        fvi_log(ctx, FV_LOG_WARN, "the list's column of folds is not looked at; data.split.folds and data.split.fold validate by it");
    return FV_OK;
}

/* Paths are those of one list with one root, wherever the lists of its sets lie. */
static void tell_root(fv_context *ctx, const fv_data_options *o, const fvi_list *l, const char *const names[FV_SPLITS])
{
    char shown[256], root[512];
    for (int i = 0; i < FV_SPLITS; i++) {
        if (o->images || !names[i] || !strchr(names[i], '/')) continue;
        fvi_show_name(names[i], shown, sizeof shown);
        fvi_show_name(l->root, root, sizeof root);
        fvi_log(ctx, FV_LOG_INFO, "the paths in %s count from %s, not from the list's own folder; data.images=DIR names another one", shown, root);
        return;
    }
}

fv_status fvi_list_lists(fv_context *ctx, const fv_data_options *o, fvi_list *l)
{
    fvi_csv_rules rules = {.set = FVI_NO_SET, .outside = o->allow_outside, .folds = o->whole ? 0 : o->folds, .fold = o->fold};
    if (!fvi_is_dir(o->root)) {
        FVI_TRY(ctx, read_list(ctx, l, o->root, &rules));
        return check_columns(ctx, o, l);
    }
    const char *names[FV_SPLITS];
    FVI_TRY(ctx, fvi_find_sets(ctx, o, l, true, names));
    bool val = names[FV_SPLIT_VAL];
    FVI_TRY(ctx, check_sets(ctx, o, names));
    tell_root(ctx, o, l, names);
    for (int i = 0; i < FV_SPLITS; i++) {
        if (!names[i]) continue;
        char *path = fvi_path_join(o->root, names[i]);
        if (!path) return fvi_nomem(ctx);
        rules.set = i == FV_SPLIT_TRAIN && !val ? FVI_NO_SET : i;
        fv_status status = read_list(ctx, l, path, &rules);
        fvi_free(path);
        FVI_TRY(ctx, status);
    }
    return check_columns(ctx, o, l);
}

/* The folder that all lies in; of a CSV its own. */
static fv_status set_root(fv_context *ctx, fvi_list *l, char *folder)
{
    if (!folder) return fvi_nomem(ctx);
    size_t n = strlen(folder);
    while (n > 1 && folder[n - 1] == '/') folder[--n] = 0;
    fvi_free(l->root);
    l->root = folder;
    return FV_OK;
}

fv_status fvi_data_list(fv_context *ctx, const fv_data_options *o, const fvi_data_format *format, fvi_list *l)
{
    bool csv = !strcmp(format->name, "csv");
    FVI_TRY(ctx, set_root(ctx, l, csv && !fvi_is_dir(o->root) ? fvi_path_dir(o->root) : fvi_strdup(o->root)));
    FVI_TRY(ctx, fvi_list_give_classes(ctx, l, o->classes, o->n_classes));
    if (o->split_file && fvi_file_exists(o->split_file)) {
        fvi_csv_rules rules = {.set = FVI_NO_SET, .outside = o->allow_outside, .split = true};
        FVI_TRY(ctx, read_list(ctx, l, o->split_file, &rules));
    } else {
        FVI_TRY(ctx, format->list(ctx, o, l));
    }
    if (csv && o->images) FVI_TRY(ctx, set_root(ctx, l, fvi_path_join(l->root, o->images)));     /* from here on, where paths start */
    return fvi_list_sort_classes(ctx, l);
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
            return fvi_fail(ctx, FV_ERROR_FORMAT, "%s: class \"%s\" has no picture to train on; move its folder out of the data, or set data.allow_empty=true", l->root, shown);
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

static fv_status open_list(fv_context *ctx, const fv_data_options *o, const fvi_data_format *format, fv_data *d)
{
    if (o->folds < 0 || o->folds == 1 || (o->folds && (o->fold < 0 || o->fold >= o->folds)))
        return fvi_fail(ctx, FV_ERROR_CONFIG, "data.split: fold %d of %d folds; folds are 2 or more, and fold counts from 0", o->fold, o->folds);
    if (FVI_MAX(o->val, 0.0) + FVI_MAX(o->test, 0.0) >= 1)
        return fvi_fail(ctx, FV_ERROR_CONFIG, "data.split: val %g and test %g leave nothing to train on", o->val, o->test);
    d->listed = true;
    FVI_TRY(ctx, fvi_data_list(ctx, o, format, &d->list));
    if (d->list.count) FVI_TRY(ctx, split_list(ctx, o, d));
    FVI_TRY(ctx, check_list(ctx, o, &d->list));
    bool whole = true;
    for (int i = 0; i < d->list.count && whole; i++) whole = d->list.items[i].set == FVI_NO_SET;
    for (int i = 0; i < FV_SPLITS; i++)
        if (!(o->leave_out & 1u << i)) FVI_TRY(ctx, fvi_list_source(ctx, &d->list, whole ? FVI_NO_SET : i, &d->sets[i]));
    return FV_OK;
}

/* Records have numbers, and what these mean is fixed: classes that are given must be those. */
static fv_status check_record_classes(fv_context *ctx, const fv_data_options *o, const char *format, const fv_source *s)
{
    char shown[256] = "", own[256];
    if (!o->n_classes || !s) return FV_OK;
    for (int64_t i = 0; i < FVI_MAX(o->n_classes, s->classes); i++) {
        snprintf(own, sizeof own, "%lld", (long long)i);
        const char *name = i >= s->classes ? NULL : s->class_names ? s->class_names[i] : own;
        const char *given = i < o->n_classes ? o->classes[i] : NULL;
        if (name && given && !strcmp(name, given)) continue;
        fvi_show_name(given ? given : "none", shown, sizeof shown);
        return fvi_fail(ctx, FV_ERROR_FORMAT, "%s: class %lld of %s is %s, where the given classes have %s", o->root, (long long)i, format, name ? name : "none", shown);
    }
    return FV_OK;
}

static fv_status open_data(fv_context *ctx, const fv_data_options *o, fv_data *d)
{
    const fvi_data_format *format;
    FVI_TRY(ctx, find_format(ctx, o, &format));
    d->format = format->name;
    if (format->list) return open_list(ctx, o, format, d);
    FVI_TRY(ctx, check_free(ctx, o, "the data's own test set", "make class folders of the pictures", true, true));
    const unsigned held_out = 1u << FV_SPLIT_VAL | 1u << FV_SPLIT_TEST;
    if (!(o->leave_out & 1u << FV_SPLIT_TRAIN)) FVI_TRY(ctx, format->open(ctx, o, FV_SPLIT_TRAIN, &d->sets[FV_SPLIT_TRAIN]));
    FVI_TRY(ctx, check_record_classes(ctx, o, d->format, d->sets[FV_SPLIT_TRAIN]));
    if ((o->leave_out & held_out) == held_out) return FV_OK;
    FVI_TRY(ctx, format->open(ctx, o, FV_SPLIT_VAL, &d->sets[FV_SPLIT_VAL]));
    d->sets[FV_SPLIT_TEST] = d->sets[FV_SPLIT_VAL];
    d->shared_test = true;
    return check_record_classes(ctx, o, d->format, d->sets[FV_SPLIT_VAL]);
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
