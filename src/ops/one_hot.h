/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FVI_OPS_ONE_HOT_H
#define FVI_OPS_ONE_HOT_H

#include "base/attr.h"

typedef struct fvi_one_hot_attr { int64_t classes, dtype; } fvi_one_hot_attr;      /* dtype: an fv_dtype */

#endif
