/* SPDX-License-Identifier: Apache-2.0 */
/* The samples of the op records are small, so that gradients can be checked by differences. Kernels need more: whole vectors
 * and blocks of channels with a rest, several blocks and chunks, work for several threads, shapes that only one of them takes
 * (Winograd, depthwise, patches, small maps). tests/ops/test_kernels.c fails when a kernel takes none of these. N is 4. */
#include "compile/sample.h"

#include "ops/batch_norm.h"
#include "ops/bn_act.h"
#include "ops/cast.h"
#include "ops/concat.h"
#include "ops/conv2d_act.h"
#include "ops/cross_entropy.h"
#include "ops/dropout.h"
#include "ops/flip.h"
#include "ops/layer_norm.h"
#include "ops/matmul.h"
#include "ops/optimizer.h"
#include "ops/pad.h"
#include "ops/permute.h"
#include "ops/pool2d.h"
#include "ops/reduce.h"
#include "ops/resize.h"
#include "ops/samples.h"
#include "ops/shape.h"
#include "ops/slice.h"
#include "ops/softmax.h"

#define B FV_N
#define X(...) FVI_S(FVI_DRAW_NORMAL, __VA_ARGS__)
#define POSITIVE(...) FVI_S(FVI_DRAW_POSITIVE, __VA_ARGS__)
#define IMAGE X(B, 48, 15, 14)         /* 40,320 numbers; blocks of 16 channels */
#define UNEVEN X(B, 37, 17, 16)        /* 40,256 numbers; the last block is not full */
#define OFF_ZERO(...) POSITIVE(__VA_ARGS__) /* for means: of values around zero they would be rounding errors */

/* ---- attributes ---- */

/* Square: stride, padding, groups, height and width of x, kernel; the three ops read one of the last two each. */
#define CONV(s, p, g, h, k) {.stride = {s, s}, .padding = {p, p}, .dilation = {1, 1}, .groups = g, .size = {h, h}, .kernel = {k, k}}
static const fvi_conv2d_attr same16 = CONV(1, 1, 1, 16, 3), same14 = CONV(1, 1, 1, 14, 3), same4 = CONV(1, 1, 1, 4, 3), stem = CONV(2, 3, 1, 31, 7),
                             skip15 = CONV(2, 0, 1, 15, 1), skip4 = CONV(2, 0, 1, 4, 1), halves = CONV(1, 1, 2, 9, 3), depth7 = CONV(1, 3, 48, 14, 7),
                             depth5 = CONV(1, 2, 112, 9, 5), depth3 = CONV(2, 1, 32, 13, 3), patch2 = CONV(2, 0, 1, 8, 2), patch4 = CONV(4, 0, 1, 20, 4),
                             patch8 = CONV(8, 0, 1, 24, 8);
static const fvi_conv2d_act_attr relu16 = {CONV(1, 1, 1, 16, 3), FVI_ACT_RELU}, silu14 = {CONV(1, 1, 1, 14, 3), FVI_ACT_SILU};
static const fvi_matmul_attr nt = {false, true}, tn = {true, false};
static const fvi_batch_norm_attr eps = {1e-5};
static const fvi_bn_act_train_attr bn_relu = {1e-5, FVI_ACT_RELU}, bn_silu = {1e-5, FVI_ACT_SILU};
static const fvi_bn_act_train_backward_attr back_relu = {1e-5, FVI_ACT_RELU, true, true}, back_silu = {1e-5, FVI_ACT_SILU, false, false};
static const fvi_layer_norm_attr last = {1e-6, -1}, channel = {1e-6, 1};
static const fvi_gelu_attr exact = {false}, by_tanh = {true};
static const fvi_leaky_relu_attr leaky = {0.1};
static const fvi_softmax_attr axis_last = {-1}, axis_channel = {1}, first_axis = {0};
static const fvi_cross_entropy_attr smooth = {0.1, -100};
static const fvi_dropout_attr third = {0.3, 5};
static const fvi_drop_path_attr third_of_samples = {{0.3, 5}, false};
static const fvi_cast_attr to_f32 = {FV_F32}, to_bf16 = {FV_BF16}, to_i64 = {FV_I64};
static const fvi_reduce_attr all = {0, false}, rows = {8, true}, plane = {4 + 8, false}, but_channel = {1 + 4 + 8, false}, batch = {1, false};
static const fvi_pool2d_attr pool3 = {.kernel = {3, 3}, .stride = {2, 2}, .padding = {1, 1}, .size = {31, 30}, .count_include_pad = true};
static const fvi_pool2d_attr whole = {.kernel = {2, 2}, .stride = {1, 1}, .size = {2, 2}};
static const fvi_global_avg_pool2d_backward_attr size31 = {{31, 30}};
static const fvi_permute_attr nhwc = {{4, {0, 2, 3, 1}}}, turned = {{2, {1, 0}}};
static const fvi_concat_attr along_channels = {1};
static const fvi_slice_attr some_channels = {1, {1, {5}}, {1, {33}}};
static const fvi_pad_attr border = {{4, {0, 0, 1, 2}}, {4, {0, 0, 3, 0}}, 0};
static const fvi_sgd_attr nesterov = {.weight_decay = 0.01, .lr_scale = 1, .nesterov = true};
static const fvi_adam_attr adamw = {.beta2 = 0.999, .eps = 1e-8, .weight_decay = 0.05, .lr_scale = 1, .decoupled = true};

static const fvi_resize_attr twice = {FVI_RESIZE_NEAREST, false, {30, 28}, {0, 0}}, twice_back = {FVI_RESIZE_NEAREST, false, {15, 14}, {0, 0}},
                             wider = {FVI_RESIZE_BILINEAR, false, {40, 35}, {0, 0}}, wider_back = {FVI_RESIZE_BILINEAR, false, {17, 16}, {0, 0}};
static const fvi_broadcast_to_attr to_image = {{4, {FV_N, 48, 15, 14}}};
static const fvi_flip_attr sideways = {8};

#define STEP FVI_S0(FVI_DRAW_STEP)
#define UNIT FVI_S0(FVI_DRAW_UNIT)
#define ONE FVI_S0(FVI_DRAW_ONE)
#define ZERO FVI_S0(FVI_DRAW_ZERO)

const fvi_large_sample fvi_large_samples[] = {
    {"conv2d", {"Winograd", &same16, 3, {X(B, 64, 16, 16), X(64, 64, 3, 3), X(64)}}},
    {"conv2d", {"uneven channels", &same14, 2, {X(B, 40, 14, 14), X(72, 40, 3, 3)}}},
    {"conv2d", {"stem 7x7", &stem, 3, {X(B, 3, 31, 31), X(20, 3, 7, 7), X(20)}}},
    {"conv2d", {"1x1, stride 2", &skip15, 2, {X(B, 48, 15, 15), X(32, 48, 1, 1)}}},
    {"conv2d", {"two groups", &halves, 2, {X(B, 32, 9, 9), X(48, 16, 3, 3)}}},
    {"conv2d", {"depthwise 7x7", &depth7, 3, {X(B, 48, 14, 14), X(48, 1, 7, 7), X(48)}}},
    {"conv2d", {"depthwise 5x5", &depth5, 2, {X(B, 112, 9, 9), X(112, 1, 5, 5)}}},
    {"conv2d", {"depthwise 3x3, stride 2", &depth3, 2, {X(B, 32, 13, 13), X(32, 1, 3, 3)}}},
    {"conv2d", {"patches 2x2", &patch2, 3, {X(B, 16, 8, 8), X(32, 16, 2, 2), X(32)}}},
    {"conv2d", {"patches 4x4", &patch4, 3, {X(B, 3, 20, 20), X(24, 3, 4, 4), X(24)}}},
    {"conv2d", {"patches 8x8", &patch8, 3, {X(B, 3, 24, 24), X(20, 3, 8, 8), X(20)}}},
    {"conv2d_dgrad", {"Winograd", &same16, 2, {X(B, 64, 16, 16), X(64, 64, 3, 3)}}},
    {"conv2d_dgrad", {"uneven channels", &same14, 2, {X(B, 72, 14, 14), X(72, 40, 3, 3)}}},
    {"conv2d_dgrad", {"stem 7x7", &stem, 2, {X(B, 20, 16, 16), X(20, 3, 7, 7)}}},
    {"conv2d_dgrad", {"1x1, stride 2", &skip15, 2, {X(B, 32, 8, 8), X(32, 48, 1, 1)}}},
    {"conv2d_dgrad", {"two groups", &halves, 2, {X(B, 48, 9, 9), X(48, 16, 3, 3)}}},
    {"conv2d_dgrad", {"depthwise 7x7", &depth7, 2, {X(B, 48, 14, 14), X(48, 1, 7, 7)}}},
    {"conv2d_dgrad", {"depthwise 5x5", &depth5, 2, {X(B, 112, 9, 9), X(112, 1, 5, 5)}}},
    {"conv2d_dgrad", {"depthwise 3x3, stride 2", &depth3, 2, {X(B, 32, 7, 7), X(32, 1, 3, 3)}}},
    {"conv2d_dgrad", {"patches 2x2", &patch2, 2, {X(B, 32, 4, 4), X(32, 16, 2, 2)}}},
    {"conv2d_dgrad", {"patches 4x4", &patch4, 2, {X(B, 24, 5, 5), X(24, 3, 4, 4)}}},
    {"conv2d_dgrad", {"patches 8x8", &patch8, 2, {X(B, 20, 3, 3), X(20, 3, 8, 8)}}},
    {"conv2d_wgrad", {"Winograd", &same16, 2, {X(B, 64, 16, 16), X(B, 64, 16, 16)}}},
    {"conv2d_wgrad", {"uneven channels", &same14, 2, {X(B, 40, 14, 14), X(B, 72, 14, 14)}}},
    {"conv2d_wgrad", {"stem 7x7", &stem, 2, {X(B, 3, 31, 31), X(B, 20, 16, 16)}}},
    {"conv2d_wgrad", {"1x1, stride 2", &skip15, 2, {X(B, 48, 15, 15), X(B, 32, 8, 8)}}},
    {"conv2d_wgrad", {"two groups", &halves, 2, {X(B, 32, 9, 9), X(B, 48, 9, 9)}}},
    {"conv2d_wgrad", {"small maps", &same4, 2, {X(B, 64, 4, 4), X(B, 128, 4, 4)}}},
    {"conv2d_wgrad", {"small maps, 1x1, stride 2", &skip4, 2, {X(B, 64, 4, 4), X(B, 64, 2, 2)}}},
    {"conv2d_wgrad", {"depthwise 7x7", &depth7, 2, {X(B, 48, 14, 14), X(B, 48, 14, 14)}}},
    {"conv2d_wgrad", {"depthwise 5x5", &depth5, 2, {X(B, 112, 9, 9), X(B, 112, 9, 9)}}},
    {"conv2d_wgrad", {"depthwise 3x3, stride 2", &depth3, 2, {X(B, 32, 13, 13), X(B, 32, 7, 7)}}},
    {"conv2d_wgrad", {"patches 2x2", &patch2, 2, {X(B, 16, 8, 8), X(B, 32, 4, 4)}}},
    {"conv2d_wgrad", {"patches 4x4", &patch4, 2, {X(B, 3, 20, 20), X(B, 24, 5, 5)}}},
    {"conv2d_wgrad", {"patches 8x8", &patch8, 2, {X(B, 3, 24, 24), X(B, 20, 3, 3)}}},
    {"conv2d_act", {"Winograd + residual", &relu16, 4, {X(B, 64, 16, 16), X(64, 64, 3, 3), X(64), X(B, 64, 16, 16)}}},
    {"conv2d_act", {"uneven channels, silu", &silu14, 3, {X(B, 40, 14, 14), X(72, 40, 3, 3), X(72)}}},

    {"linear", {"500 to 77", NULL, 3, {X(B, 500), X(77, 500), X(77)}}},
    {"matmul", {"batched", &nt, 2, {X(B, 50, 64), X(B, 50, 64)}}},
    {"matmul", {"batched, transposed", &tn, 2, {X(B, 50, 64), X(B, 50, 37)}}},

    {"batch_norm_train", {"48 channels", &eps, 3, {OFF_ZERO(B, 48, 15, 14), POSITIVE(48), X(48)}}},
    {"batch_norm_train", {"37 channels", &eps, 3, {OFF_ZERO(B, 37, 17, 16), POSITIVE(37), X(37)}}},
    {"batch_norm_train_backward", {"48 channels", &eps, 5, {IMAGE, IMAGE, X(48), POSITIVE(48), X(48)}}},
    {"batch_norm_train_backward", {"37 channels", &eps, 5, {UNEVEN, UNEVEN, X(37), POSITIVE(37), X(37)}}},
    {"batch_norm_eval", {"48 channels", &eps, 5, {IMAGE, X(48), X(48), X(48), POSITIVE(48)}}},
    {"bn_act_train", {"relu + residual", &bn_relu, 4, {OFF_ZERO(B, 48, 15, 14), POSITIVE(48), X(48), IMAGE}}},
    {"bn_act_train", {"silu", &bn_silu, 3, {OFF_ZERO(B, 37, 17, 16), POSITIVE(37), X(37)}}},
    {"bn_act_train_backward", {"relu + residual, two", &back_relu, 8, {IMAGE, IMAGE, IMAGE, X(48), POSITIVE(48), POSITIVE(48), X(48), IMAGE}}},
    {"bn_act_train_backward", {"silu", &back_silu, 7, {UNEVEN, UNEVEN, UNEVEN, X(37), POSITIVE(37), POSITIVE(37), X(37)}}},
    {"bn_act_eval", {"relu + residual", &bn_relu, 6, {IMAGE, POSITIVE(48), X(48), X(48), POSITIVE(48), IMAGE}}},
    {"layer_norm", {"197 x 96", &last, 3, {X(B, 197, 96), X(96), X(96)}}},
    {"layer_norm", {"50 x 37", &last, 3, {X(B, 50, 37), X(37), X(37)}}},
    {"layer_norm", {"channels", &channel, 3, {IMAGE, X(48), X(48)}}},
    {"layer_norm_backward", {"197 x 96", &last, 5, {X(B, 197, 96), X(B, 197, 96), X(B, 197), POSITIVE(B, 197), X(96)}}},
    {"layer_norm_backward", {"50 x 37", &last, 5, {X(B, 50, 37), X(B, 50, 37), X(B, 50), POSITIVE(B, 50), X(37)}}},
    {"layer_norm_backward", {"channels", &channel, 5, {IMAGE, IMAGE, X(B, 15, 14), POSITIVE(B, 15, 14), X(48)}}},

    {"relu", {"48 channels", NULL, 1, {IMAGE}}},
    {"relu_backward", {"48 channels", NULL, 2, {IMAGE, IMAGE}}},
    {"leaky_relu", {"37 channels", &leaky, 1, {UNEVEN}}},
    {"silu", {"37 channels", NULL, 1, {UNEVEN}}},
    {"silu_backward", {"48 channels", NULL, 2, {IMAGE, IMAGE}}},
    {"gelu", {"exact", &exact, 1, {X(B, 9001)}}},
    {"gelu", {"by tanh", &by_tanh, 1, {X(B, 9001)}}},
    {"gelu_backward", {"exact", &exact, 2, {X(B, 9001), X(B, 9001)}}},
    {"gelu_backward", {"by tanh", &by_tanh, 2, {X(B, 9001), X(B, 9001)}}},
    {"sigmoid", {"9001", NULL, 1, {X(B, 9001)}}},
    {"tanh", {"9001", NULL, 1, {X(B, 9001)}}},
    {"erf", {"9001", NULL, 1, {X(B, 9001)}}},
    {"atan", {"9001", NULL, 1, {X(B, 9001)}}},
    {"softplus", {"9001", NULL, 1, {X(B, 9001)}}},
    {"less", {"a row each", NULL, 2, {FVI_S(FVI_DRAW_STEP, B, 97, 96), FVI_S(FVI_DRAW_STEP, 96)}}},
    {"add", {"48 channels", NULL, 2, {IMAGE, IMAGE}}},
    {"add", {"a number a channel", NULL, 2, {IMAGE, X(48, 1, 1)}}},
    {"mul", {"a number a channel and sample", NULL, 2, {UNEVEN, X(B, 37, 1, 1)}}},
    {"div", {"a row each", NULL, 2, {X(B, 97, 96), POSITIVE(96)}}},

    {"softmax", {"50 x 101", &axis_last, 1, {X(B, 50, 101)}}},
    {"softmax", {"channels", &axis_channel, 1, {X(B, 37, 13, 11)}}},
    {"softmax_backward", {"50 x 101", &axis_last, 2, {X(B, 50, 101), X(B, 50, 101)}}},
    {"log_softmax", {"50 x 101", &axis_last, 1, {X(B, 50, 101)}}},
    {"log_softmax_backward", {"50 x 101", &axis_last, 2, {X(B, 50, 101), X(B, 50, 101)}}},
    {"cross_entropy", {"1500 classes", &smooth, 2, {X(B, 1500), FVI_S_INDEX(1500, B)}}},
    {"cross_entropy", {"1500 soft classes", &smooth, 2, {X(B, 1500), FVI_S(FVI_DRAW_PROBABILITY, B, 1500)}}},
    {"cross_entropy_backward", {"1500 classes", &smooth, 3, {FVI_S0(FVI_DRAW_NORMAL), X(B, 1500), FVI_S_INDEX(1500, B)}}},
    {"argmax", {"1000 classes", &axis_last, 1, {X(B, 1000)}}},

    {"sum", {"all", &all, 1, {X(B, 48, 31, 30)}}},
    {"sum", {"all but channels", &but_channel, 1, {X(B, 48, 31, 30)}}},
    {"sum", {"samples", &batch, 1, {X(B, 48, 31, 30)}}},
    {"mean", {"planes", &plane, 1, {X(B, 48, 31, 30)}}},
    {"amax", {"rows", &rows, 1, {X(B, 48, 31, 30)}}},
    {"sum_squares", {"40000", NULL, 1, {X(40000)}}},

    {"max_pool2d", {"48 channels", &pool3, 1, {X(B, 48, 31, 30)}}},
    {"max_pool2d_backward", {"2x2 maps", &whole, 2, {X(B, 48, 1, 1), FVI_S_INDEX(4, B, 48, 1, 1)}}},
    {"avg_pool2d", {"48 channels", &pool3, 1, {X(B, 48, 31, 30)}}},
    {"avg_pool2d_backward", {"48 channels", &pool3, 1, {X(B, 48, 16, 15)}}},
    {"global_avg_pool2d", {"48 channels", NULL, 1, {X(B, 48, 31, 30)}}},
    {"global_avg_pool2d_backward", {"48 channels", &size31, 1, {X(B, 48, 1, 1)}}},

    {"permute", {"to channels-last", &nhwc, 1, {X(B, 48, 31, 30)}}},
    {"permute", {"transposed", &turned, 1, {X(B, 9001)}}},
    {"concat", {"channels", &along_channels, 2, {IMAGE, X(B, 17, 15, 14)}}},
    {"slice", {"channels", &some_channels, 1, {IMAGE}}},
    {"pad", {"48 channels", &border, 1, {IMAGE}}},
    {"resize", {"twice", &twice, 1, {X(B, 48, 15, 14)}}},
    {"resize", {"bilinear", &wider, 1, {UNEVEN}}},
    {"resize_backward", {"twice", &twice_back, 1, {X(B, 48, 30, 28)}}},
    {"resize_backward", {"bilinear", &wider_back, 1, {X(B, 37, 40, 35)}}},
    {"broadcast_to", {"a number a channel", &to_image, 1, {X(48, 1, 1)}}},
    {"flip", {"sideways", &sideways, 1, {X(B, 48, 31, 30)}}},
    {"gather", {"rows", &first_axis, 2, {X(300, 96), FVI_S_INDEX(300, B, 97)}}},
    {"gather", {"channels", &axis_channel, 2, {IMAGE, FVI_S_INDEX(48, 37)}}},
    {"take_along", {"boxes", &axis_channel, 2, {X(B, 300, 4), FVI_S_INDEX(300, B, 2100, 4)}}},
    {"index_add", {"rows", &first_axis, 3, {X(30, 1500), FVI_S_INDEX(30, 97), X(97, 1500)}}},
    {"scatter_add", {"boxes", &axis_channel, 3, {X(B, 300, 4), FVI_S_INDEX(300, B, 2100, 4), X(B, 2100, 4)}}},
    {"dropout", {"9001", &third, 2, {X(B, 9001), FVI_S_INDEX(100, 3)}}},
    {"drop_path", {"48 channels", &third_of_samples, 2, {IMAGE, FVI_S_INDEX(100, 3)}}},
    {"cast", {"to f32", &to_f32, 1, {X(B, 9001)}}},
    {"cast", {"to bf16", &to_bf16, 1, {X(B, 9001)}}},
    {"cast", {"to whole numbers", &to_i64, 1, {FVI_S_FIXED(FVI_DRAW_NORMAL, B, 9001)}}},
    {"cast", {"labels", &to_f32, 1, {FVI_S_INDEX(1000, B, 9001)}}},
    {"cast", {"pixels", &to_f32, 1, {{.dtype = FV_U8, .rank = 2, .dim = {B, 9001}, .draw = FVI_DRAW_INDEX, .classes = 256, .no_grad = true}}}},

    {"sgd", {"40000", &nesterov, 8, {X(40000), X(40000), X(40000), STEP, UNIT, UNIT, UNIT, ZERO}}},
    {"adam", {"40000", &adamw, 9, {X(40000), X(40000), X(40000), POSITIVE(40000), STEP, UNIT, UNIT, ONE, ZERO}}},
    {"ema", {"40000", NULL, 4, {X(40000), X(40000), UNIT, ZERO}}},
};
const int fvi_large_sample_count = FVI_COUNT(fvi_large_samples);
