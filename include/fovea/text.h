/* SPDX-License-Identifier: Apache-2.0 */
/* Text that grows, and JSON trees: what reports and evaluations are written to and read from. */
#ifndef FOVEA_TEXT_H
#define FOVEA_TEXT_H

#include "fovea/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A growing buffer; zeroed: empty. A failure to grow is sticky, so texts are checked once, by whoever takes them. */
typedef struct fv_text { char *data; size_t length, capacity; bool failed; } fv_text;
FV_API void fv_text_add(fv_text *t, const char *fmt, ...) FV_PRINTF(2, 3);
/* A number with that many decimals, right-aligned in `width` columns; "-" when it is not finite. Never a decimal comma. */
FV_API void fv_text_fixed(fv_text *t, double v, int width, int decimals);
/* What a name looks like: control characters as \n, \x1b; filled up with blanks to `width` columns of a terminal. Returns its columns. */
FV_API int fv_text_show(fv_text *t, const char *s, int width);
FV_API void fv_text_json_string(fv_text *t, const char *s);          /* quoted and escaped */
FV_API void fv_text_json_number(fv_text *t, double v);               /* shortest that round-trips; non-finite: null */

typedef enum fv_json_kind { FV_JSON_NULL, FV_JSON_BOOL, FV_JSON_NUMBER, FV_JSON_STRING, FV_JSON_ARRAY, FV_JSON_OBJECT } fv_json_kind;

typedef struct fv_json {
    fv_json_kind kind;
    int line;                        /* 1-based line of its first character */
    double number;                   /* NUMBER; BOOL: 0/1 */
    int64_t integer;                 /* NUMBER without fraction or exponent that fits: exact value */
    bool is_integer;
    const char *string;              /* STRING: UTF-8, NUL-terminated, without NUL inside */
    const char *key;                 /* when a member of an object */
    struct fv_json *child, *next;    /* ARRAY and OBJECT: first child; siblings in file order */
    int count;                       /* number of children */
} fv_json;
FV_API const fv_json *fv_json_get(const fv_json *object, const char *key);       /* NULL when absent or not an object */

#ifdef __cplusplus
}
#endif
#endif
