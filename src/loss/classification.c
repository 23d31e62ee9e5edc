/* SPDX-License-Identifier: Apache-2.0 */
/* Cross-entropy with label smoothing and class weights. The weights are a variable, so that their values are not part of
 * a plan. */
#include "loss/classification.h"

#include "ir/var.h"
#include "base/base.h"

#define WEIGHTS FVI_STEP_PREFIX "class_weight"

fv_value *fvi_classification_loss_build(fv_graph *g, const fvi_classification_loss *o, fv_value *logits, fv_value *labels, fv_value **weight)
{
    fv_cross_entropy_options c = {.label_smoothing = o->label_smoothing};
    if (o->n_weights) {
        int64_t n = o->n_weights;
        c.class_weight = fv_buffer(g, WEIGHTS, fv_graph_dtype(g), 1, &n, (fv_init){FV_INIT_CONSTANT, 1, 0});
    }
    return fv_cross_entropy(g, logits, labels, &c, weight);
}

fv_status fvi_classification_loss_set(fv_session *s, const fvi_classification_loss *o)
{
    if (!o->n_weights) return FV_OK;
    fv_var *v = fv_session_find(s, WEIGHTS);
    FVI_ASSERT(fv_session_context(s), v);
    fv_tensor t = {.dtype = FV_F64, .rank = 1, .dims = {o->n_weights}};
    double *copy = fvi_calloc((size_t)o->n_weights, sizeof *copy);
    if (!copy) return fvi_nomem(fv_session_context(s));
    memcpy(copy, o->weights, (size_t)o->n_weights * sizeof *copy);
    t.data = copy;
    fv_status status = fv_var_set(s, v, &t);
    fvi_free(copy);
    return status;
}
