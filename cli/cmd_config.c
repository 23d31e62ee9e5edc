/* SPDX-License-Identifier: Apache-2.0 */
/* fovea config: the resolved configuration, with the origin of each value on request. */
#include "cli.h"

static int run(cli *c)
{
    fv_config *config = NULL;
    if (c->n_words > 1) return cli_usage(c, "one configuration at a time");
    fv_status status = fv_config_create(c->ctx, c->n_words ? c->words[0] : NULL, c->n_settings, c->settings, &config);
    char *text = status == FV_OK ? fv_config_text(config, cli_flag(c, "origins")) : NULL;
    if (status == FV_OK && !text) status = FV_ERROR_NOMEM;
    if (text) fputs(text, stdout);
    fv_text_free(text);
    fv_config_destroy(config);
    return cli_report(c, status);
}

static const char *const flags[] = {"origins", NULL};
const fv_command fv_command_config = {
    .name = "config", .arguments = "CONFIG.json|RUN [key=value ...] [+variant ...] [--origins]", .about = "prints the resolved configuration, or where each value is from",
    .flags = flags, .keys = true, .run = run};
