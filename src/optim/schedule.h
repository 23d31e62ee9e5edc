/* SPDX-License-Identifier: Apache-2.0 */
/* Learning rate, momentum and EMA decay as pure functions of the number of updates done: nothing to save, nothing to get
 * out of step on resume. `t` is the index of the update, from 0. */
#ifndef FVI_SCHEDULE_H
#define FVI_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

typedef enum fvi_schedule_kind { FVI_CONSTANT, FVI_COSINE, FVI_WARMUP_COSINE, FVI_MULTI_STEP, FVI_ONE_CYCLE, FVI_SCHEDULE_COUNT } fvi_schedule_kind;

typedef struct fvi_schedule {
    fvi_schedule_kind kind;
    double base;                 /* the rate: learning_rate or max_learning_rate */
    double min;                  /* cosine ends here and stays */
    int64_t warmup;              /* updates of linear warm-up: base * (t + 1) / warmup; not for one-cycle */
    int64_t total;               /* length in updates: cosine reaches min, one-cycle ends */
    double gamma;                /* multi-step */
    int n_milestones;
    int64_t milestones[8];
    double momentum;             /* constant, or where one-cycle does not cycle it */
    bool cycle_momentum;         /* one-cycle: 0.95 -> 0.85 -> 0.95 against the rate, as PyTorch */
} fvi_schedule;

double fvi_schedule_rate(const fvi_schedule *s, int64_t t);
double fvi_schedule_momentum(const fvi_schedule *s, int64_t t);
/* Closed form of cosine annealing: period 2 * total, goes up again after total. */
double fvi_cosine(double base, double min, int64_t total, int64_t t);
/* Decay of the average at update t: the first copies; then min(decay, (1 + t) / (10 + t)), so that short runs are not
 * dominated by their first weights. */
double fvi_ema_decay(double decay, int64_t t);

#endif
