/* SPDX-License-Identifier: Apache-2.0 */
/* Shell completion. The shells ask the program (fovea --complete WORDS..., the last one is being typed), so what they offer is
 * what this version takes; the scripts below only hand words over and paths back. */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

/* ---- what may stand there ------------------------------------------------------------------------------------------------ */

/* What is typed of the word; the commands that there are. */
typedef struct typed { const char *text; size_t n; const fv_command *const *commands; } typed;

/* One candidate, `head` and `text` together, if it goes on from what is typed. */
static void offer(const typed *t, const char *head, const char *text, const char *tail, const char *help)
{
    char word[512];
    int n = snprintf(word, sizeof word, "%s%s%s", head, text, tail);
    if (n < 0 || n >= (int)sizeof word || (size_t)n < t->n || strncmp(word, t->text, t->n)) return;
    printf("%s\t%s\n", word, help ? help : "");
}

static void offer_commands(const typed *t)
{
    for (int i = 0; t->commands[i]; i++) offer(t, "", t->commands[i]->name, "", t->commands[i]->about);
}

static void offer_models(const typed *t, const char *head)
{
    const char *name, *about;
    for (int i = 0; (name = fv_model_known(i, &about)); i++) offer(t, head, name, "", about);
}

static void offer_keys(const typed *t, const char *tail)
{
    fv_config_entry e;
    for (int i = 0; fv_config_describe(i, &e); i++) {
        offer(t, "", e.name, tail, e.help);
        if (e.group) offer(t, "", e.group, tail, e.help);
    }
}

/* Each of "a|b|c". */
static void offer_choices(const typed *t, const char *head, const char *choices)
{
    for (const char *p = choices; *p;) {
        char word[64];
        size_t n = strcspn(p, "|");
        snprintf(word, sizeof word, "%.*s", (int)n, p);
        offer(t, head, word, "", "");
        p += n + (p[n] == '|');
    }
}

static void offer_files(void)
{
    printf(":files\n");
}

bool cli_argument(const fv_command *command, int position, char out[128])
{
    const char *p = command->arguments;
    for (int i = 0; *p && *p != '[' && *p != '-'; i++) {
        size_t n = strcspn(p, " ");
        bool more = n > 3 && !strncmp(p + n - 3, "...", 3);
        if (i == position || more) {
            snprintf(out, 128, "%.*s", (int)(more ? n - 3 : n), p);
            return true;
        }
        p += n + (p[n] == ' ');
    }
    return false;
}

static void offer_argument(const typed *t, const fv_command *command, int position)
{
    char all[128];
    bool files = false;
    if (!cli_argument(command, position, all)) return;
    for (char *next = all, *word; (word = strsep(&next, "|"));) {
        if (!strcmp(word, "COMMAND")) offer_commands(t);
        else if (!strcmp(word, "KEY")) offer_keys(t, "");
        else if (!strcmp(word, "MODEL")) offer_models(t, ""), files = true;
        else if (*word >= 'a' && *word <= 'z') offer(t, "", word, "", "");
        else files = true;
    }
    if (files) offer_files();
}

static void offer_flags(const typed *t, const fv_command *command)
{
    char name[64];
    const char *help;
    for (int i = 0; cli_describe_flag(command, i, name, &help); i++) {
        name[strcspn(name, " ")] = 0;
        offer(t, "", name, "", help);
    }
}

static void offer_settings(const typed *t, const fv_command *command)
{
    const char *name, *help, *fallback;
    for (const cli_option *o = command->settings; o && o->name; o++)
        if (!strchr(o->name, '*')) offer(t, "", o->name, "=", o->help);
    for (int i = 0; command->table && (name = command->table(i, &help, &fallback)); i++) offer(t, "", name, "=", help);
    if (command->keys) offer_keys(t, "=");
}

/* The values of a configuration key. */
static void offer_values(const typed *t, const char *head, const char *key)
{
    fv_config_entry e;
    if (!fv_config_describe(fv_config_find(key), &e)) return;
    for (int i = 0; e.choices && e.choices[i]; i++) offer(t, head, e.choices[i], "", "");
    if (e.choices) return;
    if (!strcmp(e.name, "model")) offer_models(t, head);
    else if (e.path) offer_files();
    else if (!strcmp(e.kind, "true or false")) offer_choices(t, head, "true|false");
    else offer(t, head, e.example, "", e.help);
}

/* Behind "key=": choices, models, paths, a value that shows how it is written. */
static void offer_setting(const typed *t, const fv_command *command)
{
    char head[160], key[160];
    size_t n = (size_t)(strchr(t->text, '=') - t->text);
    const char *name, *help, *fallback;
    if (n + 2 > sizeof head) return;
    snprintf(head, sizeof head, "%.*s=", (int)n, t->text);
    snprintf(key, sizeof key, "%.*s", (int)n, t->text);
    const char *bare = key + (strncmp(key, "--", 2) ? 0 : 2);
    const cli_option *o = cli_own_setting(command, bare, strlen(bare));
    for (int i = 0; command->table && (name = command->table(i, &help, &fallback)); i++)
        if (!strcmp(name, bare)) offer(t, head, fallback, "", help);
    if (o && strchr(o->value, '|')) offer_choices(t, head, o->value);
    else if (o && (strstr(o->value, "FILE") || strstr(o->value, "FOLDER"))) offer_files();
    else if (o) offer(t, head, o->value, "", o->help);
    else if (command->keys) offer_values(t, head, bare);
}

static void offer_variants(const typed *t, const char *config)
{
    fv_context *ctx = fv_context_create();
    char *names = ctx ? fv_config_variants(ctx, config) : NULL, *next = names;
    for (char *name; next && (name = strsep(&next, "\n"));)
        if (*name) offer(t, "+", name, "", "variant");
    fv_text_free(names);
    fv_context_destroy(ctx);
}

int cli_complete(const fv_command *const *commands, int n, char **words)
{
    const char *last = n > 0 ? words[n - 1] : "", *first = NULL;
    const typed t = {last, strlen(last), commands};
    int position = 0;
    if (n < 2) {
        offer_commands(&t);
        offer(&t, "", "--version", "", "prints the version");
        offer(&t, "", "--help", "", "lists the commands");
        return EXIT_DONE;
    }
    const fv_command *command = cli_find_command(commands, words[0]);
    if (!command) return EXIT_DONE;
    for (int i = 1; i < n - 1; i++) {                    /* which word of the arguments it is */
        if (!strcmp(words[i], "-o")) i++;
        else if (words[i][0] != '-' && words[i][0] != '+' && !strchr(words[i], '=')) {
            if (!first) first = words[i];
            position++;
        }
    }
    if (!strcmp(words[n - 2], "-o")) offer_files();
    else if (strchr(last, '=')) offer_setting(&t, command);
    else if (*last == '-') offer_flags(&t, command);
    else if (*last == '+') {
        if (first) offer_variants(&t, first);
    } else {
        offer_argument(&t, command, position);
        offer_settings(&t, command);
    }
    return EXIT_DONE;
}

/* ---- scripts -------------------------------------------------------------------------------------------------------------- */

/* Bash cuts words at = and replaces only what is behind it. */
static const char bash[] =
    "# bash completion of fovea: it asks the program what may stand there.\n"
    "_fovea()\n"
    "{\n"
    "    local line=${COMP_LINE:0:COMP_POINT} current head= value candidate path\n"
    "    local -a words\n"
    "    IFS=$' \\t\\n' read -a words <<< \"$line\"\n"
    "    [[ $line == *[[:space:]] ]] && words+=(\"\")\n"
    "    current=${words[${#words[@]}-1]}\n"
    "    value=$current\n"
    "    [[ $current == *=* ]] && head=${current%%=*}= value=${current#*=}\n"
    "    COMPREPLY=()\n"
    "    while IFS=$'\\t' read -r candidate _; do\n"
    "        if [[ $candidate == :files ]]; then\n"
    "            compopt -o filenames 2> /dev/null\n"
    "            while IFS= read -r path; do COMPREPLY+=(\"$head$path\"); done < <(compgen -f -- \"$value\")\n"
    "        else\n"
    "            [[ $candidate == *= ]] && compopt -o nospace 2> /dev/null\n"
    "            COMPREPLY+=(\"$candidate\")\n"
    "        fi\n"
    "    done < <(\"${words[0]}\" --complete \"${words[@]:1}\" 2> /dev/null)\n"
    "    [[ -n $head && $COMP_WORDBREAKS == *=* ]] && COMPREPLY=(\"${COMPREPLY[@]#\"$head\"}\")\n"
    "    return 0\n"
    "}\n"
    "complete -F _fovea fovea\n";

static const char zsh[] =
    "#compdef fovea\n"
    "# zsh completion of fovea: it asks the program what may stand there.\n"
    "_fovea()\n"
    "{\n"
    "    local line text files=no tab=$'\\t'\n"
    "    local -a asked names settings\n"
    "    asked=(\"${(@Q)words[2,CURRENT-1]}\" \"$PREFIX\")\n"
    "    for line in \"${(@f)$(\"${(Q)words[1]}\" --complete \"${asked[@]}\" 2> /dev/null)}\"; do\n"
    "        text=\"${${line%%$tab*}//:/\\\\:}\"\n"
    "        [[ -n ${line#*$tab} ]] && text+=\":${line#*$tab}\"\n"
    "        case $line in\n"
    "        (:files) files=yes ;;\n"
    "        (*=${tab}*) settings+=(\"$text\") ;;\n"
    "        (?*) names+=(\"$text\") ;;\n"
    "        esac\n"
    "    done\n"
    "    (( ${#names} )) && _describe -t values value names\n"
    "    (( ${#settings} )) && _describe -t settings setting settings -S ''\n"
    "    if [[ $files == yes ]]; then\n"
    "        compset -P '*='\n"
    "        _files\n"
    "    fi\n"
    "}\n"
    "if [[ $funcstack[1] == _fovea ]]; then _fovea \"$@\"; else compdef _fovea fovea; fi\n";

static const char fish[] =
    "# fish completion of fovea: it asks the program what may stand there.\n"
    "function __fovea_complete\n"
    "    set -l words (commandline -opc)\n"
    "    set -l current (commandline -ct)\n"
    "    test -n \"$current\"; or set current ''\n"
    "    for line in ($words[1] --complete $words[2..-1] $current 2> /dev/null)\n"
    "        if test \"$line\" = :files\n"
    "            set -l head (string match -r '^[^=]*=' -- $current)\n"
    "            for path in (__fish_complete_path (string replace -r '^[^=]*=' '' -- $current))\n"
    "                echo \"$head$path\"\n"
    "            end\n"
    "        else\n"
    "            echo $line\n"
    "        end\n"
    "    end\n"
    "end\n"
    "complete -c fovea -f -a '(__fovea_complete)'\n";

bool cli_print_completion(FILE *to, const char *shell)
{
    const char *script = !strcmp(shell, "bash") ? bash : !strcmp(shell, "zsh") ? zsh : !strcmp(shell, "fish") ? fish : NULL;
    if (script) fputs(script, to);
    return script != NULL;
}
