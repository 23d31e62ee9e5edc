/* SPDX-License-Identifier: Apache-2.0 */
/* A canvas of floats and polygons painted on it with exact pixel coverage (signed areas), so edges are smooth without
 * supersampling. Everything is additions, products, divisions and floor: the same bits on every machine. */
#ifndef FVI_SYNTH_CANVAS_H
#define FVI_SYNTH_CANVAS_H

#include "base/base.h"

typedef struct fvi_point { double x, y; } fvi_point;       /* pixels; (0, 0) is the corner of the first pixel */

typedef struct fvi_canvas {
    int width, height;
    float *rgb;                  /* width * height * 3, levels 0..255, may go beyond until the end */
    float *mask;                 /* 0..1: what paints with `marks` covered since the mask was cleared */
    float *area;                 /* signed areas of the polygon at hand, (width + 2) * height; all zero between calls */
} fvi_canvas;

typedef struct fvi_paint {
    float rgb[3], alpha;
    float slope[2];              /* brightness factor 1 + slope . (pixel - origin) */
    fvi_point origin;
    bool marks;                  /* adds its coverage to the mask */
    bool inside;                 /* paints only where the mask is */
} fvi_paint;

FV_CHECKED fv_status fvi_canvas_open(fv_context *ctx, int width, int height, fvi_canvas *out);
void fvi_canvas_close(fvi_canvas *c);
void fvi_canvas_clear_mask(fvi_canvas *c);
/* A simple polygon of either direction. */
void fvi_canvas_fill(fvi_canvas *c, const fvi_point *points, int n, const fvi_paint *paint);
void fvi_canvas_disc(fvi_canvas *c, fvi_point centre, double radius, const fvi_paint *paint);
/* A straight band from a to b, `width` pixels wide. */
void fvi_canvas_band(fvi_canvas *c, fvi_point a, fvi_point b, double width, const fvi_paint *paint);
/* One pass of (share, 1 - 2 share, share) along both axes over planes of `channels` interleaved floats; row: scratch of
 * max(width, height) * channels floats. */
void fvi_canvas_soften(float *data, int width, int height, int channels, float share, float *row);

#endif
