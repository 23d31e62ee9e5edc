/* SPDX-License-Identifier: Apache-2.0 */
/* Checkpoints: a weight file (plain names, loads in the Python world) and a state file (optimizer, averages, scalars and
 * the trainer's position) tied to it by the hash of its data. Both are written aside and synced before anything is
 * renamed; latest becomes previous first. Whatever moment a process dies at, a pair that fits together is left: the
 * reader tries latest and previous of both files and takes the first pair whose hashes agree. */
#ifndef FVI_CHECKPOINT_H
#define FVI_CHECKPOINT_H

#include "fovea/task.h"
#include "io/safetensors.h"
#include "train/position.h"

typedef struct fvi_texts {               /* stored as metadata; NULL: left out */
    const char *config, *classes, *model, *version, *data, *cpu, *kernel_table;     /* data: identity.h */
} fvi_texts;

FV_CHECKED fv_status fvi_checkpoint_save(fv_context *ctx, fv_session *s, const char *folder, const fvi_position *p, const fvi_texts *t);
/* Weights alone: the averages where they exist and `ema` is set. `batches` as in fvi_position. */
FV_CHECKED fv_status fvi_weights_save(fv_context *ctx, fv_session *s, const char *path, bool ema, const fvi_position *p, const fvi_texts *t);
/* Every variable of the model must be in the file. Tensors beyond them are an error, unless the task has functions that are not compiled
 * here (`def` with several programs: a generator beside its discriminator). */
FV_CHECKED fv_status fvi_weights_load(fv_context *ctx, fv_session *s, const fvi_st_file *f, const fv_task_def *def);

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
