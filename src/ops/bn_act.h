/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FVI_OPS_BN_ACT_H
#define FVI_OPS_BN_ACT_H

#include "ops/activation.h"

typedef struct fvi_bn_act_train_attr {
    double eps;
    int64_t act;                       /* FVI_ACT_ */
} fvi_bn_act_train_attr;

typedef struct fvi_bn_act_train_backward_attr {
    double eps;
    int64_t act;
    bool two;                          /* input 7 is a second dy, to be added */
    bool residual;                     /* output 3 is wanted; else it is a scalar 0 */
} fvi_bn_act_train_backward_attr;

#endif
