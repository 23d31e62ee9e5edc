/* SPDX-License-Identifier: Apache-2.0 */
/* An ONNX file in the making: names in use, nodes as they will stand in the file, initializers. */
#ifndef FVI_ONNX_FILE_H
#define FVI_ONNX_FILE_H

#include "io/protobuf.h"
#include "ir/onnx.h"
#include "onnx/onnx.h"

/* Field numbers of onnx.proto. */
enum {
    MODEL_IR_VERSION = 1, MODEL_PRODUCER = 2, MODEL_PRODUCER_VERSION = 3, MODEL_GRAPH = 7, MODEL_OPSET = 8, MODEL_METADATA = 14,
    OPSET_VERSION = 2, PAIR_KEY = 1, PAIR_VALUE = 2,
    GRAPH_NODE = 1, GRAPH_NAME = 2, GRAPH_INITIALIZER = 5, GRAPH_INPUT = 11, GRAPH_OUTPUT = 12,
    NODE_INPUT = 1, NODE_OUTPUT = 2, NODE_NAME = 3, NODE_TYPE = 4, NODE_ATTRIBUTE = 5,
    ATTRIBUTE_NAME = 1, ATTRIBUTE_FLOAT = 2, ATTRIBUTE_INT = 3, ATTRIBUTE_TEXT = 4, ATTRIBUTE_INTS = 8, ATTRIBUTE_KIND = 20,
    ATTRIBUTE_KIND_FLOAT = 1, ATTRIBUTE_KIND_INT = 2, ATTRIBUTE_KIND_TEXT = 3, ATTRIBUTE_KIND_INTS = 7,
    TENSOR_DIMS = 1, TENSOR_TYPE = 2, TENSOR_NAME = 8, TENSOR_RAW = 9,
    VALUE_NAME = 1, VALUE_TYPE = 2, TYPE_TENSOR = 1, TENSOR_TYPE_ELEMENT = 1, TENSOR_TYPE_SHAPE = 2, SHAPE_DIM = 1,
    DIM_VALUE = 1, DIM_PARAM = 2,
};

typedef struct onnx_tensor {
    const char *name;
    int type, rank;                      /* type: of the file, FVI_ONNX_F32 .. */
    int64_t dims[FV_MAX_RANK];
    size_t bytes;
    const void *data;                    /* in the file's arena, or NULL: */
    fvi_var *var;                        /* fetched when it is written */
} onnx_tensor;

typedef struct onnx_file {
    fv_context *ctx;
    const char *path;
    const fvi_onnx_options *o;
    fvi_arena arena;
    fv_status status;                    /* sticky */
    fvi_pb nodes, io;                    /* fields of the graph message */
    int n_nodes;
    struct { onnx_tensor *items; int count, capacity; } tensors;
    struct { const char **items; int count, capacity; } names;     /* open addressing, a power of two */
} onnx_file;

void onnx_file_free(onnx_file *f);
void onnx_fail(onnx_file *f, fv_status status, const char *fmt, ...) FV_PRINTF(3, 4);
/* `wanted`, or `wanted_1`, ... where that is taken. In the arena; "" after an error. */
const char *onnx_unique(onnx_file *f, const char *wanted);
/* A node; returns its output 0. `path`: of the layer. */
const char *onnx_node(onnx_file *f, const char *path, const fvi_onnx_op *op);
/* An initializer with these values, which are copied; or with those of a variable. Returns the name. */
const char *onnx_values(onnx_file *f, const char *wanted, int type, int rank, const int64_t *dims, const void *data);
const char *onnx_var(onnx_file *f, fvi_var *v);
/* Input or output of the graph. */
void onnx_value(onnx_file *f, int field, const char *name, const fvi_type *type);
FV_CHECKED fv_status onnx_file_write(onnx_file *f, fvi_onnx_size *size);

#endif
