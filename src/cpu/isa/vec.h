/* SPDX-License-Identifier: Apache-2.0 */
/* One vector type for three instruction sets: VF holds VW floats (16, 8 or 4). GCC vector arithmetic does the rest; the
 * few functions here are what it cannot say well (min, max, select, square root, bf16, streaming stores) and the
 * elementary functions. Only src/cpu/isa/X.c includes this file. `bf` is always a constant: false = f32 data, true =
 * bf16 data; arithmetic is f32. */
#ifndef FVI_VEC_H
#define FVI_VEC_H

#include "cpu/isa.h"

#include <math.h>
#include <string.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#if defined(__AVX512F__)
enum { VW = 16 };
#define FVI_VBYTES 64
#elif defined(__AVX2__)
enum { VW = 8 };
#define FVI_VBYTES 32
#else
enum { VW = 4 };
#define FVI_VBYTES 16
#endif

typedef float vf __attribute__((vector_size(FVI_VBYTES)));
typedef int32_t vi __attribute__((vector_size(FVI_VBYTES)));
typedef uint32_t vu __attribute__((vector_size(FVI_VBYTES)));
typedef uint16_t vh __attribute__((vector_size(FVI_VBYTES / 2)));
typedef float vf_mem __attribute__((vector_size(FVI_VBYTES), aligned(4), may_alias));
typedef uint16_t vh_mem __attribute__((vector_size(FVI_VBYTES / 2), aligned(2), may_alias));

#define FVI_AI static inline __attribute__((always_inline))
#if defined(__clang__)
#define FVI_UNROLL _Pragma("unroll")
#else
#define FVI_UNROLL _Pragma("GCC unroll 16")
#endif

FVI_AI vf vsplat(float x) { return x - (vf){0}; }

/* ---- compare and select: a mask is a bit mask with AVX-512 and a vector of 0/-1 elsewhere ------------------------ */
#if defined(__AVX512F__)
typedef __mmask16 vmask;
FVI_AI vmask vgt(vf a, vf b) { return _mm512_cmp_ps_mask((__m512)a, (__m512)b, _CMP_GT_OQ); }
FVI_AI vmask vge(vf a, vf b) { return _mm512_cmp_ps_mask((__m512)a, (__m512)b, _CMP_GE_OQ); }
FVI_AI vmask veq(vf a, vf b) { return _mm512_cmp_ps_mask((__m512)a, (__m512)b, _CMP_EQ_OQ); }
FVI_AI vmask vnan(vf a) { return _mm512_cmp_ps_mask((__m512)a, (__m512)a, _CMP_UNORD_Q); }
FVI_AI vf vsel(vmask m, vf yes, vf no) { return (vf)_mm512_mask_blend_ps(m, (__m512)no, (__m512)yes); }
FVI_AI vu vselu(vmask m, vu yes, vu no) { return (vu)_mm512_mask_blend_epi32(m, (__m512i)no, (__m512i)yes); }
/* b where either is NaN, as the hardware does. */
FVI_AI vf vmax(vf a, vf b) { return (vf)_mm512_max_ps((__m512)a, (__m512)b); }
FVI_AI vf vmin(vf a, vf b) { return (vf)_mm512_min_ps((__m512)a, (__m512)b); }
FVI_AI vf vsqrt(vf a) { return (vf)_mm512_sqrt_ps((__m512)a); }
/* 1/a to about 1 ulp for finite a of ordinary size. */
FVI_AI vf vrcp(vf a)
{
    vf r = (vf)_mm512_rcp14_ps((__m512)a);
    return r + r * (1.0f - a * r);
}
#else
typedef vi vmask;
FVI_AI vmask vgt(vf a, vf b) { return (vi)(a > b); }
FVI_AI vmask vge(vf a, vf b) { return (vi)(a >= b); }
FVI_AI vmask veq(vf a, vf b) { return (vi)(a == b); }
FVI_AI vmask vnan(vf a) { return (vi)(a != a); }
FVI_AI vf vsel(vmask m, vf yes, vf no) { return (vf)(((vi)yes & m) | ((vi)no & ~m)); }
FVI_AI vu vselu(vmask m, vu yes, vu no) { return (yes & (vu)m) | (no & ~(vu)m); }
FVI_AI vf vrcp(vf a) { return 1.0f / a; }
#if defined(__AVX2__)
FVI_AI vf vmax(vf a, vf b) { return (vf)_mm256_max_ps((__m256)a, (__m256)b); }
FVI_AI vf vmin(vf a, vf b) { return (vf)_mm256_min_ps((__m256)a, (__m256)b); }
FVI_AI vf vsqrt(vf a) { return (vf)_mm256_sqrt_ps((__m256)a); }
#elif defined(__x86_64__)
FVI_AI vf vmax(vf a, vf b) { return (vf)_mm_max_ps((__m128)a, (__m128)b); }
FVI_AI vf vmin(vf a, vf b) { return (vf)_mm_min_ps((__m128)a, (__m128)b); }
FVI_AI vf vsqrt(vf a) { return (vf)_mm_sqrt_ps((__m128)a); }
#else
FVI_AI vf vmax(vf a, vf b) { return vsel(vgt(a, b), a, b); }
FVI_AI vf vmin(vf a, vf b) { return vsel(vgt(b, a), a, b); }
FVI_AI vf vsqrt(vf a)
{
    for (int i = 0; i < VW; i++) a[i] = sqrtf(a[i]);
    return a;
}
#endif
#endif

/* A mask in memory: bit i & 7 of byte i >> 3 for element i (VW 4: bits 0-3 of byte i >> 2); i is a multiple of VW. */
FVI_AI void vmask_store(uint8_t *p, int64_t i, vmask m)
{
#if defined(__AVX512F__)
    uint16_t bits = (uint16_t)m;
    memcpy(p + (i >> 3), &bits, 2);
#elif defined(__AVX2__)
    p[i >> 3] = (uint8_t)_mm256_movemask_ps((__m256)m);
#elif defined(__x86_64__)
    p[i >> 2] = (uint8_t)_mm_movemask_ps((__m128)m);
#else
    p[i >> 2] = (uint8_t)((m[0] & 1) | (m[1] & 2) | (m[2] & 4) | (m[3] & 8));
#endif
}
FVI_AI vmask vmask_load(const uint8_t *p, int64_t i)
{
#if defined(__AVX512F__)
    uint16_t bits;
    memcpy(&bits, p + (i >> 3), 2);
    return (vmask)bits;
#elif defined(__AVX2__)
    const vi bit = {1, 2, 4, 8, 16, 32, 64, 128};
    return (vi)((p[i >> 3] & bit) != 0);
#else
    const vi bit = {1, 2, 4, 8};
    return (vi)((p[i >> 2] & bit) != 0);
#endif
}

FVI_AI vf vabs(vf a) { return (vf)((vu)a & 0x7fffffffu); }
FVI_AI vf vcopysign(vf size, vf sign) { return (vf)(((vu)size & 0x7fffffffu) | ((vu)sign & 0x80000000u)); }
/* Fixed order: ((0+8)+(4+12)) and so on, halves first. */
FVI_AI float vsum(vf a)
{
    float t[VW];
    *(vf_mem *)t = a;                                    /* not memcpy from &a: gcc's sanitizer misaligns that copy */
    for (int w = VW / 2; w > 0; w /= 2)
        for (int i = 0; i < w; i++) t[i] += t[i + w];
    return t[0];
}
FVI_AI float vmax_all(vf a)
{
    float t[VW];
    *(vf_mem *)t = a;                                    /* not memcpy from &a: gcc's sanitizer misaligns that copy */
    for (int w = VW / 2; w > 0; w /= 2)
        for (int i = 0; i < w; i++) t[i] = t[i] > t[i + w] ? t[i] : t[i + w];
    return t[0];
}

/* ---- memory ------------------------------------------------------------------------------------------------------ */

/* f32 to bf16, nearest even; NaN stays a (quiet) NaN. */
FVI_AI vh vbf_pack(vf a)
{
    vu u = (vu)a;
    vu r = (u + 0x7fffu + ((u >> 16) & 1u)) >> 16;
    return __builtin_convertvector(vselu(vnan(a), (u >> 16) | 0x40u, r), vh);
}
FVI_AI vf vbf_unpack(vh h) { return (vf)(__builtin_convertvector(h, vu) << 16); }

FVI_AI float fvi_bf_float(uint16_t h)
{
    uint32_t u = (uint32_t)h << 16;
    float f;
    memcpy(&f, &u, sizeof f);
    return f;
}
FVI_AI uint16_t fvi_float_bf(float f)
{
    uint32_t u;
    memcpy(&u, &f, sizeof u);
    if (f != f) return (uint16_t)((u >> 16) | 0x40u);
    return (uint16_t)((u + 0x7fffu + ((u >> 16) & 1u)) >> 16);
}
/* Element i of p. */
FVI_AI float sld(const void *p, int64_t i, const bool bf)
{
    return bf ? fvi_bf_float(((const uint16_t *)p)[i]) : ((const float *)p)[i];
}
FVI_AI void sst(void *p, int64_t i, float v, const bool bf)
{
    if (bf) ((uint16_t *)p)[i] = fvi_float_bf(v);
    else ((float *)p)[i] = v;
}
FVI_AI vf vld(const void *p, int64_t i, const bool bf)
{
    return bf ? vbf_unpack(*(const vh_mem *)((const uint16_t *)p + i)) : (vf)*(const vf_mem *)((const float *)p + i);
}
FVI_AI void vst(void *p, int64_t i, vf v, const bool bf)
{
    if (bf) *(vh_mem *)((uint16_t *)p + i) = vbf_pack(v);
    else *(vf_mem *)((float *)p + i) = v;
}
/* The first n <= VW elements; the other lanes load as zero and are not stored. */
#if defined(__AVX512F__)
#define FVI_PART FVI_AI
#else
#define FVI_PART static __attribute__((noinline, unused))
#endif
FVI_PART vf vld_n(const void *p, int64_t i, int n, const bool bf)
{
#if defined(__AVX512F__)
    __mmask16 m = (__mmask16)((1u << n) - 1);
    if (!bf) return (vf)_mm512_maskz_loadu_ps(m, (const float *)p + i);
    return vbf_unpack((vh)_mm256_maskz_loadu_epi16(m, (const uint16_t *)p + i));
#else
    if (bf) {
        uint16_t t[VW] = {0};
        memcpy(t, (const uint16_t *)p + i, (size_t)n * sizeof *t);
        return vld(t, 0, true);
    }
    float t[VW] = {0};
    memcpy(t, (const float *)p + i, (size_t)n * sizeof *t);
    return vld(t, 0, false);
#endif
}
FVI_PART void vst_n(void *p, int64_t i, vf v, int n, const bool bf)
{
#if defined(__AVX512F__)
    __mmask16 m = (__mmask16)((1u << n) - 1);
    if (bf) _mm256_mask_storeu_epi16((uint16_t *)p + i, m, (__m256i)vbf_pack(v));
    else _mm512_mask_storeu_ps((float *)p + i, m, (__m512)v);
#else
    if (bf) {
        uint16_t t[VW];
        vst(t, 0, v, true);
        memcpy((uint16_t *)p + i, t, (size_t)n * sizeof *t);
    } else {
        float t[VW];
        vst(t, 0, v, false);
        memcpy((float *)p + i, t, (size_t)n * sizeof *t);
    }
#endif
}
/* Store past the caches; p + i must be aligned to the vector's bytes. End a run of these with vstream_end. */
FVI_AI void vst_stream(void *p, int64_t i, vf v, const bool bf)
{
#if defined(__AVX512F__)
    if (bf) _mm256_stream_si256((__m256i *)(void *)((uint16_t *)p + i), (__m256i)vbf_pack(v));
    else _mm512_stream_ps((float *)p + i, (__m512)v);
#elif defined(__AVX2__)
    if (bf) _mm_stream_si128((__m128i *)(void *)((uint16_t *)p + i), (__m128i)vbf_pack(v));
    else _mm256_stream_ps((float *)p + i, (__m256)v);
#elif defined(__x86_64__)
    if (bf) vst(p, i, v, true);
    else _mm_stream_ps((float *)p + i, (__m128)v);
#else
    vst(p, i, v, bf);
#endif
}
FVI_AI void vstream_end(void)
{
#if defined(__x86_64__)
    _mm_sfence();
#endif
}

/* ---- elementary functions: about 1-2 ulp ------------------------------------------------------------------------- */

/* e^x; 0 below -104, infinity above 88.73, NaN stays. */
FVI_AI vf vexp(vf x)
{
    x = vmin(vsplat(89.0f), vmax(vsplat(-104.0f), x));
    const vf magic = vsplat(12582912.0f);                      /* 1.5 * 2^23: adding it rounds to an integer */
    vf t = x * 1.44269504f + magic;
    vf n = t - magic;
    vf r = x - n * 0.693359375f;
    r = r - n * -2.12194440e-4f;
    vf p = r * 1.9875691500e-4f + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * (r * r) + r + 1.0f;
#if defined(__AVX512F__)
    return (vf)_mm512_scalef_ps((__m512)p, (__m512)n);
#else
    vi k = (vi)t - 0x4b400000;                                 /* the integer: bits of t less those of magic */
    vi h = k >> 1;
    return p * (vf)((h + 127) << 23) * (vf)((k - h + 127) << 23);
#endif
}
/* Natural logarithm (Cephes): -infinity at 0, NaN below, infinity stays. */
FVI_AI vf vlog(vf x)
{
    vmask tiny = vgt(vsplat(1.17549435e-38f), x);
    vf s = vsel(tiny, x * 8388608.0f, x);
    vi e = (vi)((vu)s >> 23) - 126;
    vf m = (vf)(((vu)s & 0x7fffffu) | 0x3f000000u);            /* [0.5, 1) */
    vf ef = __builtin_convertvector(e, vf) - vsel(tiny, vsplat(23.0f), vsplat(0.0f));
    vmask low = vgt(vsplat(0.707106781f), m);
    ef = ef - vsel(low, vsplat(1.0f), vsplat(0.0f));
    m = vsel(low, m + m, m) - 1.0f;
    vf z = m * m;
    vf p = m * 7.0376836292e-2f - 1.1514610310e-1f;
    p = p * m + 1.1676998740e-1f;
    p = p * m - 1.2420140846e-1f;
    p = p * m + 1.4249322787e-1f;
    p = p * m - 1.6668057665e-1f;
    p = p * m + 2.0000714765e-1f;
    p = p * m - 2.4999993993e-1f;
    p = p * m + 3.3333331174e-1f;
    vf y = p * m * z + ef * -2.12194440e-4f - 0.5f * z;
    y = m + y + ef * 0.693359375f;
    y = vsel(vge(x, vsplat(INFINITY)), x, y);
    y = vsel(veq(x, vsplat(0.0f)), vsplat(-INFINITY), y);
    return vsel(vge(x, vsplat(0.0f)), y, vsplat(NAN));
}
FVI_AI vf vsigmoid(vf x) { return vrcp(1.0f + vexp(vmin(vsplat(87.0f), -x))); }
FVI_AI vf vtanh(vf x)
{
    vf a = vabs(x), z = x * x;
    vf e = vexp(-2.0f * a);
    vf big = vcopysign((1.0f - e) * vrcp(1.0f + e), x);
    vf p = z * -5.70498872745e-3f + 2.06390887954e-2f;
    p = p * z - 5.37397155531e-2f;
    p = p * z + 1.33314422036e-1f;
    p = p * z - 3.33332819422e-1f;
    return vsel(vgt(vsplat(0.625f), a), p * z * x + x, vsel(vnan(x), x, big));
}
/* Normal distribution: *cdf = P(X < x), *e = exp(-x^2/2) (Abramowitz and Stegun 7.1.26; error 1.5e-7). */
FVI_AI vf vnormal_cdf(vf x, vf *e)
{
    vf a = vabs(x);
    vf t = vrcp(1.0f + 0.231641888f * a);                      /* 0.3275911 / sqrt(2) */
    vf p = t * 1.061405429f - 1.453152027f;
    p = p * t + 1.421413741f;
    p = p * t - 0.284496736f;
    p = p * t + 0.254829592f;
    *e = vexp(-0.5f * x * x);
    vf tail = 0.5f * p * t * *e;
    return vsel(vgt(x, vsplat(0.0f)), 1.0f - tail, vsel(vnan(x), x, tail));
}

#endif
