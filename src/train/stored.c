/* SPDX-License-Identifier: Apache-2.0 */
/* Finding and opening the weights of a run. */
#include "train/stored.h"
#include "base/file.h"

#include <stdio.h>

/* Formats of weights that people have, and that this version does not read. */
static bool other_format(const char *path)
{
    static const char *const ends[] = {".onnx", ".pt", ".pth", ".th", ".npz", ".bin", ".ckpt", ".h5", ".tflite"};
    const char *dot = strrchr(path, '.');
    for (int i = 0; dot && i < FVI_COUNT(ends); i++)
        if (!strcmp(dot, ends[i])) return true;
    return false;
}

/* RUN/checkpoints, or the checkpoint_dir of RUN/config.json. Owned by the caller; NULL: out of memory. */
static char *checkpoints_of(const char *run)
{
    char *inner = fvi_path_join(run, "checkpoints"), *config = fvi_path_join(run, "config.json"), *text = NULL;
    fvi_arena arena = {0};
    fvi_json *root;
    size_t bytes;
    if (inner && config && !fvi_is_dir(inner) && fvi_file_read(NULL, config, 16 << 20, &text, &bytes) == FV_OK &&
        fvi_json_parse(NULL, &arena, config, text, bytes, false, &root) == FV_OK) {
        const fvi_json *set = fvi_json_get(root, "checkpoint_dir");
        if (set && set->kind == FVI_JSON_STRING) {
            fvi_free(inner);
            inner = fvi_path_join(run, set->string);
        }
    }
    fvi_arena_free(&arena);
    fvi_free(text);
    fvi_free(config);
    return inner;
}

static fv_status find_weights(fv_context *ctx, const char *text, fvi_stored *s)
{
    const char *at = strrchr(text, '@');
    if (at && (strchr(at, '/') || fvi_is_dir(text))) at = NULL;         /* a part of a folder's name */
    char *run = at ? fvi_format("%.*s", (int)(at - text), text) : fvi_strdup(text);
    if (!run) return fvi_nomem(ctx);
    if (fvi_is_dir(run)) {
        char *folder = checkpoints_of(run), *best = folder ? fvi_format("%s/%s.safetensors", folder, at ? at + 1 : "best") : NULL;
        char *latest = folder ? fvi_format("%s/latest.safetensors", folder) : NULL;
        const bool have = best && fvi_file_exists(best);
        s->path = fvi_strdup(have || at || !latest ? (best ? best : "") : latest);
        s->run = run;
        fvi_free(folder);
        fvi_free(best);
        fvi_free(latest);
    } else {
        s->path = fvi_strdup(text);
        fvi_free(run);
    }
    if (!s->path) return fvi_nomem(ctx);
    if (!s->run && other_format(s->path))
        return fvi_fail(ctx, FV_ERROR_FORMAT, "%s: weights in %s files cannot be read by this version; give a run folder or a .safetensors file that "
                        "fovea wrote", text, strrchr(s->path, '.'));
    if (fvi_file_exists(s->path)) return FV_OK;
    char *seeds = s->run ? fvi_path_join(s->run, "seeds.json") : NULL;
    const bool several = seeds && fvi_file_exists(seeds);
    fvi_free(seeds);
    if (several) return fvi_fail(ctx, FV_ERROR_IO, "%s repeats a run with several seeds: name one of them, as %s/seed-0", text, s->run);
    return fvi_fail(ctx, FV_ERROR_IO, "%s: there are no weights %s; give a run folder or a .safetensors file", text, s->path);
}

/* The configuration that was stored with the weights, then what the command line says. */
static fv_status load_config(fv_context *ctx, const fv_task_def *task, fvi_stored *s, int n_settings, const char *const *settings)
{
    const char *text = fvi_st_metadata(&s->weights, "fovea.config"), *ema = fvi_st_metadata(&s->weights, "fovea.ema");
    const char *step = fvi_st_metadata(&s->weights, "fovea.step");
    long long number = -1;
    if (!text) return fvi_fail(ctx, FV_ERROR_FORMAT, "%s holds no configuration: not written by fovea train", s->path);
    s->ema = ema && !strcmp(ema, "true");
    if (step && sscanf(step, "%lld", &number) != 1) number = -1;
    s->step = number;
    FVI_TRY(ctx, fvi_config_from_text(ctx, task, s->path, text, n_settings, settings, &s->config));
    return FV_OK;
}

fv_status fvi_stored_open(fv_context *ctx, const fv_task_def *task, const char *text, int n_settings, const char *const *settings, fvi_stored *out)
{
    memset(out, 0, sizeof *out);
    FVI_TRY(ctx, find_weights(ctx, text, out));
    FVI_TRY(ctx, fvi_st_open(ctx, out->path, &out->weights));
    FVI_TRY(ctx, fvi_st_check(ctx, &out->weights));
    FVI_TRY(ctx, load_config(ctx, task, out, n_settings, settings));
    return FV_OK;
}

int64_t fvi_stored_classes(const fvi_stored *s, const char **names)
{
    const char *text = fvi_st_metadata(&s->weights, "fovea.classes");
    fvi_arena arena = {0};
    fvi_json *root;
    int64_t n = 0;
    if (text && fvi_json_parse(NULL, &arena, s->path, text, strlen(text), false, &root) == FV_OK && root->kind == FVI_JSON_ARRAY)
        for (const fvi_json *v = root->child; v; v = v->next) n++;
    fvi_arena_free(&arena);
    if (names) *names = n ? text : NULL;
    return n;
}

fv_status fvi_stored_class_names(fv_context *ctx, const fvi_st_file *f, fvi_arena *arena, const char *const **names, int64_t *n)
{
    const char *text = fvi_st_metadata(f, "fovea.classes");
    fvi_json *list;
    *names = NULL;
    *n = 0;
    if (!text) return FV_OK;
    FVI_TRY(ctx, fvi_json_parse(ctx, arena, "fovea.classes", text, strlen(text), false, &list));
    const char **out = fvi_arena_alloc(arena, (size_t)FVI_MAX(list->count, 1) * sizeof *out);
    if (!out) return fvi_nomem(ctx);
    for (const fvi_json *m = list->child; m; m = m->next) {
        if (m->kind != FVI_JSON_STRING) return fvi_fail(ctx, FV_ERROR_FORMAT, "%s: its class names are damaged", f->path);
        if (!(out[*n] = fvi_arena_strdup(arena, m->string))) return fvi_nomem(ctx);
        ++*n;
    }
    *names = *n ? out : NULL;
    return FV_OK;
}

bool fvi_names_weights(const char *text)
{
    return strpbrk(text, "/.@") || fvi_file_exists(text) || fvi_is_dir(text);
}

fv_status fvi_config_of_name(fv_context *ctx, const char *name, int n_settings, const char *const *settings, fv_config **out)
{
    const char **all = fvi_calloc((size_t)n_settings + 1, sizeof *all);
    char *model = fvi_format("model=%s", name);
    fv_status status = all && model ? FV_OK : fvi_nomem(ctx);
    if (status == FV_OK) {
        all[0] = model;
        for (int i = 0; i < n_settings; i++) all[i + 1] = settings[i];
        status = fv_config_create(ctx, NULL, n_settings + 1, all, out);
    }
    fvi_free(all);
    fvi_free(model);
    if (status == FV_OK) fvi_log(ctx, FV_LOG_WARN, "%s is a model's name: its weights are initial ones, nothing is learned", name);
    return status;
}

fv_status fvi_stored_model(fv_context *ctx, const fv_config *c, int64_t classes, fv_model **out)
{
    *out = NULL;
    FVI_TRY(ctx, fvi_config_check_model(c));
    char *args = fvi_config_model_args(c);
    if (!args) return fvi_nomem(ctx);
    const fv_status status = fv_model_create(ctx, c->v.model, &(fv_model_options){classes, args}, out);
    fvi_free(args);
    return status;
}

fv_status fv_model_of_weights(fv_context *ctx, const char *weights, int64_t classes, fv_model **out)
{
    fvi_stored s;
    *out = NULL;
    fv_status status = fvi_stored_open(ctx, NULL, weights, 0, NULL, &s);
    if (status == FV_OK) status = fvi_stored_model(ctx, s.config, classes > 0 ? classes : fvi_stored_classes(&s, NULL), out);
    fvi_stored_close(&s);
    return status;
}

void fvi_stored_close(fvi_stored *s)
{
    fv_config_destroy(s->config);
    fvi_st_close(&s->weights);
    fvi_free(s->path);
    fvi_free(s->run);
    memset(s, 0, sizeof *s);
}
