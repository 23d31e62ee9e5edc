/* SPDX-License-Identifier: Apache-2.0 */
/* What all sources share. */
#include "data/data.h"
#include "image/image.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_LIMIT ((int64_t)1 << 30)

fv_status fv_image_resize(fv_context *ctx, fv_image *image, int height, int width)
{
    if (height < 1 || width < 1 || height > FVI_MAX_SIDE || width > FVI_MAX_SIDE || (int64_t)height * width > FVI_MAX_PIXELS)
        return fvi_fail(ctx, FV_ERROR_FORMAT, "picture of %d x %d pixels is outside the limits (%d a side, %d in all)", width, height,
                        FVI_MAX_SIDE, FVI_MAX_PIXELS);
    size_t bytes = 3 * (size_t)height * (size_t)width;
    if (bytes > image->capacity) {
        uint8_t *pixels = fvi_realloc(image->pixels, bytes);
        if (!pixels) return fvi_nomem(ctx);
        image->pixels = pixels;
        image->capacity = bytes;
    }
    image->height = height;
    image->width = width;
    return FV_OK;
}

void fv_image_free(fv_image *image)
{
    fvi_free(image->pixels);
    memset(image, 0, sizeof *image);
}

fv_status fv_bytes_resize(fv_context *ctx, fv_bytes *b, size_t size)
{
    if (size > b->capacity) {
        size_t room = FVI_MAX(size, b->capacity + b->capacity / 2);
        uint8_t *data = fvi_realloc(b->data, room);
        if (!data) return fvi_nomem(ctx);
        b->data = data;
        b->capacity = room;
    }
    b->size = size;
    return FV_OK;
}

void fv_bytes_free(fv_bytes *b)
{
    fvi_free(b->data);
    memset(b, 0, sizeof *b);
}

fv_status fv_image_decode(fv_context *ctx, const char *name, const void *data, size_t bytes, fv_image *image)
{
    fvi_picture p = {0};
    fv_status status = fvi_image_decode(ctx, name, data, bytes, NULL, &p, NULL);
    if (status == FV_OK) status = fv_image_resize(ctx, image, p.height, p.width);
    size_t n = (size_t)p.width * (size_t)p.height;
    for (size_t i = 0; i < n && status == FV_OK; i++)
        for (size_t c = 0; c < 3; c++) image->pixels[c * n + i] = p.pixels[4 * i + c];
    fvi_picture_free(&p);
    return status;
}

fv_status fvi_read_bytes(fv_context *ctx, const char *path, fv_bytes *out)
{
    struct stat st;
    char shown[1024];
    size_t used = 0;
    fv_status status = FV_OK;
    fvi_show_name(path, shown, sizeof shown);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return fvi_fail(ctx, FV_ERROR_IO, "%s: %s", shown, strerror(errno));
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size > FILE_LIMIT) {
        bool large = S_ISREG(st.st_mode) && st.st_size > FILE_LIMIT;
        status = fvi_fail(ctx, FV_ERROR_FORMAT, large ? "%s: larger than the limit of 1 GiB" : "%s: not a file", shown);
        goto done;
    }
    FVI_TRY_DONE(ctx, status, fv_bytes_resize(ctx, out, (size_t)st.st_size));
    while (used < out->size) {
        ssize_t n = read(fd, out->data + used, out->size - used);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) {
            status = fvi_fail(ctx, FV_ERROR_IO, "%s: %s", shown, strerror(errno));
            goto done;
        }
        if (n == 0) break;                               /* it became shorter meanwhile */
        used += (size_t)n;
    }
    out->size = used;
done:
    close(fd);
    return status;
}

int64_t fvi_read_head(const char *path, void *out, size_t room)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return -1;
    ssize_t n = read(fd, out, room);
    close(fd);
    return (int64_t)n;
}

bool fvi_path_in(char out[FVI_PATH_ROOM], const char *a, const char *b)
{
    int n = *b == '/' || !*a ? snprintf(out, FVI_PATH_ROOM, "%s", b) : snprintf(out, FVI_PATH_ROOM, "%s%s%s", a, a[strlen(a) - 1] == '/' ? "" : "/", b);
    return n < FVI_PATH_ROOM;
}

void fvi_show_name(const char *name, char *text, size_t capacity)
{
    size_t used = 0, left = strlen(name);
    while (left) {
        int n = fvi_utf8_next(name, left, NULL);
        unsigned char c = (unsigned char)*name;
        char part[8];
        if (n && c >= 0x20 && c != 0x7F) memcpy(part, name, (size_t)n), part[n] = 0;
        else if (c == '\n') memcpy(part, "\\n", 3);
        else snprintf(part, sizeof part, "\\x%02x", c);
        size_t length = strlen(part);
        if (used + length + 1 > capacity) break;
        memcpy(text + used, part, length);
        used += length;
        name += n ? n : 1;
        left -= (size_t)(n ? n : 1);
    }
    if (capacity) text[used] = 0;
}

void fvi_source_name(const fv_source *s, int64_t index, char *text, size_t capacity)
{
    if (s->name)
        s->name(s, index, text, capacity);
    else
        snprintf(text, capacity, "sample %lld", (long long)index);
}

void fv_source_destroy(fv_source *s)
{
    if (s && s->destroy) s->destroy(s);
}
