/* SPDX-License-Identifier: Apache-2.0 */
/* Student's t and intervals against tables and against scipy.stats (printed with 12 digits). */
#include "test.h"

#include "base/base.h"
#include "metrics/statistics.h"

/* scipy.stats.t.ppf(0.975, freedom) */
static void quantiles(void)
{
    static const struct { int freedom; double t; } table[] = {
        {1, 12.706204736175}, {2, 4.302652729749}, {3, 3.182446305284}, {4, 2.776445105198}, {5, 2.570581835636}, {7, 2.364624251593},
        {9, 2.262157162798}, {19, 2.093024054408}, {29, 2.045229642133}, {100, 1.983971518523}, {999, 1.962341461131}};
    for (int i = 0; i < FVI_COUNT(table); i++) {
        CHECK_CLOSE(fvi_student_95(table[i].freedom), table[i].t, 1e-10);
        CHECK_CLOSE(fvi_student_between(table[i].t, table[i].freedom), .95, 1e-10);
    }
    CHECK(isnan(fvi_student_95(0)));
    CHECK_CLOSE(fvi_student_between(0, 3), 0, 0);
    CHECK_CLOSE(fvi_student_between(1, 1), .5, 1e-15);   /* Cauchy */
}

static void intervals(void)
{
    const double values[] = {94.0, 94.2, 93.8, 94.1, 93.9}, holes[] = {NAN, 2, INFINITY, 4}, equal[] = {.3, .3, .3};
    fvi_statistics s = fvi_statistics_of(values, 5);
    CHECK_EQ(s.n, 5);
    CHECK_CLOSE(s.mean, 94, 1e-12);
    CHECK_CLOSE(s.deviation * s.deviation, .025, 1e-10);
    CHECK_CLOSE(s.half_width, .196324, 1e-6);
    s = fvi_statistics_of(holes, 4);
    CHECK_EQ(s.n, 2);
    CHECK_CLOSE(s.mean, 3, 1e-15);
    CHECK_CLOSE(s.half_width, 12.706204736175, 1e-10);
    s = fvi_statistics_of(equal, 3);
    CHECK_CLOSE(s.half_width, 0, 1e-15);
    s = fvi_statistics_of(values, 1);
    CHECK_CLOSE(s.mean, 94, 0);
    CHECK(isnan(s.deviation) && isnan(s.half_width));
    s = fvi_statistics_of(values, 0);
    CHECK(s.n == 0 && isnan(s.mean));
}

TEST_MAIN(CASE(quantiles), CASE(intervals))
