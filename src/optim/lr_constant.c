/* SPDX-License-Identifier: Apache-2.0 */
#include "optim/schedule.h"

static double rate(const fv_schedule *s, int64_t t)
{
    (void)t;
    return s->base;
}

static const fvi_schedule_def schedules[] = {{"constant", "the rate as it is", NULL, rate, NULL, false, false}};
FVI_SCHEDULES(constant, schedules);
