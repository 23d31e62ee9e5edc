/* SPDX-License-Identifier: Apache-2.0 */
/* Variables, their initial values, functions, keys: small cases that can be computed by hand. */
#include "fovea/session.h"
#include "test.h"

#include <math.h>

static fv_context *ctx;

static fv_session *open_session(const char *passes, fv_dtype dtype)
{
    const fv_session_options o = {.dtype = dtype, .passes = passes, .seed = 1};
    fv_session *s = NULL;
    if (!ctx) ctx = fv_context_create();
    if (fv_session_create(ctx, &o, &s) != FV_OK) printf("    %s\n", fv_error_text(ctx));
    return s;
}

/* loss = sum (x w - t)^2 over (N, 2); one plain gradient step on w (2). */
static fv_status build_step(fv_graph *g, fv_value *const *in, int n_in, void *user)
{
    (void)n_in, (void)user;
    const int64_t two = 2;
    fv_value *w = fv_param(g, "w", FV_PARAM_WEIGHT, 1, &two, (fv_init){FV_INIT_CONSTANT, 0.5, 0});
    fv_value *loss = fv_sum(g, fv_square(g, fv_sub(g, fv_mul(g, in[0], w), in[1])), 0, false), *dw;
    if (fv_grad(g, 1, &loss, NULL, 1, &w, &dw)) return fv_graph_status(g);
    fv_value *rate = fv_scalar(g, "rate", 0.1);
    fv_var_write(g, fv_graph_find_var(g, "w"), fv_sub(g, w, fv_mul(g, dw, rate)));
    fv_result(g, "loss", loss);
    return fv_graph_status(g);
}

static void step_with(const char *passes)
{
    fv_session *s = open_session(passes, FV_F64);
    const fv_input_spec specs[] = {{"x", FV_F64, 2, {FV_N, 2}}, {"t", FV_F64, 2, {FV_N, 2}}};
    fv_function *f = NULL;
    CHECK_EQ(fv_function_create(s, "step", specs, 2, build_step, NULL, NULL, &f), FV_OK);
    double x[] = {1, 2, 3, 4}, t[] = {0, 1, 1, 0}, loss, w[2] = {0.5, 0.5};
    for (int64_t n = 2; n >= 1; n--) {                                /* two plans: N = 2, N = 1 */
        const fv_tensor in[] = {{FV_F64, 2, {n, 2}, x}, {FV_F64, 2, {n, 2}, t}}, out = {FV_F64, 0, {0}, &loss};
        CHECK_EQ(fv_function_call(f, in, 2, &out, 1), FV_OK);
        double expect = 0, dw[2] = {0, 0};
        for (int i = 0; i < 2 * n; i++) {
            const double e = x[i] * w[i % 2] - t[i];
            expect += e * e;
            dw[i % 2] += 2 * e * x[i];
        }
        CHECK_CLOSE(loss, expect, 1e-12);
        for (int i = 0; i < 2; i++) w[i] -= 0.1 * dw[i];
    }
    double got[2];
    const fv_tensor read = {FV_F64, 1, {2}, got};
    CHECK_EQ(fv_var_get(s, fv_session_find(s, "w"), &read), FV_OK);
    CHECK_CLOSE(got[0], w[0], 1e-12);
    CHECK_CLOSE(got[1], w[1], 1e-12);
    CHECK_EQ(fv_session_set_scalar(s, "rate", 0), FV_OK);
    const fv_tensor in[] = {{FV_F64, 2, {2, 2}, x}, {FV_F64, 2, {2, 2}, t}}, bad[] = {{FV_F64, 2, {2, 3}, x}, {FV_F64, 2, {2, 2}, t}};
    CHECK_EQ(fv_function_call(f, in, 2, NULL, 0), FV_OK);
    CHECK_EQ(fv_var_get(s, fv_session_find(s, "w"), &read), FV_OK);
    CHECK_CLOSE(got[0], w[0], 1e-12);
    CHECK_EQ(fv_function_call(f, bad, 2, NULL, 0), FV_ERROR_SHAPE);
    fv_function_destroy(f);
    fv_session_destroy(s);
}

/* ---- initial values ---- */

enum { DRAWS = 20000 };
typedef struct kind { const char *name; fv_init init; double mean, deviation, least, most; } kind;
/* A normal distribution of deviation 1.5 that is cut at +-2 has 1.02292: s sqrt(1 - 2 q f(q) / (2 F(q) - 1)), q = 2 / s. */
static const kind kinds[] = {
    {"zeros", {FV_INIT_ZEROS, 0, 0}, 0, 0, 0, 0},
    {"constant", {FV_INIT_CONSTANT, 0.5, 0}, 0.5, 0, 0.5, 0.5},
    {"uniform", {FV_INIT_UNIFORM, -1, 3}, 1, 4 / 3.4641016151377544, -1, 3},
    {"normal", {FV_INIT_NORMAL, 0.5, 2}, 0.5, 2, -9, 10},
    {"cut", {FV_INIT_TRUNC_NORMAL, 0, 1.5}, 0, 1.02292, -2, 2},
};
enum { KINDS = sizeof kinds / sizeof *kinds };

static fv_status build_params(fv_graph *g, fv_value *const *in, int n_in, void *user)
{
    const int64_t n = DRAWS;
    (void)in, (void)n_in, (void)user;
    for (int i = 0; i < KINDS; i++) fv_result(g, kinds[i].name, fv_param(g, kinds[i].name, FV_PARAM_WEIGHT, 1, &n, kinds[i].init));
    return fv_graph_status(g);
}

static void test_initial_values(void)
{
    static double x[KINDS][DRAWS];
    fv_tensor out[KINDS];
    fv_session *s = open_session(NULL, FV_F64);
    fv_function *f = NULL;
    CHECK_EQ(fv_function_create(s, "params", NULL, 0, build_params, NULL, NULL, &f), FV_OK);
    for (int i = 0; i < KINDS; i++) out[i] = (fv_tensor){FV_F64, 1, {DRAWS}, x[i]};
    CHECK_EQ(fv_function_call(f, NULL, 0, out, KINDS), FV_OK);
    for (int i = 0; i < KINDS; i++) {
        double sum = 0, squares = 0, least = x[i][0], most = x[i][0];
        for (int k = 0; k < DRAWS; k++) {
            sum += x[i][k];
            squares += x[i][k] * x[i][k];
            least = fmin(least, x[i][k]);
            most = fmax(most, x[i][k]);
        }
        const double mean = sum / DRAWS, deviation = sqrt(fmax(squares / DRAWS - mean * mean, 0));
        CHECK_MSG(fabs(mean - kinds[i].mean) <= 0.03 * kinds[i].deviation, "%s: mean %g", kinds[i].name, mean);      /* four standard errors */
        CHECK_MSG(fabs(deviation - kinds[i].deviation) <= 0.03 * kinds[i].deviation, "%s: deviation %g", kinds[i].name, deviation);
        CHECK_MSG(least >= kinds[i].least && most <= kinds[i].most, "%s: from %g to %g", kinds[i].name, least, most);
    }
    fv_function_destroy(f);
    fv_session_destroy(s);
}

static void test_step(void) { step_with(NULL); }
static void test_step_references(void) { step_with("none"); }

TEST_MAIN(CASE(test_step), CASE(test_step_references), CASE(test_initial_values))
