/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FVI_PAGE_PICTURE_H
#define FVI_PAGE_PICTURE_H

#include "base/base.h"

/* "data:image/png;base64," and the bytes. Owned by the caller; NULL when memory is exhausted. */
char *fvi_png_uri(const uint8_t *png, size_t bytes);
/* Is it such a text, with nothing else behind it? What comes from a file goes into an attribute of a page only then. */
bool fvi_is_png_uri(const char *uri);

#endif
