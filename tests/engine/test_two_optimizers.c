/* SPDX-License-Identifier: Apache-2.0 */
/* Two optimizers that share a sub-graph, in the order of a GAN: the discriminator learns from the generator's pictures,
 * then the generator learns through the discriminator as it is now. Once as two functions, once as one. */
#include "nets.h"
#include "test.h"

enum { STEPS = 6, BATCH = 5 };

typedef struct gan { fv_session *s; int d_builds, g_builds; } gan;

static fv_value *generator(fv_graph *g, fv_value *z)
{
    fv_push(g, "gen");
    fv_value *h = fv_leaky_relu(g, fv_linear(g, "fc", z, 32), 0.2);
    h = fv_reshape(g, h, 4, (const int64_t[]){FV_N, 2, 4, 4});
    h = fv_tanh(g, fv_conv2d(g, "conv", h, &FV_CONV(.out = 3, .kernel = 3, .padding = 1, .bias = true)));
    fv_pop(g);
    return h;
}

static fv_value *discriminator(fv_graph *g, fv_value *x)
{
    fv_push(g, "disc");
    fv_value *h = fv_conv2d(g, "conv", x, &FV_CONV(.out = 4, .kernel = 3, .stride = 2, .padding = 1, .bias = true));
    h = fv_linear(g, "fc", fv_flatten(g, fv_leaky_relu(g, h, 0.2), 1), 1);
    fv_pop(g);
    return h;
}

/* sum over the batch of max(x, 0) - x t + log(1 + exp(-|x|)), a loss of the user's own */
static fv_value *bce(fv_graph *g, fv_value *x, double target)
{
    fv_value *softplus = fv_log(g, fv_offset(g, fv_exp(g, fv_neg(g, fv_abs(g, x))), 1));
    fv_value *y = fv_add(g, fv_sub(g, fv_maximum(g, x, fv_const(g, 0)), fv_scale(g, x, target)), softplus);
    return fv_sum(g, y, 0, false);
}

static fv_value *batch_size(fv_graph *g)
{
    return fv_sum(g, fv_full(g, 1, 1, (const int64_t[]){FV_N}), 0, false);
}

static fv_status teach_discriminator(fv_graph *g, gan *u, fv_value *real, fv_value *fake)
{
    fv_value *loss = fv_add(g, bce(g, discriminator(g, real), 1), bce(g, discriminator(g, fv_stop_gradient(g, fake)), 0));
    fv_result(g, "d_loss", loss);
    const fv_status status = fv_accumulate_gradients(g, "disc", loss, batch_size(g), true);
    if (status != FV_OK) return status;
    return fv_optimizer_update(g, u->s, &(fv_optimizer_options){.name = "adamw", .weight_decay = 0.01, .prefix = "disc"});
}

static fv_status teach_generator(fv_graph *g, gan *u, fv_value *fake)
{
    fv_value *loss = bce(g, discriminator(g, fake), 1);
    fv_result(g, "g_loss", loss);
    const fv_status status = fv_accumulate_gradients(g, "gen", loss, batch_size(g), true);
    if (status != FV_OK) return status;
    return fv_optimizer_update(g, u->s, &(fv_optimizer_options){.name = "sgd", .nesterov = true, .prefix = "gen"});
}

static fv_status build_d(fv_graph *g, fv_value *const *in, int n_in, void *user)
{
    gan *u = user;
    (void)n_in;
    u->d_builds++;
    return teach_discriminator(g, u, in[0], generator(g, in[1]));
}

static fv_status build_g(fv_graph *g, fv_value *const *in, int n_in, void *user)
{
    gan *u = user;
    (void)n_in;
    u->g_builds++;
    return teach_generator(g, u, generator(g, in[0]));
}

static fv_status build_both(fv_graph *g, fv_value *const *in, int n_in, void *user)
{
    (void)n_in;
    fv_value *fake = generator(g, in[1]);
    const fv_status status = teach_discriminator(g, user, in[0], fake);
    return status != FV_OK ? status : teach_generator(g, user, fake);
}

static const fv_input_spec specs[2] = {{"real", FV_F64, 4, {FV_N, 3, 4, 4}}, {"z", FV_F64, 2, {FV_N, 4}}};

static void batch_of(nets *n, int step, fv_tensor *in)
{
    char name[32];
    snprintf(name, sizeof name, "gan.real%d", step);
    in[0] = nets_data(n, name, 4, (const int64_t[]){BATCH, 3, 4, 4});
    snprintf(name, sizeof name, "gan.z%d", step);
    in[1] = nets_data(n, name, 2, (const int64_t[]){BATCH, 4});
}

static void check_end(nets *n)
{
    const double distance = nets_distance(n);
    CHECK_MSG(distance <= n->tolerance, "%s is %.3g from PyTorch", n->worst, distance);
}

static void two_functions(const nets_way *way)
{
    nets n;
    CHECK(nets_open(&n, "gan", way));
    gan u = {.s = n.s};
    fv_function *d = nets_function(&n, "teach_discriminator", specs, 2, build_d, &u, &(fv_function_options){.training = true});
    fv_function *g = nets_function(&n, "teach_generator", &specs[1], 1, build_g, &u, &(fv_function_options){.training = true});
    CHECK(d && g);
    fv_tensor in[2], d_out = nets_scalar(&n), g_out = nets_scalar(&n);
    batch_of(&n, 0, in);
    NETS_OK(fv_function_compile(d, in, 2, NULL));
    NETS_OK(fv_function_compile(g, &in[1], 1, NULL));
    CHECK(nets_initial(&n) && nets_set(&n, "lr", 5e-3));
    for (int step = 0; step < STEPS; step++) {
        batch_of(&n, step, in);
        const nets_copy before = nets_snapshot(&n, "gen.*", FV_PARAMETER);
        CHECK(nets_set(&n, "beta1", 0.5));
        NETS_OK(fv_function_call(d, in, 2, &d_out, 1));
        const nets_copy between = nets_snapshot(&n, "gen.*", FV_PARAMETER);
        CHECK(nets_same(&before, &between));
        CHECK(nets_set(&n, "momentum", 0.9));
        NETS_OK(fv_function_call(g, &in[1], 1, &g_out, 1));
        CHECK_CLOSE(nets_number(d_out), nets_golden(&n, "d_loss", step), n.tolerance);
        CHECK_CLOSE(nets_number(g_out), nets_golden(&n, "g_loss", step), n.tolerance);
    }
    check_end(&n);
    CHECK_EQ(u.d_builds, 1);
    CHECK_EQ(u.g_builds, 1);
    fv_function_destroy(d);
    fv_function_destroy(g);
    nets_close(&n);
}

/* d_loss, norm, skip, g_loss, norm, skip: the generator's picture is computed once and used in both updates. */
static void one_function(const nets_way *way)
{
    nets n;
    CHECK(nets_open(&n, "gan", way));
    gan u = {.s = n.s};
    fv_function *f = nets_function(&n, "gan", specs, 2, build_both, &u, &(fv_function_options){.training = true});
    CHECK(f);
    fv_tensor in[2], out[4];
    for (int i = 0; i < 4; i++) out[i] = nets_scalar(&n);
    batch_of(&n, 0, in);
    NETS_OK(fv_function_compile(f, in, 2, NULL));
    CHECK(nets_initial(&n) && nets_set(&n, "lr", 5e-3) && nets_set(&n, "beta1", 0.5) && nets_set(&n, "momentum", 0.9));
    for (int step = 0; step < STEPS; step++) {
        batch_of(&n, step, in);
        NETS_OK(fv_function_call(f, in, 2, out, 4));
        CHECK_CLOSE(nets_number(out[0]), nets_golden(&n, "d_loss", step), n.tolerance);
        CHECK_CLOSE(nets_number(out[3]), nets_golden(&n, "g_loss", step), n.tolerance);
    }
    check_end(&n);
    fv_function_destroy(f);
    nets_close(&n);
}

static void test_two_functions(void) { two_functions(&nets_ways[0]); }
static void test_two_functions_interpreted(void) { two_functions(&nets_ways[1]); }
static void test_two_functions_f32(void) { two_functions(&nets_ways[2]); }
static void test_one_function(void) { one_function(&nets_ways[0]); }
static void test_one_function_interpreted(void) { one_function(&nets_ways[1]); }
static void test_one_function_f32(void) { one_function(&nets_ways[2]); }

TEST_MAIN(CASE(test_two_functions), CASE(test_two_functions_interpreted), CASE(test_two_functions_f32), CASE(test_one_function),
          CASE(test_one_function_interpreted), CASE(test_one_function_f32))
