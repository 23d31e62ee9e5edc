/* SPDX-License-Identifier: Apache-2.0 */
/* Learning rate, momentum and EMA decay as pure functions of the number of updates done: nothing to save, nothing to get
 * out of step on resume. `t` is the index of the update, from 0. The exception is plateau, which follows the validations:
 * its state is a few numbers (fvi_plateau) that belong into the checkpoint. */
#ifndef FVI_SCHEDULE_H
#define FVI_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

typedef enum fvi_schedule_kind { FVI_CONSTANT, FVI_COSINE, FVI_WARMUP_COSINE, FVI_MULTI_STEP, FVI_ONE_CYCLE, FVI_WARM_RESTARTS, FVI_PLATEAU,
                                 FVI_SCHEDULE_COUNT } fvi_schedule_kind;

typedef struct fvi_schedule {
    fvi_schedule_kind kind;
    double base;                 /* the rate: learning_rate or max_learning_rate */
    double min;                  /* cosine ends here and stays */
    int64_t warmup;              /* updates of linear warm-up: base * (t + 1) / warmup; not for one-cycle */
    int64_t total;               /* length in updates: cosine reaches min, one-cycle ends */
    double gamma;                /* multi-step */
    int n_milestones;
    int64_t milestones[8];
    int64_t restart, restart_mult;   /* warm restarts: length of the first cycle, each next one so many times longer (1: equal) */
    double factor, threshold;    /* plateau: multiplies the rate; what counts as better, as a share of the best or (absolute) as it is */
    bool absolute;
    int64_t patience, cooldown;  /* plateau: bad validations that are borne; validations after a reduction that do not count */
    int64_t reductions;          /* plateau: so far; from its state */
    double momentum;             /* constant, or where one-cycle does not cycle it */
    bool cycle_momentum;         /* one-cycle: 0.95 -> 0.85 -> 0.95 against the rate, as PyTorch */
} fvi_schedule;

double fvi_schedule_rate(const fvi_schedule *s, int64_t t);
double fvi_schedule_momentum(const fvi_schedule *s, int64_t t);
/* State of plateau: all zero before the first validation. */
typedef struct fvi_plateau { double best; int64_t seen, bad, cooldown, reductions; } fvi_plateau;
/* One validation with this figure; true when the rate was reduced. NaN is never better. */
bool fvi_plateau_step(const fvi_schedule *s, fvi_plateau *p, double value, bool smaller_is_better);
/* Closed form of cosine annealing: period 2 * total, goes up again after total. */
double fvi_cosine(double base, double min, int64_t total, int64_t t);
/* Decay of the average at update t: the first copies; then min(decay, (1 + t) / (10 + t)), so that short runs are not
 * dominated by their first weights. */
double fvi_ema_decay(double decay, int64_t t);

#endif
