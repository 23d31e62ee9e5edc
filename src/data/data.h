/* SPDX-License-Identifier: Apache-2.0 */
/* Internals of the data floor: limits, names, and the purposes that random numbers are keyed by. */
#ifndef FVI_DATA_H
#define FVI_DATA_H

#include "base/base.h"
#include "base/rng.h"
#include "fovea/data.h"

#define FVI_MAX_SIDE 65500
#define FVI_MAX_PIXELS 100000000

/* Random numbers of the data floor come from stream (epoch, sample, purpose) of the run's seed. Numbers are stable. */
typedef enum fvi_purpose {
    FVI_PURPOSE_SHUFFLE = 1, FVI_PURPOSE_PAD_CROP = 2, FVI_PURPOSE_FLIP = 3, FVI_PURPOSE_CROP = 4, FVI_PURPOSE_JITTER = 5, FVI_PURPOSE_SPLIT = 6,
    FVI_PURPOSE_VERTICAL_FLIP = 7, FVI_PURPOSE_REPLACE = 8
} fvi_purpose;

/* Reads sample `index`, its picture decoded to pixels. */
FV_CHECKED fv_status fvi_source_sample(const fv_source *s, fv_context *ctx, int64_t index, fv_sample *out);
void fvi_source_name(const fv_source *s, int64_t index, char *text, size_t capacity);
/* A name as it can be shown: control characters and what is not UTF-8 as \n, \x1b; cut at a whole character. */
void fvi_show_name(const char *name, char *text, size_t capacity);
/* Is the sample itself at fault (missing, closed, damaged, of an unknown kind), so that one may go on without it? Whatever else fails, as
 * a disk or the number of open files, would make any sample look bad. */
bool fvi_is_bad_sample(fv_status status);
/* A folder or file that a system keeps for itself (hidden ones, lost+found, @eaDir ...), which holds none of the user's pictures. */
bool fvi_is_system_name(const char *name);
/* Reads a whole file of at most 1 GiB into the buffer. FORMAT: the file itself is at fault; IO, NOMEM: the system is. */
FV_CHECKED fv_status fvi_read_bytes(fv_context *ctx, const char *path, fv_bytes *out);
/* The same of at most `room` bytes of its beginning; *n: how many. */
FV_CHECKED fv_status fvi_read_head(fv_context *ctx, const char *path, void *out, size_t room, size_t *n);
#define FVI_PATH_ROOM 8192
/* "a/b", or b where it is absolute; false when it is longer than any path may be. */
bool fvi_path_in(char out[FVI_PATH_ROOM], const char *a, const char *b);

#endif
