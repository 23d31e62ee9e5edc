/* SPDX-License-Identifier: Apache-2.0 */
/* From a picture to numbers. The order is fixed: random_resized_crop or resize (with random_crop), pad_crop,
 * horizontal_flip, vertical_flip, color_jitter, normalize. Each random operation draws from its own stream (seed; epoch,
 * sample, purpose), so threads, batches and resuming cannot change what a sample becomes. Training, evaluation and
 * prediction all go through here. */
#ifndef FVI_AUGMENT_H
#define FVI_AUGMENT_H

#include "data/data.h"
#include "image/resize.h"

/* How a picture of another size becomes the input. */
typedef enum fvi_resize_mode {
    FVI_RESIZE_NONE,                     /* not at all: another size is an error */
    FVI_RESIZE_CROP,                     /* shorter side to size / crop_pct, then the middle */
    FVI_RESIZE_SQUASH,                   /* both sides to size */
    FVI_RESIZE_PAD                       /* longer side to size, black around */
} fvi_resize_mode;

typedef struct fvi_augment {
    int width, height;                   /* of the output */
    float mean[3], std[3];               /* of pixels scaled to 0..1 */
    fvi_decode_options decode;
    bool jpeg_scale;                     /* decode JPEG no larger than needed, by smaller DCTs */
    fvi_resize_mode resize;
    fvi_filter filter;
    double crop_pct;                     /* 0: 0.875 */
    double random_crop;                  /* CROP: probability of a random place instead of the middle */
    double random_resized_crop, scale[2], ratio[2];      /* probability; share of the area; width over height */
    int pad_crop;                        /* 0: off; pad by so many black pixels, crop at random */
    double horizontal_flip, vertical_flip;               /* probability */
    double color_jitter, brightness, contrast, saturation, hue;      /* probability; strengths */
} fvi_augment;


/* Buffers of one thread. Zeroed: empty. */
typedef struct fvi_workspace {
    fv_bytes bytes;
    fv_image planes;
    fvi_picture whole, sized;
    fvi_resizer resizer;
    int warnings;                        /* faults forgiven in the last picture */
    char warning[160];
} fvi_workspace;
void fvi_workspace_free(fvi_workspace *w);

/* What is cut out of a picture: `view` pixels, of them `box`, brought to width x height, put at (left, top) of the input. */
typedef struct fvi_geometry { int x, y, w, h; double box[4]; int width, height, left, top; } fvi_geometry;
/* For a picture of width x height. */
FV_CHECKED fv_status fvi_augment_geometry(const fvi_augment *a, fv_context *ctx, const fv_draw *d, int width, int height, fvi_geometry *out);

bool fvi_augment_moves(const fvi_augment *a);    /* another geometry for another draw */

/* Steps: planes or file -> w->whole -> w->sized (width x height) -> out (3, height, width). */
FV_CHECKED fv_status fvi_augment_planes(fv_context *ctx, fvi_workspace *w, const fv_image *image);
FV_CHECKED fv_status fvi_augment_size(const fvi_augment *a, fv_context *ctx, fvi_workspace *w, const fv_draw *d);
void fvi_augment_finish(const fvi_augment *a, const fv_draw *d, fvi_picture *sized, float *out);
/* All of it, from planes or from the bytes of a picture file. */
FV_CHECKED fv_status fvi_augment_apply(const fvi_augment *a, fv_context *ctx, fvi_workspace *w, const fv_image *image, const fv_draw *d, float *out);
FV_CHECKED fv_status fvi_augment_decode(const fvi_augment *a, fv_context *ctx, fvi_workspace *w, const char *name, const uint8_t *data, size_t bytes,
                                        const fv_draw *d, bool whole);       /* file -> w->sized; whole: all of w->whole is wanted too */

/* Colours, on a picture in place; as Pillow's ImageEnhance. `order`: a permutation of brightness, contrast, saturation, hue. */
void fvi_color_jitter(fvi_picture *p, double brightness, double contrast, double saturation, double hue, const int order[4]);

#endif
