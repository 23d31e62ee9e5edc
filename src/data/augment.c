/* SPDX-License-Identifier: Apache-2.0 */
/* Pad and crop, flip, normalise: in one pass over the picture. */
#include "data/augment.h"

/* Output row from an input row: columns shifted by `dx`, mirrored, black outside. */
static void put_row(const uint8_t *in, int width, int dx, bool flip, const float table[256], float *out)
{
    for (int x = 0; x < width; x++) {
        int from = (flip ? width - 1 - x : x) + dx;
        out[x] = table[in && from >= 0 && from < width ? in[from] : 0];
    }
}

fv_status fvi_augment_apply(const fvi_augment *a, fv_context *ctx, const fv_image *image, bool random, uint64_t seed, int64_t epoch,
                            int64_t sample, float *out)
{
    int size = a->size, dx = 0, dy = 0;
    bool flip = false;
    if (image->height != size || image->width != size)
        return fvi_fail(ctx, FV_ERROR_CONFIG, "picture is %d x %d, image_size is %d; set image_size=%d", image->width, image->height, size,
                        image->height);
    if (random && a->pad_crop > 0) {
        fvi_rng r = fvi_rng_at(seed, fvi_rng_stream((uint64_t)epoch, (uint64_t)sample, FVI_PURPOSE_PAD_CROP));
        dy = (int)fvi_rng_below(&r, 2 * a->pad_crop + 1) - a->pad_crop;
        dx = (int)fvi_rng_below(&r, 2 * a->pad_crop + 1) - a->pad_crop;
    }
    if (random && a->horizontal_flip > 0) {
        fvi_rng r = fvi_rng_at(seed, fvi_rng_stream((uint64_t)epoch, (uint64_t)sample, FVI_PURPOSE_FLIP));
        flip = fvi_rng_uniform(&r) < a->horizontal_flip;
    }
    for (int c = 0; c < 3; c++) {
        float table[256];
        for (int v = 0; v < 256; v++) table[v] = ((float)v / 255.0f - a->mean[c]) / a->std[c];
        const uint8_t *plane = image->pixels + (size_t)c * (size_t)size * (size_t)size;
        for (int y = 0; y < size; y++) {
            int from = y + dy;
            const uint8_t *row = from >= 0 && from < size ? plane + (size_t)from * (size_t)size : NULL;
            put_row(row, size, dx, flip, table, out + ((size_t)c * (size_t)size + (size_t)y) * (size_t)size);
        }
    }
    return FV_OK;
}
