/* SPDX-License-Identifier: Apache-2.0 */
/* torch.optim.SGD: momentum, Nesterov's form of it, weight decay added to the gradient. */
#include "ir/graph.h"
#include "ops/optimizer.h"
#include "optim/optimizer.h"

static void update(const fvi_update *u, fv_var *p, fv_var *gradient)
{
    fv_graph *g = u->g;
    fv_var *buffer = fv_companion(g, p, FV_OPTIMIZER, "momentum_buffer"), *step = fv_companion_scalar(g, p, FV_OPTIMIZER, "step");
    const fvi_sgd_attr a = {.weight_decay = u->decay, .lr_scale = u->lr_scale, .nesterov = u->o->nesterov};
    fv_value *y = fvi_emit(g, "sgd", &a, 8, fv_var_read(g, p), fv_var_read(g, gradient), fv_var_read(g, buffer), fv_var_read(g, step), u->lr, u->momentum,
                        u->gscale, u->skip);
    fv_var_write(g, p, y);
    fv_var_write(g, buffer, fv_output_of(y, 1));
    fv_var_write(g, step, fv_output_of(y, 2));
}

static const fvi_optimizer_def optimizers[] = {{"sgd", "SGD with momentum", "momentum", 0.9, update}};
FVI_OPTIMIZERS(sgd, optimizers);
