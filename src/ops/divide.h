/* SPDX-License-Identifier: Apache-2.0 */
/* Division of whole numbers that rounds down. */
#ifndef FVI_OPS_DIVIDE_H
#define FVI_OPS_DIVIDE_H

#include "ops/compare.h"

static inline int64_t fvi_floor_div(int64_t a, int64_t b)
{
    if (b == 0) return 0;
    if (b == -1) return fvi_wrap_sub(0, a);                              /* the least number has no negative */
    return a / b - (a % b != 0 && (a < 0) != (b < 0));
}

static inline int64_t fvi_floor_mod(int64_t a, int64_t b)
{
    return b == 0 ? 0 : fvi_wrap_sub(a, fvi_wrap_mul(b, fvi_floor_div(a, b)));
}

static inline fv_status fvi_infer_wholes(fvi_infer *c)
{
    char text[FVI_TYPE_TEXT];
    FVI_TRY(c->ctx, fvi_infer_numbers(c, 0));
    if (fv_dtype_is_float(c->in[0].dtype))
        return fvi_infer_fail(c, "input 0 is %s, but must hold whole numbers: fv_cast it", fvi_type_text(&c->in[0], text));
    return fvi_infer_broadcast(c);
}

/* Divisors are 1 .. 5: ONNX Runtime does not survive a division by 0. */
#define FVI_DIVIDE_SAMPLES(name)                                                                                       \
    static const fvi_sample name[] = {                                                                                 \
        {"whole", NULL, 2, {FVI_S_WHOLE(FV_I64, 20, FV_N, 3, 4), {.dtype = FV_I64, .rank = 2, .dim = {3, 1}, .draw = FVI_DRAW_STEP}}}, \
        {"narrow", NULL, 2, {FVI_S_WHOLE(FV_I32, 20, FV_N, 7), {.dtype = FV_I32, .rank = 1, .dim = {7}, .draw = FVI_DRAW_STEP}}},      \
    }

#endif
