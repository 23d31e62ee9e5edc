/* SPDX-License-Identifier: Apache-2.0 */
/* Which folder a run gets, what may happen to what is there, and its locks. Nothing is written while a run is opened, but for a lock
 * in an existing one and the empty folder of --new; whether somebody else has begun it is asked again, under the lock, when it begins. */
#include "train/run.h"
#include "base/file.h"
#include "data/data.h"
#include "io/events.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- what is there ---------------------------------------------------------------------------------------------------- */

/* Texts that stand in the folder itself. */
static const char *const own_files[] = {"config.json", "origins.json", "command.txt", "console.log", "environment.json", "segments.json", "classes.txt", "split.csv",
                                        "bad_files.csv", "kernels.json", "metrics.csv", "evaluation.json", "summary.json", "report.html", "seeds.json", "seeds.txt"};

#define LOCK ".lock"

static bool has(const char *folder, const char *name)
{
    char *path = fvi_path_join(folder, name);
    const bool yes = path && fvi_file_exists(path);
    fvi_free(path);
    return yes;
}

/* Other programs have a config.json too; what stands beside it only fovea writes. */
bool fvi_is_run(const char *path)
{
    return has(path, "config.json") && (has(path, "origins.json") || has(path, LOCK));
}

static bool is_own(const char *name)
{
    const size_t n = fvi_is_temporary(name) ? (size_t)(strstr(name, ".tmp.") - name) : strlen(name);
    if (!strcmp(name, LOCK) || !strcmp(name, "checkpoints") || !strncmp(name, FVI_EVENTS_PREFIX, sizeof FVI_EVENTS_PREFIX - 1)) return true;
    for (int i = 0; i < FVI_COUNT(own_files); i++)
        if (strlen(own_files[i]) == n && !strncmp(own_files[i], name, n)) return true;
    return false;
}

/* EMPTY: also what a process left that died before its run had a config.json: its lock, and files of a run beside it. */
typedef enum found { NOTHING, EMPTY, RUN, OTHER } found;

/* `other`: a file that is none of a run's, "" where there is no folder. */
static fv_status look(fv_context *ctx, const char *path, found *what, char other[256])
{
    bool lock = false, own = true;
    *what = NOTHING;
    other[0] = 0;
    if (!fvi_file_exists(path)) return FV_OK;
    *what = fvi_is_run(path) ? RUN : fvi_is_dir(path) ? EMPTY : OTHER;
    if (*what != EMPTY) return FV_OK;
    DIR *dir = opendir(path);
    if (!dir) return fvi_fail(ctx, FV_ERROR_IO, "cannot read %s: %s", path, strerror(errno));
    for (struct dirent *e; (e = readdir(dir));) {
        if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..")) continue;
        const bool mine = is_own(e->d_name) && strcmp(e->d_name, "config.json") != 0;
        lock = lock || !strcmp(e->d_name, LOCK);
        if (!*other || (own && !mine)) fvi_show_name(e->d_name, other, 256);
        own = own && mine;
    }
    closedir(dir);
    if (*other && !(own && lock)) *what = OTHER;
    return FV_OK;
}

static fv_status in_the_way(const fvi_run_folder *r, const char *other)
{
    if (!*other) return fvi_fail(r->ctx, FV_ERROR_CONFIG, "%s is in the way: a file, not a run folder; set run=", r->path);
    return fvi_fail(r->ctx, FV_ERROR_CONFIG, "%s is no run, and not empty: it holds %s; set run= to a folder of its own, or use --new", r->path, other);
}

/* ---- names ------------------------------------------------------------------------------------------------------------ */

/* run, else run_root/<config>.<variants>. Owned by the caller, absolute. */
static char *run_path(const fv_config *c)
{
    if (c->v.run) return fvi_path_absolute(c->v.run);
    const char *env = getenv("FOVEA_RUN_ROOT");
    const char *root = c->v.run_root ? c->v.run_root : env && *env ? env : "runs";
    const char *stem = *c->stem ? c->stem : c->v.model;
    char *name = *c->variants ? fvi_format("%s.%s", stem, c->variants) : fvi_strdup(stem);
    char *joined = name ? fvi_path_join(root, name) : NULL;
    char *path = joined ? fvi_path_absolute(joined) : NULL;
    fvi_free(name);
    fvi_free(joined);
    return path;
}

/* Names in turn until one serves: path, path-2, path-3 ... or path.old-1 ... */
static char *name_of(const char *path, const char *suffix, int i)
{
    return i ? fvi_format("%s%s%d", path, suffix, i) : fvi_strdup(path);
}

enum { MOST_NAMES = 10000 };

/* --new: the first name that nobody has. The folder is made at once, so that several starts at a time get one each. */
static fv_status take_new_name(fvi_run_folder *r, bool dry)
{
    char *parent = fvi_path_dir(r->path), *first = fvi_strdup(r->path);
    fv_status status = parent && first ? FV_OK : fvi_nomem(r->ctx);
    bool made = false;
    if (status == FV_OK && !dry) status = fvi_make_dirs(r->ctx, parent);
    for (int i = 0; status == FV_OK && !made && i < MOST_NAMES; i += i ? 1 : 2) {
        fvi_free(r->path);
        if (!(r->path = name_of(first, "-", i))) status = fvi_nomem(r->ctx);
        else if (dry) made = !fvi_file_exists(r->path);
        else status = fvi_make_dir(r->ctx, r->path, &made);
    }
    if (status == FV_OK && !made) status = fvi_fail(r->ctx, FV_ERROR_CONFIG, "%s-2 and so on are all taken; set run=", first);
    r->claimed = status == FV_OK && !dry;
    fvi_free(parent);
    fvi_free(first);
    return status;
}

/* --overwrite, when the new run begins: the old one, whose lock is held, gets another name. */
static fv_status set_aside(fvi_run_folder *r)
{
    fv_status status = FV_OK;
    char *old = NULL;
    for (int i = 1; i < MOST_NAMES && (!old || fvi_file_exists(old)); i++) {
        fvi_free(old);
        if (!(old = name_of(r->path, ".old-", i))) return fvi_nomem(r->ctx);
    }
    if (fvi_file_exists(r->path) && rename(r->path, old) != 0)           /* it is gone where the folder above was moved aside */
        status = fvi_fail(r->ctx, FV_ERROR_IO, "cannot move %s aside to %s: %s", r->path, old, strerror(errno));
    else if (fvi_file_exists(old))
        fvi_log(r->ctx, FV_LOG_INFO, "the old run is now %s", old);
    if (r->lock >= 0) close(r->lock);
    r->lock = -1;
    r->replaces = false;
    fvi_free(old);
    return status;
}

/* ---- locks and other folders ------------------------------------------------------------------------------------------ */

/* The folder may have been moved aside between opening the lock and getting it. */
static bool is_at(int fd, const char *path)
{
    struct stat a, b;
    return fstat(fd, &a) == 0 && stat(path, &b) == 0 && a.st_ino == b.st_ino && a.st_dev == b.st_dev;
}

/* One process a folder: the lock goes with the process, however it ends. */
static fv_status lock_folder(fvi_run_folder *r, const char *folder, const char *doing, int *fd)
{
    char *path = fvi_path_join(folder, LOCK);
    fvi_lock got;
    fv_status status = path ? fvi_file_lock(r->ctx, path, fd, &got) : fvi_nomem(r->ctx);
    if (status == FV_OK && (got == FVI_LOCK_HELD || !is_at(*fd, path)))
        status = fvi_fail(r->ctx, FV_ERROR_CONFIG, "another process is %s %s; wait for it, or use --new", doing, folder);
    else if (status == FV_OK && got == FVI_LOCK_NONE)
        fvi_log(r->ctx, FV_LOG_WARN, "%s: this file system has no locks, so it is up to you that no second process is %s it", folder, doing);
    fvi_free(path);
    return status;
}

static fv_status lock_run(fvi_run_folder *r)
{
    FVI_TRY(r->ctx, lock_folder(r, r->path, "training", &r->lock));
    for (int i = 0; i < FVI_COUNT(own_files); i++) {     /* of writers that were killed */
        char *pattern = fvi_format("%s.tmp.*", own_files[i]);
        if (!pattern) return fvi_nomem(r->ctx);
        fvi_temporaries(r->path, pattern, true);
        fvi_free(pattern);
    }
    return FV_OK;
}

/* Is `path` the folder, or below it? */
static bool is_below(const char *path, const char *folder)
{
    size_t n = strlen(folder);
    return !strncmp(path, folder, n) && (path[n] == '/' || !path[n]);
}

/* A new run must not write over what another one saved in the same checkpoint_dir. */
static fv_status check_checkpoints(const fvi_run_folder *r)
{
    static const char *const names[] = {"latest.safetensors", "latest.state.safetensors", "previous.safetensors", "best.safetensors"};
    if (is_below(r->checkpoints, r->path)) return FV_OK;
    for (int i = 0; i < FVI_COUNT(names); i++)
        if (has(r->checkpoints, names[i]))
            return fvi_fail(r->ctx, FV_ERROR_CONFIG, "checkpoint_dir: %s holds the checkpoints of another run; name another folder, or move them away",
                            r->checkpoints);
    return FV_OK;
}

/* Nor may it put its events between another one's: they would be shown as one run. One that goes on with another tensorboard_dir
 * finds its own there only where they were moved. */
static fv_status check_events(const fvi_run_folder *r, const fv_config *c)
{
    const char *now = c->v.tensorboard_dir, *was = r->before ? r->before->v.tensorboard_dir : NULL;
    if (!now || (was && !strcmp(was, now)) || !fvi_events_any(now)) return FV_OK;
    if (r->before && !fvi_events_any(was ? was : r->path)) return FV_OK;
    return fvi_fail(r->ctx, FV_ERROR_CONFIG, "tensorboard_dir: %s holds the events of another run; name another folder, or move them away", now);
}

/* ---- opening ---------------------------------------------------------------------------------------------------------- */

static bool same_place(const char *a, const char *b)
{
    return a && b ? !strcmp(a, b) : a == b;
}

/* Compares with the run's own configuration. */
static fv_status check_same(fvi_run_folder *r, const fv_config *c, fv_run_mode mode)
{
    FVI_TRY(r->ctx, fvi_config_create(r->ctx, c->task, r->path, 0, NULL, &r->before));
    r->changes = fvi_config_difference(r->before, c);
    if (!r->changes) return fvi_nomem(r->ctx);
    r->changed = *r->changes != 0;
    r->moved = !same_place(r->before->v.checkpoint_dir, c->v.checkpoint_dir) || !same_place(r->before->v.tensorboard_dir, c->v.tensorboard_dir);
    if (mode == FV_RUN_CONTINUE && (r->before->v.seeds > 0) != (c->v.seeds > 0))
        return fvi_fail(r->ctx, FV_ERROR_CONFIG, "%s %s; use --new to train with%s seeds", r->path,
                        c->v.seeds > 0 ? "is a single run, which cannot become several" : "repeats a run with several seeds", c->v.seeds > 0 ? "" : "out");
    if (r->changed && mode == FV_RUN_RESUME)
        return fvi_fail(r->ctx, FV_ERROR_CONFIG,
                        "run %s exists with another configuration: %s. Use --continue to go on with the changes, --new for a new run, --overwrite to "
                        "replace it", r->path, r->changes);
    return FV_OK;
}

bool fvi_run_changed(const fvi_run_folder *r, const fv_config *now, const char *key)
{
    return r->before && fvi_config_differs(r->before, now, key);
}

/* The table that the run was begun with, else the configured one. */
static fv_status find_table(fvi_run_folder *r, const fv_config *c)
{
    size_t bytes;
    r->table_path = fvi_path_join(r->path, "kernels.json");
    if (!r->table_path) return fvi_nomem(r->ctx);
    if (!r->exists || !fvi_file_exists(r->table_path)) {
        fvi_free(r->table_path);
        r->table_path = NULL;
        if (!c->v.kernel_table || r->exists) return FV_OK;
        if (!(r->table_path = fvi_strdup(c->v.kernel_table))) return fvi_nomem(r->ctx);
    }
    FVI_TRY(r->ctx, fvi_file_read(r->ctx, r->table_path, 16 << 20, &r->table, &bytes));
    return FV_OK;
}

static fv_status open_run(fvi_run_folder *r, const fv_config *c, fv_run_mode mode, bool dry)
{
    found what;
    char other[256];
    if (mode == FV_RUN_NEW) FVI_TRY(r->ctx, take_new_name(r, dry));
    FVI_TRY(r->ctx, look(r->ctx, r->path, &what, other));
    if (what == OTHER) return in_the_way(r, other);
    if (what != RUN && mode == FV_RUN_CONTINUE) return fvi_fail(r->ctx, FV_ERROR_CONFIG, "there is no run %s to continue", r->path);
    r->exists = what == RUN && mode != FV_RUN_OVERWRITE;
    r->replaces = what == RUN && mode == FV_RUN_OVERWRITE;
    r->checkpoints = c->v.checkpoint_dir ? fvi_path_absolute(c->v.checkpoint_dir) : fvi_path_join(r->path, "checkpoints");
    if (!r->checkpoints) return fvi_nomem(r->ctx);
    if (!r->exists) FVI_TRY(r->ctx, check_checkpoints(r));
    if (what == RUN && !dry) FVI_TRY(r->ctx, lock_run(r));
    if (r->exists) FVI_TRY(r->ctx, check_same(r, c, mode));
    FVI_TRY(r->ctx, check_events(r, c));
    return find_table(r, c);
}

fv_status fvi_run_open(fv_context *ctx, const fv_config *c, const char *folder, fv_run_mode mode, bool dry, fvi_run_folder *out)
{
    *out = (fvi_run_folder){.ctx = ctx, .lock = -1, .checkpoint_lock = -1, .metrics = -1};
    out->path = folder ? fvi_path_absolute(folder) : run_path(c);
    fv_status status = out->path ? open_run(out, c, mode, dry) : fvi_nomem(ctx);
    if (status != FV_OK) fvi_run_close(out);
    return status;
}

/* ---- beginning -------------------------------------------------------------------------------------------------------- */

/* A new run's folder: what was free when it was opened is looked at again, under the lock. */
static fv_status take_folder(fvi_run_folder *r)
{
    found what;
    char other[256];
    if (r->replaces) FVI_TRY(r->ctx, set_aside(r));
    FVI_TRY(r->ctx, fvi_make_dirs(r->ctx, r->path));
    FVI_TRY(r->ctx, look(r->ctx, r->path, &what, other));
    if (what == OTHER) return in_the_way(r, other);
    FVI_TRY(r->ctx, lock_run(r));
    FVI_TRY(r->ctx, look(r->ctx, r->path, &what, other));
    if (what != RUN) return FV_OK;
    return fvi_fail(r->ctx, FV_ERROR_CONFIG, "another process has begun the run %s meanwhile; the same command goes on with it, --new takes another name", r->path);
}

fv_status fvi_run_take(fvi_run_folder *r)
{
    if (!r->exists) FVI_TRY(r->ctx, take_folder(r));
    if (is_below(r->checkpoints, r->path)) return FV_OK;
    FVI_TRY(r->ctx, fvi_make_dirs(r->ctx, r->checkpoints));
    FVI_TRY(r->ctx, lock_folder(r, r->checkpoints, "saving to", &r->checkpoint_lock));
    return r->exists ? FV_OK : check_checkpoints(r);
}

void fvi_run_release(fvi_run_folder *r)
{
    if (r->lock >= 0) close(r->lock);
    if (r->checkpoint_lock >= 0) close(r->checkpoint_lock);
    if (r->claimed) rmdir(r->path);                      /* of --new: only where nothing was begun in it */
    r->lock = r->checkpoint_lock = -1;
}
