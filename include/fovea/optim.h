/* SPDX-License-Identifier: Apache-2.0 */
/* Optimizers and schedules by name, update programs, groups of parameters. */
#ifndef FOVEA_OPTIM_H
#define FOVEA_OPTIM_H

#include "fovea/session.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A group of parameters with settings of its own. What no group takes is updated with the program's settings. */
typedef struct fv_param_group {
    const char *name;                    /* of its scalars: "lr.NAME"; small letters, digits, _ */
    const char *pattern;                 /* paths, with '*'; several separated by blanks; the first group that fits takes a parameter */
    double lr_scale;                     /* multiplies the rate; 0 stands for 1 */
    double weight_decay;                 /* NaN: the program's */
} fv_param_group;

typedef struct fv_optimizer_options {
    const char *name;                    /* "sgd", "adam", "adamw" (fv_optimizer_known); NULL: adamw */
    const char *program;                 /* in front of its scalars, "PROGRAM.lr", where several update one session; NULL: none */
    const char *prefix;                  /* only parameters at or below this path; NULL: all */
    double beta2, eps;                   /* adam, adamw; 0: 0.999, 1e-8 */
    double weight_decay;                 /* of FV_PARAM_WEIGHT tensors only */
    bool nesterov;
    double max_grad_norm;                /* 0: no clipping; a gradient that is not finite skips the update in any case */
    bool ema;                            /* keep an exponential moving average of parameters and float buffers */
    const fv_param_group *groups;
    int n_groups;
} fv_optimizer_options;

FV_API const char *fv_optimizer_known(int index, const char **about);    /* NULL past the end */
/* The scalar that a schedule may move beside the rate: "momentum", "beta1"; NULL: it has none. */
FV_API const char *fv_optimizer_momentum(const char *name);

/* Adds to the graph: gradients of `loss` (a sum over samples) for all trainable parameters read so far at or below `prefix`,
 * stored in their "grad" companions (added to what is there unless `first`), and the same for the sum of `weight`,
 * which makes the step exact over micro-batches of unequal size. */
FV_API fv_status fv_accumulate_gradients(fv_graph *g, const char *prefix, fv_value *loss, fv_value *weight, bool first) FV_CHECKED;
/* Adds one optimizer update of all trainable parameters that have a gradient: total weight, norm, clipping, update,
 * average. It reads the scalars "lr", "momentum" (sgd) or "beta1" (adam), and "ema_decay" (behind "PROGRAM." where it has a
 * name): set them before each call. Declares the results "norm" and "skip" (1: the gradient was not finite and nothing was changed). */
FV_API fv_status fv_optimizer_update(fv_graph *g, fv_session *s, const fv_optimizer_options *o) FV_CHECKED;

/* The rate as a function of the number of updates done; plateau follows the validations instead. */
typedef struct fv_schedule {
    const char *name;            /* fv_schedule_known; NULL: constant */
    double base;                 /* the rate: learning_rate or max_learning_rate */
    double min;                  /* cosine ends here and stays */
    int64_t warmup;              /* updates of linear warm-up: base * (t + 1) / warmup; not for one-cycle */
    int64_t total;               /* length in updates: cosine reaches min, one-cycle ends */
    double gamma;                /* multi-step */
    int n_milestones;
    int64_t milestones[8];
    int64_t restart, restart_mult;   /* warm restarts: length of the first cycle, each next one so many times longer (1: equal) */
    double factor, threshold;    /* plateau: multiplies the rate; what counts as better, as a share of the best or (absolute) as it is */
    bool absolute;
    int64_t patience, cooldown;  /* plateau: bad validations that are borne; validations after a reduction that do not count */
    int64_t reductions;          /* plateau: so far */
    double momentum;             /* constant, or where one-cycle does not cycle it */
    bool cycle_momentum;         /* one-cycle: 0.95 -> 0.85 -> 0.95 against the rate, as PyTorch */
} fv_schedule;
FV_API const char *fv_schedule_known(int index, const char **about);     /* NULL past the end */
FV_API double fv_schedule_rate(const fv_schedule *s, int64_t update);    /* NaN: no such schedule */
FV_API double fv_schedule_momentum(const fv_schedule *s, int64_t update);

#ifdef __cplusplus
}
#endif
#endif
