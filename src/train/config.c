/* SPDX-License-Identifier: Apache-2.0 */
/* Configuration: layers in order, checks between keys, and the resolved form. */
#include "tasks/task.h"
#include "train/config.h"
#include "base/file.h"
#include "data/augment.h"
#include "data/open.h"
#include "models/model.h"

#include <stdio.h>
#include <stdlib.h>

int fvi_config_row(const fv_config *c, const char *name)
{
    for (int i = 0; i < c->n_rows; i++)
        if (!strcmp(c->rows[i].key->name, name)) return i;
    for (int i = 0; i < c->n_rows; i++)
        if (fvi_word_in(c->rows[i].key->aliases, name)) return i;
    return -1;
}

void fvi_config_names(const fv_config *c, const char **out)
{
    for (int i = 0; i < c->n_rows; i++) out[i] = c->rows[i].key->name;
    out[c->n_rows] = NULL;
}

bool fvi_config_given(const fv_config *c, const char *key)
{
    int row = fvi_config_row(c, key);
    return row >= 0 && c->origin[row];
}

const fvi_data_format *fvi_config_format(const fv_config *c)
{
    return c->v.data_format ? fvi_data_format_at((int)c->v.data_format - 1) : NULL;
}

bool fvi_config_by_hand(const fv_config *c, const char *key)
{
    int row = fvi_config_row(c, key);
    return row >= 0 && c->origin[row] && !strcmp(c->origin[row], "command line");
}

fv_status fvi_config_forget(fv_config *c, const char *key)
{
    int row = fvi_config_row(c, key);
    if (row < 0 || fvi_config_by_hand(c, key)) return FV_OK;
    fvi_free(c->origin[row]);
    c->origin[row] = NULL;
    return fvi_attr_parse(c->ctx, c->rows[row].key, c->rows[row].base, "null", key);
}

/* ---- the task -------------------------------------------------------------------------------------------------------- */

static void add_rows(fv_config *c, const fv_key *table, void *base)
{
    for (; table && table->name && c->n_rows < FVI_CONFIG_KEYS_MAX; table++) c->rows[c->n_rows++] = (fvi_row){table, base};
}

fv_status fvi_config_choose_task(fv_config *c, const fv_task_def *given, const char *name)
{
    const char *known[64] = {NULL};
    c->task = given && (!name || !strcmp(given->name, name)) ? given : fv_task_find(name ? name : "classify");
    if (!c->task) {
        for (int i = 0; i < 63 && fv_task_known(i); i++) known[i] = fv_task_known(i)->name;
        const char *near = fvi_nearest(name, known);
        return fvi_fail(c->ctx, FV_ERROR_CONFIG, "task: there is no task \"%s\"%s%s%s", name, near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
    }
    char *own = fvi_strdup(c->task->name);
    if (!own) return fvi_nomem(c->ctx);
    fvi_free(c->v.task);
    c->v.task = own;
    if (c->task->settings_size && !(c->settings = fvi_calloc(1, c->task->settings_size))) return fvi_nomem(c->ctx);
    if (c->settings) fvi_attr_defaults(c->task->keys, c->settings);
    add_rows(c, fvi_config_core(), &c->v);
    if (c->settings) add_rows(c, c->task->keys, c->settings);
    return FV_OK;
}

/* What the layers that come later say is `task`; NULL: nothing. */
static const char *named_task(const fvi_json *root, int n_settings, const char *const *settings)
{
    const fvi_json *variants = root ? fvi_json_get(root, "variants") : NULL, *v = root ? fvi_json_get(root, "task") : NULL;
    const char *name = v && v->kind == FVI_JSON_STRING ? v->string : NULL;
    for (int i = 0; i < n_settings; i++) {
        if (settings[i][0] != '+') continue;
        v = variants ? fvi_json_get(variants, settings[i] + 1) : NULL;
        v = v ? fvi_json_get(v, "task") : NULL;
        if (v && v->kind == FVI_JSON_STRING) name = v->string;
    }
    for (int i = 0; i < n_settings; i++)
        if (!strncmp(settings[i], "task=", 5)) name = settings[i] + 5;
    return name;
}

/* ---- layers ---------------------------------------------------------------------------------------------------------- */

static fv_status unknown_variant(fv_config *c, const fvi_json *variants, const char *name)
{
    const char *names[64] = {NULL};
    int n = 0;
    for (const fvi_json *v = variants ? variants->child : NULL; v && n < 63; v = v->next) names[n++] = v->key;
    const char *near = fvi_nearest(name, names);
    const char *path = c->path ? c->path : "the configuration";
    if (strchr(name, '='))
        return fvi_fail(c->ctx, FV_ERROR_CONFIG, "+%s: a variant is +name; for a value write %s without the plus", name, name);
    if (near) return fvi_fail(c->ctx, FV_ERROR_CONFIG, "%s has no variant \"%s\"; did you mean \"+%s\"?", path, name, near);
    return fvi_fail(c->ctx, FV_ERROR_CONFIG, "%s has no variant \"%s\"", path, name);
}

static fv_status apply_variant(fv_config *c, const fvi_json *root, const char *name, const char *label, const char *folder)
{
    const fvi_json *variants = root ? fvi_json_get(root, "variants") : NULL;
    const fvi_json *v = variants ? fvi_json_get(variants, name) : NULL;
    if (!v || strchr(name, '=')) return unknown_variant(c, variants, name);
    char suffix[128];
    snprintf(suffix, sizeof suffix, " (variant %.100s)", name);
    FVI_TRY(c->ctx, fvi_config_apply_json(c, v, label, suffix, folder));
    char *all = *c->variants ? fvi_format("%s.%s", c->variants, name) : fvi_strdup(name);
    if (!all) return fvi_nomem(c->ctx);
    fvi_free(c->variants);
    c->variants = all;
    return FV_OK;
}

static fv_status apply_setting(fv_config *c, const char *setting)
{
    const char *equals = strchr(setting, '=');
    if (!equals || equals == setting)
        return fvi_fail(c->ctx, FV_ERROR_CONFIG, "\"%s\" is neither key=value nor +variant", setting);
    char *key = fvi_format("%.*s", (int)(equals - setting), setting);
    if (!key) return fvi_nomem(c->ctx);
    fv_status status = fvi_config_apply_text(c, key, equals + 1);
    fvi_free(key);
    return status;
}

/* The file's name without folder and extension: names the run. */
static char *stem_of(const char *path)
{
    const char *base = fvi_path_base(path), *dot = strrchr(base, '.');
    return fvi_format("%.*s", (int)(dot && dot > base ? (size_t)(dot - base) : strlen(base)), base);
}

/* One JSON text (NULL: none) and the settings. `name` in errors; `folder`: of relative paths. */
static fv_status apply_layers(fv_config *c, const char *name, const char *text, const char *folder, int n_settings, const char *const *settings)
{
    fv_status status = FV_OK;
    fvi_arena arena = {0};
    fvi_json *root = NULL;
    if (text) {
        status = fvi_json_parse(c->ctx, &arena, name, text, strlen(text), true, &root);
        if (status == FV_ERROR_FORMAT) status = fvi_fail(c->ctx, FV_ERROR_CONFIG, "%s", fv_error_message(c->ctx));
        if (status != FV_OK) goto done;
        const fvi_json *variants = fvi_json_get(root, "variants");
        if (variants && variants->kind != FVI_JSON_OBJECT && variants->kind != FVI_JSON_NULL) {
            status = fvi_fail(c->ctx, FV_ERROR_CONFIG, "%s:%d: variants: an object of named overlays is wanted", name, variants->line);
            goto done;
        }
    }
    FVI_TRY_DONE(c->ctx, status, fvi_config_choose_task(c, c->task, named_task(root, n_settings, settings)));
    if (root) FVI_TRY_DONE(c->ctx, status, fvi_config_apply_json(c, root, name, "", folder));
    for (int i = 0; i < n_settings; i++)
        if (settings[i][0] == '+') FVI_TRY_DONE(c->ctx, status, apply_variant(c, root, settings[i] + 1, name, folder));
    c->current_layer++;
    for (int i = 0; i < n_settings; i++)
        if (settings[i][0] != '+') FVI_TRY_DONE(c->ctx, status, apply_setting(c, settings[i]));
done:
    fvi_arena_free(&arena);
    return status;
}

static fv_status read_file(fv_config *c, const char *path, int n_settings, const char *const *settings)
{
    fv_status status = FV_OK;
    size_t bytes = 0;
    char *text = NULL, *folder = NULL;
    FVI_TRY_DONE(c->ctx, status, fvi_file_read(c->ctx, path, 16 << 20, &text, &bytes));
    fvi_free(c->stem);
    c->path = fvi_path_absolute(path);
    folder = c->path ? fvi_path_dir(c->path) : NULL;
    c->stem = stem_of(path);
    if (!c->path || !folder || !c->stem) {
        status = fvi_nomem(c->ctx);
        goto done;
    }
    if (strlen(text) != bytes) {
        status = fvi_fail(c->ctx, FV_ERROR_CONFIG, "%s: not a text file", path);
        goto done;
    }
    FVI_TRY_DONE(c->ctx, status, apply_layers(c, path, text, folder, n_settings, settings));
done:
    fvi_free(text);
    fvi_free(folder);
    return status;
}

static char *join_settings(int n, const char *const *settings)
{
    fvi_text t = {0};
    char room[FV_SHELL_ROOM];
    fvi_text_raw(&t, "", 0);
    for (int i = 0; i < n; i++) fvi_text_add(&t, "%s%s", i ? " " : "", fv_shell_word(settings[i], room));
    return fvi_text_take(&t);
}

static fv_status new_config(fv_context *ctx, const fv_task_def *task, int n_settings, const char *const *settings, fv_config **out)
{
    fv_config *c = fvi_calloc(1, sizeof *c);
    *out = NULL;
    if (!c) return fvi_nomem(ctx);
    c->ctx = ctx;
    c->task = task;
    fvi_attr_defaults(fvi_config_core(), &c->v);
    c->variants = fvi_strdup("");
    c->stem = fvi_strdup("");
    c->command = join_settings(n_settings, settings);
    if (!c->variants || !c->stem || !c->command || !c->v.task || !c->v.model || !c->v.validate_every || !c->v.save_every) {
        fv_config_destroy(c);
        return fvi_nomem(ctx);
    }
    *out = c;
    return FV_OK;
}

/* `status` of the layers, then the checks; the configuration is destroyed when anything failed. */
static fv_status finish(fv_config *c, fv_status status, fv_config **out)
{
    if (status == FV_OK) status = fvi_config_check(c);
    if (status == FV_OK)
        *out = c;
    else
        fv_config_destroy(c);
    return status;
}

fv_status fvi_config_from_text(fv_context *ctx, const fv_task_def *task, const char *name, const char *text, int n_settings, const char *const *settings, fv_config **out)
{
    fv_config *c;
    *out = NULL;
    FVI_TRY(ctx, new_config(ctx, task, n_settings, settings, &c));
    return finish(c, apply_layers(c, name, text, NULL, n_settings, settings), out);
}

fv_status fvi_config_create(fv_context *ctx, const fv_task_def *task, const char *path, int n_settings, const char *const *settings, fv_config **out)
{
    fv_config *c;
    char *inner = NULL;
    *out = NULL;
    if (path && fvi_is_dir(path)) {
        if (!(inner = fvi_path_join(path, "config.json"))) return fvi_nomem(ctx);
        if (!fvi_file_exists(inner)) {
            fvi_free(inner);
            return fvi_fail(ctx, FV_ERROR_CONFIG, "%s is not a run of fovea: it has no config.json", path);
        }
        path = inner;
    } else if (path && !fvi_file_exists(path)) {
        return fvi_fail(ctx, FV_ERROR_CONFIG, "configuration %s does not exist", path);
    }
    fv_status status = new_config(ctx, task, n_settings, settings, &c);
    if (status == FV_OK && path) status = finish(c, read_file(c, path, n_settings, settings), out);
    else if (status == FV_OK) status = finish(c, apply_layers(c, NULL, NULL, NULL, n_settings, settings), out);
    fvi_free(inner);
    return status;
}

fv_status fv_config_create(fv_context *ctx, const char *path, int n_settings, const char *const *settings, fv_config **out)
{
    FVI_TRY(ctx, fvi_config_create(ctx, NULL, path, n_settings, settings, out));
    fv_status status = fvi_config_check_model(*out);
    if (status != FV_OK) {
        fv_config_destroy(*out);
        *out = NULL;
    }
    return status;
}

void fv_config_destroy(fv_config *c)
{
    if (!c) return;
    fvi_attr_clear(fvi_config_core(), &c->v);
    if (c->settings) fvi_attr_clear(c->task->keys, c->settings);
    fvi_free(c->settings);
    for (int i = 0; i < FVI_CONFIG_KEYS_MAX; i++) fvi_free(c->origin[i]);
    for (int i = 0; i < c->model_args.count; i++) {
        fvi_free(c->model_args.items[i].name);
        fvi_free(c->model_args.items[i].json);
        fvi_free(c->model_args.items[i].origin);
    }
    fvi_free(c->model_args.items);
    fvi_free(c->path);
    fvi_free(c->stem);
    fvi_free(c->variants);
    fvi_free(c->command);
    fvi_arena_free(&c->arena);
    fvi_free(c);
}

/* ---- checks between keys --------------------------------------------------------------------------------------------- */

/* "FILE:LINE: key" of a value, for messages. */
static const char *place_of(const fv_config *c, const char *key, char out[512])
{
    int row = fvi_config_row(c, key);
    const char *origin = row >= 0 ? c->origin[row] : NULL;
    if (origin && strcmp(origin, "command line"))
        snprintf(out, 512, "%s: %s", origin, key);
    else
        snprintf(out, 512, "%s", key);
    return out;
}

static fv_status check_cadence(const fv_config *c, const char *key, const char *text)
{
    char place[512];
    const char *unit = text ? text : "";
    const double value = fvi_parse_double(unit, &unit);
    while (*unit == ' ') unit++;
    const bool epochs = !strcmp(unit, "epoch") || !strcmp(unit, "epochs");
    if (value > 0 && value < 1e15 && (epochs || (!*unit && value == (double)(int64_t)value))) return FV_OK;
    return fvi_fail(c->ctx, FV_ERROR_CONFIG, "%s: \"%s\" is neither a number of updates nor \"1 epoch\"", place_of(c, key, place), text ? text : "null");
}

static fv_status check_device(const fv_config *c)
{
    char place[512];
    if (c->v.device == FVI_DEVICE_CUDA)
        return fvi_fail(c->ctx, FV_ERROR_CONFIG, "%s: this fovea has no CUDA; set device=cpu", place_of(c, "device", place));
    if (c->v.enable_amp && c->v.amp_dtype == 2)
        return fvi_fail(c->ctx, FV_ERROR_CONFIG, "%s: fp16 is for GPUs; CPUs compute in bf16, set amp_dtype=bf16", place_of(c, "amp_dtype", place));
    return FV_OK;
}

static fv_status check_optimizer(fv_config *c)
{
    char place[512];
    fvi_values *v = &c->v;
    if (v->nesterov && v->momentum <= 0)
        return fvi_fail(c->ctx, FV_ERROR_CONFIG, "%s: Nesterov needs a momentum above 0", place_of(c, "nesterov", place));
    const char *schedule = fv_schedule_known((int)v->scheduler, NULL);
    if (!strcmp(schedule, "multi_step") && !v->milestones.n)
        return fvi_fail(c->ctx, FV_ERROR_CONFIG, "%s: multi_step needs milestones", place_of(c, "scheduler", place));
    if (!strcmp(schedule, "warm_restarts") && !v->restart_iters && v->restart_epochs <= 0)
        return fvi_fail(c->ctx, FV_ERROR_CONFIG, "%s: warm_restarts needs restart_iters or restart_epochs, the length of the first cycle",
                        place_of(c, "scheduler", place));
    if (v->restart_iters && v->restart_epochs > 0)
        return fvi_fail(c->ctx, FV_ERROR_CONFIG, "%s and restart_iters say the same; give one of them", place_of(c, "restart_epochs", place));
    if (v->max_learning_rate > 0 && fvi_config_given(c, "learning_rate") && v->learning_rate != v->max_learning_rate)
        fvi_log(c->ctx, FV_LOG_INFO, "max_learning_rate %g is the peak; learning_rate %g is not used", v->max_learning_rate, v->learning_rate);
    double peak = v->max_learning_rate > 0 ? v->max_learning_rate : v->learning_rate;
    if (v->min_lr > peak)
        return fvi_fail(c->ctx, FV_ERROR_CONFIG, "%s: min_lr %g is above the peak %g", place_of(c, "min_lr", place), v->min_lr, peak);
    if (v->min_lr > 0 && v->final_lr_ratio > 0)
        return fvi_fail(c->ctx, FV_ERROR_CONFIG, "%s and min_lr say the same; give one of them", place_of(c, "final_lr_ratio", place));
    if (v->warmup_iters > 0 && v->warmup_epochs > 0)
        return fvi_fail(c->ctx, FV_ERROR_CONFIG, "%s and warmup_iters say the same; give one of them", place_of(c, "warmup_epochs", place));
    if (v->lr_decay_iters > 0 && v->lr_decay_iters <= v->warmup_iters)
        return fvi_fail(c->ctx, FV_ERROR_CONFIG, "%s: %lld is not above warmup_iters %lld", place_of(c, "lr_decay_iters", place),
                        (long long)v->lr_decay_iters, (long long)v->warmup_iters);
    return FV_OK;
}

/* Name and arguments of the model: a mistake is found here, with its place, not when the graph is built. */
fv_status fvi_config_check_model(const fv_config *c)
{
    char place[512];
    const char *known[64] = {NULL};
    for (int i = 0; i < 63 && (known[i] = fv_model_known(i, NULL)); i++) {}
    if (!fvi_model_find(c->v.model)) {
        const char *near = fvi_nearest(c->v.model, known);
        return fvi_fail(c->ctx, FV_ERROR_CONFIG, "%s: unknown model \"%s\"%s%s%s", place_of(c, "model", place), c->v.model,
                        near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
    }
    for (int i = 0; i < c->model_args.count; i++) {
        const fvi_model_arg *a = &c->model_args.items[i];
        char *json = fvi_format("{\"%s\": %s}", a->name, a->json);
        fv_model *m = NULL;
        if (!json) return fvi_nomem(c->ctx);
        fv_status status = fv_model_create(c->ctx, c->v.model, &(fv_model_options){.classes = 1, .args = json}, &m);
        fv_model_destroy(m);
        fvi_free(json);
        if (status != FV_OK) {
            if (strcmp(a->origin, "command line")) fvi_error_prefix(c->ctx, "%s: ", a->origin);
            return status;
        }
    }
    return FV_OK;
}

fv_status fvi_config_check_data(fv_config *c)
{
    fvi_values *v = &c->v;
    const fvi_data_format *format = v->data_format || !v->data_root ? NULL : fvi_data_detect(v->data_root, (const char *const *)v->data_sets);
    for (int i = 0; format && fvi_data_format_at(i); i++)
        if (fvi_data_format_at(i) == format) v->data_format = i + 1;
    format = fvi_config_format(c);
    if (v->resize == FVI_AUTO_RESIZE && format) v->resize = FVI_FIRST_RESIZE + (format->list ? FVI_RESIZE_CROP : FVI_RESIZE_NONE);
    if (!fvi_config_given(c, "image_size") && format)
        v->image_size[0] = v->image_size[1] = format->image_size ? format->image_size : format->list ? 224 : 32;
    if (v->rrc_scale[0] > v->rrc_scale[1] || v->rrc_ratio[0] > v->rrc_ratio[1])
        return fvi_fail(c->ctx, FV_ERROR_CONFIG, "augment.random_resized_crop: scale and ratio are lists of a smallest and a largest value");
    if (v->split_val + v->split_test >= 1) return fvi_fail(c->ctx, FV_ERROR_CONFIG, "data.split: val %g and test %g leave nothing to train on", v->split_val, v->split_test);
    if (v->folds == 1 || (v->folds && v->fold >= v->folds))
        return fvi_fail(c->ctx, FV_ERROR_CONFIG, "data.split: fold %lld of %lld folds; folds are 2 or more, and fold counts from 0", (long long)v->fold, (long long)v->folds);
    return FV_OK;
}

/* A metric of the task, by its name from here on. */
static fv_status check_monitor(fv_config *c)
{
    enum { SHOWN = 128 };
    const fv_metric_def *m = c->task ? c->task->metrics : NULL;
    const char *wanted = c->v.monitor, *names[SHOWN + 1] = {NULL};
    if (!wanted || !*wanted || !c->task) return FV_OK;
    const int at = fvi_task_metric(c->task, wanted);
    if (at >= 0 && strcmp(m[at].name, wanted)) {
        char *name = fvi_strdup(m[at].name);
        if (!name) return fvi_nomem(c->ctx);
        fvi_free(c->v.monitor);
        c->v.monitor = name;
    }
    if (at >= 0) return FV_OK;
    fvi_text known = {0};
    for (int i = 0; m && m[i].name && i < SHOWN; i++) {
        names[i] = m[i].name;
        fvi_text_add(&known, "%s%s", i ? ", " : "", names[i]);
    }
    char *list = fvi_text_take(&known);
    const char *near = fvi_nearest(wanted, names);
    const fv_status status = fvi_fail(c->ctx, FV_ERROR_CONFIG, "monitor: \"%s\" is no metric of task %s%s%s%s; there are %s", wanted, c->task->name,
                                      near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "", list ? list : "none");
    fvi_free(list);
    return status;
}

fv_status fvi_config_check(fv_config *c)
{
    fvi_values *v = &c->v;
    FVI_TRY(c->ctx, check_cadence(c, "validate_every", v->validate_every));
    FVI_TRY(c->ctx, check_cadence(c, "save_every", v->save_every));
    FVI_TRY(c->ctx, check_device(c));
    FVI_TRY(c->ctx, check_optimizer(c));
    FVI_TRY(c->ctx, check_monitor(c));
    FVI_TRY(c->ctx, fvi_config_check_data(c));
    if (!v->max_steps && !v->epochs) v->epochs = 30;
    return FV_OK;
}

/* ---- the resolved form ----------------------------------------------------------------------------------------------- */

/* How many groups (names before a dot) two keys have in common. */
static int shared_groups(const char *a, const char *b)
{
    int n = 0;
    for (; *a && *a == *b; a++, b++) n += *a == '.';
    return n;
}

static int groups_of(const char *key)
{
    int n = 0;
    for (; *key; key++) n += *key == '.';
    return n;
}

/* Writes every key, nested by its dots; `values` or their origins. */
static void write_keys(const fv_config *c, fvi_text *t, bool origins)
{
    const char *before = "";
    for (int i = 0; i < c->n_rows; i++) {
        const fv_key *d = c->rows[i].key;
        const char *part = d->name;
        int depth = groups_of(before);
        const int shared = shared_groups(before, d->name), wanted = groups_of(d->name);
        for (; depth > shared; depth--) fvi_text_add(t, "}");
        for (int k = 0; k < shared; k++) part = strchr(part, '.') + 1;
        fvi_text_add(t, i ? "%s" : "%.0s", depth ? ", " : ",");
        for (; depth < wanted; depth++) {
            const size_t n = strcspn(part, ".");
            fvi_text_add(t, "%s\"%.*s\": {", depth ? "" : "\n  ", (int)n, part);
            part += n + 1;
        }
        fvi_text_add(t, "%s\"%s\": ", depth ? "" : "\n  ", part);
        before = d->name;
        if (origins) {
            fvi_text_json_string(t, c->origin[i] ? c->origin[i] : "default");
            continue;
        }
        char *value = fvi_attr_text(d, c->rows[i].base);
        if (!value) t->failed = true;
        fvi_text_add(t, "%s", value ? value : "");
        fvi_free(value);
    }
    for (int depth = groups_of(before); depth > 0; depth--) fvi_text_add(t, "}");
}

static void write_model_args(const fv_config *c, fvi_text *t, bool origins)
{
    fvi_text_add(t, "{");
    for (int i = 0; i < c->model_args.count; i++) {
        const fvi_model_arg *a = &c->model_args.items[i];
        if (i) fvi_text_add(t, ", ");
        fvi_text_json_string(t, a->name);
        fvi_text_add(t, ": ");
        if (origins)
            fvi_text_json_string(t, a->origin);
        else
            fvi_text_add(t, "%s", a->json);
    }
    fvi_text_add(t, "}");
}

char *fv_config_text(const fv_config *c, bool origins)
{
    fvi_text t = {0};
    fvi_text_add(&t, "{\n  \"model_args\": ");
    write_model_args(c, &t, origins);
    fvi_text_add(&t, ",");
    write_keys(c, &t, origins);
    fvi_text_add(&t, "\n}\n");
    return fvi_text_take(&t);
}

char *fvi_config_model_args(const fv_config *c)
{
    fvi_text t = {0};
    write_model_args(c, &t, false);
    return fvi_text_take(&t);
}

char *fv_config_value(const fv_config *c, const char *key)
{
    const int row = fvi_config_row(c, key);
    if (!strcmp(key, "model_args")) return fvi_config_model_args(c);
    return row < 0 ? NULL : fvi_attr_text(c->rows[row].key, c->rows[row].base);
}

/* A value to show: the one that is written down, another choice than the default, else the default. */
static void example_of(const fv_key *d, const char *fallback, char *out, size_t room)
{
    int n = 0;
    while (d->kind == FVI_ATTR_ENUM && d->names[n]) n++;
    if (d->example) snprintf(out, room, "%s", d->example);
    else if (d->kind == FVI_ATTR_BOOL) snprintf(out, room, "%s", d->fallback != 0 ? "false" : "true");
    else if (n) snprintf(out, room, "%s", d->names[((int)d->fallback + 1) % n]);
    else if (d->fallback_text) snprintf(out, room, "%s", d->fallback_text);
    else snprintf(out, room, "%s", fallback);
}

/* The rows of every task, then those of each task of the library; the heading that the row stands under. */
static const fv_key *known_key(int index, const fv_task_def **task, const char **heading)
{
    const fv_key *table = fvi_config_core();
    *task = NULL;
    *heading = "";
    for (int t = 0; index >= 0; t++) {
        for (const fv_key *d = table; d && d->name; d++, index--) {
            if (d->heading) *heading = d->heading;
            if (index == 0) return d;
        }
        if (!(*task = fv_task_known(t))) return NULL;
        table = (*task)->keys;
    }
    return NULL;
}

bool fv_config_describe(int index, fv_config_entry *out)
{
    const fv_task_def *task;
    const char *heading;
    const fv_key *d = known_key(index, &task, &heading);
    if (!d) return false;
    fv_key one[2] = {*d, FV_KEY_END};
    union { int64_t i[16]; double d[16]; char *text; fv_dims dims; } value = {{0}};
    one->offset = 0;
    fvi_attr_defaults(one, &value);
    char *fallback = fvi_attr_text(one, &value);
    fvi_attr_clear(one, &value);
    *out = (fv_config_entry){.name = d->name, .heading = heading, .help = d->help ? d->help : "", .aliases = d->aliases, .task = task ? task->name : NULL,
                             .group = fvi_config_short_for(d->name), .choices = d->names, .path = d->flags & FV_KEY_PATH, .local = d->flags & FV_KEY_LOCAL};
    snprintf(out->fallback, sizeof out->fallback, "%s", fallback ? fallback : "");
    fvi_free(fallback);
    fvi_attr_kind_words(d, out->kind);
    if (d->flags & FV_KEY_LIST) snprintf(out->kind, sizeof out->kind, "text, or a list");
    fvi_attr_range_words(d, out->range);
    example_of(d, out->fallback, out->example, sizeof out->example);
    return true;
}

int fv_config_find(const char *name)
{
    const fv_task_def *task;
    const char *heading, *shorthand = fvi_config_short(name);
    const fv_key *d;
    if (shorthand) name = shorthand;
    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; (d = known_key(i, &task, &heading)); i++)
            if (pass ? fvi_word_in(d->aliases, name) : !strcmp(d->name, name)) return i;
    return -1;
}

char *fv_config_variants(fv_context *ctx, const char *path)
{
    fvi_arena arena = {0};
    fvi_text t = {0};
    fvi_json *root = NULL;
    char *text = NULL;
    size_t bytes;
    fv_status status = fvi_file_read(ctx, path, 16 << 20, &text, &bytes);
    if (status == FV_OK) status = fvi_json_parse(ctx, &arena, path, text, bytes, true, &root);
    const fvi_json *variants = status == FV_OK && root->kind == FVI_JSON_OBJECT ? fvi_json_get(root, "variants") : NULL;
    fvi_text_raw(&t, "", 0);
    for (const fvi_json *v = variants && variants->kind == FVI_JSON_OBJECT ? variants->child : NULL; v; v = v->next)
        fvi_text_add(&t, "%s%s", t.length ? "\n" : "", v->key);
    char *names = fvi_text_take(&t);
    if (status != FV_OK) {
        fvi_free(names);
        names = NULL;
    }
    fvi_arena_free(&arena);
    fvi_free(text);
    return names;
}

/* Adds a key whose values differ; both are freed. */
static void add_difference(fvi_text *t, const char *key, char *from, char *to, bool json)
{
    if (!from || !to) t->failed = true;
    else if (strcmp(from, to)) fvi_text_add(t, json ? "%s\"%s\":{\"from\":%s,\"to\":%s}" : "%s%s (%s, now %s)", t->length <= 1 ? "" : json ? "," : ", ", key, from, to);
    fvi_free(from);
    fvi_free(to);
}

/* What a key is worth in a configuration, which may be of a task without it. */
static char *value_text(const fv_config *c, const char *key)
{
    char *text = fv_config_value(c, key);
    return text ? text : fvi_strdup("null");
}

static char *difference(const fv_config *a, const fv_config *b, bool json)
{
    fvi_text t = {0};
    fvi_text_raw(&t, "{", json);
    for (int i = 0; i < b->n_rows; i++) {
        const fv_key *d = b->rows[i].key;
        if (!(d->flags & FV_KEY_LOCAL)) add_difference(&t, d->name, value_text(a, d->name), value_text(b, d->name), json);
    }
    add_difference(&t, "model_args", fvi_config_model_args(a), fvi_config_model_args(b), json);
    fvi_text_raw(&t, "}", json);
    return fvi_text_take(&t);
}

char *fvi_config_difference(const fv_config *a, const fv_config *b)
{
    return difference(a, b, false);
}

char *fvi_config_difference_json(const fv_config *a, const fv_config *b)
{
    return difference(a, b, true);
}

bool fvi_config_differs(const fv_config *a, const fv_config *b, const char *key)
{
    size_t n = strlen(key);
    for (int i = 0; i < b->n_rows; i++) {
        const fv_key *d = b->rows[i].key;
        if (strncmp(d->name, key, n) || (d->name[n] && d->name[n] != '.') || (d->flags & FV_KEY_LOCAL)) continue;
        char *x = value_text(a, d->name), *y = value_text(b, d->name);
        bool same = x && y && !strcmp(x, y);
        fvi_free(x);
        fvi_free(y);
        if (!same) return true;
    }
    return false;
}
