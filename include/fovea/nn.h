/* SPDX-License-Identifier: Apache-2.0 */
/* Layers: graph pieces that own parameters. A layer's name becomes a part of the path of its parameters
 * ("layer1.0.conv1" + ".weight"), spelled as the ecosystem does, so weight files fit. Images are (N, C, H, W). */
#ifndef FOVEA_NN_H
#define FOVEA_NN_H

#include "fovea/session.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Square kernels; 0 means: stride 1, dilation 1, groups 1, padding 0. `same` pads dilation * (kernel - 1) / 2. */
typedef struct fv_conv_options {
    int64_t out, kernel, stride, padding, dilation, groups;
    bool bias, same;
    const fv_init *init;                 /* of the weight; NULL: Kaiming normal, fan out (torchvision's ResNet) */
} fv_conv_options;
#define FV_CONV(...) ((fv_conv_options){__VA_ARGS__})            /* &FV_CONV(.out = 64, .kernel = 3) */

/* (N, C, H, W) -> (N, out, H', W'); parameters name.weight (out, C / groups, kernel, kernel), name.bias (out). */
FV_API fv_value *fv_conv2d(fv_graph *g, const char *name, fv_value *x, const fv_conv_options *o);
/* x (..., in) -> (..., out); parameters name.weight (out, in), name.bias (out); PyTorch's default initialisation. */
FV_API fv_value *fv_linear(fv_graph *g, const char *name, fv_value *x, int64_t out);
FV_API fv_value *fv_linear_without_bias(fv_graph *g, const char *name, fv_value *x, int64_t out);

typedef struct fv_norm_options {
    double eps;                          /* 0: 1e-5 (batch norm), 1e-6 (layer norm) */
    double momentum;                     /* share of the new statistics, 0: 0.1 */
    bool zero_scale;                     /* scale starts at 0 (zero-initialised residual branches) */
} fv_norm_options;
/* x (N, C, ...); parameters name.weight, name.bias, buffers name.running_mean, name.running_var, all (C).
 * In training with a trainable scale: batch statistics, and the running ones are updated. Otherwise (evaluation, or
 * frozen) the running statistics. `o` may be NULL. */
FV_API fv_value *fv_batch_norm(fv_graph *g, const char *name, fv_value *x, const fv_norm_options *o);
/* Over one axis (-1 = last; 1 on images as ConvNeXt); parameters name.weight, name.bias of its length. `o` may be NULL. */
FV_API fv_value *fv_layer_norm(fv_graph *g, const char *name, fv_value *x, int axis, const fv_norm_options *o);

/* name.conv (without bias, padding `same`) -> name.bn -> ReLU. */
FV_API fv_value *fv_conv_bn_act(fv_graph *g, const char *name, fv_value *x, const fv_conv_options *o);
/* ResNet's two-convolution block, torchvision names; a 1x1 shortcut when stride or width change. */
FV_API fv_value *fv_basic_block(fv_graph *g, const char *name, fv_value *x, int64_t out, int64_t stride);
/* (N, C, H, W) -> (N, C) */
FV_API fv_value *fv_global_average_pool(fv_graph *g, fv_value *x);

/* ---- training steps: the parts that fv_trainer puts together, for steps of your own ---- */

typedef enum fv_optimizer_kind { FV_SGD, FV_ADAM, FV_ADAMW } fv_optimizer_kind;
typedef struct fv_optimizer_options {
    fv_optimizer_kind kind;
    double beta2, eps;                   /* adam, adamw; 0: 0.999, 1e-8 */
    double weight_decay;                 /* of FV_PARAM_WEIGHT tensors only */
    bool nesterov;
    double max_grad_norm;                /* 0: no clipping; a gradient that is not finite skips the update in any case */
    bool ema;                            /* keep an exponential moving average of parameters and float buffers */
    const char *prefix;                  /* only parameters below this path; NULL: all */
} fv_optimizer_options;

/* Adds to the graph: gradients of `loss` (a sum over samples) for all trainable parameters read so far under `prefix`,
 * stored in their "grad" companions (added to what is there unless `first`), and the same for the sum of `weight`,
 * which makes the step exact over micro-batches of unequal size. */
FV_API fv_status fv_accumulate_gradients(fv_graph *g, const char *prefix, fv_value *loss, fv_value *weight, bool first) FV_CHECKED;
/* Adds one optimizer update of all trainable parameters that have a gradient: total weight, norm, clipping, update,
 * average. It reads the scalars "lr", "momentum" (sgd) or "beta1" (adam), and "ema_decay": set them before each call.
 * Declares the results "norm" and "skip" (1: the gradient was not finite and nothing was changed). */
FV_API fv_status fv_optimizer_update(fv_graph *g, fv_session *s, const fv_optimizer_options *o) FV_CHECKED;

#ifdef __cplusplus
}
#endif
#endif
