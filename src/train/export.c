/* SPDX-License-Identifier: Apache-2.0 */
/* fovea export: a run's weights, or a model by name, as an ONNX file that says how pictures become its input and what its
 * output means. */
#include "fovea/model.h"
#include "base/file.h"
#include "compile/session.h"
#include "ir/graph.h"
#include "tasks/export.h"
#include "train/checkpoint.h"
#include "train/stored.h"
#include "train/trainer.h"

#include <stdio.h>

enum { MAX_METADATA = 24 };

typedef struct own_export {
    fv_exported e;                       /* first: freed through it */
    fv_context *ctx;
    fvi_arena arena;
    fvi_stored stored;                   /* of a run or file */
    fv_config *config;                   /* of a name; else that of `stored`, borrowed */
    fv_model *model;
    fv_task *task;
    const fv_model *own_model;           /* the caller's, or NULL */
    fv_onnx_text metadata[MAX_METADATA];
    int n_metadata;
} own_export;

/* ---- metadata ---- */

/* Takes the text over. */
static fv_status add_taken(own_export *o, const char *key, char *text)
{
    char *copy = text ? fvi_arena_strdup(&o->arena, text) : NULL;
    fvi_free(text);
    FVI_ASSERT(o->ctx, o->n_metadata < MAX_METADATA);
    if (!copy) return fvi_nomem(o->ctx);
    o->metadata[o->n_metadata++] = (fv_onnx_text){key, copy};
    return FV_OK;
}

static fv_status add(own_export *o, const char *key, const char *text)
{
    return text ? add_taken(o, key, fvi_strdup(text)) : FV_OK;
}

static char *three(const double v[3])
{
    fvi_text t = {0};
    for (int i = 0; i < 3; i++) {
        fvi_text_add(&t, i ? ", " : "[");
        fvi_text_json_number(&t, v[i]);
    }
    fvi_text_add(&t, "]");
    return fvi_text_take(&t);
}

/* {0: 'cat', 1: 'dog'}, a Python literal, which is what other tools look for under `names`. */
static char *python_names(const fvi_json *classes)
{
    fvi_text t = {0};
    int index = 0;
    fvi_text_add(&t, "{");
    for (const fvi_json *v = classes->child; v; v = v->next) {
        fvi_text_add(&t, "%s%d: '", index ? ", " : "", index);
        index++;
        for (const char *s = v->kind == FVI_JSON_STRING ? v->string : ""; *s; s++) {
            const unsigned char c = (unsigned char)*s;
            if (c == '\\' || c == '\'') fvi_text_add(&t, "\\%c", c);
            else if (c < 0x20 || c == 0x7f) fvi_text_add(&t, "\\x%02x", c);
            else fvi_text_raw(&t, s, 1);
        }
        fvi_text_add(&t, "'");
    }
    fvi_text_add(&t, "}");
    return fvi_text_take(&t);
}

static fv_status describe_classes(own_export *o)
{
    const char *names;
    fvi_json *root;
    if (!fvi_stored_classes(&o->stored, &names)) return FV_OK;
    FVI_TRY(o->ctx, fvi_json_parse(o->ctx, &o->arena, o->stored.path, names, strlen(names), false, &root));
    FVI_TRY(o->ctx, add(o, "classes", names));
    return add_taken(o, "names", python_names(root));
}

/* A key of the configuration as plain text, `fallback` where there is no such key. */
static fv_status add_key(own_export *o, const char *name, const char *key, const char *fallback)
{
    char *text = fv_config_value(o->config, key);
    const size_t n = text ? strlen(text) : 0;
    if (!text) return add(o, name, fallback);
    if (n < 2 || *text != '"') return add_taken(o, name, text);
    char *plain = fvi_format("%.*s", (int)(n - 2), text + 1);
    fvi_free(text);
    return add_taken(o, name, plain);
}

static fv_status describe_pictures(own_export *o)
{
    const fvi_values *v = &o->config->v;
    FVI_TRY(o->ctx, add_taken(o, "imgsz", fvi_format("[%lld, %lld]", (long long)o->e.input[1], (long long)o->e.input[2])));
    FVI_TRY(o->ctx, add(o, "channels", o->e.input[0] == 3 ? "RGB" : NULL));
    FVI_TRY(o->ctx, add(o, "layout", "NCHW"));
    FVI_TRY(o->ctx, add(o, "range", "[0, 1]"));          /* of the pixels before mean and std */
    FVI_TRY(o->ctx, add_taken(o, "mean", three(v->mean)));
    FVI_TRY(o->ctx, add_taken(o, "std", three(v->std)));
    FVI_TRY(o->ctx, add_key(o, "alpha", "data.alpha", "drop"));
    FVI_TRY(o->ctx, add_key(o, "exif_orientation", "data.exif_orientation", "true"));
    FVI_TRY(o->ctx, add_key(o, "jpeg_scale", "data.jpeg_scale", "false"));
    FVI_TRY(o->ctx, add_key(o, "resize", "augment.resize", "none"));
    FVI_TRY(o->ctx, add_key(o, "interpolation", "augment.interpolation", "bilinear"));
    return add_key(o, "crop_pct", "augment.crop_pct", "1");
}

/* What the task adds. */
static fv_status describe_more(own_export *o)
{
    fv_metadata m = {.ctx = o->ctx};
    fv_status status = o->task->def->metadata ? o->task->def->metadata(o->task, &m) : FV_OK;
    for (int i = 0; i < m.pairs.count && status == FV_OK; i++) {
        const char *key = fvi_arena_strdup(&o->arena, m.pairs.items[i].key);
        status = key ? add(o, key, m.pairs.items[i].value) : fvi_nomem(o->ctx);
    }
    fvi_free(m.pairs.items);
    fvi_arena_free(&m.arena);
    return status;
}

static fv_status describe(own_export *o)
{
    FVI_TRY(o->ctx, add(o, "task", o->task->def->name));
    FVI_TRY(o->ctx, describe_classes(o));
    FVI_TRY(o->ctx, describe_pictures(o));
    FVI_TRY(o->ctx, add(o, "output", o->task->def->output_kind));        /* logits: before softmax */
    FVI_TRY(o->ctx, add(o, "fovea.version", FOVEA_VERSION));
    FVI_TRY(o->ctx, add(o, "fovea.model", o->config->v.model));
    FVI_TRY(o->ctx, add_taken(o, "fovea.model_args", fvi_config_model_args(o->config)));
    FVI_TRY(o->ctx, describe_more(o));
    if (!o->e.trained) return add(o, "fovea.trained", "false");
    FVI_TRY(o->ctx, add_taken(o, "fovea.step", fvi_format("%lld", (long long)o->stored.step)));
    FVI_TRY(o->ctx, add(o, "fovea.ema", o->stored.ema ? "true" : "false"));
    return add(o, "fovea.weights", fvi_st_metadata(&o->stored.weights, FVI_ST_HASH_KEY));
}

/* ---- which model, which file ---- */

static fv_status open_stored(own_export *o, const fv_export_options *options)
{
    FVI_TRY(o->ctx, fvi_stored_open(o->ctx, options->task, options->model, options->n_settings, options->settings, &o->stored));
    o->config = o->stored.config;
    o->e.trained = true;
    o->e.model = o->stored.path;
    o->e.classes = fvi_stored_classes(&o->stored, NULL);
    if (options->classes && options->classes != o->e.classes)
        return fvi_fail(o->ctx, FV_ERROR_CONFIG, "classes=%lld: %s has %lld", (long long)options->classes, o->stored.path, (long long)o->e.classes);
    const int64_t input[3] = {3, o->config->v.image_size[0], o->config->v.image_size[1]};
    memcpy(o->e.input, input, sizeof input);
    return FV_OK;
}

static fv_status open_name(own_export *o, const fv_export_options *options)
{
    FVI_TRY(o->ctx, fvi_config_of_name(o->ctx, options->model, options->n_settings, options->settings, &o->config));
    o->e.model = o->config->v.model;
    o->e.classes = options->classes ? options->classes : 1000;
    const bool given = fvi_config_given(o->config, "image_size");
    const int64_t input[3] = {3, given ? o->config->v.image_size[0] : 224, given ? o->config->v.image_size[1] : 224};
    memcpy(o->e.input, input, sizeof input);
    return FV_OK;
}

/* RUN/best.onnx; weights.onnx for weights.safetensors; NAME.onnx. */
static fv_status choose_path(own_export *o, const char *given)
{
    const char *base = o->e.trained ? fvi_path_base(o->stored.path) : o->e.model, *dot = strrchr(base, '.');
    const int stem = dot ? (int)(dot - base) : (int)strlen(base);
    char *dir = o->stored.run ? fvi_strdup(o->stored.run) : o->e.trained ? fvi_path_dir(o->stored.path) : fvi_strdup("."), *joined = NULL;
    char *name = fvi_format("%.*s.onnx", stem, base);
    if (dir && name) joined = fvi_path_join(dir, name);
    o->e.path = given ? given : joined;
    if (o->e.path) o->e.path = fvi_arena_strdup(&o->arena, !o->e.trained && !given ? name : o->e.path);
    fvi_free(joined);
    fvi_free(name);
    fvi_free(dir);
    return o->e.path ? FV_OK : fvi_nomem(o->ctx);
}

/* ---- the graph ---- */

/* The task's prediction function with its first field under the name that other programs know. */
static fv_status write_file(own_export *o, const fv_export_options *options)
{
    const fv_exported *e = &o->e;
    const fv_task_def *d = o->task->def;
    fv_onnx_options onnx = {options->opset, options->keep_batch_norm, o->config->v.model, o->metadata, o->n_metadata};
    fvi_task_part *p;
    fv_tensor in[2 * FV_FIELDS_MAX];
    fv_graph *g = NULL;
    fv_session *s;
    FVI_TRY(o->ctx, fvi_task_open(o->task, &(fv_session_options){.seed = (uint64_t)o->config->v.seed}));
    FVI_TRY(o->ctx, fvi_task_part_of(o->task, fvi_task_function(o->task, d->predict), true, &p));
    const int n = fvi_task_inputs(p, NULL, 1, in);
    FVI_TRY(o->ctx, fvi_function_graph(p->function, in, n, &s, &g));           /* makes the variables */
    fv_status status = fvi_graph_name_input(g, 0, d->input ? d->input : "input");
    if (status == FV_OK && e->trained) status = fvi_weights_load(o->ctx, o->task->session, &o->stored.weights, d);
    if (status == FV_OK) status = fvi_graph_export_onnx(s, g, e->path, &onnx, &o->e.onnx);
    fvi_graph_destroy(g);
    return status;
}

static fv_status create_task(own_export *o)
{
    const char *const *names = NULL;
    int64_t n = 0;
    if (!o->own_model) FVI_TRY(o->ctx, fvi_stored_model(o->ctx, o->config, o->e.classes, &o->model));
    if (o->e.trained) FVI_TRY(o->ctx, fvi_stored_class_names(o->ctx, &o->stored.weights, &o->arena, &names, &n));
    fvi_task_options options = fvi_task_of(o->config, o->own_model ? o->own_model : o->model, o->e.classes, names);
    options.setup.channels = o->e.input[0];
    options.setup.height = o->e.input[1];
    options.setup.width = o->e.input[2];
    FVI_TRY(o->ctx, fvi_task_create(o->ctx, &options, &o->task));
    if (!o->task->def->predict) return fvi_fail(o->ctx, FV_ERROR_UNSUPPORTED, "task %s has no function to export", o->task->def->name);
    return FV_OK;
}

static fv_status export_model(own_export *o, const fv_export_options *options)
{
    o->own_model = options->own_model;
    FVI_TRY(o->ctx, fvi_names_weights(options->model) ? open_stored(o, options) : open_name(o, options));
    if (options->input[0]) memcpy(o->e.input, options->input, sizeof o->e.input);
    FVI_TRY(o->ctx, choose_path(o, options->path));
    FVI_TRY(o->ctx, create_task(o));
    FVI_TRY(o->ctx, describe(o));
    return write_file(o, options);
}

fv_status fv_export(fv_context *ctx, const fv_export_options *options, fv_exported **out)
{
    *out = NULL;
    own_export *o = fvi_calloc(1, sizeof *o);
    if (!o) return fvi_nomem(ctx);
    o->ctx = ctx;
    const fv_status status = export_model(o, options);
    if (status == FV_OK) *out = &o->e;
    else fv_exported_destroy(&o->e);
    return status;
}

void fv_exported_destroy(fv_exported *e)
{
    if (!e) return;
    own_export *o = (own_export *)(void *)e;
    fvi_task_destroy(o->task);
    fv_model_destroy(o->model);
    if (o->config != o->stored.config) fv_config_destroy(o->config);
    fvi_stored_close(&o->stored);
    fvi_arena_free(&o->arena);
    fvi_free(o);
}
