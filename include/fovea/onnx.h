/* SPDX-License-Identifier: Apache-2.0 */
/* ONNX files: a function of yours, or a trained model with its class names and preprocessing. */
#ifndef FOVEA_ONNX_H
#define FOVEA_ONNX_H

#include "fovea/task.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct fv_onnx_text { const char *key, *value; } fv_onnx_text;
typedef struct fv_onnx_options {
    int opset;                   /* 11 to 17; 0: 17 */
    bool keep_batch_norm;        /* else it goes into the weights of the convolution before it */
    const char *name;            /* of the graph; NULL: the function's */
    const fv_onnx_text *metadata;
    int n_metadata;
} fv_onnx_options;
typedef struct fv_onnx_result { int opset, nodes, initializers; int64_t bytes; } fv_onnx_result;

/* Writes what the function computes, with the values that the variables have now: floats as f32, N as the free dimension
 * `batch_size`, inputs and results under their names, parameters under theirs. `in` gives the shapes, data may be NULL. A
 * function that is for training, or writes variables, is an error that names the layer. `o` and `result` may be NULL. */
FV_API fv_status fv_function_export_onnx(fv_function *f, const fv_tensor *in, int n_in, const char *path, const fv_onnx_options *o,
                                         fv_onnx_result *result) FV_CHECKED;

typedef struct fv_export_options {
    const char *model;           /* run folder (its best; "RUN@latest"), .safetensors file written by fovea, or a model's name */
    const char *path;            /* of the file; NULL: RUN/best.onnx, weights.onnx beside weights.safetensors, or NAME.onnx here */
    const char *const *settings; /* "image_size=224", "model_args.stem=cifar" */
    int n_settings;
    int64_t input[3];            /* C, H, W; zeros: those of the run, 3 x 224 x 224 for a name */
    int64_t classes;             /* of a model by name; 0: 1000 */
    int opset;                   /* 0: 17 */
    bool keep_batch_norm;
    const fv_task_def *task;     /* borrowed: of weights that a task of your own has trained; else NULL */
    const fv_model *own_model;   /* borrowed: of weights of a model of your own; else NULL */
} fv_export_options;
typedef struct fv_exported {
    const char *model;           /* the weight file, or the model's name */
    const char *path;
    bool trained;                /* false: by name, with the values that training would start from */
    int64_t input[3], classes;
    fv_onnx_result onnx;
} fv_exported;
FV_API fv_status fv_export(fv_context *ctx, const fv_export_options *o, fv_exported **out) FV_CHECKED;
FV_API void fv_exported_destroy(fv_exported *e);                 /* NULL is allowed */

#ifdef __cplusplus
}
#endif
#endif
