/* SPDX-License-Identifier: Apache-2.0 */
/* Gradients of gradients: critics that learn under a gradient penalty, 10 (|d critic / dx| - 1)^2 for each sample, against what
 * PyTorch's double backward gives. One is made of convolutions, leaky ReLU and a linear layer, the other of SiLU, tanh, sigmoid
 * and pools. In f64 with all passes and interpreted, in f32, and in mixed precision (which need only go the same way). */
#include "nets.h"
#include "test.h"

enum { STEPS = 5, BATCH = 4 };

static fv_value *critic(fv_graph *g, fv_value *x)
{
    fv_value *h = fv_conv2d(g, "conv1", x, &FV_CONV(.out = 16, .kernel = 3, .padding = 1, .bias = true));
    h = fv_conv2d(g, "conv2", fv_leaky_relu(g, h, 0.2), &FV_CONV(.out = 16, .kernel = 3, .stride = 2, .padding = 1, .bias = true));
    h = fv_conv2d(g, "conv3", fv_leaky_relu(g, h, 0.2), &FV_CONV(.out = 8, .kernel = 4, .stride = 2, .padding = 1));
    return fv_linear(g, "fc", fv_flatten(g, fv_leaky_relu(g, h, 0.2), 1), 1);
}

static fv_value *smooth(fv_graph *g, fv_value *x)
{
    const fv_pool2d_options two = {.kernel = {2, 2}};
    fv_value *h = fv_silu(g, fv_conv2d(g, "smooth1", x, &FV_CONV(.out = 8, .kernel = 3, .padding = 1, .bias = true)));
    h = fv_conv2d(g, "smooth2", fv_max_pool2d(g, h, &two), &FV_CONV(.out = 8, .kernel = 3, .padding = 1, .bias = true));
    h = fv_sigmoid(g, fv_avg_pool2d(g, fv_tanh(g, h), &two));
    return fv_linear(g, "smooth3", fv_flatten(g, h, 1), 1);
}

static fv_value *total(fv_graph *g, fv_value *x) { return fv_sum(g, x, 0, false); }

typedef fv_value *net_fn(fv_graph *g, fv_value *x);

static fv_value *loss_of(fv_graph *g, net_fn *f, fv_value *real, fv_value *fake, fv_value *e)
{
    fv_value *x = fv_add(g, fv_mul(g, e, real), fv_mul(g, fv_sub(g, fv_const(g, 1), e), fake)), *slope;
    fv_value *y = total(g, f(g, x));
    if (fv_grad(g, 1, &y, NULL, 1, &x, &slope) != FV_OK) return NULL;
    fv_value *norm = fv_sqrt(g, fv_sum(g, fv_square(g, slope), 2 | 4 | 8, false));
    fv_value *penalty = fv_scale(g, total(g, fv_square(g, fv_offset(g, norm, -1))), 10);
    return fv_add(g, fv_sub(g, total(g, f(g, fake)), total(g, f(g, real))), penalty);
}

static fv_status build(fv_graph *g, fv_value *const *in, int n_in, void *user)
{
    (void)n_in;
    fv_value *a = loss_of(g, critic, in[0], in[1], in[2]), *b = loss_of(g, smooth, in[0], in[1], in[2]);
    fv_value *loss = fv_add(g, a, b), *weight = total(g, fv_full(g, 1, 1, (const int64_t[]){FV_N}));
    fv_result(g, "loss", loss);
    const fv_status status = fv_accumulate_gradients(g, "", loss, weight, true);
    return status != FV_OK ? status : fv_optimizer_update(g, user, &(fv_optimizer_options){.name = "adamw"});
}

static void learn(const nets_way *way, double loss_tolerance)
{
    static const fv_input_spec specs[3] = {{"real", FV_F64, 4, {FV_N, 3, 8, 8}}, {"fake", FV_F64, 4, {FV_N, 3, 8, 8}},
                                           {"e", FV_F64, 4, {FV_N, 1, 1, 1}}};
    static const char *const streams[3] = {"penalty.real", "penalty.fake", "penalty.e"};
    nets n;
    CHECK(nets_open(&n, "penalty", way));
    fv_function *f = nets_function(&n, "critics", specs, 3, build, n.s, &(fv_function_options){.training = true});
    fv_tensor in[3], out = nets_scalar(&n);
    CHECK(f);
    for (int step = 0; step < STEPS; step++) {
        for (int k = 0; k < 3; k++) {
            char name[32];
            const int64_t dims[4] = {BATCH, k < 2 ? 3 : 1, k < 2 ? 8 : 1, k < 2 ? 8 : 1};
            snprintf(name, sizeof name, "%s%d", streams[k], step);
            in[k] = nets_data(&n, name, 4, dims);
            for (int64_t i = 0; k == 2 && i < BATCH; i++)
                if (n.dtype == FV_F64) ((double *)in[k].data)[i] = 0.5 * ((double *)in[k].data)[i] + 0.5;
                else ((float *)in[k].data)[i] = 0.5f * ((float *)in[k].data)[i] + 0.5f;
        }
        if (!step) {
            NETS_OK(fv_function_compile(f, in, 3, NULL));
            CHECK(nets_initial(&n) && nets_set(&n, "lr", 1e-2) && nets_set(&n, "beta1", 0.5));
        }
        NETS_OK(fv_function_call(f, in, 3, &out, 1));
        CHECK_CLOSE(nets_number(out), nets_golden(&n, "loss", step), loss_tolerance);
    }
    const double distance = nets_distance(&n);
    CHECK_MSG(way->amp || distance <= n.tolerance, "%s: %s is %.3g from PyTorch", way->name, n.worst, distance);
    fv_function_destroy(f);
    nets_close(&n);
}

static void in_double(void) { learn(&nets_ways[0], 1e-10); }
static void interpreted(void) { learn(&nets_ways[1], 1e-10); }
static void in_single(void) { learn(&nets_ways[2], 1e-4); }
static void in_mixed_precision(void) { learn(&(nets_way){"bf16", NULL, FV_F32, true, 0}, 0.1); }

/* What has no second derivative says so. */
static fv_status build_without(fv_graph *g, fv_value *const *in, int n_in, void *user)
{
    (void)n_in, (void)user;
    fv_value *x = in[0], *y = total(g, fv_square(g, fv_layer_norm(g, "norm", x, -1, NULL))), *slope;
    if (fv_grad(g, 1, &y, NULL, 1, &x, &slope) != FV_OK) return fv_graph_status(g);
    y = total(g, fv_square(g, slope));
    if (fv_grad(g, 1, &y, NULL, 1, &x, &slope) == FV_OK) fv_result(g, "slope", slope);
    return fv_graph_status(g);
}

static void none_is_an_error(void)
{
    const nets_way way = {"f32", NULL, FV_F32, false, 0};
    nets n;
    CHECK(nets_open(&n, NULL, &way));
    const fv_input_spec spec = {"x", FV_F64, 2, {FV_N, 6}};
    fv_function *f = nets_function(&n, "norm", &spec, 1, build_without, NULL, &(fv_function_options){.training = true});
    const fv_tensor x = nets_data(&n, "x", 2, (const int64_t[]){3, 6});
    CHECK(f && fv_function_compile(f, &x, 1, NULL) == FV_ERROR_UNSUPPORTED);
    CHECK_HAS(fv_error_message(n.ctx), "layer_norm_backward");
    CHECK_HAS(fv_error_message(n.ctx), "second derivatives");
    fv_function_destroy(f);
    nets_close(&n);
}

TEST_MAIN(CASE(in_double), CASE(interpreted), CASE(in_single), CASE(in_mixed_precision), CASE(none_is_an_error))
