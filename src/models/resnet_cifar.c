/* SPDX-License-Identifier: Apache-2.0 */
/* The small ResNets for 32 x 32 pictures (He et al. 2015, section 4.2): three stages of n blocks, 6 n + 2 layers. Shortcuts
 * that change the width are 1 x 1 convolutions. docs/adding-a-model.md walks through this file. */
#include "fovea/nn.h"
#include "models/model.h"

typedef struct cifar_args { int64_t width; } cifar_args;

static const fvi_attr_def cifar_table[] = {
    {.name = "width", .kind = FVI_ATTR_INT, .offset = offsetof(cifar_args, width), .fallback = 16, .fallback_text = "16", .min = 1, .max = 1024,
     .help = "channels of the first stage; the others have twice and four times as many"},
    FVI_ATTR_END};

static fv_value *cifar_build(fv_graph *g, fv_value *x, int64_t classes, const void *args, const fvi_model_def *def)
{
    const cifar_args *a = args;
    const int *blocks = def->data;
    x = fv_conv2d(g, "conv1", x, &FV_CONV(.out = a->width, .kernel = 3, .padding = 1));
    x = fv_relu(g, fv_batch_norm(g, "bn1", x, NULL));
    for (int s = 0; s < 3; s++) {
        for (int i = 0; i < *blocks; i++)
            x = fv_basic_block(g, fv_name(g, "layer%d.%d", s + 1, i), x, a->width << s, s > 0 && i == 0 ? 2 : 1);
        x = fv_mark(g, fv_name(g, "layer%d", s + 1), x);
    }
    return fv_linear(g, "fc", fv_global_average_pool(g, x), classes);
}

static const int blocks20 = 3, blocks32 = 5, blocks56 = 9;

#define CIFAR_RESNET(depth)                                                                                                      \
    {.name = "resnet" #depth, .about = "ResNet-" #depth " for small pictures", .args = cifar_table, .args_size = sizeof(cifar_args), \
     .build = cifar_build, .data = &blocks##depth, .head = "fc"}

static const fvi_model_def models[] = {CIFAR_RESNET(20), CIFAR_RESNET(32), CIFAR_RESNET(56)};
FVI_MODELS(resnet_cifar, models);
