/* SPDX-License-Identifier: Apache-2.0 */
/* The run folder: which folder a configuration belongs to, what may happen to an existing one, and the small files in it
 * (configuration with origins, command line, environment, class names, metrics.csv). */
#ifndef FVI_RUN_H
#define FVI_RUN_H

#include "train/checkpoint.h"
#include "train/config.h"

#include <stdio.h>

typedef struct fvi_run {
    fv_context *ctx;
    char *path, *checkpoints;            /* absolute */
    bool exists;                         /* there was a run: it goes on */
    bool changed;                        /* ... with changed keys (--continue) */
    char *changes;                       /* which, in words */
    fv_config *before;                   /* what the run was trained with until now; NULL: a new run */
    char *own_columns[FVI_OWN_METRICS];  /* of metrics.csv, after the others: figures of the user's own */
    int n_own;
    char *table;                         /* text of the kernel table in use; NULL: the shipped heuristics */
    char *table_path;                    /* where it is read from */
    int metrics;                         /* descriptor of metrics.csv; -1: none */
    fvi_text rows;                       /* that are not written yet */
    int lock;                            /* descriptor of RUN/.lock, held while the run is trained; -1: none */
} fvi_run;

/* Decides the folder by configuration and mode; writes nothing except moving an old run aside (FV_RUN_OVERWRITE).
 * `folder`: the run that was named, or NULL. */
FV_CHECKED fv_status fvi_run_open(fv_context *ctx, const fv_config *c, const char *folder, fv_run_mode mode, bool dry, fvi_run *out);
/* Does the key, or one of its group, differ from what the run was trained with? */
bool fvi_run_changed(const fvi_run *r, const fv_config *now, const char *key);
/* The folder of a run that is repeated with several seeds: configuration, command line, segments. */
FV_CHECKED fv_status fvi_run_begin_group(fvi_run *r, const fv_config *c);
/* Creates the folder and its files. `classes`: class names. `step`: where it goes on. */
FV_CHECKED fv_status fvi_run_begin(fvi_run *r, const fv_config *c, const fv_source *data, int64_t step);
/* A small file of the folder, complete or as it was. `text` is owned by the call; NULL: out of memory. */
FV_CHECKED fv_status fvi_run_write(fvi_run *r, const char *name, char *text);
/* One row; empty cells where values are NaN. `val`: FVI_METRICS of them, `own`: n_own, both NULL without a validation. */
typedef struct fvi_metrics_row { int64_t step; double epoch, rate, loss, norm; const double *val, *own; } fvi_metrics_row;
FV_CHECKED fv_status fvi_run_row(fvi_run *r, const fvi_metrics_row *m);
FV_CHECKED fv_status fvi_run_flush(fvi_run *r);
void fvi_run_close(fvi_run *r);

/* ["airplane", ...]; owned by the caller. */
char *fvi_classes_json(const fv_source *data);

#endif
