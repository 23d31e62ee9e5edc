/* SPDX-License-Identifier: Apache-2.0 */
/* Classification metrics from summed counts over all samples, as scikit-learn defines them. */
#ifndef FVI_CONFUSION_H
#define FVI_CONFUSION_H

#include "base/base.h"

typedef struct fvi_confusion {
    int64_t classes;
    int64_t *counts;             /* (classes, classes): row = true, column = predicted */
    int64_t samples, top5;       /* samples seen; target among the five largest logits */
    double loss_sum, loss_weight;
} fvi_confusion;

FV_CHECKED fv_status fvi_confusion_init(fv_context *ctx, fvi_confusion *c, int64_t classes);
void fvi_confusion_clear(fvi_confusion *c);              /* counts back to zero */
void fvi_confusion_free(fvi_confusion *c);
/* Ignores pairs out of range (returns false). */
bool fvi_confusion_add(fvi_confusion *c, int64_t truth, int64_t predicted);
double fvi_confusion_loss(const fvi_confusion *c);       /* mean; NaN without samples */
double fvi_confusion_accuracy(const fvi_confusion *c);
double fvi_confusion_top5(const fvi_confusion *c);
/* Of class k: 0 where the denominator is 0 (zero_division = 0). */
double fvi_confusion_precision(const fvi_confusion *c, int64_t k);
double fvi_confusion_recall(const fvi_confusion *c, int64_t k);
double fvi_confusion_f1(const fvi_confusion *c, int64_t k);
int64_t fvi_confusion_support(const fvi_confusion *c, int64_t k);
double fvi_confusion_macro_f1(const fvi_confusion *c);   /* over all classes of the model */

#endif
