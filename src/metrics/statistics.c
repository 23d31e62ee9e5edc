/* SPDX-License-Identifier: Apache-2.0 */
/* Student's t by the finite sums for whole degrees of freedom (Abramowitz and Stegun, 26.7.3 and 26.7.4). */
#include "metrics/statistics.h"

#include <math.h>

static const double pi = 3.14159265358979323846;

double fvi_student_between(double t, int freedom)
{
    if (freedom < 1 || isnan(t)) return (double)NAN;
    const double angle = atan(t / sqrt((double)freedom)), sine = sin(angle), cosine = cos(angle);
    const int odd = freedom & 1;
    double term = odd ? cosine : 1, sum = 0;
    for (int k = odd ? 3 : 2; k <= freedom; k += 2) {    /* odd: cos, 2/3 cos^3 ...; even: 1, 1/2 cos^2 ... */
        sum += term;
        term *= (double)(k - 1) / k * cosine * cosine;
    }
    return odd ? 2 / pi * (angle + sine * sum) : sine * sum;
}

double fvi_student_95(int freedom)
{
    double low = 1.9, high = 13;                         /* infinite degrees: 1.96; one: 12.7 */
    if (freedom < 1) return (double)NAN;
    for (int i = 0; i < 60; i++) {
        const double middle = (low + high) / 2;
        if (fvi_student_between(middle, freedom) < 0.95) low = middle;
        else high = middle;
    }
    return (low + high) / 2;
}

fvi_statistics fvi_statistics_of(const double *values, int n)
{
    fvi_statistics s = {0, 0, 0, 0};
    double squares = 0;
    for (int i = 0; i < n; i++) {                        /* Welford */
        if (!isfinite(values[i])) continue;
        const double delta = values[i] - s.mean;
        s.mean += delta / ++s.n;
        squares += delta * (values[i] - s.mean);
    }
    if (!s.n) s.mean = (double)NAN;
    s.deviation = s.n > 1 ? sqrt(squares / (s.n - 1)) : (double)NAN;
    s.half_width = s.n > 1 ? fvi_student_95(s.n - 1) * s.deviation / sqrt((double)s.n) : (double)NAN;
    return s;
}
