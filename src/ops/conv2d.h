/* SPDX-License-Identifier: Apache-2.0 */
/* conv2d, conv2d_dgrad and conv2d_wgrad: one attribute struct; each op's table lists the fields that it uses. */
#ifndef FVI_OPS_CONV2D_H
#define FVI_OPS_CONV2D_H

#include "base/attr.h"
#include "ir/op.h"

typedef struct fvi_conv2d_attr {
    int64_t stride[2], padding[2], dilation[2];   /* height, width */
    int64_t groups;
    int64_t size[2];                   /* conv2d_dgrad only: H, W of x */
    int64_t kernel[2];                 /* conv2d_wgrad only: kh, kw */
} fvi_conv2d_attr;
typedef fvi_conv2d_attr fvi_conv2d_dgrad_attr, fvi_conv2d_wgrad_attr;

/* Rows of an attribute table; also for structs that begin with fvi_conv2d_attr. */
#define FVI_CONV2D_ATTRS                                                                                              \
    {.name = "stride", .kind = FVI_ATTR_INT, .offset = offsetof(fvi_conv2d_attr, stride), .count = 2, .fallback = 1,  \
     .min = 1, .max = 65535, .help = "steps down and right"},                                                         \
    {.name = "padding", .kind = FVI_ATTR_INT, .offset = offsetof(fvi_conv2d_attr, padding), .count = 2,               \
     .min = 0, .max = 65535, .help = "zeros added on both sides of height and width"},                                \
    {.name = "dilation", .kind = FVI_ATTR_INT, .offset = offsetof(fvi_conv2d_attr, dilation), .count = 2,             \
     .fallback = 1, .min = 1, .max = 65535, .help = "distance between the kernel's taps"},                            \
    {.name = "groups", .kind = FVI_ATTR_INT, .offset = offsetof(fvi_conv2d_attr, groups), .fallback = 1,              \
     .min = 1, .max = 1 << 24, .help = "input and output channels are split in this many independent parts"}

/* Checks x, w and the optional bias; gives the type of y. */
FV_CHECKED fv_status fvi_conv2d_infer(fvi_infer *c, const fvi_conv2d_attr *a, const fvi_type *x, const fvi_type *w,
                                      const fvi_type *bias, fvi_type *y);
/* The reference: bias may be NULL. */
void fvi_conv2d_ref(const fvi_conv2d_attr *a, const fvi_ref_tensor *x, const fvi_ref_tensor *w, const double *bias,
                    const fvi_ref_tensor *y);
double fvi_conv2d_flops(const fvi_node *node);

#endif
