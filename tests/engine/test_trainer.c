/* SPDX-License-Identifier: Apache-2.0 */
/* The trainer with a tiny net and data of its own: a run that is stopped, killed or torn goes on to exactly the files of
 * a straight run; what counts as a step; best and early stop; values that are not finite; runs that exist already. */
#include "test.h"

#include "base/base.h"
#include "base/file.h"
#include "base/rng.h"
#include "fovea/nn.h"
#include "runs.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TRAIN = 43, VAL = 20, CLASSES = RUNS_CLASSES };

static fv_source *train_data(void)
{
    static runs_data d;
    static fv_source s;
    if (!s.get) s = runs_source(&d, TRAIN);
    return &s;
}

static fv_source *val_data(void)
{
    static runs_data d = {.base = 100000};
    static fv_source s;
    if (!s.get) s = runs_source(&d, VAL);
    return &s;
}

static const char *const everything[] = {"image_size=6", "batch_size=4", "gradient_accumulation_steps=3", "max_steps=11", "optimizer=adamw",
    "learning_rate=0.01", "weight_decay=0.1", "max_grad_norm=1", "ema_decay=0.9", "augment.pad_crop=1", "augment.horizontal_flip=0.5",
    "validate_every=3", "save_every=2", "loss.label_smoothing=0.1", "threads=1", "seed=5", "scheduler=plateau", "plateau=0", "plateau.threshold=0.5", "early_stop=50", "enable_amp=true"};
#define DATA .train_data = train_data(), .val_data = val_data()
#define EVERYTHING .settings = everything, .n_settings = FVI_COUNT(everything), DATA

static runs_outcome train(const fv_train_options *o)
{
    return runs_train(o, NULL, NULL);
}

static void check_same(const char *a, const char *b)
{
    char command[200];
    CHECK(runs_all_same(a, b));
    snprintf(command, sizeof command, "find %s -name '*.tmp.*' | grep -q .", b);
    CHECK_MSG(system(command) != 0, "%s: a killed writer's file is left", b);
}

static bool straight(void)
{
    static bool done;
    if (done) return true;
    runs_clean("t_straight");
    runs_outcome r = train(&(fv_train_options){EVERYTHING, .run = "t_straight"});
    if (r.status != FV_OK) printf("    %s\n", r.message);
    return done = r.status == FV_OK && r.p.step == 11;
}

/* ---- stopping and going on ---------------------------------------------------------------------------------------------- */

typedef struct stop { int64_t at; bool in_validation; } stop;

static bool stop_at(void *user, fv_train_event event, const fv_train_progress *p)
{
    const stop *s = user;
    return event != FV_TRAIN_STEP || p->step != s->at;
}

static void stopped_runs_go_on_bit_for_bit(void)
{
    CHECK(straight());
    for (int64_t at = 1; at < 11; at++) {
        stop s = {at, false};
        runs_clean("t_stopped");
        runs_outcome r = train(&(fv_train_options){EVERYTHING, .run = "t_stopped", .callback = stop_at, .callback_user = &s});
        CHECK_EQ(r.status, FV_ERROR_CANCELED);
        CHECK_HAS(r.message, "interrupted; saved at step");
        CHECK_EQ(r.p.step, at);
        r = train(&(fv_train_options){EVERYTHING, .run = "t_stopped"});
        CHECK_MSG(r.status == FV_OK, "%s", r.message);
        CHECK_EQ(r.p.start_step, at);
        check_same("t_straight", "t_stopped");
        if (test_state.failures) return;
    }
}

static void any_number_of_loader_threads(void)
{
    CHECK(straight());
    for (int workers = 0; workers <= 4; workers += 2) {
        const char *settings[FVI_COUNT(everything) + 1];
        char text[32];
        snprintf(text, sizeof text, "data.workers=%d", workers);
        memcpy(settings, everything, sizeof everything);
        settings[FVI_COUNT(everything)] = text;
        runs_clean("t_workers");
        runs_outcome r = train(&(fv_train_options){.settings = settings, .n_settings = FVI_COUNT(settings), DATA,
                                              .run = "t_workers"});
        CHECK_MSG(r.status == FV_OK, "%s", r.message);
        check_same("t_straight", "t_workers");
    }
}

/* Kills a child after `microseconds`; true when it died of it. */
static bool run_and_kill(unsigned microseconds)
{
    pid_t child = fork();
    if (child == 0) {
        runs_outcome r = train(&(fv_train_options){EVERYTHING, .run = "t_killed"});
        _exit(r.status == FV_OK ? 0 : 1);
    }
    usleep(microseconds);
    kill(child, SIGKILL);
    int status = 0;
    waitpid(child, &status, 0);
    return WIFSIGNALED(status);
}

static void killed_runs_go_on_bit_for_bit(void)
{
    const char *text = getenv("FOVEA_TEST_KILLS");
    int kills = text ? atoi(text) : 12, died = 0;
    CHECK(straight());
    fvi_rng r = fvi_rng_at(1, 2);
    runs_clean("t_killed");
    double begin = fvi_seconds();
    CHECK_EQ(train(&(fv_train_options){EVERYTHING, .run = "t_killed"}).status, FV_OK);
    int64_t whole = (int64_t)((fvi_seconds() - begin) * 1e6);
    for (int round = 0; round < kills; round++) {
        runs_clean("t_killed");
        for (int i = 0; i < 3; i++) died += run_and_kill((unsigned)fvi_rng_below(&r, whole + 1));
        runs_outcome o = train(&(fv_train_options){EVERYTHING, .run = "t_killed"});
        CHECK_MSG(o.status == FV_OK, "%s", o.message);
        check_same("t_straight", "t_killed");
        if (test_state.failures) return;
    }
    printf("    %d processes died of %d\n", died, 3 * kills);
    CHECK(died > kills / 2);
}

/* ---- torn and tampered checkpoints -------------------------------------------------------------------------------------- */

static bool prepare_torn(int64_t at)
{
    stop s = {at, false};
    runs_clean("t_torn");
    return train(&(fv_train_options){EVERYTHING, .run = "t_torn", .callback = stop_at, .callback_user = &s}).status == FV_ERROR_CANCELED;
}

#define TORN "t_torn/checkpoints/"

/* Every state that a kill between the renames of a save can leave. */
static void every_moment_of_a_save(void)
{
    static const char *const commands[] = {
        "mv " TORN "latest.safetensors " TORN "previous.safetensors",
        "mv " TORN "latest.safetensors " TORN "previous.safetensors && mv " TORN "latest.state.safetensors " TORN "previous.state.safetensors",
        "mv " TORN "latest.safetensors " TORN "previous.safetensors && mv " TORN "latest.state.safetensors " TORN "previous.state.safetensors && "
            "cp t_straight/checkpoints/latest.safetensors " TORN "latest.safetensors",
        "touch " TORN "latest.safetensors.tmp.1 " TORN "latest.state.safetensors.tmp.1",
        "truncate -s 1000 " TORN "latest.state.safetensors",
        "truncate -s 1000 " TORN "latest.safetensors",
        "printf x | dd of=" TORN "latest.safetensors bs=1 seek=$(($(stat -c %s " TORN "latest.safetensors) - 9)) conv=notrunc 2>/dev/null",
        "rm " TORN "latest.state.safetensors",
    };
    CHECK(straight());
    for (int i = 0; i < FVI_COUNT(commands); i++) {
        CHECK(prepare_torn(7));
        CHECK(system(commands[i]) == 0);
        runs_outcome r = train(&(fv_train_options){EVERYTHING, .run = "t_torn"});
        CHECK_MSG(r.status == FV_OK, "case %d: %s", i, r.message);
        CHECK(r.p.start_step == 7 || r.p.start_step == 6);
        check_same("t_straight", "t_torn");
        CHECK(!fvi_file_exists(TORN "latest.safetensors.tmp.1"));
    }
}

static void nothing_that_fits(void)
{
    static const struct { const char *command, *message; } cases[] = {
        {"for f in latest previous; do truncate -s 1000 " TORN "$f.state.safetensors; done", "can be used"},
        {"rm " TORN "*.state.safetensors", "can be used"},
        {"rm " TORN "previous*; printf x | dd of=" TORN "latest.safetensors bs=1 seek=$(($(stat -c %s " TORN "latest.safetensors) - 9)) conv=notrunc 2>/dev/null", "damaged or changed"},
        {"rm " TORN "previous*; cp t_straight/checkpoints/latest.safetensors " TORN "latest.safetensors", "not of the same moment"},
    };
    CHECK(straight());
    for (int i = 0; i < FVI_COUNT(cases); i++) {
        CHECK(prepare_torn(7));
        CHECK(system(cases[i].command) == 0);
        runs_outcome r = train(&(fv_train_options){EVERYTHING, .run = "t_torn"});
        CHECK_EQ(r.status, FV_ERROR_FORMAT);
        CHECK_HAS(r.message, cases[i].message);
        CHECK_HAS(r.message, "t_torn");
    }
}

/* Writing fails at every place in turn: the error is reported and what was saved before is still there. */
static void failing_disk(void)
{
    CHECK(straight());
    for (int k = 0; k < 3; k++)
        for (int n = k == 2 ? 1 : 8; n < 26; n += k == 2 ? 1 : 3) {        /* renames: every one */
            runs_clean("t_disk");
            fvi_file_faults f = {.error = k == 0 ? ENOSPC : EIO};
            *(k == 0 ? &f.write_at : k == 1 ? &f.sync_at : &f.rename_at) = n;
            fvi_file_set_faults(f);
            runs_outcome r = train(&(fv_train_options){EVERYTHING, .run = "t_disk"});
            fvi_file_set_faults((fvi_file_faults){0});
            CHECK(r.status == FV_ERROR_IO || r.status == FV_OK);
            if (r.status == FV_ERROR_IO) CHECK_HAS(r.message, "t_disk");
            r = train(&(fv_train_options){EVERYTHING, .run = "t_disk"});
            CHECK_MSG(r.status == FV_OK, "fault %d at %d: %s", k, n, r.message);
            check_same("t_straight", "t_disk");
        }
}

/* Killed twice at the same write, sync or rename, first saves included: the run goes on to the same end. */
static void killed_inside_a_save(void)
{
    const int stride = getenv("FOVEA_TEST_KILLS") ? 1 : 4;
    int died = 0, runs = 0;
    CHECK(straight());
    for (int k = 0; k < 3; k++)
        for (int n = 1; n < 26; n += stride) {
            runs_clean("t_inside");
            for (int again = 0; again < 2; again++, runs++) {
                pid_t child = fork();
                if (child == 0) {
                    fvi_file_faults f = {.error = FVI_FAULT_KILL};
                    *(k == 0 ? &f.write_at : k == 1 ? &f.sync_at : &f.rename_at) = n;
                    fvi_file_set_faults(f);
                    _exit(train(&(fv_train_options){EVERYTHING, .run = "t_inside"}).status == FV_OK ? 0 : 1);
                }
                int status = 0;
                waitpid(child, &status, 0);
                died += WIFSIGNALED(status);
            }
            runs_outcome r = train(&(fv_train_options){EVERYTHING, .run = "t_inside"});
            CHECK_MSG(r.status == FV_OK, "operation %d, number %d: %s", k, n, r.message);
            check_same("t_straight", "t_inside");
        }
    CHECK(died > runs / 2);
    printf("    %d of %d processes died at a write, sync or rename\n", died, runs);
}

/* ---- runs ----------------------------------------------------------------------------------------------------------------- */

static void existing_runs(void)
{
    const char *more[FVI_COUNT(everything) + 1];
    memcpy(more, everything, sizeof everything);
    more[FVI_COUNT(everything)] = "max_steps=14";
    fv_train_options o = {EVERYTHING, .run = "t_exists"}, longer = o;
    longer.settings = more;
    longer.n_settings = FVI_COUNT(more);
    runs_clean("t_exists");
    CHECK_EQ(train(&o).status, FV_OK);
    runs_outcome r = train(&o);                               /* finished: nothing happens */
    CHECK_EQ(r.status, FV_OK);
    CHECK(r.p.finished);
    CHECK_EQ(r.p.start_step, 11);
    r = train(&longer);
    CHECK_EQ(r.status, FV_ERROR_CONFIG);
    CHECK_HAS(r.message, "max_steps (11, now 14)");
    longer.mode = FV_RUN_CONTINUE;
    r = train(&longer);
    CHECK_MSG(r.status == FV_OK, "%s", r.message);
    CHECK_EQ(r.p.start_step, 11);
    CHECK_EQ(r.p.step, 14);
    o.mode = FV_RUN_NEW;
    CHECK_EQ(train(&o).status, FV_OK);
    CHECK(fvi_file_exists("t_exists-2/config.json"));
    o.mode = FV_RUN_OVERWRITE;
    CHECK_EQ(train(&o).status, FV_OK);
    CHECK(fvi_file_exists("t_exists.old-1/config.json"));
    check_same("t_straight", "t_exists");
    o.run = "t_nothing_here";
    o.mode = FV_RUN_CONTINUE;
    r = train(&o);
    CHECK_EQ(r.status, FV_ERROR_CONFIG);
    CHECK_HAS(r.message, "there is no run");
}

static void dry_run_writes_nothing(void)
{
    runs_clean("t_dry");
    runs_outcome r = train(&(fv_train_options){EVERYTHING, .run = "t_dry", .dry_run = true});
    CHECK_MSG(r.status == FV_OK, "%s", r.message);
    CHECK(isfinite(r.p.loss));
    CHECK(!fvi_file_exists("t_dry"));
}

/* ---- steps ---------------------------------------------------------------------------------------------------------------- */

/* One update over micro-batches of 4 equals one over a batch of 12 when nothing depends on the batch's statistics. */
static double head_after(const char *batch, const char *accumulation, const char *steps, int64_t *updates)
{
    const char *settings[] = {"image_size=6", batch, accumulation, steps, "optimizer=sgd", "momentum=0", "learning_rate=0.5", "threads=1",
                              "validate_every=1000", "save_every=1000", "weight_decay=0", "loss.class_weights=1,2,3"};
    fv_context *ctx = fv_context_create();
    fv_model *m = fv_model_define(ctx, "plain", runs_plain, NULL);
    fv_trainer *t = NULL;
    double sum = NAN;
    runs_clean("t_sum");
    fv_train_options o = {.settings = settings, .n_settings = FVI_COUNT(settings), DATA, .run = "t_sum"};
    if (fv_trainer_create(ctx, m, &o, &t) == FV_OK && fv_trainer_run(t) == FV_OK) {
        double w[CLASSES * 4];
        fv_tensor out = {FV_F64, 2, {CLASSES, 4}, w};
        fv_session *s = fv_trainer_session(t);
        if (fv_var_get(s, fv_session_find(s, "head.weight"), &out) == FV_OK)
            for (int i = 0; i < CLASSES * 4; i++) sum = (i ? sum : 0) + w[i] * (i + 1);
        *updates = fv_trainer_progress(t)->step;
    } else {
        printf("    %s\n", fv_error_message(ctx));
    }
    fv_trainer_destroy(t);
    fv_model_destroy(m);
    fv_context_destroy(ctx);
    return sum;
}

static void accumulation_is_exact(void)
{
    int64_t updates;
    double whole = head_after("batch_size=12", "gradient_accumulation_steps=1", "max_steps=3", &updates);
    CHECK_CLOSE(head_after("batch_size=4", "gradient_accumulation_steps=3", "max_steps=3", &updates), whole, 1e-5);
    CHECK_EQ(updates, 3);
    CHECK_CLOSE(head_after("batch_size=6", "gradient_accumulation_steps=2", "max_steps=3", &updates), whole, 1e-5);
    /* 43 samples in batches of 5 (8 of 5, one of 3), 4 to an update: 3 updates an epoch, the last of one short batch. */
    CHECK(isfinite(head_after("batch_size=5", "gradient_accumulation_steps=4", "epochs=2", &updates)));
    CHECK_EQ(updates, 6);
}

/* Adds log(-1): the loss is not a number, its gradient is zero. */
static fv_value *poisoned_loss(fv_graph *g, fv_value *output, fv_value *labels, fv_value **weight, void *user)
{
    fv_value *loss = fv_cross_entropy(g, output, labels, NULL, weight), *zero = fv_scale(g, fv_sum(g, output, 0, false), 0);
    return fv_add(g, loss, user ? fv_sqrt(g, zero) : fv_log(g, fv_offset(g, zero, -1)));
}

static void not_finite(void)
{
    runs_clean("t_nan");
    runs_outcome r = train(&(fv_train_options){EVERYTHING, .run = "t_nan", .loss = poisoned_loss});
    CHECK_EQ(r.status, FV_ERROR_NUMERIC);
    CHECK_HAS(r.message, "step 1: the loss is not finite; first at");
    CHECK_HAS(r.message, "(log), forward");
    CHECK_HAS(r.message, "pictures: sample");
    CHECK(!fvi_file_exists("t_nan/checkpoints/latest.safetensors"));
    r = train(&(fv_train_options){EVERYTHING, .run = "t_nan", .loss = poisoned_loss, .loss_user = &r});     /* sqrt(0): infinite slope times 0 */
    CHECK_EQ(r.status, FV_ERROR_NUMERIC);
    CHECK_HAS(r.message, "step 1: the gradient is not finite; first at");
    CHECK_HAS(r.message, "backward; pictures: sample");
}

static void early_stop(void)
{
    static const char *const settings[] = {"image_size=6", "batch_size=8", "epochs=50", "learning_rate=1e-12", "validate_every=1", "early_stop=3",
                                           "threads=1", "early_stop.min_delta=0.5"};
    runs_clean("t_early");
    fv_train_options o = {.settings = settings, .n_settings = FVI_COUNT(settings), DATA, .run = "t_early"};
    runs_outcome r = train(&o);
    CHECK_MSG(r.status == FV_OK, "%s", r.message);
    CHECK_EQ(r.p.step, 4);                               /* the first is the best; then three without improvement */
    CHECK_EQ(r.p.best_step, 1);
    CHECK(train(&o).p.finished);
}

static void freezing(void)
{
    const char *settings[] = {"image_size=6", "batch_size=8", "max_steps=3", "learning_rate=0.1", "threads=1", "freeze=stem,layer1"};
    fv_context *ctx = fv_context_create();
    fv_model *m = fv_model_define(ctx, "tiny", runs_tiny, NULL);
    fv_trainer *t = NULL;
    runs_clean("t_freeze");
    fv_train_options o = {.settings = settings, .n_settings = FVI_COUNT(settings), DATA, .run = "t_freeze"};
    CHECK_EQ(fv_trainer_create(ctx, m, &o, &t), FV_OK);
    CHECK_MSG(fv_trainer_run(t) == FV_OK, "%s", fv_error_message(ctx));
    CHECK_EQ(fv_trainer_progress(t)->trainable, 8 * CLASSES + CLASSES);
    float mean[5];
    fv_session *s = fv_trainer_session(t);
    CHECK_EQ(fv_var_get(s, fv_session_find(s, "stem.bn.running_mean"), &(fv_tensor){FV_F32, 1, {5}, mean}), FV_OK);
    for (int i = 0; i < 5; i++) CHECK_CLOSE(mean[i], 0, 0);      /* frozen means the statistics too */
    CHECK(fv_session_find(s, "stem.conv.weight:grad") == NULL);
    fv_trainer_destroy(t);
    settings[5] = "freeze=nowhere";
    CHECK_EQ(fv_trainer_create(ctx, m, &(fv_train_options){.settings = settings, .n_settings = FVI_COUNT(settings), DATA, .run = "t_freeze2"}, &t), FV_OK);
    CHECK_EQ(fv_trainer_run(t), FV_ERROR_CONFIG);
    CHECK_HAS(fv_error_message(ctx), "no parameter of tiny is below \"nowhere\"");
    fv_trainer_destroy(t);
    fv_model_destroy(m);
    fv_context_destroy(ctx);
}

/* While one process trains a run another is refused, in the middle of the first one's callback. */
static bool train_the_same(void *user, fv_train_event event, const fv_train_progress *p)
{
    if (event == FV_TRAIN_STEP && p->step == 2) *(runs_outcome *)user = train(&(fv_train_options){EVERYTHING, .run = "t_busy"});
    return true;
}

static void one_process_a_run(void)
{
    runs_outcome second = {0};
    runs_clean("t_busy");
    CHECK_EQ(train(&(fv_train_options){EVERYTHING, .run = "t_busy", .callback = train_the_same, .callback_user = &second}).status, FV_OK);
    CHECK_EQ(second.status, FV_ERROR_CONFIG);
    CHECK_HAS(second.message, "another process is training");
}

static void other_data(void)
{
    stop s = {4, false};
    runs_clean("t_data");
    CHECK_EQ(train(&(fv_train_options){EVERYTHING, .run = "t_data", .callback = stop_at, .callback_user = &s}).status, FV_ERROR_CANCELED);
    train_data()->count--;
    runs_outcome r = train(&(fv_train_options){EVERYTHING, .run = "t_data"});
    train_data()->count++;
    CHECK_EQ(r.status, FV_ERROR_FORMAT);
    CHECK_HAS(r.message, "trained on 43 samples, the data have 42 now");
    r = train(&(fv_train_options){EVERYTHING, .run = "t_data"});
    CHECK_EQ(r.status, FV_OK);
    CHECK_EQ(r.p.n_metrics, 8);
}

/* The n-th allocation fails: a clean error, and (with the leak checker) nothing is left behind. */
static void memory_runs_out(void)
{
    static const char *const settings[] = {"image_size=6", "batch_size=4", "gradient_accumulation_steps=2", "max_steps=2", "ema_decay=0.9", "threads=1",
                                           "data.workers=0", "validate_every=1", "save_every=1", "augment.pad_crop=1"};
    fv_train_options o = {.settings = settings, .n_settings = FVI_COUNT(settings), DATA, .run = "t_memory"};
    const char *text = getenv("FOVEA_TEST_ALLOCATIONS");
    runs_clean("t_memory");
    int64_t before = fvi_memory_count();
    CHECK_EQ(train(&o).status, FV_OK);
    int64_t all = fvi_memory_count() - before, step = text && atoi(text) > 0 ? FVI_MAX(1, all / atoi(text)) : FVI_MAX(1, all / 80), failed = 0;
    for (int64_t n = 1; n <= all; n += step) {
        runs_clean("t_memory");
        fvi_memory_set_fault(n);
        fv_context *ctx = fv_context_create();
        fv_model *m = ctx ? fv_model_define(ctx, "tiny", runs_tiny, NULL) : NULL;
        fv_trainer *t = NULL;
        fv_status status = m ? fv_trainer_create(ctx, m, &o, &t) : FV_ERROR_NOMEM;
        if (status == FV_OK) status = fv_trainer_run(t);
        fvi_memory_set_fault(0);
        CHECK_MSG(status == FV_OK || status == FV_ERROR_NOMEM, "allocation %lld of %lld: %s", (long long)n, (long long)all, fv_error_text(ctx));
        failed += status != FV_OK;
        fv_trainer_destroy(t);
        fv_model_destroy(m);
        fv_context_destroy(ctx);
    }
    CHECK(failed > 0);
    printf("    %lld of %lld allocations failed in turn, %lld runs ended\n", (long long)(all / step), (long long)all, (long long)failed);
}

TEST_MAIN(CASE(stopped_runs_go_on_bit_for_bit), CASE(any_number_of_loader_threads), CASE(killed_runs_go_on_bit_for_bit), CASE(every_moment_of_a_save),
          CASE(nothing_that_fits), CASE(failing_disk), CASE(killed_inside_a_save), CASE(existing_runs), CASE(dry_run_writes_nothing),
          CASE(accumulation_is_exact), CASE(not_finite), CASE(early_stop), CASE(freezing),
          CASE(one_process_a_run), CASE(other_data), CASE(memory_runs_out))
