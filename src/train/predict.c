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
    if (info->trained) FVI_TRY(n->ctx, fvi_stored_class_names(n->ctx, &n->stored.weights, &p->arena, &info->class_names, &info->classes));
    if (info->class_names && n->o->classes > 0 && n->o->classes != info->classes)
        return fvi_fail(n->ctx, FV_ERROR_CONFIG, "classes=%lld: %s has %lld", (long long)n->o->classes, n->stored.path,
                        (long long)info->classes);
    if (info->class_names) return FV_OK;
    if (info->trained) return FV_OK;                     /* its task knows no classes */
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
static fv_status take_options(opening *n)
{
    fv_predictor *p = n->p;
    const fvi_values *v = &n->config->v;
    fvi_task_options options = fvi_task_of(n->config, n->o->own_model ? n->o->own_model : p->own_model, p->info.classes, p->info.class_names);
    if (!p->info.trained && options.augment.resize == FVI_RESIZE_NONE) options.augment.resize = FVI_RESIZE_CROP;
    FVI_TRY(n->ctx, fvi_task_create(n->ctx, &options, &p->task));
    if (!p->task->def->predict) return fvi_fail(n->ctx, FV_ERROR_UNSUPPORTED, "task %s predicts nothing", p->task->def->name);
    const int64_t side = FVI_MAX(v->image_size[0], v->image_size[1]);
    p->loading = fvi_loader_for(n->config, p->task, NULL, false);
    p->workers = p->loading.workers;
    p->info.task = p->task->def;
    p->info.height = v->image_size[0];
    p->info.width = v->image_size[1];
    p->info.batch_size = sets_batch(n->o) ? v->batch_size : FVI_MIN(p->loading.batch_size, side <= 64 ? 100 : MOST_BATCH);
    p->loading.batch_size = p->info.batch_size;
    p->loading.min_last = 1;
    p->loading.once = true;
    p->loading.cache_bytes = 0;
    p->space.ctx = n->ctx;
    p->space.o = &p->loading;
    return FV_OK;
}

static fv_status open_weights(opening *n)
{
    FVI_TRY(n->ctx, fvi_stored_open(n->ctx, n->o->task, n->o->model, n->o->n_settings, n->o->settings, &n->stored));
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
    if (!fvi_config_given(n->config, "image_size")) n->config->v.image_size[0] = n->config->v.image_size[1] = 224;
    n->p->info.step = 0;
    n->p->info.model = fvi_arena_strdup(&n->p->arena, n->o->model);
    return FV_OK;
}

static fv_status choose_model(opening *n)
{
    fv_predictor *p = n->p;
    p->info.architecture = fvi_arena_strdup(&p->arena, n->o->own_model ? fv_model_name(n->o->own_model) : n->config->v.model);
    if (!p->info.model || !p->info.architecture) return fvi_nomem(n->ctx);
    return n->o->own_model ? FV_OK : fvi_stored_model(n->ctx, n->config, p->info.classes, &p->own_model);
}

static fv_status open_predictor(opening *n)
{
    if (!n->o->model) return fvi_fail(n->ctx, FV_ERROR_INVALID, "no model is named: a run folder, a .safetensors file or a model's name");
    FVI_TRY(n->ctx, fvi_names_weights(n->o->model) ? open_weights(n) : open_name(n));
    FVI_TRY(n->ctx, name_classes(n));
    FVI_TRY(n->ctx, choose_model(n));
    if (n->config->v.threads > 0) fv_context_set_threads(n->ctx, (int)n->config->v.threads);
    FVI_TRY(n->ctx, take_options(n));
    FVI_TRY(n->ctx, fvi_task_open(n->p->task, &(fv_session_options){.amp = n->config->v.enable_amp, .seed = (uint64_t)n->config->v.seed}));
    FVI_TRY(n->ctx, fvi_task_build(n->p->task, fvi_task_function(n->p->task, n->p->task->def->predict)));
    return n->p->info.trained ? fvi_weights_load(n->ctx, n->p->task->session, &n->stored.weights, n->p->task->def) : FV_OK;
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
