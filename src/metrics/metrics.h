/* SPDX-License-Identifier: Apache-2.0 */
/* The metrics of classification by name: what `monitor` may be, what stands in metrics.csv, events and reports. */
#ifndef FVI_METRICS_H
#define FVI_METRICS_H

#include "metrics/confusion.h"

typedef enum fvi_metric {
    FVI_METRIC_ACC,
    FVI_METRIC_TOP2,
    FVI_METRIC_TOP3,
    FVI_METRIC_TOP5,
    FVI_METRIC_TOP10,
    FVI_METRIC_F1,
    FVI_METRIC_F1_MICRO,
    FVI_METRIC_F1_WEIGHTED,
    FVI_METRIC_PRECISION,
    FVI_METRIC_PRECISION_MICRO,
    FVI_METRIC_PRECISION_WEIGHTED,
    FVI_METRIC_RECALL,
    FVI_METRIC_RECALL_MICRO,
    FVI_METRIC_RECALL_WEIGHTED,
    FVI_METRIC_BALANCED_ACC,
    FVI_METRIC_LOSS,
    FVI_METRIC_COUNT
} fvi_metric;

/* The names above in small letters, in this order; then other names of the same; NULL at the end. */
extern const char *const fvi_metric_names[];
/* Which one fvi_metric_names[index] means. */
fvi_metric fvi_metric_of(int64_t index);
bool fvi_metric_smaller_is_better(fvi_metric m);
/* Does it tell anything of so many classes? The true class is always among the five largest scores of five. */
bool fvi_metric_tells(fvi_metric m, int64_t classes);
/* zero_division 0; NaN without samples, and where the figure tells nothing. */
double fvi_metric_value(const fvi_confusion *c, fvi_metric m);

#endif
