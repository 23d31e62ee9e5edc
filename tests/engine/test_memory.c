/* SPDX-License-Identifier: Apache-2.0 */
/* The memory that a run foretells before its first step against what the operating system saw at its peak: within 5 %
 * and 48 MB, everything included (libraries, their scratch, loader, evaluation, checkpoints). A program of its own,
 * because a peak is never taken back. */
#include "base/base.h"
#include "base/rng.h"
#include "fovea/nn.h"
#include "fovea/train.h"
#include "test.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif

static fv_status get(const fv_source *s, fv_context *ctx, int64_t index, fv_sample *out)
{
    fv_image *image = &out->image;
    int64_t *label = &out->label;
    const int side = *(const int *)s->user;
    fvi_rng r = fvi_rng_at(5, (uint64_t)index);
    *label = index % 10;
    FVI_TRY(ctx, fv_image_resize(ctx, image, side, side));
    for (int i = 0; i < 3 * side * side; i++) image->pixels[i] = (uint8_t)fvi_rng_u32(&r);
    return FV_OK;
}

/* Runs four steps with validation and checkpoints in a process of its own. */
static void check_run(const char *model, int side_, const char *batch, const char *more)
{
    static int side;
    char size[32];
    side = side_;
    snprintf(size, sizeof size, "image_size=%d", side);
    const char *settings[] = {size, batch, "max_steps=4", "validate_every=2", "save_every=2", "optimizer=adamw", "ema_decay=0.9", more};
    fflush(stdout);
    const pid_t child = fork();
    if (!child) {
        fv_source train = {.count = 512, .classes = 10, .user = &side, .get = get}, val = {.count = 64, .classes = 10, .user = &side, .get = get};
        const fv_train_options o = {.settings = settings, .n_settings = more ? 8 : 7, .run = "memory_run", .mode = FV_RUN_OVERWRITE, .train_data = &train, .val_data = &val};
        fv_context *ctx = fv_context_create();
        fv_model *m = NULL;
        fv_trainer *t = NULL;
        fv_status status = fv_model_create(ctx, model, &(fv_model_options){10, side < 64 ? "{\"stem\": \"cifar\"}" : NULL}, &m);
        if (status == FV_OK) status = fv_trainer_create(ctx, m, &o, &t);
        if (status == FV_OK) status = fv_trainer_run(t);
        if (status != FV_OK) printf("    %s\n", fv_error_text(ctx));
        const double foretold = t ? (double)fv_trainer_progress(t)->foretold_bytes : 0, peak = (double)fv_machine_memory_peak();
        const double off = foretold - peak;
        printf("    %s, %s, %s%s%s: foretold %.0f MB, peak %.0f MB\n", model, size, batch, more ? ", " : "", more ? more : "", foretold / 1e6, peak / 1e6);
        fflush(stdout);
        _exit(status != FV_OK ? 2 : (off < 0 ? -off : off) > 0.05 * peak + 48e6);
    }
    int status = 0;
    CHECK(child > 0 && waitpid(child, &status, 0) == child);
    CHECK_EQ(status, 0);
}

static void test_foretold(void)
{
#ifdef SANITIZED
    SKIP("sanitizers take memory of their own");
#else
    check_run("resnet18", 32, "batch_size=64", NULL);
    check_run("resnet18", 32, "batch_size=64", "recompute=true");
    check_run("resnet18", 32, "batch_size=32", "gradient_accumulation_steps=2");
    check_run("resnet18", 128, "batch_size=16", NULL);
    check_run("resnet50", 64, "batch_size=8", NULL);
#endif
}

TEST_MAIN(CASE(test_foretold))
