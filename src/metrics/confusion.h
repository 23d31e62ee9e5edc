/* SPDX-License-Identifier: Apache-2.0 */
/* Classification metrics from summed counts over all samples, as scikit-learn defines them with labels = all classes of
 * the model. zero_division (0, 1 or NaN) stands for a figure with nothing in its denominator: precision of a class that is
 * never predicted, recall of one that never occurs, F1 of one that is neither; NaN is left out of averages. */
#ifndef FVI_CONFUSION_H
#define FVI_CONFUSION_H

#include "base/base.h"

typedef struct fvi_confusion {
    int64_t classes;
    int64_t *counts;             /* (classes, classes): row = true, column = predicted */
    int64_t *ranks;              /* (classes): samples whose target has k classes in front of it; NaN targets are in none */
    int64_t samples;
    double loss_sum, loss_weight;
} fvi_confusion;

typedef enum fvi_score { FVI_PRECISION, FVI_RECALL, FVI_F1 } fvi_score;
typedef enum fvi_average { FVI_MACRO, FVI_MICRO, FVI_WEIGHTED } fvi_average;

FV_CHECKED fv_status fvi_confusion_init(fv_context *ctx, fvi_confusion *c, int64_t classes);
void fvi_confusion_clear(fvi_confusion *c);              /* counts back to zero */
void fvi_confusion_free(fvi_confusion *c);
/* Ignores pairs out of range (returns false). Ranks are left alone. */
bool fvi_confusion_add(fvi_confusion *c, int64_t truth, int64_t predicted);
/* The same from a row of (classes) scores, ranks included. Predicted is the largest, of equal ones the first; a row with
 * NaN is wrong. For top-k a class is in front of the target when it is strictly greater, or NaN. -1 when out of range. */
int64_t fvi_confusion_add_scores(fvi_confusion *c, int64_t truth, const float *scores);

double fvi_confusion_loss(const fvi_confusion *c);       /* mean. This and the following: NaN without samples */
double fvi_confusion_accuracy(const fvi_confusion *c);
double fvi_confusion_balanced_accuracy(const fvi_confusion *c);   /* mean recall of the classes that occur */
double fvi_confusion_topk(const fvi_confusion *c, int64_t k);
double fvi_confusion_average(const fvi_confusion *c, fvi_score s, fvi_average a, double zero_division);
/* Of class k. */
double fvi_confusion_score(const fvi_confusion *c, fvi_score s, int64_t k, double zero_division);
int64_t fvi_confusion_support(const fvi_confusion *c, int64_t k);
int64_t fvi_confusion_predicted(const fvi_confusion *c, int64_t k);

#endif
