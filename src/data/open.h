/* SPDX-License-Identifier: Apache-2.0 */
/* An opened data set: its sets as sources, and where they came from. */
#ifndef FVI_OPEN_H
#define FVI_OPEN_H

#include "data/formats.h"
#include "data/list.h"

struct fv_data {
    const char *format;                  /* constant text */
    fvi_list list;                       /* folder, csv */
    bool listed;                         /* there is a list */
    fv_source *sets[FV_SPLITS];
    bool shared_test;                    /* sets[VAL] and sets[TEST] are the same one */
    int64_t doubles_across;              /* identical files in train and another set */
};

/* The format of what is at `root`, with the sets that are given, NULL where none is; NULL: none that is known. */
const fvi_data_format *fvi_data_detect(const char *root, const char *const sets[FV_SPLITS]);
/* Is there such a file, or an entry that fits the pattern (NULL: a folder of the user's)? */
bool fvi_has_below(const char *root, const char *below);
bool fvi_has_entry(const char *root, const char *pattern);
/* Lists of the formats folder and csv. */
FV_CHECKED fv_status fvi_list_class_folders(fv_context *ctx, const fv_data_options *o, fvi_list *l);
FV_CHECKED fv_status fvi_list_lists(fv_context *ctx, const fv_data_options *o, fvi_list *l);
/* Everything as a list, before it is split. */
FV_CHECKED fv_status fvi_data_list(fv_context *ctx, const fv_data_options *o, const fvi_data_format *format, fvi_list *out);

#endif
