/* SPDX-License-Identifier: Apache-2.0 */
/* Thumbnails and heat maps. */
#include "page/paint.h"

#include <math.h>

fv_status fvi_canvas_create(fv_context *ctx, int width, int height, int channels, fvi_canvas *out)
{
    *out = (fvi_canvas){NULL, width, height, channels};
    FVI_ASSERT(ctx, width > 0 && height > 0 && width <= 1 << 15 && height <= 1 << 15);
    out->pixels = fvi_calloc((size_t)width * (size_t)height, (size_t)channels);
    return out->pixels ? FV_OK : fvi_nomem(ctx);
}

void fvi_canvas_free(fvi_canvas *c)
{
    fvi_free(c->pixels);
    memset(c, 0, sizeof *c);
}

void fvi_paint_size(const fvi_paint_source *s, int side, bool enlarge, int *width, int *height)
{
    int longer = FVI_MAX(s->width, s->height), factor = enlarge ? FVI_MAX(1, side / longer) : 1;
    if (longer <= side) {
        *width = s->width * factor;
        *height = s->height * factor;
        return;
    }
    double shrink = (double)side / longer;
    *width = FVI_MAX(1, (int)lround(s->width * shrink));
    *height = FVI_MAX(1, (int)lround(s->height * shrink));
}

/* The mean over [x0, x1) x [y0, y1), edges in part. */
static double area_mean(const fvi_paint_source *s, int channel, const double x[2], const double y[2])
{
    double sum = 0, weight = 0;
    for (int j = (int)y[0]; j < s->height && j < y[1]; j++) {
        double h = FVI_MIN(y[1], j + 1) - FVI_MAX(y[0], j);
        for (int i = (int)x[0]; i < s->width && i < x[1]; i++) {
            double w = h * (FVI_MIN(x[1], i + 1) - FVI_MAX(x[0], i));
            sum += w * s->base[(size_t)channel * s->plane + ((size_t)j * (size_t)s->width + (size_t)i) * s->step];
            weight += w;
        }
    }
    return weight > 0 ? sum / weight : 0;
}

void fvi_paint(fvi_canvas *c, int x, int y, int width, int height, const fvi_paint_source *s)
{
    double sx = (double)s->width / width, sy = (double)s->height / height;
    for (int j = 0; j < height; j++)
        for (int i = 0; i < width; i++) {
            uint8_t *to = c->pixels + ((size_t)(y + j) * (size_t)c->width + (size_t)(x + i)) * (size_t)c->channels;
            const double across[2] = {i * sx, (i + 1) * sx}, down[2] = {j * sy, (j + 1) * sy};
            for (int k = 0; k < 3; k++) to[k] = (uint8_t)lround(area_mean(s, k, across, down));
            if (c->channels == 4) to[3] = 255;
        }
}

fv_status fvi_paint_confusion(fv_context *ctx, const int64_t *counts, int64_t classes, fvi_canvas *out)
{
    enum { LARGEST = 1024, WANTED = 320 };
    static const uint8_t right[3] = {47, 111, 222}, wrong[3] = {214, 69, 65};
    int64_t pack = (classes + LARGEST - 1) / LARGEST;    /* classes of a cell */
    int cells = (int)((classes + pack - 1) / pack), scale = FVI_MAX(1, WANTED / cells);
    double *sums = fvi_calloc((size_t)cells + 1, sizeof *sums);
    memset(out, 0, sizeof *out);
    if (!sums) return fvi_nomem(ctx);
    fv_status status = fvi_canvas_create(ctx, cells * scale, cells * scale, 4, out);
    for (int row = 0; row < cells && status == FV_OK; row++) {
        double total = 0;
        memset(sums, 0, (size_t)cells * sizeof *sums);
        for (int64_t i = row * pack; i < FVI_MIN(classes, (row + 1) * pack); i++)
            for (int64_t k = 0; k < classes; k++) {
                sums[k / pack] += (double)counts[i * classes + k];
                total += (double)counts[i * classes + k];
            }
        for (int y = row * scale; y < (row + 1) * scale; y++)
            for (int x = 0; x < out->width; x++) {
                uint8_t *to = out->pixels + ((size_t)y * (size_t)out->width + (size_t)x) * 4;
                int column = x / scale;
                memcpy(to, column == row ? right : wrong, 3);
                /* The root lifts rare errors out of the ground. */
                to[3] = total > 0 ? (uint8_t)lround(255 * sqrt(sums[column] / total)) : 0;
            }
    }
    fvi_free(sums);
    return status;
}
