/* SPDX-License-Identifier: Apache-2.0 */
/* What lies below the aircraft: grass, fields, concrete, runways, water, sand, towns, woods, snow, bare soil, and borders
 * between two of them. */
#ifndef FVI_SYNTH_GROUND_H
#define FVI_SYNTH_GROUND_H

#include "base/rng.h"
#include "synth/canvas.h"

/* Floats that fvi_ground_paint needs as scratch. */
size_t fvi_ground_scratch(int width, int height);
/* Fills the canvas. unit: pixels of a metre on the ground. Everything follows from (seed, stream). */
void fvi_ground_paint(fvi_canvas *c, uint64_t seed, uint64_t stream, double unit, float *scratch);
int fvi_ground_count(void);

#endif
