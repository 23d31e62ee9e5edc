/* SPDX-License-Identifier: Apache-2.0 */
/* A list of picture files with labels and sets: what class folders, CSV lists and stored splits become. */
#ifndef FVI_LIST_H
#define FVI_LIST_H

#include "data/data.h"

enum { FVI_NO_SET = -1, FVI_NO_FOLD = -1 };

typedef struct fvi_file {
    const char *path;                    /* below the list's root; in the arena */
    int64_t size;                        /* bytes; -1: not looked at */
    int32_t label, fold;                 /* fold of a cross-validation; FVI_NO_FOLD: none */
    int8_t set;                          /* fv_split; FVI_NO_SET: not decided */
} fvi_file;

typedef struct fvi_list {
    fvi_arena arena;
    char *root;                          /* paths are relative to it; owned */
    fvi_file *items;
    int count, capacity;
    const char **classes;                /* names by label; texts in the arena */
    int n_classes, classes_capacity;
    int32_t *table;                      /* hashed places of class numbers + 1 */
    int table_size;
    bool classes_given;                  /* by the caller: other names are errors */
    bool has_folds, by_folds;            /* a CSV with a column of folds; its sets were made by them */
    int64_t ignored;                     /* files that are no pictures */
    const char *first_ignored;
} fvi_list;

void fvi_list_free(fvi_list *l);
FV_CHECKED fv_status fvi_list_add(fv_context *ctx, fvi_list *l, const fvi_file *f);
/* Number of a class name, which is added; where the classes were given, another name gets -1. */
FV_CHECKED fv_status fvi_list_class(fv_context *ctx, fvi_list *l, const char *name, int32_t *label);
FV_CHECKED fv_status fvi_list_give_classes(fv_context *ctx, fvi_list *l, const char *const *names, int64_t n);
/* Fails with what is to be said of a name that is none of the given ones. `where`: the file, its line or a folder. */
FV_CHECKED fv_status fvi_list_no_class(fv_context *ctx, const fvi_list *l, const char *where, const char *name);
/* Sorts the classes by the bytes of their names and renumbers, unless they were given; says which are hardly two. */
FV_CHECKED fv_status fvi_list_sort_classes(fv_context *ctx, fvi_list *l);

/* What is in the folder root/below ("": the root), in order of bytes, without what systems keep for themselves, which is counted as
 * ignored. The array is the caller's (fvi_free), names are in the list's arena; sizes are not looked at. */
typedef struct fvi_entry { const char *name; bool is_dir; int64_t size; } fvi_entry;             /* name: below the root */
typedef struct fvi_entries { fvi_entry *items; int count, capacity; } fvi_entries;
FV_CHECKED fv_status fvi_list_entries(fv_context *ctx, fvi_list *l, const char *below, fvi_entries *out);
bool fvi_has_picture_name(const char *path);     /* by its ending */
/* Class folders below root/below ("" or the name of a set). */
FV_CHECKED fv_status fvi_list_folder(fv_context *ctx, fvi_list *l, const char *below, int set);
/* All pictures in and below the root, sorted by path, without classes. */
FV_CHECKED fv_status fvi_list_tree(fv_context *ctx, fvi_list *l);
/* A CSV list: columns path (image, file, filename ...), label (class ...), and perhaps split and fold. `set`: of rows that
 * name none. `outside`: absolute paths and ".." are allowed. `split`: every row must name its set (a stored split). `folds` above 1: a column
 * of folds, where there is one, decides what validates: rows of number `fold`, and what trains: the others, but for those of the test set. */
typedef struct fvi_csv_rules { int set; bool outside, split; int folds, fold; } fvi_csv_rules;
FV_CHECKED fv_status fvi_list_csv(fv_context *ctx, fvi_list *l, const char *name, const char *data, size_t bytes, const fvi_csv_rules *rules);
/* The list as such a CSV, a class without pictures as a row without a path; owned by the caller, NULL when memory is
 * exhausted. */
char *fvi_list_text(const fvi_list *l);

/* Identical files: twin[i] is the first file of the same content, i itself for the others. Files of one size are compared
 * by their first 4096 bytes, and only where these agree by the whole. Those that cannot be read have no twin. */
FV_CHECKED fv_status fvi_list_twins(fv_context *ctx, fvi_list *l, int32_t *twin);

/* Gives every file without a set one. */
typedef struct fvi_split_rules { double val, test; int folds, fold; uint64_t seed; bool random; const int32_t *twin; } fvi_split_rules;
FV_CHECKED fv_status fvi_list_split(fv_context *ctx, fvi_list *l, const fvi_split_rules *rules);

/* The files of one set, or all of them (set FVI_NO_SET), as a source; the list is borrowed. NULL in *out: there are none. */
FV_CHECKED fv_status fvi_list_source(fv_context *ctx, const fvi_list *l, int set, fv_source **out);
const fvi_file *fvi_list_file_of(const fv_source *s, int64_t index);

#endif
