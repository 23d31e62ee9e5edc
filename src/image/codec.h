/* SPDX-License-Identifier: Apache-2.0 */
/* Between decode.c and the readers of each format. */
#ifndef FVI_CODEC_H
#define FVI_CODEC_H

#include "image/image.h"

typedef struct fvi_encoded {
    fv_context *ctx;
    const char *name;
    const uint8_t *data;
    size_t bytes;
    const int *part;                     /* of the stored picture, or NULL: a reader may leave out the rest */
} fvi_encoded;

/* A reader fills width, height, orientation (stored, not yet turned; 0: not told) and alpha; decode also the pixels, with alpha in the
 * fourth byte where info->alpha. info->scale: in: wanted; out: used. */
typedef fv_status fvi_codec_fn(const fvi_encoded *e, fvi_picture *out, fvi_image_info *info);
fvi_codec_fn fvi_jpeg_read, fvi_png_read, fvi_webp_read, fvi_gif_read, fvi_bmp_read, fvi_pnm_read, fvi_heif_read;   /* out NULL: header only */

/* Fails with "name: <format>: ..." */
#define fvi_image_fail(e, status, ...) fvi_image_fail_at((e), (status), __FILE__, __LINE__, __VA_ARGS__)
FV_CHECKED fv_status fvi_image_fail_at(const fvi_encoded *e, fv_status status, const char *file, int line, const char *fmt, ...) FV_PRINTF(5, 6);
/* The limits on what a header says. */
FV_CHECKED fv_status fvi_image_check_size(const fvi_encoded *e, int64_t width, int64_t height);
/* For grey of 16 bits: 10- or 12-bit data in such a file come out nearly black. Nothing tells them from a dark picture: it is only said. */
void fvi_image_warn_dark(const fvi_picture *p, fvi_image_info *info);
void fvi_image_warn(fvi_image_info *info, const char *fmt, ...) FV_PRINTF(2, 3);

/* Orientation in a block that begins with a TIFF header, with or without "Exif\0\0" before it: 1 to 8 (1 for a value or block that
 * makes no sense); 0: the block does not tell it. Where EXIF does not, XMP may. */
int fvi_exif_orientation(const uint8_t *data, size_t bytes);
int fvi_xmp_orientation(const uint8_t *data, size_t bytes);
/* Holds the sizes that a HEIF file tells to the limits; *most: pixels of the largest picture in it. */
FV_CHECKED fv_status fvi_heif_check_sizes(const fvi_encoded *e, int64_t *most);
/* Orientation of a PNG file. */
FV_CHECKED fv_status fvi_png_orientation(const fvi_encoded *e, int *orientation);

static inline uint32_t fvi_le16(const uint8_t *p) { return (uint32_t)p[0] | (uint32_t)p[1] << 8; }
static inline uint32_t fvi_le32(const uint8_t *p) { return fvi_le16(p) | fvi_le16(p + 2) << 16; }
static inline uint32_t fvi_be16(const uint8_t *p) { return (uint32_t)p[0] << 8 | (uint32_t)p[1]; }
static inline uint32_t fvi_be32(const uint8_t *p) { return fvi_be16(p) << 16 | fvi_be16(p + 2); }

#endif
