/* SPDX-License-Identifier: Apache-2.0 */
/* What data are, by content: whether a folder holds what a run was trained on, and whether two validations measured the same. Sums over
 * files, so their order does not matter and neither does the folder that they are in. */
#ifndef FVI_IDENTITY_H
#define FVI_IDENTITY_H

#include "data/open.h"

typedef struct fvi_identity {
    uint64_t names;                      /* path, class and set of every file: which pictures, divided how */
    uint64_t content;                    /* their sizes, and the beginnings of some */
    uint64_t val;                        /* the same of what validates */
} fvi_identity;

enum { FVI_IDENTITY_ROOM = 52 };
/* As it is stored with weights ("fovea.data"), and back; false: it is none. */
void fvi_identity_text(const fvi_identity *i, char out[FVI_IDENTITY_ROOM]);
bool fvi_identity_parse(const char *text, fvi_identity *out);

/* Of files. `content`: looks at the size of each and into some hundreds (what cannot be read counts as such); else names alone. */
void fvi_identity_of_list(const fvi_list *l, bool content, fvi_identity *out);
/* Of the data of an fv_data, or (`d` NULL) of validation data that a program brings: those by number and names alone, since
 * reading a sample may have effects. `val` may be NULL. */
FV_CHECKED fv_status fvi_identity_of(fv_context *ctx, const fv_data *d, const fv_source *val, fvi_identity *out);

#endif
