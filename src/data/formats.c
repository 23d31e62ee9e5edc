/* SPDX-License-Identifier: Apache-2.0 */
/* format_list.inc is written by the build, one line a file; nothing here is edited for a new format. */
#include "data/formats.h"

#define FVI_FORMAT_FILE(file) extern const fvi_format_list fvi_formats_##file;
#include "format_list.inc"
#undef FVI_FORMAT_FILE

static const fvi_format_list *const files[] = {
#define FVI_FORMAT_FILE(file) &fvi_formats_##file,
#include "format_list.inc"
#undef FVI_FORMAT_FILE
};

const fvi_data_format *fvi_data_format_at(int index)
{
    for (int i = 0; i < FVI_COUNT(files) && index >= 0; i++) {
        if (index < files[i]->count) return &files[i]->formats[index];
        index -= files[i]->count;
    }
    return NULL;
}

const fvi_data_format *fvi_data_format_find(const char *name)
{
    const fvi_data_format *f;
    for (int i = 0; (f = fvi_data_format_at(i)); i++)
        if (!strcmp(f->name, name)) return f;
    return NULL;
}
