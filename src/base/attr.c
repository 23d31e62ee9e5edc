/* SPDX-License-Identifier: Apache-2.0 */
/* Attribute tables: the fields of a C struct described once (kind, default, range, help) and handled everywhere. Values
 * as text: items of a list are separated by commas, with or without brackets ("3", "0.9,0.95", "[1, 1]"), one item fills
 * a list of fixed length ("3" for two strides); quotes around text are JSON's. fvi_attr_text prints what fvi_attr_parse
 * reads back to the same bits. A table that is NULL has no fields. */
#include "base/attr.h"

#include "base/json.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { MAX_DIMS = 8 };

static int items_of(const fvi_attr_def *d)
{
    return d->count > 0 ? d->count : 1;
}

/* The field of one definition. The caller knows that s may be written. */
static void *field(const fvi_attr_def *d, void *s)
{
    return (char *)s + d->offset;
}

static const void *field_of(const fvi_attr_def *d, const void *s)
{
    return (const char *)s + d->offset;
}

static const char *string_of(const fvi_attr_def *d, const void *s)
{
    return *(char *const *)field_of(d, s);
}

#define for_each_attr(d, table) for (const fvi_attr_def *d = (table); d && d->name; d++)

/* ---- defaults, clearing, comparing ----------------------------------------------------------------------------------- */

static fv_status parse_list(fv_context *ctx, const fvi_attr_def *d, void *s, const char *text, const char *what);

static void set_default(const fvi_attr_def *d, void *s)
{
    void *p = field(d, s);
    switch (d->kind) {
    case FVI_ATTR_BOOL:
        *(bool *)p = d->fallback != 0;
        break;
    case FVI_ATTR_ENUM:
        *(int64_t *)p = (int64_t)d->fallback;
        for (int i = 0; d->fallback_text && d->names && d->names[i]; i++)
            if (!strcmp(d->names[i], d->fallback_text)) *(int64_t *)p = i;
        break;
    case FVI_ATTR_STRING:
        *(char **)p = d->fallback_text ? fvi_strdup(d->fallback_text) : NULL;
        break;
    case FVI_ATTR_INT:
        for (int i = 0; i < items_of(d); i++) ((int64_t *)p)[i] = (int64_t)d->fallback;
        break;
    case FVI_ATTR_FLOAT:
        for (int i = 0; i < items_of(d); i++) ((double *)p)[i] = d->fallback;
        break;
    case FVI_ATTR_DIMS:
        memset(p, 0, sizeof(fvi_dims));
        break;
    }
    /* Lists whose items differ give their default as text; a table whose text does not parse keeps `fallback`. */
    if (d->fallback_text && (d->kind == FVI_ATTR_INT || d->kind == FVI_ATTR_FLOAT || d->kind == FVI_ATTR_DIMS)) {
        fv_status ignored = parse_list(NULL, d, s, d->fallback_text, d->name);
        (void)ignored;
    }
}

void fvi_attr_defaults(const fvi_attr_def *table, void *s)
{
    for_each_attr(d, table) set_default(d, s);
}

void fvi_attr_clear(const fvi_attr_def *table, void *s)
{
    for_each_attr(d, table) {
        if (d->kind != FVI_ATTR_STRING) continue;
        char **text = field(d, s);
        fvi_free(*text);
        *text = NULL;
    }
}

/* The bytes of a value that is not text, without padding. */
static size_t value_bytes(const fvi_attr_def *d, const void *s)
{
    const fvi_dims *dims = field_of(d, s);
    switch (d->kind) {
    case FVI_ATTR_BOOL: return sizeof(bool);
    case FVI_ATTR_INT: return sizeof(int64_t) * (size_t)items_of(d);
    case FVI_ATTR_FLOAT: return sizeof(double) * (size_t)items_of(d);
    case FVI_ATTR_ENUM: return sizeof(int64_t);
    case FVI_ATTR_STRING: return 0;
    case FVI_ATTR_DIMS: return sizeof(int64_t) * (1 + (size_t)FVI_MIN(FVI_MAX(dims->n, 0), MAX_DIMS));
    }
    return 0;
}

/* Floating values are compared and hashed by their bits. */
bool fvi_attr_equal(const fvi_attr_def *table, const void *a, const void *b)
{
    for_each_attr(d, table) {
        if (d->kind == FVI_ATTR_STRING) {
            const char *x = string_of(d, a), *y = string_of(d, b);
            if (x && y ? strcmp(x, y) != 0 : x != y) return false;
        } else {
            size_t bytes = value_bytes(d, a);
            if (bytes != value_bytes(d, b) || memcmp(field_of(d, a), field_of(d, b), bytes)) return false;
        }
    }
    return true;
}

uint64_t fvi_attr_hash(const fvi_attr_def *table, const void *s, uint64_t seed)
{
    for_each_attr(d, table) {
        seed = fvi_hash64(d->name, strlen(d->name), seed);
        const char *text = d->kind == FVI_ATTR_STRING ? string_of(d, s) : NULL;
        if (text) seed = fvi_hash64(text, strlen(text) + 1, seed);         /* "" and NULL differ by the NUL */
        else seed = fvi_hash64(field_of(d, s), value_bytes(d, s), seed);
    }
    return seed;
}

/* Is `name` one of the words of the space-separated list? */
bool fvi_word_in(const char *list, const char *name)
{
    size_t n = strlen(name);
    for (const char *p = list; p && *p; p += strspn(p, " ")) {
        size_t length = strcspn(p, " ");
        if (n && length == n && !memcmp(p, name, n)) return true;
        p += length;
    }
    return false;
}

const fvi_attr_def *fvi_attr_find(const fvi_attr_def *table, const char *name)
{
    for_each_attr(d, table) if (!strcmp(d->name, name)) return d;
    for_each_attr(d, table) if (fvi_word_in(d->aliases, name)) return d;
    return NULL;
}

/* ---- checking ------------------------------------------------------------------------------------------------------- */

const char *fvi_attr_kind_words(const fvi_attr_def *d, char out[48])
{
    const char *item = d->kind == FVI_ATTR_FLOAT ? "number" : "whole number";
    bool list = d->kind == FVI_ATTR_DIMS || ((d->kind == FVI_ATTR_INT || d->kind == FVI_ATTR_FLOAT) && d->count > 1);
    if (d->kind == FVI_ATTR_BOOL) snprintf(out, 48, "true or false");
    else if (d->kind == FVI_ATTR_ENUM || d->kind == FVI_ATTR_STRING) snprintf(out, 48, "text");
    else if (d->kind == FVI_ATTR_DIMS) snprintf(out, 48, "list of %ss", item);
    else if (list) snprintf(out, 48, "list of %d %ss", d->count, item);
    else snprintf(out, 48, "%s", item);
    return out;
}

const char *fvi_attr_range_words(const fvi_attr_def *d, char out[80])
{
    char low[32], high[32];
    bool numbers = d->kind == FVI_ATTR_INT || d->kind == FVI_ATTR_FLOAT || d->kind == FVI_ATTR_DIMS;
    out[0] = 0;
    if (!numbers || (d->min == 0 && d->max == 0)) return out;
    fvi_print_double(low, d->min);
    fvi_print_double(high, d->max);
    if (d->min > -HUGE_VAL && d->max < HUGE_VAL) snprintf(out, 80, "%s .. %s", low, high);
    else snprintf(out, 80, d->min > -HUGE_VAL ? "at least %s" : "at most %s", d->min > -HUGE_VAL ? low : high);
    return out;
}

static fv_status check_item(fv_context *ctx, const fvi_attr_def *d, double v, const char *what)
{
    bool bounded = d->min != 0 || d->max != 0;
    if (!isnan(v) && (!bounded || (v >= d->min && v <= d->max))) return FV_OK;
    if (isnan(v)) return fvi_fail(ctx, FV_ERROR_CONFIG, "%s: not a number", what);
    char value[32], range[80];
    fvi_print_double(value, v);
    return fvi_fail(ctx, FV_ERROR_CONFIG, "%s: %s is out of range (%s)", what, value, fvi_attr_range_words(d, range));
}

static int choice_of(const fvi_attr_def *d, const char *text)
{
    for (int i = 0; d->names && d->names[i]; i++)
        if (!strcmp(d->names[i], text)) return i;
    return -1;
}

static fv_status fail_choice(fv_context *ctx, const fvi_attr_def *d, const char *text, const char *what)
{
    fvi_text list = {0};
    for (int i = 0; d->names && d->names[i]; i++) fvi_text_add(&list, "%s%s", i ? ", " : "", d->names[i]);
    char *known = fvi_text_take(&list);
    const char *nearest = fvi_nearest(text, d->names);
    fv_status status = fvi_fail(ctx, FV_ERROR_CONFIG, "%s: unknown value \"%s\"%s%s%s (known: %s)", what, text,
                                nearest ? "; did you mean \"" : "", nearest ? nearest : "", nearest ? "\"?" : "",
                                known ? known : "");
    fvi_free(known);
    return status;
}

static fv_status check_field(fv_context *ctx, const fvi_attr_def *d, const void *s, const char *what)
{
    const int64_t *ints = field_of(d, s);
    const double *floats = field_of(d, s);
    int choices = 0;
    switch (d->kind) {
    case FVI_ATTR_BOOL:
        return FV_OK;
    case FVI_ATTR_INT:
        for (int i = 0; i < items_of(d); i++) FVI_TRY(ctx, check_item(ctx, d, (double)ints[i], what));
        return FV_OK;
    case FVI_ATTR_FLOAT:
        for (int i = 0; i < items_of(d); i++) FVI_TRY(ctx, check_item(ctx, d, floats[i], what));
        return FV_OK;
    case FVI_ATTR_DIMS:                                 /* ints[0] is the number of items */
        if (ints[0] < 0 || ints[0] > MAX_DIMS)
            return fvi_fail(ctx, FV_ERROR_CONFIG, "%s: a list of 0 to %d numbers is wanted", what, MAX_DIMS);
        for (int i = 0; i < (int)ints[0]; i++) FVI_TRY(ctx, check_item(ctx, d, (double)ints[1 + i], what));
        return FV_OK;
    case FVI_ATTR_ENUM:
        while (d->names && d->names[choices]) choices++;
        if (ints[0] >= 0 && ints[0] < choices) return FV_OK;
        return fvi_fail(ctx, FV_ERROR_CONFIG, "%s: %lld is not one of its %d values", what, (long long)ints[0], choices);
    case FVI_ATTR_STRING:
        if (d->names && string_of(d, s) && choice_of(d, string_of(d, s)) < 0) return fail_choice(ctx, d, string_of(d, s), what);
        return FV_OK;
    }
    return fvi_fail(ctx, FV_ERROR_INTERNAL, "%s: unknown kind of attribute", what);
}

fv_status fvi_attr_check(fv_context *ctx, const fvi_attr_def *table, const void *s, const char *what)
{
    for_each_attr(d, table) {
        fv_status status = check_field(ctx, d, s, d->name);
        if (status == FV_OK) continue;
        if (what && *what) fvi_error_prefix(ctx, "%s: ", what);
        return status;
    }
    return FV_OK;
}

/* ---- parsing -------------------------------------------------------------------------------------------------------- */

static const char *skip_blanks(const char *s)
{
    while (*s == ' ' || (*s >= '\t' && *s <= '\r')) s++;
    return s;
}

/* One whole number at *p: digits, or a floating number with a whole value ("1e3"). */
static bool read_int(const char **p, int64_t *out)
{
    const char *stop;
    char *end;
    errno = 0;
    long long v = strtoll(*p, &end, 10);
    bool fits = end != *p && !errno;
    double d = fvi_parse_double(*p, &stop);
    if (stop == *p) return false;
    if (stop > end || !fits) {
        if (!(fabs(d) <= 9007199254740992.0) || d != floor(d)) return false;
        v = (long long)d;
    }
    *p = stop;
    *out = v;
    return true;
}

/* A list of numbers into the field; one item fills all of INT[n] and FLOAT[n]. */
static fv_status parse_list(fv_context *ctx, const fvi_attr_def *d, void *s, const char *text, const char *what)
{
    bool is_float = d->kind == FVI_ATTR_FLOAT, dims = d->kind == FVI_ATTR_DIMS;
    int most = dims ? MAX_DIMS : items_of(d), n = 0;
    const char *noun = is_float ? "a number" : "a whole number", *p = skip_blanks(text);
    bool bracket = *p == '[';
    p = skip_blanks(p + bracket);
    union { int64_t i; double f; } *items = fvi_calloc((size_t)most, sizeof *items);
    fv_status status = FV_OK;
    if (!items) return fvi_nomem(ctx);
    while (*p && *p != ']') {
        const char *start = p;
        if (n == most) {
            status = fvi_fail(ctx, FV_ERROR_CONFIG, "%s: \"%s\" has more than %d item%s", what, text, most, most == 1 ? "" : "s");
            goto done;
        }
        bool ok = is_float ? (items[n].f = fvi_parse_double(p, &p), p != start) : read_int(&p, &items[n].i);
        p = skip_blanks(p);
        if (!ok || (is_float && isnan(items[n].f)) || (*p && *p != ',' && *p != ']')) {
            status = fvi_fail(ctx, FV_ERROR_CONFIG, "%s: \"%s\" is not %s%s", what, text, most > 1 ? "a list, each item " : "", noun);
            goto done;
        }
        n++;
        if (*p == ',') {
            p = skip_blanks(p + 1);
            if (!*p || *p == ']') n = -1;               /* a comma with nothing behind it */
            if (n < 0) break;
        }
    }
    bool closed = n >= 0 && (bracket ? *p == ']' && !*skip_blanks(p + 1) : !*p);
    if (!closed || (!dims && n != most && n != 1)) {
        status = fvi_fail(ctx, FV_ERROR_CONFIG, "%s: \"%s\" is not %s%s", what, text, noun,
                          dims ? ", or a list of them" : most > 1 ? ", or the right number of them" : "");
        goto done;
    }
    for (int i = 0; i < (dims ? n : most); i++) {
        int from = n == 1 && !dims ? 0 : i;
        if (is_float) ((double *)field(d, s))[i] = items[from].f;
        else ((int64_t *)field(d, s))[i + dims] = items[from].i;
    }
    if (dims) *(int64_t *)field(d, s) = n;
done:
    fvi_free(items);
    return status;
}

static fv_status parse_bool(fv_context *ctx, const char *text, const char *what, bool *out)
{
    static const char *const words[] = {"false", "true", "no", "yes", "off", "on", "0", "1"};
    for (int i = 0; i < FVI_COUNT(words); i++)
        if (fvi_same_word(text, words[i])) {
            *out = i & 1;
            return FV_OK;
        }
    return fvi_fail(ctx, FV_ERROR_CONFIG, "%s: \"%s\" is neither true nor false", what, text);
}

/* A copy of the text, without JSON's quotes when it has them. Owned by the caller; NULL when memory is exhausted. */
static char *unquote(const char *text)
{
    size_t n = strlen(text);
    if (n < 2 || text[0] != '"' || text[n - 1] != '"') return fvi_strdup(text);
    fvi_arena arena = {0};
    fvi_json *v;
    bool quoted = fvi_json_parse(NULL, &arena, "", text, n, false, &v) == FV_OK && v->kind == FVI_JSON_STRING;
    char *copy = fvi_strdup(quoted ? v->string : text);
    fvi_arena_free(&arena);
    return copy;
}

static fv_status parse_string(fv_context *ctx, const fvi_attr_def *d, void *s, const char *text, const char *what)
{
    char *value = unquote(text);
    if (!value) return fvi_nomem(ctx);
    int choice = choice_of(d, value);
    if (choice < 0 && d->resolve) choice = (int)d->resolve(value);
    if ((d->kind == FVI_ATTR_ENUM || d->names) && choice < 0) {
        fv_status status = fail_choice(ctx, d, value, what);
        fvi_free(value);
        return status;
    }
    if (d->kind == FVI_ATTR_ENUM) {
        *(int64_t *)field(d, s) = choice;
        fvi_free(value);
    } else {
        char **old = field(d, s);
        fvi_free(*old);
        *old = value;
    }
    return FV_OK;
}

fv_status fvi_attr_parse(fv_context *ctx, const fvi_attr_def *d, void *s, const char *text, const char *what)
{
    if (!strcmp(text, "null")) {
        if (d->kind == FVI_ATTR_STRING) fvi_free(*(char **)field(d, s));
        set_default(d, s);
        if (d->kind == FVI_ATTR_STRING && d->fallback_text && !string_of(d, s)) return fvi_nomem(ctx);
        return FV_OK;
    }
    if (d->kind == FVI_ATTR_BOOL) return parse_bool(ctx, text, what, field(d, s));
    if (d->kind == FVI_ATTR_STRING || d->kind == FVI_ATTR_ENUM) return parse_string(ctx, d, s, text, what);
    /* Into a copy first: a value out of range must leave the field as it was. */
    union { fvi_dims dims; double floats[64]; int64_t ints[64]; } copy;
    fvi_attr_def at_zero = *d;
    at_zero.offset = 0;
    if (items_of(d) > FVI_COUNT(copy.ints)) return fvi_fail(ctx, FV_ERROR_INTERNAL, "%s: too many items", what);
    memset(&copy, 0, sizeof copy);
    FVI_TRY(ctx, parse_list(ctx, &at_zero, &copy, text, what));
    FVI_TRY(ctx, check_field(ctx, &at_zero, &copy, what));
    memcpy(field(d, s), &copy, d->kind == FVI_ATTR_DIMS ? sizeof(fvi_dims) : value_bytes(&at_zero, &copy));
    return FV_OK;
}

/* ---- printing ------------------------------------------------------------------------------------------------------- */

/* Infinities as 1e999, which every JSON reader and strtod take for infinity. */
static void add_number(fvi_text *t, double v)
{
    if (isinf(v)) fvi_text_add(t, "%s1e999", v < 0 ? "-" : "");
    else fvi_text_json_number(t, v);
}

static bool all_equal(const fvi_attr_def *d, const void *s)
{
    const int64_t *ints = field_of(d, s);
    const double *floats = field_of(d, s);
    for (int i = 1; i < items_of(d); i++)
        if (d->kind == FVI_ATTR_FLOAT ? floats[i] != floats[0] : ints[i] != ints[0]) return false;
    return d->kind == FVI_ATTR_FLOAT || d->kind == FVI_ATTR_INT;
}

char *fvi_attr_text(const fvi_attr_def *d, const void *s)
{
    fvi_text t = {0};
    const int64_t *ints = field_of(d, s);
    const double *floats = field_of(d, s);
    bool dims = d->kind == FVI_ATTR_DIMS, list = dims || (d->count > 1 && (d->kind == FVI_ATTR_INT || d->kind == FVI_ATTR_FLOAT));
    int n = dims ? (int)FVI_MIN(FVI_MAX(ints[0], 0), MAX_DIMS) : items_of(d), choices = 0;
    if (d->kind == FVI_ATTR_BOOL) {
        fvi_text_add(&t, *(const bool *)field_of(d, s) ? "true" : "false");
    } else if (d->kind == FVI_ATTR_STRING) {
        fvi_text_json_string(&t, string_of(d, s));
    } else if (d->kind == FVI_ATTR_ENUM) {
        while (d->names && d->names[choices]) choices++;
        fvi_text_json_string(&t, ints[0] >= 0 && ints[0] < choices ? d->names[ints[0]] : NULL);
    } else {
        if (d->flags & FV_KEY_ONE && all_equal(d, s)) {
            list = false;
            n = 1;
        }
        if (list) fvi_text_add(&t, "[");
        for (int i = 0; i < n; i++) {
            if (i) fvi_text_add(&t, ",");
            if (d->kind == FVI_ATTR_FLOAT) add_number(&t, floats[i]);
            else fvi_text_add(&t, "%lld", (long long)ints[i + dims]);
        }
        if (list) fvi_text_add(&t, "]");
    }
    return fvi_text_take(&t);
}
