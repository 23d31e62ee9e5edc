/* SPDX-License-Identifier: Apache-2.0 */
/* A tensor's axes in the order of memory, for kernels that serve several memory orders with one loop: plain, NHWC and
 * the two channel-blocked ones. A blocked axis appears twice: its blocks, then the channels of a block. */
#ifndef FVI_CPU_AXES_H
#define FVI_CPU_AXES_H

#include "ir/layout.h"

/* index of the axis = unit * i (+ rest) */
typedef struct fvi_memory_axis { int axis; int64_t dim, unit; } fvi_memory_axis;
typedef struct fvi_memory_axes { int n; fvi_memory_axis a[FV_MAX_RANK + 1]; } fvi_memory_axes;

/* Outermost first, padding included; false for any other memory order. */
static inline bool fvi_memory_axes_of(fvi_layout l, const fvi_type *t, fvi_memory_axes *m)
{
    const int64_t block = fvi_layout_block(l);
    *m = (fvi_memory_axes){0};
    if (l == FVI_PLAIN) {
        for (int i = 0; i < t->rank; i++) m->a[m->n++] = (fvi_memory_axis){i, t->dim[i], 1};
        return true;
    }
    if ((l != FVI_NHWC && block == 1) || t->rank != 4) return false;
    m->a[m->n++] = (fvi_memory_axis){0, t->dim[0], 1};
    if (block > 1) m->a[m->n++] = (fvi_memory_axis){1, (t->dim[1] + block - 1) / block, block};
    for (int i = 2; i < 4; i++) m->a[m->n++] = (fvi_memory_axis){i, t->dim[i], 1};
    m->a[m->n++] = (fvi_memory_axis){1, block > 1 ? block : t->dim[1], 1};
    return true;
}

#endif
