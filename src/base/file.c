/* SPDX-License-Identifier: Apache-2.0 */
/* Files: whole reads, maps, and writes that are complete or absent. A writer fills `<path>.tmp.<pid>` beside the target,
 * syncs it, renames it over the target and syncs the folder, so that after a power cut either the old or the new file is
 * there, whole. The first failure of a writer is kept; its temporary is removed when it is committed or aborted. Every
 * write, fsync and rename goes through a wrapper that retries EINTR and can be made to fail by tests. */
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { WRITER_BUFFER = 64 << 10, READ_STEP = 64 << 10 };

/* ---- system calls with faults ------------------------------------------------------------------------------------ */

static struct { atomic_int create_at, write_at, sync_at, rename_at, lock_at, error, hits; atomic_bool lasting; } faults;

void fvi_file_set_faults(fvi_file_faults f)
{
    atomic_store(&faults.error, f.error);
    atomic_store(&faults.lasting, f.lasting);
    atomic_store(&faults.hits, 0);
    atomic_store(&faults.create_at, f.create_at);
    atomic_store(&faults.write_at, f.write_at);
    atomic_store(&faults.sync_at, f.sync_at);
    atomic_store(&faults.rename_at, f.rename_at);
    atomic_store(&faults.lock_at, f.lock_at);
}

int fvi_file_fault_hits(void)
{
    return atomic_load(&faults.hits);
}

/* Counts one call; true (with errno set) when it is the one to fail. */
static bool fault(atomic_int *countdown)
{
    if (atomic_load_explicit(countdown, memory_order_relaxed) <= 0 || atomic_fetch_sub(countdown, 1) != 1) return false;
    if (atomic_load(&faults.lasting)) atomic_store(countdown, 1);
    atomic_fetch_add(&faults.hits, 1);
    errno = atomic_load(&faults.error);
    if (errno == FVI_FAULT_KILL) raise(SIGKILL);
    return true;
}

/* write(2), which on a disk that gets full takes a part before it fails. */
static ssize_t write_some(int fd, const char *data, size_t bytes)
{
    if (!fault(&faults.write_at)) return write(fd, data, FVI_MIN(bytes, (size_t)1 << 30));
    const int error = errno;
    const ssize_t part = error == ENOSPC && bytes > 1 ? write(fd, data, bytes / 2) : -1;
    if (part > 0) {
        atomic_store(&faults.write_at, 1);               /* the rest fails */
        atomic_fetch_sub(&faults.hits, 1);
        return part;
    }
    errno = error;
    return -1;
}

/* Writes everything; -1 with errno. *done: bytes that went out. */
static int write_all(int fd, const char *data, size_t bytes, size_t *done)
{
    *done = 0;
    while (*done < bytes) {
        ssize_t n = write_some(fd, data + *done, bytes - *done);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return -1;
        *done += (size_t)n;
    }
    return 0;
}

static int create_file(const char *path, int flags)
{
    int fd;
    do fd = fault(&faults.create_at) ? -1 : open(path, O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0666);
    while (fd < 0 && errno == EINTR);
    return fd;
}

static int sync_fd(int fd)
{
    int r;
    do r = fault(&faults.sync_at) ? -1 : fsync(fd);
    while (r < 0 && errno == EINTR);
    return r;
}

static int rename_file(const char *from, const char *to)
{
    return fault(&faults.rename_at) ? -1 : rename(from, to);
}

/* fsync of the folder that holds `path`. File systems that cannot sync a folder (EINVAL) are left alone. */
static int sync_folder(const char *path)
{
    char *dir = fvi_path_dir(path);
    if (!dir) {
        errno = ENOMEM;
        return -1;
    }
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    fvi_free(dir);
    if (fd < 0) return -1;
    int r = sync_fd(fd), error = errno;
    close(fd);
    errno = error;
    return r < 0 && error == EINVAL ? 0 : r;
}

static int open_read(const char *path)
{
    int fd;
    do fd = open(path, O_RDONLY | O_CLOEXEC);
    while (fd < 0 && errno == EINTR);
    return fd;
}

/* What a write has met. EFBIG is a limit that somebody has set, mostly (where the program ignores SIGXFSZ). */
static fv_status write_failed(fv_context *ctx, const char *doing, const char *path, int error)
{
    struct rlimit limit;
    if (error == EFBIG && getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
        return fvi_fail(ctx, FV_ERROR_IO, "cannot %s %s: no file may be larger than %llu bytes here (ulimit -f)", doing,
                        path, (unsigned long long)limit.rlim_cur);
    const fv_status status = error == ENOMEM ? FV_ERROR_NOMEM : FV_ERROR_IO;
    return fvi_fail(ctx, status, "cannot %s %s: %s", doing, path, strerror(error));
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

/* Reads fd to its end into a growing buffer. `expected` is a hint, 0 when unknown (pipes, /proc). */
static fv_status read_all(fv_context *ctx, int fd, const char *path, size_t expected, size_t limit, char **data,
                          size_t *bytes)
{
    size_t used = 0, room = 0;
    char *buffer = NULL;
    fv_status status = FV_OK;
    for (;;) {
        if (room - used < 2) {                          /* one byte to notice the end, one for the NUL */
            size_t wanted = room ? room * 2 : expected ? expected + 2 : READ_STEP;
            char *grown = wanted > room ? fvi_realloc(buffer, wanted) : NULL;
            if (!grown) {
                status = fvi_nomem(ctx);
                goto done;
            }
            buffer = grown;
            room = wanted;
        }
        ssize_t n = read(fd, buffer + used, FVI_MIN(room - used - 1, (size_t)1 << 30));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) {
            status = fvi_fail(ctx, FV_ERROR_IO, "cannot read %s: %s", path, strerror(errno));
            goto done;
        }
        if (n == 0) break;
        used += (size_t)n;
        if (used > limit) {
            status = fvi_fail(ctx, FV_ERROR_FORMAT, "%s is larger than %zu bytes, the most that is read here", path, limit);
            goto done;
        }
    }
    buffer[used] = 0;
    *data = buffer;
    *bytes = used;
    buffer = NULL;
done:
    fvi_free(buffer);
    return status;
}

fv_status fvi_file_read(fv_context *ctx, const char *path, size_t limit, char **data, size_t *bytes)
{
    *data = NULL;
    *bytes = 0;
    int fd = open_read(path);
    if (fd < 0) return fvi_fail(ctx, FV_ERROR_IO, "cannot open %s: %s", path, strerror(errno));
    fv_status status;
    struct stat info;
    if (fstat(fd, &info) < 0)
        status = fvi_fail(ctx, FV_ERROR_IO, "cannot read %s: %s", path, strerror(errno));
    else if (S_ISREG(info.st_mode) && (uint64_t)info.st_size > limit)
        status = fvi_fail(ctx, FV_ERROR_FORMAT, "%s has %lld bytes, at most %zu are read here", path,
                          (long long)info.st_size, limit);
    else
        status = read_all(ctx, fd, path, S_ISREG(info.st_mode) ? (size_t)info.st_size : 0, limit, data, bytes);
    close(fd);
    return status;
}

fv_status fvi_file_map(fv_context *ctx, const char *path, fvi_map *out)
{
    *out = (fvi_map){0};
    int fd = open_read(path);
    if (fd < 0) return fvi_fail(ctx, FV_ERROR_IO, "cannot open %s: %s", path, strerror(errno));
    fv_status status = FV_OK;
    struct stat info;
    if (fstat(fd, &info) < 0) {
        status = fvi_fail(ctx, FV_ERROR_IO, "cannot read %s: %s", path, strerror(errno));
    } else if (!S_ISREG(info.st_mode)) {
        status = fvi_fail(ctx, FV_ERROR_IO, "%s is %s, not a file", path, S_ISDIR(info.st_mode) ? "a folder" : "a device");
    } else if (info.st_size == 0) {
        out->data = (const unsigned char *)"";          /* empty maps do not exist */
    } else {
        void *p = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (p == MAP_FAILED) status = fvi_fail(ctx, FV_ERROR_IO, "cannot map %s: %s", path, strerror(errno));
        else *out = (fvi_map){.data = p, .bytes = (size_t)info.st_size};
    }
    close(fd);
    return status;
}

void fvi_file_unmap(fvi_map *m)
{
    if (!m) return;
    if (m->bytes) munmap((void *)(uintptr_t)m->data, m->bytes);
    *m = (fvi_map){0};
}

/* ---- appending --------------------------------------------------------------------------------------------------- */

fv_status fvi_append_create(fv_context *ctx, const char *path, int *fd)
{
    *fd = create_file(path, O_EXCL | O_APPEND);
    return *fd < 0 ? fvi_fail(ctx, FV_ERROR_IO, "cannot create %s: %s", path, strerror(errno)) : FV_OK;
}

fv_status fvi_append_open(fv_context *ctx, const char *path, int *fd)
{
    *fd = create_file(path, O_APPEND);
    return *fd < 0 ? fvi_fail(ctx, FV_ERROR_IO, "cannot open %s: %s", path, strerror(errno)) : FV_OK;
}

fv_status fvi_append(fv_context *ctx, int fd, const char *path, const void *data, size_t bytes)
{
    size_t done;
    struct stat info;
    if (write_all(fd, data, bytes, &done) == 0) return FV_OK;
    const int error = errno;
    /* What went out of it is taken back: a record is there as a whole or not at all. */
    if (done && fstat(fd, &info) == 0 && ftruncate(fd, info.st_size - (off_t)done) < 0)
        return fvi_fail(ctx, FV_ERROR_IO, "cannot write %s: %s; its last record is not whole: %s", path, strerror(error), strerror(errno));
    return write_failed(ctx, "write", path, error);
}

/* ---- unfinished files -------------------------------------------------------------------------------------------- */

/* Temporaries of open writers. A signal handler takes them too, hence no lock; what finds no room is unknown to it. */
static _Atomic(char *) unfinished[64];
static atomic_int handlers;                              /* at work */

static bool remember(char *temporary)
{
    for (int i = 0; i < FVI_COUNT(unfinished); i++) {
        char *none = NULL;
        if (atomic_compare_exchange_strong(&unfinished[i], &none, temporary)) return true;
    }
    return false;
}

/* False: a handler has it and reads it still. */
static bool forget(char *temporary)
{
    for (int i = 0; i < FVI_COUNT(unfinished); i++) {
        char *it = temporary;
        if (atomic_compare_exchange_strong(&unfinished[i], &it, NULL)) return true;
    }
    return !atomic_load(&handlers);
}

void fv_files_discard(void)
{
    const int error = errno;
    atomic_fetch_add(&handlers, 1);
    for (int i = 0; i < FVI_COUNT(unfinished); i++) {
        const char *temporary = atomic_exchange(&unfinished[i], NULL);
        if (temporary) unlink(temporary);
    }
    atomic_fetch_sub(&handlers, 1);
    errno = error;
}

/* ---- writing ----------------------------------------------------------------------------------------------------- */

struct fvi_writer {
    fv_context *ctx;        /* borrowed */
    char *path, *temporary; /* owned */
    int fd;
    fv_status status;       /* first failure */
    bool synced, remembered, renamed;
    size_t used;
    char buffer[WRITER_BUFFER];
};

static fv_status writer_fail(fvi_writer *w, const char *doing)
{
    w->status = write_failed(w->ctx, doing, w->path, errno);
    return w->status;
}

static void free_writer(fvi_writer *w)
{
    if (!w->remembered || forget(w->temporary)) fvi_free(w->temporary);
    fvi_free(w->path);
    fvi_free(w);
}

/* The file that a link names (so that the link stays), else the path itself. */
static char *writer_target(const char *path)
{
    struct stat info;
    if (lstat(path, &info) == 0 && S_ISLNK(info.st_mode)) {
        char *real = realpath(path, NULL);
        char *copy = real ? fvi_strdup(real) : NULL;
        free(real);
        if (copy) return copy;
    }
    return fvi_strdup(path);
}

fv_status fvi_writer_open(fv_context *ctx, const char *path, fvi_writer **out)
{
    *out = NULL;
    fvi_writer *w = fvi_malloc(sizeof *w);
    if (!w) return fvi_nomem(ctx);
    memset(w, 0, offsetof(fvi_writer, buffer));
    w->ctx = ctx;
    w->fd = -1;
    fv_status status = FV_OK;
    struct stat info;
    w->path = writer_target(path);
    w->temporary = w->path ? fvi_format("%s.tmp.%ld", w->path, (long)getpid()) : NULL;
    if (!w->temporary) {
        status = fvi_nomem(ctx);
        goto done;
    }
    if (stat(w->path, &info) == 0 && !S_ISREG(info.st_mode)) {          /* a rename would put a file in its place */
        status = fvi_fail(ctx, FV_ERROR_IO, "cannot write %s: it is %s, not a file", path,
                          S_ISDIR(info.st_mode) ? "a folder" : "a device or a pipe");
        goto done;
    }
    w->remembered = remember(w->temporary);
    if ((w->fd = create_file(w->temporary, O_TRUNC | O_NOFOLLOW)) < 0) {
        status = write_failed(ctx, "create", w->path, errno);
        goto done;
    }
    *out = w;
    w = NULL;
done:
    if (w) free_writer(w);
    return status;
}

static fv_status writer_flush(fvi_writer *w)
{
    size_t done;
    if (w->status == FV_OK && write_all(w->fd, w->buffer, w->used, &done) < 0) return writer_fail(w, "write");
    w->used = 0;
    return w->status;
}

fv_status fvi_writer_write(fvi_writer *w, const void *data, size_t bytes)
{
    size_t done;
    if (w->status != FV_OK) return w->status;
    w->synced = false;
    if (bytes > sizeof w->buffer - w->used) {
        FVI_TRY(w->ctx, writer_flush(w));
        if (bytes >= sizeof w->buffer) return write_all(w->fd, data, bytes, &done) < 0 ? writer_fail(w, "write") : FV_OK;
    }
    if (bytes) memcpy(w->buffer + w->used, data, bytes);
    w->used += bytes;
    return FV_OK;
}

fv_status fvi_writer_sync(fvi_writer *w)
{
    if (w->status != FV_OK || w->synced) return w->status;
    FVI_TRY(w->ctx, writer_flush(w));
    if (sync_fd(w->fd) < 0) return writer_fail(w, "sync");
    w->synced = true;
    return FV_OK;
}

fv_status fvi_writer_commit(fvi_writer *w)
{
    fv_context *ctx = w->ctx;
    fv_status status;
    FVI_TRY_DONE(ctx, status, fvi_writer_sync(w));
    int closed = close(w->fd);
    w->fd = -1;
    if (closed < 0 && errno != EINTR) {                 /* network file systems report late */
        status = writer_fail(w, "write");
        goto done;
    }
    if (rename_file(w->temporary, w->path) < 0) {
        status = writer_fail(w, "replace");
        goto done;
    }
    w->renamed = true;                                  /* from here on the new file is there */
    if (sync_folder(w->path) < 0) status = writer_fail(w, "sync the folder of");
done:
    fvi_writer_abort(w);
    return status;
}

void fvi_writer_abort(fvi_writer *w)
{
    if (!w) return;
    if (w->fd >= 0) close(w->fd);
    if (!w->renamed) unlink(w->temporary);
    free_writer(w);
}

fv_status fvi_file_write(fv_context *ctx, const char *path, const void *data, size_t bytes)
{
    fvi_writer *w = NULL;
    FVI_TRY(ctx, fvi_writer_open(ctx, path, &w));
    fv_status status = fvi_writer_write(w, data, bytes);
    if (status == FV_OK) return fvi_writer_commit(w);
    fvi_writer_abort(w);
    return status;
}

fv_status fv_file_write(fv_context *ctx, const char *path, const void *data, size_t bytes)
{
    return fvi_file_write(ctx, path, data, bytes);
}

fv_status fvi_file_put(fv_context *ctx, const char *path, const void *data, size_t bytes)
{
    size_t done;
    int fd = create_file(path, O_EXCL);
    if (fd < 0) return fvi_fail(ctx, FV_ERROR_IO, "cannot create %s: %s", path, strerror(errno));
    int r = write_all(fd, data, bytes, &done), error = errno;
    if (close(fd) < 0 && r == 0) r = -1, error = errno;
    return r < 0 ? write_failed(ctx, "write", path, error) : FV_OK;
}

fv_status fvi_file_flush_all(fv_context *ctx, const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int r = fd < 0 || fault(&faults.sync_at) ? -1 : syncfs(fd), error = errno;
    if (fd >= 0) close(fd);
    return r < 0 ? fvi_fail(ctx, FV_ERROR_IO, "cannot sync %s: %s", path, strerror(error)) : FV_OK;
}

fv_status fvi_file_rename(fv_context *ctx, const char *from, const char *to)
{
    if (rename_file(from, to) < 0) return fvi_fail(ctx, FV_ERROR_IO, "cannot rename %s to %s: %s", from, to, strerror(errno));
    if (sync_folder(to) < 0) return fvi_fail(ctx, FV_ERROR_IO, "cannot sync the folder of %s: %s", to, strerror(errno));
    return FV_OK;
}

/* ---- folders and paths ------------------------------------------------------------------------------------------- */

fv_status fvi_make_dirs(fv_context *ctx, const char *path)
{
    fv_status status = FV_OK;
    char *copy = fvi_strdup(path);
    if (!copy) return fvi_nomem(ctx);
    for (char *p = copy + (copy[0] == '/'); status == FV_OK; p++) {
        if (*p && *p != '/') continue;
        bool last = !*p;
        *p = 0;
        if (*copy && !fvi_is_dir(copy) && (fault(&faults.create_at) || mkdir(copy, 0777) < 0)) {
            int error = errno;                          /* some file systems say EROFS or EACCES for folders that exist */
            if (!fvi_is_dir(copy))
                status = fvi_fail(ctx, FV_ERROR_IO, "cannot create the folder %s: %s", copy,
                                  error == EEXIST ? "a file of that name is there" : strerror(error));
        }
        if (last) break;
        *p = '/';
    }
    fvi_free(copy);
    return status;
}

fv_status fvi_make_dir(fv_context *ctx, const char *path, bool *made)
{
    *made = !fault(&faults.create_at) && mkdir(path, 0777) == 0;
    return *made || errno == EEXIST ? FV_OK : fvi_fail(ctx, FV_ERROR_IO, "cannot create the folder %s: %s", path, strerror(errno));
}

bool fvi_file_exists(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0;
}

bool fvi_is_dir(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

char *fvi_path_join(const char *a, const char *b)
{
    size_t n = strlen(a);
    if (b[0] == '/' || !n) return fvi_strdup(b);
    return fvi_format("%s%s%s", a, a[n - 1] == '/' ? "" : "/", b);
}

char *fvi_path_dir(const char *path)
{
    size_t n = strlen(path);
    while (n > 1 && path[n - 1] == '/') n--;            /* trailing slashes */
    while (n > 0 && path[n - 1] != '/') n--;            /* the last part */
    while (n > 1 && path[n - 1] == '/') n--;            /* the slashes before it */
    return n > INT_MAX ? NULL : n ? fvi_format("%.*s", (int)n, path) : fvi_strdup(".");
}

const char *fvi_path_base(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* Removes empty and "." parts. ".." stays: with links it is not the part before it. */
static void tidy_path(char *path)
{
    char *to = path;
    for (const char *from = path; *from;) {
        size_t n = strcspn(from, "/");
        if (n && !(n == 1 && from[0] == '.')) {
            *to++ = '/';
            memmove(to, from, n);
            to += n;
        }
        from += n + (from[n] == '/');
    }
    if (to == path) *to++ = '/';
    *to = 0;
}

char *fvi_path_absolute(const char *path)
{
    char *cwd = path[0] == '/' ? NULL : getcwd(NULL, 0);
    if (path[0] != '/' && !cwd) return errno == ENOMEM ? NULL : fvi_strdup(path);
    char *joined = fvi_format("%s/%s", cwd ? cwd : "", path);
    free(cwd);
    if (!joined) return NULL;
    if (strstr(joined, "/..")) {
        char *real = realpath(joined, NULL);
        char *copy = real ? fvi_strdup(real) : NULL;
        free(real);
        if (copy) {
            fvi_free(joined);
            return copy;
        }
    }
    tidy_path(joined);
    return joined;
}

/* ---- locks ----------------------------------------------------------------------------------------------------------- */

fv_status fvi_file_lock(fv_context *ctx, const char *path, int *fd, fvi_lock *got)
{
    int r, error;
    FVI_TRY(ctx, fvi_append_open(ctx, path, fd));
    do r = fault(&faults.lock_at) ? -1 : flock(*fd, LOCK_EX | LOCK_NB);
    while (r < 0 && errno == EINTR);
    error = r < 0 ? errno : 0;
    /* Lustre, some FUSE and NFS mounts: these are all the ways to say that there are no locks. */
    const bool none = error == ENOSYS || error == EOPNOTSUPP || error == ENOLCK;
    *got = none ? FVI_LOCK_NONE : error ? FVI_LOCK_HELD : FVI_LOCKED;
    if (!error || none) return FV_OK;
    close(*fd);
    *fd = -1;
    return error == EWOULDBLOCK ? FV_OK : fvi_fail(ctx, FV_ERROR_IO, "cannot lock %s: %s", path, strerror(error));
}

/* ---- leftovers ------------------------------------------------------------------------------------------------------- */

/* <path>.tmp.<pid>, nothing of the user's own. */
bool fvi_is_temporary(const char *name)
{
    const char *pid = strstr(name, ".tmp.");
    return pid && pid[5] && strspn(pid + 5, "0123456789") == strlen(pid + 5);
}

bool fvi_temporaries(const char *folder, const char *pattern, bool discard)
{
    bool found = false;
    DIR *dir = opendir(folder);
    if (!dir) return false;
    for (struct dirent *e; (e = readdir(dir));) {
        if (!fvi_is_temporary(e->d_name) || !fvi_glob(pattern, e->d_name)) continue;
        found = true;
        char *path = discard ? fvi_path_join(folder, e->d_name) : NULL;
        if (path) unlink(path);
        fvi_free(path);
    }
    closedir(dir);
    return found;
}
