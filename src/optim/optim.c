/* SPDX-License-Identifier: Apache-2.0 */
/* Gradients into their variables, and the update graph. What is decayed is decided by the role that a tensor was given
 * where it was created (FV_PARAM_WEIGHT), never by its name. */
#include "fovea/nn.h"
#include "ir/graph.h"
#include "optim/optim.h"

static const fv_init zeros = {FV_INIT_ZEROS, 0, 0};

/* A running sum of the step: "_step.weight", or "_step.generator.weight" with a prefix. */
static fv_var *step_sum(fv_graph *g, const char *prefix, const char *what)
{
    const char *name = prefix && *prefix ? fv_name(g, FVI_STEP_PREFIX "%s.%s", prefix, what) : fv_name(g, FVI_STEP_PREFIX "%s", what);
    fv_dtype dtype = fv_graph_dtype(g);
    if (!name || !fv_buffer(g, name, dtype, 0, NULL, zeros)) return NULL;
    return fv_graph_find_var(g, fvi_graph_path(g, name));
}

static void keep(fv_graph *g, fv_var *var, fv_value *value, bool first)
{
    if (var && value) fv_var_write(g, var, first ? value : fv_add(g, fv_var_read(g, var), value));
}

fv_status fv_accumulate_gradients(fv_graph *g, const char *prefix, fv_value *loss, fv_value *weight, bool first)
{
    fv_status status = FV_OK;
    const char *below = prefix ? prefix : "";
    int n = fv_graph_trainable(g, below, NULL, 0);
    fv_var **vars = fvi_calloc((size_t)n + 1, sizeof *vars);
    fv_value **wrt = fvi_calloc((size_t)n + 1, sizeof *wrt), **grads = fvi_calloc((size_t)n + 1, sizeof *grads);
    if (!vars || !wrt || !grads) {
        status = fvi_nomem(fv_graph_context(g));
        goto done;
    }
    if (n == 0) {
        status = fvi_fail(fv_graph_context(g), FV_ERROR_INVALID, "nothing to train: no trainable parameter below \"%s\"", below);
        goto done;
    }
    fv_graph_trainable(g, below, vars, n);
    for (int i = 0; i < n; i++) wrt[i] = fv_var_read(g, vars[i]);
    FVI_TRY_DONE(fv_graph_context(g), status, fv_grad(g, 1, &loss, NULL, n, wrt, grads));
    for (int i = 0; i < n; i++)
        if (grads[i]) keep(g, fv_companion(g, vars[i], FV_GRADIENT, "grad"), grads[i], first);
    keep(g, step_sum(g, prefix, "weight"), weight, first);
    status = fv_graph_status(g);
done:
    fvi_free(vars);
    fvi_free(wrt);
    fvi_free(grads);
    return status;
}

static bool below_prefix(const char *name, const char *prefix)
{
    size_t n = prefix ? strlen(prefix) : 0;
    return n == 0 || (!strncmp(name, prefix, n) && (name[n] == '.' || name[n] == 0));
}

typedef struct update {
    fv_graph *g;
    const fv_optimizer_options *o;
    fv_value *lr, *momentum, *gscale, *skip;
} update;

/* One parameter: p, its state and its step counter. */
static void update_parameter(const update *u, fv_var *p, fv_var *grad)
{
    fv_graph *g = u->g;
    const fv_optimizer_options *o = u->o;
    double decay = fv_var_param_kind(p) == FV_PARAM_WEIGHT ? o->weight_decay : 0;
    fv_var *step = fv_companion_scalar(g, p, FV_OPTIMIZER, "step");
    fv_value *value = fv_var_read(g, p), *d = fv_var_read(g, grad), *new_step;
    if (o->kind == FV_SGD) {
        fv_var *buffer = fv_companion(g, p, FV_OPTIMIZER, "momentum_buffer");
        const char *attrs = fv_name(g, "nesterov=%s weight_decay=%.17g", o->nesterov ? "true" : "false", decay);
        fv_value *y = fv_op(g, "sgd", attrs, 8, value, d, fv_var_read(g, buffer), fv_var_read(g, step), u->lr, u->momentum,
                            u->gscale, u->skip);
        fv_var_write(g, p, y);
        fv_var_write(g, buffer, fv_output_of(y, 1));
        new_step = fv_output_of(y, 2);
    } else {
        fv_var *m = fv_companion(g, p, FV_OPTIMIZER, "exp_avg"), *v = fv_companion(g, p, FV_OPTIMIZER, "exp_avg_sq");
        const char *attrs = fv_name(g, "beta2=%.17g eps=%.17g weight_decay=%.17g decoupled=%s", o->beta2 != 0 ? o->beta2 : 0.999,
                                    o->eps != 0 ? o->eps : 1e-8, decay, o->kind == FV_ADAMW ? "true" : "false");
        fv_value *y = fv_op(g, "adam", attrs, 9, value, d, fv_var_read(g, m), fv_var_read(g, v), fv_var_read(g, step), u->lr,
                            u->momentum, u->gscale, u->skip);
        fv_var_write(g, p, y);
        fv_var_write(g, m, fv_output_of(y, 1));
        fv_var_write(g, v, fv_output_of(y, 2));
        new_step = fv_output_of(y, 3);
    }
    fv_var_write(g, step, new_step);
}

/* The moving average follows parameters and float buffers, frozen ones included: it is a complete model. */
static void update_average(const update *u, fv_session *s)
{
    fv_graph *g = u->g;
    fv_value *decay = fv_scalar(g, "ema_decay", 0);
    int n = fv_session_var_count(s);
    for (int i = 0; i < n; i++) {
        fv_var *v = fv_session_var(s, i);
        if (!fvi_var_is_model(v) || !below_prefix(fv_var_name(v), u->o->prefix)) continue;
        fv_var *ema = fv_companion(g, v, FV_EMA, "ema");
        if (!ema) return;
        fv_var_write(g, ema, fv_op(g, "ema", NULL, 4, fv_var_read(g, ema), fv_var_read(g, v), decay, u->skip));
    }
}

bool fvi_var_is_model(const fv_var *v)
{
    fv_role role = fv_var_role(v);
    fv_tensor shape;
    fv_var_shape(v, &shape);
    return (role == FV_PARAMETER || role == FV_BUFFER) && fv_dtype_is_float(shape.dtype) &&
           strncmp(fv_var_name(v), FVI_STEP_PREFIX, sizeof FVI_STEP_PREFIX - 1);
}

fv_status fv_optimizer_update(fv_graph *g, fv_session *s, const fv_optimizer_options *o)
{
    update u = {.g = g, .o = o};
    int n = fv_session_var_count(s), trained = 0;
    fv_value *total = NULL;
    for (int i = 0; i < n; i++) {
        fv_var *grad = fv_session_var(s, i), *p = fv_var_base(grad);
        if (fv_var_role(grad) != FV_GRADIENT || !p || !fv_var_trainable(p) || !below_prefix(fv_var_name(p), o->prefix)) continue;
        fv_value *squares = fv_op(g, "sum_squares", NULL, 1, fv_var_read(g, grad));
        total = total ? fv_add(g, total, squares) : squares;
        trained++;
    }
    if (!trained) return fvi_fail(fv_graph_context(g), FV_ERROR_INVALID, "no gradient to update from: compile the gradient function first");
    fv_var *weight = step_sum(g, o->prefix, "weight");
    if (!weight) return fv_graph_status(g);
    fv_value *inverse = fv_div(g, fv_const(g, 1), fv_var_read(g, weight));
    u.gscale = fv_op(g, "clip_scale", fv_name(g, "max_norm=%.17g", o->max_grad_norm), 2, total, inverse);
    u.skip = fv_output_of(u.gscale, 1);
    u.lr = fv_scalar(g, "lr", 0);
    u.momentum = fv_scalar(g, o->kind == FV_SGD ? "momentum" : "beta1", 0.9);
    for (int i = 0; i < n; i++) {
        fv_var *grad = fv_session_var(s, i), *p = fv_var_base(grad);
        if (fv_var_role(grad) == FV_GRADIENT && p && fv_var_trainable(p) && below_prefix(fv_var_name(p), o->prefix))
            update_parameter(&u, p, grad);
    }
    if (o->ema) update_average(&u, s);
    fv_result(g, "norm", fv_output_of(u.gscale, 2));
    fv_result(g, "skip", u.skip);
    return fv_graph_status(g);
}
