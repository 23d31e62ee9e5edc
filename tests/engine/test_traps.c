/* SPDX-License-Identifier: Apache-2.0 */
/* What goes wrong in trainers that people write: one test for each numbered trap of the list that docs/training.md keeps, with
 * the trap in words above it. Traps that other tests prove are named there. */
#include "test.h"

#include "base/base.h"
#include "fovea/nn.h"
#include "optim/schedule.h"
#include "runs.h"

#include <stdlib.h>

static runs_data train_reads, val_reads = {.base = 100000};

#define DATA .train_data = &train, .val_data = &val
#define SOURCES(n_train, n_val)                                                                              \
    fv_source train = runs_source(&train_reads, n_train), val = runs_source(&val_reads, n_val);              \
    train_reads = (runs_data){.base = 0};                                                                    \
    val_reads = (runs_data){.base = 100000}
#define SETTINGS(...) .settings = (const char *const[]){"image_size=6", "threads=1", "data.workers=0", __VA_ARGS__}, \
                      .n_settings = (int)(sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *)) + 3

/* A figure of the test's own, to look into validations. */
typedef struct look {
    int passes;
    int64_t n, ids[RUNS_MAX], labels[RUNS_MAX], train_before;
    double pictures[8], right, loss;     /* sums; of each pass */
    bool read_training_data;
} look;

static void look_begin(void *user)
{
    look *l = user;
    l->n = 0;
    l->right = l->loss = 0;
    l->pictures[l->passes % 8] = 0;
    l->train_before = train_reads.all_reads;
}

static void look_add(void *user, const fv_batch *b, const fv_results *r)
{
    look *l = user;
    const fv_tensor *images = fv_batch_find(b, "images");
    const int64_t *labels = fv_batch_find(b, "labels")->data, classes = fv_results_find(r, "scores")->dims[1];
    const float *scores = fv_results_find(r, "scores")->data, *pixels = images->data;
    for (int64_t i = 0; i < b->n; i++, scores += classes) {
        if (l->n < RUNS_MAX) {
            l->ids[l->n] = b->ids[i];
            l->labels[l->n++] = labels[i];
        }
        int64_t best = 0;
        double sum = 0;
        for (int64_t k = 0; k < classes; k++) {
            best = scores[k] > scores[best] ? k : best;
            sum += exp((double)scores[k]);
        }
        l->right += best == labels[i];
        l->loss += log(sum) - (double)scores[labels[i]];
    }
    for (int64_t i = 0; i < b->n * 3 * images->dims[2] * images->dims[3]; i++) l->pictures[l->passes % 8] += (double)pixels[i] * (double)(1 + i % 13);
}

static double look_value(void *user)
{
    look *l = user;
    l->passes++;
    l->read_training_data = l->read_training_data || train_reads.all_reads != l->train_before;
    return (double)l->n;
}

/* Trap 1: "validation" runs over the training split, shuffled, augmented, rebuilt each time; its 100 % are of pictures that
 * were learned. */
static void trap_1_validation_is_of_validation_data(void)
{
    SOURCES(43, 20);
    look l = {0};
    fv_own_metric m = {.name = "look", .user = &l, .begin = look_begin, .add = look_add, .value = look_value};
    runs_clean("p_1");
    runs_outcome r = runs_train(&(fv_train_options){DATA, SETTINGS("batch_size=4", "max_steps=6", "validate_every=2", "augment.horizontal_flip=0.5", "augment.pad_crop=2", "paint_images=0"),
                                                    .run = "p_1", .metrics = &m, .n_metrics = 1}, NULL, NULL);
    CHECK_MSG(r.status == FV_OK, "%s", r.message);
    CHECK_EQ(l.passes, 3);
    CHECK(!l.read_training_data);
    CHECK_EQ(l.n, 20);
    for (int i = 0; i < 20; i++) {
        CHECK_EQ(l.ids[i], i);                           /* every sample once, in order */
        CHECK_EQ(l.labels[i], i % RUNS_CLASSES);
        CHECK_EQ(val_reads.reads[i], 3);                 /* once for each validation */
    }
    for (int i = 1; i < 3; i++) CHECK_CLOSE(l.pictures[i], l.pictures[0], 0);      /* not augmented: the same pictures each time */
}

/* Trap 3: the launcher empties checkpoints and events before training, so that nothing can be resumed and other files are lost. */
static void trap_3_nothing_is_deleted(void)
{
    SOURCES(43, 20);
    fv_train_options o = {DATA, SETTINGS("batch_size=8", "max_steps=3", "validate_every=1", "save_every=1"), .run = "p_3"};
    runs_clean("p_3");
    CHECK_EQ(runs_train(&o, NULL, NULL).status, FV_OK);
    CHECK_EQ(system("echo mine > p_3/notes.txt && echo mine > p_3/checkpoints/kept.safetensors && mkdir p_3/sub && ls p_3/events.* > before.txt"), 0);
    fv_train_options longer = {DATA, SETTINGS("batch_size=8", "max_steps=5", "validate_every=1", "save_every=1"), .run = "p_3", .mode = FV_RUN_CONTINUE};
    CHECK_EQ(runs_train(&o, NULL, NULL).status, FV_OK);
    CHECK_EQ(runs_train(&longer, NULL, NULL).p.step, 5);
    CHECK_EQ(system("[ \"$(cat p_3/notes.txt)\" = mine ] && [ \"$(cat p_3/checkpoints/kept.safetensors)\" = mine ] && [ -d p_3/sub ] && ls $(cat before.txt) > after.txt"), 0);
    o.mode = FV_RUN_OVERWRITE;
    CHECK_EQ(runs_train(&o, NULL, NULL).status, FV_OK);
    CHECK_EQ(system("[ \"$(cat p_3.old-1/notes.txt)\" = mine ] && [ -s p_3.old-1/checkpoints/best.safetensors ]"), 0);
}

/* Trap 4: accuracy as the mean of the batches' accuracies, in which a short last batch weighs too much. */
static void trap_4_figures_are_of_all_samples(void)
{
    SOURCES(43, 230);                                    /* batches of 100, 100 and 30 */
    look l = {0};
    runs_trace t = {0};
    fv_own_metric m = {.name = "look", .user = &l, .begin = look_begin, .add = look_add, .value = look_value};
    runs_clean("p_4");
    runs_outcome r = runs_train(&(fv_train_options){DATA, SETTINGS("batch_size=8", "max_steps=4", "loss.label_smoothing=0.2", "loss.class_weights=1,2,3"), .run = "p_4",
                                                    .metrics = &m, .n_metrics = 1}, NULL, &t);
    CHECK_MSG(r.status == FV_OK, "%s", r.message);
    CHECK_EQ(l.n, 230);
    CHECK_CLOSE(t.val_acc[0], l.right / 230, 1e-15);
    CHECK_CLOSE(t.val_loss[0], l.loss / 230, 1e-5);      /* neither smoothed nor weighted */
}

/* Two passes a validation: the weights, then their averages. The figures are those of the averages, val_acc_raw that of the weights. */
typedef struct both { look l; double raw, raw_loss, acc, loss, shown_raw; int validations, wrong; } both;

static void both_begin(void *user)
{
    both *b = user;
    const double n = (double)(b->l.n ? b->l.n : 1);
    b->raw = b->l.right / n;                             /* of the pass before */
    b->raw_loss = b->l.loss / n;
    look_begin(&b->l);
}

static void compare_both(runs_trace *t, fv_train_event event, const fv_train_progress *p)
{
    both *b = t->user;
    if (event != FV_TRAIN_VALIDATED) return;
    for (int i = 0; i < p->n_metrics; i++) {
        if (!strcmp(p->metrics[i].name, "val_acc")) b->acc = p->metrics[i].value;
        if (!strcmp(p->metrics[i].name, "val_acc_raw")) b->shown_raw = p->metrics[i].value;
        if (!strcmp(p->metrics[i].name, "val_loss")) b->loss = p->metrics[i].value;
    }
    b->validations++;
    b->wrong += b->acc != b->l.right / 20 || b->shown_raw != b->raw || fabs(b->loss - b->l.loss / 20) > 1e-5 || fabs(b->loss - b->raw_loss) < 1e-6;
}

static void weights_and_averages_are_validated(void)
{
    SOURCES(43, 20);
    both b = {0};
    runs_trace t = {.also = compare_both, .user = &b};
    fv_own_metric m = {.name = "both", .user = &b, .begin = both_begin, .add = look_add, .value = look_value};
    runs_clean("p_both");
    runs_outcome r = runs_train(&(fv_train_options){DATA, SETTINGS("batch_size=8", "max_steps=9", "validate_every=3", "ema_decay=0.9"), .optimizer = "adamw",
                                                    .learning_rate = 0.05, .run = "p_both", .metrics = &m, .n_metrics = 1}, NULL, &t);
    CHECK_MSG(r.status == FV_OK, "%s", r.message);
    CHECK_EQ(b.validations, 3);
    CHECK_MSG(b.wrong == 0, "acc %g raw %g loss %g; of the passes %g %g %g %g", b.acc, b.shown_raw, b.loss, b.l.right / 20, b.raw, b.l.loss / 20, b.raw_loss);
}

/* ---- trap 5 ------------------------------------------------------------------------------------------------------------- */

static fv_value *misnamed(fv_graph *g, fv_value *x, void *user)
{
    (void)user;
    x = fv_conv2d(g, "norm_bias", x, &FV_CONV(.out = 6, .kernel = 3, .bias = true));       /* a weight, whatever it is called */
    x = fv_relu(g, fv_batch_norm(g, "downsample.1", x, NULL));
    x = fv_layer_norm(g, "stem.1", x, 1, NULL);
    const int64_t width = 6;
    fv_value *gamma = fv_param(g, "weight_gamma", FV_PARAM_NORM, 1, &width, (fv_init){FV_INIT_CONSTANT, 0.5, 0});
    x = fv_mul(g, fv_global_average_pool(g, x), gamma);
    return fv_linear(g, "head", x, RUNS_CLASSES);
}

static fv_value *flat_loss(fv_graph *g, fv_value *output, fv_value *labels, fv_value **weight, void *user)
{
    (void)user;
    return fv_scale(g, fv_cross_entropy(g, output, labels, NULL, weight), 0);
}

enum { VALUES = 512 };
typedef struct weights_then { int vars; double values[16][VALUES]; int wrong; char first[128]; } weights_then;

/* Values at the start; at the end each must be what decay alone makes of it. */
static void compare_decay(runs_trace *t, fv_train_event event, const fv_train_progress *p)
{
    (void)p;
    weights_then *w = t->user;
    if (event != FV_TRAIN_START && event != FV_TRAIN_END) return;
    fv_session *s = fv_trainer_session(t->trainer);
    int at = 0;
    for (int i = 0; i < fv_session_var_count(s); i++) {
        fv_var *v = fv_session_var(s, i);
        double now[VALUES];
        fv_tensor shape;
        if (fv_var_role(v) != FV_PARAMETER || fv_var_numel(v) > VALUES || at == 16) continue;
        fv_var_shape(v, &shape);
        shape.dtype = FV_F64;
        shape.data = event == FV_TRAIN_START ? w->values[at] : now;
        if (fv_var_get(s, v, &shape) != FV_OK) w->wrong = -1000;
        const double keep = !strcmp(fv_var_name(v), "norm_bias.weight") || !strcmp(fv_var_name(v), "head.weight") ? 0.95 * 0.95 : 1;
        for (int64_t k = 0; event == FV_TRAIN_END && k < fv_var_numel(v); k++) {
            if (fabs(now[k] - keep * w->values[at][k]) <= 1e-6) continue;
            if (!w->wrong++) snprintf(w->first, sizeof w->first, "%s[%lld]: %.9g, was %.9g", fv_var_name(v), (long long)k, now[k], w->values[at][k]);
        }
        at++;
    }
    w->vars = at;
}

/* Trap 5: weight decay chosen by the words "bias" and "norm" in names: norms, scales and tokens called otherwise are decayed, and
 * a convolution in a module called norm is not. */
static void trap_5_decay_is_by_role(void)
{
    SOURCES(43, 0);
    static weights_then w;
    runs_trace t = {.also = compare_decay, .user = &w};
    runs_clean("p_5");
    runs_outcome r = runs_train(&(fv_train_options){.train_data = &train, SETTINGS("batch_size=8", "max_steps=2", "weight_decay=0.5"), .optimizer = "adamw",
                                                    .learning_rate = 0.1, .loss = flat_loss, .run = "p_5"}, misnamed, &t);
    CHECK_MSG(r.status == FV_OK, "%s", r.message);
    CHECK_EQ(w.vars, 9);
    CHECK_MSG(w.wrong == 0, "%d values are wrong: %s", w.wrong, w.first);
    (void)val;
}

/* Trap 6: schedule, max_steps, saving and warm-up count micro-batches: with accumulation 3 everything runs three times too fast. */
static void trap_6_a_step_is_an_update(void)
{
    SOURCES(60, 20);
    runs_trace t = {0};
    const fv_schedule s = {.name = "warmup_cosine", .base = 0.01, .min = 0.001, .warmup = 3, .total = 11};
    runs_clean("p_6");
    runs_outcome r = runs_train(&(fv_train_options){DATA, SETTINGS("batch_size=4", "gradient_accumulation_steps=3", "max_steps=11", "warmup_iters=3", "min_lr=0.001",
        "save_every=4", "validate_every=5"), .learning_rate = 0.01, .scheduler = "warmup_cosine", .run = "p_6"}, NULL, &t);
    CHECK_MSG(r.status == FV_OK, "%s", r.message);
    CHECK_EQ(t.steps, 11);
    for (int i = 0; i < 11; i++) {
        CHECK_EQ(t.step[i], i + 1);
        CHECK_CLOSE(t.rate[i], fv_schedule_rate(&s, i), 0);
    }
    CHECK(train_reads.all_reads >= 11 * 12);             /* pictures of 33 micro-batches */
    CHECK_EQ(t.validations, 3);
    CHECK(t.validated[0] == 5 && t.validated[1] == 10 && t.validated[2] == 11);
    CHECK_EQ(t.saves, 3);
    CHECK(t.saved[0] == 4 && t.saved[1] == 8 && t.saved[2] == 11);
}

/* ---- trap 7 ------------------------------------------------------------------------------------------------------------- */

/* What the update sees: "grad" of a bias whose gradient is the number of samples, and the summed weight. */
static fv_value *counting_loss(fv_graph *g, fv_value *output, fv_value *labels, fv_value **weight, void *user)
{
    (void)user;
    fv_value *ignored = fv_cross_entropy(g, output, labels, NULL, weight);
    return fv_add(g, fv_scale(g, ignored, 0), fv_sum(g, output, 0, false));
}

static void note_gradient(runs_trace *t, fv_train_event event, const fv_train_progress *p)
{
    double *counts = t->user, g[RUNS_CLASSES], weight = 0;
    if (event != FV_TRAIN_STEP || p->step >= 32) return;
    fv_session *s = fv_trainer_session(t->trainer);
    fv_tensor grad = {FV_F64, 1, {RUNS_CLASSES}, g}, sum = {.dtype = FV_F64, .data = &weight};
    if (fv_var_get(s, fv_session_find(s, "head.bias:grad"), &grad) != FV_OK || fv_var_get(s, fv_session_find(s, "_step.weight"), &sum) != FV_OK) g[0] = -1;
    counts[p->step] = g[0] == weight && g[1] == weight && g[2] == weight ? weight : -1;
}

/* Trap 7: the remainder of an epoch is dropped or leaks into the next step, resuming keeps stale gradients, and the loss is divided
 * by k although the last batch is smaller. 43 samples in batches of 5, four to an update: 20, 20 and 3 samples. */
static void trap_7_accumulation_is_of_what_was_seen(void)
{
    static const double want[] = {0, 20, 20, 3, 20, 20, 3, 20};
    SOURCES(43, 20);
    double counts[32] = {0};
    runs_trace t = {.also = note_gradient, .user = counts, .stop_at = 4};
    fv_train_options o = {DATA, SETTINGS("batch_size=5", "gradient_accumulation_steps=4", "max_steps=7", "learning_rate=1e-5", "momentum=0"), .optimizer = "sgd",
                          .loss = counting_loss, .run = "p_7"};
    runs_clean("p_7");
    CHECK_EQ(runs_train(&o, runs_plain, &t).status, FV_ERROR_CANCELED);
    t.stop_at = 0;
    CHECK_EQ(runs_train(&o, runs_plain, &t).status, FV_OK);
    for (int i = 1; i <= 7; i++) CHECK_CLOSE(counts[i], want[i], 0);
}

/* Trap 8: save_every beyond max_steps, or no divisor of it: no validation and no checkpoint at the end. */
static void trap_8_the_end_is_validated_and_saved(void)
{
    SOURCES(43, 20);
    runs_trace t = {0};
    runs_clean("p_8");
    runs_outcome r = runs_train(&(fv_train_options){DATA, SETTINGS("batch_size=8", "max_steps=5", "validate_every=10000", "save_every=3"), .run = "p_8"}, NULL, &t);
    CHECK_MSG(r.status == FV_OK, "%s", r.message);
    CHECK_EQ(t.validations, 1);
    CHECK_EQ(t.validated[0], 5);
    CHECK_EQ(t.saved[t.saves - 1], 5);
    CHECK_EQ(r.p.best_step, 5);
    CHECK_EQ(system("rm -rf p_8_best && mkdir -p p_8_best/checkpoints && cp p_8/checkpoints/best.safetensors p_8_best/checkpoints/latest.safetensors"), 0);
    CHECK(runs_same("p_8", "p_8_best", "checkpoints/latest.safetensors"));         /* the last update is the best: its weights */
}

/* Cadences in epochs are exact, and of max_steps and epochs the one that comes first ends the run. 43 samples in batches of 8: 6 updates. */
static void cadence_by_epochs(void)
{
    static const int64_t validated[] = {6, 12, 13}, saved[] = {3, 6, 9, 12, 13};
    SOURCES(43, 20);
    runs_trace t = {0};
    fv_train_options o = {DATA, SETTINGS("batch_size=8", "validate_every=1 epoch", "save_every=0.5 epochs"), .epochs = 3, .max_steps = 13, .run = "p_cadence"};
    runs_clean("p_cadence");
    runs_outcome r = runs_train(&o, NULL, &t);
    CHECK_MSG(r.status == FV_OK, "%s", r.message);
    CHECK_EQ(t.steps, 13);
    CHECK_EQ(t.validations, 3);
    for (int i = 0; i < 3; i++) CHECK_EQ(t.validated[i], validated[i]);
    CHECK_EQ(t.saves, 5);
    for (int i = 0; i < 5; i++) CHECK_EQ(t.saved[i], saved[i]);
    runs_clean("p_cadence");
    t = (runs_trace){0};
    o.epochs = 2;
    o.max_steps = 100;
    CHECK_EQ(runs_train(&o, NULL, &t).status, FV_OK);
    CHECK_EQ(t.steps, 12);
    CHECK_EQ(t.validations, 2);
}

/* ---- trap 9 ------------------------------------------------------------------------------------------------------------- */

typedef struct script { const double *values; int64_t step; } script;

static void follow(runs_trace *t, fv_train_event event, const fv_train_progress *p)
{
    if (event == FV_TRAIN_STEP) ((script *)t->user)->step = p->step;
}

static void script_add(void *user, const fv_batch *b, const fv_results *r)
{
    (void)user;
    (void)b;
    (void)r;
}

static double script_value(void *user)
{
    const script *s = user;
    return s->values[s->step - 1];
}

/* Trap 9: "better" wants all figures to rise, takes larger for better even of a loss, lets NaN pass as an improvement and is then
 * content with anything, or never accepts again. */
static void trap_9_best(void)
{
    static const struct { const char *why; bool smaller; double values[8]; int64_t best[8]; } cases[] = {
        {"the first counts, a tie keeps the older, a fall is none", false, {.5, .5, .4, .6, .6, .7, .7, .1}, {1, 1, 1, 4, 4, 6, 6, 6}},
        {"0 is a figure too", false, {0, 0, 0, .1, 0, 0, 0, .1}, {1, 1, 1, 4, 4, 4, 4, 4}},
        {"smaller is better", true, {2, 2.5, 2, 1.5, 1.5, .1, .2, .1}, {1, 1, 1, 4, 4, 6, 6, 6}},
        {"NaN is never better, and does not stand in the way", false, {NAN, NAN, .1, NAN, .1, .2, NAN, .3}, {-1, -1, 3, 3, 3, 6, 6, 8}},
        {"the same where smaller is better", true, {NAN, .3, NAN, .4, .2, NAN, -1, -2}, {-1, 2, 2, 2, 5, 5, 7, 8}},
        {"an infinite figure is none", false, {INFINITY, .1, -INFINITY, .2, INFINITY, .2, .3, .3}, {-1, 2, 2, 4, 4, 4, 7, 7}},
    };
    for (int i = 0; i < FVI_COUNT(cases); i++) {
        SOURCES(43, 20);
        script s = {cases[i].values, 0};
        runs_trace t = {.also = follow, .user = &s};
        fv_own_metric m = {.name = "script", .monitor = true, .smaller_is_better = cases[i].smaller, .user = &s, .add = script_add, .value = script_value};
        runs_clean("p_9");
        for (int64_t stop = 5; stop >= 0; stop -= 5) {   /* what is best survives resuming */
            t.stop_at = stop;
            runs_outcome r = runs_train(&(fv_train_options){DATA, SETTINGS("batch_size=8", "max_steps=8", "validate_every=1"), .run = "p_9", .metrics = &m, .n_metrics = 1},
                                        runs_plain, &t);
            CHECK_MSG(r.status == (stop ? FV_ERROR_CANCELED : FV_OK), "%s", r.message);
            CHECK_MSG(r.p.best_step == cases[i].best[stop ? 4 : 7] || stop, "%s: best is step %lld", cases[i].why, (long long)r.p.best_step);
        }
        for (int k = 0; k < 8; k++)
            CHECK_MSG(t.improved[k] == (cases[i].best[k] == k + 1), "%s: step %d %s", cases[i].why, k + 1, t.improved[k] ? "counts as best" : "does not count as best");
    }
}

/* A loss that is monitored is minimised, without having to say so; mode=max says otherwise. */
static void trap_9_direction_of_a_loss(void)
{
    for (int max = 0; max < 2; max++) {
        SOURCES(43, 20);
        runs_trace t = {0};
        runs_clean("p_9");
        runs_outcome r = runs_train(&(fv_train_options){DATA, SETTINGS("batch_size=8", "max_steps=8", "validate_every=1", "monitor=loss", max ? "mode=max" : "mode=auto",
                                                        "learning_rate=0.05"), .run = "p_9"}, NULL, &t);
        CHECK_MSG(r.status == FV_OK, "%s", r.message);
        double best = t.val_loss[0];
        for (int i = 1; i < 8; i++) best = max ? fmax(best, t.val_loss[i]) : fmin(best, t.val_loss[i]);
        CHECK_CLOSE(r.p.best, best, 0);
        CHECK_CLOSE(t.val_loss[r.p.best_step - 1], best, 0);
    }
}

/* The count of early stop survives resuming; min_delta is its affair alone: best takes every improvement. */
static void patience_is_kept(void)
{
    static const double values[] = {.5, .52, .51, .53, .3, .9, .9, .9, .9, .9, .9, .9};
    for (int64_t stop = 0; stop < 5; stop++) {
        SOURCES(43, 20);
        script s = {values, 0};
        runs_trace t = {.also = follow, .user = &s, .stop_at = stop};
        fv_own_metric m = {.name = "script", .monitor = true, .user = &s, .add = script_add, .value = script_value};
        fv_train_options o = {DATA, SETTINGS("batch_size=8", "max_steps=12", "validate_every=1", "early_stop=4", "early_stop.min_delta=0.1"), .run = "p_patience",
                              .metrics = &m, .n_metrics = 1};
        runs_clean("p_patience");
        runs_outcome r = runs_train(&o, runs_plain, &t);
        t.stop_at = 0;
        if (stop) r = runs_train(&o, runs_plain, &t);
        CHECK_MSG(r.status == FV_OK, "%s", r.message);
        CHECK_EQ(r.p.step, 5);                           /* .5, then four that are not better by more than 0.1 */
        CHECK_EQ(r.p.best_step, 4);
        CHECK_CLOSE(r.p.best, .53, 0);
        CHECK(runs_train(&o, runs_plain, NULL).p.finished);
    }
    /* Going on after an early stop is meant: the count starts anew. */
    SOURCES(43, 20);
    script s = {values, 0};
    runs_trace t = {.also = follow, .user = &s};
    fv_own_metric m = {.name = "script", .monitor = true, .user = &s, .add = script_add, .value = script_value};
    runs_outcome r = runs_train(&(fv_train_options){DATA, SETTINGS("batch_size=8", "max_steps=12", "validate_every=1", "early_stop=4", "early_stop.min_delta=0.1",
        "learning_rate=1e-5"), .run = "p_patience", .metrics = &m, .n_metrics = 1, .mode = FV_RUN_CONTINUE}, runs_plain, &t);
    CHECK_MSG(r.status == FV_OK, "%s", r.message);
    CHECK_EQ(r.p.step, 10);                              /* .9 at step 6, then four */
    CHECK_EQ(r.p.best_step, 6);
}

/* ---- trap 11 ------------------------------------------------------------------------------------------------------------ */

/* Trap 11: a checkpoint without random state, epoch, order of the data, averages, plateau: with each schedule and everything on, a
 * run that is stopped goes on to the same files. */
static void trap_11_resuming_restores_everything(void)
{
    static const char *const schedules[] = {"constant", "cosine", "warmup_cosine", "multi_step", "one_cycle", "warm_restarts", "plateau"};
    for (int i = 0; i < FVI_COUNT(schedules); i++) {
        SOURCES(43, 20);
        fv_train_options o = {DATA, SETTINGS("batch_size=4", "gradient_accumulation_steps=2", "max_steps=9", "ema_decay=0.9", "augment.pad_crop=1", "augment.horizontal_flip=0.5",
            "validate_every=2", "save_every=3", "milestones=3,6", "restart_iters=2", "restart_mult=2", "plateau.patience=0", "plateau.threshold=0.2", "plateau.factor=0.5",
            "early_stop=50", "freeze=stem", "max_grad_norm=1"), .optimizer = i & 1 ? "sgd" : "adamw", .scheduler = schedules[i], .learning_rate = 0.02, .run = "p_straight"};
        runs_trace whole = {0}, cut = {.stop_at = 5};
        runs_clean("p_straight");
        runs_clean("p_cut");
        runs_outcome r = runs_train(&o, NULL, &whole);
        CHECK_MSG(r.status == FV_OK, "%s: %s", schedules[i], r.message);
        o.run = "p_cut";
        CHECK_EQ(runs_train(&o, NULL, &cut).status, FV_ERROR_CANCELED);
        cut.stop_at = 0;
        r = runs_train(&o, NULL, &cut);
        CHECK_MSG(r.status == FV_OK, "%s: %s", schedules[i], r.message);
        CHECK_EQ(cut.steps, 9);
        for (int k = 0; k < 9; k++) CHECK_MSG(cut.rate[k] == whole.rate[k], "%s: the rate of step %d", schedules[i], k + 1);
        CHECK_MSG(runs_all_same("p_straight", "p_cut"), "%s", schedules[i]);
        if (i == 6) CHECK_MSG(whole.rate[8] < 0.02, "plateau never reduced the rate");
    }
}

static double number_in(runs_trace *t, const char *name)
{
    double v = NAN;
    fv_session *s = fv_trainer_session(t->trainer);
    fv_var *var = fv_session_find(s, name);
    if (!var || fv_var_get(s, var, &(fv_tensor){.dtype = FV_F64, .data = &v}) != FV_OK) return NAN;
    return v;
}

typedef struct state { double step; double weight[RUNS_CLASSES * 8], average[RUNS_CLASSES * 8], before[RUNS_CLASSES * 8]; } state;

static void read_state(runs_trace *t, fv_train_event event, const fv_train_progress *p)
{
    (void)p;
    state *s = t->user;
    fv_session *session = fv_trainer_session(t->trainer);
    if (event != FV_TRAIN_START && event != FV_TRAIN_STEP) return;
    fv_tensor w = {FV_F64, 2, {RUNS_CLASSES, 8}, event == FV_TRAIN_START ? s->before : s->weight}, a = {FV_F64, 2, {RUNS_CLASSES, 8}, s->average};
    fv_var *average = fv_session_find(session, "head.weight:ema");
    s->step = number_in(t, "head.weight:step");
    if (fv_var_get(session, fv_session_find(session, "head.weight"), &w) != FV_OK || (average && fv_var_get(session, average, &a) != FV_OK)) s->step = NAN;
}

/* Trap 11: the schedule's numbers come from the checkpoint, so that editing the configuration is silently ignored; the optimizer's
 * state is positional, so that another grouping gives tensors the state of others. */
static void trap_11_changed_keys_take_effect(void)
{
    SOURCES(43, 20);
    const fv_schedule longer = {.name = "cosine", .base = 0.005, .total = 20};
    runs_trace t = {.stop_at = 6};
    state s;
    fv_train_options o = {DATA, SETTINGS("batch_size=4"), .scheduler = "cosine", .max_steps = 10, .learning_rate = 0.01, .run = "p_keys"};
    runs_clean("p_keys");
    CHECK_EQ(runs_train(&o, NULL, &t).status, FV_ERROR_CANCELED);
    o.learning_rate = 0.005;
    o.max_steps = 20;
    runs_outcome r = runs_train(&o, NULL, NULL);
    CHECK_EQ(r.status, FV_ERROR_CONFIG);                 /* not silently */
    CHECK_HAS(r.message, "max_steps (10, now 20)");
    CHECK_HAS(r.message, "learning_rate (0.01, now 0.005)");
    o.mode = FV_RUN_CONTINUE;
    t = (runs_trace){.stop_at = 9, .also = read_state, .user = &s};
    CHECK_EQ(runs_train(&o, NULL, &t).status, FV_ERROR_CANCELED);
    for (int i = 0; i < 3; i++) CHECK_CLOSE(t.rate[i], fv_schedule_rate(&longer, 6 + i), 0);
    CHECK_CLOSE(s.step, 9, 0);                           /* the same optimizer goes on */
    /* Another optimizer: none of the old state, not even the count that Adam corrects its bias by. */
    o.optimizer = "sgd";
    t = (runs_trace){.stop_at = 12, .also = read_state, .user = &s};
    CHECK_EQ(runs_train(&o, NULL, &t).status, FV_ERROR_CANCELED);
    CHECK_CLOSE(s.step, 3, 0);
    o.optimizer = "adamw";
    t = (runs_trace){.stop_at = 14, .also = read_state, .user = &s};
    CHECK_EQ(runs_train(&o, NULL, &t).status, FV_ERROR_CANCELED);
    CHECK_CLOSE(s.step, 2, 0);
    /* An average that begins in the middle begins with the weights, not with zeros. */
    fv_train_options with = {DATA, SETTINGS("batch_size=4", "ema_decay=0.9"), .scheduler = "cosine", .optimizer = "adamw", .max_steps = 20, .learning_rate = 0.005,
                             .run = "p_keys", .mode = FV_RUN_CONTINUE};
    t = (runs_trace){.stop_at = 15, .also = read_state, .user = &s};
    CHECK_EQ(runs_train(&with, NULL, &t).status, FV_ERROR_CANCELED);
    const double decay = fvi_ema_decay(0.9, 14);
    for (int i = 0; i < RUNS_CLASSES * 8; i++) CHECK_CLOSE(s.average[i], decay * s.before[i] + (1 - decay) * s.weight[i], 1e-6);
    /* What happened stands in segments.json. */
    char *segments = runs_read("p_keys", "segments.json");
    CHECK_HAS(segments, "{\"step\":6,");
    CHECK_HAS(segments, "\"optimizer\":{\"from\":\"adamw\",\"to\":\"sgd\"}");
    CHECK_HAS(segments, "{\"step\":14,");
    CHECK_HAS(segments, "\"ema_decay\":{\"from\":0,\"to\":0.9}");
    fvi_free(segments);
}

/* Traps 11 and 20: class order is not checked: 1 was "cat" then and is "dog" now. */
static void trap_11_classes_are_checked(void)
{
    static const char *const names[] = {"cat", "dog", "龙"}, *const others[] = {"dog", "cat", "龙"};
    SOURCES(43, 20);
    runs_trace t = {.stop_at = 2};
    fv_train_options o = {DATA, SETTINGS("batch_size=8", "max_steps=4"), .run = "p_classes"};
    train.class_names = val.class_names = names;
    runs_clean("p_classes");
    CHECK_EQ(runs_train(&o, NULL, &t).status, FV_ERROR_CANCELED);
    train.class_names = val.class_names = others;
    runs_outcome r = runs_train(&o, NULL, NULL);
    CHECK_EQ(r.status, FV_ERROR_FORMAT);
    CHECK_HAS(r.message, "trained on classes [\"cat\", \"dog\", \"龙\"], the data have [\"dog\", \"cat\", \"龙\"]");
    train.class_names = val.class_names = names;
    CHECK_EQ(runs_train(&o, NULL, NULL).status, FV_OK);
}

/* ---- traps 13, 15, 17 --------------------------------------------------------------------------------------------------- */

/* Trap 13: learning_rate is a factor of the schedule's absolute rate, so it must be 1 and is forgotten; the rate of the first update
 * is 0, which makes it none. */
static void trap_13_the_peak_is_what_was_said(void)
{
    static const struct { const char *rate, *peak; double want; } cases[] = {
        {"learning_rate=1", "max_learning_rate=0.001", .001}, {"learning_rate=0.004", "max_learning_rate=0", .004}, {"learning_rate=0.5", "max_learning_rate=0.002", .002}};
    for (int i = 0; i < FVI_COUNT(cases); i++) {
        SOURCES(43, 20);
        runs_trace t = {0};
        double highest = 0;
        runs_clean("p_13");
        runs_outcome r = runs_train(&(fv_train_options){DATA, SETTINGS("batch_size=8", "max_steps=10", "warmup_iters=4", cases[i].rate, cases[i].peak),
                                                        .scheduler = "warmup_cosine", .run = "p_13"}, runs_plain, &t);
        CHECK_MSG(r.status == FV_OK, "%s", r.message);
        for (int k = 0; k < t.steps; k++) highest = fmax(highest, t.rate[k]);
        CHECK_CLOSE(highest, cases[i].want, 1e-15);
        CHECK_CLOSE(t.rate[0], cases[i].want / 4, 1e-15);
    }
}

/* Trap 15: the rate is logged after the schedule has stepped: that of the next update. Here a row has the rate that its update used;
 * of plain SGD, which moves a bias whose gradient is 1 by just that. */
static void note_bias(runs_trace *t, fv_train_event event, const fv_train_progress *p)
{
    double *moved = t->user, b[RUNS_CLASSES];
    fv_session *s = fv_trainer_session(t->trainer);
    if (event != FV_TRAIN_START && event != FV_TRAIN_STEP) return;
    if (fv_var_get(s, fv_session_find(s, "head.bias"), &(fv_tensor){FV_F64, 1, {RUNS_CLASSES}, b}) == FV_OK) moved[p->step] = b[0];
}

static void trap_15_the_logged_rate_is_the_one_used(void)
{
    SOURCES(43, 20);
    double bias[16] = {0};
    runs_trace t = {.also = note_bias, .user = bias};
    runs_clean("p_15");
    runs_outcome r = runs_train(&(fv_train_options){DATA, SETTINGS("batch_size=8", "max_steps=8", "momentum=0", "weight_decay=0", "restart_iters=3", "validate_every=3"),
                                                    .optimizer = "sgd", .scheduler = "warm_restarts", .learning_rate = 0.1, .loss = counting_loss, .run = "p_15"}, runs_plain, &t);
    CHECK_MSG(r.status == FV_OK, "%s", r.message);
    char *csv = runs_read("p_15", "metrics.csv"), *line = strchr(csv, '\n');
    for (int i = 0; i < 8; i++) {
        int step = 0;
        double rate = 0;
        CHECK_CLOSE(t.rate[i], bias[i] - bias[i + 1], 1e-5);
        CHECK(line && sscanf(line + 1, "%d,%*f,%lf,", &step, &rate) == 2);
        CHECK_EQ(step, i + 1);
        CHECK_CLOSE(rate, t.rate[i], 1e-8);
        line = strchr(line + 1, '\n');
    }
    fvi_free(csv);
}

/* Trap 15: Ctrl-C is swallowed and nothing is saved. A trainer that is interrupted saves where it stands, validation or not. */
static void interrupt_now(runs_trace *t, fv_train_event event, const fv_train_progress *p)
{
    if (event == FV_TRAIN_STEP && p->step == 3) fv_trainer_interrupt(t->trainer);
}

static void trap_15_an_interrupt_saves(void)
{
    SOURCES(43, 20);
    runs_trace t = {.also = interrupt_now};
    fv_train_options o = {DATA, SETTINGS("batch_size=8", "max_steps=6", "validate_every=3", "save_every=100"), .run = "p_int"};
    runs_clean("p_int");
    runs_outcome r = runs_train(&o, NULL, &t);
    CHECK_EQ(r.status, FV_ERROR_CANCELED);
    CHECK_HAS(r.message, "interrupted; saved at step 3 of 6. Go on with: fovea train ");
    CHECK_EQ(t.validations, 0);
    t = (runs_trace){0};
    r = runs_train(&o, NULL, &t);
    CHECK_MSG(r.status == FV_OK, "%s", r.message);
    CHECK_EQ(r.p.start_step, 3);
    CHECK_EQ(t.validations, 2);                          /* that of step 3 is made up for */
    CHECK_EQ(t.validated[0], 3);
}

/* Trap 17: no seeds. The same seed is the same run; another one is another; the split and the data are not the seed's affair. */
static void trap_17_a_seed_is_a_run(void)
{
    SOURCES(43, 20);
    fv_train_options o = {DATA, SETTINGS("batch_size=8", "max_steps=4", "augment.horizontal_flip=0.5"), .seed = 3, .run = "p_17a"};
    runs_clean("p_17a");
    runs_clean("p_17b");
    runs_clean("p_17c");
    CHECK_EQ(runs_train(&o, NULL, NULL).status, FV_OK);
    o.run = "p_17b";
    CHECK_EQ(runs_train(&o, NULL, NULL).status, FV_OK);
    CHECK(runs_all_same("p_17a", "p_17b"));
    o.run = "p_17c";
    o.seed = 4;
    CHECK_EQ(runs_train(&o, NULL, NULL).status, FV_OK);
    CHECK(!runs_same("p_17a", "p_17c", "checkpoints/latest.safetensors"));
}

TEST_MAIN(CASE(trap_1_validation_is_of_validation_data), CASE(trap_3_nothing_is_deleted), CASE(trap_4_figures_are_of_all_samples), CASE(weights_and_averages_are_validated), CASE(trap_5_decay_is_by_role),
          CASE(trap_6_a_step_is_an_update), CASE(trap_7_accumulation_is_of_what_was_seen), CASE(trap_8_the_end_is_validated_and_saved), CASE(cadence_by_epochs), CASE(trap_9_best),
          CASE(trap_9_direction_of_a_loss), CASE(patience_is_kept), CASE(trap_11_resuming_restores_everything), CASE(trap_11_changed_keys_take_effect),
          CASE(trap_11_classes_are_checked), CASE(trap_13_the_peak_is_what_was_said), CASE(trap_15_the_logged_rate_is_the_one_used),
          CASE(trap_15_an_interrupt_saves), CASE(trap_17_a_seed_is_a_run))
