/* SPDX-License-Identifier: Apache-2.0 */
/* Convolution, linear layer, normalisation: where parameters are asked for. */
#include "fovea/nn.h"
#include "ir/graph.h"

#include <stdio.h>

fv_value *fv_conv2d(fv_graph *g, const char *name, fv_value *x, const fv_conv_options *o)
{
    if (!name || !x) return NULL;
    fv_push(g, "%s", name);
    fv_value *y = NULL;
    int64_t groups = o->groups ? o->groups : 1, dilation = o->dilation ? o->dilation : 1, stride = o->stride ? o->stride : 1;
    int64_t in = fv_value_dim(x, 1);
    if (fv_value_rank(x) != 4) {
        fv_graph_fail(g, FV_ERROR_SHAPE, "a convolution wants (N, C, H, W), not %d dimensions", fv_value_rank(x));
    } else if (o->out < 1 || o->kernel < 1 || in % groups || o->out % groups) {
        fv_graph_fail(g, FV_ERROR_INVALID, "convolution with %lld output channels, kernel %lld, %lld groups over %lld channels",
                      (long long)o->out, (long long)o->kernel, (long long)groups, (long long)in);
    } else {
        int64_t dims[4] = {o->out, in / groups, o->kernel, o->kernel};
        fv_value *w = fv_param(g, "weight", FV_PARAM_WEIGHT, 4, dims, o->init ? *o->init : fv_init_kaiming_fan_out(4, dims));
        fv_value *b = o->bias ? fv_param(g, "bias", FV_PARAM_BIAS, 1, &o->out,
                                            o->bias_init ? *o->bias_init : fv_init_linear(dims[1] * o->kernel * o->kernel)) : NULL;
        int64_t padding = o->same ? dilation * (o->kernel - 1) / 2 : o->padding;
        fv_conv2d_options c = {{stride, stride}, {padding, padding}, {dilation, dilation}, groups};
        y = fv_conv2d_op(g, x, w, b, &c);
    }
    fv_pop(g);
    return y;
}

fv_value *fv_linear_with(fv_graph *g, const char *name, fv_value *x, const fv_linear_options *o)
{
    if (!name || !x) return NULL;
    const int64_t out = o->out;
    fv_push(g, "%s", name);
    int64_t in = fv_value_dim(x, -1);
    fv_value *y = NULL;
    if (out < 1 || in < 1) {
        fv_graph_fail(g, FV_ERROR_SHAPE, "linear layer from %lld to %lld features", (long long)in, (long long)out);
    } else {
        int64_t dims[2] = {out, in};
        fv_value *w = fv_param(g, "weight", FV_PARAM_WEIGHT, 2, dims, o->init ? *o->init : fv_init_linear(in));
        fv_value *b = !o->no_bias ? fv_param(g, "bias", FV_PARAM_BIAS, 1, &out, o->bias_init ? *o->bias_init : fv_init_linear(in)) : NULL;
        y = b ? fv_op(g, "linear", NULL, 3, x, w, b) : fv_op(g, "linear", NULL, 2, x, w);
    }
    fv_pop(g);
    return y;
}

fv_value *fv_linear(fv_graph *g, const char *name, fv_value *x, int64_t out)
{
    return fv_linear_with(g, name, x, &FV_LINEAR(.out = out));
}

fv_value *fv_linear_without_bias(fv_graph *g, const char *name, fv_value *x, int64_t out)
{
    return fv_linear_with(g, name, x, &FV_LINEAR(.out = out, .no_bias = true));
}

/* running += momentum * (new - running) */
static void track(fv_graph *g, const char *name, fv_value *running, fv_value *value, double momentum)
{
    fv_var *var = fv_graph_find_var(g, fvi_graph_path(g, name));
    if (!var) return;
    fv_var_write(g, var, fv_op(g, "lerp", fv_name(g, "t=%.17g", momentum), 2, running, value));
}

fv_value *fv_batch_norm(fv_graph *g, const char *name, fv_value *x, const fv_norm_options *o)
{
    if (!name || !x) return NULL;
    fv_norm_options none = {0};
    if (!o) o = &none;
    double momentum = o->momentum != 0 ? o->momentum : 0.1;
    int64_t channels = fv_value_dim(x, 1);
    fv_init one = {FV_INIT_CONSTANT, 1, 0}, zero = {FV_INIT_ZEROS, 0, 0};
    fv_push(g, "%s", name);
    const char *attrs = fv_name(g, "eps=%.17g", o->eps != 0 ? o->eps : 1e-5);
    fv_dtype dtype = fv_graph_dtype(g);
    fv_value *scale = fv_param(g, "weight", FV_PARAM_NORM, 1, &channels, o->scale_init ? *o->scale_init : o->zero_scale ? zero : one);
    fv_value *shift = fv_param(g, "bias", FV_PARAM_NORM, 1, &channels, o->shift_init ? *o->shift_init : zero);
    fv_value *mean = fv_buffer(g, "running_mean", dtype, 1, &channels, zero);
    fv_value *var = fv_buffer(g, "running_var", dtype, 1, &channels, one);
    fv_var *scale_var = scale ? fv_graph_find_var(g, fvi_graph_path(g, "weight")) : NULL;
    fv_value *y;
    if (fv_graph_is_training(g) && scale_var && fv_var_trainable(scale_var)) {
        y = fv_op(g, "batch_norm_train", attrs, 3, x, scale, shift);
        track(g, "running_mean", mean, fv_output_of(y, 1), momentum);
        track(g, "running_var", var, fv_output_of(y, 3), momentum);
    } else {
        y = fv_op(g, "batch_norm_eval", attrs, 5, x, scale, shift, mean, var);
    }
    fv_pop(g);
    return y;
}

fv_value *fv_layer_norm(fv_graph *g, const char *name, fv_value *x, int axis, const fv_norm_options *o)
{
    if (!name || !x) return NULL;
    const fv_norm_options none = {0};
    if (!o) o = &none;
    int64_t features = fv_value_dim(x, axis);
    fv_init one = {FV_INIT_CONSTANT, 1, 0}, zero = {FV_INIT_ZEROS, 0, 0};
    fv_push(g, "%s", name);
    fv_value *scale = fv_param(g, "weight", FV_PARAM_NORM, 1, &features, o->scale_init ? *o->scale_init : o->zero_scale ? zero : one);
    fv_value *shift = fv_param(g, "bias", FV_PARAM_NORM, 1, &features, o->shift_init ? *o->shift_init : zero);
    fv_value *y = fv_op(g, "layer_norm", fv_name(g, "eps=%.17g axis=%d", o->eps != 0 ? o->eps : 1e-6, axis), 3, x, scale, shift);
    fv_pop(g);
    return y;
}

fv_value *fv_global_average_pool(fv_graph *g, fv_value *x)
{
    return fv_flatten(g, fv_global_avg_pool2d(g, x), 1);
}
