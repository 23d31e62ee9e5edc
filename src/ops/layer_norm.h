/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FVI_OPS_LAYER_NORM_H
#define FVI_OPS_LAYER_NORM_H

#include "base/attr.h"

/* mean and rstd have the shape of x without the axis. */
typedef struct fvi_layer_norm_attr {
    double eps;
    int64_t axis;                      /* may be negative: fvi_axis (ops/shape.h) */
} fvi_layer_norm_attr;
typedef fvi_layer_norm_attr fvi_layer_norm_backward_attr;

#endif
