/* SPDX-License-Identifier: Apache-2.0 */
/* Variables, functions, keys: small cases that can be computed by hand. */
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

static void test_step(void) { step_with(NULL); }
static void test_step_references(void) { step_with("none"); }

TEST_MAIN(CASE(test_step), CASE(test_step_references))
