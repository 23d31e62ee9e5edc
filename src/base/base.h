/* SPDX-License-Identifier: Apache-2.0 */
/* Floor 0: status with message and chain, allocation, arena, hashing, text helpers. Depends on nothing of ours. */
#ifndef FVI_BASE_H
#define FVI_BASE_H

#include "fovea/base.h"

#include <stdarg.h>
#include <string.h>

#define FVI_COUNT(a) ((int)(sizeof(a) / sizeof((a)[0])))
#define FVI_MIN(a, b) ((a) < (b) ? (a) : (b))
#define FVI_MAX(a, b) ((a) > (b) ? (a) : (b))
#define FVI_ALIGN_UP(x, a) (((x) + (a) - 1) / (a) * (a))
#define FVI_ALIGNMENT ((size_t)64)

/* ---- errors -------------------------------------------------------------------------------------------------- */

/* Records an error (message of at most 4 KiB, place) in the context and returns `status`; it replaces an earlier
 * error. A NULL context only returns. Code that hands a failure on uses FVI_TRY, which only adds its place, so the first
 * message of a failing call stays. Never allocates. */
#define fvi_fail(ctx, status, ...) fvi_fail_at((ctx), (status), __FILE__, __LINE__, __VA_ARGS__)
FV_CHECKED fv_status fvi_fail_at(fv_context *ctx, fv_status status, const char *file, int line, const char *fmt, ...)
    FV_PRINTF(5, 6);
/* Puts text in front of the current message ("resume: <message>"). */
void fvi_error_prefix(fv_context *ctx, const char *fmt, ...) FV_PRINTF(2, 3);
/* Adds file:line to the chain of the current error. */
void fvi_error_place(fv_context *ctx, const char *file, int line);
void fvi_error_clear(fv_context *ctx);

#define fvi_nomem(ctx) fvi_fail((ctx), FV_ERROR_NOMEM, "out of memory")
/* Every early return out of a function that owns something goes through `goto done`. */
#define FVI_TRY(ctx, expr)                                         \
    do {                                                           \
        fv_status fvi_try_status = (expr);                         \
        if (fvi_try_status != FV_OK) {                             \
            fvi_error_place((ctx), __FILE__, __LINE__);            \
            return fvi_try_status;                                 \
        }                                                          \
    } while (0)
/* The same with `status = ...; goto done;` */
#define FVI_TRY_DONE(ctx, status, expr)                            \
    do {                                                           \
        (status) = (expr);                                         \
        if ((status) != FV_OK) {                                   \
            fvi_error_place((ctx), __FILE__, __LINE__);            \
            goto done;                                             \
        }                                                          \
    } while (0)
/* A bug of ours, never user input. Returns INTERNAL with the condition's text. */
#define FVI_ASSERT(ctx, cond)                                                                         \
    do {                                                                                              \
        if (!(cond)) return fvi_fail((ctx), FV_ERROR_INTERNAL, "internal check failed: %s", #cond);   \
    } while (0)

void fvi_log(fv_context *ctx, fv_log_level level, const char *fmt, ...) FV_PRINTF(3, 4);

/* ---- memory -------------------------------------------------------------------------------------------------- */

/* All host memory of the library. NULL on failure (the caller reports). Zero bytes give a valid pointer. */
void *fvi_malloc(size_t bytes);
void *fvi_calloc(size_t count, size_t size);               /* checks the product */
void *fvi_realloc(void *p, size_t bytes);
void fvi_free(void *p);
/* 64-byte aligned, zeroed lazily by the kernel where large. Free with fvi_free_aligned. */
void *fvi_malloc_aligned(size_t bytes);
void fvi_free_aligned(void *p, size_t bytes);
char *fvi_strdup(const char *s);
char *fvi_format(const char *fmt, ...) FV_PRINTF(1, 2);    /* owned by the caller; NULL on failure */
char *fvi_format_v(const char *fmt, va_list args) FV_PRINTF(1, 0);

/* For tests: the n-th allocation from now on fails, once (0 = off); number of allocations of the process so far. */
void fvi_memory_set_fault(int64_t nth);
int64_t fvi_memory_count(void);
/* Allocations of this thread that failed so far: tells "there is no such kernel" from "there was no memory to look". */
int64_t fvi_memory_failures(void);

/* Bump allocator in chunks; everything is freed at once. Memory is zeroed, aligned to 16. */
typedef struct fvi_arena { struct fvi_arena_chunk *head; size_t total; } fvi_arena;
void *fvi_arena_alloc(fvi_arena *a, size_t bytes);         /* NULL on failure */
char *fvi_arena_strdup(fvi_arena *a, const char *s);
char *fvi_arena_format(fvi_arena *a, const char *fmt, ...) FV_PRINTF(2, 3);
char *fvi_arena_vformat(fvi_arena *a, const char *fmt, va_list args) FV_PRINTF(2, 0);
void fvi_arena_free(fvi_arena *a);
/* Room for n items: the array `few` where they fit, else memory of the arena (NULL on failure). */
#define FVI_ROOM(arena, few, n) \
    ((n) <= FVI_COUNT(few) ? (void *)(few) : fvi_arena_alloc((arena), sizeof *(few) * (size_t)(n)))

/* Growing array: `items`, `count`, `capacity` fields in any struct. Evaluates to false when memory is exhausted. */
#define FVI_PUSH(vec, item)                                                                                         \
    (((vec)->count < (vec)->capacity ||                                                                             \
      fvi_grow(&(vec)->items, &(vec)->capacity, sizeof *(vec)->items))                                              \
         ? ((vec)->items[(vec)->count++] = (item), true)                                                            \
         : false)
bool fvi_grow(void *items, int *capacity, size_t size);    /* items: address of the pointer */

/* Checked arithmetic: false on overflow or negative operands. */
bool fvi_mul_i64(int64_t a, int64_t b, int64_t *out);
bool fvi_add_i64(int64_t a, int64_t b, int64_t *out);

/* ---- hashing and text ------------------------------------------------------------------------------------------ */

uint64_t fvi_hash64(const void *data, size_t bytes, uint64_t seed);   /* XXH3-64; stable across machines */
uint64_t fvi_hash_text(const char *s);
typedef struct fvi_hash_state fvi_hash_state;                          /* streaming XXH3-128 */
fvi_hash_state *fvi_hash_begin(void);                                  /* NULL when memory is exhausted */
void fvi_hash_update(fvi_hash_state *h, const void *data, size_t bytes);
void fvi_hash_end(fvi_hash_state *h, char hex[33]);                    /* also frees h; "" for NULL */

/* Levenshtein-nearest name of `names` (NULL-terminated list) to `word`; NULL when nothing is near. */
const char *fvi_nearest(const char *word, const char *const *names);
/* Shell-like pattern with '*' only. */
bool fvi_glob(const char *pattern, const char *text);
/* Bytes (1..4) of the valid UTF-8 sequence at s and its code point (may be NULL); 0 when malformed or cut. */
int fvi_utf8_next(const char *s, size_t bytes, uint32_t *code);
/* The same for names that differ only by blanks at the ends, letter case or the way letters are composed (NFC, NFD). */
uint64_t fvi_fold_hash(const char *name);
/* vsnprintf in the C locale. fvi_format, fvi_text_add, fvi_fail and their like go through it. */
int fvi_vprint(char *out, size_t room, const char *fmt, va_list args) FV_PRINTF(3, 0);
bool fvi_same_word(const char *a, const char *b);                      /* A is a, for letters of ASCII */
/* strtod and the shortest text that round-trips, in the C locale whatever the program's locale is. */
double fvi_parse_double(const char *s, const char **end);
void fvi_print_double(char out[32], double v);
double fvi_seconds(void);                                              /* monotonic clock */

#endif
