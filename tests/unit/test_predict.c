/* SPDX-License-Identifier: Apache-2.0 */
/* Prediction: softmax and the largest classes, the order of files, one picture as file, bytes and pixels, any batch size, bad
 * pictures by policy, the table, and every failing allocation. */
#include "test.h"

#include "base/file.h"
#include "data/list.h"
#include "fovea/nn.h"
#include "predict/predictor.h"
#include "tasks/softmax.h"

#include <stdlib.h>
#include <unistd.h>

enum { SIDE = 32, CLASSES = 5 };

static bool fresh(const char *folder)
{
    char command[256];
    snprintf(command, sizeof command, "rm -rf %s && mkdir -p %s", folder, folder);
    return system(command) == 0;
}

static void pixels_of(int number, uint8_t rgb[24 * 20 * 3])
{
    for (int i = 0; i < 24 * 20 * 3; i++) rgb[i] = (uint8_t)(i * (number + 3) * 7 + number * 40);
}

/* A PPM of 24 x 20 pixels. */
static void put(const char *path, int number)
{
    uint8_t bytes[24 * 20 * 3 + 32];
    char *folder = fvi_path_dir(path);
    const int n = snprintf((char *)bytes, 32, "P6\n24 20\n255\n");
    pixels_of(number, bytes + n);
    if (fvi_make_dirs(NULL, folder) != FV_OK || fvi_file_write(NULL, path, bytes, (size_t)n + 24 * 20 * 3) != FV_OK) printf("cannot write %s\n", path);
    fvi_free(folder);
}

static fv_predictor *create(fv_context *ctx, const char *batch, const char *policy)
{
    const char *settings[] = {"image_size=32", "threads=1", "seed=3", batch, policy};
    fv_predictor *p = NULL;
    const fv_predictor_options o = {.model = "resnet18", .settings = settings, .n_settings = 5, .classes = CLASSES};
    if (fv_predictor_create(ctx, &o, &p) != FV_OK) printf("    %s\n", fv_error_text(ctx));
    return p;
}

static void softmax_and_top(void)
{
    const float logits[6] = {1, 3, -2, 3, 0, 88};
    float p[6];
    int64_t top[6];
    CHECK(fvi_softmax(logits, 5, p));
    double sum = 0, want = exp(1) + 2 * exp(3) + exp(-2) + 1;
    for (int i = 0; i < 5; i++) {
        sum += (double)p[i];
        CHECK_CLOSE(p[i], exp((double)logits[i]) / want, 1e-7);
    }
    CHECK_CLOSE(sum, 1, 1e-6);
    CHECK(fvi_softmax((const float[3]){1000, -1000, 999}, 3, p));
    CHECK_CLOSE(p[1], 0, 1e-12);
    CHECK(!fvi_softmax((const float[2]){0, NAN}, 2, p));
    CHECK(!fvi_softmax((const float[2]){INFINITY, 0}, 2, p));
    for (int k = 1; k <= 6; k++) {
        static const int64_t order[6] = {5, 1, 3, 0, 4, 2};
        fvi_top_classes(logits, 6, k, top);
        for (int i = 0; i < k; i++) CHECK_EQ(top[i], order[i]);
    }
}

static void files_are_sorted(void)
{
    fv_context *ctx = fv_context_create();
    fvi_list l = {0};
    CHECK(fresh("predict_tree"));
    put("predict_tree/b.ppm", 1);
    put("predict_tree/a/z.ppm", 2);
    put("predict_tree/a.ppm", 3);
    put("predict_tree/a/b/c.ppm", 4);
    put("predict_tree/line\nend.ppm", 5);
    put("predict_tree/.hidden/x.ppm", 6);
    CHECK_EQ(fvi_file_write(NULL, "predict_tree/notes.txt", "text", 4), FV_OK);
    CHECK(l.root = fvi_strdup("predict_tree"));
    CHECK_EQ(fvi_list_tree(ctx, &l), FV_OK);
    static const char *const want[] = {"a.ppm", "a/b/c.ppm", "a/z.ppm", "b.ppm", "line\nend.ppm"};
    CHECK_EQ(l.count, 5);
    for (int i = 0; i < 5; i++) CHECK_STR(l.items[i].path, want[i]);
    CHECK_EQ(l.ignored, 2);
    fvi_list_free(&l);
    fv_context_destroy(ctx);
}

/* The same picture as a file, as its bytes, as pixels with and without a stride; alone and in a batch. */
static void one_picture_in_every_form(void)
{
    fv_context *ctx = fv_context_create();
    fv_predictor *p = create(ctx, "batch_size=4", "data.on_bad_file=fail");
    uint8_t rgb[24 * 20 * 3], wide[20 * 100];
    char *bytes = NULL;
    size_t n_bytes = 0;
    float probabilities[9 * CLASSES], logits[9 * CLASSES];
    CHECK(p);
    CHECK(fresh("predict_one"));
    put("predict_one/1.ppm", 1);
    pixels_of(1, rgb);
    for (int y = 0; y < 20; y++) memcpy(wide + 100 * y, rgb + 72 * y, 72);
    CHECK_EQ(fvi_file_read(ctx, "predict_one/1.ppm", 1 << 20, &bytes, &n_bytes), FV_OK);
    fv_picture in[9] = {{.path = "predict_one/1.ppm"}, {.bytes = bytes, .n_bytes = n_bytes}, {.rgb = rgb, .width = 24, .height = 20},
                        {.rgb = wide, .width = 24, .height = 20, .stride = 100}};
    for (int i = 4; i < 9; i++) in[i] = in[i % 4];
    CHECK_EQ(fv_predict(p, in, 9, probabilities, logits), FV_OK);
    for (int i = 0; i < 9; i++) {
        double sum = 0;
        for (int c = 0; c < CLASSES; c++) {
            sum += (double)probabilities[i * CLASSES + c];
            CHECK_CLOSE(logits[i * CLASSES + c], logits[c], 1e-5);
        }
        CHECK_CLOSE(sum, 1, 1e-5);
    }
    float alone[CLASSES];
    CHECK_EQ(fv_predict(p, &in[2], 1, NULL, alone), FV_OK);
    for (int c = 0; c < CLASSES; c++) CHECK_CLOSE(alone[c], logits[c], 1e-5);
    CHECK_EQ(fv_predict(p, in, 0, NULL, NULL), FV_OK);
    CHECK_EQ(fv_predict(p, in, -1, NULL, NULL), FV_ERROR_INVALID);
    CHECK_EQ(fv_predict(p, &(fv_picture){.path = "predict_one/none.ppm"}, 1, probabilities, NULL), FV_ERROR_FORMAT);
    CHECK_HAS(fv_error_message(ctx), "predict_one/none.ppm: No such file");
    CHECK_EQ(fv_predict(p, &(fv_picture){.bytes = "GIF89a", .n_bytes = 6}, 1, probabilities, NULL), FV_ERROR_FORMAT);
    CHECK_HAS(fv_error_message(ctx), "picture 0");
    CHECK_EQ(fv_predict(p, &(fv_picture){.width = 1}, 1, probabilities, NULL), FV_ERROR_INVALID);
    CHECK_EQ(fv_predict(p, &(fv_picture){.rgb = rgb, .width = 24, .height = -1}, 1, probabilities, NULL), FV_ERROR_INVALID);
    CHECK_EQ(fv_predict(p, &(fv_picture){.rgb = rgb, .width = 24, .height = 20, .stride = 71}, 1, probabilities, NULL), FV_ERROR_INVALID);
    const fv_predictor_info *info = fv_predictor_describe(p);
    CHECK_EQ(info->classes, CLASSES);
    CHECK_STR(info->class_names[4], "4");
    CHECK_EQ(info->height, SIDE);
    CHECK(!info->trained);
    fvi_free(bytes);
    fv_predictor_destroy(p);
    fv_context_destroy(ctx);
}

typedef struct seen { int n, bad; char names[32][64]; float first[32]; int64_t top[32]; bool stop; } seen;

static bool take(void *user, const fv_prediction *r)
{
    seen *s = user;
    if (r->index != s->n || s->n == 32) return false;
    snprintf(s->names[s->n], sizeof s->names[0], "%s", r->name);
    s->bad += r->error != NULL;
    s->first[s->n] = r->error ? -1 : (float)r->cells[2].number;
    s->top[s->n++] = r->error ? -1 : (int64_t)r->cells[1].number;
    return !(s->stop && s->n == 3);
}

/* Whatever the batch, the results are those of single pictures, in order. */
static void folders_in_any_batch(void)
{
    static const char *const batches[] = {"batch_size=1", "batch_size=2", "batch_size=7", "batch_size=64"};
    static seen got[4];
    char path[64];
    CHECK(fresh("predict_folder"));
    for (int i = 0; i < 11; i++) {
        snprintf(path, sizeof path, "predict_folder/%02d.ppm", i);
        put(path, i);
    }
    CHECK_EQ(fvi_file_write(NULL, "predict_folder/04a.jpg", "", 0), FV_OK);
    CHECK_EQ(fvi_file_write(NULL, "predict_folder/09a.png", "\x89PNG\r\n\x1a\nrest", 12), FV_OK);
    const fv_picture in[3] = {{.path = "predict_folder"}, {.path = "predict_folder/03.ppm"}, {.path = "bad\xff name.jpg"}};
    for (int b = 0; b < 4; b++) {
        fv_context *ctx = fv_context_create();
        fv_predictor *p = create(ctx, batches[b], "data.on_bad_file=skip");
        fv_predict_totals t;
        seen *s = &got[b];
        CHECK(p);
        CHECK_EQ(fv_predict_files(p, in, 3, &(fv_predict_options){.limit = 2, .table = "predict_folder.csv"}, take, s, &t), FV_OK);
        CHECK_EQ(s->n, 15);
        CHECK_EQ(s->bad, 3);
        CHECK_EQ(t.pictures, 15);
        CHECK_EQ(t.predicted, 12);
        CHECK_EQ(t.bad, 3);
        CHECK_STR(s->names[5], "predict_folder/04a.jpg");
        CHECK_STR(s->names[13], "predict_folder/03.ppm");
        CHECK_STR(s->names[14], "bad\\xff name.jpg");
        CHECK_CLOSE(s->first[13], s->first[3], 1e-5);
        for (int i = 0; i < 15; i++) {
            CHECK_CLOSE(s->first[i], got[0].first[i], 1e-5);
            CHECK_EQ(s->top[i], got[0].top[i]);
        }
        fv_predictor_destroy(p);
        fv_context_destroy(ctx);
    }
    char *table = NULL;
    size_t bytes;
    CHECK_EQ(fvi_file_read(NULL, "predict_folder.csv", 1 << 20, &table, &bytes), FV_OK);
    CHECK(!strncmp(table, "path,class_1,probability_1,class_2,probability_2,error\npredict_folder/00.ppm,", 76));
    CHECK_HAS(table, "\npredict_folder/04a.jpg,,,,,predict_folder/04a.jpg: the file is empty\n");
    CHECK_HAS(table, "\nbad\\xff name.jpg,,,,,");
    fvi_free(table);
}

static void policies_and_ends(void)
{
    fv_context *ctx = fv_context_create();
    seen s = {0};
    fv_predict_totals t;
    CHECK(fresh("predict_bad/none"));
    put("predict_bad/a.ppm", 1);
    CHECK_EQ(fvi_file_write(NULL, "predict_bad/b.jpg", "", 0), FV_OK);
    put("predict_bad/c\nd,\"e.ppm", 2);
    put("predict_bad/d.ppm", 2);
    unlink("predict_bad.csv");
    fv_predictor *p = create(ctx, "batch_size=1", "data.on_bad_file=fail");
    CHECK(p);
    CHECK_EQ(fv_predict_files(p, &(fv_picture){.path = "predict_bad"}, 1, &(fv_predict_options){.table = "predict_bad.csv"}, take, &s, &t), FV_ERROR_FORMAT);
    CHECK_HAS(fv_error_message(ctx), "b.jpg: the file is empty");
    CHECK_HAS(fv_error_message(ctx), "data.on_bad_file=skip");
    CHECK(!fvi_file_exists("predict_bad.csv"));
    CHECK_EQ(fv_predict_files(p, &(fv_picture){.path = "predict_bad/none"}, 1, NULL, NULL, NULL, NULL), FV_ERROR_FORMAT);
    CHECK_HAS(fv_error_message(ctx), "predict_bad/none: no pictures");
    CHECK_EQ(fv_predict_files(p, &(fv_picture){.rgb = (const uint8_t *)"123", .width = 1, .height = 1}, 1, NULL, NULL, NULL, NULL), FV_ERROR_INVALID);
    fv_predictor_destroy(p);
    p = create(ctx, "batch_size=1", "data.on_bad_file=skip");
    CHECK(p);
    CHECK_EQ(fv_predict_files(p, &(fv_picture){.path = "predict_bad/b.jpg"}, 1, NULL, NULL, NULL, &t), FV_ERROR_FORMAT);
    CHECK_HAS(fv_error_message(ctx), "b.jpg: the file is empty");
    s = (seen){.stop = true};
    CHECK_EQ(fv_predict_files(p, &(fv_picture){.path = "predict_bad"}, 1, NULL, take, &s, NULL), FV_ERROR_CANCELED);
    CHECK_EQ(s.n, 3);
    CHECK_STR(s.names[2], "predict_bad/c\nd,\"e.ppm");
    CHECK_EQ(fv_predict_files(p, &(fv_picture){.path = "predict_bad"}, 1, &(fv_predict_options){.limit = 1, .table = "predict_bad.csv"}, NULL, NULL, NULL), FV_OK);
    char *table = NULL;
    size_t bytes;
    CHECK_EQ(fvi_file_read(NULL, "predict_bad.csv", 1 << 20, &table, &bytes), FV_OK);
    CHECK_HAS(table, "\n\"predict_bad/c\nd,\"\"e.ppm\",");
    fvi_free(table);
    CHECK_EQ(fv_predict_files(p, &(fv_picture){.path = "predict_bad"}, 1, &(fv_predict_options){.table = "no/such/x.csv"}, NULL, NULL, NULL), FV_ERROR_IO);
    fv_predictor_destroy(p);
    fv_context_destroy(ctx);
}

static void models_that_are_none(void)
{
    fv_context *ctx = fv_context_create();
    fv_predictor *p;
    static const struct { const char *model, *text; fv_status status; } rows[] = {
        {"resnet19", "did you mean \"resnet18\"", FV_ERROR_CONFIG},
        {"runs/none", "there are no weights", FV_ERROR_IO},
        {"model.onnx", "weights in .onnx files cannot be read", FV_ERROR_FORMAT},
        {"some/model.pth", "weights in .pth files cannot be read", FV_ERROR_FORMAT},
        {"predict_none.safetensors", "predict_none.safetensors", FV_ERROR_FORMAT},
        {NULL, "no model is named", FV_ERROR_INVALID}};
    CHECK_EQ(fvi_file_write(NULL, "predict_none.safetensors", "xx", 2), FV_OK);
    for (int i = 0; i < FVI_COUNT(rows); i++) {
        CHECK_EQ(fv_predictor_create(ctx, &(fv_predictor_options){.model = rows[i].model}, &p), rows[i].status);
        CHECK(!p);
        CHECK_HAS(fv_error_message(ctx), rows[i].text);
    }
    fv_context_destroy(ctx);
}

/* A model of the caller's own. */
static fv_value *tiny(fv_graph *g, fv_value *x, void *user)
{
    (void)user;
    return fv_linear(g, "head", fv_global_average_pool(g, fv_conv_bn_act(g, "stem", x, &FV_CONV(.out = 4, .kernel = 3))), 2);
}

static fv_status predict_tiny(fv_context *ctx, fv_predict_totals *t)
{
    static const char *const settings[] = {"image_size=8", "threads=1", "batch_size=1", "data.workers=1"};
    fv_predictor *p = NULL;
    fv_model *m = fv_model_define(ctx, "tiny", tiny, NULL);
    const fv_predictor_options o = {.model = "resnet18", .settings = settings, .n_settings = 4, .classes = 2, .own_model = m};
    fv_status status = m ? fv_predictor_create(ctx, &o, &p) : FV_ERROR_NOMEM;
    if (status == FV_OK) status = fv_predict_files(p, &(fv_picture){.path = "predict_memory"}, 1, &(fv_predict_options){.table = "predict_memory.csv"}, NULL, NULL, t);
    fv_predictor_destroy(p);
    fv_model_destroy(m);
    return status;
}

static void memory_runs_out(void)
{
    fv_predict_totals t;
    CHECK(fresh("predict_memory"));
    put("predict_memory/a.ppm", 1);
    put("predict_memory/b.ppm", 2);
    fv_context *ctx = fv_context_create();
    const int64_t before = fvi_memory_count();
    CHECK_EQ(predict_tiny(ctx, &t), FV_OK);
    CHECK_EQ(t.predicted, 2);
    const int64_t all = fvi_memory_count() - before, step = FVI_MAX(1, all / 200);
    int64_t failed = 0;
    for (int64_t n = 1; n <= all; n += step) {
        fvi_memory_set_fault(n);
        const fv_status status = predict_tiny(ctx, &t);
        fvi_memory_set_fault(0);
        CHECK_MSG(status == FV_OK || status == FV_ERROR_NOMEM, "allocation %lld of %lld: %s", (long long)n, (long long)all, fv_error_text(ctx));
        failed += status != FV_OK;
    }
    CHECK(failed > 0);
    fv_context_destroy(ctx);
}

TEST_MAIN(CASE(softmax_and_top), CASE(files_are_sorted), CASE(one_picture_in_every_form), CASE(folders_in_any_batch), CASE(policies_and_ends),
          CASE(models_that_are_none), CASE(memory_runs_out))
