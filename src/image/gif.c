/* SPDX-License-Identifier: Apache-2.0 */
/* GIF by giflib, record by record up to the first frame (DGifSlurp would read whatever the file asks for). A frame that does not
 * fill its canvas is laid on the transparent colour, without one on the first; a canvas that a frame leaves is made larger, as Pillow does. */
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

/* Four bytes for each index; one beyond the table is black. */
static void make_colours(const ColorMapObject *map, int transparent, uint8_t colours[256][4])
{
    memset(colours, 0, 256 * 4);
    for (int i = 0; i < 256; i++) {
        if (i < map->ColorCount) memcpy(colours[i], (uint8_t[]){map->Colors[i].Red, map->Colors[i].Green, map->Colors[i].Blue}, 3);
        colours[i][3] = i == transparent ? 0 : 255;
    }
}

/* What no frame covers: no picture there, so transparent where alpha counts. */
static void fill(fvi_picture *out, const uint8_t colour[4])
{
    const uint8_t clear[4] = {colour[0], colour[1], colour[2], 0};
    const size_t n = (size_t)out->width * (size_t)out->height;
    for (size_t i = 0; i < n; i++) memcpy(out->pixels + 4 * i, clear, 4);
}

static fv_status read_frame(const fvi_encoded *e, GifFileType *g, const gif_input *in, int transparent, fvi_picture *out, fvi_image_info *info)
{
    static const struct { int start, step; } passes[] = {{0, 8}, {4, 8}, {2, 4}, {1, 2}};
    const ColorMapObject *map = g->Image.ColorMap ? g->Image.ColorMap : g->SColorMap;
    const GifImageDesc *d = &g->Image;
    uint8_t colours[256][4];
    fv_status status = FV_OK;
    if (!map) return fvi_image_fail(e, FV_ERROR_FORMAT, "damaged GIF: no colour table");
    FVI_TRY(e->ctx, fvi_image_check_size(e, d->Width, d->Height));
    FVI_TRY(e->ctx, fvi_picture_size(e->ctx, out, info->width, info->height));
    uint8_t *row = fvi_malloc((size_t)d->Width);
    if (!row) return fvi_nomem(e->ctx);
    const bool whole = d->Width == out->width && d->Height == out->height;
    make_colours(map, transparent, colours);
    if (!whole) fill(out, colours[FVI_MAX(transparent, 0)]);
    info->alpha = transparent >= 0 || !whole;
    for (int pass = 0; pass < (d->Interlace ? 4 : 1); pass++) {
        int start = d->Interlace ? passes[pass].start : 0, step = d->Interlace ? passes[pass].step : 1;
        for (int y = start; y < d->Height; y += step) {
            if (DGifGetLine(g, row, d->Width) == GIF_ERROR) {
                status = failed(e, in, g->Error);
                goto done;
            }
            uint8_t *q = out->pixels + 4 * ((size_t)(d->Top + y) * (size_t)out->width + (size_t)d->Left);
            for (int x = 0; x < d->Width; x++, q += 4) memcpy(q, colours[row[x]], 4);
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
    FVI_TRY_DONE(e->ctx, status, find_frame(e, g, &in, &transparent));
    info->width = FVI_MAX(g->SWidth, g->Image.Left + g->Image.Width);
    info->height = FVI_MAX(g->SHeight, g->Image.Top + g->Image.Height);
    FVI_TRY_DONE(e->ctx, status, fvi_image_check_size(e, info->width, info->height));
    if (out) FVI_TRY_DONE(e->ctx, status, read_frame(e, g, &in, transparent, out, info));
done:
    DGifCloseFile(g, &error);
    return status;
}
