/* SPDX-License-Identifier: Apache-2.0 */
/* fovea report: one page about one run or several. */
#include "cli.h"
#include "fovea/report.h"

#include <stdlib.h>
#include <string.h>

/* RUN/report.html, or report.html here for several runs. Owned by the caller. */
static char *output_of(const cli *c)
{
    const char *run = c->n_words == 1 ? c->words[0] : NULL;
    size_t room = (run ? strlen(run) : 0) + 16;
    char *path = malloc(room);
    if (path && run) snprintf(path, room, "%s%sreport.html", run, run[strlen(run) - 1] == '/' ? "" : "/");
    else if (path) snprintf(path, room, "report.html");
    return path;
}

static int run(cli *c)
{
    if (!c->n_words) return cli_usage(c, "a run is needed, or several, as in: fovea report runs/a runs/b -o both.html");
    if (c->n_settings) return cli_usage(c, "%s is no setting of this command", c->settings[0]);
    for (int i = 0; i < c->n_words; i++)
        if (!*c->words[i]) return cli_usage(c, "a run's name is empty");
    char *own = c->output ? NULL : output_of(c);
    const char *output = c->output ? c->output : own;
    if (!output) return cli_report(c, FV_ERROR_NOMEM);
    fv_status status = fv_report_write(c->ctx, NULL, c->words, c->n_words, output);
    if (status == FV_OK && c->json) {
        printf("{\"report\": ");
        cli_json_text(stdout, output);
        printf(", \"runs\": %d}\n", c->n_words);
    } else if (status == FV_OK && !c->quiet) {
        printf("%s\n", output);
    }
    free(own);
    return cli_report(c, status);
}

const fv_command fv_command_report = {
    .name = "report", .arguments = "RUN... [-o FILE.html]", .about = "a page about a run, or several runs overlaid",
    .help = "One file that holds all it shows: curves, confusion matrix, classes, worst mistakes, configuration. Readable without a network.\n"
            "Without -o: RUN/report.html; report.html for several runs. Training writes it at its end.",
    .output = {"-o", "FILE.html", "the page", NULL}, .run = run};
