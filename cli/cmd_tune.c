/* SPDX-License-Identifier: Apache-2.0 */
/* fovea tune: writes a kernel table for one model on this machine. */
#include "cli.h"
#include "fovea/nn.h"
#include "fovea/tools.h"

#include <string.h>

typedef struct tune { cli *c; fv_model *model; bool train; long long classes; char last[256]; } tune;

static fv_status build(fv_graph *g, fv_value *const *in, int n_in, void *user)
{
    const tune *t = user;
    fv_value *weight = NULL, *y = fv_model_build(g, t->model, in[0]);
    (void)n_in;
    if (!t->train) {
        fv_result(g, "output", y);
        return fv_graph_status(g);
    }
    fv_value *loss = fv_cross_entropy(g, y, in[1], NULL, &weight);
    if (!loss) return fv_graph_status(g);
    return fv_accumulate_gradients(g, NULL, loss, weight, true);
}

static void on_row(void *user, const fv_tune_row *row)
{
    tune *t = user;
    char head[256];
    if (t->c->quiet || t->c->json) return;
    snprintf(head, sizeof head, "%s %s", row->op, row->key);
    if (strcmp(head, t->last)) printf("%s%s\n", *t->last ? "\n" : "", head);
    memcpy(t->last, head, sizeof head);
    printf("  %c %-10s %10.3f ms\n", row->chosen ? '*' : ' ', row->candidate, row->seconds * 1e3);
}

static int read_settings(tune *t, long long *batch, int64_t input[3], bool *amp)
{
    cli *c = t->c;
    const char *dtype = cli_setting(c, "dtype"), *mode = cli_setting(c, "mode");
    long long threads = 0;
    if (!cli_check_settings(c) || !cli_input(c, input) || !cli_number(c, "batch", 1, 1 << 20, batch) || !cli_number(c, "batch_size", 1, 1 << 20, batch) ||
        !cli_number(c, "threads", 0, 1024, &threads) || !cli_number(c, "classes", 1, 1 << 24, &t->classes))
        return EXIT_USAGE;
    *amp = dtype && !strcmp(dtype, "bf16");
    t->train = !mode || !strcmp(mode, "train");
    if (threads) fv_context_set_threads(c->ctx, (int)threads);
    return EXIT_DONE;
}

static void print_result(const cli *c, const fv_tune_result *r)
{
    if (c->json) {
        printf("{\"table\": ");
        cli_json_text(stdout, c->output);
        printf(", \"shapes\": %d, \"plans\": %d, \"heuristics_ms\": %.4f, \"table_ms\": %.4f}\n", r->keys, r->plans, r->before * 1e3, r->after * 1e3);
    } else if (!c->quiet) {
        printf("\n%d shapes, %d plans tried: %.3f ms with the shipped heuristics, %.3f ms with the table in %s\n", r->keys, r->plans, r->before * 1e3,
               r->after * 1e3, c->output);
    }
}

static int run(cli *c)
{
    tune t = {.c = c};
    fv_tune_options o = {0};
    fv_tune_result r;
    long long batch = 16;
    int64_t input[3] = {3, 224, 224};
    char note[256];
    if (c->n_words != 1) return cli_usage(c, "one model is needed, as in: fovea tune resnet18 batch_size=32 -o table.json");
    if (!c->output) return cli_usage(c, "-o FILE is needed: where the table goes");
    if (read_settings(&t, &batch, input, &o.amp) != EXIT_DONE) return EXIT_USAGE;
    const int threads = fv_context_threads(c->ctx);
    fv_machine_pin(threads);
    snprintf(note, sizeof note, "%s %s batch_size=%lld input=%lldx%lldx%lld dtype=%s", c->words[0], t.train ? "train" : "infer", batch,
             (long long)input[0], (long long)input[1], (long long)input[2], o.amp ? "bf16" : "f32");
    o.note = note;
    const fv_input_spec specs[2] = {{"images", FV_F32, 4, {FV_N, input[0], input[1], input[2]}}, {"labels", FV_I64, 1, {FV_N}}};
    const fv_tensor in[2] = {{FV_F32, 4, {batch, input[0], input[1], input[2]}, NULL}, {FV_I64, 1, {batch}, NULL}};
    const fv_function_options function = {.training = t.train};
    fv_status status = cli_model(c, c->words[0], t.classes, &t.model);
    if (status == FV_OK) status = fv_tune(c->ctx, c->output, note, specs, in, t.train ? 2 : 1, build, &t, &function, &o, on_row, &t, &r);
    if (status == FV_OK) print_result(c, &r);
    fv_model_destroy(t.model);
    return cli_report(c, status);
}

static const cli_option settings[] = {
    {"mode", "train|infer", "what is timed; train by default", NULL},
    {"batch_size", "N", "pictures in a batch: 16", "batch"},
    {"input", "CxHxW", "of a picture: 3x224x224", NULL},
    {"dtype", "f32|bf16", "bf16: mixed precision", NULL},
    {"threads", "N", "compute threads; 0: all cores", NULL},
    {"classes", "N", "of the model: 1000", NULL},
    CLI_MODEL_ARGS,
    CLI_OPTIONS_END};
const fv_command fv_command_tune = {
    .name = "tune", .arguments = "MODEL|RUN|FILE.safetensors -o FILE.json [mode=train|infer] [batch_size=16] [input=3x224x224] [key=value ...]",
    .about = "times the kernels that may be chosen between for each shape of a model, and writes the table of the fastest",
    .help = "The table holds for this CPU, library and number of threads.", .settings = settings,
    .output = {"-o", "FILE.json", "the table", NULL}, .run = run};
