/* SPDX-License-Identifier: Apache-2.0 */
/* PNG encoder: 8 bits a channel, rows from top to bottom. */
#ifndef FVI_IMAGE_PNG_WRITE_H
#define FVI_IMAGE_PNG_WRITE_H

#include "base/base.h"

/* channels: 1 grey, 3 RGB, 4 RGBA, interleaved. *data is owned by the caller (fvi_free). */
FV_CHECKED fv_status fvi_png_encode(fv_context *ctx, const uint8_t *pixels, int width, int height, int channels, uint8_t **data,
                                    size_t *bytes);

#endif
