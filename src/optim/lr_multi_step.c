/* SPDX-License-Identifier: Apache-2.0 */
#include "optim/schedule.h"

static double rate(const fv_schedule *s, int64_t t)
{
    double rate = s->base;
    for (int i = 0; i < s->n_milestones; i++)
        if (t >= s->milestones[i]) rate *= s->gamma;
    return rate;
}

static const fvi_schedule_def schedules[] = {{"multi_step", "times gamma at each of milestones", "multistep", rate, NULL, false, false}};
FVI_SCHEDULES(multi_step, schedules);
