/* SPDX-License-Identifier: Apache-2.0 */
/* HEIC and AVIF by libheif, which is opened when the first such picture comes: no program waits for it or needs it otherwise, and none
 * is built without. Hence the few declarations of its interface, which has been stable since version 1. libheif turns, mirrors and cuts
 * as the file says, which is part of the picture there; EXIF only repeats it. Of several pictures the primary one is taken. */
#include "image/codec.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <stdio.h>

enum { COLORSPACE_RGB = 1, CHROMA_RGBA = 11, CHANNEL_INTERLEAVED = 10, COMPRESSION_HEVC = 1, COMPRESSION_AV1 = 4 };
enum { ERROR_MEMORY = 6, END_OF_DATA = 100, UNSUPPORTED_CODEC = 3000, NO_DECODER = 6003 };

typedef struct heif_error { int code, subcode; const char *message; } heif_error;
typedef struct heif_options {            /* how it begins */
    uint8_t version, ignore_transformations;
    void (*progress[3])(void);
    void *user;
    uint8_t convert_hdr_to_8bit;         /* from version 2 on */
} heif_options;
typedef struct heif_context heif_context;
typedef struct heif_handle heif_handle;
typedef struct heif_image heif_image;

/* ---- the library -------------------------------------------------------------------------------------------------------- */

static struct {
    heif_context *(*context_alloc)(void);
    void (*context_free)(heif_context *);
    void (*set_limit)(heif_context *, int side);
    heif_error (*read)(heif_context *, const void *data, size_t bytes, const void *options);
    heif_error (*primary)(heif_context *, heif_handle **);
    void (*handle_release)(const heif_handle *);
    int (*width)(const heif_handle *), (*height)(const heif_handle *), (*has_alpha)(const heif_handle *);
    heif_options *(*options_alloc)(void);
    void (*options_free)(heif_options *);
    heif_error (*decode)(const heif_handle *, heif_image **, int colorspace, int chroma, const heif_options *);
    const uint8_t *(*plane)(const heif_image *, int channel, int *stride);
    int (*image_width)(const heif_image *, int channel), (*image_height)(const heif_image *, int channel);
    void (*image_release)(const heif_image *);
    int (*have_decoder)(int compression);
    /* Of later versions; NULL where there are none. */
    heif_error (*init)(void *);
    void (*set_threads)(heif_context *, int);
    int (*is_premultiplied)(const heif_handle *);
} heif;

#define SYMBOL(member, name) {name, offsetof(__typeof__(heif), member)}
static const struct { const char *name; size_t at; } symbols[] = {
    SYMBOL(context_alloc, "heif_context_alloc"), SYMBOL(context_free, "heif_context_free"),
    SYMBOL(set_limit, "heif_context_set_maximum_image_size_limit"), SYMBOL(read, "heif_context_read_from_memory_without_copy"),
    SYMBOL(primary, "heif_context_get_primary_image_handle"), SYMBOL(handle_release, "heif_image_handle_release"),
    SYMBOL(width, "heif_image_handle_get_width"), SYMBOL(height, "heif_image_handle_get_height"),
    SYMBOL(has_alpha, "heif_image_handle_has_alpha_channel"), SYMBOL(options_alloc, "heif_decoding_options_alloc"),
    SYMBOL(options_free, "heif_decoding_options_free"), SYMBOL(decode, "heif_decode_image"), SYMBOL(plane, "heif_image_get_plane_readonly"),
    SYMBOL(image_width, "heif_image_get_width"), SYMBOL(image_height, "heif_image_get_height"), SYMBOL(image_release, "heif_image_release"),
    SYMBOL(have_decoder, "heif_have_decoder_for_format"),
    /* from here on optional */
    SYMBOL(init, "heif_init"), SYMBOL(set_threads, "heif_context_set_max_decoding_threads"),
    SYMBOL(is_premultiplied, "heif_image_handle_is_premultiplied_alpha")};
enum { OPTIONAL = 3 };

static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool is_open;
static char why_not[256];

static void open_library(void)
{
    const char *given = getenv("FOVEA_LIBHEIF"), *missing = NULL;
    void *library = dlopen(given && *given ? given : "libheif.so.1", RTLD_NOW | RTLD_LOCAL);
    for (int i = 0; library && i < FVI_COUNT(symbols); i++) {
        void *p = dlsym(library, symbols[i].name);
        memcpy((char *)&heif + symbols[i].at, &p, sizeof p);
        if (!p && i < FVI_COUNT(symbols) - OPTIONAL) missing = symbols[i].name;
    }
    is_open = library && !missing;
    if (missing) snprintf(why_not, sizeof why_not, "it is too old: it has no %s", missing);
    else if (!library) snprintf(why_not, sizeof why_not, "%s", dlerror());
    if (is_open && heif.init) heif.init(NULL);           /* finds decoders that are installed as plugins */
}

/* ---- a picture ---------------------------------------------------------------------------------------------------------- */

static fv_status failed(const fvi_encoded *e, const fvi_image_info *info, heif_error error)
{
    const bool av1 = info->format == FVI_IMAGE_AVIF;
    const char *format = fvi_image_format_name(info->format);
    if (error.code == ERROR_MEMORY && !error.subcode) return fvi_image_fail(e, FV_ERROR_NOMEM, "out of memory");
    if (error.subcode == END_OF_DATA)
        return fvi_image_fail(e, FV_ERROR_FORMAT, "truncated %s: the file ends at byte %zu, before its picture does", format, e->bytes);
    if ((error.subcode == UNSUPPORTED_CODEC || error.subcode == NO_DECODER) && !heif.have_decoder(av1 ? COMPRESSION_AV1 : COMPRESSION_HEVC))
        return fvi_image_fail(e, FV_ERROR_UNSUPPORTED, "%s picture; libheif is here without a decoder for it: install one (Debian: %s), or convert the picture to "
                              "JPEG or PNG", av1 ? "an AVIF" : "a HEIC", av1 ? "libheif-plugin-dav1d" : "libheif-plugin-libde265");
    const bool unsupported = error.subcode == UNSUPPORTED_CODEC;
    const char *text = error.message ? error.message : "libheif says no more";
    int n = (int)FVI_MIN(strlen(text), (size_t)300);
    while (n && (uint8_t)text[n - 1] <= ' ') n--;
    return fvi_image_fail(e, unsupported ? FV_ERROR_UNSUPPORTED : FV_ERROR_FORMAT, "%s %s: %.*s", unsupported ? "unsupported" : "damaged", format, n, text);
}

/* Colours that were multiplied by alpha, as they were before. */
static void divide_by_alpha(fvi_picture *p)
{
    const size_t n = (size_t)p->width * (size_t)p->height;
    for (uint8_t *q = p->pixels; q < p->pixels + 4 * n; q += 4)
        for (int c = 0; c < 3 && q[3]; c++) q[c] = (uint8_t)FVI_MIN((q[c] * 255u + q[3] / 2u) / q[3], 255u);
}

static fv_status copy_pixels(const fvi_encoded *e, const heif_image *image, fvi_picture *out, const fvi_image_info *info)
{
    int stride = 0;
    const uint8_t *rows = heif.plane(image, CHANNEL_INTERLEAVED, &stride);
    const int width = heif.image_width(image, CHANNEL_INTERLEAVED), height = heif.image_height(image, CHANNEL_INTERLEAVED);
    if (!rows || width != info->width || height != info->height || stride < 4 * width)
        return fvi_image_fail(e, FV_ERROR_FORMAT, "damaged %s: its header says %d x %d pixels, the picture in it has %d x %d",
                              fvi_image_format_name(info->format), info->width, info->height, width, height);
    FVI_TRY(e->ctx, fvi_picture_size(e->ctx, out, width, height));
    for (int y = 0; y < height; y++)
        memcpy(out->pixels + 4 * (size_t)y * (size_t)width, rows + (size_t)y * (size_t)stride, 4 * (size_t)width);
    return FV_OK;
}

/* libheif is C++ without a handler for want of memory, which would end the program: what it will take is tried beforehand. */
static fv_status try_memory(fv_context *ctx, int64_t pixels)
{
    enum { BYTES_PER_PIXEL = 12 };
    void *room = fvi_malloc((size_t)pixels * BYTES_PER_PIXEL);
    if (!room) return fvi_nomem(ctx);
    fvi_free(room);
    return FV_OK;
}

static fv_status decode(const fvi_encoded *e, const heif_handle *handle, fvi_picture *out, const fvi_image_info *info)
{
    heif_image *image = NULL;
    heif_options *options = heif.options_alloc();
    if (!options) return fvi_nomem(e->ctx);
    if (options->version >= 2) options->convert_hdr_to_8bit = 1;
    const heif_error error = heif.decode(handle, &image, COLORSPACE_RGB, CHROMA_RGBA, options);
    heif.options_free(options);
    const fv_status status = error.code || !image ? failed(e, info, error) : copy_pixels(e, image, out, info);
    if (image) heif.image_release(image);
    return status;
}

fv_status fvi_heif_read(const fvi_encoded *e, fvi_picture *out, fvi_image_info *info)
{
    heif_handle *handle = NULL;
    heif_error error;
    fv_status status = FV_OK;
    int64_t most;
    FVI_TRY(e->ctx, fvi_heif_check_sizes(e, &most));
    pthread_once(&once, open_library);
    if (!is_open)
        return fvi_image_fail(e, FV_ERROR_UNSUPPORTED, "%s picture, which fovea reads through libheif (%s): install it (Debian: libheif1), or convert the "
                              "picture to JPEG or PNG", info->format == FVI_IMAGE_AVIF ? "an AVIF" : "a HEIC", why_not);
    if (out) FVI_TRY(e->ctx, try_memory(e->ctx, most));
    heif_context *c = heif.context_alloc();
    if (!c) return fvi_nomem(e->ctx);
    heif.set_limit(c, FVI_IMAGE_MAX_SIDE);               /* the limit on pixels was kept above */
    if (heif.set_threads) heif.set_threads(c, 0);        /* pictures are read side by side already */
    error = heif.read(c, e->data, e->bytes, NULL);
    if (!error.code) error = heif.primary(c, &handle);
    if (error.code || !handle) {
        status = failed(e, info, error);
        goto done;
    }
    info->width = heif.width(handle);
    info->height = heif.height(handle);
    info->alpha = heif.has_alpha(handle) != 0;
    FVI_TRY_DONE(e->ctx, status, fvi_image_check_size(e, info->width, info->height));
    if (!out) goto done;
    FVI_TRY_DONE(e->ctx, status, decode(e, handle, out, info));
    if (info->alpha && heif.is_premultiplied && heif.is_premultiplied(handle)) divide_by_alpha(out);
done:
    if (handle) heif.handle_release(handle);
    heif.context_free(c);
    return status;
}
