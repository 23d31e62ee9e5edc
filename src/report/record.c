/* SPDX-License-Identifier: Apache-2.0 */
/* evaluation.json. The confusion matrix is kept as three lists of equal length (truth, predicted, count), which stays small
 * with a thousand classes and is what scipy.sparse.coo_matrix takes. */
#include "report/record.h"

#include <math.h>

#define PNG_URI "data:image/png;base64,"
enum { MAX_CLASSES = 10000, MAX_MISTAKES = 4096 };

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

char *fvi_png_uri(const uint8_t *png, size_t bytes)
{
    size_t head = sizeof PNG_URI - 1;
    char *text = fvi_malloc(head + (bytes + 2) / 3 * 4 + 1), *out = text;
    if (!text) return NULL;
    memcpy(out, PNG_URI, head);
    out += head;
    for (size_t i = 0; i < bytes; i += 3) {
        uint32_t v = (uint32_t)png[i] << 16 | (i + 1 < bytes ? (uint32_t)png[i + 1] << 8 : 0) | (i + 2 < bytes ? png[i + 2] : 0);
        *out++ = alphabet[v >> 18];
        *out++ = alphabet[v >> 12 & 63];
        *out++ = i + 1 < bytes ? alphabet[v >> 6 & 63] : '=';
        *out++ = i + 2 < bytes ? alphabet[v & 63] : '=';
    }
    *out = 0;
    return text;
}

/* ---- writing ---------------------------------------------------------------------------------------------------------- */

typedef enum part { TRUTH, PREDICTED, COUNT } part;

static void add_counts(fvi_text *t, const fvi_record *r, part p)
{
    bool first = true;
    fvi_text_add(t, "[");
    for (int64_t i = 0; i < r->classes; i++)
        for (int64_t k = 0; k < r->classes; k++) {
            int64_t n = r->counts[i * r->classes + k];
            if (!n) continue;
            fvi_text_add(t, "%s%lld", first ? "" : ",", (long long)(p == TRUTH ? i : p == PREDICTED ? k : n));
            first = false;
        }
    fvi_text_add(t, "]");
}

static void add_mistake(fvi_text *t, const fvi_record_mistake *m)
{
    fvi_text_add(t, "{\"name\": ");
    fvi_text_json_string(t, m->name);
    fvi_text_add(t, ", \"id\": %lld, \"truth\": %lld, \"predicted\": %lld, \"probability\": ", (long long)m->id, (long long)m->truth,
                 (long long)m->predicted);
    fvi_text_json_number(t, m->probability);
    fvi_text_add(t, ", \"truth_probability\": ");
    fvi_text_json_number(t, m->truth_probability);
    fvi_text_add(t, ", \"loss\": ");
    fvi_text_json_number(t, m->loss);
    if (m->picture) {
        fvi_text_add(t, ", \"width\": %lld, \"height\": %lld, \"picture\": \"", (long long)m->width, (long long)m->height);
        fvi_text_raw(t, m->picture, strlen(m->picture));
        fvi_text_add(t, "\"");
    }
    fvi_text_add(t, "}");
}

char *fvi_record_text(const fvi_record *r)
{
    fvi_text t = {0};
    fvi_text_add(&t, "{\n  \"split\": ");
    fvi_text_json_string(&t, r->split);
    fvi_text_add(&t, ",\n  \"data\": ");
    fvi_text_json_string(&t, r->data);
    fvi_text_add(&t, ",\n  \"step\": %lld,\n  \"ema\": %s,\n  \"samples\": %lld,\n  \"metrics\": {", (long long)r->step, r->ema ? "true" : "false",
                 (long long)r->samples);
    for (int i = 0; i < r->n_metrics; i++) {
        fvi_text_add(&t, "%s", i ? ", " : "");
        fvi_text_json_string(&t, r->metrics[i].name);
        fvi_text_add(&t, ": ");
        fvi_text_json_number(&t, r->metrics[i].value);
    }
    fvi_text_add(&t, "},\n  \"classes\": [");
    for (int64_t k = 0; k < r->classes; k++) {
        fvi_text_add(&t, "%s", k ? ", " : "");
        fvi_text_json_string(&t, r->names[k]);
    }
    fvi_text_add(&t, "],\n  \"confusion\": {\"truth\": ");
    add_counts(&t, r, TRUTH);
    fvi_text_add(&t, ",\n    \"predicted\": ");
    add_counts(&t, r, PREDICTED);
    fvi_text_add(&t, ",\n    \"count\": ");
    add_counts(&t, r, COUNT);
    fvi_text_add(&t, "},\n  \"mistakes\": [");
    for (int i = 0; i < r->n_mistakes; i++) {
        fvi_text_add(&t, "%s\n    ", i ? "," : "");
        add_mistake(&t, &r->mistakes[i]);
    }
    fvi_text_add(&t, "%s]\n}\n", r->n_mistakes ? "\n  " : "");
    return fvi_text_take(&t);
}

/* ---- reading ---------------------------------------------------------------------------------------------------------- */

typedef struct parser { fv_context *ctx; const char *name; fvi_arena *arena; fvi_record *out; } parser;

FV_CHECKED static fv_status fail(const parser *p, const fvi_json *at, const char *what)
{
    return fvi_fail(p->ctx, FV_ERROR_FORMAT, "%s:%d: %s", p->name, at ? at->line : 1, what);
}

static const char *text_of(const fvi_json *object, const char *key)
{
    const fvi_json *v = fvi_json_get(object, key);
    return v && v->kind == FVI_JSON_STRING ? v->string : NULL;
}

static int64_t integer_of(const fvi_json *object, const char *key)
{
    const fvi_json *v = fvi_json_get(object, key);
    return v && v->is_integer ? v->integer : -1;
}

static double number_of(const fvi_json *object, const char *key)
{
    const fvi_json *v = fvi_json_get(object, key);
    return v && v->kind == FVI_JSON_NUMBER ? v->number : (double)NAN;
}

static const fvi_json *list_of(const fvi_json *object, const char *key)
{
    const fvi_json *v = fvi_json_get(object, key);
    return v && v->kind == FVI_JSON_ARRAY ? v : NULL;
}

static fv_status parse_classes(const parser *p, const fvi_json *root)
{
    const fvi_json *list = list_of(root, "classes");
    if (!list || list->count < 1 || list->count > MAX_CLASSES) return fail(p, list, "no list of 1 to 10000 \"classes\"");
    const char **names = fvi_arena_alloc(p->arena, (size_t)list->count * sizeof *names);
    if (!names) return fvi_nomem(p->ctx);
    int n = 0;
    for (const fvi_json *v = list->child; v; v = v->next) {
        if (v->kind != FVI_JSON_STRING) return fail(p, v, "a class name is a text");
        names[n++] = v->string;
    }
    p->out->names = names;
    p->out->classes = n;
    return FV_OK;
}

static fv_status parse_counts(const parser *p, const fvi_json *root)
{
    const fvi_json *c = fvi_json_get(root, "confusion");
    const fvi_json *truth = list_of(c, "truth"), *predicted = list_of(c, "predicted"), *count = list_of(c, "count");
    int64_t classes = p->out->classes, total = 0;
    if (!truth || !predicted || !count || truth->count != predicted->count || truth->count != count->count)
        return fail(p, c, "\"confusion\" has not three lists of one length");
    int64_t *counts = fvi_arena_alloc(p->arena, (size_t)(classes * classes) * sizeof *counts);
    if (!counts) return fvi_nomem(p->ctx);
    const fvi_json *t = truth->child, *k = predicted->child, *n = count->child;
    for (; t; t = t->next, k = k->next, n = n->next) {
        if (!t->is_integer || !k->is_integer || !n->is_integer || t->integer < 0 || t->integer >= classes ||
            k->integer < 0 || k->integer >= classes || n->integer < 0 || !fvi_add_i64(total, n->integer, &total))
            return fail(p, t, "\"confusion\" holds an impossible number");
        counts[t->integer * classes + k->integer] = n->integer;
    }
    p->out->counts = counts;
    return FV_OK;
}

static fv_status parse_metrics(const parser *p, const fvi_json *root)
{
    const fvi_json *object = fvi_json_get(root, "metrics");
    if (!object || object->kind != FVI_JSON_OBJECT) return FV_OK;
    fvi_record_metric *m = fvi_arena_alloc(p->arena, (size_t)object->count * sizeof *m);
    if (!m) return fvi_nomem(p->ctx);
    for (const fvi_json *v = object->child; v; v = v->next)
        if (v->kind == FVI_JSON_NUMBER) m[p->out->n_metrics++] = (fvi_record_metric){v->key, v->number};
    p->out->metrics = m;
    return FV_OK;
}

/* Nothing but base64 behind the head: the text goes into an attribute of a page. */
static bool is_picture(const char *uri)
{
    size_t head = sizeof PNG_URI - 1;
    if (strncmp(uri, PNG_URI, head) != 0) return false;
    size_t body = strspn(uri + head, alphabet), pad = strspn(uri + head + body, "=");
    return pad <= 2 && uri[head + body + pad] == 0;
}

static fv_status parse_mistake(const parser *p, const fvi_json *v, fvi_record_mistake *m)
{
    *m = (fvi_record_mistake){.name = text_of(v, "name"), .id = integer_of(v, "id"), .truth = integer_of(v, "truth"),
                              .predicted = integer_of(v, "predicted"), .probability = number_of(v, "probability"),
                              .truth_probability = number_of(v, "truth_probability"), .loss = number_of(v, "loss"), .picture = text_of(v, "picture"),
                              .width = integer_of(v, "width"), .height = integer_of(v, "height")};
    if (m->truth < 0 || m->truth >= p->out->classes || m->predicted < 0 || m->predicted >= p->out->classes)
        return fail(p, v, "a mistake between classes that do not exist");
    if (m->picture && (!is_picture(m->picture) || m->width < 1 || m->height < 1 || m->width > 65500 || m->height > 65500))
        return fail(p, v, "a picture that is no PNG data");
    if (!m->name) m->name = "";
    return FV_OK;
}

static fv_status parse_mistakes(const parser *p, const fvi_json *root)
{
    const fvi_json *list = list_of(root, "mistakes");
    if (!list) return FV_OK;
    if (list->count > MAX_MISTAKES) return fail(p, list, "more than 4096 mistakes");
    fvi_record_mistake *m = fvi_arena_alloc(p->arena, (size_t)list->count * sizeof *m);
    if (!m) return fvi_nomem(p->ctx);
    for (const fvi_json *v = list->child; v; v = v->next) FVI_TRY(p->ctx, parse_mistake(p, v, &m[p->out->n_mistakes++]));
    p->out->mistakes = m;
    return FV_OK;
}

fv_status fvi_record_parse(fv_context *ctx, const char *name, const char *text, size_t bytes, fvi_arena *arena, fvi_record *out)
{
    fvi_json *root;
    parser p = {ctx, name, arena, out};
    *out = (fvi_record){0};
    FVI_TRY(ctx, fvi_json_parse(ctx, arena, name, text, bytes, false, &root));
    if (root->kind != FVI_JSON_OBJECT) return fail(&p, root, "not an evaluation");
    FVI_TRY(ctx, parse_classes(&p, root));
    FVI_TRY(ctx, parse_counts(&p, root));
    FVI_TRY(ctx, parse_metrics(&p, root));
    FVI_TRY(ctx, parse_mistakes(&p, root));
    out->split = text_of(root, "split") ? text_of(root, "split") : "val";
    out->data = text_of(root, "data");
    out->step = integer_of(root, "step");
    out->samples = integer_of(root, "samples");
    const fvi_json *ema = fvi_json_get(root, "ema");
    out->ema = ema && ema->kind == FVI_JSON_BOOL && ema->number != 0;
    return FV_OK;
}
