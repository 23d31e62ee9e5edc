/* SPDX-License-Identifier: Apache-2.0 */
/* Options of a picture set, checked. */
#ifndef FVI_SYNTH_OPTIONS_H
#define FVI_SYNTH_OPTIONS_H

#include "base/attr.h"
#include "base/json.h"
#include "fovea/synth.h"
#include "synth/scene.h"

typedef struct fvi_synth_set {
    fv_synth_options options;
    int size;
    int64_t split[3];            /* train, val, test: pictures (FOLDER: of each class) */
    int64_t count;               /* all pictures */
} fvi_synth_set;

FV_CHECKED fv_status fvi_synth_check(fv_context *ctx, const fv_synth_options *o, fvi_synth_set *out);
/* synth.json: what the set was made with. Owned by the caller; NULL when memory is exhausted. */
char *fvi_synth_json(const fvi_synth_set *set, const fv_synth_result *result);

/* ---- one picture of the set ---- */

extern const char *const fvi_synth_splits[3];              /* "train", "val", "test" */
typedef struct fvi_synth_item { int split; int64_t number; int label; } fvi_synth_item;   /* label: FOLDER, else -1 */
fvi_synth_item fvi_synth_item_at(const fvi_synth_set *set, int64_t index);
/* How it is drawn: depends on the split and its number there, not on how many there are. */
fvi_scene_spec fvi_synth_spec(const fvi_synth_set *set, const fvi_synth_item *item);

#endif
