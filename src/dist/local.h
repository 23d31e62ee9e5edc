/* SPDX-License-Identifier: Apache-2.0 */
/* Ranks that are threads of one process: the communicator of tests, and of what runs several sessions side by side.
 * Sums are taken in the order of ranks, so every rank gets the same bits. */
#ifndef FVI_LOCAL_H
#define FVI_LOCAL_H

#include "ir/kernel.h"

typedef struct fvi_local fvi_local;

FV_CHECKED fv_status fvi_local_create(fv_context *ctx, int size, fvi_local **out);
void fvi_local_destroy(fvi_local *l);                    /* NULL is allowed; after every rank is done */
/* Borrowed; for one thread. Collectives return when all ranks have called them with equal count and type. */
fvi_comm *fvi_local_rank(fvi_local *l, int rank);
/* A rank that gives up: collectives under way and later ones return CANCELED instead of waiting for it. */
void fvi_local_abort(fvi_local *l);

#endif
