/* SPDX-License-Identifier: Apache-2.0 */
/* f32 parity of ResNet-18 with PyTorch, from files too large to commit: FOVEA_PARITY_DIR names the folder that
 * tools/parity/torch_states.py wrote. Skipped without it. Numbers of the last run: docs/parity.md. */
#include "states.h"
#include "test.h"

#include <stdlib.h>
#include <unistd.h>

static const char *folder(void)
{
    const char *f = getenv("FOVEA_PARITY_DIR");
    return f && *f ? f : NULL;
}
#define NEED_FOLDER()                                                                                                        \
    if (!folder()) SKIP("NOT CHECKED: set FOVEA_PARITY_DIR to a folder written by tools/parity/torch_states.py")

static void state(int at)
{
    NEED_FOLDER();
    static const nets_way way = {"f32", NULL, FV_F32, false, 0};
    char path[1024];
    states_result r;
    nets n;
    snprintf(path, sizeof path, "%s/state_%d.safetensors", folder(), at);
    CHECK(nets_open(&n, NULL, &way));
    CHECK(states_compare(&n, path, states_resnet18, &r));
    printf("    step %d: loss %.6f off by %.2g, gradients (%d): median %.2g, worst %.2g (%s)\n", at, r.loss, r.loss_error, r.tensors,
           r.median, r.worst, r.worst_name);
    CHECK(r.loss_error <= 1e-5);
    CHECK(r.median <= 1e-5);
    CHECK(r.worst <= 2e-2);
    nets_close(&n);
}

/* Root mean square of the differences of losses. */
static double distance(const double *a, const double *b, int n)
{
    double sum = 0;
    for (int i = 0; i < n; i++) sum += (a[i] - b[i]) * (a[i] - b[i]);
    return sqrt(sum / n);
}


static bool run_freely(nets *n, const fvi_st_file *file, double *losses, int steps)
{
    fv_tensor x = states_tensor(n, file, "x", FV_F32), y = states_tensor(n, file, "y", FV_I64);
    if (!x.data || !y.data) return false;
    const int64_t batch = x.dims[1];
    x = (fv_tensor){FV_F32, 4, {x.dims[0] * batch, x.dims[2], x.dims[3], x.dims[4]}, x.data};
    y = (fv_tensor){FV_I64, 1, {y.dims[0] * batch}, y.data};
    nets_step step = {.net = states_resnet18, .session = n->s, .optimizer = {.name = "adamw", .weight_decay = 0.05, .max_grad_norm = 1}};
    const fv_function_options training = {.training = true};
    fv_function *gradient = nets_function(n, "gradient", NETS_PICTURES(32), 2, nets_build_gradient, &step, &training);
    fv_function *update = nets_function(n, "update", NULL, 0, nets_build_update, &step, &training);
    fv_tensor loss = nets_scalar(n);
    bool ok = gradient && update && nets_set(n, "lr", 1e-3) && nets_set(n, "beta1", 0.9);
    for (int i = 0; i < steps && ok; i++) {
        const fv_tensor in[2] = {nets_rows(x, i * batch, batch), nets_rows(y, i * batch, batch)};
        if (!i) ok = fv_function_compile(gradient, in, 2, NULL) == FV_OK && states_load(n, file);
        ok = ok && fv_function_call(gradient, in, 2, &loss, 1) == FV_OK && fv_function_call(update, NULL, 0, NULL, 0) == FV_OK;
        losses[i] = nets_number(loss) / (double)batch;
    }
    if (!ok) printf("    %s\n", fv_error_text(n->ctx));
    fv_function_destroy(gradient);
    fv_function_destroy(update);
    return ok;
}

/* distances[0]: ours from PyTorch with one thread; [1], [2]: PyTorch's with two threads, with channels_last */
static bool free_run(int seed, double distances[3])
{
    static const nets_way way = {"f32", NULL, FV_F32, false, 0};
    char path[1024];
    nets n;
    fvi_st_file file = {0};
    snprintf(path, sizeof path, "%s/free_%d.safetensors", folder(), seed);
    if (access(path, R_OK) || !nets_open(&n, NULL, &way)) return false;
    bool ok = fvi_st_open(n.ctx, path, &file) == FV_OK;
    if (ok) {
        const fv_tensor one = states_tensor(&n, &file, "loss_one", FV_F64), two = states_tensor(&n, &file, "loss_two", FV_F64),
                        last = states_tensor(&n, &file, "loss_last", FV_F64);
        const int steps = (int)one.dims[0];
        double *ours = fvi_arena_alloc(&n.arena, (size_t)FVI_MAX(steps, 1) * 8);
        ok = ours && one.data && two.data && last.data && run_freely(&n, &file, ours, steps);
        const double *a = one.data;
        if (ok) {
            distances[0] = distance(ours, a, steps);
            distances[1] = distance(two.data, a, steps);
            distances[2] = distance(last.data, a, steps);
            printf("    seed %d, %d steps: ours %.3g, PyTorch with 2 threads %.3g, with channels_last %.3g; at step 5: %.2g, %.2g, %.2g\n", seed,
                   steps, distances[0], distances[1], distances[2], fabs(ours[5] - a[5]), fabs(((double *)two.data)[5] - a[5]),
                   fabs(((double *)last.data)[5] - a[5]));
        }
    }
    fvi_st_close(&file);
    nets_close(&n);
    return ok;
}

static void test_free_runs(void)
{
    NEED_FOLDER();
    double sum[3] = {0}, d[3];
    int seeds = 0;
    for (; free_run(seeds, d); seeds++)
        for (int i = 0; i < 3; i++) sum[i] += d[i];
    CHECK(seeds > 0);
    printf("    mean over %d seeds: ours %.3g, PyTorch with 2 threads %.3g, with channels_last %.3g\n", seeds, sum[0] / seeds, sum[1] / seeds, sum[2] / seeds);
    CHECK(sum[0] <= fmax(sum[1], sum[2]));
}

static void test_state_0(void) { state(0); }
static void test_state_10(void) { state(10); }
static void test_state_100(void) { state(100); }
static void test_state_500(void) { state(500); }

TEST_MAIN(CASE(test_state_0), CASE(test_state_10), CASE(test_state_100), CASE(test_state_500), CASE(test_free_runs))
