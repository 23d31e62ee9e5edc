/* SPDX-License-Identifier: Apache-2.0 */
/* A schedule: what a file src/optim/lr_X.c exports. Learning rate, momentum and EMA decay are pure functions of the number of updates
 * done: nothing to save, nothing to get out of step on resume. `t` is the index of the update, from 0. The exception is plateau, which
 * follows the validations: its state is a few numbers (fvi_plateau) that belong into the checkpoint. */
#ifndef FVI_SCHEDULE_H
#define FVI_SCHEDULE_H

#include "base/base.h"
#include "fovea/optim.h"

typedef struct fvi_schedule_def {
    const char *name, *about;
    const char *aliases;                 /* other names, separated by blanks, or NULL */
    double (*rate)(const fv_schedule *s, int64_t t);     /* after the warm-up; t counts from the first update */
    double (*momentum)(const fv_schedule *s, int64_t t); /* NULL: it stays */
    bool no_warmup;                      /* it has a warm-up of its own */
    bool by_validation;                  /* moved by fvi_plateau_step */
} fvi_schedule_def;

typedef struct fvi_schedule_list { int count; const fvi_schedule_def *schedules; } fvi_schedule_list;
#define FVI_SCHEDULES(file, array)                              \
    extern const fvi_schedule_list fvi_schedules_##file;        \
    const fvi_schedule_list fvi_schedules_##file = {FVI_COUNT(array), array}

const fvi_schedule_def *fvi_schedule_find(const char *name);            /* NULL name: constant; NULL: none of that name or alias */
/* Index, as in fv_schedule_known, of a name or alias; -1: none. */
int64_t fvi_schedule_index(const char *name);

/* Closed form of cosine annealing: period 2 * total, goes up again after total. */
double fvi_cosine(double base, double min, int64_t total, int64_t t);
/* Decay of the average at update t: the first copies; then min(decay, (1 + t) / (10 + t)), so that short runs are not
 * dominated by their first weights. */
double fvi_ema_decay(double decay, int64_t t);

/* State of plateau: all zero before the first validation. */
typedef struct fvi_plateau { double best; int64_t seen, bad, cooldown, reductions; } fvi_plateau;
/* One validation with this value of the metric; true when the rate was reduced. NaN is never better. */
bool fvi_plateau_step(const fv_schedule *s, fvi_plateau *p, double value, bool smaller_is_better);

#endif
