/* SPDX-License-Identifier: Apache-2.0 */
/* Stochastic depth (Huang et al., ECCV 2016): a whole sample is 0 with probability p, else x / (1 - p); in batch mode all samples
 * together. The draw is a function of seed, place in the model, step and global sample, as dropout's. dx = the same op on dy. */
#include "ops/dropout.h"
#include "ops/elementwise.h"
#include "ops/shape.h"

static const fvi_attr_def attrs[] = {
    {.name = "p", .kind = FVI_ATTR_FLOAT, .offset = offsetof(fvi_drop_path_attr, drop.p), .min = 0, .max = 1,
     .help = "part of the samples that is dropped"},
    {.name = "stream", .kind = FVI_ATTR_INT, .offset = offsetof(fvi_drop_path_attr, drop.stream), .help = "place in the model, hashed"},
    {.name = "batch", .kind = FVI_ATTR_BOOL, .offset = offsetof(fvi_drop_path_attr, batch), .help = "all samples together, or none"},
    FVI_ATTR_END,
};

static void reference(const fvi_ref *r)
{
    const int64_t rows = r->in[0].type.dim[0], row = fvi_inner(&r->in[0].type, 0);
    for (int64_t n = 0; n < rows; n++) {
        const double factor = fvi_drop_path_factor(r->attr, r->in[1].i, n);
        for (int64_t j = n * row; j < (n + 1) * row; j++) r->out[0].f[j] = factor == 0 ? 0 : r->in[0].f[j] * factor;
    }
}

static fv_status gradient(fvi_gradient *c)
{
    c->din[0] = fvi_emit(c->g, "drop_path", c->node->attr, 2, c->dout[0], c->in[1]);
    return fv_graph_status(c->g);
}

static const fvi_drop_path_attr half = {{0.5, 1234567}, false}, few = {{0.1, 99}, false}, together = {{0.5, 7}, true}, all = {{1, 5}, false};
static const fvi_sample samples[] = {
    {"half", &half, 2, {FVI_S(FVI_DRAW_NORMAL, FV_N, 3, 5, 4), FVI_S_INDEX(100, 3)}},
    {"few", &few, 2, {FVI_S(FVI_DRAW_NORMAL, FV_N, 67), FVI_S_INDEX(100, 3)}},
    {"together", &together, 2, {FVI_S(FVI_DRAW_NORMAL, FV_N, 17, 3, 3), FVI_S_INDEX(100, 3)}},
    {"all", &all, 2, {FVI_S(FVI_DRAW_NORMAL, FV_N), FVI_S_INDEX(100, 3)}},
};

static const fvi_op op_drop_path = {
    .name = "drop_path", .version = 1, .kind = FVI_PRIMITIVE, .doc = "y = x / (1 - p) for samples that are kept, else 0",
    .n_in_min = 2, .n_in_max = 2, .n_out = 1, .attr_size = sizeof(fvi_drop_path_attr), .attrs = attrs,
    .infer = fvi_dropout_infer, .grad = gradient, .again = fvi_again, .ref = reference,
    .samples = samples, .n_samples = FVI_COUNT(samples),
    .inplace = {1}, .random = true,
};
FVI_OPS(drop_path, &op_drop_path);

fv_value *fv_drop_path(fv_graph *g, fv_value *x, double p, bool batch)
{
    if (!x || p == 0 || !fv_graph_is_training(g)) return x;
    const fvi_drop_path_attr a = {{p, fvi_dropout_stream(g, "drop_path")}, batch};
    return fvi_dropout_emit(g, "drop_path", &a, x);
}
