/* SPDX-License-Identifier: Apache-2.0 */
/* What the activations and the ops that end in one (conv2d_act, bn_act) share. Kernels read the enum and the attribute
 * structs. */
#ifndef FVI_OPS_ACTIVATION_H
#define FVI_OPS_ACTIVATION_H

#include "ops/elementwise.h"

enum { FVI_ACT_NONE, FVI_ACT_RELU, FVI_ACT_SILU };           /* attribute `act` of the fused ops */
#define FVI_ACT_NAMES "none", "relu", "silu", NULL

typedef struct fvi_leaky_relu_attr { double slope; } fvi_leaky_relu_attr;
typedef struct fvi_gelu_attr { bool tanh; } fvi_gelu_attr;

/* ---- references ---- */

/* Neither exponential can overflow. */
static inline double fvi_sigmoid_of(double x)
{
    const double e = exp(-fabs(x));
    return x >= 0 ? 1 / (1 + e) : e / (1 + e);
}
static inline double fvi_relu_of(double x) { return x < 0 ? 0 : x; }       /* NaN stays NaN */
static inline double fvi_silu_of(double x) { return x * fvi_sigmoid_of(x); }
static inline double fvi_silu_slope(double x)
{
    const double s = fvi_sigmoid_of(x);
    return s * (1 + x * (1 - s));
}
static inline double fvi_act_of(int64_t act, double x)
{
    return act == FVI_ACT_RELU ? fvi_relu_of(x) : act == FVI_ACT_SILU ? fvi_silu_of(x) : x;
}

/* out = f(in[0], in[1]) for tensors of one shape. */
static inline void fvi_ref_pair(const fvi_ref *r, fvi_binary_fn *f)
{
    const int64_t n = fvi_type_numel(&r->out[0].type);
    for (int64_t i = 0; i < n; i++) r->out[0].f[i] = f(r->in[0].f[i], r->in[1].f[i], r->attr);
}

/* ---- graphs ---- */

/* act(x) as a node of the op of that name; x itself for none. */
static inline fv_value *fvi_act_emit(fv_graph *g, int64_t act, fv_value *x)
{
    static const char *const op[] = {FVI_ACT_NAMES};
    return act == FVI_ACT_NONE ? x : fvi_emit(g, op[act], NULL, 1, x);
}

/* dx of an activation whose backward op takes (dy, v): v is the input or the output, as the op table says. */
static inline fv_status fvi_act_gradient(fvi_gradient *c, const char *op, fv_value *v)
{
    c->din[0] = fvi_emit(c->g, op, c->node->attr, 2, c->dout[0], v);
    return fv_graph_status(c->g);
}

/* Inputs 0 and 1 (dy and x or y) have one shape, which is that of the output. */
static inline fv_status fvi_infer_pair(fvi_infer *c)
{
    char a[FVI_TYPE_TEXT], b[FVI_TYPE_TEXT];
    FVI_TRY(c->ctx, fvi_infer_floats(c, 0));
    if (!fvi_type_same_shape(&c->in[0], &c->in[1]))
        return fvi_infer_fail(c, "the gradient %s and the saved value %s differ in shape", fvi_type_text(&c->in[0], a),
                              fvi_type_text(&c->in[1], b));
    c->out[0] = c->in[1];
    return FV_OK;
}

/* ---- records ---- */

#define FVI_NO_SECOND "second derivatives are not provided"

#define FVI_PAIR_SAMPLES(name, attr_, draw_)                                                              \
    static const fvi_sample name[] = {                                                                    \
        {"image", attr_, 2, {FVI_S(FVI_DRAW_NORMAL, FV_N, 3, 5, 4), FVI_S(draw_, FV_N, 3, 5, 4)}},        \
        {"features", attr_, 2, {FVI_S(FVI_DRAW_NORMAL, FV_N, 17), FVI_S(draw_, FV_N, 17)}},               \
        {"scalar", attr_, 2, {FVI_S0(FVI_DRAW_NORMAL), FVI_S0(draw_)}},                                   \
    }

#endif
