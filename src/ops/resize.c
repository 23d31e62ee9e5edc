/* SPDX-License-Identifier: Apache-2.0 */
/* y = x at another height and width: each element the weighted sum of those near its place; dx is dy spread with the same
 * weights. Both are linear, so each is the gradient of the other. */
#include "ir/onnx.h"
#include "ops/elementwise.h"
#include "ops/parallel.h"
#include "ops/resize.h"

static const char *const modes[] = {"nearest", "bilinear", "bicubic", NULL};
#define COMMON                                                                                                          \
    {.name = "mode", .kind = FVI_ATTR_ENUM, .offset = offsetof(fvi_resize_attr, mode), .names = modes,                  \
     .help = "how elements between places are made"},                                                                   \
    {.name = "align_corners", .kind = FVI_ATTR_BOOL, .offset = offsetof(fvi_resize_attr, align_corners),                \
     .help = "the outermost places meet; not for nearest"},                                                             \
    {.name = "scale", .kind = FVI_ATTR_FLOAT, .offset = offsetof(fvi_resize_attr, scale), .count = 2, .min = 0,         \
     .max = 0x1p20, .help = "factors down and right that places are computed with; 0: from the sizes"}
#define SIZE(help_)                                                                                                     \
    {.name = "size", .kind = FVI_ATTR_INT, .offset = offsetof(fvi_resize_attr, size), .count = 2, .min = 1,             \
     .max = 1LL << 31, .help = (help_)}
static const fvi_attr_def attrs[] = {COMMON, SIZE("height and width of the result (required)"), FVI_ATTR_END};
static const fvi_attr_def backward_attrs[] = {COMMON, SIZE("height and width of x (required)"), FVI_ATTR_END};

static fv_status infer(fvi_infer *c)
{
    const fvi_resize_attr *a = c->attr;
    const fvi_type *x = &c->in[0];
    char text[FVI_TYPE_TEXT];
    if (!fv_dtype_is_float(x->dtype) || x->rank != 4 || x->dim[2] < 1 || x->dim[3] < 1)
        return fvi_infer_fail(c, "the input must be a floating (N, C, H, W) with constant height and width, not %s",
                              fvi_type_text(x, text));
    if (a->align_corners && a->mode == FVI_RESIZE_NEAREST) return fvi_infer_fail(c, "align_corners means nothing to the nearest element");
    c->out[0] = *x;
    for (int i = 0; i < 2; i++) c->out[0].dim[2 + i] = a->size[i];
    return FV_OK;
}

/* Calls add(x element, y element, weight) for all pairs of a plane: `small` has x's height and width, `large` y's. */
static void plane(const fvi_resize_attr *a, const int64_t small[2], const int64_t large[2], const double *from, double *to, bool back)
{
    for (int64_t i = 0; i < large[0]; i++) {
        const fvi_resize_taps v = fvi_resize_taps_of(a, 0, small[0], large[0], i);
        for (int64_t j = 0; j < large[1]; j++) {
            const fvi_resize_taps h = fvi_resize_taps_of(a, 1, small[1], large[1], j);
            for (int k = 0; k < v.n; k++)
                for (int l = 0; l < h.n; l++) {
                    const int64_t x = v.at[k] * small[1] + h.at[l], y = i * large[1] + j;
                    to[back ? x : y] += v.weight[k] * h.weight[l] * from[back ? y : x];
                }
        }
    }
}

static void planes(const fvi_ref *r, bool back)
{
    const fvi_type *from = &r->in[0].type, *to = &r->out[0].type;
    const int64_t n = from->dim[0] * from->dim[1], in = from->dim[2] * from->dim[3], out = to->dim[2] * to->dim[3];
#pragma omp parallel for if (FVI_WORTH_THREADS(16 * n * (in + out)))
    for (int64_t p = 0; p < n; p++) {
        double *y = r->out[0].f + p * out;
        memset(y, 0, (size_t)out * sizeof *y);
        plane(r->attr, back ? &to->dim[2] : &from->dim[2], back ? &from->dim[2] : &to->dim[2], r->in[0].f + p * in, y, back);
    }
}

static void reference(const fvi_ref *r) { planes(r, false); }
static void reference_backward(const fvi_ref *r) { planes(r, true); }

/* The other of the two, with the size of the input. */
static fv_status turn(fvi_gradient *c, const char *op)
{
    fvi_resize_attr a = *(const fvi_resize_attr *)c->node->attr;
    for (int i = 0; i < 2; i++) a.size[i] = c->in[0]->type.dim[2 + i];
    c->din[0] = fvi_emit(c->g, op, &a, 1, c->dout[0]);
    return fv_graph_status(c->g);
}

static fv_status gradient(fvi_gradient *c) { return turn(c, "resize_backward"); }
static fv_status gradient_backward(fvi_gradient *c) { return turn(c, "resize"); }

/* Operations of the larger side. */
static double flops(const fvi_node *n)
{
    const int64_t mode = ((const fvi_resize_attr *)n->attr)->mode;
    const double taps = mode == FVI_RESIZE_NEAREST ? 0 : mode == FVI_RESIZE_BILINEAR ? 4 : 16;
    const fvi_type *y = fvi_node_is(n, "resize") ? &n->out[0].type : &n->in[0]->type;
    return 2 * taps * (double)fvi_type_numel(y);
}

static const fvi_resize_attr twice = {FVI_RESIZE_NEAREST, false, {6, 8}, {0, 0}}, less = {FVI_RESIZE_NEAREST, false, {2, 3}, {0, 0}},
                             linear = {FVI_RESIZE_BILINEAR, false, {5, 7}, {0, 0}}, corners = {FVI_RESIZE_BILINEAR, true, {5, 2}, {0, 0}},
                             cubic = {FVI_RESIZE_BICUBIC, false, {7, 3}, {0, 0}}, cubic_corners = {FVI_RESIZE_BICUBIC, true, {4, 6}, {0, 0}},
                             factor = {FVI_RESIZE_BILINEAR, false, {4, 6}, {1.5, 1.7}};
#define N FVI_DRAW_NORMAL
static const fvi_sample samples[] = {
    {"twice", &twice, 1, {FVI_S(N, FV_N, 3, 3, 4)}},     {"less", &less, 1, {FVI_S(N, FV_N, 2, 5, 4)}},
    {"linear", &linear, 1, {FVI_S(N, FV_N, 2, 3, 4)}},   {"corners", &corners, 1, {FVI_S(N, FV_N, 17, 3, 4)}},
    {"cubic", &cubic, 1, {FVI_S(N, FV_N, 2, 4, 5)}},     {"cubic_corners", &cubic_corners, 1, {FVI_S(N, FV_N, 2, 3, 5)}},
    {"factor", &factor, 1, {FVI_S(N, FV_N, 2, 3, 4)}},
};
static const fvi_sample backward_samples[] = {
    {"twice", &twice, 1, {FVI_S(N, FV_N, 3, 12, 16)}},   {"less", &less, 1, {FVI_S(N, FV_N, 2, 1, 2)}},
    {"linear", &linear, 1, {FVI_S(N, FV_N, 2, 7, 9)}},   {"corners", &corners, 1, {FVI_S(N, FV_N, 17, 3, 4)}},
    {"cubic", &cubic, 1, {FVI_S(N, FV_N, 2, 4, 5)}},     {"cubic_corners", &cubic_corners, 1, {FVI_S(N, FV_N, 2, 3, 5)}},
};

/* Four numbers as a floating tensor of rank 1. */
static const char *four(fvi_onnx *o, double height, double width)
{
    const char *part[4] = {o->number(o, 1), o->number(o, 1), o->number(o, height), o->number(o, width)};
    const int64_t first = 0;
    for (int i = 0; i < 4; i++) part[i] = fvi_onnx_axes(o, "Unsqueeze", part[i], 1, &first, 13, -1, NULL);
    return o->add(o, &(fvi_onnx_op){.type = "Concat", .list = part, .n_list = 4, .attrs = {FVI_ONNX_INT("axis", 0)}});
}

static void onnx(fvi_onnx *o)
{
    static const char *const names[] = {"nearest", "linear", "cubic"};
    const fvi_resize_attr *a = o->attr;
    const fvi_type *y = &o->node->out[0].type;
    const bool nearest = a->mode == FVI_RESIZE_NEAREST, given = a->scale[0] > 0 && a->scale[1] > 0 && !a->align_corners;
    /* Left out from opset 13 on, empty before. */
    const char *none = o->opset >= 13 ? "" : fvi_onnx_cast(o, o->ints(o, 0, NULL), FVI_ONNX_I64, FVI_ONNX_F32, NULL);
    const char *places = nearest ? "asymmetric" : a->align_corners ? "align_corners" : "half_pixel";
    fvi_onnx_op op = {.type = "Resize", .in = {o->in[0], none, none, NULL}, .out = {o->out[0]},
                      .attrs = {FVI_ONNX_TEXT("mode", names[a->mode]), FVI_ONNX_TEXT("coordinate_transformation_mode", places),
                                FVI_ONNX_FLOAT("cubic_coeff_a", -0.75)}};
    if (nearest) op.attrs[3] = (fvi_onnx_attr)FVI_ONNX_TEXT("nearest_mode", "floor");
    if (given) op.in[2] = four(o, a->scale[0], a->scale[1]);
    else op.in[3] = o->shape(o, y->rank, y->dim);
    o->add(o, &op);
}

#define MEMBERS                                                                                                     \
    .version = 1, .kind = FVI_PRIMITIVE, .n_in_min = 1, .n_in_max = 1, .n_out = 1,                                  \
    .attr_size = sizeof(fvi_resize_attr), .infer = infer, .flops = flops
static const fvi_op op_resize = {
    .name = "resize", .doc = "y = x at another height and width", MEMBERS, .attrs = attrs, .grad = gradient, .ref = reference,
    .samples = samples, .n_samples = FVI_COUNT(samples), .onnx_emit = onnx,
};
static const fvi_op op_resize_backward = {
    .name = "resize_backward", .doc = "dx = dy added up where it comes from", MEMBERS, .attrs = backward_attrs,
    .grad = gradient_backward, .ref = reference_backward, .samples = backward_samples, .n_samples = FVI_COUNT(backward_samples),
};
FVI_OPS(resize, &op_resize, &op_resize_backward);

fv_value *fv_resize(fv_graph *g, fv_value *x, int64_t height, int64_t width, const fv_resize_options *o)
{
    const fv_resize_options plain = {FV_RESIZE_NEAREST, false, {0, 0}};
    if (!o) o = &plain;
    const fvi_resize_attr a = {o->mode, o->align_corners, {height, width}, {o->scale[0], o->scale[1]}};
    return fvi_emit(g, "resize", &a, 1, x);
}
