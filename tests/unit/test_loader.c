/* SPDX-License-Identifier: Apache-2.0 */
/* The loader: the same batches for any number of workers and after any restart, short last batches, errors that name the
 * sample, a clean stop at any moment; the augmentation against a plain version; the order of epochs. */
#include "test.h"

#include "unit/loading.h"

#include <stdlib.h>
#include <unistd.h>

enum { SIDE = 8 };

typedef struct fake { int64_t broken, wrong_label; bool slow; } fake;

/* Pixel (c, y, x) of sample i is a function of all four. */
static uint8_t pixel(int64_t i, int c, int y, int x)
{
    return (uint8_t)(i * 31 + c * 64 + y * 8 + x);
}

static fv_status get(const fv_source *s, fv_context *ctx, int64_t index, fv_sample *out)
{
    fv_image *image = &out->image;
    int64_t *label = &out->label;
    const fake *f = s->user;
    if (f->slow) usleep((unsigned)(index % 7) * 100);
    if (index == f->broken) return fvi_fail(ctx, FV_ERROR_FORMAT, "the file is torn");
    FVI_TRY(ctx, fv_image_resize(ctx, image, SIDE, SIDE));
    for (int c = 0; c < 3; c++)
        for (int y = 0; y < SIDE; y++)
            for (int x = 0; x < SIDE; x++) image->pixels[(c * SIDE + y) * SIDE + x] = pixel(index, c, y, x);
    *label = index == f->wrong_label ? 99 : index % 5;
    return FV_OK;
}

static fv_source source_of(fake *f, int64_t count)
{
    return (fv_source){.count = count, .classes = 5, .user = f, .get = get};
}

static pictures made;                    /* of the options that were asked for last */

static fvi_loader_options options_of(const fv_source *s, int64_t batch, int workers)
{
    const fvi_augment a = {.width = SIDE, .height = SIDE, .mean = {.5f, .4f, .3f}, .std = {.5f, .25f, 2}, .pad_crop = 2, .horizontal_flip = .5};
    fvi_loader_options o = picture_loader(&made, s, &a);
    o.shuffle = o.random = true;
    o.seed = 7;
    o.batch_size = batch;
    o.min_last = 1;
    o.workers = workers;
    return o;
}

/* Hash of `count` batches from (epoch, index) on. */
static uint64_t run(fvi_loader_options o, int64_t epoch, int64_t index, int count)
{
    fvi_loader *l;
    uint64_t h = 0;
    o.epoch = epoch;
    o.index = index;
    if (fvi_loader_create(NULL, &o, &l) != FV_OK) return 1;
    for (int i = 0; i < count; i++) {
        const fv_batch *b;
        if (fvi_loader_next(l, &b) != FV_OK) return 2;
        int64_t head[4] = {b->n, b->epoch, b->index, b->first};
        h = fvi_hash64(head, sizeof head, h);
        h = fvi_hash64(b->ids, (size_t)b->n * sizeof *b->ids, h);
        h = fvi_hash64(labels_of(b), (size_t)b->n * sizeof *labels_of(b), h);
        h = fvi_hash64(images_of(b), (size_t)b->n * 3 * SIDE * SIDE * sizeof *images_of(b), h);
    }
    fvi_loader_destroy(l);
    return h;
}

static void same_for_any_number_of_workers(void)
{
    fake f = {-1, -1, true};
    fv_source s = source_of(&f, 23);
    uint64_t want = run(options_of(&s, 4, 0), 0, 0, 20);
    for (int workers = 1; workers <= 4; workers++) CHECK_EQ(run(options_of(&s, 4, workers), 0, 0, 20), want);
    fvi_loader_options o = options_of(&s, 4, 2);
    o.ahead = 1;
    CHECK_EQ(run(o, 0, 0, 20), want);
}

static void every_sample_once_an_epoch(void)
{
    fake f = {-1, -1, false};
    fv_source s = source_of(&f, 10);
    fvi_loader_options o = options_of(&s, 4, 2);
    fvi_loader *l;
    int64_t first_order[10], order[10];
    CHECK_EQ(fvi_loader_create(NULL, &o, &l), FV_OK);
    for (int epoch = 0; epoch < 3; epoch++) {
        int seen[10] = {0}, at = 0;
        for (int i = 0; i < 3; i++) {
            const fv_batch *b;
            CHECK_EQ(fvi_loader_next(l, &b), FV_OK);
            CHECK_EQ(b->epoch, epoch);
            CHECK_EQ(b->index, i);
            CHECK_EQ(b->n, i == 2 ? 2 : 4);
            CHECK_EQ(b->last, i == 2);
            for (int64_t k = 0; k < b->n; k++) {
                seen[b->ids[k]]++;
                CHECK_EQ(labels_of(b)[k], b->ids[k] % 5);
                order[at++] = b->ids[k];
            }
        }
        for (int i = 0; i < 10; i++) CHECK_EQ(seen[i], 1);
        if (epoch == 0) memcpy(first_order, order, sizeof order);
        else CHECK(memcmp(first_order, order, sizeof order));
    }
    fvi_loader_destroy(l);
}

static void starts_anywhere(void)
{
    fake f = {-1, -1, false};
    fv_source s = source_of(&f, 11);
    for (int workers = 0; workers < 3; workers += 2) {
        fvi_loader_options o = options_of(&s, 3, workers);
        fvi_loader *l;
        const fv_batch *b;
        CHECK_EQ(fvi_loader_create(NULL, &o, &l), FV_OK);
        for (int i = 0; i < 9; i++) CHECK_EQ(fvi_loader_next(l, &b), FV_OK);       /* epoch 2, batch 0 */
        fvi_batch again;
        CHECK_EQ(fvi_loader_again(l, 2, 0, &again), FV_OK);
        CHECK_EQ(again.b.n, b->n);
        CHECK(!memcmp(again.ids, b->ids, (size_t)b->n * sizeof *b->ids));
        CHECK(!memcmp(images_of(&again.b), images_of(b), (size_t)b->n * 3 * SIDE * SIDE * sizeof *images_of(b)));
        fvi_batch_free(&again);
        fvi_loader_destroy(l);
    }
    CHECK_EQ(run(options_of(&s, 3, 2), 1, 2, 7), run(options_of(&s, 3, 0), 1, 2, 7));
}

static void last_batch(void)
{
    fake f = {-1, -1, false};
    fv_source s = source_of(&f, 9);
    fvi_loader_options o = options_of(&s, 4, 0);
    CHECK_EQ(fvi_loader_batches(&o), 3);
    o.min_last = 2;                                      /* a batch of one has no batch statistics */
    CHECK_EQ(fvi_loader_batches(&o), 2);
    o.min_last = 4;
    o.batch_size = 5;
    CHECK_EQ(fvi_loader_batches(&o), 2);
    o.batch_size = 100;                                  /* larger than the data: one batch of all */
    o.min_last = 100;
    CHECK_EQ(fvi_loader_batches(&o), 1);
}

static void errors_name_the_sample(void)
{
    fv_context *ctx = fv_context_create();
    for (int workers = 0; workers < 3; workers++) {
        fake f = {5, -1, false};
        fv_source s = source_of(&f, 12);
        fvi_loader_options o = options_of(&s, 4, workers);
        o.shuffle = false;
        fvi_loader *l;
        const fv_batch *b;
        CHECK_EQ(fvi_loader_create(ctx, &o, &l), FV_OK);
        CHECK_EQ(fvi_loader_next(l, &b), FV_OK);
        CHECK_EQ(fvi_loader_next(l, &b), FV_ERROR_FORMAT);
        CHECK_STR(fv_error_message(ctx), "sample 5: the file is torn");
        CHECK_EQ(fvi_loader_next(l, &b), FV_OK);         /* the stream goes on */
        CHECK_EQ(b->index, 2);
        fvi_loader_destroy(l);
        f = (fake){-1, 2, false};
        CHECK_EQ(fvi_loader_create(ctx, &o, &l), FV_OK);
        CHECK_EQ(fvi_loader_next(l, &b), FV_ERROR_FORMAT);
        CHECK_STR(fv_error_message(ctx), "sample 2: label 99, there are 5 classes");
        fvi_loader_destroy(l);
    }
    fake f = {-1, -1, false};
    fv_source s = source_of(&f, 12);
    fvi_loader_options o = options_of(&s, 4, 0);
    fvi_loader *l;
    const fv_batch *b;
    made.augment.width = made.augment.height = 9;
    CHECK_EQ(fvi_loader_create(ctx, &o, &l), FV_OK);
    CHECK_EQ(fvi_loader_next(l, &b), FV_ERROR_CONFIG);
    CHECK_HAS(fv_error_message(ctx), "picture is 8 x 8, image_size is 9");
    fvi_loader_destroy(l);
    s.count = 0;
    CHECK_EQ(fvi_loader_create(ctx, &o, &l), FV_ERROR_FORMAT);
    fv_context_destroy(ctx);
}

/* Samples that cannot be read, skipped: others take their places in training, evaluation is shorter by them; the same for any number of
 * workers, and each is listed once. */
static void bad_samples_are_skipped(void)
{
    fake f = {5, 7, false};
    fv_source s = source_of(&f, 12);
    uint64_t want = 0;
    for (int workers = 0; workers < 4; workers++) {
        fvi_loader_options o = options_of(&s, 5, workers);
        const fvi_bad_sample *bad;
        const fv_batch *b;
        fvi_loader *l;
        o.skip_bad = true;
        uint64_t h = run(o, 0, 0, 9);
        CHECK(h > 2);
        if (workers) CHECK_EQ(h, want);
        want = h;
        CHECK_EQ(fvi_loader_create(NULL, &o, &l), FV_OK);
        int seen[12] = {0}, all = 0;
        for (int i = 0; i < 3; i++) {
            CHECK_EQ(fvi_loader_next(l, &b), FV_OK);
            CHECK_EQ(b->dropped, 0);
            for (int64_t k = 0; k < b->n; k++) seen[b->ids[k]]++, all++;
        }
        CHECK_EQ(all, 12);
        for (int i = 0; i < 12; i++) CHECK((i == 5 || i == 7) == !seen[i]);
        while (fvi_loader_bad(l, &bad) < 2) CHECK_EQ(fvi_loader_next(l, &b), FV_OK);
        CHECK_HAS(bad[bad[0].id != 5].reason, "sample 5: the file is torn");
        CHECK_HAS(bad[bad[0].id == 5].reason, "sample 7: label 99");
        fvi_loader_destroy(l);
        o.shuffle = o.random = false;
        CHECK_EQ(fvi_loader_create(NULL, &o, &l), FV_OK);
        int64_t n = 0, dropped = 0;
        for (int i = 0; i < 3; i++) {
            CHECK_EQ(fvi_loader_next(l, &b), FV_OK);
            for (int64_t k = 0; k < b->n; k++) CHECK(b->ids[k] != 5 && b->ids[k] != 7 && labels_of(b)[k] == b->ids[k] % 5);
            n += b->n;
            dropped += b->dropped;
        }
        CHECK_EQ(n, 10);
        CHECK_EQ(dropped, 2);
        fvi_loader_destroy(l);
    }
    fv_context *ctx = fv_context_create();
    fv_source single = source_of(&f, 1);
    f.broken = 0;
    fvi_loader_options o = options_of(&single, 4, 0);
    fvi_loader *l;
    const fv_batch *b;
    o.skip_bad = true;
    CHECK_EQ(fvi_loader_create(ctx, &o, &l), FV_OK);
    CHECK_EQ(fvi_loader_next(l, &b), FV_ERROR_FORMAT);
    CHECK_HAS(fv_error_message(ctx), "none of the 1 pictures can be read");
    fvi_loader_destroy(l);
    fv_context_destroy(ctx);
}

/* A folder of photos that cannot be read: of 300 samples in four classes the 100 from number 100 on, which are class 1 but for one. */
typedef struct album { int asked[300]; int64_t first, end; fv_status fault; } album;

static int64_t album_label(const fv_source *s, int64_t index)
{
    (void)s;
    return index < 100 ? 0 : index < 201 ? 1 : 2 + index % 2;
}

static fv_status album_get(const fv_source *s, fv_context *ctx, int64_t index, fv_sample *out)
{
    fv_image *image = &out->image;
    album *a = s->user;
    __atomic_fetch_add(&a->asked[index], 1, __ATOMIC_RELAXED);
    if (index >= a->first && index < a->end) return fvi_fail(ctx, a->fault, "photo %lld: a kind that is not read", (long long)index);
    FVI_TRY(ctx, fv_image_resize(ctx, image, SIDE, SIDE));
    for (int i = 0; i < 3 * SIDE * SIDE; i++) image->pixels[i] = (uint8_t)(index + i);
    out->label = album_label(s, index);
    return FV_OK;
}

/* Many of them in a row: what stands in for them is spread over all others, every one is opened once, and a run that goes on in the middle
 * of an epoch sees the same batches. */
static void bad_samples_in_a_row(void)
{
    enum { EPOCHS = 40, BATCHES = 30 };
    album a = {.first = 100, .end = 200, .fault = FV_ERROR_UNSUPPORTED};
    fv_source s = {.count = 300, .classes = 4, .user = &a, .get = album_get, .label = album_label};
    for (int workers = 0; workers < 4; workers += 3) {
        fvi_loader_options o = options_of(&s, 10, workers);
        int all[300] = {0}, most = 0, twice = 0, same = 0;
        const fv_batch *b;
        fvi_loader *l;
        o.skip_bad = true;
        memset(a.asked, 0, sizeof a.asked);
        CHECK_EQ(fvi_loader_create(NULL, &o, &l), FV_OK);
        for (int epoch = 0; epoch < EPOCHS; epoch++) {
            int seen[300] = {0};
            for (int i = 0; i < BATCHES; i++) {
                CHECK_EQ(fvi_loader_next(l, &b), FV_OK);
                CHECK_EQ(b->n, 10);
                for (int64_t k = 0; k < b->n; k++) {
                    CHECK_EQ(labels_of(b)[k], album_label(&s, b->ids[k]));
                    seen[b->ids[k]]++, all[b->ids[k]]++;
                    for (int64_t m = 0; m < k; m++) {    /* the same picture twice: as a rule cut or turned in another way */
                        const size_t n = 3 * SIDE * SIDE;
                        if (b->ids[m] != b->ids[k]) continue;
                        twice++;
                        same += !memcmp(images_of(b) + (size_t)m * n, images_of(b) + (size_t)k * n, n * sizeof(float));
                    }
                }
            }
            for (int i = 0; i < 300; i++) {
                CHECK((i >= 100 && i < 200) == !seen[i]);
                most = FVI_MAX(most, seen[i]);
            }
        }
        printf("    %d workers: at most %d times an epoch\n", workers, most);
        CHECK(most <= 6);
        CHECK(twice > 50 && same < twice / 10);
        for (int i = 0; i < 300; i++)                    /* 40 times on its own, 20 for others: within four deviations */
            if (i < 100 || i >= 200) CHECK_MSG(all[i] > 60 - 18 && all[i] < 60 + 18, "sample %d: %d times", i, all[i]);
        for (int i = 100; i < 200; i++) CHECK_MSG(a.asked[i] >= 1 && a.asked[i] <= 1 + workers / 2, "photo %d was opened %d times", i, a.asked[i]);
        fvi_loader_destroy(l);
        o.workers = 3 - workers;
        uint64_t there = run(o, 1, 17, 40);
        o.workers = workers;
        CHECK_EQ(run(o, 1, 17, 40), there);
        CHECK_EQ(fvi_loader_create(NULL, &o, &l), FV_OK);                    /* gone through, then begun there */
        for (int i = 0; i < BATCHES + 18; i++) CHECK_EQ(fvi_loader_next(l, &b), FV_OK);
        fvi_loader *again;
        const fv_batch *c;
        o.epoch = 1, o.index = 17;
        CHECK_EQ(fvi_loader_create(NULL, &o, &again), FV_OK);
        CHECK_EQ(fvi_loader_next(again, &c), FV_OK);
        CHECK(!memcmp(b->ids, c->ids, (size_t)b->n * sizeof *b->ids));
        CHECK(!memcmp(images_of(b), images_of(c), (size_t)b->n * 3 * SIDE * SIDE * sizeof *images_of(b)));
        fvi_loader_destroy(again);
        fvi_loader_destroy(l);
    }
}

/* Of one class nothing can be read: said before anything is trained. */
static void a_class_without_a_readable_picture(void)
{
    fv_context *ctx = fv_context_create();
    static const char *const names[] = {"plane", "phone\n", "x", "y"};
    album a = {.first = 100, .end = 201, .fault = FV_ERROR_FORMAT};
    fv_source s = {.count = 300, .classes = 4, .class_names = names, .user = &a, .get = album_get, .label = album_label};
    fvi_loader_options o = options_of(&s, 10, 2);
    fvi_loader *l;
    o.skip_bad = true;
    CHECK_EQ(fvi_loader_create(ctx, &o, &l), FV_ERROR_FORMAT);
    CHECK_HAS(fv_error_message(ctx), "class \"phone\\n\": none of its 101 pictures can be read, as sample 100: photo 100: a kind that is not read");
    for (int i = 0; i < 300; i++) CHECK(a.asked[i] <= 1);
    o.shuffle = o.random = false;                        /* evaluation does with what there is */
    CHECK_EQ(fvi_loader_create(ctx, &o, &l), FV_OK);
    fvi_loader_destroy(l);
    fv_context_destroy(ctx);
}

/* What is not the sample's fault makes no bad sample, whatever may be skipped. */
static void other_faults_end_the_run(void)
{
    static const fv_status faults[] = {FV_ERROR_IO, FV_ERROR_NOMEM, FV_ERROR_INTERNAL};
    fv_context *ctx = fv_context_create();
    for (int i = 0; i < 6; i++) {
        album a = {.first = 250, .end = 251, .fault = faults[i % 3]};
        fv_source s = {.count = 300, .classes = 4, .user = &a, .get = album_get, .label = album_label};
        fvi_loader_options o = options_of(&s, 10, i % 2);
        const fvi_bad_sample *bad;
        const fv_batch *b;
        fvi_loader *l;
        o.skip_bad = true;
        o.shuffle = i < 3;
        CHECK_EQ(fvi_loader_create(ctx, &o, &l), FV_OK);
        fv_status status = FV_OK;
        for (int k = 0; k < 30 && status == FV_OK; k++) status = fvi_loader_next(l, &b);
        CHECK_EQ(status, faults[i % 3]);
        CHECK_HAS(fv_error_message(ctx), "photo 250: a kind that is not read");
        CHECK_EQ(fvi_loader_bad(l, &bad), 0);
        fvi_loader_destroy(l);
    }
    fv_context_destroy(ctx);
}

static fv_status counting_get(const fv_source *s, fv_context *ctx, int64_t index, fv_sample *out)
{
    static fake none = {-1, -1, false};
    const fv_source inner = {.count = s->count, .user = &none};
    __atomic_fetch_add((int64_t *)s->user, 1, __ATOMIC_RELAXED);
    return get(&inner, ctx, index, out);
}

/* One epoch and no more: nothing beyond it is read. */
static void once(void)
{
    for (int workers = 0; workers < 3; workers++) {
        fake f = {-1, -1, false};
        fv_source s = source_of(&f, 10);
        fvi_loader_options o = options_of(&s, 4, workers);
        fvi_loader *l;
        const fv_batch *b;
        o.once = true;
        o.shuffle = false;
        o.index = 1;
        CHECK_EQ(fvi_loader_create(NULL, &o, &l), FV_OK);
        CHECK_EQ(fvi_loader_next(l, &b), FV_OK);
        CHECK(!b->last && b->ids[0] == 4);
        CHECK_EQ(fvi_loader_next(l, &b), FV_OK);
        CHECK(b->last && b->n == 2);
        CHECK_EQ(fvi_loader_next(l, &b), FV_ERROR_INVALID);
        fvi_loader_destroy(l);
    }
}

/* More bad samples than the list has room for at first, while workers go on. */
static fv_status get_bad(const fv_source *s, fv_context *ctx, int64_t index, fv_sample *out)
{
    fv_image *image = &out->image;
    int64_t *label = &out->label;
    (void)s;
    (void)image;
    *label = 0;
    return fvi_fail(ctx, FV_ERROR_FORMAT, "sample %lld is torn", (long long)index);
}

static void many_bad_samples(void)
{
    fake f = {-1, -1, false};
    fv_source s = source_of(&f, 20000);
    s.get = get_bad;
    fvi_loader_options o = options_of(&s, 16, 2);
    const fvi_bad_sample *bad;
    const fv_batch *b;
    fvi_loader *l;
    o.skip_bad = o.once = true;
    o.shuffle = o.random = false;
    CHECK_EQ(fvi_loader_create(NULL, &o, &l), FV_OK);
    for (int64_t n = 0; n < 20000; n += 16) {
        CHECK_EQ(fvi_loader_next(l, &b), FV_OK);
        CHECK_EQ(b->dropped, 16);
        CHECK(fvi_loader_bad(l, &bad) >= n + 16);
    }
    CHECK_EQ(fvi_loader_bad(l, &bad), 20000);
    for (int i = 0; i < 20000; i++) CHECK_HAS(bad[i].reason, "is torn");
    fvi_loader_destroy(l);
}

/* Kept pictures change nothing but how often the source is asked. */
static void cache_keeps_results(void)
{
    int64_t asked = 0;
    fv_source s = {.count = 23, .classes = 5, .user = &asked, .get = counting_get};
    for (int mode = 0; mode < 2; mode++) {
        fvi_loader_options o = options_of(&s, 4, 2);
        if (mode) made.augment.resize = FVI_RESIZE_CROP, made.augment.random_crop = 1;        /* whole pictures are kept */
        uint64_t want = run(o, 0, 0, 30);
        asked = 0;
        o.cache_bytes = 1 << 20;
        CHECK_EQ(run(o, 0, 0, 30), want);
        CHECK(asked >= 23 && asked <= 60);
        asked = 0;
        o.cache_bytes = 10 * (3 * SIDE * SIDE + 16);     /* room for ten */
        CHECK_EQ(run(o, 0, 0, 30), want);
        CHECK(asked > 60);
        CHECK(fvi_loader_bytes(&o) > o.cache_bytes);
    }
}

/* Stops while workers wait, work, or have an error pending. */
static void stops_cleanly(void)
{
    fake f = {9, -1, true};
    fv_source s = source_of(&f, 64);
    for (int i = 0; i < 40; i++) {
        fvi_loader_options o = options_of(&s, 4, 1 + i % 4);
        fvi_loader *l;
        const fv_batch *b;
        CHECK_EQ(fvi_loader_create(NULL, &o, &l), FV_OK);
        for (int k = 0; k < i % 6; k++) {
            fv_status status = fvi_loader_next(l, &b);
            CHECK(status == FV_OK || status == FV_ERROR_FORMAT);
        }
        fvi_loader_destroy(l);
    }
}

/* ---- augmentation ----------------------------------------------------------------------------------------------------- */

static void without_randomness(void)
{
    fvi_augment a = {.width = SIDE, .height = SIDE, .mean = {.5f, .4f, .3f}, .std = {.5f, .25f, 2}, .pad_crop = 3, .horizontal_flip = 1};
    fake f = {-1, -1, false};
    fv_source s = source_of(&f, 3);
    fv_sample sample = {0};
    fvi_workspace w = {0};
    float out[3 * SIDE * SIDE];
    CHECK_EQ(get(&s, NULL, 2, &sample), FV_OK);
    CHECK_EQ(fvi_augment_apply(&a, NULL, &w, &sample.image, &(fv_draw){false, 0, 0, 2}, out), FV_OK);
    for (int c = 0; c < 3; c++)
        for (int y = 0; y < SIDE; y++)
            for (int x = 0; x < SIDE; x++)
                CHECK_CLOSE(out[(c * SIDE + y) * SIDE + x], ((float)pixel(2, c, y, x) / 255.0f - a.mean[c]) / a.std[c], 0);
    fv_sample_free(&sample);
    fvi_workspace_free(&w);
}

/* Over many draws each result is some crop of the padded picture, mirrored or not; all of them occur. */
static void crops_and_flips(void)
{
    enum { PAD = 2, SHIFTS = 2 * PAD + 1, DRAWS = 4000 };
    fvi_augment a = {.width = SIDE, .height = SIDE, .std = {1, 1, 1}, .pad_crop = PAD, .horizontal_flip = .25};
    fake f = {-1, -1, false};
    fv_source s = source_of(&f, 3);
    fv_sample sample = {0};
    fvi_workspace w = {0};
    float out[3 * SIDE * SIDE];
    int64_t seen[SHIFTS][SHIFTS][2] = {{{0}}}, flips = 0;
    CHECK_EQ(get(&s, NULL, 1, &sample), FV_OK);
    for (int64_t draw = 0; draw < DRAWS; draw++) {
        CHECK_EQ(fvi_augment_apply(&a, NULL, &w, &sample.image, &(fv_draw){true, 3, draw, 1}, out), FV_OK);
        int found = 0;
        for (int dy = -PAD; dy <= PAD; dy++)
            for (int dx = -PAD; dx <= PAD; dx++)
                for (int flip = 0; flip < 2; flip++) {
                    bool same = true;
                    for (int i = 0; i < 3 * SIDE * SIDE && same; i++) {
                        int c = i / SIDE / SIDE, y = i / SIDE % SIDE + dy, x = (flip ? SIDE - 1 - i % SIDE : i % SIDE) + dx;
                        bool inside = y >= 0 && y < SIDE && x >= 0 && x < SIDE;
                        same = test_close((double)out[i], inside ? (double)((float)pixel(1, c, y, x) / 255.0f) : 0, 1e-6);
                    }
                    if (!same) continue;
                    found++;
                    seen[dy + PAD][dx + PAD][flip]++;
                    flips += flip;
                }
        CHECK_EQ(found, 1);
    }
    for (int i = 0; i < SHIFTS * SHIFTS * 2; i++) CHECK(((int64_t *)seen)[i] > 0);
    CHECK(flips > DRAWS / 4 - 150 && flips < DRAWS / 4 + 150);
    fv_sample_free(&sample);
    fvi_workspace_free(&w);
}

static void image_limits(void)
{
    fv_context *ctx = fv_context_create();
    fv_image image = {0};
    CHECK_EQ(fv_image_resize(ctx, &image, 70000, 1), FV_ERROR_FORMAT);
    CHECK_EQ(fv_image_resize(ctx, &image, 0, 5), FV_ERROR_FORMAT);
    CHECK_EQ(fv_image_resize(ctx, &image, 60000, 60000), FV_ERROR_FORMAT);
    CHECK_HAS(fv_error_message(ctx), "60000 x 60000");
    CHECK_EQ(fv_image_resize(ctx, &image, 4, 4), FV_OK);
    fv_image_free(&image);
    fv_context_destroy(ctx);
}

TEST_MAIN(CASE(same_for_any_number_of_workers), CASE(every_sample_once_an_epoch), CASE(starts_anywhere), CASE(last_batch), CASE(errors_name_the_sample),
          CASE(bad_samples_are_skipped), CASE(bad_samples_in_a_row), CASE(a_class_without_a_readable_picture), CASE(other_faults_end_the_run), CASE(once),
          CASE(many_bad_samples), CASE(cache_keeps_results), CASE(stops_cleanly), CASE(without_randomness), CASE(crops_and_flips), CASE(image_limits))
