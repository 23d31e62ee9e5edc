/* SPDX-License-Identifier: Apache-2.0 */
#include "states.h"

#include "fovea/model.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

fv_value *states_resnet18(fv_graph *g, fv_value *x)
{
    fv_model *m = NULL;
    fv_value *y = NULL;
    if (fv_model_create(fv_graph_context(g), "resnet18", &(fv_model_options){.classes = 10}, &m) == FV_OK) y = fv_model_build(g, m, x);
    fv_model_destroy(m);
    return y;
}

fv_value *states_tiny(fv_graph *g, fv_value *x)
{
    x = fv_conv2d(g, "conv1", x, &FV_CONV(.out = 8, .kernel = 3, .padding = 1));
    x = fv_relu(g, fv_batch_norm(g, "bn1", x, NULL));
    x = fv_basic_block(g, "layer1.0", x, 8, 1);
    x = fv_basic_block(g, "layer2.0", x, 16, 2);
    return fv_linear(g, "fc", fv_global_average_pool(g, x), 10);
}

fv_tensor states_tensor(nets *n, const fvi_st_file *file, const char *name, fv_dtype dtype)
{
    const fvi_st_tensor *t = fvi_st_find(file, name);
    fv_tensor out = {.dtype = dtype};
    if (!t || t->rank > FV_MAX_RANK) return out;
    out.rank = t->rank;
    for (int k = 0; k < t->rank; k++) out.dims[k] = t->dims[k];
    out.data = fvi_arena_alloc(&n->arena, (size_t)FVI_MAX(t->numel, 1) * fv_dtype_size(dtype));
    if (out.data && fvi_st_read(n->ctx, file, t, dtype, out.data) != FV_OK) out.data = NULL;
    return out;
}

bool states_load(nets *n, const fvi_st_file *file)
{
    for (int i = 0; i < file->count; i++) {
        if (strncmp(file->tensors[i].name, "param.", 6)) continue;
        fv_var *v = fv_session_find(n->s, file->tensors[i].name + 6);
        const fv_tensor t = states_tensor(n, file, file->tensors[i].name, n->dtype);
        if (v && t.data && fv_var_set(n->s, v, &t) == FV_OK) continue;
        printf("    %s: cannot be set\n", file->tensors[i].name);
        return false;
    }
    return true;
}

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Relative L2 error of one gradient; ours is of the sum. */
static double gradient_error(nets *n, const fvi_st_file *file, const fvi_st_tensor *t, double weight)
{
    char name[256];
    snprintf(name, sizeof name, "%s:grad", t->name + 5);
    fv_var *v = fv_session_find(n->s, name);
    const fv_tensor want = states_tensor(n, file, t->name, FV_F64);
    fv_tensor got = want;
    got.data = fvi_malloc((size_t)t->numel * 8);
    double error = 0, norm = 0;
    if (!v || !want.data || !got.data || fv_var_get(n->s, v, &got) != FV_OK) error = INFINITY;
    for (int64_t i = 0; i < t->numel && error < INFINITY; i++) {
        const double w = ((double *)want.data)[i], d = ((double *)got.data)[i] / weight - w;
        error += d * d;
        norm += w * w;
    }
    fvi_free(got.data);
    return isnan(error) ? INFINITY : sqrt(error / FVI_MAX(norm, 1e-300));
}

static void compare_gradients(nets *n, const fvi_st_file *file, double weight, states_result *out)
{
    double errors[256];
    for (int i = 0; i < file->count && out->tensors < FVI_COUNT(errors); i++) {
        const fvi_st_tensor *t = &file->tensors[i];
        if (strncmp(t->name, "grad.", 5)) continue;
        const double e = errors[out->tensors++] = gradient_error(n, file, t, weight);
        if (e < out->worst) continue;
        out->worst = e;
        snprintf(out->worst_name, sizeof out->worst_name, "%s", t->name + 5);
    }
    if (!out->tensors) return;
    qsort(errors, (size_t)out->tensors, sizeof *errors, by_value);
    out->median = errors[out->tensors / 2];
}

bool states_compare(nets *n, const char *path, fv_value *(*net)(fv_graph *g, fv_value *x), states_result *out)
{
    fvi_st_file file = {0};
    nets_step step = {.net = net, .session = n->s};
    const fv_function_options training = {.training = true};
    memset(out, 0, sizeof *out);
    fv_function *f = NULL;
    bool ok = fvi_st_open(n->ctx, path, &file) == FV_OK;
    if (ok) {
        fv_tensor in[2] = {states_tensor(n, &file, "x", n->dtype), states_tensor(n, &file, "y", FV_I64)};
        const fv_tensor want = states_tensor(n, &file, "loss", FV_F64), result[2] = {nets_scalar(n), nets_scalar(n)};
        ok = in[0].data && in[1].data && want.data;
        if (ok) ok = (f = nets_function(n, "gradient", NETS_PICTURES(in[0].dims[2]), 2, nets_build_gradient, &step, &training)) != NULL;
        ok = ok && fv_function_compile(f, in, 2, NULL) == FV_OK && states_load(n, &file) && fv_function_call(f, in, 2, result, 2) == FV_OK;
        if (ok) {
            const double weight = nets_number(result[1]), loss = *(const double *)want.data;
            out->loss = nets_number(result[0]) / weight;
            out->loss_error = fabs(out->loss - loss) / FVI_MAX(1, fabs(loss));
            compare_gradients(n, &file, weight, out);
        }
    }
    if (!ok) printf("    %s: %s\n", path, fv_error_text(n->ctx));
    fv_function_destroy(f);
    fvi_st_close(&file);
    return ok && out->tensors;
}
