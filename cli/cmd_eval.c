/* SPDX-License-Identifier: Apache-2.0 */
/* fovea eval: metrics of stored weights over a whole data set. */
#include "cli.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void print_json(const fv_evaluation *e)
{
    printf("{\"model\": ");
    cli_json_text(stdout, e->model);
    printf(", \"step\": %lld, \"ema\": %s, \"data\": ", (long long)e->step, e->ema ? "true" : "false");
    cli_json_text(stdout, e->data);
    printf(", \"split\": \"%s\", \"samples\": %lld, \"of\": %lld, \"metrics\": {", e->split, (long long)e->samples, (long long)e->of);
    for (int i = 0; i < e->n_metrics; i++) {
        printf("%s\"%s\": ", i ? ", " : "", e->metrics[i].name);
        cli_json_number(stdout, e->metrics[i].value);
    }
    printf("}%s, \"seconds\": %.3f}\n", e->json, e->seconds);
}

static void print_text(const fv_evaluation *e)
{
    const int all = !strcmp(e->split, "all");
    printf("%s (step %lld%s)\nevaluated %lld/%lld pictures, %s%s of %s, in %.1f s\n", e->model, (long long)e->step, e->ema ? ", moving average" : "",
           (long long)e->samples, (long long)e->of, all ? "all" : "the set ", all ? "" : e->split, e->data ? e->data : "the data given", e->seconds);
    if (*e->text) {
        fputs(e->text, stdout);
        return;
    }
    for (int i = 0; i < e->n_metrics; i++) printf("%s%s %.4f", i ? "  " : "", e->metrics[i].name, e->metrics[i].value);
    printf("\n");
}

static int run(cli *c)
{
    fv_evaluation *e = NULL;
    const char *split = cli_setting(c, "split");
    if (c->n_words != 1) return cli_usage(c, "one run or weight file is needed, as in: fovea eval runs/cifar10_resnet18 data=DIR");
    if (!cli_check_settings(c)) return EXIT_USAGE;
    const char **keys = calloc((size_t)c->n_settings + 1, sizeof *keys);
    if (!keys) return cli_report(c, FV_ERROR_NOMEM);
    fv_evaluate_options o = {.model = c->words[0], .settings = keys, .n_settings = cli_config_settings(c, keys), .split = split};
    fv_status status = fv_evaluate(c->ctx, &o, &e);
    if (status == FV_OK && c->json) print_json(e);
    else if (status == FV_OK) print_text(e);
    int code = cli_report(c, status);
    fv_evaluation_destroy(e);
    free(keys);
    return code;
}

static const cli_option settings[] = {
    {"split", "test|val|train", "which part of the data; not given: test, where there is one, else val, or all of other data without sets", NULL},
    CLI_OPTIONS_END};
const fv_command fv_command_eval = {
    .name = "eval", .arguments = "RUN|RUN@latest|FILE.safetensors [data=DIR] [split=test|val|train] [--json]", .about = "metrics of trained weights; also: val",
    .help = "A run stands for its best weights, the moving average where one was kept.", .settings = settings,
    .keys = CLI_KEYS_TAKEN, .run = run};
