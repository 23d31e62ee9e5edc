/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FVI_OPS_CAST_H
#define FVI_OPS_CAST_H

#include "base/attr.h"

typedef struct fvi_cast_attr { int64_t dtype; } fvi_cast_attr;         /* an fv_dtype */

#endif
