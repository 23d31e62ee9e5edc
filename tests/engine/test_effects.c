/* SPDX-License-Identifier: Apache-2.0 */
/* What a step writes, and what it must not: running statistics of a batch norm that is applied twice, in order; nothing
 * at all when the gradient is not finite. And where a NaN came from: the op's path, forward or backward. */
#include "nets.h"
#include "test.h"

#include <stdlib.h>

static const fv_function_options training = {.training = true};

static void check_end(nets *n)
{
    const double distance = nets_distance(n);
    CHECK_MSG(distance <= n->tolerance, "%s is %.3g from PyTorch", n->worst, distance);
}

/* ---- batch norm applied twice ---- */

static fv_value *twice_net(fv_graph *g, fv_value *x)
{
    for (int i = 1; i <= 2; i++) {
        x = fv_conv2d(g, fv_name(g, "conv%d", i), x, &FV_CONV(.out = 6, .kernel = 3, .padding = 1));
        x = fv_relu(g, fv_batch_norm(g, "shared", x, NULL));
    }
    return fv_linear(g, "fc", fv_global_average_pool(g, x), 5);
}

static void bn_twice(const nets_way *way)
{
    nets n;
    CHECK(nets_open(&n, "bn_twice", way));
    nets_step step = {.net = twice_net, .session = n.s, .optimizer = {.name = "sgd", .weight_decay = 1e-3}};
    fv_function *gradient = nets_function(&n, "gradient", NETS_PICTURES(8), 2, nets_build_gradient, &step, &training);
    fv_function *update = nets_function(&n, "update", NULL, 0, nets_build_update, &step, &training);
    CHECK(gradient && update);
    fv_tensor loss = nets_scalar(&n);
    for (int i = 0; i < 5; i++) {
        char x[64], y[64];
        snprintf(x, sizeof x, "twice.x%d", i);
        snprintf(y, sizeof y, "twice.y%d", i);
        const fv_tensor in[2] = {nets_data(&n, x, 4, (const int64_t[]){4, 3, 8, 8}), nets_labels(&n, y, 4, 5)};
        if (!i) {
            NETS_OK(fv_function_compile(gradient, in, 2, NULL));
            CHECK(nets_initial(&n) && nets_set(&n, "lr", 0.05) && nets_set(&n, "momentum", 0.9));
        }
        NETS_OK(fv_function_call(gradient, in, 2, &loss, 1));
        NETS_OK(fv_function_call(update, NULL, 0, NULL, 0));
        CHECK_CLOSE(nets_number(loss), nets_golden(&n, "loss", i), n.tolerance);
    }
    check_end(&n);
    fv_function_destroy(gradient);
    fv_function_destroy(update);
    nets_close(&n);
}

/* ---- a gradient that is not finite ---- */

static fv_status build_regression(fv_graph *g, fv_value *const *in, int n_in, void *user)
{
    (void)n_in, (void)user;
    fv_value *loss = fv_sum(g, fv_square(g, fv_sub(g, nets_two_blocks(g, in[0]), in[1])), 0, false);
    fv_result(g, "loss", loss);
    return fv_accumulate_gradients(g, NULL, loss, fv_sum(g, fv_full(g, 1, 1, (const int64_t[]){FV_N}), 0, false), true);
}

static void spoil(fv_tensor y, double with)
{
    if (y.dtype == FV_F64) ((double *)y.data)[7] = with;
    else ((float *)y.data)[7] = (float)with;
}

/* Step 2 has a target that is not finite. */
static void skip(const nets_way *way, double with)
{
    static const fv_input_spec specs[2] = {{"x", FV_F64, 4, {FV_N, 3, 8, 8}}, {"y", FV_F64, 2, {FV_N, 5}}};
    nets n;
    CHECK(nets_open(&n, "skip", way));
    nets_step step = {.session = n.s, .optimizer = {.name = "adamw", .weight_decay = 0.05, .max_grad_norm = 1, .ema = true}};
    fv_function *gradient = nets_function(&n, "gradient", specs, 2, build_regression, NULL, &training);
    fv_function *update = nets_function(&n, "update", NULL, 0, nets_build_update, &step, &training);
    CHECK(gradient && update);
    fv_tensor loss = nets_scalar(&n), out[2] = {nets_scalar(&n), nets_scalar(&n)};
    for (int i = 0; i < 5; i++) {
        char x[64], y[64];
        snprintf(x, sizeof x, "skip.x%d", i);
        snprintf(y, sizeof y, "skip.y%d", i);
        const fv_tensor in[2] = {nets_data(&n, x, 4, (const int64_t[]){4, 3, 8, 8}), nets_data(&n, y, 2, (const int64_t[]){4, 5})};
        if (!i) {
            NETS_OK(fv_function_compile(gradient, in, 2, NULL));
            CHECK(nets_initial(&n) && nets_set(&n, "lr", 1e-2) && nets_set(&n, "beta1", 0.9));
        }
        if (i == 2) spoil(in[1], with);
        CHECK(nets_set(&n, "ema_decay", i ? 0.9 : 0));
        NETS_OK(fv_function_call(gradient, in, 2, &loss, 1));
        const nets_copy before = nets_snapshot(&n, "*", FV_ROLE_COUNT);
        NETS_OK(fv_function_call(update, NULL, 0, out, 2));
        const nets_copy after = nets_snapshot(&n, "*", FV_ROLE_COUNT);
        CHECK_CLOSE(nets_number(out[1]), i == 2, 0);
        CHECK_EQ(isfinite(nets_number(out[0])) != 0, i != 2);
        if (i == 2) {
            CHECK(!isfinite(nets_number(loss)));
            CHECK(nets_same(&before, &after));                        /* parameters, steps, averages, gradients: every bit */
        } else CHECK_CLOSE(nets_number(loss), nets_golden(&n, "loss", i), n.tolerance);
    }
    check_end(&n);
    fv_function_destroy(gradient);
    fv_function_destroy(update);
    nets_close(&n);
}

/* ---- where the NaN came from ---- */

static fv_value *hunted_net(fv_graph *g, fv_value *x)
{
    x = fv_conv_bn_act(g, "stem", x, &FV_CONV(.out = 16, .kernel = 3));
    x = fv_basic_block(g, "layer1", x, 16, 1);
    x = fv_basic_block(g, "layer2", x, 32, 2);
    return fv_linear(g, "fc", fv_global_average_pool(g, x), 5);
}

/* bf16 has casts of the same path before the op. A ReLU may stop a NaN on its way back, so not all reach the gradient. */
typedef struct hunt { const char *inject, *path, *op; bool backward, stopped; } hunt;

static void hunt_one(const nets_way *way, const hunt *h)
{
    nets n;
    CHECK_EQ(setenv("FOVEA_INJECT_NAN", h->inject, 1), 0);
    const bool opened = nets_open(&n, NULL, way);
    unsetenv("FOVEA_INJECT_NAN");
    CHECK(opened);
    nets_step step = {.net = hunted_net, .session = n.s, .optimizer = {.name = "sgd"}};
    fv_function *gradient = nets_function(&n, "gradient", NETS_PICTURES(8), 2, nets_build_gradient, &step, &training);
    fv_function *update = nets_function(&n, "update", NULL, 0, nets_build_update, &step, &training);
    CHECK(gradient && update);
    const fv_tensor in[2] = {nets_data(&n, "hunt.x", 4, (const int64_t[]){4, 3, 8, 8}), nets_labels(&n, "hunt.y", 4, 5)};
    fv_tensor out[2] = {nets_scalar(&n), nets_scalar(&n)};
    NETS_OK(fv_function_compile(gradient, in, 2, NULL));
    CHECK(nets_initial(&n) && nets_set(&n, "lr", 0.1));
    NETS_OK(fv_function_call(gradient, in, 2, NULL, 0));
    NETS_OK(fv_function_call(update, NULL, 0, out, 2));
    if (!h->stopped) CHECK_CLOSE(nets_number(out[1]), 1, 0);          /* it reaches the gradient: the update is skipped */
    const nets_copy before = nets_snapshot(&n, "*", FV_ROLE_COUNT);
    const char *bad = fv_function_find_nonfinite(gradient, in, 2);
    CHECK_MSG(bad && !strncmp(bad, h->path, strlen(h->path)), "found in %s", bad ? bad : "no op");
    CHECK_HAS(bad, h->backward ? ", backward" : ", forward");
    if (!way->amp) CHECK_HAS(bad, h->op);
    const nets_copy after = nets_snapshot(&n, "*", FV_ROLE_COUNT);
    CHECK(nets_same(&before, &after));
    fv_function_destroy(gradient);
    fv_function_destroy(update);
    nets_close(&n);
}

static void hunt_all(const nets_way *way)
{
    static const hunt list[] = {
        {"stem.conv", "stem.conv (", "(conv2d)", false, false},
        {"layer1.bn1", "layer1.bn1 (", "(b", false, false},
        {"layer1.conv2", "layer1.conv2 (", "(conv2d)", false, false},
        {"layer2.downsample.1", "layer2.downsample.1 (", "(b", false, false},
        {"fc", "fc (", "(linear)", false, false},
        {"layer1.conv2:backward", "layer1.conv2 (", "(conv2d_", true, true},
        {"layer2.bn2:backward", "layer2.bn2 (", "(b", true, false},
        {"fc:backward", "fc (", "", true, false},
    };
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        const int failures = test_state.failures;
        hunt_one(way, &list[i]);
        CHECK_MSG(test_state.failures == failures, "%s, NaN in %s", way->name, list[i].inject);
    }
}

static void all_is_finite(const nets_way *way)
{
    nets n;
    CHECK(nets_open(&n, NULL, way));
    nets_step step = {.net = hunted_net, .session = n.s, .optimizer = {.name = "sgd"}};
    fv_function *gradient = nets_function(&n, "gradient", NETS_PICTURES(8), 2, nets_build_gradient, &step, &training);
    CHECK(gradient);
    const fv_tensor in[2] = {nets_data(&n, "hunt.x", 4, (const int64_t[]){4, 3, 8, 8}), nets_labels(&n, "hunt.y", 4, 5)};
    NETS_OK(fv_function_call(gradient, in, 2, NULL, 0));
    CHECK(!fv_function_find_nonfinite(gradient, in, 2));
    fv_function_destroy(gradient);
    nets_close(&n);
}

static const nets_way unfused = {"f32, unfused", "-fuse", FV_F32, false, 0}, amp = {"bf16", NULL, FV_F32, true, 0};

static void test_bn_twice(void) { bn_twice(&nets_ways[0]); }
static void test_bn_twice_interpreted(void) { bn_twice(&nets_ways[1]); }
static void test_bn_twice_f32(void) { bn_twice(&nets_ways[2]); }
static void test_skip(void) { skip(&nets_ways[0], NAN); }
static void test_skip_interpreted(void) { skip(&nets_ways[1], NAN); }
static void test_skip_f32(void) { skip(&nets_ways[2], NAN); }
static void test_skip_infinite(void) { skip(&nets_ways[2], INFINITY); }
static void test_skip_overflow(void) { skip(&nets_ways[2], 1e30); }            /* finite gradients, norm beyond f32 */
static void test_hunt_f64(void) { hunt_all(&nets_ways[0]); }
static void test_hunt_interpreted(void) { hunt_all(&nets_ways[1]); }
static void test_hunt_fused(void) { hunt_all(&nets_ways[2]); }
static void test_hunt_unfused(void) { hunt_all(&unfused); }
static void test_hunt_bf16(void) { hunt_all(&amp); }
static void test_finite(void) { all_is_finite(&nets_ways[2]); }
static void test_finite_bf16(void) { all_is_finite(&amp); }

TEST_MAIN(CASE(test_bn_twice), CASE(test_bn_twice_interpreted), CASE(test_bn_twice_f32), CASE(test_skip), CASE(test_skip_interpreted),
          CASE(test_skip_f32), CASE(test_skip_infinite), CASE(test_skip_overflow), CASE(test_hunt_f64), CASE(test_hunt_interpreted), CASE(test_hunt_fused),
          CASE(test_hunt_unfused), CASE(test_hunt_bf16), CASE(test_finite), CASE(test_finite_bf16))
