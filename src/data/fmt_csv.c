/* SPDX-License-Identifier: Apache-2.0 */
/* CSV lists of pictures with labels. */
#include "base/file.h"
#include "data/formats.h"
#include "data/open.h"
#include "data/sets.h"

/* Lists that hold out alone count where nothing else can be meant. */
static bool detect(const char *root)
{
    if (!fvi_is_dir(root)) return fvi_file_exists(root);
    return fvi_has_list(root, FV_SPLIT_TRAIN) || (fvi_has_list(root, FVI_NO_SET) && !fvi_has_entry(root, NULL));
}

static const fvi_data_format formats[] = {{"csv", "lists: train.csv, or a file", 90, "train.csv", detect, fvi_list_lists, NULL, 0}};
FVI_FORMATS(csv, formats);
