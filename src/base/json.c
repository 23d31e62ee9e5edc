/* SPDX-License-Identifier: Apache-2.0 */
/* The JSON reader (RFC 8259): one pass, recursive to a depth of 64, tree and strings in the caller's arena. It reads
 * untrusted files: every limit of json.h is enforced, and strings are checked to be UTF-8 without NUL, so the rest of
 * the library may take them as C strings. A byte order mark in front is skipped; Windows editors write it. */
#include "base/json.h"

#include <math.h>
#include <stdint.h>

enum { MAX_DEPTH = 64, MAX_NUMBER = 64, MAX_STRING = 16 << 20, SCAN_KEYS = 16 };

typedef struct parser {
    fv_context *ctx;
    fvi_arena *arena;
    const char *name;
    const char *p, *end;
    int line, depth;
    bool relaxed;
} parser;

/* Members of an object by the hash of their key, so that a million keys do not take a million comparisons each. Empty
 * while an object has no more than SCAN_KEYS members. Owned by the call that parses the object. */
typedef struct key_set { const fvi_json **slots; size_t size; } key_set;

static fv_status parse_value(parser *s, fvi_json *v);

#define json_fail(s, line, fmt, ...) \
    fvi_fail((s)->ctx, FV_ERROR_FORMAT, "%s:%d: " fmt, (s)->name, (line), __VA_ARGS__)

/* What stands at p, for messages: a character or the end. */
static const char *seen(const parser *s, char out[16])
{
    if (s->p == s->end) return "the end of the file";
    int n = fvi_utf8_next(s->p, (size_t)(s->end - s->p), NULL);
    unsigned char c = (unsigned char)*s->p;
    if (n == 0) return "a byte that is not UTF-8";
    if (c < 0x20 || c == 0x7F) return "a control character";
    out[0] = '\'';
    memcpy(out + 1, s->p, (size_t)n);
    out[n + 1] = '\'';
    out[n + 2] = 0;
    return out;
}

static fv_status unexpected(const parser *s, const char *wanted)
{
    char found[16];
    return json_fail(s, s->line, "expected %s, found %s", wanted, seen(s, found));
}

/* Skips white space and, when relaxed, // comments. */
static fv_status skip_space(parser *s)
{
    for (; s->p < s->end; s->p++) {
        if (*s->p == '\n') {
            s->line++;
        } else if (*s->p == '/') {
            if (!s->relaxed) return json_fail(s, s->line, "comments are not allowed here%s", "");
            if (s->end - s->p < 2 || s->p[1] != '/')
                return json_fail(s, s->line, "a comment begins with // and goes to the end of the line%s", "");
            while (s->p < s->end && *s->p != '\n') s->p++;
            s->p--;                                     /* the newline is counted by the next turn */
        } else if (*s->p != ' ' && *s->p != '\t' && *s->p != '\r') {
            break;
        }
    }
    return FV_OK;
}

/* ---- strings ------------------------------------------------------------------------------------------------------- */

/* Four hexadecimal digits at p. */
static bool hex4(const char *p, const char *end, uint32_t *out)
{
    uint32_t v = 0;
    if (end - p < 4) return false;
    for (int i = 0; i < 4; i++) {
        char c = p[i];
        int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
        if (digit < 0) return false;
        v = v << 4 | (uint32_t)digit;
    }
    *out = v;
    return true;
}

static char *put_utf8(char *to, uint32_t c)
{
    if (c < 0x80) {
        *to++ = (char)c;
    } else if (c < 0x800) {
        *to++ = (char)(0xC0 | c >> 6);
        *to++ = (char)(0x80 | (c & 0x3F));
    } else if (c < 0x10000) {
        *to++ = (char)(0xE0 | c >> 12);
        *to++ = (char)(0x80 | (c >> 6 & 0x3F));
        *to++ = (char)(0x80 | (c & 0x3F));
    } else {
        *to++ = (char)(0xF0 | c >> 18);
        *to++ = (char)(0x80 | (c >> 12 & 0x3F));
        *to++ = (char)(0x80 | (c >> 6 & 0x3F));
        *to++ = (char)(0x80 | (c & 0x3F));
    }
    return to;
}

/* A \u escape; p is behind the u. Halves of a surrogate pair must come together. */
static fv_status parse_unicode(parser *s, char **to)
{
    uint32_t c, low;
    if (!hex4(s->p, s->end, &c)) return json_fail(s, s->line, "\\u needs four hexadecimal digits%s", "");
    s->p += 4;
    if (c >= 0xD800 && c < 0xE000) {
        bool pair = c < 0xDC00 && s->end - s->p >= 6 && s->p[0] == '\\' && s->p[1] == 'u' && hex4(s->p + 2, s->end, &low) &&
                    low >= 0xDC00 && low < 0xE000;
        if (!pair) return json_fail(s, s->line, "\\u%04X is half of a surrogate pair", (unsigned)c);
        s->p += 6;
        c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
    }
    if (!c) return json_fail(s, s->line, "\\u0000 is not allowed in a string%s", "");
    *to = put_utf8(*to, c);
    return FV_OK;
}

static fv_status parse_escape(parser *s, char **to)
{
    static const char from[] = "\"\\/bfnrt", into[] = "\"\\/\b\f\n\r\t";
    char c = *s->p;
    if (c == 'u') {
        s->p++;
        return parse_unicode(s, to);
    }
    const char *at = c ? strchr(from, c) : NULL;
    if (!at) return json_fail(s, s->line, "unknown escape in a string (a backslash is written \\\\)%s", "");
    *(*to)++ = into[at - from];
    s->p++;
    return FV_OK;
}

/* A string; p is at its opening quote. The text is never longer than what is written. */
static fv_status parse_string(parser *s, const char **out)
{
    const char *close = ++s->p;
    while (close < s->end && *close != '"' && *close != '\n') close += *close == '\\' && s->end - close > 1 ? 2 : 1;
    if (close >= s->end || *close != '"') return json_fail(s, s->line, "this string has no closing quote%s", "");
    if (close - s->p > MAX_STRING) return json_fail(s, s->line, "a string is longer than %d bytes", MAX_STRING);
    char *text = fvi_arena_alloc(s->arena, (size_t)(close - s->p) + 1), *to = text;
    if (!text) return fvi_nomem(s->ctx);
    while (s->p < close) {
        int n = fvi_utf8_next(s->p, (size_t)(close - s->p), NULL);
        if (!n) return json_fail(s, s->line, "a string is not valid UTF-8 (byte 0x%02X)", (unsigned char)*s->p);
        if ((unsigned char)*s->p < 0x20)
            return json_fail(s, s->line, "a string holds the control character 0x%02X", (unsigned char)*s->p);
        if (*s->p == '\\') {
            s->p++;
            FVI_TRY(s->ctx, parse_escape(s, &to));
            continue;
        }
        memcpy(to, s->p, (size_t)n);
        to += n;
        s->p += n;
    }
    *to = 0;
    s->p = close + 1;
    *out = text;
    return FV_OK;
}

/* ---- numbers and words --------------------------------------------------------------------------------------------- */

static bool digit_at(const char *p, const char *end)
{
    return p < end && *p >= '0' && *p <= '9';
}

static fv_status parse_number(parser *s, fvi_json *v)
{
    const char *p = s->p, *end = s->end;
    bool negative = p < end && *p == '-', whole = true;
    p += negative;
    if (!digit_at(p, end)) return json_fail(s, s->line, "a number needs a digit after its minus sign%s", "");
    if (*p == '0' && digit_at(p + 1, end)) return json_fail(s, s->line, "a number must not begin with a zero%s", "");
    while (digit_at(p, end)) p++;
    if (p < end && *p == '.') {
        whole = false;
        if (!digit_at(++p, end)) return json_fail(s, s->line, "a number needs a digit after its point%s", "");
        while (digit_at(p, end)) p++;
    }
    if (p < end && (*p == 'e' || *p == 'E')) {
        whole = false;
        p++;
        p += p < end && (*p == '+' || *p == '-');
        if (!digit_at(p, end)) return json_fail(s, s->line, "a number needs a digit in its exponent%s", "");
        while (digit_at(p, end)) p++;
    }
    if (p - s->p > MAX_NUMBER) return json_fail(s, s->line, "a number is longer than %d characters", MAX_NUMBER);
    char text[MAX_NUMBER + 1];
    size_t n = (size_t)(p - s->p);
    memcpy(text, s->p, n);
    text[n] = 0;
    v->kind = FVI_JSON_NUMBER;
    v->number = fvi_parse_double(text, NULL);
    if (!isfinite(v->number)) return json_fail(s, s->line, "the number %s is too large", text);
    int64_t integer = 0;
    for (const char *d = text + negative; whole && *d; d++)
        whole = !__builtin_mul_overflow(integer, (int64_t)10, &integer) &&
                !(negative ? __builtin_sub_overflow(integer, *d - '0', &integer)
                           : __builtin_add_overflow(integer, *d - '0', &integer));
    v->is_integer = whole;
    v->integer = whole ? integer : 0;
    s->p = p;
    return FV_OK;
}

static fv_status parse_word(parser *s, fvi_json *v)
{
    static const struct { const char *text; fvi_json_kind kind; double number; } words[] = {
        {"null", FVI_JSON_NULL, 0}, {"true", FVI_JSON_BOOL, 1}, {"false", FVI_JSON_BOOL, 0}};
    size_t n = 0;
    while (s->p + n < s->end && ((s->p[n] | 0x20) >= 'a' && (s->p[n] | 0x20) <= 'z')) n++;
    for (int i = 0; i < FVI_COUNT(words); i++)
        if (n == strlen(words[i].text) && !memcmp(s->p, words[i].text, n)) {
            v->kind = words[i].kind;
            v->number = words[i].number;
            s->p += n;
            return FV_OK;
        }
    if (!n) return unexpected(s, "a value");
    return json_fail(s, s->line, "%.*s is not a JSON value (text needs quotes)", (int)FVI_MIN(n, (size_t)40), s->p);
}

/* ---- arrays and objects -------------------------------------------------------------------------------------------- */

static bool same_key(const fvi_json *a, const fvi_json *b)
{
    return !strcmp(a->key, b->key);
}

/* Where `v` is, or would go. The set has at least one free slot. */
static const fvi_json **key_slot(const key_set *set, const fvi_json *v)
{
    size_t i = fvi_hash64(v->key, strlen(v->key), (uintptr_t)set->slots) & (set->size - 1);
    while (set->slots[i] && !same_key(set->slots[i], v)) i = (i + 1) & (set->size - 1);
    return &set->slots[i];
}

/* Finds the member of `object` (v not yet linked) with v's key, or NULL; then notes v. */
static fv_status key_add(parser *s, key_set *set, const fvi_json *object, const fvi_json *v, const fvi_json **twin)
{
    *twin = NULL;
    if (object->count < SCAN_KEYS) {
        for (const fvi_json *m = object->child; m && !*twin; m = m->next)
            if (same_key(m, v)) *twin = m;
        return FV_OK;
    }
    if ((size_t)object->count * 2 >= set->size) {
        fvi_free(set->slots);
        set->size = set->size ? set->size * 2 : 4 * SCAN_KEYS;
        set->slots = fvi_calloc(set->size, sizeof *set->slots);
        if (!set->slots) return fvi_nomem(s->ctx);
        for (const fvi_json *m = object->child; m; m = m->next) *key_slot(set, m) = m;
    }
    const fvi_json **slot = key_slot(set, v);
    if (*slot) *twin = *slot;
    else *slot = v;
    return FV_OK;
}

/* "key" : in front of a member's value. */
static fv_status parse_key(parser *s, key_set *set, const fvi_json *object, fvi_json *v)
{
    const fvi_json *twin;
    if (s->p == s->end || *s->p != '"') return unexpected(s, "a key in quotes");
    FVI_TRY(s->ctx, parse_string(s, &v->key));
    FVI_TRY(s->ctx, key_add(s, set, object, v, &twin));
    if (twin) return json_fail(s, s->line, "the key \"%.200s\" is given twice (first on line %d)", v->key, twin->line);
    FVI_TRY(s->ctx, skip_space(s));
    if (s->p == s->end || *s->p != ':') return unexpected(s, "':' after a key");
    s->p++;
    return skip_space(s);
}

/* Everything between the brackets; p is behind the opening one. */
static fv_status parse_members(parser *s, fvi_json *v, key_set *set)
{
    bool object = v->kind == FVI_JSON_OBJECT;
    char close = object ? '}' : ']';
    fvi_json **link = &v->child;
    FVI_TRY(s->ctx, skip_space(s));
    while (s->p == s->end || *s->p != close) {
        if (s->p == s->end) return json_fail(s, s->line, "the file ends inside the %s of line %d", object ? "object" : "array", v->line);
        fvi_json *item = fvi_arena_alloc(s->arena, sizeof *item);
        if (!item) return fvi_nomem(s->ctx);
        item->line = s->line;
        if (object) FVI_TRY(s->ctx, parse_key(s, set, v, item));
        FVI_TRY(s->ctx, parse_value(s, item));
        if (v->count == INT32_MAX) return json_fail(s, s->line, "too many values%s", "");
        v->count++;
        *link = item;
        link = &item->next;
        FVI_TRY(s->ctx, skip_space(s));
        if (s->p == s->end || *s->p == close) continue;
        if (*s->p != ',') return unexpected(s, object ? "',' or '}'" : "',' or ']'");
        s->p++;
        FVI_TRY(s->ctx, skip_space(s));
        if (s->p < s->end && *s->p == close && !s->relaxed)
            return json_fail(s, s->line, "a comma in front of '%c' is not allowed here", close);
    }
    s->p++;
    return FV_OK;
}

static fv_status parse_value(parser *s, fvi_json *v)
{
    v->line = s->line;
    char c = s->p < s->end ? *s->p : 0;
    if (c == '"') {
        v->kind = FVI_JSON_STRING;
        return parse_string(s, &v->string);
    }
    if (c == '-' || (c >= '0' && c <= '9')) return parse_number(s, v);
    if (c != '{' && c != '[') return parse_word(s, v);
    if (s->depth == MAX_DEPTH) return json_fail(s, s->line, "nested deeper than %d levels", MAX_DEPTH);
    v->kind = c == '{' ? FVI_JSON_OBJECT : FVI_JSON_ARRAY;
    key_set set = {NULL, 0};
    s->p++;
    s->depth++;
    fv_status status = parse_members(s, v, &set);
    s->depth--;
    fvi_free(set.slots);
    return status;
}

fv_status fvi_json_parse(fv_context *ctx, fvi_arena *arena, const char *name, const char *text, size_t bytes, bool relaxed,
                         fvi_json **out)
{
    parser s = {.ctx = ctx, .arena = arena, .name = name, .p = text, .end = text + bytes, .line = 1, .relaxed = relaxed};
    *out = NULL;
    if (bytes >= 3 && !memcmp(text, "\xEF\xBB\xBF", 3)) s.p += 3;
    fvi_json *v = fvi_arena_alloc(arena, sizeof *v);
    if (!v) return fvi_nomem(ctx);
    FVI_TRY(ctx, skip_space(&s));
    if (s.p == s.end) return json_fail(&s, s.line, "the file is empty%s", "");
    FVI_TRY(ctx, parse_value(&s, v));
    FVI_TRY(ctx, skip_space(&s));
    if (s.p < s.end) return unexpected(&s, "the end of the file");
    *out = v;
    return FV_OK;
}

const fvi_json *fvi_json_get(const fvi_json *object, const char *key)
{
    if (!object || object->kind != FVI_JSON_OBJECT) return NULL;
    for (const fvi_json *m = object->child; m; m = m->next)
        if (!strcmp(m->key, key)) return m;
    return NULL;
}
