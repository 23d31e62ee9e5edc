/* SPDX-License-Identifier: Apache-2.0 */
/* One table mechanism for op attributes, configuration keys and command-line options: a table describes the fields of
 * a C struct (kind, default, range, help) and gives defaults, parsing, printing, checking, hashing, comparing. */
#ifndef FVI_ATTR_H
#define FVI_ATTR_H

#include "base/base.h"
#include "fovea/key.h"

typedef fv_key_kind fvi_attr_kind;
typedef fv_dims fvi_dims;
typedef fv_key fvi_attr_def;
#define FVI_ATTR_BOOL FV_KEY_BOOL
#define FVI_ATTR_INT FV_KEY_INT
#define FVI_ATTR_FLOAT FV_KEY_FLOAT
#define FVI_ATTR_ENUM FV_KEY_ENUM
#define FVI_ATTR_STRING FV_KEY_TEXT
#define FVI_ATTR_DIMS FV_KEY_DIMS
#define FVI_ATTR_END FV_KEY_END

void fvi_attr_defaults(const fvi_attr_def *table, void *s);          /* strings: duplicated; may leave NULL on OOM */
void fvi_attr_clear(const fvi_attr_def *table, void *s);             /* frees strings */
bool fvi_attr_equal(const fvi_attr_def *table, const void *a, const void *b);
uint64_t fvi_attr_hash(const fvi_attr_def *table, const void *s, uint64_t seed);
const fvi_attr_def *fvi_attr_find(const fvi_attr_def *table, const char *name);   /* canonical name or alias */
/* Sets one field from text ("3", "true", "0.9,0.95", "[1,1]", "null" = default); one item fills all of a fixed count. The
 * field must hold a value already (fvi_attr_defaults) and keeps it on failure. `what` names the key in errors. */
FV_CHECKED fv_status fvi_attr_parse(fv_context *ctx, const fvi_attr_def *d, void *s, const char *text, const char *what);
/* Range and choice check of a whole struct; `what` goes in front of the field's name in errors. */
FV_CHECKED fv_status fvi_attr_check(fv_context *ctx, const fvi_attr_def *table, const void *s, const char *what);
/* Prints the value of one field as JSON text ("[1,1]"). Owned by the caller. */
char *fvi_attr_text(const fvi_attr_def *d, const void *s);

/* Is `word` one of those in `list` (separated by blanks; NULL: none)? */
bool fvi_word_in(const char *list, const char *word);
/* For messages and documentation. What is wanted, in words: "whole number", "list of 2 numbers", "true or false", "text". */
const char *fvi_attr_kind_words(const fvi_attr_def *d, char out[48]);
/* "0 .. 1", "at least 0"; "" when anything goes. Lists: of each item. */
const char *fvi_attr_range_words(const fvi_attr_def *d, char out[80]);

#endif
