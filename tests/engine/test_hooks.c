/* SPDX-License-Identifier: Apache-2.0 */
/* Parts of the user's own in a trainer: step, figures, loss; and freezing, which all of them obey. */
#include "test.h"

#include "base/base.h"
#include "fovea/nn.h"
#include "runs.h"

static runs_data train_reads, val_reads = {.base = 100000};

#define SETTINGS(...) .settings = (const char *const[]){"image_size=6", "threads=1", __VA_ARGS__}, \
                      .n_settings = (int)(sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *)) + 2
#define DATA .train_data = &train, .val_data = &val
#define SOURCES fv_source train = runs_source(&train_reads, 43), val = runs_source(&val_reads, 20)

typedef struct own { int gradients, updates; const char *prefix; } own;

static fv_status own_gradient(fv_graph *g, const fv_model *m, fv_value *images, fv_value *labels, bool first, void *user)
{
    fv_value *weight = NULL, *loss = fv_cross_entropy(g, fv_model_build(g, m, images), labels, NULL, &weight);
    ((own *)user)->gradients++;
    FVI_TRY(fv_graph_context(g), fv_accumulate_gradients(g, ((own *)user)->prefix, loss, weight, first));
    fv_result(g, "loss", loss);
    fv_result(g, "weight", weight);
    return fv_graph_status(g);
}

static fv_status own_update(fv_graph *g, fv_session *s, const fv_optimizer_options *o, void *user)
{
    ((own *)user)->updates++;
    fv_optimizer_options mine = *o;
    mine.prefix = ((own *)user)->prefix;
    return fv_optimizer_update(g, s, &mine);
}

/* A step of one's own that does what the trainer's does is the same run, resumed or not. */
static void own_step_is_the_step(void)
{
    SOURCES;
    own o = {0};
    const fv_own_step step = {&o, own_gradient, own_update}, half = {&o, own_gradient, NULL};
    runs_trace t = {0};
    fv_train_options plain = {DATA, SETTINGS("batch_size=4", "gradient_accumulation_steps=3", "max_steps=7", "ema_decay=0.9", "validate_every=2", "max_grad_norm=1"),
                              .optimizer = "adamw", .scheduler = "one_cycle", .learning_rate = 0.01, .run = "h_plain"}, with = plain;
    with.run = "h_own";
    with.step = &step;
    runs_clean("h_plain");
    runs_clean("h_own");
    CHECK_EQ(runs_train(&plain, NULL, NULL).status, FV_OK);
    t.stop_at = 3;
    CHECK_EQ(runs_train(&with, NULL, &t).status, FV_ERROR_CANCELED);
    CHECK(o.gradients >= 2 && o.updates >= 1);
    t.stop_at = 0;
    runs_outcome r = runs_train(&with, NULL, &t);
    CHECK_MSG(r.status == FV_OK, "%s", r.message);
    CHECK(runs_all_same("h_plain", "h_own"));
    runs_clean("h_own");
    with.step = &half;
    CHECK_EQ(runs_train(&with, NULL, NULL).status, FV_OK);
    CHECK(runs_all_same("h_plain", "h_own"));
}

/* ---- figures ------------------------------------------------------------------------------------------------------------ */

static void count_begin(void *user) { *(double *)user = 0; }
static void count_add(void *user, const fv_batch *b, const fv_results *r)
{
    *(double *)user += fv_results_find(r, "scores") ? (double)b->n : -1000;
}
static double count_value(void *user) { return *(double *)user; }
static double no_value(void *user)
{
    (void)user;
    return NAN;
}

static void own_figures(void)
{
    SOURCES;
    double n = 0, unused = 0;
    const fv_own_metric figures[2] = {{.name = "count", .user = &n, .begin = count_begin, .add = count_add, .value = count_value},
                                      {.name = "nothing", .user = &unused, .add = count_add, .value = no_value}};
    runs_clean("h_figures");
    fv_train_options o = {DATA, SETTINGS("batch_size=8", "max_steps=4", "validate_every=2", "ema_decay=0.9"), .metrics = figures, .n_metrics = 2, .run = "h_figures"};
    runs_trace t = {.stop_at = 3};
    CHECK_EQ(runs_train(&o, NULL, &t).status, FV_ERROR_CANCELED);
    t.stop_at = 0;
    runs_outcome r = runs_train(&o, NULL, &t);
    CHECK_MSG(r.status == FV_OK, "%s", r.message);
    CHECK_CLOSE(n, 20, 0);
    CHECK_EQ(r.p.n_metrics, 9);                          /* eight (no top5 of three classes), and the one that has a value */
    CHECK_STR(r.p.monitor, "acc");
    char *csv = runs_read("h_figures", "metrics.csv");
    CHECK_HAS(csv, ",val_acc_raw,val_count,val_nothing\n");
    CHECK_HAS(csv, ",20,\n");
    CHECK_HAS(csv, ",,,,,,,,,,,\n");                     /* a row without validation has the same number of cells */
    fvi_free(csv);
    csv = runs_read("h_figures", "summary.json");
    CHECK_HAS(csv, "\"val_count\": 20");
    fvi_free(csv);
}

static void wrong_figures(void)
{
    SOURCES;
    double n = 0;
    static const char *const names[] = {NULL, "", "Two Words", "acc", "twice"};
    for (int i = 0; i < FVI_COUNT(names); i++) {
        const fv_own_metric figures[2] = {{.name = names[i], .user = &n, .add = count_add, .value = count_value},
                                          {.name = "twice", .user = &n, .add = count_add, .value = count_value}};
        runs_outcome r = runs_train(&(fv_train_options){DATA, SETTINGS("batch_size=8", "max_steps=4"), .metrics = figures, .n_metrics = 2, .run = "h_wrong"}, NULL, NULL);
        CHECK_EQ(r.status, FV_ERROR_INVALID);
        CHECK_HAS(r.message, "own metric");
    }
    const fv_own_metric many[9] = {{.name = "a"}};
    CHECK_EQ(runs_train(&(fv_train_options){DATA, SETTINGS("max_steps=4"), .metrics = many, .n_metrics = 9, .run = "h_wrong"}, NULL, NULL).status, FV_ERROR_INVALID);
}

/* ---- freezing ----------------------------------------------------------------------------------------------------------- */

enum { VALUES = 1024, VARS = 64 };
typedef struct snapshot { int n; char name[VARS][64]; double values[VARS][VALUES]; char moved[VARS]; } snapshot;

static void watch_values(runs_trace *t, fv_train_event event, const fv_train_progress *p)
{
    (void)p;
    snapshot *s = t->user;
    if (event != FV_TRAIN_START && event != FV_TRAIN_END) return;
    fv_session *session = fv_trainer_session(t->trainer);
    int at = 0;
    for (int i = 0; i < fv_session_var_count(session) && at < VARS; i++) {
        fv_var *v = fv_session_var(session, i);
        double now[VALUES];
        fv_tensor x;
        fv_role role = fv_var_role(v);
        if ((role != FV_PARAMETER && role != FV_BUFFER) || fv_var_numel(v) > VALUES || fv_var_name(v)[0] == '_') continue;
        fv_var_shape(v, &x);
        x.dtype = FV_F64;
        x.data = now;
        if (fv_var_get(session, v, &x) != FV_OK) continue;
        if (event == FV_TRAIN_START) {
            snprintf(s->name[at], sizeof s->name[at], "%s", fv_var_name(v));
            memcpy(s->values[at], now, sizeof now);
        } else {
            s->moved[at] = memcmp(s->values[at], now, (size_t)fv_var_numel(v) * sizeof *now) != 0;
        }
        at++;
    }
    s->n = at;
}

/* Frozen is frozen: weights, scale and shift, running mean and variance; weight decay and the average do not touch them either. */
static void frozen_layers_stay(void)
{
    static const struct { const char *freeze; const char *still[4]; } cases[] = {
        {"freeze=stem", {"stem."}}, {"freeze=layer1", {"layer1."}}, {"freeze=stem,layer1.conv2", {"stem.", "layer1.conv2."}}, {"freeze=layer1.bn1", {"layer1.bn1."}},
        {"freeze=layer", {NULL}},
    };
    static snapshot s;
    for (int i = 0; i < FVI_COUNT(cases); i++) {
        SOURCES;
        runs_trace t = {.also = watch_values, .user = &s};
        runs_clean("h_freeze");
        s = (snapshot){0};
        runs_outcome r = runs_train(&(fv_train_options){DATA, SETTINGS("batch_size=8", "max_steps=3", "weight_decay=0.5", "ema_decay=0.5", "validate_every=1", cases[i].freeze),
                                                        .optimizer = "adamw", .learning_rate = 0.1, .run = "h_freeze"}, NULL, &t);
        if (!cases[i].still[0]) {                        /* a prefix ends at a dot: "layer" is none */
            CHECK_EQ(r.status, FV_ERROR_CONFIG);
            CHECK_HAS(r.message, "no parameter of tiny is below \"layer\"");
            continue;
        }
        CHECK_MSG(r.status == FV_OK, "%s", r.message);
        CHECK(r.p.trainable > 0 && r.p.trainable < r.p.parameters);
        CHECK(s.n > 10);
        for (int k = 0; k < s.n; k++) {
            bool still = false;
            for (int j = 0; j < 4 && cases[i].still[j]; j++) still = still || !strncmp(s.name[k], cases[i].still[j], strlen(cases[i].still[j]));
            CHECK_MSG(s.moved[k] == !still, "%s: %s %s", cases[i].freeze, s.name[k], s.moved[k] ? "moved" : "did not move");
        }
    }
}

/* A step that trains a part of the net: its parameters move and no others, whose statistics do. */
static void own_step_with_a_prefix(void)
{
    SOURCES;
    static snapshot s;
    own o = {.prefix = "head"};
    const fv_own_step step = {&o, own_gradient, own_update};
    runs_trace t = {.also = watch_values, .user = &s};
    int moved = 0;
    runs_clean("h_part");
    runs_outcome r = runs_train(&(fv_train_options){DATA, SETTINGS("batch_size=8", "max_steps=3", "weight_decay=0.5"), .step = &step, .run = "h_part",
                                                    .optimizer = "sgd", .learning_rate = 0.1}, NULL, &t);
    CHECK_MSG(r.status == FV_OK, "%s", r.message);
    CHECK(t.loss[2] != t.loss[0]);
    CHECK(s.n > 10);
    for (int k = 0; k < s.n; k++) {
        const bool statistic = strstr(s.name[k], "running_") || strstr(s.name[k], "num_batches");
        CHECK_MSG(s.moved[k] == (statistic || !strncmp(s.name[k], "head.", 5)), "%s %s", s.name[k], s.moved[k] ? "moved" : "did not move");
        moved += s.moved[k] && !statistic;
    }
    CHECK(moved >= 2);
}

/* all_but_head of a model of the library: 512 * 3 + 3 numbers are trained, and no batch norm moves. */
static void all_but_the_head(void)
{
    SOURCES;
    fv_context *ctx = fv_context_create();
    fv_trainer *trainer = NULL;
    runs_clean("h_head");
    const char *const settings[] = {"model=resnet18", "model_args.stem=cifar", "image_size=6", "threads=1", "batch_size=8", "max_steps=2", "freeze=all_but_head",
                                    "learning_rate=0.1"};
    fv_train_options o = {DATA, .settings = settings, .n_settings = FVI_COUNT(settings), .run = "h_head"};
    CHECK_MSG(fv_trainer_create(ctx, NULL, &o, &trainer) == FV_OK, "%s", fv_error_message(ctx));
    CHECK_MSG(fv_trainer_run(trainer) == FV_OK, "%s", fv_error_message(ctx));
    CHECK_EQ(fv_trainer_progress(trainer)->trainable, 512 * 3 + 3);
    CHECK(fv_session_find(fv_trainer_session(trainer), "layer4.1.conv2.weight:exp_avg") == NULL);      /* neither state nor gradient */
    float mean[64], spread[64];
    fv_session *session = fv_trainer_session(trainer);
    CHECK_EQ(fv_var_get(session, fv_session_find(session, "bn1.running_mean"), &(fv_tensor){FV_F32, 1, {64}, mean}), FV_OK);
    CHECK_EQ(fv_var_get(session, fv_session_find(session, "bn1.running_var"), &(fv_tensor){FV_F32, 1, {64}, spread}), FV_OK);
    for (int i = 0; i < 64; i++) CHECK(mean[i] == 0 && spread[i] == 1);
    fv_trainer_destroy(trainer);
    fv_context_destroy(ctx);
}

TEST_MAIN(CASE(own_step_is_the_step), CASE(own_step_with_a_prefix), CASE(own_figures), CASE(wrong_figures), CASE(frozen_layers_stay), CASE(all_but_the_head))
