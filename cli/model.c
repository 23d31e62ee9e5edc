/* SPDX-License-Identifier: Apache-2.0 */
/* MODEL and input= of summary and bench. */
#include "cli.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

bool cli_input(const cli *c, int64_t dims[3])
{
    const char *text = cli_setting(c, "input");
    long long d[3];
    char more;
    if (!text) return true;
    if (sscanf(text, "%lldx%lldx%lld%c", &d[0], &d[1], &d[2], &more) != 3 || d[0] < 1 || d[1] < 1 || d[2] < 1 || d[0] > 65500 || d[1] > 65500 || d[2] > 65500) {
        cli_usage(c, "input=%s: CxHxW is wanted, as in input=3x224x224", text);
        return false;
    }
    for (int i = 0; i < 3; i++) dims[i] = d[i];
    return true;
}

/* Lines of the run's classes.txt; 0 when there is none. */
static long long count_classes(const char *run)
{
    char path[4096];
    long long n = 0;
    if (snprintf(path, sizeof path, "%s/classes.txt", run) >= (int)sizeof path) return 0;
    FILE *f = fopen(path, "re");
    if (!f) return 0;
    for (int ch; (ch = fgetc(f)) != EOF;) n += ch == '\n';
    fclose(f);
    return n;
}

static fv_status from_config(cli *c, const char *path, const char *name, int n, const char *const *settings, long long classes, fv_model **out)
{
    fv_config *config;
    fv_status status = fv_config_create(c->ctx, path, n, settings, &config);
    if (status != FV_OK) return status;
    char *args = fv_config_value(config, "model_args"), *model = fv_config_value(config, "model");
    size_t length = model ? strlen(model) : 0;
    if (model && !name && length > 2) {                  /* "resnet18" with its quotes */
        model[length - 1] = 0;
        name = model + 1;
    }
    status = args && name ? fv_model_create(c->ctx, name, &(fv_model_options){classes, args}, out) : FV_ERROR_NOMEM;
    fv_text_free(args);
    fv_text_free(model);
    fv_config_destroy(config);
    return status;
}

fv_status cli_model(cli *c, const char *word, long long classes, fv_model **out)
{
    struct stat st;
    if (stat(word, &st) == 0 && S_ISDIR(st.st_mode)) {
        if (!c->quiet) fprintf(stderr, "note: %s is taken as a run\n", word);
        return from_config(c, word, NULL, 0, NULL, classes ? classes : count_classes(word), out);
    }
    if (strpbrk(word, "/.@") || stat(word, &st) == 0) {
        if (!c->quiet) fprintf(stderr, "note: %s is taken as stored weights\n", word);
        return fv_model_of_weights(c->ctx, word, classes, out);
    }
    const char **settings = calloc((size_t)c->n_settings + 2, sizeof *settings);
    char *model = malloc(strlen(word) + 8);
    fv_status status = FV_ERROR_NOMEM;
    int n = 0;
    if (settings && model) {
        sprintf(model, "model=%s", word);
        settings[n++] = model;
        for (int i = 0; i < c->n_settings; i++)
            if (!strncmp(c->settings[i], "model_args", 10)) settings[n++] = c->settings[i];
        status = from_config(c, NULL, word, n, settings, classes, out);
    }
    free(settings);
    free(model);
    return status;
}
