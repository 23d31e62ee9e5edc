/* SPDX-License-Identifier: Apache-2.0 */
/* matmul: the last leading axes on which both operands advance, or one repeats, are one batch axis of the library's; those
 * before are walked. Transposes are strides. Rows of a that share one b become one tall matrix. */
#include "cpu/gemm_plan.h"
#include "ops/matmul.h"

typedef struct state { fvi_dnnl *gemm; fvi_type a, b, y; int64_t rounds, batch; size_t a_size, b_size, y_size; } state;

/* Rows and columns of the last two axes of t after the transpose; its elements. */
static fvi_matrix matrix(const fvi_type *t, fvi_layout l, bool transpose, int64_t *rows, int64_t *columns)
{
    const int64_t h = t->dim[t->rank - 2], w = t->dim[t->rank - 1];
    fvi_matrix m = {t->dtype, 0, w, 1};
    if (l == FVI_BA) m = (fvi_matrix){t->dtype, 0, 1, h};
    *rows = transpose ? w : h;
    *columns = transpose ? h : w;
    if (transpose) m = (fvi_matrix){m.dtype, m.batch, m.column, m.row};
    return m;
}

/* Leading axis i of y, from the last one: does t advance on it? */
static bool advances(const fvi_type *t, int i)
{
    return i + 3 <= t->rank && t->dim[t->rank - 3 - i] > 1;
}

/* The batch axis: leading axes from the last one on, as long as each operand advances on all of them or on none. */
static fvi_gemm_case case_of(const fvi_query *q)
{
    const fvi_matmul_attr *t = q->node->attr;
    const fvi_type *a = &q->in[0], *b = &q->in[1], *y = &q->out[0];
    fvi_gemm_case g = {.batch = 1};
    int64_t k;
    g.a = matrix(a, q->in_layout[0], t->transpose_a, &g.m, &g.k);
    g.b = matrix(b, q->in_layout[1], t->transpose_b, &k, &g.n);
    g.c = (fvi_matrix){y->dtype, g.m * g.n, g.n, 1};
    for (int i = 0; i < y->rank - 2; i++) {
        const int64_t d = y->dim[y->rank - 3 - i];
        if (d == 1) continue;
        const bool first = g.batch == 1;
        if (!first && (advances(a, i) != (g.a.batch > 0) || advances(b, i) != (g.b.batch > 0))) break;
        if (first && advances(a, i)) g.a.batch = g.m * g.k;
        if (first && advances(b, i)) g.b.batch = g.k * g.n;
        g.batch *= d;
    }
    if (!g.b.batch && g.a.batch && g.batch > 1 && !t->transpose_a) {
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

static void destroy(void *p)
{
    state *s = p;
    fvi_dnnl_free(s->gemm);
    fvi_free(s);
}

static fv_status prepare(const fvi_query *q, void **out, size_t *scratch_bytes)
{
    const fvi_gemm_case g = case_of(q);
    const fvi_type *y = &q->out[0];
    state *s = fvi_calloc(1, sizeof *s);
    if (!s) return fvi_nomem(q->env->ctx);
    const fv_status status = fvi_gemm_create(&g, q->env, &s->gemm);
    if (status != FV_OK) {
        fvi_free(s);
        return status;
    }
    s->a = q->in[0];
    s->b = q->in[1];
    s->y = *y;
    s->batch = g.batch * g.m / y->dim[y->rank - 2];          /* matrices of y in one call */
    s->rounds = fvi_type_numel(y) / (g.batch * g.m * g.n);
    s->a_size = fv_dtype_size(s->a.dtype);
    s->b_size = fv_dtype_size(s->b.dtype);
    s->y_size = fv_dtype_size(y->dtype) * (size_t)(g.batch * g.m * g.n);
    *scratch_bytes = fvi_dnnl_scratch(s->gemm);
    *out = s;
    return FV_OK;
}

static fv_status run(void *p, void *const *in, void *const *out, void *scratch, const fvi_exec *x)
{
    const state *s = p;
    for (int64_t i = 0; i < s->rounds; i++) {
        const char *a = (const char *)in[0] + (size_t)fvi_matmul_offset(&s->a, &s->y, i * s->batch) * s->a_size;
        const char *b = (const char *)in[1] + (size_t)fvi_matmul_offset(&s->b, &s->y, i * s->batch) * s->b_size;
        FVI_TRY(x->ctx, fvi_gemm_run(s->gemm, a, b, NULL, (char *)out[0] + (size_t)i * s->y_size, scratch, x));
    }
    return FV_OK;
}

static const char *describe(const void *p) { return fvi_gemm_describe(((const state *)p)->gemm); }

static const fvi_kernel kernel = {.name = "dnnl_matmul", .op = "matmul", .priority = 10, .choose = choose, .prepare = prepare,
    .run = run, .destroy = destroy, .describe = describe};

FVI_KERNELS(k_matmul, &kernel);
