/* SPDX-License-Identifier: Apache-2.0 */
/* fovea: finds the command, gives it a context, turns a status into an exit code. */
#include "cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FVI_COMMAND_FILE(name) extern const fv_command fv_command_##name;
#include "command_list.inc"
#undef FVI_COMMAND_FILE
#define FVI_COMMAND_FILE(name) &fv_command_##name,
static const fv_command *const commands[] = {
#include "command_list.inc"
    NULL,
};
#undef FVI_COMMAND_FILE

static void print_usage(FILE *to)
{
    fprintf(to, "usage: fovea COMMAND ...\n\n");
    for (int i = 0; commands[i]; i++) fprintf(to, "  %-10s %s\n", commands[i]->name, commands[i]->about);
    fprintf(to, "\nfovea help COMMAND explains one. Every configuration key is key=value in every command.\n");
}

static void log_line(void *user, fv_log_level level, const char *text)
{
    const cli *c = user;
    if (level == FV_LOG_DEBUG || (c->quiet && level < FV_LOG_WARN)) return;
    fprintf(stderr, "%s: %s\n", level == FV_LOG_INFO ? "note" : level == FV_LOG_WARN ? "warning" : "error", text);
}

static int run_command(const fv_command *command, int argc, char **argv)
{
    cli c = {.command = command, .commands = commands};
    int code = cli_parse(&c, argc, argv);
    if (code == EXIT_DONE && c.help) {
        cli_print_help(stdout, command);
    } else if (code == EXIT_DONE) {
        c.ctx = fv_context_create();
        if (!c.ctx) {
            fprintf(stderr, "fovea: out of memory\n");
            code = EXIT_MEMORY;
        } else {
            fv_context_set_log(c.ctx, log_line, &c);
            code = command->run(&c);
        }
        fv_context_destroy(c.ctx);
    }
    cli_free(&c);
    return code;
}

/* What was printed must have arrived: a full disk behind standard output is a failure. */
static int flushed(int code)
{
    if (fflush(stdout) == 0 && !ferror(stdout)) return code;
    fprintf(stderr, "fovea: cannot write the output: %s\n", strerror(errno));
    return code == EXIT_DONE ? EXIT_RUN : code;
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : NULL;
    cli_begin_process();
    if (!name) {
        print_usage(stderr);
        return EXIT_USAGE;
    }
    if (!strcmp(name, "--version") || !strcmp(name, "-V")) {
        printf("fovea %s\n", fv_version());
        return flushed(EXIT_DONE);
    }
    if (!strcmp(name, "--help") || !strcmp(name, "-h")) {
        print_usage(stdout);
        return flushed(EXIT_DONE);
    }
    if (!strcmp(name, "--complete")) return flushed(cli_complete(commands, argc - 2, argv + 2));        /* for the shells */
    if (!strcmp(name, "help") && argc == 2) {
        print_usage(stdout);
        return flushed(EXIT_DONE);
    }
    const fv_command *command = cli_find_command(commands, name);
    if (!command) {
        fprintf(stderr, "fovea: unknown command \"%s\"; `fovea help` lists the commands\n", name);
        return EXIT_USAGE;
    }
    return flushed(run_command(command, argc - 2, argv + 2));
}
