/* SPDX-License-Identifier: Apache-2.0 */
/* Half a cosine from the rate down to `min` at `total` (Loshchilov and Hutter, SGDR, eq. 5), after the warm-up. */
#include "optim/schedule.h"

#include <math.h>

static const double pi = 3.14159265358979323846;

double fvi_cosine(double base, double min, int64_t total, int64_t t)
{
    if (total < 1) return min;
    return min + (base - min) * (1 + cos(pi * (double)t / (double)total)) / 2;
}

static double rate(const fv_schedule *s, int64_t t)
{
    int64_t length = s->total - s->warmup, at = t - s->warmup;
    return at >= length ? s->min : fvi_cosine(s->base, s->min, length, at);
}

static const fvi_schedule_def schedules[] = {{"cosine", "half a cosine down to min_lr", NULL, rate, NULL, false, false},
                                             {"warmup_cosine", "the same; its name says that warmup_iters is meant", NULL, rate, NULL, false, false}};
FVI_SCHEDULES(cosine, schedules);
