/* SPDX-License-Identifier: Apache-2.0 */
/* The JSON writer. What it writes is always valid: bytes that are not UTF-8 become U+FFFD, numbers that JSON cannot say
 * become null, and nothing depends on the locale. */
#include "base/json.h"

#include <math.h>

void fvi_text_json_string(fvi_text *t, const char *s)
{
    if (!s) {
        fvi_text_raw(t, "null", 4);
        return;
    }
    const char *end = s + strlen(s), *plain = s;        /* plain: start of what can be copied as it is */
    fvi_text_raw(t, "\"", 1);
    while (s < end) {
        int n = fvi_utf8_next(s, (size_t)(end - s), NULL);
        unsigned char c = (unsigned char)*s;
        if (n && c >= 0x20 && c != '"' && c != '\\' && c != 0x7F) {
            s += n;
            continue;
        }
        fvi_text_raw(t, plain, (size_t)(s - plain));
        if (!n) fvi_text_raw(t, "\xEF\xBF\xBD", 3);
        else if (c == '"' || c == '\\') fvi_text_add(t, "\\%c", c);
        else if (c == '\n') fvi_text_raw(t, "\\n", 2);
        else if (c == '\t') fvi_text_raw(t, "\\t", 2);
        else fvi_text_add(t, "\\u%04x", c);
        plain = ++s;
    }
    fvi_text_raw(t, plain, (size_t)(end - plain));
    fvi_text_raw(t, "\"", 1);
}

void fvi_text_json_number(fvi_text *t, double v)
{
    char text[32] = "null";
    if (v == 0 && signbit(v)) memcpy(text, "-0.0", 5);   /* -0 would be read as the integer 0 */
    else if (isfinite(v)) fvi_print_double(text, v);
    fvi_text_raw(t, text, strlen(text));
}

static bool scalars_only(const fvi_json *v)
{
    for (const fvi_json *m = v->child; m; m = m->next)
        if (m->kind == FVI_JSON_ARRAY || m->kind == FVI_JSON_OBJECT) return false;
    return true;
}

static void write_value(fvi_text *t, const fvi_json *v, int indent, int level);

/* Members, one a line when indent > 0; arrays of scalars stay on one line. */
static void write_members(fvi_text *t, const fvi_json *v, int indent, int level)
{
    bool object = v->kind == FVI_JSON_OBJECT, lines = indent > 0 && v->child && (object || !scalars_only(v));
    fvi_text_raw(t, object ? "{" : "[", 1);
    for (const fvi_json *m = v->child; m; m = m->next) {
        if (m != v->child) fvi_text_add(t, lines || indent <= 0 ? "," : ", ");
        if (lines) fvi_text_add(t, "\n%*s", indent * (level + 1), "");
        if (object) {
            fvi_text_json_string(t, m->key);
            fvi_text_add(t, indent > 0 ? ": " : ":");
        }
        write_value(t, m, indent, level + 1);
    }
    if (lines) fvi_text_add(t, "\n%*s", indent * level, "");
    fvi_text_raw(t, object ? "}" : "]", 1);
}

static void write_value(fvi_text *t, const fvi_json *v, int indent, int level)
{
    if (v->kind == FVI_JSON_NULL) fvi_text_add(t, "null");
    else if (v->kind == FVI_JSON_BOOL) fvi_text_add(t, v->number != 0 ? "true" : "false");
    else if (v->kind == FVI_JSON_NUMBER && v->is_integer) fvi_text_add(t, "%lld", (long long)v->integer);
    else if (v->kind == FVI_JSON_NUMBER) fvi_text_json_number(t, v->number);
    else if (v->kind == FVI_JSON_STRING) fvi_text_json_string(t, v->string);
    else write_members(t, v, indent, level);
}

void fvi_text_json(fvi_text *t, const fvi_json *v, int indent)
{
    write_value(t, v, indent, 0);
}
