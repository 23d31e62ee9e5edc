/* SPDX-License-Identifier: Apache-2.0 */
/* JSON reader that keeps the line of each value (for errors that name file, line and key) and accepts // comments and
 * trailing commas when asked; and a writer. Limits: depth 64, strings of 16 MiB, numbers of 64 characters, duplicate
 * keys refused, UTF-8 checked. (jansson keeps no lines and knows no comments, hence our own.) */
#ifndef FVI_JSON_H
#define FVI_JSON_H

#include "base/base.h"
#include "fovea/text.h"

typedef fv_json fvi_json;
typedef fv_json_kind fvi_json_kind;
#define FVI_JSON_NULL FV_JSON_NULL
#define FVI_JSON_BOOL FV_JSON_BOOL
#define FVI_JSON_NUMBER FV_JSON_NUMBER
#define FVI_JSON_STRING FV_JSON_STRING
#define FVI_JSON_ARRAY FV_JSON_ARRAY
#define FVI_JSON_OBJECT FV_JSON_OBJECT

/* Parses `text`; the tree lives in `arena`. `name` (a file's name) is used in errors: "name:line: what". */
FV_CHECKED fv_status fvi_json_parse(fv_context *ctx, fvi_arena *arena, const char *name, const char *text, size_t bytes,
                                    bool relaxed, fvi_json **out);
#define fvi_json_get fv_json_get

/* Writer: a growing text buffer. Failure to grow is sticky and reported by fvi_text_take (NULL). */
typedef fv_text fvi_text;
#define fvi_text_add fv_text_add
#define fvi_text_json_string fv_text_json_string
#define fvi_text_json_number fv_text_json_number
void fvi_text_raw(fvi_text *t, const char *s, size_t bytes);
void fvi_text_json(fvi_text *t, const fvi_json *v, int indent);          /* a whole tree */
char *fvi_text_take(fvi_text *t);                                        /* owned by the caller; NULL on failure */
void fvi_text_free(fvi_text *t);

#endif
