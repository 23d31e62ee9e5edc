/* SPDX-License-Identifier: Apache-2.0 */
/* Boxes of elements that are copied from one order of axes to another: what reorder, permute, concat, slice and pad do.
 * Elements are bits of some size, never numbers: NaNs keep their payload and nothing is flushed to zero. */
#ifndef FVI_CPU_BOXES_H
#define FVI_CPU_BOXES_H

#include "ir/kernel.h"

enum { FVI_BOX_AXES = 16 };

typedef struct fvi_box_loop { int64_t n, from, to; } fvi_box_loop;           /* length; strides in source (also 0 or below) and target */
typedef void fvi_box_copier(const fvi_box_loop loop[3], size_t word, const char *src, char *dst);

typedef struct fvi_box {
    int n;                             /* loops */
    fvi_box_loop loop[FVI_BOX_AXES];
    int64_t from, to;                  /* where the box begins */
    /* By fvi_box_ready: strides and beginnings are then in words, loops outermost first, the last three are a
     * copier's. */
    size_t word;                       /* bytes */
    int64_t outer, pieces, length;     /* calls of the copier: outer x pieces of `length` along loop `cut` */
    int cut;
    fvi_box_copier *copy;
} fvi_box;

/* The caller sets n, loop, from and to, in elements of `size` bytes (1, 2, 4 or 8). Loops of length 1 are allowed. */
void fvi_box_ready(fvi_box *b, size_t size);
void fvi_box_copy(const fvi_box *b, const void *src, void *dst, int threads);

#endif
