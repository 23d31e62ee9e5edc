/* SPDX-License-Identifier: Apache-2.0 */
/* Sine and cosine of an angle in turns from additions and products only: libm's last bit differs between machines and
 * releases, and pictures are promised to be the same everywhere. (The core is compiled without contraction.) */
#ifndef FVI_SYNTH_TURN_H
#define FVI_SYNTH_TURN_H

#include <math.h>

static inline double fvi_turn_sin(double turns)
{
    double t = turns - floor(turns);                       /* 0 .. 1 */
    if (t > 0.75) t -= 1;
    else if (t > 0.25) t = 0.5 - t;                        /* -0.25 .. 0.25 */
    const double x = 6.283185307179586 * t, y = x * x;     /* Taylor to x^15: error below 1e-11 */
    return x * (1 - y / 6 * (1 - y / 20 * (1 - y / 42 * (1 - y / 72 * (1 - y / 110 * (1 - y / 156 * (1 - y / 210)))))));
}

static inline double fvi_turn_cos(double turns) { return fvi_turn_sin(turns + 0.25); }

#endif
