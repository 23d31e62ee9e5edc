/* SPDX-License-Identifier: Apache-2.0 */
/* Loading a kernel table and looking choices up. */
#include "compile/table.h"

#include "base/file.h"

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
    t->choices = (fvi_json *)(uintptr_t)choices;
    t->face.find = find;
    return FV_OK;
}

fv_status fvi_table_load(fv_context *ctx, const char *path, fvi_table *t)
{
    size_t bytes;
    FVI_TRY(ctx, fvi_file_read(ctx, path, 16 << 20, &t->text, &bytes));
    return fvi_table_parse(ctx, path, t->text, bytes, t);
}

void fvi_table_free(fvi_table *t)
{
    fvi_arena_free(&t->arena);
    fvi_free(t->text);
    memset(t, 0, sizeof *t);
}
