/* SPDX-License-Identifier: Apache-2.0 */
/* Pictures: any supported file's bytes to RGB, recognised by content. All readers keep the same limits, name file and
 * place in errors, count what they had to forgive, and give the pixels that Pillow gives. */
#ifndef FVI_IMAGE_H
#define FVI_IMAGE_H

#include "base/base.h"

#define FVI_IMAGE_MAX_SIDE 65500
#define FVI_IMAGE_MAX_PIXELS 100000000
#define FVI_IMAGE_MAX_FRAMES 512
#define FVI_IMAGE_MAX_SCANS 100

/* Four bytes a pixel: R, G, B and one that decoders use for alpha; rows follow one another. The buffer has 16 bytes more
 * than its pixels, so that vector loads of the last pixel stay inside. */
typedef struct fvi_picture { uint8_t *pixels; int width, height; size_t capacity; } fvi_picture;
/* Sets the size; the buffer grows when needed and is kept. Contents are undefined afterwards. */
FV_CHECKED fv_status fvi_picture_size(fv_context *ctx, fvi_picture *p, int width, int height);
void fvi_picture_free(fvi_picture *p);

typedef enum fvi_image_format {
    FVI_IMAGE_UNKNOWN, FVI_IMAGE_JPEG, FVI_IMAGE_PNG, FVI_IMAGE_WEBP, FVI_IMAGE_GIF, FVI_IMAGE_BMP, FVI_IMAGE_PNM, FVI_IMAGE_HEIC,
    FVI_IMAGE_AVIF, FVI_IMAGE_FORMATS
} fvi_image_format;
/* FVI_IMAGE_SNIFF bytes are enough. */
#define FVI_IMAGE_SNIFF 64
fvi_image_format fvi_image_sniff(const uint8_t *data, size_t bytes);
const char *fvi_image_format_name(fvi_image_format f);

/* What becomes of transparent pixels: their colour as stored (as Pillow's convert("RGB")), or laid over a colour. */
typedef enum fvi_alpha { FVI_ALPHA_DROP, FVI_ALPHA_WHITE, FVI_ALPHA_BLACK, FVI_ALPHA_GREY } fvi_alpha;

typedef struct fvi_decode_options {
    fvi_alpha alpha;
    bool keep_orientation;               /* do not turn the picture as its EXIF tag (or XMP) says; HEIC and AVIF are turned always: it is part of them */
    int scale;                           /* JPEG only: decode at 1/scale (2, 4, 8) by smaller DCTs; 0 or 1: full */
    int part[4];                         /* x0, y0, x1, y1: only these pixels are wanted, the others may be anything; zeros: all */
} fvi_decode_options;

typedef struct fvi_image_info {
    fvi_image_format format;
    int width, height;                   /* at full scale, turned unless keep_orientation */
    int orientation;                     /* EXIF or XMP, 1..8; 1: none */
    int scale;                           /* that was used */
    bool alpha;                          /* has transparency */
    int warnings;                        /* faults that were forgiven */
    char warning[160];                   /* the first of them */
} fvi_image_info;

/* Header only. `name` is what errors call the picture. */
FV_CHECKED fv_status fvi_image_probe(fv_context *ctx, const char *name, const uint8_t *data, size_t bytes, const fvi_decode_options *o,
                                     fvi_image_info *info);
/* Errors: FORMAT (damaged, truncated, over a limit), UNSUPPORTED (a known format that this build does not read), NOMEM. */
FV_CHECKED fv_status fvi_image_decode(fv_context *ctx, const char *name, const uint8_t *data, size_t bytes, const fvi_decode_options *o,
                                      fvi_picture *out, fvi_image_info *info);

#endif
