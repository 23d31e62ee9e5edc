/* SPDX-License-Identifier: Apache-2.0 */
/* Mean, spread and interval of a few numbers. */
#ifndef FVI_STATISTICS_H
#define FVI_STATISTICS_H

typedef struct fvi_statistics {
    int n;                               /* finite values; the others are left out */
    double mean;                         /* NaN: no value */
    double deviation;                    /* of a sample, divided by n - 1; NaN below two values, like the half width */
    double half_width;                   /* of the 95 % interval of the mean, Student's t with n - 1 degrees of freedom */
} fvi_statistics;

fvi_statistics fvi_statistics_of(const double *values, int n);
/* P(-t <= T <= t) of Student's t with whole degrees of freedom; the t for which it is 0.95. NaN below one degree. */
double fvi_student_between(double t, int freedom);
double fvi_student_95(int freedom);

#endif
