/* SPDX-License-Identifier: Apache-2.0 */
/* Where fixed room once was: nodes of many inputs, long names, deep expressions over variables, lists of kernels. */
#include "compile/registry.h"
#include "compile/session.h"
#include "fovea/nn.h"
#include "fovea/onnx.h"
#include "test.h"

#include <stdlib.h>

enum { MANY = 60, ROWS = 3 };

static fv_session *open_session(fv_context *ctx, fv_dtype dtype, const char *passes)
{
    const fv_session_options options = {.dtype = dtype, .passes = passes, .seed = 5};
    fv_session *s = NULL;
    return fv_session_create(ctx, &options, &s) == FV_OK ? s : NULL;
}

/* ---- sixty inputs ---- */

/* y = x with column k times k + 1; loss = sum of y^2. */
static fv_status build_columns(fv_graph *g, fv_value *const *in, int n_in, void *user)
{
    (void)n_in, (void)user;
    fv_value *part[MANY], *y, *loss, *dx;
    for (int k = 0; k < MANY; k++) part[k] = fv_scale(g, fv_slice(g, in[0], 1, k, 1), k + 1);
    y = fv_concat(g, 1, MANY, part);
    loss = fv_sum(g, fv_square(g, y), 0, false);
    const fv_status status = fv_grad(g, 1, &loss, NULL, 1, &in[0], &dx);
    if (status != FV_OK) return status;
    fv_result(g, "y", y);
    fv_result(g, "dx", dx);
    return fv_graph_status(g);
}

static void columns_of(const char *passes, fv_dtype dtype)
{
    static float x[ROWS * MANY], y[ROWS * MANY], dx[ROWS * MANY];
    static double wide[3][ROWS * MANY];
    fv_context *ctx = fv_context_create();
    fv_session *s = open_session(ctx, dtype, passes);
    fv_function *f = NULL;
    const bool narrow = dtype == FV_F32;
    const fv_input_spec spec = {"x", dtype, 2, {FV_N, MANY}};
    for (int i = 0; i < ROWS * MANY; i++) x[i] = (float)(wide[0][i] = (i * 7 % 11 - 5) * 0.25);
    const fv_tensor in = {dtype, 2, {ROWS, MANY}, narrow ? (void *)x : wide[0]};
    const fv_tensor out[2] = {{dtype, 2, {ROWS, MANY}, narrow ? (void *)y : wide[1]},
                              {dtype, 2, {ROWS, MANY}, narrow ? (void *)dx : wide[2]}};
    CHECK(s && fv_function_create(s, "columns", &spec, 1, build_columns, NULL, NULL, &f) == FV_OK);
    CHECK_MSG(fv_function_call(f, &in, 1, out, 2) == FV_OK, "%s", fv_error_text(ctx));
    for (int i = 0; i < ROWS * MANY; i++) {
        const double k = i % MANY + 1, a = narrow ? (double)y[i] : wide[1][i], b = narrow ? (double)dx[i] : wide[2][i];
        CHECK_CLOSE(a, k * x[i], 1e-6);
        CHECK_CLOSE(b, 2 * k * k * x[i], 1e-6);
    }
    fv_function_destroy(f);
    fv_session_destroy(s);
    fv_context_destroy(ctx);
}

static void concat_of_sixty(void)
{
    columns_of(NULL, FV_F32);
    columns_of("none", FV_F32);
    columns_of("-hoist", FV_F64);
}

/* DenseNet's way: every layer reads all before it. In channel blocks, and from parameters. */
static fv_status build_dense(fv_graph *g, fv_value *const *in, int n_in, void *user)
{
    (void)n_in, (void)user;
    const int64_t width = 16;
    fv_value *layer[MANY], *tokens[MANY];
    layer[0] = fv_conv2d(g, "stem", in[0], &FV_CONV(.out = width, .kernel = 3, .padding = 1));
    for (int k = 1; k < 20; k++)
        layer[k] = fv_conv2d(g, fv_name(g, "layer%d", k), fv_concat(g, 1, k, layer),
                             &FV_CONV(.out = width, .kernel = 1));
    for (int k = 0; k < MANY; k++)
        tokens[k] = fv_param(g, fv_name(g, "token%d", k), FV_PARAM_TOKEN, 1, (const int64_t[]){5},
                             (fv_init){FV_INIT_NORMAL, 0, 1});
    fv_value *rows = fv_reshape(g, fv_concat(g, 0, MANY, tokens), 2, (const int64_t[]){5, MANY});
    fv_value *y = fv_linear(g, "fc", fv_global_average_pool(g, fv_concat(g, 1, 20, layer)), 5);
    fv_result(g, "y", fv_matmul(g, y, rows, false, false));
    return fv_graph_status(g);
}

static void dense_net(void)
{
    static float x[2 * 3 * 8 * 8], y[2][2 * MANY];
    for (int i = 0; i < FVI_COUNT(x); i++) x[i] = (float)(i * 31 % 17) / 8 - 1;
    for (int way = 0; way < 2; way++) {
        fv_context *ctx = fv_context_create();
        fv_session *s = open_session(ctx, FV_F32, way ? "none" : NULL);
        fv_function *f = NULL;
        const fv_input_spec spec = {"x", FV_F32, 4, {FV_N, 3, 8, 8}};
        const fv_tensor in = {FV_F32, 4, {2, 3, 8, 8}, x}, out = {FV_F32, 2, {2, MANY}, y[way]};
        CHECK(s && fv_function_create(s, "dense", &spec, 1, build_dense, NULL, NULL, &f) == FV_OK);
        CHECK_MSG(fv_function_call(f, &in, 1, &out, 1) == FV_OK, "%s", fv_error_text(ctx));
        CHECK_MSG(fv_function_export_onnx(f, &in, 1, "limits.onnx", &(fv_onnx_options){0}, NULL) == FV_OK, "%s",
                  fv_error_text(ctx));
        remove("limits.onnx");
        fv_function_destroy(f);
        fv_session_destroy(s);
        fv_context_destroy(ctx);
    }
    for (int i = 0; i < 2 * MANY; i++) CHECK_CLOSE(y[0][i], y[1][i], 1e-3);
}

/* ---- long names ---- */

static fv_value *one(fv_graph *g, const char *name)
{
    return fv_param(g, name, FV_PARAM_WEIGHT, 2, (const int64_t[]){2, 2}, (fv_init){FV_INIT_CONSTANT, 1, 0});
}

/* Four parameters whose names differ behind 300 characters: in what is pushed, in fv_name, in the layer's own name. */
static fv_status build_long(fv_graph *g, fv_value *const *in, int n_in, void *user)
{
    (void)n_in, (void)user;
    char deep[301];
    memset(deep, 'x', sizeof deep - 1);
    deep[300] = 0;
    fv_value *sum = in[0];
    for (int k = 0; k < 2; k++) {
        fv_push(g, "%s%d", deep, k);
        sum = fv_add(g, sum, one(g, "weight"));
        fv_pop(g);
        sum = fv_add(g, sum, one(g, fv_name(g, "%s.%d", deep, k)));
    }
    fv_result(g, "y", sum);
    return fv_graph_status(g);
}

static void names_of_any_length(void)
{
    float x[4] = {0}, y[4];
    fv_context *ctx = fv_context_create();
    fv_session *s = open_session(ctx, FV_F32, NULL);
    fv_function *f = NULL;
    const fv_input_spec spec = {"x", FV_F32, 2, {2, 2}};
    const fv_tensor in = {FV_F32, 2, {2, 2}, x}, out = {FV_F32, 2, {2, 2}, y};
    CHECK(s && fv_function_create(s, "long", &spec, 1, build_long, NULL, NULL, &f) == FV_OK);
    CHECK_MSG(fv_function_call(f, &in, 1, &out, 1) == FV_OK, "%s", fv_error_text(ctx));
    CHECK_EQ(fv_session_var_count(s), 4);
    for (int i = 0; i < 4; i++) {
        const char *name = fv_var_name(fv_session_var(s, i));
        CHECK_EQ(strlen(name), i % 2 ? 302 : 308);
        CHECK(strchr(name, '0' + i / 2));
    }
    /* An adapter's names are longer still. */
    for (int i = 0; i < 2; i++) {
        char name[700], part[720];
        memset(name, 'y', 600);
        snprintf(name + 600, sizeof name - 600, ".%d", i);
        fv_graph *g = NULL;
        CHECK(fvi_graph_create(ctx, &fvi_registry_table, s->store, FV_F32, &g) == FV_OK && one(g, name));
        fvi_graph_destroy(g);
        CHECK_MSG(fv_session_adapt(s, name, 1, 1) == FV_OK, "%s", fv_error_text(ctx));
        snprintf(part, sizeof part, "%s.lora_B", name);
        CHECK(fv_session_find(s, part));
    }
    fv_function_destroy(f);
    fv_session_destroy(s);
    fv_context_destroy(ctx);
}

/* ---- deep expressions ---- */

static fv_value *deep(fv_graph *g, fv_value *v)
{
    for (int i = 0; i < 100; i++) v = fv_offset(g, v, 1);
    return v;
}

static fv_value *wide(fv_graph *g, fv_value *v)
{
    for (int i = 0; i < 40; i++) v = fv_scale(g, fv_add(g, v, v), 0.5);
    return v;
}

/* Derived from two variables in the same way: two values, although they differ only a hundred nodes down. And an
 * expression of forty sums of a value with itself is walked once, not 2^40 times. */
static fv_status build_deep(fv_graph *g, fv_value *const *in, int n_in, void *user)
{
    (void)n_in, (void)user;
    for (int k = 0; k < 2; k++) {
        fv_value *v = fv_param(g, k ? "b" : "a", FV_PARAM_WEIGHT, 1, (const int64_t[]){1},
                               (fv_init){FV_INIT_CONSTANT, k ? 2 : 1, 0});
        fv_result(g, "deep", fv_add(g, in[0], deep(g, v)));
        fv_result(g, "wide", fv_add(g, in[0], wide(g, v)));
    }
    return fv_graph_status(g);
}

static void deep_expressions(void)
{
    float x[1] = {1000}, y[4];
    fv_context *ctx = fv_context_create();
    fv_session *s = open_session(ctx, FV_F32, NULL);
    fv_function *f = NULL;
    const fv_input_spec spec = {"x", FV_F32, 1, {1}};
    const fv_tensor in = {FV_F32, 1, {1}, x};
    fv_tensor out[4];
    for (int k = 0; k < 4; k++) out[k] = (fv_tensor){FV_F32, 1, {1}, &y[k]};
    CHECK(s && fv_function_create(s, "deep", &spec, 1, build_deep, NULL, NULL, &f) == FV_OK);
    CHECK_MSG(fv_function_call(f, &in, 1, out, 4) == FV_OK, "%s", fv_error_text(ctx));
    const float want[4] = {1101, 1001, 1102, 1002};
    for (int k = 0; k < 4; k++) CHECK_EQ(y[k], want[k]);
    fv_function_destroy(f);
    fv_session_destroy(s);
    fv_context_destroy(ctx);
}

/* ---- kernels of an op ---- */

static void every_kernel_has_its_turn(void)
{
    int seen = 0;
    for (int i = 0; i < fvi_registry_op_count(); i++) {
        const char *op = fvi_registry_op(i)->name;
        const fvi_kernel *last = NULL, *k;
        while ((k = fvi_registry_next_kernel(op, last))) {
            CHECK(!strcmp(k->op, op) && (!last || k->priority <= last->priority));
            last = k;
            if (++seen > fvi_registry_kernel_count()) break;
        }
    }
    CHECK_EQ(seen, fvi_registry_kernel_count());
}

/* ---- memory that runs out while variables get theirs ---- */

static void failed_memory_leaves_nothing_behind(void)
{
    fv_context *ctx = fv_context_create();
    const fvi_type type = fvi_type_make(FV_F32, 4, (const int64_t[]){16, 16, 1, 1});
    int failures = 0;
    for (int nth = 1; nth < 20; nth++) {
        fvi_store *store = NULL;
        fvi_var *vars[3];
        CHECK_EQ(fvi_store_create(ctx, FV_F32, 1, &store), FV_OK);
        for (int i = 0; i < 3; i++) {
            const char *const names[] = {"a", "b", "c"};
            const fv_init init = {FV_INIT_CONSTANT, i + 1, 0};
            CHECK_EQ(fvi_store_get(store, names[i], FV_PARAMETER, &type, init, &vars[i]), FV_OK);
            vars[i]->home = FVI_OIHW16I16O;                /* filled through a plain copy */
        }
        fvi_memory_set_fault(nth);
        const fv_status status = fvi_store_materialise(store, vars, 3);
        fvi_memory_set_fault(0);
        CHECK(status == FV_OK || status == FV_ERROR_NOMEM);
        for (int i = 0; i < 3; i++)
            CHECK_MSG(!vars[i]->note, "allocation %d fails: %s is still marked", nth, vars[i]->name);
        CHECK_EQ(fvi_store_materialise(store, vars, 3), FV_OK);
        for (int i = 0; i < 3; i++) CHECK_EQ(((const float *)vars[i]->data)[255], i + 1);
        fvi_store_destroy(store);
        if (status == FV_OK) break;
        failures++;
    }
    CHECK(failures >= 3);
    fv_context_destroy(ctx);
}

TEST_MAIN(CASE(concat_of_sixty), CASE(dense_net), CASE(names_of_any_length), CASE(deep_expressions),
          CASE(every_kernel_has_its_turn), CASE(failed_memory_leaves_nothing_behind))
