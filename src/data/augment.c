/* SPDX-License-Identifier: Apache-2.0 */
/* Geometry first, as one cut and one resize; then flips, padding and normalisation in one pass over the small picture. */
#include "data/augment.h"

#include <math.h>
#include <stdlib.h>

#if defined(__SSE2__)
#include <immintrin.h>
#define AUGMENT_AVX2 1
#endif

void fvi_workspace_free(fvi_workspace *w)
{
    fv_bytes_free(&w->bytes);
    fv_image_free(&w->planes);
    fvi_picture_free(&w->whole);
    fvi_picture_free(&w->sized);
    fvi_resizer_free(&w->resizer);
}

static fvi_rng stream(const fv_draw *d, fvi_purpose purpose)
{
    return fvi_rng_at(d->seed, fvi_rng_stream((uint64_t)d->epoch, (uint64_t)d->sample, purpose));
}

static bool chance(fvi_rng *r, const fv_draw *d, double probability)
{
    return d->random && probability > 0 && fvi_rng_uniform(r) < probability;
}

/* ---- geometry ---------------------------------------------------------------------------------------------------------- */

/* A random part of the picture of random area and shape (Szegedy et al. 2015); after ten tries that do not fit, the middle
 * with the nearest allowed shape. */
static void random_part(const fvi_augment *a, fvi_rng *r, int width, int height, fvi_geometry *g)
{
    double low = log(a->ratio[0]), high = log(a->ratio[1]), area = (double)width * height, shape = (double)width / height;
    for (int i = 0; i < 10; i++) {
        double part = area * (a->scale[0] + (a->scale[1] - a->scale[0]) * fvi_rng_uniform(r)), ratio = exp(low + (high - low) * fvi_rng_uniform(r));
        double w = rint(sqrt(part * ratio)), h = rint(sqrt(part / ratio));
        if (!(w >= 1 && h >= 1 && w <= width && h <= height)) continue;
        g->w = (int)w;
        g->h = (int)h;
        g->y = (int)fvi_rng_below(r, height - g->h + 1);
        g->x = (int)fvi_rng_below(r, width - g->w + 1);
        return;
    }
    if (shape < a->ratio[0]) g->h = (int)FVI_MAX(FVI_MIN(rint(width / a->ratio[0]), height), 1);
    else if (shape > a->ratio[1]) g->w = (int)FVI_MAX(FVI_MIN(rint(height * a->ratio[1]), width), 1);
    g->x = (width - g->w) / 2;
    g->y = (height - g->h) / 2;
}

/* So that it covers the input divided by crop_pct, in proportion (the longer side rounded down), then a part of the input's size in it: the
 * middle, or (at_random) any place. It is cut out before resizing: the same pixels, and fewer of them. */
static void cut_part(const fvi_augment *a, fvi_rng *r, bool at_random, int width, int height, fvi_geometry *g)
{
    double pct = a->crop_pct > 0 ? a->crop_pct : 0.875;
    const int64_t across = FVI_MAX((int64_t)(a->width / pct), a->width), down = FVI_MAX((int64_t)(a->height / pct), a->height);
    const bool by_width = (int64_t)width * down <= (int64_t)height * across;
    int64_t w = by_width ? across : (int64_t)((double)(down * width) / height), h = by_width ? (int64_t)((double)(across * height) / width) : down;
    double left = rint((double)(w - a->width) / 2), top = rint((double)(h - a->height) / 2);
    if (at_random) {
        top = (double)fvi_rng_below(r, h - a->height + 1);
        left = (double)fvi_rng_below(r, w - a->width + 1);
    }
    double sx = (double)width / (double)w, sy = (double)height / (double)h;
    g->box[0] = left * sx;
    g->box[1] = top * sy;
    g->box[2] = FVI_MIN((left + a->width) * sx, width);
    g->box[3] = FVI_MIN((top + a->height) * sy, height);
}

fv_status fvi_augment_geometry(const fvi_augment *a, fv_context *ctx, const fv_draw *d, int width, int height, fvi_geometry *out)
{
    fvi_rng r = stream(d, FVI_PURPOSE_CROP);
    fvi_geometry *g = out;
    *g = (fvi_geometry){.w = width, .h = height, .width = a->width, .height = a->height};
    bool part = chance(&r, d, a->random_resized_crop);
    if (part) {
        random_part(a, &r, width, height, g);
    } else if (a->resize == FVI_RESIZE_NONE && (width != a->width || height != a->height)) {
        if (a->width != a->height || width != height)
            return fvi_fail(ctx, FV_ERROR_CONFIG, "picture is %d x %d, image_size (height, width) is %d,%d; set image_size=%d,%d or augment.resize=crop", width,
                            height, a->height, a->width, height, width);
        return fvi_fail(ctx, FV_ERROR_CONFIG, "picture is %d x %d, image_size is %d; set image_size=%d or augment.resize=crop", width, height, a->height, height);
    } else if (a->resize == FVI_RESIZE_PAD) {
        double scale = FVI_MIN((double)a->width / width, (double)a->height / height);
        g->width = (int)FVI_MAX(rint(width * scale), 1);
        g->height = (int)FVI_MAX(rint(height * scale), 1);
        g->left = (a->width - g->width) / 2;
        g->top = (a->height - g->height) / 2;
    }
    g->box[2] = g->w;
    g->box[3] = g->h;
    if (!part && a->resize == FVI_RESIZE_CROP) cut_part(a, &r, chance(&r, d, a->random_crop), width, height, g);
    return FV_OK;
}

bool fvi_augment_moves(const fvi_augment *a)
{
    return a->random_resized_crop > 0 || (a->resize == FVI_RESIZE_CROP && a->random_crop > 0);
}

/* ---- sizes ------------------------------------------------------------------------------------------------------------- */

fv_status fvi_augment_planes(fv_context *ctx, fvi_workspace *w, const fv_image *image)
{
    size_t n = (size_t)image->width * (size_t)image->height;
    FVI_TRY(ctx, fvi_picture_size(ctx, &w->whole, image->width, image->height));
    const uint8_t *red = image->pixels, *green = red + n, *blue = green + n;
    uint8_t *q = w->whole.pixels;
    for (size_t i = 0; i < n; i++, q += 4) {
        q[0] = red[i];
        q[1] = green[i];
        q[2] = blue[i];
        q[3] = 255;
    }
    return FV_OK;
}

/* Moves a picture that does not fill the input to its place; black around. */
static void centre(fvi_picture *p, const fvi_geometry *g, int width, int height)
{
    size_t row = 4 * (size_t)g->width, whole = 4 * (size_t)width;
    for (int y = height - 1; y >= 0; y--) {                /* from below, since it grows in its own buffer */
        uint8_t *out = p->pixels + (size_t)y * whole;
        int from = y - g->top;
        if (from < 0 || from >= g->height) {
            memset(out, 0, whole);
            continue;
        }
        memmove(out + 4 * (size_t)g->left, p->pixels + (size_t)from * row, row);
        memset(out, 0, 4 * (size_t)g->left);
        memset(out + 4 * (size_t)(g->left + g->width), 0, whole - row - 4 * (size_t)g->left);
    }
    p->width = width;
    p->height = height;
}

/* w->whole, which holds a picture of full_width x full_height perhaps at a smaller scale, to w->sized. */
static fv_status cut_and_resize(const fvi_augment *a, fv_context *ctx, fvi_workspace *w, const fvi_geometry *g, int full_width, int full_height)
{
    const fvi_picture *p = &w->whole;
    fvi_view view = fvi_view_of(p);
    double box[4], sx = (double)p->width / full_width, sy = (double)p->height / full_height;
    FVI_TRY(ctx, fvi_picture_size(ctx, &w->sized, a->width, a->height));                 /* room for all of it */
    memcpy(box, g->box, sizeof box);
    if (p->width == full_width && p->height == full_height) {
        view = fvi_view_part(p, g->x, g->y, g->w, g->h);
    } else {
        box[0] = FVI_MAX((g->x + g->box[0]) * sx, 0.0);
        box[1] = FVI_MAX((g->y + g->box[1]) * sy, 0.0);
        box[2] = FVI_MIN((g->x + g->box[2]) * sx, p->width);
        box[3] = FVI_MIN((g->y + g->box[3]) * sy, p->height);
    }
    FVI_TRY(ctx, fvi_resize(ctx, &w->resizer, &view, box, a->filter, g->width, g->height, &w->sized));
    if (g->width != a->width || g->height != a->height) centre(&w->sized, g, a->width, a->height);
    return FV_OK;
}

fv_status fvi_augment_size(const fvi_augment *a, fv_context *ctx, fvi_workspace *w, const fv_draw *d)
{
    fvi_geometry g;
    FVI_TRY(ctx, fvi_augment_geometry(a, ctx, d, w->whole.width, w->whole.height, &g));
    return cut_and_resize(a, ctx, w, &g, w->whole.width, w->whole.height);
}

/* The largest of 1, 2, 4, 8 by which the part can be made smaller and still has as many pixels as are wanted. */
static int scale_for(const fvi_geometry *g)
{
    double have = FVI_MIN((g->box[2] - g->box[0]) / g->width, (g->box[3] - g->box[1]) / g->height);
    return have >= 8 ? 8 : have >= 4 ? 4 : have >= 2 ? 2 : 1;
}

/* The pixels of the picture that cut_and_resize reads. */
static void needed(const fvi_augment *a, const fvi_geometry *g, int part[4])
{
    for (int axis = 0; axis < 2; axis++) {
        const int origin = axis ? g->y : g->x;
        fvi_resize_reads(axis ? g->h : g->w, g->box[axis], g->box[axis + 2], a->filter, axis ? g->height : g->width, &part[axis], &part[axis + 2]);
        part[axis] += origin;
        part[axis + 2] += origin;
    }
}

fv_status fvi_augment_decode(const fvi_augment *a, fv_context *ctx, fvi_workspace *w, const char *name, const uint8_t *data, size_t bytes,
                             const fv_draw *d, bool whole)
{
    fvi_image_info info;
    fvi_geometry g;
    fvi_decode_options o = a->decode;
    if (!whole && fvi_image_sniff(data, bytes) == FVI_IMAGE_JPEG) {      /* the other formats are decoded in one go */
        FVI_TRY(ctx, fvi_image_probe(ctx, name, data, bytes, &o, &info));
        FVI_TRY(ctx, fvi_augment_geometry(a, ctx, d, info.width, info.height, &g));
        if (a->jpeg_scale) o.scale = scale_for(&g);
        needed(a, &g, o.part);
    }
    FVI_TRY(ctx, fvi_image_decode(ctx, name, data, bytes, &o, &w->whole, &info));
    w->warnings = info.warnings;
    memcpy(w->warning, info.warning, sizeof w->warning);
    FVI_TRY(ctx, fvi_augment_geometry(a, ctx, d, info.width, info.height, &g));
    return cut_and_resize(a, ctx, w, &g, info.width, info.height);
}

/* ---- colours ----------------------------------------------------------------------------------------------------------- */

static unsigned grey_of(const uint8_t *q)
{
    return (19595u * q[0] + 38470u * q[1] + 7471u * q[2] + 32768u) >> 16;
}

/* base + factor * (value - base), towards zero, in 0..255. */
static uint8_t blend(int base, int value, float factor)
{
    float v = (float)base + factor * (float)(value - base);
    return v <= 0 ? 0 : v >= 255 ? 255 : (uint8_t)v;
}

/* Brightness and contrast: from one base value for all. */
static void blend_all(fvi_picture *p, int base, float factor)
{
    uint8_t table[256];
    size_t n = (size_t)p->width * (size_t)p->height;
    for (int v = 0; v < 256; v++) table[v] = blend(base, v, factor);
    for (uint8_t *q = p->pixels; n--; q += 4)
        for (int c = 0; c < 3; c++) q[c] = table[q[c]];
}

static int mean_grey(const fvi_picture *p)
{
    size_t n = (size_t)p->width * (size_t)p->height;
    uint64_t sum = 0;
    for (size_t i = 0; i < n; i++) sum += grey_of(p->pixels + 4 * i);
    return (int)((double)sum / (double)n + 0.5);
}

static void saturate(fvi_picture *p, float factor)
{
    size_t n = (size_t)p->width * (size_t)p->height;
    for (uint8_t *q = p->pixels; n--; q += 4) {
        int grey = (int)grey_of(q);
        for (int c = 0; c < 3; c++) q[c] = blend(grey, q[c], factor);
    }
}

/* Turns the hue of one pixel: hue, saturation and value are bytes in between, the hue wraps around. Which steps are made in
 * single and which in double precision is Pillow's way. */
static void turn_hue(uint8_t *q, uint8_t by)
{
    int high = FVI_MAX(FVI_MAX(q[0], q[1]), q[2]), low = FVI_MIN(FVI_MIN(q[0], q[1]), q[2]);
    if (high == low) return;                             /* grey has none */
    float range = (float)(high - low), rc = (float)(high - q[0]) / range, gc = (float)(high - q[1]) / range, bc = (float)(high - q[2]) / range;
    float sixths = q[0] == high ? bc - gc : q[1] == high ? (float)(2.0 + (double)rc - (double)bc) : (float)(4.0 + (double)gc - (double)rc);
    float circle = (float)fmod((double)sixths / 6.0 + 1.0, 1.0), part = range / (float)high;
    uint8_t hue = (uint8_t)((unsigned)((double)circle * 255.0) + by), saturation = (uint8_t)((double)part * 255.0), most = (uint8_t)high;
    double at = (double)hue * 6.0 / 255.0, v = high;
    int sector = (int)at;
    double f = (double)(float)(at - sector), s = (double)(float)((double)saturation / 255.0);
    uint8_t p = (uint8_t)round(v * (1.0 - s)), down = (uint8_t)round(v * (1.0 - s * f)), up = (uint8_t)round(v * (1.0 - s * (1.0 - f)));
    const uint8_t all[6][3] = {{most, up, p}, {down, most, p}, {p, most, up}, {p, down, most}, {up, p, most}, {most, p, down}};
    memcpy(q, all[sector % 6], 3);
}

void fvi_color_jitter(fvi_picture *p, double brightness, double contrast, double saturation, double hue, const int order[4])
{
    size_t n = (size_t)p->width * (size_t)p->height;
    for (int i = 0; i < 4; i++) {
        if (order[i] == 0 && brightness != 1) blend_all(p, 0, (float)brightness);
        else if (order[i] == 1 && contrast != 1) blend_all(p, mean_grey(p), (float)contrast);
        else if (order[i] == 2 && saturation != 1) saturate(p, (float)saturation);
        else if (order[i] == 3 && hue != 0)
            for (size_t k = 0; k < n; k++) turn_hue(p->pixels + 4 * k, (uint8_t)(int)(hue * 255));
    }
}

static double around(fvi_rng *r, double strength)
{
    double low = FVI_MAX(1 - strength, 0.0);
    return low + (1 + strength - low) * fvi_rng_uniform(r);
}

static void jitter(const fvi_augment *a, const fv_draw *d, fvi_picture *p)
{
    fvi_rng r = stream(d, FVI_PURPOSE_JITTER);
    if (!chance(&r, d, a->color_jitter)) return;
    int order[4] = {0, 1, 2, 3};
    for (int i = 3; i > 0; i--) {
        int k = (int)fvi_rng_below(&r, i + 1), kept = order[i];
        order[i] = order[k];
        order[k] = kept;
    }
    double b = around(&r, a->brightness), c = around(&r, a->contrast), s = around(&r, a->saturation), h = a->hue * (2 * fvi_rng_uniform(&r) - 1);
    fvi_color_jitter(p, b, c, s, h, order);
}

/* ---- the last pass ----------------------------------------------------------------------------------------------------- */

typedef struct placement { int dx, dy; bool mirror, upside_down; } placement;

static placement place(const fvi_augment *a, const fv_draw *d)
{
    placement p = {0};
    if (d->random && a->pad_crop > 0) {
        fvi_rng r = stream(d, FVI_PURPOSE_PAD_CROP);
        p.dy = (int)fvi_rng_below(&r, 2 * a->pad_crop + 1) - a->pad_crop;
        p.dx = (int)fvi_rng_below(&r, 2 * a->pad_crop + 1) - a->pad_crop;
    }
    fvi_rng h = stream(d, FVI_PURPOSE_FLIP), v = stream(d, FVI_PURPOSE_VERTICAL_FLIP);
    p.mirror = chance(&h, d, a->horizontal_flip);
    p.upside_down = chance(&v, d, a->vertical_flip);
    return p;
}

/* Shifts inside of the picture, black where nothing comes from: only for the jitter, which wants whole pictures. */
static void shift(fvi_picture *p, int dx, int dy)
{
    const int width = p->width, height = p->height;
    size_t row = 4 * (size_t)width, n = 4 * (size_t)(width - FVI_MIN(abs(dx), width));
    for (int i = 0; i < height; i++) {
        int y = dy >= 0 ? i : height - 1 - i, from = y + dy;
        uint8_t *out = p->pixels + (size_t)y * row;
        if (from < 0 || from >= height || !n) {
            memset(out, 0, row);
            continue;
        }
        const uint8_t *in = p->pixels + (size_t)from * row;
        memmove(out + (dx < 0 ? row - n : 0), in + (dx > 0 ? row - n : 0), n);
        memset(out + (dx < 0 ? 0 : n), 0, row - n);
    }
}

#ifdef AUGMENT_AVX2
/* Pixels 0..8k of a row, mirrored or not, to three planes; the same operations as the table's, so the same bits. Returns how many. */
__attribute__((target("avx2"))) static int normalize_avx2(const fvi_augment *a, const uint8_t *row, int n, bool mirror, float *out, size_t plane)
{
    const __m256i low = _mm256_set1_epi32(255), turn = _mm256_setr_epi32(7, 6, 5, 4, 3, 2, 1, 0);
    const __m256 most = _mm256_set1_ps(255.0f);
    int x = 0;
    for (; x + 8 <= n; x += 8) {
        __m256i v = _mm256_loadu_si256((const __m256i *)(const void *)(row + 4 * (mirror ? n - 8 - x : x)));
        if (mirror) v = _mm256_permutevar8x32_epi32(v, turn);
        for (int c = 0; c < 3; c++, v = _mm256_srli_epi32(v, 8)) {
            const __m256 part = _mm256_div_ps(_mm256_cvtepi32_ps(_mm256_and_si256(v, low)), most);
            _mm256_storeu_ps(out + (size_t)c * plane + x, _mm256_div_ps(_mm256_sub_ps(part, _mm256_set1_ps(a->mean[c])), _mm256_set1_ps(a->std[c])));
        }
    }
    return x;
}
#endif

void fvi_augment_finish(const fvi_augment *a, const fv_draw *d, fvi_picture *sized, float *out)
{
    const int width = a->width, height = a->height;
    float table[3][256];
    placement at = place(a, d);
    if (d->random && a->color_jitter > 0) {              /* colours are those of the padded picture: its mean grey counts */
        if (at.dx || at.dy) shift(sized, at.dx, at.dy);
        at.dx = at.dy = 0;
        jitter(a, d, sized);
    }
    for (int c = 0; c < 3; c++)
        for (int v = 0; v < 256; v++) table[c][v] = ((float)v / 255.0f - a->mean[c]) / a->std[c];
    size_t plane = (size_t)width * (size_t)height;
#ifdef AUGMENT_AVX2
    const bool fast = !at.dx && __builtin_cpu_supports("avx2");
#endif
    for (int y = 0; y < height; y++) {
        int from = (at.upside_down ? height - 1 - y : y) + at.dy, x = 0;
        const uint8_t *row = from >= 0 && from < height ? sized->pixels + 4 * (size_t)from * (size_t)width : NULL;
        float *q = out + (size_t)y * (size_t)width;
#ifdef AUGMENT_AVX2
        if (fast && row) x = normalize_avx2(a, row, width, at.mirror, q, plane);
#endif
        for (; x < width; x++) {
            static const uint8_t black[4];
            int column = (at.mirror ? width - 1 - x : x) + at.dx;
            const uint8_t *p = row && column >= 0 && column < width ? row + 4 * (size_t)column : black;
            q[x] = table[0][p[0]];
            q[plane + (size_t)x] = table[1][p[1]];
            q[2 * plane + (size_t)x] = table[2][p[2]];
        }
    }
}

fv_status fvi_augment_apply(const fvi_augment *a, fv_context *ctx, fvi_workspace *w, const fv_image *image, const fv_draw *d, float *out)
{
    FVI_TRY(ctx, fvi_augment_planes(ctx, w, image));
    FVI_TRY(ctx, fvi_augment_size(a, ctx, w, d));
    fvi_augment_finish(a, d, &w->sized, out);
    return FV_OK;
}
