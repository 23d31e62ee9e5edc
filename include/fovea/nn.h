/* SPDX-License-Identifier: Apache-2.0 */
/* Layers: graph pieces that own parameters. A layer's name becomes a part of the path of its parameters
 * ("layer1.0.conv1" + ".weight"), spelled as the ecosystem does, so weight files fit. Images are (N, C, H, W). */
#ifndef FOVEA_NN_H
#define FOVEA_NN_H

#include "fovea/optim.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Square kernels; 0 means: stride 1, dilation 1, groups 1, padding 0. `same` pads dilation * (kernel - 1) / 2. */
typedef struct fv_conv_options {
    int64_t out, kernel, stride, padding, dilation, groups;
    bool bias, same;
    const fv_init *init;                 /* of the weight; NULL: Kaiming normal, fan out (torchvision's ResNet) */
    const fv_init *bias_init;            /* NULL: PyTorch's default */
} fv_conv_options;
#define FV_CONV(...) ((fv_conv_options){__VA_ARGS__})            /* &FV_CONV(.out = 64, .kernel = 3) */

/* (N, C, H, W) -> (N, out, H', W'); parameters name.weight (out, C / groups, kernel, kernel), name.bias (out). */
FV_API fv_value *fv_conv2d(fv_graph *g, const char *name, fv_value *x, const fv_conv_options *o);
/* x (..., in) -> (..., out); parameters name.weight (out, in), name.bias (out); PyTorch's default initialisation. */
FV_API fv_value *fv_linear(fv_graph *g, const char *name, fv_value *x, int64_t out);
typedef struct fv_linear_options {
    int64_t out;
    bool no_bias;
    const fv_init *init, *bias_init;     /* NULL: PyTorch's default */
} fv_linear_options;
#define FV_LINEAR(...) ((fv_linear_options){__VA_ARGS__})        /* &FV_LINEAR(.out = 10, .init = &small) */
FV_API fv_value *fv_linear_with(fv_graph *g, const char *name, fv_value *x, const fv_linear_options *o);
FV_API fv_value *fv_linear_without_bias(fv_graph *g, const char *name, fv_value *x, int64_t out);

typedef struct fv_norm_options {
    double eps;                          /* 0: 1e-5 (batch norm), 1e-6 (layer norm) */
    double momentum;                     /* share of the new statistics, 0: 0.1 */
    bool zero_scale;                     /* scale starts at 0 (zero-initialised residual branches) */
    const fv_init *scale_init, *shift_init;      /* NULL: 1 (or zero_scale); 0 */
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

#ifdef __cplusplus
}
#endif
#endif
