/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the classification task share: its state, and its section of evaluation.json. */
#ifndef FVI_CLASSIFY_H
#define FVI_CLASSIFY_H

#include "loss/classification.h"
#include "metrics/metrics.h"
#include "metrics/mistakes.h"
#include "tasks/task.h"

typedef struct fvi_classify_settings {
    int64_t loss;
    double label_smoothing;
    char *class_weights;
} fvi_classify_settings;

typedef struct fvi_classify {
    fvi_classification_loss loss;
    double *weights;                     /* of the classes; loss.weights */
    fvi_confusion counts;
    fvi_mistakes mistakes;
} fvi_classify;

/* ---- evaluation.json ---- */

typedef struct fvi_class_mistake {
    const char *name;                    /* of the sample */
    int64_t id, truth, predicted;
    double probability, truth_probability, loss;
    const char *picture;                 /* "data:image/png;base64,..." or NULL */
    int64_t width, height;
} fvi_class_mistake;

typedef struct fvi_class_record {
    int64_t classes;
    const char *const *names;            /* (classes) */
    const int64_t *counts;               /* (classes, classes): row = true */
    const fvi_class_mistake *mistakes;   /* worst first */
    int n_mistakes;
} fvi_class_record;

/* Members of the object, as fv_recorder_json wants them. */
void fvi_class_record_text(const fvi_class_record *r, fv_text *t);
/* Everything lives in the arena. Checked: sizes, class numbers, the form of pictures. `name` is for errors. */
FV_CHECKED fv_status fvi_class_record_parse(fv_context *ctx, const char *name, const fv_json *root, fvi_arena *arena, fvi_class_record *out);
fv_status fvi_classify_record(fv_task *t, fv_recorder *r);
/* An fv_classification; for a person; for a program. */
fv_status fvi_classify_details(fv_task *t, const fv_source *data, const void **out);
fv_status fvi_classify_show(fv_task *t, const void *details, const fv_metric *metrics, int64_t samples, fv_text *text);
fv_status fvi_classify_json(fv_task *t, const void *details, fv_text *text);
/* The section of a report. */
fv_status fvi_classify_report(fv_context *ctx, const fv_json *evaluation, fv_text *page);

#endif
