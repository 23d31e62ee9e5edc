/* SPDX-License-Identifier: Apache-2.0 */
/* The sizes that a HEIF file tells: those of its ispe boxes and, for these may lie, those in the headers of the coded pictures (HEVC's
 * sequence parameter sets, AV1's sequence headers) and of pictures made of others (grid, overlay). All are held to the limits before a decoder takes memory for them. What is damaged
 * is passed over: the decoder says it better. */
#include "image/codec.h"

enum { MOST_ITEMS = 4096, MOST_READS = 16, NAL_SPS = 33, OBU_SEQUENCE = 1 };
#define TYPE(a, b, c, d) ((uint32_t)(a) << 24 | (uint32_t)(b) << 16 | (uint32_t)(c) << 8 | (uint32_t)(d))

typedef struct span { const uint8_t *p, *end; } span;

/* A big-endian number; 0 and nothing left when there is less. */
static uint64_t take(span *s, int bytes)
{
    uint64_t v = 0;
    if (bytes > 8 || s->end - s->p < bytes) {
        s->p = s->end;
        return 0;
    }
    while (bytes--) v = v << 8 | *s->p++;
    return v;
}

/* The next n bytes, or what is left of them. */
static span cut(span *s, uint64_t n)
{
    const size_t left = (size_t)(s->end - s->p);
    const span part = {s->p, s->p + (n < left ? (size_t)n : left)};
    s->p = part.end;
    return part;
}

static bool next_box(span *s, uint32_t *type, span *content)
{
    const uint8_t *begin = s->p;
    uint64_t size = take(s, 4);
    *type = (uint32_t)take(s, 4);
    if (size == 1) size = take(s, 8);
    const uint64_t head = (uint64_t)(s->p - begin);
    if (s->p == s->end || (size && size < head)) return false;
    *content = cut(s, size ? size - head : UINT64_MAX);
    return true;
}

/* ---- headers of coded pictures ------------------------------------------------------------------------------------------ */

/* Bits, first the highest of each byte; zeros behind the end. skip_03: a 3 behind two zero bytes is no data (HEVC). */
typedef struct bits { span s; int left, zeros; uint8_t byte; bool skip_03; } bits;

static uint32_t get(bits *b, int n)
{
    uint32_t v = 0;
    while (n--) {
        if (!b->left) {
            b->byte = (uint8_t)take(&b->s, 1);
            if (b->skip_03 && b->zeros >= 2 && b->byte == 3) {
                b->byte = (uint8_t)take(&b->s, 1);
                b->zeros = 0;
            }
            b->zeros = b->byte ? 0 : b->zeros + 1;
            b->left = 8;
        }
        v = v << 1 | (b->byte >> --b->left & 1u);
    }
    return v;
}

static void skip(bits *b, int n)
{
    while (n--) get(b, 1);
}

/* Exp-Golomb: so many zeros, a one, so many bits. */
static uint32_t get_ue(bits *b)
{
    int zeros = 0;
    while (zeros < 31 && !get(b, 1)) zeros++;
    return (1u << zeros) - 1 + get(b, zeros);
}

/* A limit that is kept, and *most: the largest picture so far. */
static fv_status check(const fvi_encoded *e, int64_t width, int64_t height, int64_t *most)
{
    FVI_TRY(e->ctx, fvi_image_check_size(e, width, height));
    *most = FVI_MAX(*most, width * height);
    return FV_OK;
}

static fv_status check_nal(const fvi_encoded *e, span nal, int64_t *most)
{
    enum { PROFILE = 88, LEVEL = 8 };
    bits b = {.s = nal, .skip_03 = true};
    bool profile[7], level[7];
    if (nal.end - nal.p < 2 || (nal.p[0] >> 1 & 63) != NAL_SPS) return FV_OK;
    skip(&b, 16 + 4);
    const int layers = (int)get(&b, 3);
    skip(&b, 1 + PROFILE + LEVEL);
    for (int i = 0; i < layers; i++) profile[i] = get(&b, 1), level[i] = get(&b, 1);
    if (layers) skip(&b, 2 * (8 - layers));
    for (int i = 0; i < layers; i++) skip(&b, (profile[i] ? PROFILE : 0) + (level[i] ? LEVEL : 0));
    get_ue(&b);
    if (get_ue(&b) == 3) skip(&b, 1);
    const uint32_t width = get_ue(&b), height = get_ue(&b);
    return width && height ? check(e, width, height, most) : FV_OK;
}

static void skip_operating_points(bits *b)
{
    int delay = 0;
    if (get(b, 1)) {                                     /* timing */
        skip(b, 64);
        if (get(b, 1)) get_ue(b);
        if (get(b, 1)) {                                 /* decoder model */
            delay = (int)get(b, 5) + 1;
            skip(b, 32 + 5 + 5);
        }
    }
    const bool display_delay = get(b, 1);
    for (int n = (int)get(b, 5) + 1; n--;) {
        skip(b, 12);
        if (get(b, 5) > 7) skip(b, 1);
        if (delay && get(b, 1)) skip(b, 2 * delay + 1);
        if (display_delay && get(b, 1)) skip(b, 4);
    }
}

static fv_status check_obu(const fvi_encoded *e, span obu, int64_t *most)
{
    bits b = {.s = obu};
    skip(&b, 3 + 1);
    if (get(&b, 1)) skip(&b, 5);                         /* the short form of still pictures */
    else skip_operating_points(&b);
    const int width_bits = (int)get(&b, 4) + 1, height_bits = (int)get(&b, 4) + 1;
    const uint32_t width = get(&b, width_bits), height = get(&b, height_bits);
    return check(e, (int64_t)width + 1, (int64_t)height + 1, most);
}

static fv_status check_obus(const fvi_encoded *e, span s, int64_t *most)
{
    while (s.p < s.end) {
        const uint8_t head = (uint8_t)take(&s, 1);
        if (head & 4) take(&s, 1);
        uint64_t size = head & 2 ? 0 : UINT64_MAX;
        for (int shift = 0; head & 2 && shift < 56; shift += 7) {
            const uint64_t byte = take(&s, 1);
            size |= (byte & 127) << shift;
            if (byte < 128) break;
        }
        const span obu = cut(&s, size);
        if ((head >> 3 & 15) == OBU_SEQUENCE && obu.p < obu.end) FVI_TRY(e->ctx, check_obu(e, obu, most));
    }
    return FV_OK;
}

/* So many units, each behind its length of so many bytes. */
static fv_status check_nals(const fvi_encoded *e, span *s, int length, uint64_t units, int64_t *most)
{
    while (s->p < s->end && units--) {
        const uint64_t n = take(s, length);
        FVI_TRY(e->ctx, check_nal(e, cut(s, n), most));
    }
    return FV_OK;
}

/* ---- boxes -------------------------------------------------------------------------------------------------------------- */

typedef struct meta { span infos, places, data; int nal_length; } meta;

static fv_status check_hvcc(const fvi_encoded *e, span s, meta *m, int64_t *most)
{
    cut(&s, 21);
    m->nal_length = (int)(take(&s, 1) & 3) + 1;
    for (int arrays = (int)take(&s, 1); arrays-- > 0 && s.p < s.end;) {
        take(&s, 1);
        FVI_TRY(e->ctx, check_nals(e, &s, 2, take(&s, 2), most));
    }
    return FV_OK;
}

static fv_status check_properties(const fvi_encoded *e, span s, meta *m, int64_t *most)
{
    uint32_t type;
    for (span content; next_box(&s, &type, &content);) {
        if (type == TYPE('i', 'p', 'c', 'o')) FVI_TRY(e->ctx, check_properties(e, content, m, most));
        if (type == TYPE('h', 'v', 'c', 'C')) FVI_TRY(e->ctx, check_hvcc(e, content, m, most));
        if (type != TYPE('a', 'v', '1', 'C') && type != TYPE('i', 's', 'p', 'e')) continue;
        take(&content, 4);
        if (type == TYPE('a', 'v', '1', 'C')) {
            FVI_TRY(e->ctx, check_obus(e, content, most));
            continue;
        }
        const int64_t width = (int64_t)take(&content, 4), height = (int64_t)take(&content, 4);
        FVI_TRY(e->ctx, check(e, width, height, most));
    }
    return FV_OK;
}

/* Kind of an item; *at: where the search goes on, since both lists have mostly the same order. */
static uint32_t kind_of(const meta *m, uint64_t item, span *at)
{
    uint32_t type;
    for (int round = 0; round < 2; round++, *at = m->infos) {
        for (span content; next_box(at, &type, &content);) {
            const uint64_t version = take(&content, 4) >> 24;
            const uint64_t id = take(&content, version == 2 ? 2 : 4);
            take(&content, 2);
            if (type == TYPE('i', 'n', 'f', 'e') && id == item && version >= 2) return (uint32_t)take(&content, 4);
        }
    }
    return 0;
}

static fv_status check_item(const fvi_encoded *e, const meta *m, uint32_t kind, span data, int64_t *most)
{
    if (kind == TYPE('a', 'v', '0', '1')) return check_obus(e, data, most);
    if (kind == TYPE('g', 'r', 'i', 'd') || kind == TYPE('i', 'o', 'v', 'l')) {
        const int number = take(&data, 2) & 1 ? 4 : 2;   /* version, flags */
        take(&data, kind == TYPE('g', 'r', 'i', 'd') ? 2 : 8);           /* rows and columns; background */
        const int64_t width = (int64_t)take(&data, number), height = (int64_t)take(&data, number);
        return width && height ? check(e, width, height, most) : FV_OK;
    }
    return kind == TYPE('h', 'v', 'c', '1') || kind == TYPE('h', 'e', 'v', '1') ? check_nals(e, &data, m->nal_length, UINT64_MAX, most) : FV_OK;
}

static fv_status check_items(const fvi_encoded *e, const meta *m, int64_t *most)
{
    span s = m->places, at = m->infos;
    const span file = {e->data, e->data + e->bytes};
    const int version = (int)(take(&s, 4) >> 24), wide = version < 2 ? 2 : 4, sizes = (int)take(&s, 2);
    const int offset_size = sizes >> 12 & 15, length_size = sizes >> 8 & 15, base_size = sizes >> 4 & 15, index_size = version ? sizes & 15 : 0;
    const uint64_t items = take(&s, wide);
    size_t budget = MOST_READS * e->bytes;               /* parts may share data, but not all of them all of it */
    if (items > MOST_ITEMS) return fvi_image_fail(e, FV_ERROR_FORMAT, "a picture of %llu parts; the limit is %d", (unsigned long long)items, MOST_ITEMS);
    for (uint64_t i = 0; i < items && s.p < s.end; i++) {
        const uint32_t kind = kind_of(m, take(&s, wide), &at);
        const int method = version ? (int)take(&s, 2) & 15 : 0;
        take(&s, 2);
        const uint64_t base = take(&s, base_size);
        for (int extents = (int)take(&s, 2); extents-- > 0 && s.p < s.end;) {
            take(&s, index_size);
            const uint64_t offset = take(&s, offset_size), length = take(&s, length_size);
            span from = method == 1 ? m->data : file;
            cut(&from, base + offset);
            const span data = cut(&from, length ? length : UINT64_MAX);
            const size_t bytes = (size_t)(data.end - data.p);
            if (bytes > budget) return fvi_image_fail(e, FV_ERROR_FORMAT, "damaged picture: its parts overlap");
            budget -= bytes;
            if (method <= 1) FVI_TRY(e->ctx, check_item(e, m, kind, data, most));
        }
    }
    return FV_OK;
}

static fv_status check_meta(const fvi_encoded *e, span s, int64_t *most)
{
    const span none = {e->data, e->data};
    meta m = {none, none, none, .nal_length = 4};
    uint32_t type;
    take(&s, 4);
    for (span content; next_box(&s, &type, &content);) {
        if (type == TYPE('i', 'p', 'r', 'p')) FVI_TRY(e->ctx, check_properties(e, content, &m, most));
        if (type == TYPE('i', 'l', 'o', 'c')) m.places = content;
        if (type == TYPE('i', 'd', 'a', 't')) m.data = content;
        if (type != TYPE('i', 'i', 'n', 'f')) continue;
        take(&content, take(&content, 4) >> 24 ? 4 : 2);
        m.infos = content;
    }
    return check_items(e, &m, most);
}

fv_status fvi_heif_check_sizes(const fvi_encoded *e, int64_t *most)
{
    span s = {e->data, e->data + e->bytes};
    uint32_t type;
    *most = 0;
    for (span content; next_box(&s, &type, &content);)
        if (type == TYPE('m', 'e', 't', 'a')) FVI_TRY(e->ctx, check_meta(e, content, most));
    return FV_OK;
}
