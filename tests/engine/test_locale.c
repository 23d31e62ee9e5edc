/* SPDX-License-Identifier: Apache-2.0 */
/* The library in a program of another locale: a decimal comma, or letters of their own, change no byte of what is
 * written and nothing of what is read. The locales are made here (localedef, and what Debian's package locales has). */
#include "test.h"

#include "base/base.h"
#include "base/file.h"
#include "base/json.h"
#include "fovea/onnx.h"
#include "fovea/predict.h"
#include "fovea/report.h"
#include "fovea/synth.h"
#include "runs.h"

#include <locale.h>
#include <stdlib.h>

/* Makes the locale, once, and takes it for the whole program. */
static bool enter(const char *language)
{
    char command[512], name[32];
    char *folder = fvi_path_absolute("locales");
    snprintf(name, sizeof name, "%s.UTF-8", language);
    snprintf(command, sizeof command,
             "mkdir -p locales; { [ -d locales/%s ] || localedef -i %s -f UTF-8 locales/%s; } > locales.log 2>&1", name,
             language, name);
    const bool made = folder && system(command) == 0 && setenv("LOCPATH", folder, 1) == 0;
    fvi_free(folder);
    return made && setlocale(LC_ALL, name);
}

static fv_status train(fv_context *ctx)
{
    static const char config[] =
        "{\"model\": \"resnet20\", \"model_args\": {\"width\": 8}, \"image_size\": 32, \"learning_rate\": 1.25e-3,\n"
        " \"eps\": 1e-7, \"data\": {\"root\": \"locale_planes\", \"split\": {\"val\": 0.25}},\n"
        " \"augment\": {\"random_resized_crop\": {\"p\": 0.5, \"scale\": [0.3, 1]}}}";
    static const char *const settings[] = {
        "batch_size=8", "epochs=2", "validate_every=0.5 epoch", "threads=1", "ema_decay=0.75", "seeds=2",
        "weight_decay=0.05",
        "loss.class_weights=1.5,0.5,1", "loss.label_smoothing=0.1", "max_grad_norm=2.5", "run=locale_now/run"};
    fv_seeds *s = NULL;
    FVI_TRY(ctx, fvi_file_write(ctx, "locale_config.json", config, strlen(config)));
    const fv_train_options o = {.config = "locale_config.json", .settings = settings, .n_settings = FVI_COUNT(settings),
                                .mode = FV_RUN_NEW};
    const fv_status status = fv_train(ctx, NULL, &o, NULL, &s);
    fv_seeds_destroy(s);
    return status;
}

static fv_status evaluate(fv_context *ctx)
{
    fv_evaluation *e = NULL;
    fvi_text t = {0};
    FVI_TRY(ctx, fv_evaluate(ctx, &(fv_evaluate_options){.model = "locale_now/run/seed-0"}, &e));
    for (int i = 0; i < e->n_metrics; i++) fvi_text_add(&t, "%s %.17g\n", e->metrics[i].name, e->metrics[i].value);
    fv_evaluation_destroy(e);
    const fv_status status = fvi_file_write(ctx, "locale_now/metrics.txt", t.data, t.length);
    fvi_text_free(&t);
    return status;
}

static fv_status predict(fv_context *ctx)
{
    fv_predictor *p = NULL;
    FVI_TRY(ctx, fv_predictor_create(ctx, &(fv_predictor_options){.model = "locale_now/run/seed-0"}, &p));
    const fv_predict_options o = {.table = "locale_now/table.csv"};
    const fv_status status = fv_predict_files(p, &(fv_picture){.path = "locale_planes/val"}, 1, &o, NULL, NULL, NULL);
    fv_predictor_destroy(p);
    return status;
}

/* All that is written into locale_now, which then becomes `folder`. `runs`: whose report is made, always the same. */
static fv_status work(fv_context *ctx, const char *folder, const char *runs)
{
    fv_exported *x = NULL;
    fv_config *c = NULL;
    FVI_TRY(ctx, train(ctx));
    FVI_TRY(ctx, evaluate(ctx));
    FVI_TRY(ctx, predict(ctx));
    const fv_export_options export = {.model = "locale_now/run/seed-1", .path = "locale_now/model.onnx"};
    FVI_TRY(ctx, fv_export(ctx, &export, &x));
    fv_exported_destroy(x);
    FVI_TRY(ctx, fv_config_create(ctx, "locale_now/run", 0, NULL, &c));
    char *text = fv_config_text(c, false);
    fv_config_destroy(c);
    FVI_TRY(ctx, fvi_file_write(ctx, "locale_now/config.txt", text, strlen(text)));
    fv_text_free(text);
    runs_clean(folder);
    FVI_TRY(ctx, fvi_file_rename(ctx, "locale_now", folder));
    char page[64];
    snprintf(page, sizeof page, "%s/page.html", folder);
    return fv_report_write(ctx, NULL, &runs, 1, page);
}

static void all_of_it(const char *language, const char *folder)
{
    fv_context *ctx = fv_context_create();
    fv_synth_options planes;
    static const char *const files[] = {
        "run/config.json", "run/origins.json", "run/seeds.json", "run/seeds.txt", "run/seed-0/metrics.csv",
        "run/seed-1/metrics.csv", "run/seed-0/split.csv", "run/seed-0/evaluation.json", "run/seed-0/segments.json",
        "run/seed-0/checkpoints/best.safetensors", "run/seed-0/checkpoints/latest.state.safetensors", "metrics.txt",
        "table.csv", "model.onnx", "config.txt", "page.html"};
    runs_clean("locale_now");
    fv_synth_defaults(&planes);
    CHECK(fv_synth_set(ctx, &planes, "noise", "0.5") == FV_OK && planes.noise == 0.5);
    planes.classes = 3;
    planes.per_class = 12;
    planes.size = 32;
    fv_status status = fv_synth_planes(ctx, "locale_planes", &planes, true, NULL, NULL, NULL);
    CHECK_MSG(status == FV_OK, "%s", fv_error_message(ctx));
    if (!fvi_is_dir("locale_plain")) status = work(ctx, "locale_plain", "locale_plain/run");
    CHECK_MSG(status == FV_OK, "%s", fv_error_message(ctx));
    if (!enter(language)) SKIP("no locale %s can be made here: localedef and package locales are wanted", language);
    status = work(ctx, folder, "locale_plain/run");
    char message[512];
    snprintf(message, sizeof message, "%s", fv_error_message(ctx));
    setlocale(LC_ALL, "C");
    fv_context_destroy(ctx);
    CHECK_MSG(status == FV_OK, "%s", message);
    for (int i = 0; i < FVI_COUNT(files); i++)
        CHECK_MSG(runs_same("locale_plain", folder, files[i]), "%s differs", files[i]);
    static const char *const summaries[] = {"run/seed-0/summary.json", "run/seed-1/environment.json"};
    for (int i = 0; i < FVI_COUNT(summaries); i++) {
        fvi_arena arena = {0};
        fvi_json *root;
        char *text = runs_read(folder, summaries[i]);
        status = fvi_json_parse(NULL, &arena, summaries[i], text, strlen(text), false, &root);
        CHECK_MSG(status == FV_OK, "%s is no JSON: %s", summaries[i], text);
        fvi_arena_free(&arena);
        fvi_free(text);
    }
}

static void decimal_comma(void)
{
    runs_clean("locale_plain");
    all_of_it("de_DE", "locale_comma");
}

/* i and I are no pair there. */
static void other_letters(void) { all_of_it("tr_TR", "locale_letters"); }

static void words_and_numbers(void)
{
    fv_context *ctx = fv_context_create();
    fv_config *c = NULL;
    fv_data_report *r = NULL;
    char text[32];
    if (!enter("de_DE")) SKIP("no locale de_DE");
    snprintf(text, sizeof text, "%.1f", 0.5);
    CHECK_STR(text, "0,5");                              /* it is the program's */
    CHECK_EQ(fv_config_create(ctx, NULL, 1, (const char *const[]){"learning_rate=-1.5"}, &c), FV_ERROR_CONFIG);
    CHECK_HAS(fv_error_message(ctx), "-1.5 is out of range");
    CHECK_EQ(fv_config_create(ctx, NULL, 1, (const char *const[]){"learning_rate=0,5"}, &c), FV_ERROR_CONFIG);
    CHECK_EQ(fv_config_create(ctx, NULL, 1, (const char *const[]){"validate_every=0,5 epoch"}, &c), FV_ERROR_CONFIG);
    CHECK(fvi_parse_double("2.5,3", NULL) == 2.5);
    snprintf(text, sizeof text, "%.1f", 0.5);
    CHECK_STR(text, "0,5");                              /* and is left alone */
    if (!enter("tr_TR")) SKIP("no locale tr_TR");
    CHECK(fvi_same_word("GIF", "gif") && !fvi_same_word("gif", "gi") && !fvi_same_word("gi", "gif") && fvi_same_word("", ""));
    runs_clean("locale_gifs");
    CHECK_EQ(system("mkdir -p locale_gifs/a locale_gifs/b && cd " FOVEA_TESTS_DIR "/fuzz/corpus/gif && "
                    "cp plain.gif \"$OLDPWD\"/locale_gifs/a/1.GIF && cp clear.gif \"$OLDPWD\"/locale_gifs/b/2.GIF"), 0);
    CHECK_EQ(fv_data_check_settings(ctx, 1, (const char *const[]){"data=locale_gifs"}, &r), FV_OK);
    CHECK_EQ(r->samples, 2);
    CHECK_EQ(r->misnamed, 0);
    fv_data_report_destroy(r);
    CHECK_EQ(fv_config_create(ctx, NULL, 1, (const char *const[]){"enable_amp=FALSE"}, &c), FV_OK);
    fv_config_destroy(c);
    fv_context_destroy(ctx);
    setlocale(LC_ALL, "C");
}

TEST_MAIN(CASE(decimal_comma), CASE(other_letters), CASE(words_and_numbers))
