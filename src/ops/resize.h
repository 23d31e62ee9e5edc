/* SPDX-License-Identifier: Apache-2.0 */
/* Resizing of images: where each row or column of the result comes from. PyTorch's interpolate, without antialiasing:
 * pixels are areas whose centres are at i + 0.5, or (align_corners) points, the outermost of which meet. */
#ifndef FVI_OPS_RESIZE_H
#define FVI_OPS_RESIZE_H

#include "base/attr.h"

#include <math.h>

enum { FVI_RESIZE_NEAREST, FVI_RESIZE_BILINEAR, FVI_RESIZE_BICUBIC };

typedef struct fvi_resize_attr {
    int64_t mode;
    bool align_corners;
    int64_t size[2];                   /* height and width of the result; of x for resize_backward */
    double scale[2];                   /* the factors that the places are computed with; 0: from the sizes */
} fvi_resize_attr;
typedef fvi_resize_attr fvi_resize_backward_attr;

/* The elements that one of the result is a weighted sum of; at the border some are the same. */
typedef struct fvi_resize_taps { int n; int64_t at[4]; double weight[4]; } fvi_resize_taps;

/* Place `i` of the result in x, as a number; nearest rounds in f32, as PyTorch does. */
static inline double fvi_resize_place(const fvi_resize_attr *a, int axis, int64_t in, int64_t out, int64_t i)
{
    const double given = a->scale[axis];
    if (a->mode == FVI_RESIZE_NEAREST) {
        const float step = given > 0 ? (float)(1 / given) : (float)in / (float)out;
        return in == out ? (double)i : out == 2 * in ? (double)(i / 2) : (double)floorf((float)i * step);
    }
    if (a->align_corners) return out > 1 ? (double)i * ((double)(in - 1) / (double)(out - 1)) : 0;
    const double x = (given > 0 ? 1 / given : (double)in / (double)out) * ((double)i + 0.5) - 0.5;
    return a->mode == FVI_RESIZE_BILINEAR && x < 0 ? 0 : x;
}

/* Keys' cubic convolution (IEEE TASSP 29, 1981) with a = -0.75, as PyTorch and OpenCV. */
static inline void fvi_resize_cubic(double t, double w[4])
{
    const double a = -0.75, far = 1 + t, near = 1 - t, last = 2 - t;
    w[0] = ((a * far - 5 * a) * far + 8 * a) * far - 4 * a;
    w[1] = ((a + 2) * t - (a + 3)) * t * t + 1;
    w[2] = ((a + 2) * near - (a + 3)) * near * near + 1;
    w[3] = ((a * last - 5 * a) * last + 8 * a) * last - 4 * a;
}

static inline fvi_resize_taps fvi_resize_taps_of(const fvi_resize_attr *a, int axis, int64_t in, int64_t out, int64_t i)
{
    const double place = fvi_resize_place(a, axis, in, out, i);
    const int64_t first = (int64_t)fmin(floor(place), (double)(in - 1));
    const double rest = fmin(fmax(place - (double)first, 0), 1);
    fvi_resize_taps t = {.n = 1, .at = {first}, .weight = {1}};
    if (a->mode == FVI_RESIZE_NEAREST || (a->mode == FVI_RESIZE_BILINEAR && rest == 0)) return t;
    if (a->mode == FVI_RESIZE_BILINEAR) {
        t.n = 2;
        t.at[1] = first + (first < in - 1);
        t.weight[0] = 1 - rest;
        t.weight[1] = rest;
        return t;
    }
    t.n = 4;
    fvi_resize_cubic(rest, t.weight);
    for (int k = 0; k < 4; k++) {
        const int64_t at = first - 1 + k;
        t.at[k] = at < 0 ? 0 : at > in - 1 ? in - 1 : at;
    }
    return t;
}

#endif
