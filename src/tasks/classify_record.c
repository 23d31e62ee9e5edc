/* SPDX-License-Identifier: Apache-2.0 */
/* The classification section of evaluation.json. The confusion matrix is kept as three lists of equal length (truth, predicted, count),
 * which stays small with a thousand classes and is what scipy.sparse.coo_matrix takes. */
#include "base/json.h"
#include "page/picture.h"
#include "tasks/classify.h"

#include <math.h>

enum { MAX_CLASSES = 10000, MAX_MISTAKES = 4096 };

/* ---- writing ---------------------------------------------------------------------------------------------------------- */

typedef enum part { TRUTH, PREDICTED, COUNT } part;

static void add_counts(fv_text *t, const fvi_class_record *r, part p)
{
    bool first = true;
    fv_text_add(t, "[");
    for (int64_t i = 0; i < r->classes; i++)
        for (int64_t k = 0; k < r->classes; k++) {
            int64_t n = r->counts[i * r->classes + k];
            if (!n) continue;
            fv_text_add(t, "%s%lld", first ? "" : ",", (long long)(p == TRUTH ? i : p == PREDICTED ? k : n));
            first = false;
        }
    fv_text_add(t, "]");
}

static void add_mistake(fv_text *t, const fvi_class_mistake *m)
{
    fv_text_add(t, "{\"name\": ");
    fv_text_json_string(t, m->name);
    fv_text_add(t, ", \"id\": %lld, \"truth\": %lld, \"predicted\": %lld, \"probability\": ", (long long)m->id, (long long)m->truth,
                 (long long)m->predicted);
    fv_text_json_number(t, m->probability);
    fv_text_add(t, ", \"truth_probability\": ");
    fv_text_json_number(t, m->truth_probability);
    fv_text_add(t, ", \"loss\": ");
    fv_text_json_number(t, m->loss);
    if (m->picture) {
        fv_text_add(t, ", \"width\": %lld, \"height\": %lld, \"picture\": \"", (long long)m->width, (long long)m->height);
        fvi_text_raw(t, m->picture, strlen(m->picture));
        fv_text_add(t, "\"");
    }
    fv_text_add(t, "}");
}

void fvi_class_record_text(const fvi_class_record *r, fv_text *t)
{
    fv_text_add(t, ",\n  \"classes\": [");
    for (int64_t k = 0; k < r->classes; k++) {
        fv_text_add(t, "%s", k ? ", " : "");
        fv_text_json_string(t, r->names[k]);
    }
    fv_text_add(t, "],\n  \"confusion\": {\"truth\": ");
    add_counts(t, r, TRUTH);
    fv_text_add(t, ",\n    \"predicted\": ");
    add_counts(t, r, PREDICTED);
    fv_text_add(t, ",\n    \"count\": ");
    add_counts(t, r, COUNT);
    fv_text_add(t, "},\n  \"mistakes\": [");
    for (int i = 0; i < r->n_mistakes; i++) {
        fv_text_add(t, "%s\n    ", i ? "," : "");
        add_mistake(t, &r->mistakes[i]);
    }
    fv_text_add(t, "%s]", r->n_mistakes ? "\n  " : "");
}

/* ---- reading ---------------------------------------------------------------------------------------------------------- */

typedef struct parser { fv_context *ctx; const char *name; fvi_arena *arena; fvi_class_record *out; } parser;

FV_CHECKED static fv_status fail(const parser *p, const fv_json *at, const char *what)
{
    return fvi_fail(p->ctx, FV_ERROR_FORMAT, "%s:%d: %s", p->name, at ? at->line : 1, what);
}

static const char *text_of(const fv_json *object, const char *key)
{
    const fv_json *v = fv_json_get(object, key);
    return v && v->kind == FV_JSON_STRING ? v->string : NULL;
}

static int64_t integer_of(const fv_json *object, const char *key)
{
    const fv_json *v = fv_json_get(object, key);
    return v && v->is_integer ? v->integer : -1;
}

static double number_of(const fv_json *object, const char *key)
{
    const fv_json *v = fv_json_get(object, key);
    return v && v->kind == FV_JSON_NUMBER ? v->number : (double)NAN;
}

static const fv_json *list_of(const fv_json *object, const char *key)
{
    const fv_json *v = fv_json_get(object, key);
    return v && v->kind == FV_JSON_ARRAY ? v : NULL;
}

static fv_status parse_classes(const parser *p, const fv_json *root)
{
    const fv_json *list = list_of(root, "classes");
    if (!list || list->count < 1 || list->count > MAX_CLASSES) return fail(p, list, "no list of 1 to 10000 \"classes\"");
    const char **names = fvi_arena_alloc(p->arena, (size_t)list->count * sizeof *names);
    if (!names) return fvi_nomem(p->ctx);
    int n = 0;
    for (const fv_json *v = list->child; v; v = v->next) {
        if (v->kind != FV_JSON_STRING) return fail(p, v, "a class name is a text");
        names[n++] = v->string;
    }
    p->out->names = names;
    p->out->classes = n;
    return FV_OK;
}

static fv_status parse_counts(const parser *p, const fv_json *root)
{
    const fv_json *c = fv_json_get(root, "confusion");
    const fv_json *truth = list_of(c, "truth"), *predicted = list_of(c, "predicted"), *count = list_of(c, "count");
    int64_t classes = p->out->classes, total = 0;
    if (!truth || !predicted || !count || truth->count != predicted->count || truth->count != count->count)
        return fail(p, c, "\"confusion\" has not three lists of one length");
    int64_t *counts = fvi_arena_alloc(p->arena, (size_t)(classes * classes) * sizeof *counts);
    if (!counts) return fvi_nomem(p->ctx);
    const fv_json *t = truth->child, *k = predicted->child, *n = count->child;
    for (; t; t = t->next, k = k->next, n = n->next) {
        if (!t->is_integer || !k->is_integer || !n->is_integer || t->integer < 0 || t->integer >= classes ||
            k->integer < 0 || k->integer >= classes || n->integer < 0 || !fvi_add_i64(total, n->integer, &total))
            return fail(p, t, "\"confusion\" holds an impossible number");
        counts[t->integer * classes + k->integer] = n->integer;
    }
    p->out->counts = counts;
    return FV_OK;
}

static fv_status parse_mistake(const parser *p, const fv_json *v, fvi_class_mistake *m)
{
    *m = (fvi_class_mistake){.name = text_of(v, "name"), .id = integer_of(v, "id"), .truth = integer_of(v, "truth"),
                              .predicted = integer_of(v, "predicted"), .probability = number_of(v, "probability"),
                              .truth_probability = number_of(v, "truth_probability"), .loss = number_of(v, "loss"), .picture = text_of(v, "picture"),
                              .width = integer_of(v, "width"), .height = integer_of(v, "height")};
    if (m->truth < 0 || m->truth >= p->out->classes || m->predicted < 0 || m->predicted >= p->out->classes)
        return fail(p, v, "a mistake between classes that do not exist");
    if (m->picture && (!fvi_is_png_uri(m->picture) || m->width < 1 || m->height < 1 || m->width > 65500 || m->height > 65500))
        return fail(p, v, "a picture that is no PNG data");
    if (!m->name) m->name = "";
    return FV_OK;
}

static fv_status parse_mistakes(const parser *p, const fv_json *root)
{
    const fv_json *list = list_of(root, "mistakes");
    if (!list) return FV_OK;
    if (list->count > MAX_MISTAKES) return fail(p, list, "more than 4096 mistakes");
    fvi_class_mistake *m = fvi_arena_alloc(p->arena, (size_t)list->count * sizeof *m);
    if (!m) return fvi_nomem(p->ctx);
    for (const fv_json *v = list->child; v; v = v->next) FVI_TRY(p->ctx, parse_mistake(p, v, &m[p->out->n_mistakes++]));
    p->out->mistakes = m;
    return FV_OK;
}

fv_status fvi_class_record_parse(fv_context *ctx, const char *name, const fv_json *root, fvi_arena *arena, fvi_class_record *out)
{
    parser p = {ctx, name, arena, out};
    *out = (fvi_class_record){0};
    FVI_TRY(ctx, parse_classes(&p, root));
    FVI_TRY(ctx, parse_counts(&p, root));
    return parse_mistakes(&p, root);
}
