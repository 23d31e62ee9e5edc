/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FVI_OPS_CLIP_SCALE_H
#define FVI_OPS_CLIP_SCALE_H

#include "base/attr.h"

typedef struct fvi_clip_scale_attr { double max_norm; } fvi_clip_scale_attr;       /* 0: no clipping */

#endif
