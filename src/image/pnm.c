/* SPDX-License-Identifier: Apache-2.0 */
/* Binary PGM and PPM: "P5" or "P6", width, height, largest value, one white space, samples of one or two bytes, which are scaled
 * by that value (Pillow cuts grey of more than 8 bits off at 255). */
#include "image/codec.h"

/* A decimal number after white space and comments; -1 when there is none. */
static int64_t number(const fvi_encoded *e, size_t *at)
{
    int64_t value = 0;
    int digits = 0;
    for (bool comment = false; *at < e->bytes; ++*at) {
        uint8_t c = e->data[*at];
        if (c == '#') comment = true;
        else if (comment) comment = c != '\n';
        else if (c > ' ') break;
    }
    for (; *at < e->bytes && e->data[*at] >= '0' && e->data[*at] <= '9' && digits < 9; ++*at, digits++) value = value * 10 + (e->data[*at] - '0');
    return digits ? value : -1;
}

fv_status fvi_pnm_read(const fvi_encoded *e, fvi_picture *out, fvi_image_info *info)
{
    size_t at = 2;
    int64_t w = number(e, &at), h = number(e, &at), most = number(e, &at);
    if (w < 0 || h < 0 || most < 1 || most > 65535 || at >= e->bytes || e->data[at] > ' ')
        return fvi_image_fail(e, FV_ERROR_FORMAT, "damaged PNM: its header is not width, height and a largest value up to 65535");
    FVI_TRY(e->ctx, fvi_image_check_size(e, w, h));
    info->width = (int)w;
    info->height = (int)h;
    if (!out) return FV_OK;
    at++;
    size_t channels = e->data[1] == '6' ? 3 : 1, width = most > 255 ? 2 : 1, pixels = (size_t)(w * h), wanted = pixels * channels * width;
    if (e->bytes - at < wanted) return fvi_image_fail(e, FV_ERROR_FORMAT, "truncated PNM: %zu bytes of pixels, %zu are wanted", e->bytes - at, wanted);
    FVI_TRY(e->ctx, fvi_picture_size(e->ctx, out, (int)w, (int)h));
    const uint8_t *p = e->data + at;
    uint8_t *q = out->pixels;
    for (size_t i = 0; i < pixels; i++, q += 4) {
        for (size_t c = 0; c < channels; c++, p += width) {
            uint32_t v = width == 2 ? fvi_be16(p) : *p;
            q[c] = (uint8_t)(most == 255 ? v : (FVI_MIN(v, (uint32_t)most) * 255 + (uint32_t)most / 2) / (uint32_t)most);
        }
        if (channels == 1) q[1] = q[2] = q[0];
        q[3] = 255;
    }
    if (channels == 1 && most > 4095) fvi_image_warn_dark(out, info);
    return FV_OK;
}
