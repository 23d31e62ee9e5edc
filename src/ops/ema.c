/* SPDX-License-Identifier: Apache-2.0 */
/* Exponential moving average. Inputs e, p, decay, skip: e' = decay e + (1 - decay) p; skip not 0: e stays. */
#include "ops/optimizer.h"

enum { E, P, DECAY, SKIP };

static fv_status infer(fvi_infer *c)
{
    return fvi_infer_update(c, 2, (const int[]){E});
}

static void reference(const fvi_ref *r)
{
    const double decay = r->in[DECAY].f[0];
    const bool skip = r->in[SKIP].f[0] != 0;
    const int64_t n = fvi_type_numel(&r->in[E].type);
    for (int64_t i = 0; i < n; i++) {
        const double e = r->in[E].f[i];
        r->out[0].f[i] = skip ? e : decay * e + (1 - decay) * r->in[P].f[i];
    }
}

#define SCALAR(draw) FVI_S0(FVI_DRAW_##draw)
static const fvi_sample samples[] = {
    {"weight", NULL, 4, {FVI_S(FVI_DRAW_NORMAL, 3, 5), FVI_S(FVI_DRAW_NORMAL, 3, 5), SCALAR(UNIT), SCALAR(ZERO)}},
    {"copy", NULL, 4, {FVI_S(FVI_DRAW_NORMAL, 17), FVI_S(FVI_DRAW_NORMAL, 17), SCALAR(ZERO), SCALAR(ZERO)}},
    {"skip", NULL, 4, {FVI_S(FVI_DRAW_NORMAL, 3, 5), FVI_S(FVI_DRAW_NORMAL, 3, 5), SCALAR(UNIT), SCALAR(ONE)}},
};

static const fvi_op op_ema = {
    .name = "ema", .version = 1, .kind = FVI_EFFECT, .doc = "e' = decay e + (1 - decay) p",
    .n_in_min = 4, .n_in_max = 4, .n_out = 1,
    .infer = infer, .no_grad = "optimizer update", .ref = reference,
    .samples = samples, .n_samples = FVI_COUNT(samples),
    .inplace = {1 + E},
};
FVI_OPS(ema, &op_ema);
