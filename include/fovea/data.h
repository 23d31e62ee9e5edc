/* SPDX-License-Identifier: Apache-2.0 */
/* Data sources: numbered samples, each a picture and a label. The library reads folders of pictures, CSV lists, CIFAR and
 * MNIST; a source of your own is a struct of a few functions. Batches are made of samples by a task (fovea/task.h). */
#ifndef FOVEA_DATA_H
#define FOVEA_DATA_H

#include "fovea/graph.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A picture: planes of height * width bytes one after the other; `channels` 1 to FV_CHANNELS_MAX, 3 are R, G, B. */
#define FV_CHANNELS_MAX 16
typedef struct fv_image { uint8_t *pixels; int channels, height, width; size_t capacity; } fv_image;
/* Sets the size of a picture of three channels; the buffer grows when needed and is kept between samples. Contents are undefined afterwards. */
FV_API fv_status fv_image_resize(fv_context *ctx, fv_image *image, int height, int width) FV_CHECKED;
FV_API fv_status fv_image_create(fv_context *ctx, fv_image *image, int channels, int height, int width) FV_CHECKED;    /* the same, any channels */
FV_API void fv_image_free(fv_image *image);                      /* the pixels; the struct is then empty and may be used again */

/* Bytes of a picture file. The buffer is the reader's to fill and grows by fv_bytes_resize; it is kept between samples. */
typedef struct fv_bytes { uint8_t *data; size_t size, capacity; } fv_bytes;
FV_API fv_status fv_bytes_resize(fv_context *ctx, fv_bytes *b, size_t size) FV_CHECKED;
FV_API void fv_bytes_free(fv_bytes *b);
/* Decodes JPEG, PNG, WebP, GIF (first frame), BMP, PPM, HEIC or AVIF, recognised by content, turned as its EXIF tag says. `name`
 * is used in errors. */
FV_API fv_status fv_image_decode(fv_context *ctx, const char *name, const void *data, size_t bytes, fv_image *image) FV_CHECKED;

/* ---- samples ---- */

enum { FV_ARRAYS_MAX = 8 };
#define FV_NO_LABEL ((int64_t)-1)

/* What a source knows of one sample: a picture, as pixels or as a file's bytes (or neither), a label, and arrays by name (boxes,
 * a target). Buffers are kept between samples. */
typedef struct fv_sample {
    fv_image image;                          /* height 0: there is none */
    fv_bytes file;                           /* instead of it: a picture file, decoded by whoever needs the pixels; size 0: none */
    int64_t label;                           /* FV_NO_LABEL before a source says something else */
    struct { const char *name; fv_tensor tensor; size_t capacity; } arrays[FV_ARRAYS_MAX];
    int n_arrays;
} fv_sample;
/* An array of this sample, to be filled through its data. `name` is borrowed as long as the sample. NULL + error: no memory, too many. */
FV_API fv_tensor *fv_sample_array(fv_context *ctx, fv_sample *s, const char *name, fv_dtype dtype, int rank, const int64_t *dims);
FV_API const fv_tensor *fv_sample_find(const fv_sample *s, const char *name);    /* NULL: it has none */
FV_API void fv_sample_clear(fv_sample *s);       /* empty again; buffers stay */
FV_API void fv_sample_free(fv_sample *s);

typedef struct fv_source {
    int64_t count, classes;                  /* classes 0: samples are not told apart */
    const char *const *class_names;          /* `classes` of them; NULL: "0", "1", ... */
    void *user;
    /* Reads sample `index` into a cleared sample. Called from several threads at once, each with a context of its own for errors. A sample
     * that is itself at fault (missing, damaged) is FV_ERROR_FORMAT or FV_ERROR_UNSUPPORTED, which data.on_bad_file=skip passes over;
     * anything else ends the run. */
    fv_status (*get)(const struct fv_source *s, fv_context *ctx, int64_t index, fv_sample *out);
    /* What a person calls sample `index` ("data_batch_1.bin, record 12"). NULL: its number. */
    void (*name)(const struct fv_source *s, int64_t index, char *text, size_t capacity);
    void (*destroy)(struct fv_source *s);    /* frees the source itself too; NULL: nothing */
    bool files;                              /* samples are picture files: one that cannot be decoded is a bad file (data.on_bad_file) */
    /* The label of sample `index` without reading it. NULL: that cannot be known. */
    int64_t (*label)(const struct fv_source *s, int64_t index);
} fv_source;

/* ---- batches ---- */

enum { FV_FIELDS_MAX = 16 };

/* One tensor of a batch, by what a sample adds to it: its shape, or rows of a ragged one (dims[0] FV_RAGGED). */
typedef struct fv_field { const char *name; fv_dtype dtype; int rank; int64_t dims[FV_MAX_RANK]; } fv_field;

typedef struct fv_batch {
    int64_t n;                               /* samples: batch_size, fewer in the last of an epoch; with `dropped` perhaps 0 */
    int64_t dropped;                         /* bad samples that are missing */
    const int64_t *ids;                      /* (n) numbers of the samples in their source */
    int n_fields;
    const fv_field *fields;
    fv_tensor *tensors;                      /* by field: (n, ...), or (rows of all samples, ...) */
    int64_t **counts;                        /* by field: (n) rows of each sample; NULL where it is not ragged */
    int64_t epoch, index, first;             /* which batch of which epoch; position of its first sample in the epoch's order */
    bool last;                               /* of its epoch */
} fv_batch;
FV_API const fv_tensor *fv_batch_find(const fv_batch *b, const char *field);     /* NULL: it has none */
FV_API const int64_t *fv_batch_counts(const fv_batch *b, const char *field);     /* of a ragged field */

/* ---- making a batch ---- */

/* Which draw of which sample; `random` off: evaluation. Numbers of a draw are a function of (seed, epoch, sample, purpose, index):
 * threads, batches and resuming cannot change them. Purposes from FV_PURPOSE_OWN on are for tasks outside of the library. */
typedef struct fv_draw { bool random; uint64_t seed; int64_t epoch, sample; } fv_draw;
enum { FV_PURPOSE_OWN = 1000 };
FV_API double fv_draw_uniform(const fv_draw *d, unsigned purpose, uint64_t index);       /* [0, 1) */
FV_API double fv_draw_normal(const fv_draw *d, unsigned purpose, uint64_t index);
FV_API int64_t fv_draw_below(const fv_draw *d, unsigned purpose, uint64_t index, int64_t n);     /* 0 .. n-1 */

/* A place of a batch that is being made. */
typedef struct fv_loading fv_loading;
FV_API fv_context *fv_loading_context(fv_loading *l);
FV_API const fv_source *fv_loading_source(const fv_loading *l);
/* A sample with its picture decoded to pixels. Several may be in use for one place (mosaic, mixup): borrowed until it is made. */
FV_API fv_status fv_loading_sample(fv_loading *l, int64_t index, const fv_sample **out) FV_CHECKED;
/* Where the values of this place go: the sample's part of a field. NULL + error: there is no such field, or it is ragged. */
FV_API void *fv_place(fv_loading *l, const char *field);
/* Room for that many rows more of a ragged field. */
FV_API void *fv_place_rows(fv_loading *l, const char *field, int64_t rows);

/* ---- data sets on disk ---- */

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
    const char *sets[FV_SPLITS]; /* sub-folders or CSV files of the sets; NULL: train, val, test in their usual spellings, where there */
    const char *images;          /* folder that the paths of a CSV are relative to; NULL: the CSV's own */
    const char *const *classes;  /* names in the order of their labels; NULL: all there are, in the order of their bytes */
    int64_t n_classes;
    const char *split_file;      /* a split that was written before; NULL, or a file that does not exist: split anew */
    double val, test;            /* shares that are split off where no set is given; 0: none; negative: 0.2 and 0 */
    int folds, fold;             /* folds > 1: cross-validation; fold number `fold` validates, of a CSV's column of folds where it has one */
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
