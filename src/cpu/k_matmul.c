/* SPDX-License-Identifier: Apache-2.0 */
/* matmul: leading axes are one batch axis; transposes are strides. Rows of a that share one b become one tall matrix. */
#include "cpu/gemm_plan.h"
#include "ops/matmul.h"

/* Rows and columns of the last two axes of t after the transpose; its elements. */
static fvi_matrix matrix(const fvi_type *t, fvi_layout l, bool transpose, int64_t *rows, int64_t *columns)
{
    const int64_t h = t->dim[t->rank - 2], w = t->dim[t->rank - 1];
    fvi_matrix m = {t->dtype, t->rank > 2 ? h * w : 0, w, 1};
    if (l == FVI_BA) m = (fvi_matrix){t->dtype, 0, 1, h};
    *rows = transpose ? w : h;
    *columns = transpose ? h : w;
    if (transpose) m = (fvi_matrix){m.dtype, m.batch, m.column, m.row};
    return m;
}

static fvi_gemm_case case_of(const fvi_query *q)
{
    const fvi_matmul_attr *t = q->node->attr;
    const fvi_type *a = &q->in[0], *b = &q->in[1];
    fvi_gemm_case g = {.batch = 1};
    int64_t k;
    g.a = matrix(a, q->in_layout[0], t->transpose_a, &g.m, &g.k);
    g.b = matrix(b, q->in_layout[1], t->transpose_b, &k, &g.n);
    for (int i = 0; i < a->rank - 2; i++) g.batch *= a->dim[i];
    g.c = (fvi_matrix){q->out[0].dtype, g.m * g.n, g.n, 1};
    if (b->rank == 2 && g.batch > 1 && !t->transpose_a) {
        g.m *= g.batch;
        g.batch = 1;
    }
    return g;
}

static bool choose(fvi_query *q)
{
    for (int i = 0; i < 2; i++)
        if (q->in_layout[i] != FVI_BA) q->in_layout[i] = FVI_PLAIN;
    q->out_layout[0] = FVI_PLAIN;
    const fvi_gemm_case g = case_of(q);
    return fvi_gemm_possible(&g, q->env);
}

static fv_status prepare(const fvi_query *q, void **state, size_t *scratch_bytes)
{
    const fvi_gemm_case g = case_of(q);
    fvi_dnnl *p;
    FVI_TRY(q->env->ctx, fvi_gemm_create(&g, q->env, &p));
    *scratch_bytes = fvi_dnnl_scratch(p);
    *state = p;
    return FV_OK;
}

static fv_status run(void *state, void *const *in, void *const *out, void *scratch, const fvi_exec *x)
{
    return fvi_gemm_run(state, in[0], in[1], NULL, out[0], scratch, x);
}

static void destroy(void *state) { fvi_dnnl_free(state); }

static const fvi_kernel kernel = {.name = "dnnl_matmul", .op = "matmul", .priority = 10, .choose = choose, .prepare = prepare,
    .run = run, .destroy = destroy, .describe = fvi_gemm_describe};

FVI_KERNELS(k_matmul, &kernel);
