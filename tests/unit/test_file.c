/* SPDX-License-Identifier: Apache-2.0 */
/* Files: reads with limits, maps, atomic writes under injected failures of every write, fsync and rename, folders, paths. */
#include "test.h"

#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[64];
static fv_context *ctx;

/* Starts a case with an empty folder and a context; end_case removes them. */
static bool begin_case(void)
{
    snprintf(folder, sizeof folder, "file_test.XXXXXX");
    ctx = fv_context_create();
    return ctx && mkdtemp(folder);
}

static void end_case(void)
{
    char command[128];
    fvi_file_set_faults((fvi_file_faults){0});
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    if (system(command) != 0) printf("    cannot remove %s\n", folder);
    fv_context_destroy(ctx);
}

/* A path inside the folder; four at a time. */
static const char *in(const char *name)
{
    static char paths[4][128];
    static int next;
    char *p = paths[next++ & 3];
    snprintf(p, sizeof paths[0], "%s/%s", folder, name);
    return p;
}

static int entries(const char *path)
{
    DIR *d = opendir(path);
    int n = 0;
    for (struct dirent *e; d && (e = readdir(d));) n += strcmp(e->d_name, ".") && strcmp(e->d_name, "..");
    if (d) closedir(d);
    return n;
}

static bool holds(const char *path, const char *text)
{
    char *data;
    size_t bytes;
    bool same = fvi_file_read(ctx, path, 1 << 20, &data, &bytes) == FV_OK && bytes == strlen(text) && !strcmp(data, text);
    fvi_free(data);
    return same;
}

static void reading(void)
{
    CHECK(begin_case());
    char *data;
    size_t bytes;
    CHECK_EQ(fvi_file_write(ctx, in("a"), "hello", 5), FV_OK);
    CHECK_EQ(fvi_file_read(ctx, in("a"), 5, &data, &bytes), FV_OK);
    CHECK_EQ(bytes, 5);
    CHECK_STR(data, "hello");
    fvi_free(data);
    CHECK_EQ(fvi_file_read(ctx, in("a"), 4, &data, &bytes), FV_ERROR_FORMAT);
    CHECK_HAS(fv_error_message(ctx), "/a has 5 bytes, at most 4 are read here");
    CHECK(!data && !bytes);
    CHECK_EQ(fvi_file_read(ctx, in("none"), 4, &data, &bytes), FV_ERROR_IO);
    CHECK_HAS(fv_error_message(ctx), "/none: No such file or directory");
    CHECK_EQ(fvi_file_read(ctx, folder, 100, &data, &bytes), FV_ERROR_IO);
    CHECK_HAS(fv_error_message(ctx), "Is a directory");
    CHECK_EQ(fvi_file_write(ctx, in("empty"), NULL, 0), FV_OK);
    CHECK_EQ(fvi_file_read(ctx, in("empty"), 0, &data, &bytes), FV_OK);
    CHECK_STR(data, "");
    fvi_free(data);
    CHECK_EQ(fvi_file_read(ctx, "/proc/self/status", 1 << 20, &data, &bytes), FV_OK);    /* its size reads as 0 */
    CHECK_HAS(data, "VmRSS");
    fvi_free(data);
    CHECK_EQ(fvi_file_read(ctx, "/dev/zero", 1 << 18, &data, &bytes), FV_ERROR_FORMAT);
    CHECK_HAS(fv_error_message(ctx), "/dev/zero is larger than 262144 bytes");
    end_case();
}

static void mapping(void)
{
    CHECK(begin_case());
    fvi_map m;
    CHECK_EQ(fvi_file_write(ctx, in("a"), "hello", 5), FV_OK);
    CHECK_EQ(fvi_file_map(ctx, in("a"), &m), FV_OK);
    CHECK(m.bytes == 5 && !memcmp(m.data, "hello", 5));
    fvi_file_unmap(&m);
    CHECK(!m.data);
    fvi_file_unmap(&m);
    fvi_file_unmap(NULL);
    CHECK_EQ(fvi_file_write(ctx, in("empty"), "", 0), FV_OK);
    CHECK_EQ(fvi_file_map(ctx, in("empty"), &m), FV_OK);
    CHECK(m.data && !m.bytes);
    fvi_file_unmap(&m);
    CHECK_EQ(fvi_file_map(ctx, in("none"), &m), FV_ERROR_IO);
    CHECK_EQ(fvi_file_map(ctx, folder, &m), FV_ERROR_IO);
    CHECK_HAS(fv_error_message(ctx), "is a folder, not a file");
    CHECK_EQ(fvi_file_map(ctx, "/dev/null", &m), FV_ERROR_IO);
    end_case();
}

/* Writes 5 small and 2 large pieces; returns the first failure. */
static fv_status write_pieces(const char *path, const char *large, size_t bytes)
{
    fvi_writer *w;
    FVI_TRY(ctx, fvi_writer_open(ctx, path, &w));
    fv_status status = FV_OK;
    for (int i = 0; i < 7 && status == FV_OK; i++)
        status = i == 2 || i == 5 ? fvi_writer_write(w, large, bytes) : fvi_writer_write(w, "small", 5);
    fv_status first = status;
    if (status == FV_OK) return fvi_writer_commit(w);
    if (bytes & 1) {
        fvi_writer_abort(w);
        return first;
    }
    return fvi_writer_commit(w) == first ? first : FV_ERROR_INTERNAL;      /* a failed writer does not commit */
}

static void writing_pieces(void)
{
    CHECK(begin_case());
    for (size_t bytes = 1; bytes < 400000; bytes = bytes * 3 + 1) {
        char *large = malloc(bytes), *data;
        size_t n;
        CHECK(large);
        memset(large, 'x', bytes);
        CHECK_EQ(write_pieces(in("a"), large, bytes), FV_OK);
        CHECK_EQ(fvi_file_read(ctx, in("a"), 1 << 20, &data, &n), FV_OK);
        CHECK_EQ(n, 25 + 2 * bytes);
        CHECK(!memcmp(data, "smallsmallx", 11) && !memcmp(data + n - 6, "xsmall", 6));
        CHECK(!memcmp(data + 10 + bytes, "smallsmall", 10));
        fvi_free(data);
        free(large);
        CHECK_EQ(entries(folder), 1);
    }
    fvi_writer *w;
    CHECK_EQ(fvi_writer_open(ctx, in("b"), &w), FV_OK);
    CHECK_EQ(fvi_writer_write(w, "x", 1), FV_OK);
    CHECK_EQ(entries(folder), 2);
    CHECK(!fvi_file_exists(in("b")));
    CHECK_EQ(fvi_writer_sync(w), FV_OK);
    CHECK(!fvi_file_exists(in("b")));
    fvi_writer_abort(w);
    fvi_writer_abort(NULL);
    CHECK_EQ(entries(folder), 1);
    end_case();
}

typedef enum fault_kind { FAULT_WRITE, FAULT_SYNC, FAULT_RENAME } fault_kind;

static void set_fault(fault_kind kind, int nth, int error)
{
    fvi_file_faults f = {.error = error};
    *(kind == FAULT_WRITE ? &f.write_at : kind == FAULT_SYNC ? &f.sync_at : &f.rename_at) = nth;
    fvi_file_set_faults(f);
}

/* Every call fails once: the old file stays whole and no temporary is left, whatever failed and whenever. Only the sync
 * of the folder comes after the rename: then the new file is there, whole, and the failure is reported. */
static void every_failure(void)
{
    static const char *const doing[] = {"cannot write", "cannot sync", "cannot replace"};
    enum { BYTES = 100000 };
    CHECK(begin_case());
    char *large = malloc(BYTES + 1);
    CHECK(large);
    memset(large, 'x', BYTES + 1);
    for (int kind = FAULT_WRITE; kind <= FAULT_RENAME; kind++)
        for (int odd = 0; odd < 2; odd++) {
            int failures = 0;
            for (int nth = 1;; nth++) {
                fvi_file_set_faults((fvi_file_faults){0});
                CHECK_EQ(fvi_file_write(ctx, in("a"), "old", 3), FV_OK);
                set_fault((fault_kind)kind, nth, ENOSPC);
                fv_status status = write_pieces(in("a"), large, BYTES + (size_t)odd);
                CHECK_EQ(entries(folder), 1);
                if (status == FV_OK) break;
                failures++;
                CHECK_EQ(status, FV_ERROR_IO);
                CHECK_HAS(fv_error_message(ctx), doing[kind]);
                CHECK_HAS(fv_error_message(ctx), "/a: No space left on device");
                bool after = kind == FAULT_SYNC && nth == 2;
                CHECK_MSG(holds(in("a"), "old") != after, "kind %d call %d", kind, nth);
            }
            CHECK_EQ(failures, kind == FAULT_WRITE ? 5 : kind == FAULT_SYNC ? 2 : 1);
        }
    free(large);
    end_case();
}

static void interrupted_calls(void)
{
    CHECK(begin_case());
    for (int kind = FAULT_WRITE; kind <= FAULT_SYNC; kind++) {
        set_fault((fault_kind)kind, 1, EINTR);
        CHECK_EQ(fvi_file_write(ctx, in("a"), "text", 4), FV_OK);
        CHECK(holds(in("a"), "text"));
    }
    end_case();
}

static void out_of_memory(void)
{
    CHECK(begin_case());
    CHECK_EQ(fvi_file_write(ctx, in("a"), "old", 3), FV_OK);
    int failures = 0;
    for (int nth = 1; nth < 20; nth++) {
        fvi_memory_set_fault(nth);
        fv_status status = fvi_file_write(ctx, in("a"), "new", 3);
        fvi_memory_set_fault(0);
        CHECK_EQ(entries(folder), 1);
        if (status == FV_OK) break;
        failures++;
    }
    CHECK(failures >= 3 && failures < 19);
    CHECK(holds(in("a"), "new"));
    fvi_memory_set_fault(1);
    char *data;
    size_t bytes;
    CHECK_EQ(fvi_file_read(ctx, in("a"), 10, &data, &bytes), FV_ERROR_NOMEM);
    end_case();
}

static void links_and_bad_targets(void)
{
    CHECK(begin_case());
    CHECK_EQ(fvi_file_write(ctx, in("real"), "one", 3), FV_OK);
    CHECK_EQ(symlink("real", in("link")), 0);
    CHECK_EQ(fvi_file_write(ctx, in("link"), "two", 3), FV_OK);
    struct stat info;
    CHECK(lstat(in("link"), &info) == 0 && S_ISLNK(info.st_mode));
    CHECK(holds(in("real"), "two"));
    CHECK_EQ(fvi_file_write(ctx, in("no/such/folder"), "x", 1), FV_ERROR_IO);
    CHECK_HAS(fv_error_message(ctx), "No such file or directory");
    CHECK_EQ(mkdir(in("dir"), 0777), 0);
    CHECK_EQ(fvi_file_write(ctx, in("dir"), "x", 1), FV_ERROR_IO);
    CHECK_HAS(fv_error_message(ctx), "is a folder, not a file");
    CHECK_EQ(mkfifo(in("pipe"), 0600), 0);
    CHECK_EQ(fvi_file_write(ctx, in("pipe"), "x", 1), FV_ERROR_IO);
    CHECK_HAS(fv_error_message(ctx), "is a device or a pipe, not a file");
    CHECK(lstat(in("pipe"), &info) == 0 && S_ISFIFO(info.st_mode));
    CHECK_EQ(entries(folder), 4);
    end_case();
}

/* What the handler of a signal does that ends the process; here the process goes on. */
static void discarded(void)
{
    enum { MANY = 70 };                                  /* more than are known */
    fvi_writer *w[MANY];
    char name[16];
    CHECK(begin_case());
    CHECK_EQ(fv_file_write(ctx, in("a0"), "old", 3), FV_OK);
    for (int round = 0; round < 3; round++) {
        const int n = round == 0 ? 1 : round == 1 ? 60 : MANY;
        for (int i = 0; i < n; i++) {
            snprintf(name, sizeof name, "a%d", i);
            CHECK_EQ(fvi_writer_open(ctx, in(name), &w[i]), FV_OK);
        }
        CHECK_EQ(entries(folder), 1 + n);
        fv_files_discard();
        CHECK(n == MANY ? entries(folder) < 10 : entries(folder) == 1);
        fv_files_discard();
        for (int i = 0; i < n; i++) {
            if (i % 2) fvi_writer_abort(w[i]);
            else CHECK_EQ(fvi_writer_commit(w[i]), i < 64 ? FV_ERROR_IO : FV_OK);
        }
        CHECK(holds(in("a0"), "old"));
    }
    CHECK_EQ(fv_file_write(ctx, in("a0"), "new", 3), FV_OK);
    fv_files_discard();
    CHECK(holds(in("a0"), "new"));
    end_case();
}

/* In a process of its own. The message names file and limit; a file that only grows keeps whole records. */
static void limit_of_sizes(void)
{
    CHECK(begin_case());
    CHECK_EQ(fvi_file_write(ctx, in("a"), "old", 3), FV_OK);
    fflush(stdout);
    const pid_t child = fork();
    if (child == 0) {
        static const char many[20000];
        const struct rlimit limit = {10000, 10000};
        int fd, wrong = 0;
        signal(SIGXFSZ, SIG_IGN);
        if (setrlimit(RLIMIT_FSIZE, &limit) != 0) _exit(77);
        wrong += fvi_file_write(ctx, in("a"), many, sizeof many) != FV_ERROR_IO;
        wrong += !strstr(fv_error_message(ctx), "/a: no file may be larger than 10000 bytes here (ulimit -f)");
        wrong += fvi_file_put(ctx, in("b"), many, sizeof many) != FV_ERROR_IO;
        wrong += !strstr(fv_error_message(ctx), "10000 bytes here");
        wrong += fvi_append_create(ctx, in("c"), &fd) != FV_OK || fvi_append(ctx, fd, in("c"), many, 9000) != FV_OK;
        wrong += fvi_append(ctx, fd, in("c"), many, 9000) != FV_ERROR_IO;
        wrong += !strstr(fv_error_message(ctx), "10000 bytes here");
        _exit(wrong);
    }
    int code = 0;
    CHECK(child > 0 && waitpid(child, &code, 0) == child);
    CHECK(WIFEXITED(code) && WEXITSTATUS(code) == 0);
    struct stat info;
    CHECK(holds(in("a"), "old") && entries(folder) == 3);
    CHECK(stat(in("c"), &info) == 0 && info.st_size == 9000);
    end_case();
}

/* In a process of its own, as another user where we are root, who may write everywhere. */
static void read_only_folder(void)
{
    CHECK(begin_case());
    CHECK_EQ(fvi_file_write(ctx, in("a"), "old", 3), FV_OK);
    CHECK_EQ(chmod(folder, 0555), 0);
    fflush(stdout);
    const pid_t child = fork();
    if (child == 0) {
        if (geteuid() == 0 && setuid(65534) != 0) _exit(77);
        if (access(folder, R_OK | X_OK) != 0) _exit(77);
        const fv_status status = fvi_file_write(ctx, in("a"), "new", 3);
        _exit(status == FV_ERROR_IO && strstr(fv_error_message(ctx), "Permission denied") ? 0 : 1);
    }
    int code = 0;
    CHECK(child > 0 && waitpid(child, &code, 0) == child);
    const bool kept = holds(in("a"), "old") && entries(folder) == 1;
    CHECK_EQ(chmod(folder, 0755), 0);
    end_case();
    if (WIFEXITED(code) && WEXITSTATUS(code) == 77) SKIP("the test's folder is closed to other users");
    CHECK(WIFEXITED(code) && WEXITSTATUS(code) == 0);
    CHECK(kept);
}

static void folders(void)
{
    CHECK(begin_case());
    CHECK_EQ(fvi_make_dirs(ctx, in("x/y//z/")), FV_OK);
    CHECK(fvi_is_dir(in("x/y/z")));
    CHECK_EQ(fvi_make_dirs(ctx, in("x/y/z")), FV_OK);
    CHECK_EQ(fvi_make_dirs(ctx, "/"), FV_OK);
    CHECK_EQ(fvi_make_dirs(ctx, "."), FV_OK);
    CHECK_EQ(fvi_file_write(ctx, in("x/file"), "", 0), FV_OK);
    CHECK_EQ(fvi_make_dirs(ctx, in("x/file")), FV_ERROR_IO);
    CHECK_HAS(fv_error_message(ctx), "x/file: a file of that name is there");
    CHECK_EQ(fvi_make_dirs(ctx, in("x/file/below")), FV_ERROR_IO);
    CHECK(fvi_file_exists(in("x/file")) && !fvi_is_dir(in("x/file")) && !fvi_file_exists(in("nothing")));
    end_case();
}

static void paths(void)
{
    static const struct { const char *a, *b, *joined; } joins[] = {
        {"a", "b", "a/b"}, {"a/", "b", "a/b"}, {"a", "/b", "/b"}, {"", "b", "b"}, {"/", "b", "/b"}};
    static const struct { const char *path, *dir, *base; } parts[] = {
        {"a", ".", "a"}, {"a/b", "a", "b"}, {"/a", "/", "a"}, {"/", "/", ""}, {"a/b/", "a", ""}, {"a//b", "a", "b"}, {"", ".", ""}, {"/a/b.c", "/a", "b.c"}};
    for (int i = 0; i < FVI_COUNT(joins); i++) {
        char *s = fvi_path_join(joins[i].a, joins[i].b);
        CHECK_STR(s, joins[i].joined);
        fvi_free(s);
    }
    for (int i = 0; i < FVI_COUNT(parts); i++) {
        char *s = fvi_path_dir(parts[i].path);
        CHECK_STR(s, parts[i].dir);
        fvi_free(s);
        CHECK_STR(fvi_path_base(parts[i].path), parts[i].base);
    }
    char *cwd = getcwd(NULL, 0), wanted[4200];
    char *s = fvi_path_absolute("x//./y/");
    snprintf(wanted, sizeof wanted, "%s/x/y", cwd);
    CHECK_STR(s, wanted);
    fvi_free(s);
    s = fvi_path_absolute("/usr/../usr/./lib");
    CHECK(s && s[0] == '/' && !strstr(s, ".."));
    fvi_free(s);
    s = fvi_path_absolute("/");
    CHECK_STR(s, "/");
    fvi_free(s);
    s = fvi_path_absolute("/none/../x");
    CHECK_STR(s, "/none/../x");
    fvi_free(s);
    free(cwd);
}

/* In a process of its own. A current folder that was deleted is no lack of memory. */
static void folder_that_is_gone(void)
{
    CHECK(begin_case());
    CHECK_EQ(mkdir(in("gone"), 0777), 0);
    char *there = fvi_path_absolute(in("gone"));
    fflush(stdout);
    const pid_t child = fork();
    if (child == 0) {
        if (chdir(there) != 0 || rmdir(there) != 0) _exit(77);
        char *path = fvi_path_absolute("a/b");
        int wrong = !path || strcmp(path, "a/b") != 0;
        wrong += fvi_make_dirs(ctx, path) != FV_ERROR_IO;
        wrong += !strstr(fv_error_message(ctx), "cannot create the folder a: No such file");
        wrong += fvi_file_write(ctx, "a", "x", 1) != FV_ERROR_IO;
        wrong += !strstr(fv_error_message(ctx), "cannot create a: No such file");
        _exit(wrong);
    }
    int code = 0;
    CHECK(child > 0 && waitpid(child, &code, 0) == child);
    CHECK(WIFEXITED(code) && WEXITSTATUS(code) == 0);
    fvi_free(there);
    end_case();
}

TEST_MAIN(CASE(reading), CASE(mapping), CASE(writing_pieces), CASE(every_failure), CASE(interrupted_calls), CASE(out_of_memory),
          CASE(links_and_bad_targets), CASE(discarded), CASE(limit_of_sizes), CASE(read_only_folder), CASE(folders),
          CASE(paths), CASE(folder_that_is_gone))
