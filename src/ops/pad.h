/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FVI_OPS_PAD_H
#define FVI_OPS_PAD_H

#include "base/attr.h"

/* Elements added at both ends of each axis, constants or k*N; a list that is too short goes on with zeros. */
typedef struct fvi_pad_attr { fvi_dims before, after; double value; } fvi_pad_attr;

#endif
