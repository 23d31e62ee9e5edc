/* SPDX-License-Identifier: Apache-2.0 */
/* Escaping and numbers. */
#include "page/html.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#define REPLACEMENT "\xEF\xBF\xBD"

static const char *entity(uint32_t c)
{
    switch (c) {
    case '&': return "&amp;";
    case '<': return "&lt;";
    case '>': return "&gt;";
    case '"': return "&quot;";
    case '\'': return "&#39;";
    default: return c < 0x20 && c != '\t' && c != '\n' ? REPLACEMENT : c >= 0x7F && c < 0xA0 ? REPLACEMENT : NULL;
    }
}

void fvi_html_text(fvi_text *t, const char *s)
{
    if (!s) return;
    for (const char *end = s + strlen(s); s < end;) {
        uint32_t c;
        int n = fvi_utf8_next(s, (size_t)(end - s), &c);
        const char *e = n ? entity(c) : REPLACEMENT;
        if (e) fvi_text_raw(t, e, strlen(e));
        else fvi_text_raw(t, s, (size_t)n);
        s += n ? n : 1;
    }
}

void fvi_html_name(fvi_text *t, const char *s)
{
    fvi_text_add(t, "<bdi>");
    fvi_html_text(t, s);
    fvi_text_add(t, "</bdi>");
}

void fvi_html_integer(fvi_text *t, int64_t v)
{
    char digits[32];
    int n = snprintf(digits, sizeof digits, "%" PRId64, v);
    for (int i = 0; i < n; i++) {
        bool mark = i > (v < 0) && (n - i) % 3 == 0;
        fvi_text_add(t, "%s%c", mark ? "," : "", digits[i]);
    }
}

void fvi_html_number(fvi_text *t, double v)
{
    double size = fabs(v);
    if (!isfinite(v)) fvi_text_add(t, "–");
    else if (v == 0) fvi_text_add(t, "0");
    else if (size < 0.1 || size >= 1e6) fvi_text_add(t, "%.3g", v);
    else fvi_text_add(t, size < 10 ? "%.4f" : size < 1000 ? "%.2f" : "%.0f", v);
}

void fvi_html_share(fvi_text *t, double v)
{
    if (isfinite(v)) fvi_text_add(t, "%.1f\u00a0%%", 100 * v);
    else fvi_text_add(t, "–");
}
