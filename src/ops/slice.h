/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FVI_OPS_SLICE_H
#define FVI_OPS_SLICE_H

#include "base/attr.h"

/* start and length hold one dimension each, a constant or k*N (a list, so that the batch size is bound in it). */
typedef struct fvi_slice_attr { int64_t axis; fvi_dims start, length; } fvi_slice_attr;

#endif
