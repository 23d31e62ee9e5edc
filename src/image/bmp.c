/* SPDX-License-Identifier: Apache-2.0 */
/* BMP: headers of 12, 40, 52, 56, 108 and 124 bytes; 1, 4, 8, 16, 24 and 32 bits; plain, RLE4, RLE8 and bit fields;
 * rows from below or from above. */
#include "image/codec.h"

enum { RGB = 0, RLE8 = 1, RLE4 = 2, BITFIELDS = 3, ALPHABITFIELDS = 6 };

typedef struct bmp_mask { uint32_t mask; int shift, bits; } bmp_mask;

typedef struct bmp_file {
    const fvi_encoded *e;
    int width, height, bits, compression;
    bool top_down;
    size_t pixels;                       /* offset of the rows */
    uint8_t palette[256][3];
    int colours;
    bmp_mask masks[4];                   /* R, G, B, alpha */
} bmp_file;

static fv_status cut(const fvi_encoded *e, const char *where)
{
    return fvi_image_fail(e, FV_ERROR_FORMAT, "truncated BMP: the file ends at byte %zu, in its %s", e->bytes, where);
}

static bool set_mask(bmp_mask *m, uint32_t mask)
{
    *m = (bmp_mask){.mask = mask};
    if (!mask) return true;
    while (!(mask >> m->shift & 1)) m->shift++;
    uint32_t ones = mask >> m->shift;
    while (m->bits < 32 && ones >> m->bits & 1) m->bits++;
    return m->bits == 32 || ones >> m->bits == 0;        /* false: a mask with a hole */
}

/* The field scaled to 0..255, rounded down. */
static uint8_t field(const bmp_mask *m, uint32_t v)
{
    if (!m->bits) return 0;
    v = (v & m->mask) >> m->shift;
    if (m->bits >= 8) return (uint8_t)(v >> (m->bits - 8));
    return (uint8_t)(v * 255 / ((1u << m->bits) - 1));
}

static fv_status read_masks(bmp_file *b, size_t header)
{
    const fvi_encoded *e = b->e;
    static const uint32_t plain16[4] = {0x7C00, 0x03E0, 0x001F, 0}, plain32[4] = {0xFF0000, 0xFF00, 0xFF, 0};
    uint32_t masks[4];
    memcpy(masks, b->bits == 16 ? plain16 : plain32, sizeof masks);
    if (b->compression == BITFIELDS || b->compression == ALPHABITFIELDS) {
        size_t n = header >= 56 || b->compression == ALPHABITFIELDS ? 4 : 3;
        if (e->bytes < 54 + 4 * n) return cut(e, "colour masks");
        masks[3] = 0;
        for (size_t i = 0; i < n; i++) masks[i] = fvi_le32(e->data + 54 + 4 * i);
    }
    for (int i = 0; i < 4; i++)
        if (!set_mask(&b->masks[i], masks[i])) return fvi_image_fail(e, FV_ERROR_FORMAT, "damaged BMP: colour mask %08x has a hole", masks[i]);
    return FV_OK;
}

static fv_status read_palette(bmp_file *b, size_t header, uint32_t used)
{
    const fvi_encoded *e = b->e;
    size_t at = 14 + header, entry = header == 12 ? 3 : 4;
    if (b->bits > 8) return FV_OK;
    b->colours = used && used < 1u << b->bits ? (int)used : 1 << b->bits;
    /* Many files end their table at the pixels, whatever they say. */
    if (b->pixels > at && (b->pixels - at) / entry < (size_t)b->colours) b->colours = (int)((b->pixels - at) / entry);
    if (e->bytes < at || (e->bytes - at) / entry < (size_t)b->colours) return cut(e, "colour table");
    for (int i = 0; i < b->colours; i++)
        for (int c = 0; c < 3; c++) b->palette[i][c] = e->data[at + (size_t)i * entry + (size_t)(2 - c)];
    return FV_OK;
}

static fv_status read_header(bmp_file *b)
{
    const fvi_encoded *e = b->e;
    const uint8_t *p = e->data;
    if (e->bytes < 26) return cut(e, "header");
    size_t header = fvi_le32(p + 14);
    int64_t w, h;
    uint32_t used = 0;
    b->pixels = fvi_le32(p + 10);
    if (header == 12) {
        w = fvi_le16(p + 18);
        h = fvi_le16(p + 20);
        b->bits = (int)fvi_le16(p + 24);
    } else if (header >= 40 && header <= 124) {
        if (e->bytes < 14 + header) return cut(e, "header");
        w = (int32_t)fvi_le32(p + 18);
        h = (int32_t)fvi_le32(p + 22);
        b->bits = (int)fvi_le16(p + 28);
        b->compression = (int)FVI_MIN(fvi_le32(p + 30), 99u);
        used = fvi_le32(p + 46);
    } else {
        return fvi_image_fail(e, FV_ERROR_FORMAT, "damaged BMP: a header of %zu bytes", header);
    }
    b->top_down = h < 0;
    h = h < 0 ? -h : h;
    FVI_TRY(e->ctx, fvi_image_check_size(e, w, h));
    b->width = (int)w;
    b->height = (int)h;
    bool fields = b->compression == BITFIELDS || b->compression == ALPHABITFIELDS, rle = b->compression == RLE8 || b->compression == RLE4;
    bool known = b->bits == 1 || b->bits == 4 || b->bits == 8 || b->bits == 16 || b->bits == 24 || b->bits == 32;
    if (!known || (!fields && !rle && b->compression != RGB) || (fields && b->bits != 16 && b->bits != 32) ||
        (b->compression == RLE8 && b->bits != 8) || (b->compression == RLE4 && b->bits != 4) || (rle && b->top_down))
        return fvi_image_fail(e, known ? FV_ERROR_UNSUPPORTED : FV_ERROR_FORMAT, "BMP of %d bits with compression %d", b->bits, b->compression);
    FVI_TRY(e->ctx, read_masks(b, header));
    return read_palette(b, header, used);
}

static void put_index(const bmp_file *b, uint8_t *q, unsigned index)
{
    static const uint8_t black[3] = {0, 0, 0};
    memcpy(q, (int)index < b->colours ? b->palette[index] : black, 3);
    q[3] = 255;
}

static void plain_row(const bmp_file *b, const uint8_t *row, uint8_t *q)
{
    for (int x = 0; x < b->width; x++, q += 4) {
        if (b->bits <= 8) {
            int per = 8 / b->bits, shift = 8 - b->bits * (x % per + 1);
            put_index(b, q, (unsigned)row[x / per] >> shift & ((1u << b->bits) - 1));
        } else if (b->bits == 24) {
            q[0] = row[3 * x + 2];
            q[1] = row[3 * x + 1];
            q[2] = row[3 * x];
            q[3] = 255;
        } else {
            uint32_t v = b->bits == 16 ? fvi_le16(row + 2 * x) : fvi_le32(row + 4 * x);
            for (int c = 0; c < 3; c++) q[c] = field(&b->masks[c], v);
            q[3] = b->masks[3].bits ? field(&b->masks[3], v) : 255;
        }
    }
}

static uint8_t *row_at(const bmp_file *b, fvi_picture *out, int row)
{
    return out->pixels + 4 * (size_t)(b->top_down ? row : b->height - 1 - row) * (size_t)b->width;
}

static fv_status read_plain(const bmp_file *b, fvi_picture *out)
{
    const fvi_encoded *e = b->e;
    size_t stride = ((size_t)b->width * (size_t)b->bits + 31) / 32 * 4, last = ((size_t)b->width * (size_t)b->bits + 7) / 8;
    size_t wanted = stride * (size_t)(b->height - 1) + last;
    if (b->pixels > e->bytes || e->bytes - b->pixels < wanted) return cut(e, "pixels");
    FVI_TRY(e->ctx, fvi_picture_size(e->ctx, out, b->width, b->height));
    for (int y = 0; y < b->height; y++) plain_row(b, e->data + b->pixels + (size_t)y * stride, row_at(b, out, y));
    return FV_OK;
}

/* `n` pixels from (*x, y): one index, or two that take turns (RLE4). Pixels beyond the row are dropped. */
static void put_run(const bmp_file *b, fvi_picture *out, int *x, int y, int n, unsigned first, unsigned second)
{
    uint8_t *row = row_at(b, out, y);
    for (int i = 0; i < n && *x < b->width; i++, ++*x) put_index(b, row + 4 * (size_t)*x, i & 1 ? second : first);
}

static fv_status read_rle(const bmp_file *b, fvi_picture *out, fvi_image_info *info)
{
    const fvi_encoded *e = b->e;
    const uint8_t *p = e->data;
    bool four = b->compression == RLE4;
    size_t at = b->pixels;
    int x = 0, y = 0;
    FVI_TRY(e->ctx, fvi_picture_size(e->ctx, out, b->width, b->height));
    for (size_t i = 0; i < (size_t)b->width * (size_t)b->height; i++) put_index(b, out->pixels + 4 * i, 0);
    while (y < b->height) {
        if (at > e->bytes || e->bytes - at < 2) return cut(e, "pixels");
        unsigned n = p[at], v = p[at + 1];
        at += 2;
        if (n) {
            put_run(b, out, &x, y, (int)n, four ? v >> 4 : v, four ? v & 15 : v);
        } else if (v == 0) {
            x = 0;
            y++;
        } else if (v == 1) {
            break;
        } else if (v == 2) {
            if (e->bytes - at < 2) return cut(e, "pixels");
            x = FVI_MIN(x + p[at], b->width);
            y += p[at + 1];
            at += 2;
        } else {
            size_t bytes = four ? (v + 1) / 2 : v;
            if (e->bytes - at < bytes) return cut(e, "pixels");
            for (unsigned i = 0; i < v; i++) {
                unsigned index = four ? (i & 1 ? p[at + i / 2] & 15u : p[at + i / 2] >> 4u) : p[at + i];
                put_run(b, out, &x, y, 1, index, index);
            }
            at += bytes + (bytes & 1);
        }
    }
    if (y < b->height - 1) fvi_image_warn(info, "the picture ends in row %d of %d", y, b->height);
    return FV_OK;
}

fv_status fvi_bmp_read(const fvi_encoded *e, fvi_picture *out, fvi_image_info *info)
{
    bmp_file b = {.e = e};
    FVI_TRY(e->ctx, read_header(&b));
    info->width = b.width;
    info->height = b.height;
    info->alpha = b.masks[3].bits > 0 && b.bits > 8;
    if (!out) return FV_OK;
    return b.compression == RLE8 || b.compression == RLE4 ? read_rle(&b, out, info) : read_plain(&b, out);
}
