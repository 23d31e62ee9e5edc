/* SPDX-License-Identifier: Apache-2.0 */
/* Where a PNG tells its orientation: the eXIf chunk; EXIF as hexadecimal text ("Raw profile type exif", of ImageMagick, from before
 * that chunk existed); XMP. Each may stand before or after the pixels; the chunks' lengths are enough to find it. */
#include "image/codec.h"

#include <zlib.h>

enum { MOST_TEXT = 1 << 20 };            /* of a text, unpacked; the rest is not looked at */

typedef struct text { uint8_t *data; size_t bytes; } text;

static fv_status unpack(const fvi_encoded *e, const uint8_t *from, size_t bytes, text *out)
{
    z_stream z = {.next_in = (Bytef *)(uintptr_t)from, .avail_in = (uInt)bytes, .next_out = out->data, .avail_out = MOST_TEXT};
    if (inflateInit(&z) != Z_OK) return fvi_nomem(e->ctx);
    const bool memory = inflate(&z, Z_FINISH) == Z_MEM_ERROR;
    out->bytes = MOST_TEXT - z.avail_out;                /* of a damaged one what there is */
    inflateEnd(&z);
    return memory ? fvi_nomem(e->ctx) : FV_OK;
}

/* The chunk's text, owned by the caller, when its keyword is this one. */
static fv_status read_text(const fvi_encoded *e, const uint8_t *chunk, size_t bytes, const char *keyword, text *out)
{
    const uint8_t *p = chunk + 4, *end = p + bytes;
    const size_t n = strlen(keyword) + 1;
    const bool international = !memcmp(chunk, "iTXt", 4);
    bool packed = !memcmp(chunk, "zTXt", 4);
    if (out->data || (!packed && !international && memcmp(chunk, "tEXt", 4)) || bytes < n || memcmp(p, keyword, n)) return FV_OK;
    p += n;
    if (international) packed = p < end && *p;
    const int strings = international ? 2 : 0;           /* language, translated keyword */
    p += international ? 2 : packed ? 1 : 0;
    for (int i = 0; i < strings && p < end; i++) {
        const uint8_t *nul = memchr(p, 0, (size_t)(end - p));
        p = nul ? nul + 1 : end;
    }
    if (p >= end) return FV_OK;
    out->data = fvi_malloc(MOST_TEXT);
    if (!out->data) return fvi_nomem(e->ctx);
    if (packed) return unpack(e, p, (size_t)(end - p), out);
    out->bytes = FVI_MIN((size_t)(end - p), (size_t)MOST_TEXT);
    memcpy(out->data, p, out->bytes);
    return FV_OK;
}

static int digit(uint8_t c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1; }

/* An empty line, the profile's name, its length, then its bytes in hexadecimal; they are put in place of the text. */
static int raw_profile_orientation(text *t)
{
    size_t at = 0, digits = 0;
    for (int lines = 0; lines < 3 && at < t->bytes; at++) lines += t->data[at] == '\n';
    for (; at < t->bytes; at++) {
        const int d = digit(t->data[at]);
        if (d < 0) continue;
        t->data[digits / 2] = (uint8_t)(digits % 2 ? t->data[digits / 2] | d : d << 4);
        digits++;
    }
    return fvi_exif_orientation(t->data, digits / 2);
}

fv_status fvi_png_orientation(const fvi_encoded *e, int *orientation)
{
    text profile = {0}, xmp = {0};
    fv_status status = FV_OK;
    int exif = -1;
    for (size_t at = 8; e->bytes - at >= 12 && exif < 0;) {
        const size_t n = fvi_be32(e->data + at);
        const uint8_t *chunk = e->data + at + 4;
        if (n > e->bytes - at - 12) break;
        if (!memcmp(chunk, "eXIf", 4)) exif = fvi_exif_orientation(chunk + 4, n);
        FVI_TRY_DONE(e->ctx, status, read_text(e, chunk, n, "Raw profile type exif", &profile));
        FVI_TRY_DONE(e->ctx, status, read_text(e, chunk, n, "XML:com.adobe.xmp", &xmp));
        at += n + 12;
    }
    if (exif < 0) exif = profile.bytes ? raw_profile_orientation(&profile) : 0;
    *orientation = exif ? exif : xmp.data ? fvi_xmp_orientation(xmp.data, xmp.bytes) : 0;
done:
    fvi_free(profile.data);
    fvi_free(xmp.data);
    return status;
}
