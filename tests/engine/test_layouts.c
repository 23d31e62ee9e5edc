/* SPDX-License-Identifier: Apache-2.0 */
/* A net whose kernels want different orders: convolutions work on blocks of channels, layer norm over channels on
 * channels-last. The compiler must mix them, and change orders no more often than the net needs. */
#include "levels.h"
#include "nets.h"

#include <string.h>

/* conv, batch norm, relu (blocks) -> layer norm (channels-last), twice -> pool -> linear */
static fv_value *mixed_net(fv_graph *g, fv_value *x)
{
    x = fv_conv_bn_act(g, "a", x, &FV_CONV(.out = 32, .kernel = 3, .padding = 1));
    x = fv_layer_norm(g, "a_norm", x, 1, NULL);
    x = fv_conv_bn_act(g, "b", x, &FV_CONV(.out = 32, .kernel = 3, .padding = 1));
    x = fv_layer_norm(g, "b_norm", x, 1, NULL);
    return fv_linear(g, "fc", fv_global_average_pool(g, x), 5);
}

static fv_status build_logits(fv_graph *g, fv_value *const *in, int n_in, void *user)
{
    (void)n_in, (void)user;
    fv_result(g, "logits", mixed_net(g, in[0]));
    return fv_graph_status(g);
}

/* Lines of the plan's text that hold `word`, of tensors with four axes. */
static int count_calls(const char *text, const char *word, const char *and)
{
    int count = 0;
    for (const char *line = text; *line; line += strcspn(line, "\n") + (line[strcspn(line, "\n")] == '\n')) {
        const size_t length = strcspn(line, "\n");
        const char *a = strstr(line, word), *b = strstr(line, and);
        count += a && a < line + length && b && b < line + length;
    }
    return count;
}

static char *plan_of(nets *n, fv_function *f, int n_in)
{
    const fv_tensor in[2] = {nets_data(n, "-", 4, (const int64_t[]){4, 3, 16, 16}), nets_labels(n, "-", 4, 5)};
    char *text = NULL;
    test_check(f && fv_function_plan_text(f, in, n_in, &text) == FV_OK, TEST_PLACE, "%s", fv_error_text(n->ctx));
    return text;
}

static void check_plan(const char *block)
{
    const nets_way way = {"f32", NULL, FV_F32, false, 0};
    nets n;
    CHECK(nets_open(&n, NULL, &way));
    nets_step step = {.net = mixed_net, .session = n.s};
    const fv_function_options training = {.training = true};
    fv_function *train = nets_function(&n, "gradient", NETS_PICTURES(16), 2, nets_build_gradient, &step, &training);
    fv_function *eval = nets_function(&n, "logits", NETS_PICTURES(16), 1, build_logits, NULL, NULL);
    char *both = plan_of(&n, train, 2), *forward = plan_of(&n, eval, 1);
    CHECK(forward && both);
    const int once = count_calls(forward, " reorder ", ""), thrice = count_calls(both, " reorder ", "");
    if (once != 1 || thrice != 3) printf("%s\n%s\n", forward, both);
    CHECK_EQ(once, 1);               /* into the first layer norm; the second convolution then stays channels-last */
    CHECK_EQ(thrice, 3);             /* that, its way back, and the pool's gradient, made in blocks */
    CHECK(count_calls(forward, "layer_norm", "acdb") == 2 && count_calls(forward, "conv2d", block) == 1);
    CHECK(count_calls(both, "bn_act_train_backward", block) == 1 && count_calls(both, "layer_norm_backward", "acdb") == 2);
    fv_text_free(forward);
    fv_text_free(both);
    fv_function_destroy(train);
    fv_function_destroy(eval);
    nets_close(&n);
}

static void blocked_and_channels_last(fvi_isa level)
{
    if (level < FVI_ISA_AVX2) SKIP("convolutions work on blocks from AVX2 on");
    check_plan(level >= FVI_ISA_AVX512 ? "aBcd16b" : "aBcd8b");
}
AT_LEVELS(blocked_and_channels_last)

TEST_MAIN(LEVEL_CASES(blocked_and_channels_last))
