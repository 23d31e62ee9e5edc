/* SPDX-License-Identifier: Apache-2.0 */
/* Levels of the instruction set. What depends on the processor is tested at the level that it has and at each below, so
 * that a pass on one processor is a pass on others; a level that it lacks is skipped by name. A cap holds oneDNN for a
 * whole process, so the levels below run in child processes: this program again, that one case, with FOVEA_ISA set. */
#ifndef FOVEA_LEVELS_H
#define FOVEA_LEVELS_H

#include "cpu/cpu.h"
#include "test.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* Says by name which levels this processor lacks, for what can try every level in one process (our own kernels
 * alone). */
TEST_UNUSED static void show_missing_levels(void)
{
    for (int level = (int)fvi_cpu_detect_isa() + 1; level <= FVI_ISA_AVX512_BF16; level++)
        printf("    %s is NOT TESTED: this processor lacks it\n", fvi_cpu_isa_name((fvi_isa)level));
}

/* What this process may use. */
TEST_UNUSED static fvi_isa level_here(void)
{
    fv_context *ctx = fv_context_create();
    fvi_isa here = FVI_ISA_BASE;
    test_check(ctx && fvi_cpu_choose_isa(ctx, getenv("FOVEA_ISA"), &here) == FV_OK, TEST_PLACE, "FOVEA_ISA: %s",
               ctx ? fv_error_text(ctx) : "no memory");
    fv_context_destroy(ctx);
    return here;
}

TEST_UNUSED static void run_capped(const char *case_name, const char *level)
{
    fflush(stdout);
    const pid_t child = fork();
    CHECK(child >= 0);
    if (!child) {
        setenv("FOVEA_ISA", level, 1);
        execl("/proc/self/exe", "test", case_name, (char *)NULL);
        _exit(127);
    }
    int status = 0;
    CHECK_EQ(waitpid(child, &status, 0), child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) SKIP("under %s, see above", level);
    CHECK_MSG(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%s under %s: status %d", case_name, level, status);
}

/* Case `case_name` is `run` at `level`. */
TEST_UNUSED static void at_level(fvi_isa level, const char *case_name, void (*run)(fvi_isa level))
{
    const fvi_isa here = level_here();
    const char *name = fvi_cpu_isa_name(level);
    if (level > fvi_cpu_detect_isa()) SKIP("%s is NOT TESTED: this processor lacks it", name);
    if (level > here) SKIP("%s is NOT TESTED: FOVEA_ISA caps it", name);
    if (level == here) run(level);
    else run_capped(case_name, name);
}

/* The four cases of a function, and their names for TEST_MAIN. */
#define AT_LEVELS(run)                                                                                          \
    static void run##_avx512_bf16(void) { at_level(FVI_ISA_AVX512_BF16, #run "_avx512_bf16", run); }            \
    static void run##_avx512(void) { at_level(FVI_ISA_AVX512, #run "_avx512", run); }                           \
    static void run##_avx2(void) { at_level(FVI_ISA_AVX2, #run "_avx2", run); }                                 \
    static void run##_base(void) { at_level(FVI_ISA_BASE, #run "_base", run); }
#define LEVEL_CASES(run) CASE(run##_avx512_bf16), CASE(run##_avx512), CASE(run##_avx2), CASE(run##_base)

#endif
