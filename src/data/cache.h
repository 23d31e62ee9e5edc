/* SPDX-License-Identifier: Apache-2.0 */
/* Pictures kept in memory between epochs, up to a limit: what comes first stays, the rest is decoded again (in a random
 * order nothing else is better). Any thread may get and put. */
#ifndef FVI_CACHE_H
#define FVI_CACHE_H

#include "image/image.h"

typedef struct fvi_cache fvi_cache;
FV_CHECKED fv_status fvi_cache_create(fv_context *ctx, int64_t samples, size_t limit, fvi_cache **out);
void fvi_cache_destroy(fvi_cache *c);                    /* NULL allowed */
/* False: not there (or no memory for the picture). */
bool fvi_cache_get(const fvi_cache *c, int64_t sample, fvi_picture *out, int64_t *label);
void fvi_cache_put(fvi_cache *c, int64_t sample, const fvi_picture *p, int64_t label);
size_t fvi_cache_bytes(const fvi_cache *c);

#endif
