/* SPDX-License-Identifier: Apache-2.0 */
/* Curves as inline SVG that takes its colours from the page's style sheet. */
#ifndef FVI_PLOT_H
#define FVI_PLOT_H

#include "page/html.h"

enum { FVI_PLOT_COLORS = 8 };

typedef struct fvi_curve {
    const char *label;
    int color;                           /* 0 ... FVI_PLOT_COLORS - 1 */
    bool dashed;
    const double *x, *y;                 /* x grows; points whose y is not finite are left out */
    int64_t n, stride;
} fvi_curve;

typedef struct fvi_plot {
    const char *title;
    bool share;                          /* of 0..1, written in per cent */
    const fvi_curve *curves;
    int n_curves;
    double mark;                         /* x of a dashed upright line; NaN: none */
} fvi_plot;

bool fvi_curve_empty(const fvi_curve *c);
/* A <figure> with title, legend and picture; nothing when all curves are empty. */
void fvi_plot_add(fvi_text *t, const fvi_plot *p);

#endif
