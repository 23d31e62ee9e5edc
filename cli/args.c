/* SPDX-License-Identifier: Apache-2.0 */
/* The one grammar: words, key=value, --key value, --key=value, +variant, flags, -o FILE; behind -- words only. */
#include "cli.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int flag_index(const fv_command *command, const char *name)
{
    for (int i = 0; command->flags && command->flags[i].name; i++)
        if (!strcmp(command->flags[i].name, name)) return i;
    return -1;
}

bool cli_flag(const cli *c, const char *name)
{
    int i = flag_index(c->command, name);
    return i >= 0 && (c->flags >> i & 1);
}

int cli_usage(const cli *c, const char *fmt, ...)
{
    va_list args;
    fprintf(stderr, "fovea %s: ", c->command->name);
    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);
    fprintf(stderr, "\nusage: fovea %s %s\n", c->command->name, c->command->arguments);
    return EXIT_USAGE;
}

/* "--key" "value" -> "key=value"; "--key=value" -> "key=value". */
static int add_long(cli *c, const char *name, const char *value)
{
    size_t bytes = strlen(name) + (value ? strlen(value) : 0) + 2;
    char *text = malloc(bytes);
    if (!text) return EXIT_MEMORY;
    if (value)
        snprintf(text, bytes, "%s=%s", name, value);
    else
        snprintf(text, bytes, "%s", name);
    for (char *p = text; *p && *p != '='; p++)
        if (*p == '-') *p = '_';
    c->owned[c->n_owned++] = text;
    c->settings[c->n_settings++] = text;
    return EXIT_DONE;
}

bool cli_describe_flag(const fv_command *command, int index, char name[64], const char **help)
{
    static const cli_option everywhere[] = {
        {"help", NULL, "explains the command", NULL},
        {"json", NULL, "one JSON object on standard output and nothing else there", NULL},
        {"quiet", NULL, "no notes and no progress", NULL}};
    const cli_option *o = command->flags;
    const char *dashes = "--";
    for (; o && o->name && index; o++) index--;
    if (!o || !o->name) {
        const bool output = command->output.name;
        if (index - output >= (command->text_only ? 1 : 3)) return false;
        o = output && !index ? &command->output : &everywhere[index - output];
        if (o == &command->output) dashes = "";
    }
    snprintf(name, 64, "%s%s%s%s", dashes, o->name, o->value ? " " : "", o->value ? o->value : "");
    *help = o->help;
    return true;
}

/* One argument that begins with "--"; *at moves when it takes the next one too. */
static int parse_long(cli *c, int argc, char **argv, int *at)
{
    const char *name = argv[*at] + 2;
    int flag = flag_index(c->command, name);
    if (!strcmp(name, "json") && !c->command->text_only) c->json = true;
    else if (!strcmp(name, "quiet") && !c->command->text_only) c->quiet = true;
    else if (!strcmp(name, "help")) c->help = true;
    else if (flag >= 0) c->flags |= 1u << flag;
    else if (strchr(name, '=')) return add_long(c, name, NULL);
    else if (*at + 1 < argc && strncmp(argv[*at + 1], "--", 2)) return add_long(c, name, argv[++*at]);
    else return cli_usage(c, "--%s is no flag of this command; a configuration key needs a value, %s=VALUE", name, name);
    return EXIT_DONE;
}

/* Is there a key of that name (n bytes)? */
static bool is_key(const fv_command *command, const char *name, size_t n)
{
    const char *own, *help, *fallback;
    char key[128];
    if (cli_own_setting(command, name, n)) return true;
    for (int i = 0; command->table && (own = command->table(i, &help, &fallback)); i++)
        if (strlen(own) == n && !strncmp(own, name, n)) return true;
    if (!command->keys || n >= sizeof key) return false;
    snprintf(key, sizeof key, "%.*s", (int)n, name);
    return fv_config_find(key) >= 0;
}

static bool is_there(const char *path)
{
    struct stat info;
    return lstat(path, &info) == 0;
}

/* "key=value" or "+variant"; but "dir/a=b.jpg", for keys have no slash, and "a=b.jpg" that is there are paths. One that
 * may be either is an error, for the shell may have written it (*.jpg). */
static int add_word(cli *c, char *a)
{
    const char *equals = strchr(a, '=');
    char room[FV_SHELL_ROOM];
    const char *word = fv_shell_word(a, room);
    bool variant = a[0] == '+', setting = !variant && equals && !memchr(a, '/', (size_t)(equals - a));
    if (setting && is_there(a)) {
        if (is_key(c->command, a, (size_t)(equals - a)))
            return cli_usage(c, "%s is a setting, and a file is called so: write --%s or ./%s", a, word, word);
        setting = false;
    }
    if (setting || variant) c->settings[c->n_settings++] = a;
    else c->words[c->n_words++] = a;
    return EXIT_DONE;
}

const fv_command *cli_find_command(const fv_command *const *commands, const char *name)
{
    if (!strcmp(name, "val")) name = "eval";
    for (; *commands; commands++)
        if (!strcmp((*commands)->name, name)) return *commands;
    return NULL;
}

static int no_flag(const cli *c, const char *a)
{
    char room[FV_SHELL_ROOM];
    if (!is_there(a)) return cli_usage(c, "unknown flag %s", a);
    return cli_usage(c, "unknown flag %s; for the file write ./%s", a, fv_shell_word(a, room));
}

int cli_parse(cli *c, int argc, char **argv)
{
    size_t room = (size_t)argc + 1;
    c->words = calloc(room, sizeof *c->words);
    c->settings = calloc(room, sizeof *c->settings);
    c->owned = calloc(room, sizeof *c->owned);
    if (!c->words || !c->settings || !c->owned) {
        fprintf(stderr, "fovea: out of memory\n");
        return EXIT_MEMORY;
    }
    for (int i = 0; i < argc; i++) {
        char *a = argv[i];
        int code = EXIT_DONE;
        if (!strcmp(a, "--")) {                          /* paths from here on, whatever they look like */
            while (++i < argc) c->words[c->n_words++] = argv[i];
            break;
        }
        if (!strcmp(a, "-h")) c->help = true;
        else if (!strcmp(a, "-o")) {
            if (!c->command->output.name) return cli_usage(c, "-o is no flag of this command");
            if (i + 1 >= argc || !*argv[i + 1]) return cli_usage(c, "-o needs a name: -o %s", c->command->output.value);
            c->output = argv[++i];
        } else if (!strncmp(a, "--", 2)) code = parse_long(c, argc, argv, &i);
        else if (a[0] == '-' && a[1] && (a[1] < '0' || a[1] > '9')) return no_flag(c, a);
        else code = add_word(c, a);
        if (code != EXIT_DONE) return code;
    }
    return EXIT_DONE;
}

void cli_free(cli *c)
{
    for (int i = 0; i < c->n_owned; i++) free(c->owned[i]);
    free(c->owned);
    free(c->words);
    free(c->settings);
}

const char *cli_setting(const cli *c, const char *key)
{
    size_t n = strlen(key);
    const char *value = NULL;
    for (int i = 0; i < c->n_settings; i++)
        if (!strncmp(c->settings[i], key, n) && c->settings[i][n] == '=') value = c->settings[i] + n + 1;
    return value;
}

bool cli_number(const cli *c, const char *key, long long low, long long high, long long *out)
{
    const char *text = cli_setting(c, key);
    char *end;
    if (!text) return true;
    errno = 0;
    long long v = strtoll(text, &end, 10);
    if (end == text || *end || errno || v < low || v > high) {
        cli_usage(c, "%s=%s: a whole number from %lld to %lld is wanted", key, text, low, high);
        return false;
    }
    *out = v;
    return true;
}

bool cli_bool(const cli *c, const char *key, bool *out)
{
    const char *text = cli_setting(c, key);
    if (!text) return true;
    *out = !strcmp(text, "true");
    if (!*out && strcmp(text, "false")) return cli_usage(c, "%s=%s: true or false is wanted", key, text), false;
    return true;
}

/* ---- settings of a command ---------------------------------------------------------------------------------------- */

static bool is_name(const char *pattern, const char *name, size_t n)
{
    size_t length = pattern ? strlen(pattern) : 0;
    if (length && pattern[length - 1] == '*') return n >= length - 1 && !strncmp(pattern, name, length - 1);
    return length && n == length && !strncmp(pattern, name, n);
}

const cli_option *cli_own_setting(const fv_command *command, const char *name, size_t n)
{
    for (const cli_option *o = command->settings; o && o->name; o++)
        if (is_name(o->name, name, n) || is_name(o->alias, name, n)) return o;
    return NULL;
}

int cli_config_settings(const cli *c, const char **out)
{
    int n = 0;
    for (int i = 0; i < c->n_settings; i++)
        if (!cli_own_setting(c->command, c->settings[i], strcspn(c->settings[i], "="))) out[n++] = c->settings[i];
    return n;
}

/* The value is one of "a|b|c", or the option does not enumerate. */
static bool is_choice(const cli_option *o, const char *value)
{
    size_t n = strlen(value);
    if (!strchr(o->value, '|')) return true;
    for (const char *p = o->value; *p; p += strcspn(p, "|"), p += *p == '|')
        if (strcspn(p, "|") == n && !strncmp(p, value, n)) return true;
    return false;
}

/* "f32|bf16|f16" as "f32, bf16 or f16". */
static void choices_text(const cli_option *o, char *out, size_t room)
{
    size_t used = 0;
    for (const char *p = o->value; *p && used + 1 < room;) {
        size_t n = strcspn(p, "|");
        const char *next = p + n + (p[n] == '|');
        const char *between = p == o->value ? "" : !*next ? " or " : ", ";
        used += (size_t)snprintf(out + used, room - used, "%s%.*s", between, (int)n, p);
        p = next;
    }
}

static bool no_setting(const cli *c, const char *setting)
{
    char names[512] = "";
    size_t used = 0;
    for (const cli_option *o = c->command->settings; o && o->name && used < sizeof names; o++)
        used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", used ? ", " : " (", o->name);
    cli_usage(c, "\"%s\" is no setting of this command%s%s", setting, names, used ? ")" : "");
    return false;
}

bool cli_check_settings(const cli *c)
{
    for (int i = 0; i < c->n_settings; i++) {
        const char *setting = c->settings[i];
        size_t n = strcspn(setting, "=");
        const cli_option *o = cli_own_setting(c->command, setting, n);
        if (!o && c->command->keys) continue;            /* the configuration's reader looks at it */
        if (!o || !setting[n]) return no_setting(c, setting);
        if (is_choice(o, setting + n + 1)) continue;
        char choices[256] = "";
        choices_text(o, choices, sizeof choices);
        cli_usage(c, "%s: %s", setting, choices);
        return false;
    }
    return true;
}

/* ---- the end ------------------------------------------------------------------------------------------------------- */

int cli_print_to(cli *c, bool (*print)(FILE *to, const void *what), const void *what)
{
    char *text = NULL;
    size_t bytes = 0;
    if (!c->output) return print(stdout, what) ? EXIT_DONE : EXIT_USAGE;
    FILE *f = open_memstream(&text, &bytes);
    const bool known = f && print(f, what), printed = f && fclose(f) == 0;
    int code = EXIT_USAGE;
    if (!printed) code = cli_report(c, FV_ERROR_NOMEM);
    else if (known) code = cli_report(c, fv_file_write(c->ctx, c->output, text, bytes));
    free(text);
    return code;
}

int cli_report(const cli *c, fv_status status)
{
    static const struct { fv_status status; int code; } codes[] = {
        {FV_OK, EXIT_DONE}, {FV_ERROR_NOMEM, EXIT_MEMORY}, {FV_ERROR_INVALID, EXIT_USAGE}, {FV_ERROR_CONFIG, EXIT_USAGE},
        {FV_ERROR_SHAPE, EXIT_USAGE}, {FV_ERROR_UNSUPPORTED, EXIT_USAGE}, {FV_ERROR_IO, EXIT_DATA}, {FV_ERROR_FORMAT, EXIT_DATA},
        {FV_ERROR_CANCELED, EXIT_INTERRUPTED}};
    int code = EXIT_RUN;
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        if (codes[i].status == status) code = codes[i].code;
    if (status == FV_OK) return code;
    const char *said = fv_error_message(c->ctx), *message = *said ? said : fv_status_text(status);   /* the program's own allocations */
    fprintf(stderr, "fovea %s: %s\n", c->command->name, message);
    char *here = getcwd(NULL, 0);
    if (!here && errno == ENOENT)
        fprintf(stderr, "fovea %s: the current folder has been deleted: relative paths lead nowhere\n",
                c->command->name);
    free(here);
    if (getenv("FOVEA_TRACE")) fprintf(stderr, "%s\n", fv_error_text(c->ctx));
    if (c->json) {
        printf("{\"error\": ");
        cli_json_text(stdout, message);
        printf(", \"status\": ");
        cli_json_text(stdout, fv_status_text(status));
        printf(", \"exit_code\": %d}\n", code);
    }
    return code;
}
