/* SPDX-License-Identifier: Apache-2.0 */
/* An op with one of its samples: N bound, inputs drawn, and the function that runs it in double through the public API. */
#ifndef FOVEA_OP_CASES_H
#define FOVEA_OP_CASES_H

#include "compile/registry.h"
#include "fovea/session.h"

enum { OP_INPUTS = FVI_SAMPLE_IN };

/* Numbers are doubles for floating tensors and int64_t for the others, whatever the tensor's own type is. */
typedef struct op_tensor { fvi_type symbolic, bound; int64_t n; union { double *f; int64_t *i; void *p; }; } op_tensor;

typedef struct op_case {
    fv_context *ctx;
    const fvi_op *op;
    const fvi_sample *sample;
    int64_t batch;
    int n_in, n_out;
    op_tensor in[OP_INPUTS], out[FVI_MAX_OUT], seed[FVI_MAX_OUT];       /* seed: random cotangents of floating outputs */
} op_case;

bool op_is_float(const op_tensor *t);
/* Draws everything from (op, sample, batch). Out shapes come from the op's infer. false: the error is in the context. */
bool op_case_open(op_case *c, fv_context *ctx, const fvi_op *op, const fvi_sample *sample, int64_t batch);
void op_case_close(op_case *c);
/* Does any input take part in the gradient check? */
bool op_case_wants_gradient(const op_case *c, int input);

/* The case as a function of its session. */
typedef struct op_program {
    op_case *c;
    fv_function *function;
    bool expand, gradient;
    bool none[OP_INPUTS];              /* nothing flows to this input */
    op_tensor din[OP_INPUTS];          /* results of `gradient`; zeros where nothing flows */
} op_program;

/* expand: the op is replaced by its expansion. gradient: the results are d(sum seed * out)/d(in) instead of the outputs. */
fv_status op_program_open(op_program *p, fv_session *s, op_case *c, bool expand, bool gradient) FV_CHECKED;
fv_status op_program_run(op_program *p) FV_CHECKED;     /* reads c's in and seed, writes c's out or din */
void op_program_close(op_program *p);

#endif
