/* SPDX-License-Identifier: Apache-2.0 */
/* Shape rules: what k*N may do, and that a wrong shape is an error that names layer, op and shapes; dropout's bits. */
#include "compile/registry.h"
#include "fovea/session.h"
#include "test.h"

#include <stdlib.h>

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
        {"add", "", 2, {{FV_F32, 1, {3}}, {FV_I64, 1, {3}}}, "inputs 0 and 1 are f32 and i64: fv_cast"},
        {"div", "", 2, {{FV_I64, 1, {3}}, {FV_I64, 1, {3}}}, "input 0 is (3,) i64, but must be floating"},
        {"mul", "", 2, {{FV_BOOL, 1, {3}}, {FV_BOOL, 1, {3}}}, "must be a number: fv_cast it"},
        {"floor_div", "", 2, {{FV_F32, 1, {3}}, {FV_F32, 1, {3}}}, "must hold whole numbers"},
        {"logical_and", "", 2, {{FV_BOOL, 1, {3}}, {FV_F32, 1, {3}}}, "inputs 0 and 1 are bool and f32"},
        {"select", "", 3, {{FV_BOOL, 1, {3}}, {FV_I64, 1, {3}}, {FV_F32, 1, {3}}}, "inputs 1 and 2 are i64 and f32"},
        {"exp", "", 1, {{FV_I64, 1, {N}}}, "fv_cast"},
        {"sum", "axes=4", 1, {{FV_F32, 2, {N, 3}}}, "axes = 4 names an axis that (N, 3) f32 lacks"},
        {"sum_to", "dims=4", 1, {{FV_F32, 2, {N, 3}}}, "(N, 3) f32 cannot be summed to (4,) f32"},
        {"broadcast_to", "dims=2,3", 1, {{FV_F32, 2, {N, 3}}}, "(N, 3) f32 cannot be broadcast to (2, 3) f32"},
        {"matmul", "", 2, {{FV_F32, 3, {2, 3, 4}}, {FV_F32, 3, {3, 4, 5}}}, "cannot be multiplied"},
        {"gather", "", 2, {{FV_F32, 2, {N, 3}}, {FV_F32, 1, {4}}}, "the index must be i64 or i32"},
        {"gather", "axis=2", 2, {{FV_F32, 2, {N, 3}}, {FV_I64, 1, {4}}}, "axis 2 does not exist in (N, 3) f32"},
        {"gather", "", 2, {{FV_F32, 4, {N, 3, 2, 2}}, {FV_I64, 4, {1, 1, 1, 1}}}, "more than 6 axes"},
        {"index_add", "", 3, {{FV_F32, 2, {5, 3}}, {FV_I64, 1, {4}}, {FV_F32, 2, {4, 2}}}, "(4, 3) f32 is needed"},
        {"take_along", "axis=1", 2, {{FV_F32, 2, {N, 3}}, {FV_I64, 2, {4, 3}}}, "differ in more than axis 1"},
        {"scatter_add", "axis=1", 3, {{FV_F32, 2, {N, 3}}, {FV_I64, 2, {N, 4}}, {FV_F32, 2, {N, 3}}}, "cannot be added"},
        {"top_k", "k=4", 1, {{FV_F32, 2, {N, 3}}}, "axis 1 of (N, 3) f32 does not have 4 elements"},
        {"sort", "axis=0", 1, {{FV_F32, 2, {N, 3}}}, "axis 0 of (N, 3) f32"},
        {"cumsum", "axis=3", 1, {{FV_F32, 2, {N, 3}}}, "axis 3 does not exist"},
        {"flip", "axes=4", 1, {{FV_F32, 2, {N, 3}}}, "axes = 4 names an axis that (N, 3) f32 lacks"},
        {"arange", "", 0, {{FV_F32, 0, {0}}}, "count must be one number"},
        {"resize", "size=4,4", 1, {{FV_F32, 3, {N, 3, 3}}}, "must be a floating (N, C, H, W)"},
        {"resize", "size=4,4 align_corners=true", 1, {{FV_F32, 4, {N, 3, 3, 3}}}, "align_corners means nothing"},
        {"conv_transpose2d", "", 2, {{FV_F32, 4, {N, 3, 3, 3}}, {FV_F32, 4, {4, 3, 3, 3}}}, "the weight must be (3, O / groups, kh, kw)"},
        {"conv_transpose2d", "output_padding=1,0", 2, {{FV_F32, 4, {N, 3, 3, 3}}, {FV_F32, 4, {3, 3, 3, 3}}}, "less than stride"},
        {"drop_path", "", 2, {{FV_F32, 2, {N, 3}}, {FV_I64, 1, {2}}}, "the random state must be i64 (3)"},
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
        {"matmul", "", 2, {{FV_F32, 4, {N, 1, 3, 4}}, {FV_F32, 3, {5, 4, 2}}}, {FV_F32, 4, {N, 5, 3, 2}}},
        {"gather", "axis=1", 2, {{FV_F32, 3, {N, 3, 4}}, {FV_I64, 2, {7, N}}}, {FV_F32, 4, {N, 7, N, 4}}},
        {"top_k", "k=2", 1, {{FV_F32, 2, {N, 3}}}, {FV_F32, 2, {N, 2}}},
        {"arange", "count=-4", 0, {{FV_F32, 0, {0}}}, {FV_I64, 1, {4 * N}}},
        {"sum", "axes=2", 1, {{FV_BOOL, 2, {N, 3}}}, {FV_I64, 1, {N}}},
        {"less", "", 2, {{FV_I32, 2, {N, 1}}, {FV_I32, 1, {4}}}, {FV_I32, 2, {N, 4}}},
        {"resize", "size=5,6", 1, {{FV_F32, 4, {N, 3, 2, 2}}}, {FV_F32, 4, {N, 3, 5, 6}}},
        {"conv_transpose2d", "stride=2,2 padding=1,1", 2, {{FV_F32, 4, {N, 3, 4, 4}}, {FV_F32, 4, {3, 5, 4, 4}}}, {FV_F32, 4, {N, 5, 8, 8}}},
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

/* ---- builders of several nodes ---- */

enum { PARTS = 12 };

/* x (N, 3, 4) holds 0, 1, 2, ...; each result is compared with what NumPy makes of it. */
static fv_status build_parts(fv_graph *g, fv_value *const *in, int n_in, void *user)
{
    (void)n_in, (void)user;
    fv_value *x = in[0], *part[2], *both[2] = {x, fv_neg(g, x)}, *places;
    fv_split_axis(g, x, 2, 2, (const int64_t[]){1, 3}, part);
    fv_value *const results[PARTS] = {
        part[1], fv_stack(g, 1, 2, both), fv_roll(g, x, 2, 1), fv_roll(g, x, 1, -4), fv_repeat(g, x, 2, 2),
        fv_tile(g, x, (const int64_t[]){2, 1, 2}), fv_squeeze(g, fv_slice(g, x, 1, 2, 1), 1), fv_unsqueeze(g, x, -1),
        fv_flip(g, x, 1 << 1), fv_conv1d_op(g, fv_slice(g, x, 1, 0, 1), fv_full(g, 1, 3, (const int64_t[]){2, 1, 3}), NULL,
                                            &(fv_conv1d_options){.padding = 1, .stride = 2}),
        fv_top_k(g, x, 2, -1, true, &places), fv_cast(g, fv_add(g, places, fv_full_of(g, FV_I64, 10, 0, NULL)), FV_F32)};
    for (int k = 0; k < PARTS; k++) fv_result(g, "part", results[k]);
    return fv_graph_status(g);
}

static void builders_of_several_nodes(void)
{
    static const struct { fv_tensor shape; int count; float first[8]; } want[PARTS] = {
        {{FV_F32, 3, {1, 3, 3}, NULL}, 8, {1, 2, 3, 5, 6, 7, 9, 10}},
        {{FV_F32, 4, {1, 2, 3, 4}, NULL}, 8, {0, 1, 2, 3, 4, 5, 6, 7}},
        {{FV_F32, 3, {1, 3, 4}, NULL}, 8, {3, 0, 1, 2, 7, 4, 5, 6}},
        {{FV_F32, 3, {1, 3, 4}, NULL}, 8, {4, 5, 6, 7, 8, 9, 10, 11}},
        {{FV_F32, 3, {1, 3, 8}, NULL}, 8, {0, 0, 1, 1, 2, 2, 3, 3}},
        {{FV_F32, 3, {2, 3, 8}, NULL}, 8, {0, 1, 2, 3, 0, 1, 2, 3}},
        {{FV_F32, 2, {1, 4}, NULL}, 4, {8, 9, 10, 11}},
        {{FV_F32, 4, {1, 3, 4, 1}, NULL}, 4, {0, 1, 2, 3}},
        {{FV_F32, 3, {1, 3, 4}, NULL}, 8, {8, 9, 10, 11, 4, 5, 6, 7}},
        {{FV_F32, 3, {1, 2, 2}, NULL}, 4, {1, 6, 1, 6}},
        {{FV_F32, 3, {1, 3, 2}, NULL}, 6, {3, 2, 7, 6, 11, 10}},
        {{FV_F32, 3, {1, 3, 2}, NULL}, 6, {13, 12, 13, 12, 13, 12}},
    };
    static float x[12], y[PARTS][48];
    fv_tensor out[PARTS];
    fv_context *ctx = fv_context_create();
    fv_session *s = NULL;
    fv_function *f = NULL;
    for (int i = 0; i < 12; i++) x[i] = (float)i;
    for (int k = 0; k < PARTS; k++) {
        out[k] = want[k].shape;
        out[k].data = y[k];
    }
    CHECK_EQ(fv_session_create(ctx, NULL, &s), FV_OK);
    const fv_input_spec spec = {"x", FV_F32, 3, {N, 3, 4}};
    const fv_tensor in = {FV_F32, 3, {1, 3, 4}, x};
    CHECK_EQ(fv_function_create(s, "parts", &spec, 1, build_parts, NULL, NULL, &f), FV_OK);
    CHECK_MSG(fv_function_call(f, &in, 1, out, PARTS) == FV_OK, "%s", fv_error_text(ctx));
    for (int k = 0; k < PARTS; k++)
        for (int i = 0; i < want[k].count; i++) CHECK_MSG(y[k][i] == want[k].first[i], "part %d, element %d is %g", k, i, (double)y[k][i]);
    fv_function_destroy(f);
    fv_session_destroy(s);
    fv_context_destroy(ctx);
}

static void wrong_builders_are_named(void)
{
    for (int k = 0; k < 6; k++) {
        fv_context *ctx = fv_context_create();
        fv_graph *g = new_graph(ctx);
        fv_value *x = new_input(g, &(shape){FV_F32, 3, {N, 3, 4}}), *part[2];
        if (k == 0) fv_split_axis(g, x, 1, 2, (const int64_t[]){1, 1}, part);
        if (k == 1) fv_squeeze(g, x, 1);
        if (k == 2) fv_unsqueeze(g, x, 5);
        if (k == 3) fv_roll(g, x, 0, 1);
        if (k == 4) fv_repeat(g, x, 1, 0);
        if (k == 5) fv_concat(g, 0, 0, NULL);
        static const char *const says[] = {"split: the lengths add up to 2", "squeeze: axis 1 of (N, 3, 4) f32 is not of length 1",
                                           "unsqueeze: (N, 3, 4) f32 has no place for axis 5", "roll: axis 0 of (N, 3, 4) f32 has no constant",
                                           "axis 1 of (N, 3, 4) f32 cannot be repeated 0 times", "concat takes 1 or more inputs, not 0"};
        CHECK_HAS(fv_error_message(ctx), says[k]);
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

/* ---- drop_path ---- */

static fv_status drop_samples(fv_graph *g, fv_value *const *in, int n_in, void *user)
{
    (void)n_in, (void)user;
    fv_push(g, "block");
    fv_result(g, "first", fv_drop_path(g, in[0], 0.4, false));
    fv_result(g, "second", fv_drop_path(g, in[0], 0.4, false));
    fv_result(g, "together", fv_drop_path(g, in[0], 0.4, true));
    fv_pop(g);
    return fv_graph_status(g);
}

enum { SAMPLES = 400, EACH = 3 };

/* 1: all of the row is x / (1 - p); 0: all of it is 0; -1: neither. */
static int kept(const float *row)
{
    int n = 0;
    for (int j = 0; j < EACH; j++) n += fabsf(row[j] - 1 / 0.6f) < 1e-6f ? 1 : row[j] == 0 ? 0 : -EACH * 2;
    return n == EACH ? 1 : n == 0 ? 0 : -1;
}

/* Whole samples go or stay, each by its own number, whatever batch it comes in; in batch mode all together. */
static void drop_path_takes_samples(void)
{
    static float x[SAMPLES * EACH], whole[3][SAMPLES * EACH], half[3][SAMPLES * EACH / 2];
    for (int i = 0; i < SAMPLES * EACH; i++) x[i] = 1;
    fv_context *ctx = fv_context_create();
    fv_session *s = NULL;
    fv_function *f = NULL;
    CHECK_EQ(fv_session_create(ctx, NULL, &s), FV_OK);
    const fv_input_spec spec = {"x", FV_F32, 2, {N, EACH}};
    CHECK_EQ(fv_function_create(s, "f", &spec, 1, drop_samples, NULL, &(fv_function_options){.training = true}, &f), FV_OK);
    int together = 0;
    for (int step = 0; step < 50; step++) {
        for (int part = 0; part < 2; part++) {
            const int rows = part ? SAMPLES / 2 : SAMPLES;
            const fv_tensor in = {FV_F32, 2, {rows, EACH}, x};
            fv_tensor out[3];
            for (int k = 0; k < 3; k++) out[k] = (fv_tensor){FV_F32, 2, {rows, EACH}, part ? half[k] : whole[k]};
            CHECK_EQ(fv_session_set_random(s, 7, step, part ? 1000 + SAMPLES / 2 : 1000), FV_OK);
            CHECK_MSG(fv_function_call(f, &in, 1, out, 3) == FV_OK, "%s", fv_error_text(ctx));
        }
        int n[2] = {0, 0}, both = 0;
        for (int i = 0; i < SAMPLES; i++) {
            for (int k = 0; k < 3; k++) CHECK(kept(whole[k] + i * EACH) >= 0);
            for (int k = 0; k < 2; k++) n[k] += kept(whole[k] + i * EACH);
            both += kept(whole[0] + i * EACH) && kept(whole[1] + i * EACH);
            CHECK_EQ(kept(whole[2] + i * EACH), kept(whole[2]));
        }
        for (int k = 0; k < 2; k++) CHECK(!memcmp(whole[k] + SAMPLES * EACH / 2, half[k], sizeof half[k]));
        CHECK_EQ(kept(half[2]), kept(whole[2]));
        /* standard deviations: 10 of 400, 50 times in a row below 4.5 of them; of both 9.6 */
        CHECK(abs(n[0] - 240) < 45 && abs(n[1] - 240) < 45 && abs(both - 144) < 45);
        together += kept(whole[2]);
    }
    CHECK(abs(together - 30) < 14);                             /* 3.5 */
    fv_function_destroy(f);
    fv_session_destroy(s);
    fv_context_destroy(ctx);
}

TEST_MAIN(CASE(wrong_shapes_are_named), CASE(symbolic_shapes), CASE(builders_of_several_nodes), CASE(wrong_builders_are_named),
          CASE(shortcuts_add_no_nodes), CASE(dropout_bits), CASE(drop_path_takes_samples))
