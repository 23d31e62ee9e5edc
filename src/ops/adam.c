/* SPDX-License-Identifier: Apache-2.0 */
/* Adam as torch.optim.Adam, and AdamW when decoupled. Inputs p, g, m, v, step, lr, beta1, gscale, skip; outputs p', m', v',
 * step'. With t = step + 1, r = lr_scale lr, d = gscale g:
 *     decoupled: p = (1 - r weight_decay) p;  else d = d + weight_decay p
 *     m' = m + (1 - beta1)(d - m),  v' = beta2 v + (1 - beta2) d^2
 *     p' = p - r / (1 - beta1^t) m' / (sqrt(v') / sqrt(1 - beta2^t) + eps),  step' = t
 * skip not 0: everything stays. (Kingma and Ba, ICLR 2015; Loshchilov and Hutter, ICLR 2019.) */
#include "ops/optimizer.h"

static const fvi_attr_def attrs[] = {
    {.name = "beta2", .kind = FVI_ATTR_FLOAT, .offset = offsetof(fvi_adam_attr, beta2), .fallback = 0.999, .min = 0, .max = 1,
     .help = "decay of the mean square"},
    {.name = "eps", .kind = FVI_ATTR_FLOAT, .offset = offsetof(fvi_adam_attr, eps), .fallback = 1e-8, .help = "added to the root"},
    {.name = "weight_decay", .kind = FVI_ATTR_FLOAT, .offset = offsetof(fvi_adam_attr, weight_decay), .help = "see decoupled"},
    {.name = "lr_scale", .kind = FVI_ATTR_FLOAT, .offset = offsetof(fvi_adam_attr, lr_scale), .fallback = 1,
     .help = "multiplies lr"},
    {.name = "decoupled", .kind = FVI_ATTR_BOOL, .offset = offsetof(fvi_adam_attr, decoupled),
     .help = "AdamW: decay shrinks p itself instead of adding to g"},
    FVI_ATTR_END,
};

enum { P, G, M, V, STEP, LR, BETA1, GSCALE, SKIP };

static fv_status infer(fvi_infer *c)
{
    return fvi_infer_update(c, 4, (const int[]){P, M, V, STEP});
}

static void reference(const fvi_ref *r)
{
    const fvi_adam_attr *a = r->attr;
    const fvi_ref_tensor *in = r->in, *out = r->out;
    const double t = in[STEP].f[0] + 1, lr = in[LR].f[0] * a->lr_scale, beta1 = in[BETA1].f[0], gscale = in[GSCALE].f[0];
    const double rate = lr / (1 - pow(beta1, t)), root = sqrt(1 - pow(a->beta2, t));
    const bool skip = in[SKIP].f[0] != 0;
    const int64_t n = fvi_type_numel(&in[P].type);
    for (int64_t i = 0; i < n; i++) {
        double p = in[P].f[i], d = gscale * in[G].f[i];
        const double m = in[M].f[i], v = in[V].f[i];
        if (skip) {
            out[0].f[i] = p, out[1].f[i] = m, out[2].f[i] = v;
            continue;
        }
        if (a->decoupled) p *= 1 - lr * a->weight_decay;
        else d += a->weight_decay * p;
        const double m_new = m + (1 - beta1) * (d - m), v_new = a->beta2 * v + (1 - a->beta2) * d * d;
        out[0].f[i] = p - rate * m_new / (sqrt(v_new) / root + a->eps);
        out[1].f[i] = m_new;
        out[2].f[i] = v_new;
    }
    out[3].f[0] = skip ? t - 1 : t;
}

#define STATE TENSOR(NORMAL), TENSOR(NORMAL), TENSOR(NORMAL), TENSOR(POSITIVE)
#define TENSOR(draw) FVI_S(FVI_DRAW_##draw, 3, 5)
#define SCALAR(draw) FVI_S0(FVI_DRAW_##draw)
static const fvi_adam_attr plain = {0.999, 1e-8, 0, 1, false}, decayed = {0.99, 1e-6, 0.05, 0.5, false},
                           decoupled = {0.95, 1e-8, 0.1, 1, true};
static const fvi_sample samples[] = {
    {"first", &plain, 9, {STATE, SCALAR(ZERO), SCALAR(UNIT), SCALAR(UNIT), SCALAR(UNIT), SCALAR(ZERO)}},
    {"decayed", &decayed, 9, {STATE, SCALAR(STEP), SCALAR(UNIT), SCALAR(UNIT), SCALAR(UNIT), SCALAR(ZERO)}},
    {"decoupled", &decoupled, 9, {STATE, SCALAR(STEP), SCALAR(UNIT), SCALAR(UNIT), SCALAR(ONE), SCALAR(ZERO)}},
    {"skip", &decoupled, 9, {STATE, SCALAR(STEP), SCALAR(UNIT), SCALAR(UNIT), SCALAR(ONE), SCALAR(ONE)}},
};

static const fvi_op op_adam = {
    .name = "adam", .version = 1, .kind = FVI_EFFECT, .doc = "one update of Adam or AdamW",
    .n_in_min = 9, .n_in_max = 9, .n_out = 4, .attr_size = sizeof(fvi_adam_attr), .attrs = attrs,
    .infer = infer, .no_grad = "optimizer update", .ref = reference,
    .samples = samples, .n_samples = FVI_COUNT(samples),
    .inplace = {1 + P, 1 + M, 1 + V, 1 + STEP},
};
FVI_OPS(adam, &op_adam);
