/* SPDX-License-Identifier: Apache-2.0 */
/* y = op(a) op(b) on the last two axes, op = identity or transpose. Leading axes are equal, or b has rank 2 and serves
 * all of them. da = dy op(b)^T and db = op(a)^T dy, transposed back where the input was. */
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
    bool fits = a->rank >= 2 && b->rank >= 2 && (b->rank == 2 || a->rank == b->rank);
    for (int i = 0; fits && b->rank > 2 && i < a->rank - 2; i++) fits = a->dim[i] == b->dim[i];
    fits = fits && a->dim[a->rank - (m->transpose_a ? 2 : 1)] == b->dim[b->rank - (m->transpose_b ? 1 : 2)];
    if (!fits)
        return fvi_infer_fail(c, "%s%s and %s%s cannot be multiplied: (..., M, K) and (..., K, P) with equal leading axes, or a second of rank 2, are needed",
                              fvi_type_text(a, t[0]), m->transpose_a ? " transposed" : "", fvi_type_text(b, t[1]),
                              m->transpose_b ? " transposed" : "");
    c->out[0] = *a;
    c->out[0].dim[a->rank - 2] = a->dim[a->rank - (m->transpose_a ? 1 : 2)];
    c->out[0].dim[a->rank - 1] = b->dim[b->rank - (m->transpose_b ? 2 : 1)];
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
    const fvi_type *a = &r->in[0].type, *b = &r->in[1].type, *y = &r->out[0].type;
    const int64_t m = y->dim[y->rank - 2], p = y->dim[y->rank - 1], k = a->dim[a->rank - (t->transpose_a ? 2 : 1)];
    const int64_t b_step = b->rank > 2 ? k * p : 0;
    int64_t batch = 1;
    for (int i = 0; i < y->rank - 2; i++) batch *= y->dim[i];
#pragma omp parallel for collapse(2) if (FVI_WORTH_THREADS(batch * m * k * p))
    for (int64_t n = 0; n < batch; n++)
        for (int64_t i = 0; i < m; i++)
            product_row(t, r->in[0].f + n * m * k, r->in[1].f + n * b_step, r->out[0].f + (n * m + i) * p, i, m, k, p);
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

static fv_status gradient(fvi_gradient *c)
{
    const fvi_matmul_attr *t = c->node->attr;
    fv_graph *g = c->g;
    fv_value *a = c->in[0], *b = c->in[1], *dy = c->dout[0];
    const bool shared = b->type.rank < a->type.rank;         /* one b for all of a's leading axes */
    if (c->need[0]) {
        if (!t->transpose_a) c->din[0] = fv_matmul(g, dy, b, false, !t->transpose_b);
        else if (shared) c->din[0] = transposed(g, fv_matmul(g, dy, b, false, !t->transpose_b));
        else c->din[0] = fv_matmul(g, b, dy, t->transpose_b, true);
    }
    if (c->need[1]) {
        fv_value *left = a, *right = dy;
        bool flip = !t->transpose_a;
        if (shared && !t->transpose_a) {
            left = joined(g, a);
            right = joined(g, dy);
        }
        fv_value *db = t->transpose_b ? fv_matmul(g, right, left, true, !flip) : fv_matmul(g, left, right, flip, false);
        c->din[1] = shared && db ? fvi_sum_to(g, db, b) : db;
    }
    return fv_graph_status(g);
}

static double flops(const fvi_node *node, const fvi_type *in, const fvi_type *out)
{
    const fvi_matmul_attr *t = node->attr;
    return 2 * (double)fvi_type_numel(&out[0]) * (double)in[0].dim[in[0].rank - (t->transpose_a ? 2 : 1)];
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
