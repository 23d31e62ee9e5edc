/* SPDX-License-Identifier: Apache-2.0 */
/* Instruction sets of our own kernels. Every src/cpu/isa/X.c is compiled once for each set with FVI_ISA defined as
 * base, avx2 or avx512; its functions are named through FVI_ISA_NAME, so f becomes f_base, f_avx2 and f_avx512. The
 * callers declare all of them with FVI_ISA_DECLARE and pick one with FVI_ISA_PICK while planning, never inside a step:
 *
 *     in k_relu.c:      FVI_ISA_DECLARE(void, fvi_relu_rows, (const float *x, float *y, int64_t n))
 *                       prepared->run = FVI_ISA_PICK(q->env->isa, fvi_relu_rows);
 *     in isa/rows.c:    FVI_ISA_DECLARE(void, fvi_relu_rows, (const float *x, float *y, int64_t n))
 *                       void FVI_ISA_NAME(fvi_relu_rows)(const float *x, float *y, int64_t n) { ... }
 *
 * Machines that are not x86-64 have base only. */
#ifndef FVI_ISA_H
#define FVI_ISA_H

#include "ir/kernel.h"                                  /* enum fvi_isa, in ascending order */

#define FVI_PASTE_(a, b) a##_##b
#define FVI_PASTE(a, b) FVI_PASTE_(a, b)
#define FVI_ISA_NAME(x) FVI_PASTE(x, FVI_ISA)

#if defined(__x86_64__)
#define FVI_ISA_DECLARE(ret, name, args) \
    ret name##_base args;                \
    ret name##_avx2 args;                \
    ret name##_avx512 args;
#define FVI_ISA_PICK(level, name) \
    ((level) >= FVI_ISA_AVX512 ? name##_avx512 : (level) == FVI_ISA_AVX2 ? name##_avx2 : name##_base)
#else
#define FVI_ISA_DECLARE(ret, name, args) ret name##_base args;
#define FVI_ISA_PICK(level, name) ((void)(level), name##_base)
#endif

#endif
