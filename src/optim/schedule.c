/* SPDX-License-Identifier: Apache-2.0 */
/* schedule_list.inc is written by the build, one line a file; nothing here is edited for a new schedule. */
#include "optim/schedule.h"
#include "base/attr.h"

#include <math.h>

#define FVI_SCHEDULE_FILE(file) extern const fvi_schedule_list fvi_schedules_##file;
#include "schedule_list.inc"
#undef FVI_SCHEDULE_FILE

static const fvi_schedule_list *const files[] = {
#define FVI_SCHEDULE_FILE(file) &fvi_schedules_##file,
#include "schedule_list.inc"
#undef FVI_SCHEDULE_FILE
};

static const fvi_schedule_def *at(int index)
{
    for (int i = 0; i < FVI_COUNT(files) && index >= 0; i++) {
        if (index < files[i]->count) return &files[i]->schedules[index];
        index -= files[i]->count;
    }
    return NULL;
}

const char *fv_schedule_known(int index, const char **about)
{
    const fvi_schedule_def *d = at(index);
    if (d && about) *about = d->about;
    return d ? d->name : NULL;
}

int64_t fvi_schedule_index(const char *name)
{
    const fvi_schedule_def *d;
    for (int i = 0; (d = at(i)); i++)
        if (!strcmp(d->name, name) || fvi_word_in(d->aliases, name)) return i;
    return -1;
}

const fvi_schedule_def *fvi_schedule_find(const char *name)
{
    return at((int)fvi_schedule_index(name ? name : "constant"));
}

double fv_schedule_rate(const fv_schedule *s, int64_t t)
{
    const fvi_schedule_def *d = fvi_schedule_find(s->name);
    if (!d) return (double)NAN;
    if (!d->no_warmup && t < s->warmup) return s->base * (double)(t + 1) / (double)s->warmup;
    return d->rate(s, t);
}

double fv_schedule_momentum(const fv_schedule *s, int64_t t)
{
    const fvi_schedule_def *d = fvi_schedule_find(s->name);
    return d && d->momentum && s->cycle_momentum ? d->momentum(s, t) : s->momentum;
}

double fvi_ema_decay(double decay, int64_t t)
{
    if (t <= 0) return 0;
    double early = (1 + (double)t) / (10 + (double)t);
    return decay < early ? decay : early;
}
