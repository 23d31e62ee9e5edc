/* SPDX-License-Identifier: Apache-2.0 */
/* SGD with momentum as torch.optim.SGD. Inputs p, g, buf, step, lr, momentum, gscale, skip; outputs p', buf', step':
 *     d = gscale g + weight_decay p
 *     buf' = d at the first step (step 0), else momentum buf + (1 - dampening) d; without momentum buf stays
 *     u = d + momentum buf' with nesterov, else buf'; d without momentum
 *     p' = p - lr_scale lr u,  step' = step + 1
 * skip not 0: everything stays. */
#include "ops/optimizer.h"

static const fvi_attr_def attrs[] = {
    {.name = "dampening", .kind = FVI_ATTR_FLOAT, .offset = offsetof(fvi_sgd_attr, dampening), .help = "of the momentum"},
    {.name = "weight_decay", .kind = FVI_ATTR_FLOAT, .offset = offsetof(fvi_sgd_attr, weight_decay),
     .help = "added to g as weight_decay * p"},
    {.name = "lr_scale", .kind = FVI_ATTR_FLOAT, .offset = offsetof(fvi_sgd_attr, lr_scale), .fallback = 1,
     .help = "multiplies lr"},
    {.name = "nesterov", .kind = FVI_ATTR_BOOL, .offset = offsetof(fvi_sgd_attr, nesterov), .help = "look ahead"},
    FVI_ATTR_END,
};

enum { P, G, BUF, STEP, LR, MOMENTUM, GSCALE, SKIP };

static fv_status infer(fvi_infer *c)
{
    return fvi_infer_update(c, 3, (const int[]){P, BUF, STEP});
}

static void reference(const fvi_ref *r)
{
    const fvi_sgd_attr *a = r->attr;
    const fvi_ref_tensor *in = r->in, *out = r->out;
    const double step = in[STEP].f[0], lr = in[LR].f[0] * a->lr_scale, momentum = in[MOMENTUM].f[0], gscale = in[GSCALE].f[0];
    const bool skip = in[SKIP].f[0] != 0;
    const int64_t n = fvi_type_numel(&in[P].type);
    for (int64_t i = 0; i < n; i++) {
        const double p = in[P].f[i], old = in[BUF].f[i], d = gscale * in[G].f[i] + a->weight_decay * p;
        const double buf = momentum == 0 ? old : step == 0 ? d : momentum * old + (1 - a->dampening) * d;
        const double u = momentum == 0 ? d : a->nesterov ? d + momentum * buf : buf;
        out[0].f[i] = skip ? p : p - lr * u;
        out[1].f[i] = skip ? old : buf;
    }
    out[2].f[0] = skip ? step : step + 1;
}

#define STATE FVI_S(FVI_DRAW_NORMAL, 3, 5), FVI_S(FVI_DRAW_NORMAL, 3, 5), FVI_S(FVI_DRAW_NORMAL, 3, 5)
#define SCALAR(draw) FVI_S0(FVI_DRAW_##draw)
static const fvi_sgd_attr plain = {0, 0, 1, false}, damped = {0.3, 0.01, 0.5, false}, nesterov = {0, 0.1, 1, true};
static const fvi_sample samples[] = {
    {"plain", &plain, 8, {STATE, SCALAR(STEP), SCALAR(UNIT), SCALAR(ZERO), SCALAR(UNIT), SCALAR(ZERO)}},
    {"first", &damped, 8, {STATE, SCALAR(ZERO), SCALAR(UNIT), SCALAR(UNIT), SCALAR(UNIT), SCALAR(ZERO)}},
    {"damped", &damped, 8, {STATE, SCALAR(STEP), SCALAR(UNIT), SCALAR(UNIT), SCALAR(UNIT), SCALAR(ZERO)}},
    {"nesterov", &nesterov, 8, {STATE, SCALAR(STEP), SCALAR(UNIT), SCALAR(UNIT), SCALAR(ONE), SCALAR(ZERO)}},
    {"skip", &nesterov, 8, {STATE, SCALAR(STEP), SCALAR(UNIT), SCALAR(UNIT), SCALAR(ONE), SCALAR(ONE)}},
};

static const fvi_op op_sgd = {
    .name = "sgd", .version = 1, .kind = FVI_EFFECT, .doc = "one update of SGD with momentum",
    .n_in_min = 8, .n_in_max = 8, .n_out = 3, .attr_size = sizeof(fvi_sgd_attr), .attrs = attrs,
    .infer = infer, .no_grad = "optimizer update", .ref = reference,
    .samples = samples, .n_samples = FVI_COUNT(samples),
    .inplace = {1 + P, 1 + BUF, 1 + STEP},
};
FVI_OPS(sgd, &op_sgd);
