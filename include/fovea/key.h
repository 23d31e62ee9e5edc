/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of tables that describe the fields of a struct: configuration keys, arguments of models, attributes of ops. One row holds
 * all there is to say about a key; errors, help, manual page, completion and docs/configuration.md are read off it. */
#ifndef FOVEA_KEY_H
#define FOVEA_KEY_H

#include "fovea/base.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum fv_key_kind {
    FV_KEY_BOOL,        /* bool */
    FV_KEY_INT,         /* int64_t[count] (count 1: int64_t) */
    FV_KEY_FLOAT,       /* double[count] */
    FV_KEY_ENUM,        /* int64_t, index into `names` */
    FV_KEY_TEXT,        /* char *, owned by the struct; NULL = null */
    FV_KEY_DIMS         /* fv_dims: a list of int64_t of 0..8 items */
} fv_key_kind;

typedef struct fv_dims { int64_t n; int64_t d[8]; } fv_dims;

/* What a configuration key is beyond its type. */
enum {
    FV_KEY_PATH = 1,             /* a relative path is taken from the place where it is written */
    FV_KEY_LOCAL = 2,            /* of the machine or the place, not of the run: may differ on resume */
    FV_KEY_LIST = 4,             /* text that takes a JSON array: joined by commas */
    FV_KEY_HERE = 8,             /* a relative path counts from the data; on the command line from the current folder */
    FV_KEY_ONE = 32,             /* a list that is written as one value where all are equal */
    FV_KEY_LINES = 64,           /* a list that a file may hold too, with an item a line; read where the key is set */
    FV_KEY_MEASURES = 16         /* decides what validation is measured on, or how: another value begins the search for the best anew */
};

typedef struct fv_key {
    const char *name;            /* NULL ends a table */
    fv_key_kind kind;
    size_t offset;
    int count;                   /* items for INT and FLOAT (0 means 1) */
    double fallback;             /* default for every item; ENUM: index; BOOL: 0/1 */
    double min, max;             /* inclusive; min == max == 0 means unbounded */
    const char *const *names;    /* ENUM: NULL-terminated; TEXT with choices: likewise or NULL */
    const char *help;
    const char *fallback_text;   /* default of a TEXT, of an ENUM by name, or of a list whose items differ ("0.9,0.999"); or NULL */
    const char *aliases;         /* other names, separated by blanks, or NULL */
    /* Of configuration keys. */
    const char *example;         /* a value to show where the default says little; or NULL */
    const char *heading;         /* this row and those behind it stand under it in the reference; NULL: as before */
    unsigned flags;
    int64_t (*resolve)(const char *name);        /* ENUM: other names of choices; their index, or -1 */
} fv_key;

#define FV_KEY_END {.name = NULL}

#ifdef __cplusplus
}
#endif
#endif
