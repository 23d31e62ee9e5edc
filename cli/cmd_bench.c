/* SPDX-License-Identifier: Apache-2.0 */
/* fovea bench: time of a training step or of inference on random pictures; with --ops where it goes. */
#include "cli.h"
#include "fovea/tools.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

typedef struct op_share { char name[48], kernel[64]; bool backward; int calls; double seconds, flops, bytes; } op_share;

typedef struct bench {
    cli *c;
    fv_model *model;
    fv_bench *run;
    bool train, amp, sgd, recompute;
    long long batch, threads, steps, warmup, classes;
    int64_t input[3];
    double *times, *sorted, first;
    long *switches;              /* of each step: how often the process was preempted */
    op_share *shares;
    int n_shares, room;
} bench;

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static int by_time(const void *a, const void *b)
{
    double x = ((const op_share *)a)->seconds, y = ((const op_share *)b)->seconds;
    return x > y ? -1 : x < y;
}

static fv_status create(bench *b)
{
    fv_bench_options o = {.model = b->model, .train = b->train, .amp = b->amp, .recompute = b->recompute, .batch_size = b->batch,
                          .kernel_table = cli_setting(b->c, "kernel_table")};
    memcpy(o.input, b->input, sizeof o.input);
    if (b->sgd) o.optimizer = (fv_optimizer_options){.name = "sgd"};
    else o.optimizer = (fv_optimizer_options){.name = "adamw", .weight_decay = 0.05, .max_grad_norm = 1};
    return fv_bench_create(b->c->ctx, &o, &b->run);
}

static long preemptions(void)
{
    struct rusage usage;
    return getrusage(RUSAGE_SELF, &usage) == 0 ? usage.ru_nivcsw : 0;
}

/* The first call compiles too; then warm-up; then `steps` calls, timed one by one. */
static fv_status measure(bench *b)
{
    double begin = fv_seconds();
    fv_status status = create(b);
    if (status == FV_OK) status = fv_bench_step(b->run);
    b->first = fv_seconds() - begin;
    for (long long i = 0; i < b->warmup && status == FV_OK; i++) status = fv_bench_step(b->run);
    for (long long i = 0; i < b->steps && status == FV_OK; i++) {
        const long before = preemptions();
        begin = fv_seconds();
        status = fv_bench_step(b->run);
        b->sorted[i] = b->times[i] = fv_seconds() - begin;
        b->switches[i] = preemptions() - before;
    }
    if (status == FV_OK) qsort(b->sorted, (size_t)b->steps, sizeof *b->sorted, by_value);
    return status;
}

static void add_share(void *user, const fv_profile_row *row)
{
    bench *b = user;
    op_share *s = NULL;
    for (int i = 0; i < b->n_shares && !s; i++)
        if (!strcmp(b->shares[i].name, row->op) && !strcmp(b->shares[i].kernel, row->kernel) && b->shares[i].backward == row->backward) s = &b->shares[i];
    if (!s) {
        if (b->n_shares == b->room) return;
        s = &b->shares[b->n_shares++];
        snprintf(s->name, sizeof s->name, "%s", row->op);
        snprintf(s->kernel, sizeof s->kernel, "%s", row->kernel);
        s->backward = row->backward;
    }
    s->calls++;
    s->seconds += row->seconds;
    s->flops += row->flops;
    s->bytes += row->bytes;
}

static fv_status profile(bench *b)
{
    int repeats = (int)(b->steps < 20 ? b->steps : 20);
    b->room = 256;
    b->shares = calloc((size_t)b->room, sizeof *b->shares);
    if (!b->shares) return FV_ERROR_NOMEM;
    const fv_status status = fv_bench_profile(b->run, repeats, add_share, b);
    qsort(b->shares, (size_t)b->n_shares, sizeof *b->shares, by_time);
    return status;
}

static double quantile(const bench *b, double q)
{
    return b->sorted[(size_t)(q * (double)(b->steps - 1) + 0.5)];
}

static double profiled(const bench *b)
{
    double total = 0;
    for (int i = 0; i < b->n_shares; i++) total += b->shares[i].seconds;
    return total;
}

static void print_json(const bench *b)
{
    fv_machine m;
    double median = quantile(b, 0.5), total = profiled(b);
    fv_machine_describe(&m);
    printf("{\"model\": ");
    cli_json_text(stdout, fv_model_name(b->model));
    printf(", \"mode\": \"%s\", \"batch_size\": %lld, \"input\": [%lld, %lld, %lld], \"dtype\": \"%s\", \"threads\": %lld, \"steps\": %lld", b->train ? "train" : "infer",
           b->batch, (long long)b->input[0], (long long)b->input[1], (long long)b->input[2], b->amp ? "bf16" : "f32", b->threads, b->steps);
    printf(", \"median_ms\": %.4f, \"p10_ms\": %.4f, \"p90_ms\": %.4f, \"min_ms\": %.4f, \"max_ms\": %.4f, \"spread\": %.4f", median * 1e3,
           quantile(b, 0.1) * 1e3, quantile(b, 0.9) * 1e3, b->sorted[0] * 1e3, b->sorted[b->steps - 1] * 1e3, (quantile(b, 0.9) - quantile(b, 0.1)) / median);
    printf(", \"images_per_second\": %.2f, \"first_call_s\": %.4f, \"session_bytes\": %lld, \"peak_bytes\": %lld, \"cpu\": ", (double)b->batch / median,
           b->first, (long long)fv_bench_memory(b->run), (long long)fv_machine_memory_peak());
    cli_json_text(stdout, m.cpu);
    printf(", \"isa\": \"%s\", \"libraries\": ", m.isa);
    cli_json_text(stdout, m.libraries);
    printf(", \"optimizer\": %s, \"samples_ms\": [", !b->train ? "null" : b->sgd ? "\"sgd\"" : "\"adamw\"");
    for (long long i = 0; i < b->steps; i++) printf("%s%.4f", i ? ", " : "", b->times[i] * 1e3);
    printf("], \"nivcsw\": [");
    for (long long i = 0; i < b->steps; i++) printf("%s%ld", i ? ", " : "", b->switches[i]);
    printf("]");
    if (b->shares) printf(", \"ops\": [");
    for (int i = 0; i < b->n_shares; i++) {
        const op_share *s = &b->shares[i];
        printf("%s{\"op\": \"%s\", \"kernel\": ", i ? ", " : "", s->name);
        cli_json_text(stdout, s->kernel);
        printf(", \"backward\": %s, \"calls\": %d, \"ms\": %.4f, \"share\": %.4f, \"gflops\": %.2f, \"gb_per_s\": %.2f}", s->backward ? "true" : "false",
               s->calls, s->seconds * 1e3, total > 0 ? s->seconds / total : 0, s->seconds > 0 ? s->flops / s->seconds / 1e9 : 0,
               s->seconds > 0 ? s->bytes / s->seconds / 1e9 : 0);
    }
    printf("%s}\n", b->shares ? "]" : "");
}

static void print_text(const bench *b)
{
    char memory[32], peak[32];
    double median = quantile(b, 0.5), total = profiled(b);
    printf("%s %s  batch %lld of (%lld, %lld, %lld)  %s  %lld threads\n", fv_model_name(b->model), b->train ? "train" : "infer", b->batch,
           (long long)b->input[0], (long long)b->input[1], (long long)b->input[2], b->amp ? "bf16" : "f32", b->threads);
    printf("%.3f ms a step (10 %%: %.3f, 90 %%: %.3f, of %lld), %.1f images/s; first call %.3f s; memory %s, peak of the process %s\n", median * 1e3,
           quantile(b, 0.1) * 1e3, quantile(b, 0.9) * 1e3, b->steps, (double)b->batch / median, b->first,
           cli_bytes((double)fv_bench_memory(b->run), memory), cli_bytes((double)fv_machine_memory_peak(), peak));
    if (!b->shares) return;
    printf("\n%-28s %-30s %6s %10s %8s %10s %8s\n", "operation", "kernel", "calls", "ms", "share", "GFLOP/s", "GB/s");
    for (int i = 0; i < b->n_shares; i++) {
        const op_share *s = &b->shares[i];
        printf("%-28s %-30s %6d %10.3f %6.1f %% %10.1f %8.1f%s\n", s->name, s->kernel, s->calls, s->seconds * 1e3, 100 * s->seconds / total,
               s->flops / s->seconds / 1e9, s->bytes / s->seconds / 1e9, s->backward ? "  backward" : "");
    }
}

static int read_settings(bench *b)
{
    cli *c = b->c;
    if (!cli_check_settings(c)) return EXIT_USAGE;
    const char *dtype = cli_setting(c, "dtype");
    b->amp = dtype && !strcmp(dtype, "bf16");
    const char *optimizer = cli_setting(c, "optimizer");
    b->sgd = optimizer && !strcmp(optimizer, "sgd");
    bool ok = cli_input(c, b->input) && cli_number(c, "batch", 1, 1 << 20, &b->batch) && cli_bool(c, "recompute", &b->recompute) && cli_number(c, "batch_size", 1, 1 << 20, &b->batch) &&
              cli_number(c, "classes", 1, 1 << 24, &b->classes) &&
              cli_number(c, "threads", 0, 1024, &b->threads) && cli_number(c, "steps", 1, 1000000, &b->steps) && cli_number(c, "warmup", 0, 1000000, &b->warmup);
    return ok ? EXIT_DONE : EXIT_USAGE;
}

static int run(cli *c)
{
    bench b = {.c = c, .batch = 16, .steps = 20, .warmup = 3, .input = {3, 224, 224}};
    if (c->n_words != 2 || (strcmp(c->words[1], "train") && strcmp(c->words[1], "infer")))
        return cli_usage(c, "a model and train or infer are needed, as in: fovea bench resnet18 train");
    b.train = !strcmp(c->words[1], "train");
    if (read_settings(&b) != EXIT_DONE) return EXIT_USAGE;
    if (b.threads) fv_context_set_threads(c->ctx, (int)b.threads);
    b.threads = fv_context_threads(c->ctx);
    fv_machine_pin((int)b.threads);
    fv_status status = cli_model(c, c->words[0], b.classes, &b.model);
    b.times = calloc((size_t)b.steps, sizeof *b.times);
    b.sorted = calloc((size_t)b.steps, sizeof *b.sorted);
    b.switches = calloc((size_t)b.steps, sizeof *b.switches);
    if (status == FV_OK && (!b.times || !b.sorted || !b.switches)) status = FV_ERROR_NOMEM;
    if (status == FV_OK) status = measure(&b);
    if (status == FV_OK && cli_flag(c, "ops")) status = profile(&b);
    if (status == FV_OK && c->json) print_json(&b);
    else if (status == FV_OK) print_text(&b);
    int code = cli_report(c, status);
    fv_bench_destroy(b.run);
    fv_model_destroy(b.model);
    free(b.times);
    free(b.sorted);
    free(b.switches);
    free(b.shares);
    return code;
}

static const cli_option flags[] = {{"ops", NULL, "time by operation and kernel", NULL}, CLI_OPTIONS_END};
static const cli_option settings[] = {
    {"batch_size", "N", "pictures in a batch: 16", "batch"},
    {"input", "CxHxW", "of a picture: 3x224x224", NULL},
    {"dtype", "f32|bf16", "bf16: mixed precision", NULL},
    {"threads", "N", "compute threads; 0: all cores", NULL},
    {"steps", "N", "that are timed: 20", NULL},
    {"warmup", "N", "before them: 3", NULL},
    {"optimizer", "adamw|sgd", "of a training step", NULL},
    {"classes", "N", "of the model: 1000", NULL},
    {"kernel_table", "FILE", "choices of fovea tune", NULL},
    {"recompute", "true|false", "less memory: cheap values are made again in backward", NULL},
    CLI_MODEL_ARGS,
    CLI_OPTIONS_END};
const fv_command fv_command_bench = {
    .name = "bench", .arguments = "MODEL|RUN|FILE.safetensors train|infer [batch_size=16] [input=3x224x224] [dtype=f32|bf16] [key=value ...] [--ops]",
    .about = "time of a training step or of inference",
    .help = "A training step is forward, backward, clipping and AdamW; with optimizer=sgd SGD with momentum, without clipping.",
    .flags = flags, .settings = settings, .run = run};
