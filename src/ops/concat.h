/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FVI_OPS_CONCAT_H
#define FVI_OPS_CONCAT_H

#include "base/attr.h"

typedef struct fvi_concat_attr { int64_t axis; } fvi_concat_attr;      /* negative: from the end */

#endif
