/* SPDX-License-Identifier: Apache-2.0 */
/* PyTorch's OneCycleLR, cosine: up to the peak during the first 30 %, then down to peak / 25 / 1e4; momentum against it. */
#include "optim/schedule.h"

#include <math.h>

static const double pi = 3.14159265358979323846;

static double anneal(double from, double to, double share)
{
    return to + (from - to) / 2 * (1 + cos(pi * share));
}

static double one_cycle(const fv_schedule *s, int64_t t, double start, double peak, double end)
{
    double total = (double)(s->total > 1 ? s->total : 2);
    double step = (double)t < total - 1 ? (double)t : total - 1;
    double top = 0.3 * total - 1, last = total - 1;
    if (step <= top) return anneal(start, peak, top > 0 ? step / top : 1);
    return anneal(peak, end, (step - top) / (last - top));
}

static double rate(const fv_schedule *s, int64_t t) { return one_cycle(s, t, s->base / 25, s->base, s->base / 25 / 1e4); }
static double momentum(const fv_schedule *s, int64_t t) { return one_cycle(s, t, 0.95, 0.85, 0.95); }

static const fvi_schedule_def schedules[] = {{"one_cycle", "up to the rate and down again, momentum against it", "onecycle", rate, momentum, true, false}};
FVI_SCHEDULES(one_cycle, schedules);
