/* SPDX-License-Identifier: Apache-2.0 */
/* One configuration, several seeds: a folder with a run for each seed and a summary of all. */
#include "base/file.h"
#include "fovea/report.h"
#include "metrics/statistics.h"
#include "train/trainer.h"

#include <math.h>

enum { REPORT_LIMIT = 64, ROWS = 2 + FVI_METRICS_MAX };

typedef struct outcome {                 /* of one seed */
    int64_t step, best_step;
    bool known, finished;
    int n;
    const char *names[ROWS];
    double values[ROWS];
} outcome;

typedef struct own_seeds {
    fv_seeds s;                          /* first: freed through it */
    fv_context *ctx;
    fv_config *config;
    const fv_task_def *task;             /* the caller's own, or NULL */
    fvi_run_folder run;
    outcome *outcomes;
    int64_t *seeds;
    fvi_arena arena;                     /* names; figures of the last summary */
    char *table, *json, *monitor;
} own_seeds;

/* ---- summary -------------------------------------------------------------------------------------------------------------- */

/* A row for each figure that a seed has shown, in the order of the first seed that has it. */
static fv_status summarise(own_seeds *o)
{
    fv_seeds_metric *rows = fvi_arena_alloc(&o->arena, ROWS * sizeof *rows);
    if (!rows) return fvi_nomem(o->ctx);
    o->s.n_metrics = o->s.finished = 0;
    for (int i = 0; i < o->s.count; i++) {
        o->s.finished += o->outcomes[i].finished;
        for (int k = 0; k < o->outcomes[i].n; k++) {
            int at = 0;
            while (at < o->s.n_metrics && strcmp(rows[at].name, o->outcomes[i].names[k])) at++;
            if (at == ROWS) continue;
            if (at == o->s.n_metrics) {
                double *values = fvi_arena_alloc(&o->arena, (size_t)o->s.count * sizeof *values);
                if (!values) return fvi_nomem(o->ctx);
                for (int j = 0; j < o->s.count; j++) values[j] = NAN;
                rows[o->s.n_metrics++] = (fv_seeds_metric){.name = o->outcomes[i].names[k], .values = values};
            }
            ((double *)(uintptr_t)rows[at].values)[i] = o->outcomes[i].values[k];
        }
    }
    for (int i = 0; i < o->s.n_metrics; i++) {
        const fvi_statistics s = fvi_statistics_of(rows[i].values, o->s.count);
        rows[i].n = s.n;
        rows[i].mean = s.mean;
        rows[i].deviation = s.deviation;
        rows[i].low = s.mean - s.half_width;
        rows[i].high = s.mean + s.half_width;
    }
    o->s.metrics = rows;
    return FV_OK;
}

static void add_cell(fvi_text *t, double v, int width)
{
    if (isnan(v)) fvi_text_add(t, "%*s", width, "-");
    else fvi_text_add(t, "%*.5f", width, v);
}

static char *table_of(const own_seeds *o)
{
    fvi_text t = {0};
    fvi_text_add(&t, "%-22s %11s %11s %25s   of %d seed%s, %lld to %lld\n", "figure", "mean", "deviation", "95 % interval", o->s.finished,
                 o->s.finished == 1 ? "" : "s", (long long)o->seeds[0], (long long)o->seeds[o->s.count - 1]);
    for (int i = 0; i < o->s.n_metrics; i++) {
        const fv_seeds_metric *m = &o->s.metrics[i];
        fvi_text_add(&t, "%-22s", m->name);
        add_cell(&t, m->mean, 12);
        add_cell(&t, m->deviation, 12);
        add_cell(&t, m->low, 12);
        fvi_text_add(&t, " ..");
        add_cell(&t, m->high, 11);
        if (m->n != o->s.finished) fvi_text_add(&t, "   (%d values)", m->n);
        fvi_text_add(&t, "\n");
    }
    return fvi_text_take(&t);
}

static void add_number(fvi_text *t, const char *key, double v)
{
    fvi_text_add(t, ", \"%s\": ", key);
    fvi_text_json_number(t, v);
}

static void add_outcome(fvi_text *t, const outcome *r, int64_t seed)
{
    fvi_text_add(t, "{\"seed\": %lld, \"run\": \"seed-%lld\", \"finished\": %s, \"step\": %lld, \"best_step\": %lld, \"metrics\": {", (long long)seed,
                 (long long)seed, r->finished ? "true" : "false", (long long)r->step, (long long)r->best_step);
    for (int k = 0; k < r->n; k++) {
        fvi_text_add(t, "%s\"%s\": ", k ? ", " : "", r->names[k]);
        fvi_text_json_number(t, r->values[k]);
    }
    fvi_text_add(t, "}}");
}

static char *json_of(const own_seeds *o)
{
    fvi_text t = {0};
    fvi_text_add(&t, "{\"run\": ");
    fvi_text_json_string(&t, o->run.path);
    fvi_text_add(&t, ", \"monitor\": \"%s\", \"best\": ", o->monitor ? o->monitor : "");
    fvi_text_json_number(&t, o->s.n_metrics ? o->s.metrics[0].mean : (double)NAN);
    fvi_text_add(&t, ", \"seeds\": [");
    for (int i = 0; i < o->s.count; i++) fvi_text_add(&t, "%s%lld", i ? ", " : "", (long long)o->seeds[i]);
    fvi_text_add(&t, "], \"finished\": %d, \"runs\": [", o->s.finished);
    for (int i = 0, shown = 0; i < o->s.count; i++) {
        if (!o->outcomes[i].known) continue;
        if (shown++) fvi_text_add(&t, ", ");
        add_outcome(&t, &o->outcomes[i], o->seeds[i]);
    }
    fvi_text_add(&t, "], \"metrics\": {");
    for (int i = 0; i < o->s.n_metrics; i++) {
        const fv_seeds_metric *m = &o->s.metrics[i];
        fvi_text_add(&t, "%s\"%s\": {\"n\": %d", i ? ", " : "", m->name, m->n);
        add_number(&t, "mean", m->mean);
        add_number(&t, "deviation", m->deviation);
        add_number(&t, "low", m->low);
        add_number(&t, "high", m->high);
        fvi_text_add(&t, "}");
    }
    fvi_text_add(&t, "}}");
    return fvi_text_take(&t);
}

/* After each seed: what is known so far, as a struct, seeds.json and seeds.txt. */
static fv_status write_summary(own_seeds *o)
{
    FVI_TRY(o->ctx, summarise(o));
    fvi_free(o->table);
    fvi_free(o->json);
    o->s.table = o->table = table_of(o);
    o->s.json = o->json = json_of(o);
    if (!o->table || !o->json) return fvi_nomem(o->ctx);
    FVI_TRY(o->ctx, fvi_run_write(&o->run, "seeds.json", fvi_format("%s\n", o->json)));
    FVI_TRY(o->ctx, fvi_run_write(&o->run, "seeds.txt", fvi_strdup(o->table)));
    return FV_OK;
}

/* All seeds overlaid. */
static fv_status write_report(own_seeds *o)
{
    const char *runs[REPORT_LIMIT];
    int n = FVI_MIN(o->s.count, REPORT_LIMIT);
    char *path = fvi_path_join(o->run.path, "report.html");
    if (!path) return fvi_nomem(o->ctx);
    fv_status status = FV_OK;
    for (int i = 0; i < n && status == FV_OK; i++)
        if (!(runs[i] = fvi_arena_format(&o->arena, "%s/seed-%lld", o->run.path, (long long)o->seeds[i]))) status = fvi_nomem(o->ctx);
    if (status == FV_OK) status = fv_report_write(o->ctx, o->task, runs, n, path);
    fvi_free(path);
    return status;
}

/* ---- one seed ------------------------------------------------------------------------------------------------------------- */

static bool add_value(own_seeds *o, outcome *r, const char *name, double value)
{
    if (isnan(value) || r->n == ROWS) return true;
    r->values[r->n] = value;
    return (r->names[r->n++] = fvi_arena_strdup(&o->arena, name)) != NULL;
}

static fv_status take_outcome(own_seeds *o, const fv_trainer *t, outcome *r)
{
    const fv_train_progress *p = fv_trainer_progress(t);
    *r = (outcome){.known = true, .finished = p->finished, .step = p->step, .best_step = p->best_step};
    char *best = fvi_format("best_val_%s", p->monitor);
    bool good = best && add_value(o, r, best, p->best_step >= 0 ? p->best : (double)NAN) && add_value(o, r, "loss", p->loss);
    for (int i = 0; good && i < p->n_metrics; i++) good = add_value(o, r, p->metrics[i].name, p->metrics[i].value);
    fvi_free(best);
    if (good && !o->monitor) good = (o->monitor = fvi_strdup(p->monitor)) != NULL;
    return good ? FV_OK : fvi_nomem(o->ctx);
}

/* The configuration of one seed. Folders that were set outside the run hold one for each seed as well. */
static fv_status config_of(own_seeds *o, int64_t seed, fv_config **out)
{
    const fvi_values *v = &o->config->v;
    fv_status status = FV_OK;
    char *text = fv_config_text(o->config, false), *name = fvi_path_join(o->run.path, "config.json");
    char *own[5] = {fvi_format("seed=%lld", (long long)seed), fvi_strdup("seeds=0"), fvi_format("run=%s/seed-%lld", o->run.path, (long long)seed), NULL, NULL};
    const char *settings[5];
    int n = 3;
    if (v->checkpoint_dir) own[n++] = fvi_format("checkpoint_dir=%s/seed-%lld", v->checkpoint_dir, (long long)seed);
    if (v->tensorboard_dir) own[n++] = fvi_format("tensorboard_dir=%s/seed-%lld", v->tensorboard_dir, (long long)seed);
    for (int i = 0; i < n; i++)
        if (!(settings[i] = own[i])) status = fvi_nomem(o->ctx);
    if (!text || !name) status = fvi_nomem(o->ctx);
    if (status == FV_OK) status = fvi_config_from_text(o->ctx, o->task, name, text, n, settings, out);
    for (int i = 0; i < n; i++) fvi_free(own[i]);
    fvi_free(text);
    fvi_free(name);
    return status;
}

/* Reads data, model and what there is of a seed; nothing is written. */
static fv_status create_seed(own_seeds *o, const fv_model *model, const fv_train_options *options, int i, fv_trainer **out)
{
    fv_train_options own = *options;
    fv_config *config = NULL;
    FVI_TRY(o->ctx, config_of(o, o->seeds[i], &config));
    /* What the group goes on with was decided for the group. */
    own.mode = o->run.replaces ? FV_RUN_OVERWRITE : fvi_is_run(config->v.run) ? FV_RUN_CONTINUE : FV_RUN_RESUME;
    own.config = NULL;
    fv_status status = fvi_trainer_create(o->ctx, model, &own, config, NULL, out);
    if (status != FV_OK) fvi_error_prefix(o->ctx, "seed %lld: ", (long long)o->seeds[i]);
    return status;
}

/* Takes the trainer over. */
static fv_status run_seed(own_seeds *o, int i, bool dry, fv_trainer *t, fv_trainer *volatile *current)
{
    const int64_t seed = o->seeds[i];
    char room[FV_SHELL_ROOM];
    fvi_log(o->ctx, FV_LOG_INFO, "seed %lld, %d of %d", (long long)seed, i + 1, o->s.count);
    t->progress.seed_number = i + 1;
    t->progress.seed_count = o->s.count;
    if (current) *current = t;
    fv_status status = fv_trainer_run(t);
    if (current) *current = NULL;
    if (status == FV_OK && !dry) status = take_outcome(o, t, &o->outcomes[i]);
    if (status == FV_ERROR_CANCELED)
        status = fvi_fail(o->ctx, FV_ERROR_CANCELED, "interrupted at seed %lld, %d of %d; saved at step %lld of %lld. Go on with: fovea train %s", (long long)seed,
                          i + 1, o->s.count, (long long)fv_trainer_progress(t)->step, (long long)fv_trainer_progress(t)->max_steps,
                          fv_shell_word(o->run.path, room));
    else if (status != FV_OK)
        fvi_error_prefix(o->ctx, "seed %lld: ", (long long)seed);
    fv_trainer_destroy(t);
    return status;
}

/* ---- all of them ---------------------------------------------------------------------------------------------------------- */

static fv_status run_all(own_seeds *o, const fv_model *model, const fv_train_options *options, fv_trainer *volatile *current)
{
    const fvi_values *v = &o->config->v;
    const char *folder = options->config && fvi_is_dir(options->config) ? options->config : NULL;
    fv_trainer *t = NULL;
    FVI_TRY(o->ctx, fvi_run_open(o->ctx, o->config, folder, options->mode, options->dry_run, &o->run));
    o->s.run = o->run.path;
    o->s.count = (int)v->seeds;
    o->outcomes = fvi_calloc((size_t)v->seeds, sizeof *o->outcomes);
    o->seeds = fvi_calloc((size_t)v->seeds, sizeof *o->seeds);
    if (!o->outcomes || !o->seeds) return fvi_nomem(o->ctx);
    for (int i = 0; i < o->s.count; i++) o->seeds[i] = v->seed + i;
    o->s.seeds = o->seeds;
    FVI_TRY(o->ctx, create_seed(o, model, options, 0, &t));      /* what is wrong with the data is found before anything is written */
    if (options->dry_run) return run_seed(o, 0, true, t, current);
    fv_status status = fvi_run_take(&o->run);
    if (status == FV_OK) status = fvi_run_begin_group(&o->run, o->config);
    if (status != FV_OK) {
        fv_trainer_destroy(t);
        return status;
    }
    for (int i = 0; i < o->s.count; i++) {
        if (i) FVI_TRY(o->ctx, create_seed(o, model, options, i, &t));
        FVI_TRY(o->ctx, run_seed(o, i, false, t, current));
        FVI_TRY(o->ctx, write_summary(o));
    }
    FVI_TRY(o->ctx, write_report(o));
    return FV_OK;
}

static fv_status run_once(fv_context *ctx, const fv_model *model, const fv_train_options *o, fv_config *config, fv_trainer *volatile *current)
{
    fv_trainer *t;
    FVI_TRY(ctx, fvi_trainer_create(ctx, model, o, config, NULL, &t));
    if (current) *current = t;
    fv_status status = fv_trainer_run(t);
    if (current) *current = NULL;
    fv_trainer_destroy(t);
    return status;
}

fv_status fv_train(fv_context *ctx, const fv_model *model, const fv_train_options *options, fv_trainer *volatile *current, fv_seeds **out)
{
    fv_config *config;
    if (out) *out = NULL;
    FVI_TRY(ctx, fvi_trainer_config(ctx, model, options, &config));
    if (config->v.seeds == 0) return run_once(ctx, model, options, config, current);
    own_seeds *o = fvi_calloc(1, sizeof *o);
    if (!o) {
        fv_config_destroy(config);
        return fvi_nomem(ctx);
    }
    o->ctx = ctx;
    o->config = config;
    o->task = options->task;
    fv_status status = run_all(o, model, options, current);
    if (status == FV_OK && out && !options->dry_run)
        *out = &o->s;
    else
        fv_seeds_destroy(&o->s);
    return status;
}

void fv_seeds_destroy(fv_seeds *s)
{
    if (!s) return;
    own_seeds *o = (own_seeds *)(void *)s;
    fvi_run_close(&o->run);
    fv_config_destroy(o->config);
    fvi_free(o->outcomes);
    fvi_free(o->seeds);
    fvi_free(o->table);
    fvi_free(o->json);
    fvi_free(o->monitor);
    fvi_arena_free(&o->arena);
    fvi_free(o);
}
