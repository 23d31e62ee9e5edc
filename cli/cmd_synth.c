/* SPDX-License-Identifier: Apache-2.0 */
/* fovea synth planes: a picture set to try things with. */
#include "cli.h"
#include "fovea/synth.h"

#include <signal.h>
#include <string.h>

static volatile sig_atomic_t stop;

static bool ask_to_stop(void)
{
    stop = 1;
    return true;
}

typedef struct view { bool shown; double last; const cli *c; } view;

static bool on_progress(void *user, int64_t done, int64_t total)
{
    view *v = user;
    const double now = fv_seconds();
    if (!v->c->quiet && !v->c->json && cli_is_terminal(stderr) && now - v->last > 0.1) {
        fprintf(stderr, "\r%lld/%lld pictures ", (long long)done, (long long)total);
        v->last = now;
        v->shown = true;
    }
    return !stop;
}

/* "key=value" settings into the options. */
static fv_status read_settings(cli *c, fv_synth_options *o)
{
    fv_status status = FV_OK;
    char key[64];
    fv_synth_defaults(o);
    for (int i = 0; status == FV_OK && i < c->n_settings; i++) {
        const char *equals = strchr(c->settings[i], '=');
        const size_t n = equals && c->settings[i][0] != '+' ? (size_t)(equals - c->settings[i]) : 0;
        if (!n || n >= sizeof key) {
            cli_usage(c, "\"%s\" is not key=value", c->settings[i]);
            return FV_ERROR_CANCELED;
        }
        memcpy(key, c->settings[i], n);
        key[n] = 0;
        status = fv_synth_set(c->ctx, o, key, equals + 1);
    }
    return status;
}

static void print_list(const cli *c)
{
    for (int i = 0; fv_synth_class(i); i++) {
        if (c->json) printf("%s\"%s\"", i ? ", " : "[", fv_synth_class(i));
        else printf("%2d  %s\n", i + 1, fv_synth_class(i));
    }
    if (c->json) printf("]\n");
}

static void print_keys(const cli *c)
{
    const char *name, *help, *fallback;
    for (int i = 0; (name = fv_synth_key(i, &help, &fallback)); i++) {
        if (!c->json) {
            printf("  %-10s %-7s %s\n", name, fallback, help);
            continue;
        }
        printf("%s\"%s\": {\"default\": ", i ? ", " : "{", name);
        cli_json_text(stdout, fallback);
        printf(", \"help\": ");
        cli_json_text(stdout, help);
        printf("}");
    }
    if (c->json) printf("}\n");
}

static void print_result(const cli *c, const fv_synth_result *r, double seconds)
{
    char size[32];
    if (c->json) {
        printf("{\"folder\": ");
        cli_json_text(stdout, c->output);
        printf(", \"train\": %lld, \"val\": %lld, \"test\": %lld, \"planes\": %lld, \"bytes\": %lld, \"seconds\": %.3f, "
               "\"hash\": \"%s\"}\n",
               (long long)r->pictures[0], (long long)r->pictures[1], (long long)r->pictures[2], (long long)r->planes,
               (long long)r->bytes, seconds, r->hash);
    } else if (!c->quiet) {
        printf("%s: %lld pictures to train, %lld to validate, %lld to test, %s, %.1f s\n", c->output, (long long)r->pictures[0],
               (long long)r->pictures[1], (long long)r->pictures[2], cli_bytes((double)r->bytes, size), seconds);
    }
}

static int run(cli *c)
{
    fv_synth_options o;
    fv_synth_result result;
    const bool list = cli_flag(c, "list"), keys = cli_flag(c, "keys");
    if (list || keys) {
        if (c->n_words || c->n_settings || c->output || cli_flag(c, "overwrite") || (list && keys))
            return cli_usage(c, "--list and --keys stand alone");
        if (list) print_list(c);
        else print_keys(c);
        return EXIT_DONE;
    }
    if (c->n_words != 1 || strcmp(c->words[0], "planes")) return cli_usage(c, "planes is the one set there is");
    if (!c->output || !*c->output) return cli_usage(c, "-o FOLDER is needed");
    fv_status status = read_settings(c, &o);
    if (status == FV_ERROR_CANCELED) return EXIT_USAGE;
    cli_on_stop(ask_to_stop);
    view v = {.c = c};
    const double begin = fv_seconds();
    if (status == FV_OK) status = fv_synth_planes(c->ctx, c->output, &o, cli_flag(c, "overwrite"), on_progress, &v, &result);
    if (v.shown) fprintf(stderr, "\r                          \r");
    if (status == FV_OK) print_result(c, &result, fv_seconds() - begin);
    return cli_report(c, status);
}

static const cli_option flags[] = {
    {"overwrite", NULL, "replaces a set that this command made", NULL},
    {"list", NULL, "the classes", NULL},
    {"keys", NULL, "the keys with their defaults", NULL},
    CLI_OPTIONS_END};
const fv_command fv_command_synth = {
    .name = "synth",
    .arguments = "planes -o FOLDER [format=folder|voc|yolo] [classes=8] [per_class=500] [seed=0] [key=value ...]",
    .about = "makes pictures of aircraft from above, to try things with",
    .help = "The same keys give the same pixels on every machine. A folder that holds something else is left alone.",
    .flags = flags,
    .output = {"-o", "FOLDER", "where the set is made", NULL},
    .table = fv_synth_key,
    .run = run};
