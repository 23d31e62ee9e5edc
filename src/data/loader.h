/* SPDX-License-Identifier: Apache-2.0 */
/* The loader: an endless stream of batches over epochs, made ahead by worker threads in a bounded ring. What batch k
 * holds is a function of the options only, never of the number of workers or of timing. */
#ifndef FVI_LOADER_H
#define FVI_LOADER_H

#include "data/augment.h"

typedef struct fvi_loader_options {
    const fv_source *source;             /* borrowed */
    fvi_augment augment;
    bool shuffle, random;                /* new order each epoch; random augmentation */
    uint64_t seed;
    int64_t batch_size;
    int64_t min_last;                    /* a last batch with fewer samples is dropped; 0 or 1: kept, batch_size: drop_last */
    int workers;                         /* 0: made in line, when asked for */
    int ahead;                           /* batches in the ring; 0: workers + 2 */
    int64_t epoch, index;                /* where to start: batch `index` of `epoch` */
    bool skip_bad;                       /* a sample that cannot be read is noted, not an error: the next one in the source
                                            takes its place, or (not shuffled: evaluation) the batch is shorter */
    bool once;                           /* the stream ends with the epoch it starts in; nothing further is made ahead */
    size_t cache_bytes;                  /* limit of decoded pictures kept in memory; 0: none */
} fvi_loader_options;

typedef struct fvi_bad_sample { int64_t id; char *reason; } fvi_bad_sample;

typedef struct fvi_batch {
    int64_t n;                           /* samples: batch_size, fewer in the last of an epoch; with `dropped` perhaps 0 */
    int64_t dropped;                     /* bad samples that are missing */
    float *images;                       /* (n, 3, size, size) */
    int64_t *labels, *ids;               /* (n); ids: sample numbers of the source */
    int64_t epoch, index;                /* which batch of which epoch */
    int64_t first;                       /* position of its first sample in the epoch's order */
    bool last;                           /* of its epoch */
    size_t image_bytes;                  /* of the buffer */
} fvi_batch;

typedef struct fvi_loader fvi_loader;
FV_CHECKED fv_status fvi_loader_create(fv_context *ctx, const fvi_loader_options *o, fvi_loader **out);
void fvi_loader_destroy(fvi_loader *l);                 /* stops and joins the workers; NULL allowed */
int64_t fvi_loader_batches(const fvi_loader_options *o);/* in an epoch */
/* The next batch, borrowed until the next call. A sample that cannot be read is an error that names it. */
FV_CHECKED fv_status fvi_loader_next(fvi_loader *l, const fvi_batch **out);
/* Makes batch (epoch, index) once more, whatever the stream's position. Free with fvi_batch_free. */
FV_CHECKED fv_status fvi_loader_again(fvi_loader *l, int64_t epoch, int64_t index, fvi_batch *out);
void fvi_batch_free(fvi_batch *b);
double fvi_loader_waited(const fvi_loader *l);          /* seconds spent inside fvi_loader_next so far */
size_t fvi_loader_bytes(const fvi_loader_options *o);   /* memory of the ring and the cache */
/* Bad samples met so far, each once, in no order. Valid until the next call of the loader's. */
int64_t fvi_loader_bad(const fvi_loader *l, const fvi_bad_sample **out);
int64_t fvi_loader_forgiven(const fvi_loader *l);       /* pictures that were read in spite of faults, counted each time */

#endif
