/* SPDX-License-Identifier: Apache-2.0 */
/* fovea data bench: how fast training data are loaded, alone, or beside the training of a model. */
#include "data_bench.h"

#include <ftw.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

typedef struct data_bench {
    cli *c;
    const char **settings;
    char *own[8];                /* settings of ours; freed */
    int n, n_own;
    bool train;
    long long batches, warmup, window;
    long long seen;              /* batches so far */
    double begin;                /* of the window */
    long switches;
    double *times;               /* ms a batch, by window */
    long *preempted;
    long long pictures, n_times;
    double data_wait;
} data_bench;

static long preemptions(void)
{
    struct rusage usage;
    return getrusage(RUSAGE_SELF, &usage) == 0 ? usage.ru_nivcsw : 0;
}

/* A batch is there, or trained on. False: enough. */
static bool count(data_bench *b, int64_t pictures)
{
    const long long in = ++b->seen - b->warmup;
    const double now = fv_seconds();
    if (in > 0) b->pictures += pictures;
    if (in > 0 && in % b->window == 0) {
        b->times[b->n_times] = (now - b->begin) * 1e3 / (double)b->window;
        b->preempted[b->n_times++] = preemptions() - b->switches;
    }
    if (in >= 0 && in % b->window == 0) {
        b->begin = now;
        b->switches = preemptions();
    }
    return in < b->batches;
}

/* What is left in /tmp otherwise is as large as a run. */
static volatile sig_atomic_t stop;

static bool ask_to_stop(void)
{
    stop = 1;
    return true;
}

static bool on_batch(void *user, const fv_loaded *l)
{
    return count(user, l->pictures);
}

static bool on_step(void *user, fv_train_event event, const fv_train_progress *p)
{
    data_bench *b = user;
    if (event != FV_TRAIN_STEP) return !stop;
    b->data_wait = p->data_wait;
    return !stop && b->n_times * b->window < b->batches && count(b, 1);
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st;
    (void)kind;
    (void)ftw;
    return remove(path);
}

static bool add(data_bench *b, const char *key, const char *value)
{
    const size_t bytes = strlen(key) + strlen(value) + 2;
    char *text = malloc(bytes);
    if (!text) return false;
    snprintf(text, bytes, "%s=%s", key, value);
    b->settings[b->n++] = b->own[b->n_own++] = text;
    return true;
}

/* A whole training, stopped after enough steps, in a folder that is thrown away: nothing is validated before. */
static fv_status bench_training(data_bench *b)
{
    char folder[] = "/tmp/fovea_bench_XXXXXX", run[64];
    fv_trainer *t = NULL;
    if (!mkdtemp(folder)) return FV_ERROR_IO;
    cli_on_stop(ask_to_stop);
    snprintf(run, sizeof run, "%s/run", folder);
    bool ok = add(b, "run", run) && add(b, "validate_every", "1000000000") && add(b, "save_every", "1000000000") && add(b, "max_steps", "1000000000") &&
              add(b, "data.split.val", "0") && add(b, "scheduler", "constant");
    const fv_train_options o = {.settings = b->settings, .n_settings = b->n, .callback = on_step, .callback_user = b};
    fv_status status = ok ? fv_trainer_create(b->c->ctx, NULL, &o, &t) : FV_ERROR_NOMEM;
    if (status == FV_OK) status = fv_trainer_run(t);
    fv_trainer_destroy(t);
    if (status == FV_ERROR_CANCELED && b->n_times * b->window >= b->batches) status = FV_OK;
    nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    return status;
}

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static void print(data_bench *b, long long batch)
{
    double *sorted = malloc((size_t)b->n_times * sizeof *sorted), median = 0;
    if (sorted) {
        memcpy(sorted, b->times, (size_t)b->n_times * sizeof *sorted);
        qsort(sorted, (size_t)b->n_times, sizeof *sorted, by_value);
        median = sorted[b->n_times / 2];
    }
    free(sorted);
    if (!b->c->json) {
        printf("%s: %.2f ms a batch of %lld, %.1f pictures/s (median of %lld windows of %lld batches)", b->train ? "training" : "loading", median, batch,
               (double)batch / median * 1e3, b->n_times, b->window);
        if (b->train) printf(", data-wait %.1f %%", 100 * b->data_wait);
        printf("\n");
        return;
    }
    printf("{\"mode\": \"%s\", \"batch_size\": %lld, \"median_ms\": %.4f, \"images_per_second\": %.2f, \"window_batches\": %lld, \"data_wait\": %.4f, \"samples_ms\": [",
           b->train ? "train" : "load", batch, median, (double)batch / median * 1e3, b->window, b->data_wait);
    for (long long i = 0; i < b->n_times; i++) printf("%s%.4f", i ? ", " : "", b->times[i]);
    printf("], \"nivcsw\": [");
    for (long long i = 0; i < b->n_times; i++) printf("%s%ld", i ? ", " : "", b->preempted[i]);
    printf("], \"peak_bytes\": %lld}\n", (long long)fv_machine_memory_peak());
}

/* Settings of ours are no keys of the configuration. */
static bool take_settings(data_bench *b, long long *batch)
{
    cli *c = b->c;
    if (!cli_number(c, "batches", 1, 1000000, &b->batches) || !cli_number(c, "warmup", 1, 1000000, &b->warmup) ||
        !cli_number(c, "window", 1, 1000000, &b->window) || !cli_number(c, "batch_size", 1, 1 << 20, batch))
        return false;
    if (b->window > b->batches) b->window = b->batches;
    b->batches -= b->batches % b->window;
    b->train = cli_setting(c, "model");
    b->n += cli_config_settings(c, b->settings + b->n);
    return true;
}

int cli_data_bench(cli *c)
{
    data_bench b = {.c = c, .batches = 64, .warmup = 8, .window = 8};
    long long batch = 32;
    int code = EXIT_USAGE;
    if (c->n_words > 2) return cli_usage(c, "one folder or list, as in: fovea data bench pictures/ data.workers=2");
    b.settings = calloc((size_t)c->n_settings + 16, sizeof *b.settings);
    if (!b.settings || (c->n_words == 2 && !add(&b, "data.root", c->words[1]))) {
        code = cli_report(c, FV_ERROR_NOMEM);
    } else if (take_settings(&b, &batch)) {
        b.times = calloc((size_t)(b.batches / b.window), sizeof *b.times);
        b.preempted = calloc((size_t)(b.batches / b.window), sizeof *b.preempted);
        fv_status status = b.times && b.preempted ? FV_OK : FV_ERROR_NOMEM;
        if (status == FV_OK) status = b.train ? bench_training(&b) : fv_data_load_settings(c->ctx, b.n, b.settings, on_batch, &b);
        if (status == FV_OK) print(&b, batch);
        code = cli_report(c, status);
    }
    for (int i = 0; i < b.n_own; i++) free(b.own[i]);
    free(b.settings);
    free(b.times);
    free(b.preempted);
    return code;
}
