/* SPDX-License-Identifier: Apache-2.0 */
/* What a run that goes on takes over, and what of it is lost by an error: figures are compared with those on the same data, epochs are passes
 * over the data, what was trained is saved before an error ends the run, changes hold until they are saved, and nobody trains or replaces
 * the run of another process. */
#include "test.h"

#include "base/file.h"
#include "optim/schedule.h"
#include "runs.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static runs_data train_reads, val_reads = {.base = 100000};

#define DATA .train_data = &train, .val_data = &val
#define SOURCES(n_train, n_val)                                                                              \
    fv_source train = runs_source(&train_reads, n_train), val = runs_source(&val_reads, n_val)
#define SETTINGS(...) .settings = (const char *const[]){"image_size=6", "threads=1", "data.workers=0", __VA_ARGS__}, \
                      .n_settings = (int)(sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *)) + 3

#define ANEW "the search for the best, and the counts of early stop and plateau, begin anew"

/* ---- what figures are measured on -------------------------------------------------------------------------------------- */

/* Five validations, the first of which is the best; then one more under other circumstances. */
static void figures_on_other_data(void)
{
    static const struct { const char *setting; int val; bool anew; } cases[] = {
        {"max_steps=6", 20, false},      {"learning_rate=2e-12", 20, false}, {"normalize.mean=0.4,0.5,0.5", 20, true}, {"augment.crop_pct=0.5", 20, true},
        {"monitor=loss", 20, true},      {"mode=min", 20, true},             {"max_steps=6", 21, true},                 {"augment.horizontal_flip=0.5", 20, false},
    };
    for (int i = 0; i < FVI_COUNT(cases); i++) {
        SOURCES(43, 20);
        runs_trace t = {.stop_at = 5};
        runs_clean("g_measured");
        runs_outcome r = runs_train(&(fv_train_options){DATA, SETTINGS("batch_size=8", "max_steps=6", "validate_every=1", "learning_rate=1e-12", "early_stop=9"),
                                                        .run = "g_measured"}, NULL, &t);
        CHECK_EQ(r.status, FV_ERROR_CANCELED);
        CHECK_EQ(r.p.best_step, 1);
        val = runs_source(&val_reads, cases[i].val);
        r = runs_train(&(fv_train_options){DATA, SETTINGS("batch_size=8", "max_steps=6", "validate_every=1", "learning_rate=1e-12", "early_stop=9", cases[i].setting),
                                           .run = "g_measured", .mode = FV_RUN_CONTINUE}, NULL, NULL);
        CHECK_MSG(r.status == FV_OK, "%s: %s", cases[i].setting, r.message);
        CHECK_MSG((strstr(r.log, ANEW) != NULL) == cases[i].anew, "%s, %d pictures: \"%s\"", cases[i].setting, cases[i].val, r.log);
        CHECK_MSG(r.p.best_step == (cases[i].anew ? 5 : 1) || r.p.best_step == 6, "%s: best is step %lld", cases[i].setting, (long long)r.p.best_step);
    }
}

static void die_at_start(runs_trace *t, fv_train_event event, const fv_train_progress *p)
{
    (void)t, (void)p;
    if (event == FV_TRAIN_START) raise(SIGKILL);         /* the configuration is written, no checkpoint */
}

/* The changes of a segment hold until they are saved: a process that is killed before does not leave them half made. */
static void changes_until_they_are_saved(void)
{
    SOURCES(43, 20);
    runs_trace t = {.stop_at = 4};
    fv_train_options o = {DATA, SETTINGS("batch_size=8", "max_steps=8", "validate_every=100", "save_every=100", "normalize.mean=0.4,0.5,0.5", "ema_decay=0.9"),
                          .run = "g_killed", .optimizer = "sgd", .mode = FV_RUN_CONTINUE};
    runs_clean("g_killed");
    CHECK_EQ(runs_train(&(fv_train_options){DATA, SETTINGS("batch_size=8", "max_steps=8", "validate_every=1"), .run = "g_killed"}, NULL, &t).status, FV_ERROR_CANCELED);
    pid_t child = fork();
    if (child == 0) {
        runs_train(&o, NULL, &(runs_trace){.also = die_at_start});
        _exit(0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    CHECK(WIFSIGNALED(status));
    char *config = runs_read("g_killed", "config.json");
    CHECK_HAS(config, "\"optimizer\": \"sgd\"");
    fvi_free(config);
    o.mode = FV_RUN_RESUME;                              /* nothing differs from config.json any more */
    runs_outcome r = runs_train(&o, NULL, NULL);
    CHECK_MSG(r.status == FV_OK, "%s", r.message);
    CHECK_HAS(r.log, "step 4 of 8 goes on with");
    CHECK_HAS(r.log, ANEW);
    CHECK_EQ(r.p.start_step, 4);
    CHECK_EQ(r.p.best_step, 8);
}

/* ---- epochs ------------------------------------------------------------------------------------------------------------- */

static void note_end(runs_trace *t, fv_train_event event, const fv_train_progress *p)
{
    if (event == FV_TRAIN_END) *(double *)t->user = p->epoch;
}

/* 43 samples, two epochs in batches of 8 (6 updates each, 5 and 3 in the last): then two more, however they are cut. */
static void epochs_are_passes(void)
{
    static const struct { const char *batch, *accumulation; int64_t stop, updates; } cases[] = {
        {"batch_size=8", "gradient_accumulation_steps=1", 0, 24}, {"batch_size=4", "gradient_accumulation_steps=1", 0, 12 + 2 * 11},
        {"batch_size=16", "gradient_accumulation_steps=1", 0, 12 + 2 * 3}, {"batch_size=43", "gradient_accumulation_steps=1", 0, 12 + 2},
        {"batch_size=8", "gradient_accumulation_steps=4", 0, 12 + 2 * 2}, {"batch_size=1000", "gradient_accumulation_steps=1", 0, 12 + 2},
        /* In the middle of the second epoch, 24 of its samples done: the rest of it, then two. */
        {"batch_size=4", "gradient_accumulation_steps=1", 9, 9 + 5 + 2 * 11}, {"batch_size=16", "gradient_accumulation_steps=1", 9, 9 + 2 + 2 * 3},
        {"batch_size=8", "gradient_accumulation_steps=2", 9, 9 + 2 + 2 * 3},
    };
    for (int i = 0; i < FVI_COUNT(cases); i++) {
        SOURCES(43, 20);
        double epoch = 0;
        runs_trace t = {.stop_at = cases[i].stop, .also = note_end, .user = &epoch};
        fv_train_options o = {DATA, SETTINGS("batch_size=8", "validate_every=1 epoch"), .epochs = 2, .scheduler = "cosine", .learning_rate = 0.01, .run = "g_epochs"};
        runs_clean("g_epochs");
        CHECK_EQ(runs_train(&o, NULL, &t).status, cases[i].stop ? FV_ERROR_CANCELED : FV_OK);
        t = (runs_trace){.also = note_end, .user = &epoch, .stop_at = 15};
        fv_train_options more = {DATA, SETTINGS("validate_every=1 epoch", cases[i].batch, cases[i].accumulation), .epochs = 4, .scheduler = "cosine", .learning_rate = 0.01,
                                 .run = "g_epochs", .mode = FV_RUN_CONTINUE};
        runs_outcome r = runs_train(&more, NULL, &t);
        const double first = t.rate[0];
        if (r.status == FV_ERROR_CANCELED) {             /* stopped once more: the same end */
            more.mode = FV_RUN_RESUME;
            t = (runs_trace){.also = note_end, .user = &epoch};
            r = runs_train(&more, NULL, &t);
        }
        CHECK_MSG(r.status == FV_OK, "case %d: %s", i, r.message);
        CHECK_CLOSE(epoch, 4, 0);
        CHECK_MSG(r.p.step == cases[i].updates, "case %d: %lld updates, not %lld", i, (long long)r.p.step, (long long)cases[i].updates);
        /* Half of the way is half of the schedule; validations are at the ends of epochs. */
        if (!cases[i].stop) CHECK_CLOSE(first, 0.005, 1e-12);
        CHECK_EQ(t.validated[t.validations - 1], r.p.step);
    }
}

/* ---- errors outside the update ------------------------------------------------------------------------------------------ */

static int64_t broken = -1;

static fv_status get_broken(const fv_source *s, fv_context *ctx, int64_t index, fv_sample *out)
{
    const runs_data *d = s->user;
    if (d->base + index == broken) return fvi_fail(ctx, FV_ERROR_FORMAT, "sample %lld is torn", (long long)index);
    return runs_source(s->user, s->count).get(s, ctx, index, out);
}

/* Pictures that cannot be read, in training and in validation, one at a time: what was trained is saved, and once mended the run goes on
 * to the same bits. */
static void trained_is_saved(void)
{
    int saved = 0;
    for (int accumulation = 1; accumulation <= 3; accumulation += 2)
        for (int64_t bad = -1; bad < 43 + 20; bad += bad < 0 ? 1 : 7) {
            char steps[48];
            SOURCES(43, 20);
            train.get = val.get = get_broken;
            snprintf(steps, sizeof steps, "gradient_accumulation_steps=%d", accumulation);
            broken = -1;
            const char *run = bad < 0 ? "g_straight" : "g_saved";
            const fv_train_options o = {DATA, SETTINGS("batch_size=4", steps, "max_steps=13", "validate_every=4", "save_every=100", "ema_decay=0.9", "augment.pad_crop=1",
                                                       "scheduler=plateau", "plateau=0"), .run = run};
            runs_clean(run);
            if (bad >= 0) {
                broken = bad < 43 ? bad : 100000 + bad - 43;
                runs_outcome r = runs_train(&o, NULL, NULL);
                CHECK_EQ(r.status, FV_ERROR_FORMAT);
                CHECK_HAS(r.message, "is torn");
                saved += r.p.step > 0;
                if (r.p.step > 0) CHECK_HAS(r.log, "what was trained is saved at step");
                if (bad >= 43) CHECK_EQ(r.p.step, 4);
                broken = -1;
                const int64_t step = r.p.step;
                r = runs_train(&o, NULL, NULL);
                CHECK_MSG(r.status == FV_OK, "%s", r.message);
                CHECK_EQ(r.p.start_step, step);
                CHECK(runs_all_same("g_straight", "g_saved"));
            } else {
                CHECK_EQ(runs_train(&o, NULL, NULL).status, FV_OK);
            }
        }
    CHECK(saved >= 8);
}

/* ---- whose run ---------------------------------------------------------------------------------------------------------- */

static void file_systems_without_locks(void)
{
    static const struct { int error; fv_status status; const char *words; } cases[] = {
        {ENOSYS, FV_OK, "has no locks"},  {EOPNOTSUPP, FV_OK, "has no locks"}, {ENOTSUP, FV_OK, "has no locks"}, {ENOLCK, FV_OK, "has no locks"},
        {EWOULDBLOCK, FV_ERROR_CONFIG, "another process is training"}, {EIO, FV_ERROR_IO, "g_locks/.lock: Input/output error"},
    };
    for (int i = 0; i < FVI_COUNT(cases); i++) {
        SOURCES(10, 5);
        runs_clean("g_locks");
        fvi_file_set_faults((fvi_file_faults){.error = cases[i].error, .lock_at = 1, .lasting = true});
        runs_outcome r = runs_train(&(fv_train_options){DATA, SETTINGS("max_steps=1"), .run = "g_locks"}, NULL, NULL);
        fvi_file_set_faults((fvi_file_faults){0});
        CHECK_MSG(r.status == cases[i].status, "%s: %s", strerror(cases[i].error), r.message);
        CHECK_HAS(r.status == FV_OK ? r.log : r.message, cases[i].words);
    }
}

static fv_trainer *opened(fv_context *ctx, const fv_model *m, const fv_train_options *o)
{
    fv_trainer *t = NULL;
    return fv_trainer_create(ctx, m, o, &t) == FV_OK ? t : NULL;
}

/* Opened while there was no run, and begun when there is one: it is not replaced. */
static void begun_meanwhile(void)
{
    SOURCES(10, 5);
    fv_context *ctx = fv_context_create();
    fv_model *m = fv_model_define(ctx, "tiny", runs_tiny, NULL);
    fv_train_options o = {DATA, SETTINGS("max_steps=2"), .run = "g_meanwhile"};
    runs_clean("g_meanwhile");
    fv_trainer *late = opened(ctx, m, &o);
    CHECK(late != NULL);
    CHECK_EQ(runs_train(&o, NULL, NULL).status, FV_OK);
    char *before = runs_read("g_meanwhile", "metrics.csv");
    CHECK_EQ(fv_trainer_run(late), FV_ERROR_CONFIG);
    CHECK_HAS(fv_error_message(ctx), "another process has begun the run");
    fv_trainer_destroy(late);
    char *after = runs_read("g_meanwhile", "metrics.csv");
    CHECK(!strcmp(before, after));
    fvi_free(before);
    fvi_free(after);
    /* --new: each gets a folder of its own, and an unused one is not left. */
    o.mode = FV_RUN_NEW;
    fv_trainer *a = opened(ctx, m, &o), *b = opened(ctx, m, &o);
    CHECK(a && b && strcmp(fv_trainer_progress(a)->run, fv_trainer_progress(b)->run) != 0);
    CHECK_MSG(fv_trainer_run(b) == FV_OK && fv_trainer_run(a) == FV_OK, "%s", fv_error_message(ctx));
    fv_trainer_destroy(a);
    fv_trainer_destroy(b);
    fv_trainer_destroy(opened(ctx, m, &o));
    CHECK(fvi_file_exists("g_meanwhile-2/config.json") && fvi_file_exists("g_meanwhile-3/config.json") && !fvi_file_exists("g_meanwhile-4"));
    /* --overwrite: the old run is there until the new one begins. */
    o.mode = FV_RUN_OVERWRITE;
    a = opened(ctx, m, &o);
    CHECK(a && fvi_file_exists("g_meanwhile/config.json") && !fvi_file_exists("g_meanwhile.old-1"));
    CHECK_EQ(fv_trainer_run(a), FV_OK);
    CHECK(fvi_file_exists("g_meanwhile/config.json") && fvi_file_exists("g_meanwhile.old-1/config.json"));
    fv_trainer_destroy(a);
    fv_model_destroy(m);
    fv_context_destroy(ctx);
}

static bool overwrite_it(void *user, fv_train_event event, const fv_train_progress *p)
{
    SOURCES(10, 5);
    if (event == FV_TRAIN_STEP && p->step == 1)
        *(runs_outcome *)user = runs_train(&(fv_train_options){DATA, SETTINGS("max_steps=2"), .run = "g_busy", .mode = FV_RUN_OVERWRITE}, NULL, NULL);
    return true;
}

/* A run that is being trained is not moved from under the process that trains it. */
static void not_while_it_is_trained(void)
{
    SOURCES(10, 5);
    runs_outcome second = {0};
    runs_clean("g_busy");
    CHECK_EQ(runs_train(&(fv_train_options){DATA, SETTINGS("max_steps=2"), .run = "g_busy", .callback = overwrite_it, .callback_user = &second}, NULL, NULL).status, FV_OK);
    CHECK_EQ(second.status, FV_ERROR_CONFIG);
    CHECK_HAS(second.message, "another process is training");
    CHECK(!fvi_file_exists("g_busy.old-1"));
}

TEST_MAIN(CASE(figures_on_other_data), CASE(changes_until_they_are_saved), CASE(epochs_are_passes), CASE(trained_is_saved), CASE(file_systems_without_locks),
          CASE(begun_meanwhile), CASE(not_while_it_is_trained))
