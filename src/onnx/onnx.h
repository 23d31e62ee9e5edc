/* SPDX-License-Identifier: Apache-2.0 */
/* From a graph to an ONNX file: opset 11 to 17, f32, the batch size as a free dimension, parameters under their own names.
 * What is computed from parameters alone becomes an initializer; a batch norm behind a convolution goes into its weights. */
#ifndef FVI_ONNX_ONNX_H
#define FVI_ONNX_ONNX_H

#include "ir/graph.h"

enum { FVI_ONNX_FIRST_OPSET = 11, FVI_ONNX_LAST_OPSET = 17 };

typedef struct fvi_onnx_text { const char *key, *value; } fvi_onnx_text;

typedef struct fvi_onnx_options {
    int opset;
    bool keep_batch_norm;
    const char *name;                    /* of the graph */
    const fvi_onnx_text *metadata;
    int n_metadata;
    /* The plain values of a variable: f32 or f64 for a floating one, else its own type. */
    fv_status (*fetch)(void *user, fvi_var *v, fv_dtype dtype, void *out);
    void *user;
} fvi_onnx_options;

typedef struct fvi_onnx_size { int nodes, initializers; int64_t bytes; } fvi_onnx_size;

/* `g` has N unbound and is used up: it can only be destroyed afterwards. `size` may be NULL. */
FV_CHECKED fv_status fvi_onnx_write(fv_context *ctx, fv_graph *g, const char *path, const fvi_onnx_options *o, fvi_onnx_size *size);

#endif
