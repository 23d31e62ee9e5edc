/* SPDX-License-Identifier: Apache-2.0 */
/* Painted pictures for reports and event files: thumbnails, sheets of them, heat maps of confusion matrices. */
#ifndef FVI_PAINT_H
#define FVI_PAINT_H

#include "base/base.h"

/* RGB, or RGBA, interleaved. A zeroed struct is empty. */
typedef struct fvi_canvas { uint8_t *pixels; int width, height, channels; } fvi_canvas;
FV_CHECKED fv_status fvi_canvas_create(fv_context *ctx, int width, int height, int channels, fvi_canvas *out);     /* all zero */
void fvi_canvas_free(fvi_canvas *c);

/* A picture to be painted: sample (x, y) of channel k is at base[k * plane + (y * width + x) * step]. */
typedef struct fvi_paint_source { const uint8_t *base; int width, height; size_t plane, step; } fvi_paint_source;
/* Size of a picture within side x side, its aspect kept; `enlarge` by whole factors, otherwise small ones stay as they are. */
void fvi_paint_size(const fvi_paint_source *s, int side, bool enlarge, int *width, int *height);
/* Paints at (x, y) with that size; every pixel is the mean of the area it covers. All of it must lie inside. */
void fvi_paint(fvi_canvas *c, int x, int y, int width, int height, const fvi_paint_source *s);

/* Shares of each row (truth) as opacity of one colour, errors in another; at most 1024 cells a side, more are put together. */
FV_CHECKED fv_status fvi_paint_confusion(fv_context *ctx, const int64_t *counts, int64_t classes, fvi_canvas *out);

#endif
