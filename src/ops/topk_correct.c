/* SPDX-License-Identifier: Apache-2.0 */
/* 1 for a sample whose target is among the k largest logits: fewer than k are strictly greater than the target's, so
 * ties count for the model whatever the order of the classes. A NaN logit is greater than all others; a NaN target or a
 * target that is no class (ignored samples) is wrong. */
#include "ops/reduce.h"

typedef struct fvi_topk_correct_attr { int64_t k; } fvi_topk_correct_attr;

static const fvi_attr_def attrs[] = {
    {.name = "k", .kind = FVI_ATTR_INT, .offset = offsetof(fvi_topk_correct_attr, k), .fallback = 1, .min = 1, .max = 1LL << 31,
     .help = "how many classes may be guessed"},
    FVI_ATTR_END,
};

static fv_status infer(fvi_infer *c)
{
    const fvi_type *x = &c->in[0], *t = &c->in[1];
    char text[2][FVI_TYPE_TEXT];
    if (!fv_dtype_is_float(x->dtype) || x->rank != 2 || t->dtype != FV_I64 || t->rank != 1 || t->dim[0] != x->dim[0])
        return fvi_infer_fail(c, "logits (N, C) and i64 targets (N,) are needed, not %s and %s", fvi_type_text(x, text[0]),
                              fvi_type_text(t, text[1]));
    c->out[0] = fvi_type_make(fvi_sum_dtype(x->dtype), 1, x->dim);
    return FV_OK;
}

static void reference(const fvi_ref *r)
{
    const fvi_topk_correct_attr *a = r->attr;
    const int64_t rows = r->in[0].type.dim[0], classes = r->in[0].type.dim[1];
    for (int64_t i = 0; i < rows; i++) {
        const double *x = r->in[0].f + i * classes;
        const int64_t target = r->in[1].i[i];
        int64_t greater = 0;
        const bool valid = target >= 0 && target < classes && !isnan(x[target]);
        for (int64_t k = 0; k < classes && valid; k++) greater += !(x[k] <= x[target]);
        r->out[0].f[i] = valid && greater < a->k;
    }
}

static const fvi_topk_correct_attr one = {1}, three = {3}, all = {9};
static const fvi_sample samples[] = {
    {"one", &one, 2, {FVI_S(FVI_DRAW_NORMAL, FV_N, 3), FVI_S_INDEX(3, FV_N)}},
    {"three", &three, 2, {FVI_S(FVI_DRAW_NORMAL, FV_N, 7), FVI_S_INDEX(7, FV_N)}},
    {"all", &all, 2, {FVI_S(FVI_DRAW_NORMAL, FV_N, 5), FVI_S_INDEX(5, FV_N)}},
};

static const fvi_op op_topk_correct = {
    .name = "topk_correct", .version = 1, .kind = FVI_DISCRETE, .doc = "y = 1 where fewer than k logits are greater than the target's",
    .n_in_min = 2, .n_in_max = 2, .n_out = 1, .attr_size = sizeof(fvi_topk_correct_attr), .attrs = attrs,
    .infer = infer, .no_grad = "it counts", .ref = reference, .samples = samples, .n_samples = FVI_COUNT(samples),
    .precision = FVI_PRECISION_ANY,
};
FVI_OPS(topk_correct, &op_topk_correct);
