/* SPDX-License-Identifier: Apache-2.0 */
/* A model, a loss and a training step of one's own, from the public headers only. The gradient of the loss is compared
 * with central differences; then the model takes ten steps on one batch. In double, to be compared: real training is f32. */
#include <fovea/nn.h>

#include <math.h>
#include <stdio.h>

enum { N = 6, CLASSES = 4, SIDE = 8, PIXELS = N * 3 * SIDE * SIDE, LOGITS = N * CLASSES };
#define TRY(call) do { fv_status status_ = (call); if (status_ != FV_OK) return status_; } while (0)

static double x[PIXELS], target[LOGITS], logits[LOGITS], gradient[LOGITS], weights[4096];
static fv_session *s;
static fv_function *loss_of, *gradients, *update;
static const fv_input_spec inputs[3] = {                                /* the loss takes the first two, the step the last two */
    {"logits", FV_F64, 2, {FV_N, CLASSES}}, {"target", FV_F64, 2, {FV_N, CLASSES}}, {"x", FV_F64, 4, {FV_N, 3, SIDE, SIDE}}};
static const fv_tensor data[3] = {{FV_F64, 2, {N, CLASSES}, logits}, {FV_F64, 2, {N, CLASSES}, target}, {FV_F64, 4, {N, 3, SIDE, SIDE}, x}};

static fv_value *model(fv_graph *g, fv_value *v)                        /* (N, 3, 8, 8) -> (N, 4) */
{
    v = fv_silu(g, fv_conv2d(g, "stem", v, &FV_CONV(.out = 8, .kernel = 3, .same = true, .bias = true)));
    v = fv_conv_bn_act(g, "body", v, &FV_CONV(.out = 16, .kernel = 3, .stride = 2));
    return fv_linear(g, "head", fv_global_average_pool(g, v), CLASSES);
}

/* Focal loss with gamma 2 (Lin et al. 2017), summed: -(1 - p)^2 log p of the true class. truth: rows (N, 4) of 0 and 1. */
static fv_value *focal_loss(fv_graph *g, fv_value *scores, fv_value *truth)
{
    fv_value *log_p = fv_sum(g, fv_mul(g, fv_log_softmax(g, scores, 1), truth), 1 << 1, false);        /* (N) */
    return fv_neg(g, fv_sum(g, fv_mul(g, fv_square(g, fv_offset(g, fv_exp(g, log_p), -1)), log_p), 0, false));
}

static fv_status build_loss(fv_graph *g, fv_value *const *in, int n_in, void *user)
{
    fv_value *loss = focal_loss(g, in[0], in[1]), *d_logits = NULL;
    TRY(fv_grad(g, 1, &loss, NULL, 1, &in[0], &d_logits));
    fv_result(g, "loss", loss), fv_result(g, "gradient", d_logits);
    return (void)n_in, (void)user, fv_graph_status(g);
}

/* One training step: gradients of the mean loss, then AdamW. */
static fv_status build_gradients(fv_graph *g, fv_value *const *in, int n_in, void *user)
{
    fv_value *loss = focal_loss(g, model(g, in[1]), in[0]), *count = fv_sum(g, in[0], 0, false);
    TRY(fv_accumulate_gradients(g, NULL, loss, count, true));
    fv_result(g, "mean", fv_div(g, loss, count));
    return (void)n_in, (void)user, fv_graph_status(g);
}

static fv_status build_update(fv_graph *g, fv_value *const *in, int n_in, void *user)
{
    return (void)in, (void)n_in, (void)user, fv_optimizer_update(g, s, &(fv_optimizer_options){.name = "adamw", .weight_decay = 0.05});
}

static fv_status run(fv_context *ctx)
{
    double loss[2], worst = 0;
    TRY(fv_session_create(ctx, &(fv_session_options){.dtype = FV_F64}, &s));
    TRY(fv_function_create(s, "loss", inputs, 2, build_loss, NULL, NULL, &loss_of));
    TRY(fv_function_call(loss_of, data, 2, (fv_tensor[2]){{.dtype = FV_F64}, {FV_F64, 2, {N, CLASSES}, gradient}}, 2));
    for (int i = 0; i < LOGITS; i++, logits[i - 1] += 1e-5) {
        for (int k = 0; k < 2; k++) {
            logits[i] += k ? -2e-5 : 1e-5;
            TRY(fv_function_call(loss_of, data, 2, &(fv_tensor){.dtype = FV_F64, .data = &loss[k]}, 1));
        }
        worst = fmax(worst, fabs((loss[0] - loss[1]) / 2e-5 - gradient[i]));
    }
    printf("gradient within 1e-8 of central differences: %s\n", worst < 1e-8 ? "yes" : "NO");
    TRY(fv_function_create(s, "gradients", inputs + 1, 2, build_gradients, NULL, &(fv_function_options){.training = true}, &gradients));
    TRY(fv_function_create(s, "update", NULL, 0, build_update, NULL, NULL, &update));
    TRY(fv_function_compile(gradients, data + 1, 2, NULL));              /* makes the variables */
    for (int v = 0; v < fv_session_var_count(s); v++) {                  /* a start that any program can repeat */
        fv_var *var = fv_session_var(s, v);
        fv_tensor t;
        fv_var_shape(var, &t);
        t.data = weights;
        for (int i = 0; i < fv_var_numel(var); i++) weights[i] = 0.3 * sin(0.7 * i + (double)fv_var_numel(var));
        if (fv_var_role(var) == FV_PARAMETER && fv_var_param_kind(var) != FV_PARAM_NORM) TRY(fv_var_set(s, var, &t));
    }
    TRY(fv_session_set_scalar(s, "lr", 0.01));
    for (int step = 0; step < 10; step++) {
        TRY(fv_function_call(gradients, data + 1, 2, &(fv_tensor){.dtype = FV_F64, .data = loss}, 1));
        TRY(fv_function_call(update, NULL, 0, NULL, 0));
        printf("step %d loss %.12f\n", step, loss[0]);
    }
    return FV_OK;
}

int main(void)
{
    fv_context *ctx = fv_context_create();
    for (int i = 0; i < PIXELS; i++) x[i] = sin(0.1 * i + 0.003 * (i % 7) * i);
    for (int i = 0; i < LOGITS; i++) logits[i] = 2 * sin(1.7 * i), target[i] = i % CLASSES == i / CLASSES % CLASSES;
    const fv_status status = ctx ? run(ctx) : FV_ERROR_NOMEM;
    if (status != FV_OK && ctx) fprintf(stderr, "own_model: %s\n", fv_error_message(ctx));
    fv_function_destroy(loss_of), fv_function_destroy(gradients), fv_function_destroy(update);
    fv_session_destroy(s), fv_context_destroy(ctx);
    return status != FV_OK;
}
