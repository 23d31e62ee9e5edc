/* SPDX-License-Identifier: Apache-2.0 */
/* WebP by libwebp; of an animation the first frame on its canvas. */
#include "image/codec.h"

#include <webp/decode.h>
#include <webp/demux.h>

static int orientation_of(const fvi_encoded *e)
{
    int exif = -1, xmp = 0;
    for (size_t at = 12; at < e->bytes && e->bytes - at >= 8;) {
        size_t n = fvi_le32(e->data + at + 4);
        if (n > e->bytes - at - 8) break;
        if (exif < 0 && !memcmp(e->data + at, "EXIF", 4)) exif = fvi_exif_orientation(e->data + at + 8, n);
        if (!xmp && !memcmp(e->data + at, "XMP ", 4)) xmp = fvi_xmp_orientation(e->data + at + 8, n);
        at += 8 + n + (n & 1);
    }
    return exif > 0 ? exif : xmp;
}

static fv_status failed(const fvi_encoded *e, VP8StatusCode code)
{
    if (code == VP8_STATUS_OUT_OF_MEMORY) return fvi_image_fail(e, FV_ERROR_NOMEM, "out of memory");
    if (code == VP8_STATUS_NOT_ENOUGH_DATA || code == VP8_STATUS_SUSPENDED)
        return fvi_image_fail(e, FV_ERROR_FORMAT, "truncated WebP: the file ends at byte %zu, before its picture does", e->bytes);
    return fvi_image_fail(e, FV_ERROR_FORMAT, code == VP8_STATUS_UNSUPPORTED_FEATURE ? "WebP with an unsupported feature" : "damaged WebP");
}

static fv_status read_animation(const fvi_encoded *e, fvi_picture *out, const fvi_image_info *info)
{
    WebPAnimDecoderOptions o;
    WebPAnimInfo about;
    WebPData data = {e->data, e->bytes};
    uint8_t *frame;
    int time;
    fv_status status = FV_OK;
    if (!WebPAnimDecoderOptionsInit(&o)) return fvi_image_fail(e, FV_ERROR_INTERNAL, "libwebp of another version");
    o.color_mode = MODE_RGBA;
    WebPAnimDecoder *d = WebPAnimDecoderNew(&data, &o);
    if (!d) return fvi_image_fail(e, FV_ERROR_FORMAT, "damaged or truncated WebP animation of %zu bytes", e->bytes);
    if (!WebPAnimDecoderGetInfo(d, &about) || (int)about.canvas_width != info->width || (int)about.canvas_height != info->height)
        status = fvi_image_fail(e, FV_ERROR_FORMAT, "damaged WebP: its headers contradict each other");
    else if (about.frame_count > FVI_IMAGE_MAX_FRAMES)
        status = fvi_image_fail(e, FV_ERROR_FORMAT, "WebP animation of %u frames; the limit is %d", about.frame_count, FVI_IMAGE_MAX_FRAMES);
    else if (!WebPAnimDecoderGetNext(d, &frame, &time))
        status = fvi_image_fail(e, FV_ERROR_FORMAT, "damaged or truncated WebP: its first frame cannot be read");
    else if ((status = fvi_picture_size(e->ctx, out, info->width, info->height)) == FV_OK)
        memcpy(out->pixels, frame, 4 * (size_t)info->width * (size_t)info->height);
    WebPAnimDecoderDelete(d);
    return status;
}

static fv_status read_still(const fvi_encoded *e, fvi_picture *out, const fvi_image_info *info)
{
    WebPDecoderConfig c;
    if (!WebPInitDecoderConfig(&c)) return fvi_image_fail(e, FV_ERROR_INTERNAL, "libwebp of another version");
    FVI_TRY(e->ctx, fvi_picture_size(e->ctx, out, info->width, info->height));
    c.output.colorspace = MODE_RGBA;
    c.output.is_external_memory = 1;
    c.output.u.RGBA.rgba = out->pixels;
    c.output.u.RGBA.stride = 4 * info->width;
    c.output.u.RGBA.size = 4 * (size_t)info->width * (size_t)info->height;
    VP8StatusCode code = WebPDecode(e->data, e->bytes, &c);
    WebPFreeDecBuffer(&c.output);
    return code == VP8_STATUS_OK ? FV_OK : failed(e, code);
}

fv_status fvi_webp_read(const fvi_encoded *e, fvi_picture *out, fvi_image_info *info)
{
    WebPBitstreamFeatures f;
    VP8StatusCode code = WebPGetFeatures(e->data, e->bytes, &f);
    if (code != VP8_STATUS_OK) return failed(e, code);
    FVI_TRY(e->ctx, fvi_image_check_size(e, f.width, f.height));
    info->width = f.width;
    info->height = f.height;
    info->alpha = f.has_alpha != 0;
    info->orientation = orientation_of(e);
    if (!out) return FV_OK;
    return f.has_animation ? read_animation(e, out, info) : read_still(e, out, info);
}
