/* SPDX-License-Identifier: Apache-2.0 */
/* Checkpoints: a weight file (plain names, loads in the Python world) and a state file (optimizer, averages, scalars and
 * the trainer's position) tied to it by the hash of its data. Both are written aside and synced before anything is
 * renamed; latest becomes previous first. Whatever moment a process dies at, a pair that fits together is left: the
 * reader tries latest and previous of both files and takes the first pair whose hashes agree. */
#ifndef FVI_CHECKPOINT_H
#define FVI_CHECKPOINT_H

#include "fovea/session.h"
#include "io/safetensors.h"
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

typedef struct fvi_texts {               /* stored as metadata; NULL: left out */
    const char *config, *classes, *model, *version, *cpu, *kernel_table;
} fvi_texts;

FV_CHECKED fv_status fvi_checkpoint_save(fv_context *ctx, fv_session *s, const char *folder, const fvi_position *p, const fvi_texts *t);
/* Weights alone: the averages where they exist and `ema` is set. `batches` as in fvi_position. */
FV_CHECKED fv_status fvi_weights_save(fv_context *ctx, fv_session *s, const char *path, bool ema, const fvi_position *p, const fvi_texts *t);
FV_CHECKED fv_status fvi_weights_load(fv_context *ctx, fv_session *s, const fvi_st_file *f);

typedef struct fvi_checkpoint {
    fvi_st_file weights, state;
    fvi_position position;
} fvi_checkpoint;

/* Finds the newest pair that fits. *found is false when the folder holds no checkpoint at all. Damaged or torn newer files
 * are reported in the log; with `repair` the pair found becomes `latest` again and what is unfit is moved aside. */
FV_CHECKED fv_status fvi_checkpoint_open(fv_context *ctx, const char *folder, bool repair, fvi_checkpoint *out, bool *found);
/* Variables of the session must exist (compiled). `lenient`: a changed optimizer may lack state, which then starts anew, for
 * each tensor as a whole; averages that were not kept before begin with the weights. */
FV_CHECKED fv_status fvi_checkpoint_restore(fv_context *ctx, const fvi_checkpoint *c, fv_session *s, bool lenient);
void fvi_checkpoint_close(fvi_checkpoint *c);        /* a zeroed struct is allowed */
/* Exchanges the model's values with their moving averages; calling it again brings the old ones back. */
FV_CHECKED fv_status fvi_swap_averages(fv_context *ctx, fv_session *s);

#endif
