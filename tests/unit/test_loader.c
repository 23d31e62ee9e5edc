/* SPDX-License-Identifier: Apache-2.0 */
/* The loader: the same batches for any number of workers and after any restart, short last batches, errors that name the
 * sample, a clean stop at any moment; the augmentation against a plain version; the order of epochs. */
#include "test.h"

#include "data/loader.h"

#include <stdlib.h>
#include <unistd.h>

enum { SIDE = 8 };

typedef struct fake { int64_t broken, wrong_label; bool slow; } fake;

/* Pixel (c, y, x) of sample i is a function of all four. */
static uint8_t pixel(int64_t i, int c, int y, int x)
{
    return (uint8_t)(i * 31 + c * 64 + y * 8 + x);
}

static fv_status get(const fv_source *s, fv_context *ctx, int64_t index, fv_image *image, int64_t *label)
{
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

static fvi_loader_options options_of(const fv_source *s, int64_t batch, int workers)
{
    return (fvi_loader_options){.source = s, .augment = {.size = SIDE, .mean = {.5f, .4f, .3f}, .std = {.5f, .25f, 2}, .pad_crop = 2, .horizontal_flip = .5},
                                .shuffle = true, .random = true, .seed = 7, .batch_size = batch, .min_last = 1, .workers = workers};
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
        const fvi_batch *b;
        if (fvi_loader_next(l, &b) != FV_OK) return 2;
        int64_t head[4] = {b->n, b->epoch, b->index, b->first};
        h = fvi_hash64(head, sizeof head, h);
        h = fvi_hash64(b->ids, (size_t)b->n * sizeof *b->ids, h);
        h = fvi_hash64(b->labels, (size_t)b->n * sizeof *b->labels, h);
        h = fvi_hash64(b->images, (size_t)b->n * 3 * SIDE * SIDE * sizeof *b->images, h);
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
            const fvi_batch *b;
            CHECK_EQ(fvi_loader_next(l, &b), FV_OK);
            CHECK_EQ(b->epoch, epoch);
            CHECK_EQ(b->index, i);
            CHECK_EQ(b->n, i == 2 ? 2 : 4);
            CHECK_EQ(b->last, i == 2);
            for (int64_t k = 0; k < b->n; k++) {
                seen[b->ids[k]]++;
                CHECK_EQ(b->labels[k], b->ids[k] % 5);
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
        const fvi_batch *b;
        CHECK_EQ(fvi_loader_create(NULL, &o, &l), FV_OK);
        for (int i = 0; i < 9; i++) CHECK_EQ(fvi_loader_next(l, &b), FV_OK);       /* epoch 2, batch 0 */
        fvi_batch again;
        CHECK_EQ(fvi_loader_again(l, 2, 0, &again), FV_OK);
        CHECK_EQ(again.n, b->n);
        CHECK(!memcmp(again.ids, b->ids, (size_t)b->n * sizeof *b->ids));
        CHECK(!memcmp(again.images, b->images, (size_t)b->n * 3 * SIDE * SIDE * sizeof *b->images));
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
        const fvi_batch *b;
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
    const fvi_batch *b;
    o.augment.size = 9;
    CHECK_EQ(fvi_loader_create(ctx, &o, &l), FV_OK);
    CHECK_EQ(fvi_loader_next(l, &b), FV_ERROR_CONFIG);
    CHECK_HAS(fv_error_message(ctx), "picture is 8 x 8, image_size is 9");
    fvi_loader_destroy(l);
    s.count = 0;
    CHECK_EQ(fvi_loader_create(ctx, &o, &l), FV_ERROR_FORMAT);
    fv_context_destroy(ctx);
}

/* Samples that cannot be read, skipped: their successors take their places in training, evaluation is shorter by them;
 * the same for any number of workers, and each is listed once. */
static void bad_samples_are_skipped(void)
{
    fake f = {5, 7, false};
    fv_source s = source_of(&f, 12);
    uint64_t want = 0;
    for (int workers = 0; workers < 4; workers++) {
        fvi_loader_options o = options_of(&s, 5, workers);
        const fvi_bad_sample *bad;
        const fvi_batch *b;
        fvi_loader *l;
        o.skip_bad = true;
        uint64_t h = run(o, 0, 0, 9);
        CHECK(h > 2);
        if (workers) CHECK_EQ(h, want);
        want = h;
        CHECK_EQ(fvi_loader_create(NULL, &o, &l), FV_OK);
        int seen[12] = {0};
        for (int i = 0; i < 3; i++) {
            CHECK_EQ(fvi_loader_next(l, &b), FV_OK);
            CHECK_EQ(b->dropped, 0);
            for (int64_t k = 0; k < b->n; k++) seen[b->ids[k]]++;
        }
        for (int i = 0; i < 12; i++) CHECK_EQ(seen[i], i == 5 || i == 7 ? 0 : i == 6 || i == 8 ? 2 : 1);
        while (fvi_loader_bad(l, &bad) < 2) CHECK_EQ(fvi_loader_next(l, &b), FV_OK);
        CHECK_HAS(bad[bad[0].id != 5].reason, "sample 5: the file is torn");
        CHECK_HAS(bad[bad[0].id == 5].reason, "sample 7: label 99");
        fvi_loader_destroy(l);
        o.shuffle = o.random = false;
        CHECK_EQ(fvi_loader_create(NULL, &o, &l), FV_OK);
        int64_t n = 0, dropped = 0;
        for (int i = 0; i < 3; i++) {
            CHECK_EQ(fvi_loader_next(l, &b), FV_OK);
            for (int64_t k = 0; k < b->n; k++) CHECK(b->ids[k] != 5 && b->ids[k] != 7 && b->labels[k] == b->ids[k] % 5);
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
    const fvi_batch *b;
    o.skip_bad = true;
    CHECK_EQ(fvi_loader_create(ctx, &o, &l), FV_OK);
    CHECK_EQ(fvi_loader_next(l, &b), FV_ERROR_FORMAT);
    CHECK_HAS(fv_error_message(ctx), "none of the 1 pictures can be read");
    fvi_loader_destroy(l);
    fv_context_destroy(ctx);
}

static fv_status counting_get(const fv_source *s, fv_context *ctx, int64_t index, fv_image *image, int64_t *label)
{
    static fake none = {-1, -1, false};
    const fv_source inner = {.count = s->count, .user = &none};
    __atomic_fetch_add((int64_t *)s->user, 1, __ATOMIC_RELAXED);
    return get(&inner, ctx, index, image, label);
}

/* One epoch and no more: nothing beyond it is read. */
static void once(void)
{
    for (int workers = 0; workers < 3; workers++) {
        fake f = {-1, -1, false};
        fv_source s = source_of(&f, 10);
        fvi_loader_options o = options_of(&s, 4, workers);
        fvi_loader *l;
        const fvi_batch *b;
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
static fv_status get_bad(const fv_source *s, fv_context *ctx, int64_t index, fv_image *image, int64_t *label)
{
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
    const fvi_batch *b;
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
        if (mode) o.augment.resize = FVI_RESIZE_CROP, o.augment.random_crop = 1;        /* whole pictures are kept */
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
        const fvi_batch *b;
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
    fvi_augment a = {.size = SIDE, .mean = {.5f, .4f, .3f}, .std = {.5f, .25f, 2}, .pad_crop = 3, .horizontal_flip = 1};
    fake f = {-1, -1, false};
    fv_source s = source_of(&f, 3);
    fv_image image = {0};
    fvi_workspace w = {0};
    float out[3 * SIDE * SIDE];
    int64_t label;
    CHECK_EQ(get(&s, NULL, 2, &image, &label), FV_OK);
    CHECK_EQ(fvi_augment_apply(&a, NULL, &w, &image, &(fvi_sample_draw){false, 0, 0, 2}, out), FV_OK);
    for (int c = 0; c < 3; c++)
        for (int y = 0; y < SIDE; y++)
            for (int x = 0; x < SIDE; x++)
                CHECK_CLOSE(out[(c * SIDE + y) * SIDE + x], ((float)pixel(2, c, y, x) / 255.0f - a.mean[c]) / a.std[c], 0);
    fv_image_free(&image);
    fvi_workspace_free(&w);
}

/* Over many draws each result is some crop of the padded picture, mirrored or not; all of them occur. */
static void crops_and_flips(void)
{
    enum { PAD = 2, SHIFTS = 2 * PAD + 1, DRAWS = 4000 };
    fvi_augment a = {.size = SIDE, .std = {1, 1, 1}, .pad_crop = PAD, .horizontal_flip = .25};
    fake f = {-1, -1, false};
    fv_source s = source_of(&f, 3);
    fv_image image = {0};
    fvi_workspace w = {0};
    float out[3 * SIDE * SIDE];
    int64_t label, seen[SHIFTS][SHIFTS][2] = {{{0}}}, flips = 0;
    CHECK_EQ(get(&s, NULL, 1, &image, &label), FV_OK);
    for (int64_t draw = 0; draw < DRAWS; draw++) {
        CHECK_EQ(fvi_augment_apply(&a, NULL, &w, &image, &(fvi_sample_draw){true, 3, draw, 1}, out), FV_OK);
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
    fv_image_free(&image);
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
          CASE(bad_samples_are_skipped), CASE(once), CASE(many_bad_samples), CASE(cache_keeps_results), CASE(stops_cleanly), CASE(without_randomness), CASE(crops_and_flips), CASE(image_limits))
