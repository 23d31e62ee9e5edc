/* SPDX-License-Identifier: Apache-2.0 */
/* The approximated functions of cpu/isa/elementwise.c against the C library in double, over all that f32 can ask of them: steps
 * of 1/4096 around zero, every binade outwards, zeros, infinities and NaN; every instruction set that this machine has. */
#include "cpu/isa/elementwise.h"
#include "levels.h"

enum { STEPS = 40 * 4096, BINADES = 254, COUNT = STEPS + 2 * BINADES + 5 };

#if defined(__x86_64__)
#define SETS(name) {fvi_ew_##name##_base, fvi_ew_##name##_avx2, fvi_ew_##name##_avx512}
#else
#define SETS(name) {fvi_ew_##name##_base, fvi_ew_##name##_base, fvi_ew_##name##_base}
#endif

static double sigmoid_of(double x) { return 1 / (1 + exp(-x)); }
static double cdf(double x) { return .5 * erfc(-x * 0.70710678118654752440); }
static double softplus_of(double x) { return fmax(x, 0) + log1p(exp(-fabs(x))); }
static double silu_of(double x) { return x * sigmoid_of(x); }
static double silu_slope(double x) { return sigmoid_of(x) * (1 + x * sigmoid_of(-x)); }
static double gelu_of(double x) { return x * cdf(x); }
static double gelu_slope(double x) { return cdf(x) + x * 0.39894228040143267794 * exp(-.5 * x * x); }
static double inner(double x) { return 0.79788456080286535588 * (x + .044715 * x * x * x); }
static double gelu_tanh_of(double x) { return .5 * x * (1 + tanh(inner(x))); }
static double gelu_tanh_slope(double x)
{
    const double t = tanh(inner(x));
    return .5 * (1 + t + x * (1 - t * t) * 0.79788456080286535588 * (1 + 3 * .044715 * x * x));
}

/* |y - f(x)| <= absolute + relative |f(x)| for |x| <= limit. Backward functions get dy = 1 as their first operand. */
static const struct accuracy {
    const char *name;
    fvi_elementwise_fn *fn[3];
    double (*f)(double x);
    bool backward;
    double limit, absolute, relative;
} table[] = {
    {"exp", SETS(exp), exp, false, 87, 0, 3e-7},
    {"log", SETS(log), log, false, INFINITY, 1e-7, 2e-7},
    {"tanh", SETS(tanh), tanh, false, INFINITY, 2e-7, 2e-7},
    {"sigmoid", SETS(sigmoid), sigmoid_of, false, INFINITY, 2e-38, 5e-7},
    {"silu", SETS(silu), silu_of, false, 1e30, 1e-36, 5e-7},
    {"silu_backward", SETS(silu_backward), silu_slope, true, 1e30, 1e-6, 5e-7},        /* 1 - s cancels for great x */
    {"gelu", SETS(gelu), gelu_of, false, 1e30, 1e-7, 4e-7},
    {"gelu_backward", SETS(gelu_backward), gelu_slope, true, 1e30, 3e-7, 4e-7},
    {"gelu_tanh", SETS(gelu_tanh), gelu_tanh_of, false, 1e30, 1.5e-6, 5e-7},
    {"erf", SETS(erf), erf, false, INFINITY, 1e-36, 7e-7},
    {"atan", SETS(atan), atan, false, INFINITY, 1e-36, 3e-7},
    {"softplus", SETS(softplus), softplus_of, false, INFINITY, 2e-38, 5e-7},
    {"floor", SETS(floor), floor, false, INFINITY, 0, 0},
    {"ceil", SETS(ceil), ceil, false, INFINITY, 0, 0},
    {"round", SETS(round), nearbyint, false, INFINITY, 0, 0},
    {"gelu_tanh_backward", SETS(gelu_tanh_backward), gelu_tanh_slope, true, 1e12, 4e-6, 5e-7},
};

static float x[COUNT], ones[COUNT], y[COUNT];

static void fill(void)
{
    int n = 0;
    for (int i = 0; i < STEPS; i++) x[n++] = (float)(i - STEPS / 2) / 4096;
    for (int i = 0; i < BINADES; i++) {
        x[n++] = ldexpf(1.37f, i - 126);
        x[n++] = -ldexpf(1.37f, i - 126);
    }
    x[n++] = 0, x[n++] = -0.0f, x[n++] = INFINITY, x[n++] = -INFINITY, x[n++] = NAN;
    for (int i = 0; i < COUNT; i++) ones[i] = 1;
}

static int sets_here(void)                               /* of base, avx2, avx512 */
{
    const fvi_isa isa = fvi_cpu_detect_isa();
    return isa >= FVI_ISA_AVX512 ? 3 : isa == FVI_ISA_AVX2 ? 2 : 1;
}

static void check_function(const struct accuracy *t, int set)
{
    const float k[2] = {0, 0};
    double worst = 0;
    float at = 0;
    t->fn[set](t->backward ? ones : x, x, x, y, COUNT, k);
    for (int i = 0; i < COUNT; i++) {
        const double want = t->f(x[i]);
        if (isinf(x[i]) || fabsf(x[i]) > t->limit || y[i] == (float)want) continue;
        const double off = fabs(y[i] - want) / (t->absolute + t->relative * fabs(want));
        CHECK_MSG(isnan(want) ? isnan(y[i]) : isfinite(want) && !isnan(off), "%s(%g) is %g, not %g", t->name, x[i], y[i], want);
        if (off > worst) worst = off, at = x[i];
    }
    printf("    %-20s %.2f of the error that is allowed, at %.6g\n", t->name, worst, at);
    CHECK_MSG(worst <= 1, "%s, set %d, at %.9g", t->name, set, at);
}

static void accuracy(void)
{
    fill();
    show_missing_levels();
    for (int set = 0; set < sets_here(); set++)
        for (int c = 0; c < FVI_COUNT(table); c++) check_function(&table[c], set);
}

/* Where a net that diverges ends. */
static void infinities(void)
{
    const float in[4] = {INFINITY, -INFINITY, 3e38f, -3e38f}, k[2] = {0, 0};
    fvi_elementwise_fn *const gelu[] = SETS(gelu), *const tangent[] = SETS(tanh), *const sigmoid[] = SETS(sigmoid), *const power[] = SETS(exp);
    float out[4];
    for (int set = 0; set < sets_here(); set++) {
        gelu[set](in, in, in, out, 4, k);
        CHECK(out[0] == INFINITY && isnan(out[1]) && out[2] == 3e38f && out[3] == 0);          /* -infinity times 0, as in PyTorch */
        tangent[set](in, in, in, out, 4, k);
        CHECK(out[0] == 1 && out[1] == -1 && out[2] == 1 && out[3] == -1);
        sigmoid[set](in, in, in, out, 4, k);
        CHECK(out[0] == 1 && out[1] == 0 && out[2] == 1 && out[3] == 0);
        power[set](in, in, in, out, 4, k);
        CHECK(out[0] == INFINITY && out[1] == 0 && out[2] == INFINITY && out[3] == 0);
    }
}

TEST_MAIN(CASE(accuracy), CASE(infinities))
