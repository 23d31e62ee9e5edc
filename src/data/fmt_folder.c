/* SPDX-License-Identifier: Apache-2.0 */
/* Pictures in a folder for each class. */
#include "base/file.h"
#include "data/formats.h"
#include "data/open.h"

static bool detect(const char *root)
{
    return fvi_is_dir(root) && fvi_has_entry(root, NULL);
}

static const fvi_data_format formats[] = {
    {"folder", "class folders with pictures", 100, "class folders with pictures", detect, fvi_list_class_folders, NULL, 0}};
FVI_FORMATS(folder, formats);
