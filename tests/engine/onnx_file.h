/* SPDX-License-Identifier: Apache-2.0 */
/* ONNX files as tests see them: read with src/io/protobuf.h, checked, described as text. */
#ifndef FOVEA_TEST_ONNX_FILE_H
#define FOVEA_TEST_ONNX_FILE_H

#include "base/file.h"
#include "base/json.h"
#include "io/protobuf.h"

enum { ONNX_NODE_MAX = 32 };

typedef struct onnx_attribute { const char *name; int64_t kind, i, ints[16]; double f; int n; } onnx_attribute;
typedef struct onnx_node_seen {
    const char *name, *type, *in[ONNX_NODE_MAX], *out[4];
    int n_in, n_out, n_attributes;
    onnx_attribute attributes[8];
} onnx_node_seen;
typedef struct onnx_tensor_seen { const char *name; int64_t type, dims[8], bytes; int rank; const float *values; } onnx_tensor_seen;
typedef struct onnx_value_seen { const char *name, *shape; int64_t type; } onnx_value_seen;
typedef struct onnx_pair_seen { const char *key, *value; } onnx_pair_seen;

typedef struct onnx_seen {
    fvi_map map;
    fvi_arena arena;
    int64_t ir, opset;
    const char *producer, *graph;
    struct { onnx_node_seen *items; int count, capacity; } nodes;
    struct { onnx_tensor_seen *items; int count, capacity; } tensors;
    struct { onnx_value_seen *items; int count, capacity; } inputs, outputs;
    struct { onnx_pair_seen *items; int count, capacity; } metadata;
} onnx_seen;

/* false, and the reason printed, when the file is not what the format wants: every message read, nodes in topological
 * order, names given once, all tensors known, raw data of the right size, attributes with their kinds. */
bool onnx_look(fv_context *ctx, const char *path, onnx_seen *out);
void onnx_forget(onnx_seen *s);
int onnx_count(const onnx_seen *s, const char *type);            /* nodes of this type */
const onnx_tensor_seen *onnx_find(const onnx_seen *s, const char *name);
const char *onnx_metadata(const onnx_seen *s, const char *key);
/* One line an input, output, node and tensor. Owned by the caller. */
char *onnx_text(const onnx_seen *s);

#endif
