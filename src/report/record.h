/* SPDX-License-Identifier: Apache-2.0 */
/* evaluation.json of a run: what the best weights did with the validation data. Written by the trainer beside the best
 * weights, read by reports, which so need neither data nor model. */
#ifndef FVI_RECORD_H
#define FVI_RECORD_H

#include "base/json.h"

typedef struct fvi_record_mistake {
    const char *name;                    /* of the sample */
    int64_t id, truth, predicted;
    double probability, truth_probability, loss;
    const char *picture;                 /* "data:image/png;base64,..." or NULL */
    int64_t width, height;
} fvi_record_mistake;

typedef struct fvi_record_metric { const char *name; double value; } fvi_record_metric;

typedef struct fvi_record {
    const char *split, *data;            /* "val"; where the data are, NULL: not known */
    int64_t step, samples, classes;
    bool ema;
    const char *const *names;            /* (classes) */
    const int64_t *counts;               /* (classes, classes): row = true */
    const fvi_record_metric *metrics;
    int n_metrics;
    const fvi_record_mistake *mistakes;  /* worst first */
    int n_mistakes;
} fvi_record;

char *fvi_record_text(const fvi_record *r);              /* owned by the caller; NULL when memory is exhausted */
/* Everything lives in the arena. Checked: sizes, class numbers, the form of pictures. */
FV_CHECKED fv_status fvi_record_parse(fv_context *ctx, const char *name, const char *text, size_t bytes, fvi_arena *arena, fvi_record *out);
/* "data:image/png;base64," and the bytes. Owned by the caller; NULL when memory is exhausted. */
char *fvi_png_uri(const uint8_t *png, size_t bytes);

#endif
