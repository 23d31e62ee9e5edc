/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FVI_OPS_PERMUTE_H
#define FVI_OPS_PERMUTE_H

#include "base/attr.h"
#include "fovea/graph.h"

/* Axis i of the result is axis axes[i] of x. */
typedef struct fvi_permute_attr { int64_t axes[FV_MAX_RANK]; } fvi_permute_attr;

#endif
