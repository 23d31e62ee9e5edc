/* SPDX-License-Identifier: Apache-2.0 */
/* The reference of the configuration, docs/configuration.md: what the tables of keys and models hold, as Markdown or JSON. */
#include "cli.h"

#include <string.h>

/* ---- Markdown ---------------------------------------------------------------------------------------------------------- */

static const char intro[] =
    "# Configuration keys\n"
    "\n"
    "Written by `fovea config --reference` from the tables that the program itself goes by; a test compares this page with its output.\n"
    "`fovea help KEY` shows one key, `fovea config --reference --json` all of them to a program.\n"
    "\n"
    "A configuration is a JSON file; `//` comments and trailing commas are allowed. A dot is a level: `data.root` is `{\"data\": {\"root\": ...}}`.\n"
    "On the command line every key is `key=value` (`--key value` means the same), and a run needs no file:\n"
    "\n"
    "```sh\n"
    "fovea train configs/folder.json +small data=pictures learning_rate=3e-4\n"
    "fovea train model=resnet18 data=pictures epochs=10\n"
    "fovea config configs/folder.json +small --origins      # what that comes to, and where each value is from\n"
    "```\n"
    "\n"
    "- Order: the file, its variants from left to right, then all `key=value`. A variant is an entry of `variants`, an object of overlays; `+small` lays it over.\n"
    "- `null` is the default; on a group (`augment=null`) that of all its keys.\n"
    "- A list is `[0.9, 0.999]` in a file, `0.9,0.999` on the command line; one number fills a list of fixed length.\n"
    "- A plain value on a group sets the key that says so below: `data=pictures` is `data.root=pictures`.\n"
    "- An augmentation that has a probability takes a number or an object: `0.5`, `{\"p\": 0.5}`.\n"
    "- Relative paths count from the folder of the file, on the command line from the current one.\n"
    "- A key twice in a file or variant (under an alias, as a group and with dots), an unknown key, "
    "a wrong kind of value or one out of range are errors that name file, line and key.\n"
    "- `enable_cudnn_benchmark` and `enable_compile` are accepted with a note: they mean nothing here.\n";

/* A cell of a table: no pipe ends it, no tag is opened. */
static void cell(FILE *to, const char *text)
{
    for (; *text; text++) {
        if (*text == '|') fputs("\\|", to);
        else if (*text == '<') fputs("&lt;", to);
        else fputc(*text, to);
    }
}

/* Words between spaces, each as code. */
static void code_words(FILE *to, const char *words)
{
    for (const char *separator = ""; *words; separator = " ") {
        size_t n = strcspn(words, " ");
        fprintf(to, "%s`%.*s`", separator, (int)n, words);
        words += n + (words[n] == ' ');
    }
}

static void print_row(FILE *to, const fv_config_entry *e)
{
    fprintf(to, "| `%s`", e->name);
    if (e->aliases) fprintf(to, "<br>also ");
    if (e->aliases) code_words(to, e->aliases);
    if (e->group) fprintf(to, "<br>short `%s`", e->group);
    fprintf(to, " | ");
    for (int i = 0; e->choices && e->choices[i]; i++) fprintf(to, "%s`%s`", i ? " " : "", e->choices[i]);
    if (!e->choices) fprintf(to, "%s%s%s", e->path ? "path" : e->kind, *e->range ? ", " : "", e->range);
    fprintf(to, " | `%s` | ", e->fallback);
    cell(to, e->help);
    fprintf(to, " | `%s=%s` |\n", e->name, e->example);
}

static void print_models(FILE *to)
{
    const char *name, *about, *help, *fallback, *argument;
    fprintf(to, "\n## Models and their arguments\n\n`model_args` is an object; on the command line `model_args.stem=cifar`.\n\n"
                "| model | what | arguments (default): meaning |\n|---|---|---|\n");
    for (int i = 0; (name = fv_model_known(i, &about)); i++) {
        fprintf(to, "| `%s` | ", name);
        cell(to, about);
        fprintf(to, " | ");
        for (int k = 0; (help = fallback = NULL, argument = fv_model_argument(name, k, &help, &fallback)); k++) {
            fprintf(to, "%s`%s`", k ? "<br>" : "", argument);
            if (fallback) fprintf(to, " (`%s`)", fallback);
            fprintf(to, ": ");
            cell(to, help ? help : "");
        }
        fprintf(to, " |\n");
    }
}

static void print_markdown(FILE *to)
{
    fv_config_entry e;
    const char *heading = "";
    fputs(intro, to);
    for (int i = 0; fv_config_describe(i, &e); i++) {
        if (strcmp(heading, e.heading)) fprintf(to, "\n## %s\n\n| key | value | default | meaning | example |\n|---|---|---|---|---|\n", e.heading);
        print_row(to, &e);
        heading = e.heading;
    }
    print_models(to);
}

/* ---- JSON -------------------------------------------------------------------------------------------------------------- */

static void json_member(FILE *to, const char *key, const char *value)
{
    fprintf(to, ", \"%s\": ", key);
    cli_json_text(to, value);
}

static void json_words(FILE *to, const char *key, const char *words)
{
    fprintf(to, ", \"%s\": [", key);
    for (const char *p = words ? words : ""; *p;) {
        size_t n = strcspn(p, " ");
        fprintf(to, "%s\"%.*s\"", p == words ? "" : ", ", (int)n, p);
        p += n + (p[n] == ' ');
    }
    fprintf(to, "]");
}

static void print_json_key(FILE *to, const fv_config_entry *e)
{
    fprintf(to, "{\"name\": ");
    cli_json_text(to, e->name);
    json_member(to, "heading", e->heading);
    json_member(to, "kind", e->choices ? "choice" : e->path ? "path" : e->kind);
    fprintf(to, ", \"default\": %s", e->fallback);
    json_member(to, "range", *e->range ? e->range : NULL);
    fprintf(to, ", \"choices\": %s", e->choices ? "[" : "null");
    for (int i = 0; e->choices && e->choices[i]; i++) fprintf(to, "%s\"%s\"", i ? ", " : "", e->choices[i]);
    fprintf(to, "%s", e->choices ? "]" : "");
    json_words(to, "aliases", e->aliases);
    json_member(to, "short", e->group);
    json_member(to, "help", e->help);
    json_member(to, "example", e->example);
    fprintf(to, ", \"local\": %s}", e->local ? "true" : "false");
}

static void print_json(FILE *to)
{
    fv_config_entry e;
    const char *name, *about, *help, *fallback, *argument;
    fprintf(to, "{\"version\": \"%s\", \"keys\": [", fv_version());
    for (int i = 0; fv_config_describe(i, &e); i++) {
        fprintf(to, "%s\n  ", i ? "," : "");
        print_json_key(to, &e);
    }
    fprintf(to, "],\n \"models\": [");
    for (int i = 0; (name = fv_model_known(i, &about)); i++) {
        fprintf(to, "%s\n  {\"name\": \"%s\"", i ? "," : "", name);
        json_member(to, "about", about);
        fprintf(to, ", \"arguments\": [");
        for (int k = 0; (help = fallback = NULL, argument = fv_model_argument(name, k, &help, &fallback)); k++) {
            fprintf(to, "%s{\"name\": \"%s\"", k ? ", " : "", argument);
            json_member(to, "default", fallback);
            json_member(to, "help", help);
            fprintf(to, "}");
        }
        fprintf(to, "]}");
    }
    fprintf(to, "]}\n");
}

void cli_print_reference(FILE *to, bool json)
{
    if (json) print_json(to);
    else print_markdown(to);
}
