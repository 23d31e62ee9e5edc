/* SPDX-License-Identifier: Apache-2.0 */
/* What a run folder says about itself, read for a report. A file that is absent or damaged leaves its part empty and a note;
 * only a folder without config.json is no run. */
#ifndef FVI_RUN_DATA_H
#define FVI_RUN_DATA_H

#include "report/record.h"

typedef struct fvi_run_data {
    char *path;                          /* absolute */
    const char *name;                    /* last part of the path */
    const fvi_json *config, *origins, *environment, *summary;        /* NULL: absent */
    const char *commands;                /* lines of command.txt; NULL: absent */
    int64_t n_rows;                      /* of metrics.csv */
    int n_columns;
    const char *const *columns;          /* names */
    const double *cells;                 /* (n_rows, n_columns); NaN: empty */
    const fv_task_def *task;             /* what the run was trained for; NULL: a task that is not known here */
    bool have_record;
    fvi_record record;
    struct { const char **items; int count, capacity; } notes;      /* what could not be read, in words */
    fvi_arena arena;
} fvi_run_data;

/* `own`: a task that is not the library's, or NULL. */
FV_CHECKED fv_status fvi_run_data_read(fv_context *ctx, const fv_task_def *own, const char *path, fvi_run_data *out);
/* The text of metrics.csv, which is taken apart; a part of the above. */
FV_CHECKED fv_status fvi_run_data_metrics(fv_context *ctx, fvi_run_data *r, char *text);
void fvi_run_data_free(fvi_run_data *r);                 /* a zeroed struct is allowed */
int fvi_run_data_column(const fvi_run_data *r, const char *name);    /* -1: there is none */
/* The name of run k, or its path where another has the same name. */
const char *fvi_run_data_label(const fvi_run_data *runs, int n, int k);
/* A figure of the recorded evaluation by name; NaN: there is none. */
double fvi_run_data_metric(const fvi_run_data *r, const char *name);
double fvi_run_data_number(const fvi_json *object, const char *key);     /* NaN: absent */
const char *fvi_run_data_string(const fvi_json *object, const char *key); /* NULL: absent */

#endif
