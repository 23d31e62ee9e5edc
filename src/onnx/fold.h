/* SPDX-License-Identifier: Apache-2.0 */
/* Which tensor of the file each value is, and which are constants: computed here, convolution and batch norm made one. */
#ifndef FVI_ONNX_FOLD_H
#define FVI_ONNX_FOLD_H

#include "onnx/file.h"

/* Values of a tensor that depends on nothing but variables: double or int64_t, as references take them. */
typedef struct onnx_known { fvi_type type; union { double *f; int64_t *i; void *p; }; } onnx_known;

typedef struct onnx_value_state {
    const char *name;                    /* in the file; NULL: not yet */
    bool constant;                       /* depends on variables only */
    onnx_known *known;                   /* computed, in the file's arena */
    int uses;                            /* reading nodes and results */
    bool result;
    fvi_node *user;                      /* one of them */
} onnx_value_state;

typedef struct onnx_export {
    onnx_file file;
    fv_graph *g;
    onnx_value_state *values;            /* by value id */
    const char *batch;                   /* name of the batch size as (1) i64, once it is computed */
} onnx_export;

void onnx_mark_constants(onnx_export *e);
/* The values of a constant; NULL after an error. */
const onnx_known *onnx_known_of(onnx_export *e, fv_value *v);
/* Takes the batch norm behind a convolution into its weights: weight and bias become initializers of the names given back,
 * and `*last` the value that is computed now. false: nothing of the kind. */
bool onnx_fold(onnx_export *e, fvi_node *conv, const char **weight, const char **bias, fv_value **last);
/* What a value over variables is called: as the first variable in it. */
const char *onnx_about(const fv_value *v);
/* An initializer from known values. */
const char *onnx_known_values(onnx_export *e, const char *wanted, const onnx_known *k);

#endif
