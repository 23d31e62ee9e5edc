/* SPDX-License-Identifier: Apache-2.0 */
/* fovea predict: the most probable classes of pictures. */
#include "cli.h"
#include "fovea/predict.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { STDIN_LIMIT = 1 << 30 };

typedef struct predict {
    cli *c;
    fv_predictor *predictor;
    const fv_predictor_info *info;
    fv_picture *pictures;
    int n;
    fv_bytes piped;              /* of standard input */
    FILE *rows;                  /* JSON: pictures, and those that could not be read; printed when all went well */
    char *text;
    size_t length;
    bool logits;
} predict;

static void print_cell(FILE *to, const fv_column *c, const fv_cell *cell)
{
    if (c->kind == FV_COLUMN_TEXT) cli_show(to, cell->text ? cell->text : "?");
    else if (c->kind == FV_COLUMN_INTEGER) fprintf(to, "%lld", (long long)cell->number);
    else if (c->kind == FV_COLUMN_SHARE) fprintf(to, "%.1f %%", 100 * cell->number);
    else fprintf(to, "%.6g", cell->number);
}

static void print_row(predict *p, const fv_prediction *r)
{
    cli_show(stdout, r->name);
    for (int k = 0; k < r->n_rows; k++) {
        const fv_column *c = p->info->task->columns;
        printf(k ? "," : ":");
        for (int i = 0; c[i].name; i++) {
            if (c[i].json_only) continue;
            printf(" ");
            print_cell(stdout, &c[i], &r->cells[k * r->n_columns + i]);
        }
    }
    printf("\n");
}

/* The output of the model for this picture, as one list. */
static void json_output(FILE *to, const predict *p, const fv_prediction *r)
{
    const fv_tensor *t = p->info->task->output ? fv_results_find(r->results, p->info->task->output) : NULL;
    int64_t n = 1;
    if (!t || t->dtype != FV_F32 || t->rank < 1) return;
    for (int i = 1; i < t->rank; i++) n *= t->dims[i];
    fprintf(to, ", \"%s\": [", p->info->task->output_kind);
    for (int64_t k = 0; k < n; k++) {
        if (k) fprintf(to, ", ");
        cli_json_number(to, (double)((const float *)t->data)[r->place * n + k]);
    }
    fprintf(to, "]");
}

static void json_row(predict *p, const fv_prediction *r)
{
    FILE *to = p->rows;
    fprintf(to, "%s{\"path\": ", r->index ? ", " : "");
    cli_json_text(to, r->name);
    if (r->error) {
        fprintf(to, ", \"error\": ");
        cli_json_text(to, r->error);
        fprintf(to, "}");
        return;
    }
    fprintf(to, ", \"%s\": [", p->info->task->rows_name);
    for (int k = 0; k < r->n_rows; k++) {
        fprintf(to, k ? ", {" : "{");
        for (int i = 0; p->info->task->columns[i].name; i++) {
            const fv_column *c = &p->info->task->columns[i];
            const fv_cell *cell = &r->cells[k * r->n_columns + i];
            fprintf(to, "%s\"%s\": ", i ? ", " : "", c->name);
            if (c->kind == FV_COLUMN_TEXT) cli_json_text(to, cell->text);
            else if (c->kind == FV_COLUMN_INTEGER) fprintf(to, "%lld", (long long)cell->number);
            else cli_json_number(to, cell->number);
        }
        fprintf(to, "}");
    }
    fprintf(to, "]");
    if (p->logits) json_output(to, p, r);
    fprintf(to, "}");
}

static bool take(void *user, const fv_prediction *r)
{
    predict *p = user;
    if (p->c->json) json_row(p, r);
    else if (!r->error) print_row(p, r);
    return true;
}

static void print_json(predict *p, const fv_predict_totals *t)
{
    printf("{\"model\": ");
    cli_json_text(stdout, p->info->model);
    printf(", \"architecture\": ");
    cli_json_text(stdout, p->info->architecture);
    printf(", \"trained\": %s, \"step\": %lld, \"ema\": %s, \"classes\": [", p->info->trained ? "true" : "false", (long long)p->info->step,
           p->info->ema ? "true" : "false");
    for (int64_t k = 0; k < p->info->classes; k++) {
        if (k) printf(", ");
        cli_json_text(stdout, p->info->class_names[k]);
    }
    printf("], \"pictures\": %lld, \"predicted\": %lld, \"bad\": %lld, \"predictions\": [", (long long)t->pictures, (long long)t->predicted, (long long)t->bad);
    fwrite(p->text, 1, p->length, stdout);
    printf("], \"seconds\": %.3f}\n", t->seconds);
}

static void print_totals(const predict *p, const fv_predict_totals *t)
{
    fprintf(stderr, "predicted %lld/%lld pictures in %.1f s", (long long)t->predicted, (long long)t->pictures, t->seconds);
    if (t->bad) fprintf(stderr, ", %lld cannot be read", (long long)t->bad);
    if (t->ignored) fprintf(stderr, ", %lld other files left out", (long long)t->ignored);
    if (p->c->output) fprintf(stderr, "; table: %s", p->c->output);
    fprintf(stderr, "\n");
}

static fv_status read_stdin(predict *p)
{
    for (;;) {
        const size_t used = p->piped.size;
        if (used > STDIN_LIMIT) {
            fprintf(stderr, "fovea predict: standard input: larger than the limit of 1 GiB\n");
            return FV_ERROR_FORMAT;
        }
        const fv_status status = fv_bytes_resize(p->c->ctx, &p->piped, used + 65536);
        if (status != FV_OK) return status;
        const size_t n = fread(p->piped.data + used, 1, 65536, stdin);
        p->piped.size = used + n;
        if (n == 0 && ferror(stdin)) fprintf(stderr, "fovea predict: standard input: %s\n", strerror(errno));
        if (n == 0) return ferror(stdin) ? FV_ERROR_IO : FV_OK;
    }
}

/* The words after the model: files, folders, - for a picture on standard input. */
static fv_status list_pictures(predict *p)
{
    bool piped = false;
    p->n = p->c->n_words - 1;
    if (!(p->pictures = calloc((size_t)p->n, sizeof *p->pictures))) return FV_ERROR_NOMEM;
    for (int i = 0; i < p->n; i++) {
        fv_picture *in = &p->pictures[i];
        in->path = p->c->words[i + 1];
        if (strcmp(in->path, "-")) continue;
        const fv_status status = piped ? FV_OK : read_stdin(p);
        if (status != FV_OK) return status;
        *in = (fv_picture){.path = "standard input", .bytes = p->piped.data, .n_bytes = p->piped.size};
        piped = true;
    }
    return FV_OK;
}

static fv_status predict_all(predict *p, int topk)
{
    fv_predict_totals totals;
    const fv_predict_options o = {.limit = topk, .table = p->c->output};
    if (p->c->json && !(p->rows = open_memstream(&p->text, &p->length))) return FV_ERROR_NOMEM;
    const fv_status status = fv_predict_files(p->predictor, p->pictures, p->n, &o, take, p, &totals);
    if (p->rows && fclose(p->rows) != 0 && status == FV_OK) return FV_ERROR_NOMEM;
    if (status != FV_OK) return status;
    if (p->c->json) print_json(p, &totals);
    else if (!p->c->quiet) print_totals(p, &totals);
    return FV_OK;
}

static int run(cli *c)
{
    predict p = {.c = c, .logits = cli_flag(c, "logits")};
    long long topk = 0, classes = 0;
    if (c->n_words < 2) return cli_usage(c, "a model and pictures are needed, as in: fovea predict runs/pets photo.jpg");
    if (!cli_check_settings(c) || !cli_number(c, "topk", 1, 1 << 24, &topk) || !cli_number(c, "classes", 1, 1 << 24, &classes)) return EXIT_USAGE;
    if (p.logits && !c->json) return cli_usage(c, "--logits is for --json");
    const size_t n = c->output ? strlen(c->output) : 0;
    if (c->output && (n < 5 || strcmp(c->output + n - 4, ".csv"))) return cli_usage(c, "-o %s: a table is written as CSV, -o FILE.csv", c->output);
    const char **keys = calloc((size_t)c->n_settings + 1, sizeof *keys);
    if (!keys) return cli_report(c, FV_ERROR_NOMEM);
    fv_predictor_options o = {.model = c->words[0], .settings = keys, .classes = classes};
    o.n_settings = cli_config_settings(c, keys);
    fv_status status = fv_predictor_create(c->ctx, &o, &p.predictor);
    if (status == FV_OK) {
        p.info = fv_predictor_describe(p.predictor);
        if (!c->quiet && !c->json && p.info->trained)
            fprintf(stderr, "%s (%s, step %lld%s)\n", p.info->model, p.info->architecture, (long long)p.info->step, p.info->ema ? ", moving average" : "");
        status = list_pictures(&p);
    }
    if (status == FV_OK) status = predict_all(&p, (int)topk);
    const int code = cli_report(c, status);
    fv_predictor_destroy(p.predictor);
    fv_bytes_free(&p.piped);
    free(p.pictures);
    free(p.text);
    free(keys);
    return code;
}

static const cli_option flags[] = {{"logits", NULL, "with --json: the model's output too, before softmax", NULL}, CLI_OPTIONS_END};
static const cli_option settings[] = {
    {"topk", "N", "rows that are shown of a picture, classes or objects: 5 classes", NULL},
    {"classes", "N", "of a model by name: 1000", NULL},
    CLI_OPTIONS_END};
const fv_command fv_command_predict = {
    .name = "predict", .arguments = "RUN|RUN@latest|FILE.safetensors PICTURE|FOLDER|-... [topk=5] [batch_size=N] [-o FILE.csv] [--logits]",
    .about = "the most probable classes of pictures",
    .help = "A run stands for its best weights, the moving average where one was kept. Folders are searched to the bottom, in the order of\n"
            "the paths; - is a picture on standard input. Pictures become numbers as in training's validation. data.on_bad_file=skip goes on\n"
            "without pictures that cannot be read.",
    .flags = flags, .output = {"-o", "FILE.csv", "a table: path, classes with probabilities, error", NULL},
    .settings = settings, .keys = CLI_KEYS_TAKEN, .run = run};
