/* SPDX-License-Identifier: Apache-2.0 */
/* Unpacking gzip through zlib, with a limit on what comes out. */
#include "io/gzip.h"

#include <limits.h>
#include <zlib.h>

/* Deflate cannot pack by more than 1032 : 1, so no file asks for more room than that. */
enum { MOST_RATIO = 1032, FIRST_ROOM = 1 << 16 };

static fv_status grow(fv_context *ctx, const char *name, size_t limit, uint8_t **out, size_t *room)
{
    if (*room > limit) return fvi_fail(ctx, FV_ERROR_FORMAT, "%s: unpacks to more than %zu bytes", name, limit);
    size_t wanted = *room ? FVI_MIN(*room * 2, limit + 1) : FIRST_ROOM;
    uint8_t *grown = fvi_realloc(*out, wanted);
    if (!grown) return fvi_nomem(ctx);
    *out = grown;
    *room = wanted;
    return FV_OK;
}

fv_status fvi_gunzip(fv_context *ctx, const char *name, const uint8_t *data, size_t bytes, size_t limit, uint8_t **out, size_t *out_bytes)
{
    z_stream z = {0};
    uint8_t *buffer = NULL;
    size_t room = 0, used = 0, at = 0;
    fv_status status = FV_OK;
    limit = FVI_MIN(limit, bytes > SIZE_MAX / MOST_RATIO ? SIZE_MAX - 1 : bytes * MOST_RATIO);
    *out = NULL;
    if (inflateInit2(&z, 15 + 16) != Z_OK) return fvi_nomem(ctx);
    for (int r = Z_OK; at < bytes || r != Z_STREAM_END;) {
        if (used == room) FVI_TRY_DONE(ctx, status, grow(ctx, name, limit, &buffer, &room));
        if (r == Z_STREAM_END) {
            if (bytes - at < 2 || data[at] != 0x1F || data[at + 1] != 0x8B) break;      /* what follows a member is padding */
            if (inflateReset(&z) != Z_OK) break;
        }
        uInt in = (uInt)FVI_MIN(bytes - at, (size_t)UINT_MAX / 2), space = (uInt)FVI_MIN(room - used, (size_t)UINT_MAX / 2);
        z.next_in = (z_const Bytef *)(uintptr_t)(data + at);
        z.avail_in = in;
        z.next_out = buffer + used;
        z.avail_out = space;
        r = inflate(&z, Z_NO_FLUSH);
        at += in - z.avail_in;
        used += space - z.avail_out;
        if (r == Z_MEM_ERROR) {
            status = fvi_nomem(ctx);
            goto done;
        }
        if (r != Z_OK && r != Z_STREAM_END) {
            status = r == Z_BUF_ERROR ? fvi_fail(ctx, FV_ERROR_FORMAT, "%s: truncated gzip, it ends at byte %zu", name, bytes)
                                      : fvi_fail(ctx, FV_ERROR_FORMAT, "%s: damaged gzip near byte %zu", name, at);
            goto done;
        }
    }
    *out = buffer;
    *out_bytes = used;
    buffer = NULL;
done:
    inflateEnd(&z);
    fvi_free(buffer);
    return status;
}
