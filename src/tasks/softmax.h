/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FVI_SOFTMAX_H
#define FVI_SOFTMAX_H

#include "base/base.h"

#define FVI_NOT_FINITE "the model's output is not finite: its weights are damaged, or training diverged"

/* Softmax; false: the logits are not finite. */
bool fvi_softmax(const float *logits, int64_t classes, float *out);
/* The k classes with the largest values, of equal ones the first. */
void fvi_top_classes(const float *values, int64_t classes, int k, int64_t *out);

#endif
