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
typedef enum fvi_purpose { FVI_PURPOSE_SHUFFLE = 1, FVI_PURPOSE_PAD_CROP = 2, FVI_PURPOSE_FLIP = 3 } fvi_purpose;

void fvi_source_name(const fv_source *s, int64_t index, char *text, size_t capacity);

#endif
