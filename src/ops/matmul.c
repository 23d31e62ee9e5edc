/* SPDX-License-Identifier: Apache-2.0 */
/* y = op(a) op(b) on the last two axes, op = identity or transpose; leading axes broadcast as NumPy's. da = dy op(b)^T and
 * db = op(a)^T dy, transposed back where the input was, and summed over what was broadcast. */
#include "ir/onnx.h"
#include "ops/matmul.h"

#include "ops/elementwise.h"
#include "ops/parallel.h"

static const fvi_attr_def attrs[] = {
    {.name = "transpose_a", .kind = FVI_ATTR_BOOL, .offset = offsetof(fvi_matmul_attr, transpose_a), .help = "a is (..., K, M)"},
    {.name = "transpose_b", .kind = FVI_ATTR_BOOL, .offset = offsetof(fvi_matmul_attr, transpose_b), .help = "b is (..., P, K)"},
    FVI_ATTR_END,
};

static fv_status infer(fvi_infer *c)
{
    const fvi_matmul_attr *m = c->attr;
    const fvi_type *a = &c->in[0], *b = &c->in[1];
    char t[2][FVI_TYPE_TEXT];
    FVI_TRY(c->ctx, fvi_infer_floats(c, 0));
    fvi_type lead_a = *a, lead_b = *b, *y = &c->out[0];
    lead_a.rank -= 2;
    lead_b.rank -= 2;
    const bool fits = a->rank >= 2 && b->rank >= 2 && fvi_type_broadcast(&lead_a, &lead_b, y) &&
                      a->dim[a->rank - (m->transpose_a ? 2 : 1)] == b->dim[b->rank - (m->transpose_b ? 1 : 2)];
    if (!fits)
        return fvi_infer_fail(c, "%s%s and %s%s cannot be multiplied: (..., M, K) and (..., K, P) are needed, with leading axes "
                              "that are equal or broadcast", fvi_type_text(a, t[0]), m->transpose_a ? " transposed" : "",
                              fvi_type_text(b, t[1]), m->transpose_b ? " transposed" : "");
    y->rank += 2;
    y->dim[y->rank - 2] = a->dim[a->rank - (m->transpose_a ? 1 : 2)];
    y->dim[y->rank - 1] = b->dim[b->rank - (m->transpose_b ? 2 : 1)];
    return FV_OK;
}

/* Row i of one product. Rows of b are added up, or, when b is transposed, each element is a product of two rows. */
static void product_row(const fvi_matmul_attr *t, const double *a, const double *b, double *restrict y, int64_t i,
                        int64_t m, int64_t k_all, int64_t p)
{
    const double *ar = t->transpose_a ? a + i : a + i * k_all;
    const int64_t step = t->transpose_a ? m : 1;
    if (!t->transpose_b) {
        for (int64_t j = 0; j < p; j++) y[j] = 0;
        for (int64_t k = 0; k < k_all; k++) {
            const double v = ar[k * step];
            for (int64_t j = 0; j < p; j++) y[j] += v * b[k * p + j];
        }
        return;
    }
    for (int64_t j = 0; j < p; j++) {
        double sum = 0;
#pragma omp simd reduction(+ : sum)
        for (int64_t k = 0; k < k_all; k++) sum += ar[k * step] * b[j * k_all + k];
        y[j] = sum;
    }
}

static void reference(const fvi_ref *r)
{
    const fvi_matmul_attr *t = r->attr;
    const fvi_type *a = &r->in[0].type, *y = &r->out[0].type;
    const int64_t m = y->dim[y->rank - 2], p = y->dim[y->rank - 1], k = a->dim[a->rank - (t->transpose_a ? 2 : 1)];
    int64_t batch = 1;
    for (int i = 0; i < y->rank - 2; i++) batch *= y->dim[i];
#pragma omp parallel for collapse(2) if (FVI_WORTH_THREADS(batch * m * k * p))
    for (int64_t n = 0; n < batch; n++)
        for (int64_t i = 0; i < m; i++) {
            const double *left = r->in[0].f + fvi_matmul_offset(a, y, n), *right = r->in[1].f + fvi_matmul_offset(&r->in[1].type, y, n);
            product_row(t, left, right, r->out[0].f + (n * m + i) * p, i, m, k, p);
        }
}

/* The last two axes exchanged. */
static fv_value *transposed(fv_graph *g, fv_value *v)
{
    int axes[FV_MAX_RANK];
    const int rank = fv_value_rank(v);
    if (!v) return NULL;
    for (int i = 0; i < rank; i++) axes[i] = i;
    axes[rank - 2] = rank - 1;
    axes[rank - 1] = rank - 2;
    return fv_permute(g, v, axes);
}

/* Leading axes joined with the rows, or v itself when they cannot be. */
static fv_value *joined(fv_graph *g, fv_value *v)
{
    int64_t rows;
    if (!v || v->type.rank == 2 || !fvi_type_product(&v->type, 0, v->type.rank - 1, &rows)) return v;
    return fv_reshape(g, v, 2, (const int64_t[]){rows, v->type.dim[v->type.rank - 1]});
}

/* One b for all of a's leading axes. */
static bool shared(const fv_value *a, const fv_value *b) { return b->type.rank == 2 && a->type.rank > 2; }

static fv_value *gradient_of_a(fvi_gradient *c, const fvi_matmul_attr *t)
{
    fv_value *b = c->in[1], *dy = c->dout[0];
    if (!t->transpose_a) return fv_matmul(c->g, dy, b, false, !t->transpose_b);
    if (shared(c->in[0], b)) return transposed(c->g, fv_matmul(c->g, dy, b, false, !t->transpose_b));
    return fv_matmul(c->g, b, dy, t->transpose_b, true);
}

static fv_value *gradient_of_b(fvi_gradient *c, const fvi_matmul_attr *t)
{
    fv_value *a = c->in[0], *dy = c->dout[0];
    if (shared(a, c->in[1]) && !t->transpose_a) {       /* the sum over leading axes is part of the product */
        a = joined(c->g, a);
        dy = joined(c->g, dy);
    }
    return t->transpose_b ? fv_matmul(c->g, dy, a, true, t->transpose_a) : fv_matmul(c->g, a, dy, !t->transpose_a, false);
}

static fv_status gradient(fvi_gradient *c)
{
    const fvi_matmul_attr *t = c->node->attr;
    if (c->need[0]) fvi_gradient_set(c, 0, gradient_of_a(c, t));
    if (c->need[1]) fvi_gradient_set(c, 1, gradient_of_b(c, t));
    return fv_graph_status(c->g);
}

static double flops(const fvi_node *n)
{
    const fvi_matmul_attr *t = n->attr;
    const fvi_type *a = &n->in[0]->type;
    return 2 * (double)fvi_type_numel(&n->out[0].type) * (double)a->dim[a->rank - (t->transpose_a ? 2 : 1)];
}

static const fvi_matmul_attr nn = {false, false}, tn = {true, false}, nt = {false, true}, tt = {true, true};
#define N FVI_DRAW_NORMAL
static const fvi_sample samples[] = {
    {"plain", &nn, 2, {FVI_S(N, FV_N, 5), FVI_S(N, 5, 3)}},
    {"first", &tn, 2, {FVI_S(N, FV_N, 4), FVI_S(N, FV_N, 3)}},
    {"attention", &nt, 2, {FVI_S(N, FV_N, 2, 5, 4), FVI_S(N, FV_N, 2, 3, 4)}},
    {"both", &tt, 2, {FVI_S(N, FV_N, 4, 3), FVI_S(N, FV_N, 5, 4)}},
    {"shared", &nn, 2, {FVI_S(N, FV_N, 3, 4), FVI_S(N, 4, 2)}},
    {"shared_second", &nt, 2, {FVI_S(N, FV_N, 2, 3, 4), FVI_S(N, 5, 4)}},
    {"shared_first", &tn, 2, {FVI_S(N, FV_N, 4, 3), FVI_S(N, 4, 2)}},
    {"shared_both", &tt, 2, {FVI_S(N, FV_N, 4, 3), FVI_S(N, 2, 4)}},
    {"one_first", &nn, 2, {FVI_S(N, 3, 4), FVI_S(N, FV_N, 4, 2)}},
    {"one_first_both", &tt, 2, {FVI_S(N, 4, 3), FVI_S(N, FV_N, 2, 4)}},
    {"heads", &nt, 2, {FVI_S(N, FV_N, 1, 3, 4), FVI_S(N, 3, 2, 4)}},
    {"crossed", &tn, 2, {FVI_S(N, 2, 1, 4, 3), FVI_S(N, FV_N, 1, 3, 4, 2)}},
};

static void onnx(fvi_onnx *o)
{
    const fvi_matmul_attr *m = o->attr;
    const char *a = o->in[0], *b = o->in[1];
    if (m->transpose_a) a = fvi_onnx_transpose(o, a, o->node->in[0]->type.rank);
    if (m->transpose_b) b = fvi_onnx_transpose(o, b, o->node->in[1]->type.rank);
    fvi_onnx_end_2(o, "MatMul", a, b);
}

static const fvi_op op_matmul = {
    .name = "matmul", .version = 1, .kind = FVI_PRIMITIVE, .doc = "y = op(a) op(b) on the last two axes",
    .n_in_min = 2, .n_in_max = 2, .n_out = 1, .attr_size = sizeof(fvi_matmul_attr), .attrs = attrs,
    .infer = infer, .grad = gradient, .ref = reference, .samples = samples, .n_samples = FVI_COUNT(samples),
    .precision = FVI_PRECISION_LOW, .flops = flops,
    .onnx_emit = onnx,
};
FVI_OPS(matmul, &op_matmul);

fv_value *fv_matmul(fv_graph *g, fv_value *a, fv_value *b, bool transpose_a, bool transpose_b)
{
    return fvi_emit(g, "matmul", &(fvi_matmul_attr){transpose_a, transpose_b}, 2, a, b);
}
