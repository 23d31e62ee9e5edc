/* SPDX-License-Identifier: Apache-2.0 */
/* Data sources: numbered samples, each a picture and a label. The library reads CIFAR-10; a source of your own is a
 * struct of four functions. */
#ifndef FOVEA_DATA_H
#define FOVEA_DATA_H

#include "fovea/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* RGB, 8 bits, three planes of height * width one after the other. */
typedef struct fv_image { uint8_t *pixels; int height, width; size_t capacity; } fv_image;
/* Sets the size; the buffer grows when needed and is kept between samples. Contents are undefined afterwards. */
FV_API fv_status fv_image_resize(fv_context *ctx, fv_image *image, int height, int width) FV_CHECKED;
FV_API void fv_image_free(fv_image *image);

typedef struct fv_source {
    int64_t count, classes;
    const char *const *class_names;          /* `classes` of them; NULL: "0", "1", ... */
    void *user;
    /* Reads sample `index`. Called from several threads at once, each with a context of its own for errors. */
    fv_status (*get)(const struct fv_source *s, fv_context *ctx, int64_t index, fv_image *image, int64_t *label);
    /* What a person calls sample `index` ("data_batch_1.bin, record 12"). NULL: its number. */
    void (*name)(const struct fv_source *s, int64_t index, char *text, size_t capacity);
    void (*destroy)(struct fv_source *s);    /* frees the source itself too; NULL: nothing */
} fv_source;

/* CIFAR-10 binary batches in `root` or in its sub-folder cifar-10-batches-bin. `train`: data_batch_*.bin, else test_batch.bin. */
FV_API fv_status fv_source_cifar10(fv_context *ctx, const char *root, bool train, fv_source **out) FV_CHECKED;
FV_API void fv_source_destroy(fv_source *s);  /* NULL is allowed */

#ifdef __cplusplus
}
#endif
#endif
