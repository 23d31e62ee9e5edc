/* SPDX-License-Identifier: Apache-2.0 */
/* fovea train: progress for people on standard error (a line that changes on a terminal, plain lines otherwise), one JSON
 * object for programs on standard output. */
#include "cli.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct view {
    cli *c;
    FILE *log;                   /* console.log of the run */
    bool terminal, line_open, dry, log_failed;
    bool started;                /* false at the end: the run was finished before */
    double last_print;
    double loss_sum;             /* since the last line */
    long long loss_count;
} view;

static fv_trainer *volatile running;

static bool ask_to_stop(void)
{
    fv_trainer *t = running;
    if (t) fv_trainer_interrupt(t);
    return t;
}

/* A finished line: to the console and to the run's log. */
static void say(view *v, const char *text)
{
    if (!v->c->quiet) {
        if (v->line_open) fprintf(stderr, "\r\033[K");
        fprintf(stderr, "%s\n", text);
    }
    v->line_open = false;
    if (v->log && (fprintf(v->log, "%s\n", text) < 0 || fflush(v->log) != 0)) {
        fprintf(stderr, "warning: console.log ends here: %s\n", strerror(errno));      /* the run goes on as long as it can */
        fclose(v->log);
        v->log = NULL;
        v->log_failed = true;
    }
}

static void open_log(view *v, const fv_train_progress *p)
{
    char path[4096];
    if (v->log) fclose(v->log);                          /* of the seed before */
    v->log = NULL;
    v->log_failed = false;
    if (v->dry || snprintf(path, sizeof path, "%s/console.log", p->run) >= (int)sizeof path) return;
    v->log = fopen(path, "ae");
    if (!v->log) fprintf(stderr, "warning: cannot write %s: %s\n", path, strerror(errno));
}

static void show_start(view *v, const fv_train_progress *p)
{
    char text[512], n[32], m[32], batch[32];
    char *size = fv_config_value(fv_trainer_config(running), "batch_size");
    snprintf(batch, sizeof batch, "%s", size ? size : "?");
    fv_text_free(size);
    snprintf(text, sizeof text, "%s  %s parameters  %s foretold peak  %s  %d threads  %lld steps of %s", p->model, cli_thousands(p->parameters, n),
             cli_bytes((double)p->foretold_bytes, m), p->amp ? "bf16" : "f32", p->threads, (long long)p->max_steps, batch);
    say(v, text);
    snprintf(text, sizeof text, "data %s: %s for training", p->data ? p->data : "given", cli_thousands(p->train_samples, n));
    size_t used = strlen(text);
    snprintf(text + used, sizeof text - used, ", %s for validation", cli_thousands(p->val_samples, m));
    say(v, text);
    if (p->trainable != p->parameters) {
        snprintf(text, sizeof text, "%s of them are trained, the rest is frozen", cli_thousands(p->trainable, n));
        say(v, text);
    }
    snprintf(text, sizeof text, p->start_step ? "run %s, going on from step %lld" : "run %s", p->run, (long long)p->start_step);
    if (!v->dry) say(v, text);
}

static void progress_text(const view *v, const fv_train_progress *p, char *out, size_t room)
{
    char n[32];
    long long eta = (long long)p->eta_seconds;
    double loss = v->loss_count ? v->loss_sum / (double)v->loss_count : p->loss;
    int used = snprintf(out, room, "  %lld/%lld  loss %.3f  lr %.2g  %s img/s  data-wait %.1f %%  eta ", (long long)p->step, (long long)p->max_steps,
                        loss, p->learning_rate, cli_thousands((long long)p->images_per_second, n), 100 * p->data_wait);
    if (eta >= 3600)
        snprintf(out + used, room - (size_t)used, "%lld:%02lld:%02lld", eta / 3600, eta / 60 % 60, eta % 60);
    else
        snprintf(out + used, room - (size_t)used, "%lld:%02lld", eta / 60, eta % 60);
}

static void show_step(view *v, const fv_train_progress *p)
{
    char text[256];
    double now = fv_seconds();
    if (isfinite(p->loss)) {                             /* NaN: an update of pictures without a weight */
        v->loss_sum += p->loss;
        v->loss_count++;
    }
    if (now - v->last_print < (v->terminal ? 0.1 : 10.0) && p->step != p->start_step + 1) return;
    v->last_print = now;
    progress_text(v, p, text, sizeof text);
    if (v->terminal && !v->c->quiet) {
        fprintf(stderr, "\r\033[K%.*s", cli_columns(stderr) - 1, text);      /* a line that wraps could not be taken back */
        v->line_open = true;
    } else {
        say(v, text);
    }
    v->loss_sum = 0;
    v->loss_count = 0;
}

/* A line has room for the first metrics, and those of raw weights; metrics.csv, events and report have all. */
static bool is_shown(int index, const char *metric)
{
    const size_t n = strlen(metric);
    return index < 4 || (n > 4 && !strcmp(metric + n - 4, "_raw"));
}

static void show_validation(view *v, const fv_train_progress *p)
{
    char text[512];
    int used = snprintf(text, sizeof text, "  %lld/%lld  validation", (long long)p->step, (long long)p->max_steps);
    for (int i = 0; i < p->n_metrics && used < 400; i++) {
        const char *name = strncmp(p->metrics[i].name, "val_", 4) ? p->metrics[i].name : p->metrics[i].name + 4;
        if (!is_shown(i, name)) continue;
        used += snprintf(text + used, sizeof text - (size_t)used, "  %s %.4f", name, p->metrics[i].value);
    }
    if (p->improved) snprintf(text + used, sizeof text - (size_t)used, "  best");
    say(v, text);
}

static void print_json(const fv_train_progress *p)
{
    printf("{\"run\": ");
    cli_json_text(stdout, p->run);
    printf(", \"model\": ");
    cli_json_text(stdout, p->model);
    printf(", \"step\": %lld, \"max_steps\": %lld, \"finished\": %s, \"parameters\": %lld, \"foretold_bytes\": %lld", (long long)p->step,
           (long long)p->max_steps, p->finished ? "true" : "false", (long long)p->parameters, (long long)p->foretold_bytes);
    printf(", \"loss\": ");
    cli_json_number(stdout, p->loss);
    printf(", \"monitor\": \"%s\", \"best\": ", p->monitor);
    cli_json_number(stdout, p->best);
    printf(", \"best_step\": %lld, \"metrics\": {", (long long)p->best_step);
    for (int i = 0; i < p->n_metrics; i++) {
        printf("%s\"%s\": ", i ? ", " : "", p->metrics[i].name);
        cli_json_number(stdout, p->metrics[i].value);
    }
    printf("}, \"bad_files\": %lld, \"seconds\": ", (long long)p->bad_files);
    cli_json_number(stdout, p->seconds);
    printf(", \"data_wait\": ");
    cli_json_number(stdout, p->data_wait);
    printf("}\n");
}

static long long number_of(const char *key)
{
    char *text = fv_config_value(fv_trainer_config(running), key);
    long long n = text ? atoll(text) : 0;
    fv_text_free(text);
    return n;
}

/* The keys that end the run, doubled: with epochs and max_steps whichever comes first. */
static void extension(const fv_train_progress *p, char out[96])
{
    const long long epochs = number_of("epochs");
    size_t used = 0;
    if (epochs) used = (size_t)snprintf(out, 96, " epochs=%lld", 2 * epochs);
    if (!epochs || number_of("max_steps")) snprintf(out + used, 96 - used, " max_steps=%lld", (long long)(2 * p->step));
}

static void show_end(view *v, const fv_train_progress *p, bool was_finished)
{
    char text[3 * FV_SHELL_ROOM], more[96], run[FV_SHELL_ROOM];
    if (was_finished && p->seed_count) {
        snprintf(text, sizeof text, "%s is finished at step %lld", p->run, (long long)p->step);
    } else if (was_finished) {
        extension(p, more);
        snprintf(text, sizeof text, "%s is finished at step %lld; extend with: fovea train %s --continue%s", p->run,
                 (long long)p->step, fv_shell_word(p->run, run), more);
    } else if (v->dry) {
        snprintf(text, sizeof text, "dry run: data, shapes and memory fit; loss of the first batch %.3f; nothing was written", p->loss);
    } else if (p->best_step >= 0) {
        snprintf(text, sizeof text, "done: best %.4f at step %lld; weights in %s/best.safetensors", p->best, (long long)p->best_step, p->path);
    } else {
        snprintf(text, sizeof text, "done; weights in %s", p->path);
    }
    say(v, text);
    if (!p->bad_files) return;
    snprintf(text, sizeof text, "%lld pictures could not be read and were skipped: %s/bad_files.csv", (long long)p->bad_files, p->run);
    say(v, text);
}

static void begin(view *v, const fv_train_progress *p)
{
    v->started = true;
    v->last_print = v->loss_sum = 0;
    v->loss_count = 0;
    open_log(v, p);
    show_start(v, p);
}

static void finish(view *v, const fv_train_progress *p)
{
    if (v->line_open && !v->c->quiet) fprintf(stderr, "\n");
    v->line_open = false;
    show_end(v, p, !v->started);
    if (v->c->json && !p->seed_count) print_json(p);
    v->started = false;
}

static bool on_event(void *user, fv_train_event event, const fv_train_progress *p)
{
    view *v = user;
    switch (event) {
    case FV_TRAIN_START: begin(v, p); break;
    case FV_TRAIN_STEP: show_step(v, p); break;
    case FV_TRAIN_VALIDATED: show_validation(v, p); break;
    case FV_TRAIN_SAVED: break;
    case FV_TRAIN_END: finish(v, p); break;
    }
    return true;
}

/* After the last seed. */
static void show_seeds(view *v, const fv_seeds *s)
{
    const char *line = s->table;
    if (v->log) fclose(v->log);
    v->log = NULL;
    for (; *line; line += strcspn(line, "\n") + 1) {
        char text[512];
        snprintf(text, sizeof text, "%.*s", (int)strcspn(line, "\n"), line);
        say(v, text);
    }
    char text[4400];
    snprintf(text, sizeof text, "written to %s/seeds.json, seeds.txt and report.html", s->run);
    say(v, text);
    if (v->c->json) printf("%s\n", s->json);
}

static int train(cli *c, const fv_train_options *o, view *v)
{
    fv_seeds *seeds = NULL;
    cli_on_stop(ask_to_stop);
    fv_status status = fv_train(c->ctx, NULL, o, &running, &seeds);
    if (v->line_open && !c->quiet) fprintf(stderr, "\n");
    v->line_open = false;
    if (seeds) show_seeds(v, seeds);
    fv_seeds_destroy(seeds);
    return cli_report(c, status);
}

static int run(cli *c)
{
    view v = {.c = c, .terminal = cli_is_terminal(stderr)};
    fv_train_options o = {.settings = c->settings, .n_settings = c->n_settings, .callback = on_event, .callback_user = &v};
    int modes = cli_flag(c, "new") + cli_flag(c, "continue") + cli_flag(c, "overwrite");
    if (c->n_words > 1) return cli_usage(c, "one configuration or run at a time, not %s and %s", c->words[0], c->words[1]);
    if (modes > 1) return cli_usage(c, "--new, --continue and --overwrite exclude each other");
    if (!c->n_words && !c->n_settings) return cli_usage(c, "a configuration, a run, or key=value is needed");
    o.config = c->n_words ? c->words[0] : NULL;
    o.mode = cli_flag(c, "new") ? FV_RUN_NEW : cli_flag(c, "continue") ? FV_RUN_CONTINUE : cli_flag(c, "overwrite") ? FV_RUN_OVERWRITE : FV_RUN_RESUME;
    o.dry_run = v.dry = cli_flag(c, "dry-run");
    int code = train(c, &o, &v);
    if (v.log) fclose(v.log);
    return code;
}

static const cli_option flags[] = {
    {"continue", NULL, "goes on with changed keys (more steps, a smaller rate)", NULL},
    {"new", NULL, "takes the next free name", NULL},
    {"overwrite", NULL, "moves the old run aside", NULL},
    {"dry-run", NULL, "data, shapes, memory, one batch; writes nothing", NULL},
    CLI_OPTIONS_END};
const fv_command fv_command_train = {
    .name = "train", .arguments = "CONFIG.json|RUN [key=value ...] [+variant ...]", .about = "trains a model, or goes on with a run",
    .help = "An existing run with the same configuration goes on where it was saved. Ctrl-C saves.",
    .flags = flags, .keys = CLI_KEYS_LISTED, .run = run};
