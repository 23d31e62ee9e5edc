/* SPDX-License-Identifier: Apache-2.0 */
/* IDX files: two zero bytes, the element type, the number of dimensions, the dimensions (32 bits, big-endian), the data. */
#ifndef FVI_IDX_H
#define FVI_IDX_H

#include "data/data.h"

#define FVI_IDX_LIMIT ((size_t)1 << 30)

typedef struct fvi_idx {
    uint8_t *own;                        /* unpacked; NULL: data are the caller's */
    const uint8_t *data;                 /* elements, bytes */
    int rank;
    int64_t dims[3];
} fvi_idx;
/* Takes apart a file of unsigned bytes, plain or packed, of exactly `rank` dimensions (1 or 3). */
FV_CHECKED fv_status fvi_idx_parse(fv_context *ctx, const char *name, const uint8_t *bytes, size_t size, int rank, fvi_idx *out);
void fvi_idx_free(fvi_idx *x);

#endif
