/* SPDX-License-Identifier: Apache-2.0 */
/* What the fuzz targets of all picture formats do: header, whole picture, with and without turning, smaller DCTs, alpha, a part. */
#ifndef FUZZ_PICTURE_H
#define FUZZ_PICTURE_H

#include "image/image.h"

/* A part of the picture is that of the whole, unless faults were forgiven. */
static void fuzz_part(const uint8_t *data, size_t bytes, const fvi_image_info *info)
{
    fvi_picture whole = {0}, p = {0};
    fvi_image_info a, b;
    const int w = info->width, h = info->height;
    const fvi_decode_options o = {.part = {w / 4, h / 3, w / 2 + 1, h / 2 + 1}};
    const fv_status first = fvi_image_decode(NULL, "fuzz", data, bytes, NULL, &whole, &a), second = fvi_image_decode(NULL, "fuzz", data, bytes, &o, &p, &b);
    if (first == FV_OK && second == FV_OK) {
        if (p.width != whole.width || p.height != whole.height) __builtin_trap();
        for (int y = o.part[1]; y < o.part[3] && !a.warnings && !b.warnings; y++) {
            const size_t at = 4 * ((size_t)y * (size_t)w + (size_t)o.part[0]);
            if (memcmp(p.pixels + at, whole.pixels + at, 4 * (size_t)(o.part[2] - o.part[0]))) __builtin_trap();
        }
    }
    fvi_picture_free(&whole);
    fvi_picture_free(&p);
}

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
    fuzz_part(data, bytes, &info);
    return 0;
}

#endif
