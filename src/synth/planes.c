/* SPDX-License-Identifier: Apache-2.0 */
/* The whole set: threads take the next picture, draw it, write it with its annotations into a folder aside. */
#include "base/folder.h"
#include "base/thread.h"
#include "image/png_write.h"
#include "synth/annotate.h"
#include "synth/options.h"

#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

enum { NAME_BYTES = 192, MOST_THREADS = 64 };

const char *const fvi_synth_splits[3] = {"train", "val", "test"};

const char *fv_synth_class(int i)
{
    const fvi_plane_row *row = fvi_plane_row_at(i);
    return row ? row->name : NULL;
}

/* ---- which picture is which ---------------------------------------------------------------------------------------------- */

fvi_synth_item fvi_synth_item_at(const fvi_synth_set *set, int64_t index)
{
    const int64_t each = set->split[0] + set->split[1] + set->split[2];
    fvi_synth_item item = {.label = set->options.format == FV_SYNTH_FOLDER ? (int)(index / each) : -1, .number = index % each};
    while (item.split < 2 && item.number >= set->split[item.split]) item.number -= set->split[item.split++];
    return item;
}

fvi_scene_spec fvi_synth_spec(const fvi_synth_set *set, const fvi_synth_item *item)
{
    const uint64_t place = (uint64_t)(item->label + 1) * 4 + (uint64_t)item->split;
    return (fvi_scene_spec){.seed = (uint64_t)set->options.seed,
                            .stream = fvi_rng_stream(place, (uint64_t)item->number, 0x706c616e6573u),
                            .classes = (int)set->options.classes,
                            .label = item->label,
                            .most = (int)set->options.most,
                            .noise = set->options.noise,
                            .clutter = set->options.clutter};
}

/* ---- writing one --------------------------------------------------------------------------------------------------------- */

typedef struct job {
    fv_context *ctx;
    const fvi_synth_set *set;
    fvi_folder folder;
    uint64_t *hashes;            /* one a picture */
    atomic_llong next, done, planes, bytes;
    atomic_int status;           /* the first failure */
    fv_synth_progress *progress;
    void *user;
} job;

static fv_status put(job *j, const char *name, const void *data, size_t bytes)
{
    atomic_fetch_add(&j->bytes, (long long)bytes);
    return fvi_folder_put(&j->folder, name, data, bytes);
}

static fv_status put_text(job *j, const char *name, fvi_text *t)
{
    char *text = fvi_text_take(t);
    fv_status status = text ? put(j, name, text, strlen(text)) : fvi_nomem(j->ctx);
    fvi_free(text);
    return status;
}

static fv_status write_item(job *j, const fvi_scene *s, const fvi_synth_item *item, int64_t index)
{
    char name[NAME_BYTES], file[32];
    fvi_text t = {0};
    uint8_t *png;
    size_t bytes;
    const char *split = fvi_synth_splits[item->split];
    const int64_t format = j->set->options.format;
    if (format == FV_SYNTH_FOLDER) {
        snprintf(name, sizeof name, "%s/%s/%05lld.png", split, fv_synth_class(item->label), (long long)item->number + 1);
    } else {
        snprintf(file, sizeof file, "%06lld", (long long)index + 1);
        if (format == FV_SYNTH_VOC) {
            snprintf(name, sizeof name, "%s.png", file);
            fvi_annotate_voc(&t, name, s->size, s->boxes, s->n);
            snprintf(name, sizeof name, "Annotations/%s.xml", file);
        } else {
            fvi_annotate_yolo(&t, s->size, s->boxes, s->n);
            snprintf(name, sizeof name, "labels/%s/%s.txt", split, file);
        }
        if (s->n || format == FV_SYNTH_VOC) FVI_TRY(j->ctx, put_text(j, name, &t));
        else FVI_TRY(j->ctx, put(j, name, "", 0));
        if (format == FV_SYNTH_VOC) snprintf(name, sizeof name, "JPEGImages/%s.png", file);
        else snprintf(name, sizeof name, "images/%s/%s.png", split, file);
    }
    FVI_TRY(j->ctx, fvi_png_encode(j->ctx, s->rgb, s->size, s->size, 3, &png, &bytes));
    fv_status status = put(j, name, png, bytes);
    fvi_free(png);
    return status;
}

static fv_status make_item(job *j, fvi_scene *s, int64_t index)
{
    const fvi_synth_item item = fvi_synth_item_at(j->set, index);
    const fvi_scene_spec spec = fvi_synth_spec(j->set, &item);
    fvi_scene_draw(s, &spec);
    uint64_t hash = fvi_hash64(s->rgb, (size_t)s->size * (size_t)s->size * 3, (uint64_t)(item.label + 1));
    for (int i = 0; i < s->n; i++) {
        const fvi_scene_box *b = &s->boxes[i];
        const uint8_t box[10] = {(uint8_t)b->label, 0,
                                 (uint8_t)b->x0,    (uint8_t)(b->x0 >> 8),
                                 (uint8_t)b->y0,    (uint8_t)(b->y0 >> 8),
                                 (uint8_t)b->x1,    (uint8_t)(b->x1 >> 8),
                                 (uint8_t)b->y1,    (uint8_t)(b->y1 >> 8)};
        hash = fvi_hash64(box, sizeof box, hash);
    }
    j->hashes[index] = hash;
    atomic_fetch_add(&j->planes, s->n);
    return write_item(j, s, &item, index);
}

/* ---- all of them --------------------------------------------------------------------------------------------------------- */

static void work(job *j, bool reports)
{
    fvi_scene s;
    fv_status status = fvi_scene_open(j->ctx, j->set->size, &s);
    while (status == FV_OK && atomic_load(&j->status) == FV_OK) {
        const long long index = atomic_fetch_add(&j->next, 1);
        if (index >= j->set->count) break;
        status = make_item(j, &s, index);
        const long long done = atomic_fetch_add(&j->done, 1) + 1;
        if (status == FV_OK && reports && j->progress && !j->progress(j->user, done, j->set->count))
            status = fvi_fail(j->ctx, FV_ERROR_CANCELED, "interrupted");
    }
    fvi_scene_close(&s);
    int none = FV_OK;
    if (status != FV_OK) atomic_compare_exchange_strong(&j->status, &none, status);
}

static void *work_thread(void *user)
{
    fvi_unpin_self();
    work(user, false);
    return NULL;
}

static fv_status run_threads(job *j)
{
    pthread_t threads[MOST_THREADS];
    int64_t wanted = j->set->options.threads ? j->set->options.threads : fvi_cpu_count();
    int n = 0;
    wanted = FVI_MIN(FVI_MIN(wanted, MOST_THREADS), j->set->count);
    while (n < wanted - 1 && pthread_create(&threads[n], NULL, work_thread, j) == 0) n++;    /* fewer do it too */
    work(j, true);
    for (int i = 0; i < n; i++) pthread_join(threads[i], NULL);
    return (fv_status)atomic_load(&j->status);
}

static fv_status make_folders(job *j)
{
    const fvi_synth_set *set = j->set;
    char name[NAME_BYTES];
    if (set->options.format == FV_SYNTH_VOC) {
        FVI_TRY(j->ctx, fvi_folder_make(&j->folder, "JPEGImages"));
        FVI_TRY(j->ctx, fvi_folder_make(&j->folder, "Annotations"));
        return fvi_folder_make(&j->folder, "ImageSets/Main");
    }
    for (int i = 0; i < 3; i++) {
        if (!set->split[i]) continue;
        if (set->options.format == FV_SYNTH_YOLO) {
            snprintf(name, sizeof name, "images/%s", fvi_synth_splits[i]);
            FVI_TRY(j->ctx, fvi_folder_make(&j->folder, name));
            snprintf(name, sizeof name, "labels/%s", fvi_synth_splits[i]);
            FVI_TRY(j->ctx, fvi_folder_make(&j->folder, name));
            continue;
        }
        for (int k = 0; k < set->options.classes; k++) {
            snprintf(name, sizeof name, "%s/%s", fvi_synth_splits[i], fv_synth_class(k));
            FVI_TRY(j->ctx, fvi_folder_make(&j->folder, name));
        }
    }
    return FV_OK;
}

/* Class names, lists of the splits, what the set was made with. */
static fv_status write_lists(job *j, const fv_synth_result *result)
{
    const fvi_synth_set *set = j->set;
    char name[NAME_BYTES];
    fvi_text t = {0};
    if (set->options.format == FV_SYNTH_VOC) {
        int64_t number = 0;
        for (int i = 0; i < 3; i++) {
            for (int64_t k = 0; k < set->split[i]; k++) fvi_text_add(&t, "%06lld\n", (long long)++number);
            snprintf(name, sizeof name, "ImageSets/Main/%s.txt", fvi_synth_splits[i]);
            if (set->split[i]) FVI_TRY(j->ctx, put_text(j, name, &t));
        }
    }
    if (set->options.format == FV_SYNTH_YOLO) {
        fvi_annotate_yaml(&t, (int)set->options.classes, set->split[1] > 0, set->split[2] > 0);
        FVI_TRY(j->ctx, put_text(j, "data.yaml", &t));
    }
    for (int k = 0; k < set->options.classes; k++) fvi_text_add(&t, "%s\n", fv_synth_class(k));
    FVI_TRY(j->ctx, put_text(j, "classes.txt", &t));
    char *json = fvi_synth_json(set, result);
    fv_status status = json ? put(j, "synth.json", json, strlen(json)) : fvi_nomem(j->ctx);
    fvi_free(json);
    return status;
}

/* Only what this program made may be replaced: an -o that was mistyped must not cost a folder of somebody's pictures. */
static fv_status begin_folder(fv_context *ctx, const char *path, bool overwrite, fvi_folder *out)
{
    char *mark = fvi_path_join(path, "synth.json");
    if (!mark) return fvi_nomem(ctx);
    const bool made = fvi_file_exists(mark);
    fvi_free(mark);
    if (made && !overwrite) return fvi_fail(ctx, FV_ERROR_INVALID, "%s holds a set already; --overwrite replaces it", path);
    return fvi_folder_begin(ctx, path, made && overwrite, out);
}

fv_status fv_synth_planes(fv_context *ctx, const char *folder, const fv_synth_options *o, bool overwrite, fv_synth_progress *fn,
                          void *user, fv_synth_result *result)
{
    fvi_synth_set set;
    fv_synth_result made = {0};
    fv_status status = FV_OK;
    FVI_TRY(ctx, fvi_synth_check(ctx, o, &set));
    job j = {.ctx = ctx, .set = &set, .progress = fn, .user = user};
    FVI_TRY(ctx, begin_folder(ctx, folder, overwrite, &j.folder));
    if (!(j.hashes = fvi_calloc((size_t)set.count, sizeof *j.hashes))) FVI_TRY_DONE(ctx, status, fvi_nomem(ctx));
    FVI_TRY_DONE(ctx, status, make_folders(&j));
    FVI_TRY_DONE(ctx, status, run_threads(&j));
    fvi_hash_state *h = fvi_hash_begin();
    if (!h) FVI_TRY_DONE(ctx, status, fvi_nomem(ctx));
    fvi_hash_update(h, j.hashes, (size_t)set.count * sizeof *j.hashes);
    fvi_hash_end(h, made.hash);
    for (int i = 0; i < 3; i++) made.pictures[i] = set.split[i] * (o->format == FV_SYNTH_FOLDER ? o->classes : 1);
    made.planes = atomic_load(&j.planes);
    FVI_TRY_DONE(ctx, status, write_lists(&j, &made));
    made.bytes = atomic_load(&j.bytes);
    FVI_TRY_DONE(ctx, status, fvi_folder_commit(&j.folder));
    if (result) *result = made;
done:
    fvi_folder_abort(&j.folder);
    fvi_free(j.hashes);
    return status;
}
