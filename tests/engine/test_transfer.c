/* SPDX-License-Identifier: Apache-2.0 */
/* Transfer: a frozen teacher whose features a student follows, taken by path; low-rank adapters on parameters by path;
 * layers that are frozen, released and frozen again in the middle of a run. */
#include "nets.h"
#include "test.h"

static fv_tensor pictures(nets *n, const char *proof, int step, fv_tensor *y)
{
    char name[64];
    snprintf(name, sizeof name, "%s.y%d", proof, step);
    *y = nets_labels(n, name, 4, 5);
    snprintf(name, sizeof name, "%s.x%d", proof, step);
    return nets_data(n, name, 4, (const int64_t[]){4, 3, 8, 8});
}

static void check_end(nets *n)
{
    const double distance = nets_distance(n);
    CHECK_MSG(distance <= n->tolerance, "%s is %.3g from PyTorch", n->worst, distance);
}

/* ---- teacher and student ---- */

static fv_value *tower(fv_graph *g, const char *who, fv_value *x, int64_t width)
{
    fv_push(g, "%s", who);
    x = fv_mark(g, "layer1", fv_conv_bn_act(g, "layer1", x, &FV_CONV(.out = width, .kernel = 3)));
    x = fv_mark(g, "layer2", fv_conv_bn_act(g, "layer2", x, &FV_CONV(.out = 8, .kernel = 3, .stride = 2)));
    x = fv_linear(g, "fc", fv_global_average_pool(g, x), 5);
    fv_pop(g);
    return x;
}

static fv_status build_distill(fv_graph *g, fv_value *const *in, int n_in, void *user)
{
    (void)n_in;
    const double t = 2;
    fv_value *weight, *teacher = tower(g, "teacher", in[0], 6), *student = tower(g, "student", in[0], 4);
    fv_value *hard = fv_cross_entropy(g, student, in[1], NULL, &weight);
    fv_value *target = fv_stop_gradient(g, fv_softmax(g, fv_scale(g, teacher, 1 / t), 1));
    fv_value *soft = fv_cross_entropy(g, fv_scale(g, student, 1 / t), target, NULL, NULL);
    fv_value *ft = fv_tap(g, "teacher.layer2"), *fs = fv_tap(g, "student.layer2");
    const double numel = (double)(fv_value_dim(ft, 1) * fv_value_dim(ft, 2) * fv_value_dim(ft, 3));
    fv_value *features = fv_scale(g, fv_sum(g, fv_square(g, fv_sub(g, fs, ft)), 0, false), 1 / numel);
    fv_value *loss = fv_add(g, fv_add(g, hard, fv_scale(g, soft, t * t)), features);
    fv_result(g, "loss", loss);
    const fv_status status = fv_accumulate_gradients(g, NULL, loss, weight, true);
    if (status != FV_OK) return status;
    return fv_optimizer_update(g, user, &(fv_optimizer_options){.name = "sgd", .weight_decay = 1e-3});
}

static fv_status build_lost(fv_graph *g, fv_value *const *in, int n_in, void *user)
{
    (void)n_in, (void)user;
    tower(g, "teacher", in[0], 6);
    fv_result(g, "feature", fv_tap(g, "teacher.leyer2"));
    return fv_graph_status(g);
}

static fv_status build_towers(fv_graph *g, fv_value *const *in, int n_in, void *user)
{
    (void)n_in, (void)user;
    fv_result(g, "sum", fv_add(g, tower(g, "teacher", in[0], 6), tower(g, "student", in[0], 4)));
    return fv_graph_status(g);
}

static void distill(const nets_way *way)
{
    nets n;
    CHECK(nets_open(&n, "distill", way));
    const fv_function_options training = {.training = true};
    fv_function *towers = nets_function(&n, "towers", NETS_PICTURES(8), 1, build_towers, NULL, NULL);
    fv_function *f = nets_function(&n, "distill", NETS_PICTURES(8), 2, build_distill, n.s, &training);
    fv_function *lost = nets_function(&n, "lost", NETS_PICTURES(8), 1, build_lost, NULL, NULL);
    CHECK(towers && f && lost);
    fv_tensor in[2], loss = nets_scalar(&n);
    in[0] = pictures(&n, "distill", 0, &in[1]);
    NETS_OK(fv_function_compile(towers, in, 1, NULL));
    CHECK(nets_initial(&n) && nets_set(&n, "lr", 0.05) && nets_set(&n, "momentum", 0.9));
    CHECK_EQ(fv_session_set_trainable(n.s, "teacher.*", false), 8);
    const nets_copy before = nets_snapshot(&n, "teacher.*", FV_ROLE_COUNT);
    for (int step = 0; step < 5; step++) {
        in[0] = pictures(&n, "distill", step, &in[1]);
        NETS_OK(fv_function_call(f, in, 2, &loss, 1));
        CHECK_CLOSE(nets_number(loss), nets_golden(&n, "loss", step), n.tolerance);
    }
    const nets_copy after = nets_snapshot(&n, "teacher.*", FV_ROLE_COUNT);
    CHECK(nets_same(&before, &after));                               /* running statistics too; and it has no companions */
    check_end(&n);
    CHECK_EQ(fv_function_compile(lost, in, 1, NULL), FV_ERROR_INVALID);
    CHECK_HAS(fv_error_text(n.ctx), "teacher.layer2");                /* the nearest one */
    fv_function_destroy(towers);
    fv_function_destroy(f);
    fv_function_destroy(lost);
    nets_close(&n);
}

/* ---- adapters ---- */

static fv_value *plain_net(fv_graph *g, fv_value *x)
{
    x = fv_relu(g, fv_conv2d(g, "conv1", x, &FV_CONV(.out = 6, .kernel = 3, .padding = 1, .bias = true)));
    x = fv_relu(g, fv_conv2d(g, "conv2", x, &FV_CONV(.out = 8, .kernel = 3, .stride = 2, .padding = 1, .bias = true)));
    return fv_linear(g, "fc", fv_global_average_pool(g, x), 5);
}

static fv_status build_logits(fv_graph *g, fv_value *const *in, int n_in, void *user)
{
    (void)n_in, (void)user;
    fv_result(g, "logits", plain_net(g, in[0]));
    return fv_graph_status(g);
}

static void adapter(const nets_way *way)
{
    nets n;
    CHECK(nets_open(&n, "adapter", way));
    const fv_function_options training = {.training = true};
    nets_step step = {.net = plain_net, .session = n.s, .optimizer = {.name = "adamw", .weight_decay = 0.05}};
    fv_function *logits = nets_function(&n, "logits", NETS_PICTURES(8), 1, build_logits, NULL, NULL);
    fv_function *gradient = nets_function(&n, "gradient", NETS_PICTURES(8), 2, nets_build_gradient, &step, &training);
    fv_function *update = nets_function(&n, "update", NULL, 0, nets_build_update, &step, &training);
    CHECK(logits && gradient && update);
    fv_tensor in[2], loss = nets_scalar(&n), plain = nets_data(&n, "-", 2, (const int64_t[]){4, 5}), adapted = nets_data(&n, "-", 2, (const int64_t[]){4, 5});
    in[0] = pictures(&n, "adapter", 0, &in[1]);
    CHECK_EQ(fv_session_adapt(n.s, "conv2.weight", 2, 4), FV_ERROR_INVALID);            /* not built yet */
    NETS_OK(fv_function_compile(logits, in, 1, NULL));
    CHECK(nets_initial(&n));
    NETS_OK(fv_function_call(logits, in, 1, &plain, 1));
    NETS_OK(fv_session_adapt(n.s, "conv2.weight", 2, 4));
    NETS_OK(fv_session_adapt(n.s, "fc.weight", 2, 4));
    CHECK_EQ(fv_session_adapt(n.s, "fc.weight", 2, 4), FV_ERROR_INVALID);
    CHECK_EQ(fv_session_set_trainable(n.s, "*", false), 10);
    CHECK_EQ(fv_session_set_trainable(n.s, "*.lora_*", true), 4);
    CHECK(nets_initial(&n) && nets_set(&n, "lr", 1e-2) && nets_set(&n, "beta1", 0.9));
    NETS_OK(fv_function_call(logits, in, 1, &adapted, 1));
    CHECK(!memcmp(plain.data, adapted.data, 20 * fv_dtype_size(n.dtype)));             /* B = 0: nothing changes yet */
    const nets_copy before = nets_snapshot(&n, "conv*", FV_PARAMETER);
    for (int i = 0; i < 6; i++) {
        in[0] = pictures(&n, "adapter", i, &in[1]);
        NETS_OK(fv_function_call(gradient, in, 2, &loss, 1));
        NETS_OK(fv_function_call(update, NULL, 0, NULL, 0));
        CHECK_CLOSE(nets_number(loss), nets_golden(&n, "loss", i), n.tolerance);
    }
    check_end(&n);
    CHECK(fv_session_find(n.s, "conv2.weight.lora_A:exp_avg") && !fv_session_find(n.s, "conv2.weight:grad"));
    const nets_copy after = nets_snapshot(&n, "conv*", FV_PARAMETER);
    CHECK(before.count == after.count && !nets_same(&before, &after));                  /* lora_A, lora_B moved */
    fv_function_destroy(logits);
    fv_function_destroy(gradient);
    fv_function_destroy(update);
    nets_close(&n);
}

/* ---- freezing ---- */

static void freeze(const nets_way *way)
{
    nets n;
    CHECK(nets_open(&n, "freeze", way));
    const fv_function_options training = {.training = true};
    nets_step step = {.net = nets_two_blocks, .session = n.s, .optimizer = {.name = "adam", .weight_decay = 1e-3}};
    fv_function *gradient = nets_function(&n, "gradient", NETS_PICTURES(8), 2, nets_build_gradient, &step, &training);
    fv_function *update = nets_function(&n, "update", NULL, 0, nets_build_update, &step, &training);
    CHECK(gradient && update);
    fv_tensor in[2], loss = nets_scalar(&n), number = nets_scalar(&n);
    in[0] = pictures(&n, "freeze", 0, &in[1]);
    NETS_OK(fv_function_compile(gradient, in, 2, NULL));
    CHECK(nets_initial(&n) && nets_set(&n, "lr", 1e-2) && nets_set(&n, "beta1", 0.9));
    CHECK_EQ(fv_session_set_trainable(n.s, "layer1.*", false), 3);
    nets_copy before = nets_snapshot(&n, "layer1.*", FV_ROLE_COUNT);     /* companions of the gradient function included */
    CHECK_EQ(before.count, 2 * 174 + 12);
    for (int i = 0; i < 8; i++) {
        if (i == 3) {
            const nets_copy after = nets_snapshot(&n, "layer1.*", FV_ROLE_COUNT);
            CHECK(nets_same(&before, &after));
            CHECK_EQ(fv_session_set_trainable(n.s, "layer1.*", true), 3);
        }
        if (i == 6) {
            CHECK_EQ(fv_session_set_trainable(n.s, "layer2.*", false), 3);
            before = nets_snapshot(&n, "layer2.*", FV_ROLE_COUNT);
        }
        in[0] = pictures(&n, "freeze", i, &in[1]);
        NETS_OK(fv_function_call(gradient, in, 2, &loss, 1));
        NETS_OK(fv_function_call(update, NULL, 0, NULL, 0));
        CHECK_CLOSE(nets_number(loss), nets_golden(&n, "loss", i), n.tolerance);
        if (i == 3) {                          /* the released ones begin at 1, the others go on */
            NETS_OK(fv_var_get(n.s, fv_session_find(n.s, "layer1.conv.weight:step"), &number));
            CHECK_CLOSE(nets_number(number), 1, 0);
            NETS_OK(fv_var_get(n.s, fv_session_find(n.s, "layer2.conv.weight:step"), &number));
            CHECK_CLOSE(nets_number(number), 4, 0);
        }
    }
    const nets_copy after = nets_snapshot(&n, "layer2.*", FV_ROLE_COUNT);
    CHECK(nets_same(&before, &after));
    check_end(&n);
    CHECK_EQ(step.update_builds, 3);
    fv_function_destroy(gradient);
    fv_function_destroy(update);
    nets_close(&n);
}

static void test_distill(void) { distill(&nets_ways[0]); }
static void test_distill_interpreted(void) { distill(&nets_ways[1]); }
static void test_distill_f32(void) { distill(&nets_ways[2]); }
static void test_adapter(void) { adapter(&nets_ways[0]); }
static void test_adapter_interpreted(void) { adapter(&nets_ways[1]); }
static void test_adapter_f32(void) { adapter(&nets_ways[2]); }
static void test_freeze(void) { freeze(&nets_ways[0]); }
static void test_freeze_interpreted(void) { freeze(&nets_ways[1]); }
static void test_freeze_f32(void) { freeze(&nets_ways[2]); }

TEST_MAIN(CASE(test_distill), CASE(test_distill_interpreted), CASE(test_distill_f32), CASE(test_adapter),
          CASE(test_adapter_interpreted), CASE(test_adapter_f32), CASE(test_freeze), CASE(test_freeze_interpreted),
          CASE(test_freeze_f32))
