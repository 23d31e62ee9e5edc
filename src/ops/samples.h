/* SPDX-License-Identifier: Apache-2.0 */
/* Short words for the sample tables of op records: FVI_S(draw, dims...) is a floating input, FVI_S0 a scalar. */
#ifndef FVI_OPS_SAMPLES_H
#define FVI_OPS_SAMPLES_H

#include "ir/op.h"

#define FVI_S_RANK(...) FVI_COUNT(((const int64_t[]){__VA_ARGS__}))
#define FVI_S(draw_, ...) {.dtype = FV_F64, .rank = FVI_S_RANK(__VA_ARGS__), .dim = {__VA_ARGS__}, .draw = (draw_)}
#define FVI_S0(draw_) {.dtype = FV_F64, .rank = 0, .draw = (draw_)}
/* An input that the gradient check leaves alone. */
#define FVI_S_FIXED(draw_, ...) \
    {.dtype = FV_F64, .rank = FVI_S_RANK(__VA_ARGS__), .dim = {__VA_ARGS__}, .draw = (draw_), .no_grad = true}
/* i64: labels below `classes_`, counts. */
#define FVI_S_INDEX(classes_, ...)                                                                                  \
    {.dtype = FV_I64, .rank = FVI_S_RANK(__VA_ARGS__), .dim = {__VA_ARGS__}, .draw = FVI_DRAW_INDEX, .classes = (classes_), \
     .no_grad = true}
/* Whole numbers of type `dtype_` in -most_ .. most_; bool: 0 and 1. */
#define FVI_S_WHOLE(dtype_, most_, ...)                                                                            \
    {.dtype = (dtype_), .rank = FVI_S_RANK(__VA_ARGS__), .dim = {__VA_ARGS__}, .draw = FVI_DRAW_WHOLE,             \
     .classes = (most_), .no_grad = true}
#define FVI_S_BOOL(...)                                                                                            \
    {.dtype = FV_BOOL, .rank = FVI_S_RANK(__VA_ARGS__), .dim = {__VA_ARGS__}, .draw = FVI_DRAW_INDEX, .classes = 2, \
     .no_grad = true}
#define FVI_S_COUNTS(...) \
    {.dtype = FV_I64, .rank = FVI_S_RANK(__VA_ARGS__), .dim = {__VA_ARGS__}, .draw = FVI_DRAW_COUNTS, .no_grad = true}

#endif
