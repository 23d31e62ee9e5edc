/* SPDX-License-Identifier: Apache-2.0 */
/* Schedules against values computed from the formulas (facts: classification, appendix A) and PyTorch's OneCycleLR. */
#include "test.h"

#include "base/base.h"
#include "optim/schedule.h"

#include <stdlib.h>

static void cosine_closed_form(void)
{
    static const double golden[] = {.1, .0975773, .09054634, .07959537, .06579634, .0505, .03520366, .02140463, .01045366, .0034227, .001, .0034227};
    for (int t = 0; t < FVI_COUNT(golden); t++) CHECK_CLOSE(fvi_cosine(.1, .001, 10, t), golden[t], 1e-7);
    CHECK_CLOSE(fvi_cosine(.1, .001, 10, 20), .1, 1e-12);
}

static void cosine_stays_at_the_end(void)
{
    fv_schedule s = {.name = "cosine", .base = .1, .min = .001, .total = 10};
    CHECK_CLOSE(fv_schedule_rate(&s, 5), .0505, 1e-12);
    CHECK_CLOSE(fv_schedule_rate(&s, 10), .001, 1e-12);
    CHECK_CLOSE(fv_schedule_rate(&s, 11), .001, 1e-12);
    CHECK_CLOSE(fv_schedule_rate(&s, 1000), .001, 1e-12);
}

/* The well-known numbers (500 warm-up, peak 1e-3, floor 1e-4, 1000 in all), with a warm-up that does not begin at zero. */
static void warmup_cosine(void)
{
    fv_schedule s = {.name = "warmup_cosine", .base = 1e-3, .min = 1e-4, .warmup = 500, .total = 1000};
    CHECK_CLOSE(fv_schedule_rate(&s, 0), 2e-6, 1e-15);
    CHECK_CLOSE(fv_schedule_rate(&s, 249), 5e-4, 1e-15);
    CHECK_CLOSE(fv_schedule_rate(&s, 499), 1e-3, 1e-15);
    CHECK_CLOSE(fv_schedule_rate(&s, 500), 1e-3, 1e-15);
    CHECK_CLOSE(fv_schedule_rate(&s, 750), 5.5e-4, 1e-15);
    CHECK_CLOSE(fv_schedule_rate(&s, 1000), 1e-4, 1e-15);
}

static void constant_and_steps(void)
{
    fv_schedule s = {.name = "constant", .base = .5, .momentum = .9};
    CHECK_CLOSE(fv_schedule_rate(&s, 0), .5, 0);
    CHECK_CLOSE(fv_schedule_rate(&s, 1000000), .5, 0);
    CHECK_CLOSE(fv_schedule_momentum(&s, 3), .9, 0);
    s = (fv_schedule){.name = "multi_step", .base = 1, .gamma = .1, .n_milestones = 3, .milestones = {3, 5, 5}};
    CHECK_CLOSE(fv_schedule_rate(&s, 2), 1, 0);
    CHECK_CLOSE(fv_schedule_rate(&s, 3), .1, 1e-15);
    CHECK_CLOSE(fv_schedule_rate(&s, 4), .1, 1e-15);
    CHECK_CLOSE(fv_schedule_rate(&s, 5), .001, 1e-15);  /* a repeated milestone counts twice */
}

/* torch.optim.lr_scheduler.OneCycleLR(SGD(lr=.1, momentum=.9), max_lr=.1, total_steps=10): rate and momentum of each step. */
static void one_cycle(void)
{
    static const double rate[] = {.004, .052, .1, .09504846320134738, .0811745653949763, .06112620219362893, .03887419780637107,
                                  .0188258346050237, .004951936798652629, 4e-07};
    static const double momentum[] = {.95, .9, .85, .854951556604879, .8688255099070633, .8888739533021842, .9111260466978157,
                                      .9311744900929366, .945048443395121, .95};
    fv_schedule s = {.name = "one_cycle", .base = .1, .total = 10, .momentum = .9, .cycle_momentum = true};
    for (int t = 0; t < 10; t++) {
        CHECK_CLOSE(fv_schedule_rate(&s, t), rate[t], 1e-13);
        CHECK_CLOSE(fv_schedule_momentum(&s, t), momentum[t], 1e-13);
    }
    s.cycle_momentum = false;
    CHECK_CLOSE(fv_schedule_momentum(&s, 4), .9, 0);
    s.total = 1;                                         /* the shortest run does not divide by zero */
    CHECK(isfinite(fv_schedule_rate(&s, 0)));
}

static void average(void)
{
    CHECK_CLOSE(fvi_ema_decay(.999, 0), 0, 0);
    CHECK_CLOSE(fvi_ema_decay(.999, 1), 2.0 / 11, 1e-15);
    CHECK_CLOSE(fvi_ema_decay(.999, 100000), .999, 0);
    CHECK_CLOSE(fvi_ema_decay(.5, 20), .5, 0);
}

/* ---- PyTorch's (tools/golden/schedules.py) ------------------------------------------------------------------------------- */

static const char *const kinds[] = {"constant", "cosine", "warmup_cosine", "multi_step", "one_cycle", "warm_restarts"};

static bool read_case(FILE *f, fv_schedule *s, char kind[32], int *rows)
{
    long long warmup, total, restart, mult;
    *s = (fv_schedule){.momentum = .9, .cycle_momentum = true};
    if (fscanf(f, "%31s %lf %lf %lld %lld %lf %lld %lld %d", kind, &s->base, &s->min, &warmup, &total, &s->gamma, &restart, &mult, rows) != 9) return false;
    s->warmup = warmup;
    s->total = total;
    s->restart = restart;
    s->restart_mult = mult;
    for (int i = 0; i < FVI_COUNT(kinds); i++)
        if (!strcmp(kind, kinds[i])) s->name = kinds[i];
    char line[256] = "", *at = line, *end;
    if (!fgets(line, sizeof line, f)) return false;
    for (long long m; s->n_milestones < 8 && (m = strtoll(at, &end, 10), end != at); at = end) s->milestones[s->n_milestones++] = m;
    return s->name != NULL;
}

static void check_case(FILE *f)
{
    fv_schedule s;
    char kind[32];
    int rows = 0;
    CHECK(read_case(f, &s, kind, &rows));
    for (int t = 0; t < rows; t++) {
        double rate, momentum;
        CHECK_EQ(fscanf(f, "%lf %lf", &rate, &momentum), 2);
        CHECK_MSG(fabs(fv_schedule_rate(&s, t) - rate) <= 1e-12 * s.base, "%s, update %d: %.17g, PyTorch's is %.17g", kind, t, fv_schedule_rate(&s, t), rate);
        CHECK_CLOSE(fv_schedule_momentum(&s, t), momentum, 1e-13);
    }
}

static void check_plateau(FILE *f)
{
    fv_schedule s = {.name = "plateau"};
    fvi_plateau p = {0};
    char mode[8], how[8];
    long long patience, cooldown;
    int rows;
    CHECK_EQ(fscanf(f, "%7s %7s %lf %lf %lf %lld %lf %lld %d", mode, how, &s.base, &s.min, &s.factor, &patience, &s.threshold, &cooldown, &rows), 9);
    s.patience = patience;
    s.cooldown = cooldown;
    s.absolute = !strcmp(how, "abs");
    for (int i = 0; i < rows; i++) {
        double value, rate, before = fv_schedule_rate(&s, i);
        CHECK_EQ(fscanf(f, "%lf %lf", &value, &rate), 2);
        bool reduced = fvi_plateau_step(&s, &p, value, !strcmp(mode, "min"));
        s.reductions = p.reductions;
        CHECK_MSG(fv_schedule_rate(&s, i) == rate, "%s %s, validation %d: %.17g, PyTorch's is %.17g", mode, how, i, fv_schedule_rate(&s, i), rate);
        CHECK(reduced == (rate < before));
    }
}

static void golden_schedules(void)
{
    FILE *f = fopen(FOVEA_TESTS_DIR "/golden/schedules.txt", "r");
    char word[16];
    int cases = 0, plateaus = 0;
    CHECK(f != NULL);
    while (fscanf(f, "%15s", word) == 1 && !test_state.failures) {
        if (!strcmp(word, "case")) cases++, check_case(f);
        else if (!strcmp(word, "plateau")) plateaus++, check_plateau(f);
        else CHECK_MSG(false, "\"%s\" in the golden file", word);
    }
    fclose(f);
    CHECK_EQ(cases, 18);
    CHECK_EQ(plateaus, 10);
}

/* Facts: (3, 2) restarts at 3, 9, 21 ...; far from the start too, where a logarithm would miss a restart by one. */
static void restarts_are_exact(void)
{
    fv_schedule s = {.name = "warm_restarts", .base = .1, .restart = 3, .restart_mult = 2, .warmup = 2};
    int64_t at = 2;
    for (int i = 0; i < 40; i++) {
        CHECK_CLOSE(fv_schedule_rate(&s, at), .1, 0);   /* no warm-up at a restart */
        if (i) CHECK(fv_schedule_rate(&s, at - 1) < .05);
        at += (int64_t)3 << i;
    }
    CHECK_CLOSE(fv_schedule_rate(&s, 0), .05, 1e-15);
    CHECK(isfinite(fv_schedule_rate(&s, INT64_MAX)));
}

TEST_MAIN(CASE(cosine_closed_form), CASE(cosine_stays_at_the_end), CASE(warmup_cosine), CASE(constant_and_steps), CASE(one_cycle), CASE(average), CASE(golden_schedules),
          CASE(restarts_are_exact))
