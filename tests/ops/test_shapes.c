/* SPDX-License-Identifier: Apache-2.0 */
/* Shape rules: what k*N may do, and that a wrong shape is an error that names layer, op and shapes; dropout's bits. */
#include "compile/registry.h"
#include "fovea/session.h"
#include "test.h"

#define N FV_N

typedef struct shape { fv_dtype dtype; int rank; int64_t dim[FV_MAX_RANK]; } shape;

static fv_graph *new_graph(fv_context *ctx)
{
    fv_graph *g = NULL;
    if (fvi_graph_create(ctx, &fvi_registry_table, NULL, FV_F32, &g) != FV_OK) return NULL;
    fv_push(g, "layer1");
    return g;
}

static fv_value *new_input(fv_graph *g, const shape *s)
{
    const fvi_type t = fvi_type_make(s->dtype, s->rank, s->dim);
    return fvi_input(g, "x", &t);
}

static void wrong_shapes_are_named(void)
{
    static const struct { const char *op, *attrs; int n; shape in[3]; const char *says; } cases[] = {
        {"add", "", 2, {{FV_F32, 2, {N, 3}}, {FV_F32, 2, {N, 4}}}, "layer1 (add): shapes (N, 3) f32 and (N, 4) f32 do not broadcast"},
        {"add", "", 2, {{FV_F32, 2, {N, 3}}, {FV_F32, 2, {2 * N, 3}}}, "(2N, 3)"},
        {"add", "", 2, {{FV_F32, 2, {N, 3}}, {FV_F32, 2, {2, 3}}}, "(2, 3)"},
        {"add", "", 2, {{FV_F32, 1, {3}}, {FV_I64, 1, {3}}}, "input 1 is (3,) i64, but must be floating"},
        {"exp", "", 1, {{FV_I64, 1, {N}}}, "fv_cast"},
        {"sum", "axes=4", 1, {{FV_F32, 2, {N, 3}}}, "axes = 4 names an axis that (N, 3) f32 lacks"},
        {"sum_to", "dims=4", 1, {{FV_F32, 2, {N, 3}}}, "(N, 3) f32 cannot be summed to (4,) f32"},
        {"broadcast_to", "dims=2,3", 1, {{FV_F32, 2, {N, 3}}}, "(N, 3) f32 cannot be broadcast to (2, 3) f32"},
        {"reshape", "dims=-1,10", 1, {{FV_F32, 3, {N, 3, 3}}}, "(N, 3, 3) f32 cannot be reshaped to (N, 10) f32"},
        {"reshape", "dims=9", 1, {{FV_F32, 3, {N, 3, 3}}}, "the number of elements differs"},
        {"permute", "axes=0,0", 1, {{FV_F32, 2, {N, 3}}}, "each axis of (N, 3) f32 once"},
        {"permute", "axes=0", 1, {{FV_F32, 2, {N, 3}}}, "1 axes for (N, 3) f32"},
        {"concat", "axis=1", 2, {{FV_F32, 2, {N, 3}}, {FV_F32, 2, {2 * N, 3}}}, "differ in more than axis 1"},
        {"concat", "axis=0", 2, {{FV_F32, 2, {N, 3}}, {FV_F32, 2, {4, 3}}}, "multiples of N do not mix"},
        {"concat", "axis=2", 1, {{FV_F32, 2, {N, 3}}}, "(N, 3) f32 has no axis 2"},
        {"slice", "axis=1 start=2 length=2", 1, {{FV_F32, 2, {N, 3}}}, "start 2 and length 2 do not fit axis 1 of (N, 3) f32"},
        {"slice", "axis=0 start=0 length=2", 1, {{FV_F32, 2, {N, 3}}}, "do not fit axis 0"},
        {"slice", "axis=1", 1, {{FV_F32, 2, {N, 3}}}, "length 0"},
        {"pad", "before=1", 1, {{FV_F32, 2, {N, 3}}}, "multiples of N do not mix"},
        {"one_hot", "classes=3", 1, {{FV_F32, 1, {N}}}, "indices must be i64"},
        {"ragged_sum", "", 2, {{FV_F32, 2, {FV_RAGGED, 4}}, {FV_F32, 1, {N}}}, "counts must be i64 (N), not (N,) f32"},
        {"sgd", "", 3, {{FV_F32, 1, {3}}, {FV_F32, 1, {4}}, {FV_F32, 1, {3}}}, "sgd takes 8 to 8 inputs"},
        {"ema", "", 2, {{FV_F32, 1, {3}}, {FV_F32, 1, {3}}}, "ema takes 4 to 4 inputs"},
        {"clip_scale", "max_norm=-1", 2, {{FV_F32, 0, {0}}, {FV_F32, 0, {0}}}, "max_norm"},
        {"scale", "factor=ten", 1, {{FV_F32, 1, {3}}}, "factor"},
        {"cast", "dtype=f31", 1, {{FV_F32, 1, {3}}}, "dtype"},
    };
    for (int i = 0; i < FVI_COUNT(cases); i++) {
        fv_context *ctx = fv_context_create();
        fv_graph *g = new_graph(ctx);
        fv_value *x[3] = {NULL};
        for (int k = 0; k < cases[i].n; k++) x[k] = new_input(g, &cases[i].in[k]);
        CHECK_MSG(!fv_op(g, cases[i].op, cases[i].attrs, cases[i].n, x[0], x[1], x[2]), "case %d (%s %s) is accepted", i, cases[i].op, cases[i].attrs);
        CHECK_HAS(fv_error_message(ctx), cases[i].says);
        CHECK(!fv_add(g, x[0], x[0]));                  /* sticky */
        CHECK_HAS(fv_error_message(ctx), cases[i].says);
        fvi_graph_destroy(g);
        fv_context_destroy(ctx);
    }
}

static void symbolic_shapes(void)
{
    static const struct { const char *op, *attrs; int n; shape in[2], out; } cases[] = {
        {"add", "", 2, {{FV_F32, 2, {N, 1}}, {FV_F32, 1, {4}}}, {FV_F32, 2, {N, 4}}},
        {"sum", "axes=1", 1, {{FV_F32, 2, {N, 3}}}, {FV_F32, 1, {3}}},
        {"sum", "", 1, {{FV_BF16, 2, {N, 3}}}, {FV_F32, 0, {0}}},
        {"mean", "axes=12 keep=true", 1, {{FV_F32, 4, {N, 3, 5, 5}}}, {FV_F32, 4, {N, 3, 1, 1}}},
        {"reshape", "dims=-49,16", 1, {{FV_F32, 4, {N, 49, 4, 4}}}, {FV_F32, 2, {49 * N, 16}}},
        {"concat", "axis=0", 2, {{FV_F32, 2, {N, 3}}, {FV_F32, 2, {2 * N, 3}}}, {FV_F32, 2, {3 * N, 3}}},
        {"slice", "axis=0 start=-1 length=-1", 1, {{FV_F32, 2, {2 * N, 3}}}, {FV_F32, 2, {N, 3}}},
        {"pad", "after=-1", 1, {{FV_F32, 2, {N, 3}}}, {FV_F32, 2, {2 * N, 3}}},
        {"permute", "axes=2,0,1", 1, {{FV_F32, 3, {N, 3, 4}}}, {FV_F32, 3, {4, N, 3}}},
        {"one_hot", "classes=7", 1, {{FV_I64, 2, {N, 3}}}, {FV_F32, 3, {N, 3, 7}}},
        {"ragged_sum", "", 2, {{FV_F32, 2, {FV_RAGGED, 4}}, {FV_I64, 1, {N}}}, {FV_F32, 2, {N, 4}}},
    };
    for (int i = 0; i < FVI_COUNT(cases); i++) {
        fv_context *ctx = fv_context_create();
        fv_graph *g = new_graph(ctx);
        fv_value *x[2] = {NULL};
        for (int k = 0; k < cases[i].n; k++) x[k] = new_input(g, &cases[i].in[k]);
        const fv_value *y = fv_op(g, cases[i].op, cases[i].attrs, cases[i].n, x[0], x[1]);
        CHECK_MSG(y, "%s: %s", cases[i].op, fv_error_text(ctx));
        const fvi_type want = fvi_type_make(cases[i].out.dtype, cases[i].out.rank, cases[i].out.dim);
        char a[FVI_TYPE_TEXT], b[FVI_TYPE_TEXT];
        CHECK_STR(fvi_type_text(&y->type, a), fvi_type_text(&want, b));
        fvi_graph_destroy(g);
        fv_context_destroy(ctx);
    }
}

static void shortcuts_add_no_nodes(void)
{
    fv_context *ctx = fv_context_create();
    fv_graph *g = new_graph(ctx);
    fv_value *x = new_input(g, &(shape){FV_F32, 4, {N, 3, 2, 2}});
    CHECK(fv_cast(g, x, FV_F32) == x);
    CHECK(fv_reshape(g, x, 4, (const int64_t[]){N, 3, 2, 2}) == x);
    CHECK(fv_broadcast_to(g, x, 4, (const int64_t[]){N, 3, 2, 2}) == x);
    CHECK(fv_dropout(g, x, 0.5) == x);                  /* not training */
    g->training = true;
    CHECK(fv_dropout(g, x, 0) == x);
    const fv_value *y = fv_flatten(g, x, 1), *z = fv_flatten(g, x, -2), *all = fv_flatten(g, x, 0);
    CHECK(y && z && all);
    CHECK(fv_value_rank(y) == 2 && fv_value_dim(y, 0) == N && fv_value_dim(y, 1) == 12);
    CHECK(fv_value_rank(z) == 3 && fv_value_dim(z, 2) == 4);
    CHECK(fv_value_rank(all) == 1 && fv_value_dim(all, 0) == 12 * N);
    CHECK(!fv_flatten(g, x, 4));
    CHECK_HAS(fv_error_message(ctx), "has no axis 4");
    fvi_graph_destroy(g);
    fv_context_destroy(ctx);
}

/* ---- dropout ---- */

enum { WIDTH = 500, ROWS = 8 };

static fv_status drop_twice(fv_graph *g, fv_value *const *in, int n_in, void *user)
{
    (void)n_in, (void)user;
    fv_push(g, "head");
    fv_result(g, "first", fv_dropout(g, in[0], 0.3));
    fv_result(g, "second", fv_dropout(g, in[0], 0.3));
    fv_pop(g);
    return fv_graph_status(g);
}

static int count(const float *y, int n)
{
    int kept = 0;
    for (int i = 0; i < n; i++) kept += y[i] != 0;
    return kept;
}

/* The bits belong to seed, step, place, sample and element: not to the batch they come in. */
static void dropout_bits(void)
{
    static float x[ROWS * WIDTH], whole[2][ROWS * WIDTH], again[2][ROWS * WIDTH], part[2][ROWS * WIDTH], next[2][ROWS * WIDTH];
    for (int i = 0; i < ROWS * WIDTH; i++) x[i] = 1;
    fv_context *ctx = fv_context_create();
    fv_session *s = NULL;
    fv_function *f = NULL;
    CHECK_EQ(fv_session_create(ctx, NULL, &s), FV_OK);
    const fv_input_spec spec = {"x", FV_F32, 2, {N, WIDTH}};
    const fv_function_options options = {.training = true};
    CHECK_EQ(fv_function_create(s, "f", &spec, 1, drop_twice, NULL, &options, &f), FV_OK);
    struct { float (*y)[ROWS * WIDTH]; int64_t rows, step, first; } calls[] = {
        {whole, ROWS, 5, 100}, {again, ROWS, 5, 100}, {part, ROWS / 2, 5, 100 + ROWS / 2}, {next, ROWS, 6, 100}};
    for (int i = 0; i < FVI_COUNT(calls); i++) {
        const fv_tensor in = {FV_F32, 2, {calls[i].rows, WIDTH}, x};
        const fv_tensor out[2] = {{FV_F32, 2, {calls[i].rows, WIDTH}, calls[i].y[0]}, {FV_F32, 2, {calls[i].rows, WIDTH}, calls[i].y[1]}};
        CHECK_EQ(fv_session_set_random(s, 42, calls[i].step, calls[i].first), FV_OK);
        CHECK_MSG(fv_function_call(f, &in, 1, out, 2) == FV_OK, "%s", fv_error_text(ctx));
    }
    for (int k = 0; k < 2; k++) {
        CHECK(!memcmp(whole[k], again[k], sizeof whole[k]));
        CHECK(!memcmp(whole[k] + ROWS / 2 * WIDTH, part[k], sizeof whole[k] / 2));
        CHECK(memcmp(whole[k], next[k], sizeof whole[k]));
        /* 4000 draws with probability 0.7: standard deviation 29 */
        CHECK_CLOSE(count(whole[k], ROWS * WIDTH), 0.7 * ROWS * WIDTH, 0.05);
        for (int i = 0; i < ROWS * WIDTH; i++) CHECK(whole[k][i] == 0 || fabsf(whole[k][i] - 1 / 0.7f) < 1e-6f);
    }
    CHECK(memcmp(whole[0], whole[1], sizeof whole[0]));         /* two at one path are not the same mask */
    int both = 0;
    for (int i = 0; i < ROWS * WIDTH; i++) both += whole[0][i] != 0 && whole[1][i] != 0;
    CHECK_CLOSE(both, 0.49 * ROWS * WIDTH, 0.07);               /* nor related: 0.7 * 0.7 */
    fv_function_destroy(f);
    fv_session_destroy(s);
    fv_context_destroy(ctx);
}

TEST_MAIN(CASE(wrong_shapes_are_named), CASE(symbolic_shapes), CASE(shortcuts_add_no_nodes), CASE(dropout_bits))
