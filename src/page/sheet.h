/* SPDX-License-Identifier: Apache-2.0 */
/* Sheets of pictures for event files. */
#ifndef FVI_SHEET_H
#define FVI_SHEET_H

#include "fovea/data.h"
#include "page/paint.h"

/* Room for n pictures, four in a row. */
FV_CHECKED fv_status fvi_sheet_create(fv_context *ctx, int n, fvi_canvas *out);
/* Paints the picture (one channel or three) at its place. */
void fvi_sheet_add(fvi_canvas *sheet, int place, const fv_image *image);
/* A picture as it is, of at most `side` pixels a side. */
FV_CHECKED fv_status fvi_thumbnail(fv_context *ctx, const fv_image *image, int side, fvi_canvas *out);

#endif
