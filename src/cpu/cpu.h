/* SPDX-License-Identifier: Apache-2.0 */
/* Which instruction set the CPU backend may use. */
#ifndef FVI_CPU_H
#define FVI_CPU_H

#include "ir/kernel.h"

fvi_isa fvi_cpu_detect_isa(void);
const char *fvi_cpu_isa_name(fvi_isa isa);               /* "base", "avx2", "avx512", "avx512_bf16" */
/* cap NULL: the best that the machine has. An unknown name is a CONFIG error; a cap caps oneDNN too, where it still can
 * (before its first primitive). */
fv_status fvi_cpu_choose_isa(fv_context *ctx, const char *cap, fvi_isa *out) FV_CHECKED;

#endif
