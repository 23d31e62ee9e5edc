/* SPDX-License-Identifier: Apache-2.0 */
/* One table mechanism for op attributes, configuration keys and command-line options: a table describes the fields of
 * a C struct (kind, default, range, help) and gives defaults, parsing, printing, checking, hashing, comparing. */
#ifndef FVI_ATTR_H
#define FVI_ATTR_H

#include "base/base.h"

typedef enum fvi_attr_kind {
    FVI_ATTR_BOOL,      /* bool */
    FVI_ATTR_INT,       /* int64_t[count] (count 1: int64_t) */
    FVI_ATTR_FLOAT,     /* double[count] */
    FVI_ATTR_ENUM,      /* int64_t, index into `names` */
    FVI_ATTR_STRING,    /* char *, owned by the struct (fvi_attr_clear frees); NULL = null */
    FVI_ATTR_DIMS,      /* fvi_dims: a list of int64_t of 0..8 items */
} fvi_attr_kind;

typedef struct fvi_dims { int64_t n; int64_t d[8]; } fvi_dims;

typedef struct fvi_attr_def {
    const char *name;            /* NULL ends a table */
    fvi_attr_kind kind;
    size_t offset;
    int count;                   /* items for INT and FLOAT (0 means 1) */
    double fallback;             /* default for every item; ENUM: index; BOOL: 0/1 */
    double min, max;             /* inclusive; min == max == 0 means unbounded */
    const char *const *names;    /* ENUM: NULL-terminated; STRING with choices: likewise or NULL */
    const char *help;
    const char *fallback_text;   /* default of a STRING, or of a list whose items differ ("0.9,0.999"); or NULL */
    const char *aliases;         /* space-separated other names, or NULL */
} fvi_attr_def;

#define FVI_ATTR_END {NULL, FVI_ATTR_BOOL, 0, 0, 0, 0, 0, NULL, NULL, NULL, NULL}

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

/* For messages and documentation. What is wanted, in words: "whole number", "list of 2 numbers", "true or false", "text". */
const char *fvi_attr_kind_words(const fvi_attr_def *d, char out[48]);
/* "0 .. 1", "at least 0"; "" when anything goes. Lists: of each item. */
const char *fvi_attr_range_words(const fvi_attr_def *d, char out[80]);

#endif
