/* SPDX-License-Identifier: Apache-2.0 */
/* fovea help: a command or a configuration key; manual page and completion scripts. */
#include "cli.h"

#include <string.h>

static void print_keys(FILE *to)
{
    fv_config_entry e;
    const char *heading = "";
    fprintf(to, "\nconfiguration keys (default): meaning; `fovea help KEY` says more\n");
    for (int i = 0; fv_config_describe(i, &e); i++) {
        if (strcmp(heading, e.heading)) fprintf(to, "\n  %s\n", e.heading);
        fprintf(to, "  %-28s %-18s %s\n", e.name, e.fallback, e.help);
        heading = e.heading;
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

static void print_options(FILE *to, const fv_command *command)
{
    const char *name, *help, *fallback;
    char text[96];
    if (command->settings || command->table) fprintf(to, "\nsettings\n");
    for (const cli_option *o = command->settings; o && o->name; o++) {
        snprintf(text, sizeof text, "%s=%s", o->name, o->value);
        fprintf(to, "  %-28s %s%s%s%s\n", text, o->help, o->alias ? " (also " : "", o->alias ? o->alias : "", o->alias ? ")" : "");
    }
    for (int i = 0; command->table && (name = command->table(i, &help, &fallback)); i++) {
        snprintf(text, sizeof text, "%s=%s", name, fallback ? fallback : "...");
        fprintf(to, "  %-28s %s\n", text, help ? help : "");
    }
    fprintf(to, "\nflags\n");
    for (int i = 0; cli_describe_flag(command, i, text, &help); i++) fprintf(to, "  %-28s %s\n", text, help);
}

void cli_print_help(FILE *to, const fv_command *command)
{
    fprintf(to, "fovea %s %s\n%s\n", command->name, command->arguments, command->about);
    if (command->help) fprintf(to, "\n%s\n", command->help);
    print_options(to, command);
    if (command->keys == CLI_KEYS_LISTED) print_keys(to);
    else if (command->keys) fprintf(to, "\nIt takes the keys of a configuration too: `fovea help train` lists them.\n");
    if (command->keys == CLI_KEYS_LISTED || strstr(command->arguments, "MODEL")) print_models(to);
}

static void print_key(FILE *to, const fv_config_entry *e)
{
    fprintf(to, "%s\n  %s\n\n  default   %s\n", e->name, e->help, e->fallback);
    fprintf(to, "  value     %s%s%s\n", e->choices ? "" : e->kind, *e->range ? ", " : "", e->range);
    if (e->choices) {
        fprintf(to, "  one of   ");
        for (int i = 0; e->choices[i]; i++) fprintf(to, " %s", e->choices[i]);
        fprintf(to, "\n");
    }
    if (e->aliases) fprintf(to, "  also      %s\n", e->aliases);
    if (e->group) fprintf(to, "  short     %s=%s\n", e->group, e->example);
    fprintf(to, "  example   %s=%s\n", e->name, e->example);
    if (e->path)
        fprintf(to, "  relative paths count from the configuration's folder, on the command line from the current "
                    "one\n");
    if (e->local) fprintf(to, "  may be changed when a run goes on\n");
}

/* What was asked: the manual page, a shell's script, a command, a key. */
static bool print(FILE *to, const void *asked)
{
    const cli *c = asked;
    const char *word = c->n_words ? c->words[0] : "help", *shell = cli_setting(c, "completion");
    const fv_command *command = cli_find_command(c->commands, word);
    fv_config_entry e;
    if (cli_flag(c, "man")) cli_print_manual(to, c->commands);
    else if (shell) return cli_print_completion(to, shell);
    else if (command) cli_print_help(to, command);
    else if (fv_config_describe(fv_config_find(word), &e)) print_key(to, &e);
    else return cli_usage(c, "there is no command and no key \"%s\"", word), false;
    return true;
}

static int run(cli *c)
{
    if (!cli_check_settings(c)) return EXIT_USAGE;
    if (c->n_words + cli_flag(c, "man") + (c->n_settings > 0) > 1)
        return cli_usage(c, "one command, key, --man or completion= at a time");
    return cli_print_to(c, print, c);
}

static const cli_option flags[] = {{"man", NULL, "prints the manual page", NULL}, CLI_OPTIONS_END};
static const cli_option settings[] = {{"completion", "bash|zsh|fish", "prints the completion script of a shell", NULL}, CLI_OPTIONS_END};
const fv_command fv_command_help = {
    .name = "help", .arguments = "COMMAND|KEY [--man] [completion=bash|zsh|fish] [-o FILE]", .about = "explains a command or a configuration key",
    .help = "Without -o to standard output. An installation brings manual page and completion along; without one:\n"
            "  eval \"$(fovea help completion=bash)\"       fovea help --man | man -l -",
    .flags = flags, .output = {"-o", "FILE", "where it is written; standard output without it", NULL},
    .text_only = true, .settings = settings, .run = run};
