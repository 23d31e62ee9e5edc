/* SPDX-License-Identifier: Apache-2.0 */
/* From a picture to numbers. The order is fixed: pad_crop, horizontal_flip, normalize. Each random operation draws from
 * its own stream (seed; epoch, sample, purpose), so threads, batches and resuming cannot change what a sample becomes. */
#ifndef FVI_AUGMENT_H
#define FVI_AUGMENT_H

#include "data/data.h"

typedef struct fvi_augment {
    int size;                            /* side of the square output */
    float mean[3], std[3];               /* of pixels scaled to 0..1 */
    int pad_crop;                        /* 0: off; pad by so many black pixels, crop at random */
    double horizontal_flip;              /* probability */
} fvi_augment;

/* out: (3, size, size). `random` off: normalize only (evaluation). */
FV_CHECKED fv_status fvi_augment_apply(const fvi_augment *a, fv_context *ctx, const fv_image *image, bool random, uint64_t seed,
                                       int64_t epoch, int64_t sample, float *out);

#endif
