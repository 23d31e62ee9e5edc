/* SPDX-License-Identifier: Apache-2.0 */
/* fovea selftest: kernels against references on this machine. */
#include "cli.h"
#include "fovea/tools.h"

#include <stdlib.h>
#include <string.h>

/* What one kernel did with one type and instruction set. */
typedef struct line { char op[48], kernel[48]; const char *dtype, *isa; int runs, failed; double worst; } line;
typedef struct view { cli *c; line *lines; int n, room, runs, failed; bool memory; } view;

/* `worst` is the largest error as a share of what is allowed. */
static bool on_row(void *user, const fv_selftest_row *row)
{
    view *v = user;
    line *l = NULL;
    for (int i = v->n - 1; i >= 0 && !l; i--) {
        line *x = &v->lines[i];
        if (!strcmp(x->op, row->op) && !strcmp(x->kernel, row->kernel) && x->dtype == row->dtype && x->isa == row->isa) l = x;
    }
    if (!l && v->n == v->room) {
        line *more = realloc(v->lines, (size_t)(v->room + 256) * sizeof *more);
        if (!more) return !(v->memory = true);
        v->lines = more;
        v->room += 256;
    }
    if (!l) {
        l = &v->lines[v->n++];
        *l = (line){.dtype = row->dtype, .isa = row->isa};
        snprintf(l->op, sizeof l->op, "%s", row->op);
        snprintf(l->kernel, sizeof l->kernel, "%s", row->kernel);
    }
    const double share = row->tolerance > 0 ? row->error / row->tolerance : 0;
    l->runs++;
    v->runs++;
    if (share > l->worst) l->worst = share;
    if (row->passed) return true;
    l->failed++;
    v->failed++;
    fprintf(stderr, "FAILED %s, kernel %s, %s, %s, sample \"%s\", %s: %s (error %.3g, allowed %.3g)\n", row->op, row->kernel, row->dtype, row->isa,
            row->sample, row->layouts, row->problem, row->error, row->tolerance);
    return true;
}

static void print_table(const view *v)
{
    printf("%-26s %-26s %-5s %-12s %6s %7s  %s\n", "operation", "kernel", "type", "set", "runs", "failed", "largest error, share of what is allowed");
    for (int i = 0; i < v->n; i++) {
        const line *l = &v->lines[i];
        printf("%-26s %-26s %-5s %-12s %6d %7d  %.2g\n", l->op, l->kernel, l->dtype, l->isa, l->runs, l->failed, l->worst);
    }
}

static void print_json(const view *v, const fv_machine *m)
{
    printf("{\"passed\": %s, \"runs\": %d, \"failed\": %d, \"cpu\": ", v->failed ? "false" : "true", v->runs, v->failed);
    cli_json_text(stdout, m->cpu);
    printf(", \"isa\": \"%s\", \"libraries\": ", m->isa);
    cli_json_text(stdout, m->libraries);
    printf(", \"kernels\": [");
    for (int i = 0; i < v->n; i++) {
        const line *l = &v->lines[i];
        printf("%s{\"op\": \"%s\", \"kernel\": \"%s\", \"dtype\": \"%s\", \"isa\": \"%s\", \"runs\": %d, \"failed\": %d, \"worst\": ", i ? ", " : "", l->op,
               l->kernel, l->dtype, l->isa, l->runs, l->failed);
        cli_json_number(stdout, l->worst);
        printf("}");
    }
    printf("]}\n");
}

static int run(cli *c)
{
    view v = {.c = c};
    fv_machine m;
    long long threads = 0;
    if (c->n_words) return cli_usage(c, "it takes settings only");
    if (!cli_check_settings(c)) return EXIT_USAGE;
    if (!cli_number(c, "threads", 0, 1024, &threads)) return EXIT_USAGE;
    if (threads) fv_context_set_threads(c->ctx, (int)threads);
    fv_machine_describe(&m);
    const fv_selftest_options o = {.op = cli_setting(c, "op"), .isa = cli_setting(c, "isa")};
    const double begin = fv_seconds();
    fv_status status = fv_selftest(c->ctx, &o, on_row, &v);
    if (v.memory) status = FV_ERROR_NOMEM;
    if (status == FV_OK && c->json) print_json(&v, &m);
    else if (status == FV_OK) {
        if (cli_flag(c, "all")) print_table(&v);
        printf("%s, %s: %d kernel runs in %.1f s, %d failed\n", m.cpu, m.libraries, v.runs, fv_seconds() - begin, v.failed);
    }
    const int code = v.memory ? EXIT_MEMORY : cli_report(c, status);
    free(v.lines);
    return code != EXIT_DONE ? code : v.failed ? EXIT_RUN : EXIT_DONE;
}

static const cli_option flags[] = {{"all", NULL, "a line for each kernel", NULL}, CLI_OPTIONS_END};
static const cli_option settings[] = {
    {"op", "NAME", "this op only", NULL},
    {"isa", "SET", "this instruction set only, oneDNN capped too: avx512_bf16, avx512, avx2, base", NULL},
    {"threads", "N", "compute threads; 0: all cores", NULL},
    CLI_OPTIONS_END};
const fv_command fv_command_selftest = {
    .name = "selftest", .arguments = "[op=NAME] [isa=SET] [threads=N] [--all]",
    .about = "runs every kernel against its reference on this machine",
    .help = "Failures are named on standard error and give exit code 1. Without isa= our kernels run in every set that the machine has.",
    .flags = flags, .settings = settings, .run = run};
