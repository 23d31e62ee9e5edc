/* SPDX-License-Identifier: Apache-2.0 */
/* One layer onto the configuration: a JSON tree of a file or variant, or key=value of the command line. */
#include "data/csv.h"
#include "train/config.h"
#include "base/file.h"

#include <stdio.h>

#define WHAT 512

typedef struct layer {
    fv_config *c;
    const char *label, *suffix, *folder; /* label NULL: the command line */
} layer;

/* "configs/a.json:4: batch_size", or "batch_size" on the command line. */
static const char *what_of(const layer *l, int line, const char *key, char out[WHAT])
{
    if (l->label)
        snprintf(out, WHAT, "%s:%d%s: %s", l->label, line, l->suffix, key);
    else
        snprintf(out, WHAT, "%s", key);
    return out;
}

static char *origin_of(const layer *l, int line)
{
    return l->label ? fvi_format("%s:%d%s", l->label, line, l->suffix) : fvi_strdup("command line");
}

static fv_status unknown_key(const layer *l, int line, const char *key)
{
    const char *names[FVI_CONFIG_KEYS_MAX + 1];
    char what[WHAT];
    const int n = l->c->n_rows;
    fvi_config_names(l->c, names);
    const char *near = fvi_nearest(key, names);
    if (!near) {                                         /* "pad_crop" for "augment.pad_crop" */
        size_t length = strlen(key);
        for (int i = 0; i < n && !near; i++) {
            const char *dot = strrchr(names[i], '.');
            if (dot && strlen(dot + 1) == length && !strcmp(dot + 1, key)) near = names[i];
        }
    }
    return fvi_fail(l->c->ctx, FV_ERROR_CONFIG, "%s: unknown key%s%s%s", what_of(l, line, key, what), near ? "; did you mean \"" : "",
                    near ? near : "", near ? "\"?" : ", nothing known is near; `fovea help train` lists the keys");
}

/* Is `key` the name of a group of keys ("data")? */
static bool is_group(const fv_config *c, const char *key)
{
    size_t n = strlen(key);
    for (int i = 0; i < c->n_rows; i++)
        if (!strncmp(c->rows[i].key->name, key, n) && c->rows[i].key->name[n] == '.') return true;
    return false;
}

/* What a plain value on a group sets: data=DIR, early_stop=5. */
static const struct { const char *group, *key; } shorts[] = {
    {"data", "data.root"},
    {"augment.random_resized_crop", "augment.random_resized_crop.p"},
    {"augment.color_jitter", "augment.color_jitter.p"},
    {"loss", "loss.name"},
    {"early_stop", "early_stop.patience"},
    {"plateau", "plateau.patience"},
};

const char *fvi_config_short(const char *group)
{
    for (int i = 0; i < FVI_COUNT(shorts); i++)
        if (!strcmp(shorts[i].group, group)) return shorts[i].key;
    return NULL;
}

const char *fvi_config_short_for(const char *key)
{
    for (int i = 0; i < FVI_COUNT(shorts); i++)
        if (!strcmp(shorts[i].key, key)) return shorts[i].group;
    return NULL;
}

static fv_status check_one(const layer *l, int line, const fvi_row *r)
{
    const fv_key one[2] = {*r->key, FV_KEY_END};
    char place[WHAT] = "";
    if (l->label) snprintf(place, sizeof place, "%s:%d%s", l->label, line, l->suffix);
    return fvi_attr_check(l->c->ctx, one, r->base, place);
}

/* A file says a key once, by whatever name and form. Of the command line the last one counts, but not one name against
 * another. */
static fv_status refuse_twice(const layer *l, const char *what, const char *given, const char *before, int line)
{
    if (l->label)
        return fvi_fail(l->c->ctx, FV_ERROR_CONFIG, "%s is the same key as %s on line %d; give one of them", what,
                        before, line);
    if (!strcmp(given, before)) return FV_OK;
    return fvi_fail(l->c->ctx, FV_ERROR_CONFIG, "%s and %s are the same key; give one of them", what, before);
}

/* The lines of the file that `text` names, as a list; NULL in *out: there is no such file. */
static fv_status list_of_file(const layer *l, const char *text, char **out)
{
    char *path = l->folder ? fvi_path_join(l->folder, text) : fvi_strdup(text), *lines = NULL;
    fv_status status = path ? FV_OK : fvi_nomem(l->c->ctx);
    fvi_text list = {0};
    size_t bytes;
    *out = NULL;
    if (status == FV_OK && *text && fvi_file_exists(path) && !fvi_is_dir(path)) {
        status = fvi_file_read(l->c->ctx, path, 16 << 20, &lines, &bytes);
        if (status == FV_OK && strlen(lines) != bytes) status = fvi_fail(l->c->ctx, FV_ERROR_FORMAT, "%s: a zero byte: not a text file", path);
        char *next = lines && !strncmp(lines, "\xEF\xBB\xBF", 3) ? lines + 3 : lines;
        for (char *line; status == FV_OK && (line = strsep(&next, "\r\n"));) {
            if (!*line) continue;
            if (list.length) fvi_text_raw(&list, ",", 1);
            fvi_csv_add(&list, line);
        }
        if (status == FV_OK && !(*out = fvi_text_take(&list))) status = fvi_nomem(l->c->ctx);
    }
    fvi_text_free(&list);
    fvi_free(lines);
    fvi_free(path);
    return status;
}

/* Sets a known key from text; everything that is common to files and the command line. */
static fv_status set_text(const layer *l, int line, const char *given, int row, const char *text)
{
    fv_config *c = l->c;
    const fvi_row *r = &c->rows[row];
    const fv_key *d = r->key;
    char what[WHAT];
    what_of(l, line, given, what);
    if (c->layer[row] == c->current_layer) FVI_TRY(c->ctx, refuse_twice(l, what, given, c->spelled[row], c->line[row]));
    bool null = !strcmp(text, "null");
    const unsigned path = l->label ? FV_KEY_PATH : FV_KEY_PATH | FV_KEY_HERE;
    if (!null && (d->flags & path) && *text) {
        char *joined = l->folder ? fvi_path_join(l->folder, text) : fvi_strdup(text);
        char *absolute = joined ? fvi_path_absolute(joined) : NULL;
        char **field = (char **)(void *)((char *)r->base + d->offset);
        fvi_free(joined);
        if (!absolute) return fvi_nomem(c->ctx);
        fvi_free(*field);
        *field = absolute;
    } else {
        char *list = NULL;
        if (!null && d->flags & FV_KEY_LINES) FVI_TRY(c->ctx, list_of_file(l, text, &list));
        fv_status status = fvi_attr_parse(c->ctx, d, r->base, list ? list : text, what);
        fvi_free(list);
        FVI_TRY(c->ctx, status);
        FVI_TRY(c->ctx, check_one(l, line, r));
    }
    if (strcmp(given, d->name) && strchr(given, '.') == NULL && fvi_config_row(c, given) == row)
        fvi_log(c->ctx, FV_LOG_INFO, "%s is read as %s", given, d->name);
    char *origin = null ? NULL : origin_of(l, line);
    if (!null && !origin) return fvi_nomem(c->ctx);
    fvi_free(c->origin[row]);
    c->origin[row] = origin;
    c->layer[row] = c->current_layer;
    c->line[row] = line;
    c->spelled[row] = fvi_arena_strdup(&c->arena, given);
    return c->spelled[row] ? FV_OK : fvi_nomem(c->ctx);
}

/* "a whole number", "true or false". */
static const char *wanted(const fv_key *d, char out[64])
{
    char words[48];
    fvi_attr_kind_words(d, words);
    bool article = d->kind != FVI_ATTR_BOOL && d->kind != FVI_ATTR_ENUM && d->kind != FVI_ATTR_STRING;
    snprintf(out, 64, "%s%s", article ? "a " : "", words);
    return out;
}

static bool number_text(const fvi_json *v, fvi_text *t)
{
    if (v->kind != FVI_JSON_NUMBER) return false;
    if (v->is_integer)
        fvi_text_add(t, "%lld", (long long)v->integer);
    else
        fvi_text_json_number(t, v->number);
    return true;
}

/* The JSON value as text for a key of kind d; false: wrong type. */
static bool value_text(const fv_key *d, const fvi_json *v, fvi_text *t)
{
    bool is_text = d->kind == FVI_ATTR_STRING || d->kind == FVI_ATTR_ENUM;
    bool cadence = !strcmp(d->name, "validate_every") || !strcmp(d->name, "save_every");
    if (v->kind == FVI_JSON_NULL) return fvi_text_add(t, "null"), true;
    if (d->kind == FVI_ATTR_BOOL) {
        if (v->kind != FVI_JSON_BOOL) return false;
        fvi_text_add(t, v->number != 0 ? "true" : "false");
        return true;
    }
    if (v->kind == FVI_JSON_STRING && is_text) return fvi_text_raw(t, v->string, strlen(v->string)), true;
    if (v->kind == FVI_JSON_NUMBER && (!is_text || cadence)) return number_text(v, t);
    if (v->kind != FVI_JSON_ARRAY) return false;
    bool list = d->flags & FV_KEY_LIST;
    if (!list && d->kind != FVI_ATTR_DIMS && (d->count < 2 || v->count != d->count)) return false;
    for (const fvi_json *m = v->child; m; m = m->next) {
        if (m != v->child) fvi_text_add(t, ",");
        if (list && m->kind == FVI_JSON_STRING) fvi_csv_add(t, m->string);
        else if (!number_text(m, t)) return false;
    }
    if (!list && !v->child) fvi_text_add(t, "[]");
    return true;
}

static fv_status set_json(const layer *l, const char *given, int row, const fvi_json *v)
{
    const fv_key *d = l->c->rows[row].key;
    char what[WHAT], words[64];
    fvi_text t = {0};
    if (!value_text(d, v, &t)) {
        fvi_text_free(&t);
        return fvi_fail(l->c->ctx, FV_ERROR_CONFIG, "%s: wrong type, %s is wanted", what_of(l, v->line, given, what), wanted(d, words));
    }
    fvi_text_raw(&t, "", 0);
    char *text = fvi_text_take(&t);
    if (!text) return fvi_nomem(l->c->ctx);
    fv_status status = set_text(l, v->line, given, row, text);
    fvi_free(text);
    return status;
}

/* An argument of the model; checked later, when the model's name is final. */
static fv_status set_model_arg(const layer *l, const fvi_json *v, const char *name)
{
    fv_config *c = l->c;
    fvi_text t = {0};
    int at = 0;
    while (at < c->model_args.count && strcmp(c->model_args.items[at].name, name)) at++;
    if (at < c->model_args.count && c->model_args.items[at].layer == c->current_layer) {
        char what[WHAT], key[256];
        snprintf(key, sizeof key, "model_args.%.200s", name);
        FVI_TRY(c->ctx, refuse_twice(l, what_of(l, v->line, key, what), key, key, c->model_args.items[at].line));
    }
    fvi_text_json(&t, v, 0);
    fvi_model_arg a = {fvi_strdup(name), fvi_text_take(&t), origin_of(l, v->line), c->current_layer, v->line};
    const bool is_new = at == c->model_args.count;
    if (!a.name || !a.json || !a.origin || (is_new && !FVI_PUSH(&c->model_args, (fvi_model_arg){.name = NULL}))) {
        fvi_free(a.name);
        fvi_free(a.json);
        fvi_free(a.origin);
        return fvi_nomem(c->ctx);
    }
    fvi_model_arg *old = &c->model_args.items[at];
    fvi_free(old->name);
    fvi_free(old->json);
    fvi_free(old->origin);
    *old = a;
    return FV_OK;
}

static void clear_model_args(fv_config *c)
{
    for (int i = 0; i < c->model_args.count; i++) {
        fvi_free(c->model_args.items[i].name);
        fvi_free(c->model_args.items[i].json);
        fvi_free(c->model_args.items[i].origin);
    }
    c->model_args.count = 0;
}

static fv_status model_args(const layer *l, const fvi_json *v)
{
    char what[WHAT];
    if (v->kind == FVI_JSON_NULL) {
        for (int i = 0; i < l->c->model_args.count; i++) {
            const fvi_model_arg *a = &l->c->model_args.items[i];
            if (a->layer != l->c->current_layer) continue;
            what_of(l, v->line, "model_args", what);
            FVI_TRY(l->c->ctx, refuse_twice(l, what, "model_args", "model_args", a->line));
        }
        clear_model_args(l->c);
        return FV_OK;
    }
    if (v->kind != FVI_JSON_OBJECT)
        return fvi_fail(l->c->ctx, FV_ERROR_CONFIG, "%s: an object is wanted, as {\"stem\": \"cifar\"}", what_of(l, v->line, "model_args", what));
    for (const fvi_json *m = v->child; m; m = m->next) FVI_TRY(l->c->ctx, set_model_arg(l, m, m->key));
    return FV_OK;
}

static fv_status apply_value(const layer *l, const char *key, const fvi_json *v);

static fv_status apply_members(const layer *l, const char *prefix, const fvi_json *object)
{
    for (const fvi_json *m = object->child; m; m = m->next) {
        char *key = *prefix ? fvi_format("%s.%s", prefix, m->key) : fvi_strdup(m->key);
        if (!key) return fvi_nomem(l->c->ctx);
        fv_status status = apply_value(l, key, m);
        fvi_free(key);
        if (status != FV_OK) return status;
    }
    return FV_OK;
}

/* null on a group: all its keys back to their defaults, from which keys behind it may differ. */
static fv_status reset_group(const layer *l, const char *key, const fvi_json *v)
{
    size_t n = strlen(key);
    for (int i = 0; i < l->c->n_rows; i++) {
        const char *name = l->c->rows[i].key->name;
        if (strncmp(name, key, n) || name[n] != '.') continue;
        FVI_TRY(l->c->ctx, set_json(l, name, i, v));
        l->c->layer[i] = 0;
    }
    return FV_OK;
}

static fv_status apply_group(const layer *l, const char *key, const fvi_json *v)
{
    char what[WHAT];
    if (v->kind == FVI_JSON_OBJECT) return apply_members(l, key, v);
    if (v->kind == FVI_JSON_NULL) return reset_group(l, key, v);
    const char *name = fvi_config_short(key);
    if (!name) return fvi_fail(l->c->ctx, FV_ERROR_CONFIG, "%s: wrong type, an object is wanted", what_of(l, v->line, key, what));
    return set_json(l, name, fvi_config_row(l->c, name), v);
}

static fv_status apply_value(const layer *l, const char *key, const fvi_json *v)
{
    fv_context *ctx = l->c->ctx;
    char what[WHAT];
    if (!strcmp(key, "variants")) {
        if (*l->suffix) return fvi_fail(ctx, FV_ERROR_CONFIG, "%s: a variant cannot hold variants", what_of(l, v->line, key, what));
        return FV_OK;
    }
    if (!strcmp(key, "model_args")) return model_args(l, v);
    if (!strncmp(key, "model_args.", 11)) return set_model_arg(l, v, key + 11);
    if (is_group(l->c, key)) return apply_group(l, key, v);
    const int row = fvi_config_row(l->c, key);
    if (row < 0) {
        if (fvi_config_ignored(key)) {
            fvi_log(ctx, FV_LOG_INFO, "%s means nothing here and is ignored", what_of(l, v->line, key, what));
            return FV_OK;
        }
        const char *why = fvi_config_not_yet(key);
        if (!why) return unknown_key(l, v->line, key);
        if (v->kind == FVI_JSON_NULL) return FV_OK;
        return fvi_fail(ctx, FV_ERROR_CONFIG, "%s: %s", what_of(l, v->line, key, what), why);
    }
    if (v->kind == FVI_JSON_OBJECT && l->c->rows[row].key->kind == FVI_ATTR_FLOAT && !strncmp(key, "augment.", 8)) {
        for (const fvi_json *m = v->child; m; m = m->next) {         /* an operation as an object with its probability */
            if (strcmp(m->key, "p")) {
                snprintf(what, sizeof what, "%s.%s", key, m->key);
                return unknown_key(l, m->line, what);
            }
            FVI_TRY(ctx, set_json(l, key, row, m));
        }
        return FV_OK;
    }
    return set_json(l, key, row, v);
}

fv_status fvi_config_apply_json(fv_config *c, const fvi_json *root, const char *label, const char *suffix, const char *folder)
{
    layer l = {c, label, suffix, folder};
    c->current_layer++;
    if (root->kind != FVI_JSON_OBJECT) return fvi_fail(c->ctx, FV_ERROR_CONFIG, "%s:%d: an object is wanted", label, root->line);
    return apply_members(&l, "", root);
}

/* Text that is JSON by its look; for arguments of models also numbers and words. */
static bool looks_like_json(const char *text, bool any)
{
    if (*text == '{' || *text == '[' || *text == '"') return true;
    return any && (strchr("-0123456789", *text) || !strcmp(text, "true") || !strcmp(text, "false") || !strcmp(text, "null"));
}

fv_status fvi_config_apply_text(fv_config *c, const char *key, const char *text)
{
    layer l = {c, NULL, "", NULL};
    fv_status status = FV_OK;
    fvi_arena arena = {0};
    bool argument = !strncmp(key, "model_args.", 11), group = is_group(c, key);
    const int row = fvi_config_row(c, group && fvi_config_short(key) ? fvi_config_short(key) : key);
    const fv_key *d = row < 0 ? NULL : c->rows[row].key;
    fvi_json plain = {.kind = FVI_JSON_STRING, .string = text}, *v = &plain;
    if (looks_like_json(text, argument || !d)) {
        fvi_json *parsed;
        bool list = d && (d->flags & FV_KEY_LIST);
        if (!d || *text == '{' || list || argument) {
            FVI_TRY_DONE(c->ctx, status, fvi_json_parse(c->ctx, &arena, key, text, strlen(text), true, &parsed));
            v = parsed;
        }
    }
    if (!strcmp(text, "null")) plain.kind = FVI_JSON_NULL;
    if (d && v == &plain && plain.kind == FVI_JSON_STRING && strncmp(key, "model_args", 10))
        status = set_text(&l, 0, group ? d->name : key, row, text);
    else
        status = apply_value(&l, key, v);
done:
    fvi_arena_free(&arena);
    return status;
}
