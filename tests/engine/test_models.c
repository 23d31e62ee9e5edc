/* SPDX-License-Identifier: Apache-2.0 */
/* Models: the parameter counts and names that torchvision has, initial values, arguments and their mistakes. */
#include "test.h"

#include "base/base.h"
#include "fovea/model.h"
#include "fovea/nn.h"

static void parameter_counts(void)
{
    static const struct { const char *model, *args; int64_t classes, parameters; int tensors; } cases[] = {
        {"resnet18", NULL, 1000, 11689512, 62}, {"resnet34", NULL, 1000, 21797672, 110}, {"resnet50", NULL, 1000, 25557032, 161},
        {"resnet18", NULL, 200, 11279112, 62}, {"resnet34", NULL, 200, 21387272, 110}, {"resnet50", NULL, 200, 23917832, 161},
        {"resnet18", NULL, 5, 11179077, 62}, {"resnet18", "{\"stem\": \"cifar\"}", 10, 11173962, 62},
        {"resnet34", "{\"stem\": \"cifar\"}", 10, 21282122, 110}, {"resnet50", "{\"stem\": \"cifar\"}", 10, 23520842, 161},
        {"resnet20", NULL, 10, 272474, 65}, {"resnet32", NULL, 10, 466906, 101}, {"resnet56", NULL, 10, 855770, 173},
        {"resnet20", "{\"width\": 8}", 10, 68786, 65},
    };
    fv_context *ctx = fv_context_create();
    for (int i = 0; i < FVI_COUNT(cases); i++) {
        fv_model *m = NULL;
        fv_summary *s = NULL;
        fv_summary_options o = {.input = {3, 64, 64}, .plain = true};
        CHECK_EQ(fv_model_create(ctx, cases[i].model, &(fv_model_options){cases[i].classes, cases[i].args}, &m), FV_OK);
        CHECK_MSG(fv_model_summary(ctx, m, &o, &s) == FV_OK, "%s", fv_error_text(ctx));
        CHECK_EQ(s->parameters, cases[i].parameters);
        CHECK_EQ(s->trainable, cases[i].parameters);
        CHECK_EQ(s->parameter_tensors, cases[i].tensors);
        fv_summary_destroy(s);
        fv_model_destroy(m);
    }
    fv_context_destroy(ctx);
}

static fv_status build(fv_graph *g, fv_value *const *in, int n_in, void *user)
{
    (void)n_in;
    fv_result(g, "y", fv_model_build(g, user, in[0]));
    return fv_graph_status(g);
}

/* A session with the model's variables made. */
static fv_session *session_of(fv_context *ctx, const fv_model *m, fv_function **f)
{
    fv_session *s = NULL;
    fv_input_spec spec = {"x", FV_F32, 4, {FV_N, 3, 32, 32}};
    fv_tensor shape = {FV_F32, 4, {1, 3, 32, 32}, NULL};
    double flops;
    union { const fv_model *in; void *out; } user = {m};
    if (fv_session_create(ctx, &(fv_session_options){.seed = 3}, &s) != FV_OK) return NULL;
    if (fv_function_create(s, "f", &spec, 1, build, user.out, NULL, f) != FV_OK || fv_function_flops(*f, &shape, 1, &flops) != FV_OK)
        printf("    %s\n", fv_error_text(ctx));
    return s;
}

static void spread(fv_session *s, const char *name, double *mean, double *deviation, double *largest)
{
    fv_var *v = fv_session_find(s, name);
    *mean = *deviation = *largest = NAN;
    if (!v) return;
    fv_tensor t;
    fv_var_shape(v, &t);
    int64_t n = fv_var_numel(v);
    float *x = fvi_calloc((size_t)n, sizeof *x);
    t.data = x;
    if (fv_var_get(s, v, &t) == FV_OK) {
        double sum = 0, squares = 0;
        *largest = 0;
        for (int64_t i = 0; i < n; i++) {
            sum += (double)x[i];
            squares += (double)x[i] * (double)x[i];
            *largest = FVI_MAX(*largest, fabs((double)x[i]));
        }
        *mean = sum / (double)n;
        *deviation = sqrt(squares / (double)n - *mean * *mean);
    }
    fvi_free(x);
}

static void names_and_initial_values(void)
{
    static const char *const names[] = {"conv1.weight", "bn1.weight", "bn1.bias", "bn1.running_mean", "bn1.running_var", "layer1.0.conv1.weight",
        "layer2.0.downsample.0.weight", "layer2.0.downsample.1.running_var", "layer4.1.bn2.weight", "fc.weight", "fc.bias"};
    fv_context *ctx = fv_context_create();
    fv_model *m = NULL;
    fv_function *f = NULL;
    double mean, deviation, largest;
    CHECK_EQ(fv_model_create(ctx, "resnet18", &(fv_model_options){10, "{\"zero_init_residual\": true}"}, &m), FV_OK);
    fv_session *s = session_of(ctx, m, &f);
    for (int i = 0; i < FVI_COUNT(names); i++) CHECK_MSG(fv_session_find(s, names[i]) != NULL, "no %s", names[i]);
    CHECK(fv_session_find(s, "layer1.0.downsample.0.weight") == NULL);
    spread(s, "layer3.1.conv2.weight", &mean, &deviation, &largest);     /* fan out: 256 * 9 */
    CHECK_CLOSE(mean, 0, 1e-3);
    CHECK_CLOSE(deviation / sqrt(2.0 / (256 * 9)), 1, 5e-3);
    spread(s, "fc.weight", &mean, &deviation, &largest);                 /* U(+-1/sqrt(512)) */
    CHECK(largest <= 1 / sqrt(512.0) && largest > .98 / sqrt(512.0));
    CHECK_CLOSE(deviation * sqrt(3.0 * 512), 1, 2e-2);
    spread(s, "layer1.0.bn1.weight", &mean, &deviation, &largest);
    CHECK_CLOSE(mean, 1, 0);
    spread(s, "layer1.0.bn2.weight", &mean, &deviation, &largest);
    CHECK_CLOSE(largest, 0, 0);
    spread(s, "layer4.0.downsample.1.running_var", &mean, &deviation, &largest);
    CHECK_CLOSE(mean, 1, 0);
    CHECK_EQ(fv_var_param_kind(fv_session_find(s, "layer1.0.bn1.weight")), FV_PARAM_NORM);
    CHECK_EQ(fv_var_param_kind(fv_session_find(s, "fc.weight")), FV_PARAM_WEIGHT);
    CHECK_EQ(fv_var_param_kind(fv_session_find(s, "fc.bias")), FV_PARAM_BIAS);
    fv_function_destroy(f);
    fv_session_destroy(s);
    fv_model_destroy(m);
    fv_context_destroy(ctx);
}

static void mistakes(void)
{
    static const struct { const char *model, *args, *message; } cases[] = {
        {"resnet19", NULL, "unknown model \"resnet19\"; did you mean \"resnet18\"?"},
        {"vgg", NULL, "unknown model \"vgg\""},
        {"resnet18", "{\"stam\": \"cifar\"}", "unknown argument stam of model resnet18; did you mean \"stem\"?"},
        {"resnet18", "{\"stem\": \"cifer\"}", "did you mean \"cifar\"?"},
        {"resnet18", "{\"stem\": 3}", "argument stem of model resnet18 has a value of the wrong type"},
        {"resnet18", "{\"zero_init_residual\": \"true\"}", "wrong type"},
        {"resnet18", "[]", "must be an object"},
    };
    fv_context *ctx = fv_context_create();
    for (int i = 0; i < FVI_COUNT(cases); i++) {
        fv_model *m = NULL;
        CHECK_EQ(fv_model_create(ctx, cases[i].model, &(fv_model_options){10, cases[i].args}, &m), FV_ERROR_CONFIG);
        CHECK(m == NULL);
        CHECK_HAS(fv_error_message(ctx), cases[i].message);
    }
    fv_context_destroy(ctx);
}

/* A picture too small for the stem is refused with the layer's path. */
static fv_value *two_outputs(fv_graph *g, fv_value *x, void *user)
{
    (void)user;
    return fv_conv2d(g, "wide", x, &FV_CONV(.out = 4, .kernel = 40));
}

static void shapes_name_the_layer(void)
{
    fv_context *ctx = fv_context_create();
    fv_model *m = fv_model_define(ctx, "own", two_outputs, NULL);
    fv_summary *s = NULL;
    fv_summary_options o = {.input = {3, 8, 8}, .plain = true};
    CHECK_EQ(fv_model_summary(ctx, m, &o, &s), FV_ERROR_SHAPE);
    CHECK_HAS(fv_error_message(ctx), "wide");
    CHECK(s == NULL);
    fv_model_destroy(m);
    fv_context_destroy(ctx);
}

/* Half of the outputs of batch norm + relu need not be kept. */
static void recomputation_saves_memory(void)
{
    fv_context *ctx = fv_context_create();
    fv_model *m = NULL;
    int64_t bytes[2] = {0};
    CHECK_EQ(fv_model_create(ctx, "resnet18", &(fv_model_options){10, "{\"stem\": \"cifar\"}"}, &m), FV_OK);
    for (int i = 0; i < 2; i++) {
        fv_summary *s = NULL;
        const fv_summary_options o = {.input = {3, 32, 32}, .batch_size = 64, .train = true, .recompute = i == 1};
        CHECK_EQ(fv_model_summary(ctx, m, &o, &s), FV_OK);
        bytes[i] = s ? s->train_bytes : 0;
        fv_summary_destroy(s);
    }
    printf("    foretold: %.0f MB, %.0f MB with recomputation\n", (double)bytes[0] / 1e6, (double)bytes[1] / 1e6);
    CHECK(bytes[1] > 0 && (double)bytes[1] < 0.92 * (double)bytes[0]);
    fv_model_destroy(m);
    fv_context_destroy(ctx);
}

TEST_MAIN(CASE(recomputation_saves_memory), CASE(parameter_counts), CASE(names_and_initial_values), CASE(mistakes), CASE(shapes_name_the_layer))
