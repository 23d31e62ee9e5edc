/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of a predictor: a task with weights, and the way from picture to its batch. */
#ifndef FVI_PREDICTOR_H
#define FVI_PREDICTOR_H

#include "fovea/predict.h"
#include "tasks/task.h"

struct fv_predictor {
    fv_predictor_info info;
    fv_context *ctx;
    fv_model *own_model;                 /* created here; NULL: the user's is used */
    fv_task *task;
    int workers;                         /* loader threads where there are several batches */
    bool skip_bad;
    fvi_loader_options loading;          /* of fv_predict: fields, collate */
    fv_loading space;
    fvi_batch batch;                     /* of `room` places */
    int64_t room;
    fvi_arena arena;                     /* texts of info */
};

/* Calls the task's function for the first n places of the batch. Behind them there is room for `capacity` in all, which is written:
 * batches are filled up to few sizes, because each size is a plan of its own. */
FV_CHECKED fv_status fvi_predictor_run(fv_predictor *p, const fv_batch *b, int64_t capacity, const fv_results **out);
/* One picture into a cleared sample. `name` is for errors. */
FV_CHECKED fv_status fvi_picture_sample(fv_context *ctx, const fv_picture *in, const char *name, fv_sample *out);

#endif
