/* SPDX-License-Identifier: Apache-2.0 */
/* fovea help COMMAND */
#include "cli.h"

#include <string.h>

static void print_keys(FILE *to)
{
    const char *name, *help;
    char *fallback;
    fprintf(to, "\nconfiguration keys (default): meaning\n");
    for (int i = 0; (name = fv_config_key(i, &help, &fallback)); i++) {
        fprintf(to, "  %-28s %-18s %s\n", name, fallback ? fallback : "", help ? help : "");
        fv_text_free(fallback);
    }
}

static void print_models(FILE *to)
{
    const char *name, *about, *help, *fallback;
    fprintf(to, "\nmodels\n");
    for (int i = 0; (name = fv_model_known(i, &about)); i++) {
        fprintf(to, "  %-12s %s\n", name, about);
        for (int k = 0; (fallback = NULL, about = fv_model_argument(name, k, &help, &fallback)); k++)
            fprintf(to, "      model_args.%s=%s  %s\n", about, fallback ? fallback : "...", help ? help : "");
    }
}

void cli_print_help(FILE *to, const fv_command *command)
{
    fprintf(to, "fovea %s %s\n%s\n", command->name, command->arguments, command->about);
    if (command->help) fprintf(to, "\n%s\n", command->help);
    if (command->flags) {
        fprintf(to, "\nflags:");
        for (int i = 0; command->flags[i]; i++) fprintf(to, " --%s", command->flags[i]);
        fprintf(to, " --json --quiet\n");
    }
    if (command->keys) print_keys(to);
    print_models(to);
}

static int run(cli *c)
{
    const fv_command *command = cli_find_command(c->n_words ? c->words[0] : "help");
    if (!command) return cli_usage(c, "there is no command \"%s\"", c->words[0]);
    cli_print_help(stdout, command);
    return EXIT_DONE;
}

const fv_command fv_command_help = {.name = "help", .arguments = "COMMAND", .about = "explains a command", .run = run};
