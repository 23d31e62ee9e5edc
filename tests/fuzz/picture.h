/* SPDX-License-Identifier: Apache-2.0 */
/* What the fuzz targets of all picture formats do: header, whole picture, with and without turning, smaller DCTs, alpha. */
#ifndef FUZZ_PICTURE_H
#define FUZZ_PICTURE_H

#include "image/image.h"

static int fuzz_picture(fvi_image_format format, const uint8_t *data, size_t bytes)
{
    fvi_image_info info, again;
    fvi_picture p = {0};
    if (fvi_image_sniff(data, bytes) != format) return 0;
    if (fvi_image_probe(NULL, "fuzz", data, bytes, NULL, &info) != FV_OK) return 0;
    if ((int64_t)info.width * info.height > 1 << 20) return 0;               /* allowed, but too slow to fuzz */
    const fvi_decode_options o[] = {{.alpha = FVI_ALPHA_WHITE}, {.keep_orientation = true, .scale = 2}, {.alpha = FVI_ALPHA_GREY, .scale = 8}};
    for (int i = 0; i < FVI_COUNT(o); i++) {
        if (fvi_image_decode(NULL, "fuzz", data, bytes, &o[i], &p, &again) != FV_OK) continue;
        if (p.width < 1 || p.height < 1 || (o[i].scale < 2 && (p.width != again.width || p.height != again.height))) __builtin_trap();
        if (!o[i].keep_orientation && (again.width != info.width || again.height != info.height)) __builtin_trap();
        uint64_t sum = fvi_hash64(p.pixels, 4 * (size_t)p.width * (size_t)p.height, 0);      /* every byte is there */
        if (sum == 1) __builtin_trap();
    }
    fvi_picture_free(&p);
    return 0;
}

#endif
