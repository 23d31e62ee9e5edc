/* SPDX-License-Identifier: Apache-2.0 */
/* fovea augment: a sheet of what augmentation makes of the training pictures. */
#include "cli.h"

#include <stdlib.h>

static int run(cli *c)
{
    long long pictures = 8, draws = 7;
    fv_augmented made = {0};
    if (c->n_words > 1) return cli_usage(c, "one configuration or run at a time, not %s and %s", c->words[0], c->words[1]);
    if (!c->n_words && !c->n_settings) return cli_usage(c, "a configuration, a run, or key=value is needed");
    if (!cli_check_settings(c) || !cli_number(c, "pictures", 1, 200, &pictures) || !cli_number(c, "draws", 0, 200, &draws)) return EXIT_USAGE;
    const char **keys = calloc((size_t)c->n_settings + 1, sizeof *keys);
    if (!keys) return cli_report(c, FV_ERROR_NOMEM);
    fv_augment_options o = {.config = c->n_words ? c->words[0] : NULL, .settings = keys, .n_settings = cli_config_settings(c, keys), .pictures = (int)pictures,
                            .draws = (int)draws, .path = c->output ? c->output : "augment.png"};
    fv_status status = fv_augment_sheet(c->ctx, &o, &made);
    if (status == FV_OK && c->json) {
        printf("{\"path\": ");
        cli_json_text(stdout, o.path);
        printf(", \"pictures\": %d, \"draws\": %d, \"width\": %d, \"height\": %d}\n", made.pictures, made.draws, made.width, made.height);
    } else if (status == FV_OK && !c->quiet) {
        printf("%s: %d pictures, as evaluation sees them and as %d epochs of training do\n", o.path, made.pictures, made.draws);
    }
    free(keys);
    return cli_report(c, status);
}

static const cli_option settings[] = {
    {"pictures", "N", "rows, a training picture each: 8", NULL},
    {"draws", "N", "columns after the first, an epoch each: 7", NULL},
    CLI_OPTIONS_END};
const fv_command fv_command_augment = {
    .name = "augment", .arguments = "CONFIG.json|RUN [key=value ...] [+variant ...] [-o FILE.png]", .about = "paints what augmentation makes of training pictures",
    .help = "A row for each picture: first as evaluation sees it, then as each epoch of a training with these keys would. Without -o: augment.png.",
    .output = {"-o", "FILE.png", "the picture; augment.png without it", NULL}, .settings = settings,
    .keys = CLI_KEYS_TAKEN, .run = run};
