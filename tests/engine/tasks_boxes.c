/* SPDX-License-Identifier: Apache-2.0 */
/* Boxes: a picture has one to three bright squares; what is learned is how many there are and how large they are together. Training
 * pictures are four in one. */
#include "fovea/nn.h"
#include "tasks.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SIDE = 16 };
#define TRY(call) do { const fv_status status_ = (call); if (status_ != FV_OK) return status_; } while (0)

static int64_t boxes_of(int64_t index) { return (index * 7 + 3) % 4; }           /* none is possible */

static fv_status get(const fv_source *s, fv_context *ctx, int64_t index, fv_sample *out)
{
    const int64_t base = *(const int64_t *)s->user + index, rows = boxes_of(base);
    TRY(fv_image_resize(ctx, &out->image, SIDE, SIDE));
    memset(out->image.pixels, 20, 3 * SIDE * SIDE);
    fv_tensor *boxes = fv_sample_array(ctx, out, "boxes", FV_F32, 2, (const int64_t[]){rows, 4});
    if (!boxes) return FV_ERROR_NOMEM;
    for (int64_t k = 0; k < rows; k++) {
        float *b = (float *)boxes->data + 4 * k;
        const int size = 3 + (int)(2 * fabs(tasks_number(base, 10 + k))), x = (int)(5.5 + 5 * tasks_number(base, 20 + k)), y = (int)(5.5 + 5 * tasks_number(base, 30 + k));
        b[0] = (float)x, b[1] = (float)y, b[2] = b[3] = (float)size;
        for (int c = 0; c < 3; c++)
            for (int j = y; j < y + size; j++) memset(out->image.pixels + (c * SIDE + j) * SIDE + x, 220, (size_t)size);
    }
    return FV_OK;
}

static fv_status fields(fv_task *t, fv_field out[FV_FIELDS_MAX], int *n)
{
    (void)t;
    out[0] = (fv_field){"images", FV_F32, 3, {3, SIDE, SIDE}};
    out[1] = (fv_field){"boxes", FV_F32, 2, {FV_RAGGED, 4}};
    out[2] = (fv_field){"ids", FV_I64, 0, {0}};
    *n = 3;
    return FV_OK;
}

/* The picture at half its size in quarter q. */
static fv_status put_quarter(fv_loading *l, const fv_sample *s, int q, float *image)
{
    const fv_tensor *boxes = fv_sample_find(s, "boxes");
    const int64_t rows = boxes ? boxes->dims[0] : 0;
    for (int c = 0; c < 3; c++)
        for (int y = 0; y < SIDE / 2; y++)
            for (int x = 0; x < SIDE / 2; x++)
                image[(c * SIDE + y + q / 2 * SIDE / 2) * SIDE + x + q % 2 * SIDE / 2] = (float)s->image.pixels[(c * SIDE + 2 * y) * SIDE + 2 * x] / 255;
    float *out = fv_place_rows(l, "boxes", rows);
    if (!out) return FV_ERROR_NOMEM;
    for (int64_t i = 0; i < rows * 4; i++) {
        const float v = ((const float *)boxes->data)[i] / 2;
        out[i] = i % 4 == 0 ? v + (float)(q % 2 * SIDE / 2) : i % 4 == 1 ? v + (float)(q / 2 * SIDE / 2) : v;
    }
    return FV_OK;
}

static fv_status collate(const fv_task *t, fv_loading *l, const fv_draw *d)
{
    const fv_sample *s[4];
    float *image = fv_place(l, "images");
    int64_t *id = fv_place(l, "ids");
    (void)t;
    if (!image || !id) return FV_ERROR_INVALID;
    *id = d->sample;
    for (int q = 0; q < 4; q++) {                        /* four at once: all of them stay valid */
        const int64_t other = d->random ? fv_draw_below(d, FV_PURPOSE_OWN, (uint64_t)q, fv_loading_source(l)->count) : d->sample;
        TRY(fv_loading_sample(l, q ? other : d->sample, &s[q]));
        if (s[q]->image.width != SIDE || s[q]->image.height != SIDE) return FV_ERROR_FORMAT;
        if (!d->random) break;
    }
    if (d->random) {
        for (int q = 0; q < 4; q++) TRY(put_quarter(l, s[q], q, image));
        return FV_OK;
    }
    const fv_tensor *boxes = fv_sample_find(s[0], "boxes");
    for (int i = 0; i < 3 * SIDE * SIDE; i++) image[i] = (float)s[0]->image.pixels[i] / 255;
    if (!boxes) return FV_OK;
    void *rows = fv_place_rows(l, "boxes", boxes->dims[0]);
    if (!rows) return FV_ERROR_NOMEM;
    memcpy(rows, boxes->data, (size_t)boxes->dims[0] * 4 * sizeof(float));
    return FV_OK;
}

static fv_value *model(fv_graph *g, fv_value *x, void *user)
{
    (void)user;
    x = fv_conv_bn_act(g, "stem", x, &FV_CONV(.out = 6, .kernel = 3));
    return fv_linear(g, "head", fv_global_average_pool(g, x), 2);
}

/* (N, 2): how many boxes there are, and their widths together as a share of the side. */
static fv_value *targets(fv_graph *g, fv_value *boxes, fv_value *counts)
{
    fv_value *widths = fv_slice(g, fv_ragged_sum(g, boxes, counts), 1, 2, 1);
    fv_value *n = fv_reshape(g, fv_cast(g, counts, fv_graph_dtype(g)), 2, (const int64_t[]){FV_N, 1});
    return fv_concat(g, 1, 2, (fv_value *const[]){fv_scale(g, n, 0.25), fv_scale(g, widths, 1.0 / SIDE)});
}

static fv_status build(fv_task *t, fv_graph *g, fv_value *const *in, bool first)
{
    fv_value *y = fv_model_build(g, fv_task_setup_of(t)->model, in[0]), *loss = fv_sum(g, fv_square(g, fv_sub(g, y, targets(g, in[1], in[2]))), 0, false);
    fv_value *weight = fv_sum(g, fv_full(g, 1, 1, (const int64_t[]){FV_N}), 0, false);
    TRY(fv_graph_status(g));
    if (fv_graph_is_training(g)) TRY(fv_accumulate_gradients(g, NULL, loss, weight, first));
    fv_result(g, "loss", loss);
    fv_result(g, "weight", weight);
    return fv_graph_status(g);
}

static fv_status build_update(fv_task *t, fv_graph *g, fv_value *const *in, bool first)
{
    (void)in, (void)first;
    return fv_optimizer_update(g, fv_task_session(t), fv_task_optimizer(t, NULL));
}

static fv_status build_prediction(fv_task *t, fv_graph *g, fv_value *const *in, bool first)
{
    (void)first;
    fv_result(g, "y", fv_model_build(g, fv_task_setup_of(t)->model, in[0]));
    return fv_graph_status(g);
}

typedef struct state { double error; int64_t n, boxes, first[4]; int shown; } state;

static fv_status begin(fv_task *t)
{
    *(state *)fv_task_state(t) = (state){0};
    return FV_OK;
}

static fv_status add(fv_task *t, const fv_batch *b, const fv_results *r)
{
    state *s = fv_task_state(t);
    const int64_t *counts = fv_batch_counts(b, "boxes"), *ids = fv_batch_find(b, "ids")->data;
    int64_t rows = 0;
    s->error += (double)*(const float *)fv_results_find(r, "loss")->data;
    s->n += b->n;
    for (int64_t i = 0; i < b->n; i++) {
        if (s->shown < 4 && s->shown < fv_task_setup_of(t)->shown) s->first[s->shown++] = ids[i];
        rows += counts[i];
    }
    s->boxes += rows;
    return rows == fv_batch_find(b, "boxes")->dims[0] ? FV_OK : FV_ERROR_INTERNAL;
}

static fv_status finish(fv_task *t, double *values)
{
    const state *s = fv_task_state(t);
    values[0] = sqrt(s->error / (double)s->n);
    values[1] = (double)s->boxes;
    return FV_OK;
}

/* A frame around each box. */
static void paint(fv_image *image, const fv_tensor *boxes)
{
    for (int64_t k = 0; k < boxes->dims[0]; k++) {
        const float *b = (const float *)boxes->data + 4 * k;
        for (int i = 0; i < (int)b[2]; i++) image->pixels[(int)b[1] * SIDE + (int)b[0] + i] = 255, image->pixels[((int)b[1] + i) * SIDE + (int)b[0]] = 255;
    }
}

static fv_status record(fv_task *t, fv_recorder *r)
{
    const state *s = fv_task_state(t);
    fv_text *json = fv_recorder_json(r);
    fv_text_add(json, ",\n  \"painted\": [");
    for (int i = 0; i < s->shown; i++) {
        const fv_sample *sample;
        const char *uri;
        int width, height;
        TRY(fv_recorder_sample(r, s->first[i], &sample));
        if (!sample) continue;
        paint((fv_image *)(uintptr_t)&sample->image, fv_sample_find(sample, "boxes"));
        TRY(fv_recorder_picture(r, &sample->image, 64, &uri, &width, &height));
        TRY(fv_recorder_event(r, "val/boxes", &sample->image));
        fv_text_add(json, "%s", i ? ", " : "");
        fv_text_json_string(json, uri);
    }
    fv_text_add(json, "]");
    return FV_OK;
}

static fv_status report(fv_context *ctx, const fv_json *evaluation, fv_text *page)
{
    const fv_json *list = fv_json_get(evaluation, "painted");
    (void)ctx;
    fv_text_add(page, "<h3>Painted boxes</h3>\n");
    for (const fv_json *v = list ? list->child : NULL; v; v = v->next)
        if (v->kind == FV_JSON_STRING && !strncmp(v->string, "data:image/png;base64,", 22) && !strpbrk(v->string, "\"<>"))
            fv_text_add(page, "<img alt=\"\" src=\"%s\">\n", v->string);
    return FV_OK;
}

static fv_status rows(fv_task *t, const fv_results *r, int64_t sample, int limit, fv_rows *out)
{
    const float *y = (const float *)fv_results_find(r, "y")->data + 2 * sample;
    (void)t;
    for (int k = 0; k < (int)lrintf(4 * y[0]) && k < limit; k++) TRY(fv_rows_add(out, (const fv_cell[]){{.text = "box"}, {.number = (double)y[1]}}));
    return FV_OK;
}

static const fv_task_function functions[] = {{"gradient", "images boxes", true, build}, {"update", NULL, true, build_update}, {"evaluate", "images boxes", false, build},
                                             {"predict", "images", false, build_prediction}, {NULL, NULL, false, NULL}};
static const fv_step_call step[] = {{"gradient", true}, {"update", false}, {NULL, false}};
static const fv_metric_def metrics[] = {{"box_error", true, 1, false, NULL}, {"boxes", false, 0, false, NULL}, {NULL, false, 0, false, NULL}};
static const fv_column columns[] = {{"class", FV_COLUMN_TEXT, false}, {"widths", FV_COLUMN_NUMBER, false}, {NULL, FV_COLUMN_TEXT, false}};

static const fv_task_def def = {
    .name = "boxes", .about = "bright squares", .state_size = sizeof(state), .fields = fields, .collate = collate, .functions = functions, .step = step,
    .evaluate = "evaluate", .metrics = metrics, .begin = begin, .add = add, .finish = finish, .record = record, .report = report,
    .predict = "predict", .rows_name = "boxes", .columns = columns, .limit = 10, .rows = rows, .output = "y", .output_kind = "sums"};

void tasks_boxes(tasks_case *out)
{
    static const int64_t train = 0, val = 5000;
    *out = (tasks_case){.def = &def, .model = model, .image_size = "image_size=16", .monitor = "box_error", .columns = {"val_box_error"},
                        .in_report = {"Painted boxes", "data:image/png;base64,"}, .in_record = {"\"painted\": [", "\"boxes\": "}};
    out->train = (fv_source){.count = 30, .user = (void *)(uintptr_t)&train, .get = get};
    out->val = (fv_source){.count = 11, .user = (void *)(uintptr_t)&val, .get = get};
}
