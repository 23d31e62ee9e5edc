/* SPDX-License-Identifier: Apache-2.0 */
/* Inner loops of reductions over contiguous memory; each folds what it finds into *to. */
#ifndef FVI_ISA_REDUCE_H
#define FVI_ISA_REDUCE_H

#include "cpu/isa.h"

typedef enum fvi_reduce_op { FVI_REDUCE_SUM, FVI_REDUCE_MAX } fvi_reduce_op;      /* the greatest; NaN if one is */

/* n elements into to[0]. */
FVI_ISA_DECLARE(void, fvi_reduce_row, (const void *x, int64_t n, bool bf, fvi_reduce_op op, double *to))
/* `rows` rows of `width` elements, `step` apart, into to[0 .. width - 1]. */
FVI_ISA_DECLARE(void, fvi_reduce_columns,
                (const void *x, int64_t rows, int64_t step, int64_t width, bool bf, fvi_reduce_op op, double *to))

#endif
