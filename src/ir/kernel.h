/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel interface: what a backend offers for an op. A plan is a flat list of prepared kernel calls; `run` is called
 * with pointers only. Adding a tuned kernel = adding a file src/cpu/k_<name>.c. */
#ifndef FVI_KERNEL_H
#define FVI_KERNEL_H

#include "ir/graph.h"

typedef enum fvi_isa { FVI_ISA_BASE, FVI_ISA_AVX2, FVI_ISA_AVX512, FVI_ISA_AVX512_BF16 } fvi_isa;

/* The communicator of collective ops; backends: none, in-process ranks (tests), MPI, NCCL. Sums are in place. */
typedef struct fvi_comm {
    void *self;
    int rank, size;
    fv_status (*all_reduce_sum)(struct fvi_comm *c, void *data, int64_t count, fv_dtype dtype);
    fv_status (*broadcast)(struct fvi_comm *c, void *data, int64_t count, fv_dtype dtype, int root);
} fvi_comm;

/* Per-call context of a plan's run. */
typedef struct fvi_exec {
    fv_context *ctx;
    int threads;
    fvi_comm *comm;                    /* NULL: one rank */
    const int64_t *ragged_rows;        /* by input slot: rows bound in this call (ragged inputs only) */
} fvi_exec;

typedef struct fvi_env {               /* what a plan is compiled for */
    fv_context *ctx;
    int threads;
    fvi_isa isa;
    bool training;
    bool layouts;                      /* may choose non-plain layouts */
    fvi_layout conv_layout;            /* preferred activation layout of dense convolutions: NCHW16C, NCHW8C or NHWC */
    const struct fvi_kernel_table *table;   /* tuned choices, or NULL */
} fvi_env;
/* The implementation a table names for (op, key text), NULL when there is none. In src/compile/kernel_table.c; cpu code
 * reaches it through this pointer. */
typedef struct fvi_kernel_table { const char *(*find)(const struct fvi_kernel_table *t, const char *op, const char *key); } fvi_kernel_table;

/* choose(): can this kernel do the node, and with which layouts? On entry in_layout[] holds what the producers give now
 * (FVI_OPAQUE: free choice, a variable without a home yet); on return in_layout[] is what the kernel wants (the pass
 * inserts reorders where they differ) and out_layout[] what it makes. Types are bound. Default on entry: as is / PLAIN. */
typedef struct fvi_query {
    const fvi_env *env;
    const fvi_node *node;
    int n_in, n_out;
    fvi_type *in, out[FVI_MAX_OUT];
    fvi_layout *in_layout, out_layout[FVI_MAX_OUT];
    bool out_used[FVI_MAX_OUT];
    struct { fvi_type in[FVI_FEW_IN]; fvi_layout layout[FVI_FEW_IN]; } few;      /* in and in_layout of most nodes */
} fvi_query;
/* The node's types and the layouts of its inputs; outputs PLAIN, or (decided) as the graph has them, all used. To be
 * closed, and copied with fvi_query_copy only. */
FV_CHECKED fv_status fvi_query_open(fvi_query *q, const fvi_env *env, const fvi_node *node, bool decided);
FV_CHECKED fv_status fvi_query_copy(fvi_query *q, const fvi_query *from);
void fvi_query_close(fvi_query *q);

typedef struct fvi_kernel {
    const char *name;                  /* "dnnl_conv2d", "bn_act" */
    const char *op;                    /* op that it serves */
    int priority;                      /* the highest that chooses is taken; reference = 0 */
    bool (*choose)(fvi_query *q);
    /* Creates *state (freed by destroy) and says how much scratch a run needs. q has the final layouts. */
    fv_status (*prepare)(const fvi_query *q, void **state, size_t *scratch_bytes);
    /* in[] and out[] in node order; an unused output is NULL when the kernel says `skips_unused`, else scratch. */
    fv_status (*run)(void *state, void *const *in, void *const *out, void *scratch, const fvi_exec *x);
    void (*destroy)(void *state);
    int8_t inplace[FVI_MAX_OUT];       /* as in fvi_op, for this kernel (same layout and bytes required) */
    bool skips_unused;
    /* Text for `fovea bench --ops`, e.g. oneDNN's impl_info; NULL = name. */
    const char *(*describe)(const void *state);
    /* Names that a kernel table may give for this op (choose() asks env->table), NULL-terminated; describe() has the one
     * in use as a word of its own. NULL: nothing to choose. */
    const char *const *choices;
    /* Many calls as one, for kernels over many small tensors (optimizer updates, norms): consecutive calls of one kernel
     * are handed over together; scratch is not given. NULL: called one by one. */
    fv_status (*run_group)(int n, void **states, void *const *const *in, void *const *const *out, const fvi_exec *x);
} fvi_kernel;

typedef struct fvi_kernel_list { int count; const fvi_kernel *const *kernels; } fvi_kernel_list;
#define FVI_KERNELS(file, ...)                                                              \
    extern const fvi_kernel_list fvi_kernels_##file;                                        \
    static const fvi_kernel *const fvi_kernels_array_##file[] = {__VA_ARGS__};              \
    const fvi_kernel_list fvi_kernels_##file = {FVI_COUNT(fvi_kernels_array_##file), fvi_kernels_array_##file}

/* Reference adapter: runs op->ref for any dtype in plain layout (src/ir/reference.c). */
extern const fvi_kernel fvi_reference_kernel;

#endif
