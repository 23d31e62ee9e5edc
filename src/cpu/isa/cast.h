/* SPDX-License-Identifier: Apache-2.0 */
/* Runs of elements from one type to another. */
#ifndef FVI_ISA_CAST_H
#define FVI_ISA_CAST_H

#include "cpu/isa.h"

FVI_ISA_DECLARE(void, fvi_cast_f32_bf16, (const void *x, void *y, int64_t n))      /* nearest even; NaN stays NaN */
FVI_ISA_DECLARE(void, fvi_cast_bf16_f32, (const void *x, void *y, int64_t n))
FVI_ISA_DECLARE(void, fvi_cast_u8_f32, (const void *x, void *y, int64_t n))
FVI_ISA_DECLARE(void, fvi_cast_i64_f32, (const void *x, void *y, int64_t n))
/* truncates; saturates; NaN gives 0 */
FVI_ISA_DECLARE(void, fvi_cast_f32_i64, (const void *x, void *y, int64_t n))

#endif
