/* SPDX-License-Identifier: Apache-2.0 */
/* torch.optim.Adam and AdamW: with decay added to the gradient, or taken from the parameter (Loshchilov and Hutter 2019, alg. 2). */
#include "ir/graph.h"
#include "ops/optimizer.h"
#include "optim/optimizer.h"

static void adam(const fvi_update *u, fv_var *p, fv_var *gradient, bool decoupled)
{
    fv_graph *g = u->g;
    const fv_optimizer_options *o = u->o;
    fv_var *m = fv_companion(g, p, FV_OPTIMIZER, "exp_avg"), *v = fv_companion(g, p, FV_OPTIMIZER, "exp_avg_sq");
    fv_var *step = fv_companion_scalar(g, p, FV_OPTIMIZER, "step");
    const fvi_adam_attr a = {.beta2 = o->beta2 != 0 ? o->beta2 : 0.999, .eps = o->eps != 0 ? o->eps : 1e-8, .weight_decay = u->decay,
                             .lr_scale = u->lr_scale, .decoupled = decoupled};
    fv_value *y = fvi_emit(g, "adam", &a, 9, fv_var_read(g, p), fv_var_read(g, gradient), fv_var_read(g, m), fv_var_read(g, v), fv_var_read(g, step), u->lr,
                        u->momentum, u->gscale, u->skip);
    fv_var_write(g, p, y);
    fv_var_write(g, m, fv_output_of(y, 1));
    fv_var_write(g, v, fv_output_of(y, 2));
    fv_var_write(g, step, fv_output_of(y, 3));
}

static void plain(const fvi_update *u, fv_var *p, fv_var *gradient) { adam(u, p, gradient, false); }
static void decoupled(const fvi_update *u, fv_var *p, fv_var *gradient) { adam(u, p, gradient, true); }

static const fvi_optimizer_def optimizers[] = {{"adam", "Adam", "beta1", 0.9, plain}, {"adamw", "Adam with decoupled weight decay", "beta1", 0.9, decoupled}};
FVI_OPTIMIZERS(adam, optimizers);
