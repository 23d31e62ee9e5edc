/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FVI_OPS_CROSS_ENTROPY_H
#define FVI_OPS_CROSS_ENTROPY_H

#include "base/attr.h"

typedef struct fvi_cross_entropy_attr {
    double label_smoothing;
    int64_t ignore_index;
} fvi_cross_entropy_attr;
typedef fvi_cross_entropy_attr fvi_cross_entropy_backward_attr;

#endif
