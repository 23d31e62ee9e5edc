/* SPDX-License-Identifier: Apache-2.0 */
#include "nets.h"

#include <math.h>
#include <stdio.h>

const nets_way nets_ways[3] = {
    {"f64", NULL, FV_F64, false, 1e-9},
    {"f64, interpreted", "none", FV_F64, false, 1e-9},
    {"f32", NULL, FV_F32, false, 2e-3},
};

bool nets_open(nets *n, const char *golden, const nets_way *way)
{
    memset(n, 0, sizeof *n);
    n->dtype = way->dtype;
    n->tolerance = way->tolerance;
    n->ctx = fv_context_create();
    const fv_session_options o = {.dtype = way->dtype, .amp = way->amp, .passes = way->passes, .seed = 1};
    char path[512];
    snprintf(path, sizeof path, FOVEA_TESTS_DIR "/golden/engine_%s.safetensors", golden ? golden : "");
    if (n->ctx && fv_session_create(n->ctx, &o, &n->s) == FV_OK && (!golden || fvi_st_open(n->ctx, path, &n->golden) == FV_OK)) return true;
    printf("    %s\n", n->ctx ? fv_error_text(n->ctx) : "no context");
    return false;
}

void nets_close(nets *n)
{
    fv_session_destroy(n->s);
    fvi_st_close(&n->golden);
    fvi_arena_free(&n->arena);
    fv_context_destroy(n->ctx);
}

fv_function *nets_function(nets *n, const char *name, const fv_input_spec *inputs, int n_inputs, fv_build_fn *build, void *user,
                           const fv_function_options *options)
{
    fv_input_spec specs[8];
    fv_function *f = NULL;
    for (int i = 0; i < n_inputs; i++) {
        specs[i] = inputs[i];
        if (specs[i].dtype == FV_F64) specs[i].dtype = n->dtype;
    }
    if (fv_function_create(n->s, name, specs, n_inputs, build, user, options, &f) == FV_OK) return f;
    printf("    %s\n", fv_error_text(n->ctx));
    return NULL;
}

/* ---- the formula ---- */

static uint64_t mix(uint64_t x)
{
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

static uint64_t base_of(const char *prefix, const char *stream)
{
    uint64_t h = 14695981039346656037u;
    for (const char *c = prefix; *c; c++) h = (h ^ (unsigned char)*c) * 1099511628211u;
    for (const char *c = stream; *c; c++) h = (h ^ (unsigned char)*c) * 1099511628211u;
    return mix(h);
}

static double unit(uint64_t base, int64_t i)
{
    return (double)(mix(base + (uint64_t)i) >> 11) * 0x1p-53;
}

double nets_unit(const char *stream, int64_t i) { return unit(base_of("", stream), i); }

static bool ends(const char *text, const char *end)
{
    const size_t a = strlen(text), b = strlen(end);
    return a >= b && !strcmp(text + a - b, end);
}

double nets_initial_value(const char *name, int rank, const int64_t *dims, int64_t i)
{
    const double u = unit(base_of("init.", name), i);
    double v;
    if (ends(name, "running_mean")) v = 0.1 * (2 * u - 1);
    else if (ends(name, "running_var")) v = 1 + 0.5 * u;
    else if (ends(name, "lora_B")) v = 0;
    else if (rank >= 2) {
        int64_t fan = 1;
        for (int k = 1; k < rank; k++) fan *= dims[k];
        v = (2 * u - 1) * sqrt(6.0 / (double)fan);
    } else if (ends(name, "weight")) v = 1 + 0.2 * (2 * u - 1);
    else v = 0.1 * (2 * u - 1);
    return (double)(float)v;
}

static void put(fv_tensor *t, int64_t i, double v)
{
    if (t->dtype == FV_F64) ((double *)t->data)[i] = v;
    else if (t->dtype == FV_F32) ((float *)t->data)[i] = (float)v;
    else ((int64_t *)t->data)[i] = (int64_t)v;
}

bool nets_initial(nets *n)
{
    for (int i = 0; i < fv_session_var_count(n->s); i++) {
        fv_var *v = fv_session_var(n->s, i);
        const fv_role role = fv_var_role(v);
        fv_tensor t;
        fv_var_shape(v, &t);
        if ((role != FV_PARAMETER && role != FV_BUFFER) || !fv_dtype_is_float(t.dtype) || fv_var_name(v)[0] == '_') continue;
        t.dtype = FV_F64;
        const int64_t count = fv_var_numel(v);
        if (!(t.data = fvi_malloc((size_t)count * 8))) return false;
        for (int64_t k = 0; k < count; k++) put(&t, k, nets_initial_value(fv_var_name(v), t.rank, t.dims, k));
        const fv_status status = fv_var_set(n->s, v, &t);
        fvi_free(t.data);
        if (status != FV_OK) return false;
    }
    return true;
}

static fv_tensor tensor_of(nets *n, fv_dtype dtype, int rank, const int64_t *dims)
{
    fv_tensor t = {.dtype = dtype, .rank = rank};
    int64_t count = 1;
    for (int k = 0; k < rank; k++) count *= t.dims[k] = dims[k];
    t.data = fvi_arena_alloc(&n->arena, (size_t)FVI_MAX(count, 1) * 8);
    return t;
}

fv_tensor nets_data(nets *n, const char *stream, int rank, const int64_t *dims)
{
    fv_tensor t = tensor_of(n, n->dtype, rank, dims);
    int64_t count = 1;
    const uint64_t base = base_of("", stream);
    for (int k = 0; k < rank; k++) count *= dims[k];
    for (int64_t i = 0; i < count && t.data; i++) put(&t, i, (double)(float)(2 * unit(base, i) - 1));
    return t;
}

fv_tensor nets_labels(nets *n, const char *stream, int64_t count, int classes)
{
    fv_tensor t = tensor_of(n, FV_I64, 1, &count);
    for (int64_t i = 0; i < count && t.data; i++) put(&t, i, floor(nets_unit(stream, i) * classes));
    return t;
}

fv_tensor nets_rows(fv_tensor t, int64_t first, int64_t count)
{
    size_t bytes = fv_dtype_size(t.dtype);
    for (int k = 1; k < t.rank; k++) bytes *= (size_t)t.dims[k];
    t.data = (char *)t.data + (size_t)first * bytes;
    t.dims[0] = count;
    return t;
}

fv_tensor nets_scalar(nets *n)
{
    return tensor_of(n, n->dtype, 0, NULL);
}

double nets_number(fv_tensor t)
{
    return t.dtype == FV_F64 ? *(double *)t.data : *(float *)t.data;
}

/* ---- what PyTorch says ---- */

double nets_golden(nets *n, const char *tensor, int64_t index)
{
    const fvi_st_tensor *t = fvi_st_find(&n->golden, tensor);
    double v;
    if (!t || t->dtype != FVI_ST_F64 || index >= t->numel) return NAN;
    memcpy(&v, t->data + 8 * index, 8);
    return v;
}

static double distance_of(nets *n, const fvi_st_tensor *t)
{
    fv_var *v = fv_session_find(n->s, t->name + strlen("final."));
    if (!v || fv_var_numel(v) != t->numel) return INFINITY;
    fv_tensor got;
    fv_var_shape(v, &got);
    got.dtype = FV_F64;
    double *values = got.data = fvi_malloc((size_t)t->numel * 8), error = 0, scale = 0;
    if (!values || fv_var_get(n->s, v, &got) != FV_OK) error = INFINITY;
    for (int64_t i = 0; i < t->numel && error < INFINITY; i++) {
        double want;
        memcpy(&want, t->data + 8 * i, 8);
        const double e = fabs(values[i] - want);
        if (isnan(e)) error = INFINITY;
        error = FVI_MAX(error, e);
        scale = FVI_MAX(scale, fabs(want));
    }
    fvi_free(values);
    return error == 0 ? 0 : error / scale;
}

double nets_distance(nets *n)
{
    double worst = -1;
    for (int i = 0; i < n->golden.count; i++) {
        if (strncmp(n->golden.tensors[i].name, "final.", 6)) continue;
        const double d = distance_of(n, &n->golden.tensors[i]);
        if (d <= worst) continue;
        worst = d;
        snprintf(n->worst, sizeof n->worst, "%s", n->golden.tensors[i].name);
    }
    return worst < 0 ? INFINITY : worst;
}

bool nets_set(nets *n, const char *scalar, double value)
{
    return fv_session_set_scalar(n->s, scalar, value) == FV_OK;
}

nets_copy nets_snapshot(nets *n, const char *pattern, fv_role role)
{
    nets_copy c = {0};
    int64_t total = 0;
    for (int i = 0; i < fv_session_var_count(n->s); i++) total += fv_var_numel(fv_session_var(n->s, i));
    c.values = fvi_arena_alloc(&n->arena, (size_t)FVI_MAX(total, 1) * 8);
    for (int i = 0; i < fv_session_var_count(n->s) && c.values; i++) {
        const fv_var *v = fv_session_var(n->s, i);
        fv_tensor t;
        fv_var_shape(v, &t);
        if (!fv_dtype_is_float(t.dtype) || !fvi_glob(pattern, fv_var_name(v)) || (role != FV_ROLE_COUNT && fv_var_role(v) != role)) continue;
        t.dtype = FV_F64;
        t.data = c.values + c.count;
        if (fv_var_get(n->s, v, &t) != FV_OK) return (nets_copy){0};
        c.count += fv_var_numel(v);
    }
    return c;
}

bool nets_same(const nets_copy *a, const nets_copy *b)
{
    return a->count > 0 && a->count == b->count && !memcmp(a->values, b->values, (size_t)a->count * 8);
}

fv_value *nets_two_blocks(fv_graph *g, fv_value *x)
{
    x = fv_conv_bn_act(g, "layer1", x, &FV_CONV(.out = 6, .kernel = 3));
    x = fv_conv_bn_act(g, "layer2", x, &FV_CONV(.out = 8, .kernel = 3, .stride = 2));
    return fv_linear(g, "fc", fv_global_average_pool(g, x), 5);
}

static fv_value *class_weights(fv_graph *g)
{
    static const double weights[5] = {0.5, 1, 1.5, 2, 0.25};
    fv_value *part[5];
    for (int i = 0; i < 5; i++) part[i] = fv_full(g, weights[i], 1, (const int64_t[]){1});
    return fv_concat(g, 0, 5, part);
}

fv_status nets_build_gradient(fv_graph *g, fv_value *const *in, int n_in, void *user)
{
    (void)n_in;
    nets_step *s = user;
    s->gradient_builds++;
    fv_value *weight, *logits = s->net(g, in[0]);
    const fv_cross_entropy_options o = {.class_weight = s->class_weight ? class_weights(g) : NULL};
    fv_value *loss = fv_cross_entropy(g, logits, in[1], &o, &weight);
    const fv_status status = fv_accumulate_gradients(g, NULL, loss, weight, !s->more);
    fv_result(g, "loss", loss);
    fv_result(g, "weight", weight);
    return status;
}

fv_status nets_build_update(fv_graph *g, fv_value *const *in, int n_in, void *user)
{
    (void)in, (void)n_in;
    nets_step *s = user;
    s->update_builds++;
    return fv_optimizer_update(g, s->session, &s->optimizer);
}
