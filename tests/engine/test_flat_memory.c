/* SPDX-License-Identifier: Apache-2.0 */
/* Memory of a long run: ten thousand steps with everything on (pictures decoded by loader threads, a bad file skipped in each
 * epoch, validation, checkpoints, event files, moving average) stay within 1 MB from step 200 on. FOVEA_TEST_STEPS: other lengths. */
#include "test.h"

#include "base/file.h"
#include "base/thread.h"
#include "fovea/nn.h"
#include "fovea/train.h"

#include <stdlib.h>

#define ROOT "flat_memory"

static fv_value *tiny(fv_graph *g, fv_value *x, void *user)
{
    (void)user;
    x = fv_conv_bn_act(g, "stem", x, &FV_CONV(.out = 4, .kernel = 3, .stride = 2));
    return fv_linear(g, "head", fv_global_average_pool(g, x), 2);
}

/* Two classes of JPEG, PNG, WebP and GIF files, and one that is no picture. */
static bool make_pictures(void)
{
    return system("rm -rf " ROOT " && mkdir -p " ROOT "/data/a " ROOT "/data/b && cp " FOVEA_TESTS_DIR "/fuzz/corpus/jpeg/*.jpg " ROOT "/data/a && "
                  "cp " FOVEA_TESTS_DIR "/fuzz/corpus/png/*.png " FOVEA_TESTS_DIR "/fuzz/corpus/webp/*.webp " FOVEA_TESTS_DIR "/fuzz/corpus/gif/*.gif " ROOT
                  "/data/b && head -c 300 " FOVEA_TESTS_DIR "/fuzz/corpus/jpeg/444.jpg > " ROOT "/data/b/torn.jpg") == 0;
}

typedef struct watch { int64_t least, most, first, last, samples; } watch;

static bool look(void *user, fv_train_event event, const fv_train_progress *p)
{
    watch *w = user;
    if (event != FV_TRAIN_STEP || p->step < 200 || p->step % 20) return true;
    const int64_t now = fvi_memory_now();
    if (!w->samples) w->least = w->first = now;
    w->least = FVI_MIN(w->least, now);
    w->most = FVI_MAX(w->most, now);
    w->last = now;
    w->samples++;
    return true;
}

static void ten_thousand_steps(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    SKIP("sanitizers keep what is freed");
#endif
    const char *text = getenv("FOVEA_TEST_STEPS");
    char steps[64];
    snprintf(steps, sizeof steps, "max_steps=%d", text && atoi(text) > 0 ? atoi(text) : 10000);
    const char *settings[] = {"data.root=" ROOT "/data", "run=" ROOT "/run", "image_size=16", "batch_size=4", "threads=1", "data.workers=2", steps, "validate_every=100",
                              "save_every=100", "ema_decay=0.99", "data.on_bad_file=skip", "augment.random_resized_crop=0.7", "augment.horizontal_flip=0.5",
                              "augment.color_jitter=0.5", "max_grad_norm=1", "optimizer=adamw", "data.cache_mb=0.02"};
    watch w = {0};
    CHECK(make_pictures());
    fv_context *ctx = fv_context_create();
    fv_model *m = fv_model_define(ctx, "tiny", tiny, NULL);
    fv_trainer *t = NULL;
    const fv_train_options o = {.settings = settings, .n_settings = FVI_COUNT(settings), .callback = look, .callback_user = &w};
    CHECK_MSG(fv_trainer_create(ctx, m, &o, &t) == FV_OK, "%s", fv_error_message(ctx));
    CHECK_MSG(fv_trainer_run(t) == FV_OK, "%s", fv_error_message(ctx));
    CHECK(fv_trainer_progress(t)->bad_files == 1);
    printf("    %lld samples: from %.2f to %.2f MB, first %.2f, last %.2f\n", (long long)w.samples, (double)w.least / 1e6, (double)w.most / 1e6, (double)w.first / 1e6,
           (double)w.last / 1e6);
    CHECK(w.samples > 10);
    CHECK_MSG(w.most - w.least <= 1 << 20, "resident memory moves by %.2f MB", (double)(w.most - w.least) / (1 << 20));
    fv_trainer_destroy(t);
    fv_model_destroy(m);
    fv_context_destroy(ctx);
}

/* The figure moves when memory is taken, so that standing still means something. */
static void the_figure_moves(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    SKIP("sanitizers keep what is freed");
#endif
    const int64_t before = fvi_memory_now();
    volatile char *p = malloc(4 << 20);
    CHECK(p);
    for (int i = 0; i < 4 << 20; i += 4096) p[i] = 1;
    CHECK(fvi_memory_now() - before > 3 << 20);
    free((void *)(uintptr_t)p);
}

TEST_MAIN(CASE(the_figure_moves), CASE(ten_thousand_steps))
