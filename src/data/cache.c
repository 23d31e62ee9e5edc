/* SPDX-License-Identifier: Apache-2.0 */
/* A pointer for each sample, set once. */
#include "data/cache.h"

#include <stdatomic.h>

typedef struct entry { int64_t label; int width, height; uint8_t rgb[]; } entry;

struct fvi_cache {
    int64_t samples;
    size_t limit;
    atomic_size_t used;
    _Atomic(entry *) *slots;
};

fv_status fvi_cache_create(fv_context *ctx, int64_t samples, size_t limit, fvi_cache **out)
{
    fvi_cache *c = fvi_calloc(1, sizeof *c);
    *out = NULL;
    if (!c || !(c->slots = fvi_calloc((size_t)samples, sizeof *c->slots))) {
        fvi_free(c);
        return fvi_nomem(ctx);
    }
    c->samples = samples;
    c->limit = limit;
    *out = c;
    return FV_OK;
}

void fvi_cache_destroy(fvi_cache *c)
{
    if (!c) return;
    for (int64_t i = 0; i < c->samples; i++) fvi_free(atomic_load(&c->slots[i]));
    fvi_free(c->slots);
    fvi_free(c);
}

bool fvi_cache_get(const fvi_cache *c, int64_t sample, fvi_picture *out, int64_t *label)
{
    const entry *e = atomic_load_explicit(&c->slots[sample], memory_order_acquire);
    if (!e || fvi_picture_size(NULL, out, e->width, e->height) != FV_OK) return false;
    size_t n = (size_t)e->width * (size_t)e->height;
    uint8_t *q = out->pixels;
    for (size_t i = 0; i < n; i++, q += 4) {
        memcpy(q, e->rgb + 3 * i, 3);
        q[3] = 255;
    }
    *label = e->label;
    return true;
}

void fvi_cache_put(fvi_cache *c, int64_t sample, const fvi_picture *p, int64_t label)
{
    size_t n = (size_t)p->width * (size_t)p->height, bytes = sizeof(entry) + 3 * n;
    if (atomic_load_explicit(&c->slots[sample], memory_order_relaxed)) return;
    entry *e = NULL, *none = NULL;
    if (atomic_fetch_add(&c->used, bytes) + bytes <= c->limit) e = fvi_malloc(bytes);
    if (!e) {
        atomic_fetch_sub(&c->used, bytes);
        return;
    }
    e->label = label;
    e->width = p->width;
    e->height = p->height;
    for (size_t i = 0; i < n; i++) memcpy(e->rgb + 3 * i, p->pixels + 4 * i, 3);
    if (atomic_compare_exchange_strong(&c->slots[sample], &none, e)) return;
    atomic_fetch_sub(&c->used, bytes);                   /* another thread was faster */
    fvi_free(e);
}

size_t fvi_cache_bytes(const fvi_cache *c)
{
    return atomic_load(&c->used);
}
