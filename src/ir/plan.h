/* SPDX-License-Identifier: Apache-2.0 */
/* A plan: a flat, immutable list of prepared kernel calls with addresses (block, offset), and the executor that walks it.
 *
 * Blocks: variables (the store), inputs (the caller's memory), scratch (shared by all plans of a session, sized for the
 * largest), saved (what crosses a segment, one block per micro-batch in flight), derived (values of variables only, such
 * as reordered or bf16 weights or folded batch norms: shared by all plans, refreshed when a variable has changed). */
#ifndef FVI_PLAN_H
#define FVI_PLAN_H

#include "ir/kernel.h"

typedef enum fvi_loc_kind { FVI_LOC_NONE, FVI_LOC_VAR, FVI_LOC_INPUT, FVI_LOC_SCRATCH, FVI_LOC_SAVED, FVI_LOC_DERIVED } fvi_loc_kind;
typedef struct fvi_loc { fvi_loc_kind kind; int index; size_t offset; } fvi_loc;

typedef struct fvi_instr {
    const fvi_kernel *kernel;
    void *state;
    const fvi_node *node;
    fvi_loc *in, *out;                 /* node->n_in, node->n_out */
    fvi_loc scratch;
    int group;                         /* this and group-1 following instructions go into one run_group call; 0: inside one */
} fvi_instr;

typedef struct fvi_derived_item { uint64_t key; void *data; size_t bytes; uint64_t stamp; } fvi_derived_item;
typedef struct fvi_derived_store { struct { fvi_derived_item **items; int count, capacity; } list; } fvi_derived_store;
void fvi_derived_store_free(fvi_derived_store *d);

typedef struct fvi_code { fvi_instr *items; int count, capacity; } fvi_code;

typedef struct fvi_derived {           /* one root of a plan's prologue */
    fvi_derived_item *item;            /* borrowed from the store */
    int first, count;                  /* instructions in prologue[] */
    fvi_var **vars;                    /* what it is made of */
    int n_vars;
} fvi_derived;

typedef struct fvi_plan {
    fv_context *ctx;
    fv_graph *graph;                   /* owned, bound, lowered */
    fvi_env env;
    fvi_arena arena;
    fvi_code code, prologue;
    struct { fvi_derived *items; int count, capacity; } derived;
    int n_segments, *segment_begin;    /* n_segments + 1 */
    size_t scratch_bytes, saved_bytes;
    fvi_loc *results;                  /* by graph result */
    fvi_var **written;
    int n_written;
    int *written_segment;
    void ***call_in, ***call_out;      /* pointer tables of the call or group under way */
    void **call_state;
    const fvi_instr *poison;           /* fault injection for tests: its first output gets a NaN */
} fvi_plan;

/* Takes over `graph` (also on failure): kernels and layouts are chosen already. Variables get memory here. */
fv_status fvi_plan_create(fv_graph *graph, const fvi_env *env, fvi_derived_store *derived, bool in_flight, fvi_plan **out) FV_CHECKED;
void fvi_plan_destroy(fvi_plan *p);

typedef struct fvi_run {
    char *scratch, *saved;             /* at least plan->scratch_bytes, saved_bytes */
    void *const *inputs;               /* by slot */
    const int64_t *ragged_rows;
    fvi_comm *comm;
    bool check;                        /* look for the first non-finite output; stop there with FV_ERROR_NUMERIC */
    const fvi_node *bad;               /* set then */
    double *seconds;                   /* by instruction of plan->code, added up when not NULL */
} fvi_run;
/* One segment (or all, segment < 0). Raises the versions of the variables that were written. */
fv_status fvi_plan_run(const fvi_plan *p, fvi_run *r, int segment) FV_CHECKED;
void *fvi_plan_address(const fvi_plan *p, const fvi_run *r, fvi_loc l);
char *fvi_plan_text(const fvi_plan *p);   /* the list of calls; owned by the caller */

/* Offsets for intervals [first, last] of `bytes`, aligned to 64: larger blocks first, lowest free place. Returns the total. */
typedef struct fvi_interval { size_t bytes, offset; int first, last; } fvi_interval;
fv_status fvi_pack(fv_context *ctx, fvi_interval *items, int n, size_t *total) FV_CHECKED;

#endif
