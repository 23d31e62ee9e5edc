/* SPDX-License-Identifier: Apache-2.0 */
/* sgd, adam, ema: attribute structs, and shape inference. Kernels read only the structs. */
#ifndef FVI_OPS_OPTIMIZER_H
#define FVI_OPS_OPTIMIZER_H

#include "ops/elementwise.h"

/* lr_scale multiplies the rate, for groups of parameters (layer decay). */
typedef struct fvi_sgd_attr { double dampening, weight_decay, lr_scale; bool nesterov; } fvi_sgd_attr;
typedef struct fvi_adam_attr { double beta2, eps, weight_decay, lr_scale; bool decoupled; } fvi_adam_attr;

/* The first `tensors` inputs have one shape, the others are scalars. Output i has the type of input from[i]. */
static inline fv_status fvi_infer_update(fvi_infer *c, int tensors, const int *from)
{
    char a[FVI_TYPE_TEXT], b[FVI_TYPE_TEXT];
    FVI_TRY(c->ctx, fvi_infer_floats(c, 0));
    for (int i = 1; i < tensors; i++)
        if (!fvi_type_same_shape(&c->in[i], &c->in[0]))
            return fvi_infer_fail(c, "input %d is %s, but the parameter is %s", i,
                                  fvi_type_text(&c->in[i], a), fvi_type_text(&c->in[0], b));
    for (int i = tensors; i < c->n_in; i++)
        if (c->in[i].rank) return fvi_infer_fail(c, "input %d must be a scalar, not %s", i, fvi_type_text(&c->in[i], a));
    for (int i = 0; i < c->op->n_out; i++) c->out[i] = c->in[from[i]];
    return FV_OK;
}

#endif
