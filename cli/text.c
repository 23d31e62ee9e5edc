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

static int show(FILE *to, const char *s, int width)
{
    fv_text t = {0};
    const int columns = fv_text_show(&t, s, width);
    if (t.data && !t.failed) fwrite(t.data, 1, t.length, to);
    fv_text_free(t.data);
    return columns;
}

int cli_show(FILE *to, const char *s)
{
    return show(to, s, 0);
}

void cli_cell(FILE *to, const char *s, int width)
{
    show(to, s, width);
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
