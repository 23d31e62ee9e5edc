/* SPDX-License-Identifier: Apache-2.0 */
/* Elementwise functions over f32 streams: y[i] = f(a[i], b[i], c[i]; k). y may be any of the inputs. */
#ifndef FVI_ISA_ELEMENTWISE_H
#define FVI_ISA_ELEMENTWISE_H

#include "cpu/isa.h"

/* X(op name, number of inputs, f(0, ..., 0) is 0) */
#define FVI_ELEMENTWISE_LIST(X)                                                                                        \
    X(relu, 1, 1) X(relu_backward, 2, 1) X(leaky_relu, 1, 1) X(leaky_relu_backward, 2, 1) X(silu, 1, 1)                \
    X(silu_backward, 2, 1) X(gelu, 1, 1) X(gelu_backward, 2, 1) X(sigmoid, 1, 0) X(sigmoid_backward, 2, 1)             \
    X(tanh, 1, 1) X(tanh_backward, 2, 1) X(add, 2, 1) X(sub, 2, 1) X(mul, 2, 1) X(div, 2, 0) X(maximum, 2, 1)          \
    X(minimum, 2, 1) X(greater, 2, 1) X(equal, 2, 0) X(select, 3, 1) X(neg, 1, 1) X(abs, 1, 1) X(sign, 1, 1)           \
    X(exp, 1, 0) X(sqrt, 1, 1) X(rsqrt, 1, 0) X(square, 1, 1) X(scale, 1, 1) X(offset, 1, 0) X(clamp, 1, 0) X(lerp, 2, 1)    \
    X(log, 1, 0) X(pow, 1, 0) X(is_finite, 1, 0)                                                                       \
    X(less, 2, 1) X(less_equal, 2, 0) X(greater_equal, 2, 0) X(not_equal, 2, 1) X(logical_and, 2, 1)                   \
    X(logical_or, 2, 1) X(logical_xor, 2, 1) X(logical_not, 1, 0) X(floor, 1, 1) X(ceil, 1, 1) X(round, 1, 1)          \
    X(erf, 1, 1) X(atan, 1, 1) X(softplus, 1, 0)

typedef void fvi_elementwise_fn(const float *a, const float *b, const float *c, float *y, int64_t n, const float *k);
#define FVI_ELEMENTWISE_DECLARE(name, inputs, zero) \
    FVI_ISA_DECLARE(void, fvi_ew_##name,            \
                    (const float *a, const float *b, const float *c, float *y, int64_t n, const float *k))
FVI_ELEMENTWISE_LIST(FVI_ELEMENTWISE_DECLARE)
#undef FVI_ELEMENTWISE_DECLARE
FVI_ISA_DECLARE(void, fvi_ew_gelu_tanh,
                (const float *a, const float *b, const float *c, float *y, int64_t n, const float *k))
FVI_ISA_DECLARE(void, fvi_ew_gelu_tanh_backward,
                (const float *a, const float *b, const float *c, float *y, int64_t n, const float *k))
/* bf16 streams, round to nearest even, NaN stays NaN. */
FVI_ISA_DECLARE(void, fvi_ew_widen, (const uint16_t *x, float *y, int64_t n))
FVI_ISA_DECLARE(void, fvi_ew_narrow, (const float *x, uint16_t *y, int64_t n))

#endif
