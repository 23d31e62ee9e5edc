/* SPDX-License-Identifier: Apache-2.0 */
/* fovea eval: metrics of stored weights over a whole data set. */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

static void print_json(const fv_evaluation *e, const char *split)
{
    printf("{\"model\": ");
    cli_json_text(stdout, e->model);
    printf(", \"step\": %lld, \"ema\": %s, \"data\": ", (long long)e->step, e->ema ? "true" : "false");
    cli_json_text(stdout, e->data);
    printf(", \"split\": \"%s\", \"samples\": %lld, \"of\": %lld, \"metrics\": {", split, (long long)e->samples, (long long)e->of);
    for (int i = 0; i < e->n_metrics; i++) {
        printf("%s\"%s\": ", i ? ", " : "", e->metrics[i].name);
        cli_json_number(stdout, e->metrics[i].value);
    }
    printf("}, \"classes\": [");
    for (int64_t k = 0; k < e->classes; k++) {
        const fv_class_report *r = &e->per_class[k];
        printf("%s{\"name\": ", k ? ", " : "");
        cli_json_text(stdout, r->name);
        printf(", \"support\": %lld, \"precision\": %.6f, \"recall\": %.6f, \"f1\": %.6f}", (long long)r->support, r->precision, r->recall, r->f1);
    }
    printf("], \"confusion\": [");
    for (int64_t i = 0; i < e->classes; i++) {
        printf("%s[", i ? ", " : "");
        for (int64_t k = 0; k < e->classes; k++) printf("%s%lld", k ? ", " : "", (long long)e->confusion[i * e->classes + k]);
        printf("]");
    }
    printf("], \"mistakes\": [");
    for (int i = 0; i < e->n_mistakes; i++) {
        const fv_mistake *m = &e->mistakes[i];
        printf("%s{\"name\": ", i ? ", " : "");
        cli_json_text(stdout, m->name);
        printf(", \"id\": %lld, \"truth\": %lld, \"predicted\": %lld, \"probability\": ", (long long)m->id, (long long)m->truth, (long long)m->predicted);
        cli_json_number(stdout, m->probability);
        printf(", \"loss\": ");
        cli_json_number(stdout, m->loss);
        printf("}");
    }
    printf("], \"seconds\": %.3f}\n", e->seconds);
}

static double metric(const fv_evaluation *e, const char *name)
{
    for (int i = 0; i < e->n_metrics; i++)
        if (!strcmp(e->metrics[i].name, name)) return e->metrics[i].value;
    return 0;
}

static void print_text(const fv_evaluation *e)
{
    printf("%s (step %lld%s)\nevaluated %lld/%lld pictures of %s in %.1f s\n", e->model, (long long)e->step, e->ema ? ", moving average" : "",
           (long long)e->samples, (long long)e->of, e->data, e->seconds);
    printf("acc %.4f  top5 %.4f  f1 %.4f  loss %.4f\n\n%-20s %8s %10s %8s %8s\n", e->accuracy, e->top5, e->macro_f1, e->loss, "class", "pictures",
           "precision", "recall", "f1");
    for (int64_t k = 0; k < e->classes; k++) {
        const fv_class_report *r = &e->per_class[k];
        cli_cell(stdout, r->name, 20);
        printf(" %8lld %10.4f %8.4f %8.4f%s\n", (long long)r->support, r->precision, r->recall, r->f1, r->support ? "" : "  (no pictures)");
    }
    printf("\n%-20s %8lld %10.4f %8.4f %8.4f\n", "macro average", (long long)e->samples, metric(e, "precision"), metric(e, "recall"), metric(e, "f1"));
    printf("%-20s %8lld %10.4f %8.4f %8.4f\n", "weighted average", (long long)e->samples, metric(e, "precision_weighted"),
           metric(e, "recall_weighted"), metric(e, "f1_weighted"));
    for (int i = 0; i < e->n_mistakes && i < 5; i++) {
        const fv_mistake *m = &e->mistakes[i];
        printf("%s  %s: ", i ? "" : "\nworst mistakes\n", m->name);
        cli_show(stdout, e->per_class[m->truth].name);
        printf(" taken for ");
        cli_show(stdout, e->per_class[m->predicted].name);
        printf(" (%.1f %%)\n", 100 * m->probability);
    }
}

static int run(cli *c)
{
    fv_evaluation *e = NULL;
    const char *split = cli_setting(c, "split");
    if (c->n_words != 1) return cli_usage(c, "one run or weight file is needed, as in: fovea eval runs/cifar10_resnet18 data=DIR");
    if (!split) split = "test";
    if (!cli_check_settings(c)) return EXIT_USAGE;
    const char **keys = calloc((size_t)c->n_settings + 1, sizeof *keys);
    if (!keys) return cli_report(c, FV_ERROR_NOMEM);
    fv_evaluate_options o = {.model = c->words[0], .settings = keys, .n_settings = cli_config_settings(c, keys), .split = split};
    fv_status status = fv_evaluate(c->ctx, &o, &e);
    if (status == FV_OK && c->json) print_json(e, split);
    else if (status == FV_OK) print_text(e);
    int code = cli_report(c, status);
    fv_evaluation_destroy(e);
    free(keys);
    return code;
}

static const cli_option settings[] = {{"split", "test|val|train", "which part of the data: test, where there is one, else val", NULL}, CLI_OPTIONS_END};
const fv_command fv_command_eval = {
    .name = "eval", .arguments = "RUN|RUN@latest|FILE.safetensors [data=DIR] [split=test|val|train] [--json]", .about = "metrics of trained weights; also: val",
    .help = "A run stands for its best weights, the moving average where one was kept.", .settings = settings,
    .keys = CLI_KEYS_TAKEN, .run = run};
