/* SPDX-License-Identifier: Apache-2.0 */
/* Where a run stands, and its text in the state file of a checkpoint ("fovea.position"): a JSON object. */
#ifndef FVI_POSITION_H
#define FVI_POSITION_H

#include "base/base.h"
#include "optim/schedule.h"

enum { FVI_METRIC_NAME = 48, FVI_METRICS_MAX = 72, FVI_TRAIN_RESULTS = 24 };

/* A value of the last validation under the name of its column, "val_acc". */
typedef struct fvi_measured { char name[FVI_METRIC_NAME]; double value; } fvi_measured;

/* Where a run stands. All that a straight run would know at this point and that is not a variable of the session. */
typedef struct fvi_position {
    int64_t step, epoch, index;          /* updates done; the next batch */
    int64_t batches;                     /* micro-batches seen by batch norm (num_batches_tracked) */
    int64_t batch_size, seed;            /* what epoch and index were counted with */
    int64_t validated_step;              /* the last validation, -1: none */
    double validated_epoch;              /* ... in passes over the data; NaN: a version before it wrote the position */
    char measured[17];                   /* what its figures are measured on, as a hash; "": not known */
    double best, last_loss, last_norm, last_rate;
    int64_t best_step, bad_checks;       /* -1: none yet; validations in a row without improvement */
    double stop_best;                    /* what early stop compares with: differs from best by less than min_delta; NaN: none */
    fvi_plateau plateau;
    int64_t threads, samples;            /* samples of the training data */
    bool finished;
    int n_results;
    fvi_measured results[FVI_TRAIN_RESULTS];     /* further results of the last update */
    int n_metrics;
    fvi_measured metrics[FVI_METRICS_MAX];       /* of the last validation; NaN: none */
} fvi_position;

/* The value under a name; NaN: there is none. */
double fvi_position_metric(const fvi_position *p, const char *name);
/* The object as text, to be freed; NULL: no memory. */
char *fvi_position_text(const fvi_position *p);
/* Reads it; what is absent keeps the value of a run that has not begun. `path` is for the error. */
FV_CHECKED fv_status fvi_position_parse(fv_context *ctx, fvi_arena *arena, const char *path, const char *text, fvi_position *p);

#endif
