/* SPDX-License-Identifier: Apache-2.0 */
/* The machine and the build, for programs. */
#include "base/thread.h"
#include "cpu/cpu.h"
#include "cpu/dnnl_shim.h"
#include "fovea/train.h"

#include <stdio.h>

#if defined(__clang__)
#define COMPILER "clang " __clang_version__
#else
#define COMPILER "gcc " __VERSION__
#endif

double fv_seconds(void)
{
    return fvi_seconds();
}

void fv_machine_pin(int threads)
{
    fvi_pin_threads(threads);
}

int64_t fv_machine_memory_peak(void)
{
    return fvi_memory_peak();
}

void fv_machine_describe(fv_machine *out)
{
    static _Thread_local char libraries[160];
    snprintf(libraries, sizeof libraries, "oneDNN %s", fvi_dnnl_version());
    *out = (fv_machine){.cpu = fvi_cpu_model(), .isa = fvi_cpu_isa_name(fvi_cpu_detect_isa()), .libraries = libraries, .compiler = COMPILER,
                        .cores = fvi_cpu_count()};
}
