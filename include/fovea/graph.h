/* SPDX-License-Identifier: Apache-2.0 */
/* Graphs: what a model, a loss or a training step is written in. Building never computes: an fv_value stands for a
 * tensor that a compiled plan will produce. Errors are sticky: after the first one every builder returns NULL and does
 * nothing, so model code is checked once, by whoever called the builder (fv_error_text names layer path and shapes). A
 * NULL argument is taken for such an error. Values and texts belong to the graph; arrays and options are read during the call.
 *
 * Shapes: dimensions are constants or multiples of the symbolic batch size N. FV_N means N, k * FV_N means k*N
 * (negative numbers encode it, so FV_N * 49 is 49 N). Images are NCHW, weights OIHW / (out, in), as in PyTorch. */
#ifndef FOVEA_GRAPH_H
#define FOVEA_GRAPH_H

#include "fovea/base.h"

#ifdef __cplusplus
extern "C" {
#endif

#define FV_MAX_RANK 6
#define FV_N ((int64_t)-1)
#define FV_RAGGED INT64_MIN          /* first dimension of a ragged input: rows are bound per call */
#define FV_ANY (INT64_MIN + 1)       /* in function inputs only: taken from the call, part of the plan's key */

typedef struct fv_graph fv_graph;
typedef struct fv_value fv_value;

/* A host tensor in plain row-major order. The caller owns `data`. A ragged input gives dims[0] = rows of this call. */
typedef struct fv_tensor { fv_dtype dtype; int rank; int64_t dims[FV_MAX_RANK]; void *data; } fv_tensor;

/* ---- shape of a value ---- */
FV_API fv_dtype fv_value_dtype(const fv_value *v);
FV_API int fv_value_rank(const fv_value *v);                       /* 0 for NULL */
FV_API int64_t fv_value_dim(const fv_value *v, int axis);          /* negative axis counts from the end; k*FV_N or a constant; 0: no such axis */
FV_API fv_context *fv_graph_context(fv_graph *g);
FV_API bool fv_graph_is_training(const fv_graph *g);               /* the function's mode: batch statistics, dropout */
FV_API fv_dtype fv_graph_dtype(const fv_graph *g);                 /* the session's float type: FV_F32 or FV_F64 */
/* Records an error of the user's own builder; returns NULL so that `return fv_graph_fail(...)` reads well. */
FV_API fv_value *fv_graph_fail(fv_graph *g, fv_status status, const char *fmt, ...) FV_PRINTF(3, 4);
FV_API fv_status fv_graph_status(const fv_graph *g);               /* FV_OK, or the code of the first error */

/* ---- names: paths of the ecosystem's spelling, "layer1.0.conv1" ---- */
/* What is added until fv_pop stands below this part of the path. */
FV_API void fv_push(fv_graph *g, const char *fmt, ...) FV_PRINTF(2, 3);
FV_API void fv_pop(fv_graph *g);
/* Text that lives as long as the graph: fv_name(g, "layer%d", i). NULL only after an error of the graph. */
FV_API const char *fv_name(fv_graph *g, const char *fmt, ...) FV_PRINTF(2, 3);
/* Makes a value findable by path ("layer2"), for feature taps: fv_tap(g, "teacher.layer2"). NULL + error when absent. */
FV_API fv_value *fv_mark(fv_graph *g, const char *name, fv_value *v);
FV_API fv_value *fv_tap(fv_graph *g, const char *path);

/* ---- any op by name (docs/ops.md), attributes as text, NULL: their defaults: fv_op(g, "leaky_relu", "slope=0.2", 1, x).
 * n_in values follow. Returns output 0. ---- */
FV_API fv_value *fv_op(fv_graph *g, const char *op, const char *attrs, int n_in, ...);
/* Output `index` of the node that made v; NULL: it has none such. */
FV_API fv_value *fv_output_of(fv_value *v, int index);

/* ---- constants ---- */
FV_API fv_value *fv_const(fv_graph *g, double value);                                   /* scalar of the graph's float type */
FV_API fv_value *fv_full(fv_graph *g, double value, int rank, const int64_t *dims);     /* dims may use k*FV_N */
FV_API fv_value *fv_full_of(fv_graph *g, fv_dtype dtype, double value, int rank, const int64_t *dims);
/* start, start + step, ... (count), which may be k*FV_N. */
FV_API fv_value *fv_arange(fv_graph *g, fv_dtype dtype, double start, double step, int64_t count);

/* ---- arithmetic, with NumPy broadcasting. Inputs have one type. Sums, differences, products, extremes, fv_neg and fv_abs take
 * whole numbers too (and wrap around); the others are for floating ones ---- */
FV_API fv_value *fv_add(fv_graph *g, fv_value *a, fv_value *b);
FV_API fv_value *fv_sub(fv_graph *g, fv_value *a, fv_value *b);
FV_API fv_value *fv_mul(fv_graph *g, fv_value *a, fv_value *b);
FV_API fv_value *fv_div(fv_graph *g, fv_value *a, fv_value *b);
FV_API fv_value *fv_maximum(fv_graph *g, fv_value *a, fv_value *b);
FV_API fv_value *fv_minimum(fv_graph *g, fv_value *a, fv_value *b);
FV_API fv_value *fv_scale(fv_graph *g, fv_value *a, double factor);                     /* a * factor */
FV_API fv_value *fv_offset(fv_graph *g, fv_value *a, double constant);                  /* a + constant */
FV_API fv_value *fv_neg(fv_graph *g, fv_value *a);
FV_API fv_value *fv_abs(fv_graph *g, fv_value *a);
FV_API fv_value *fv_exp(fv_graph *g, fv_value *a);
FV_API fv_value *fv_log(fv_graph *g, fv_value *a);
FV_API fv_value *fv_sqrt(fv_graph *g, fv_value *a);
FV_API fv_value *fv_square(fv_graph *g, fv_value *a);
FV_API fv_value *fv_pow(fv_graph *g, fv_value *a, double exponent);
FV_API fv_value *fv_clamp(fv_graph *g, fv_value *a, double low, double high);
FV_API fv_value *fv_erf(fv_graph *g, fv_value *x);
FV_API fv_value *fv_atan(fv_graph *g, fv_value *x);
FV_API fv_value *fv_floor(fv_graph *g, fv_value *x);                                    /* no gradient, nor through the next two */
FV_API fv_value *fv_ceil(fv_graph *g, fv_value *x);
FV_API fv_value *fv_round(fv_graph *g, fv_value *x);                                    /* halves to the even number */
/* Of whole numbers, as // and % in Python: rounded down, the rest of the sign of b. Divided by 0: 0. */
FV_API fv_value *fv_floor_div(fv_graph *g, fv_value *a, fv_value *b);
FV_API fv_value *fv_mod(fv_graph *g, fv_value *a, fv_value *b);

/* ---- comparisons and logic, with NumPy broadcasting: 1 or 0 in the type of the first input, which the others share. What is
 * not 0 counts as true. Nothing is differentiated through them; fv_select passes dy to the one that is taken ---- */
FV_API fv_value *fv_equal(fv_graph *g, fv_value *a, fv_value *b);
FV_API fv_value *fv_not_equal(fv_graph *g, fv_value *a, fv_value *b);
FV_API fv_value *fv_less(fv_graph *g, fv_value *a, fv_value *b);
FV_API fv_value *fv_less_equal(fv_graph *g, fv_value *a, fv_value *b);
FV_API fv_value *fv_greater(fv_graph *g, fv_value *a, fv_value *b);
FV_API fv_value *fv_greater_equal(fv_graph *g, fv_value *a, fv_value *b);
FV_API fv_value *fv_logical_and(fv_graph *g, fv_value *a, fv_value *b);
FV_API fv_value *fv_logical_or(fv_graph *g, fv_value *a, fv_value *b);
FV_API fv_value *fv_logical_xor(fv_graph *g, fv_value *a, fv_value *b);
FV_API fv_value *fv_logical_not(fv_graph *g, fv_value *x);
FV_API fv_value *fv_select(fv_graph *g, fv_value *condition, fv_value *a, fv_value *b);   /* a where it is true, else b; of any type */

/* ---- activations: the shape stays; softmax over one axis, -1 is the last ---- */
FV_API fv_value *fv_relu(fv_graph *g, fv_value *x);
FV_API fv_value *fv_leaky_relu(fv_graph *g, fv_value *x, double slope);                 /* of negative values */
FV_API fv_value *fv_silu(fv_graph *g, fv_value *x);
FV_API fv_value *fv_gelu(fv_graph *g, fv_value *x, bool tanh_form);                     /* false: with erf, exact */
FV_API fv_value *fv_sigmoid(fv_graph *g, fv_value *x);
FV_API fv_value *fv_tanh(fv_graph *g, fv_value *x);
FV_API fv_value *fv_softplus(fv_graph *g, fv_value *x);                                 /* log(1 + exp(x)) */
FV_API fv_value *fv_softmax(fv_graph *g, fv_value *x, int axis);
FV_API fv_value *fv_log_softmax(fv_graph *g, fv_value *x, int axis);

/* ---- reductions; axes as a bit mask (1 << axis), 0 = all. The axes go, or stay with length 1 (keep_dims). The result of bf16
 * values is f32; whole numbers and truth values are summed in i64 ---- */
FV_API fv_value *fv_sum(fv_graph *g, fv_value *x, unsigned axes, bool keep_dims);
FV_API fv_value *fv_mean(fv_graph *g, fv_value *x, unsigned axes, bool keep_dims);
FV_API fv_value *fv_amax(fv_graph *g, fv_value *x, unsigned axes, bool keep_dims);      /* NaN if one is; equals share dy */
FV_API fv_value *fv_amin(fv_graph *g, fv_value *x, unsigned axes, bool keep_dims);
/* Place along the axis, which goes, as i64: the lowest of equals; NaN is what is sought. */
FV_API fv_value *fv_argmax(fv_graph *g, fv_value *x, int axis);
FV_API fv_value *fv_argmin(fv_graph *g, fv_value *x, int axis);

/* ---- shapes ---- */
FV_API fv_value *fv_reshape(fv_graph *g, fv_value *x, int rank, const int64_t *dims);   /* same elements; dims may use k*FV_N */
FV_API fv_value *fv_flatten(fv_graph *g, fv_value *x, int start_axis);                  /* this axis and all behind it become one */
FV_API fv_value *fv_permute(fv_graph *g, fv_value *x, const int *axes);                 /* one for each axis: axis i of the result is axes[i] of x */
FV_API fv_value *fv_concat(fv_graph *g, int axis, int n, fv_value *const *x);     /* one or more, alike but for axis */
FV_API fv_value *fv_stack(fv_graph *g, int axis, int n, fv_value *const *x);            /* along a new axis */
FV_API fv_value *fv_squeeze(fv_graph *g, fv_value *x, int axis);                        /* without this axis, whose length is 1 */
FV_API fv_value *fv_unsqueeze(fv_graph *g, fv_value *x, int axis);                      /* with a new axis of length 1 here */
FV_API fv_value *fv_flip(fv_graph *g, fv_value *x, unsigned axes);                      /* axes (bit mask) turned round */
FV_API fv_value *fv_roll(fv_graph *g, fv_value *x, int axis, int64_t shift);            /* what leaves at the end comes in at the front */
/* An axis `times` as long: each element repeated, or (fv_tile: one number for each axis) the whole. */
FV_API fv_value *fv_repeat(fv_graph *g, fv_value *x, int axis, int64_t times);
FV_API fv_value *fv_tile(fv_graph *g, fv_value *x, const int64_t *times);
/* start and length, before and after (one for each axis) count elements; on an axis of k*N they are multiples of FV_N. */
FV_API fv_value *fv_slice(fv_graph *g, fv_value *x, int axis, int64_t start, int64_t length);
/* n parts one behind the other, of these lengths, which add up to the axis. */
FV_API void fv_split_axis(fv_graph *g, fv_value *x, int axis, int n, const int64_t *lengths, fv_value **parts);
FV_API fv_value *fv_pad(fv_graph *g, fv_value *x, const int64_t *before, const int64_t *after, double value);
FV_API fv_value *fv_broadcast_to(fv_graph *g, fv_value *x, int rank, const int64_t *dims);   /* as NumPy broadcasts */
FV_API fv_value *fv_cast(fv_graph *g, fv_value *x, fv_dtype dtype);                     /* to whole numbers: towards zero */
FV_API fv_value *fv_stop_gradient(fv_graph *g, fv_value *x);                            /* x; no gradient flows through it */

/* ---- indexing and order along an axis. An index (i64 or i32) that is not in 0 .. n-1 reads zeros and adds nothing ---- */
/* Slices: y[a, i, b] = x[a, index[i], b], the index's axes in the place of `axis`. */
FV_API fv_value *fv_gather(fv_graph *g, fv_value *x, fv_value *index, int axis);
/* x, with the slices of src (shaped as fv_gather's result) added at the places of the index, in order. */
FV_API fv_value *fv_index_add(fv_graph *g, fv_value *x, fv_value *index, fv_value *src, int axis);
/* An index for each element, of x's shape but for the axis: y[a, i, b] = x[a, index[a, i, b], b]. */
FV_API fv_value *fv_take_along(fv_graph *g, fv_value *x, fv_value *index, int axis);
/* x, with each element of src (shaped as the index) added at its place, in order. */
FV_API fv_value *fv_scatter_add(fv_graph *g, fv_value *x, fv_value *index, fv_value *src, int axis);
/* The k greatest (largest) or least, in order; *places (may be NULL) gets where they stood, as i64. NaN counts as greatest, of
 * equals the first comes first. */
FV_API fv_value *fv_top_k(fv_graph *g, fv_value *x, int64_t k, int axis, bool largest, fv_value **places);
FV_API fv_value *fv_sort(fv_graph *g, fv_value *x, int axis, bool descending, fv_value **places);
/* Running sums, without the element itself (exclusive), from the end on (reverse). */
FV_API fv_value *fv_cumsum(fv_graph *g, fv_value *x, int axis, bool exclusive, bool reverse);

/* ---- linear algebra, convolution, pooling without parameters of their own ---- */
/* (..., M, K) and (..., K, P) -> (..., M, P), the last two axes transposed before where asked for; leading axes broadcast. */
FV_API fv_value *fv_matmul(fv_graph *g, fv_value *a, fv_value *b, bool transpose_a, bool transpose_b);
/* Pairs are height and width. 0 means 1 (padding: 0, on both sides). */
typedef struct fv_conv2d_options { int64_t stride[2], padding[2], dilation[2], groups; } fv_conv2d_options;
/* x (N, C, H, W), weight (O, C / groups, kh, kw), bias (O) or NULL -> (N, O, H', W'); o NULL: all defaults. */
FV_API fv_value *fv_conv2d_op(fv_graph *g, fv_value *x, fv_value *weight, fv_value *bias, const fv_conv2d_options *o);
/* x (N, C, L), weight (O, C / groups, k) -> (N, O, L'): the same along one axis. Values of rank 3 are pooled likewise after
 * fv_unsqueeze. */
typedef struct fv_conv1d_options { int64_t stride, padding, dilation, groups; } fv_conv1d_options;
FV_API fv_value *fv_conv1d_op(fv_graph *g, fv_value *x, fv_value *weight, fv_value *bias, const fv_conv1d_options *o);
/* The transpose of a convolution: x (N, C, H, W), weight (C, O / groups, kh, kw), bias (O) or NULL -> (N, O, H', W'),
 * H' = (H - 1) stride - 2 padding + dilation (kh - 1) + output_padding + 1. */
typedef struct fv_conv_transpose2d_options { int64_t stride[2], padding[2], dilation[2], output_padding[2], groups; } fv_conv_transpose2d_options;
FV_API fv_value *fv_conv_transpose2d_op(fv_graph *g, fv_value *x, fv_value *weight, fv_value *bias, const fv_conv_transpose2d_options *o);
/* kernel: needed; stride 0: the kernel's; padding: at most half the kernel; ceil_mode: a last, partial window counts;
 * count_include_pad: the average divides by padding too (PyTorch's default, not the one of a zeroed struct). */
typedef struct fv_pool2d_options { int64_t kernel[2], stride[2], padding[2]; bool ceil_mode, count_include_pad; } fv_pool2d_options;
FV_API fv_value *fv_max_pool2d(fv_graph *g, fv_value *x, const fv_pool2d_options *o);
FV_API fv_value *fv_avg_pool2d(fv_graph *g, fv_value *x, const fv_pool2d_options *o);
FV_API fv_value *fv_global_avg_pool2d(fv_graph *g, fv_value *x);                        /* (N,C,H,W) -> (N,C,1,1) */
typedef enum fv_resize_mode { FV_RESIZE_NEAREST, FV_RESIZE_BILINEAR, FV_RESIZE_BICUBIC } fv_resize_mode;
/* scale: the factors that places are computed with where they are not those of the sizes (0: they are). */
typedef struct fv_resize_options { fv_resize_mode mode; bool align_corners; double scale[2]; } fv_resize_options;
/* (N, C, H, W) -> (N, C, height, width), as PyTorch's interpolate, without antialiasing; o NULL: nearest. */
FV_API fv_value *fv_resize(fv_graph *g, fv_value *x, int64_t height, int64_t width, const fv_resize_options *o);
/* In training each element is 0 with probability p, else x / (1 - p); the draws belong to seed, step, place in the graph and
 * sample (fv_session_set_random). x itself outside training. */
FV_API fv_value *fv_dropout(fv_graph *g, fv_value *x, double p);
/* The same of whole samples (stochastic depth, torchvision's mode "row"); batch: of all samples together. */
FV_API fv_value *fv_drop_path(fv_graph *g, fv_value *x, double p, bool batch);

/* ---- losses ---- */
typedef struct fv_cross_entropy_options { double label_smoothing; int64_t ignore_index; fv_value *class_weight; } fv_cross_entropy_options;
/* logits (N, C); target i64 (N) or probabilities (N, C). Returns the SUM over the batch; *weight (may be NULL) gets the
 * sum of the kept samples' weights, so that the mean of PyTorch is sum / weight and accumulation over micro-batches is
 * exact. ignore_index 0 in a zeroed options struct means PyTorch's -100. */
FV_API fv_value *fv_cross_entropy(fv_graph *g, fv_value *logits, fv_value *target, const fv_cross_entropy_options *o, fv_value **weight);
/* Sums of ragged rows: values (FV_RAGGED, K) hold counts[0] rows of sample 0, then counts[1] rows of sample 1, ...;
 * counts i64 (N). Returns (N, K). */
FV_API fv_value *fv_ragged_sum(fv_graph *g, fv_value *values, fv_value *counts);

/* ---- differentiation ---- */
/* Adds nodes that compute d(sum_i seed_i * loss_i)/d(wrt_j); losses are scalars unless seeds of their shape are given
 * (NULL seeds: ones). grads[j], of wrt_j's shape, is NULL where nothing flows. May be called any number of times in one graph; an
 * op without a gradient on the way is an error that names it. */
FV_API fv_status fv_grad(fv_graph *g, int n_losses, fv_value *const *losses, fv_value *const *seeds,
                         int n_wrt, fv_value *const *wrt, fv_value **grads) FV_CHECKED;
/* Nodes added from now on belong to the next segment of the function (fv_function_run_segment). The gradient of a
 * segment is put in the mirrored segment behind the last forward one. */
FV_API void fv_cut(fv_graph *g);

#ifdef __cplusplus
}
#endif
#endif
