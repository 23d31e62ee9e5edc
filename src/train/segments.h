/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FVI_SEGMENTS_H
#define FVI_SEGMENTS_H

#include "train/config.h"

/* What segments.json holds from now on: the segments of the file at `path`, and the one that begins at `step` with `now`.
 * before: what the run was trained with until now; NULL: it is new, and an old file is not read. *out is owned by the caller. */
FV_CHECKED fv_status fvi_segments_text(const char *path, const fv_config *before, const fv_config *now, int64_t step, char **out);

#endif
