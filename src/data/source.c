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
    return fv_image_create(ctx, image, 3, height, width);
}

fv_status fv_image_create(fv_context *ctx, fv_image *image, int channels, int height, int width)
{
    if (channels < 1 || channels > FV_CHANNELS_MAX) return fvi_fail(ctx, FV_ERROR_INVALID, "a picture of %d channels; 1 to %d", channels, FV_CHANNELS_MAX);
    if (height < 1 || width < 1 || height > FVI_MAX_SIDE || width > FVI_MAX_SIDE || (int64_t)height * width > FVI_MAX_PIXELS)
        return fvi_fail(ctx, FV_ERROR_FORMAT, "picture of %d x %d pixels is outside the limits (%d a side, %d in all)", width, height,
                        FVI_MAX_SIDE, FVI_MAX_PIXELS);
    size_t bytes = (size_t)channels * (size_t)height * (size_t)width;
    if (bytes > image->capacity) {
        uint8_t *pixels = fvi_realloc(image->pixels, bytes);
        if (!pixels) return fvi_nomem(ctx);
        image->pixels = pixels;
        image->capacity = bytes;
    }
    image->channels = channels;
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

bool fvi_is_bad_sample(fv_status status)
{
    return status == FV_ERROR_FORMAT || status == FV_ERROR_UNSUPPORTED;
}

/* What errno says about a file that cannot be opened or read: is it the file, or is it the system? */
static fv_status cannot_read(fv_context *ctx, const char *path, int error)
{
    static const int of_the_file[] = {ENOENT, ENOTDIR, EACCES, EPERM, ELOOP, ENAMETOOLONG, EISDIR, ENXIO, ENODEV, EINVAL, EILSEQ, EOVERFLOW, EFBIG};
    char shown[1024];
    fv_status status = error == ENOMEM ? FV_ERROR_NOMEM : FV_ERROR_IO;
    for (int i = 0; i < FVI_COUNT(of_the_file); i++)
        if (error == of_the_file[i]) status = FV_ERROR_FORMAT;
    fvi_show_name(path, shown, sizeof shown);
    return fvi_fail(ctx, status, "%s: %s%s", shown, strerror(error),
                    error == EMFILE || error == ENFILE ? "; let the program have more of them (ulimit -n), or lower data.workers" : "");
}

/* Up to `room` bytes from where the file stands; fewer when it ends. */
static fv_status read_some(fv_context *ctx, int fd, const char *path, uint8_t *out, size_t room, size_t *n)
{
    for (*n = 0; *n < room;) {
        ssize_t got = read(fd, out + *n, room - *n);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return cannot_read(ctx, path, errno);
        if (got == 0) break;
        *n += (size_t)got;
    }
    return FV_OK;
}

/* Opens a file of at most FILE_LIMIT bytes; the caller closes *fd. */
static fv_status open_file(fv_context *ctx, const char *path, int *fd, size_t *bytes)
{
    struct stat st;
    char shown[1024];
    *fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (*fd < 0) return cannot_read(ctx, path, errno);
    const int error = fstat(*fd, &st) == 0 ? 0 : errno;
    if (!error && S_ISREG(st.st_mode) && st.st_size <= FILE_LIMIT) {
        *bytes = (size_t)st.st_size;
        return FV_OK;
    }
    close(*fd);
    if (error) return cannot_read(ctx, path, error);
    fvi_show_name(path, shown, sizeof shown);
    return fvi_fail(ctx, FV_ERROR_FORMAT, S_ISREG(st.st_mode) ? "%s: larger than the limit of 1 GiB" : "%s: not a file", shown);
}

fv_status fvi_read_bytes(fv_context *ctx, const char *path, fv_bytes *out)
{
    int fd;
    size_t bytes;
    FVI_TRY(ctx, open_file(ctx, path, &fd, &bytes));
    fv_status status = fv_bytes_resize(ctx, out, bytes);
    if (status == FV_OK) status = read_some(ctx, fd, path, out->data, bytes, &out->size);      /* less where it became shorter meanwhile */
    close(fd);
    return status;
}

fv_status fvi_read_head(fv_context *ctx, const char *path, void *out, size_t room, size_t *n)
{
    int fd;
    size_t bytes;
    *n = 0;
    FVI_TRY(ctx, open_file(ctx, path, &fd, &bytes));
    fv_status status = read_some(ctx, fd, path, out, room, n);
    close(fd);
    return status;
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
