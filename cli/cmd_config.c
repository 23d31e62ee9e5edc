/* SPDX-License-Identifier: Apache-2.0 */
/* fovea config: the resolved configuration, with the origin of each value on request; the reference of all keys. */
#include "cli.h"

static bool print_reference(FILE *to, const void *json)
{
    cli_print_reference(to, *(const bool *)json);
    return true;
}

static bool print_text(FILE *to, const void *text)
{
    return fputs(text, to) >= 0;
}

static int run(cli *c)
{
    fv_config *config = NULL;
    if (c->n_words > 1) return cli_usage(c, "one configuration at a time");
    if (cli_flag(c, "reference")) {
        if (c->n_words || c->n_settings || cli_flag(c, "origins"))
            return cli_usage(c, "--reference stands alone: it is about all keys");
        return cli_print_to(c, print_reference, &c->json);
    }
    fv_status status = fv_config_create(c->ctx, c->n_words ? c->words[0] : NULL, c->n_settings, c->settings, &config);
    char *text = status == FV_OK ? fv_config_text(config, cli_flag(c, "origins")) : NULL;
    if (status == FV_OK && !text) status = FV_ERROR_NOMEM;
    const int code = text ? cli_print_to(c, print_text, text) : cli_report(c, status);
    fv_text_free(text);
    fv_config_destroy(config);
    return code;
}

static const cli_option flags[] = {
    {"origins", NULL, "where each value is from: file and line, command line, default", NULL},
    {"reference", NULL, "all keys with kind, default, range, meaning and example, as Markdown; with --json as JSON", NULL},
    CLI_OPTIONS_END};
const fv_command fv_command_config = {
    .name = "config",
    .arguments = "CONFIG.json|RUN [key=value ...] [+variant ...] [--origins] [-o FILE] | --reference [-o FILE]",
    .about = "prints the resolved configuration, where each value is from, or the reference of all keys",
    .flags = flags, .output = {"-o", "FILE", "where it is written; standard output without it", NULL},
    .keys = CLI_KEYS_LISTED, .run = run};
