/* SPDX-License-Identifier: Apache-2.0 */
/* One large batch, cut in other ways: micro-batches of unequal size whose number changes in the middle of a run, two
 * ranks, two stages with three micro-batches in flight. Each equals what PyTorch computes from the large batch. */
#include "compile/session.h"
#include "dist/local.h"
#include "nets.h"
#include "test.h"

#include <pthread.h>

static void check_end(nets *n)
{
    const double distance = nets_distance(n);
    CHECK_MSG(distance <= n->tolerance, "%s is %.3g from PyTorch", n->worst, distance);
}

static fv_value *plain_net(fv_graph *g, fv_value *x)
{
    x = fv_silu(g, fv_conv2d(g, "conv1", x, &FV_CONV(.out = 6, .kernel = 3, .padding = 1, .bias = true)));
    x = fv_relu(g, fv_conv2d(g, "conv2", x, &FV_CONV(.out = 8, .kernel = 3, .stride = 2, .padding = 1, .bias = true)));
    return fv_linear(g, "fc", fv_global_average_pool(g, x), 5);
}

/* A large batch of 6, whole. */
static void batch_of(nets *n, const char *proof, int step, fv_tensor *in)
{
    char name[64];
    snprintf(name, sizeof name, "%s.x%d", proof, step);
    in[0] = nets_data(n, name, 4, (const int64_t[]){6, 3, 8, 8});
    snprintf(name, sizeof name, "%s.y%d", proof, step);
    in[1] = nets_labels(n, name, 6, 5);
}

static const fv_function_options training = {.training = true};
static const fv_optimizer_options adamw = {.name = "adamw", .weight_decay = 0.05, .max_grad_norm = 0.5};

/* ---- accumulation ---- */

static void accumulate(const nets_way *way)
{
    static const int64_t cuts[6][5] = {{6}, {6}, {1, 2, 2, 1}, {3, 1, 1, 1}, {6}, {2, 4}};
    nets n;
    CHECK(nets_open(&n, "accumulate", way));
    nets_step first = {.net = plain_net, .session = n.s, .class_weight = true, .optimizer = adamw}, more = first;
    more.more = true;
    fv_function *begin = nets_function(&n, "gradient", NETS_PICTURES(8), 2, nets_build_gradient, &first, &training);
    fv_function *add = nets_function(&n, "gradient_more", NETS_PICTURES(8), 2, nets_build_gradient, &more, &training);
    fv_function *update = nets_function(&n, "update", NULL, 0, nets_build_update, &first, &training);
    CHECK(begin && add && update);
    fv_tensor in[2], loss = nets_scalar(&n);
    batch_of(&n, "accumulate", 0, in);
    NETS_OK(fv_function_compile(begin, in, 2, NULL));
    CHECK(nets_initial(&n) && nets_set(&n, "lr", 1e-2) && nets_set(&n, "beta1", 0.9));
    for (int step = 0; step < 6; step++) {
        double sum = 0;
        int64_t at = 0;
        batch_of(&n, "accumulate", step, in);
        for (int i = 0; cuts[step][i]; at += cuts[step][i++]) {
            const fv_tensor part[2] = {nets_rows(in[0], at, cuts[step][i]), nets_rows(in[1], at, cuts[step][i])};
            NETS_OK(fv_function_call(i ? add : begin, part, 2, &loss, 1));
            sum += nets_number(loss);
        }
        CHECK_EQ(at, 6);
        NETS_OK(fv_function_call(update, NULL, 0, NULL, 0));
        CHECK_CLOSE(sum, nets_golden(&n, "loss", step), n.tolerance);
    }
    check_end(&n);
    CHECK(first.gradient_builds == 1 && more.gradient_builds == 1 && first.update_builds == 1);
    fv_function_destroy(begin);
    fv_function_destroy(add);
    fv_function_destroy(update);
    nets_close(&n);
}

/* ---- ranks ---- */

static fv_status build_reduce(fv_graph *g, fv_value *const *in, int n_in, void *user)
{
    fv_session *s = user;
    (void)in, (void)n_in;
    for (int i = 0; i < fv_session_var_count(s); i++) {
        fv_var *v = fv_session_var(s, i);
        if (fv_var_role(v) != FV_GRADIENT && strcmp(fv_var_name(v), "_step.weight")) continue;
        fv_var_write(g, v, fv_op(g, "all_reduce", NULL, 1, fv_var_read(g, v)));
    }
    return fv_graph_status(g);
}

typedef struct rank { fvi_local *group; const nets_way *way; int number; int64_t first, count; nets n; double loss[6]; bool ok; } rank;

static bool run_rank(rank *r)
{
    nets *n = &r->n;
    nets_step step = {.net = plain_net, .session = n->s, .class_weight = true, .optimizer = adamw};
    fv_function *gradient = nets_function(n, "gradient", NETS_PICTURES(8), 2, nets_build_gradient, &step, &training);
    fv_function *reduce = nets_function(n, "reduce", NULL, 0, build_reduce, n->s, &training);
    fv_function *update = nets_function(n, "update", NULL, 0, nets_build_update, &step, &training);
    fv_tensor in[2], loss = nets_scalar(n);
    bool ok = gradient && reduce && update;
    for (int i = 0; i < 6 && ok; i++) {
        batch_of(n, "accumulate", i, in);
        for (int k = 0; k < 2; k++) in[k] = nets_rows(in[k], r->first, r->count);
        if (!i) ok = fv_function_compile(gradient, in, 2, NULL) == FV_OK && nets_initial(n) && nets_set(n, "lr", 1e-2) && nets_set(n, "beta1", 0.9);
        ok = ok && fv_function_call(gradient, in, 2, &loss, 1) == FV_OK && fv_function_call(reduce, NULL, 0, NULL, 0) == FV_OK &&
             fv_function_call(update, NULL, 0, NULL, 0) == FV_OK;
        r->loss[i] = nets_number(loss);
    }
    if (!ok) printf("    rank %d: %s\n", r->number, fv_error_text(n->ctx));
    fv_function_destroy(gradient);
    fv_function_destroy(reduce);
    fv_function_destroy(update);
    return ok;
}

static void *rank_main(void *user)
{
    rank *r = user;
    if (nets_open(&r->n, "accumulate", r->way)) {
        fv_context_set_threads(r->n.ctx, 1);
        fvi_session_set_comm(r->n.s, fvi_local_rank(r->group, r->number));
        r->ok = run_rank(r);
    }
    if (!r->ok) fvi_local_abort(r->group);
    return NULL;
}

static void ranks(const nets_way *way)
{
    static const int64_t count[2] = {2, 4};
    rank r[2];
    pthread_t thread[2];
    fvi_local *group = NULL;
    fv_context *ctx = fv_context_create();
    memset(r, 0, sizeof r);
    CHECK_EQ(fvi_local_create(ctx, 2, &group), FV_OK);
    for (int k = 0; k < 2; k++) {
        r[k].group = group;
        r[k].way = way;
        r[k].number = k;
        r[k].first = k ? count[0] : 0;
        r[k].count = count[k];
        CHECK_EQ(pthread_create(&thread[k], NULL, rank_main, &r[k]), 0);
    }
    for (int k = 0; k < 2; k++) pthread_join(thread[k], NULL);
    CHECK(r[0].ok && r[1].ok);
    for (int step = 0; step < 6; step++)
        CHECK_CLOSE(r[0].loss[step] + r[1].loss[step], nets_golden(&r[0].n, "loss", step), way->tolerance);
    check_end(&r[0].n);
    check_end(&r[1].n);
    const nets_copy a = nets_snapshot(&r[0].n, "*", FV_PARAMETER), b = nets_snapshot(&r[1].n, "*", FV_PARAMETER);
    CHECK(nets_same(&a, &b));
    for (int k = 0; k < 2; k++) nets_close(&r[k].n);
    fvi_local_destroy(group);
    fv_context_destroy(ctx);
}

/* What the communicator itself promises. */
typedef struct talk { fvi_comm *comm; double d[5]; float f[3]; int64_t k; fv_status reduced, mismatched, sent; } talk;

static void *talk_main(void *user)
{
    talk *t = user;
    t->reduced = t->comm->all_reduce_sum(t->comm, t->d, 5, FV_F64);
    if (t->reduced == FV_OK) t->reduced = t->comm->all_reduce_sum(t->comm, t->f, 3, FV_F32);
    t->mismatched = t->comm->all_reduce_sum(t->comm, t->d, t->comm->rank == 1 ? 4 : 5, FV_F64);
    t->sent = t->comm->broadcast(t->comm, &t->k, 1, FV_I64, 2);
    return NULL;
}

static void test_local(void)
{
    enum { SIZE = 3 };
    fv_context *ctx = fv_context_create();
    fvi_local *group = NULL;
    talk t[SIZE];
    pthread_t thread[SIZE];
    CHECK_EQ(fvi_local_create(ctx, SIZE, &group), FV_OK);
    for (int r = 0; r < SIZE; r++) {
        t[r] = (talk){.comm = fvi_local_rank(group, r), .k = 10 + r};
        for (int i = 0; i < 5; i++) t[r].d[i] = r * 10 + i;
        for (int i = 0; i < 3; i++) t[r].f[i] = (float)(r + i);
        CHECK_EQ(pthread_create(&thread[r], NULL, talk_main, &t[r]), 0);
    }
    for (int r = 0; r < SIZE; r++) pthread_join(thread[r], NULL);
    for (int r = 0; r < SIZE; r++) {
        CHECK(t[r].reduced == FV_OK && t[r].mismatched == FV_ERROR_INVALID && t[r].sent == FV_OK && t[r].k == 12);
        for (int i = 0; i < 5; i++) CHECK_CLOSE(t[r].d[i], 30 + 3 * i, 0);
        for (int i = 0; i < 3; i++) CHECK_CLOSE(t[r].f[i], 3 + 3 * i, 0);
    }
    fvi_local_abort(group);
    CHECK_EQ(t[0].comm->all_reduce_sum(t[0].comm, t[0].d, 5, FV_F64), FV_ERROR_CANCELED);
    fvi_local_destroy(group);
    fv_context_destroy(ctx);
}

/* ---- stages ---- */

static fv_status build_staged(fv_graph *g, fv_value *const *in, int n_in, void *user)
{
    fv_value *weight;
    (void)n_in, (void)user;
    fv_value *x = fv_conv_bn_act(g, "layer1", in[0], &FV_CONV(.out = 6, .kernel = 3));
    fv_cut(g);
    x = fv_conv_bn_act(g, "layer2", x, &FV_CONV(.out = 8, .kernel = 3, .stride = 2));
    fv_value *loss = fv_cross_entropy(g, fv_linear(g, "fc", fv_global_average_pool(g, x), 5), in[1], NULL, &weight);
    fv_result(g, "loss", loss);
    return fv_accumulate_gradients(g, NULL, loss, weight, false);
}

static fv_status build_zero(fv_graph *g, fv_value *const *in, int n_in, void *user)
{
    fv_session *s = user;
    (void)in, (void)n_in;
    for (int i = 0; i < fv_session_var_count(s); i++) {
        fv_var *v = fv_session_var(s, i);
        fv_tensor t;
        fv_var_shape(v, &t);
        if (fv_var_role(v) == FV_GRADIENT || !strcmp(fv_var_name(v), "_step.weight")) fv_var_write(g, v, fv_full(g, 0, t.rank, t.dims));
    }
    return fv_graph_status(g);
}

/* (slot, segment) as two stages would run them: one forward, one backward; 0 forward, 1 turn, 2 backward */
static const int staged[9][2] = {{0, 0}, {1, 0}, {0, 1}, {2, 0}, {1, 1}, {0, 2}, {2, 1}, {1, 2}, {2, 2}};
static const int wide[9][2] = {{0, 0}, {1, 0}, {2, 0}, {0, 1}, {1, 1}, {2, 1}, {2, 2}, {0, 2}, {1, 2}};
static const int serial[9][2] = {{0, 0}, {0, 1}, {0, 2}, {1, 0}, {1, 1}, {1, 2}, {2, 0}, {2, 1}, {2, 2}};

static void pipeline(const nets_way *way, const int order[9][2])
{
    static const int64_t first[3] = {0, 2, 5}, count[3] = {2, 3, 1};
    nets n;
    CHECK(nets_open(&n, "pipeline", way));
    nets_step step = {.session = n.s, .optimizer = {.name = "sgd", .weight_decay = 1e-3}};
    const fv_function_options in_flight = {.training = true, .in_flight = order != NULL};
    fv_function *f = nets_function(&n, "staged", NETS_PICTURES(8), 2, build_staged, NULL, &in_flight);
    fv_function *zero = nets_function(&n, "zero", NULL, 0, build_zero, n.s, &training);
    fv_function *update = nets_function(&n, "update", NULL, 0, nets_build_update, &step, &training);
    CHECK(f && zero && update);
    fv_tensor in[2], part[3][2], loss = nets_scalar(&n);
    batch_of(&n, "pipeline", 0, in);
    NETS_OK(fv_function_compile(f, in, 2, NULL));
    CHECK_EQ(fv_function_segments(f), 3);
    CHECK(nets_initial(&n) && nets_set(&n, "lr", 0.05) && nets_set(&n, "momentum", 0.9));
    for (int k = 0; k < 4; k++) {
        batch_of(&n, "pipeline", k, in);
        for (int i = 0; i < 6; i++) part[i / 2][i % 2] = nets_rows(in[i % 2], first[i / 2], count[i / 2]);
        NETS_OK(fv_function_call(zero, NULL, 0, NULL, 0));
        for (int i = 0; i < 9; i++) {
            const int slot = order ? order[i][0] : i, segment = order ? order[i][1] : 1;
            if (!order && i == 3) break;
            if (order) NETS_OK(fv_function_run_segment(f, slot, segment, part[slot], 2, &loss, segment == 1));
            else NETS_OK(fv_function_call(f, part[slot], 2, &loss, 1));
            if (segment == 1) CHECK_CLOSE(nets_number(loss), nets_golden(&n, "loss", 3 * k + slot), n.tolerance);
        }
        NETS_OK(fv_function_call(update, NULL, 0, NULL, 0));
    }
    check_end(&n);
    fv_function_destroy(f);
    fv_function_destroy(zero);
    fv_function_destroy(update);
    nets_close(&n);
}

static void test_accumulate(void) { accumulate(&nets_ways[0]); }
static void test_accumulate_interpreted(void) { accumulate(&nets_ways[1]); }
static void test_accumulate_f32(void) { accumulate(&nets_ways[2]); }
static void test_ranks(void) { ranks(&nets_ways[0]); }
static void test_ranks_interpreted(void) { ranks(&nets_ways[1]); }
static void test_ranks_f32(void) { ranks(&nets_ways[2]); }
static void test_pipeline(void) { pipeline(&nets_ways[0], staged); }
static void test_pipeline_interpreted(void) { pipeline(&nets_ways[1], staged); }
static void test_pipeline_f32(void) { pipeline(&nets_ways[2], staged); }
static void test_pipeline_wide(void) { pipeline(&nets_ways[0], wide); }
static void test_pipeline_wide_f32(void) { pipeline(&nets_ways[2], wide); }
static void test_pipeline_serial(void) { pipeline(&nets_ways[0], serial); }
static void test_pipeline_whole(void) { pipeline(&nets_ways[0], NULL); }

TEST_MAIN(CASE(test_accumulate), CASE(test_accumulate_interpreted), CASE(test_accumulate_f32), CASE(test_local), CASE(test_ranks),
          CASE(test_ranks_interpreted), CASE(test_ranks_f32), CASE(test_pipeline), CASE(test_pipeline_interpreted),
          CASE(test_pipeline_f32), CASE(test_pipeline_wide), CASE(test_pipeline_wide_f32), CASE(test_pipeline_serial),
          CASE(test_pipeline_whole))
