/* SPDX-License-Identifier: Apache-2.0 */
/* The loader: an endless stream of batches over epochs, made ahead by worker threads in a bounded ring. What batch k
 * holds is a function of the options only, never of the number of workers or of timing. What a sample becomes is the
 * collate function's affair, which a task gives. */
#ifndef FVI_LOADER_H
#define FVI_LOADER_H

#include "data/augment.h"
#include "data/cache.h"

typedef struct fvi_loader_options {
    const fv_source *source;             /* borrowed */
    const fv_field *fields;              /* borrowed */
    int n_fields;
    /* Makes one place of a batch; called from several threads at once. */
    fv_status (*collate)(const void *user, fv_loading *l, const fv_draw *d);
    const void *user;
    bool shuffle, random;                /* new order each epoch; random augmentation */
    uint64_t seed;
    int64_t batch_size;
    int64_t min_last;                    /* a last batch with fewer samples is dropped; 0 or 1: kept, batch_size: drop_last */
    int workers;                         /* 0: made in line, when asked for */
    int ahead;                           /* batches in the ring; 0: workers + 2 */
    int64_t epoch, index;                /* where to start: batch `index` of `epoch` */
    bool skip_bad;                       /* a sample that cannot be read is noted, not an error, and not asked for again: another, drawn
                                            by its number and the epoch, takes its place, or (not shuffled: evaluation) the batch is
                                            shorter. A class of which nothing can be read is an error, when the loader is created */
    bool once;                           /* the stream ends with the epoch it starts in; nothing further is made ahead */
    size_t cache_bytes;                  /* limit of decoded pictures kept in memory; 0: none */
    bool whole_pictures;                 /* for the estimate of memory: the cache will hold pictures as they are, not as they become */
} fvi_loader_options;

typedef struct fvi_bad_sample { int64_t id; char *reason; } fvi_bad_sample;

/* A batch with its buffers. */
typedef struct fvi_batch {
    fv_batch b;                          /* first: what others see */
    fv_tensor tensors[FV_FIELDS_MAX];
    int64_t *counts[FV_FIELDS_MAX];
    size_t bytes[FV_FIELDS_MAX];         /* of the buffers */
    int64_t *ids;
} fvi_batch;

/* What collate works with: buffers of one thread, and the place it makes. */
struct fv_loading {
    fv_context *ctx;
    const fvi_loader_options *o;
    fvi_cache *cache;                    /* NULL: none */
    fvi_workspace space;
    struct { fv_sample **items; int count, capacity; } samples;      /* those in use for this place, then those kept */
    int used;
    struct fvi_loader *loader;           /* NULL: none, and every sample is what it is */
    fvi_batch *batch;
    int64_t place;
    int64_t reading;                     /* the sample that is at fault if something is */
    int forgiven;                        /* faults forgiven in pictures of this place */
};
/* Place `place` of the batch is made next, of sample `id`; what it held is forgotten. */
void fvi_loading_at(fv_loading *l, fvi_batch *b, int64_t place, int64_t id);
void fvi_loading_free(fv_loading *l);

typedef struct fvi_loader fvi_loader;
FV_CHECKED fv_status fvi_loader_create(fv_context *ctx, const fvi_loader_options *o, fvi_loader **out);
void fvi_loader_destroy(fvi_loader *l);                 /* stops and joins the workers; NULL allowed */
int64_t fvi_loader_stand_in(fvi_loader *l, int64_t epoch, int64_t id);      /* what is read instead of `id`; itself where it is fine */
int64_t fvi_loader_batches(const fvi_loader_options *o);/* in an epoch */
/* The next batch, borrowed until the next call. A sample that cannot be read is an error that names it; so is, whatever skip_bad says,
 * what fails without being the sample's fault. */
FV_CHECKED fv_status fvi_loader_next(fvi_loader *l, const fv_batch **out);
/* Makes batch (epoch, index) once more, whatever the stream's position. Free with fvi_batch_free. */
FV_CHECKED fv_status fvi_loader_again(fvi_loader *l, int64_t epoch, int64_t index, fvi_batch *out);
FV_CHECKED fv_status fvi_batch_create(fv_context *ctx, const fv_field *fields, int n_fields, int64_t samples, fvi_batch *out);
void fvi_batch_free(fvi_batch *b);
size_t fvi_field_bytes(const fv_field *f);               /* of one sample, or of one row */
double fvi_loader_waited(const fvi_loader *l);          /* seconds spent inside fvi_loader_next so far */
size_t fvi_loader_bytes(const fvi_loader_options *o);   /* memory of the ring and the cache */
/* Bad samples met so far, each once, in no order. Valid until the next call of the loader's. */
int64_t fvi_loader_bad(const fvi_loader *l, const fvi_bad_sample **out);
int64_t fvi_loader_forgiven(const fvi_loader *l);       /* pictures that were read in spite of faults, counted each time */

/* The sample of this draw, cut, resized and changed as `a` says, to l->space.sized; its label. From the cache, of a file only the part
 * that is needed. */
FV_CHECKED fv_status fvi_loading_picture(fv_loading *l, const fvi_augment *a, const fv_draw *d, int64_t *label);

#endif
