/* SPDX-License-Identifier: Apache-2.0 */
/* Fovea: status codes, context, error text, log, memory hooks. */
#ifndef FOVEA_BASE_H
#define FOVEA_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define FV_API __attribute__((visibility("default")))
#define FV_CHECKED __attribute__((warn_unused_result))
#define FV_PRINTF(a, b) __attribute__((format(printf, a, b)))
#else
#define FV_API
#define FV_CHECKED
#define FV_PRINTF(a, b)
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* X(name, number, text). Numbers are stable. */
#define FV_STATUS_LIST(X)                                   \
    X(OK, 0, "ok")                                          \
    X(ERROR_NOMEM, -1, "out of memory")                     \
    X(ERROR_INVALID, -2, "invalid argument")                \
    X(ERROR_SHAPE, -3, "shapes do not fit")                 \
    X(ERROR_IO, -4, "input/output error")                   \
    X(ERROR_FORMAT, -5, "malformed data")                   \
    X(ERROR_UNSUPPORTED, -6, "unsupported")                 \
    X(ERROR_DEVICE, -7, "device or kernel library failed")  \
    X(ERROR_NUMERIC, -8, "non-finite value")                \
    X(ERROR_CANCELED, -9, "interrupted")                    \
    X(ERROR_INTERNAL, -10, "internal error")                \
    X(ERROR_CONFIG, -11, "wrong configuration")

typedef enum fv_status {
#define FV_STATUS_ENUM(name, number, text) FV_##name = number,
    FV_STATUS_LIST(FV_STATUS_ENUM)
#undef FV_STATUS_ENUM
} fv_status;

/* Short constant text of a code; "unknown status" for any other number. */
FV_API const char *fv_status_text(fv_status status);

/* Element types. Sizes: fv_dtype_size. FV_BOOL is one byte, 0 or 1. */
typedef enum fv_dtype {
    FV_F32, FV_F64, FV_BF16, FV_F16, FV_I64, FV_I32, FV_U8, FV_BOOL, FV_DTYPE_COUNT
} fv_dtype;
FV_API size_t fv_dtype_size(fv_dtype dtype);              /* bytes of an element; 0: no such type */
FV_API const char *fv_dtype_name(fv_dtype dtype);         /* "f32", "bf16", ...; constant */
FV_API bool fv_dtype_is_float(fv_dtype dtype);

typedef struct fv_context fv_context;

typedef enum fv_log_level { FV_LOG_DEBUG, FV_LOG_INFO, FV_LOG_WARN, FV_LOG_ERROR } fv_log_level;
/* `text`: a line without its end, borrowed during the call. Never called by two threads at once. */
typedef void fv_log_fn(void *user, fv_log_level level, const char *text);

/* Creates a context. It owns the last error and the log callback; every other object belongs to one.
 * NULL only when memory is exhausted. Objects of one context may be used from one thread at a time. */
FV_API fv_context *fv_context_create(void);
FV_API void fv_context_destroy(fv_context *ctx);          /* NULL is allowed */
FV_API void fv_context_set_log(fv_context *ctx, fv_log_fn *fn, void *user);       /* NULL, as at first: nothing is told */
/* Compute threads for kernels; 0 = all cores the process may use. Takes effect for plans compiled afterwards. */
FV_API void fv_context_set_threads(fv_context *ctx, int threads);
FV_API int fv_context_threads(const fv_context *ctx);     /* how many that are; never 0 */

/* The last error: one line of what and how to mend it, then the chain of places. Borrowed until the next call. */
FV_API const char *fv_error_text(const fv_context *ctx);
/* Only the first line: without the chain. Borrowed until the next call. */
FV_API const char *fv_error_message(const fv_context *ctx);
FV_API fv_status fv_error_status(const fv_context *ctx);  /* its code; FV_OK: there was none */

/* A file that is there as a whole or as it was: written aside (`path`.tmp.PID), synced, renamed. */
FV_API fv_status fv_file_write(fv_context *ctx, const char *path, const void *data, size_t bytes) FV_CHECKED;
/* Removes what calls at work (of the library's too) have written aside so far; they fail then. For the handler of a
 * signal that ends the process: it may be called there. */
FV_API void fv_files_discard(void);

/* The word as a POSIX shell takes it, for command lines in messages: as it is, or quoted where it holds what a shell
 * reads. Into `out`; a word that has no room there stays as it is. */
#define FV_SHELL_ROOM 8192
FV_API const char *fv_shell_word(const char *word, char out[FV_SHELL_ROOM]);

FV_API const char *fv_version(void);                      /* "0.1.0"; constant */

#ifdef __cplusplus
}
#endif
#endif
