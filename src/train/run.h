/* SPDX-License-Identifier: Apache-2.0 */
/* The run folder: which folder a configuration belongs to, what may happen to an existing one, and the small files in it
 * (configuration with origins, command line, environment, class names, metrics.csv). */
#ifndef FVI_RUN_H
#define FVI_RUN_H

#include "train/checkpoint.h"
#include "train/config.h"

#include <stdio.h>

enum { FVI_COLUMNS_MAX = 96 };

typedef struct fvi_run_folder {
    fv_context *ctx;
    char *path, *checkpoints;            /* absolute */
    bool exists;                         /* there was a run: it goes on */
    bool changed;                        /* ... with changed keys (--continue) */
    bool moved;                          /* ... its checkpoints or events have another place */
    bool replaces;                       /* there is one that is moved aside when the new one begins (--overwrite) */
    bool claimed;                        /* its empty folder was made when it was opened (--new) */
    char *changes;                       /* which, in words */
    fv_config *before;                   /* what the run was trained with until now; NULL: a new run */
    char *columns[FVI_COLUMNS_MAX];      /* of metrics.csv, after step, epoch, lr, loss, grad_norm */
    int n_columns;
    char *table;                         /* text of the kernel table in use; NULL: the shipped heuristics */
    char *table_path;                    /* where it is read from */
    int metrics;                         /* descriptor of metrics.csv; -1: none */
    fvi_text rows;                       /* that are not written yet */
    int lock, checkpoint_lock;           /* descriptors of RUN/.lock and, elsewhere, checkpoint_dir/.lock, held meanwhile; -1: none */
} fvi_run_folder;

/* Is the folder a run? */
bool fvi_is_run(const char *path);
/* Decides the folder by configuration and mode; changes nothing but for a lock in an existing run and, for FV_RUN_NEW, an empty folder.
 * `folder`: the run that was named, or NULL. */
FV_CHECKED fv_status fvi_run_open(fv_context *ctx, const fv_config *c, const char *folder, fv_run_mode mode, bool dry, fvi_run_folder *out);
/* Does the key, or one of its group, differ from what the run was trained with? */
bool fvi_run_changed(const fvi_run_folder *r, const fv_config *now, const char *key);
/* Before anything is written: moves an old run aside (FV_RUN_OVERWRITE), makes the folders, locks them. An error where another process
 * was faster. */
FV_CHECKED fv_status fvi_run_take(fvi_run_folder *r);
void fvi_run_release(fvi_run_folder *r);        /* locks, and an empty folder of --new */
/* The files of a run that is repeated with several seeds: configuration, command line, segments. */
FV_CHECKED fv_status fvi_run_begin_group(fvi_run_folder *r, const fv_config *c);
/* The files of a run that begins or goes on at `step`. `new_split`: split.csv will be written anew. */
FV_CHECKED fv_status fvi_run_begin(fvi_run_folder *r, const fv_config *c, const fv_source *data, int64_t step, bool new_split);
/* A small file of the folder, complete or as it was. `text` is owned by the call; NULL: out of memory. */
FV_CHECKED fv_status fvi_run_write(fvi_run_folder *r, const char *name, char *text);
/* The next column of metrics.csv; before the run begins. */
FV_CHECKED fv_status fvi_run_column(fvi_run_folder *r, const char *name);
/* One row; empty cells where values are NaN. `values`: one for each further column. */
typedef struct fvi_metrics_row { int64_t step; double epoch, rate, loss, norm; const double *values; } fvi_metrics_row;
FV_CHECKED fv_status fvi_run_row(fvi_run_folder *r, const fvi_metrics_row *m);
FV_CHECKED fv_status fvi_run_flush(fvi_run_folder *r);
void fvi_run_close(fvi_run_folder *r);

/* ["airplane", ...]; owned by the caller. */
char *fvi_classes_json(const fv_source *data);

#endif
