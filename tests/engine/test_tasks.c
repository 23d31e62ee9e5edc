/* SPDX-License-Identifier: Apache-2.0 */
/* Tasks that the library does not know: each trains, validates, saves, goes on to the same bits, is evaluated, predicted, exported and reported by
 * the parts of the library that know the interface only. */
#include "test.h"

#include "base/base.h"
#include "fovea/onnx.h"
#include "fovea/predict.h"
#include "fovea/report.h"
#include "runs.h"
#include "tasks.h"

#include <stdlib.h>

enum { STEPS = 10 };

static fv_train_options options_of(tasks_case *c, const char *run, const char *const *settings, int n)
{
    return (fv_train_options){.task = c->def, .train_data = &c->train, .val_data = &c->val, .settings = settings, .n_settings = n, .run = run,
                              .learning_rate = 0.01, .max_steps = STEPS, .batch_size = 6};
}

static runs_outcome train(tasks_case *c, const char *run, bool average, int64_t stop_at, runs_trace *t)
{
    const char *settings[8] = {c->image_size, "threads=1", "validate_every=3", "save_every=4", "gradient_accumulation_steps=2", "paint_images=4"};
    int n = 6;
    if (average) settings[n++] = "ema_decay=0.9";
    if (c->setting) settings[n++] = c->setting;
    const fv_train_options o = options_of(c, run, settings, n);
    t->stop_at = stop_at;
    return runs_train(&o, c->model, t);
}

static void check_texts(const char *run, const char *file, const char *const *texts)
{
    char *text = runs_read(run, file);
    for (int i = 0; texts[i]; i++) CHECK_MSG(strstr(text, texts[i]), "%s/%s lacks \"%s\"", run, file, texts[i]);
    free(text);
}

/* Evaluation of the stored weights is what the last best validation was. */
static void check_evaluation(tasks_case *c, const fv_model *m, const char *run, double best)
{
    fv_context *ctx = fv_context_create();
    fv_evaluation *e = NULL;
    const fv_evaluate_options o = {.model = run, .task = c->def, .own_model = m, .own_data = &c->val};
    CHECK_MSG(fv_evaluate(ctx, &o, &e) == FV_OK, "%s", fv_error_text(ctx));
    CHECK_EQ(e->samples, c->val.count);
    CHECK(e->task == c->def);
    CHECK_CLOSE(fv_evaluation_metric(e, c->monitor), best, 1e-5);
    fv_evaluation_destroy(e);
    fv_context_destroy(ctx);
}

typedef struct seen { int pictures, rows, columns; } seen;

static bool look(void *user, const fv_prediction *p)
{
    seen *s = user;
    s->pictures++;
    s->rows += p->n_rows;
    s->columns = p->n_columns;
    return p->error == NULL;
}

static void check_export(tasks_case *c, const fv_model *m, const char *run)
{
    fv_context *ctx = fv_context_create();
    fv_exported *e = NULL;
    const fv_export_options o = {.model = run, .task = c->def, .own_model = m};
    const fv_status status = fv_export(ctx, &o, &e);
    if (!c->def->predict) CHECK_EQ(status, FV_ERROR_UNSUPPORTED);
    else CHECK_MSG(status == FV_OK && e->onnx.nodes > 0, "%s", fv_error_text(ctx));
    fv_exported_destroy(e);
    fv_context_destroy(ctx);
}

static void check_task(void (*make)(tasks_case *out), const char *name)
{
    tasks_case c;
    runs_trace t = {0}, parts = {0};
    char whole[64], again[64];
    make(&c);
    snprintf(whole, sizeof whole, "t_%s", name);
    snprintf(again, sizeof again, "t_%s_again", name);
    const bool average = !strcmp(name, "mean_teacher");
    fv_context *ctx = fv_context_create();
    fv_model *m = fv_model_define(ctx, "tiny", c.model, NULL);
    runs_clean(whole);
    runs_clean(again);
    runs_outcome r = train(&c, whole, average, 0, &t);
    CHECK_MSG(r.status == FV_OK, "%s", r.message);
    CHECK_EQ(t.steps, STEPS);
    CHECK_EQ(t.validations, 4);
    CHECK_STR(r.p.monitor, c.monitor);
    char *csv = runs_read(whole, "metrics.csv");
    csv[strcspn(csv, "\n")] = 0;
    for (int i = 0; c.columns[i]; i++) CHECK_MSG(strstr(csv, c.columns[i]), "no column %s in %s", c.columns[i], csv);
    free(csv);
    check_texts(whole, "evaluation.json", c.in_record);
    check_texts(whole, "report.html", c.in_report);
    /* Stopped three times, once with a validation due: the same files. */
    for (int64_t stop = 2; stop < STEPS; stop += 4) CHECK_EQ(train(&c, again, average, stop, &parts).status, FV_ERROR_CANCELED);
    r = train(&c, again, average, 0, &parts);
    CHECK_MSG(r.status == FV_OK, "%s", r.message);
    CHECK(runs_all_same(whole, again));
    check_evaluation(&c, m, whole, r.p.best);
    check_export(&c, m, whole);
    fv_model_destroy(m);
    fv_context_destroy(ctx);
}

static void regression(void) { check_task(tasks_regression, "quarters"); }
static void boxes(void) { check_task(tasks_boxes, "boxes"); }
static void gan(void) { check_task(tasks_gan, "gan"); }
static void mean_teacher(void) { check_task(tasks_mean_teacher, "mean_teacher"); }

/* Something is learned, and both programs of a GAN have a rate of their own. */
static void rates_of_programs(void)
{
    tasks_case c;
    runs_trace t = {0};
    const char *settings[] = {"image_size=8", "threads=1", "validate_every=100", "scheduler=cosine", "gan.discriminator_rate=0.003"};
    tasks_gan(&c);
    runs_clean("t_rates");
    fv_train_options o = options_of(&c, "t_rates", settings, 5);
    o.optimizer = "sgd";
    runs_outcome r = runs_train(&o, c.model, &t);
    CHECK_MSG(r.status == FV_OK, "%s", r.message);
    CHECK_CLOSE(t.rate[0], 0.01, 1e-12);
    CHECK(t.rate[STEPS - 1] < 0.001);
    char *state = runs_read("t_rates", "checkpoints/latest.state.safetensors");
    free(state);
}

static void rows_of_predictions(void)
{
    tasks_case c;
    runs_trace t = {0};
    tasks_boxes(&c);
    runs_clean("t_rows");
    runs_outcome r = train(&c, "t_rows", false, 0, &t);
    CHECK_MSG(r.status == FV_OK, "%s", r.message);
    fv_context *ctx = fv_context_create();
    fv_model *m = fv_model_define(ctx, "tiny", c.model, NULL);
    fv_predictor *p = NULL;
    uint8_t ppm[32 + 3 * 16 * 16];
    const int head = snprintf((char *)ppm, sizeof ppm, "P6 16 16 255\n");
    for (int i = 0; i < 3 * 16 * 16; i++) ppm[head + i] = (uint8_t)(i % 7 * 30);
    const fv_picture pictures[2] = {{.path = "a", .bytes = ppm, .n_bytes = (size_t)head + 768}, {.path = "b", .bytes = ppm, .n_bytes = (size_t)head + 768}};
    seen s = {0};
    fv_predict_totals totals;
    CHECK_MSG(fv_predictor_create(ctx, &(fv_predictor_options){.model = "t_rows", .task = c.def, .own_model = m}, &p) == FV_OK, "%s", fv_error_text(ctx));
    CHECK_MSG(fv_predict_files(p, pictures, 2, &(fv_predict_options){.table = "t_rows.csv"}, look, &s, &totals) == FV_OK, "%s", fv_error_text(ctx));
    CHECK_EQ(s.pictures, 2);
    CHECK_EQ(s.columns, 2);
    char *table = runs_read(".", "t_rows.csv");
    CHECK(!strncmp(table, "path,class,widths,error\n", 24));
    free(table);
    float logits[4];
    CHECK_EQ(fv_predict(p, pictures, 2, NULL, logits), FV_ERROR_UNSUPPORTED);
    fv_predictor_destroy(p);
    fv_model_destroy(m);
    fv_context_destroy(ctx);
}

/* Without the record a run's page says what it lacks; a monitor that the task does not have is named, with those that it has. */
static void unknown_here(void)
{
    tasks_case c;
    runs_trace t = {0};
    const char *settings[] = {"image_size=24,40", "threads=1", "monitor=acc"};
    tasks_regression(&c);
    runs_clean("t_unknown");
    fv_train_options o = options_of(&c, "t_unknown", settings, 3);
    runs_outcome r = runs_train(&o, c.model, &t);
    CHECK_EQ(r.status, FV_ERROR_CONFIG);
    CHECK_HAS(r.message, "is no metric of task quarters");
    CHECK_HAS(r.message, "mse, mae");
    o.n_settings = 2;
    r = runs_train(&o, c.model, &t);
    CHECK_MSG(r.status == FV_OK, "%s", r.message);
    fv_context *ctx = fv_context_create();
    const char *run = "t_unknown";
    CHECK_EQ(fv_report_write(ctx, NULL, &run, 1, "t_unknown.html"), FV_OK);
    char *page = runs_read(".", "t_unknown.html");
    CHECK_HAS(page, "is not one of this program");
    free(page);
    fv_evaluation *e = NULL;
    CHECK_EQ(fv_evaluate(ctx, &(fv_evaluate_options){.model = run, .own_data = &c.val}, &e), FV_ERROR_CONFIG);
    CHECK_HAS(fv_error_message(ctx), "there is no task \"quarters\"");
    fv_context_destroy(ctx);
}

TEST_MAIN(CASE(regression), CASE(boxes), CASE(gan), CASE(mean_teacher), CASE(rates_of_programs), CASE(rows_of_predictions), CASE(unknown_here))
