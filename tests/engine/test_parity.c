/* SPDX-License-Identifier: Apache-2.0 */
/* Parity with PyTorch: the first 30 losses of ResNet-18 in float64, all passes on; and in f32 one step of a tiny ResNet
 * from PyTorch's own states, at each level of the instruction set. Larger states: test_parity_f32.c. */
#include "levels.h"
#include "states.h"

static void test_resnet18_f64(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    SKIP("30 steps on the references take too long with a sanitizer; the plain build runs them");
#endif
    enum { BATCH = 8 };
    const nets_way way = {"f64", NULL, FV_F64, false, 1e-8};
    nets n;
    CHECK(nets_open(&n, "resnet18", &way));
    const fv_function_options training = {.training = true};
    nets_step step = {.net = states_resnet18, .session = n.s, .optimizer = {.name = "adamw", .weight_decay = 0.05, .max_grad_norm = 1}};
    fv_function *gradient = nets_function(&n, "gradient", NETS_PICTURES(32), 2, nets_build_gradient, &step, &training);
    fv_function *update = nets_function(&n, "update", NULL, 0, nets_build_update, &step, &training);
    CHECK(gradient && update);
    fv_tensor loss = nets_scalar(&n);
    double worst = 0;
    for (int i = 0; i < 30; i++) {
        char x[64], y[64];
        snprintf(x, sizeof x, "resnet.x%d", i);
        snprintf(y, sizeof y, "resnet.y%d", i);
        const fv_tensor in[2] = {nets_data(&n, x, 4, (const int64_t[]){BATCH, 3, 32, 32}), nets_labels(&n, y, BATCH, 10)};
        if (!i) {
            NETS_OK(fv_function_compile(gradient, in, 2, NULL));
            CHECK(nets_initial(&n) && nets_set(&n, "lr", 1e-3) && nets_set(&n, "beta1", 0.9));
        }
        NETS_OK(fv_function_call(gradient, in, 2, &loss, 1));
        NETS_OK(fv_function_call(update, NULL, 0, NULL, 0));
        const double want = nets_golden(&n, "loss", i), error = fabs(nets_number(loss) / BATCH - want) / want;
        CHECK_MSG(error <= n.tolerance, "step %d: loss %.12g, PyTorch %.12g", i, nets_number(loss) / BATCH, want);
        worst = fmax(worst, error);
    }
    printf("    greatest relative difference of 30 losses: %.2g\n", worst);
    fv_function_destroy(gradient);
    fv_function_destroy(update);
    nets_close(&n);
}

static void tiny(int at, const char *passes)
{
    char path[512];
    states_result r;
    nets n;
    const nets_way way = {"f32", passes, FV_F32, false, 0};
    snprintf(path, sizeof path, FOVEA_TESTS_DIR "/golden/parity_tiny_%d.safetensors", at);
    CHECK(nets_open(&n, NULL, &way));
    CHECK(states_compare(&n, path, states_tiny, &r));
    printf("    step %d: loss off by %.2g, gradients (%d): median %.2g, worst %.2g (%s)\n", at, r.loss_error, r.tensors, r.median, r.worst, r.worst_name);
    CHECK_EQ(r.tensors, 20);
    CHECK(r.loss_error <= 1e-5);
    CHECK(r.median <= 1e-5);
    CHECK(r.worst <= 2e-2);
    nets_close(&n);
}

static void tiny_interpreted(void) { tiny(10, "none"); }
static void tiny_compiled(fvi_isa level)
{
    (void)level;
    tiny(0, NULL);
    tiny(10, NULL);
}
AT_LEVELS(tiny_compiled)

TEST_MAIN(CASE(test_resnet18_f64), CASE(tiny_interpreted), LEVEL_CASES(tiny_compiled))
