/* SPDX-License-Identifier: Apache-2.0 */
/* Batched matrix product with strides on oneDNN; shared by linear, matmul and convolutions whose windows do not
 * overlap. */
#ifndef FVI_GEMM_PLAN_H
#define FVI_GEMM_PLAN_H

#include "cpu/dnnl_shim.h"
#include "ir/kernel.h"

/* strides in elements; batch 0: one for all */
typedef struct fvi_matrix { fv_dtype dtype; int64_t batch, row, column; } fvi_matrix;

/* c (batch, m, n) = a (batch, m, k) b (batch, k, n) + bias (n), or added to what c holds. */
typedef struct fvi_gemm_case {
    int64_t batch, m, k, n;
    fvi_matrix a, b, c;
    bool bias, accumulate;
    fv_dtype bias_dtype;
} fvi_gemm_case;

bool fvi_gemm_possible(const fvi_gemm_case *g, const fvi_env *env);
FV_CHECKED fv_status fvi_gemm_create(const fvi_gemm_case *g, const fvi_env *env, fvi_dnnl **out);
FV_CHECKED fv_status fvi_gemm_run(fvi_dnnl *p, const void *a, const void *b, const void *bias, void *c, void *scratch,
                                  const fvi_exec *x);
const char *fvi_gemm_describe(const void *p);

#endif
