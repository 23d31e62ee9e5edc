/* SPDX-License-Identifier: Apache-2.0 */
/* y (...,O) = x (...,I) w^T + b for w (O,I), as torch.nn.functional.linear; dx = dy w, dw = dy^T x, db = sum of dy over
 * the leading axes. */
#include "ir/onnx.h"
#include "ops/elementwise.h"
#include "ops/matmul.h"
#include "ops/parallel.h"

static fv_status infer(fvi_infer *c)
{
    const fvi_type *x = &c->in[0], *w = &c->in[1];
    char t[2][FVI_TYPE_TEXT];
    FVI_TRY(c->ctx, fvi_infer_floats(c, 0));
    if (x->rank < 2 || w->rank != 2 || w->dim[0] < 1 || x->dim[x->rank - 1] != w->dim[1])
        return fvi_infer_fail(c, "input %s does not fit weight %s: (..., in) and (out, in) are needed", fvi_type_text(x, t[0]),
                              fvi_type_text(w, t[1]));
    if (c->n_in > 2 && (c->in[2].rank != 1 || c->in[2].dim[0] != w->dim[0]))
        return fvi_infer_fail(c, "the bias must be (%lld,) for weight %s, not %s", (long long)w->dim[0], fvi_type_text(w, t[0]),
                              fvi_type_text(&c->in[2], t[1]));
    c->out[0] = *x;
    c->out[0].dim[x->rank - 1] = w->dim[0];
    return FV_OK;
}

static void reference(const fvi_ref *r)
{
    const int64_t outs = r->in[1].type.dim[0], ins = r->in[1].type.dim[1];
    const int64_t rows = outs ? fvi_type_numel(&r->out[0].type) / outs : 0;
    const double *x = r->in[0].f, *w = r->in[1].f, *bias = r->n_in > 2 ? r->in[2].f : NULL;
    double *y = r->out[0].f;
#pragma omp parallel for collapse(2) if (FVI_WORTH_THREADS(rows * outs * ins))
    for (int64_t i = 0; i < rows; i++)
        for (int64_t o = 0; o < outs; o++) {
            double sum = 0;
#pragma omp simd reduction(+ : sum)
            for (int64_t k = 0; k < ins; k++) sum += x[i * ins + k] * w[o * ins + k];
            y[i * outs + o] = sum + (bias ? bias[o] : 0);
        }
}

/* (..., K) as (rows, K). */
static fv_value *as_rows(fv_graph *g, fv_value *v)
{
    int64_t rows;
    char t[FVI_TYPE_TEXT];
    if (!v || v->type.rank == 2) return v;
    if (!fvi_type_product(&v->type, 0, v->type.rank - 1, &rows))
        return fv_graph_fail(g, FV_ERROR_UNSUPPORTED, "linear: the leading axes of %s cannot be joined", fvi_type_text(&v->type, t));
    return fv_reshape(g, v, 2, (const int64_t[]){rows, v->type.dim[v->type.rank - 1]});
}

static fv_status gradient(fvi_gradient *c)
{
    fv_value *dy = c->dout[0];
    const unsigned leading = (1u << (dy->type.rank - 1)) - 1;
    if (c->need[0]) c->din[0] = fv_matmul(c->g, dy, c->in[1], false, false);
    if (c->need[1]) c->din[1] = fv_matmul(c->g, as_rows(c->g, dy), as_rows(c->g, c->in[0]), true, false);
    if (c->node->n_in > 2 && c->need[2]) c->din[2] = fv_sum(c->g, dy, leading, false);
    return fv_graph_status(c->g);
}

static double flops(const fvi_node *n)
{
    return 2 * (double)fvi_type_numel(&n->out[0].type) * (double)n->in[1]->type.dim[1];
}

#define N FVI_DRAW_NORMAL
static const fvi_sample samples[] = {
    {"bias", NULL, 3, {FVI_S(N, FV_N, 7), FVI_S(N, 5, 7), FVI_S(N, 5)}},
    {"plain", NULL, 2, {FVI_S(N, FV_N, 4), FVI_S(N, 3, 4)}},
    {"tokens", NULL, 3, {FVI_S(N, FV_N, 3, 6), FVI_S(N, 4, 6), FVI_S(N, 4)}},
    {"map", NULL, 2, {FVI_S(N, FV_N, 2, 3, 5), FVI_S(N, 2, 5)}},
    {"one", NULL, 3, {FVI_S(N, FV_N, 6), FVI_S(N, 1, 6), FVI_S(N, 1)}},
};

static void onnx(fvi_onnx *o)
{
    const char *b = o->n_in > 2 ? o->in[2] : NULL;
    if (o->node->in[0]->type.rank == 2) {
        o->add(o, &(fvi_onnx_op){.type = "Gemm", .in = {o->in[0], o->in[1], b}, .out = {o->out[0]}, .attrs = {FVI_ONNX_INT("transB", 1)}});
        return;
    }
    const char *w = fvi_onnx_transpose(o, o->in[1], 2);
    if (b) fvi_onnx_end_2(o, "Add", fvi_onnx_2(o, "MatMul", o->in[0], w), b);
    else fvi_onnx_end_2(o, "MatMul", o->in[0], w);
}

static const fvi_op op_linear = {
    .name = "linear", .version = 1, .kind = FVI_PRIMITIVE, .doc = "y = x w^T + b",
    .n_in_min = 2, .n_in_max = 3, .n_out = 1,
    .infer = infer, .grad = gradient, .ref = reference, .samples = samples, .n_samples = FVI_COUNT(samples),
    .precision = FVI_PRECISION_LOW, .flops = flops,
    .onnx_emit = onnx,
};
FVI_OPS(linear, &op_linear);
