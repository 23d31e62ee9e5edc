/* SPDX-License-Identifier: Apache-2.0 */
/* evaluation.json of a run: what the best weights did with the validation data. Written by the trainer beside the best
 * weights, read by reports, which so need neither data nor model. */
#ifndef FVI_RECORD_H
#define FVI_RECORD_H

#include "base/json.h"
#include "fovea/task.h"

typedef struct fvi_record {
    const char *split, *data;            /* "val"; where the data are, NULL: not known */
    int64_t step, samples;
    bool ema;
    const fv_metric *metrics;
    int n_metrics;
    const fv_json *root;                 /* reading: the whole object, with the members of the task */
} fvi_record;

/* The object up to its metrics; a task's members, each with a comma before it; the end. */
void fvi_record_begin(const fvi_record *r, fvi_text *t);
void fvi_record_end(fvi_text *t);
/* Everything lives in the arena. */
FV_CHECKED fv_status fvi_record_parse(fv_context *ctx, const char *name, const char *text, size_t bytes, fvi_arena *arena, fvi_record *out);

#endif
