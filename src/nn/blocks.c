/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks made of several layers. */
#include "fovea/nn.h"

fv_value *fv_conv_bn_act(fv_graph *g, const char *name, fv_value *x, const fv_conv_options *o)
{
    if (!name || !x) return NULL;
    fv_conv_options conv = *o;
    conv.bias = false;
    if (!conv.padding) conv.same = true;
    fv_push(g, "%s", name);
    x = fv_relu(g, fv_batch_norm(g, "bn", fv_conv2d(g, "conv", x, &conv), NULL));
    fv_pop(g);
    return x;
}

fv_value *fv_basic_block(fv_graph *g, const char *name, fv_value *x, int64_t out, int64_t stride)
{
    if (!name || !x) return NULL;
    fv_push(g, "%s", name);
    fv_value *shortcut = x;
    fv_value *y = fv_conv2d(g, "conv1", x, &FV_CONV(.out = out, .kernel = 3, .stride = stride, .padding = 1));
    y = fv_relu(g, fv_batch_norm(g, "bn1", y, NULL));
    y = fv_batch_norm(g, "bn2", fv_conv2d(g, "conv2", y, &FV_CONV(.out = out, .kernel = 3, .padding = 1)), NULL);
    if (stride != 1 || fv_value_dim(x, 1) != out) {
        shortcut = fv_conv2d(g, "downsample.0", x, &FV_CONV(.out = out, .kernel = 1, .stride = stride));
        shortcut = fv_batch_norm(g, "downsample.1", shortcut, NULL);
    }
    y = fv_relu(g, fv_add(g, y, shortcut));
    fv_pop(g);
    return y;
}
