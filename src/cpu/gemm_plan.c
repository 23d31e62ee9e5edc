/* SPDX-License-Identifier: Apache-2.0 */
#include "cpu/gemm_plan.h"

static bool low_or_single(fv_dtype t) { return t == FV_F32 || t == FV_BF16; }

static bool types_fit(const fvi_gemm_case *g)
{
    if (!low_or_single(g->a.dtype) || g->b.dtype != g->a.dtype) return false;
    if (g->c.dtype != g->a.dtype && g->c.dtype != FV_F32) return false;
    if (g->bias && g->bias_dtype != FV_F32 && g->bias_dtype != g->a.dtype) return false;
    return g->batch > 0 && g->m > 0 && g->k > 0 && g->n > 0;
}

/* Rows and columns as oneDNN likes them: an axis of length 1 gets the stride that it has in a row-major matrix. */
static fvi_dnnl_tensor tensor(const fvi_matrix *m, int64_t batch, int64_t rows, int64_t columns)
{
    fvi_dnnl_tensor t = {.dtype = m->dtype, .strided = true};
    int64_t row = m->row, column = m->column;
    if (columns == 1) column = 1;
    if (rows == 1 && column == 1) row = columns;
    if (batch > 1) {
        t.dim[t.rank] = m->batch ? batch : 1;
        t.stride[t.rank++] = m->batch ? m->batch : rows * columns;
    }
    t.dim[t.rank] = rows;
    t.stride[t.rank++] = row;
    t.dim[t.rank] = columns;
    t.stride[t.rank++] = column;
    return t;
}

static fv_status create(fv_context *ctx, const fvi_gemm_case *g, const fvi_env *env, fvi_dnnl **out)
{
    const fvi_dnnl_tensor a = tensor(&g->a, g->batch, g->m, g->k), b = tensor(&g->b, g->batch, g->k, g->n);
    const fvi_dnnl_tensor c = tensor(&g->c, g->batch, g->m, g->n);
    fvi_dnnl_tensor bias = {.dtype = g->bias_dtype, .rank = g->bias ? c.rank : 0, .layout = FVI_PLAIN};
    for (int i = 0; i < bias.rank; i++) bias.dim[i] = i == bias.rank - 1 ? g->n : 1;
    return fvi_dnnl_matmul(ctx, &a, &b, &bias, &c, g->accumulate, env->threads, FVI_DNNL_REFERENCE, out);
}

bool fvi_gemm_possible(const fvi_gemm_case *g, const fvi_env *env)
{
    fvi_dnnl *p;
    if (!types_fit(g) || create(NULL, g, env, &p) != FV_OK) return false;
    fvi_dnnl_free(p);
    return true;
}

fv_status fvi_gemm_create(const fvi_gemm_case *g, const fvi_env *env, fvi_dnnl **out)
{
    FVI_TRY(env->ctx, create(env->ctx, g, env, out));
    const fv_status status = fvi_dnnl_ready(env->ctx, *out);
    if (status != FV_OK) {
        fvi_dnnl_free(*out);
        *out = NULL;
    }
    return status;
}

fv_status fvi_gemm_run(fvi_dnnl *p, const void *a, const void *b, const void *bias, void *c, void *scratch,
                       const fvi_exec *x)
{
    union { const void *in; void *any; } ua = {a}, ub = {b}, ubias = {bias};      /* oneDNN's interface has no const */
    void *ptr[FVI_DNNL_SLOTS] = {ua.any, ub.any, ubias.any, c, NULL};
    return fvi_dnnl_run(x->ctx, p, ptr, scratch);
}

const char *fvi_gemm_describe(const void *p) { return fvi_dnnl_impl(p); }
