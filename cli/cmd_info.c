/* SPDX-License-Identifier: Apache-2.0 */
/* fovea info: version, machine, libraries. */
#include "cli.h"

static int run(cli *c)
{
    fv_machine m;
    if (c->n_words || c->n_settings) return cli_usage(c, "it takes no arguments");
    fv_machine_describe(&m);
    if (c->json) {
        printf("{\"version\": \"%s\", \"cpu\": ", fv_version());
        cli_json_text(stdout, m.cpu);
        printf(", \"isa\": \"%s\", \"cores\": %d, \"threads\": %d, \"libraries\": ", m.isa, m.cores, fv_context_threads(c->ctx));
        cli_json_text(stdout, m.libraries);
        printf(", \"compiler\": ");
        cli_json_text(stdout, m.compiler);
        printf("}\n");
        return EXIT_DONE;
    }
    printf("fovea      %s\ncpu        %s\nkernels    %s\ncores      %d\nthreads    %d\nlibraries  %s\ncompiler   %s\n", fv_version(), m.cpu, m.isa,
           m.cores, fv_context_threads(c->ctx), m.libraries, m.compiler);
    return EXIT_DONE;
}

const fv_command fv_command_info = {.name = "info", .arguments = "[--json]", .about = "version, CPU, instruction set, libraries, threads", .run = run};
