/* SPDX-License-Identifier: Apache-2.0 */
/* Text: formatting, the growing buffer, nearest names for error messages, patterns, UTF-8, and all that depends on the
 * locale. A program that embeds the library may run in one with a decimal comma, or where i and I are letters of their
 * own: texts are made and read here as in the C locale, and nowhere else (tools/locale.sh). */
#include "base/json.h"

#include <locale.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- the C locale ------------------------------------------------------------------------------------------------ */

static pthread_once_t locale_once = PTHREAD_ONCE_INIT;
static locale_t c_locale;

static void make_c_locale(void)
{
    c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
}

int fvi_vprint(char *out, size_t room, const char *fmt, va_list args)
{
    pthread_once(&locale_once, make_c_locale);
    locale_t before = c_locale ? uselocale(c_locale) : (locale_t)0;
    const int n = vsnprintf(out, room, fmt, args);
    if (c_locale) uselocale(before);
    return n;
}

static int lower(char c)
{
    return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : (unsigned char)c;
}

bool fvi_same_word(const char *a, const char *b)
{
    while (*a && lower(*a) == lower(*b)) a++, b++;
    return !*a && !*b;
}

/* ---- formatting -------------------------------------------------------------------------------------------------- */

/* Bytes that fmt needs, with the NUL; 0 when it cannot be formatted. */
FV_PRINTF(1, 0) static size_t formatted_size(const char *fmt, va_list args)
{
    va_list copy;
    va_copy(copy, args);
    int n = fvi_vprint(NULL, 0, fmt, copy);
    va_end(copy);
    return n < 0 ? 0 : (size_t)n + 1;
}

char *fvi_format_v(const char *fmt, va_list args)
{
    size_t size = formatted_size(fmt, args);
    char *s = size ? fvi_malloc(size) : NULL;
    if (s) fvi_vprint(s, size, fmt, args);
    return s;
}

char *fvi_format(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    char *s = fvi_format_v(fmt, args);
    va_end(args);
    return s;
}

char *fvi_arena_vformat(fvi_arena *a, const char *fmt, va_list args)
{
    size_t size = formatted_size(fmt, args);
    char *s = size ? fvi_arena_alloc(a, size) : NULL;
    if (s) fvi_vprint(s, size, fmt, args);
    return s;
}

char *fvi_arena_format(fvi_arena *a, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    char *s = fvi_arena_vformat(a, fmt, args);
    va_end(args);
    return s;
}

/* ---- growing buffer ------------------------------------------------------------------------------------------------ */

/* Makes room for `bytes` more and a NUL. */
static bool text_room(fvi_text *t, size_t bytes)
{
    if (t->failed) return false;
    if (bytes < t->capacity - t->length) return true;   /* capacity 0 has no room; else length < capacity */
    if (bytes > SIZE_MAX / 4 - t->length) return !(t->failed = true);
    size_t wanted = FVI_MAX((t->length + bytes + 1) * 3 / 2, (size_t)64);
    char *data = fvi_realloc(t->data, wanted);
    if (!data) return !(t->failed = true);
    t->data = data;
    t->capacity = wanted;
    return true;
}

void fvi_text_raw(fvi_text *t, const char *s, size_t bytes)
{
    if (!text_room(t, bytes)) return;
    if (bytes) memcpy(t->data + t->length, s, bytes);
    t->length += bytes;
    t->data[t->length] = 0;
}

void fvi_text_add(fvi_text *t, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    size_t size = formatted_size(fmt, args);
    if (!size) t->failed = true;
    else if (text_room(t, size - 1)) {
        fvi_vprint(t->data + t->length, size, fmt, args);
        t->length += size - 1;
    }
    va_end(args);
}

char *fvi_text_take(fvi_text *t)
{
    fvi_text_raw(t, "", 0);
    char *data = t->failed ? NULL : t->data;
    if (!data) fvi_free(t->data);
    *t = (fvi_text){0};
    return data;
}

void fvi_text_free(fvi_text *t)
{
    fvi_free(t->data);
    *t = (fvi_text){0};
}

/* ---- names and patterns ---------------------------------------------------------------------------------------------- */

enum { NEAREST_LONGEST = 63 };

static int fold(char c)
{
    return c == '-' ? '_' : lower(c);
}

/* Edit distance (insert, delete, replace, swap of neighbours), letter case and - against _ ignored. */
static int edit_distance(const char *a, int n, const char *b, int m)
{
    int rows[3][NEAREST_LONGEST + 1];
    int *before = rows[0], *last = rows[1], *now = rows[2];
    for (int j = 0; j <= m; j++) last[j] = j;
    for (int i = 1; i <= n; i++) {
        now[0] = i;
        for (int j = 1; j <= m; j++) {
            int replace = last[j - 1] + (fold(a[i - 1]) != fold(b[j - 1]));
            now[j] = FVI_MIN(replace, FVI_MIN(last[j], now[j - 1]) + 1);
            if (i > 1 && j > 1 && fold(a[i - 1]) == fold(b[j - 2]) && fold(a[i - 2]) == fold(b[j - 1]))
                now[j] = FVI_MIN(now[j], before[j - 2] + 1);
        }
        int *spare = before;
        before = last, last = now, now = spare;
    }
    return last[m];
}

const char *fvi_nearest(const char *word, const char *const *names)
{
    const char *best = NULL, *part = NULL;
    size_t n = strlen(word);
    if (!n || n > NEAREST_LONGEST) return NULL;
    int limit = 1 + (int)n / 4, least = limit + 1;      /* lr: 1 edit; batch_size: 3 */
    for (int i = 0; names && names[i]; i++) {
        size_t m = strlen(names[i]);
        if (m > NEAREST_LONGEST) continue;
        int distance = edit_distance(word, (int)n, names[i], (int)m);
        if (distance < least && (size_t)distance < FVI_MAX(n, m)) {
            least = distance;
            best = names[i];
        }
        bool contains = (n >= 3 && strstr(names[i], word)) || (m >= 4 && strstr(word, names[i]));
        if (contains && (!part || m < strlen(part))) part = names[i];      /* rate: learning_rate */
    }
    return best ? best : part;
}

bool fvi_glob(const char *pattern, const char *text)
{
    const char *star = NULL, *retry = NULL;
    while (*text) {
        if (*pattern == '*') {
            star = pattern++;
            retry = text;
        } else if (*pattern == *text) {
            pattern++;
            text++;
        } else if (star) {                              /* let the last star take one more */
            pattern = star + 1;
            text = ++retry;
        } else {
            return false;
        }
    }
    while (*pattern == '*') pattern++;
    return !*pattern;
}

const char *fv_shell_word(const char *word, char out[FV_SHELL_ROOM])
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_@%+=:,./-";
    const char *p = word;
    size_t n = 0;
    while (*p && ((unsigned char)*p >= 0x80 || strchr(plain, *p))) p++;
    if (*word && !*p && *word != '=') return word;       /* zsh looks up =word */
    out[n++] = '\'';
    for (p = word; *p; p++) {
        if (n + 6 > FV_SHELL_ROOM) return word;
        if (*p == '\'') memcpy(out + n, "'\\''", 4), n += 4;
        else out[n++] = *p;
    }
    memcpy(out + n, "'", 2);
    return out;
}

/* ---- UTF-8 and numbers ----------------------------------------------------------------------------------------------- */

int fvi_utf8_next(const char *s, size_t bytes, uint32_t *code)
{
    static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};         /* refuses overlong forms */
    if (!bytes) return 0;
    unsigned char first = (unsigned char)s[0];
    int length = first < 0x80 ? 1 : first >= 0xC0 && first < 0xE0 ? 2 : first >= 0xE0 && first < 0xF0 ? 3
               : first >= 0xF0 && first < 0xF8 ? 4 : 0;
    if (!length || (size_t)length > bytes) return 0;
    uint32_t value = length == 1 ? first : first & (0x7Fu >> length);
    for (int i = 1; i < length; i++) {
        unsigned char c = (unsigned char)s[i];
        if ((c & 0xC0) != 0x80) return 0;
        value = value << 6 | (c & 0x3F);
    }
    if (value < least[length] || value > 0x10FFFF || (value >= 0xD800 && value < 0xE000)) return 0;
    if (code) *code = value;
    return length;
}

double fvi_parse_double(const char *s, const char **end)
{
    char *stop;
    pthread_once(&locale_once, make_c_locale);
    double v = c_locale ? strtod_l(s, &stop, c_locale) : strtod(s, &stop);
    if (end) *end = stop;
    return v;
}

void fvi_print_double(char out[32], double v)
{
    pthread_once(&locale_once, make_c_locale);
    locale_t before = c_locale ? uselocale(c_locale) : (locale_t)0;
    for (int digits = 15; digits <= 17; digits++) {     /* 17 always suffice */
        snprintf(out, 32, "%.*g", digits, v);
        if (strtod(out, NULL) == v) break;
    }
    if (c_locale) uselocale(before);
}
