/* SPDX-License-Identifier: Apache-2.0 */
/* The classification task: the functions of a training step and of evaluation over a session, batch -> loss and
 * predictions -> metrics. It knows nothing of epochs, files or schedules. */
#ifndef FVI_CLASSIFY_H
#define FVI_CLASSIFY_H

#include "data/loader.h"
#include "fovea/model.h"
#include "fovea/nn.h"
#include "loss/classification.h"
#include "metrics/metrics.h"
#include "metrics/mistakes.h"

/* A loss of the user's own: SUM over the samples; *weight gets what to divide by. */
typedef fv_value *fvi_loss_fn(fv_graph *g, fv_value *output, fv_value *labels, fv_value **weight, void *user);

typedef struct fvi_classify_options {
    const fv_model *model;               /* borrowed */
    int64_t classes, size;               /* size: side of the pictures */
    fvi_classification_loss loss;
    fvi_loss_fn *own_loss;               /* instead of it, or NULL */
    void *own_loss_user;
    fv_optimizer_options optimizer;
    /* A step of the user's own, as in fv_own_step; NULL: ours. */
    fv_status (*own_gradient)(fv_graph *g, const fv_model *m, fv_value *images, fv_value *labels, bool first, void *user);
    fv_status (*own_update)(fv_graph *g, fv_session *s, const fv_optimizer_options *o, void *user);
    void *own_step_user;
} fvi_classify_options;

typedef struct fvi_classify fvi_classify;
FV_CHECKED fv_status fvi_classify_create(fv_session *s, const fvi_classify_options *o, fvi_classify **out);
void fvi_classify_destroy(fvi_classify *c);              /* NULL allowed; before the session */
enum { FVI_CLASSIFY_TRAIN = 1, FVI_CLASSIFY_ACCUMULATE = 2, FVI_CLASSIFY_EVALUATE = 4 };
/* Compiles the functions of these uses for this batch size, so that all variables exist. *bytes (may be NULL): foretold. */
FV_CHECKED fv_status fvi_classify_prepare(fvi_classify *c, int64_t batch_size, unsigned uses, int64_t *bytes);

/* Gradients of one micro-batch into their variables: replaced by the first of a step, added by the others. */
FV_CHECKED fv_status fvi_classify_gradient(fvi_classify *c, const fvi_batch *b, bool first, double *loss_sum, double *weight);
FV_CHECKED fv_status fvi_classify_update(fvi_classify *c, double *norm, bool *skipped);
/* Adds one batch to the counts and the list of mistakes (may be NULL). */
FV_CHECKED fv_status fvi_classify_evaluate(fvi_classify *c, const fvi_batch *b, fvi_confusion *counts, fvi_mistakes *mistakes);
/* (n, classes) scores of the batch that was evaluated last. */
const float *fvi_classify_scores(const fvi_classify *c);
/* Where the first value that is not finite arises; NULL when all is finite. */
const char *fvi_classify_nonfinite(fvi_classify *c, const fvi_batch *b, bool first);

#endif
