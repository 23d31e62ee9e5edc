/* SPDX-License-Identifier: Apache-2.0 */
/* Tuned kernel choices: JSON written by `fovea tune`, {"cpu": ..., "library": ..., "threads": ..., "choices": {"conv2d":
 * {KEY: NAME}}}. fvi_table_load warns when the machine, the library or the threads are others. */
#ifndef FVI_TABLE_H
#define FVI_TABLE_H

#include "base/json.h"
#include "ir/kernel.h"

typedef struct fvi_table { fvi_kernel_table face; fvi_arena arena; const fvi_json *root, *choices; char *text; } fvi_table;

fv_status fvi_table_load(fv_context *ctx, const char *path, fvi_table *t) FV_CHECKED;
fv_status fvi_table_parse(fv_context *ctx, const char *name, const char *text, size_t bytes, fvi_table *t) FV_CHECKED;
void fvi_table_free(fvi_table *t);

#endif
