/* SPDX-License-Identifier: Apache-2.0 */
/* Which folders and lists beside each other are sets: by their names, in any case and the usual spellings. What looks like sets and is not
 * named so is asked about, and what is not used is said. */
#include "data/sets.h"
#include "base/file.h"

#include <dirent.h>
#include <stdio.h>

static bool is_one_of(const char *word, const char *const *words)
{
    for (int i = 0; words[i]; i++)
        if (fvi_same_word(word, words[i])) return true;
    return false;
}

bool fvi_is_system_name(const char *name)
{
    static const char *const names[] = {"$RECYCLE.BIN", "RECYCLER", "#recycle", "#snapshot", "@eaDir", "System Volume Information", "lost+found", "__MACOSX",
                                        "__pycache__", "Thumbs.db", "desktop.ini", NULL};
    return *name == '.' || is_one_of(name, names);
}

/* One word of a name; FV_SPLITS: it says nothing. */
static int set_of_word(const char *word)
{
    static const char *const words[FV_SPLITS + 1][10] = {{"train", "training", NULL},
                                                         {"val", "valid", "validation", "validate", "dev", "eval", "evaluation", NULL},
                                                         {"test", "testing", NULL},
                                                         {"", "data", "dataset", "images", "image", "imgs", "img", "pictures", "split", NULL}};
    for (int i = 0; i <= FV_SPLITS; i++)
        if (is_one_of(word, words[i])) return i;
    return FVI_NO_SET;
}

int fvi_set_of_name(const char *name)
{
    int set = FVI_NO_SET;
    while (*name) {
        char word[24];
        size_t n = 0;
        for (; (*name >= 'a' && *name <= 'z') || (*name >= 'A' && *name <= 'Z'); name++) {
            if (n + 1 == sizeof word) return FVI_NO_SET;
            word[n++] = *name;
        }
        word[n] = 0;
        if (n >= 3 && fvi_same_word(word + n - 3, "set") && !fvi_same_word(word, "dataset")) word[n - 3] = 0;      /* trainset, set */
        const int what = set_of_word(word);
        if (what == FVI_NO_SET || (what < FV_SPLITS && set >= 0)) return FVI_NO_SET;
        if (what < FV_SPLITS) set = what;
        if (*name && !strchr("_-. 0123456789", *name)) return FVI_NO_SET;
        name += *name != 0;
    }
    return set;
}

/* ---- what lies beside each other ------------------------------------------------------------------------------------------ */

bool fvi_is_list(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot && fvi_same_word(dot, ".csv");
}

int fvi_set_of_list(const char *name)
{
    char stem[24];
    const size_t n = strlen(name);
    if (!fvi_is_list(name) || n - 4 >= sizeof stem) return FVI_NO_SET;
    memcpy(stem, name, n - 4);
    stem[n - 4] = 0;
    const int set = set_of_word(stem);                   /* not train_images.csv, which says something about pictures */
    return set < FV_SPLITS ? set : FVI_NO_SET;
}

bool fvi_has_list(const char *root, int set)
{
    bool found = false;
    DIR *dir = opendir(root);
    if (!dir) return false;
    for (struct dirent *e; !found && (e = readdir(dir));) {
        const int of = fvi_set_of_list(e->d_name);
        found = of != FVI_NO_SET && (set == FVI_NO_SET || of == set);
    }
    closedir(dir);
    return found;
}

/* A folder of class folders? One whose name is that of a class is none. */
static fv_status is_set_folder(fv_context *ctx, const fv_data_options *o, fvi_list *l, const char *name, bool *yes)
{
    fvi_entries inside = {0};
    *yes = false;
    for (int64_t i = 0; i < o->n_classes; i++)
        if (!strcmp(o->classes[i], name)) return FV_OK;
    fv_status status = fvi_list_entries(ctx, l, name, &inside);
    for (int i = 0; i < inside.count && !*yes; i++) *yes = inside.items[i].is_dir;
    fvi_free(inside.items);
    return status;
}

/* What is not used of what could be, in words. */
static void name_unused(fv_context *ctx, const fvi_list *l, const fvi_entries *all, bool lists, const char *const names[FV_SPLITS])
{
    char text[512] = "", shown[128];
    size_t used = 0;
    int n = 0;
    for (int i = 0; i < all->count; i++) {
        const fvi_entry *e = &all->items[i];
        const size_t length = strlen(e->name);
        bool taken = lists ? e->is_dir || !fvi_is_list(e->name) : !e->is_dir;
        for (int k = 0; k < FV_SPLITS && !taken; k++) taken = names[k] && !strncmp(names[k], e->name, length) && (!names[k][length] || names[k][length] == '/');
        if (taken || n++ >= 4) continue;
        fvi_show_name(e->name, shown, sizeof shown);
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%s", used ? ", " : "", shown);
    }
    fvi_show_name(l->root, shown, sizeof shown);
    if (n > 4) fvi_log(ctx, FV_LOG_WARN, "%s: beside its sets, %s and %d more are not used", shown, text, n - 4);
    else if (n) fvi_log(ctx, FV_LOG_WARN, "%s: beside its sets, %s %s not used", shown, text, n > 1 ? "are" : "is");
}

/* Sets are there, and none to train on: they would be taken for classes, or train would be what is held out. */
static fv_status check_train(fv_context *ctx, const fv_data_options *o, const fvi_list *l, bool lists, const char *const names[FV_SPLITS])
{
    const char *held_out = names[FV_SPLIT_VAL] ? names[FV_SPLIT_VAL] : names[FV_SPLIT_TEST];
    char root[512], shown[256];
    if (names[FV_SPLIT_TRAIN] || (held_out ? o->whole || (o->leave_out & 1u << FV_SPLIT_TRAIN) : !lists)) return FV_OK;
    fvi_show_name(l->root, root, sizeof root);
    if (!held_out) return fvi_fail(ctx, FV_ERROR_IO, "%s: there is no list train.csv; data.train=LIST.csv names it", root);
    fvi_show_name(held_out, shown, sizeof shown);
    return fvi_fail(ctx, FV_ERROR_FORMAT, "%s: there is a set %s, but none to train on: train is missing; data.train=... names it", root, shown);
}

/* How many folders are in a folder; -1: there are pictures too, or a folder that another one lacks. */
static int count_shared(const fvi_entries *in, const fvi_entries *other)
{
    int n = 0;
    for (int i = 0, k = 0; i < in->count; i++) {
        const char *name = fvi_path_base(in->items[i].name);
        if (!in->items[i].is_dir && fvi_has_picture_name(name)) return -1;
        if (!in->items[i].is_dir) continue;
        while (k < other->count && strcmp(fvi_path_base(other->items[k].name), name) < 0) k++;
        if (k == other->count || !other->items[k].is_dir || strcmp(fvi_path_base(other->items[k].name), name)) return -1;
        n++;
    }
    return n;
}

/* Two or three folders with the same folders in them: sets by other names, or classes that are divided further? That cannot be known. */
static fv_status check_alike(fv_context *ctx, const fv_data_options *o, fvi_list *l, const fvi_entries *all)
{
    enum { MOST = 3 };
    const char *names[MOST];
    char shown[MOST + 1][128] = {""};
    fvi_entries inside[MOST] = {{0}};
    fv_status status = FV_OK;
    int n = 0, largest = 0, least = 0;
    for (int i = 0; i < all->count; i++) {
        if (!all->items[i].is_dir || n++ >= MOST) continue;
        names[n - 1] = all->items[i].name;
        fvi_show_name(names[n - 1], shown[n - 1], sizeof shown[n - 1]);
    }
    const bool few = n >= 2 && n <= MOST && !o->n_classes;
    for (int i = 0; i < n && few && status == FV_OK; i++) {
        status = fvi_list_entries(ctx, l, names[i], &inside[i]);
        if (inside[i].count > inside[largest].count) largest = i;
    }
    for (int i = 0; i < n && few; i++) {
        const int shared = count_shared(&inside[i], &inside[largest]);
        if (!i || shared < least) least = shared;
    }
    fvi_show_name(l->root, shown[MOST], sizeof shown[MOST]);
    if (status == FV_OK && least >= 2)
        status = fvi_fail(ctx, FV_ERROR_FORMAT, "%s: %s and %s hold the same folders. If they are sets, say which, as data.train=%s data.val=%s; if they are classes, "
                          "say so: classes=%s,%s%s%s", shown[MOST], shown[0], shown[1], shown[0], shown[1], shown[0], shown[1], n > 2 ? "," : "", shown[2]);
    for (int i = 0; i < MOST; i++) fvi_free(inside[i].items);
    return status;
}

/* The sets that nobody gave: what is called so. */
static fv_status find_by_name(fv_context *ctx, const fv_data_options *o, fvi_list *l, const fvi_entries *all, bool lists, const char *names[FV_SPLITS])
{
    for (int i = 0; i < all->count; i++) {
        const fvi_entry *e = &all->items[i];
        const int set = lists ? fvi_set_of_list(e->name) : fvi_set_of_name(e->name);
        bool yes = lists;
        if (set == FVI_NO_SET || e->is_dir == lists || o->sets[set]) continue;
        if (!lists) FVI_TRY(ctx, is_set_folder(ctx, o, l, e->name, &yes));
        if (yes && names[set]) {
            static const char *const keys[FV_SPLITS] = {"data.train", "data.val", "data.test"};
            char shown[2][128];
            fvi_show_name(names[set], shown[0], sizeof shown[0]);
            fvi_show_name(e->name, shown[1], sizeof shown[1]);
            return fvi_fail(ctx, FV_ERROR_FORMAT, "%s: which of %s and %s is the set? %s=%s says so", l->root, shown[0], shown[1], keys[set], shown[0]);
        }
        if (yes) names[set] = e->name;
    }
    return FV_OK;
}

fv_status fvi_find_sets(fv_context *ctx, const fv_data_options *o, fvi_list *l, bool lists, const char *names[FV_SPLITS])
{
    fvi_entries all = {0};
    const int64_t ignored = l->ignored;
    for (int i = 0; i < FV_SPLITS; i++) names[i] = o->sets[i];
    fv_status status = fvi_list_entries(ctx, l, "", &all);
    if (status == FV_OK) status = find_by_name(ctx, o, l, &all, lists, names);
    if (status == FV_OK) status = check_train(ctx, o, l, lists, names);
    const bool any = names[FV_SPLIT_TRAIN] || names[FV_SPLIT_VAL] || names[FV_SPLIT_TEST];
    if (status == FV_OK && any) name_unused(ctx, l, &all, lists, names);
    if (status == FV_OK && !any && !lists) status = check_alike(ctx, o, l, &all);
    l->ignored = ignored;                                /* what is listed counts them */
    fvi_free(all.items);
    return status;
}
