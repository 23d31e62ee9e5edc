/* SPDX-License-Identifier: Apache-2.0 */
#include "base/folder.h"

#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *at)
{
    (void)info, (void)kind, (void)at;
    return remove(path);
}

/* Links are removed, not followed. */
static int remove_tree(const char *path) { return nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS); }

static bool is_empty(const char *path)
{
    DIR *d = opendir(path);
    int n = 0;
    if (!d) return false;
    for (struct dirent *e; (e = readdir(d));) n += strcmp(e->d_name, ".") && strcmp(e->d_name, "..");
    closedir(d);
    return n == 0;
}

static bool is_there(const char *path)
{
    struct stat info;
    return lstat(path, &info) == 0;
}

fv_status fvi_folder_begin(fv_context *ctx, const char *path, bool replace, fvi_folder *out)
{
    *out = (fvi_folder){.ctx = ctx};
    fv_status status = FV_OK;
    char *dir = NULL;
    if (is_there(path) && !fvi_is_dir(path)) return fvi_fail(ctx, FV_ERROR_INVALID, "%s is not a folder", path);
    if (is_there(path) && !replace && !is_empty(path))
        return fvi_fail(ctx, FV_ERROR_INVALID, "%s is there already and not empty", path);
    out->path = fvi_path_absolute(path);
    out->temporary = out->path ? fvi_format("%s.tmp.%ld", out->path, (long)getpid()) : NULL;
    dir = out->path ? fvi_path_dir(out->path) : NULL;
    if (!dir || !out->temporary) FVI_TRY_DONE(ctx, status, fvi_nomem(ctx));
    FVI_TRY_DONE(ctx, status, fvi_make_dirs(ctx, dir));
    if (is_there(out->temporary) && remove_tree(out->temporary)) {          /* of a process of that number that was killed */
        status = fvi_fail(ctx, FV_ERROR_IO, "cannot remove %s: %s", out->temporary, strerror(errno));
        goto done;
    }
    FVI_TRY_DONE(ctx, status, fvi_make_dirs(ctx, out->temporary));
done:
    fvi_free(dir);
    if (status != FV_OK) {
        fvi_free(out->path);
        fvi_free(out->temporary);
        *out = (fvi_folder){0};
    }
    return status;
}

fv_status fvi_folder_make(const fvi_folder *f, const char *name)
{
    char *path = fvi_path_join(f->temporary, name);
    fv_status status = path ? fvi_make_dirs(f->ctx, path) : fvi_nomem(f->ctx);
    fvi_free(path);
    return status;
}

fv_status fvi_folder_put(const fvi_folder *f, const char *name, const void *data, size_t bytes)
{
    char *path = fvi_path_join(f->temporary, name);
    fv_status status = path ? fvi_file_put(f->ctx, path, data, bytes) : fvi_nomem(f->ctx);
    fvi_free(path);
    return status;
}

/* Renames, and takes it back when only the sync failed: either all of it happened or nothing. */
static fv_status move(fv_context *ctx, const char *from, const char *to)
{
    fv_status status = fvi_file_rename(ctx, from, to);
    if (status != FV_OK && !is_there(from)) (void)rename(to, from);
    return status;
}

fv_status fvi_folder_commit(fvi_folder *f)
{
    fv_status status = FV_OK;
    char *old = NULL;
    FVI_TRY_DONE(f->ctx, status, fvi_file_flush_all(f->ctx, f->temporary));
    if (is_there(f->path) && !is_empty(f->path)) {
        old = fvi_format("%s.old.%ld", f->path, (long)getpid());
        if (!old) FVI_TRY_DONE(f->ctx, status, fvi_nomem(f->ctx));
        if (is_there(old)) (void)remove_tree(old);
        FVI_TRY_DONE(f->ctx, status, move(f->ctx, f->path, old));
    }
    status = move(f->ctx, f->temporary, f->path);
    if (status != FV_OK && old && rename(old, f->path) < 0) fvi_error_prefix(f->ctx, "the old folder is now %s: ", old);
    if (status == FV_OK && old) (void)remove_tree(old);
done:
    fvi_free(old);
    if (status != FV_OK) (void)remove_tree(f->temporary);
    fvi_free(f->path);
    fvi_free(f->temporary);
    *f = (fvi_folder){0};
    return status;
}

void fvi_folder_abort(fvi_folder *f)
{
    if (f->temporary) (void)remove_tree(f->temporary);
    fvi_free(f->path);
    fvi_free(f->temporary);
    *f = (fvi_folder){0};
}
