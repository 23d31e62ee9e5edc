/* SPDX-License-Identifier: Apache-2.0 */
/* What the task `classify` knows after an evaluation: fv_evaluation.details points to an fv_classification. */
#ifndef FOVEA_CLASSIFY_H
#define FOVEA_CLASSIFY_H

#include "fovea/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Metrics are those of scikit-learn over all classes of the model, from summed counts; one with nothing in its denominator is 0. */
typedef struct fv_class_report { const char *name; int64_t support; double precision, recall, f1; } fv_class_report;
/* A misclassified sample: classes as numbers, probabilities given to the predicted and to the true one. */
typedef struct fv_mistake { const char *name; int64_t id, truth, predicted; double probability, truth_probability, loss; } fv_mistake;
typedef struct fv_classification {
    int64_t classes;
    const int64_t *confusion;    /* (classes, classes): row = true, column = predicted */
    const fv_class_report *per_class;
    const fv_mistake *mistakes;  /* the worst ones, largest loss first: at most paint_images of them */
    int n_mistakes;
} fv_classification;

#ifdef __cplusplus
}
#endif
#endif
