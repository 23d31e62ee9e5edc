/* SPDX-License-Identifier: Apache-2.0 */
/* Loops over scalar expressions that the compiler vectorises (no branches, no library calls). exp: Cody-Waite
 * reduction, degree-6 polynomial, relative error below 3e-7. GELU: minimax polynomials of 2^r and of the logarithm of
 * the normal tail, no division; within 1e-7 below 0 and 4e-7 of itself above. */
#include "cpu/isa/elementwise.h"

#include <math.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))
/* Operands are read before the expression: a load under a condition would not vectorise. */
#define EACH(name, loads, expr)                                                                                 \
    void FVI_ISA_NAME(fvi_ew_##name)(const float *a, const float *b, const float *c, float *y, int64_t n,       \
                                     const float *k)                                                            \
    {                                                                                                           \
        (void)b, (void)c;                                                                                       \
        const float K0 = k[0], K1 = k[1];                                                                       \
        (void)K0, (void)K1;                                                                                     \
        _Pragma("omp simd") for (int64_t i = 0; i < n; i++) {                                                   \
            loads;                                                                                              \
            y[i] = (expr);                                                                                      \
        }                                                                                                       \
    }
#define EACH1(name, expr) EACH(name, const float A = a[i], expr)
#define EACH2(name, expr) EACH(name, const float A = a[i]; const float B = b[i], expr)
#define EACH3(name, expr) EACH(name, const float A = a[i]; const float B = b[i]; const float C = c[i], expr)

INLINE float power_of_two(float n)                       /* n integral, -126 .. 127 */
{
    const int32_t bits = ((int32_t)n + 127) * (1 << 23);
    float f;
    memcpy(&f, &bits, 4);
    return f;
}

INLINE float exp_of(float x)
{
    const float low = x < -87.0f ? -87.0f : x, v = low > 88.0f ? 88.0f : low;           /* NaN passes both */
    const float n = (v * 1.44269504f + 12582912.0f) - 12582912.0f;
    const float r = (v - n * 0.693359375f) + n * 2.12194440e-4f;
    float p = 1.3888889e-3f;
    p = p * r + 8.3333333e-3f;
    p = p * r + 4.1666667e-2f;
    p = p * r + 1.6666667e-1f;
    p = p * r + 0.5f;
    p = p * r + 1.0f;
    p = p * r + 1.0f;
    const float safe = n == n ? n : 0;
    const float e = p * power_of_two(safe);
    return x < -87.0f ? 0.0f : x > 88.7f ? INFINITY : x != x ? x : e;
}

/* Cephes: x = 2^e m with m in [sqrt(1/2), sqrt(2)), a polynomial in m - 1; relative error below 2e-7. */
INLINE float log_of(float x)
{
    const float scaled = x < 1.17549435e-38f ? x * 8388608.0f : x, shift = x < 1.17549435e-38f ? 23.0f : 0.0f;
    uint32_t bits;
    memcpy(&bits, &scaled, 4);
    const uint32_t half = (bits & 0x7fffffu) | 0x3f000000u;
    float m;
    memcpy(&m, &half, 4);
    const float whole = (float)((int32_t)(bits >> 23) - 126) - shift;
    const float e = m < 0.707106781f ? whole - 1.0f : whole, v = (m < 0.707106781f ? m + m : m) - 1.0f, q = v * v;
    float p = 7.0376836292e-2f;
    p = p * v - 1.1514610310e-1f;
    p = p * v + 1.1676998740e-1f;
    p = p * v - 1.2420140846e-1f;
    p = p * v + 1.4249322787e-1f;
    p = p * v - 1.6668057665e-1f;
    p = p * v + 2.0000714765e-1f;
    p = p * v - 2.4999993993e-1f;
    p = p * v + 3.3333331174e-1f;
    const float y = p * v * q - e * 2.12194440e-4f - 0.5f * q, whole_log = v + y + e * 0.693359375f;
    return x == 0 ? -INFINITY : x < 0 ? NAN : x < INFINITY ? whole_log : x;        /* NaN and infinity stay */
}

/* log(1 + x) for x of 0 .. 1: what rounding 1 + x has lost is made up for (Kahan). */
INLINE float log1p_of(float x)
{
    const float u = 1.0f + x, lost = x / (u - 1.0f), whole = log_of(u) * lost;
    return u == 1.0f ? x : whole;
}

/* The common exponents without a call. */
INLINE void pow_all(const float *a, float *y, int64_t n, float e)
{
#define POW(expr) for (int64_t i = 0; i < n; i++) y[i] = (expr)
    if (e == 2) POW(a[i] * a[i]);
    else if (e == 3) POW(a[i] * a[i] * a[i]);
    else if (e == 1) POW(a[i]);
    else if (e == -1) POW(1.0f / a[i]);
    else if (e == -2) POW(1.0f / (a[i] * a[i]));
    else POW(powf(a[i], e));
#undef POW
}

INLINE float sigmoid_of(float x) { return 1.0f / (1.0f + exp_of(-x)); }

/* 1 - 2 / (exp(2x) + 1); near 0 that cancels, there the series. */
INLINE float tanh_of(float x)
{
    const float q = x * x;
    const float p = 1.0f + q * (-0.333333333f + q * (0.133333333f + q * (-0.0539682540f + q * 0.0218694885f)));
    const float series = x * p;
    const float whole = 1.0f - 2.0f / (exp_of(2.0f * x) + 1.0f);
    return q < 0.09f ? series : whole;
}

/* 2^v for v of -126 .. 0. */
INLINE float exp2_of(float v)
{
    /* 1.5 * 2^23 + 127: t's low bits are the exponent */
    const float shift = 12583039.0f, t = v + shift, r = v - (t - shift);
    uint32_t bits;
    float scale;
    memcpy(&bits, &t, 4);
    bits <<= 23;
    memcpy(&scale, &bits, 4);
    float p = 1.32764797e-3f;
    p = p * r + 9.67554404e-3f;
    p = p * r + 5.55071328e-2f;
    p = p * r + 2.40221197e-1f;
    p = p * r + 6.93146967e-1f;
    p = p * r + 1.00000007f;
    return p * scale;
}

/* P(Z <= x) for a normal Z: log2 P(Z > |x|) is smooth, a polynomial up to 6; beyond, less than 1e-9 is left. */
INLINE float cdf_of(float x)
{
    const float a = fabsf(x);
    float s = 1.74566015e-7f;
    s = s * a - 4.25951163e-6f;
    s = s * a + 4.11581912e-5f;
    s = s * a - 1.70987256e-4f;
    s = s * a - 2.00306820e-4f;
    s = s * a + 7.16399928e-3f;
    s = s * a - 5.25714615e-2f;
    s = s * a - 4.59182837e-1f;
    s = s * a - 1.15110828f;
    s = s * a - 0.999999933f;
    const float inside = exp2_of(s), tail = a > 6.0f ? 0.0f : inside;
    return x > 0 ? 1.0f - tail : tail;
}

INLINE float gelu_of(float x) { return x * cdf_of(x); }

/* Near 0 the series: 2 cdf(sqrt(2) x) - 1 would cancel. */
INLINE float erf_of(float x)
{
    const float q = x * x;
    const float series = x * (1.128379167f + q * (-0.376126389f + q * (0.112837917f + q * (-0.0268661706f + q * 0.00522397763f))));
    const float whole = 2.0f * cdf_of(1.414213562f * x) - 1.0f;
    return q < 0.09f ? series : whole;
}

/* Cephes: arguments above tan(3 pi / 8) and tan(pi / 8) are turned by pi / 2 and pi / 4; relative error below 2e-7. */
INLINE float atan_of(float x)
{
    const float a = fabsf(x), far = -1.0f / a, near = (a - 1.0f) / (a + 1.0f);
    const float v = a > 2.414213562f ? far : a > 0.4142135624f ? near : a;
    const float turn = a > 2.414213562f ? 1.570796327f : a > 0.4142135624f ? 0.7853981634f : 0.0f, q = v * v;
    const float p = ((8.05374449538e-2f * q - 1.38776856032e-1f) * q + 1.99777106478e-1f) * q - 3.33329491539e-1f;
    const float y = turn + (p * q * v + v);
    return x < 0 ? -y : y;
}

/* cdf + x density; beyond 13 the density is below f32's least normal number. */
INLINE float gelu_slope(float x)
{
    const float v = x * x * -0.721347520f, low = v < -126.0f ? -126.0f : v, inside = x * 0.398942280f * exp2_of(low);
    return cdf_of(x) + (fabsf(x) > 13.0f ? 0.0f : inside);
}

INLINE float silu_slope(float x)
{
    const float s = sigmoid_of(x);
    return s * (1.0f + x * (1.0f - s));
}

#define ROOT 0.7978845608f
#define CUBE 0.044715f
INLINE float gelu_tanh_of(float x) { return 0.5f * x * (1.0f + tanh_of(ROOT * (x + CUBE * x * x * x))); }
INLINE float gelu_tanh_slope(float x)
{
    const float t = tanh_of(ROOT * (x + CUBE * x * x * x));
    return 0.5f * (1.0f + t + x * (1.0f - t * t) * ROOT * (1.0f + 3.0f * CUBE * x * x));
}

EACH1(relu, A < 0 ? 0 : A)
EACH2(relu_backward, B <= 0 ? 0 : A)
EACH1(leaky_relu, A > 0 ? A : K0 * A)
EACH2(leaky_relu_backward, B > 0 ? A : K0 * A)
EACH1(silu, A * sigmoid_of(A))
EACH2(silu_backward, A * silu_slope(B))
EACH1(gelu, gelu_of(A))
EACH2(gelu_backward, A * gelu_slope(B))
EACH1(gelu_tanh, gelu_tanh_of(A))
EACH2(gelu_tanh_backward, A * gelu_tanh_slope(B))
EACH1(sigmoid, sigmoid_of(A))
EACH2(sigmoid_backward, A * B * (1.0f - B))
EACH1(tanh, tanh_of(A))
EACH2(tanh_backward, A * (1.0f - B * B))
EACH2(add, A + B)
EACH2(sub, A - B)
EACH2(mul, A * B)
EACH2(div, A / B)
EACH2(maximum, A > B || A != A ? A : B)
EACH2(minimum, A < B || A != A ? A : B)
EACH2(greater, A > B ? 1.0f : 0.0f)
EACH2(equal, A == B ? 1.0f : 0.0f)
EACH2(less, A < B ? 1.0f : 0.0f)
EACH2(less_equal, A <= B ? 1.0f : 0.0f)
EACH2(greater_equal, A >= B ? 1.0f : 0.0f)
EACH2(not_equal, A != B ? 1.0f : 0.0f)
EACH2(logical_and, A != 0 && B != 0 ? 1.0f : 0.0f)
EACH2(logical_or, A != 0 || B != 0 ? 1.0f : 0.0f)
EACH2(logical_xor, (A != 0) != (B != 0) ? 1.0f : 0.0f)
EACH1(logical_not, A == 0 ? 1.0f : 0.0f)
EACH3(select, A != 0 ? B : C)
EACH1(neg, 0.0f - A)                                  /* not -A: padding stays +0 */
EACH1(abs, fabsf(A))
EACH1(sign, (A > 0 ? 1.0f : 0.0f) - (A < 0 ? 1.0f : 0.0f))
EACH1(exp, exp_of(A))
EACH1(sqrt, sqrtf(A))
EACH1(rsqrt, 1.0f / sqrtf(A))
EACH1(square, A * A)
EACH1(scale, A * K0 + 0.0f)
EACH1(offset, A + K0)
EACH1(clamp, A < K0 ? K0 : A > K1 ? K1 : A)
EACH2(lerp, K0 < 0.5f ? A + K0 * (B - A) : B - (B - A) * K1)

EACH1(floor, floorf(A))
EACH1(ceil, ceilf(A))
EACH1(round, nearbyintf(A))
EACH1(erf, erf_of(A))
EACH1(atan, atan_of(A))
EACH1(softplus, (A > 0 ? A : 0.0f) + log1p_of(exp_of(-fabsf(A))))
EACH1(log, log_of(A))
EACH1(is_finite, fabsf(A) < INFINITY ? 1.0f : 0.0f)

void FVI_ISA_NAME(fvi_ew_pow)(const float *a, const float *b, const float *c, float *y, int64_t n, const float *k)
{
    (void)b, (void)c;
    pow_all(a, y, n, k[0]);
}

void FVI_ISA_NAME(fvi_ew_widen)(const uint16_t *x, float *y, int64_t n)
{
    uint32_t *bits = (uint32_t *)(void *)y;
    for (int64_t i = 0; i < n; i++) bits[i] = (uint32_t)x[i] << 16;
}

void FVI_ISA_NAME(fvi_ew_narrow)(const float *x, uint16_t *y, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        uint32_t u;
        memcpy(&u, x + i, 4);
        const uint32_t rounded = (u + 0x7fffu + (u >> 16 & 1u)) >> 16;
        y[i] = (uint16_t)((u & 0x7fffffffu) > 0x7f800000u ? 0x7fc0u : rounded);
    }
}
