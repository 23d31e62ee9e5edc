/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers and JSON for people and programs. */
#include "cli.h"

#include <math.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

const char *cli_thousands(long long n, char out[32])
{
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%lld", n < 0 ? -n : n), at = 0;
    if (n < 0) out[at++] = '-';
    for (int i = 0; i < length; i++) {
        if (i && (length - i) % 3 == 0) out[at++] = ',';
        out[at++] = digits[i];
    }
    out[at] = 0;
    return out;
}

const char *cli_bytes(double bytes, char out[32])
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB"};
    int u = 0;
    while (bytes >= 1000 && u < 4) {
        bytes /= 1000;
        u++;
    }
    snprintf(out, 32, u ? "%.1f %s" : "%.0f %s", bytes, units[u]);
    return out;
}

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

int cli_show(FILE *to, const char *s)
{
    int used = 0;
    while (*s) {
        const unsigned char c = (unsigned char)*s;
        int columns, n = character((const unsigned char *)s, &columns);
        if (c == '\n') columns = fputs("\\n", to) < 0 ? 0 : 2;
        else if (c < 0x20 || c == 0x7f) columns = fprintf(to, "\\x%02x", c);
        else fwrite(s, 1, (size_t)n, to);
        used += columns;
        s += n;
    }
    return used;
}

void cli_cell(FILE *to, const char *s, int width)
{
    for (int used = cli_show(to, s); used < width; used++) fputc(' ', to);
}

void cli_json_text(FILE *to, const char *s)
{
    if (!s) {
        fputs("null", to);
        return;
    }
    fputc('"', to);
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;
        if (c == '"' || c == '\\') fprintf(to, "\\%c", c);
        else if (c < 0x20 || c == 0x7f) fprintf(to, "\\u%04x", c);
        else fputc(c, to);
    }
    fputc('"', to);
}

void cli_json_number(FILE *to, double v)
{
    if (isfinite(v))
        fprintf(to, "%.10g", v);
    else
        fputs("null", to);
}

int cli_columns(FILE *f)
{
    struct winsize size;
    return ioctl(fileno(f), TIOCGWINSZ, &size) == 0 && size.ws_col > 1 ? size.ws_col : 80;
}

bool cli_is_terminal(FILE *f)
{
    return isatty(fileno(f));
}
