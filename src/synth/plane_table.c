/* SPDX-License-Identifier: Apache-2.0 */
/* The classes. A class is a row; the first ones differ most, so that `classes=8` is a set for beginners and 20 a hard one. */
#include "synth/plane.h"

#define POD FVI_ENGINE_POD
#define TRAIL FVI_ENGINE_TRAIL
#define PROP FVI_ENGINE_PROP
#define NOSE FVI_ENGINE_NOSE
#define PUSHER FVI_ENGINE_PUSHER
#define SIDE FVI_ENGINE_SIDE
#define NOZZLE FVI_ENGINE_NOZZLE
#define FIN FVI_ENGINE_FIN

static const fvi_plane_row rows[] = {
    {.name = "airliner_four", .length = 66, .width = 6.4, .nose = 0.11, .taper = 0.30, .nose_blunt = 0.9, .tail_width = 0.12,
     .wing = {.span = 64, .at = 0.27, .root = 16.5, .tip = 3.6, .sweep = 38, .kink = 0.38, .kink_chord = 10.5,
     .inner_sweep = 40},
     .tail = {.span = 22, .at = 0.86, .root = 7.6, .tip = 2.8, .sweep = 40}, .fins = 1, .fin_from = 0.80, .fin_to = 0.98,
     .engines = {POD, 4, {0.34, 0.64}, 6.4, 3.3, 0}},
    {.name = "turboprop_transport", .length = 30, .width = 4.5, .nose = 0.13, .taper = 0.36, .nose_blunt = 1,
     .tail_width = 0.14,
     .wing = {.span = 41, .at = 0.33, .root = 5.2, .tip = 2.7, .sweep = 3},
     .tail = {.span = 16.5, .at = 0.85, .root = 4.2, .tip = 2.0, .sweep = 9}, .fins = 1, .fin_from = 0.80, .fin_to = 0.99,
     .engines = {PROP, 4, {0.25, 0.52}, 5.0, 1.5, 4.4}},
    {.name = "delta_fighter", .length = 15.5, .width = 2.0, .nose = 0.34, .taper = 0.22, .nose_blunt = 0.1, .tail_width = 0.62,
     .wing = {.span = 9.6, .at = 0.33, .root = 9.4, .tip = 0.6, .sweep = 60}, .fins = 1, .fin_from = 0.66, .fin_to = 0.97,
     .engines = {NOZZLE, 1, {0}, 0.9, 1.15, 0}},
    {.name = "flying_wing", .length = 20.5, .width = 5.6, .body_end = 0.66, .nose = 0.45, .taper = 0.35, .nose_blunt = 0.25,
     .tail_width = 0.25,
     .wing = {.span = 51, .at = 0.0, .root = 18, .tip = 3.4, .sweep = 34, .kink = 0.42, .kink_chord = 7.2, .inner_sweep = 34},
     .engines = {TRAIL, 4, {0.13, 0.22}, 0.8, 2.0, 0}},
    {.name = "glider", .length = 7.4, .width = 0.78, .nose = 0.25, .taper = 0.66, .nose_blunt = 0.6, .tail_width = 0.22,
     .wing = {.span = 17, .at = 0.28, .root = 1.0, .tip = 0.42, .sweep = 1, .kink = 0.6, .kink_chord = 0.82, .inner_sweep = 0},
     .tail = {.span = 2.7, .at = 0.92, .root = 0.62, .tip = 0.4, .sweep = 6}, .high_tail = true, .fins = 1, .fin_from = 0.86,
     .fin_to = 1.0},
    {.name = "twin_boom", .length = 19, .width = 3.0, .body_end = 0.62, .nose = 0.16, .taper = 0.22, .nose_blunt = 0.8,
     .tail_width = 0.45, .wing = {.span = 28, .at = 0.27, .root = 4.2, .tip = 2.3, .sweep = 2},
     .tail = {.span = 9.4, .at = 0.88, .root = 2.2, .tip = 2.2, .sweep = 0}, .fins = 2, .fin_from = 0.84, .fin_to = 1.0,
     .fin_at = 4.3, .engines = {PROP, 2, {0.307}, 4.4, 1.5, 4.4}, .boom_at = 4.3, .boom_from = 0.32, .boom_width = 0.95},
    {.name = "supersonic_airliner", .length = 61, .width = 2.9, .nose = 0.22, .taper = 0.22, .nose_blunt = 0.15,
     .tail_width = 0.1, .wing = {.span = 25.5, .at = 0.27, .root = 32, .tip = 2.0, .sweep = 55, .kink = 0.45,
     .kink_chord = 13, .inner_sweep = 74}, .fins = 1, .fin_from = 0.78, .fin_to = 0.98,
     .engines = {TRAIL, 4, {0.36, 0.52}, 6.0, 2.1, 0}},
    {.name = "canard_pusher", .length = 5.6, .width = 1.05, .body_end = 0.92, .nose = 0.36, .taper = 0.24, .nose_blunt = 0.4,
     .tail_width = 0.55, .wing = {.span = 8.2, .at = 0.50, .root = 2.3, .tip = 0.62, .sweep = 25, .kink = 0.26,
     .kink_chord = 1.05, .inner_sweep = 54}, .fore = {.span = 3.6, .at = 0.08, .root = 0.42, .tip = 0.36, .sweep = 0},
     .fins = 2,
     .fin_from = 0.84, .fin_to = 1.02, .fin_at = 4.05, .fin_lean = 0.04, .engines = {PUSHER, 1, {0}, 0.5, 0.6, 1.7}},

    {.name = "light_single", .length = 8.2, .width = 1.15, .nose = 0.12, .taper = 0.62, .nose_blunt = 0.7, .tail_width = 0.2,
     .wing = {.span = 11, .at = 0.25, .root = 1.62, .tip = 1.25, .sweep = 1},
     .tail = {.span = 3.5, .at = 0.85, .root = 1.05, .tip = 0.75, .sweep = 6}, .fins = 1, .fin_from = 0.80, .fin_to = 1.0,
     .engines = {NOSE, 1, {0}, 0.9, 0.8, 1.95}},
    {.name = "business_jet", .length = 20, .width = 2.1, .nose = 0.20, .taper = 0.34, .nose_blunt = 0.5, .tail_width = 0.12,
     .wing = {.span = 19, .at = 0.42, .root = 4.6, .tip = 1.3, .sweep = 27, .kink = 0.30, .kink_chord = 3.0, .inner_sweep = 34},
     .tail = {.span = 7.6, .at = 0.89, .root = 2.0, .tip = 1.0, .sweep = 28}, .high_tail = true, .fins = 1, .fin_from = 0.78,
     .fin_to = 0.98, .engines = {SIDE, 2, {0.66}, 3.4, 1.25, 0}},
    {.name = "airliner_two", .length = 38, .width = 4.0, .nose = 0.12, .taper = 0.32, .nose_blunt = 0.9, .tail_width = 0.13,
     .wing = {.span = 35, .at = 0.31, .root = 8.4, .tip = 1.6, .sweep = 26, .kink = 0.36, .kink_chord = 4.6, .inner_sweep = 30},
     .tail = {.span = 13.5, .at = 0.86, .root = 4.3, .tip = 1.4, .sweep = 31}, .fins = 1, .fin_from = 0.80, .fin_to = 0.98,
     .engines = {POD, 2, {0.33}, 4.8, 2.6, 0}},
    {.name = "canard_delta", .length = 16, .width = 2.3, .nose = 0.30, .taper = 0.18, .nose_blunt = 0.15, .tail_width = 0.8,
     .wing = {.span = 11, .at = 0.40, .root = 8.2, .tip = 0.8, .sweep = 52}, .fore = {.span = 5.2, .at = 0.20, .root = 1.9,
     .tip = 0.5, .sweep = 46}, .fins = 1, .fin_from = 0.70, .fin_to = 0.97, .engines = {NOZZLE, 2, {0}, 0.9, 0.95, 0}},
    {.name = "twin_fin_fighter", .length = 19, .width = 3.4, .nose = 0.40, .taper = 0.12, .nose_blunt = 0.1, .tail_width = 0.85,
     .wing = {.span = 13.2, .at = 0.40, .root = 6.6, .tip = 1.5, .sweep = 44}, .tail = {.span = 9.4, .at = 0.80, .root = 3.2,
     .tip = 1.4, .sweep = 48}, .fins = 2, .fin_from = 0.72, .fin_to = 0.95, .fin_at = 1.75, .fin_lean = 0.2,
     .engines = {NOZZLE, 2, {0}, 1.1, 1.3, 0}},
    {.name = "swept_bomber", .length = 48, .width = 3.2, .nose = 0.08, .taper = 0.38, .nose_blunt = 0.8, .tail_width = 0.3,
     .wing = {.span = 56, .at = 0.23, .root = 9.4, .tip = 3.6, .sweep = 37}, .tail = {.span = 16.5, .at = 0.87, .root = 5.0,
     .tip = 2.0, .sweep = 40}, .fins = 1, .fin_from = 0.82, .fin_to = 0.98, .engines = {POD, 4, {0.36, 0.64}, 5.6, 3.0, 0}},
    {.name = "rear_jet_airliner", .length = 45, .width = 3.4, .nose = 0.10, .taper = 0.24, .nose_blunt = 0.8,
     .tail_width = 0.12,
     .wing = {.span = 32, .at = 0.43, .root = 7.4, .tip = 1.7, .sweep = 27, .kink = 0.32, .kink_chord = 4.8, .inner_sweep = 29},
     .tail = {.span = 12.2, .at = 0.92, .root = 3.6, .tip = 1.6, .sweep = 32}, .high_tail = true, .fins = 1, .fin_from = 0.84,
     .fin_to = 0.99, .engines = {SIDE, 2, {0.73}, 5.6, 1.9, 0}},
    {.name = "regional_turboprop", .length = 27, .width = 2.9, .nose = 0.14, .taper = 0.34, .nose_blunt = 0.8,
     .tail_width = 0.14,
     .wing = {.span = 27, .at = 0.42, .root = 2.9, .tip = 1.5, .sweep = 2, .kink = 0.36, .kink_chord = 2.9, .inner_sweep = 0},
     .tail = {.span = 7.6, .at = 0.93, .root = 2.0, .tip = 1.2, .sweep = 8}, .high_tail = true, .fins = 1, .fin_from = 0.82,
     .fin_to = 0.99, .engines = {PROP, 2, {0.30}, 4.6, 1.2, 4.0}},
    {.name = "trijet", .length = 58, .width = 6.0, .nose = 0.11, .taper = 0.30, .nose_blunt = 0.9, .tail_width = 0.2,
     .wing = {.span = 51, .at = 0.31, .root = 13, .tip = 3.0, .sweep = 35, .kink = 0.36, .kink_chord = 8.4, .inner_sweep = 37},
     .tail = {.span = 19, .at = 0.86, .root = 6.4, .tip = 2.4, .sweep = 37}, .fins = 1, .fin_from = 0.80, .fin_to = 0.96,
     .engines = {POD, 2, {0.33}, 6.4, 3.3, 0}, .more_engines = {FIN, 1, {0.88}, 9.5, 3.0, 0}},
    {.name = "swing_wing", .length = 22, .width = 3.0, .nose = 0.32, .taper = 0.14, .nose_blunt = 0.15, .tail_width = 0.75,
     .wing = {.span = 17, .at = 0.30, .root = 7.4, .tip = 1.2, .sweep = 33, .kink = 0.26, .kink_chord = 2.9, .inner_sweep = 67,
     .play = 14}, .tail = {.span = 9.6, .at = 0.80, .root = 3.4, .tip = 1.2, .sweep = 52}, .fins = 1, .fin_from = 0.72,
     .fin_to = 0.96, .engines = {NOZZLE, 2, {0}, 1.2, 1.25, 0}},
    {.name = "radar_plane", .length = 46, .width = 3.8, .nose = 0.10, .taper = 0.32, .nose_blunt = 0.85, .tail_width = 0.13,
     .wing = {.span = 44, .at = 0.27, .root = 10.2, .tip = 2.8, .sweep = 36, .kink = 0.36, .kink_chord = 6.4,
     .inner_sweep = 38},
     .tail = {.span = 14, .at = 0.86, .root = 5.0, .tip = 2.0, .sweep = 37}, .fins = 1, .fin_from = 0.82, .fin_to = 0.98,
     .engines = {POD, 4, {0.40, 0.68}, 4.6, 2.0, 0}, .dome = 4.6, .dome_at = 0.66},
    {.name = "tip_tank_trainer", .length = 11.5, .width = 1.5, .nose = 0.22, .taper = 0.46, .nose_blunt = 0.4,
     .tail_width = 0.4,
     .wing = {.span = 11.4, .at = 0.36, .root = 2.5, .tip = 1.4, .sweep = 7}, .tail = {.span = 4.4, .at = 0.84, .root = 1.5,
     .tip = 0.9, .sweep = 12}, .fins = 1, .fin_from = 0.80, .fin_to = 0.99, .engines = {NOZZLE, 1, {0}, 0.5, 0.6, 0},
     .tip_tank = 3.0},
};

int fvi_plane_count(void) { return FVI_COUNT(rows); }

const fvi_plane_row *fvi_plane_row_at(int index) { return index >= 0 && index < FVI_COUNT(rows) ? &rows[index] : NULL; }

double fvi_plane_extent(const fvi_plane_row *row) { return FVI_MAX(row->length, row->wing.span); }
