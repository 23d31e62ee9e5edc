/* SPDX-License-Identifier: Apache-2.0 */
/* Regression: the mean brightness of the four quarters of a grey picture, 24 x 40. */
#include "fovea/nn.h"
#include "tasks.h"

#include <math.h>
#include <stdlib.h>

enum { HEIGHT = 24, WIDTH = 40, NUMBERS = 4 };
#define TRY(call) do { const fv_status status_ = (call); if (status_ != FV_OK) return status_; } while (0)

double tasks_number(int64_t a, int64_t b)
{
    uint64_t h = (uint64_t)a * 0x9e3779b97f4a7c15u ^ ((uint64_t)b + 0x7f4a7c15u) * 0xbf58476d1ce4e5b9u;
    h = (h ^ h >> 31) * 0x94d049bb133111ebu;
    return (double)((h ^ h >> 29) >> 11) / 4503599627370496.0 - 1;
}

static fv_status get(const fv_source *s, fv_context *ctx, int64_t index, fv_sample *out)
{
    static const int64_t four = NUMBERS;
    const int64_t base = *(const int64_t *)s->user + index;
    TRY(fv_image_create(ctx, &out->image, 1, HEIGHT, WIDTH));
    fv_tensor *target = fv_sample_array(ctx, out, "target", FV_F32, 1, &four);
    if (!target) return FV_ERROR_NOMEM;
    float *t = target->data;
    for (int q = 0; q < NUMBERS; q++) t[q] = (float)tasks_number(base, q);
    for (int y = 0; y < HEIGHT; y++)
        for (int x = 0; x < WIDTH; x++) {
            const int q = y / (HEIGHT / 2) * 2 + x / (WIDTH / 2);
            out->image.pixels[y * WIDTH + x] = (uint8_t)(128 + 100 * t[q] + 8 * tasks_number(base * 1000 + y, x));
        }
    return FV_OK;
}

static fv_status fields(fv_task *t, fv_field out[FV_FIELDS_MAX], int *n)
{
    (void)t;
    out[0] = (fv_field){"x", FV_F32, 3, {1, HEIGHT, WIDTH}};
    out[1] = (fv_field){"target", FV_F32, 1, {NUMBERS}};
    *n = 2;
    return FV_OK;
}

static fv_status collate(const fv_task *t, fv_loading *l, const fv_draw *d)
{
    const fv_sample *s;
    (void)t;
    TRY(fv_loading_sample(l, d->sample, &s));
    float *x = fv_place(l, "x"), *target = fv_place(l, "target");
    if (!x || !target || s->image.height != HEIGHT || s->image.width != WIDTH) return FV_ERROR_FORMAT;
    const bool mirror = d->random && fv_draw_uniform(d, FV_PURPOSE_OWN, 0) < 0.5;
    const fv_tensor *known = fv_sample_find(s, "target");
    for (int i = 0; i < HEIGHT * WIDTH; i++) {
        const int column = i % WIDTH, from = mirror ? i - column + WIDTH - 1 - column : i;
        x[i] = ((float)s->image.pixels[from] - 128) / 100;
    }
    for (int q = 0; q < NUMBERS; q++) target[q] = known ? ((const float *)known->data)[mirror ? q ^ 1 : q] : 0;
    return FV_OK;
}

static fv_value *model(fv_graph *g, fv_value *x, void *user)
{
    (void)user;
    x = fv_conv_bn_act(g, "stem", x, &FV_CONV(.out = 4, .kernel = 3, .stride = 2));
    x = fv_avg_pool2d(g, x, &(fv_pool2d_options){.kernel = {6, 10}});
    return fv_linear(g, "head", fv_flatten(g, x, 1), NUMBERS);
}

static fv_value *error_of(fv_task *t, fv_graph *g, fv_value *const *in, fv_value **y)
{
    *y = fv_model_build(g, fv_task_setup_of(t)->model, in[0]);
    return fv_sum(g, fv_square(g, fv_sub(g, *y, in[1])), 0, false);
}

static fv_value *count_of(fv_graph *g) { return fv_sum(g, fv_full(g, 1, 1, (const int64_t[]){FV_N}), 0, false); }

static fv_status build_gradient(fv_task *t, fv_graph *g, fv_value *const *in, bool first)
{
    fv_value *y, *loss = error_of(t, g, in, &y), *weight = count_of(g);
    TRY(fv_graph_status(g));
    TRY(fv_accumulate_gradients(g, NULL, loss, weight, first));
    fv_result(g, "loss", loss);
    fv_result(g, "weight", weight);
    fv_result(g, "outputs", fv_sum(g, fv_square(g, y), 0, false));
    return fv_graph_status(g);
}

static fv_status build_update(fv_task *t, fv_graph *g, fv_value *const *in, bool first)
{
    (void)in, (void)first;
    return fv_optimizer_update(g, fv_task_session(t), fv_task_optimizer(t, NULL));
}

static fv_status build_evaluation(fv_task *t, fv_graph *g, fv_value *const *in, bool first)
{
    fv_value *y, *loss = error_of(t, g, in, &y);
    (void)first;
    fv_result(g, "loss", loss);
    fv_result(g, "absolute", fv_sum(g, fv_abs(g, fv_sub(g, y, in[1])), 0, false));
    return fv_graph_status(g);
}

static fv_status build_prediction(fv_task *t, fv_graph *g, fv_value *const *in, bool first)
{
    (void)first;
    fv_result(g, "y", fv_model_build(g, fv_task_setup_of(t)->model, in[0]));
    return fv_graph_status(g);
}

typedef struct sums { double squares, absolute; int64_t n; } sums;

static fv_status begin(fv_task *t)
{
    *(sums *)fv_task_state(t) = (sums){0};
    return FV_OK;
}

static fv_status add(fv_task *t, const fv_batch *b, const fv_results *r)
{
    sums *s = fv_task_state(t);
    s->squares += (double)*(const float *)fv_results_find(r, "loss")->data;
    s->absolute += (double)*(const float *)fv_results_find(r, "absolute")->data;
    s->n += b->n;
    return FV_OK;
}

static fv_status finish(fv_task *t, double *values)
{
    const sums *s = fv_task_state(t);
    values[0] = s->squares / (double)s->n / NUMBERS;
    values[1] = s->absolute / (double)s->n / NUMBERS;
    return FV_OK;
}

static fv_status record(fv_task *t, fv_recorder *r)
{
    fv_text_add(fv_recorder_json(r), ",\n  \"numbers\": %d", NUMBERS);
    return (void)t, FV_OK;
}

static fv_status report(fv_context *ctx, const fv_json *evaluation, fv_text *page)
{
    const fv_json *n = fv_json_get(evaluation, "numbers");
    (void)ctx;
    fv_text_add(page, "<p>numbers foretold: %lld</p>\n", n ? (long long)n->integer : -1);
    return FV_OK;
}

static fv_status rows(fv_task *t, const fv_results *r, int64_t sample, int limit, fv_rows *out)
{
    const float *y = (const float *)fv_results_find(r, "y")->data + sample * NUMBERS;
    (void)t, (void)limit;
    for (int q = 0; q < NUMBERS; q++) TRY(fv_rows_add(out, (const fv_cell[]){{.number = q}, {.number = (double)y[q]}}));
    return FV_OK;
}

static const fv_task_function functions[] = {{"gradient", "x target", true, build_gradient}, {"update", NULL, true, build_update},
                                             {"evaluate", "x target", false, build_evaluation}, {"predict", "x", false, build_prediction}, {NULL, NULL, false, NULL}};
static const fv_step_call step[] = {{"gradient", true}, {"update", false}, {NULL, false}};
static const fv_metric_def metrics[] = {{"mse", true, 1, false, NULL}, {"mae", true, 2, true, "l1"}, {NULL, false, 0, false, NULL}};
static const fv_column columns[] = {{"quarter", FV_COLUMN_INTEGER, false}, {"value", FV_COLUMN_NUMBER, false}, {NULL, FV_COLUMN_TEXT, false}};
static const fv_report_tile tiles[] = {{"mse", "mean square error", "MSE", false}, {NULL, NULL, NULL, false}};

static const fv_task_def def = {
    .name = "quarters", .about = "brightness of four quarters", .state_size = sizeof(sums), .fields = fields, .collate = collate, .functions = functions,
    .step = step, .evaluate = "evaluate", .metrics = metrics, .begin = begin, .add = add, .finish = finish, .record = record, .report = report, .tiles = tiles,
    .predict = "predict", .rows_name = "numbers", .columns = columns, .limit = NUMBERS, .rows = rows, .output = "y", .output_kind = "numbers"};

void tasks_regression(tasks_case *out)
{
    static const int64_t train = 0, val = 100000;
    *out = (tasks_case){.def = &def, .model = model, .image_size = "image_size=24,40", .monitor = "mse", .columns = {"val_mse", "val_mae"},
                        .in_report = {"numbers foretold: 4", "mean square error"}, .in_record = {"\"numbers\": 4", "\"mse\": "}};
    out->train = (fv_source){.count = 40, .user = (void *)(uintptr_t)&train, .get = get};
    out->val = (fv_source){.count = 12, .user = (void *)(uintptr_t)&val, .get = get};
}
