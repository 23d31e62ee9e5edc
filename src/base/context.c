/* SPDX-License-Identifier: Apache-2.0 */
/* The context: the last error with its chain of places, the log callback, the number of compute threads. Nothing here
 * allocates after fv_context_create, so every failure can be reported. Texts that do not fit are cut between
 * characters. */
#include "base/context.h"

#include "base/thread.h"

#include <stdio.h>
#include <stdlib.h>

fv_context *fv_context_create(void)
{
    fv_context *ctx = fvi_calloc(1, sizeof *ctx);
    if (!ctx) return NULL;
    pthread_mutexattr_t recursive;
    pthread_mutexattr_init(&recursive);
    pthread_mutexattr_settype(&recursive, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&ctx->lock, NULL);
    pthread_mutex_init(&ctx->log_lock, &recursive);
    pthread_mutexattr_destroy(&recursive);
    return ctx;
}

void fv_context_destroy(fv_context *ctx)
{
    if (!ctx) return;
    pthread_mutex_destroy(&ctx->log_lock);
    pthread_mutex_destroy(&ctx->lock);
    fvi_free(ctx);
}

void fv_context_set_threads(fv_context *ctx, int threads)
{
    ctx->threads = FVI_MAX(threads, 0);
}

int fv_context_threads(const fv_context *ctx)
{
    return ctx->threads > 0 ? ctx->threads : fvi_cpu_count();
}

/* ---- log --------------------------------------------------------------------------------------------------------- */

void fv_context_set_log(fv_context *ctx, fv_log_fn *fn, void *user)
{
    pthread_mutex_lock(&ctx->log_lock);
    ctx->log = fn;
    ctx->log_user = user;
    pthread_mutex_unlock(&ctx->log_lock);
}

/* Ends `s` before a character that was cut in the middle. */
static void trim_partial_character(char *s)
{
    size_t n = strlen(s), start = n;
    while (start > 0 && n - start < 4 && ((unsigned char)s[start - 1] & 0xC0) == 0x80) start--;
    if (start > 0 && ((unsigned char)s[start - 1] & 0xC0) == 0xC0) start--;
    if (start < n && !fvi_utf8_next(s + start, n - start, NULL)) s[start] = 0;
}

FV_PRINTF(3, 0) static void format_into(char *out, size_t room, const char *fmt, va_list args)
{
    int n = fvi_vprint(out, room, fmt, args);
    if (n < 0) snprintf(out, room, "(message cannot be formatted: %.100s)", fmt);
    else if ((size_t)n >= room) trim_partial_character(out);
}

void fvi_log(fv_context *ctx, fv_log_level level, const char *fmt, ...)
{
    if (!ctx) return;
    pthread_mutex_lock(&ctx->log_lock);
    if (ctx->log) {
        char text[FVI_MESSAGE_BYTES];
        va_list args;
        va_start(args, fmt);
        format_into(text, sizeof text, fmt, args);
        va_end(args);
        ctx->log(ctx->log_user, level, text);
    }
    pthread_mutex_unlock(&ctx->log_lock);
}

/* ---- the last error ---------------------------------------------------------------------------------------------- */

/* Adds a place to ctx->text; when there is no room, the outermost places are left out. The lock is held. */
static void add_place(fv_context *ctx, const char *file, int line)
{
    size_t used = strlen(ctx->text), room = sizeof ctx->text - used;
    int n = snprintf(ctx->text + used, room, "\n  at %s:%d", file, line);
    if (n < 0 || (size_t)n >= room) ctx->text[used] = 0;
}

fv_status fvi_fail_at(fv_context *ctx, fv_status status, const char *file, int line, const char *fmt, ...)
{
    if (!ctx) return status;
    va_list args;
    va_start(args, fmt);
    char message[FVI_MESSAGE_BYTES];                  /* fmt's arguments may point into ctx->message */
    format_into(message, sizeof message, fmt, args);
    va_end(args);
    pthread_mutex_lock(&ctx->lock);
    ctx->status = status;
    memcpy(ctx->message, message, sizeof message);
    memcpy(ctx->text, message, sizeof message);
    add_place(ctx, file, line);
    pthread_mutex_unlock(&ctx->lock);
    return status;
}

void fvi_error_prefix(fv_context *ctx, const char *fmt, ...)
{
    if (!ctx) return;
    va_list args;
    va_start(args, fmt);
    char prefix[FVI_MESSAGE_BYTES];
    format_into(prefix, sizeof prefix, fmt, args);
    va_end(args);
    pthread_mutex_lock(&ctx->lock);
    char chain[FVI_CHAIN_BYTES], message[FVI_MESSAGE_BYTES];
    snprintf(chain, sizeof chain, "%s", ctx->text + strlen(ctx->message));
    size_t head = strlen(prefix), room = sizeof message - head;
    memcpy(message, prefix, head);
    int n = snprintf(message + head, room, "%s", ctx->message);
    if (n < 0 || (size_t)n >= room) trim_partial_character(message);
    memcpy(ctx->message, message, strlen(message) + 1);
    snprintf(ctx->text, sizeof ctx->text, "%s%s", message, chain);
    pthread_mutex_unlock(&ctx->lock);
}

void fvi_error_place(fv_context *ctx, const char *file, int line)
{
    if (!ctx) return;
    pthread_mutex_lock(&ctx->lock);
    if (ctx->status != FV_OK) add_place(ctx, file, line);
    pthread_mutex_unlock(&ctx->lock);
}

void fvi_error_clear(fv_context *ctx)
{
    if (!ctx) return;
    pthread_mutex_lock(&ctx->lock);
    ctx->status = FV_OK;
    ctx->message[0] = ctx->text[0] = 0;
    pthread_mutex_unlock(&ctx->lock);
}

const char *fv_error_text(const fv_context *ctx)
{
    return ctx ? ctx->text : fv_status_text(FV_ERROR_NOMEM);
}

const char *fv_error_message(const fv_context *ctx)
{
    return ctx ? ctx->message : fv_status_text(FV_ERROR_NOMEM);
}

fv_status fv_error_status(const fv_context *ctx)
{
    return ctx ? ctx->status : FV_ERROR_NOMEM;
}
