/* SPDX-License-Identifier: Apache-2.0 */
/* fovea data check (bench: data_bench.c): reads every picture of a data set and says what is there, what is bad, and what is there twice. */
#include "data_bench.h"

#include <stdlib.h>
#include <string.h>

static const char *const sets[FV_SPLITS] = {"train", "val", "test"};

static void print_faults_json(const char *key, const fv_data_fault *f, int64_t n)
{
    printf(", \"%s\": [", key);
    for (int64_t i = 0; i < n; i++) {
        printf("%s{\"name\": ", i ? ", " : "");
        cli_json_text(stdout, f[i].name);
        printf(", \"reason\": ");
        cli_json_text(stdout, f[i].reason);
        printf("}");
    }
    printf("]");
}

static void print_json(const fv_data_report *r)
{
    printf("{\"root\": ");
    cli_json_text(stdout, r->root);
    printf(", \"format\": \"%s\", \"samples\": %lld, \"ignored\": %lld, \"count\": {", r->format, (long long)r->samples, (long long)r->ignored);
    for (int k = 0; k < FV_SPLITS; k++) printf("%s\"%s\": %lld", k ? ", " : "", sets[k], (long long)r->count[k]);
    printf("}, \"classes\": [");
    for (int64_t c = 0; c < r->classes; c++) {
        printf("%s{\"name\": ", c ? ", " : "");
        cli_json_text(stdout, r->per_class[c].name);
        for (int k = 0; k < FV_SPLITS; k++) printf(", \"%s\": %lld", sets[k], (long long)r->per_class[c].count[k]);
        printf("}");
    }
    printf("], \"formats\": {");
    for (int i = 0, n = 0; fv_data_format_name(i); i++)
        if (r->formats[i]) printf("%s\"%s\": %lld", n++ ? ", " : "", fv_data_format_name(i), (long long)r->formats[i]);
    printf("}, \"turned\": %lld, \"transparent\": %lld, \"misnamed\": %lld, \"smallest\": [%d, %d], \"largest\": [%d, %d]", (long long)r->turned,
           (long long)r->transparent, (long long)r->misnamed, r->min_width, r->min_height, r->max_width, r->max_height);
    printf(", \"duplicates\": %lld, \"across_sets\": %lld, \"across_classes\": %lld, \"n_bad\": %lld", (long long)r->duplicates, (long long)r->across_sets,
           (long long)r->across_classes, (long long)r->n_bad);
    print_faults_json("bad", r->bad, r->n_bad);
    print_faults_json("warnings", r->warnings, r->n_warnings);
    print_faults_json("doubles", r->doubles, r->n_doubles);
    printf("}\n");
}

static void print_faults(const char *title, const fv_data_fault *f, int64_t n, int64_t all)
{
    if (!n) return;
    printf("\n%s\n", title);
    for (int64_t i = 0; i < n && i < 20; i++) printf("  %s: %s\n", f[i].name, f[i].reason);
    if (all > 20) printf("  and %lld more; --json lists them\n", (long long)(all - 20));
}

static void print_text(const fv_data_report *r)
{
    printf("%s (%s)\n\n%-28s %10s %10s %10s\n", r->root, r->format, "class", sets[0], sets[1], sets[2]);
    for (int64_t c = 0; c < r->classes; c++) {
        const fv_data_class *k = &r->per_class[c];
        cli_cell(stdout, k->name, 28);
        printf(" %10lld %10lld %10lld\n", (long long)k->count[0], (long long)k->count[1], (long long)k->count[2]);
    }
    printf("%-28s %10lld %10lld %10lld\n\n", "all", (long long)r->count[0], (long long)r->count[1], (long long)r->count[2]);
    for (int i = 0; fv_data_format_name(i); i++)
        if (r->formats[i]) printf("%s %lld  ", fv_data_format_name(i), (long long)r->formats[i]);
    printf("widths %d to %d, heights %d to %d\n", r->min_width, r->max_width, r->min_height, r->max_height);
    if (r->turned) printf("%lld are turned by their EXIF tag (data.exif_orientation)\n", (long long)r->turned);
    if (r->transparent) printf("%lld are transparent in places (data.alpha)\n", (long long)r->transparent);
    if (r->misnamed) printf("%lld are of another format than their names say; they are read all the same\n", (long long)r->misnamed);
    if (r->ignored) printf("%lld files are no pictures and are left out\n", (long long)r->ignored);
    if (r->duplicates)
        printf("%lld are copies of others: %lld of them in another set, %lld in another class\n", (long long)r->duplicates, (long long)r->across_sets,
               (long long)r->across_classes);
    print_faults("in two sets or classes", r->doubles, r->n_doubles, r->n_doubles);
    print_faults("read in spite of faults", r->warnings, r->n_warnings, r->n_warnings);
    print_faults("cannot be read", r->bad, r->n_bad, r->n_bad);
    if (!r->n_bad) printf("\nall %lld pictures can be read\n", (long long)r->samples);
    else printf("\n%lld of %lld pictures cannot be read; data.on_bad_file=skip trains without them\n", (long long)r->n_bad, (long long)r->samples);
}

static int run(cli *c)
{
    fv_data_report *r = NULL;
    char *root = NULL;
    if (c->n_words && !strcmp(c->words[0], "bench")) return cli_data_bench(c);
    if (c->n_words < 1 || strcmp(c->words[0], "check")) return cli_usage(c, "what is to be done? As in: fovea data check pictures/");
    if (c->n_words > 2 || (c->n_words == 1 && !c->n_settings)) return cli_usage(c, "one folder or list is needed, as in: fovea data check pictures/");
    const char **settings = calloc((size_t)c->n_settings + 1, sizeof *settings);
    size_t bytes = c->n_words == 2 ? strlen(c->words[1]) + 16 : 16;
    int n = 0;
    if (settings) root = malloc(bytes);
    if (!settings || !root) {
        free(settings);
        return cli_report(c, FV_ERROR_NOMEM);
    }
    if (c->n_words == 2) {
        snprintf(root, bytes, "data.root=%s", c->words[1]);
        settings[n++] = root;
    }
    for (int i = 0; i < c->n_settings; i++) settings[n++] = c->settings[i];
    fv_status status = fv_data_check_settings(c->ctx, n, settings, &r);
    if (status == FV_OK && c->json) print_json(r);
    else if (status == FV_OK) print_text(r);
    int code = cli_report(c, status);
    if (status == FV_OK && r->n_bad) code = EXIT_DATA;
    fv_data_report_destroy(r);
    free(root);
    free(settings);
    return code;
}

static const cli_option settings[] = {
    {"batches", "N", "bench: that are timed: 64", NULL},
    {"warmup", "N", "bench: before them: 8", NULL},
    {"window", "N", "bench: batches to a sample of time: 8", NULL},
    CLI_OPTIONS_END};
const fv_command fv_command_data = {
    .name = "data", .arguments = "check|bench DIR|LIST.csv [data.format=...] [data.split.val=...] [--json]",
    .about = "reads every picture of a data set; says what is bad or there twice",
    .help = "Exit code 3: there are pictures that cannot be read.\n"
            "bench: how fast the training data are loaded; given model=NAME, how fast that model trains on them.",
    .settings = settings, .keys = CLI_KEYS_TAKEN, .run = run};
