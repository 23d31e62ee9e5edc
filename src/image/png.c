/* SPDX-License-Identifier: Apache-2.0 */
/* PNG by libspng. Gamma is left alone, as Pillow does; of 16 bits the high byte is taken, as Pillow does for colour (its 16-bit grey
 * becomes white above 255). */
#include "image/codec.h"

#include <spng.h>

static fv_status failed(const fvi_encoded *e, int error)
{
    if (error == SPNG_EMEM) return fvi_image_fail(e, FV_ERROR_NOMEM, "out of memory");
    if (error == SPNG_IO_EOF || error == SPNG_EOF || error == SPNG_EIDAT_TOO_SHORT)
        return fvi_image_fail(e, FV_ERROR_FORMAT, "truncated PNG: the file ends at byte %zu, before its picture does", e->bytes);
    return fvi_image_fail(e, FV_ERROR_FORMAT, "damaged PNG: %s", spng_strerror(error));
}

static fv_status read_pixels(const fvi_encoded *e, spng_ctx *png, const struct spng_ihdr *h, fvi_picture *out, fvi_image_info *info)
{
    size_t bytes;
    struct spng_trns trns;
    int error = spng_decoded_image_size(png, SPNG_FMT_RGBA8, &bytes);
    if (error) return failed(e, error);
    FVI_TRY(e->ctx, fvi_picture_size(e->ctx, out, (int)h->width, (int)h->height));
    FVI_ASSERT(e->ctx, bytes <= out->capacity);
    error = spng_decode_image(png, out->pixels, bytes, SPNG_FMT_RGBA8, SPNG_DECODE_TRNS);
    if (error) return failed(e, error);
    info->alpha = info->alpha || spng_get_trns(png, &trns) == 0;
    const bool grey = h->color_type == SPNG_COLOR_TYPE_GRAYSCALE || h->color_type == SPNG_COLOR_TYPE_GRAYSCALE_ALPHA;
    if (grey && h->bit_depth == 16) fvi_image_warn_dark(out, info);
    return FV_OK;
}

fv_status fvi_png_read(const fvi_encoded *e, fvi_picture *out, fvi_image_info *info)
{
    spng_ctx *png = spng_ctx_new(0);
    struct spng_ihdr h;
    fv_status status = FV_OK;
    if (!png) return fvi_nomem(e->ctx);
    /* Ahead of the library, whose own limits speak of something else. */
    if (e->bytes >= 24) FVI_TRY_DONE(e->ctx, status, fvi_image_check_size(e, fvi_be32(e->data + 16), fvi_be32(e->data + 20)));
    /* A wrong check sum in a chunk that pixels do not need is no reason to refuse them. */
    int error = spng_set_crc_action(png, SPNG_CRC_ERROR, SPNG_CRC_DISCARD);
    if (!error) error = spng_set_image_limits(png, FVI_IMAGE_MAX_SIDE, FVI_IMAGE_MAX_SIDE);
    if (!error) error = spng_set_chunk_limits(png, (size_t)64 << 20, (size_t)64 << 20);
    if (!error) error = spng_set_png_buffer(png, e->data, e->bytes);
    if (!error) error = spng_get_ihdr(png, &h);
    if (error) {
        status = failed(e, error);
        goto done;
    }
    info->width = (int)h.width;
    info->height = (int)h.height;
    info->alpha = h.color_type == SPNG_COLOR_TYPE_GRAYSCALE_ALPHA || h.color_type == SPNG_COLOR_TYPE_TRUECOLOR_ALPHA;
    FVI_TRY_DONE(e->ctx, status, fvi_png_orientation(e, &info->orientation));
    if (out) FVI_TRY_DONE(e->ctx, status, read_pixels(e, png, &h, out, info));
done:
    spng_ctx_free(png);
    return status;
}
