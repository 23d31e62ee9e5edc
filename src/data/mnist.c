/* SPDX-License-Identifier: Apache-2.0 */
/* MNIST and data sets in its form (Fashion-MNIST, KMNIST, EMNIST): pictures in an IDX file of rank 3, labels in one of
 * rank 1, either packed with gzip. */
#include "base/file.h"
#include "data/idx.h"
#include "io/gzip.h"

#include <stdio.h>

#define REMEDY "; the four files of MNIST are wanted there, as train-images-idx3-ubyte or .gz"

/* ---- IDX --------------------------------------------------------------------------------------------------------------- */

void fvi_idx_free(fvi_idx *x)
{
    fvi_free(x->own);
    memset(x, 0, sizeof *x);
}

static fv_status read_header(fv_context *ctx, const char *name, const uint8_t *p, size_t size, int rank, fvi_idx *x)
{
    size_t head = 4 + 4 * (size_t)rank;
    int64_t n = 1;
    if (size < head) return fvi_fail(ctx, FV_ERROR_FORMAT, "%s: truncated: %zu bytes are no IDX header", name, size);
    if (p[0] || p[1] || p[2] != 8 || p[3] != rank)
        return fvi_fail(ctx, FV_ERROR_FORMAT, "%s: not an IDX file of unsigned bytes with %d dimension%s: it begins with %02x %02x %02x %02x", name, rank,
                        rank == 1 ? "" : "s", p[0], p[1], p[2], p[3]);
    x->rank = rank;
    for (int i = 0; i < rank; i++) {
        const uint8_t *d = p + 4 + 4 * i;
        x->dims[i] = (int64_t)d[0] << 24 | (int64_t)d[1] << 16 | (int64_t)d[2] << 8 | d[3];
        if (x->dims[i] < 1 || !fvi_mul_i64(n, x->dims[i], &n))
            return fvi_fail(ctx, FV_ERROR_FORMAT, "%s: damaged: dimension %d is %lld", name, i, (long long)x->dims[i]);
    }
    if ((uint64_t)n != size - head)
        return fvi_fail(ctx, FV_ERROR_FORMAT, "%s: %s: the header says %lld bytes of data, there are %zu", name, (uint64_t)n > size - head ? "truncated" : "damaged",
                        (long long)n, size - head);
    x->data = p + head;
    return FV_OK;
}

fv_status fvi_idx_parse(fv_context *ctx, const char *name, const uint8_t *bytes, size_t size, int rank, fvi_idx *out)
{
    memset(out, 0, sizeof *out);
    if (fvi_is_gzip(bytes, size)) {
        FVI_TRY(ctx, fvi_gunzip(ctx, name, bytes, size, FVI_IDX_LIMIT, &out->own, &size));
        bytes = out->own;
    }
    fv_status status = read_header(ctx, name, bytes, size, rank, out);
    if (status != FV_OK) fvi_idx_free(out);
    return status;
}

/* ---- the source -------------------------------------------------------------------------------------------------------- */

typedef struct mnist {
    fv_source source;
    char *path;                          /* of the pictures */
    fvi_map maps[2];                     /* pictures, labels */
    fvi_idx idx[2];
} mnist;

static void mnist_destroy(fv_source *s)
{
    mnist *m = s->user;
    for (int i = 0; i < 2; i++) {
        fvi_idx_free(&m->idx[i]);
        fvi_file_unmap(&m->maps[i]);
    }
    fvi_free(m->path);
    fvi_free(m);
}

static fv_status mnist_get(const fv_source *s, fv_context *ctx, int64_t index, fv_sample *out)
{
    fv_image *image = &out->image;
    int64_t *label = &out->label;
    const mnist *m = s->user;
    if (index < 0 || index >= s->count) return fvi_fail(ctx, FV_ERROR_INVALID, "sample %lld of %lld", (long long)index, (long long)s->count);
    size_t n = (size_t)(m->idx[0].dims[1] * m->idx[0].dims[2]);
    FVI_TRY(ctx, fv_image_resize(ctx, image, (int)m->idx[0].dims[1], (int)m->idx[0].dims[2]));
    for (size_t c = 0; c < 3; c++) memcpy(image->pixels + c * n, m->idx[0].data + (size_t)index * n, n);
    *label = m->idx[1].data[index];
    return FV_OK;
}

static void mnist_name(const fv_source *s, int64_t index, char *text, size_t capacity)
{
    const mnist *m = s->user;
    snprintf(text, capacity, "%s, record %lld", fvi_path_base(m->path), (long long)index);
}

/* The file of one part under any of its usual names and places; NULL: there is none (*failed: no memory). */
static char *find(const char *root, const char *set, const char *part, bool *failed)
{
    static const char *const folders[] = {"", "raw/", "MNIST/raw/", "FashionMNIST/raw/", "KMNIST/raw/"}, *const ends[] = {"", ".gz"};
    static const char *const joints[] = {"-", "."};
    for (int f = 0; f < FVI_COUNT(folders); f++)
        for (int j = 0; j < FVI_COUNT(joints); j++)
            for (int e = 0; e < FVI_COUNT(ends); e++) {
                char *path = fvi_format("%s/%s%s-%.6s%s%s-ubyte%s", root, folders[f], set, part, joints[j], part + 7, ends[e]);
                if (!path) *failed = true;
                if (path && fvi_file_exists(path)) return path;
                fvi_free(path);
            }
    return NULL;
}

static fv_status open_part(fv_context *ctx, mnist *m, const char *root, bool train, int which)
{
    static const char *const parts[2] = {"images-idx3", "labels-idx1"};
    bool failed = false;
    const char *set = train ? "train" : "t10k";
    fv_status status = FV_OK;
    char *path = find(root, set, parts[which], &failed);
    if (!path && failed) return fvi_nomem(ctx);
    if (!path) return fvi_fail(ctx, FV_ERROR_IO, "no %s-%s-ubyte in %s" REMEDY, set, parts[which], root);
    FVI_TRY_DONE(ctx, status, fvi_file_map(ctx, path, &m->maps[which]));
    FVI_TRY_DONE(ctx, status, fvi_idx_parse(ctx, path, m->maps[which].data, m->maps[which].bytes, which ? 1 : 3, &m->idx[which]));
    if (which == 0) {
        m->path = path;
        path = NULL;
    }
done:
    fvi_free(path);
    return status;
}

static fv_status open_both(fv_context *ctx, mnist *m, const char *root, bool train)
{
    if (!fvi_is_dir(root)) return fvi_fail(ctx, FV_ERROR_IO, "data.root: folder %s does not exist; give data=DIR" REMEDY, root);
    FVI_TRY(ctx, open_part(ctx, m, root, train, 0));
    FVI_TRY(ctx, open_part(ctx, m, root, train, 1));
    const fvi_idx *pictures = &m->idx[0], *labels = &m->idx[1];
    if (pictures->dims[0] != labels->dims[0])
        return fvi_fail(ctx, FV_ERROR_FORMAT, "%s: %lld pictures, but %lld labels beside it", m->path, (long long)pictures->dims[0], (long long)labels->dims[0]);
    if (pictures->dims[1] > FVI_MAX_SIDE || pictures->dims[2] > FVI_MAX_SIDE)
        return fvi_fail(ctx, FV_ERROR_FORMAT, "%s: pictures of %lld x %lld", m->path, (long long)pictures->dims[2], (long long)pictures->dims[1]);
    m->source.count = labels->dims[0];
    m->source.classes = 10;
    for (int64_t i = 0; i < m->source.count; i++) m->source.classes = FVI_MAX(m->source.classes, labels->data[i] + 1);
    return FV_OK;
}

fv_status fv_source_mnist(fv_context *ctx, const char *root, bool train, fv_source **out)
{
    mnist *m = fvi_calloc(1, sizeof *m);
    *out = NULL;
    if (!m) return fvi_nomem(ctx);
    m->source = (fv_source){.user = m, .get = mnist_get, .name = mnist_name, .destroy = mnist_destroy};
    fv_status status = open_both(ctx, m, root, train);
    if (status == FV_OK)
        *out = &m->source;
    else
        mnist_destroy(&m->source);
    return status;
}
