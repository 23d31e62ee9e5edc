/* SPDX-License-Identifier: Apache-2.0 */
/* Files: whole reads with a size limit, and writes that are either complete or absent (written aside, synced, renamed,
 * directory synced). Every call names path and errno in errors. Fault injection for tests: fvi_file_faults. */
#ifndef FVI_FILE_H
#define FVI_FILE_H

#include "base/base.h"

/* Reads a whole file; *data is NUL-terminated beyond *bytes and owned by the caller (fvi_free). */
FV_CHECKED fv_status fvi_file_read(fv_context *ctx, const char *path, size_t limit, char **data, size_t *bytes);
/* Read-only map. fvi_file_unmap accepts NULL. */
typedef struct fvi_map { const unsigned char *data; size_t bytes; } fvi_map;
FV_CHECKED fv_status fvi_file_map(fv_context *ctx, const char *path, fvi_map *out);
void fvi_file_unmap(fvi_map *m);

typedef struct fvi_writer fvi_writer;
/* Opens `path`.tmp.<pid> beside the target. */
FV_CHECKED fv_status fvi_writer_open(fv_context *ctx, const char *path, fvi_writer **out);
FV_CHECKED fv_status fvi_writer_write(fvi_writer *w, const void *data, size_t bytes);
/* flush + fsync, but not yet renamed: lets several files become visible one right after the other. */
FV_CHECKED fv_status fvi_writer_sync(fvi_writer *w);
/* Syncs if needed, renames over the target, syncs the directory, frees w (also on failure: then the temporary is removed). */
FV_CHECKED fv_status fvi_writer_commit(fvi_writer *w);
void fvi_writer_abort(fvi_writer *w);                       /* NULL allowed; removes the temporary */
FV_CHECKED fv_status fvi_file_write(fv_context *ctx, const char *path, const void *data, size_t bytes);   /* atomic */
/* For files of a folder that becomes visible as a whole (base/folder.h): a new file, not synced; everything that was written
 * on the file system of `path` to the disk; a rename, synced. */
FV_CHECKED fv_status fvi_file_put(fv_context *ctx, const char *path, const void *data, size_t bytes);
FV_CHECKED fv_status fvi_file_flush_all(fv_context *ctx, const char *path);
FV_CHECKED fv_status fvi_file_rename(fv_context *ctx, const char *from, const char *to);

/* Files that only grow: each call hands its bytes to the system at once, all of them or (on failure) none; nothing is synced.
 * *fd is closed with close(). */
FV_CHECKED fv_status fvi_append_create(fv_context *ctx, const char *path, int *fd);      /* it must not exist */
FV_CHECKED fv_status fvi_append_open(fv_context *ctx, const char *path, int *fd);        /* it may exist */
FV_CHECKED fv_status fvi_append(fv_context *ctx, int fd, const char *path, const void *data, size_t bytes);

/* A lock on the file, which is made when absent. It is held until close(*fd) or the end of the process, however it ends. FVI_LOCK_HELD:
 * another process, or another descriptor of this one, has it (*fd is -1); FVI_LOCK_NONE: this file system has no locks. */
typedef enum fvi_lock { FVI_LOCKED, FVI_LOCK_HELD, FVI_LOCK_NONE } fvi_lock;
FV_CHECKED fv_status fvi_file_lock(fv_context *ctx, const char *path, int *fd, fvi_lock *got);

/* What writers that were killed left in a folder: is there any whose name matches? It is removed if wanted; nobody else may write
 * there then. */
bool fvi_temporaries(const char *folder, const char *pattern, bool discard);

bool fvi_is_temporary(const char *name);                    /* NAME.tmp.PID, as writers make them */

FV_CHECKED fv_status fvi_make_dirs(fv_context *ctx, const char *path);   /* mkdir -p */
FV_CHECKED fv_status fvi_make_dir(fv_context *ctx, const char *path, bool *made);    /* *made false: something of that name is there */
bool fvi_file_exists(const char *path);
bool fvi_is_dir(const char *path);
char *fvi_path_join(const char *a, const char *b);          /* b absolute: copy of b. Owned by the caller */
char *fvi_path_dir(const char *path);                       /* "." when none. Owned by the caller */
const char *fvi_path_base(const char *path);                /* borrowed: part after the last slash */
/* Owned by the caller. NULL: out of memory. Where the current folder has been deleted it stays relative. */
char *fvi_path_absolute(const char *path);

/* For tests: the n-th (1-based) creation of a file or folder, write, fsync, rename or lock from now on fails with `error` (an errno), or
 * kills the process there (FVI_FAULT_KILL). 0 = off. ENOSPC: half of the write goes out first. `lasting`: all later ones fail too. */
enum { FVI_FAULT_KILL = -1 };
typedef struct fvi_file_faults { int create_at, write_at, sync_at, rename_at, lock_at, error; bool lasting; } fvi_file_faults;
int fvi_file_fault_hits(void);                              /* calls that failed so since they were set */
void fvi_file_set_faults(fvi_file_faults f);

#endif
