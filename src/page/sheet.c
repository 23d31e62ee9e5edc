/* SPDX-License-Identifier: Apache-2.0 */
#include "page/sheet.h"

enum { CELL = 96, COLUMNS = 4, GAP = 4 };

static fvi_paint_source source_of(const fv_image *image)
{
    const size_t plane = (size_t)image->width * (size_t)image->height;
    return (fvi_paint_source){image->pixels, image->width, image->height, image->channels >= 3 ? plane : 0, 1};
}

fv_status fvi_sheet_create(fv_context *ctx, int n, fvi_canvas *out)
{
    const int rows = (n + COLUMNS - 1) / COLUMNS;
    FVI_TRY(ctx, fvi_canvas_create(ctx, COLUMNS * (CELL + GAP) - GAP, rows * (CELL + GAP) - GAP, 3, out));
    return FV_OK;
}

void fvi_sheet_add(fvi_canvas *sheet, int place, const fv_image *image)
{
    const fvi_paint_source s = source_of(image);
    int width, height, x = place % COLUMNS * (CELL + GAP), y = place / COLUMNS * (CELL + GAP);
    fvi_paint_size(&s, CELL, true, &width, &height);
    fvi_paint(sheet, x + (CELL - width) / 2, y + (CELL - height) / 2, width, height, &s);
}

fv_status fvi_thumbnail(fv_context *ctx, const fv_image *image, int side, fvi_canvas *out)
{
    const fvi_paint_source s = source_of(image);
    int width, height;
    fvi_paint_size(&s, side, false, &width, &height);
    FVI_TRY(ctx, fvi_canvas_create(ctx, width, height, 3, out));
    fvi_paint(out, 0, 0, width, height, &s);
    return FV_OK;
}
