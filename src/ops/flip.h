/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FVI_OPS_FLIP_H
#define FVI_OPS_FLIP_H

#include "base/attr.h"

typedef struct fvi_flip_attr { int64_t axes; } fvi_flip_attr;          /* 1 << axis for each that is turned round */

#endif
