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
