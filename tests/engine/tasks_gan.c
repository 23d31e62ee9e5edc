/* SPDX-License-Identifier: Apache-2.0 */
/* A GAN (Goodfellow et al. 2014, non-saturating losses): pictures of one stripe, 8 x 8, without labels. Two updates of the
 * discriminator (Adam), then one of the generator (SGD, cosine). */
#include "fovea/nn.h"
#include "tasks.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SIDE = 8, NOISE = 4, SHOWN = 4 };
#define TRY(call) do { const fv_status status_ = (call); if (status_ != FV_OK) return status_; } while (0)

typedef struct settings { double discriminator_rate; } settings;
static const fv_key keys[] = {{.name = "gan.discriminator_rate", .kind = FV_KEY_FLOAT, .offset = offsetof(settings, discriminator_rate), .fallback = 1e-3,
                               .min = 0, .max = 1, .help = "of its optimizer", .heading = "GAN"}, FV_KEY_END};

static fv_status get(const fv_source *s, fv_context *ctx, int64_t index, fv_sample *out)
{
    const int64_t base = *(const int64_t *)s->user + index;
    TRY(fv_image_create(ctx, &out->image, 1, SIDE, SIDE));
    for (int y = 0; y < SIDE; y++) memset(out->image.pixels + y * SIDE, y == base % SIDE ? 230 : 30, SIDE);
    return FV_OK;
}

static fv_status fields(fv_task *t, fv_field out[FV_FIELDS_MAX], int *n)
{
    (void)t;
    out[0] = (fv_field){"real", FV_F32, 3, {1, SIDE, SIDE}};
    out[1] = (fv_field){"noise", FV_F32, 1, {NOISE}};
    *n = 2;
    return FV_OK;
}

static fv_status collate(const fv_task *t, fv_loading *l, const fv_draw *d)
{
    const fv_sample *s;
    (void)t;
    TRY(fv_loading_sample(l, d->sample, &s));
    float *real = fv_place(l, "real"), *noise = fv_place(l, "noise");
    if (!real || !noise) return FV_ERROR_INVALID;
    for (int i = 0; i < SIDE * SIDE; i++) real[i] = ((float)s->image.pixels[i] - 128) / 128;
    for (int i = 0; i < NOISE; i++) noise[i] = (float)fv_draw_normal(d, FV_PURPOSE_OWN + 1, (uint64_t)i);
    return FV_OK;
}

static fv_value *generator(fv_graph *g, fv_value *noise)
{
    fv_push(g, "g");
    fv_value *x = fv_leaky_relu(g, fv_linear(g, "fc1", noise, 16), 0.2);
    x = fv_tanh(g, fv_linear(g, "fc2", x, SIDE * SIDE));
    fv_pop(g);
    return fv_reshape(g, x, 4, (const int64_t[]){FV_N, 1, SIDE, SIDE});
}

/* The model of the run is the discriminator: (N, 1, 8, 8) -> (N, 1). */
static fv_value *model(fv_graph *g, fv_value *x, void *user)
{
    (void)user;
    fv_push(g, "d");
    x = fv_leaky_relu(g, fv_conv2d(g, "conv", x, &FV_CONV(.out = 4, .kernel = 3, .stride = 2, .same = true, .bias = true)), 0.2);
    x = fv_linear(g, "fc", fv_flatten(g, x, 1), 1);
    fv_pop(g);
    return x;
}

static fv_value *count_of(fv_graph *g) { return fv_sum(g, fv_full(g, 1, 1, (const int64_t[]){FV_N}), 0, false); }

/* -sum log sigmoid(sign * logits) */
static fv_value *bce(fv_graph *g, fv_value *logits, double sign)
{
    fv_value *p = fv_clamp(g, fv_sigmoid(g, fv_scale(g, logits, sign)), 1e-6, 1);
    return fv_neg(g, fv_sum(g, fv_log(g, p), 0, false));
}

static fv_status finish_gradient(fv_graph *g, const char *prefix, fv_value *loss, bool first)
{
    fv_value *weight = count_of(g);
    TRY(fv_graph_status(g));
    TRY(fv_accumulate_gradients(g, prefix, loss, weight, first));
    fv_result(g, "loss", loss);
    fv_result(g, "weight", weight);
    return fv_graph_status(g);
}

static fv_status build_d(fv_task *t, fv_graph *g, fv_value *const *in, bool first)
{
    const fv_model *m = fv_task_setup_of(t)->model;
    fv_value *fake = fv_stop_gradient(g, generator(g, in[1]));
    return finish_gradient(g, "d", fv_add(g, bce(g, fv_model_build(g, m, in[0]), 1), bce(g, fv_model_build(g, m, fake), -1)), first);
}

static fv_status build_g(fv_task *t, fv_graph *g, fv_value *const *in, bool first)
{
    return finish_gradient(g, "g", bce(g, fv_model_build(g, fv_task_setup_of(t)->model, generator(g, in[0])), 1), first);
}

static fv_status update_d(fv_task *t, fv_graph *g, fv_value *const *in, bool first)
{
    (void)in, (void)first;
    return fv_optimizer_update(g, fv_task_session(t), fv_task_optimizer(t, "d"));
}

static fv_status update_g(fv_task *t, fv_graph *g, fv_value *const *in, bool first)
{
    (void)in, (void)first;
    return fv_optimizer_update(g, fv_task_session(t), fv_task_optimizer(t, "g"));
}

static fv_status programs(fv_task *t, fv_task_program *out, int *n)
{
    const settings *s = fv_task_setup_of(t)->settings;
    out[1] = out[0];                                     /* the configuration's is the generator's */
    out[0] = (fv_task_program){.name = "d", .optimizer = {.name = "adam", .prefix = "d"}, .schedule = {.name = "constant", .base = s->discriminator_rate, .momentum = 0.5}};
    out[1].name = out[1].optimizer.prefix = "g";
    *n = 2;
    return FV_OK;
}

static fv_status build_evaluation(fv_task *t, fv_graph *g, fv_value *const *in, bool first)
{
    (void)t, (void)first;
    fv_value *fake = generator(g, in[1]);
    fv_result(g, "difference", fv_sub(g, fv_sum(g, in[0], 1, false), fv_sum(g, fake, 1, false)));
    fv_result(g, "fake", fake);
    return fv_graph_status(g);
}

static fv_status build_score(fv_task *t, fv_graph *g, fv_value *const *in, bool first)
{
    (void)first;
    fv_result(g, "score", fv_model_build(g, fv_task_setup_of(t)->model, in[0]));
    return fv_graph_status(g);
}

typedef struct state { double difference[SIDE * SIDE]; float shown[SHOWN][SIDE * SIDE]; int n_shown; int64_t n; } state;

static fv_status begin(fv_task *t)
{
    memset(fv_task_state(t), 0, sizeof(state));
    return FV_OK;
}

static fv_status add(fv_task *t, const fv_batch *b, const fv_results *r)
{
    state *s = fv_task_state(t);
    const float *difference = fv_results_find(r, "difference")->data, *fake = fv_results_find(r, "fake")->data;
    for (int i = 0; i < SIDE * SIDE; i++) s->difference[i] += (double)difference[i];
    for (int64_t i = 0; i < b->n && s->n_shown < SHOWN; i++) memcpy(s->shown[s->n_shown++], fake + i * SIDE * SIDE, sizeof *s->shown);
    s->n += b->n;
    return FV_OK;
}

static fv_status finish(fv_task *t, double *values)
{
    const state *s = fv_task_state(t);
    values[0] = 0;
    for (int i = 0; i < SIDE * SIDE; i++) values[0] += fabs(s->difference[i]) / (double)s->n / (SIDE * SIDE);
    return FV_OK;
}

/* All generated pictures beside each other. */
static fv_status record(fv_task *t, fv_recorder *r)
{
    const state *s = fv_task_state(t);
    fv_image grid = {0};
    const char *uri = NULL;
    int width = 0, height = 0;
    fv_status status = fv_image_create(fv_task_context(t), &grid, 1, SIDE, SIDE * SHOWN);
    for (int k = 0; k < s->n_shown && status == FV_OK; k++)
        for (int i = 0; i < SIDE * SIDE; i++)
            grid.pixels[i / SIDE * SIDE * SHOWN + k * SIDE + i % SIDE] = (uint8_t)(128 + 127 * (double)s->shown[k][i]);
    if (status == FV_OK) status = fv_recorder_picture(r, &grid, 256, &uri, &width, &height);
    if (status == FV_OK) status = fv_recorder_event(r, "val/generated", &grid);
    if (status == FV_OK) fv_text_add(fv_recorder_json(r), ",\n  \"generated\": \"%s\"", uri);
    fv_image_free(&grid);
    return status;
}

static fv_status report(fv_context *ctx, const fv_json *evaluation, fv_text *page)
{
    const fv_json *v = fv_json_get(evaluation, "generated");
    (void)ctx;
    if (v && v->kind == FV_JSON_STRING && !strpbrk(v->string, "\"<>")) fv_text_add(page, "<h3>Generated</h3>\n<img alt=\"\" src=\"%s\">\n", v->string);
    return FV_OK;
}

static fv_status rows(fv_task *t, const fv_results *r, int64_t sample, int limit, fv_rows *out)
{
    (void)t, (void)limit;
    return fv_rows_add(out, (const fv_cell[]){{.number = (double)((const float *)fv_results_find(r, "score")->data)[sample]}});
}

static const fv_task_function functions[] = {{"discriminate", "real noise", true, build_d}, {"update_d", NULL, true, update_d}, {"generate", "noise", true, build_g},
                                             {"update_g", NULL, true, update_g}, {"evaluate", "real noise", false, build_evaluation},
                                             {"score", "real", false, build_score}, {NULL, NULL, false, NULL}};
static const fv_step_call step[] = {{"discriminate", true}, {"update_d", false}, {"discriminate", true}, {"update_d", false}, {"generate", true}, {"update_g", false}, {NULL, false}};
static const fv_metric_def metrics[] = {{"distance", true, 1, false, NULL}, {NULL, false, 0, false, NULL}};
static const fv_column columns[] = {{"score", FV_COLUMN_NUMBER, false}, {NULL, FV_COLUMN_TEXT, false}};

static const fv_task_def def = {
    .name = "stripes_gan", .about = "makes pictures of stripes", .keys = keys, .settings_size = sizeof(settings), .state_size = sizeof(state), .fields = fields,
    .collate = collate, .functions = functions, .step = step, .programs = programs, .evaluate = "evaluate", .metrics = metrics, .begin = begin, .add = add,
    .finish = finish, .record = record, .report = report, .predict = "score", .rows_name = "scores", .columns = columns, .limit = 1, .rows = rows,
    .output = "score", .output_kind = "logits"};

void tasks_gan(tasks_case *out)
{
    static const int64_t train = 0, val = 3;
    *out = (tasks_case){.def = &def, .model = model, .image_size = "image_size=8", .monitor = "distance", .columns = {"val_distance", "generate"},
                        .in_report = {"Generated", "data:image/png;base64,"}, .in_record = {"\"generated\": \"data:image/png"}, .setting = "gan.discriminator_rate=0.002"};
    out->train = (fv_source){.count = 32, .user = (void *)(uintptr_t)&train, .get = get};
    out->val = (fv_source){.count = 10, .user = (void *)(uintptr_t)&val, .get = get};
}
