/* SPDX-License-Identifier: Apache-2.0 */
/* From configuration to data: what is opened, how it is loaded, which split a run keeps, which files were bad. */
#include "base/file.h"
#include "base/thread.h"
#include "data/csv.h"
#include "data/open.h"
#include "train/stored.h"
#include "train/trainer.h"

/* ---- the configuration ---------------------------------------------------------------------------------------------------- */

/* The key classes, unless those of a model go before it. */
static fv_status take_classes(fv_context *ctx, const char *text, fvi_arena *arena, fv_data_options *o)
{
    fvi_csv csv;
    fv_status status = FV_OK;
    int most = 1, n = 0;
    if (o->n_classes || !text || !*text) return FV_OK;
    for (const char *p = text; *p; p++) most += *p == ',' || *p == ';' || *p == '\t';
    const char **names = fvi_arena_alloc(arena, (size_t)most * sizeof *names);
    fvi_csv_open(&csv, "classes", text, strlen(text));
    FVI_TRY_DONE(ctx, status, names ? fvi_csv_row(ctx, &csv, names, most, &n) : fvi_nomem(ctx));
    if (csv.at < csv.end) {
        status = fvi_fail(ctx, FV_ERROR_CONFIG, "classes: one line with all names; a name with a line end in it stands in quotes");
        goto done;
    }
    if (n == 1) {
        status = fvi_fail(ctx, FV_ERROR_CONFIG, "classes: \"%s\" is one name, and no file with more; as in classes=cat,dog", names[0]);
        goto done;
    }
    for (int i = 0; i < n; i++)
        if (!(names[i] = fvi_arena_strdup(arena, names[i]))) {
            status = fvi_nomem(ctx);
            goto done;
        }
    o->classes = names;
    o->n_classes = n;
done:
    fvi_csv_close(&csv);
    return status;
}

/* `arena`: of what the options borrow. */
static fv_status options_of(fv_context *ctx, const fv_config *c, const fv_data_options *wish, fvi_arena *arena, fv_data_options *o)
{
    const fvi_values *v = &c->v;
    *o = *wish;
    o->root = v->data_root;
    o->format = fvi_config_format(c) ? fvi_config_format(c)->name : NULL;
    for (int i = 0; i < FV_SPLITS; i++) o->sets[i] = v->data_sets[i];
    o->images = v->data_images;
    o->val = v->split_val;
    o->test = v->split_test;
    o->folds = (int)v->folds;
    o->fold = (int)v->fold;
    o->seed = (uint64_t)v->split_seed;
    o->random_split = v->split_by == 1;
    o->split_duplicates = !v->keep_duplicates;
    o->coarse = v->data_labels == 1;
    o->allow_empty = o->allow_empty || v->allow_empty;
    o->allow_outside = v->allow_outside;
    return take_classes(ctx, v->classes, arena, o);
}

fv_status fvi_open_data(fv_context *ctx, const fv_config *c, const fv_data_options *wish, fv_data **out)
{
    fvi_arena arena = {0};
    fv_data_options o;
    *out = NULL;
    fv_status status = options_of(ctx, c, wish, &arena, &o);
    if (status == FV_OK) status = fv_data_open(ctx, &o, out);
    fvi_arena_free(&arena);
    return status;
}

fv_status fv_data_check_settings(fv_context *ctx, int n_settings, const char *const *settings, fv_data_report **out)
{
    fv_config *c = NULL;
    fvi_arena arena = {0};
    fv_data_options o;
    *out = NULL;
    FVI_TRY(ctx, fvi_config_create(ctx, NULL, NULL, n_settings, settings, &c));
    fv_status status = options_of(ctx, c, &(fv_data_options){.allow_empty = true}, &arena, &o);
    if (status == FV_OK) status = fv_data_check(ctx, &o, c->v.threads > 0 ? (int)c->v.threads : fvi_cpu_count(), out);
    fvi_arena_free(&arena);
    fv_config_destroy(c);
    return status;
}

static fv_status load_batches(fvi_loader *l, const fvi_loader_options *o, fv_loaded_fn *fn, void *user, fv_context *ctx)
{
    const fv_batch *b;
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
    fv_task *task = NULL;
    fv_status status;
    FVI_TRY(ctx, fvi_config_create(ctx, NULL, NULL, n_settings, settings, &c));
    FVI_TRY_DONE(ctx, status, fvi_open_data(ctx, c, &(fv_data_options){0}, &d));
    const fv_source *s = fv_data_source(d, FV_SPLIT_TRAIN);
    if (!s) {
        status = fvi_fail(ctx, FV_ERROR_FORMAT, "%s: no pictures to train on", c->v.data_root);
        goto done;
    }
    const fvi_task_options options = fvi_task_of(c, NULL, s->classes, s->class_names);
    FVI_TRY_DONE(ctx, status, fvi_task_create(ctx, &options, &task));
    fvi_loader_options o = fvi_loader_for(c, task, s, true);
    if (c->v.drop_last) o.min_last = o.batch_size;
    FVI_TRY_DONE(ctx, status, fvi_loader_create(ctx, &o, &l));
    FVI_TRY_DONE(ctx, status, load_batches(l, &o, fn, user, ctx));
done:
    fvi_loader_destroy(l);
    fvi_task_destroy(task);
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
    fvi_augment a = {.height = (int)v->image_size[0], .width = (int)v->image_size[1], .decode = {.alpha = (fvi_alpha)v->alpha, .keep_orientation = !v->exif_orientation},
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

fvi_loader_options fvi_loader_for(const fv_config *c, const fv_task *t, const fv_source *s, bool random)
{
    const fvi_values *v = &c->v;
    fvi_loader_options o = {.source = s, .fields = t->fields, .n_fields = t->n_fields, .collate = fvi_task_collate, .user = t, .shuffle = random, .random = random, .seed = (uint64_t)v->seed, .batch_size = v->batch_size,
                            .min_last = 1, .workers = fvi_loader_threads(c), .skip_bad = v->on_bad_file == 1, .cache_bytes = (size_t)(v->cache_mb * 1e6),
                            .whole_pictures = random && fvi_augment_moves(&t->augment)};
    if (random) return o;
    if (FVI_MAX(v->image_size[0], v->image_size[1]) <= 64) o.batch_size = FVI_MAX(v->batch_size, 100);     /* small pictures: larger batches are faster */
    o.workers = FVI_MIN(o.workers, 1);
    return o;
}

/* ---- the trainer ---------------------------------------------------------------------------------------------------------- */

char *fvi_split_path(const char *run)
{
    return fvi_path_join(run, "split.csv");
}

static bool any_changed(const fv_trainer *t, const char *const *keys, int n)
{
    bool yes = false;
    for (int i = 0; i < n; i++) yes = yes || fvi_run_changed(&t->run, t->config, keys[i]);
    return yes;
}

/* Do the files of the stored split stand where the configuration looks for them now, as they were (the folder was moved)? A list would have
 * labels of its own. */
static fv_status find_moved(fv_trainer *t, const fv_data_options *wish)
{
    fvi_identity was, is;
    const char *stored = fvi_st_metadata(&t->checkpoint.state, "fovea.data");
    if (!t->resumed || !fvi_identity_parse(stored, &was)) return FV_OK;
    fv_status status = fvi_open_data(t->ctx, t->config, wish, &t->own_data);
    if (status == FV_ERROR_NOMEM) return status;
    if (status != FV_OK) fvi_error_clear(t->ctx);
    if (status == FV_OK && t->own_data->listed) fvi_identity_of_list(&t->own_data->list, true, &is);
    t->stored_split = status == FV_OK && t->own_data->listed && is.names == was.names && is.content == was.content;
    if (t->stored_split) return FV_OK;
    fv_data_destroy(t->own_data);
    t->own_data = NULL;
    return FV_OK;
}

/* A run that goes on keeps its split, whatever the folder holds by now; with other data, or divided otherwise, it gets a new one. The numbers of
 * its classes stay in any case, by name. */
static fv_status open_divided(fv_trainer *t, const char *split, fvi_arena *arena)
{
    static const char *const divided[] = {"data.split"};
    static const char *const placed[] = {"data.root", "data.format", "data.train", "data.val", "data.test", "data.images"};
    fv_data_options wish = {.split_file = split};
    if (t->resumed) FVI_TRY(t->ctx, fvi_stored_class_names(t->ctx, &t->checkpoint.state, arena, &wish.classes, &wish.n_classes));
    const bool stored = t->run.exists && fvi_file_exists(split) && !any_changed(t, divided, FVI_COUNT(divided));
    const bool moved = any_changed(t, placed, FVI_COUNT(placed));
    t->stored_split = stored && !moved;
    if (stored && moved && fvi_config_format(t->config) && !strcmp(fvi_config_format(t->config)->name, "folder")) FVI_TRY(t->ctx, find_moved(t, &wish));
    if (!t->stored_split) wish.split_file = NULL;
    return t->own_data ? FV_OK : fvi_open_data(t->ctx, t->config, &wish, &t->own_data);
}

fv_status fvi_trainer_open_data(fv_trainer *t)
{
    char *split = fvi_split_path(t->run.path);
    fvi_arena arena = {0};
    fv_status status = split ? open_divided(t, split, &arena) : fvi_nomem(t->ctx);
    fvi_arena_free(&arena);
    fvi_free(split);
    FVI_TRY(t->ctx, status);
    t->train = t->own_data->sets[FV_SPLIT_TRAIN];
    t->val = t->own_data->sets[FV_SPLIT_VAL];
    if (!t->train) return fvi_fail(t->ctx, FV_ERROR_FORMAT, "%s: no pictures to train on", t->config->v.data_root);
    if (!t->val) fvi_log(t->ctx, FV_LOG_WARN, "no validation data: nothing is validated, the last weights are the best");
    return FV_OK;
}

/* A run that goes on as it was takes the identity of its data over: files are not looked at again. */
fv_status fvi_trainer_identify(fv_trainer *t)
{
    const char *stored = t->resumed && t->stored_split && !t->segment ? fvi_st_metadata(&t->checkpoint.state, "fovea.data") : NULL;
    if (!fvi_identity_parse(stored, &t->identity)) FVI_TRY(t->ctx, fvi_identity_of(t->ctx, t->own_data, t->val, &t->identity));
    fvi_identity_text(&t->identity, t->data_text);
    return FV_OK;
}

/* Folders of a run below class folders would be a class themselves, the next time that the data are read. */
static bool is_class(const fvi_list *l, const char *path)
{
    const size_t root = strlen(l->root);
    if (!path || strncmp(path, l->root, root) || path[root] != '/') return false;
    const char *below = path + root + 1, *first = l->items[0].path;
    if (strcspn(first, "/") == strlen(l->classes[l->items[0].label]) && !strncmp(first, l->classes[l->items[0].label], strcspn(first, "/"))) return true;
    const size_t part = strcspn(below, "/") + 1;         /* sets with classes in them: is it in one of these? */
    bool in_set = false;
    for (int i = 0; i < l->count && !in_set; i++) in_set = !strncmp(l->items[i].path, below, part);
    return in_set;
}

fv_status fvi_trainer_check_places(const fv_trainer *t)
{
    const struct { const char *key, *path; } rows[] = {{"run", t->run.path}, {"checkpoint_dir", t->run.checkpoints}, {"tensorboard_dir", t->config->v.tensorboard_dir}};
    if (!t->own_data || t->run.exists || strcmp(t->own_data->format, "folder")) return FV_OK;
    for (int i = 0; i < FVI_COUNT(rows); i++)
        if (is_class(&t->own_data->list, rows[i].path))
            return fvi_fail(t->ctx, FV_ERROR_CONFIG, "%s is among the class folders of %s and would be one of them; set %s= to a folder outside", rows[i].path,
                            t->own_data->list.root, rows[i].key);
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
