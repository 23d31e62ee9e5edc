/* SPDX-License-Identifier: Apache-2.0 */
/* Sets by the names of folders and lists. */
#ifndef FVI_SETS_H
#define FVI_SETS_H

#include "data/list.h"

/* Which set a name stands for ("val", "Training_Set", "test2017"): a fv_split; FVI_NO_SET: none. */
int fvi_set_of_name(const char *name);
/* The same of a list's file name, which is short: "train.csv", "Val.CSV". */
int fvi_set_of_list(const char *name);
/* Is there a list of that set (FVI_NO_SET: of any) in the folder? */
bool fvi_has_list(const char *root, int set);
bool fvi_is_list(const char *name);              /* a CSV, by its ending */
/* The sub-folders (`lists`: CSV files) of the list's root that are sets: those of the options, else by their names; NULL: there is none. Names are
 * borrowed from the list and the options. Held-out sets alone, two for one set and two folders that look like sets are errors. */
FV_CHECKED fv_status fvi_find_sets(fv_context *ctx, const fv_data_options *o, fvi_list *l, bool lists, const char *names[FV_SPLITS]);

#endif
