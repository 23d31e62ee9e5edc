/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FVI_OPS_CONV2D_ACT_H
#define FVI_OPS_CONV2D_ACT_H

#include "ops/activation.h"
#include "ops/conv2d.h"

typedef struct fvi_conv2d_act_attr {
    fvi_conv2d_attr conv;              /* first: its table rows are used as they are */
    int64_t act;                       /* FVI_ACT_ */
} fvi_conv2d_act_attr;

#endif
