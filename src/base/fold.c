/* SPDX-License-Identifier: Apache-2.0 */
/* Names that people would take for the same: blanks at the ends, letter case, and the two ways to write an accented letter. */
#include "base/base.h"
#include "base/fold_table.h"

#include <stdlib.h>

static bool is_blank(uint32_t c)
{
    return c == ' ' || (c >= 9 && c <= 13) || c == 0xA0 || (c >= 0x2000 && c <= 0x200B) || c == 0x3000 || c == 0xFEFF;
}

static uint32_t small_of(uint32_t c)
{
    for (int i = 0; i < FVI_COUNT(small); i++)
        if (c >= (uint32_t)small[i][0] && c <= (uint32_t)small[i][1] && (c - (uint32_t)small[i][0]) % (uint32_t)small[i][2] == 0)
            return (uint32_t)((int32_t)c + small[i][3]);
    return c;
}

static int by_code(const void *key, const void *row)
{
    const uint32_t a = *(const uint32_t *)key, b = *(const uint16_t *)row;
    return a < b ? -1 : a > b;
}

/* Adds the letters that `c` is composed of, the outermost last. */
static uint64_t add_letter(uint64_t hash, uint32_t c)
{
    const uint32_t syllable = c - 0xAC00;                /* Hangul: lead, vowel and tail by a formula of Unicode's */
    const uint16_t *row = bsearch(&c, composed, (size_t)FVI_COUNT(composed), sizeof composed[0], by_code);
    if (syllable < 11172) {
        hash = add_letter(hash, 0x1100 + syllable / 588);
        hash = add_letter(hash, 0x1161 + syllable % 588 / 28);
        return syllable % 28 ? add_letter(hash, 0x11A7 + syllable % 28) : hash;
    }
    if (row) {
        hash = add_letter(hash, row[1]);
        return row[2] ? add_letter(hash, row[2]) : hash;
    }
    c = small_of(c);
    return fvi_hash64(&c, sizeof c, hash);
}

uint64_t fvi_fold_hash(const char *name)
{
    size_t end = 0, begin = 0;
    uint32_t c;
    const size_t bytes = strlen(name);
    bool inside = false;
    uint64_t hash = 0;
    for (size_t i = 0, n; i < bytes; i += n) {
        n = (size_t)fvi_utf8_next(name + i, bytes - i, &c);
        if (!n) n = 1, c = 0x110000;                     /* no UTF-8: stands for itself below */
        if (is_blank(c)) continue;
        if (!inside) begin = i;
        inside = true;
        end = i + n;
    }
    for (size_t i = begin, n; i < end; i += n) {
        n = (size_t)fvi_utf8_next(name + i, bytes - i, &c);
        if (!n) n = 1, c = 0x110000u + (unsigned char)name[i];
        hash = add_letter(hash, c);
    }
    return hash;
}
