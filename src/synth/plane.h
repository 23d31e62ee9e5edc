/* SPDX-License-Identifier: Apache-2.0 */
/* Aircraft seen from above: a table with a row a class, and one way to draw any row. Lengths in metres; "share" along the
 * body counts from the nose; angles in degrees. */
#ifndef FVI_SYNTH_PLANE_H
#define FVI_SYNTH_PLANE_H

#include "base/rng.h"
#include "synth/canvas.h"

/* A pair of wings, tailplanes or foreplanes. */
typedef struct fvi_plane_surface {
    double span;                 /* tip to tip; 0: there is none */
    double at;                   /* leading edge on the axis, share of the length */
    double root, tip;            /* chords on the axis and at the tip */
    double sweep;                /* of the leading edge */
    double kink, kink_chord, inner_sweep;   /* share of the half span where the inner panel ends (0: one panel) */
    double play;                 /* the sweep varies by as much within the class (wings that swing) */
} fvi_plane_surface;

typedef enum fvi_engine_kind {
    FVI_ENGINE_NONE,
    FVI_ENGINE_POD,              /* jets before the leading edge, below the wing; `at`: shares of the half span */
    FVI_ENGINE_TRAIL,            /* jets below the trailing edge */
    FVI_ENGINE_PROP,             /* nacelles on the wing with propellers in front */
    FVI_ENGINE_NOSE,             /* a propeller at the nose */
    FVI_ENGINE_PUSHER,           /* a propeller behind the body */
    FVI_ENGINE_SIDE,             /* pods at the sides of the body; `at`: share of the length */
    FVI_ENGINE_NOZZLE,           /* inside the body, nozzles at its end side by side */
    FVI_ENGINE_FIN,              /* one on the axis below the fin */
} fvi_engine_kind;

typedef struct fvi_plane_engines {
    fvi_engine_kind kind;
    int count;
    double at[4];                /* for each pair */
    double length, width;        /* of a nacelle or nozzle; NOSE, PUSHER, PROP: width is that of the nacelle */
    double disc;                 /* diameter of a propeller */
} fvi_plane_engines;

typedef struct fvi_plane_row {
    const char *name;
    double length, width;        /* of the body */
    double body_end;             /* share of the length where it ends, 0: all of it */
    double nose, taper;          /* shares of the length that narrow in front and behind */
    double nose_blunt, tail_width;          /* 0 pointed .. 1 round; width of the end as a share of the body's */
    fvi_plane_surface wing, tail, fore;
    bool high_tail;              /* the tailplane stands on top of the fin */
    int fins;                    /* 0, 1, 2 */
    double fin_from, fin_to, fin_at, fin_lean;   /* shares of the length; distance from the axis; lean outwards */
    fvi_plane_engines engines, more_engines;
    double boom_at, boom_from, boom_width;       /* tail booms: distance from the axis, share where they begin */
    double dome, dome_at;        /* radius of a radar dome */
    double tip_tank;             /* length of tanks at the wing's tips */
} fvi_plane_row;

int fvi_plane_count(void);
const fvi_plane_row *fvi_plane_row_at(int index);
double fvi_plane_extent(const fvi_plane_row *row);             /* the longer of length and span */

/* Colours of one aircraft; drawn without knowing its class. */
typedef struct fvi_livery {
    float body[3], wing[3], tail[3], engine[3], second[3];
    bool blotches, stripe, roundels;
} fvi_livery;
/* `ground`: mean colour below, which the aircraft should not match. */
void fvi_livery_draw(fvi_rng *r, const float ground[3], fvi_livery *out);

/* How one aircraft stands in the picture. */
typedef struct fvi_pose {
    double scale, turn;          /* pixels a metre; direction of the nose, turns clockwise from up */
    double squeeze, squeeze_turn;/* seen a little from the side: shorter by this factor along a direction */
    fvi_point centre;            /* of the box around it */
    double shadow_x, shadow_y;   /* direction of shadows, pixels for a metre of height */
    double height;               /* above the ground, metres */
    float shadow;                /* how dark, 0..1 */
    uint64_t seed, stream;       /* of the individual: proportions, blotches */
} fvi_pose;

/* Half width and half height of the box around it. */
fvi_point fvi_plane_size(const fvi_plane_row *row, const fvi_pose *pose);
/* Shadow, then aircraft; afterwards the canvas's mask is the aircraft's coverage. scratch: width * height * 2 floats. */
void fvi_plane_paint(fvi_canvas *c, const fvi_plane_row *row, const fvi_pose *pose, const fvi_livery *livery, float *scratch);

#endif
