/* SPDX-License-Identifier: Apache-2.0 */
/* GIF by giflib, record by record up to the first frame (DGifSlurp would read whatever the file asks for). */
#include "image/codec.h"

#include <gif_lib.h>

typedef struct gif_input { const uint8_t *data; size_t bytes, at; bool ended; } gif_input;

static int feed(GifFileType *g, GifByteType *to, int wanted)
{
    gif_input *in = g->UserData;
    size_t n = FVI_MIN((size_t)FVI_MAX(wanted, 0), in->bytes - in->at);
    memcpy(to, in->data + in->at, n);
    in->at += n;
    if (n < (size_t)wanted) in->ended = true;
    return (int)n;
}

static fv_status failed(const fvi_encoded *e, const gif_input *in, int error)
{
    const char *why = GifErrorString(error);
    if (error == D_GIF_ERR_NOT_ENOUGH_MEM) return fvi_image_fail(e, FV_ERROR_NOMEM, "out of memory");
    if (in->ended) return fvi_image_fail(e, FV_ERROR_FORMAT, "truncated GIF: the file ends at byte %zu, before its first frame does", e->bytes);
    return fvi_image_fail(e, FV_ERROR_FORMAT, "damaged GIF: %s, near byte %zu", why ? why : "unknown error", in->at);
}

/* Blocks in front of the first frame; *transparent: index of the transparent colour, -1: none. */
static fv_status find_frame(const fvi_encoded *e, GifFileType *g, const gif_input *in, int *transparent)
{
    *transparent = -1;
    for (;;) {
        GifRecordType type;
        if (DGifGetRecordType(g, &type) == GIF_ERROR) return failed(e, in, g->Error);
        if (type == TERMINATE_RECORD_TYPE) return fvi_image_fail(e, FV_ERROR_FORMAT, "GIF without a frame");
        if (type == IMAGE_DESC_RECORD_TYPE) break;
        if (type != EXTENSION_RECORD_TYPE) continue;
        int code;
        GifByteType *block;
        if (DGifGetExtension(g, &code, &block) == GIF_ERROR) return failed(e, in, g->Error);
        while (block) {
            if (code == GRAPHICS_EXT_FUNC_CODE && block[0] >= 4) *transparent = block[1] & 1 ? block[4] : -1;
            if (DGifGetExtensionNext(g, &block) == GIF_ERROR) return failed(e, in, g->Error);
        }
    }
    return DGifGetImageDesc(g) == GIF_ERROR ? failed(e, in, g->Error) : FV_OK;
}

/* One row of indices into the canvas; what lies outside is not seen. */
static void put_row(const GifFileType *g, const ColorMapObject *map, int transparent, const uint8_t *indices, int row, fvi_picture *out)
{
    const GifImageDesc *d = &g->Image;
    if (row >= out->height - d->Top) return;
    int n = FVI_MIN(d->Width, out->width - d->Left);
    uint8_t *q = out->pixels + 4 * ((size_t)(d->Top + row) * (size_t)out->width + (size_t)d->Left);
    for (int x = 0; x < n; x++, q += 4) {
        int i = indices[x];
        if (i < map->ColorCount) {
            q[0] = map->Colors[i].Red;
            q[1] = map->Colors[i].Green;
            q[2] = map->Colors[i].Blue;
        }
        q[3] = i == transparent ? 0 : 255;
    }
}

static fv_status read_frame(const fvi_encoded *e, GifFileType *g, const gif_input *in, int transparent, fvi_picture *out, fvi_image_info *info)
{
    static const struct { int start, step; } passes[] = {{0, 8}, {4, 8}, {2, 4}, {1, 2}};
    const ColorMapObject *map = g->Image.ColorMap ? g->Image.ColorMap : g->SColorMap;
    const GifImageDesc *d = &g->Image;
    fv_status status = FV_OK;
    if (!map) return fvi_image_fail(e, FV_ERROR_FORMAT, "damaged GIF: no colour table");
    FVI_TRY(e->ctx, fvi_image_check_size(e, d->Width, d->Height));
    FVI_TRY(e->ctx, fvi_picture_size(e->ctx, out, info->width, info->height));
    uint8_t *row = fvi_malloc((size_t)d->Width);
    if (!row) return fvi_nomem(e->ctx);
    bool whole = d->Left == 0 && d->Top == 0 && d->Width >= out->width && d->Height >= out->height;
    memset(out->pixels, 0, 4 * (size_t)out->width * (size_t)out->height);
    info->alpha = transparent >= 0 || !whole;
    for (int pass = 0; pass < (d->Interlace ? 4 : 1); pass++) {
        int start = d->Interlace ? passes[pass].start : 0, step = d->Interlace ? passes[pass].step : 1;
        for (int y = start; y < d->Height; y += step) {
            if (DGifGetLine(g, row, d->Width) == GIF_ERROR) {
                status = failed(e, in, g->Error);
                goto done;
            }
            put_row(g, map, transparent, row, y, out);
        }
    }
done:
    fvi_free(row);
    return status;
}

fv_status fvi_gif_read(const fvi_encoded *e, fvi_picture *out, fvi_image_info *info)
{
    int error = 0, transparent;
    gif_input in = {.data = e->data, .bytes = e->bytes};
    fv_status status = FV_OK;
    GifFileType *g = DGifOpen(&in, feed, &error);
    if (!g) return failed(e, &in, error);
    FVI_TRY_DONE(e->ctx, status, fvi_image_check_size(e, g->SWidth, g->SHeight));
    info->width = g->SWidth;
    info->height = g->SHeight;
    if (!out) goto done;
    FVI_TRY_DONE(e->ctx, status, find_frame(e, g, &in, &transparent));
    FVI_TRY_DONE(e->ctx, status, read_frame(e, g, &in, transparent, out, info));
done:
    DGifCloseFile(g, &error);
    return status;
}
