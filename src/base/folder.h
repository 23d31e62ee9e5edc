/* SPDX-License-Identifier: Apache-2.0 */
/* Whole folders that are complete or absent: filled aside as `<path>.tmp.<pid>`, flushed, renamed. */
#ifndef FVI_FOLDER_H
#define FVI_FOLDER_H

#include "base/file.h"

typedef struct fvi_folder { fv_context *ctx; char *path, *temporary; } fvi_folder;

/* The path may be an empty folder or nothing; what else is there is replaced at the end if `replace`, or refused. */
FV_CHECKED fv_status fvi_folder_begin(fv_context *ctx, const char *path, bool replace, fvi_folder *out);
FV_CHECKED fv_status fvi_folder_make(const fvi_folder *f, const char *name);       /* a folder in it, with its parents */
/* A file in it; from any thread. */
FV_CHECKED fv_status fvi_folder_put(const fvi_folder *f, const char *name, const void *data, size_t bytes);
/* Makes it visible and frees; on failure nothing but the old one is left. */
FV_CHECKED fv_status fvi_folder_commit(fvi_folder *f);
void fvi_folder_abort(fvi_folder *f);                       /* removes what was written; after begin failed: nothing */

#endif
