/* SPDX-License-Identifier: Apache-2.0 */
/* The manual page fovea(1), from the tables of commands, keys and models; macros of man(7). */
#include "cli.h"

#include <string.h>

#define DATE "2026-11-21"        /* of this version's pages */

/* Text that a formatter takes as it is: no escape, hyphens that can be copied, no control line. */
static void put(FILE *to, const char *text)
{
    if (*text == '.' || *text == '\'') fputs("\\&", to);
    for (; *text; text++) {
        if (*text == '\\') fputs("\\e", to);
        else if (*text == '-') fputs("\\-", to);
        else fputc(*text, to);
        if (*text == '\n' && (text[1] == '.' || text[1] == '\'')) fputs("\\&", to);
    }
}

static void section(FILE *to, const char *name)
{
    fprintf(to, ".SH ");
    put(to, name);
    fprintf(to, "\n");
}

/* An entry of a list: `term` in bold. */
static void entry(FILE *to, const char *term, const char *text)
{
    fprintf(to, ".TP\n.B ");
    put(to, term);
    fprintf(to, "\n");
    put(to, text && *text ? text : "\\&");
    fprintf(to, "\n");
}

static void print_options(FILE *to, const fv_command *command)
{
    char term[160], text[512];
    const char *name, *help, *fallback;
    for (const cli_option *o = command->settings; o && o->name; o++) {
        snprintf(term, sizeof term, "%s=%s", o->name, o->value);
        snprintf(text, sizeof text, "%s%s%s%s", o->help, o->alias ? " (also " : "", o->alias ? o->alias : "", o->alias ? ")" : "");
        entry(to, term, text);
    }
    for (int i = 0; command->table && (help = fallback = NULL, name = command->table(i, &help, &fallback)); i++) {
        snprintf(term, sizeof term, "%s=%s", name, fallback ? fallback : "...");
        entry(to, term, help);
    }
    for (int i = 0; cli_describe_flag(command, i, term, &help) && strcmp(term, "--help"); i++) entry(to, term, help);
}

/* Further help: lines that begin with blanks keep their form. */
static void print_help(FILE *to, const char *text)
{
    bool block = false;
    while (text && *text) {
        size_t n = strcspn(text, "\n");
        bool indented = *text == ' ';
        char line[1024];
        snprintf(line, sizeof line, "%.*s", (int)n, text);
        if (indented != block) fprintf(to, indented ? ".PP\n.nf\n" : ".fi\n.PP\n");
        block = indented;
        if (*line) put(to, line);
        fprintf(to, "\n");
        text += n + (text[n] == '\n');
    }
    if (block) fprintf(to, ".fi\n");
}

static void print_command(FILE *to, const fv_command *command)
{
    fprintf(to, ".SS fovea %s\n.B fovea %s\n", command->name, command->name);
    put(to, command->arguments);
    fprintf(to, "\n.PP\n");
    put(to, command->about);
    fprintf(to, ".\n");
    if (command->help) {
        fprintf(to, ".PP\n");
        print_help(to, command->help);
    }
    print_options(to, command);
    if (command->keys) fprintf(to, ".PP\nIt takes the keys of a configuration.\n");
}

static void print_keys(FILE *to)
{
    fv_config_entry e;
    const char *heading = "";
    section(to, "CONFIGURATION KEYS");
    fprintf(to, "A configuration is a JSON file, in which // comments and trailing commas are allowed; a dot is a level. Its variants and then all\n"
                ".IR key = value\nof the command line are laid over it.\n.B null\nis the default.\n");
    for (int i = 0; fv_config_describe(i, &e); i++) {
        if (strcmp(heading, e.heading)) fprintf(to, ".SS %s\n", e.heading);
        heading = e.heading;
        entry(to, e.name, e.help);
        fprintf(to, "(");
        for (int k = 0; e.choices && e.choices[k]; k++) {
            fprintf(to, "%s", k ? ", " : "");
            put(to, e.choices[k]);
        }
        if (!e.choices) {
            put(to, e.kind);
            if (*e.range) fprintf(to, ", ");
            put(to, e.range);
        }
        fprintf(to, "; default ");
        put(to, e.fallback);
        if (e.aliases) fprintf(to, "; also ");
        if (e.aliases) put(to, e.aliases);
        fprintf(to, ")\n");
    }
}

static void print_models(FILE *to)
{
    const char *name, *about, *help, *fallback, *argument;
    char term[160];
    section(to, "MODELS");
    for (int i = 0; (name = fv_model_known(i, &about)); i++) {
        entry(to, name, about);
        for (int k = 0; (help = fallback = NULL, argument = fv_model_argument(name, k, &help, &fallback)); k++) {
            snprintf(term, sizeof term, "model_args.%s=%s", argument, fallback ? fallback : "...");
            fprintf(to, ".br\n");
            put(to, term);
            fprintf(to, "\n\\(en ");
            put(to, help ? help : "");
            fprintf(to, "\n");
        }
    }
}

typedef struct pair { const char *term, *text; } pair;

static void print_pairs(FILE *to, const char *title, const pair *pairs, int n)
{
    section(to, title);
    for (int i = 0; i < n; i++) entry(to, pairs[i].term, pairs[i].text);
}
#define PRINT_PAIRS(to, title, pairs) print_pairs(to, title, pairs, (int)(sizeof pairs / sizeof *pairs))

static const pair common[] = {
    {"--json", "One JSON object on standard output and nothing else there. Of every command but help."},
    {"--quiet", "No notes and no progress: results, warnings and errors only. Of every command but help."},
    {"--help, -h", "Explains the command."},
    {"--version, -V", "Without a command: prints the version."},
};
static const pair files[] = {
    {"runs/CONFIG.VARIANTS/", "A run: resolved configuration, split of the data, metrics.csv, TensorBoard events, report.html."},
    {"checkpoints/best.safetensors", "In a run: the best weights, under the names that PyTorch's state dict has."},
    {"checkpoints/latest.safetensors, latest.state.safetensors", "What a run goes on from, tied by hash; the pair before it is kept as previous."},
};
static const pair variables[] = {
    {"FOVEA_RUN_ROOT", "Folder of runs, where run_root is not set."},
    {"FOVEA_ISA", "Caps the instruction set of the kernels: base, avx2, avx512, avx512_bf16."},
    {"FOVEA_PASSES", "Passes over graphs: none interprets the references, -fuse,-layout leaves these two out."},
    {"FOVEA_TRACE", "When set, an error is followed by the places that it went through."},
    {"OMP_NUM_THREADS", "Compute threads, where threads is not set."},
};
static const pair codes[] = {
    {"0", "Done."},
    {"1", "The run failed."},
    {"2", "Usage or configuration."},
    {"3", "Bad data, or a file that cannot be read or written."},
    {"4", "Out of memory."},
    {"130", "Interrupted; what was reached is saved."},
};
static const char examples[] =
    "fovea synth planes \\-o planes\n"
    "fovea train configs/folder.json data=planes image_size=64\n"
    "fovea train runs/folder                          # goes on after Ctrl\\-C, a kill or a power cut\n"
    "fovea eval runs/folder\n"
    "fovea report runs/folder runs/other \\-o both.html\n"
    "fovea export runs/folder                         # ONNX\n";

void cli_print_manual(FILE *to, const fv_command *const *commands)
{
    fprintf(to, ".\\\" SPDX-License-Identifier: Apache-2.0\n.\\\" Written by fovea help --man.\n.TH FOVEA 1 " DATE " \"Fovea %s\" \"Fovea\"\n", fv_version());
    section(to, "NAME");
    fprintf(to, "fovea \\- train, evaluate and export vision models\n");
    section(to, "SYNOPSIS");
    for (int i = 0; commands[i]; i++) {
        fprintf(to, "%s.B fovea %s\n", i ? ".br\n" : "", commands[i]->name);
        put(to, commands[i]->arguments);
        fprintf(to, "\n");
    }
    section(to, "DESCRIPTION");
    fprintf(to, "Trains image classifiers on CPUs, evaluates and exports them, and writes a report of each run.\n"
                "Every configuration key is\n.IR key = value\nin every command that takes them;\n"
                ".BI \\-\\-key \" value\"\nmeans the same.\n"
                "A word with = in it that names a file and no key is a path; behind\n"
                ".B \\-\\-\nall words are paths.\n");
    PRINT_PAIRS(to, "OPTIONS", common);
    section(to, "COMMANDS");
    for (int i = 0; commands[i]; i++) print_command(to, commands[i]);
    print_keys(to);
    print_models(to);
    PRINT_PAIRS(to, "ENVIRONMENT", variables);
    PRINT_PAIRS(to, "FILES", files);
    PRINT_PAIRS(to, "EXIT STATUS", codes);
    section(to, "EXAMPLES");
    fprintf(to, ".nf\n%s.fi\n", examples);
}
