/* SPDX-License-Identifier: Apache-2.0 */
/* The one entry: recognises the format, checks limits, decodes, lays transparency over a colour, turns the picture. */
#include "image/codec.h"

#include <stdio.h>

fv_status fvi_picture_size(fv_context *ctx, fvi_picture *p, int width, int height)
{
    if (width < 1 || height < 1 || width > FVI_IMAGE_MAX_SIDE || height > FVI_IMAGE_MAX_SIDE || (int64_t)width * height > FVI_IMAGE_MAX_PIXELS)
        return fvi_fail(ctx, FV_ERROR_FORMAT, "picture of %d x %d pixels is outside the limits (%d a side, %d in all)", width, height,
                        FVI_IMAGE_MAX_SIDE, FVI_IMAGE_MAX_PIXELS);
    size_t bytes = 4 * (size_t)width * (size_t)height + 16;
    if (bytes > p->capacity) {
        uint8_t *pixels = fvi_malloc(bytes);             /* nothing of the old contents is wanted */
        if (!pixels) return fvi_nomem(ctx);
        fvi_free(p->pixels);
        p->pixels = pixels;
        p->capacity = bytes;
    }
    p->width = width;
    p->height = height;
    return FV_OK;
}

void fvi_picture_free(fvi_picture *p)
{
    fvi_free(p->pixels);
    memset(p, 0, sizeof *p);
}

/* ---- recognising ------------------------------------------------------------------------------------------------------ */

static bool begins(const uint8_t *data, size_t bytes, const char *magic, size_t n)
{
    return bytes >= n && !memcmp(data, magic, n);
}

/* The brands at the head of a HEIF file; one that says nothing of the coding (mif1) is nearly always HEVC. */
static fvi_image_format of_brands(const uint8_t *data, size_t bytes)
{
    static const struct { const char *brand; fvi_image_format format; } brands[] = {
        {"avif", FVI_IMAGE_AVIF}, {"avis", FVI_IMAGE_AVIF}, {"heic", FVI_IMAGE_HEIC}, {"heix", FVI_IMAGE_HEIC}, {"heim", FVI_IMAGE_HEIC},
        {"heis", FVI_IMAGE_HEIC}, {"hevc", FVI_IMAGE_HEIC}, {"hevx", FVI_IMAGE_HEIC}};
    fvi_image_format found = FVI_IMAGE_UNKNOWN;
    if (bytes < 12 || memcmp(data + 4, "ftyp", 4)) return found;
    const size_t end = FVI_MIN(bytes, (size_t)fvi_be32(data));
    for (size_t at = 8; at + 4 <= end; at += at == 8 ? 8 : 4) {          /* after the first a version */
        for (int i = 0; i < FVI_COUNT(brands); i++)
            if (!memcmp(data + at, brands[i].brand, 4)) return brands[i].format;
        if (!memcmp(data + at, "mif1", 4) || !memcmp(data + at, "msf1", 4)) found = FVI_IMAGE_HEIC;
    }
    return found;
}

fvi_image_format fvi_image_sniff(const uint8_t *data, size_t bytes)
{
    if (begins(data, bytes, "\xFF\xD8\xFF", 3)) return FVI_IMAGE_JPEG;
    if (begins(data, bytes, "\x89PNG\r\n\x1A\n", 8)) return FVI_IMAGE_PNG;
    if (begins(data, bytes, "RIFF", 4) && bytes >= 12 && !memcmp(data + 8, "WEBP", 4)) return FVI_IMAGE_WEBP;
    if (begins(data, bytes, "GIF87a", 6) || begins(data, bytes, "GIF89a", 6)) return FVI_IMAGE_GIF;
    if (begins(data, bytes, "BM", 2)) return FVI_IMAGE_BMP;
    if (bytes >= 3 && data[0] == 'P' && (data[1] == '5' || data[1] == '6') && (data[2] <= ' ' || data[2] == '#')) return FVI_IMAGE_PNM;
    return of_brands(data, bytes);
}

static const struct { const char *name; fvi_codec_fn *read; } formats[FVI_IMAGE_FORMATS] = {
    [FVI_IMAGE_UNKNOWN] = {"unknown", NULL},     [FVI_IMAGE_JPEG] = {"JPEG", fvi_jpeg_read}, [FVI_IMAGE_PNG] = {"PNG", fvi_png_read},
    [FVI_IMAGE_WEBP] = {"WebP", fvi_webp_read},  [FVI_IMAGE_GIF] = {"GIF", fvi_gif_read},    [FVI_IMAGE_BMP] = {"BMP", fvi_bmp_read},
    [FVI_IMAGE_PNM] = {"PNM", fvi_pnm_read},    [FVI_IMAGE_HEIC] = {"HEIC", fvi_heif_read}, [FVI_IMAGE_AVIF] = {"AVIF", fvi_heif_read},
};

const char *fvi_image_format_name(fvi_image_format f)
{
    return (unsigned)f < FVI_IMAGE_FORMATS ? formats[f].name : "unknown";
}

/* What the bytes of a picture that we do not read look like. */
static fv_status refuse(const fvi_encoded *e)
{
    static const struct { const char *magic, *what; size_t at, n; } known[] = {
        {"II*\0", "a TIFF picture", 0, 4}, {"MM\0*", "a TIFF picture", 0, 4}, {"\0\0\0\x0CjP  ", "a JPEG 2000 picture", 0, 8},
        {"\xFF\x0A", "a JPEG XL picture", 0, 2}, {"<svg", "an SVG drawing", 0, 4}, {"8BPS", "a Photoshop file", 0, 4},
        {"%PDF", "a PDF document", 0, 4}};
    if (!e->bytes) return fvi_image_fail(e, FV_ERROR_FORMAT, "the file is empty");
    for (int i = 0; i < FVI_COUNT(known); i++)
        if (e->bytes >= known[i].at + known[i].n && !memcmp(e->data + known[i].at, known[i].magic, known[i].n))
            return fvi_image_fail(e, FV_ERROR_UNSUPPORTED, "%s, which this fovea does not read; convert it to PNG or JPEG", known[i].what);
    return fvi_image_fail(e, FV_ERROR_FORMAT, "not a picture: its first bytes are those of no JPEG, PNG, WebP, GIF, BMP, PPM, HEIC or AVIF");
}

/* ---- what readers share ----------------------------------------------------------------------------------------------- */

fv_status fvi_image_fail_at(const fvi_encoded *e, fv_status status, const char *file, int line, const char *fmt, ...)
{
    char text[512];
    va_list args;
    va_start(args, fmt);
    fvi_vprint(text, sizeof text, fmt, args);
    va_end(args);
    return fvi_fail_at(e->ctx, status, file, line, "%s: %s", e->name, text);
}

fv_status fvi_image_check_size(const fvi_encoded *e, int64_t width, int64_t height)
{
    if (width < 1 || height < 1) return fvi_image_fail(e, FV_ERROR_FORMAT, "the header says %lld x %lld pixels", (long long)width, (long long)height);
    if (width > FVI_IMAGE_MAX_SIDE || height > FVI_IMAGE_MAX_SIDE || width * height > FVI_IMAGE_MAX_PIXELS)
        return fvi_image_fail(e, FV_ERROR_FORMAT, "the header says %lld x %lld pixels; the limits are %d a side and %d in all", (long long)width,
                              (long long)height, FVI_IMAGE_MAX_SIDE, FVI_IMAGE_MAX_PIXELS);
    return FV_OK;
}

void fvi_image_warn(fvi_image_info *info, const char *fmt, ...)
{
    if (info->warnings++) return;
    va_list args;
    va_start(args, fmt);
    fvi_vprint(info->warning, sizeof info->warning, fmt, args);
    va_end(args);
}

void fvi_image_warn_dark(const fvi_picture *p, fvi_image_info *info)
{
    unsigned most = 0;
    for (size_t i = 0; i < (size_t)p->width * (size_t)p->height; i++) most = FVI_MAX(most, p->pixels[4 * i]);
    if (most <= 16) fvi_image_warn(info, "nearly black: 16-bit grey that ends near 4095; if its data have fewer bits, spread them over 0 to 65535");
}

/* ---- after the reader ------------------------------------------------------------------------------------------------- */

static void lay_over(fvi_picture *p, fvi_alpha alpha)
{
    unsigned back = alpha == FVI_ALPHA_WHITE ? 255 : alpha == FVI_ALPHA_GREY ? 128 : 0;
    size_t n = (size_t)p->width * (size_t)p->height;
    for (uint8_t *q = p->pixels; n--; q += 4) {
        unsigned a = q[3];
        if (a == 255) continue;
        for (int c = 0; c < 3; c++) q[c] = (uint8_t)((q[c] * a + back * (255 - a) + 127) / 255);
        q[3] = 255;
    }
}

/* Turns the picture as EXIF orientations 2 to 8 say. The stored pixel (x, y) of a w x h picture goes to:
 * 2 (w-1-x, y)  3 (w-1-x, h-1-y)  4 (x, h-1-y)  5 (y, x)  6 (h-1-y, x)  7 (h-1-y, w-1-x)  8 (y, w-1-x) */
static fv_status turn(fv_context *ctx, fvi_picture *p, int orientation)
{
    int w = p->width, h = p->height;
    bool swap = orientation >= 5;
    int64_t out_w = swap ? h : w;
    bool right = orientation == 2 || orientation == 3 || orientation == 6 || orientation == 7;      /* mirrored to the right side */
    bool down = orientation == 3 || orientation == 4 || orientation == 7 || orientation == 8;
    int64_t step_x = swap ? (down ? -out_w : out_w) : right ? -1 : 1;                               /* when x grows by one */
    int64_t step_y = swap ? (right ? -1 : 1) : down ? -out_w : out_w;
    int64_t start = (swap ? (right ? h - 1 : 0) : right ? w - 1 : 0) + (swap ? (down ? w - 1 : 0) : down ? h - 1 : 0) * out_w;
    fvi_picture turned = {0};
    FVI_TRY(ctx, fvi_picture_size(ctx, &turned, swap ? h : w, swap ? w : h));
    for (int y = 0; y < h; y++) {
        const uint8_t *in = p->pixels + 4 * (size_t)y * (size_t)w;
        uint8_t *out = turned.pixels + 4 * (start + y * step_y);
        for (int x = 0; x < w; x++, in += 4, out += 4 * step_x) memcpy(out, in, 4);
    }
    fvi_picture_free(p);
    *p = turned;
    return FV_OK;
}

static fv_status read_picture(const fvi_encoded *e, const fvi_decode_options *o, fvi_picture *out, fvi_image_info *info)
{
    *info = (fvi_image_info){.orientation = 1, .scale = 1};
    info->format = fvi_image_sniff(e->data, e->bytes);
    if (info->format == FVI_IMAGE_UNKNOWN) return refuse(e);
    if (info->format == FVI_IMAGE_JPEG && o && o->scale > 1) info->scale = o->scale;
    FVI_TRY(e->ctx, formats[info->format].read(e, out, info));
    info->orientation = FVI_MAX(info->orientation, 1);
    if (out && info->alpha && o && o->alpha != FVI_ALPHA_DROP) lay_over(out, o->alpha);
    if (info->orientation < 2 || (o && o->keep_orientation)) return FV_OK;
    if (info->orientation >= 5) {
        int width = info->width;
        info->width = info->height;
        info->height = width;
    }
    return out ? turn(e->ctx, out, info->orientation) : FV_OK;
}

fv_status fvi_image_probe(fv_context *ctx, const char *name, const uint8_t *data, size_t bytes, const fvi_decode_options *o, fvi_image_info *info)
{
    fvi_encoded e = {ctx, name, data, bytes, NULL};
    return read_picture(&e, o, NULL, info);
}

fv_status fvi_image_decode(fv_context *ctx, const char *name, const uint8_t *data, size_t bytes, const fvi_decode_options *o, fvi_picture *out,
                           fvi_image_info *info)
{
    fvi_image_info own;
    const bool in_part = o && o->part[2] > o->part[0] && o->part[3] > o->part[1] && o->scale <= 1;
    fvi_encoded e = {ctx, name, data, bytes, in_part ? o->part : NULL};
    return read_picture(&e, o, out, info ? info : &own);
}
