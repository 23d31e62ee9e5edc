/* SPDX-License-Identifier: Apache-2.0 */
/* Models: named ones of the library (one file a family in src/models/) or a function of your own. */
#ifndef FOVEA_MODEL_H
#define FOVEA_MODEL_H

#include "fovea/session.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct fv_model fv_model;

/* x: (N, 3, H, W) images. Returns the model's output, logits (N, classes) for a classifier. */
typedef fv_value *fv_model_fn(fv_graph *g, fv_value *x, void *user);

/* A model of your own. `name` is copied, `user` borrowed. NULL only when memory is exhausted. */
FV_API fv_model *fv_model_define(fv_context *ctx, const char *name, fv_model_fn *build, void *user);

typedef struct fv_model_options {
    int64_t classes;             /* 0: 1000 */
    const char *args;            /* JSON object of the model's own arguments, {"stem": "cifar"}; NULL: defaults */
} fv_model_options;
/* A model of the library by name. Unknown names and arguments are CONFIG errors that name the nearest known one. */
FV_API fv_status fv_model_create(fv_context *ctx, const char *name, const fv_model_options *o, fv_model **out) FV_CHECKED;
FV_API void fv_model_destroy(fv_model *m);                   /* NULL is allowed */

FV_API const char *fv_model_name(const fv_model *m);         /* borrowed from the model */
/* Adds the model to a graph: x (N, 3, H, W) -> its output, as fv_model_fn. */
FV_API fv_value *fv_model_build(fv_graph *g, const fv_model *m, fv_value *x);

/* Names and one-line descriptions of the library's models; NULL past the end. */
FV_API const char *fv_model_known(int index, const char **about);
/* Arguments of a known model: name, help and default text; NULL past the end or for an unknown model. */
FV_API const char *fv_model_argument(const char *model, int index, const char **help, const char **fallback);

/* What `fovea summary` shows. One row for each layer that computes something. */
typedef struct fv_summary_row {
    const char *path, *op;       /* "layer1.0.conv1", "conv2d" */
    int rank;
    int64_t dims[FV_MAX_RANK];   /* of the output, for the batch asked for */
    int64_t parameters;
    double flops;                /* multiply and add counted as two */
} fv_summary_row;
typedef struct fv_summary {
    fv_summary_row *rows;
    int n_rows;
    int64_t parameters, trainable, buffers;   /* numbers; buffers: entries of running statistics */
    int parameter_tensors;
    double flops;                /* forward, of the batch asked for */
    int64_t infer_bytes, train_bytes;         /* foretold peak of the plan's memory; 0: not asked for */
} fv_summary;
typedef struct fv_summary_options {
    int64_t input[3];            /* C, H, W; zeros: 3, 224, 224 */
    int64_t batch_size;          /* 0: 1 */
    bool train;                  /* foretell a training step (AdamW) as well */
    bool amp;
    bool recompute;              /* foretell training with recomputation in backward */
    bool plain;                  /* do not compile: no foretold memory */
} fv_summary_options;
/* Builds, and unless `plain` compiles, in a session of its own. Shapes that do not fit are SHAPE errors that name the layer. */
FV_API fv_status fv_model_summary(fv_context *ctx, const fv_model *m, const fv_summary_options *o, fv_summary **out) FV_CHECKED;
FV_API void fv_summary_destroy(fv_summary *s);               /* NULL is allowed */

#ifdef __cplusplus
}
#endif
#endif
