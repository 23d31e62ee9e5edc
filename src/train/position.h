/* SPDX-License-Identifier: Apache-2.0 */
/* Where a run stands, and its text in the state file of a checkpoint ("fovea.position"): a JSON object. */
#ifndef FVI_POSITION_H
#define FVI_POSITION_H

#include "base/base.h"
#include "optim/schedule.h"

/* X(column, metric): figures of a validation, in this order everywhere; new ones go to the end. val_acc_raw: of the weights
 * themselves where their moving average is what is validated. */
#define FVI_METRIC_LIST(X)                                                                                          \
    X(val_loss, LOSS) X(val_acc, ACC) X(val_top5, TOP5) X(val_f1, F1) X(val_precision, PRECISION) X(val_recall, RECALL) \
    X(val_f1_weighted, F1_WEIGHTED) X(val_balanced_acc, BALANCED_ACC) X(val_acc_raw, COUNT)
enum { FVI_METRICS = 9, FVI_OWN_METRICS = 8 };       /* own: figures of the user's program, after these */
extern const char *const fvi_metric_columns[FVI_METRICS];

/* Where a run stands. All that a straight run would know at this point and that is not a variable of the session. */
typedef struct fvi_position {
    int64_t step, epoch, index;          /* updates done; the next batch */
    int64_t batches;                     /* micro-batches seen by batch norm (num_batches_tracked) */
    int64_t batch_size, seed;            /* what epoch and index were counted with */
    int64_t validated_step;              /* the last validation, -1: none */
    double best, last_loss, last_norm, last_rate;
    int64_t best_step, bad_checks;       /* -1: none yet; validations in a row without improvement */
    double stop_best;                    /* what early stop compares with: differs from best by less than min_delta; NaN: none */
    fvi_plateau plateau;
    int64_t threads, samples;            /* samples of the training data */
    bool finished;
    double metrics[FVI_METRICS];         /* of the last validation; NaN: none */
    int64_t n_own;
    double own[FVI_OWN_METRICS];
} fvi_position;

/* The object as text, to be freed; NULL: no memory. */
char *fvi_position_text(const fvi_position *p);
/* Reads it; what is absent keeps the value of a run that has not begun. `path` is for the error. */
FV_CHECKED fv_status fvi_position_parse(fv_context *ctx, fvi_arena *arena, const char *path, const char *text, fvi_position *p);

#endif
