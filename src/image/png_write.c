/* SPDX-License-Identifier: Apache-2.0 */
#include "image/png_write.h"

#include <spng.h>

enum { COMPRESSION = 4 };        /* noisy pictures gain 1 % beyond, for twice the time */

fv_status fvi_png_encode(fv_context *ctx, const uint8_t *pixels, int width, int height, int channels, uint8_t **data,
                         size_t *bytes)
{
    static const uint8_t types[5] = {0, SPNG_COLOR_TYPE_GRAYSCALE, 0, SPNG_COLOR_TYPE_TRUECOLOR,
                                     SPNG_COLOR_TYPE_TRUECOLOR_ALPHA};
    struct spng_alloc memory = {fvi_malloc, fvi_realloc, fvi_calloc, fvi_free};
    const int64_t failures = fvi_memory_failures();
    int error = 0;
    *data = NULL;
    *bytes = 0;
    if (width < 1 || height < 1 || (channels != 1 && channels != 3 && channels != 4))
        return fvi_fail(ctx, FV_ERROR_INVALID, "PNG of %d x %d with %d channels", width, height, channels);
    const size_t size = (size_t)width * (size_t)height * (size_t)channels;
    spng_ctx *png = spng_ctx_new2(&memory, SPNG_CTX_ENCODER);
    if (!png) return fvi_nomem(ctx);
    struct spng_ihdr head = {.width = (uint32_t)width, .height = (uint32_t)height, .bit_depth = 8,
                             .color_type = types[channels]};
    if (!error) error = spng_set_option(png, SPNG_ENCODE_TO_BUFFER, 1);
    if (!error) error = spng_set_option(png, SPNG_IMG_COMPRESSION_LEVEL, COMPRESSION);
    if (!error) error = spng_set_ihdr(png, &head);
    if (!error) error = spng_encode_image(png, pixels, size, SPNG_FMT_PNG, SPNG_ENCODE_FINALIZE);
    if (!error) *data = spng_get_png_buffer(png, bytes, &error);
    spng_ctx_free(png);
    if (!error && *data) return FV_OK;
    /* libspng does not always say EMEM when there was no memory. */
    if (error == SPNG_EMEM || fvi_memory_failures() != failures) return fvi_nomem(ctx);
    return fvi_fail(ctx, FV_ERROR_INTERNAL, "cannot encode a PNG: %s", spng_strerror(error));
}
