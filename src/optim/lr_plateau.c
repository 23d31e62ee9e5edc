/* SPDX-License-Identifier: Apache-2.0 */
/* PyTorch's ReduceLROnPlateau: the rate falls when the monitored metric no longer improves. */
#include "optim/schedule.h"

#include <math.h>

/* base * factor^n, but not below min unless the base is. */
static double reduced(const fv_schedule *s, int64_t n)
{
    double rate = s->base;
    for (int64_t i = 0; i < n && rate > s->min; i++) rate = fmax(rate * s->factor, s->min);
    return rate;
}

/* Better: relative to the best, or by an absolute amount. The first value is. */
static bool is_better(const fv_schedule *s, const fvi_plateau *p, double value, bool smaller)
{
    if (isnan(value)) return false;
    if (!p->seen) return true;
    if (smaller) return value < (s->absolute ? p->best - s->threshold : p->best * (1 - s->threshold));
    return value > (s->absolute ? p->best + s->threshold : p->best * (1 + s->threshold));
}

bool fvi_plateau_step(const fv_schedule *s, fvi_plateau *p, double value, bool smaller)
{
    if (is_better(s, p, value, smaller)) {
        p->best = value;
        p->seen = 1;
        p->bad = 0;
    } else {
        p->bad++;
    }
    if (p->cooldown > 0) {
        p->cooldown--;
        p->bad = 0;
    }
    if (p->bad <= s->patience) return false;
    p->bad = 0;
    p->cooldown = s->cooldown;
    if (reduced(s, p->reductions) - reduced(s, p->reductions + 1) <= 1e-8) return false;     /* nothing left to take away */
    p->reductions++;
    return true;
}

static double rate(const fv_schedule *s, int64_t t)
{
    (void)t;
    return reduced(s, s->reductions);
}

static const fvi_schedule_def schedules[] = {{"plateau", "times plateau.factor when the monitored metric no longer improves", "reduce_on_plateau", rate, NULL, false, true}};
FVI_SCHEDULES(plateau, schedules);
