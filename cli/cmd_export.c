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

static int run(cli *c)
{
    fv_exported *e = NULL;
    long long opset = 0, classes = 0;
    fv_export_options o = {.keep_batch_norm = cli_flag(c, "keep-batch-norm"), .path = c->output};
    if (c->n_words != 1) return cli_usage(c, "one run, weight file or model is needed, as in: fovea export runs/cifar10_resnet18");
    if (!cli_check_settings(c) || !cli_input(c, o.input) || !cli_number(c, "opset", 11, 17, &opset) || !cli_number(c, "classes", 1, 1 << 24, &classes)) return EXIT_USAGE;
    const char **keys = calloc((size_t)c->n_settings + 1, sizeof *keys);
    if (!keys) return cli_report(c, FV_ERROR_NOMEM);
    o.model = c->words[0];
    o.settings = keys;
    o.n_settings = cli_config_settings(c, keys);
    o.opset = (int)opset;
    o.classes = classes;
    const fv_status status = fv_export(c->ctx, &o, &e);
    if (status == FV_OK && c->json) print_json(e);
    else if (status == FV_OK && !c->quiet) print_text(e);
    const int code = cli_report(c, status);
    fv_exported_destroy(e);
    free(keys);
    return code;
}

static const cli_option flags[] = {{"keep-batch-norm", NULL, "as nodes of their own, not in the weights before them", NULL}, CLI_OPTIONS_END};
static const cli_option settings[] = {
    {"opset", "N", "11 to 17; 17 by default", NULL},
    {"input", "CxHxW", "of a model by name: 3x224x224", NULL},
    {"classes", "N", "of a model by name: 1000", NULL},
    CLI_OPTIONS_END};
const fv_command fv_command_export = {
    .name = "export", .arguments = "RUN|RUN@latest|FILE.safetensors|MODEL [-o FILE.onnx] [opset=17] [key=value ...] [--keep-batch-norm]",
    .about = "a model as an ONNX file, with class names and preprocessing in it",
    .help = "A run stands for its best weights, the moving average where one was kept. The input is `input` (batch_size, 3, H, W), the\n"
            "output `output` (batch_size, classes), before softmax. The weights of a model by name are initial ones.",
    .flags = flags, .output = {"-o", "FILE.onnx", "the file; beside the weights without it", NULL},
    .settings = settings, .keys = CLI_KEYS_TAKEN, .run = run};
