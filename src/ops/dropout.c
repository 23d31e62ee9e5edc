/* SPDX-License-Identifier: Apache-2.0 */
/* y = x / (1 - p) where the element's random bit keeps it, else 0 (Srivastava et al., JMLR 15, 2014, scaled as PyTorch).
 * The bit is a function of seed, place in the model, step, global sample and element, so that threads, ranks, layouts and
 * recomputation cannot change it. dx = the same op on dy. */
#include "ops/dropout.h"
#include "ops/elementwise.h"
#include "ops/shape.h"

#include <stdio.h>

static const fvi_attr_def attrs[] = {
    {.name = "p", .kind = FVI_ATTR_FLOAT, .offset = offsetof(fvi_dropout_attr, p), .fallback = 0.5, .min = 0, .max = 1,
     .help = "part of the elements that is dropped"},
    {.name = "stream", .kind = FVI_ATTR_INT, .offset = offsetof(fvi_dropout_attr, stream), .help = "place in the model, hashed"},
    FVI_ATTR_END,
};

fv_status fvi_dropout_infer(fvi_infer *c)
{
    const fvi_type *x = &c->in[0], *random = &c->in[1];
    char text[FVI_TYPE_TEXT];
    if (!fv_dtype_is_float(x->dtype) || !x->rank)
        return fvi_infer_fail(c, "x must be floating with at least one axis, not %s", fvi_type_text(x, text));
    if (random->dtype != FV_I64 || random->rank != 1 || random->dim[0] != 3)
        return fvi_infer_fail(c, "the random state must be i64 (3), not %s", fvi_type_text(random, text));
    return fvi_infer_same(c);
}

static void reference(const fvi_ref *r)
{
    const fvi_dropout_attr *a = r->attr;
    const int64_t *random = r->in[1].i, rows = r->in[0].type.dim[0], row = fvi_inner(&r->in[0].type, 0);
    const double factor = a->p < 1 ? 1 / (1 - a->p) : 0;
    for (int64_t n = 0; n < rows; n++) {
        const uint64_t stream = fvi_dropout_row(a, random, n);
        for (int64_t j = 0; j < row; j++) {
            const bool kept = (double)fvi_rng_uniform_at((uint64_t)random[0], stream, (uint64_t)j) >= a->p;
            r->out[0].f[n * row + j] = kept ? r->in[0].f[n * row + j] * factor : 0;
        }
    }
}

static fv_status gradient(fvi_gradient *c)
{
    c->din[0] = fvi_emit(c->g, "dropout", c->node->attr, 2, c->dout[0], c->in[1]);
    return fv_graph_status(c->g);
}

static const fvi_dropout_attr half = {0.5, 1234567}, few = {0.1, 99}, none = {0, 5}, all = {1, 5};
static const fvi_sample samples[] = {
    {"half", &half, 2, {FVI_S(FVI_DRAW_NORMAL, FV_N, 3, 5, 4), FVI_S_INDEX(100, 3)}},
    {"few", &few, 2, {FVI_S(FVI_DRAW_NORMAL, FV_N, 67), FVI_S_INDEX(100, 3)}},
    {"none", &none, 2, {FVI_S(FVI_DRAW_NORMAL, FV_N, 7), FVI_S_INDEX(100, 3)}},
    {"all", &all, 2, {FVI_S(FVI_DRAW_NORMAL, FV_N, 7), FVI_S_INDEX(100, 3)}},
};

static const fvi_op op_dropout = {
    .name = "dropout", .version = 1, .kind = FVI_PRIMITIVE, .doc = "y = x / (1 - p) where kept, else 0",
    .n_in_min = 2, .n_in_max = 2, .n_out = 1, .attr_size = sizeof(fvi_dropout_attr), .attrs = attrs,
    .infer = fvi_dropout_infer, .grad = gradient, .again = fvi_again, .ref = reference,
    .samples = samples, .n_samples = FVI_COUNT(samples),
    .inplace = {1}, .random = true,
};
FVI_OPS(dropout, &op_dropout);

static bool stream_taken(const fv_graph *g, const char *op, int64_t stream)
{
    for (int i = 0; i < g->nodes.count; i++) {
        const fvi_node *n = g->nodes.items[i];
        if (fvi_node_is(n, op) && ((const fvi_dropout_attr *)n->attr)->stream == stream) return true;
    }
    return false;
}

int64_t fvi_dropout_stream(fv_graph *g, const char *op)
{
    char name[48];
    snprintf(name, sizeof name, "%s", op);
    for (int i = 2;; i++) {
        const char *path = fvi_graph_path(g, name);
        const int64_t stream = path ? (int64_t)(fvi_hash_text(path) >> 1) : 0;
        if (!path || !stream_taken(g, op, stream)) return stream;
        snprintf(name, sizeof name, "%s%d", op, i);
    }
}

fv_value *fvi_dropout_emit(fv_graph *g, const char *op, const void *attr, fv_value *x)
{
    const fvi_type t = x->type;
    int64_t whole;
    const bool fold = t.rank && t.dim[0] < FV_N && fvi_type_product(&t, 0, t.rank, &whole);
    if (fold) x = fv_reshape(g, x, 2, (const int64_t[]){FV_N, -whole});
    fv_value *y = fvi_emit(g, op, attr, 2, x, fvi_random_state(g));
    return fold ? fv_reshape(g, y, t.rank, t.dim) : y;
}

fv_value *fv_dropout(fv_graph *g, fv_value *x, double p)
{
    if (!x || p == 0 || !fv_graph_is_training(g)) return x;
    const fvi_dropout_attr a = {p, fvi_dropout_stream(g, "dropout")};
    return fvi_dropout_emit(g, "dropout", &a, x);
}
