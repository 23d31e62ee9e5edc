/* SPDX-License-Identifier: Apache-2.0 */
/* The ops that the engine itself needs: inputs, variables, constants, layout changes. */
#ifndef FVI_SOURCE_H
#define FVI_SOURCE_H

#include "ir/graph.h"

typedef struct fvi_constant_attr { double value; fvi_dims dims; int64_t dtype; } fvi_constant_attr;
typedef struct fvi_reorder_attr { int64_t layout; } fvi_reorder_attr;
extern const fvi_op_list fvi_ops_source;

#endif
