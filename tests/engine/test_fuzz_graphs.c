/* SPDX-License-Identifier: Apache-2.0 */
/* The graph fuzzer: random small nets, trained for three steps and evaluated in between, must come out the same with all
 * passes and kernels as interpreted, for f64, f32 and bf16, at each level of the instruction set, with one thread and two.
 *
 * FOVEA_FUZZ_SEEDS graphs (120, a third of them below the best level, or as many as fit a minute) from FOVEA_FUZZ_FIRST on; FOVEA_FUZZ_OPS cuts a graph short, to
 * find the op that is at fault; FOVEA_FUZZ_TEXT prints the plan of a failure.
 *
 * A ReLU or a maximum may flip where f32 sums differ in the last bit. Such a difference goes away with other numbers; a
 * mistake does not: f32 is only wrong when it is wrong for three sets of numbers. bf16 is measured against f32: it may not
 * be farther away than the interpreted bf16 by more than a factor. */
#include "levels.h"
#include "random_graph.h"

#include <stdlib.h>

typedef struct record { char name[96]; int kind; int64_t first, count; } record;
typedef struct outcome {
    record *records;
    int n_records;
    double *values;
    int64_t n_values, room;
    bool ok;
} outcome;

typedef struct variant { const char *name, *passes; fv_dtype dtype; bool amp; int threads; double tolerance; } variant;

enum { RESULT, GRADIENT, STATE, KINDS, MOST_RECORDS = 1024, MOST_VALUES = 1 << 21 };

static double *reserve(outcome *o, const char *name, int kind, int64_t count)
{
    if (o->n_records == MOST_RECORDS || o->n_values + count > o->room) {
        o->ok = false;
        return NULL;
    }
    record *r = &o->records[o->n_records++];
    snprintf(r->name, sizeof r->name, "%s", name);
    r->kind = kind;
    r->first = o->n_values;
    r->count = count;
    o->n_values += count;
    return o->values + r->first;
}

static void keep_tensor(outcome *o, const char *name, fv_tensor t)
{
    int64_t count = 1;
    for (int k = 0; k < t.rank; k++) count *= t.dims[k];
    double *d = reserve(o, name, RESULT, count);
    for (int64_t i = 0; d && i < count; i++) d[i] = t.dtype == FV_F64 ? ((double *)t.data)[i] : (double)((float *)t.data)[i];
}

static void keep_vars(outcome *o, nets *n, bool gradients)
{
    for (int i = 0; i < fv_session_var_count(n->s); i++) {
        const fv_var *v = fv_session_var(n->s, i);
        fv_tensor t;
        fv_var_shape(v, &t);
        if (!fv_dtype_is_float(t.dtype) || (fv_var_role(v) == FV_GRADIENT) != gradients) continue;
        t.dtype = FV_F64;
        if (!(t.data = reserve(o, fv_var_name(v), gradients ? GRADIENT : STATE, fv_var_numel(v))) || fv_var_get(n->s, v, &t) != FV_OK) o->ok = false;
    }
}

typedef struct runner { nets n; random_graph g; fv_function *train, *eval; int salt; outcome *o; } runner;

static fv_status call_train(runner *r, int step, int64_t batch)
{
    char x[64], y[64];
    nets *n = &r->n;
    snprintf(x, sizeof x, "fuzz%d.x%llu.%d", r->salt, (unsigned long long)r->g.seed, step);
    snprintf(y, sizeof y, "fuzz%d.y%llu.%d", r->salt, (unsigned long long)r->g.seed, step);
    const fv_tensor in[2] = {nets_data(n, x, 4, (const int64_t[]){batch, r->g.channels, r->g.height, r->g.width}), nets_labels(n, y, batch, RANDOM_GRAPH_CLASSES)};
    const fv_tensor out[3] = {nets_scalar(n), nets_data(n, "-", 1, &batch), nets_scalar(n)};
    fv_status status = fv_session_set_random(n->s, r->g.seed, step, 0);
    if (status == FV_OK) status = fv_function_call(r->train, in, 2, out, 3);
    static const char *const names[3] = {"loss", "mid", "norm"};
    for (int i = 0; i < 3 && status == FV_OK; i++) {
        char name[32];
        snprintf(name, sizeof name, "%s of step %d", names[i], step);
        keep_tensor(r->o, name, out[i]);
    }
    return status;
}

static fv_status call_eval(runner *r, int step)
{
    nets *n = &r->n;
    char name[32];
    const fv_tensor x = nets_data(n, "fuzz.eval", 4, (const int64_t[]){r->g.batch, r->g.channels, r->g.height, r->g.width});
    const fv_tensor out = nets_data(n, "-", 2, (const int64_t[]){r->g.batch, RANDOM_GRAPH_CLASSES});
    const fv_status status = fv_function_call(r->eval, &x, 1, &out, 1);
    snprintf(name, sizeof name, "logits %d", step);
    if (status == FV_OK) keep_tensor(r->o, name, out);
    return status;
}

static void print_plan(runner *r)
{
    if (!getenv("FOVEA_FUZZ_TEXT")) return;
    const fv_tensor in[2] = {nets_data(&r->n, "-", 4, (const int64_t[]){r->g.batch, r->g.channels, r->g.height, r->g.width}), nets_labels(&r->n, "-", r->g.batch, RANDOM_GRAPH_CLASSES)};
    char *text = NULL;
    if (fv_function_plan_text(r->train, in, 2, &text) == FV_OK) printf("%s\n", text);
    fv_text_free(text);
}

static int ops_limit(void)
{
    const char *text = getenv("FOVEA_FUZZ_OPS");
    return text ? atoi(text) : -1;
}

/* Three steps and three evaluations; the second step has another batch size. */
static fv_status run(runner *r, const variant *v)
{
    nets *n = &r->n;
    const fv_input_spec specs[2] = {{"x", FV_F64, 4, {FV_N, r->g.channels, r->g.height, r->g.width}}, {"y", FV_I64, 1, {FV_N}}};
    const fv_function_options training = {.training = true};
    r->g.session = n->s;
    fv_context_set_threads(n->ctx, v->threads);
    r->train = nets_function(n, "train", specs, 2, random_graph_train, &r->g, &training);
    r->eval = nets_function(n, "eval", specs, 1, random_graph_eval, &r->g, NULL);
    if (!r->train || !r->eval) return FV_ERROR_INTERNAL;
    const fv_tensor x = nets_data(n, "-", 4, (const int64_t[]){r->g.batch, r->g.channels, r->g.height, r->g.width});
    fv_status status = fv_function_compile(r->eval, &x, 1, NULL);
    if (status == FV_OK && !(nets_initial(n) && nets_set(n, "lr", 0.02) && nets_set(n, "momentum", 0.9) && nets_set(n, "beta1", 0.9) && nets_set(n, "ema_decay", 0.5))) status = FV_ERROR_INTERNAL;
    for (int step = 0; step < 3 && status == FV_OK; step++) {
        status = call_eval(r, step);
        if (status == FV_OK) status = call_train(r, step, step == 1 ? r->g.batch - 1 : r->g.batch);
        if (!step) keep_vars(r->o, n, true);
    }
    keep_vars(r->o, n, false);
    return status;
}

static void run_variant(uint64_t seed, int salt, const variant *v, outcome *o, bool show)
{
    runner r = {.salt = salt, .o = o};
    o->n_records = 0;
    o->n_values = 0;
    o->ok = nets_open(&r.n, NULL, &(nets_way){v->name, v->passes, v->dtype, v->amp, v->tolerance});
    random_graph_draw(&r.g, seed, ops_limit());
    if (o->ok && run(&r, v) != FV_OK) {
        printf("    seed %llu, %s: %s\n      %s\n", (unsigned long long)seed, v->name, fv_error_text(r.n.ctx), r.g.text);
        o->ok = false;
    } else if (show) {
        printf("      (%d, %d, %d, %d)%s\n", (int)r.g.batch, (int)r.g.channels, (int)r.g.height, (int)r.g.width, r.g.text);
        print_plan(&r);
    }
    fv_function_destroy(r.train);
    fv_function_destroy(r.eval);
    nets_close(&r.n);
}

/* ---- comparing ---- */

static double norm_of(const outcome *o, const record *r)
{
    double sum = 0;
    for (int64_t i = 0; i < r->count; i++) sum += o->values[r->first + i] * o->values[r->first + i];
    return sqrt(sum);
}

/* Greatest relative L2 error of a record; small tensors are held against a thousandth of the largest of their kind. */
static double distance(const outcome *a, const outcome *b, const char **where)
{
    double largest[KINDS] = {0}, worst = 0;
    *where = "";
    if (!a->ok || !b->ok || a->n_records != b->n_records || a->n_values != b->n_values) {
        *where = "number of results";
        return INFINITY;
    }
    for (int i = 0; i < b->n_records; i++) largest[b->records[i].kind] = fmax(largest[b->records[i].kind], norm_of(b, &b->records[i]));
    for (int i = 0; i < b->n_records; i++) {
        const record *r = &b->records[i];
        double sum = 0;
        for (int64_t k = r->first; k < r->first + r->count; k++) sum += (a->values[k] - b->values[k]) * (a->values[k] - b->values[k]);
        if (!isfinite(sum) || !isfinite(norm_of(b, r))) {           /* nothing here divides by zero or overflows */
            *where = r->name;
            return INFINITY;
        }
        const double e = sqrt(sum) / fmax(fmax(norm_of(b, r), 1e-3 * largest[r->kind]), 1e-30);
        if (e <= worst) continue;
        worst = e;
        *where = r->name;
    }
    return worst;
}

static const variant reference[3] = {{"f64 interpreted", "none", FV_F64, false, 1, 0},
                                     {"f32 interpreted", "none", FV_F32, false, 1, 0},
                                     {"bf16 interpreted", "none", FV_F32, true, 1, 0}};
static const variant variants[] = {
    {"f64", NULL, FV_F64, false, 1, 1e-8},
    {"f32", NULL, FV_F32, false, 1, 1e-3},
    {"f32, 2 threads", NULL, FV_F32, false, 2, 1e-3},
    {"f32 unfused", "-fuse,-fold", FV_F32, false, 2, 1e-3},
    {"f32 plain", "-layout", FV_F32, false, 1, 1e-3},
    {"f64 recompute", "+recompute", FV_F64, false, 1, 1e-8},
    {"f32 recompute", "+recompute", FV_F32, false, 2, 1e-3},
    {"bf16", NULL, FV_F32, true, 1, 3},
    {"bf16, 2 threads", NULL, FV_F32, true, 2, 3},
};
enum { VARIANTS = sizeof variants / sizeof *variants };

typedef struct tally { double worst[VARIANTS]; int again; } tally;

static outcome make_outcome(void)
{
    return (outcome){.records = malloc(MOST_RECORDS * sizeof(record)), .values = malloc(MOST_VALUES * sizeof(double)), .room = MOST_VALUES};
}

static void free_outcome(outcome *o)
{
    free(o->records);
    free(o->values);
}

/* Distance of a variant from its reference in units of what is allowed. */
static double judge(const variant *v, const outcome *got, const outcome want[3], const char **where)
{
    const char *other;
    if (!v->amp) return distance(got, &want[v->dtype == FV_F32], where) / v->tolerance;
    const double own = distance(&want[2], &want[1], &other);
    return isfinite(own) ? distance(got, &want[1], where) / (v->tolerance * own + 0.02) : (double)INFINITY;
}

/* Bit i of `failed` stays set while variant i is wrong. */
static unsigned check_salt(uint64_t seed, int salt, unsigned failed, tally *t, outcome want[3], outcome *got, bool show)
{
    unsigned still = 0;
    const char *where;
    for (int i = 0; i < 3; i++) {
        run_variant(seed, salt, &reference[i], &want[i], false);
        if (!want[i].ok) return ~0u;
    }
    for (int i = 0; i < VARIANTS; i++) {
        if (!(failed >> i & 1)) continue;
        run_variant(seed, salt, &variants[i], got, false);
        const double e = judge(&variants[i], got, want, &where);
        if (e <= 1) {
            t->worst[i] = fmax(t->worst[i], e);
            continue;
        }
        still |= 1u << i;
        if (!show) continue;
        printf("    seed %llu, %s: %s is %.3g of what is allowed\n", (unsigned long long)seed, variants[i].name, where, e);
        run_variant(seed, salt, &variants[i], got, true);
    }
    return still;
}

static int number(const char *env, int fallback)
{
    const char *text = getenv(env);
    return text && *text ? atoi(text) : fallback;
}

static void graphs(fvi_isa level)
{
    enum { LEAST = 10 };
    const bool best = level == fvi_cpu_detect_isa(), hurry = !getenv("FOVEA_FUZZ_SEEDS");
    const int first = number("FOVEA_FUZZ_FIRST", 0), seeds = number("FOVEA_FUZZ_SEEDS", best ? 120 : 40);
    const double most = best ? 50 : 20;
    tally t = {{0}, 0};
    outcome want[3] = {make_outcome(), make_outcome(), make_outcome()}, got = make_outcome();
    const double start = fvi_seconds();
    int done = 0, wrong = 0;
    for (; done < seeds && (!hurry || done < LEAST || fvi_seconds() - start < most); done++) {
        const uint64_t seed = (uint64_t)(first + done);
        unsigned failed = (1u << VARIANTS) - 1;
        for (int salt = 0; salt < 3 && failed; salt++) {
            failed = check_salt(seed, salt, failed, &t, want, &got, salt == 2);
            t.again += failed && salt < 2;
            if (failed == ~0u) break;
        }
        wrong += failed != 0;
        test_check(!failed, TEST_PLACE, "seed %llu", (unsigned long long)seed);
    }
    printf("    %d graphs in %.0f s, %d wrong, %d tried again with other numbers; greatest share of what is allowed:\n", done, fvi_seconds() - start, wrong, t.again);
    for (int i = 0; i < VARIANTS; i++) printf("      %-24s %.2g\n", variants[i].name, t.worst[i]);
    for (int i = 0; i < 3; i++) free_outcome(&want[i]);
    free_outcome(&got);
    CHECK(done >= FVI_MIN(seeds, LEAST));
}
AT_LEVELS(graphs)

/* What is made again in backward has the bits that forward had. */
static void recompute_is_exact(fvi_isa level)
{
    (void)level;
    static const variant pairs[][2] = {
        {{"f64", NULL, FV_F64, false, 1, 0}, {"f64 recompute", "+recompute", FV_F64, false, 1, 0}},
        {{"f32", NULL, FV_F32, false, 2, 0}, {"f32 recompute", "+recompute", FV_F32, false, 2, 0}},
        {{"bf16", NULL, FV_F32, true, 2, 0}, {"bf16 recompute", "+recompute", FV_F32, true, 2, 0}},
    };
    outcome kept = make_outcome(), again = make_outcome();
    for (uint64_t seed = 5000; seed < 5015; seed++)
        for (int i = 0; i < FVI_COUNT(pairs); i++) {
            const char *where;
            run_variant(seed, 0, &pairs[i][0], &kept, false);
            run_variant(seed, 0, &pairs[i][1], &again, false);
            const double e = distance(&again, &kept, &where);
            CHECK_MSG(kept.ok && e == 0, "seed %llu, %s: %s differs by %.3g", (unsigned long long)seed, pairs[i][1].name, where, e);
        }
    free_outcome(&kept);
    free_outcome(&again);
}

AT_LEVELS(recompute_is_exact)

TEST_MAIN(LEVEL_CASES(recompute_is_exact), LEVEL_CASES(graphs))
