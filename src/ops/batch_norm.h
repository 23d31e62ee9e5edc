/* SPDX-License-Identifier: Apache-2.0 */
/* batch_norm_train, batch_norm_train_backward, batch_norm_eval; shared with bn_act. */
#ifndef FVI_OPS_BATCH_NORM_H
#define FVI_OPS_BATCH_NORM_H

#include "base/attr.h"
#include "ir/op.h"

typedef struct fvi_batch_norm_attr { double eps; } fvi_batch_norm_attr;
typedef fvi_batch_norm_attr fvi_batch_norm_train_attr, fvi_batch_norm_train_backward_attr, fvi_batch_norm_eval_attr;

#define FVI_EPS_ATTR(T, fallback_)                                                                          \
    {.name = "eps", .kind = FVI_ATTR_FLOAT, .offset = offsetof(T, eps), .fallback = (fallback_), .min = 0,  \
     .max = 1, .help = "added to the variance"}

/* A bound (N, C, ...) tensor as (n, c, s). */
typedef struct fvi_channels { int64_t n, c, s; } fvi_channels;
fvi_channels fvi_channels_of(const fvi_type *bound);

/* x is floating, of rank 2 or more, and inputs first .. last are floating (C). */
FV_CHECKED fv_status fvi_batch_norm_check(fvi_infer *c, int x, int first, int last);
/* That, more than one value per channel, and the types of y, mean, var, var_unbiased. */
FV_CHECKED fv_status fvi_batch_norm_train_infer(fvi_infer *c);
/* The statistics of channel k: mean, biased and unbiased variance. */
void fvi_batch_norm_moments(const double *x, fvi_channels d, int64_t k, double *mean, double *var, double *unbiased);
/* v (C) as (1, C, 1, ...) against x. */
fv_value *fvi_channel_view(fv_graph *g, fv_value *v, const fv_value *x);
/* What gradients of the statistics add to dx; any of the last three may be NULL; NULL when all are. */
fv_value *fvi_batch_norm_moments_gradient(fv_graph *g, fv_value *x, fv_value *mean, fv_value *dmean, fv_value *dvar,
                                          fv_value *dunbiased);

#endif
