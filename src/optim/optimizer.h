/* SPDX-License-Identifier: Apache-2.0 */
/* An optimizer: what a file src/optim/opt_X.c exports. The build collects the files; nothing else is edited. */
#ifndef FVI_OPTIMIZER_H
#define FVI_OPTIMIZER_H

#include "base/base.h"
#include "fovea/optim.h"

/* What an update of one parameter reads. */
typedef struct fvi_update {
    fv_graph *g;
    const fv_optimizer_options *o;
    fv_value *lr, *momentum;             /* momentum: the scalar that the record names; NULL: it has none */
    fv_value *gscale, *skip;             /* what gradients are multiplied by; not 0: everything stays */
    double decay, lr_scale;              /* of this parameter */
} fvi_update;

typedef struct fvi_optimizer_def {
    const char *name, *about;
    const char *momentum;                /* name of a scalar that schedules may move; NULL: none */
    double momentum_default;
    /* Adds nodes: new values of the parameter and of its companions of role FV_OPTIMIZER. */
    void (*update)(const fvi_update *u, fv_var *parameter, fv_var *gradient);
} fvi_optimizer_def;

typedef struct fvi_optimizer_list { int count; const fvi_optimizer_def *optimizers; } fvi_optimizer_list;
#define FVI_OPTIMIZERS(file, array)                             \
    extern const fvi_optimizer_list fvi_optimizers_##file;      \
    const fvi_optimizer_list fvi_optimizers_##file = {FVI_COUNT(array), array}

/* Sets the scalar of a program (NULL: the only one), or of one of its groups of parameters. */
FV_CHECKED fv_status fvi_set_scalar(fv_session *s, const char *program, const char *name, const char *group, double value);
const fvi_optimizer_def *fvi_optimizer_find(const char *name);          /* NULL name: adamw; NULL: none of that name */

#endif
