/* SPDX-License-Identifier: Apache-2.0 */
/* A training with parts of one's own, from the public headers only: data source, model, loss, step, figure, callback. The
 * trainer does the rest: schedule, validation, checkpoints; run again, it goes on. Three kinds of stripes are told apart. */
#include <fovea/nn.h>
#include <fovea/train.h>

#include <stdio.h>

enum { SIDE = 16, CLASSES = 3 };
#define TRY(call) do { fv_status status_ = (call); if (status_ != FV_OK) return status_; } while (0)

/* Data: sample `index` is made when it is asked for, by several threads at once. */
static fv_status get(const fv_source *s, fv_context *ctx, int64_t index, fv_sample *out)
{
    fv_image *image = &out->image;
    int64_t *label = &out->label;
    unsigned noise = (unsigned)index * 2654435761u + *(const unsigned *)s->user;
    TRY(fv_image_resize(ctx, image, SIDE, SIDE));
    *label = index % CLASSES;
    for (int i = 0; i < 3 * SIDE * SIDE; i++) {
        int x = i % SIDE, y = i / SIDE % SIDE, at = *label == 0 ? x : *label == 1 ? y : x + y;
        noise = noise * 1664525u + 1013904223u;
        image->pixels[i] = (uint8_t)((at / 2 % 2 ? 60 : 120) + (noise >> 24) / 4);
    }
    return FV_OK;
}

static fv_value *model(fv_graph *g, fv_value *x, void *user)            /* (N, 3, 16, 16) -> (N, 3) */
{
    x = fv_conv_bn_act(g, "stem", x, &FV_CONV(.out = 8, .kernel = 3));
    x = fv_conv_bn_act(g, "body", x, &FV_CONV(.out = 16, .kernel = 3, .stride = 2));
    return (void)user, fv_linear(g, "head", fv_global_average_pool(g, x), CLASSES);
}

/* Step: the gradient of a loss of our own, cross-entropy and a price for large scores. The update stays the trainer's. */
static fv_status gradient(fv_graph *g, const fv_model *m, fv_value *images, fv_value *labels, bool first, void *user)
{
    fv_value *weight, *scores = fv_model_build(g, m, images), *loss = fv_cross_entropy(g, scores, labels, NULL, &weight);
    loss = fv_add(g, loss, fv_scale(g, fv_sum(g, fv_square(g, scores), 0, false), *(double *)user));
    TRY(fv_accumulate_gradients(g, NULL, loss, weight, first));
    fv_result(g, "loss", loss), fv_result(g, "weight", weight);
    return fv_graph_status(g);
}

/* Figure: recall of the worst class. It decides what is best. */
static double right[CLASSES], all[CLASSES];
static void begin(void *user) { (void)user; for (int k = 0; k < CLASSES; k++) right[k] = all[k] = 0; }

static void add(void *user, const fv_batch *b, const fv_results *r)
{
    const int64_t *labels = fv_batch_find(b, "labels")->data;
    const float *scores = fv_results_find(r, "scores")->data;
    for (int64_t i = 0; i < b->n; i++, scores += CLASSES) {
        int64_t best = 0;
        for (int64_t k = 1; k < CLASSES; k++) best = scores[k] > scores[best] ? k : best;
        (void)user, all[labels[i]]++, right[labels[i]] += best == labels[i];
    }
}

static double worst(void *user)
{
    double recall = 1;
    for (int k = 0; k < CLASSES; k++) recall = right[k] / all[k] < recall ? right[k] / all[k] : recall;
    return (void)user, recall;
}

static bool show(void *user, fv_train_event event, const fv_train_progress *p)
{
    if (event == FV_TRAIN_VALIDATED) printf("step %d of %d: %s %.3f\n", (int)p->step, (int)p->max_steps, p->monitor, p->metrics[p->n_metrics - 1].value);
    return (void)user, true;                                             /* false: save and stop */
}

int main(int argc, char **argv)
{
    static unsigned seeds[2] = {1, 2};
    static double price = 0.001;
    fv_source train = {.count = 600, .classes = CLASSES, .user = &seeds[0], .get = get}, val = {.count = 150, .classes = CLASSES, .user = &seeds[1], .get = get};
    const char *settings[] = {"image_size=16", "batch_size=20", "momentum=0.9", "scheduler=warmup_cosine", "warmup_iters=10", "validate_every=30", "save_every=30"};
    fv_context *ctx = fv_context_create();
    fv_model *m = ctx ? fv_model_define(ctx, "stripes", model, NULL) : NULL;
    const fv_own_metric figure = {.name = "worst_class", .monitor = true, .begin = begin, .add = add, .value = worst};
    const fv_own_step step = {.user = &price, .gradient = gradient};
    const fv_train_options o = {.settings = settings, .n_settings = 7, .optimizer = "sgd", .learning_rate = 0.1, .max_steps = 90, .train_data = &train,
        .val_data = &val, .step = &step, .metrics = &figure, .n_metrics = 1, .callback = show, .run = argc > 1 ? argv[1] : "runs/stripes"};
    const fv_status status = m ? fv_train(ctx, m, &o, NULL, NULL) : FV_ERROR_NOMEM;
    if (status != FV_OK && ctx) fprintf(stderr, "own_trainer: %s\n", fv_error_message(ctx));
    fv_model_destroy(m), fv_context_destroy(ctx);
    return status != FV_OK;
}
