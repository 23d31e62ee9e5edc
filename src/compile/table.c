/* SPDX-License-Identifier: Apache-2.0 */
/* Loading a kernel table and looking choices up. */
#include "compile/table.h"

#include "base/file.h"
#include "base/thread.h"
#include "cpu/dnnl_shim.h"

#include <stdio.h>

static const char *find(const fvi_kernel_table *face, const char *op, const char *key)
{
    const fvi_table *t = (const fvi_table *)(const void *)face;
    const fvi_json *v = fvi_json_get(fvi_json_get(t->choices, op), key);
    return v && v->kind == FVI_JSON_STRING ? v->string : NULL;
}

fv_status fvi_table_parse(fv_context *ctx, const char *name, const char *text, size_t bytes, fvi_table *t)
{
    fvi_json *root = NULL;
    FVI_TRY(ctx, fvi_json_parse(ctx, &t->arena, name, text, bytes, false, &root));
    const fvi_json *choices = fvi_json_get(root, "choices");
    if (!choices || choices->kind != FVI_JSON_OBJECT) return fvi_fail(ctx, FV_ERROR_FORMAT, "%s: no object \"choices\": not a kernel table", name);
    t->root = root;
    t->choices = choices;
    t->face.find = find;
    return FV_OK;
}

/* A table of another machine is used all the same, its choices are valid anywhere: they may only be slower. Keys hold
 * the number of threads, so a table for other threads says nothing. */
static void note_difference(fv_context *ctx, const char *path, const fvi_json *root, const char *key, const char *here)
{
    const fvi_json *v = fvi_json_get(root, key);
    if (v && v->kind == FVI_JSON_STRING && strcmp(v->string, here))
        fvi_log(ctx, FV_LOG_WARN, "%s was made for %s \"%s\", this is \"%s\": make one here with `fovea tune`", path, key, v->string, here);
}

fv_status fvi_table_load(fv_context *ctx, const char *path, fvi_table *t)
{
    size_t bytes;
    char library[64];
    const int threads = fv_context_threads(ctx);
    FVI_TRY(ctx, fvi_file_read(ctx, path, 16 << 20, &t->text, &bytes));
    FVI_TRY(ctx, fvi_table_parse(ctx, path, t->text, bytes, t));
    snprintf(library, sizeof library, "oneDNN %s", fvi_dnnl_version());
    note_difference(ctx, path, t->root, "cpu", fvi_cpu_model());
    note_difference(ctx, path, t->root, "library", library);
    const fvi_json *n = fvi_json_get(t->root, "threads");
    if (n && n->is_integer && n->integer != threads)
        fvi_log(ctx, FV_LOG_WARN, "%s was made for %d threads, there are %d: its choices do not apply", path, (int)n->integer, threads);
    return FV_OK;
}

void fvi_table_free(fvi_table *t)
{
    fvi_arena_free(&t->arena);
    fvi_free(t->text);
    memset(t, 0, sizeof *t);
}
