/* SPDX-License-Identifier: Apache-2.0 */
/* Mean teacher (Tarvainen and Valpola 2017): cross-entropy of the student, and the squared distance of its probabilities to those of its
 * moving average, which is read in the same step. A third of the samples has no label. */
#include "fovea/nn.h"
#include "tasks.h"

#include <stdlib.h>
#include <string.h>

enum { SIDE = 8, CLASSES = 3 };
#define TRY(call) do { const fv_status status_ = (call); if (status_ != FV_OK) return status_; } while (0)

typedef struct settings { double weight; } settings;
static const fv_key keys[] = {{.name = "teacher.weight", .kind = FV_KEY_FLOAT, .offset = offsetof(settings, weight), .fallback = 1, .min = 0, .max = 100,
                               .help = "of the consistency loss", .heading = "Teacher"}, FV_KEY_END};

static fv_status get(const fv_source *s, fv_context *ctx, int64_t index, fv_sample *out)
{
    const int64_t base = *(const int64_t *)s->user + index, label = base % CLASSES;
    TRY(fv_image_resize(ctx, &out->image, SIDE, SIDE));
    for (int i = 0; i < 3 * SIDE * SIDE; i++) {
        const int x = i % SIDE, y = i / SIDE % SIDE, at = label == 0 ? x : label == 1 ? y : x + y;
        out->image.pixels[i] = (uint8_t)((at / 2 % 2 ? 60 : 160) + 30 * tasks_number(base, i));
    }
    if (base % 7 % 3) out->label = label;                /* else FV_NO_LABEL */
    else if (base >= 100000) out->label = label;
    return FV_OK;
}

static fv_status fields(fv_task *t, fv_field out[FV_FIELDS_MAX], int *n)
{
    (void)t;
    out[0] = (fv_field){"images", FV_F32, 3, {3, SIDE, SIDE}};
    out[1] = (fv_field){"labels", FV_I64, 0, {0}};
    *n = 2;
    return FV_OK;
}

static fv_status collate(const fv_task *t, fv_loading *l, const fv_draw *d)
{
    const fv_sample *s;
    (void)t;
    TRY(fv_loading_sample(l, d->sample, &s));
    float *image = fv_place(l, "images");
    int64_t *label = fv_place(l, "labels");
    if (!image || !label || s->image.width != SIDE) return FV_ERROR_FORMAT;
    for (int i = 0; i < 3 * SIDE * SIDE; i++) image[i] = (float)s->image.pixels[i] / 255 - 0.5f;
    *label = s->label == FV_NO_LABEL ? -100 : s->label;  /* ignore_index */
    return FV_OK;
}

static fv_value *model(fv_graph *g, fv_value *x, void *user)
{
    (void)user;
    x = fv_conv_bn_act(g, "stem", x, &FV_CONV(.out = 6, .kernel = 3));
    x = fv_dropout(g, fv_flatten(g, fv_avg_pool2d(g, x, &(fv_pool2d_options){.kernel = {4, 4}}), 1), 0.2);
    return fv_linear(g, "head", x, CLASSES);
}

static fv_value *teacher(fv_graph *g, const fv_model *m, fv_value *images)
{
    fv_push_mode(g, &(fv_mode){.average = true});
    fv_value *y = fv_model_build(g, m, images);
    fv_pop_mode(g);
    return fv_stop_gradient(g, y);
}

static fv_status build_gradient(fv_task *t, fv_graph *g, fv_value *const *in, bool first)
{
    const fv_task_setup *setup = fv_task_setup_of(t);
    fv_value *weight, *student = fv_model_build(g, setup->model, in[0]), *other = teacher(g, setup->model, in[0]);
    fv_value *classification = fv_cross_entropy(g, student, in[1], NULL, &weight);
    fv_value *consistency = fv_sum(g, fv_square(g, fv_sub(g, fv_softmax(g, student, 1), fv_softmax(g, other, 1))), 0, false);
    fv_value *loss = fv_add(g, classification, fv_scale(g, consistency, ((const settings *)setup->settings)->weight));
    TRY(fv_graph_status(g));
    TRY(fv_accumulate_gradients(g, NULL, loss, weight, first));
    fv_result(g, "loss", loss);
    fv_result(g, "weight", weight);
    fv_result(g, "consistency", consistency);
    return fv_graph_status(g);
}

static fv_status build_update(fv_task *t, fv_graph *g, fv_value *const *in, bool first)
{
    (void)in, (void)first;
    return fv_optimizer_update(g, fv_task_session(t), fv_task_optimizer(t, NULL));
}

static fv_status build_evaluation(fv_task *t, fv_graph *g, fv_value *const *in, bool first)
{
    (void)first;
    fv_value *weight, *y = fv_model_build(g, fv_task_setup_of(t)->model, in[0]), *loss = fv_cross_entropy(g, y, in[1], NULL, &weight);
    fv_result(g, "loss", loss);
    fv_result(g, "weight", weight);
    fv_result(g, "scores", y);
    return fv_graph_status(g);
}

typedef struct state { double right, loss, weight; int64_t n; } state;

static fv_status begin(fv_task *t)
{
    *(state *)fv_task_state(t) = (state){0};
    return FV_OK;
}

static fv_status add(fv_task *t, const fv_batch *b, const fv_results *r)
{
    state *s = fv_task_state(t);
    const float *scores = fv_results_find(r, "scores")->data;
    const int64_t *labels = fv_batch_find(b, "labels")->data;
    for (int64_t i = 0; i < b->n; i++, scores += CLASSES, s->n++) {
        int best = 0;
        for (int k = 1; k < CLASSES; k++) best = scores[k] > scores[best] ? k : best;
        s->right += labels[i] == best;
    }
    s->loss += (double)*(const float *)fv_results_find(r, "loss")->data;
    s->weight += (double)*(const float *)fv_results_find(r, "weight")->data;
    return FV_OK;
}

static fv_status finish(fv_task *t, double *values)
{
    const state *s = fv_task_state(t);
    values[0] = s->right / (double)s->n;
    values[1] = s->loss / s->weight;
    return FV_OK;
}

static const fv_task_function functions[] = {{"gradient", "images labels", true, build_gradient}, {"update", NULL, true, build_update},
                                             {"evaluate", "images labels", false, build_evaluation}, {NULL, NULL, false, NULL}};
static const fv_step_call step[] = {{"gradient", true}, {"update", false}, {NULL, false}};
static const fv_metric_def metrics[] = {{"hits", false, 1, true, NULL}, {"loss", true, 2, false, NULL}, {NULL, false, 0, false, NULL}};

static const fv_task_def def = {
    .name = "mean_teacher", .about = "learns from pictures without labels too", .keys = keys, .settings_size = sizeof(settings), .state_size = sizeof(state),
    .fields = fields, .collate = collate, .functions = functions, .step = step, .evaluate = "evaluate", .metrics = metrics, .begin = begin, .add = add, .finish = finish};

void tasks_mean_teacher(tasks_case *out)
{
    static const int64_t train = 0, val = 100002;
    *out = (tasks_case){.def = &def, .model = model, .image_size = "image_size=8", .monitor = "hits", .columns = {"val_hits", "val_hits_raw", "val_loss", "consistency"},
                        .in_record = {"\"hits\": "}, .setting = "teacher.weight=0.5"};
    out->train = (fv_source){.count = 42, .classes = CLASSES, .user = (void *)(uintptr_t)&train, .get = get};
    out->val = (fv_source){.count = 15, .classes = CLASSES, .user = (void *)(uintptr_t)&val, .get = get};
}
