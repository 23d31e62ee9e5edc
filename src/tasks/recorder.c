/* SPDX-License-Identifier: Apache-2.0 */
/* Where a finished evaluation is kept: JSON, pictures as URIs, pictures of the event file. */
#include "base/json.h"
#include "image/png_write.h"
#include "page/picture.h"
#include "page/sheet.h"
#include "tasks/task.h"

fv_text *fv_recorder_json(fv_recorder *r) { return &r->json; }
const fv_source *fv_recorder_data(const fv_recorder *r) { return r->data; }

fv_status fv_recorder_sample(fv_recorder *r, int64_t id, const fv_sample **out)
{
    *out = NULL;
    const fv_status status = fvi_source_sample(r->data, r->ctx, id, &r->sample);
    if (status == FV_ERROR_NOMEM) return status;
    if (status == FV_OK) {
        *out = &r->sample;
        return FV_OK;
    }
    fvi_log(r->ctx, FV_LOG_WARN, "no picture in the report: %s", fv_error_message(r->ctx));
    fvi_error_clear(r->ctx);
    return FV_OK;
}

fv_status fv_recorder_picture(fv_recorder *r, const fv_image *image, int side, const char **uri, int *width, int *height)
{
    fvi_canvas c = {0};
    uint8_t *png = NULL;
    char *text = NULL;
    size_t bytes = 0;
    fv_status status = FV_OK;
    FVI_TRY_DONE(r->ctx, status, fvi_thumbnail(r->ctx, image, side, &c));
    FVI_TRY_DONE(r->ctx, status, fvi_png_encode(r->ctx, c.pixels, c.width, c.height, c.channels, &png, &bytes));
    if (!(text = fvi_png_uri(png, bytes)) || !FVI_PUSH(&r->uris, text)) {
        fvi_free(text);
        status = fvi_nomem(r->ctx);
        goto done;
    }
    *uri = text;
    *width = c.width;
    *height = c.height;
done:
    fvi_free(png);
    fvi_canvas_free(&c);
    return status;
}

fv_status fvi_recorder_canvas(fv_recorder *r, const char *tag, const fvi_canvas *c)
{
    uint8_t *png;
    size_t bytes;
    if (!r->event) return FV_OK;
    FVI_TRY(r->ctx, fvi_png_encode(r->ctx, c->pixels, c->width, c->height, c->channels, &png, &bytes));
    const fv_status status = r->event(r->user, tag, png, bytes, c->width, c->height, c->channels);
    fvi_free(png);
    return status;
}

fv_status fv_recorder_event(fv_recorder *r, const char *tag, const fv_image *image)
{
    fvi_canvas c = {0};
    fv_status status = r->event ? fvi_thumbnail(r->ctx, image, FVI_MAX(image->width, image->height), &c) : FV_OK;
    if (status == FV_OK && r->event) status = fvi_recorder_canvas(r, tag, &c);
    fvi_canvas_free(&c);
    return status;
}

void fvi_recorder_free(fv_recorder *r)
{
    for (int i = 0; i < r->uris.count; i++) fvi_free(r->uris.items[i]);
    fvi_free(r->uris.items);
    fv_sample_free(&r->sample);
    fvi_text_free(&r->json);
}
