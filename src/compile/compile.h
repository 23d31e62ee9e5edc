/* SPDX-License-Identifier: Apache-2.0 */
/* From a user's graph to a plan: passes over a bound copy. Each can be switched off by name ("-fuse,-layout"); "none"
 * interprets the references.
 *
 *   expand   composites that no kernel serves become primitives (always)
 *   cse      equal nodes are merged
 *   fold     inference: batch norm, residual add and activation go into the convolution
 *   fuse     training: batch norm + add + activation, forward and backward
 *   recompute  training, only when asked for ("+recompute"): what is cheap to make again is not kept for backward
 *   hoist    what depends on variables only is computed once per change of them
 *   layout   kernels and memory orders are chosen; reorders inserted */
#ifndef FVI_COMPILE_H
#define FVI_COMPILE_H

#include "ir/plan.h"

typedef struct fvi_passes { bool kernels, cse, fold, fuse, hoist, layout, recompute; } fvi_passes;
fv_status fvi_passes_parse(fv_context *ctx, const char *text, fvi_passes *out) FV_CHECKED;

typedef struct fvi_compiler {
    fvi_passes passes;
    fvi_env env;
    fvi_derived_store *derived;
    const char *poison;                /* "path" or "path:backward": this op's output gets a NaN (tests), or NULL */
} fvi_compiler;

/* Binds `graph` to batch size n, runs the passes, makes the plan. */
fv_status fvi_compile(const fvi_compiler *c, const fv_graph *graph, int64_t n, bool in_flight, fvi_plan **out) FV_CHECKED;

/* The passes. */
fv_status fvi_pass_expand(fv_graph *g, const fvi_compiler *c) FV_CHECKED;
fv_status fvi_pass_cse(fv_graph *g) FV_CHECKED;
fv_status fvi_pass_fold(fv_graph *g, const fvi_compiler *c) FV_CHECKED;
fv_status fvi_pass_fuse(fv_graph *g, const fvi_compiler *c) FV_CHECKED;
fv_status fvi_pass_recompute(fv_graph *g, const fvi_compiler *c) FV_CHECKED;
fv_status fvi_pass_hoist(fv_graph *g, const fvi_compiler *c) FV_CHECKED;
fv_status fvi_pass_layout(fv_graph *g, const fvi_compiler *c) FV_CHECKED;

/* Would a tuned kernel serve this node (whatever the layouts)? */
bool fvi_served(const fvi_node *n, const fvi_compiler *c);

#endif
