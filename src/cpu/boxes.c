/* SPDX-License-Identifier: Apache-2.0 */
/* Loops that both sides walk alike become one. What is then contiguous on both sides is a run, copied with memcpy;
 * where the sides differ (transposes), tiles of the two loops that are contiguous on either side go through
 * registers. */
#include "cpu/boxes.h"

#include <stdlib.h>

enum {
    STRIP = 128,                       /* words of the target, whole tiles, before the next tile's rows */
    ROUND = 16,                        /* words: pieces are whole tiles */
    CALLS = 64,                        /* a box is cut in so many pieces, */
    PIECE = 32768,                     /* if they have so many bytes; long pieces suit the processor's prefetching */
    ALONE = 1 << 18,                   /* bytes that one thread copies before another is awake */
};

/* ---- copiers: the three innermost loops, of which the last is the target's innermost ----------------------------- */

typedef uint8_t word_1;
typedef uint16_t word_2 __attribute__((aligned(1), may_alias));
typedef uint32_t word_4 __attribute__((aligned(1), may_alias));
typedef uint64_t word_8 __attribute__((aligned(1), may_alias));
typedef uint64_t word_16 __attribute__((vector_size(16), aligned(1), may_alias));

#define FOR(i, index) for (int64_t i = 0; i < loop[index].n; i++)
#define SOURCE(T) ((const T *)src + i * loop[0].from + j * loop[1].from)
#define TARGET(T) ((T *)dst + i * loop[0].to + j * loop[1].to)

#define STRIDED(T)                                                                                       \
    static void strided_##T(const fvi_box_loop *loop, size_t word, const char *src, char *dst)           \
    {                                                                                                    \
        (void)word;                                                                                      \
        FOR(i, 0) FOR(j, 1) {                                                                            \
            const T *s = SOURCE(T);                                                                      \
            T *d = TARGET(T);                                                                            \
            FOR(k, 2) d[k * loop[2].to] = s[k * loop[2].from];                                           \
        }                                                                                                \
    }
STRIDED(word_1)
STRIDED(word_2)
STRIDED(word_4)
STRIDED(word_8)
STRIDED(word_16)

/* Bytes of a block of channels are known to the compiler. */
#define RUNS(bytes)                                                                                          \
    FOR(i, 0) FOR(j, 1)                                                                                      \
        memcpy(dst + (i * loop[0].to + j * loop[1].to) * w, src + (i * loop[0].from + j * loop[1].from) * w, bytes)

static void runs(const fvi_box_loop *loop, size_t word, const char *src, char *dst)
{
    const int64_t w = (int64_t)word;
    const size_t bytes = (size_t)loop[2].n * word;
    if (bytes == 32) RUNS(32);
    else if (bytes == 64) RUNS(64);
    else RUNS(bytes);
}

/* N x N words, rows of which are contiguous in the source, columns in the target. Each round zips row i with row i +
 * N/2, that is, turns the bits of all elements' numbers by one; half of the bits turned is a transpose. */
#define TILE(T, element, N, LOW, HIGH)                                                              \
    typedef element row_##T __attribute__((vector_size(16)));                                       \
    typedef element memory_##T __attribute__((vector_size(16), aligned(1), may_alias));             \
    static inline void tile_##T(const char *src, int64_t from, char *dst, int64_t to)               \
    {                                                                                               \
        row_##T a[N], b[N];                                                                         \
        for (int i = 0; i < N; i++) a[i] = (row_##T)*(const memory_##T *)(src + i * from);          \
        for (int n = N; n > 1; n /= 2) {                                                            \
            for (int i = 0; i < N / 2; i++) {                                                       \
                b[2 * i] = __builtin_shufflevector(a[i], a[i + N / 2], LOW);                        \
                b[2 * i + 1] = __builtin_shufflevector(a[i], a[i + N / 2], HIGH);                   \
            }                                                                                       \
            for (int i = 0; i < N; i++) a[i] = b[i];                                                \
        }                                                                                           \
        for (int i = 0; i < N; i++) *(memory_##T *)(dst + i * to) = (memory_##T)a[i];               \
    }
#define LOW_4 0, 4, 1, 5
#define HIGH_4 2, 6, 3, 7
#define LOW_8 0, 8, 1, 9, 2, 10, 3, 11
#define HIGH_8 4, 12, 5, 13, 6, 14, 7, 15
#define LOW_16 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23
#define HIGH_16 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31
TILE(word_1, uint8_t, 16, LOW_16, HIGH_16)
TILE(word_2, uint16_t, 8, LOW_8, HIGH_8)
TILE(word_4, uint32_t, 4, LOW_4, HIGH_4)

typedef void tile_fn(const char *src, int64_t from, char *dst, int64_t to);

/* loop[1] is contiguous in the source, loop[2] in the target: tiles of rows of 16 bytes, and the words beside them. */
static inline __attribute__((always_inline)) void transposed(const fvi_box_loop *loop, int64_t word, const char *src,
                                                             char *dst, tile_fn *tile, fvi_box_copier *strided)
{
    const int64_t n = 16 / word, from = loop[2].from * word, to = loop[1].to * word;
    const int64_t rows = loop[1].n / n * n, columns = loop[2].n / n * n;
    const fvi_box_loop beside[3] = {{1, 0, 0}, {rows, 1, loop[1].to}, {loop[2].n - columns, loop[2].from, 1}};
    const fvi_box_loop below[3] = {{1, 0, 0}, {loop[1].n - rows, 1, loop[1].to}, {loop[2].n, loop[2].from, 1}};
    FOR(i, 0) {
        const char *s = src + i * loop[0].from * word;
        char *d = dst + i * loop[0].to * word;
        for (int64_t strip = 0; strip < columns; strip += STRIP)
            for (int64_t j = 0; j < rows; j += n)
                for (int64_t k = strip; k < FVI_MIN(strip + STRIP, columns); k += n)
                    tile(s + k * from + j * word, from, d + j * to + k * word, to);
        strided(beside, (size_t)word, s + columns * from, d + columns * word);
        strided(below, (size_t)word, s + rows * word, d + rows * to);
    }
}

#define TRANSPOSED(T)                                                                                    \
    static void transposed_##T(const fvi_box_loop *loop, size_t word, const char *src, char *dst)        \
    {                                                                                                    \
        (void)word;                                                                                      \
        transposed(loop, sizeof(T), src, dst, tile_##T, strided_##T);                                    \
    }
TRANSPOSED(word_1)
TRANSPOSED(word_2)
TRANSPOSED(word_4)

/* loop[2] has two words, after which loop[1] goes on in the target: two rows of the source, zipped (bf16 weights by
 * twos). */
static void paired_word_2(const fvi_box_loop *loop, size_t word, const char *src, char *dst)
{
    (void)word;
    FOR(i, 0) {
        const word_2 *s = (const word_2 *)src + i * loop[0].from, *t = s + loop[2].from;
        word_2 *d = (word_2 *)dst + i * loop[0].to;
        int64_t j = 0;
        for (; j + 8 <= loop[1].n; j += 8) {
            const row_word_2 a = (row_word_2)*(const memory_word_2 *)(s + j);
            const row_word_2 b = (row_word_2)*(const memory_word_2 *)(t + j);
            *(memory_word_2 *)(d + 2 * j) = (memory_word_2)__builtin_shufflevector(a, b, LOW_8);
            *(memory_word_2 *)(d + 2 * j + 8) = (memory_word_2)__builtin_shufflevector(a, b, HIGH_8);
        }
        for (; j < loop[1].n; j++) d[2 * j] = s[j], d[2 * j + 1] = t[j];
    }
}

static fvi_box_copier *strided(size_t word)
{
    switch (word) {
    case 1: return strided_word_1;
    case 2: return strided_word_2;
    case 4: return strided_word_4;
    case 8: return strided_word_8;
    default: return strided_word_16;
    }
}

/* loop: the three innermost, the target's innermost last, the source's innermost before it. */
static fvi_box_copier *copier(const fvi_box_loop loop[3], size_t word)
{
    if (loop[2].from == 1 && loop[2].to == 1) return runs;
    if (loop[1].from != 1 || loop[2].to != 1) return strided(word);
    if (word == 1) return transposed_word_1;
    if (word == 2) return loop[2].n == 2 && loop[1].to == 2 ? paired_word_2 : transposed_word_2;
    return word == 4 ? transposed_word_4 : strided(word);
}

/* ---- preparing --------------------------------------------------------------------------------------------------- */

/* Loops of length 1 go, the others stand in the target's order; one that continues the next on both sides joins it. */
static void merge(fvi_box *b)
{
    int n = 0;
    for (int i = 0; i < b->n; i++) {
        const fvi_box_loop l = b->loop[i];
        if (l.n == 1) continue;
        int at = n++;
        for (; at > 0 && b->loop[at - 1].to < l.to; at--) b->loop[at] = b->loop[at - 1];
        b->loop[at] = l;
    }
    b->n = 0;
    for (int i = 0; i < n; i++) {
        const fvi_box_loop l = b->loop[i];
        fvi_box_loop *last = b->n ? &b->loop[b->n - 1] : NULL;
        if (last && last->from == l.n * l.from && last->to == l.n * l.to)
            *last = (fvi_box_loop){last->n * l.n, l.from, l.to};
        else b->loop[b->n++] = l;
    }
}

/* A run of two to sixteen bytes in all, at multiples of its length, is one word. */
static void widen(fvi_box *b)
{
    const fvi_box_loop last = b->n ? b->loop[b->n - 1] : (fvi_box_loop){1, 1, 1};
    const size_t bytes = (size_t)last.n * b->word;
    if (last.from != 1 || last.to != 1 || (bytes != 2 && bytes != 4 && bytes != 8 && bytes != 16)) return;
    bool whole = b->from % last.n == 0 && b->to % last.n == 0;
    for (int i = 0; i < b->n - 1; i++) whole = whole && b->loop[i].from % last.n == 0 && b->loop[i].to % last.n == 0;
    if (!whole) return;
    b->word = bytes;
    b->from /= last.n;
    b->to /= last.n;
    b->n -= b->n > 0;
    for (int i = 0; i < b->n; i++)
        b->loop[i] = (fvi_box_loop){b->loop[i].n, b->loop[i].from / last.n, b->loop[i].to / last.n};
}

/* Makes at least three loops. For tiles, the one that is innermost in the source comes before the last one. */
static void arrange(fvi_box *b)
{
    for (; b->n < 3; b->n++) {
        memmove(b->loop + 1, b->loop, (size_t)b->n * sizeof *b->loop);
        b->loop[0] = (fvi_box_loop){1, 0, 0};
    }
    int best = b->n - 2;
    const bool run = b->loop[b->n - 1].from == 1 && b->loop[b->n - 1].to == 1;
    for (int i = 0; !run && i < b->n - 2; i++)
        if (b->loop[i].n > 1 && llabs(b->loop[i].from) < llabs(b->loop[best].from)) best = i;
    const fvi_box_loop l = b->loop[best];
    for (; best < b->n - 2; best++) b->loop[best] = b->loop[best + 1];
    b->loop[best] = l;
}

void fvi_box_ready(fvi_box *b, size_t size)
{
    b->word = size;
    merge(b);
    widen(b);
    arrange(b);
    const fvi_box_loop *l = b->loop + b->n - 3;
    b->copy = copier(l, b->word);
    b->cut = b->n - 3;
    for (int i = b->n - 2; i < b->n; i++)
        if (b->loop[i].n > b->loop[b->cut].n) b->cut = i;
    const int64_t bytes = l[0].n * l[1].n * l[2].n * (int64_t)b->word, whole = FVI_MAX(1, b->loop[b->cut].n);
    b->outer = 1;
    for (int i = 0; i < b->n - 3; i++) b->outer *= b->loop[i].n;
    const int64_t pieces = FVI_MAX(1, FVI_MIN(bytes / PIECE, CALLS / FVI_MAX(1, b->outer)));
    b->length = FVI_ALIGN_UP((whole + pieces - 1) / pieces, (int64_t)ROUND);
    b->pieces = (whole + b->length - 1) / b->length;
}

/* ---- copying ----------------------------------------------------------------------------------------------------- */

void fvi_box_copy(const fvi_box *b, const void *src, void *dst, int threads)
{
    const fvi_box_loop *inner = b->loop + b->n - 3;
    const int64_t calls = b->outer * b->pieces, words = b->outer * inner[0].n * inner[1].n * inner[2].n;
#pragma omp parallel for num_threads(threads) schedule(static) if (calls > 1 && words * (int64_t)b->word > ALONE)
    for (int64_t t = 0; t < calls; t++) {
        int64_t rest = t / b->pieces, from = b->from, to = b->to;
        for (int i = b->n - 4; i >= 0; i--) {
            from += rest % b->loop[i].n * b->loop[i].from;
            to += rest % b->loop[i].n * b->loop[i].to;
            rest /= b->loop[i].n;
        }
        fvi_box_loop loop[3] = {inner[0], inner[1], inner[2]};
        fvi_box_loop *cut = &loop[b->cut - (b->n - 3)];
        const int64_t first = t % b->pieces * b->length;
        from += first * cut->from;
        to += first * cut->to;
        cut->n = FVI_MIN(b->length, cut->n - first);
        b->copy(loop, b->word, (const char *)src + from * (int64_t)b->word, (char *)dst + to * (int64_t)b->word);
    }
}
