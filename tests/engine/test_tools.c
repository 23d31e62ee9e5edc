/* SPDX-License-Identifier: Apache-2.0 */
/* The self-test's rows, and kernel tables: written by fv_tune, obeyed by sessions, warned about on another machine. */
#include "test.h"

#include "fovea/nn.h"
#include "fovea/tools.h"

#include <stdlib.h>
#include <unistd.h>

static const char table_path[] = "test_tools_table.json";

/* ---- self-test ---- */

typedef struct rows { int all, failed, stop_at; bool dtypes[3]; double worst; } rows;

static bool on_row(void *user, const fv_selftest_row *row)
{
    rows *r = user;
    static const char *const names[3] = {"f32", "f64", "bf16"};
    for (int i = 0; i < 3; i++) r->dtypes[i] |= !strcmp(row->dtype, names[i]);
    if (!row->passed) printf("    %s %s %s %s: %s\n", row->op, row->kernel, row->dtype, row->layouts, row->problem);
    r->failed += !row->passed;
    return ++r->all != r->stop_at;
}

static void selftest_passes(void)
{
    static const char *const ops[] = {"relu", "gelu", "linear", "cross_entropy", "max_pool2d", "bn_act_train", "ragged_sum", "cast", "dropout"};
    fv_context *ctx = fv_context_create();
    CHECK(ctx);
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
        rows r = {0};
        CHECK_MSG(fv_selftest(ctx, &(fv_selftest_options){.op = ops[i]}, on_row, &r) == FV_OK, "%s: %s", ops[i], fv_error_text(ctx));
        CHECK_MSG(r.all > 0 && !r.failed && r.dtypes[0] && r.dtypes[1], "%s: %d rows, %d failed", ops[i], r.all, r.failed);
    }
    rows r = {.stop_at = 3};
    CHECK_EQ(fv_selftest(ctx, &(fv_selftest_options){.op = "relu"}, on_row, &r), FV_OK);
    CHECK_EQ(r.all, 3);
    CHECK_EQ(fv_selftest(ctx, &(fv_selftest_options){.op = "rleu"}, on_row, &r), FV_ERROR_INVALID);
    CHECK_EQ(fv_selftest(ctx, &(fv_selftest_options){.isa = "mmx"}, on_row, &r), FV_ERROR_CONFIG);
    fv_context_destroy(ctx);
}

/* ---- tables ---- */

static fv_status build(fv_graph *g, fv_value *const *in, int n_in, void *user)
{
    (void)n_in;
    (void)user;
    fv_value *y = fv_conv2d(g, "a", in[0], &FV_CONV(.out = 32, .kernel = 3, .same = true));
    y = fv_conv2d(g, "b", y, &FV_CONV(.out = 32, .kernel = 3, .same = true));
    fv_result(g, "y", fv_global_average_pool(g, y));
    return fv_graph_status(g);
}

static const fv_input_spec spec = {"x", FV_F32, 4, {FV_N, 16, 12, 12}};

typedef struct seen { int rows, chosen; } seen;
static void on_timing(void *user, const fv_tune_row *row)
{
    seen *s = user;
    s->rows += row->seconds > 0;
    s->chosen += row->chosen;
}

/* The plan of `build` in a session with the table, as text; NULL after an error. */
static char *plan_with(fv_context *ctx, const char *table)
{
    fv_session *s = NULL;
    fv_function *f = NULL;
    char *text = NULL;
    const fv_tensor in = {FV_F32, 4, {2, 16, 12, 12}, NULL};
    if (fv_session_create(ctx, &(fv_session_options){.kernel_table = table}, &s) == FV_OK &&
        fv_function_create(s, "net", &spec, 1, build, NULL, NULL, &f) == FV_OK && fv_function_plan_text(f, &in, 1, &text) != FV_OK)
        text = NULL;
    fv_function_destroy(f);
    fv_session_destroy(s);
    return text;
}

static bool write_table(const char *cpu, const char *choices)
{
    FILE *f = fopen(table_path, "w");
    if (!f) return false;
    fprintf(f, "{\"cpu\": \"%s\", \"threads\": 1, \"choices\": %s}\n", cpu, choices);
    return fclose(f) == 0;
}

static void on_log(void *user, fv_log_level level, const char *text)
{
    char *last = user;
    if (level == FV_LOG_WARN) snprintf(last, 512, "%s", text);
}

static void tune_writes_what_sessions_read(void)
{
    fv_context *ctx = fv_context_create();
    CHECK(ctx);
    char last[512] = "";
    seen s = {0};
    fv_tune_result r = {0};
    const fv_tensor in = {FV_F32, 4, {2, 16, 12, 12}, NULL};
    fv_context_set_threads(ctx, 1);
    fv_context_set_log(ctx, on_log, last);
    CHECK_MSG(fv_tune(ctx, table_path, "net", &spec, &in, 1, build, NULL, NULL, NULL, on_timing, &s, &r) == FV_OK, "%s", fv_error_text(ctx));
    CHECK_EQ(r.keys, 2);
    CHECK(r.before > 0 && r.after > 0 && r.after <= r.before);
    CHECK_EQ(s.chosen, 2);
    CHECK(s.rows >= 2);
    char *text = plan_with(ctx, table_path);
    CHECK_MSG(text, "%s", fv_error_text(ctx));
    CHECK_STR(last, "");                                /* this machine's: no warning */
    fv_text_free(text);
    fv_context_destroy(ctx);
    unlink(table_path);
}

static void tables_are_obeyed(void)
{
    static const char nhwc[] = "{\"conv2d\": {\"f32 n2 c16 h12 w12 o32 k3x3 s1x1 p1x1 d1x1 g1 t1\": \"nhwc\","
                               "\"f32 n2 c32 h12 w12 o32 k3x3 s1x1 p1x1 d1x1 g1 t1\": \"no such name\"}}";
    fv_context *ctx = fv_context_create();
    CHECK(ctx);
    char last[512] = "";
    fv_context_set_threads(ctx, 1);
    fv_context_set_log(ctx, on_log, last);
    char *plain = plan_with(ctx, NULL);
    CHECK_MSG(plain, "%s", fv_error_text(ctx));
    CHECK(write_table("another", nhwc));
    char *tuned = plan_with(ctx, table_path);
    CHECK_MSG(tuned, "%s", fv_error_text(ctx));
    CHECK_HAS(last, "was made for cpu \"another\"");
    CHECK(strcmp(plain, tuned) != 0);
    CHECK_HAS(tuned, "acdb");                           /* the first convolution's activations are channels-last now */
    fv_context_set_threads(ctx, 2);
    char *other = plan_with(ctx, table_path);
    CHECK_HAS(last, "made for 1 threads");
    fv_text_free(plain);
    fv_text_free(tuned);
    fv_text_free(other);

    CHECK(write_table("x", "[1]"));
    CHECK(!plan_with(ctx, table_path));
    CHECK_EQ(fv_error_status(ctx), FV_ERROR_FORMAT);
    CHECK_HAS(fv_error_message(ctx), "not a kernel table");
    unlink(table_path);
    CHECK(!plan_with(ctx, table_path));
    CHECK_EQ(fv_error_status(ctx), FV_ERROR_IO);
    fv_context_destroy(ctx);
}

TEST_MAIN(CASE(selftest_passes), CASE(tune_writes_what_sessions_read), CASE(tables_are_obeyed))
