/* SPDX-License-Identifier: Apache-2.0 */
/* An opened data set: its sets as sources, and where they came from. */
#ifndef FVI_OPEN_H
#define FVI_OPEN_H

#include "data/list.h"

struct fv_data {
    const char *format;                  /* constant text */
    fvi_list list;                       /* folder, csv */
    bool listed;                         /* there is a list */
    fv_source *sets[FV_SPLITS];
    bool shared_test;                    /* sets[VAL] and sets[TEST] are the same one */
    int64_t doubles_across;              /* identical files in train and another set */
};

/* Constant name of the format of what is at `root`; NULL: none that is known. */
const char *fvi_data_detect(const char *root);
/* Everything as a list, before it is split. */
FV_CHECKED fv_status fvi_data_list(fv_context *ctx, const fv_data_options *o, const char *format, fvi_list *out);

#endif
