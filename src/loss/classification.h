/* SPDX-License-Identifier: Apache-2.0 */
/* The classification loss from configuration. */
#ifndef FVI_CLASSIFICATION_H
#define FVI_CLASSIFICATION_H

#include "fovea/session.h"

typedef struct fvi_classification_loss {
    double label_smoothing;
    int n_weights;                       /* 0: all classes count the same */
    const double *weights;
} fvi_classification_loss;

/* Sum over the batch of softmax cross-entropy; *weight gets what to divide by. */
fv_value *fvi_classification_loss_build(fv_graph *g, const fvi_classification_loss *o, fv_value *logits, fv_value *labels, fv_value **weight);
/* Gives the class weights to the variable that the graphs read; call once the first function is compiled. */
FV_CHECKED fv_status fvi_classification_loss_set(fv_session *s, const fvi_classification_loss *o);

#endif
