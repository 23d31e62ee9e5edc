/* SPDX-License-Identifier: Apache-2.0 */
/* JSON reader that keeps the line of each value (for errors that name file, line and key) and accepts // comments and
 * trailing commas when asked; and a writer. Limits: depth 64, strings of 16 MiB, numbers of 64 characters, duplicate
 * keys refused, UTF-8 checked. (jansson keeps no lines and knows no comments, hence our own.) */
#ifndef FVI_JSON_H
#define FVI_JSON_H

#include "base/base.h"

typedef enum fvi_json_kind { FVI_JSON_NULL, FVI_JSON_BOOL, FVI_JSON_NUMBER, FVI_JSON_STRING, FVI_JSON_ARRAY, FVI_JSON_OBJECT } fvi_json_kind;

typedef struct fvi_json {
    fvi_json_kind kind;
    int line;                       /* 1-based line of its first character */
    double number;                  /* NUMBER; BOOL: 0/1 */
    int64_t integer;                /* NUMBER without fraction or exponent that fits: exact value */
    bool is_integer;
    const char *string;             /* STRING: UTF-8, NUL-terminated, without NUL inside */
    const char *key;                /* when a member of an object */
    struct fvi_json *child, *next;  /* ARRAY and OBJECT: first child; siblings in file order */
    int count;                      /* number of children */
} fvi_json;

/* Parses `text`; the tree lives in `arena`. `name` (a file's name) is used in errors: "name:line: what". */
FV_CHECKED fv_status fvi_json_parse(fv_context *ctx, fvi_arena *arena, const char *name, const char *text, size_t bytes,
                                    bool relaxed, fvi_json **out);
const fvi_json *fvi_json_get(const fvi_json *object, const char *key);   /* NULL when absent or not an object */

/* Writer: a growing text buffer. Failure to grow is sticky and reported by fvi_text_take (NULL). */
typedef struct fvi_text { char *data; size_t length, capacity; bool failed; } fvi_text;
void fvi_text_add(fvi_text *t, const char *fmt, ...) FV_PRINTF(2, 3);
void fvi_text_raw(fvi_text *t, const char *s, size_t bytes);
void fvi_text_json_string(fvi_text *t, const char *s);                   /* quoted and escaped */
void fvi_text_json_number(fvi_text *t, double v);                        /* shortest that round-trips; non-finite: null */
void fvi_text_json(fvi_text *t, const fvi_json *v, int indent);          /* a whole tree */
char *fvi_text_take(fvi_text *t);                                        /* owned by the caller; NULL on failure */
void fvi_text_free(fvi_text *t);

#endif
