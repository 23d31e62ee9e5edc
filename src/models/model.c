/* SPDX-License-Identifier: Apache-2.0 */
/* Models by name, their arguments, and building them into graphs. */
#include "models/model.h"
#include "base/json.h"
#include "ir/graph.h"

#include <stdio.h>

struct fv_model {
    fv_context *ctx;
    char *name;
    fv_model_fn *build;                  /* of the user's own */
    void *user;
    const fvi_model_def *def;
    int64_t classes;
    void *args;
};

/* The build lists every file of this folder, this one included. */
extern const fvi_model_list fvi_models_model;
const fvi_model_list fvi_models_model = {0, NULL};

#define FVI_MODEL_FILE(file) extern const fvi_model_list fvi_models_##file;
#include "model_list.inc"
#undef FVI_MODEL_FILE
#define FVI_MODEL_FILE(file) &fvi_models_##file,
static const fvi_model_list *const families[] = {
#include "model_list.inc"
};
#undef FVI_MODEL_FILE

static const fvi_model_def *model_at(int index)
{
    for (int f = 0; f < FVI_COUNT(families); f++) {
        if (index < families[f]->count) return &families[f]->models[index];
        index -= families[f]->count;
    }
    return NULL;
}

const fvi_model_def *fvi_model_find(const char *name)
{
    const fvi_model_def *def;
    for (int i = 0; (def = model_at(i)); i++)
        if (!strcmp(def->name, name)) return def;
    return NULL;
}

const fvi_model_def *fvi_model_definition(const fv_model *m)
{
    return m->def;
}

const char *fv_model_known(int index, const char **about)
{
    const fvi_model_def *def = index < 0 ? NULL : model_at(index);
    if (about) *about = def ? def->about : NULL;
    return def ? def->name : NULL;
}

const char *fv_model_argument(const char *model, int index, const char **help, const char **fallback)
{
    const fvi_model_def *def = model ? fvi_model_find(model) : NULL;
    const fvi_attr_def *a = def ? def->args : NULL;
    for (int i = 0; a && a->name && i < index; i++) a++;
    if (!a || !a->name || index < 0) return NULL;
    if (help) *help = a->help;
    if (fallback)
        *fallback = a->kind == FVI_ATTR_ENUM ? a->names[(int)a->fallback]
                    : a->kind == FVI_ATTR_BOOL ? (a->fallback != 0 ? "true" : "false") : a->fallback_text;
    return a->name;
}

fv_model *fv_model_define(fv_context *ctx, const char *name, fv_model_fn *build, void *user)
{
    fv_model *m = fvi_calloc(1, sizeof *m);
    if (!m) return NULL;
    m->ctx = ctx;
    m->build = build;
    m->user = user;
    m->name = fvi_strdup(name ? name : "model");
    if (!m->name) {
        fv_model_destroy(m);
        return NULL;
    }
    return m;
}

static fv_status unknown_model(fv_context *ctx, const char *name)
{
    const char *names[64] = {NULL};
    for (int i = 0; i < 63 && (names[i] = fv_model_known(i, NULL)); i++) {}
    const char *near = fvi_nearest(name, names);
    if (near) return fvi_fail(ctx, FV_ERROR_CONFIG, "unknown model \"%s\"; did you mean \"%s\"?", name, near);
    return fvi_fail(ctx, FV_ERROR_CONFIG, "unknown model \"%s\"; `fovea help summary` lists the models", name);
}

/* One member of the JSON object of arguments. */
static fv_status set_argument(fv_context *ctx, const fv_model *m, const fvi_json *v)
{
    char what[160], number[32];
    snprintf(what, sizeof what, "argument %s of model %s", v->key, m->name);
    const fvi_attr_def *d = m->def->args ? fvi_attr_find(m->def->args, v->key) : NULL;
    if (!d) {
        const char *names[32] = {NULL};
        for (int i = 0; i < 31 && (names[i] = fv_model_argument(m->name, i, NULL, NULL)); i++) {}
        const char *near = fvi_nearest(v->key, names);
        return fvi_fail(ctx, FV_ERROR_CONFIG, "unknown %s%s%s%s", what, near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
    }
    const char *text = NULL;
    bool is_text = d->kind == FVI_ATTR_ENUM || d->kind == FVI_ATTR_STRING;
    if (v->kind == FVI_JSON_NULL) {
        text = "null";
    } else if (v->kind == FVI_JSON_STRING && is_text) {
        text = v->string;
    } else if (v->kind == FVI_JSON_BOOL && d->kind == FVI_ATTR_BOOL) {
        text = v->number != 0 ? "true" : "false";
    } else if (v->kind == FVI_JSON_NUMBER && (d->kind == FVI_ATTR_INT || d->kind == FVI_ATTR_FLOAT)) {
        fvi_print_double(number, v->number);
        text = number;
    }
    if (!text) return fvi_fail(ctx, FV_ERROR_CONFIG, "%s has a value of the wrong type", what);
    FVI_TRY(ctx, fvi_attr_parse(ctx, d, m->args, text, what));
    return FV_OK;
}

fv_status fv_model_create(fv_context *ctx, const char *name, const fv_model_options *o, fv_model **out)
{
    fv_status status = FV_OK;
    fvi_arena arena = {0};
    const fvi_model_def *def = fvi_model_find(name);
    *out = NULL;
    if (!def) return unknown_model(ctx, name);
    fv_model *m = fv_model_define(ctx, name, NULL, NULL);
    if (!m) return fvi_nomem(ctx);
    m->def = def;
    m->classes = o && o->classes ? o->classes : 1000;
    if (m->classes < 1) {
        status = fvi_fail(ctx, FV_ERROR_CONFIG, "model %s with %lld classes", name, (long long)m->classes);
        goto done;
    }
    if (!(m->args = fvi_calloc(1, def->args_size ? def->args_size : 1))) {
        status = fvi_nomem(ctx);
        goto done;
    }
    if (def->args) fvi_attr_defaults(def->args, m->args);
    if (o && o->args) {
        fvi_json *root;
        FVI_TRY_DONE(ctx, status, fvi_json_parse(ctx, &arena, "model_args", o->args, strlen(o->args), true, &root));
        if (root->kind != FVI_JSON_OBJECT) {
            status = fvi_fail(ctx, FV_ERROR_CONFIG, "model_args must be an object, as {\"stem\": \"cifar\"}");
            goto done;
        }
        for (const fvi_json *v = root->child; v; v = v->next) FVI_TRY_DONE(ctx, status, set_argument(ctx, m, v));
    }
    *out = m;
    m = NULL;
done:
    fv_model_destroy(m);
    fvi_arena_free(&arena);
    return status;
}

void fv_model_destroy(fv_model *m)
{
    if (!m) return;
    if (m->def && m->def->args && m->args) fvi_attr_clear(m->def->args, m->args);
    fvi_free(m->args);
    fvi_free(m->name);
    fvi_free(m);
}

const char *fv_model_name(const fv_model *m)
{
    return m->name;
}

fv_value *fv_model_build(fv_graph *g, const fv_model *m, fv_value *x)
{
    if (!x) return NULL;
    return m->def ? m->def->build(g, x, m->classes, m->args, m->def) : m->build(g, x, m->user);
}
