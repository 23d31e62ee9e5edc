/* SPDX-License-Identifier: Apache-2.0 */
/* What comparisons and logic share: y = 1 or 0 in the type of the first input. */
#ifndef FVI_OPS_COMPARE_H
#define FVI_OPS_COMPARE_H

#include "ir/onnx.h"
#include "ops/elementwise.h"

/* Inputs of one type, truth values too. */
static inline fv_status fvi_infer_alike(fvi_infer *c)
{
    for (int i = 1; i < c->n_in; i++)
        if (c->in[i].dtype != c->in[0].dtype)
            return fvi_infer_fail(c, "inputs 0 and %d are %s and %s: fv_cast one to the other's type", i,
                                  fv_dtype_name(c->in[0].dtype), fv_dtype_name(c->in[i].dtype));
    return fvi_infer_broadcast(c);
}

/* The operator for floating numbers and for whole ones; NaN compares as in C. */
#define FVI_COMPARE_REFERENCE(operator_)                                                                             \
    static double value(double a, double b, const void *attr)                                                        \
    {                                                                                                                \
        (void)attr;                                                                                                  \
        return a operator_ b ? 1.0 : 0.0;                                                                            \
    }                                                                                                                \
    static int64_t whole(int64_t a, int64_t b) { return a operator_ b; }                                             \
    static void reference(const fvi_ref *r) { fvi_ref_arithmetic(r, value, whole); }

/* STEP draws numbers of which many are equal. */
#define FVI_COMPARE_SAMPLE_ROWS FVI_BINARY_SAMPLE_ROWS(NULL, FVI_DRAW_STEP, FVI_DRAW_STEP), FVI_WHOLE_SAMPLE_ROWS(2)
#define FVI_TRUTH_SAMPLE_ROW {"truth", NULL, 2, {FVI_S_BOOL(FV_N, 3, 4), FVI_S_BOOL(3, 1)}}
#define FVI_COMPARE_SAMPLES(name) \
    static const fvi_sample name[] = {FVI_COMPARE_SAMPLE_ROWS}
#define FVI_TRUTH_SAMPLES(name) \
    static const fvi_sample name[] = {FVI_COMPARE_SAMPLE_ROWS, FVI_TRUTH_SAMPLE_ROW}

/* The record's members; the file's name, documentation and inference precede them. */
#define FVI_COMPARE_MEMBERS                                                                     \
    .version = 1, .kind = FVI_DISCRETE, .n_in_min = 2, .n_in_max = 2, .n_out = 1,               \
    .no_grad = "piecewise constant", .ref = reference, .samples = samples,                      \
    .n_samples = FVI_COUNT(samples), .inplace = {1}, .elementwise = true, .onnx_emit = onnx

/* The greater or lesser of two: before opset 12 Max and Min take no whole numbers. */
static inline void fvi_onnx_extreme(fvi_onnx *o, const char *type, const char *comparison)
{
    if (o->opset >= 12 || fv_dtype_is_float(o->node->in[0]->type.dtype)) {
        fvi_onnx_end_2(o, type, o->in[0], o->in[1]);
        return;
    }
    const char *mask = fvi_onnx_2(o, comparison, o->in[0], o->in[1]);
    o->add(o, &(fvi_onnx_op){.type = "Where", .in = {mask, o->in[0], o->in[1]}, .out = {o->out[0]}});
}

#endif
