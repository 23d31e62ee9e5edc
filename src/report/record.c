/* SPDX-License-Identifier: Apache-2.0 */
/* evaluation.json: what every task has. The members that a task adds are its own affair. */
#include "report/record.h"

#include <math.h>

void fvi_record_begin(const fvi_record *r, fvi_text *t)
{
    fvi_text_add(t, "{\n  \"split\": ");
    fvi_text_json_string(t, r->split);
    fvi_text_add(t, ",\n  \"data\": ");
    fvi_text_json_string(t, r->data);
    fvi_text_add(t, ",\n  \"step\": %lld,\n  \"ema\": %s,\n  \"samples\": %lld,\n  \"metrics\": {", (long long)r->step, r->ema ? "true" : "false",
                 (long long)r->samples);
    for (int i = 0; i < r->n_metrics; i++) {
        fvi_text_add(t, "%s", i ? ", " : "");
        fvi_text_json_string(t, r->metrics[i].name);
        fvi_text_add(t, ": ");
        fvi_text_json_number(t, r->metrics[i].value);
    }
    fvi_text_add(t, "}");
}

void fvi_record_end(fvi_text *t)
{
    fvi_text_add(t, "\n}\n");
}

static int64_t integer_of(const fvi_json *object, const char *key)
{
    const fvi_json *v = fvi_json_get(object, key);
    return v && v->is_integer ? v->integer : -1;
}

static const char *text_of(const fvi_json *object, const char *key)
{
    const fvi_json *v = fvi_json_get(object, key);
    return v && v->kind == FVI_JSON_STRING ? v->string : NULL;
}

static fv_status parse_metrics(fv_context *ctx, const fvi_json *root, fvi_arena *arena, fvi_record *out)
{
    const fvi_json *object = fvi_json_get(root, "metrics");
    if (!object || object->kind != FVI_JSON_OBJECT) return FV_OK;
    fv_metric *m = fvi_arena_alloc(arena, (size_t)object->count * sizeof *m);
    if (!m) return fvi_nomem(ctx);
    for (const fvi_json *v = object->child; v; v = v->next)
        if (v->kind == FVI_JSON_NUMBER) m[out->n_metrics++] = (fv_metric){.name = v->key, .value = v->number};
    out->metrics = m;
    return FV_OK;
}

fv_status fvi_record_parse(fv_context *ctx, const char *name, const char *text, size_t bytes, fvi_arena *arena, fvi_record *out)
{
    fvi_json *root;
    *out = (fvi_record){0};
    FVI_TRY(ctx, fvi_json_parse(ctx, arena, name, text, bytes, false, &root));
    if (root->kind != FVI_JSON_OBJECT) return fvi_fail(ctx, FV_ERROR_FORMAT, "%s:%d: not an evaluation", name, root->line);
    FVI_TRY(ctx, parse_metrics(ctx, root, arena, out));
    out->root = root;
    out->split = text_of(root, "split") ? text_of(root, "split") : "val";
    out->data = text_of(root, "data");
    out->step = integer_of(root, "step");
    out->samples = integer_of(root, "samples");
    const fvi_json *ema = fvi_json_get(root, "ema");
    out->ema = ema && ema->kind == FVI_JSON_BOOL && ema->number != 0;
    return FV_OK;
}
