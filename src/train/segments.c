/* SPDX-License-Identifier: Apache-2.0 */
/* segments.json: from which step on a run was trained with which changes. */
#include "base/file.h"
#include "train/run.h"

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
static fv_status add_earlier(fvi_run *r, const char *path, int64_t step, const char *changes, fvi_text *t)
{
    fvi_arena arena = {0};
    fvi_json *root = NULL;
    char *text = NULL;
    size_t bytes;
    fv_status status = fvi_file_read(r->ctx, path, 16 << 20, &text, &bytes);
    if (status == FV_OK) status = fvi_json_parse(r->ctx, &arena, path, text, bytes, false, &root);
    if (status == FV_OK && root->kind == FVI_JSON_ARRAY) {
        for (const fvi_json *v = root->child; v; v = v->next) {
            if (!v->next && is_same(&arena, v, step, changes)) continue;     /* of a process that was killed before it could begin */
            fvi_text_add(t, "%s\n  ", t->length > 1 ? "," : "");
            fvi_text_json(t, v, 0);
        }
    } else if (status != FV_ERROR_NOMEM) {
        fvi_log(r->ctx, FV_LOG_WARN, "%s: %s; the list is begun anew", path, status == FV_OK ? "no list" : fv_error_message(r->ctx));
        fvi_error_clear(r->ctx);
        status = FV_OK;
    }
    fvi_free(text);
    fvi_arena_free(&arena);
    return status;
}

fv_status fvi_run_add_segment(fvi_run *r, const fv_config *c, int64_t step)
{
    fvi_text t = {0};
    char *path = fvi_path_join(r->path, "segments.json"), *changes = NULL;
    fv_status status = path ? FV_OK : fvi_nomem(r->ctx);
    fvi_text_add(&t, "[");
    if (status == FV_OK && !(changes = r->before ? fvi_config_difference_json(r->before, c) : fvi_strdup("{}"))) status = fvi_nomem(r->ctx);
    if (status == FV_OK && r->exists && fvi_file_exists(path)) status = add_earlier(r, path, step, changes, &t);
    if (status == FV_OK) {
        fvi_text_add(&t, "%s\n  {\"step\":%lld,\"command\":", t.length > 1 ? "," : "", (long long)step);
        fvi_text_json_string(&t, c->command);
        fvi_text_add(&t, ",\"changes\":%s}\n]\n", changes);
        status = fvi_run_write(r, "segments.json", fvi_text_take(&t));
    } else {
        fvi_text_free(&t);
    }
    fvi_free(changes);
    fvi_free(path);
    return status;
}
