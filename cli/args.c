/* SPDX-License-Identifier: Apache-2.0 */
/* The one grammar: words, key=value, --key value, --key=value, +variant, flags, -o FILE. */
#include "cli.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static int flag_index(const fv_command *command, const char *name)
{
    for (int i = 0; command->flags && command->flags[i]; i++)
        if (!strcmp(command->flags[i], name)) return i;
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

/* One argument that begins with "--"; *at moves when it takes the next one too. */
static int parse_long(cli *c, int argc, char **argv, int *at)
{
    const char *name = argv[*at] + 2;
    int flag = flag_index(c->command, name);
    if (!strcmp(name, "json")) c->json = true;
    else if (!strcmp(name, "quiet")) c->quiet = true;
    else if (!strcmp(name, "help")) c->help = true;
    else if (flag >= 0) c->flags |= 1u << flag;
    else if (strchr(name, '=')) return add_long(c, name, NULL);
    else if (!*name) return cli_usage(c, "-- stands alone");
    else if (*at + 1 < argc && strncmp(argv[*at + 1], "--", 2)) return add_long(c, name, argv[++*at]);
    else return cli_usage(c, "--%s is no flag of this command; a configuration key needs a value, %s=VALUE", name, name);
    return EXIT_DONE;
}

int cli_parse(cli *c, const fv_command *command, int argc, char **argv)
{
    size_t room = (size_t)argc + 1;
    c->command = command;
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
        if (!strcmp(a, "-h")) c->help = true;
        else if (!strcmp(a, "-o")) {
            if (i + 1 >= argc) return cli_usage(c, "-o needs a file");
            c->output = argv[++i];
        } else if (!strncmp(a, "--", 2)) code = parse_long(c, argc, argv, &i);
        else if (a[0] == '-' && a[1] && (a[1] < '0' || a[1] > '9')) return cli_usage(c, "unknown flag %s", a);
        else if (a[0] == '+' || strchr(a, '=')) c->settings[c->n_settings++] = a;
        else c->words[c->n_words++] = a;
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
    fprintf(stderr, "fovea %s: %s\n", c->command->name, fv_error_message(c->ctx));
    if (getenv("FOVEA_TRACE")) fprintf(stderr, "%s\n", fv_error_text(c->ctx));
    if (c->json) {
        printf("{\"error\": ");
        cli_json_text(stdout, fv_error_message(c->ctx));
        printf(", \"status\": ");
        cli_json_text(stdout, fv_status_text(status));
        printf(", \"exit_code\": %d}\n", code);
    }
    return code;
}
