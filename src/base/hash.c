/* SPDX-License-Identifier: Apache-2.0 */
/* Hashes: XXH3 of the xxHash library. Not for secrets. Texts are the library's canonical (big-endian) form,
 * so they agree with `xxhsum -H2`. */
#include "base/base.h"

#include <xxhash.h>

struct fvi_hash_state { XXH3_state_t *xxh; };           /* owned */

uint64_t fvi_hash64(const void *data, size_t bytes, uint64_t seed)
{
    return XXH3_64bits_withSeed(data, bytes, seed);
}

uint64_t fvi_hash_text(const char *s)
{
    return fvi_hash64(s, strlen(s), 0);
}

fvi_hash_state *fvi_hash_begin(void)
{
    fvi_hash_state *h = fvi_malloc(sizeof *h);
    if (!h) return NULL;
    h->xxh = XXH3_createState();
    if (h->xxh && XXH3_128bits_reset(h->xxh) == XXH_OK) return h;
    XXH3_freeState(h->xxh);
    fvi_free(h);
    return NULL;
}

void fvi_hash_update(fvi_hash_state *h, const void *data, size_t bytes)
{
    if (h && bytes) XXH3_128bits_update(h->xxh, data, bytes);
}

void fvi_hash_end(fvi_hash_state *h, char hex[33])
{
    hex[0] = 0;
    if (!h) return;
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(h->xxh));
    for (int i = 0; i < 16; i++) {
        hex[2 * i] = "0123456789abcdef"[canonical.digest[i] >> 4];
        hex[2 * i + 1] = "0123456789abcdef"[canonical.digest[i] & 15];
    }
    hex[32] = 0;
    XXH3_freeState(h->xxh);
    fvi_free(h);
}
