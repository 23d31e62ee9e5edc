/* SPDX-License-Identifier: Apache-2.0 */
/* ResNet (He et al. 2015) as torchvision's "v1.5": the stride of a bottleneck is in its 3x3 convolution. Names, order of
 * creation and initialisation are torchvision's, so its weight files fit. */
#include "fovea/nn.h"
#include "models/model.h"

enum { STEM_IMAGENET, STEM_CIFAR };

typedef struct resnet_args { int64_t stem; bool zero_init_residual; } resnet_args;

static const char *const stem_names[] = {"imagenet", "cifar", NULL};

static const fvi_attr_def resnet_table[] = {
    {.name = "stem", .kind = FVI_ATTR_ENUM, .offset = offsetof(resnet_args, stem), .names = stem_names,
     .help = "imagenet: 7x7 stride 2 and max pooling; cifar: 3x3 stride 1, no pooling"},
    {.name = "zero_init_residual", .kind = FVI_ATTR_BOOL, .offset = offsetof(resnet_args, zero_init_residual),
     .help = "start the last batch norm of each block at zero (timm does, torchvision does not)"},
    FVI_ATTR_END};

typedef struct resnet_shape { bool bottleneck; int blocks[4]; } resnet_shape;

static const resnet_shape shape18 = {false, {2, 2, 2, 2}}, shape34 = {false, {3, 4, 6, 3}}, shape50 = {true, {3, 4, 6, 3}};

static fv_value *conv_bn(fv_graph *g, const char *conv, const char *bn, fv_value *x, const fv_conv_options *o, bool zero_scale)
{
    return fv_batch_norm(g, bn, fv_conv2d(g, conv, x, o), &(fv_norm_options){.zero_scale = zero_scale});
}

static fv_value *block(fv_graph *g, const char *name, fv_value *x, int64_t width, int64_t stride, bool bottleneck, bool zero)
{
    int64_t out = bottleneck ? 4 * width : width;
    fv_value *y, *shortcut = x;
    fv_push(g, "%s", name);
    if (bottleneck) {
        y = fv_relu(g, conv_bn(g, "conv1", "bn1", x, &FV_CONV(.out = width, .kernel = 1), false));
        y = fv_relu(g, conv_bn(g, "conv2", "bn2", y, &FV_CONV(.out = width, .kernel = 3, .stride = stride, .padding = 1), false));
        y = conv_bn(g, "conv3", "bn3", y, &FV_CONV(.out = out, .kernel = 1), zero);
    } else {
        y = fv_relu(g, conv_bn(g, "conv1", "bn1", x, &FV_CONV(.out = width, .kernel = 3, .stride = stride, .padding = 1), false));
        y = conv_bn(g, "conv2", "bn2", y, &FV_CONV(.out = width, .kernel = 3, .padding = 1), zero);
    }
    if (stride != 1 || fv_value_dim(x, 1) != out)
        shortcut = conv_bn(g, "downsample.0", "downsample.1", x, &FV_CONV(.out = out, .kernel = 1, .stride = stride), false);
    y = fv_relu(g, fv_add(g, y, shortcut));
    fv_pop(g);
    return y;
}

static fv_value *resnet_build(fv_graph *g, fv_value *x, int64_t classes, const void *args, const fvi_model_def *def)
{
    const resnet_args *a = args;
    const resnet_shape *shape = def->data;
    bool cifar = a->stem == STEM_CIFAR;
    const fv_conv_options *stem = cifar ? &FV_CONV(.out = 64, .kernel = 3, .padding = 1)
                                        : &FV_CONV(.out = 64, .kernel = 7, .stride = 2, .padding = 3);
    x = fv_relu(g, conv_bn(g, "conv1", "bn1", x, stem, false));
    if (!cifar) x = fv_max_pool2d(g, x, &(fv_pool2d_options){.kernel = {3, 3}, .stride = {2, 2}, .padding = {1, 1}});
    for (int s = 0; s < 4; s++) {
        for (int i = 0; i < shape->blocks[s]; i++)
            x = block(g, fv_name(g, "layer%d.%d", s + 1, i), x, 64 << s, i == 0 && s > 0 ? 2 : 1, shape->bottleneck, a->zero_init_residual);
        x = fv_mark(g, fv_name(g, "layer%d", s + 1), x);
    }
    return fv_linear(g, "fc", fv_global_average_pool(g, x), classes);
}

#define RESNET(depth, text)                                                                                     \
    {.name = "resnet" #depth, .about = text, .args = resnet_table, .args_size = sizeof(resnet_args),            \
     .build = resnet_build, .data = &shape##depth, .head = "fc"}

static const fvi_model_def resnets[] = {
    RESNET(18, "ResNet-18, basic blocks"),
    RESNET(34, "ResNet-34, basic blocks"),
    RESNET(50, "ResNet-50, bottleneck blocks"),
};
FVI_MODELS(resnet, resnets);
