/* SPDX-License-Identifier: Apache-2.0 */
/* linear: all leading axes of x are rows of one matrix product. */
#include "cpu/gemm_plan.h"

typedef struct linear { fvi_dnnl *gemm; bool bias; } linear;

static fvi_gemm_case case_of(const fvi_query *q)
{
    const fvi_type *x = &q->in[0], *w = &q->in[1];
    const int64_t outs = w->dim[0], ins = w->dim[1];
    int64_t rows = 1;
    for (int i = 0; i < x->rank - 1; i++) rows *= x->dim[i];
    fvi_gemm_case g = {.batch = 1, .m = rows, .k = ins, .n = outs, .a = {x->dtype, 0, ins, 1},
                       .b = {w->dtype, 0, 1, ins}, .c = {q->out[0].dtype, 0, outs, 1}, .bias = q->n_in > 2};
    if (q->in_layout[1] == FVI_BA) g.b = (fvi_matrix){w->dtype, 0, outs, 1};
    if (g.bias) g.bias_dtype = q->in[2].dtype;
    return g;
}

static bool choose(fvi_query *q)
{
    for (int i = 0; i < q->n_in; i++)
        if (i != 1 || q->in_layout[1] != FVI_BA) q->in_layout[i] = FVI_PLAIN;
    q->out_layout[0] = FVI_PLAIN;
    const fvi_gemm_case g = case_of(q);
    return fvi_gemm_possible(&g, q->env);
}

static void destroy(void *state)
{
    linear *p = state;
    if (p) fvi_dnnl_free(p->gemm);
    fvi_free(p);
}

static fv_status prepare(const fvi_query *q, void **state, size_t *scratch_bytes)
{
    const fvi_gemm_case g = case_of(q);
    linear *p = fvi_calloc(1, sizeof *p);
    if (!p) return fvi_nomem(q->env->ctx);
    p->bias = g.bias;
    const fv_status status = fvi_gemm_create(&g, q->env, &p->gemm);
    if (status != FV_OK) {
        destroy(p);
        return status;
    }
    *scratch_bytes = fvi_dnnl_scratch(p->gemm);
    *state = p;
    return FV_OK;
}

static fv_status run(void *state, void *const *in, void *const *out, void *scratch, const fvi_exec *x)
{
    linear *p = state;
    return fvi_gemm_run(p->gemm, in[0], in[1], p->bias ? in[2] : NULL, out[0], scratch, x);
}

static const char *describe(const void *state) { return fvi_gemm_describe(((const linear *)state)->gemm); }

static const fvi_kernel kernel = {.name = "dnnl_linear", .op = "linear", .priority = 10, .choose = choose,
                                  .prepare = prepare, .run = run, .destroy = destroy, .describe = describe};

FVI_KERNELS(k_linear, &kernel);
