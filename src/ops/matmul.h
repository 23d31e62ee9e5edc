/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FVI_OPS_MATMUL_H
#define FVI_OPS_MATMUL_H

#include "base/attr.h"

typedef struct fvi_matmul_attr { bool transpose_a, transpose_b; } fvi_matmul_attr;   /* of the last two axes */

#endif
