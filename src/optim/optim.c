/* SPDX-License-Identifier: Apache-2.0 */
/* Gradients into their variables, and the update graph. What is decayed is decided by the role that a tensor was given
 * where it was created (FV_PARAM_WEIGHT), never by its name. */
#include "optim/optim.h"
#include "ir/graph.h"
#include "ops/clip_scale.h"
#include "optim/optimizer.h"

#include <math.h>
#include <stdio.h>

static const fv_init zeros = {FV_INIT_ZEROS, 0, 0};

/* ---- optimizers by name ------------------------------------------------------------------------------------------------- */

#define FVI_OPTIMIZER_FILE(file) extern const fvi_optimizer_list fvi_optimizers_##file;
#include "optimizer_list.inc"
#undef FVI_OPTIMIZER_FILE

static const fvi_optimizer_list *const files[] = {
#define FVI_OPTIMIZER_FILE(file) &fvi_optimizers_##file,
#include "optimizer_list.inc"
#undef FVI_OPTIMIZER_FILE
};

static const fvi_optimizer_def *at(int index)
{
    for (int i = 0; i < FVI_COUNT(files) && index >= 0; i++) {
        if (index < files[i]->count) return &files[i]->optimizers[index];
        index -= files[i]->count;
    }
    return NULL;
}

const char *fv_optimizer_known(int index, const char **about)
{
    const fvi_optimizer_def *d = at(index);
    if (d && about) *about = d->about;
    return d ? d->name : NULL;
}

const fvi_optimizer_def *fvi_optimizer_find(const char *name)
{
    const fvi_optimizer_def *d;
    for (int i = 0; (d = at(i)); i++)
        if (!strcmp(d->name, name ? name : "adamw")) return d;
    return NULL;
}

const char *fv_optimizer_momentum(const char *name)
{
    const fvi_optimizer_def *d = fvi_optimizer_find(name);
    return d ? d->momentum : NULL;
}

fv_status fvi_set_scalar(fv_session *s, const char *program, const char *name, const char *group, double value)
{
    char path[512];
    snprintf(path, sizeof path, "%s%s%s%s%s", program ? program : "", program ? "." : "", name, group ? "." : "", group ? group : "");
    return fv_session_set_scalar(s, path, value);
}

/* ---- gradients ---------------------------------------------------------------------------------------------------------- */

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

/* ---- update ------------------------------------------------------------------------------------------------------------- */

/* Does one of the patterns, separated by blanks, fit? */
static bool any_fits(const char *patterns, const char *name)
{
    char pattern[1024];
    for (const char *p = patterns + strspn(patterns, " "); *p; p += strspn(p, " ")) {
        const size_t n = strcspn(p, " ");
        if (n < sizeof pattern) {
            memcpy(pattern, p, n);
            pattern[n] = 0;
            if (fvi_glob(pattern, name)) return true;
        }
        p += n;
    }
    return false;
}

static const fv_param_group *group_of(const fv_optimizer_options *o, const char *name)
{
    for (int i = 0; i < o->n_groups; i++)
        if (any_fits(o->groups[i].pattern, name)) return &o->groups[i];
    return NULL;
}

/* A scalar of the program, or of one of its groups. */
static fv_value *scalar(const fvi_update *u, const char *name, const char *group, double initial)
{
    const char *program = u->o->program;
    if (program || group) name = fv_name(u->g, "%s%s%s%s%s", program ? program : "", program ? "." : "", name, group ? "." : "", group ? group : "");
    return name ? fv_scalar(u->g, name, initial) : NULL;
}

static void update_parameter(fvi_update *u, const fvi_optimizer_def *def, fv_value *rate, fv_var *p, fv_var *gradient)
{
    const fv_param_group *group = group_of(u->o, fv_var_name(p));
    const bool decays = fv_var_param_kind(p) == FV_PARAM_WEIGHT;
    u->lr = group ? scalar(u, "lr", group->name, 0) : rate;
    u->lr_scale = group && group->lr_scale != 0 ? group->lr_scale : 1;
    u->decay = !decays ? 0 : group && !isnan(group->weight_decay) ? group->weight_decay : u->o->weight_decay;
    def->update(u, p, gradient);
}

/* The moving average follows parameters and float buffers, frozen ones included: it is a complete model. */
static void update_average(const fvi_update *u, fv_session *s)
{
    fv_graph *g = u->g;
    fv_value *decay = scalar(u, "ema_decay", NULL, 0);
    int n = fv_session_var_count(s);
    for (int i = 0; i < n; i++) {
        fv_var *v = fv_session_var(s, i);
        if (!fvi_var_is_model(v) || !fvi_path_below(fv_var_name(v), u->o->prefix)) continue;
        fv_var *ema = fv_companion(g, v, FV_EMA, "ema");
        if (!ema) return;
        fv_var_write(g, ema, fvi_emit(g, "ema", NULL, 4, fv_var_read(g, ema), fv_var_read(g, v), decay, u->skip));
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

/* Nodes of the update of `n` parameters that have the gradients. */
static fv_status update_all(fv_graph *g, fv_session *s, const fv_optimizer_options *o, fv_var *const *gradients, int n)
{
    const fvi_optimizer_def *def = fvi_optimizer_find(o->name);
    const fvi_clip_scale_attr clip = {.max_norm = o->max_grad_norm};
    fvi_update u = {.g = g, .o = o};
    fv_value *total = NULL;
    if (!def) return fvi_fail(fv_graph_context(g), FV_ERROR_INVALID, "there is no optimizer \"%s\"", o->name);
    if (!n) return fvi_fail(fv_graph_context(g), FV_ERROR_INVALID, "no gradient to update from: compile the gradient function first");
    for (int i = 0; i < n; i++) {
        fv_value *squares = fvi_emit(g, "sum_squares", NULL, 1, fv_var_read(g, gradients[i]));
        total = total ? fv_add(g, total, squares) : squares;
    }
    fv_var *weight = step_sum(g, o->prefix, "weight");
    if (!weight) return fv_graph_status(g);
    fv_value *inverse = fv_div(g, fv_const(g, 1), fv_var_read(g, weight));
    u.gscale = fvi_emit(g, "clip_scale", &clip, 2, total, inverse);
    u.skip = fv_output_of(u.gscale, 1);
    fv_value *rate = scalar(&u, "lr", NULL, 0);
    if (def->momentum) u.momentum = scalar(&u, def->momentum, NULL, def->momentum_default);
    for (int i = 0; i < n; i++) update_parameter(&u, def, rate, fv_var_base(gradients[i]), gradients[i]);
    if (o->ema) update_average(&u, s);
    fv_result(g, "norm", fv_output_of(u.gscale, 2));
    fv_result(g, "skip", u.skip);
    return fv_graph_status(g);
}

fv_status fv_optimizer_update(fv_graph *g, fv_session *s, const fv_optimizer_options *o)
{
    const int n = fvi_graph_gradients(g, o->prefix, NULL, 0);
    fv_var **gradients = fvi_calloc((size_t)n + 1, sizeof *gradients);
    if (!gradients) return fvi_nomem(fv_graph_context(g));
    fvi_graph_gradients(g, o->prefix, gradients, n);
    const fv_status status = update_all(g, s, o, gradients, n);
    fvi_free(gradients);
    return status;
}
