/* SPDX-License-Identifier: Apache-2.0 */
/* What a training run writes for people: event files, evaluation.json, summary.json, report.html. */
#ifndef FVI_OUTPUTS_H
#define FVI_OUTPUTS_H

#include "train/trainer.h"

FV_CHECKED fv_status fvi_outputs_begin(fv_trainer *t);
/* The first batch of the run, as the model sees it. */
FV_CHECKED fv_status fvi_outputs_batch(fv_trainer *t, const fv_batch *b);
FV_CHECKED fv_status fvi_outputs_step(fv_trainer *t);
/* After a whole validation; with a new best its evaluation and pictures too. */
FV_CHECKED fv_status fvi_outputs_validated(fv_trainer *t);
/* The run is finished, or interrupted and saved. */
FV_CHECKED fv_status fvi_outputs_end(fv_trainer *t);
/* A finished run that was killed, or had no room, before its report was written: it is written now. */
FV_CHECKED fv_status fvi_outputs_late(fv_trainer *t);

/* A picture of a batch, (3, size, size), back in 8 bits. */
void fvi_unnormalise(const fvi_augment *a, const float *image, uint8_t *pixels);

#endif
