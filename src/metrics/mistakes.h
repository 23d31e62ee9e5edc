/* SPDX-License-Identifier: Apache-2.0 */
/* The worst mistakes of an evaluation: misclassified samples with the largest loss. */
#ifndef FVI_MISTAKES_H
#define FVI_MISTAKES_H

#include "base/base.h"

typedef struct fvi_mistake {
    int64_t id;                          /* number of the sample in its source */
    int64_t truth, predicted;
    double probability, truth_probability;   /* given to the predicted class; to the true one */
    double loss;                         /* -log of truth_probability */
} fvi_mistake;

typedef struct fvi_mistakes { fvi_mistake *items; int count, limit; } fvi_mistakes;      /* worst first */

FV_CHECKED fv_status fvi_mistakes_init(fv_context *ctx, fvi_mistakes *m, int limit);
void fvi_mistakes_free(fvi_mistakes *m);
/* Softmax of a row of scores. Kept when among the worst; of equal losses the smaller id goes first, NaN is worst. */
void fvi_mistakes_add(fvi_mistakes *m, int64_t id, int64_t truth, int64_t predicted, const float *scores, int64_t classes);

#endif
