/* SPDX-License-Identifier: Apache-2.0 */
/* The program: one file a command, over the public headers only. The build lists cli/cmd_*.c; each exports its record. */
#ifndef FOVEA_CLI_H
#define FOVEA_CLI_H

#include "fovea/train.h"

#include <stdio.h>

enum { EXIT_DONE = 0, EXIT_RUN = 1, EXIT_USAGE = 2, EXIT_DATA = 3, EXIT_MEMORY = 4, EXIT_INTERRUPTED = 130 };

/* The arguments of a command, taken apart by one grammar. */
typedef struct cli {
    fv_context *ctx;
    const struct fv_command *command, *const *commands;          /* this one; all, NULL at the end */
    const char **words;          /* plain arguments */
    int n_words;
    const char **settings;       /* "key=value" and "+variant", in order */
    int n_settings;
    char **owned;                /* texts made for "--key value" */
    int n_owned;
    unsigned flags;              /* bit i: the i-th flag of the command was given */
    const char *output;          /* -o FILE */
    bool json, quiet, help;
} cli;

/* A flag, or with a value a setting: choices ("f32|bf16") are checked, words ("N", "FILE") only say what is meant. A name that
 * ends in * stands for all that begin so. Tables end with a name of NULL. */
typedef struct cli_option { const char *name, *value, *help, *alias; } cli_option;
#define CLI_MODEL_ARGS {"model_args*", "...", "arguments of the model: model_args.stem=cifar", NULL}
#define CLI_OPTIONS_END {NULL, NULL, NULL, NULL}

enum { CLI_KEYS_LISTED = 1, CLI_KEYS_TAKEN };

/* Help, manual page and shell completion are made from these. Words of `arguments` up to the first [ or -: those in small letters
 * are meant literally, COMMAND, KEY and MODEL are names, the others are paths; a|b is one or the other, ... more of the last. */
typedef struct fv_command {
    const char *name;
    const char *arguments;       /* "CONFIG.json|RUN [key=value ...]" */
    const char *about;           /* one line */
    const char *help;            /* further lines, or NULL */
    const cli_option *flags;     /* own flags; --help is everywhere */
    cli_option output;           /* -o: what it takes ("FILE.csv") and what for; without a name: none is taken */
    bool text_only;              /* takes neither --json nor --quiet */
    const cli_option *settings;  /* own key=value */
    const char *(*table)(int index, const char **help, const char **fallback);     /* further own key=value */
    int keys;                    /* takes configuration keys: CLI_KEYS_LISTED: help lists them, CLI_KEYS_TAKEN: it does not */
    int (*run)(cli *c);
} fv_command;

void cli_print_help(FILE *to, const fv_command *command);

/* Word `position` (from 0) of the command's arguments into out, one|or|the|other; false: there is none. */
bool cli_argument(const fv_command *command, int position, char out[128]);
/* The command's own setting of that name (n bytes), or NULL. */
const cli_option *cli_own_setting(const fv_command *command, const char *name, size_t n);
/* Manual page, reference of the configuration, completion script of "bash", "zsh" or "fish" (false: of no other). */
void cli_print_manual(FILE *to, const fv_command *const *commands);
void cli_print_reference(FILE *to, bool json);
bool cli_print_completion(FILE *to, const char *shell);
/* What may stand where the last word is, a line each: "text<TAB>meaning"; ":files" asks the shell for paths. */
int cli_complete(const fv_command *const *commands, int n, char **words);
/* The flag number `index` that the command takes, in words ("-o FILE", "--json"); false past the end. */
bool cli_describe_flag(const fv_command *command, int index, char name[64], const char **help);
/* Calls print with the file of -o, or standard output; a file is there as a whole or not at all. */
int cli_print_to(cli *c, bool (*print)(FILE *to, const void *what), const void *what);

/* The command of that name among all (NULL at their end), or NULL. */
const fv_command *cli_find_command(const fv_command *const *commands, const char *name);
/* Takes argv apart (command and commands are set already); prints what is wrong and returns an exit code, or EXIT_DONE. */
int cli_parse(cli *c, int argc, char **argv);
void cli_free(cli *c);
bool cli_flag(const cli *c, const char *name);
/* Value of "key=value" among the settings (the last one wins) or NULL; marks nothing. */
const char *cli_setting(const cli *c, const char *key);
/* Whole number from a setting; false and a message when it is not one in [low, high]. */
bool cli_number(const cli *c, const char *key, long long low, long long high, long long *out);
/* true or false from a setting; false and a message when it is something else. */
bool cli_bool(const cli *c, const char *key, bool *out);
/* Are all settings the command's own, or keys where it takes them, and the choices known? Says what is wrong. */
bool cli_check_settings(const cli *c);
/* The settings that are not the command's own into `out` (n_settings of room); how many. */
int cli_config_settings(const cli *c, const char **out);
/* Reports the context's error and gives the exit code of a status. */
int cli_report(const cli *c, fv_status status);
/* Usage error of the command line itself. */
int cli_usage(const cli *c, const char *fmt, ...) FV_PRINTF(2, 3);

/* The model that a word names: one of the library (with model_args.* from the settings), that of a run (a folder), or
 * that of stored weights (it has a slash, a dot or an @: a file, RUN@latest). `classes`: 0 when not given. */
fv_status cli_model(cli *c, const char *word, long long classes, fv_model **out) FV_CHECKED;
/* input=CxHxW into dims; keeps them when not given. false and a message when it is something else. */
bool cli_input(const cli *c, int64_t dims[3]);

/* ---- process ---- */

/* Before anything is opened: descriptors 0 to 2, the signals. */
void cli_begin_process(void);
/* From now on Ctrl-C, SIGTERM and SIGHUP call `ask` (from a handler), which makes the work stop, in place of ending the
 * process; false: there is nothing to be stopped. A second Ctrl-C ends the process all the same. A reader of the output
 * that goes away is no end. */
void cli_on_stop(bool (*ask)(void));

/* ---- text ---- */
const char *cli_thousands(long long n, char out[32]);      /* "11,181,642" */
const char *cli_bytes(double bytes, char out[32]);         /* "64.9 MB" */
int cli_show(FILE *to, const char *s);                     /* control characters as \n, \x1b; returns the columns that it takes */
void cli_cell(FILE *to, const char *s, int width);         /* the same, filled up with blanks */
void cli_json_text(FILE *to, const char *s);               /* quoted and escaped */
void cli_json_number(FILE *to, double v);                  /* non-finite: null */
bool cli_is_terminal(FILE *f);
int cli_columns(FILE *f);                                  /* of the terminal; 80 when it does not say */

#endif
