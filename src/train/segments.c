/* SPDX-License-Identifier: Apache-2.0 */
/* segments.json: from which step on a run was trained with which changes. */
#include "base/file.h"
#include "train/segments.h"

static bool is_same(fvi_arena *arena, const fvi_json *segment, int64_t step, const char *changes)
{
    const fvi_json *at = fvi_json_get(segment, "step"), *old = fvi_json_get(segment, "changes");
    fvi_json *now;
    if (!old || !at || !at->is_integer || at->integer != step || fvi_json_parse(NULL, arena, "", changes, strlen(changes), false, &now) != FV_OK) return false;
    fvi_text a = {0}, b = {0};
    fvi_text_json(&a, old, 0);
    fvi_text_json(&b, now, 0);
    char *x = fvi_text_take(&a), *y = fvi_text_take(&b);
    bool same = x && y && !strcmp(x, y);
    fvi_free(x);
    fvi_free(y);
    return same;
}

/* The earlier segments, each on its line. A file that cannot be read is no reason to stop a run: it is begun anew, and said. */
static fv_status add_earlier(fv_context *ctx, const char *path, int64_t step, const char *changes, fvi_text *t)
{
    fvi_arena arena = {0};
    fvi_json *root = NULL;
    char *text = NULL;
    size_t bytes;
    fv_status status = fvi_file_read(ctx, path, 16 << 20, &text, &bytes);
    if (status == FV_OK) status = fvi_json_parse(ctx, &arena, path, text, bytes, false, &root);
    if (status == FV_OK && root->kind == FVI_JSON_ARRAY) {
        for (const fvi_json *v = root->child; v; v = v->next) {
            if (!v->next && is_same(&arena, v, step, changes)) continue;     /* of a process that was killed before it could begin */
            fvi_text_add(t, "%s\n  ", t->length > 1 ? "," : "");
            fvi_text_json(t, v, 0);
        }
    } else if (status != FV_ERROR_NOMEM) {
        fvi_log(ctx, FV_LOG_WARN, "%s: %s; the list is begun anew", path, status == FV_OK ? "no list" : fv_error_message(ctx));
        fvi_error_clear(ctx);
        status = FV_OK;
    }
    fvi_free(text);
    fvi_arena_free(&arena);
    return status;
}

fv_status fvi_segments_text(const char *path, const fv_config *before, const fv_config *now, int64_t step, char **out)
{
    fvi_text t = {0};
    fv_status status = FV_OK;
    char *changes = before ? fvi_config_difference_json(before, now) : fvi_strdup("{}");
    *out = NULL;
    if (!changes) return fvi_nomem(now->ctx);
    fvi_text_add(&t, "[");
    if (before && fvi_file_exists(path)) status = add_earlier(now->ctx, path, step, changes, &t);
    fvi_text_add(&t, "%s\n  {\"step\":%lld,\"command\":", t.length > 1 ? "," : "", (long long)step);
    fvi_text_json_string(&t, now->command);
    fvi_text_add(&t, ",\"changes\":%s}\n]\n", changes);
    fvi_free(changes);
    if (status == FV_OK && !(*out = fvi_text_take(&t))) status = fvi_nomem(now->ctx);
    fvi_text_free(&t);
    return status;
}
