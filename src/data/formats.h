/* SPDX-License-Identifier: Apache-2.0 */
/* A data format: what a file src/data/fmt_X.c exports. The build collects the files; nothing else is edited. */
#ifndef FVI_FORMATS_H
#define FVI_FORMATS_H

#include "data/list.h"

typedef struct fvi_data_format {
    const char *name, *about;
    int rank;                            /* detection asks formats in this order: what is most particular first */
    const char *there;                   /* what it is known by, for "no data that fovea knows": "data_batch_*.bin (CIFAR-10)" */
    /* Is it what lies at `root`? */
    bool (*detect)(const char *root);
    /* Files with labels (then open is NULL): fills the list; what has no set is split. */
    fv_status (*list)(fv_context *ctx, const fv_data_options *o, fvi_list *l);
    /* Records: a source for a set; NULL in *out: there is none. */
    fv_status (*open)(fv_context *ctx, const fv_data_options *o, fv_split set, fv_source **out);
    int image_size;                      /* where none is given; 0: 224 for files, 32 for records */
} fvi_data_format;

typedef struct fvi_format_list { int count; const fvi_data_format *formats; } fvi_format_list;
#define FVI_FORMATS(file, array)                                \
    extern const fvi_format_list fvi_formats_##file;            \
    const fvi_format_list fvi_formats_##file = {FVI_COUNT(array), array}

const fvi_data_format *fvi_data_format_at(int index);            /* NULL past the end */
const fvi_data_format *fvi_data_format_find(const char *name);   /* NULL: none of that name */

#endif
