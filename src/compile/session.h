/* SPDX-License-Identifier: Apache-2.0 */
/* The session: variables, derived values, shared scratch, kernel table. */
#ifndef FVI_SESSION_H
#define FVI_SESSION_H

#include "compile/compile.h"
#include "compile/table.h"

struct fv_session {
    fv_context *ctx;
    fvi_store *store;
    fvi_derived_store derived;
    fvi_compiler compiler;
    fvi_table table;                   /* tuned kernel choices */
    bool amp;
    fvi_comm *comm;                    /* borrowed; NULL = one rank */
    fvi_block scratch;
    int64_t saved_bytes;               /* of all functions */
    uint64_t adapters;                 /* counts fv_session_adapt: part of every key */
    char *poison;                      /* owned */
};

/* At least this much shared scratch. */
fv_status fvi_session_scratch(fv_session *s, size_t bytes) FV_CHECKED;
/* Bytes held now: variables, derived values, scratch, saved blocks. */
int64_t fvi_session_bytes(const fv_session *s);
void fvi_session_set_comm(fv_session *s, fvi_comm *comm);
/* The plan that a call with these inputs would run, and how; not for functions in flight. Valid until the next call. */
fv_status fvi_function_plan(fv_function *f, const fv_tensor *in, int n_in, fvi_plan **plan, fvi_run *run) FV_CHECKED;
/* The function's graph for these inputs, built anew with N unbound and without mixed precision. The caller destroys it. */
fv_status fvi_function_graph(fv_function *f, const fv_tensor *in, int n_in, fv_session **s, fv_graph **out) FV_CHECKED;
const char *fvi_function_name(const fv_function *f);

#endif
