/* SPDX-License-Identifier: Apache-2.0 */
/* Schedules: closed forms. */
#include "optim/schedule.h"

#include <math.h>

static const double pi = 3.14159265358979323846;

double fvi_cosine(double base, double min, int64_t total, int64_t t)
{
    if (total < 1) return min;
    return min + (base - min) * (1 + cos(pi * (double)t / (double)total)) / 2;
}

static double anneal(double from, double to, double share)
{
    return to + (from - to) / 2 * (1 + cos(pi * share));
}

/* PyTorch's OneCycleLR, cosine: up to the peak during the first 30 %, then down to peak / 25 / 1e4. */
static double one_cycle(const fvi_schedule *s, int64_t t, double start, double peak, double end)
{
    double total = (double)(s->total > 1 ? s->total : 2);
    double step = (double)t < total - 1 ? (double)t : total - 1;
    double top = 0.3 * total - 1, last = total - 1;
    if (step <= top) return anneal(start, peak, top > 0 ? step / top : 1);
    return anneal(peak, end, (step - top) / (last - top));
}

/* Cosine from the top of every cycle; the position in it is found in whole numbers, since logarithms misround at restarts. */
static double warm_restarts(const fvi_schedule *s, int64_t t)
{
    int64_t length = s->restart > 1 ? s->restart : 1;
    if (s->restart_mult <= 1) return fvi_cosine(s->base, s->min, length, t % length);
    while (t >= length) {
        t -= length;
        if (length > INT64_MAX / s->restart_mult) break;
        length *= s->restart_mult;
    }
    return fvi_cosine(s->base, s->min, length, t);
}

/* base * factor^n, but not below min unless the base is. */
static double reduced(const fvi_schedule *s, int64_t n)
{
    double rate = s->base;
    for (int64_t i = 0; i < n && rate > s->min; i++) rate = fmax(rate * s->factor, s->min);
    return rate;
}

/* Better as PyTorch's ReduceLROnPlateau has it: relative to the best, or by an absolute amount. The first figure is. */
static bool plateau_better(const fvi_schedule *s, const fvi_plateau *p, double value, bool smaller)
{
    if (isnan(value)) return false;
    if (!p->seen) return true;
    if (smaller) return value < (s->absolute ? p->best - s->threshold : p->best * (1 - s->threshold));
    return value > (s->absolute ? p->best + s->threshold : p->best * (1 + s->threshold));
}

bool fvi_plateau_step(const fvi_schedule *s, fvi_plateau *p, double value, bool smaller)
{
    if (plateau_better(s, p, value, smaller)) {
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

static double after_warmup(const fvi_schedule *s, int64_t t)
{
    double rate = s->base;
    switch (s->kind) {
    case FVI_COSINE:
    case FVI_WARMUP_COSINE: {
        int64_t length = s->total - s->warmup, at = t - s->warmup;
        return at >= length ? s->min : fvi_cosine(s->base, s->min, length, at);
    }
    case FVI_MULTI_STEP:
        for (int i = 0; i < s->n_milestones; i++)
            if (t >= s->milestones[i]) rate *= s->gamma;
        return rate;
    case FVI_WARM_RESTARTS: return warm_restarts(s, t - s->warmup);
    case FVI_PLATEAU: return reduced(s, s->reductions);
    default:
        return rate;
    }
}

double fvi_schedule_rate(const fvi_schedule *s, int64_t t)
{
    if (s->kind == FVI_ONE_CYCLE) return one_cycle(s, t, s->base / 25, s->base, s->base / 25 / 1e4);
    if (t < s->warmup) return s->base * (double)(t + 1) / (double)s->warmup;
    return after_warmup(s, t);
}

double fvi_schedule_momentum(const fvi_schedule *s, int64_t t)
{
    if (s->kind == FVI_ONE_CYCLE && s->cycle_momentum) return one_cycle(s, t, 0.95, 0.85, 0.95);
    return s->momentum;
}

double fvi_ema_decay(double decay, int64_t t)
{
    if (t <= 0) return 0;
    double early = (1 + (double)t) / (10 + (double)t);
    return decay < early ? decay : early;
}
