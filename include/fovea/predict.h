/* SPDX-License-Identifier: Apache-2.0 */
/* Prediction: what trained weights say about pictures. Preprocessing, class names and model are those that were stored with
 * the weights, and the way from picture to numbers is that of training and evaluation. */
#ifndef FOVEA_PREDICT_H
#define FOVEA_PREDICT_H

#include "fovea/task.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct fv_predictor fv_predictor;

typedef struct fv_predictor_options {
    const char *model;           /* run folder (its best; "RUN@latest"), .safetensors file written by fovea, or a model's name */
    const char *const *settings; /* over the stored configuration: "batch_size=64", "threads=2", "data.on_bad_file=skip" */
    int n_settings;
    int64_t classes;             /* of a model by name; 0: 1000 */
    const fv_model *own_model;   /* borrowed: weights of a model of your own are given this one; else NULL */
    const fv_task_def *task;     /* borrowed: of weights that a task of your own has trained; else NULL */
} fv_predictor_options;
FV_API fv_status fv_predictor_create(fv_context *ctx, const fv_predictor_options *o, fv_predictor **out) FV_CHECKED;
FV_API void fv_predictor_destroy(fv_predictor *p);               /* NULL is allowed */

typedef struct fv_predictor_info {
    const char *model, *architecture;        /* the weight file, or the name; "resnet18" */
    bool trained, ema;                       /* trained false: by name, with the values that training would start from */
    int64_t step;                            /* the update that the weights are from; -1: unknown */
    const fv_task_def *task;
    int64_t classes, height, width, batch_size;      /* height, width: that pictures are brought to; classes 0: the task has none */
    const char *const *class_names;          /* `classes` of them */
} fv_predictor_info;
FV_API const fv_predictor_info *fv_predictor_describe(const fv_predictor *p);

/* One picture: a file (JPEG, PNG, WebP, GIF, BMP, PPM, HEIC, AVIF), such a file's bytes in memory, or pixels. */
typedef struct fv_picture {
    const char *path;            /* with bytes or pixels: what errors call it; may be NULL then */
    const void *bytes;           /* of a file in memory */
    size_t n_bytes;
    const uint8_t *rgb;          /* or pixels: R, G, B, row after row from the top */
    int width, height;
    size_t stride;               /* bytes from row to row; 0: 3 * width */
} fv_picture;
/* Predicts `n` pictures, batch by batch, for tasks whose output is (N, classes) logits. probabilities and logits: (n, classes), either
 * may be NULL. A picture that cannot be read is an error that names it. */
FV_API fv_status fv_predict(fv_predictor *p, const fv_picture *pictures, int64_t n, float *probabilities, float *logits) FV_CHECKED;

/* ---- many files ---- */

/* The result for one picture. All pointers are borrowed for the call. */
typedef struct fv_prediction {
    const char *name;            /* its path; what is not UTF-8 in it stands as \xff */
    int64_t index;               /* which of them, from 0 */
    const char *error;           /* NULL, or why it could not be read; then there is nothing else */
    const fv_cell *cells;        /* (n_rows, columns of the task): the most probable classes first, or the objects */
    int n_rows, n_columns;
    const fv_results *results;   /* of the batch: what the task's function gave, this picture at `place` */
    int64_t place;
} fv_prediction;
typedef bool fv_predict_fn(void *user, const fv_prediction *p);  /* false: stop, FV_ERROR_CANCELED */

typedef struct fv_predict_options {
    int limit;                   /* rows of a picture at most, in the table too; 0: what the task says (classify: 5) */
    const char *table;           /* CSV file: a row for each picture; NULL: none */
} fv_predict_options;
typedef struct fv_predict_totals {
    int64_t pictures, predicted, bad;
    int64_t ignored;             /* files of folders that are no pictures */
    double seconds;
} fv_predict_totals;
/* Predicts files, files in memory, and all pictures in and below folders, sorted by path; decoding goes on beside computing. `fn`
 * (may be NULL) gets every picture in order. data.on_bad_file of the settings decides what a picture that cannot be read is: an
 * error, or a result with `error`. None at all that can be read is an error. `o` and `totals` may be NULL. */
FV_API fv_status fv_predict_files(fv_predictor *p, const fv_picture *pictures, int64_t n, const fv_predict_options *o, fv_predict_fn *fn, void *user,
                                  fv_predict_totals *totals) FV_CHECKED;

#ifdef __cplusplus
}
#endif
#endif
