/* SPDX-License-Identifier: Apache-2.0 */
/* seeds=N: a run for each seed, each resumable, finished ones not run again, and the summary of all. */
#include "test.h"

#include "base/base.h"
#include "base/json.h"
#include "metrics/statistics.h"
#include "runs.h"

typedef struct watch { int steps, ends, numbers[64]; int64_t stop_at; int stop_seed; } watch;

static bool on_event(void *user, fv_train_event event, const fv_train_progress *p)
{
    watch *w = user;
    w->steps += event == FV_TRAIN_STEP;
    if (event == FV_TRAIN_END && w->ends < 64) w->numbers[w->ends++] = p->seed_number * 100 + p->seed_count;
    return event != FV_TRAIN_STEP || p->seed_number != w->stop_seed || p->step != w->stop_at;
}

static runs_data train_reads, val_reads = {.base = 100000};

typedef struct result { fv_status status; char message[1024]; int finished, count, n_metrics; double mean, low, high, values[8]; char *json, *table; } result;

static void result_free(result *r)
{
    fvi_free(r->json);
    fvi_free(r->table);
    *r = (result){0};
}

/* Trains the settings into t_NAME; the summary's first figure in the result. */
static result train(const char *run, int n, const char *const *settings, fv_run_mode mode, watch *w)
{
    result r = {0};
    fv_context *ctx = fv_context_create();
    fv_model *m = fv_model_define(ctx, "tiny", runs_tiny, NULL);
    fv_source train_source = runs_source(&train_reads, 43), val_source = runs_source(&val_reads, 20);
    fv_seeds *s = NULL;
    *w = (watch){.stop_at = w->stop_at, .stop_seed = w->stop_seed};
    r.status = fv_train(ctx, m, &(fv_train_options){.settings = settings, .n_settings = n, .train_data = &train_source, .val_data = &val_source, .run = run,
                                                    .mode = mode, .callback = on_event, .callback_user = w}, NULL, &s);
    if (r.status != FV_OK) snprintf(r.message, sizeof r.message, "%s", fv_error_message(ctx));
    if (s) {
        r.finished = s->finished;
        r.count = s->count;
        r.n_metrics = s->n_metrics;
        r.mean = s->metrics[0].mean;
        r.low = s->metrics[0].low;
        r.high = s->metrics[0].high;
        for (int i = 0; i < s->count && i < 8; i++) r.values[i] = s->metrics[0].values[i];
        r.json = fvi_strdup(s->json);
        r.table = fvi_strdup(s->table);
    }
    fv_seeds_destroy(s);
    fv_model_destroy(m);
    fv_context_destroy(ctx);
    return r;
}

#define KEYS "image_size=6", "batch_size=8", "max_steps=4", "threads=1", "validate_every=2", "save_every=1", "learning_rate=0.05", "monitor=loss"
#define TRAIN(run, mode, watch, ...) \
    train(run, (int)(sizeof((const char *const[]){KEYS, __VA_ARGS__}) / sizeof(char *)), (const char *const[]){KEYS, __VA_ARGS__}, mode, watch)

static void three_seeds(void)
{
    watch w = {0};
    runs_clean("s_three");
    result r = TRAIN("s_three", FV_RUN_RESUME, &w, "seeds=3", "seed=5");
    CHECK_MSG(r.status == FV_OK, "%s", r.message);
    CHECK_EQ(w.steps, 12);
    CHECK_EQ(w.ends, 3);
    CHECK_EQ(w.numbers[1], 203);
    CHECK_EQ(r.count, 3);
    CHECK_EQ(r.finished, 3);
    const fvi_statistics s = fvi_statistics_of(r.values, 3);
    CHECK(r.values[0] != r.values[1]);                   /* another seed is another run */
    CHECK_CLOSE(r.mean, s.mean, 0);
    CHECK_CLOSE(r.high - r.low, 2 * s.half_width, 1e-12);
    CHECK_CLOSE(s.half_width, 4.302652729749 * s.deviation / sqrt(3), 1e-9);
    CHECK_HAS(r.table, "of 3 seeds, 5 to 7");
    CHECK_HAS(r.table, "val_acc ");
    CHECK_HAS(r.table, "best_val_loss ");
    /* The file holds the same. */
    char *text = runs_read("s_three", "seeds.json"), *table = runs_read("s_three", "seeds.txt");
    fvi_arena arena = {0};
    fvi_json *root;
    CHECK_EQ(fvi_json_parse(NULL, &arena, "seeds.json", text, strlen(text), false, &root), FV_OK);
    CHECK_CLOSE(fvi_json_get(fvi_json_get(fvi_json_get(root, "metrics"), "best_val_loss"), "mean")->number, r.mean, 0);
    CHECK_EQ(fvi_json_get(root, "seeds")->count, 3);
    CHECK_EQ(fvi_json_get(root, "runs")->count, 3);
    CHECK_EQ(fvi_json_get(root, "finished")->integer, 3);
    CHECK_STR(table, r.table);
    CHECK_HAS(text, r.json);
    fvi_arena_free(&arena);
    fvi_free(text);
    fvi_free(table);
    text = runs_read("s_three", "report.html");
    CHECK_HAS(text, "seed-6");
    fvi_free(text);
    /* A seed is the run that it would be alone. */
    runs_clean("s_alone");
    result alone = TRAIN("s_alone", FV_RUN_RESUME, &w, "seed=6");
    CHECK_MSG(alone.status == FV_OK, "%s", alone.message);
    CHECK_EQ(alone.count, 0);
    CHECK(runs_all_same("s_alone", "s_three/seed-6"));
    /* Once more: nothing is run, the same is said. */
    result again = TRAIN("s_three", FV_RUN_RESUME, &w, "seeds=3", "seed=5");
    CHECK_EQ(again.status, FV_OK);
    CHECK_EQ(w.steps, 0);
    CHECK_STR(again.json, r.json);
    result_free(&again);
    /* Two seeds more, and other keys. */
    again = TRAIN("s_three", FV_RUN_RESUME, &w, "seeds=5", "seed=5");
    CHECK_EQ(again.status, FV_ERROR_CONFIG);
    CHECK_HAS(again.message, "seeds (3, now 5)");
    again = TRAIN("s_three", FV_RUN_CONTINUE, &w, "seeds=5", "seed=5");
    CHECK_MSG(again.status == FV_OK, "%s", again.message);
    CHECK_EQ(w.steps, 8);
    CHECK_EQ(again.finished, 5);
    result_free(&again);
    again = TRAIN("s_three", FV_RUN_CONTINUE, &w, "seeds=5", "seed=5", "max_steps=5");
    CHECK_MSG(again.status == FV_OK, "%s", again.message);
    CHECK_EQ(w.steps, 5);                                /* one update more for each */
    result_free(&again);
    text = runs_read("s_three", "segments.json");
    CHECK_HAS(text, "\"seeds\":{\"from\":3,\"to\":5}");
    CHECK_HAS(text, "\"max_steps\":{\"from\":4,\"to\":5}");
    fvi_free(text);
    result_free(&r);
}

/* Stopped in the second seed: the first is not run again, the second goes on, and the end is that of a straight one. */
static void stopped_and_resumed(void)
{
    watch w = {.stop_seed = 2, .stop_at = 3};
    runs_clean("s_whole");
    runs_clean("s_cut");
    result whole = TRAIN("s_whole", FV_RUN_RESUME, &(watch){0}, "seeds=3");
    CHECK_EQ(whole.status, FV_OK);
    result r = TRAIN("s_cut", FV_RUN_RESUME, &w, "seeds=3");
    CHECK_EQ(r.status, FV_ERROR_CANCELED);
    CHECK_HAS(r.message, "interrupted at seed 1, 2 of 3; saved at step 3 of 4. Go on with: fovea train ");
    CHECK_HAS(r.message, "s_cut");
    char *text = runs_read("s_cut", "seeds.json");
    CHECK_HAS(text, "\"finished\": 1,");                 /* what is known so far */
    fvi_free(text);
    w.stop_seed = 0;
    r = TRAIN("s_cut", FV_RUN_RESUME, &w, "seeds=3");
    CHECK_MSG(r.status == FV_OK, "%s", r.message);
    CHECK_EQ(w.steps, 1 + 4);
    CHECK(runs_all_same("s_whole/seed-0", "s_cut/seed-0"));
    CHECK(runs_all_same("s_whole/seed-1", "s_cut/seed-1"));
    CHECK(runs_all_same("s_whole/seed-2", "s_cut/seed-2"));
    CHECK_CLOSE(r.mean, whole.mean, 0);
    result_free(&r);
    result_free(&whole);
}

static void single_and_several(void)
{
    watch w = {0};
    runs_clean("s_mixed");
    CHECK_EQ(TRAIN("s_mixed", FV_RUN_RESUME, &w, "seed=1").status, FV_OK);
    result r = TRAIN("s_mixed", FV_RUN_CONTINUE, &w, "seed=1", "seeds=2");
    CHECK_EQ(r.status, FV_ERROR_CONFIG);
    CHECK_HAS(r.message, "is a single run");
    r = TRAIN("s_mixed", FV_RUN_NEW, &w, "seeds=1");
    CHECK_MSG(r.status == FV_OK, "%s", r.message);
    CHECK(isnan(r.low) && isnan(r.high));                /* one value has no interval */
    CHECK_HAS(r.table, "of 1 seed, 0 to 0");
    CHECK_HAS(r.json, "\"low\": null");
    result_free(&r);
    r = TRAIN("s_mixed-2", FV_RUN_CONTINUE, &w, "max_steps=9");
    CHECK_EQ(r.status, FV_ERROR_CONFIG);
    CHECK_HAS(r.message, "repeats a run with several seeds");
    r = TRAIN("s_wrong", FV_RUN_RESUME, &w, "seeds=2", "image_size=7");
    CHECK(r.status != FV_OK);
    CHECK_HAS(r.message, "seed 0: ");
    runs_clean("s_wrong");
    fv_context *ctx = fv_context_create();
    fv_trainer *t = NULL;
    const char *const settings[] = {"seeds=2", "image_size=6"};
    fv_source source = runs_source(&train_reads, 43);
    fv_model *m = fv_model_define(ctx, "tiny", runs_tiny, NULL);
    CHECK_EQ(fv_trainer_create(ctx, m, &(fv_train_options){.settings = settings, .n_settings = 2, .train_data = &source, .run = "s_wrong"}, &t), FV_ERROR_CONFIG);
    CHECK_HAS(fv_error_message(ctx), "fv_train repeats a run");
    fv_model_destroy(m);
    fv_context_destroy(ctx);
}

/* The n-th allocation fails: a clean error, nothing is left behind, and the run goes on afterwards. */
static void memory_runs_out(void)
{
    watch w = {0};
    runs_clean("s_memory");
    int64_t before = fvi_memory_count(), failed = 0;
    result r = TRAIN("s_memory", FV_RUN_RESUME, &w, "seeds=2", "data.workers=0");
    CHECK_EQ(r.status, FV_OK);
    result_free(&r);
    const int64_t all = fvi_memory_count() - before;
    for (int64_t n = all / 2; n <= all; n += FVI_MAX(1, all / 60)) {       /* in the second seed and the summary */
        runs_clean("s_memory");
        fvi_memory_set_fault(n);
        r = TRAIN("s_memory", FV_RUN_RESUME, &w, "seeds=2", "data.workers=0");
        fvi_memory_set_fault(0);
        CHECK_MSG(r.status == FV_OK || r.status == FV_ERROR_NOMEM, "allocation %lld of %lld: %s", (long long)n, (long long)all, r.message);
        failed += r.status != FV_OK;
        result_free(&r);
    }
    CHECK(failed > 0);
    r = TRAIN("s_memory", FV_RUN_RESUME, &w, "seeds=2", "data.workers=0");
    CHECK_MSG(r.status == FV_OK, "%s", r.message);
    CHECK_EQ(r.finished, 2);
    result_free(&r);
}

TEST_MAIN(CASE(three_seeds), CASE(stopped_and_resumed), CASE(single_and_several), CASE(memory_runs_out))
