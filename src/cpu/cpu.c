/* SPDX-License-Identifier: Apache-2.0 */
/* Detection and capping of the instruction set. */
#include "cpu/cpu.h"

#include "cpu/dnnl_shim.h"

static const char *const names[] = {"base", "avx2", "avx512", "avx512_bf16"};

/* The compiler's helper also asks the operating system whether it saves the registers. */
fvi_isa fvi_cpu_detect_isa(void)
{
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl"))
        return __builtin_cpu_supports("avx512bf16") ? FVI_ISA_AVX512_BF16 : FVI_ISA_AVX512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return FVI_ISA_AVX2;
#endif
    return FVI_ISA_BASE;
}

const char *fvi_cpu_isa_name(fvi_isa isa) { return names[isa]; }

fv_status fvi_cpu_choose_isa(fv_context *ctx, const char *cap, fvi_isa *out)
{
    *out = fvi_cpu_detect_isa();
    if (!cap || !*cap || !strcmp(cap, "best")) return FV_OK;
    for (int i = 0; i < FVI_COUNT(names); i++) {
        if (strcmp(cap, names[i])) continue;
        if ((fvi_isa)i < *out) {
            *out = (fvi_isa)i;
            (void)fvi_dnnl_limit_isa(i);
        }
        return FV_OK;
    }
    return fvi_fail(ctx, FV_ERROR_CONFIG, "instruction set '%s': use base, avx2, avx512 or avx512_bf16", cap);
}
