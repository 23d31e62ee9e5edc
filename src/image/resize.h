/* SPDX-License-Identifier: Apache-2.0 */
/* Resizing with antialias, bit-equal to Pillow's 8-bit path (version 11): taps within the filter's support widened by the shrink
 * factor, weights normalised for each output pixel and rounded to 22 bits, a horizontal and then a vertical pass, and 8-bit
 * values between the two. One resizer is used in training, evaluation and prediction. */
#ifndef FVI_RESIZE_H
#define FVI_RESIZE_H

#include "image/image.h"

typedef enum fvi_filter { FVI_FILTER_BILINEAR, FVI_FILTER_BICUBIC, FVI_FILTER_LANCZOS, FVI_FILTER_NEAREST, FVI_FILTER_BOX } fvi_filter;

/* A part of a picture. */
typedef struct fvi_view { const uint8_t *pixels; int width, height; size_t stride; } fvi_view;   /* stride: bytes from row to row */
fvi_view fvi_view_of(const fvi_picture *p);
fvi_view fvi_view_part(const fvi_picture *p, int x, int y, int width, int height);                /* inside of the picture */

/* Tables and the picture between the passes, kept from call to call. Zeroed: empty. */
typedef struct fvi_resizer {
    struct fvi_taps { void *block; size_t capacity; int *first, *count; int16_t *high, *low; int size, out; double from, to; int in, filter; } taps[2];
    fvi_picture between;
} fvi_resizer;
void fvi_resizer_free(fvi_resizer *r);

/* `box`: x0, y0, x1, y1 of what is taken, in pixels of the view, fractions allowed; NULL: all of it. */
FV_CHECKED fv_status fvi_resize(fv_context *ctx, fvi_resizer *r, const fvi_view *in, const double box[4], fvi_filter filter, int width, int height,
                                fvi_picture *out);
/* Which pixels [*first, *last) of an axis of `in` pixels such a call reads. */
void fvi_resize_reads(int in, double from, double to, fvi_filter filter, int out, int *first, int *last);
/* fvi_resize without vector instructions: what the fast loops are tested against. */
FV_CHECKED fv_status fvi_resize_plain(fv_context *ctx, fvi_resizer *r, const fvi_view *in, const double box[4], fvi_filter filter, int width,
                                      int height, fvi_picture *out);

#endif
