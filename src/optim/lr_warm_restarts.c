/* SPDX-License-Identifier: Apache-2.0 */
/* Cosine from the top of every cycle; the position in it is found in whole numbers, since logarithms misround at restarts. */
#include "optim/schedule.h"

static double rate(const fv_schedule *s, int64_t update)
{
    int64_t t = update - s->warmup, length = s->restart > 1 ? s->restart : 1;
    if (s->restart_mult <= 1) return fvi_cosine(s->base, s->min, length, t % length);
    while (t >= length) {
        t -= length;
        if (length > INT64_MAX / s->restart_mult) break;
        length *= s->restart_mult;
    }
    return fvi_cosine(s->base, s->min, length, t);
}

static const fvi_schedule_def schedules[] = {{"warm_restarts", "cosine again and again", "cosine_restarts sgdr", rate, NULL, false, false}};
FVI_SCHEDULES(warm_restarts, schedules);
