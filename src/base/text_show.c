/* SPDX-License-Identifier: Apache-2.0 */
/* Text as a person sees it: names in columns of a terminal, numbers of fixed decimals. */
#include "base/json.h"

#include <math.h>
#include <stdio.h>

/* The character that begins at s: its bytes, and the columns that a terminal gives it. Bytes that are no UTF-8 count as one each. */
static int character(const unsigned char *s, int *columns)
{
    static const unsigned wide[][2] = {{0x1100, 0x115F}, {0x2E80, 0xA4CF}, {0xAC00, 0xD7A3}, {0xF900, 0xFAFF}, {0xFE30, 0xFE6F}, {0xFF00, 0xFF60},
                                       {0xFFE0, 0xFFE6}, {0x1F300, 0x1FAFF}, {0x20000, 0x3FFFD}};
    int n = *s < 0xC0 ? 1 : *s < 0xE0 ? 2 : *s < 0xF0 ? 3 : *s < 0xF8 ? 4 : 1;
    unsigned code = n == 1 ? *s : *s & (0x7Fu >> n);
    *columns = 1;
    for (int i = 1; i < n; i++) {
        if ((s[i] & 0xC0) != 0x80) return 1;
        code = code << 6 | (s[i] & 0x3F);
    }
    for (size_t i = 0; i < sizeof wide / sizeof *wide; i++)
        if (code >= wide[i][0] && code <= wide[i][1]) *columns = 2;
    return n;
}

int fv_text_show(fv_text *t, const char *s, int width)
{
    int used = 0;
    while (*s) {
        const unsigned char c = (unsigned char)*s;
        int columns, n = character((const unsigned char *)s, &columns);
        if (c == '\n') columns = 2, fv_text_add(t, "\\n");
        else if (c < 0x20 || c == 0x7f) columns = 4, fv_text_add(t, "\\x%02x", c);
        else fvi_text_raw(t, s, (size_t)n);
        used += columns;
        s += n;
    }
    for (; used < width; used++) fvi_text_raw(t, " ", 1);
    return used;
}

void fv_text_fixed(fv_text *t, double v, int width, int decimals)
{
    if (isfinite(v)) fv_text_add(t, "%*.*f", width, decimals, v);
    else fv_text_add(t, "%*s", width, "-");
}
