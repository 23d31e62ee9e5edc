/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FVI_OPS_MATMUL_H
#define FVI_OPS_MATMUL_H

#include "ir/type.h"

typedef struct fvi_matmul_attr { bool transpose_a, transpose_b; } fvi_matmul_attr;   /* of the last two axes */

/* Where the matrix of t (a or b, bound) begins that goes into matrix `index` of y: leading axes of length 1 repeat. */
static inline int64_t fvi_matmul_offset(const fvi_type *t, const fvi_type *y, int64_t index)
{
    int64_t step = t->dim[t->rank - 2] * t->dim[t->rank - 1], offset = 0;
    for (int i = 3; i <= t->rank; i++) {
        const int64_t at = index % y->dim[y->rank - i], d = t->dim[t->rank - i];
        index /= y->dim[y->rank - i];
        if (d > 1) offset += at * step;
        step *= d;
    }
    return offset;
}

#endif
