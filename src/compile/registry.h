/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of ops and kernels, put together from the files that the build found. */
#ifndef FVI_REGISTRY_H
#define FVI_REGISTRY_H

#include "ir/kernel.h"

int fvi_registry_op_count(void);
const fvi_op *fvi_registry_op(int index);
const fvi_op *fvi_registry_find_op(const char *name);
extern const fvi_op_table fvi_registry_table;

int fvi_registry_kernel_count(void);
const fvi_kernel *fvi_registry_kernel(int index);
/* The kernels of an op one after the other, highest priority first (equal ones in the order of the table): the one
 * behind `last` (NULL: the first); NULL behind the last one. */
const fvi_kernel *fvi_registry_next_kernel(const char *op, const fvi_kernel *last);

#endif
