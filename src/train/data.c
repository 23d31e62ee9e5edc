/* SPDX-License-Identifier: Apache-2.0 */
/* From configuration to data: what is opened, how it is loaded, which split a run keeps, which files were bad. */
#include "base/file.h"
#include "base/thread.h"
#include "data/csv.h"
#include "data/open.h"
#include "train/trainer.h"

/* ---- the configuration ---------------------------------------------------------------------------------------------------- */

static fv_data_options options_of(const fv_config *c, const fv_data_options *wish)
{
    const fvi_values *v = &c->v;
    fv_data_options o = *wish;
    o.root = v->data_root;
    o.format = fvi_data_formats[v->data_format];
    for (int i = 0; i < FV_SPLITS; i++) o.sets[i] = v->data_sets[i];
    o.images = v->data_images;
    o.val = v->split_val;
    o.test = v->split_test;
    o.folds = (int)v->folds;
    o.fold = (int)v->fold;
    o.seed = (uint64_t)v->split_seed;
    o.random_split = v->split_by == 1;
    o.split_duplicates = !v->keep_duplicates;
    o.coarse = v->data_labels == 1;
    o.allow_empty = o.allow_empty || v->allow_empty;
    o.allow_outside = v->allow_outside;
    return o;
}

fv_status fvi_open_data(fv_context *ctx, const fv_config *c, const fv_data_options *wish, fv_data **out)
{
    fv_data_options o = options_of(c, wish);
    return fv_data_open(ctx, &o, out);
}

fv_status fv_data_check_settings(fv_context *ctx, int n_settings, const char *const *settings, fv_data_report **out)
{
    fv_config *c = NULL;
    *out = NULL;
    FVI_TRY(ctx, fvi_config_create(ctx, NULL, n_settings, settings, &c));
    fv_data_options o = options_of(c, &(fv_data_options){.allow_empty = true});
    fv_status status = fv_data_check(ctx, &o, c->v.threads > 0 ? (int)c->v.threads : fvi_cpu_count(), out);
    fv_config_destroy(c);
    return status;
}

static fv_status load_batches(fvi_loader *l, const fvi_loader_options *o, fv_loaded_fn *fn, void *user, fv_context *ctx)
{
    const fvi_batch *b;
    const fvi_bad_sample *bad;
    fv_loaded now = {0};
    do {
        FVI_TRY(ctx, fvi_loader_next(l, &b));
        now.pictures = b->n;
        now.batches++;
        now.bad_files = fvi_loader_bad(l, &bad);
        now.epoch = (double)now.batches / (double)fvi_loader_batches(o);
    } while (fn(user, &now));
    return FV_OK;
}

fv_status fv_data_load_settings(fv_context *ctx, int n_settings, const char *const *settings, fv_loaded_fn *fn, void *user)
{
    fv_config *c = NULL;
    fv_data *d = NULL;
    fvi_loader *l = NULL;
    fv_status status;
    FVI_TRY(ctx, fvi_config_create(ctx, NULL, n_settings, settings, &c));
    FVI_TRY_DONE(ctx, status, fvi_open_data(ctx, c, &(fv_data_options){0}, &d));
    const fv_source *s = fv_data_source(d, FV_SPLIT_TRAIN);
    if (!s) {
        status = fvi_fail(ctx, FV_ERROR_FORMAT, "%s: no pictures to train on", c->v.data_root);
        goto done;
    }
    fvi_loader_options o = fvi_loader_for(c, s, true);
    if (c->v.drop_last) o.min_last = o.batch_size;
    FVI_TRY_DONE(ctx, status, fvi_loader_create(ctx, &o, &l));
    FVI_TRY_DONE(ctx, status, load_batches(l, &o, fn, user, ctx));
done:
    fvi_loader_destroy(l);
    fv_data_destroy(d);
    fv_config_destroy(c);
    return status;
}

int fvi_loader_threads(const fv_config *c)
{
    return c->v.workers < 0 ? 1 : (int)c->v.workers;
}

fvi_augment fvi_augment_of(const fv_config *c)
{
    const fvi_values *v = &c->v;
    fvi_augment a = {.size = (int)v->image_size, .decode = {.alpha = (fvi_alpha)v->alpha, .keep_orientation = !v->exif_orientation},
                     .jpeg_scale = v->jpeg_scale, .filter = (fvi_filter)v->interpolation, .crop_pct = v->crop_pct, .random_crop = v->random_crop,
                     .random_resized_crop = v->rrc, .scale = {v->rrc_scale[0], v->rrc_scale[1]}, .ratio = {v->rrc_ratio[0], v->rrc_ratio[1]},
                     .pad_crop = (int)v->pad_crop, .horizontal_flip = v->horizontal_flip, .vertical_flip = v->vertical_flip, .color_jitter = v->jitter,
                     .brightness = v->jitter_strength[0], .contrast = v->jitter_strength[1], .saturation = v->jitter_strength[2], .hue = v->jitter_strength[3]};
    a.resize = v->resize == FVI_AUTO_RESIZE ? FVI_RESIZE_NONE : (fvi_resize_mode)(v->resize - FVI_FIRST_RESIZE);
    for (int i = 0; i < 3; i++) {
        a.mean[i] = (float)v->mean[i];
        a.std[i] = (float)v->std[i];
    }
    return a;
}

fvi_loader_options fvi_loader_for(const fv_config *c, const fv_source *s, bool random)
{
    const fvi_values *v = &c->v;
    fvi_loader_options o = {.source = s, .augment = fvi_augment_of(c), .shuffle = random, .random = random, .seed = (uint64_t)v->seed, .batch_size = v->batch_size,
                            .min_last = 1, .workers = fvi_loader_threads(c), .skip_bad = v->on_bad_file == 1, .cache_bytes = (size_t)(v->cache_mb * 1e6)};
    if (random) return o;
    if (v->image_size <= 64) o.batch_size = FVI_MAX(v->batch_size, 100);     /* small pictures: larger batches are faster */
    o.workers = FVI_MIN(o.workers, 1);
    return o;
}

/* ---- the trainer ---------------------------------------------------------------------------------------------------------- */

char *fvi_split_path(const char *run)
{
    return fvi_path_join(run, "split.csv");
}

/* Other data, or another division of them, on purpose. */
static bool wants_new_split(const fv_trainer *t)
{
    static const char *const keys[] = {"data.root", "data.format", "data.train", "data.val", "data.test", "data.images", "data.split"};
    bool yes = false;
    for (int i = 0; i < FVI_COUNT(keys); i++) yes = yes || fvi_run_changed(&t->run, t->config, keys[i]);
    return yes;
}

/* A run that goes on keeps its split, whatever the folder holds by now. */
fv_status fvi_trainer_open_data(fv_trainer *t)
{
    char *split = fvi_split_path(t->run.path);
    if (!split) return fvi_nomem(t->ctx);
    t->stored_split = t->run.exists && fvi_file_exists(split) && !wants_new_split(t);
    fv_status status = fvi_open_data(t->ctx, t->config, &(fv_data_options){.split_file = t->stored_split ? split : NULL}, &t->own_data);
    fvi_free(split);
    FVI_TRY(t->ctx, status);
    t->train = t->own_data->sets[FV_SPLIT_TRAIN];
    t->val = t->own_data->sets[FV_SPLIT_VAL];
    if (!t->train) return fvi_fail(t->ctx, FV_ERROR_FORMAT, "%s: no pictures to train on", t->config->v.data_root);
    if (!t->val) fvi_log(t->ctx, FV_LOG_WARN, "no validation data: nothing is validated, the last weights are the best");
    return FV_OK;
}

fv_status fvi_trainer_store_split(fv_trainer *t)
{
    if (!t->own_data || t->stored_split) return FV_OK;
    FVI_TRY(t->ctx, fvi_make_dirs(t->ctx, t->run.path));
    char *path = fvi_split_path(t->run.path);
    fv_status status = path ? fv_data_write_split(t->ctx, t->own_data, path) : fvi_nomem(t->ctx);
    fvi_free(path);
    return status;
}

int64_t fvi_trainer_bad(const fv_trainer *t)
{
    const fvi_bad_sample *bad;
    return (t->loader ? fvi_loader_bad(t->loader, &bad) : 0) + (t->val_loader ? fvi_loader_bad(t->val_loader, &bad) : 0);
}

static void list_loader(const fvi_loader *l, const char *set, fvi_text *text)
{
    const fvi_bad_sample *bad;
    int64_t n = l ? fvi_loader_bad(l, &bad) : 0;
    for (int64_t i = 0; i < n; i++) {
        fvi_text_add(text, "%s,", set);
        fvi_csv_add(text, bad[i].reason);
        fvi_text_add(text, "\n");
    }
}

fv_status fvi_trainer_list_bad(fv_trainer *t)
{
    int64_t n = fvi_trainer_bad(t);
    if (n == t->listed_bad) return FV_OK;
    fvi_text text = {0};
    fvi_text_add(&text, "split,reason\n");
    list_loader(t->loader, "train", &text);
    list_loader(t->val_loader, "val", &text);
    char *bytes = fvi_text_take(&text), *path = fvi_path_join(t->run.path, "bad_files.csv");
    fv_status status = bytes && path ? fvi_file_write(t->ctx, path, bytes, strlen(bytes)) : fvi_nomem(t->ctx);
    fvi_free(bytes);
    fvi_free(path);
    if (status == FV_OK) t->listed_bad = n;
    return status;
}
