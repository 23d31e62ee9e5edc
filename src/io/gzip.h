/* SPDX-License-Identifier: Apache-2.0 */
/* gzip members, one after another; other bytes are taken as they are. */
#ifndef FVI_GZIP_H
#define FVI_GZIP_H

#include "base/base.h"

/* Unpacks at most `limit` bytes. *out is owned by the caller (fvi_free). `name`: in errors. */
FV_CHECKED fv_status fvi_gunzip(fv_context *ctx, const char *name, const uint8_t *data, size_t bytes, size_t limit, uint8_t **out, size_t *out_bytes);
static inline bool fvi_is_gzip(const uint8_t *data, size_t bytes) { return bytes >= 2 && data[0] == 0x1F && data[1] == 0x8B; }

#endif
