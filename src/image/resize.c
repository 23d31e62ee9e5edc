/* SPDX-License-Identifier: Apache-2.0 */
/* A weight of 22 bits is kept as two 16-bit halves, weight = high * 2048 + low, because processors multiply and add pairs of
 * 16-bit numbers in one instruction: sum(weight * pixel) = sum(high * pixel) * 2048 + sum(low * pixel), exactly. Weights of
 * a pixel are padded to a multiple of four with zeros. */
#include "image/resize.h"

#include <math.h>

#if defined(__SSE2__)
#include <immintrin.h>
#define RESIZE_SSE2 1
#endif

enum { BITS = 22, SPLIT = 11 };

fvi_view fvi_view_of(const fvi_picture *p)
{
    return (fvi_view){p->pixels, p->width, p->height, 4 * (size_t)p->width};
}

fvi_view fvi_view_part(const fvi_picture *p, int x, int y, int width, int height)
{
    return (fvi_view){p->pixels + 4 * ((size_t)y * (size_t)p->width + (size_t)x), width, height, 4 * (size_t)p->width};
}

void fvi_resizer_free(fvi_resizer *r)
{
    fvi_free(r->taps[0].block);
    fvi_free(r->taps[1].block);
    fvi_picture_free(&r->between);
    memset(r, 0, sizeof *r);
}

/* ---- weights ---------------------------------------------------------------------------------------------------------- */

static double sinc(double x)
{
    const double pi = 3.14159265358979323846;
    return x == 0 ? 1 : sin(x * pi) / (x * pi);
}

static double weight_of(fvi_filter filter, double x)
{
    double t = fabs(x);
    if (filter == FVI_FILTER_BOX) return x > -0.5 && x <= 0.5 ? 1 : 0;
    if (filter == FVI_FILTER_BILINEAR) return t < 1 ? 1 - t : 0;
    if (filter == FVI_FILTER_LANCZOS) return x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0;
    const double a = -0.5;                               /* Keys' cubic */
    if (t < 1) return ((a + 2) * t - (a + 3)) * t * t + 1;
    return t < 2 ? (((t - 5) * t + 8) * t - 4) * a : 0;
}

static double support_of(fvi_filter filter)
{
    return filter == FVI_FILTER_BOX ? 0.5 : filter == FVI_FILTER_BILINEAR ? 1 : filter == FVI_FILTER_BICUBIC ? 2 : 3;
}

static void put_weights(struct fvi_taps *t, int i, const double *k, int n)
{
    for (int x = 0; x < t->size; x++) {
        double v = x < n ? k[x] : 0;
        int32_t fixed = (int32_t)(v < 0 ? -0.5 + v * (1 << BITS) : 0.5 + v * (1 << BITS));
        int32_t high = fixed >= 0 ? fixed >> SPLIT : -((-fixed + (1 << SPLIT) - 1) >> SPLIT);
        t->high[(size_t)i * (size_t)t->size + (size_t)x] = (int16_t)high;
        t->low[(size_t)i * (size_t)t->size + (size_t)x] = (int16_t)(fixed - high * (1 << SPLIT));
    }
}

/* Taps of one axis: `out` pixels from in[from..to). Kept when asked for the same again. */
static fv_status make_taps(fv_context *ctx, struct fvi_taps *t, int in, double from, double to, fvi_filter filter, int out)
{
    double scale = (to - from) / out, wide = FVI_MAX(scale, 1.0), support = support_of(filter) * wide;
    if (t->block && t->in == in && t->from == from && t->to == to && t->filter == (int)filter && t->out == out) return FV_OK;
    int size = ((int)ceil(support) * 2 + 1 + 3) / 4 * 4;
    size_t n = (size_t)out * (size_t)size, bytes = (size_t)size * sizeof(double) + 2 * (size_t)out * sizeof(int) + 2 * n * sizeof(int16_t);
    t->out = 0;
    if (bytes > t->capacity) {
        void *block = fvi_malloc(bytes);
        if (!block) return fvi_nomem(ctx);
        fvi_free(t->block);
        t->block = block;
        t->capacity = bytes;
    }
    double *k = t->block;
    t->first = (int *)(void *)(k + size);
    t->count = t->first + out;
    t->high = (int16_t *)(void *)(t->count + out);
    t->low = t->high + n;
    t->size = size;
    for (int i = 0; i < out; i++) {
        double centre = from + (i + 0.5) * scale, sum = 0;
        int first = FVI_MAX((int)(centre - support + 0.5), 0), last = FVI_MIN((int)(centre + support + 0.5), in), count = last - first;
        for (int x = 0; x < count; x++) sum += k[x] = weight_of(filter, (x + first - centre + 0.5) * (1 / wide));
        for (int x = 0; x < count && sum != 0; x++) k[x] /= sum;
        put_weights(t, i, k, count);
        t->first[i] = first;
        t->count[i] = count;
    }
    t->in = in;
    t->from = from;
    t->to = to;
    t->filter = (int)filter;
    t->out = out;
    return FV_OK;
}

void fvi_resize_reads(int in, double from, double to, fvi_filter filter, int out, int *first, int *last)
{
    const double scale = (to - from) / out, support = filter == FVI_FILTER_NEAREST ? 0.5 : support_of(filter) * FVI_MAX(scale, 1.0);
    *first = FVI_MAX((int)(from + 0.5 * scale - support + 0.5) - 1, 0);
    *last = FVI_MIN((int)(from + (out - 0.5) * scale + support + 0.5) + 1, in);
}

/* ---- plain loops ------------------------------------------------------------------------------------------------------- */

static uint8_t clip(int32_t sum)
{
    sum >>= BITS;
    return (uint8_t)(sum < 0 ? 0 : sum > 255 ? 255 : sum);
}

static int32_t weight_at(const struct fvi_taps *t, int i, int x)
{
    size_t at = (size_t)i * (size_t)t->size + (size_t)x;
    return t->high[at] * (1 << SPLIT) + t->low[at];
}

static void row_plain(const struct fvi_taps *t, const uint8_t *in, uint8_t *out)
{
    for (int i = 0; i < t->out; i++, out += 4)
        for (int c = 0; c < 4; c++) {
            int32_t sum = 1 << (BITS - 1);
            for (int x = 0; x < t->count[i]; x++) sum += weight_at(t, i, x) * in[4 * (t->first[i] + x) + c];
            out[c] = clip(sum);
        }
}

/* Bytes from..bytes of output row i out of rows of `in`. */
static void column_plain(const struct fvi_taps *t, int i, const uint8_t *in, size_t stride, size_t from, size_t bytes, uint8_t *out)
{
    for (size_t b = from; b < bytes; b++) {
        int32_t sum = 1 << (BITS - 1);
        for (int y = 0; y < t->count[i]; y++) sum += weight_at(t, i, y) * in[(size_t)y * stride + b];
        out[b] = clip(sum);
    }
}

/* ---- vector loops ------------------------------------------------------------------------------------------------------ */

#ifdef RESIZE_SSE2

static inline __m128i pixel(const uint8_t *p)
{
    int32_t v;
    memcpy(&v, p, 4);
    return _mm_cvtsi32_si128(v);
}

/* Two neighbouring weights in every lane. */
static inline __m128i pair(const int16_t *k)
{
    int32_t v;
    memcpy(&v, k, 4);
    return _mm_set1_epi32(v);
}

static inline __m128i finish(__m128i high, __m128i low)
{
    __m128i sum = _mm_add_epi32(_mm_add_epi32(_mm_slli_epi32(high, SPLIT), low), _mm_set1_epi32(1 << (BITS - 1)));
    return _mm_srai_epi32(sum, BITS);
}

/* Two taps of four channels at a time: R R' G G' B B' A A' against the two weights. */
static void row_fast(const struct fvi_taps *t, const uint8_t *in, uint8_t *out)
{
    const __m128i zero = _mm_setzero_si128();
    for (int i = 0; i < t->out; i++, out += 4) {
        const uint8_t *p = in + 4 * (size_t)t->first[i];
        const int16_t *kh = t->high + (size_t)i * (size_t)t->size, *kl = t->low + (size_t)i * (size_t)t->size;
        __m128i high = zero, low = zero;
        for (int x = 0; x < t->count[i]; x += 2) {       /* an odd last pixel is paired with the one behind it, weight 0 */
            __m128i v = _mm_unpacklo_epi8(_mm_unpacklo_epi8(pixel(p + 4 * x), pixel(p + 4 * x + 4)), zero);
            high = _mm_add_epi32(high, _mm_madd_epi16(v, pair(kh + x)));
            low = _mm_add_epi32(low, _mm_madd_epi16(v, pair(kl + x)));
        }
        __m128i bytes = _mm_packus_epi16(_mm_packs_epi32(finish(high, low), zero), zero);
        int32_t v = _mm_cvtsi128_si32(bytes);
        memcpy(out, &v, 4);
    }
}

/* Four rows at once share the weights. Four taps at a time, two in each half of a register; what is read behind the last
 * pixel meets zeros. */
__attribute__((target("avx2"))) static void rows_avx2(const struct fvi_taps *t, const uint8_t *in, size_t stride, uint8_t *out)
{
    const __m256i spread = _mm256_setr_epi8(0, -1, 4, -1, 1, -1, 5, -1, 2, -1, 6, -1, 3, -1, 7, -1, 8, -1, 12, -1, 9, -1, 13, -1, 10, -1, 14, -1, 11, -1, 15, -1);
    const __m256i halves = _mm256_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1);
    const size_t out_stride = 4 * (size_t)t->out;
    for (int i = 0; i < t->out; i++, out += 4) {
        const uint8_t *p = in + 4 * (size_t)t->first[i];
        const int16_t *kh = t->high + (size_t)i * (size_t)t->size, *kl = t->low + (size_t)i * (size_t)t->size;
        __m256i high[4] = {_mm256_setzero_si256(), _mm256_setzero_si256(), _mm256_setzero_si256(), _mm256_setzero_si256()};
        __m256i low[4] = {_mm256_setzero_si256(), _mm256_setzero_si256(), _mm256_setzero_si256(), _mm256_setzero_si256()};
        for (int x = 0; x < t->count[i]; x += 4) {
            const __m256i h = _mm256_permutevar8x32_epi32(_mm256_castsi128_si256(_mm_loadl_epi64((const __m128i *)(const void *)(kh + x))), halves);
            const __m256i l = _mm256_permutevar8x32_epi32(_mm256_castsi128_si256(_mm_loadl_epi64((const __m128i *)(const void *)(kl + x))), halves);
            for (size_t r = 0; r < 4; r++) {
                const __m128i four = _mm_loadu_si128((const __m128i *)(const void *)(p + r * stride + 4 * (size_t)x));
                const __m256i v = _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(four), spread);
                high[r] = _mm256_add_epi32(high[r], _mm256_madd_epi16(v, h));
                low[r] = _mm256_add_epi32(low[r], _mm256_madd_epi16(v, l));
            }
        }
        __m128i sum[4];
        for (size_t r = 0; r < 4; r++) {
            const __m256i both = _mm256_add_epi32(_mm256_slli_epi32(high[r], SPLIT), low[r]);
            sum[r] = _mm_add_epi32(_mm_add_epi32(_mm256_castsi256_si128(both), _mm256_extracti128_si256(both, 1)), _mm_set1_epi32(1 << (BITS - 1)));
            sum[r] = _mm_srai_epi32(sum[r], BITS);
        }
        int32_t four[4];
        _mm_storeu_si128((__m128i *)(void *)four, _mm_packus_epi16(_mm_packs_epi32(sum[0], sum[1]), _mm_packs_epi32(sum[2], sum[3])));
        for (size_t r = 0; r < 4; r++) memcpy(out + r * out_stride, &four[r], 4);
    }
}

static inline __m128i load8(const uint8_t *p)
{
    int64_t v;
    memcpy(&v, p, 8);
    return _mm_set_epi64x(0, v);
}

static void column_fast(const struct fvi_taps *t, int i, const uint8_t *in, size_t stride, size_t bytes, uint8_t *out)
{
    const __m128i zero = _mm_setzero_si128();
    const int16_t *kh = t->high + (size_t)i * (size_t)t->size, *kl = t->low + (size_t)i * (size_t)t->size;
    size_t b = 0;
    for (; b + 8 <= bytes; b += 8) {
        __m128i h0 = zero, h1 = zero, l0 = zero, l1 = zero;
        const uint8_t *p = in + b;
        for (int y = 0; y < t->count[i]; y += 2, p += 2 * stride) {
            __m128i next = y + 1 < t->count[i] ? load8(p + stride) : zero;
            __m128i v = _mm_unpacklo_epi8(load8(p), next), v0 = _mm_unpacklo_epi8(v, zero), v1 = _mm_unpackhi_epi8(v, zero);
            __m128i h = pair(kh + y), l = pair(kl + y);
            h0 = _mm_add_epi32(h0, _mm_madd_epi16(v0, h));
            h1 = _mm_add_epi32(h1, _mm_madd_epi16(v1, h));
            l0 = _mm_add_epi32(l0, _mm_madd_epi16(v0, l));
            l1 = _mm_add_epi32(l1, _mm_madd_epi16(v1, l));
        }
        __m128i words = _mm_packs_epi32(finish(h0, l0), finish(h1, l1));
        _mm_storel_epi64((__m128i *)(void *)(out + b), _mm_packus_epi16(words, words));
    }
    column_plain(t, i, in, stride, b, bytes, out);
}

/* 32 bytes at a time; the same integers. */
__attribute__((target("avx2"))) static void column_avx2(const struct fvi_taps *t, int i, const uint8_t *in, size_t stride, size_t bytes, uint8_t *out)
{
    const __m256i zero = _mm256_setzero_si256(), half = _mm256_set1_epi32(1 << (BITS - 1));
    const int16_t *kh = t->high + (size_t)i * (size_t)t->size, *kl = t->low + (size_t)i * (size_t)t->size;
    size_t b = 0;
    for (; b + 16 <= bytes; b += 16) {
        __m256i h0 = zero, h1 = zero, l0 = half, l1 = half;
        const uint8_t *p = in + b;
        for (int y = 0; y < t->count[i]; y += 2, p += 2 * stride) {
            __m128i first = _mm_loadu_si128((const __m128i *)(const void *)p);
            __m128i second = y + 1 < t->count[i] ? _mm_loadu_si128((const __m128i *)(const void *)(p + stride)) : _mm_setzero_si128();
            __m256i v0 = _mm256_cvtepu8_epi16(_mm_unpacklo_epi8(first, second)), v1 = _mm256_cvtepu8_epi16(_mm_unpackhi_epi8(first, second));
            int32_t kkh, kkl;
            memcpy(&kkh, kh + y, 4);
            memcpy(&kkl, kl + y, 4);
            __m256i h = _mm256_set1_epi32(kkh), l = _mm256_set1_epi32(kkl);
            h0 = _mm256_add_epi32(h0, _mm256_madd_epi16(v0, h));
            h1 = _mm256_add_epi32(h1, _mm256_madd_epi16(v1, h));
            l0 = _mm256_add_epi32(l0, _mm256_madd_epi16(v0, l));
            l1 = _mm256_add_epi32(l1, _mm256_madd_epi16(v1, l));
        }
        h0 = _mm256_srai_epi32(_mm256_add_epi32(_mm256_slli_epi32(h0, SPLIT), l0), BITS);
        h1 = _mm256_srai_epi32(_mm256_add_epi32(_mm256_slli_epi32(h1, SPLIT), l1), BITS);
        __m256i words = _mm256_permute4x64_epi64(_mm256_packs_epi32(h0, h1), 0xD8);       /* lanes back in order */
        __m256i done = _mm256_permute4x64_epi64(_mm256_packus_epi16(words, words), 0xD8);
        _mm_storeu_si128((__m128i *)(void *)(out + b), _mm256_castsi256_si128(done));
    }
    column_plain(t, i, in, stride, b, bytes, out);
}
#endif

/* ---- passes ------------------------------------------------------------------------------------------------------------ */

static void rows(const struct fvi_taps *t, const fvi_view *in, int first, int count, bool plain, uint8_t *out)
{
    int y = 0;
#ifdef RESIZE_SSE2
    for (; !plain && __builtin_cpu_supports("avx2") && y + 4 <= count; y += 4, out += 16 * (size_t)t->out)
        rows_avx2(t, in->pixels + (size_t)(first + y) * in->stride, in->stride, out);
#endif
    for (; y < count; y++, out += 4 * (size_t)t->out) {
        const uint8_t *row = in->pixels + (size_t)(first + y) * in->stride;
#ifdef RESIZE_SSE2
        if (!plain) {
            row_fast(t, row, out);
            continue;
        }
#endif
        (void)plain;
        row_plain(t, row, out);
    }
}

/* `in` begins at row `skipped` of what the taps count from. */
static void columns(const struct fvi_taps *t, const fvi_view *in, int skipped, bool plain, uint8_t *out)
{
    size_t bytes = 4 * (size_t)in->width;
#ifdef RESIZE_SSE2
    bool avx2 = __builtin_cpu_supports("avx2");
#endif
    for (int i = 0; i < t->out; i++, out += bytes) {
        const uint8_t *p = in->pixels + (size_t)(t->first[i] - skipped) * in->stride;
#ifdef RESIZE_SSE2
        if (!plain) {
            (avx2 ? column_avx2 : column_fast)(t, i, p, in->stride, bytes, out);
            continue;
        }
#endif
        (void)plain;
        column_plain(t, i, p, in->stride, 0, bytes, out);
    }
}

static void nearest(const fvi_view *in, const double box[4], fvi_picture *out)
{
    double sx = (box[2] - box[0]) / out->width, sy = (box[3] - box[1]) / out->height;
    uint8_t *q = out->pixels;
    for (int y = 0; y < out->height; y++) {
        const uint8_t *row = in->pixels + (size_t)FVI_MIN((int)(box[1] + (y + 0.5) * sy), in->height - 1) * in->stride;
        for (int x = 0; x < out->width; x++, q += 4) memcpy(q, row + 4 * (size_t)FVI_MIN((int)(box[0] + (x + 0.5) * sx), in->width - 1), 4);
    }
}

static void copy(const fvi_view *in, int x, int y, fvi_picture *out)
{
    for (int row = 0; row < out->height; row++)
        memcpy(out->pixels + 4 * (size_t)row * (size_t)out->width, in->pixels + (size_t)(y + row) * in->stride + 4 * (size_t)x, 4 * (size_t)out->width);
}

static fv_status both_passes(fv_context *ctx, fvi_resizer *r, const fvi_view *in, const double box[4], fvi_filter filter, bool plain, fvi_picture *out)
{
    struct fvi_taps *h = &r->taps[0], *v = &r->taps[1];
    bool wide = box[0] != 0 || box[2] != out->width || in->width != out->width, high = box[1] != 0 || box[3] != out->height || in->height != out->height;
    if (!wide && !high) {
        copy(in, 0, 0, out);
        return FV_OK;
    }
    FVI_TRY(ctx, make_taps(ctx, h, in->width, box[0], box[2], filter, out->width));
    FVI_TRY(ctx, make_taps(ctx, v, in->height, box[1], box[3], filter, out->height));
    if (!high) {
        rows(h, in, 0, out->height, plain, out->pixels);
        return FV_OK;
    }
    if (!wide) {
        columns(v, in, 0, plain, out->pixels);
        return FV_OK;
    }
    int first = v->first[0], last = v->first[v->out - 1] + v->count[v->out - 1];         /* rows that the vertical pass reads */
    FVI_TRY(ctx, fvi_picture_size(ctx, &r->between, out->width, last - first));
    rows(h, in, first, last - first, plain, r->between.pixels);
    fvi_view between = fvi_view_of(&r->between);
    columns(v, &between, first, plain, out->pixels);
    return FV_OK;
}

static fv_status resize(fv_context *ctx, fvi_resizer *r, const fvi_view *in, const double box[4], fvi_filter filter, int width, int height, bool plain,
                        fvi_picture *out)
{
    double all[4] = {0, 0, in->width, in->height};
    if (!box) box = all;
    if (!(box[0] >= 0 && box[1] >= 0 && box[2] <= in->width && box[3] <= in->height && box[0] < box[2] && box[1] < box[3]))
        return fvi_fail(ctx, FV_ERROR_INVALID, "box %g, %g to %g, %g of a picture of %d x %d", box[0], box[1], box[2], box[3], in->width, in->height);
    FVI_TRY(ctx, fvi_picture_size(ctx, out, width, height));
    if (filter == FVI_FILTER_NEAREST) {
        nearest(in, box, out);
        return FV_OK;
    }
    return both_passes(ctx, r, in, box, filter, plain, out);
}

fv_status fvi_resize(fv_context *ctx, fvi_resizer *r, const fvi_view *in, const double box[4], fvi_filter filter, int width, int height, fvi_picture *out)
{
    return resize(ctx, r, in, box, filter, width, height, false, out);
}

fv_status fvi_resize_plain(fv_context *ctx, fvi_resizer *r, const fvi_view *in, const double box[4], fvi_filter filter, int width, int height,
                           fvi_picture *out)
{
    return resize(ctx, r, in, box, filter, width, height, true, out);
}
