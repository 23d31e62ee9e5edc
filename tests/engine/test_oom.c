/* SPDX-License-Identifier: Apache-2.0 */
/* Memory that runs out: for every n the n-th allocation of a small run fails. The call says NOMEM, nothing leaks (the
 * sanitizer build looks), and the same call made again goes through with the same result. And: a step takes no memory
 * after the first; what the whole process takes (oneDNN, OpenMP) is counted and printed. */
#include "nets.h"
#include "test.h"

#include <stdatomic.h>
#include <stdlib.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#endif

/* ---- every allocation of the process ---- */

static atomic_llong process_allocations;

#ifndef SANITIZED                       /* FV_API: seen by the libraries too */
extern void *__libc_malloc(size_t n);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *p, size_t n);
extern void *__libc_memalign(size_t alignment, size_t n);
FV_API void *malloc(size_t n)
{
    atomic_fetch_add(&process_allocations, 1);
    return __libc_malloc(n);
}
FV_API void *calloc(size_t n, size_t size)
{
    atomic_fetch_add(&process_allocations, 1);
    return __libc_calloc(n, size);
}
FV_API void *realloc(void *p, size_t n)
{
    atomic_fetch_add(&process_allocations, 1);
    return __libc_realloc(p, n);
}
FV_API void *aligned_alloc(size_t alignment, size_t n)
{
    atomic_fetch_add(&process_allocations, 1);
    return __libc_memalign(alignment, n);
}
FV_API int posix_memalign(void **out, size_t alignment, size_t n)
{
    atomic_fetch_add(&process_allocations, 1);
    return (*out = __libc_memalign(alignment, n)) ? 0 : 12;
}
#endif

/* ---- the small run ---- */

static fv_value *small_net(fv_graph *g, fv_value *x)
{
    x = fv_conv_bn_act(g, "stem", x, &FV_CONV(.out = 16, .kernel = 3));
    x = fv_max_pool2d(g, x, &(fv_pool2d_options){.kernel = {2, 2}, .stride = {2, 2}});
    x = fv_basic_block(g, "layer1", x, 16, 1);
    return fv_linear(g, "fc", fv_global_average_pool(g, x), 5);
}

static fv_status build_logits(fv_graph *g, fv_value *const *in, int n_in, void *user)
{
    (void)n_in, (void)user;
    fv_result(g, "logits", fv_cast(g, small_net(g, in[0]), fv_graph_dtype(g)));
    return fv_graph_status(g);
}

typedef struct small {
    fv_context *ctx;
    fv_session *s;
    fv_function *gradient, *update, *logits;
    nets_step step;
    fv_dtype dtype;
    bool again;                        /* a call that ran out of memory is made once more */
    int refused;                       /* calls that said NOMEM */
    double result[3];                  /* losses of two steps, a logit */
} small;

/* Makes the call; once more when it ran out of memory and `again` is set. */
#define TRY(r, call)                                                     \
    do {                                                                 \
        fv_status status_ = (call);                                      \
        if (status_ == FV_ERROR_NOMEM) {                                 \
            (r)->refused++;                                              \
            if ((r)->again) status_ = (call);                            \
        }                                                                \
        if (status_ != FV_OK) return status_;                            \
    } while (0)

static fv_status make_context(small *r)
{
    r->ctx = fv_context_create();
    return r->ctx ? FV_OK : FV_ERROR_NOMEM;
}

static fv_status make_all(small *r, const nets_way *way)
{
    const fv_session_options o = {.dtype = way->dtype, .amp = way->amp, .passes = way->passes, .seed = 1};
    const fv_function_options training = {.training = true};
    const fv_input_spec specs[2] = {{"x", way->dtype, 4, {FV_N, 3, 8, 8}}, {"y", FV_I64, 1, {FV_N}}};
    TRY(r, make_context(r));
    fv_context_set_threads(r->ctx, 1);
    TRY(r, fv_session_create(r->ctx, &o, &r->s));
    r->step = (nets_step){.net = small_net, .session = r->s, .optimizer = {.name = "adamw", .weight_decay = 0.05, .max_grad_norm = 1, .ema = true}};
    TRY(r, fv_function_create(r->s, "gradient", specs, 2, nets_build_gradient, &r->step, &training, &r->gradient));
    TRY(r, fv_function_create(r->s, "update", NULL, 0, nets_build_update, &r->step, &training, &r->update));
    TRY(r, fv_function_create(r->s, "logits", specs, 1, build_logits, NULL, NULL, &r->logits));
    return FV_OK;
}

static double number_of(const small *r, const void *p)
{
    return r->dtype == FV_F64 ? *(const double *)p : (double)*(const float *)p;
}

static fv_status run_all(small *r)
{
    static double x64[4 * 192];
    static float x32[4 * 192];
    static int64_t y[4] = {0, 3, 1, 4};
    double out[20];
    for (int i = 0; i < 4 * 192; i++) x32[i] = (float)(x64[i] = 2 * nets_unit("oom.x", i) - 1);
    void *x = r->dtype == FV_F64 ? (void *)x64 : (void *)x32;
    const fv_tensor scalar = {r->dtype, 0, {0}, out};
    TRY(r, fv_session_set_scalar(r->s, "lr", 1e-2));
    for (int step = 0; step < 2; step++) {                            /* of 4 pictures, of 2 */
        const fv_tensor in[2] = {{r->dtype, 4, {4 >> step, 3, 8, 8}, x}, {FV_I64, 1, {4 >> step}, y}};
        TRY(r, fv_function_call(r->gradient, in, 2, &scalar, 1));
        r->result[step] = number_of(r, out);
        TRY(r, fv_function_call(r->update, NULL, 0, NULL, 0));
    }
    const fv_tensor in = {r->dtype, 4, {4, 3, 8, 8}, x}, logits = {r->dtype, 2, {4, 5}, out};
    TRY(r, fv_function_call(r->logits, &in, 1, &logits, 1));
    r->result[2] = number_of(r, out);
    return FV_OK;
}

static void clean_up(small *r)
{
    fv_function_destroy(r->gradient);
    fv_function_destroy(r->update);
    fv_function_destroy(r->logits);
    fv_session_destroy(r->s);
    fv_context_destroy(r->ctx);
}

static fv_status small_run(const nets_way *way, bool again, small *r)
{
    *r = (small){.dtype = way->dtype, .again = again};
    fv_status status = make_all(r, way);
    if (status == FV_OK) status = run_all(r);
    if (status != FV_OK && status != FV_ERROR_NOMEM) printf("    %s\n", fv_error_text(r->ctx));
    clean_up(r);
    return status;
}

/* FOVEA_TEST_OOM_STRIDE=5 fails every fifth; sanitizers take 6 minutes for all. */
static int oom_stride(void)
{
    const char *text = getenv("FOVEA_TEST_OOM_STRIDE");
    return text && atoi(text) > 0 ? atoi(text) : 1;
}

static void every_allocation(const nets_way *way, bool again)
{
    small good, r;
    CHECK_EQ(small_run(way, false, &good), FV_OK);
    int64_t before = fvi_memory_count();
    CHECK_EQ(small_run(way, false, &r), FV_OK);
    const int64_t total = fvi_memory_count() - before;
    const double start = fvi_seconds();
    int harmless = 0;
    const int stride = oom_stride();
    for (int64_t n = 1; n <= total; n += stride) {
        fvi_memory_set_fault(n);
        const fv_status status = small_run(way, again, &r);
        fvi_memory_set_fault(0);
        if (again || !r.refused) {
            CHECK_MSG(status == FV_OK, "allocation %lld of %lld: status %d", (long long)n, (long long)total, status);
            for (int i = 0; i < 3; i++)
                CHECK_MSG(r.result[i] == good.result[i], "allocation %lld: result %d is %.17g, not %.17g", (long long)n, i, r.result[i], good.result[i]);
        } else CHECK_MSG(status == FV_ERROR_NOMEM && r.refused == 1, "allocation %lld of %lld: status %d", (long long)n, (long long)total, status);
        harmless += !r.refused;
    }
    printf("    %s: %lld allocations, %d of them can be done without, %.1f s\n", way->name, (long long)total, harmless, fvi_seconds() - start);
    CHECK(total / stride > 100 && harmless * 50 < total);
}

/* ---- nothing is taken inside a step ---- */

static void steady(const nets_way *way)
{
    enum { WARM = 2, STEPS = 5 };
    small r = {.dtype = way->dtype};
    CHECK_EQ(make_all(&r, way), FV_OK);
    int64_t ours = 0, process = 0;
    for (int i = 0; i < WARM + STEPS; i++) {
        const int64_t own = fvi_memory_count(), all = atomic_load(&process_allocations);
        CHECK_EQ(run_all(&r), FV_OK);
        if (i < WARM) continue;
        ours += fvi_memory_count() - own;
        process += atomic_load(&process_allocations) - all;
    }
    const bool counted = atomic_load(&process_allocations) > fvi_memory_count();
    clean_up(&r);
#ifndef SANITIZED
    CHECK(counted);                                                   /* the counter works: oneDNN took some while compiling */
#endif
    (void)counted;
    printf("    %s: %d rounds of two steps and an evaluation: %lld allocations of ours, %lld of the process\n", way->name, STEPS, (long long)ours, (long long)process);
    CHECK_EQ(ours, 0);
}

static const nets_way fused = {"f32", NULL, FV_F32, false, 0}, interpreted = {"f32 interpreted", "none", FV_F32, false, 0},
                      amp = {"bf16", NULL, FV_F32, true, 0}, f64 = {"f64", NULL, FV_F64, false, 0};

static void test_fails(void) { every_allocation(&fused, false); }
static void test_fails_interpreted(void) { every_allocation(&interpreted, false); }
static void test_again(void) { every_allocation(&fused, true); }
static void test_again_bf16(void) { every_allocation(&amp, true); }
static void test_steady(void) { steady(&fused); }
static void test_steady_bf16(void) { steady(&amp); }
static void test_steady_f64(void) { steady(&f64); }
static void test_steady_interpreted(void) { steady(&interpreted); }

TEST_MAIN(CASE(test_steady), CASE(test_steady_bf16), CASE(test_steady_f64), CASE(test_steady_interpreted), CASE(test_fails),
          CASE(test_fails_interpreted), CASE(test_again), CASE(test_again_bf16))
