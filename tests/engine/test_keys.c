/* SPDX-License-Identifier: Apache-2.0 */
/* What changes from call to call: the size of the pictures (a plan each, kept), the size of the last batch, the number of
 * rows of ragged targets (one plan for all). */
#include "base/base.h"
#include "nets.h"
#include "test.h"

static void check_end(nets *n)
{
    const double distance = nets_distance(n);
    CHECK_MSG(distance <= n->tolerance, "%s is %.3g from PyTorch", n->worst, distance);
}

typedef struct trainer { nets_step step; fv_function *gradient, *update; } trainer;

static bool open_trainer(nets *n, trainer *t, int64_t size, int cache, const fv_optimizer_options *o)
{
    const fv_function_options options = {.training = true, .cache = cache};
    t->step = (nets_step){.net = nets_two_blocks, .session = n->s, .optimizer = *o};
    t->gradient = nets_function(n, "gradient", NETS_PICTURES(size), 2, nets_build_gradient, &t->step, &options);
    t->update = nets_function(n, "update", NULL, 0, nets_build_update, &t->step, &options);
    return t->gradient && t->update;
}

static void close_trainer(trainer *t)
{
    fv_function_destroy(t->gradient);
    fv_function_destroy(t->update);
}

/* A step of `count` pictures; the loss, or NaN after an error. */
static double train(nets *n, trainer *t, const char *proof, int step, int64_t count, int64_t size)
{
    char x[64], y[64];
    snprintf(x, sizeof x, "%s.x%d", proof, step);
    snprintf(y, sizeof y, "%s.y%d", proof, step);
    const fv_tensor in[2] = {nets_data(n, x, 4, (const int64_t[]){count, 3, size, size}), nets_labels(n, y, count, 5)};
    fv_tensor loss = nets_scalar(n);
    if (!step && (fv_function_compile(t->gradient, in, 2, NULL) != FV_OK || !nets_initial(n))) return NAN;
    if (fv_function_call(t->gradient, in, 2, &loss, 1) == FV_OK && fv_function_call(t->update, NULL, 0, NULL, 0) == FV_OK) return nets_number(loss);
    printf("    %s\n", fv_error_text(n->ctx));
    return NAN;
}

static void sizes(const nets_way *way, int cache)
{
    static const int64_t size[3] = {32, 48, 64};
    nets n;
    trainer t;
    CHECK(nets_open(&n, "sizes", way));
    CHECK(open_trainer(&n, &t, FV_ANY, cache, &(fv_optimizer_options){.name = "sgd", .weight_decay = 1e-3}));
    CHECK(nets_set(&n, "lr", 0.05) && nets_set(&n, "momentum", 0.9));
    int64_t missed = 0;
    for (int step = 0; step < 9; step++) {
        const int64_t before = fvi_memory_count();
        CHECK_CLOSE(train(&n, &t, "sizes", step, 2, size[step * 2 % 3]), nets_golden(&n, "loss", step), n.tolerance);
        /* A plan that is found takes no memory: only the arena of this test may have grown by a chunk or three. */
        missed += fvi_memory_count() - before > 3;
    }
    check_end(&n);
    CHECK_EQ(t.step.gradient_builds, 3);
    CHECK_EQ(t.step.update_builds, 1);
    CHECK_EQ(missed, cache ? 9 : 3);
    close_trainer(&t);
    nets_close(&n);
}

static void last_batch(const nets_way *way)
{
    nets n;
    trainer t;
    CHECK(nets_open(&n, "last_batch", way));
    CHECK(open_trainer(&n, &t, 8, 0, &(fv_optimizer_options){.name = "adamw", .weight_decay = 0.05, .max_grad_norm = 1}));
    CHECK(nets_set(&n, "lr", 1e-2) && nets_set(&n, "beta1", 0.9));
    for (int step = 0; step < 6; step++)
        CHECK_CLOSE(train(&n, &t, "last", step, step % 3 == 2 ? 1 : 4, 8), nets_golden(&n, "loss", step), n.tolerance);
    check_end(&n);
    CHECK_EQ(t.step.gradient_builds, 1);                              /* N is symbolic: one graph, two plans */
    close_trainer(&t);
    nets_close(&n);
}

/* ---- ragged targets ---- */

typedef struct ragged { fv_session *s; int builds; } ragged;

static fv_status build_ragged(fv_graph *g, fv_value *const *in, int n_in, void *user)
{
    ragged *r = user;
    (void)n_in;
    r->builds++;
    fv_value *h = fv_relu(g, fv_conv2d(g, "conv", in[0], &FV_CONV(.out = 6, .kernel = 3, .stride = 2, .padding = 1, .bias = true)));
    fv_value *y = fv_linear(g, "fc", fv_global_average_pool(g, h), 3);
    fv_value *count = fv_reshape(g, fv_offset(g, fv_cast(g, in[2], fv_graph_dtype(g)), 1), 2, (const int64_t[]){FV_N, 1});
    fv_value *target = fv_div(g, fv_ragged_sum(g, in[1], in[2]), count);
    fv_value *loss = fv_sum(g, fv_square(g, fv_sub(g, y, target)), 0, false);
    fv_value *weight = fv_sum(g, fv_full(g, 1, 1, (const int64_t[]){FV_N}), 0, false);
    fv_result(g, "loss", loss);
    const fv_status status = fv_accumulate_gradients(g, NULL, loss, weight, true);
    return status != FV_OK ? status : fv_optimizer_update(g, r->s, &(fv_optimizer_options){.name = "sgd"});
}

static void ragged_targets(const nets_way *way)
{
    static int64_t counts[7][4] = {{0, 0, 0, 0}, {1, 0, 3, 2}, {500, 1500, 0, 0}, {0, 0, 0, 1}, {2000, 0, 0, 0}, {0, 0, 0, 0}, {7, 11, 13, 17}};
    const fv_input_spec specs[3] = {{"x", FV_F64, 4, {FV_N, 3, 8, 8}}, {"rows", FV_F64, 2, {FV_RAGGED, 3}}, {"counts", FV_I64, 1, {FV_N}}};
    nets n;
    CHECK(nets_open(&n, "ragged", way));
    ragged r = {.s = n.s};
    fv_function *f = nets_function(&n, "ragged", specs, 3, build_ragged, &r, &(fv_function_options){.training = true});
    CHECK(f);
    CHECK(nets_set(&n, "lr", 0.1) && nets_set(&n, "momentum", 0.9));
    fv_tensor loss = nets_scalar(&n);
    for (int step = 0; step < 7; step++) {
        char name[64];
        int64_t rows = 0;
        for (int i = 0; i < 4; i++) rows += counts[step][i];
        snprintf(name, sizeof name, "ragged.x%d", step);
        fv_tensor in[3] = {nets_data(&n, name, 4, (const int64_t[]){4, 3, 8, 8})};
        snprintf(name, sizeof name, "ragged.v%d", step);
        in[1] = nets_data(&n, name, 2, (const int64_t[]){rows, 3});
        in[2] = (fv_tensor){FV_I64, 1, {4}, counts[step]};
        if (!rows) in[1].data = NULL;
        if (!step) {
            NETS_OK(fv_function_compile(f, in, 3, NULL));
            CHECK(nets_initial(&n));
        }
        NETS_OK(fv_function_call(f, in, 3, &loss, 1));
        CHECK_CLOSE(nets_number(loss), nets_golden(&n, "loss", step), n.tolerance);
    }
    check_end(&n);
    CHECK_EQ(r.builds, 1);
    fv_function_destroy(f);
    nets_close(&n);
}

static void test_sizes(void) { sizes(&nets_ways[0], 0); }
static void test_sizes_interpreted(void) { sizes(&nets_ways[1], 0); }
static void test_sizes_f32(void) { sizes(&nets_ways[2], 0); }
static void test_sizes_small_cache(void) { sizes(&nets_ways[0], 2); }           /* the one needed next is always gone */
static void test_last_batch(void) { last_batch(&nets_ways[0]); }
static void test_last_batch_interpreted(void) { last_batch(&nets_ways[1]); }
static void test_last_batch_f32(void) { last_batch(&nets_ways[2]); }
static void test_ragged(void) { ragged_targets(&nets_ways[0]); }
static void test_ragged_interpreted(void) { ragged_targets(&nets_ways[1]); }
static void test_ragged_f32(void) { ragged_targets(&nets_ways[2]); }

TEST_MAIN(CASE(test_sizes), CASE(test_sizes_interpreted), CASE(test_sizes_f32), CASE(test_sizes_small_cache), CASE(test_last_batch),
          CASE(test_last_batch_interpreted), CASE(test_last_batch_f32), CASE(test_ragged), CASE(test_ragged_interpreted),
          CASE(test_ragged_f32))
