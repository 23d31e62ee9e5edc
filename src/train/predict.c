/* SPDX-License-Identifier: Apache-2.0 */
/* A predictor from stored weights, or of a model by name: how pictures become numbers is what the weights were stored with. */
#include "base/file.h"
#include "predict/predictor.h"
#include "train/checkpoint.h"
#include "train/stored.h"
#include "train/trainer.h"

enum { MOST_BATCH = 32 };                /* when none is given: the batch of the training may be far larger than pays here */

typedef struct opening {
    fv_predictor *p;
    fv_context *ctx;
    const fv_predictor_options *o;
    fvi_stored stored;                   /* of a run or file */
    fv_config *config;                   /* that of `stored`, or of a name */
} opening;

static fv_status name_classes(opening *n)
{
    fv_predictor *p = n->p;
    fv_predictor_info *info = &p->info;
    if (info->trained) FVI_TRY(n->ctx, fvi_stored_class_names(n->ctx, &n->stored, &p->arena, &info->class_names, &info->classes));
    if (info->class_names) return FV_OK;
    if (info->trained) return fvi_fail(n->ctx, FV_ERROR_FORMAT, "%s holds no class names", n->stored.path);
    info->classes = n->o->classes > 0 ? n->o->classes : 1000;
    const char **names = fvi_arena_alloc(&p->arena, (size_t)info->classes * sizeof *names);
    for (int64_t c = 0; names && c < info->classes; c++)
        if (!(names[c] = fvi_arena_format(&p->arena, "%lld", (long long)c))) names = NULL;
    info->class_names = names;
    return names ? FV_OK : fvi_nomem(n->ctx);
}

static bool sets_batch(const fv_predictor_options *o)
{
    for (int i = 0; i < o->n_settings; i++)
        if (!strncmp(o->settings[i], "batch_size=", 11) || !strncmp(o->settings[i], "batch=", 6)) return true;
    return false;
}

/* The loader's options of an evaluation, as far as they concern prediction. */
static void take_options(opening *n)
{
    fv_predictor *p = n->p;
    const fvi_values *v = &n->config->v;
    const fvi_loader_options l = fvi_loader_for(n->config, NULL, false);
    p->augment = l.augment;
    if (!p->info.trained && p->augment.resize == FVI_RESIZE_NONE) p->augment.resize = FVI_RESIZE_CROP;
    p->workers = l.workers;
    p->skip_bad = l.skip_bad;
    p->info.size = v->image_size;
    p->info.batch_size = sets_batch(n->o) ? v->batch_size : FVI_MIN(l.batch_size, v->image_size <= 64 ? 100 : MOST_BATCH);
    if (v->threads > 0) fv_context_set_threads(n->ctx, (int)v->threads);
}

static fv_status open_weights(opening *n)
{
    FVI_TRY(n->ctx, fvi_stored_open(n->ctx, n->o->model, n->o->n_settings, n->o->settings, &n->stored));
    n->config = n->stored.config;
    n->p->info.trained = true;
    n->p->info.ema = n->stored.ema;
    n->p->info.step = n->stored.step;
    n->p->info.model = fvi_arena_strdup(&n->p->arena, n->stored.path);
    return FV_OK;
}

static fv_status open_name(opening *n)
{
    FVI_TRY(n->ctx, fvi_config_of_name(n->ctx, n->o->model, n->o->n_settings, n->o->settings, &n->config));
    if (!fvi_config_given(n->config, "image_size")) n->config->v.image_size = 224;
    n->p->info.step = 0;
    n->p->info.model = fvi_arena_strdup(&n->p->arena, n->o->model);
    return FV_OK;
}

static fv_status choose_model(opening *n)
{
    fv_predictor *p = n->p;
    p->info.architecture = fvi_arena_strdup(&p->arena, n->o->own_model ? fv_model_name(n->o->own_model) : n->config->v.model);
    if (!p->info.model || !p->info.architecture) return fvi_nomem(n->ctx);
    p->model = n->o->own_model;
    if (p->model) return FV_OK;
    char *args = fvi_config_model_args(n->config);
    if (!args) return fvi_nomem(n->ctx);
    const fv_status status = fv_model_create(n->ctx, n->config->v.model, &(fv_model_options){p->info.classes, args}, &p->own_model);
    fvi_free(args);
    p->model = p->own_model;
    return status;
}

static fv_status open_predictor(opening *n)
{
    if (!n->o->model) return fvi_fail(n->ctx, FV_ERROR_INVALID, "no model is named: a run folder, a .safetensors file or a model's name");
    FVI_TRY(n->ctx, fvi_names_weights(n->o->model) ? open_weights(n) : open_name(n));
    take_options(n);
    FVI_TRY(n->ctx, name_classes(n));
    FVI_TRY(n->ctx, choose_model(n));
    FVI_TRY(n->ctx, fvi_predictor_build(n->p, &(fv_session_options){.amp = n->config->v.enable_amp, .seed = (uint64_t)n->config->v.seed}));
    return n->p->info.trained ? fvi_weights_load(n->ctx, n->p->session, &n->stored.weights) : FV_OK;
}

fv_status fv_predictor_create(fv_context *ctx, const fv_predictor_options *o, fv_predictor **out)
{
    opening n = {.ctx = ctx, .o = o};
    *out = NULL;
    if (!(n.p = fvi_calloc(1, sizeof *n.p))) return fvi_nomem(ctx);
    n.p->ctx = ctx;
    const fv_status status = open_predictor(&n);
    if (n.config != n.stored.config) fv_config_destroy(n.config);
    fvi_stored_close(&n.stored);
    if (status == FV_OK) *out = n.p;
    else fv_predictor_destroy(n.p);
    return status;
}
