/* SPDX-License-Identifier: Apache-2.0 */
/* Data sources: numbered samples, each a picture and a label. The library reads folders of pictures, CSV lists, CIFAR and
 * MNIST; a source of your own is a struct of a few functions. */
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
FV_API void fv_image_free(fv_image *image);                      /* the pixels; the struct is then empty and may be used again */

/* Bytes of a picture file. The buffer is the reader's to fill and grows by fv_bytes_resize; it is kept between samples. */
typedef struct fv_bytes { uint8_t *data; size_t size, capacity; } fv_bytes;
FV_API fv_status fv_bytes_resize(fv_context *ctx, fv_bytes *b, size_t size) FV_CHECKED;
FV_API void fv_bytes_free(fv_bytes *b);
/* Decodes JPEG, PNG, WebP, GIF (first frame), BMP or PPM, recognised by content, turned as its EXIF tag says. `name` is
 * used in errors. */
FV_API fv_status fv_image_decode(fv_context *ctx, const char *name, const void *data, size_t bytes, fv_image *image) FV_CHECKED;

typedef struct fv_source {
    int64_t count, classes;
    const char *const *class_names;          /* `classes` of them; NULL: "0", "1", ... */
    void *user;
    /* Reads sample `index`. Called from several threads at once, each with a context of its own for errors. */
    fv_status (*get)(const struct fv_source *s, fv_context *ctx, int64_t index, fv_image *image, int64_t *label);
    /* What a person calls sample `index` ("data_batch_1.bin, record 12"). NULL: its number. */
    void (*name)(const struct fv_source *s, int64_t index, char *text, size_t capacity);
    void (*destroy)(struct fv_source *s);    /* frees the source itself too; NULL: nothing */
    /* Instead of get, or beside it: sample `index` as the bytes of a picture file, which the loader decodes itself (only
     * what a crop needs of it, if asked to). NULL: get is used. */
    fv_status (*encoded)(const struct fv_source *s, fv_context *ctx, int64_t index, fv_bytes *bytes, int64_t *label);
} fv_source;

/* CIFAR-10 binary batches in `root` or in its sub-folder cifar-10-batches-bin. `train`: data_batch_*.bin, else test_batch.bin. */
FV_API fv_status fv_source_cifar10(fv_context *ctx, const char *root, bool train, fv_source **out) FV_CHECKED;
/* CIFAR-100 (train.bin, test.bin, in `root` or cifar-100-binary) with its 100 fine or 20 coarse labels. */
FV_API fv_status fv_source_cifar100(fv_context *ctx, const char *root, bool train, bool coarse, fv_source **out) FV_CHECKED;
/* MNIST and its kin in IDX files, plain or .gz, in `root`, raw or MNIST/raw. Grey is given as three equal planes. */
FV_API fv_status fv_source_mnist(fv_context *ctx, const char *root, bool train, fv_source **out) FV_CHECKED;
FV_API void fv_source_destroy(fv_source *s);  /* NULL is allowed */

/* ---- data sets: what is trained on, what decides, what is held out ---- */

typedef enum fv_split { FV_SPLIT_TRAIN, FV_SPLIT_VAL, FV_SPLIT_TEST, FV_SPLITS } fv_split;

typedef struct fv_data_options {
    const char *root;            /* folder, or a CSV file */
    const char *format;          /* folder, csv, cifar10, cifar100, mnist; NULL or auto: by what is there */
    const char *sets[FV_SPLITS]; /* sub-folders or CSV files of the sets; NULL: train, val|valid|validation, test, where there */
    const char *images;          /* folder that the paths of a CSV are relative to; NULL: the CSV's own */
    const char *const *classes;  /* names in the order of their labels; NULL: all there are, sorted */
    int64_t n_classes;
    const char *split_file;      /* a split that was written before; NULL, or a file that does not exist: split anew */
    double val, test;            /* shares that are split off where no set is given; 0: none; negative: 0.2 and 0 */
    int folds, fold;             /* folds > 1: cross-validation; fold number `fold` validates */
    uint64_t seed;
    bool random_split;           /* over all, instead of within each class */
    bool split_duplicates;       /* identical files may be divided among the sets */
    bool whole;                  /* without sets and split file: everything is in each set (evaluation of other data) */
    unsigned leave_out;          /* bit 1 << FV_SPLIT_...: that set is not wanted, its files may be missing */
    bool coarse;                 /* CIFAR-100 */
    bool allow_empty;            /* classes without pictures are no error */
    bool allow_outside;          /* paths of a CSV may be absolute or lead out of their folder */
} fv_data_options;

/* A data set and its split. Options are borrowed during the call. What is missing is an IO error, what is wrong with it a FORMAT
 * one; both name the file and what to do. */
typedef struct fv_data fv_data;
FV_API fv_status fv_data_open(fv_context *ctx, const fv_data_options *o, fv_data **out) FV_CHECKED;
FV_API void fv_data_destroy(fv_data *d);                         /* NULL is allowed */
FV_API const fv_source *fv_data_source(const fv_data *d, fv_split split);   /* borrowed; NULL: there is no such set */
FV_API const char *fv_data_format(const fv_data *d);             /* "folder", "csv" ...: which of them it is */
/* Writes the split (path, label, split, fold), which is itself a CSV list that can be read. OK without doing anything where
 * the data bring their sets in files of their own (CIFAR, MNIST). */
FV_API fv_status fv_data_write_split(fv_context *ctx, const fv_data *d, const char *path) FV_CHECKED;

/* ---- checking ---- */

typedef struct fv_data_class { const char *name; int64_t count[FV_SPLITS]; } fv_data_class;
typedef struct fv_data_fault { const char *name, *reason; } fv_data_fault;
typedef struct fv_data_report {
    const char *root, *format;
    int64_t samples, classes, ignored;       /* ignored: files that are no pictures */
    int64_t count[FV_SPLITS];
    const fv_data_class *per_class;
    int64_t formats[8];                      /* by fv_data_format_name(0), (1) ... */
    int64_t turned, transparent, misnamed;   /* EXIF orientation above 1; alpha; another format than the name says */
    int min_width, min_height, max_width, max_height;
    const fv_data_fault *bad;                /* pictures that cannot be read */
    int64_t n_bad;
    const fv_data_fault *warnings;           /* pictures that were read in spite of faults */
    int64_t n_warnings;
    int64_t duplicates, across_sets, across_classes;   /* identical files: beyond the first of each; in two sets; in two classes */
    const fv_data_fault *doubles;            /* some of the last two kinds: a file and its twin */
    int64_t n_doubles;
} fv_data_report;
/* Reads and decodes everything. */
FV_API fv_status fv_data_check(fv_context *ctx, const fv_data_options *o, int threads, fv_data_report **out) FV_CHECKED;
FV_API void fv_data_report_destroy(fv_data_report *r);           /* NULL is allowed */
FV_API const char *fv_data_format_name(int index);               /* "JPEG", ...; NULL past the end */

#ifdef __cplusplus
}
#endif
#endif
