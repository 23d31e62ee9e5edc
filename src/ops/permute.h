/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FVI_OPS_PERMUTE_H
#define FVI_OPS_PERMUTE_H

#include "base/attr.h"

/* Axis i of the result is axis axes.d[i] of x; as many as x has. */
typedef struct fvi_permute_attr { fvi_dims axes; } fvi_permute_attr;

#endif
