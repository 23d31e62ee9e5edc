/* SPDX-License-Identifier: Apache-2.0 */
/* y[n] = sum of the counts[n] rows of `values` that belong to sample n; rows stand sample after sample. A negative count
 * is 0; rows beyond the last one given count nothing. */
#include "ir/graph.h"
#include "ops/samples.h"

static fv_status infer(fvi_infer *c)
{
    const fvi_type *values = &c->in[0], *counts = &c->in[1];
    char text[FVI_TYPE_TEXT];
    if (!fv_dtype_is_float(values->dtype) || values->rank != 2)
        return fvi_infer_fail(c, "values must be floating (rows, K), not %s", fvi_type_text(values, text));
    if (counts->dtype != FV_I64 || counts->rank != 1)
        return fvi_infer_fail(c, "counts must be i64 (N), not %s", fvi_type_text(counts, text));
    c->out[0] = (fvi_type){.dtype = values->dtype, .rank = 2, .dim = {counts->dim[0], values->dim[1]}};
    return FV_OK;
}

static void reference(const fvi_ref *r)
{
    const int64_t rows = r->in[0].type.dim[0], width = r->in[0].type.dim[1], samples = r->in[1].type.dim[0];
    int64_t row = 0;
    for (int64_t n = 0; n < samples; n++) {
        double *y = r->out[0].f + n * width;
        for (int64_t k = 0; k < width; k++) y[k] = 0;
        for (int64_t i = 0; i < r->in[1].i[n] && row < rows; i++, row++)
            for (int64_t k = 0; k < width; k++) y[k] += r->in[0].f[row * width + k];
    }
}

static const fvi_sample samples_[] = {
    {"boxes", NULL, 2, {FVI_S_FIXED(FVI_DRAW_NORMAL, FV_RAGGED, 4), FVI_S_COUNTS(FV_N)}},
    {"labels", NULL, 2, {FVI_S_FIXED(FVI_DRAW_NORMAL, FV_RAGGED, 1), FVI_S_COUNTS(FV_N)}},
    {"wide", NULL, 2, {FVI_S_FIXED(FVI_DRAW_UNIT, FV_RAGGED, 19), FVI_S_COUNTS(FV_N)}},
};

static const fvi_op op_ragged_sum = {
    .name = "ragged_sum", .version = 1, .kind = FVI_DISCRETE, .doc = "y[n] = sum of the counts[n] rows of values of sample n",
    .n_in_min = 2, .n_in_max = 2, .n_out = 1,
    .infer = infer, .no_grad = "targets take no gradient", .ref = reference,
    .samples = samples_, .n_samples = FVI_COUNT(samples_),
};
FVI_OPS(ragged_sum, &op_ragged_sum);

fv_value *fv_ragged_sum(fv_graph *g, fv_value *values, fv_value *counts)
{
    return fvi_emit(g, "ragged_sum", NULL, 2, values, counts);
}
