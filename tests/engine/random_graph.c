/* SPDX-License-Identifier: Apache-2.0 */
/* A pool of values grows by one random op after another; at the end all that nobody reads goes into the head. */
#include "random_graph.h"

#include "base/rng.h"

#include <stdio.h>

enum { POOL = 24, LARGEST = 12288 };       /* values; elements of one sample */

typedef struct maker {
    fv_graph *g;
    random_graph *r;
    fvi_rng rng;
    fv_value *pool[POOL];              /* all (N, C, H, W) */
    bool read[POOL];
    int count, names;
} maker;

static int64_t pick(maker *m, int64_t n) { return fvi_rng_below(&m->rng, n); }
static bool chance(maker *m, int percent) { return pick(m, 100) < percent; }

static void say(maker *m, const char *fmt, ...) FV_PRINTF(2, 3);
static void say(maker *m, const char *fmt, ...)
{
    const size_t n = strlen(m->r->text);
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(m->r->text + n, sizeof m->r->text - n, fmt, ap);
    va_end(ap);
}

static const char *name(maker *m, const char *what) { return fv_name(m->g, "%s%d", what, m->names++); }

/* A value of the pool, newer ones more often. */
static fv_value *any(maker *m)
{
    int i = m->count - 1;
    while (i > 0 && chance(m, 30)) i--;
    m->read[i] = true;
    say(m, " %d", i);
    return m->pool[i];
}

static bool same_shape(const fv_value *a, const fv_value *b)
{
    for (int k = 1; k < 4; k++)
        if (fv_value_dim(a, k) != fv_value_dim(b, k)) return false;
    return true;
}

/* Another value of the shape of v (v itself when there is none). */
static fv_value *partner(maker *m, fv_value *v, bool any_channels)
{
    int candidates[POOL], n = 0;
    for (int i = 0; i < m->count; i++)
        if (same_shape(m->pool[i], v) || (any_channels && fv_value_dim(m->pool[i], 2) == fv_value_dim(v, 2) && fv_value_dim(m->pool[i], 3) == fv_value_dim(v, 3)))
            candidates[n++] = i;
    if (!n) return v;
    const int i = candidates[pick(m, n)];
    m->read[i] = true;
    say(m, " %d", i);
    return m->pool[i];
}

static int64_t plane(const fv_value *v) { return fv_value_dim(v, 2) * fv_value_dim(v, 3); }

static fv_value *conv(maker *m, fv_value *x)
{
    static const int64_t kernels[] = {1, 3, 3, 3, 5, 7}, widths[] = {5, 8, 16, 16, 24, 32};
    const int64_t c = fv_value_dim(x, 1), small = FVI_MIN(fv_value_dim(x, 2), fv_value_dim(x, 3));
    fv_conv_options o = {.kernel = kernels[pick(m, 6)], .out = widths[pick(m, 6)], .stride = chance(m, 25) && small >= 6 ? 2 : 1, .bias = chance(m, 40)};
    if (o.kernel > small) o.kernel = 1;
    if (o.kernel == 3 && chance(m, 20) && small >= 5) o.dilation = 2;
    if (chance(m, 20)) o.groups = o.out = c;                           /* depthwise */
    else if (chance(m, 15) && c % 2 == 0 && o.out % 2 == 0) o.groups = 2;
    if (o.kernel > 1 && (chance(m, 75) || small < 8)) o.same = true;
    say(m, " k%d s%d o%d g%d", (int)o.kernel, (int)o.stride, (int)o.out, (int)o.groups);
    return fv_conv2d(m->g, name(m, "conv"), x, &o);
}

static fv_value *activation(maker *m, fv_value *x)
{
    const int kind = (int)pick(m, 10);
    say(m, " a%d", kind);
    switch (kind) {
    case 0: case 1: case 2: return fv_relu(m->g, x);
    case 3: case 4: return fv_silu(m->g, x);
    case 5: return fv_leaky_relu(m->g, x, 0.1);
    case 6: return fv_gelu(m->g, x, false);
    case 7: return fv_gelu(m->g, x, true);
    case 8: return fv_sigmoid(m->g, x);
    default: return fv_tanh(m->g, x);
    }
}

static fv_value *norm_act(maker *m, fv_value *x)
{
    if (plane(x) < 8) return activation(m, x);
    x = fv_batch_norm(m->g, name(m, "bn"), x, NULL);
    if (chance(m, 40)) x = fv_add(m->g, x, partner(m, x, false));
    return chance(m, 80) ? activation(m, x) : x;
}

static fv_value *pool(maker *m, fv_value *x)
{
    const int64_t small = FVI_MIN(fv_value_dim(x, 2), fv_value_dim(x, 3)), k = chance(m, 50) && small >= 3 ? 3 : 2, s = 1 + pick(m, 2);
    const fv_pool2d_options o = {.kernel = {k, k}, .stride = {s, s}, .padding = {k / 2, k / 2}, .ceil_mode = chance(m, 20), .count_include_pad = chance(m, 50)};
    if (small < 4) return fv_relu(m->g, x);
    return chance(m, 50) ? fv_max_pool2d(m->g, x, &o) : fv_avg_pool2d(m->g, x, &o);
}

/* Squeeze and excitation. */
static fv_value *gate(maker *m, fv_value *x)
{
    const int64_t c = fv_value_dim(x, 1);
    fv_value *s = fv_flatten(m->g, fv_global_avg_pool2d(m->g, x), 1);
    s = fv_sigmoid(m->g, fv_linear(m->g, name(m, "gate"), s, c));
    return fv_mul(m->g, x, fv_reshape(m->g, s, 4, (const int64_t[]){FV_N, c, 1, 1}));
}

/* ConvNeXt's way: channels last, norm, two linear layers, back, residual. */
static fv_value *mixer(maker *m, fv_value *x)
{
    const int64_t c = fv_value_dim(x, 1);
    fv_value *y = fv_permute(m->g, x, (const int[]){0, 2, 3, 1});
    y = fv_layer_norm(m->g, name(m, "ln"), y, -1, NULL);
    y = fv_linear(m->g, name(m, "mix"), fv_gelu(m->g, fv_linear(m->g, name(m, "mix"), y, 2 * c), false), c);
    return fv_add(m->g, x, fv_permute(m->g, y, (const int[]){0, 3, 1, 2}));
}

/* Attention over the places of a picture. */
static fv_value *attention(maker *m, fv_value *x)
{
    const int64_t c = fv_value_dim(x, 1), t = plane(x);
    if (t > 64) return fv_tanh(m->g, x);
    fv_value *rows = fv_permute(m->g, fv_reshape(m->g, x, 3, (const int64_t[]){FV_N, c, t}), (const int[]){0, 2, 1});
    fv_value *q = fv_linear(m->g, name(m, "q"), rows, 8), *k = fv_linear_without_bias(m->g, name(m, "k"), rows, 8);
    fv_value *scores = fv_softmax(m->g, fv_scale(m->g, fv_matmul(m->g, q, k, false, true), 0.35), -1);
    fv_value *y = fv_matmul(m->g, scores, rows, false, false);
    y = fv_reshape(m->g, fv_permute(m->g, y, (const int[]){0, 2, 1}), 4, (const int64_t[]){FV_N, c, fv_value_dim(x, 2), fv_value_dim(x, 3)});
    return fv_add(m->g, y, x);
}

static fv_value *arithmetic(maker *m, fv_value *x)
{
    fv_graph *g = m->g;
    const int64_t c = fv_value_dim(x, 1);
    const int kind = (int)pick(m, 8);
    say(m, " m%d", kind);
    switch (kind) {
    case 0: return fv_scale(g, x, 0.7);
    case 1: return fv_clamp(g, fv_offset(g, x, 0.1), -1.5, 1.5);
    case 2: return fv_maximum(g, x, partner(m, x, false));
    case 3: return fv_mul(g, x, fv_param(g, name(m, "scale"), FV_PARAM_NORM, 3, (const int64_t[]){c, 1, 1}, (fv_init){FV_INIT_NORMAL, 1, 0.1}));
    case 4: return fv_div(g, x, fv_offset(g, fv_square(g, partner(m, x, false)), 1));
    case 5: return fv_sub(g, x, fv_mean(g, x, 1u << 2 | 1u << 3, true));
    case 6: return fv_sqrt(g, fv_offset(g, fv_square(g, x), 0.1));
    default: return fv_dropout(g, x, 0.3);
    }
}

static fv_value *shape_op(maker *m, fv_value *x)
{
    fv_graph *g = m->g;
    const int64_t c = fv_value_dim(x, 1), h = fv_value_dim(x, 2), w = fv_value_dim(x, 3);
    const int kind = (int)pick(m, 5);
    say(m, " r%d", kind);
    switch (kind) {
    case 0: return c > 1 ? fv_slice(g, x, 1, pick(m, 2), c / 2) : x;
    case 1: return fv_pad(g, x, (const int64_t[]){0, 0, 1, 0}, (const int64_t[]){0, 0, 0, 2}, 0);
    case 2: return fv_permute(g, x, (const int[]){0, 1, 3, 2});
    case 3: return c % 4 == 0 ? fv_reshape(g, x, 4, (const int64_t[]){FV_N, c / 4, h * 2, w * 2}) : x;
    default: return h > 4 ? fv_slice(g, x, 2, 1, h - 2) : x;
    }
}

static fv_value *join(maker *m, fv_value *x)
{
    fv_value *parts[3] = {x, partner(m, x, true), NULL};
    const int n = chance(m, 25) ? 3 : 2;
    if (n == 3) parts[2] = partner(m, x, true);
    return fv_concat(m->g, 1, n, parts);
}

static fv_value *random_op(maker *m)
{
    const int kind = (int)pick(m, 100);
    static const struct { int below; const char *name; fv_value *(*make)(maker *m, fv_value *x); } list[] = {
        {26, "conv", conv}, {46, "bn", norm_act}, {56, "act", activation}, {64, "pool", pool}, {70, "join", join}, {75, "gate", gate},
        {81, "mixer", mixer}, {86, "attention", attention}, {94, "math", arithmetic}, {100, "shape", shape_op}};
    int i = 0;
    while (kind >= list[i].below) i++;
    say(m, "; %d = %s", m->count, list[i].name);
    return list[i].make(m, any(m));
}

static fv_value *body(maker *m, fv_value *x)
{
    m->pool[m->count++] = x;
    const int ops = 3 + (int)pick(m, 10);
    for (int i = 0; i < (m->r->ops >= 0 ? FVI_MIN(ops, m->r->ops) : ops) && m->count < POOL; i++) {
        fv_value *y = random_op(m);
        if (!y) return NULL;
        if (fv_value_dim(y, 1) * plane(y) > LARGEST) y = fv_slice(m->g, y, 1, 0, FVI_MAX(1, LARGEST / 2 / plane(y)));
        m->pool[m->count++] = y;
    }
    fv_value *features[POOL];
    int n = 0;
    for (int i = 0; i < m->count; i++)
        if (!m->read[i]) features[n++] = fv_flatten(m->g, fv_global_avg_pool2d(m->g, m->pool[i]), 1);
    fv_value *all = n > 1 ? fv_concat(m->g, 1, n, features) : features[0];
    return fv_linear(m->g, "head", all, RANDOM_GRAPH_CLASSES);
}

void random_graph_draw(random_graph *r, uint64_t seed, int ops)
{
    static const int64_t channels[] = {1, 3, 3, 8, 16, 17, 32};
    fvi_rng rng = fvi_rng_at(seed, 1);
    *r = (random_graph){.seed = seed, .ops = ops, .batch = 2 + fvi_rng_below(&rng, 4), .channels = channels[fvi_rng_below(&rng, 7)],
                        .height = 5 + fvi_rng_below(&rng, 9), .width = 5 + fvi_rng_below(&rng, 9)};
    /* A large epsilon: Adam would make a difference in the last bit of a small gradient a whole step. */
    r->optimizer = (fv_optimizer_options){.name = (const char *const[]){"sgd", "adam", "adamw"}[fvi_rng_below(&rng, 3)], .eps = 0.1, .weight_decay = 0.01,
                                          .nesterov = fvi_rng_below(&rng, 2) == 0, .max_grad_norm = fvi_rng_below(&rng, 2) ? 1 : 0,
                                          .ema = fvi_rng_below(&rng, 3) == 0};
}

fv_status random_graph_train(fv_graph *g, fv_value *const *in, int n_in, void *user)
{
    random_graph *r = user;
    maker m = {.g = g, .r = r, .rng = fvi_rng_at(r->seed, 2)};
    fv_value *weight;
    (void)n_in;
    r->text[0] = 0;
    fv_value *logits = body(&m, in[0]);
    const fv_cross_entropy_options o = {.label_smoothing = chance(&m, 30) ? 0.1 : 0};
    fv_value *loss = fv_cross_entropy(g, logits, in[1], &o, &weight);
    if (m.count && chance(&m, 30)) loss = fv_add(g, loss, fv_scale(g, fv_sum(g, fv_square(g, m.pool[m.count / 2]), 0, false), 1e-3));
    fv_result(g, "loss", loss);
    if (m.count) fv_result(g, "mid", fv_sum(g, m.pool[pick(&m, m.count)], 1u << 1 | 1u << 2 | 1u << 3, false));       /* (N) */
    const fv_status status = fv_accumulate_gradients(g, NULL, loss, weight, true);
    return status != FV_OK ? status : fv_optimizer_update(g, r->session, &r->optimizer);
}

fv_status random_graph_eval(fv_graph *g, fv_value *const *in, int n_in, void *user)
{
    random_graph *r = user;
    maker m = {.g = g, .r = r, .rng = fvi_rng_at(r->seed, 2)};
    (void)n_in;
    r->text[0] = 0;
    fv_result(g, "logits", fv_cast(g, body(&m, in[0]), fv_graph_dtype(g)));
    return fv_graph_status(g);
}
