/* SPDX-License-Identifier: Apache-2.0 */
/* y = sum of x over all ranks, through the communicator of the call; x itself when there is one rank. */
#include "ir/kernel.h"
#include "ops/elementwise.h"

static void reference(const fvi_ref *r)
{
    const int64_t n = fvi_type_numel(&r->out[0].type);
    fvi_comm *comm = r->exec ? r->exec->comm : NULL;
    if (r->out[0].p != r->in[0].p) memcpy(r->out[0].p, r->in[0].p, (size_t)n * sizeof(double));
    if (!comm || comm->all_reduce_sum(comm, r->out[0].f, n, FV_F64) == FV_OK) return;
    for (int64_t i = 0; i < n; i++) r->out[0].f[i] = NAN;           /* a reference cannot fail; the update is skipped on NaN */
}

static const fvi_sample samples[] = {
    {"weight", NULL, 1, {FVI_S(FVI_DRAW_NORMAL, 4, 3, 5)}},
    {"batch", NULL, 1, {FVI_S(FVI_DRAW_NORMAL, FV_N, 7)}},
    {"scalar", NULL, 1, {FVI_S0(FVI_DRAW_NORMAL)}},
};

static const fvi_op op_all_reduce = {
    .name = "all_reduce", .version = 1, .kind = FVI_EFFECT, .doc = "y = sum of x over all ranks",
    .n_in_min = 1, .n_in_max = 1, .n_out = 1,
    .infer = fvi_infer_unary, .no_grad = "acts on gradients, not inside a model", .ref = reference,
    .samples = samples, .n_samples = FVI_COUNT(samples),
    .inplace = {1},
};
FVI_OPS(all_reduce, &op_all_reduce);
