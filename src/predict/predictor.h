/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of a predictor: a model with weights, the way from picture to its input, the names of its outputs. */
#ifndef FVI_PREDICTOR_H
#define FVI_PREDICTOR_H

#include "data/augment.h"
#include "fovea/predict.h"

struct fv_predictor {
    fv_predictor_info info;
    fv_context *ctx;
    const fv_model *model;               /* own_model, or the user's */
    fv_model *own_model;
    fvi_augment augment;
    int workers;                         /* loader threads where there are several batches */
    bool skip_bad;
    fv_session *session;
    fv_function *forward;
    fvi_workspace space;                 /* of fv_predict */
    float *images, *logits;              /* of fv_predict: (room, 3, size, size), (room, classes) */
    int64_t room;
    fvi_arena arena;                     /* texts of info */
};

/* Session and graph of a predictor whose other fields are set, so that the variables exist and can be given values. */
FV_CHECKED fv_status fvi_predictor_build(fv_predictor *p, const fv_session_options *o);
/* Logits (n, classes) of images (n, 3, size, size). Behind them there is room for `capacity` images in all, which is written:
 * batches are filled up to few sizes, because each size is a plan of its own. */
FV_CHECKED fv_status fvi_predictor_run(fv_predictor *p, float *images, int64_t n, int64_t capacity, float *logits);
/* Softmax; false: the logits are not finite. */
bool fvi_softmax(const float *logits, int64_t classes, float *out);
/* The k classes with the largest values, of equal ones the first. */
void fvi_top_classes(const float *values, int64_t classes, int k, int64_t *out);

#endif
