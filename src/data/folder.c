/* SPDX-License-Identifier: Apache-2.0 */
/* Class folders: every folder below the root is a class, every picture anywhere below it is one of its samples. Files with a
 * picture's extension are taken without a look, since opening a hundred thousand of them takes its time; of the others
 * the first bytes decide. What systems keep for themselves (.DS_Store, lost+found) is left out and counted. */
#include "base/file.h"
#include "data/list.h"
#include "image/image.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DEEPEST = 32, MOST_FILES = 100000000 };

typedef struct walk {
    fv_context *ctx;
    fvi_list *list;
    int set;
    int32_t label;
    bool names_only;                     /* a look at each file would take long where there are many */
} walk;

static int by_path(const void *a, const void *b)
{
    return strcmp(((const fvi_file *)a)->path, ((const fvi_file *)b)->path);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const fvi_entry *)a)->name, ((const fvi_entry *)b)->name);
}

static fv_status cannot(const walk *w, const char *path, int error)
{
    char shown[1024];
    fvi_show_name(path, shown, sizeof shown);
    return fvi_fail(w->ctx, FV_ERROR_IO, "%s%s%s: %s", *path == '/' ? "" : w->list->root, *path == '/' || !*path ? "" : "/", shown, strerror(error));
}

static void ignore(walk *w, const char *path)
{
    if (!w->list->ignored++) w->list->first_ignored = path;
}

/* Entries of one folder, sorted; names are in the arena. `path`: below the root. */
static fv_status read_folder(walk *w, int fd, const char *path, fvi_entries *out)
{
    fv_status status = FV_OK;
    DIR *dir = fdopendir(fd);
    if (!dir) {
        close(fd);
        return cannot(w, path, errno);
    }
    for (;;) {
        struct stat st;
        errno = 0;
        struct dirent *e = readdir(dir);
        if (!e) {
            if (errno) status = cannot(w, path, errno);
            break;
        }
        if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..")) continue;
        fvi_entry it = {.name = *path ? fvi_arena_format(&w->list->arena, "%s/%s", path, e->d_name) : fvi_arena_strdup(&w->list->arena, e->d_name)};
        if (!it.name) {
            status = fvi_nomem(w->ctx);
            break;
        }
        if (fvi_is_system_name(e->d_name)) {
            ignore(w, it.name);
            continue;
        }
        it.size = -1;
        if (w->names_only && (e->d_type == DT_DIR || e->d_type == DT_REG)) it.is_dir = e->d_type == DT_DIR;
        else if (fstatat(dirfd(dir), e->d_name, &st, 0) == 0)                /* a link to nowhere: found when it is read */
            it.size = st.st_size, it.is_dir = S_ISDIR(st.st_mode);
        if (!FVI_PUSH(out, it)) {
            status = fvi_nomem(w->ctx);
            break;
        }
    }
    closedir(dir);
    if (status == FV_OK && out->count > 1) qsort(out->items, (size_t)out->count, sizeof *out->items, by_name);
    return status;
}

static fv_status open_folder(walk *w, const char *path, fvi_entries *out)
{
    char *whole = *path ? fvi_path_join(w->list->root, path) : fvi_strdup(w->list->root);
    if (!whole) return fvi_nomem(w->ctx);
    int fd = open(whole, O_RDONLY | O_DIRECTORY | O_CLOEXEC), error = errno;
    fvi_free(whole);
    if (fd < 0) return cannot(w, path, error);
    return read_folder(w, fd, path, out);
}

fv_status fvi_list_entries(fv_context *ctx, fvi_list *l, const char *below, fvi_entries *out)
{
    walk w = {.ctx = ctx, .list = l, .names_only = true};
    return open_folder(&w, below, out);
}

bool fvi_has_picture_name(const char *path)
{
    /* The last row: pictures that cannot be read yet, so that they are named and not passed over. */
    static const char *const ends[] = {"jpg", "jpeg", "jpe", "jfif", "png", "webp", "gif", "bmp", "dib", "ppm", "pgm", "pnm", "heic", "heif", "hif", "avif",
                                       "tif", "tiff", "jp2", "jxl"};
    const char *dot = strrchr(path, '.');
    for (int i = 0; dot && i < FVI_COUNT(ends); i++)
        if (fvi_same_word(dot + 1, ends[i])) return true;
    return false;
}

static fv_status is_picture(const walk *w, const char *path, bool *yes)
{
    uint8_t head[FVI_IMAGE_SNIFF];
    char whole[FVI_PATH_ROOM];
    size_t n = 0;
    *yes = fvi_has_picture_name(path);
    if (*yes || !fvi_path_in(whole, w->list->root, path)) return FV_OK;
    fv_status status = fvi_read_head(w->ctx, whole, head, sizeof head, &n);
    *yes = n > 0 && fvi_image_sniff(head, n) != FVI_IMAGE_UNKNOWN;
    if (!fvi_is_bad_sample(status)) return status;
    fvi_error_clear(w->ctx);                             /* nothing shows that it would be one */
    return FV_OK;
}

static fv_status add_file(walk *w, const fvi_entry *it)
{
    const fvi_file f = {.path = it->name, .size = it->size, .label = w->label, .fold = FVI_NO_FOLD, .set = (int8_t)w->set};
    bool picture;
    FVI_TRY(w->ctx, is_picture(w, it->name, &picture));
    if (picture) return fvi_list_add(w->ctx, w->list, &f);
    ignore(w, it->name);
    return FV_OK;
}

/* All pictures below one class folder. A list of folders instead of recursion; links may lead in circles, hence the depth. */
static fv_status walk_class(walk *w, const char *folder)
{
    struct { const char **items; int count, capacity; } todo = {0};
    fvi_entries found = {0};
    fv_status status = FVI_PUSH(&todo, folder) ? FV_OK : fvi_nomem(w->ctx);
    while (status == FV_OK && todo.count) {
        const char *path = todo.items[--todo.count];
        int depth = 0;
        for (const char *p = path; *p; p++) depth += *p == '/';
        found.count = 0;
        if (depth > DEEPEST) status = fvi_fail(w->ctx, FV_ERROR_FORMAT, "%s: folders are nested deeper than %d: a link that leads in a circle?", path, DEEPEST);
        else status = open_folder(w, path, &found);
        for (int i = 0; i < found.count && status == FV_OK; i++) {
            const fvi_entry *it = &found.items[i];
            if (it->is_dir) status = FVI_PUSH(&todo, it->name) ? FV_OK : fvi_nomem(w->ctx);
            else status = add_file(w, it);
        }
        if (w->list->count > MOST_FILES) status = fvi_fail(w->ctx, FV_ERROR_FORMAT, "%s: more than %d files", w->list->root, MOST_FILES);
    }
    fvi_free(todo.items);
    fvi_free(found.items);
    return status;
}

fv_status fvi_list_folder(fv_context *ctx, fvi_list *l, const char *below, int set)
{
    walk w = {.ctx = ctx, .list = l, .set = set};
    fvi_entries found = {0};
    fv_status status = open_folder(&w, below, &found);
    for (int i = 0; i < found.count && status == FV_OK; i++) {
        const fvi_entry *it = &found.items[i];
        const char *name = fvi_path_base(it->name);
        if (!it->is_dir) {
            ignore(&w, it->name);
            continue;
        }
        status = fvi_list_class(ctx, l, name, &w.label);
        if (status == FV_OK && w.label < 0) {
            char shown[1024];
            fvi_show_name(l->root, shown, sizeof shown);
            status = fvi_list_no_class(ctx, l, shown, name);
        }
        if (status == FV_OK) status = walk_class(&w, it->name);
    }
    fvi_free(found.items);
    return status;
}

fv_status fvi_list_tree(fv_context *ctx, fvi_list *l)
{
    walk w = {.ctx = ctx, .list = l, .set = FVI_NO_SET};
    FVI_TRY(ctx, walk_class(&w, ""));
    if (l->count > 1) qsort(l->items, (size_t)l->count, sizeof *l->items, by_path);
    return FV_OK;
}
