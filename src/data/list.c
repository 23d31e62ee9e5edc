/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of picture files: classes, the CSV form, sources. */
#include "data/list.h"
#include "base/file.h"
#include "data/csv.h"
#include "image/image.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

void fvi_list_free(fvi_list *l)
{
    fvi_free(l->items);
    fvi_free(l->classes);
    fvi_free(l->table);
    fvi_free(l->root);
    fvi_arena_free(&l->arena);
    memset(l, 0, sizeof *l);
}

fv_status fvi_list_add(fv_context *ctx, fvi_list *l, const fvi_file *f)
{
    return FVI_PUSH(l, *f) ? FV_OK : fvi_nomem(ctx);
}

/* ---- classes ---------------------------------------------------------------------------------------------------------- */

/* Where `name` stands in the table, or would stand. */
static int place_of(const fvi_list *l, const char *name)
{
    int at = (int)(fvi_hash_text(name) & (uint64_t)(l->table_size - 1));
    while (l->table[at] && strcmp(l->classes[l->table[at] - 1], name)) at = (at + 1) & (l->table_size - 1);
    return at;
}

static fv_status grow_table(fv_context *ctx, fvi_list *l)
{
    int size = l->table_size ? 2 * l->table_size : 64;
    int32_t *table = fvi_calloc((size_t)size, sizeof *table);
    if (!table) return fvi_nomem(ctx);
    fvi_free(l->table);
    l->table = table;
    l->table_size = size;
    for (int i = 0; i < l->n_classes; i++) table[place_of(l, l->classes[i])] = i + 1;
    return FV_OK;
}

static fv_status add_class(fv_context *ctx, fvi_list *l, const char *name, int32_t *label)
{
    if (2 * (l->n_classes + 1) > l->table_size) FVI_TRY(ctx, grow_table(ctx, l));
    int at = place_of(l, name);
    if (l->table[at]) {
        *label = l->table[at] - 1;
        return FV_OK;
    }
    char *copy = fvi_arena_strdup(&l->arena, name);
    if (!copy || (l->n_classes == l->classes_capacity && !fvi_grow(&l->classes, &l->classes_capacity, sizeof *l->classes))) return fvi_nomem(ctx);
    l->classes[l->n_classes++] = copy;
    l->table[at] = l->n_classes;
    *label = l->n_classes - 1;
    return FV_OK;
}

fv_status fvi_list_class(fv_context *ctx, fvi_list *l, const char *name, int32_t *label)
{
    char shown[256];
    size_t left = strlen(name);
    if (l->classes_given) {
        int at = place_of(l, name);
        *label = l->table[at] - 1;
        return FV_OK;
    }
    for (const char *p = name; left;) {
        int n = fvi_utf8_next(p, left, NULL);
        if (!n) {
            fvi_show_name(name, shown, sizeof shown);
            return fvi_fail(ctx, FV_ERROR_FORMAT, "class name %s is not UTF-8; rename it", shown);
        }
        p += n;
        left -= (size_t)n;
    }
    return add_class(ctx, l, name, label);
}

fv_status fvi_list_give_classes(fv_context *ctx, fvi_list *l, const char *const *names, int64_t n)
{
    int32_t label = -1;
    for (int64_t i = 0; i < n; i++) {
        FVI_TRY(ctx, add_class(ctx, l, names[i], &label));
        if (label != i) return fvi_fail(ctx, FV_ERROR_CONFIG, "classes: \"%s\" stands there twice", names[i]);
    }
    l->classes_given = n > 0;
    return FV_OK;
}

static bool is_number(const char *s)
{
    size_t n = strspn(s, "0123456789");
    return n > 0 && n < 19 && !s[n];
}

typedef struct numbered { const char *name; int32_t was; bool by_value; } numbered;

static int by_name(const void *a, const void *b)
{
    const numbered *x = a, *y = b;
    if (x->by_value) {
        long long m = atoll(x->name), n = atoll(y->name);
        if (m != n) return m < n ? -1 : 1;
    }
    return strcmp(x->name, y->name);
}

fv_status fvi_list_sort_classes(fv_context *ctx, fvi_list *l, bool numbers)
{
    if (l->classes_given || l->n_classes < 2) return FV_OK;
    numbered *rows = fvi_calloc((size_t)l->n_classes, sizeof *rows);
    int32_t *now = fvi_calloc((size_t)l->n_classes, sizeof *now);
    fv_status status = rows && now ? FV_OK : fvi_nomem(ctx);
    if (status != FV_OK) goto done;
    for (int i = 0; i < l->n_classes; i++) numbers = numbers && is_number(l->classes[i]);
    for (int i = 0; i < l->n_classes; i++) rows[i] = (numbered){l->classes[i], i, numbers};
    qsort(rows, (size_t)l->n_classes, sizeof *rows, by_name);
    for (int i = 0; i < l->n_classes; i++) {
        l->classes[i] = rows[i].name;
        now[rows[i].was] = i;
    }
    for (int i = 0; i < l->count; i++) l->items[i].label = now[l->items[i].label];
    memset(l->table, 0, (size_t)l->table_size * sizeof *l->table);
    for (int i = 0; i < l->n_classes; i++) l->table[place_of(l, l->classes[i])] = i + 1;
done:
    fvi_free(rows);
    fvi_free(now);
    return status;
}

/* ---- CSV -------------------------------------------------------------------------------------------------------------- */

enum { PATH, LABEL, SET, FOLD, COLUMNS, CELLS = 64 };

static bool same_word(const char *a, const char *b)
{
    for (; *a && tolower((unsigned char)*a) == tolower((unsigned char)*b); a++, b++) {}
    return !*a && !*b;
}

/* Which columns hold what; -1: none. */
static fv_status read_header(fv_context *ctx, const fvi_csv *c, const char *const *cells, int n, int columns[COLUMNS])
{
    static const char *const names[COLUMNS][9] = {
        {"path", "image", "file", "filename", "file_name", "filepath", "image_path", "img", NULL},
        {"label", "class", "category", "target", "label_name", "class_name", "name", NULL},
        {"split", "set", "subset", NULL},
        {"fold", NULL}};
    for (int k = 0; k < COLUMNS; k++) {
        columns[k] = -1;
        for (int word = 0; names[k][word] && columns[k] < 0; word++)
            for (int i = 0; i < n && columns[k] < 0; i++)
                if (same_word(cells[i], names[k][word])) columns[k] = i;
    }
    if (columns[PATH] < 0 || columns[LABEL] < 0)
        return fvi_fail(ctx, FV_ERROR_FORMAT, "%s:%d: the first line must name the columns, among them path and label (and split, fold if wanted)", c->name,
                        c->line);
    return FV_OK;
}

static int set_of(const char *word)
{
    static const struct { const char *word; int set; } words[] = {
        {"train", FV_SPLIT_TRAIN}, {"training", FV_SPLIT_TRAIN}, {"val", FV_SPLIT_VAL}, {"valid", FV_SPLIT_VAL}, {"validation", FV_SPLIT_VAL},
        {"dev", FV_SPLIT_VAL}, {"test", FV_SPLIT_TEST}, {"testing", FV_SPLIT_TEST}};
    for (int i = 0; i < FVI_COUNT(words); i++)
        if (same_word(word, words[i].word)) return words[i].set;
    return FVI_NO_SET;
}

/* Paths come from outside: without leave they stay below the list's folder. */
static bool leads_out(const char *path)
{
    if (*path == '/') return true;
    for (const char *p = path; *p;) {
        size_t n = strcspn(p, "/");
        if (n == 2 && p[0] == '.' && p[1] == '.') return true;
        p += n + (p[n] == '/');
    }
    return false;
}

static fv_status read_row(fv_context *ctx, fvi_list *l, const fvi_csv *c, const char *const *cells, int n, const int columns[COLUMNS],
                          const fvi_csv_rules *rules)
{
    fvi_file f = {.size = -1, .set = (int8_t)rules->set};
    char shown[512];
    const char *path = columns[PATH] < n ? cells[columns[PATH]] : "", *label = columns[LABEL] < n ? cells[columns[LABEL]] : "";
    if (rules->split && !*path && *label) return fvi_list_class(ctx, l, label, &f.label);
    if (!*path || !*label) return fvi_fail(ctx, FV_ERROR_FORMAT, "%s:%d: no %s", c->name, c->line, *path ? "label" : "path");
    fvi_show_name(path, shown, sizeof shown);
    if (!rules->outside && leads_out(path))
        return fvi_fail(ctx, FV_ERROR_FORMAT, "%s:%d: path %s leads out of the list's folder; data.allow_outside=true permits that", c->name, c->line, shown);
    if (columns[SET] >= 0 && columns[SET] < n && *cells[columns[SET]]) {
        int set = set_of(cells[columns[SET]]);
        if (set == FVI_NO_SET) return fvi_fail(ctx, FV_ERROR_FORMAT, "%s:%d: split \"%s\" is none of train, val, test", c->name, c->line, cells[columns[SET]]);
        f.set = (int8_t)set;
    } else if (rules->split) {
        return fvi_fail(ctx, FV_ERROR_FORMAT, "%s:%d: no split", c->name, c->line);
    }
    if (columns[FOLD] >= 0 && columns[FOLD] < n) f.fold = (int32_t)FVI_MIN(strtol(cells[columns[FOLD]], NULL, 10), 1000000);
    FVI_TRY(ctx, fvi_list_class(ctx, l, label, &f.label));
    if (f.label < 0) return fvi_fail(ctx, FV_ERROR_FORMAT, "%s:%d: class \"%s\" is none of the %d known ones", c->name, c->line, label, l->n_classes);
    if (!(f.path = fvi_arena_strdup(&l->arena, path))) return fvi_nomem(ctx);
    return fvi_list_add(ctx, l, &f);
}

fv_status fvi_list_csv(fv_context *ctx, fvi_list *l, const char *name, const char *data, size_t bytes, const fvi_csv_rules *rules)
{
    fvi_csv c;
    const char *cells[CELLS];
    int n, columns[COLUMNS], before = l->count;
    fv_status status = FV_OK;
    fvi_csv_open(&c, name, data, bytes);
    FVI_TRY_DONE(ctx, status, fvi_csv_row(ctx, &c, cells, CELLS, &n));
    if (!n) {
        status = fvi_fail(ctx, FV_ERROR_FORMAT, "%s: the list is empty", name);
        goto done;
    }
    FVI_TRY_DONE(ctx, status, read_header(ctx, &c, cells, n, columns));
    for (;;) {
        FVI_TRY_DONE(ctx, status, fvi_csv_row(ctx, &c, cells, CELLS, &n));
        if (!n) break;
        FVI_TRY_DONE(ctx, status, read_row(ctx, l, &c, cells, n, columns, rules));
    }
    if (l->count == before) status = fvi_fail(ctx, FV_ERROR_FORMAT, "%s: the list names no picture", name);
done:
    fvi_csv_close(&c);
    return status;
}

char *fvi_list_text(const fvi_list *l)
{
    static const char *const sets[FV_SPLITS] = {"train", "val", "test"};
    fvi_text t = {0};
    bool *seen = fvi_calloc((size_t)l->n_classes, sizeof *seen);
    if (!seen) return NULL;
    fvi_text_add(&t, "path,label,split,fold\n");
    for (int i = 0; i < l->count; i++) {
        const fvi_file *f = &l->items[i];
        seen[f->label] = true;
        fvi_csv_add(&t, f->path);
        fvi_text_raw(&t, ",", 1);
        fvi_csv_add(&t, l->classes[f->label]);
        fvi_text_add(&t, ",%s,%d\n", f->set >= 0 ? sets[f->set] : "", f->fold);
    }
    for (int i = 0; i < l->n_classes; i++) {
        if (seen[i]) continue;
        fvi_text_raw(&t, ",", 1);
        fvi_csv_add(&t, l->classes[i]);
        fvi_text_add(&t, ",,\n");
    }
    fvi_free(seen);
    return fvi_text_take(&t);
}

/* ---- sources ---------------------------------------------------------------------------------------------------------- */

typedef struct list_source {
    fv_source source;
    const fvi_list *list;
    int32_t *files;
} list_source;

const fvi_file *fvi_list_file_of(const fv_source *s, int64_t index)
{
    const list_source *ls = s->user;
    return &ls->list->items[ls->files[index]];
}

static fv_status read_file(const fv_source *s, fv_context *ctx, int64_t index, fv_bytes *bytes, int64_t *label)
{
    if (index < 0 || index >= s->count) return fvi_fail(ctx, FV_ERROR_INVALID, "sample %lld of %lld", (long long)index, (long long)s->count);
    const list_source *ls = s->user;
    const fvi_file *f = fvi_list_file_of(s, index);
    char path[FVI_PATH_ROOM], shown[256];
    *label = f->label;
    if (fvi_path_in(path, ls->list->root, f->path)) return fvi_read_bytes(ctx, path, bytes);
    fvi_show_name(f->path, shown, sizeof shown);
    return fvi_fail(ctx, FV_ERROR_IO, "%s: a path that is too long", shown);
}

static void file_name(const fv_source *s, int64_t index, char *text, size_t capacity)
{
    fvi_show_name(fvi_list_file_of(s, index)->path, text, capacity);
}

static fv_status get_file(const fv_source *s, fv_context *ctx, int64_t index, fv_image *image, int64_t *label)
{
    fv_bytes bytes = {0};
    char name[256];
    fv_status status = read_file(s, ctx, index, &bytes, label);
    if (status == FV_OK) {
        file_name(s, index, name, sizeof name);
        status = fv_image_decode(ctx, name, bytes.data, bytes.size, image);
    }
    fv_bytes_free(&bytes);
    return status;
}

static void destroy_source(fv_source *s)
{
    list_source *ls = s->user;
    fvi_free(ls->files);
    fvi_free(ls);
}

fv_status fvi_list_source(fv_context *ctx, const fvi_list *l, int set, fv_source **out)
{
    int64_t n = 0;
    *out = NULL;
    for (int i = 0; i < l->count; i++) n += set == FVI_NO_SET || l->items[i].set == set;
    if (!n) return FV_OK;
    list_source *ls = fvi_calloc(1, sizeof *ls);
    if (!ls || !(ls->files = fvi_calloc((size_t)n, sizeof *ls->files))) {
        fvi_free(ls);
        return fvi_nomem(ctx);
    }
    ls->list = l;
    ls->source = (fv_source){.classes = l->n_classes, .class_names = l->classes, .user = ls, .get = get_file, .encoded = read_file, .name = file_name,
                             .destroy = destroy_source};
    for (int i = 0; i < l->count; i++)
        if (set == FVI_NO_SET || l->items[i].set == set) ls->files[ls->source.count++] = i;
    *out = &ls->source;
    return FV_OK;
}
