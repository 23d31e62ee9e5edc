/* SPDX-License-Identifier: Apache-2.0 */
/* fovea export: a model as an ONNX file. */
#include "cli.h"
#include "fovea/onnx.h"

#include <stdlib.h>
#include <string.h>

static void print_json(const fv_exported *e)
{
    printf("{\"model\": ");
    cli_json_text(stdout, e->model);
    printf(", \"path\": ");
    cli_json_text(stdout, e->path);
    printf(", \"trained\": %s, \"opset\": %d, \"input\": [%lld, %lld, %lld], \"classes\": %lld, \"nodes\": %d, \"initializers\": %d, \"bytes\": %lld}\n",
           e->trained ? "true" : "false", e->onnx.opset, (long long)e->input[0], (long long)e->input[1], (long long)e->input[2], (long long)e->classes,
           e->onnx.nodes, e->onnx.initializers, (long long)e->onnx.bytes);
}

static void print_text(const fv_exported *e)
{
    char size[32];
    printf("%s -> %s\nONNX opset %d, %d nodes, %s; input (batch_size, %lld, %lld, %lld), output (batch_size, %lld)\n", e->model, e->path, e->onnx.opset,
           e->onnx.nodes, cli_bytes((double)e->onnx.bytes, size), (long long)e->input[0], (long long)e->input[1], (long long)e->input[2],
           (long long)e->classes);
}

/* Settings of the command itself are not keys of the configuration. */
static int configuration(const cli *c, const char **out)
{
    static const char *const own[] = {"opset=", "input=", "classes="};
    int n = 0;
    for (int i = 0; i < c->n_settings; i++) {
        bool mine = false;
        for (int k = 0; k < 3; k++) mine = mine || !strncmp(c->settings[i], own[k], strlen(own[k]));
        if (!mine) out[n++] = c->settings[i];
    }
    return n;
}

static int run(cli *c)
{
    fv_exported *e = NULL;
    long long opset = 0, classes = 0;
    fv_export_options o = {.keep_batch_norm = cli_flag(c, "keep-batch-norm"), .path = c->output};
    if (c->n_words != 1) return cli_usage(c, "one run, weight file or model is needed, as in: fovea export runs/cifar10_resnet18");
    if (!cli_input(c, o.input) || !cli_number(c, "opset", 11, 17, &opset) || !cli_number(c, "classes", 1, 1 << 24, &classes)) return EXIT_USAGE;
    const char **settings = calloc((size_t)c->n_settings + 1, sizeof *settings);
    if (!settings) return cli_report(c, FV_ERROR_NOMEM);
    o.model = c->words[0];
    o.settings = settings;
    o.n_settings = configuration(c, settings);
    o.opset = (int)opset;
    o.classes = classes;
    const fv_status status = fv_export(c->ctx, &o, &e);
    if (status == FV_OK && c->json) print_json(e);
    else if (status == FV_OK && !c->quiet) print_text(e);
    const int code = cli_report(c, status);
    fv_exported_destroy(e);
    free(settings);
    return code;
}

static const char *const flags[] = {"keep-batch-norm", NULL};
const fv_command fv_command_export = {
    .name = "export", .arguments = "RUN|RUN@latest|FILE.safetensors|MODEL [-o FILE.onnx] [opset=17] [--keep-batch-norm] [--json]",
    .about = "a model as an ONNX file, with class names and preprocessing in it",
    .help = "A run stands for its best weights, the moving average where one was kept. opset is 11 to 17. The input is `input`\n"
            "(batch_size, 3, H, W), the output `output` (batch_size, classes), before softmax. Of a model by name also: classes=N,\n"
            "input=CxHxW, model_args.x=y; its weights are initial ones.",
    .flags = flags, .run = run};
