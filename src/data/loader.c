/* SPDX-License-Identifier: Apache-2.0 */
/* Batches are handed out in order: batch k goes to slot k % slots of the ring. A worker takes the next number under the
 * lock, copies its sample numbers from the epoch's permutation, and fills the slot without the lock. The consumer waits
 * for exactly the next slot; asking for a batch gives the one before back to the workers. */
#include "data/loader.h"
#include "base/thread.h"

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
    fv_loading l;                        /* with a context of its own: contexts are not shared between threads */
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
    uint8_t *is_bad;                     /* skip_bad: a bit for each sample that cannot be read, under the lock */
    int64_t n_bad;
    int64_t forgiven;
};

int64_t fvi_loader_batches(const fvi_loader_options *o)
{
    int64_t n = o->source->count, whole = n / o->batch_size, rest = n % o->batch_size;
    if (rest > 0 && (rest >= o->min_last || whole == 0)) whole++;
    return whole;
}

static size_t sample_bytes(const fvi_loader_options *o)
{
    size_t bytes = 2 * sizeof(int64_t);
    for (int i = 0; i < o->n_fields; i++) bytes += fvi_field_bytes(&o->fields[i]);
    return bytes;
}

static int ring_slots(const fvi_loader_options *o)
{
    return o->workers > 0 ? (o->ahead > 0 ? o->ahead : o->workers + 2) : 1;
}

size_t fvi_loader_bytes(const fvi_loader_options *o)
{
    /* What the cache will hold is a guess where whole pictures are kept: photos of half a megapixel. */
    size_t picture = o->whole_pictures ? (size_t)3 << 19 : sample_bytes(o);
    size_t cache = FVI_MIN(o->cache_bytes, (size_t)o->source->count * picture);
    return (size_t)ring_slots(o) * (size_t)o->batch_size * sample_bytes(o) + cache;
}

static fv_status batch_alloc(fv_context *ctx, const fvi_loader_options *o, fvi_batch *b)
{
    return fvi_batch_create(ctx, o->fields, o->n_fields, FVI_MIN(o->batch_size, o->source->count), b);
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
static void describe(const fvi_loader *l, int64_t epoch, int64_t index, const int64_t *order, fvi_batch *out)
{
    fv_batch *b = &out->b;
    b->epoch = epoch;
    b->index = index;
    b->first = index * l->o.batch_size;
    b->n = FVI_MIN(l->o.batch_size, l->o.source->count - b->first);
    b->last = index == l->per_epoch - 1;
    b->ids = out->ids;                   /* buffers grow, batches move */
    b->tensors = out->tensors;
    b->counts = out->counts;
    memcpy(out->ids, order + b->first, (size_t)b->n * sizeof *out->ids);
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

static bool known_bad(fvi_loader *l, int64_t id)
{
    if (!l->is_bad) return false;
    pthread_mutex_lock(&l->lock);
    const bool yes = l->is_bad[id / 8] >> id % 8 & 1;
    pthread_mutex_unlock(&l->lock);
    return yes;
}

/* In training another sample stands in for a bad one: where a permutation of the epoch's puts it, so that no two have the same stand-in, and
 * where that is bad, where the next permutation puts that. That a sample is bad is a fact of the file's, so that it does not matter when, and
 * by which worker, it was found out. */
int64_t fvi_loader_stand_in(fvi_loader *l, int64_t epoch, int64_t id)
{
    if (!l->is_bad || !l->o.shuffle) return id;
    for (uint64_t round = 0; known_bad(l, id); round++) {
        pthread_mutex_lock(&l->lock);
        const bool none = l->n_bad == l->o.source->count;
        pthread_mutex_unlock(&l->lock);
        if (none) break;
        id = fvi_rng_permuted(l->o.seed, fvi_rng_stream((uint64_t)epoch, round, FVI_PURPOSE_REPLACE), id, l->o.source->count);
    }
    return id;
}

/* Notes the error of the worker's, once for each sample; *fresh: it was not known. */
static fv_status note_bad(fvi_loader *l, worker *w, int64_t id, bool *fresh)
{
    fvi_bad_sample note = {id, fvi_strdup(fv_error_message(w->l.ctx))};
    pthread_mutex_lock(&l->lock);
    const uint8_t bit = (uint8_t)(1u << id % 8), before = l->is_bad[id / 8];
    *fresh = !(before & bit);
    const bool pushed = note.reason && *fresh && FVI_PUSH(&l->fresh, note);
    if (pushed) l->is_bad[id / 8] = before | bit, l->n_bad++;
    pthread_mutex_unlock(&l->lock);
    const bool failed = !note.reason || (*fresh && !pushed);
    if (!pushed) fvi_free(note.reason);
    fvi_error_clear(w->l.ctx);
    return failed ? fvi_nomem(w->l.ctx) : FV_OK;
}

/* Makes place `place` of the batch; *id: the sample that came there; *bad: it cannot be read, which is noted, and it is not tried twice.
 * A stand-in is augmented with the numbers of the one that it stands in for, so that no picture comes twice as the same. */
static fv_status try_sample(fvi_loader *l, worker *w, const fv_draw *draw, fvi_batch *b, int64_t place, int64_t *id, bool *bad)
{
    const fv_source *s = l->o.source;
    for (;;) {
        bool fresh;
        *id = w->l.loader ? fvi_loader_stand_in(l, draw->epoch, draw->sample) : draw->sample;
        if ((*bad = known_bad(l, *id))) return FV_OK;
        fvi_loading_at(&w->l, b, place, *id);
        const fv_status status = l->o.collate(l->o.user, &w->l, draw);
        if (status == FV_OK) return FV_OK;
        int64_t culprit = w->l.reading;                  /* perhaps another one that it was to be mixed with */
        char name[256];
        fvi_source_name(s, culprit, name, sizeof name);
        if (!strstr(fv_error_message(w->l.ctx), name)) fvi_error_prefix(w->l.ctx, "%s: ", name);
        if (!l->is_bad || !fvi_is_bad_sample(status)) return status;
        if (culprit != *id && known_bad(l, culprit)) culprit = *id;
        FVI_TRY(w->l.ctx, note_bad(l, w, culprit, &fresh));
    }
}

static fv_status fill(fvi_loader *l, worker *w, fvi_batch *b)
{
    const fv_source *s = l->o.source;
    const int64_t n = b->b.n;
    int64_t kept = 0, forgiven = 0;
    b->b.dropped = 0;
    for (int64_t i = 0; i < n; i++) {
        const fv_draw draw = {l->o.random, l->o.seed, l->o.random ? b->b.epoch : 0, b->ids[i]};      /* evaluation is the same each time */
        int64_t id;
        bool bad;
        const fv_status status = try_sample(l, w, &draw, b, kept, &id, &bad);
        if (fvi_is_bad_sample(status) && !l->o.skip_bad && s->files)
            return fvi_fail(w->l.ctx, FV_ERROR_FORMAT, "%s; data.on_bad_file=skip goes on without such pictures", fv_error_message(w->l.ctx));
        if (status != FV_OK) return status;
        if (bad && l->o.shuffle) return fvi_fail(w->l.ctx, FV_ERROR_FORMAT, "none of the %lld pictures can be read", (long long)s->count);
        b->b.dropped += bad;
        if (bad) continue;
        b->ids[kept++] = id;
        forgiven += w->l.forgiven > 0;
    }
    b->b.n = kept;
    for (int i = 0; i < b->b.n_fields; i++)
        if (!b->counts[i]) b->tensors[i].dims[0] = kept;
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
        char *message = status == FV_OK ? NULL : fvi_strdup(fv_error_message(w->l.ctx));
        fvi_error_clear(w->l.ctx);
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
    if (o->batch_size < 1 || !o->collate) return fvi_fail(ctx, FV_ERROR_INVALID, "a loader wants a positive batch size and a collate function");
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
        w->l.o = &l->o;
        w->l.loader = l;
        w->l.cache = l->cache;
        if (!(w->l.ctx = fv_context_create())) return fvi_nomem(l->ctx);
        int error = pthread_create(&w->thread, NULL, work, w);
        if (error) {
            fv_context_destroy(w->l.ctx);
            return fvi_fail(l->ctx, FV_ERROR_NOMEM, "cannot start a loader thread: %s; set data.workers=0", strerror(error));
        }
        l->n_started++;
    }
    return FV_OK;
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

/* What each class has: samples, and one that can be read. */
typedef struct class_of_samples { int64_t samples; bool readable; } class_of_samples;

/* Nothing is learned of a class of which nothing can be read, and that is better known now than after an epoch: looks for one picture of each
 * that can. */
static fv_status find_readable(fvi_loader *l)
{
    const fv_source *s = l->o.source;
    class_of_samples *classes = fvi_calloc((size_t)s->classes + 1, sizeof *classes);
    fv_status status = classes ? FV_OK : fvi_nomem(l->ctx);
    l->in_line.l.loader = NULL;          /* each as it is, nothing instead of it */
    for (int64_t i = 0; i < s->count && status == FV_OK; i++) {
        int64_t label = s->label(s, i);
        bool bad = false;
        if (label < 0 || label >= s->classes) continue;                      /* found, and said, when it is read */
        class_of_samples *c = &classes[label];
        c->samples++;
        if (c->readable) continue;
        int64_t id;
        const fv_draw draw = {false, l->o.seed, 0, i};
        status = try_sample(l, &l->in_line, &draw, &l->slots[0].batch, 0, &id, &bad);
        c->readable = !bad;
    }
    l->in_line.l.loader = l;
    show_bad(l);
    if (status != FV_OK) status = fvi_fail(l->ctx, status, "%s", fv_error_message(l->in_line.l.ctx));
    for (int64_t k = 0, at = 0; k < s->classes && status == FV_OK; k++) {
        if (!classes[k].samples || classes[k].readable) continue;
        char name[256] = "";
        while (s->label(s, l->bad.items[at].id) != k) at++;
        fvi_show_name(s->class_names ? s->class_names[k] : "", name, sizeof name);
        status = fvi_fail(l->ctx, FV_ERROR_FORMAT, "class \"%s\": none of its %lld pictures can be read, as %s; mend them, or take the class out", name,
                          (long long)classes[k].samples, l->bad.items[at].reason);
    }
    fvi_free(classes);
    return status;
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
    l->in_line.l.o = &l->o;
    l->in_line.l.loader = l;
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->filled, NULL);
    pthread_cond_init(&l->freed, NULL);
    l->order = fvi_calloc((size_t)o->source->count, sizeof *l->order);
    l->slots = fvi_calloc((size_t)l->n_slots, sizeof *l->slots);
    l->in_line.l.ctx = fv_context_create();
    if (!l->order || !l->slots || !l->in_line.l.ctx) {
        status = fvi_nomem(ctx);
        goto done;
    }
    for (int i = 0; i < l->n_slots; i++) FVI_TRY_DONE(ctx, status, batch_alloc(ctx, o, &l->slots[i].batch));
    if (o->skip_bad && !(l->is_bad = fvi_calloc((size_t)o->source->count / 8 + 1, 1))) {
        status = fvi_nomem(ctx);
        goto done;
    }
    if (o->skip_bad && o->shuffle && o->source->label) FVI_TRY_DONE(ctx, status, find_readable(l));
    if (o->cache_bytes) FVI_TRY_DONE(ctx, status, fvi_cache_create(ctx, o->source->count, o->cache_bytes, &l->cache));
    l->in_line.l.cache = l->cache;
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
        fv_context_destroy(l->workers[i].l.ctx);
        fvi_loading_free(&l->workers[i].l);
    }
    for (int i = 0; l->slots && i < l->n_slots; i++) {
        fvi_batch_free(&l->slots[i].batch);
        fvi_free(l->slots[i].message);
    }
    fv_context_destroy(l->in_line.l.ctx);
    fvi_loading_free(&l->in_line.l);
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

int64_t fvi_loader_bad(const fvi_loader *l, const fvi_bad_sample **out)
{
    *out = l->bad.items;
    return l->bad.count;
}

int64_t fvi_loader_forgiven(const fvi_loader *l)
{
    return l->forgiven;
}

fv_status fvi_loader_next(fvi_loader *l, const fv_batch **out)
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
        if (s->status != FV_OK) s->message = fvi_strdup(fv_error_message(l->in_line.l.ctx));
        fvi_error_clear(l->in_line.l.ctx);
    }
    l->waited += fvi_seconds() - begin;
    show_bad(l);
    if (s->status != FV_OK) {
        fv_status status = fvi_fail(l->ctx, s->status, "%s", s->message ? s->message : fv_status_text(s->status));
        fvi_free(s->message);
        s->message = NULL;
        return status;
    }
    *out = &s->batch.b;
    return FV_OK;
}

fv_status fvi_loader_again(fvi_loader *l, int64_t epoch, int64_t index, fvi_batch *out)
{
    fv_status status = FV_OK;
    worker w = {.loader = l, .l = {.ctx = l->ctx, .o = &l->o, .loader = l, .cache = l->cache}};
    memset(out, 0, sizeof *out);
    int64_t *order = fvi_calloc((size_t)l->o.source->count, sizeof *order);
    if (!order) return fvi_nomem(l->ctx);
    FVI_TRY_DONE(l->ctx, status, batch_alloc(l->ctx, &l->o, out));
    order_of(&l->o, epoch, order);
    describe(l, epoch, index, order, out);
    FVI_TRY_DONE(l->ctx, status, fill(l, &w, out));
done:
    if (status != FV_OK) fvi_batch_free(out);
    fvi_loading_free(&w.l);
    fvi_free(order);
    return status;
}

double fvi_loader_waited(const fvi_loader *l)
{
    return l->waited;
}
