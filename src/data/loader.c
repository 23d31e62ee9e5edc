/* SPDX-License-Identifier: Apache-2.0 */
/* Batches are handed out in order: batch k goes to slot k % slots of the ring. A worker takes the next number under the
 * lock, copies its sample numbers from the epoch's permutation, and fills the slot without the lock. The consumer waits
 * for exactly the next slot; asking for a batch gives the one before back to the workers. */
#include "data/loader.h"
#include "base/thread.h"
#include "data/cache.h"

#include <stdio.h>

typedef struct slot {
    fvi_batch batch;
    bool ready;
    fv_status status;
    char *message;                       /* of a failed sample; owned */
} slot;

typedef struct worker {
    struct fvi_loader *loader;
    pthread_t thread;
    fv_context *ctx;                     /* its own: contexts are not shared between threads */
    fvi_workspace space;
} worker;

typedef struct bad_list { fvi_bad_sample *items; int count, capacity; } bad_list;

struct fvi_loader {
    fv_context *ctx;
    fvi_loader_options o;
    int64_t per_epoch;
    int n_slots, n_started;
    slot *slots;
    worker *workers;
    worker in_line;
    pthread_mutex_t lock;
    pthread_cond_t filled, freed;
    bool stop, holding;                  /* holding: the consumer reads slot `consumed` */
    int64_t taken, consumed;             /* batches handed to workers; given back by the consumer */
    int64_t delivered;                   /* asked for by the consumer */
    int64_t epoch, index;                /* of the next batch to hand out */
    int64_t *order;                      /* permutation of order_epoch */
    int64_t order_epoch;
    double waited;
    fvi_cache *cache;
    bad_list fresh, bad;                 /* under the lock: noted by workers; the consumer's: those that were logged */
    uint8_t *is_bad;                     /* a bit for each sample: it is in the list; made with the first of them */
    int64_t forgiven;
};

int64_t fvi_loader_batches(const fvi_loader_options *o)
{
    int64_t n = o->source->count, whole = n / o->batch_size, rest = n % o->batch_size;
    if (rest > 0 && (rest >= o->min_last || whole == 0)) whole++;
    return whole;
}

static size_t image_floats(const fvi_loader_options *o)
{
    return 3 * (size_t)o->augment.size * (size_t)o->augment.size;
}

static int ring_slots(const fvi_loader_options *o)
{
    return o->workers > 0 ? (o->ahead > 0 ? o->ahead : o->workers + 2) : 1;
}

size_t fvi_loader_bytes(const fvi_loader_options *o)
{
    /* What the cache will hold is a guess where whole pictures are kept: photos of half a megapixel. */
    size_t picture = o->random && fvi_augment_moves(&o->augment) ? (size_t)3 << 19 : image_floats(o);
    size_t cache = FVI_MIN(o->cache_bytes, (size_t)o->source->count * picture);
    return (size_t)ring_slots(o) * (size_t)o->batch_size * (image_floats(o) * sizeof(float) + 2 * sizeof(int64_t)) + cache;
}

static fv_status batch_alloc(fv_context *ctx, const fvi_loader_options *o, fvi_batch *b)
{
    size_t n = (size_t)FVI_MIN(o->batch_size, o->source->count);
    b->image_bytes = n * image_floats(o) * sizeof(float);
    b->images = fvi_malloc_aligned(b->image_bytes);
    b->labels = fvi_calloc(n, sizeof(int64_t));
    b->ids = fvi_calloc(n, sizeof(int64_t));
    return b->images && b->labels && b->ids ? FV_OK : fvi_nomem(ctx);
}

void fvi_batch_free(fvi_batch *b)
{
    fvi_free_aligned(b->images, b->image_bytes);
    fvi_free(b->labels);
    fvi_free(b->ids);
    memset(b, 0, sizeof *b);
}

static void order_of(const fvi_loader_options *o, int64_t epoch, int64_t *order)
{
    if (o->shuffle) {
        fvi_rng_permutation(o->seed, fvi_rng_stream((uint64_t)epoch, 0, FVI_PURPOSE_SHUFFLE), order, o->source->count);
        return;
    }
    for (int64_t i = 0; i < o->source->count; i++) order[i] = i;
}

/* Says which samples batch (epoch, index) holds. */
static void describe(const fvi_loader *l, int64_t epoch, int64_t index, const int64_t *order, fvi_batch *b)
{
    b->epoch = epoch;
    b->index = index;
    b->first = index * l->o.batch_size;
    b->n = FVI_MIN(l->o.batch_size, l->o.source->count - b->first);
    b->last = index == l->per_epoch - 1;
    memcpy(b->ids, order + b->first, (size_t)b->n * sizeof *b->ids);
}

/* Under the lock (or without workers): the next batch of the stream. */
static void take(fvi_loader *l, fvi_batch *b)
{
    if (l->order_epoch != l->epoch) {
        if (l->o.shuffle || l->order_epoch < 0) order_of(&l->o, l->epoch, l->order);
        l->order_epoch = l->epoch;
    }
    describe(l, l->epoch, l->index, l->order, b);
    l->taken++;
    if (++l->index == l->per_epoch) {
        l->index = 0;
        l->epoch++;
    }
}

/* ---- one sample -------------------------------------------------------------------------------------------------------- */

/* To w->space.sized, from the cache, the file or the source. */
static fv_status size_sample(fvi_loader *l, worker *w, const fvi_sample_draw *d, int64_t *label)
{
    const fv_source *s = l->o.source;
    const fvi_augment *a = &l->o.augment;
    fvi_workspace *space = &w->space;
    char name[256];
    bool moves = d->random && fvi_augment_moves(a);      /* then the whole picture is kept, else what becomes of it */
    fvi_cache *cache = moves && a->jpeg_scale ? NULL : l->cache;
    space->warnings = 0;
    if (cache && fvi_cache_get(cache, d->sample, moves ? &space->whole : &space->sized, label))
        return moves ? fvi_augment_size(a, w->ctx, space, d) : FV_OK;
    if (s->encoded) {
        FVI_TRY(w->ctx, s->encoded(s, w->ctx, d->sample, &space->bytes, label));
        fvi_source_name(s, d->sample, name, sizeof name);
        FVI_TRY(w->ctx, fvi_augment_decode(a, w->ctx, space, name, space->bytes.data, space->bytes.size, d, cache && moves));
    } else {
        FVI_TRY(w->ctx, s->get(s, w->ctx, d->sample, &space->planes, label));
        FVI_TRY(w->ctx, fvi_augment_planes(w->ctx, space, &space->planes));
        FVI_TRY(w->ctx, fvi_augment_size(a, w->ctx, space, d));
    }
    if (cache) fvi_cache_put(cache, d->sample, moves ? &space->whole : &space->sized, *label);
    return FV_OK;
}

static fv_status fill_sample(fvi_loader *l, worker *w, int64_t id, fvi_batch *b, int64_t i)
{
    const fv_source *s = l->o.source;
    const fvi_sample_draw draw = {l->o.random, l->o.seed, b->epoch, id};
    fv_status status = size_sample(l, w, &draw, &b->labels[i]);
    if (status == FV_OK && (b->labels[i] < 0 || b->labels[i] >= s->classes))
        status = fvi_fail(w->ctx, FV_ERROR_FORMAT, "label %lld, there are %lld classes", (long long)b->labels[i], (long long)s->classes);
    if (status != FV_OK) {
        char name[256];
        fvi_source_name(s, id, name, sizeof name);
        if (!strstr(fv_error_message(w->ctx), name)) fvi_error_prefix(w->ctx, "%s: ", name);
        return status;
    }
    b->ids[i] = id;
    fvi_augment_finish(&l->o.augment, &draw, &w->space.sized, b->images + (size_t)i * image_floats(&l->o));
    return FV_OK;
}

static bool is_bad(fv_status status)
{
    return status == FV_ERROR_FORMAT || status == FV_ERROR_IO || status == FV_ERROR_UNSUPPORTED;
}

/* Once for each sample; without memory for the note the sample is skipped all the same. */
static void note_bad(fvi_loader *l, worker *w, int64_t id)
{
    pthread_mutex_lock(&l->lock);
    if (!l->is_bad) l->is_bad = fvi_calloc((size_t)l->o.source->count / 8 + 1, 1);
    bool known = !l->is_bad || (l->is_bad[id / 8] >> id % 8 & 1);
    fvi_bad_sample note = {id, known ? NULL : fvi_strdup(fv_error_message(w->ctx))};
    if (!known && note.reason && FVI_PUSH(&l->fresh, note)) l->is_bad[id / 8] |= (uint8_t)(1u << id % 8);
    else fvi_free(note.reason);
    pthread_mutex_unlock(&l->lock);
    fvi_error_clear(w->ctx);
}

static fv_status fill(fvi_loader *l, worker *w, fvi_batch *b)
{
    const fv_source *s = l->o.source;
    int64_t kept = 0, forgiven = 0;
    b->dropped = 0;
    for (int64_t i = 0; i < b->n; i++) {
        int64_t id = b->ids[i], tries = 0;
        fv_status status = fill_sample(l, w, id, b, kept);
        for (; l->o.skip_bad && is_bad(status) && tries < s->count; tries++) {
            note_bad(l, w, id);
            if (!l->o.shuffle) break;
            id = (id + 1) % s->count;
            status = fill_sample(l, w, id, b, kept);
        }
        if (status == FV_OK) {
            kept++;
            forgiven += w->space.warnings > 0;
        } else if (l->o.skip_bad && is_bad(status) && !l->o.shuffle) {
            b->dropped++;
        } else if (l->o.skip_bad && is_bad(status)) {
            return fvi_fail(w->ctx, FV_ERROR_FORMAT, "none of the %lld pictures can be read", (long long)s->count);
        } else {
            if (is_bad(status) && s->encoded)
                return fvi_fail(w->ctx, status == FV_ERROR_UNSUPPORTED ? FV_ERROR_FORMAT : status, "%s; data.on_bad_file=skip goes on without such pictures",
                                fv_error_message(w->ctx));
            return status;
        }
    }
    b->n = kept;
    if (forgiven) {
        pthread_mutex_lock(&l->lock);
        l->forgiven += forgiven;
        pthread_mutex_unlock(&l->lock);
    }
    return FV_OK;
}

/* With `once`: all batches are handed out. */
static bool ended(const fvi_loader *l)
{
    return l->o.once && l->epoch > l->o.epoch;
}

static void *work(void *user)
{
    worker *w = user;
    fvi_loader *l = w->loader;
    fvi_unpin_self();
    pthread_mutex_lock(&l->lock);
    for (;;) {
        while (!l->stop && (l->taken >= l->consumed + l->n_slots || ended(l))) pthread_cond_wait(&l->freed, &l->lock);
        if (l->stop) break;
        slot *s = &l->slots[l->taken % l->n_slots];
        take(l, &s->batch);
        pthread_mutex_unlock(&l->lock);
        fv_status status = fill(l, w, &s->batch);
        char *message = status == FV_OK ? NULL : fvi_strdup(fv_error_message(w->ctx));
        fvi_error_clear(w->ctx);
        pthread_mutex_lock(&l->lock);
        s->status = status;
        s->message = message;
        s->ready = true;
        pthread_cond_signal(&l->filled);
    }
    pthread_mutex_unlock(&l->lock);
    return NULL;
}

static fv_status check_options(fv_context *ctx, const fvi_loader_options *o)
{
    if (!o->source || o->source->count < 1) return fvi_fail(ctx, FV_ERROR_FORMAT, "the data set holds no sample");
    if (o->batch_size < 1 || o->augment.size < 1) return fvi_fail(ctx, FV_ERROR_INVALID, "batch size and image size must be positive");
    int64_t per_epoch = fvi_loader_batches(o);
    if (o->epoch < 0 || o->index < 0 || o->index >= per_epoch)
        return fvi_fail(ctx, FV_ERROR_INVALID, "batch %lld of %lld in epoch %lld", (long long)o->index, (long long)per_epoch, (long long)o->epoch);
    return FV_OK;
}

static fv_status start_workers(fvi_loader *l)
{
    l->workers = fvi_calloc((size_t)l->o.workers, sizeof *l->workers);
    if (!l->workers) return fvi_nomem(l->ctx);
    for (int i = 0; i < l->o.workers; i++) {
        worker *w = &l->workers[i];
        w->loader = l;
        if (!(w->ctx = fv_context_create())) return fvi_nomem(l->ctx);
        int error = pthread_create(&w->thread, NULL, work, w);
        if (error) {
            fv_context_destroy(w->ctx);
            return fvi_fail(l->ctx, FV_ERROR_NOMEM, "cannot start a loader thread: %s; set data.workers=0", strerror(error));
        }
        l->n_started++;
    }
    return FV_OK;
}

fv_status fvi_loader_create(fv_context *ctx, const fvi_loader_options *o, fvi_loader **out)
{
    fv_status status = FV_OK;
    *out = NULL;
    FVI_TRY(ctx, check_options(ctx, o));
    fvi_loader *l = fvi_calloc(1, sizeof *l);
    if (!l) return fvi_nomem(ctx);
    l->ctx = ctx;
    l->o = *o;
    l->per_epoch = fvi_loader_batches(o);
    l->n_slots = ring_slots(o);
    l->epoch = o->epoch;
    l->index = o->index;
    l->order_epoch = -1;
    l->in_line.loader = l;
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->filled, NULL);
    pthread_cond_init(&l->freed, NULL);
    l->order = fvi_calloc((size_t)o->source->count, sizeof *l->order);
    l->slots = fvi_calloc((size_t)l->n_slots, sizeof *l->slots);
    l->in_line.ctx = fv_context_create();
    if (!l->order || !l->slots || !l->in_line.ctx) {
        status = fvi_nomem(ctx);
        goto done;
    }
    for (int i = 0; i < l->n_slots; i++) FVI_TRY_DONE(ctx, status, batch_alloc(ctx, o, &l->slots[i].batch));
    if (o->cache_bytes) FVI_TRY_DONE(ctx, status, fvi_cache_create(ctx, o->source->count, o->cache_bytes, &l->cache));
    if (o->workers > 0) FVI_TRY_DONE(ctx, status, start_workers(l));
    *out = l;
    l = NULL;
done:
    fvi_loader_destroy(l);
    return status;
}

static void free_bad(bad_list *b)
{
    for (int i = 0; i < b->count; i++) fvi_free(b->items[i].reason);
    fvi_free(b->items);
}

void fvi_loader_destroy(fvi_loader *l)
{
    if (!l) return;
    pthread_mutex_lock(&l->lock);
    l->stop = true;
    pthread_cond_broadcast(&l->freed);
    pthread_mutex_unlock(&l->lock);
    for (int i = 0; i < l->n_started; i++) {
        pthread_join(l->workers[i].thread, NULL);
        fv_context_destroy(l->workers[i].ctx);
        fvi_workspace_free(&l->workers[i].space);
    }
    for (int i = 0; l->slots && i < l->n_slots; i++) {
        fvi_batch_free(&l->slots[i].batch);
        fvi_free(l->slots[i].message);
    }
    fv_context_destroy(l->in_line.ctx);
    fvi_workspace_free(&l->in_line.space);
    fvi_cache_destroy(l->cache);
    free_bad(&l->fresh);
    free_bad(&l->bad);
    fvi_free(l->is_bad);
    pthread_cond_destroy(&l->filled);
    pthread_cond_destroy(&l->freed);
    pthread_mutex_destroy(&l->lock);
    fvi_free(l->workers);
    fvi_free(l->slots);
    fvi_free(l->order);
    fvi_free(l);
}

/* With workers: gives the slot used so far back and waits for the next one. */
static slot *await(fvi_loader *l)
{
    pthread_mutex_lock(&l->lock);
    if (l->holding) {
        l->slots[l->consumed % l->n_slots].ready = false;
        l->consumed++;
        pthread_cond_signal(&l->freed);
    }
    slot *s = &l->slots[l->consumed % l->n_slots];
    while (!s->ready) pthread_cond_wait(&l->filled, &l->lock);
    l->holding = true;
    pthread_mutex_unlock(&l->lock);
    return s;
}

/* Names each bad sample once. What workers noted becomes the consumer's: their list may move at any time. */
static void show_bad(fvi_loader *l)
{
    int first = l->bad.count;
    pthread_mutex_lock(&l->lock);
    for (int i = 0; i < l->fresh.count; i++)
        if (!FVI_PUSH(&l->bad, l->fresh.items[i])) fvi_free(l->fresh.items[i].reason);
    l->fresh.count = 0;
    pthread_mutex_unlock(&l->lock);
    for (; first < l->bad.count; first++) fvi_log(l->ctx, FV_LOG_WARN, "skipped %s (%d so far)", l->bad.items[first].reason, first + 1);
}

int64_t fvi_loader_bad(const fvi_loader *l, const fvi_bad_sample **out)
{
    *out = l->bad.items;
    return l->bad.count;
}

int64_t fvi_loader_forgiven(const fvi_loader *l)
{
    return l->forgiven;
}

fv_status fvi_loader_next(fvi_loader *l, const fvi_batch **out)
{
    double begin = fvi_seconds();
    slot *s = l->slots;
    *out = NULL;
    if (l->o.once && l->delivered == l->per_epoch - l->o.index) return fvi_fail(l->ctx, FV_ERROR_INVALID, "there are no more batches");
    l->delivered++;
    if (l->o.workers > 0) {
        s = await(l);
    } else {
        take(l, &s->batch);
        s->status = fill(l, &l->in_line, &s->batch);
        if (s->status != FV_OK) s->message = fvi_strdup(fv_error_message(l->in_line.ctx));
        fvi_error_clear(l->in_line.ctx);
    }
    l->waited += fvi_seconds() - begin;
    show_bad(l);
    if (s->status != FV_OK) {
        fv_status status = fvi_fail(l->ctx, s->status, "%s", s->message ? s->message : fv_status_text(s->status));
        fvi_free(s->message);
        s->message = NULL;
        return status;
    }
    *out = &s->batch;
    return FV_OK;
}

fv_status fvi_loader_again(fvi_loader *l, int64_t epoch, int64_t index, fvi_batch *out)
{
    fv_status status = FV_OK;
    worker w = {.loader = l, .ctx = l->ctx};
    memset(out, 0, sizeof *out);
    int64_t *order = fvi_calloc((size_t)l->o.source->count, sizeof *order);
    if (!order) return fvi_nomem(l->ctx);
    FVI_TRY_DONE(l->ctx, status, batch_alloc(l->ctx, &l->o, out));
    order_of(&l->o, epoch, order);
    describe(l, epoch, index, order, out);
    FVI_TRY_DONE(l->ctx, status, fill(l, &w, out));
done:
    if (status != FV_OK) fvi_batch_free(out);
    fvi_workspace_free(&w.space);
    fvi_free(order);
    return status;
}

double fvi_loader_waited(const fvi_loader *l)
{
    return l->waited;
}
