/* SPDX-License-Identifier: Apache-2.0 */
/* Two-dimensional cross-correlation and its two gradients (Dumoulin and Visin, arXiv:1603.07285, chapters 2 and 4):
 *     y[n,o,i,j] = b[o] + sum over c, u, v of w[o,c,u,v] x[n, g C/groups + c, i s - p + u d, j s - p + v d].
 * All three are bilinear, so each is the gradient of the others. The references are direct loops with the innermost one
 * over a row of y, no im2col; every output element is summed by one thread in a fixed order. */
#include "ir/onnx.h"
#include "ops/conv2d.h"

#include "ir/graph.h"
#include "ops/parallel.h"
#include "ops/samples.h"

static const fvi_attr_def attrs[] = {FVI_CONV2D_ATTRS, FVI_ATTR_END};
static const fvi_attr_def dgrad_attrs[] = {
    FVI_CONV2D_ATTRS,
    {.name = "size", .kind = FVI_ATTR_INT, .offset = offsetof(fvi_conv2d_attr, size), .count = 2, .min = 1, .max = 1LL << 31,
     .help = "height and width of x (required)"},
    FVI_ATTR_END,
};
static const fvi_attr_def wgrad_attrs[] = {
    FVI_CONV2D_ATTRS,
    {.name = "kernel", .kind = FVI_ATTR_INT, .offset = offsetof(fvi_conv2d_attr, kernel), .count = 2, .min = 1, .max = 65535,
     .help = "height and width of the weight (required)"},
    FVI_ATTR_END,
};

/* ---- shapes ----------------------------------------------------------------------------------------------------- */

static fv_status check_image(fvi_infer *c, const fvi_type *t, const char *what)
{
    char a[FVI_TYPE_TEXT];
    if (!fv_dtype_is_float(t->dtype) || t->rank != 4 || t->dim[1] < 1 || t->dim[2] < 1 || t->dim[3] < 1)
        return fvi_infer_fail(c, "%s must be a floating (N, C, H, W) with constant C, H, W, not %s", what, fvi_type_text(t, a));
    return FV_OK;
}

static fv_status check_weight(fvi_infer *c, const fvi_conv2d_attr *a, const fvi_type *w, const fvi_type *like)
{
    char t[2][FVI_TYPE_TEXT];
    if (w->rank != 4 || w->dim[0] < 1 || w->dim[1] < 1 || w->dim[2] < 1 || w->dim[3] < 1)
        return fvi_infer_fail(c, "the weight must be (O, C/groups, kh, kw), not %s", fvi_type_text(w, t[0]));
    if (w->dtype != like->dtype)
        return fvi_infer_fail(c, "the image %s and the weight %s differ in type", fvi_type_text(like, t[0]), fvi_type_text(w, t[1]));
    if (w->dim[0] % a->groups)
        return fvi_infer_fail(c, "%lld output channels do not split in groups=%lld", (long long)w->dim[0], (long long)a->groups);
    return FV_OK;
}

/* Height and width of y; fails when the kernel does not fit. */
static fv_status output_size(fvi_infer *c, const fvi_conv2d_attr *a, const fvi_type *x, const int64_t kernel[2], int64_t out[2])
{
    char t[FVI_TYPE_TEXT];
    for (int i = 0; i < 2; i++) {
        const int64_t reach = a->dilation[i] * (kernel[i] - 1) + 1, room = x->dim[2 + i] + 2 * a->padding[i];
        if (reach > room)
            return fvi_infer_fail(c, "the %s of the kernel (%lld taps, dilation %lld) is %lld, but the padded input %s has only %lld",
                                  i ? "width" : "height", (long long)kernel[i], (long long)a->dilation[i], (long long)reach,
                                  fvi_type_text(x, t), (long long)room);
        out[i] = (room - reach) / a->stride[i] + 1;
    }
    return FV_OK;
}

fv_status fvi_conv2d_infer(fvi_infer *c, const fvi_conv2d_attr *a, const fvi_type *x, const fvi_type *w, const fvi_type *bias, fvi_type *y)
{
    char t[2][FVI_TYPE_TEXT];
    int64_t size[2];
    FVI_TRY(c->ctx, check_image(c, x, "the input"));
    FVI_TRY(c->ctx, check_weight(c, a, w, x));
    if (x->dim[1] != w->dim[1] * a->groups)
        return fvi_infer_fail(c, "input %s has %lld channels, but weight %s with groups=%lld takes %lld", fvi_type_text(x, t[0]),
                              (long long)x->dim[1], fvi_type_text(w, t[1]), (long long)a->groups, (long long)(w->dim[1] * a->groups));
    if (bias && (bias->rank != 1 || bias->dim[0] != w->dim[0] || !fv_dtype_is_float(bias->dtype)))
        return fvi_infer_fail(c, "the bias must be (%lld,) for weight %s, not %s", (long long)w->dim[0], fvi_type_text(w, t[0]),
                              fvi_type_text(bias, t[1]));
    FVI_TRY(c->ctx, output_size(c, a, x, &w->dim[2], size));
    *y = fvi_type_make(x->dtype, 4, (const int64_t[]){x->dim[0], w->dim[0], size[0], size[1]});
    return FV_OK;
}

static fv_status infer(fvi_infer *c)
{
    return fvi_conv2d_infer(c, c->attr, &c->in[0], &c->in[1], c->n_in > 2 ? &c->in[2] : NULL, &c->out[0]);
}

/* dy must be what a convolution of x gives. */
static fv_status check_dy(fvi_infer *c, const fvi_conv2d_attr *a, const fvi_type *dy, const fvi_type *x, const int64_t kernel[2])
{
    char t[2][FVI_TYPE_TEXT];
    int64_t size[2];
    FVI_TRY(c->ctx, output_size(c, a, x, kernel, size));
    if (dy->dim[0] != x->dim[0] || dy->dim[2] != size[0] || dy->dim[3] != size[1])
        return fvi_infer_fail(c, "the gradient is %s, but an input %s gives height %lld and width %lld", fvi_type_text(dy, t[0]),
                              fvi_type_text(x, t[1]), (long long)size[0], (long long)size[1]);
    return FV_OK;
}

static fv_status dgrad_infer(fvi_infer *c)
{
    const fvi_conv2d_attr *a = c->attr;
    const fvi_type *dy = &c->in[0], *w = &c->in[1];
    char t[2][FVI_TYPE_TEXT];
    FVI_TRY(c->ctx, check_image(c, dy, "the gradient"));
    FVI_TRY(c->ctx, check_weight(c, a, w, dy));
    if (dy->dim[1] != w->dim[0])
        return fvi_infer_fail(c, "the gradient %s does not have the %lld channels of the weight %s", fvi_type_text(dy, t[0]),
                              (long long)w->dim[0], fvi_type_text(w, t[1]));
    c->out[0] = fvi_type_make(dy->dtype, 4, (const int64_t[]){dy->dim[0], w->dim[1] * a->groups, a->size[0], a->size[1]});
    return check_dy(c, a, dy, &c->out[0], &w->dim[2]);
}

static fv_status wgrad_infer(fvi_infer *c)
{
    const fvi_conv2d_attr *a = c->attr;
    const fvi_type *x = &c->in[0], *dy = &c->in[1];
    FVI_TRY(c->ctx, check_image(c, x, "the input"));
    FVI_TRY(c->ctx, check_image(c, dy, "the gradient"));
    if (x->dim[1] % a->groups || dy->dim[1] % a->groups)
        return fvi_infer_fail(c, "%lld input and %lld output channels do not split in groups=%lld", (long long)x->dim[1],
                              (long long)dy->dim[1], (long long)a->groups);
    if (x->dtype != dy->dtype)
        return fvi_infer_fail(c, "the input is %s, but the gradient %s", fv_dtype_name(x->dtype), fv_dtype_name(dy->dtype));
    /* Summed over the batch and accumulated over micro-batches: bf16 would lose it. */
    c->out[0] = fvi_type_make(x->dtype == FV_F64 ? FV_F64 : FV_F32, 4,
                              (const int64_t[]){dy->dim[1], x->dim[1] / a->groups, a->kernel[0], a->kernel[1]});
    return check_dy(c, a, dy, x, a->kernel);
}

/* ---- references ------------------------------------------------------------------------------------------------- */

/* Which outputs along one axis see tap `k` inside the input: [lo, hi), and input = stride * output + off. */
typedef struct tap { int64_t lo, hi, off; } tap;

static tap tap_of(const fvi_conv2d_attr *a, int axis, int64_t k, int64_t in, int64_t out)
{
    const int64_t s = a->stride[axis];
    tap t = {.off = k * a->dilation[axis] - a->padding[axis]};
    t.lo = t.off < 0 ? (-t.off + s - 1) / s : 0;
    t.hi = t.off >= in ? 0 : FVI_MIN(out, (in - 1 - t.off) / s + 1);
    if (t.hi < t.lo) t.hi = t.lo;
    return t;
}

/* One pair of planes: x (H,W) and y (OH,OW) under the taps w (KH,KW). */
typedef struct plane { const fvi_conv2d_attr *a; int64_t h, w, oh, ow, kh, kw; } plane;

/* Rows that a tap covers from edge to edge, step 1: they are one long row in memory. */
static bool joined(const plane *p, tap t)
{
    return p->a->stride[0] == 1 && p->a->stride[1] == 1 && p->w == p->ow && t.lo == 0 && t.hi == p->ow && t.off == 0;
}

static void plane_forward(const plane *p, const double *restrict x, const double *restrict w, double *restrict y)
{
    const int64_t sh = p->a->stride[0], sw = p->a->stride[1];
    for (int64_t u = 0; u < p->kh; u++) {
        const tap v = tap_of(p->a, 0, u, p->h, p->oh);
        for (int64_t k = 0; k < p->kw; k++) {
            const tap t = tap_of(p->a, 1, k, p->w, p->ow);
            const double wv = w[u * p->kw + k];
            const bool join = joined(p, t);
            const int64_t rows = join ? FVI_MIN(v.hi - v.lo, 1) : v.hi - v.lo, n = join ? (v.hi - v.lo) * p->ow : t.hi - t.lo;
            for (int64_t i = v.lo; i < v.lo + rows; i++) {
                const double *xr = x + (i * sh + v.off) * p->w + t.lo * sw + t.off;
                double *yr = y + i * p->ow + t.lo;
                if (sw == 1)
                    for (int64_t j = 0; j < n; j++) yr[j] += wv * xr[j];
                else
                    for (int64_t j = 0; j < n; j++) yr[j] += wv * xr[j * sw];
            }
        }
    }
}

static void plane_dgrad(const plane *p, const double *restrict dy, const double *restrict w, double *restrict dx)
{
    const int64_t sh = p->a->stride[0], sw = p->a->stride[1];
    for (int64_t u = 0; u < p->kh; u++) {
        const tap v = tap_of(p->a, 0, u, p->h, p->oh);
        for (int64_t k = 0; k < p->kw; k++) {
            const tap t = tap_of(p->a, 1, k, p->w, p->ow);
            const double wv = w[u * p->kw + k];
            const bool join = joined(p, t);
            const int64_t rows = join ? FVI_MIN(v.hi - v.lo, 1) : v.hi - v.lo, n = join ? (v.hi - v.lo) * p->ow : t.hi - t.lo;
            for (int64_t i = v.lo; i < v.lo + rows; i++) {
                double *xr = dx + (i * sh + v.off) * p->w + t.lo * sw + t.off;
                const double *yr = dy + i * p->ow + t.lo;
                if (sw == 1)
                    for (int64_t j = 0; j < n; j++) xr[j] += wv * yr[j];
                else
                    for (int64_t j = 0; j < n; j++) xr[j * sw] += wv * yr[j];
            }
        }
    }
}

static void plane_wgrad(const plane *p, const double *restrict x, const double *restrict dy, double *restrict dw)
{
    const int64_t sh = p->a->stride[0], sw = p->a->stride[1];
    for (int64_t u = 0; u < p->kh; u++) {
        const tap v = tap_of(p->a, 0, u, p->h, p->oh);
        for (int64_t k = 0; k < p->kw; k++) {
            const tap t = tap_of(p->a, 1, k, p->w, p->ow);
            const bool join = joined(p, t);
            const int64_t rows = join ? FVI_MIN(v.hi - v.lo, 1) : v.hi - v.lo, n = join ? (v.hi - v.lo) * p->ow : t.hi - t.lo;
            double sum = 0;
            for (int64_t i = v.lo; i < v.lo + rows; i++) {
                const double *xr = x + (i * sh + v.off) * p->w + t.lo * sw + t.off, *yr = dy + i * p->ow + t.lo;
                if (sw == 1) {
#pragma omp simd reduction(+ : sum)
                    for (int64_t j = 0; j < n; j++) sum += xr[j] * yr[j];
                } else {
                    for (int64_t j = 0; j < n; j++) sum += xr[j * sw] * yr[j];
                }
            }
            dw[u * p->kw + k] += sum;
        }
    }
}

static plane plane_of(const fvi_conv2d_attr *a, const fvi_type *x, const fvi_type *w, const fvi_type *y)
{
    return (plane){a, x->dim[2], x->dim[3], y->dim[2], y->dim[3], w->dim[2], w->dim[3]};
}

void fvi_conv2d_ref(const fvi_conv2d_attr *a, const fvi_ref_tensor *x, const fvi_ref_tensor *w, const double *bias, const fvi_ref_tensor *y)
{
    const plane p = plane_of(a, &x->type, &w->type, &y->type);
    const int64_t batch = x->type.dim[0], c_all = x->type.dim[1], o_all = w->type.dim[0];
    const int64_t cg = w->type.dim[1], og = o_all / a->groups, taps = p.kh * p.kw, out = p.oh * p.ow;
#pragma omp parallel for collapse(2) schedule(dynamic) if (FVI_WORTH_THREADS(batch * o_all * out * cg * taps))
    for (int64_t n = 0; n < batch; n++)
        for (int64_t o = 0; o < o_all; o++) {
            double *yp = y->f + (n * o_all + o) * out;
            for (int64_t i = 0; i < out; i++) yp[i] = bias ? bias[o] : 0;
            const double *xp = x->f + (n * c_all + o / og * cg) * p.h * p.w;
            for (int64_t c = 0; c < cg; c++) plane_forward(&p, xp + c * p.h * p.w, w->f + (o * cg + c) * taps, yp);
        }
}

static void reference(const fvi_ref *r)
{
    fvi_conv2d_ref(r->attr, &r->in[0], &r->in[1], r->n_in > 2 ? r->in[2].f : NULL, &r->out[0]);
}

static void dgrad_reference(const fvi_ref *r)
{
    const fvi_conv2d_attr *a = r->attr;
    const fvi_type *dx = &r->out[0].type, *w = &r->in[1].type, *dy = &r->in[0].type;
    const plane p = plane_of(a, dx, w, dy);
    const int64_t batch = dx->dim[0], c_all = dx->dim[1], o_all = w->dim[0];
    const int64_t cg = w->dim[1], og = o_all / a->groups, taps = p.kh * p.kw;
#pragma omp parallel for collapse(2) schedule(dynamic) if (FVI_WORTH_THREADS(batch * c_all * p.oh * p.ow * og * taps))
    for (int64_t n = 0; n < batch; n++)
        for (int64_t c = 0; c < c_all; c++) {
            double *xp = r->out[0].f + (n * c_all + c) * p.h * p.w;
            const int64_t first = c / cg * og;
            memset(xp, 0, sizeof *xp * (size_t)(p.h * p.w));
            for (int64_t o = first; o < first + og; o++)
                plane_dgrad(&p, r->in[0].f + (n * o_all + o) * p.oh * p.ow, r->in[1].f + (o * cg + c % cg) * taps, xp);
        }
}

static void wgrad_reference(const fvi_ref *r)
{
    const fvi_conv2d_attr *a = r->attr;
    const fvi_type *dw = &r->out[0].type, *x = &r->in[0].type, *dy = &r->in[1].type;
    const plane p = plane_of(a, x, dw, dy);
    const int64_t batch = x->dim[0], c_all = x->dim[1], o_all = dw->dim[0];
    const int64_t cg = dw->dim[1], og = o_all / a->groups, taps = p.kh * p.kw;
#pragma omp parallel for collapse(2) schedule(dynamic) if (FVI_WORTH_THREADS(batch * o_all * p.oh * p.ow * cg * taps))
    for (int64_t o = 0; o < o_all; o++)
        for (int64_t c = 0; c < cg; c++) {
            double *wp = r->out[0].f + (o * cg + c) * taps;
            memset(wp, 0, sizeof *wp * (size_t)taps);
            for (int64_t n = 0; n < batch; n++)
                plane_wgrad(&p, r->in[0].f + (n * c_all + o / og * cg + c) * p.h * p.w, r->in[1].f + (n * o_all + o) * p.oh * p.ow, wp);
        }
}

/* ---- gradients -------------------------------------------------------------------------------------------------- */

/* The three bilinear maps as nodes; sizes are taken from x and w. */
static fv_value *emit_dgrad(fv_graph *g, const fvi_conv2d_attr *like, fv_value *dy, fv_value *w, const fvi_type *x)
{
    fvi_conv2d_attr a = *like;
    for (int i = 0; i < 2; i++) a.size[i] = x->dim[2 + i], a.kernel[i] = 0;
    return fvi_emit(g, "conv2d_dgrad", &a, 2, dy, w);
}
static fv_value *emit_wgrad(fv_graph *g, const fvi_conv2d_attr *like, fv_value *x, fv_value *dy, const fvi_type *w)
{
    fvi_conv2d_attr a = *like;
    for (int i = 0; i < 2; i++) a.size[i] = 0, a.kernel[i] = w->dim[2 + i];
    return fvi_emit(g, "conv2d_wgrad", &a, 2, x, dy);
}
static fv_value *emit_forward(fv_graph *g, const fvi_conv2d_attr *like, fv_value *x, fv_value *w)
{
    fvi_conv2d_attr a = *like;
    for (int i = 0; i < 2; i++) a.size[i] = a.kernel[i] = 0;
    return fvi_emit(g, "conv2d", &a, 2, x, w);
}

static fv_status gradient(fvi_gradient *c)
{
    const fvi_conv2d_attr *a = c->node->attr;
    fv_value *dy = c->dout[0];
    if (c->need[0]) c->din[0] = emit_dgrad(c->g, a, dy, c->in[1], &c->in[0]->type);
    if (c->need[1]) c->din[1] = emit_wgrad(c->g, a, c->in[0], dy, &c->in[1]->type);
    if (c->node->n_in > 2 && c->need[2]) c->din[2] = fv_sum(c->g, dy, 1u << 0 | 1u << 2 | 1u << 3, false);
    return fv_graph_status(c->g);
}

static fv_status dgrad_gradient(fvi_gradient *c)
{
    const fvi_conv2d_attr *a = c->node->attr;
    fv_value *ddx = c->dout[0];
    if (c->need[0]) c->din[0] = emit_forward(c->g, a, ddx, c->in[1]);
    if (c->need[1]) c->din[1] = emit_wgrad(c->g, a, ddx, c->in[0], &c->in[1]->type);
    return fv_graph_status(c->g);
}

static fv_status wgrad_gradient(fvi_gradient *c)
{
    const fvi_conv2d_attr *a = c->node->attr;
    fv_value *ddw = c->dout[0];
    if (c->need[0]) c->din[0] = emit_dgrad(c->g, a, c->in[1], ddw, &c->in[0]->type);
    if (c->need[1]) c->din[1] = emit_forward(c->g, a, c->in[0], ddw);
    return fv_graph_status(c->g);
}

/* ---- records ---------------------------------------------------------------------------------------------------- */

/* Two operations for each tap of w that meets an output, padding included. */
static double flops(const fvi_type *y, const fvi_type *w)
{
    return 2 * (double)fvi_type_numel(y) * (double)(w->dim[1] * w->dim[2] * w->dim[3]);
}
double fvi_conv2d_flops(const fvi_node *n) { return flops(&n->out[0].type, &n->in[1]->type); }
static double dgrad_flops(const fvi_node *n) { return flops(&n->in[0]->type, &n->in[1]->type); }
static double wgrad_flops(const fvi_node *n) { return flops(&n->in[1]->type, &n->out[0].type); }

/* The same seven convolutions for the three ops: `size` and `kernel` are read by one of them each. */
#define CASE(name_, sh, sw, ph, pw, dh, dw, g, h, w, kh, kw)                                                      \
    static const fvi_conv2d_attr name_ = {.stride = {sh, sw}, .padding = {ph, pw}, .dilation = {dh, dw}, .groups = g, \
                                          .size = {h, w}, .kernel = {kh, kw}}
CASE(same, 1, 1, 1, 1, 1, 1, 1, 5, 6, 3, 3);
CASE(strided, 2, 2, 1, 1, 1, 1, 1, 7, 6, 3, 3);
CASE(grouped, 1, 2, 2, 1, 2, 1, 2, 6, 5, 3, 2);
CASE(depthwise, 1, 1, 1, 1, 1, 1, 4, 4, 5, 3, 3);
CASE(pointwise, 1, 1, 0, 0, 1, 1, 1, 3, 4, 1, 1);
CASE(skipping, 2, 2, 0, 0, 1, 1, 1, 6, 5, 1, 1);
CASE(outside, 2, 3, 3, 2, 1, 2, 1, 5, 2, 2, 3);

#define N FVI_DRAW_NORMAL
static const fvi_sample samples[] = {
    {"same", &same, 3, {FVI_S(N, FV_N, 3, 5, 6), FVI_S(N, 4, 3, 3, 3), FVI_S(N, 4)}},
    {"strided", &strided, 2, {FVI_S(N, FV_N, 2, 7, 6), FVI_S(N, 3, 2, 3, 3)}},
    {"grouped", &grouped, 3, {FVI_S(N, FV_N, 4, 6, 5), FVI_S(N, 6, 2, 3, 2), FVI_S(N, 6)}},
    {"depthwise", &depthwise, 2, {FVI_S(N, FV_N, 4, 4, 5), FVI_S(N, 4, 1, 3, 3)}},
    {"pointwise", &pointwise, 3, {FVI_S(N, FV_N, 5, 3, 4), FVI_S(N, 2, 5, 1, 1), FVI_S(N, 2)}},
    {"skipping", &skipping, 2, {FVI_S(N, FV_N, 3, 6, 5), FVI_S(N, 2, 3, 1, 1)}},
    {"outside", &outside, 2, {FVI_S(N, FV_N, 2, 5, 2), FVI_S(N, 3, 2, 2, 3)}},
};
static const fvi_sample dgrad_samples[] = {
    {"same", &same, 2, {FVI_S(N, FV_N, 4, 5, 6), FVI_S(N, 4, 3, 3, 3)}},
    {"strided", &strided, 2, {FVI_S(N, FV_N, 3, 4, 3), FVI_S(N, 3, 2, 3, 3)}},
    {"grouped", &grouped, 2, {FVI_S(N, FV_N, 6, 6, 3), FVI_S(N, 6, 2, 3, 2)}},
    {"depthwise", &depthwise, 2, {FVI_S(N, FV_N, 4, 4, 5), FVI_S(N, 4, 1, 3, 3)}},
    {"pointwise", &pointwise, 2, {FVI_S(N, FV_N, 2, 3, 4), FVI_S(N, 2, 5, 1, 1)}},
    {"skipping", &skipping, 2, {FVI_S(N, FV_N, 2, 3, 3), FVI_S(N, 2, 3, 1, 1)}},
    {"outside", &outside, 2, {FVI_S(N, FV_N, 3, 5, 1), FVI_S(N, 3, 2, 2, 3)}},
};
static const fvi_sample wgrad_samples[] = {
    {"same", &same, 2, {FVI_S(N, FV_N, 3, 5, 6), FVI_S(N, FV_N, 4, 5, 6)}},
    {"strided", &strided, 2, {FVI_S(N, FV_N, 2, 7, 6), FVI_S(N, FV_N, 3, 4, 3)}},
    {"grouped", &grouped, 2, {FVI_S(N, FV_N, 4, 6, 5), FVI_S(N, FV_N, 6, 6, 3)}},
    {"depthwise", &depthwise, 2, {FVI_S(N, FV_N, 4, 4, 5), FVI_S(N, FV_N, 4, 4, 5)}},
    {"pointwise", &pointwise, 2, {FVI_S(N, FV_N, 5, 3, 4), FVI_S(N, FV_N, 2, 3, 4)}},
    {"skipping", &skipping, 2, {FVI_S(N, FV_N, 3, 6, 5), FVI_S(N, FV_N, 2, 3, 3)}},
    {"outside", &outside, 2, {FVI_S(N, FV_N, 2, 5, 2), FVI_S(N, FV_N, 3, 5, 1)}},
};

static void onnx(fvi_onnx *o)
{
    const fvi_conv2d_attr *a = o->attr;
    const fvi_type *w = &o->node->in[1]->type;
    const int64_t pads[4] = {a->padding[0], a->padding[1], a->padding[0], a->padding[1]};
    o->add(o, &(fvi_onnx_op){.type = "Conv", .in = {o->in[0], o->in[1], o->n_in > 2 ? o->in[2] : NULL}, .out = {o->out[0]},
                             .attrs = {FVI_ONNX_INTS("dilations", 2, a->dilation), FVI_ONNX_INT("group", a->groups),
                                       FVI_ONNX_INTS("kernel_shape", 2, w->dim + 2), FVI_ONNX_INTS("pads", 4, pads),
                                       FVI_ONNX_INTS("strides", 2, a->stride)}});
}

static const fvi_op op_conv2d = {
    .name = "conv2d", .version = 1, .kind = FVI_PRIMITIVE, .doc = "y = x (*) w + b",
    .n_in_min = 2, .n_in_max = 3, .n_out = 1, .attr_size = sizeof(fvi_conv2d_attr), .attrs = attrs,
    .infer = infer, .grad = gradient, .ref = reference, .samples = samples, .n_samples = FVI_COUNT(samples),
    .precision = FVI_PRECISION_LOW, .flops = fvi_conv2d_flops,
    .onnx_emit = onnx,
};
static const fvi_op op_conv2d_dgrad = {
    .name = "conv2d_dgrad", .version = 1, .kind = FVI_PRIMITIVE, .doc = "gradient of conv2d for x, from dy and w (transposed convolution)",
    .n_in_min = 2, .n_in_max = 2, .n_out = 1, .attr_size = sizeof(fvi_conv2d_attr), .attrs = dgrad_attrs,
    .infer = dgrad_infer, .grad = dgrad_gradient, .ref = dgrad_reference, .samples = dgrad_samples, .n_samples = FVI_COUNT(dgrad_samples),
    .precision = FVI_PRECISION_LOW, .flops = dgrad_flops,
};
static const fvi_op op_conv2d_wgrad = {
    .name = "conv2d_wgrad", .version = 1, .kind = FVI_PRIMITIVE, .doc = "gradient of conv2d for w, from x and dy",
    .n_in_min = 2, .n_in_max = 2, .n_out = 1, .attr_size = sizeof(fvi_conv2d_attr), .attrs = wgrad_attrs,
    .infer = wgrad_infer, .grad = wgrad_gradient, .ref = wgrad_reference, .samples = wgrad_samples, .n_samples = FVI_COUNT(wgrad_samples),
    .precision = FVI_PRECISION_LOW, .flops = wgrad_flops,
};
FVI_OPS(conv2d, &op_conv2d, &op_conv2d_dgrad, &op_conv2d_wgrad);

fv_value *fv_conv2d_op(fv_graph *g, fv_value *x, fv_value *weight, fv_value *bias, const fv_conv2d_options *o)
{
    fvi_conv2d_attr a = {.groups = 1};
    fvi_attr_defaults(attrs, &a);
    for (int i = 0; i < 2 && o; i++) {
        if (o->stride[i]) a.stride[i] = o->stride[i];
        if (o->dilation[i]) a.dilation[i] = o->dilation[i];
        a.padding[i] = o->padding[i];
    }
    if (o && o->groups) a.groups = o->groups;
    return fvi_emit(g, "conv2d", &a, bias ? 3 : 2, x, weight, bias);
}

fv_value *fv_conv1d_op(fv_graph *g, fv_value *x, fv_value *weight, fv_value *bias, const fv_conv1d_options *o)
{
    const fv_conv2d_options wide = {{1, o ? o->stride : 0}, {0, o ? o->padding : 0}, {1, o ? o->dilation : 0}, o ? o->groups : 0};
    return fv_squeeze(g, fv_conv2d_op(g, fv_unsqueeze(g, x, 2), fv_unsqueeze(g, weight, 2), bias, &wide), 2);
}
