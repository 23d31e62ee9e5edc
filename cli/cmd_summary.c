/* SPDX-License-Identifier: Apache-2.0 */
/* fovea summary: layers, shapes, parameters, FLOPs, foretold memory. */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

static void shape_text(const fv_summary_row *r, char out[96])
{
    int used = snprintf(out, 96, "(");
    for (int i = 0; i < r->rank && used < 80; i++) used += snprintf(out + used, 96 - (size_t)used, "%s%lld", i ? ", " : "", (long long)r->dims[i]);
    snprintf(out + used, 96 - (size_t)used, ")");
}

static void print_table(const fv_summary *s)
{
    char shape[96], n[32];
    printf("%-28s %-18s %-22s %14s %12s\n", "layer", "operation", "output", "parameters", "MFLOP");
    for (int i = 0; i < s->n_rows; i++) {
        const fv_summary_row *r = &s->rows[i];
        shape_text(r, shape);
        printf("%-28s %-18s %-22s %14s %12.1f\n", r->path, r->op, shape, r->parameters ? cli_thousands(r->parameters, n) : "", r->flops / 1e6);
    }
}

static void print_json(const char *name, const fv_summary *s, const fv_summary_options *o)
{
    printf("{\"model\": ");
    cli_json_text(stdout, name);
    printf(", \"input\": [%lld, %lld, %lld], \"batch_size\": %lld, \"parameters\": %lld, \"trainable\": %lld, \"parameter_tensors\": %d, \"buffers\": %lld",
           (long long)o->input[0], (long long)o->input[1], (long long)o->input[2], (long long)o->batch_size, (long long)s->parameters,
           (long long)s->trainable, s->parameter_tensors, (long long)s->buffers);
    printf(", \"flops\": %.0f, \"infer_bytes\": %lld, \"train_bytes\": ", s->flops, (long long)s->infer_bytes);
    if (o->train) printf("%lld", (long long)s->train_bytes);
    else printf("null");
    printf(", \"layers\": [");
    for (int i = 0; i < s->n_rows; i++) {
        const fv_summary_row *r = &s->rows[i];
        printf("%s{\"path\": ", i ? ", " : "");
        cli_json_text(stdout, r->path);
        printf(", \"op\": ");
        cli_json_text(stdout, r->op);
        printf(", \"shape\": [");
        for (int d = 0; d < r->rank; d++) printf("%s%lld", d ? ", " : "", (long long)r->dims[d]);
        printf("], \"parameters\": %lld, \"flops\": %.0f}", (long long)r->parameters, r->flops);
    }
    printf("]}\n");
}

static int run(cli *c)
{
    fv_model *m = NULL;
    fv_summary *s = NULL;
    long long batch = 1, classes = 0, threads = 0;
    fv_summary_options o = {.input = {3, 224, 224}, .train = cli_flag(c, "train")};
    if (c->n_words != 1) return cli_usage(c, "one model is needed, as in: fovea summary resnet18");
    if (!cli_check_settings(c) || !cli_input(c, o.input) || !cli_bool(c, "recompute", &o.recompute) || !cli_number(c, "batch_size", 1, 1 << 20, &batch) ||
        !cli_number(c, "classes", 1, 1 << 24, &classes) || !cli_number(c, "threads", 0, 1024, &threads))
        return EXIT_USAGE;
    const char *dtype = cli_setting(c, "dtype");
    o.batch_size = batch;
    o.amp = dtype && !strcmp(dtype, "bf16");
    if (threads) fv_context_set_threads(c->ctx, (int)threads);
    fv_status status = cli_model(c, c->words[0], classes, &m);
    if (status == FV_OK) status = fv_model_summary(c->ctx, m, &o, &s);
    if (status == FV_OK && c->json) {
        print_json(fv_model_name(m), s, &o);
    } else if (status == FV_OK) {
        char a[32], b[32];
        print_table(s);
        printf("\n%s: %s parameters in %d tensors, %s trainable%s\n", fv_model_name(m), cli_thousands(s->parameters, a),
               s->parameter_tensors, cli_thousands(s->trainable, b), s->buffers ? ", with running statistics" : "");
        printf("%.2f GFLOP forward for %lld x (%lld, %lld, %lld); memory foretold: %s inference", s->flops / 1e9, batch, (long long)o.input[0],
               (long long)o.input[1], (long long)o.input[2], cli_bytes((double)s->infer_bytes, a));
        if (o.train) printf(", %s training with AdamW", cli_bytes((double)s->train_bytes, b));
        printf("\n");
    }
    int code = cli_report(c, status);
    fv_summary_destroy(s);
    fv_model_destroy(m);
    return code;
}

static const cli_option flags[] = {{"train", NULL, "the memory of a training step too", NULL}, CLI_OPTIONS_END};
static const cli_option settings[] = {
    {"input", "CxHxW", "of a picture: 3x224x224", NULL},
    {"batch_size", "N", "pictures in a batch: 1", "batch"},
    {"classes", "N", "of the model: 1000", NULL},
    {"dtype", "f32|bf16", "bf16: mixed precision", NULL},
    {"threads", "N", "compute threads; 0: all cores", NULL},
    {"recompute", "true|false", "less memory: cheap values are made again in backward", NULL},
    CLI_MODEL_ARGS,
    CLI_OPTIONS_END};
const fv_command fv_command_summary = {
    .name = "summary", .arguments = "MODEL|RUN|FILE.safetensors [input=3x224x224] [batch_size=N] [key=value ...] [--train]",
    .about = "layers, shapes, parameters, FLOPs and foretold memory", .flags = flags, .settings = settings, .run = run};
