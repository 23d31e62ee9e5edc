/* SPDX-License-Identifier: Apache-2.0 */
/* Looking after an installation: do the kernels compute what they should on this machine, and which are fastest here? */
#ifndef FOVEA_TOOLS_H
#define FOVEA_TOOLS_H

#include "fovea/task.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- self-test ---- */

/* One kernel run on one sample in one memory order, against the op's reference in double. Borrowed during the callback. */
typedef struct fv_selftest_row {
    const char *op, *sample, *kernel;
    const char *dtype, *isa, *layouts;         /* "bf16", "avx2", "aBcd16b ABcd16b16a -> aBcd16b" */
    double error, tolerance;                   /* largest |got - want| / (|want| + root mean square of the output) */
    bool passed;
    const char *problem;                       /* NULL, or what is wrong, in words */
} fv_selftest_row;
typedef bool fv_selftest_fn(void *user, const fv_selftest_row *row);      /* false: stop */

typedef struct fv_selftest_options {
    const char *op;                            /* only this op; NULL: all */
    const char *isa;                           /* only this set, capping oneDNN too; NULL: each that the machine has */
} fv_selftest_options;
/* Runs every op's samples and some larger cases through every kernel that takes them: f32, f64 and bf16, each instruction
 * set of our own kernels, each memory order. A wrong result is a row, not an error. `options` may be NULL. */
FV_API fv_status fv_selftest(fv_context *ctx, const fv_selftest_options *options, fv_selftest_fn *fn, void *user) FV_CHECKED;

/* ---- kernel tables ---- */

/* One timing: the calls that share `key` together, in seconds. `chosen`: what the table names. Borrowed. */
typedef struct fv_tune_row {
    const char *op, *key, *candidate;
    double seconds;
    bool chosen;
} fv_tune_row;
typedef void fv_tune_fn(void *user, const fv_tune_row *row);

typedef struct fv_tune_options {
    bool amp;
    int rounds;                                /* of the whole function at the end; 0: 5 */
    const char *note;                          /* what was tuned, in words; goes into the table. NULL: the function's name */
} fv_tune_options;
typedef struct fv_tune_result {
    int keys, plans;                           /* shapes with a choice; whole plans that were timed */
    double before, after;                      /* seconds of the whole function: shipped heuristics, with the table */
} fv_tune_result;
/* Times what kernels may choose between for the shapes of one function and writes the table (JSON) that
 * fv_session_options.kernel_table takes. The function is built again in a session of its own for every plan that is tried;
 * `in` gives the shapes, data may be NULL. `fn` and `result` may be NULL. */
FV_API fv_status fv_tune(fv_context *ctx, const char *path, const char *name, const fv_input_spec *inputs, const fv_tensor *in, int n_in,
                         fv_build_fn *build, void *user, const fv_function_options *function, const fv_tune_options *options,
                         fv_tune_fn *fn, void *fn_user, fv_tune_result *result) FV_CHECKED;

/* ---- time of a training step, or of inference ---- */

typedef struct fv_bench_options {
    const fv_model *model;                     /* borrowed */
    const fv_task_def *task;                   /* borrowed; NULL: classify */
    bool train, amp, recompute;
    int64_t classes, input[3], batch_size;     /* classes 0: what the model gives; input: C, H, W */
    const char *kernel_table;                  /* NULL: shipped heuristics */
    fv_optimizer_options optimizer;
} fv_bench_options;
typedef struct fv_bench fv_bench;
/* The task's functions with pictures of pseudo-random numbers. Nothing is compiled before the first step. */
FV_API fv_status fv_bench_create(fv_context *ctx, const fv_bench_options *o, fv_bench **out) FV_CHECKED;
FV_API fv_status fv_bench_step(fv_bench *b) FV_CHECKED;        /* one training step, or one batch */
FV_API fv_status fv_bench_profile(fv_bench *b, int repeats, fv_profile_fn *fn, void *user) FV_CHECKED;
FV_API int64_t fv_bench_memory(const fv_bench *b);             /* of the session */
FV_API void fv_bench_destroy(fv_bench *b);                     /* NULL is allowed */

#ifdef __cplusplus
}
#endif
#endif
