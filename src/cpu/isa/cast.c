/* SPDX-License-Identifier: Apache-2.0 */
/* Casts, see cast.h. */
#include "cpu/isa/cast.h"
#include "cpu/isa/vec.h"

void FVI_ISA_NAME(fvi_cast_f32_bf16)(const void *x, void *y, int64_t n)
{
    int64_t i = 0;
    for (; i + VW <= n; i += VW) vst(y, i, vld(x, i, false), true);
    for (; i < n; i++) sst(y, i, sld(x, i, false), true);
}

void FVI_ISA_NAME(fvi_cast_bf16_f32)(const void *x, void *y, int64_t n)
{
    int64_t i = 0;
    for (; i + VW <= n; i += VW) vst(y, i, vld(x, i, true), false);
    for (; i < n; i++) sst(y, i, sld(x, i, true), false);
}

void FVI_ISA_NAME(fvi_cast_u8_f32)(const void *x, void *y, int64_t n)
{
    const uint8_t *from = x;
    float *to = y;
    for (int64_t i = 0; i < n; i++) to[i] = (float)from[i];
}

void FVI_ISA_NAME(fvi_cast_i64_f32)(const void *x, void *y, int64_t n)
{
    const int64_t *from = x;
    float *to = y;
    for (int64_t i = 0; i < n; i++) to[i] = (float)from[i];
}

void FVI_ISA_NAME(fvi_cast_f32_i64)(const void *x, void *y, int64_t n)
{
    const float *from = x;
    int64_t *to = y;
    for (int64_t i = 0; i < n; i++) {
        const float f = from[i];
        if (f != f) to[i] = 0;
        else if (f >= 0x1p63f) to[i] = INT64_MAX;
        else to[i] = f < -0x1p63f ? INT64_MIN : (int64_t)f;
    }
}
