/* SPDX-License-Identifier: Apache-2.0 */
/* One picture: a ground, aircraft with their shadows, light, haze, blur, noise. A function of (seed, stream, options). */
#ifndef FVI_SYNTH_SCENE_H
#define FVI_SYNTH_SCENE_H

#include "synth/plane.h"

enum { FVI_SCENE_MOST = 64 };

typedef struct fvi_scene_box { int label, x0, y0, x1, y1; } fvi_scene_box;         /* pixels, half open */

typedef struct fvi_scene_spec {
    uint64_t seed, stream;
    int classes;                 /* the first rows of the table */
    int label;                   /* one aircraft of this class that fills the picture; -1: up to `most` of any class */
    int most;
    double noise;                /* factor on noise and blur; 1 is usual */
    double clutter;              /* factor on the contrasts of the ground; 1 is usual */
    bool bare;                   /* for tests: no shadow, light, haze, cloud, blur, noise */
    bool empty;                  /* for tests: the same picture without aircraft */
} fvi_scene_spec;

typedef struct fvi_scene {       /* buffers that are used again for picture after picture; one a thread */
    fvi_canvas canvas;
    float *scratch;
    uint8_t *rgb;                /* the picture: size * size * 3 */
    int size, n;
    fvi_scene_box boxes[FVI_SCENE_MOST];    /* tight around what is covered by a quarter or more */
} fvi_scene;

FV_CHECKED fv_status fvi_scene_open(fv_context *ctx, int size, fvi_scene *out);
void fvi_scene_close(fvi_scene *s);
void fvi_scene_draw(fvi_scene *s, const fvi_scene_spec *spec);

#endif
