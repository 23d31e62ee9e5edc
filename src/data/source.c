/* SPDX-License-Identifier: Apache-2.0 */
/* What all sources share. */
#include "data/data.h"

#include <stdio.h>

fv_status fv_image_resize(fv_context *ctx, fv_image *image, int height, int width)
{
    if (height < 1 || width < 1 || height > FVI_MAX_SIDE || width > FVI_MAX_SIDE || (int64_t)height * width > FVI_MAX_PIXELS)
        return fvi_fail(ctx, FV_ERROR_FORMAT, "picture of %d x %d pixels is outside the limits (%d a side, %d in all)", width, height,
                        FVI_MAX_SIDE, FVI_MAX_PIXELS);
    size_t bytes = 3 * (size_t)height * (size_t)width;
    if (bytes > image->capacity) {
        uint8_t *pixels = fvi_realloc(image->pixels, bytes);
        if (!pixels) return fvi_nomem(ctx);
        image->pixels = pixels;
        image->capacity = bytes;
    }
    image->height = height;
    image->width = width;
    return FV_OK;
}

void fv_image_free(fv_image *image)
{
    fvi_free(image->pixels);
    memset(image, 0, sizeof *image);
}

void fvi_source_name(const fv_source *s, int64_t index, char *text, size_t capacity)
{
    if (s->name)
        s->name(s, index, text, capacity);
    else
        snprintf(text, capacity, "sample %lld", (long long)index);
}

void fv_source_destroy(fv_source *s)
{
    if (s && s->destroy) s->destroy(s);
}
