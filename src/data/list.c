/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of picture files: classes, the CSV form, sources. */
#include "data/list.h"
#include "base/file.h"
#include "data/csv.h"
#include "data/sets.h"
#include "image/image.h"

#include <stdio.h>
#include <stdlib.h>

#define LIKE "letter case, blanks at the ends or the way letters are composed (Unicode NFC, NFD)"

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

/* Names are stored with the weights, as text. */
static fv_status check_name(fv_context *ctx, const char *name)
{
    char shown[256];
    size_t left = strlen(name);
    for (const char *p = name; left;) {
        int n = fvi_utf8_next(p, left, NULL);
        if (!n) {
            fvi_show_name(name, shown, sizeof shown);
            return fvi_fail(ctx, FV_ERROR_FORMAT, "class name %s is not UTF-8; rename it", shown);
        }
        p += n;
        left -= (size_t)n;
    }
    return FV_OK;
}

fv_status fvi_list_class(fv_context *ctx, fvi_list *l, const char *name, int32_t *label)
{
    if (l->classes_given) {
        *label = l->table[place_of(l, name)] - 1;
        return FV_OK;
    }
    FVI_TRY(ctx, check_name(ctx, name));
    return add_class(ctx, l, name, label);
}

fv_status fvi_list_give_classes(fv_context *ctx, fvi_list *l, const char *const *names, int64_t n)
{
    int32_t label = -1;
    for (int64_t i = 0; i < n; i++) {
        FVI_TRY(ctx, check_name(ctx, names[i]));
        FVI_TRY(ctx, add_class(ctx, l, names[i], &label));
        if (!*names[i]) return fvi_fail(ctx, FV_ERROR_CONFIG, "classes: name %lld is empty", (long long)i);
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

fv_status fvi_list_no_class(fv_context *ctx, const fvi_list *l, const char *where, const char *name)
{
    char shown[256], known[256] = "";
    const uint64_t like = fvi_fold_hash(name);
    for (int i = 0; i < l->n_classes && !*known; i++)
        if (fvi_fold_hash(l->classes[i]) == like) fvi_show_name(l->classes[i], known, sizeof known);
    fvi_show_name(name, shown, sizeof shown);
    return fvi_fail(ctx, FV_ERROR_FORMAT, "%s: class \"%s\" is none of the %d known ones%s%s%s", where, shown, l->n_classes, *known ? "; known is \"" : "", known,
                    *known ? "\", which differs by " LIKE : "");
}

typedef struct class_row { const char *name; int32_t was; uint64_t like; } class_row;

static int by_name(const void *a, const void *b)
{
    return strcmp(((const class_row *)a)->name, ((const class_row *)b)->name);
}

static int by_likeness(const void *a, const void *b)
{
    const class_row *x = a, *y = b;
    return x->like != y->like ? (x->like < y->like ? -1 : 1) : strcmp(x->name, y->name);
}

/* Names that a person would take for one; and numbers whose order is not that of their values. The rows come sorted by name. */
static void warn_of_names(fv_context *ctx, class_row *rows, int n)
{
    char a[256], b[256];
    bool numbers = true;
    int at = -1;
    for (int i = 0; i < n; i++) {
        numbers = numbers && is_number(rows[i].name);
        if (i && numbers && at < 0 && atoll(rows[i].name) < atoll(rows[i - 1].name)) at = i;
    }
    if (numbers && at > 0)
        fvi_log(ctx, FV_LOG_INFO, "classes are numbered in the order of their names' bytes, as folders are everywhere: %s comes before %s; the key classes gives another order",
                rows[at - 1].name, rows[at].name);
    for (int i = 0; i < n; i++) rows[i].like = fvi_fold_hash(rows[i].name);
    qsort(rows, (size_t)n, sizeof *rows, by_likeness);
    for (int i = 1; i < n; i++) {
        if (rows[i].like != rows[i - 1].like) continue;
        fvi_show_name(rows[i - 1].name, a, sizeof a);
        fvi_show_name(rows[i].name, b, sizeof b);
        fvi_log(ctx, FV_LOG_WARN, "classes \"%s\" and \"%s\" are two, though they differ only by " LIKE, a, b);
    }
}

fv_status fvi_list_sort_classes(fv_context *ctx, fvi_list *l)
{
    if (l->classes_given || l->n_classes < 2) return FV_OK;
    class_row *rows = fvi_calloc((size_t)l->n_classes, sizeof *rows);
    int32_t *now = fvi_calloc((size_t)l->n_classes, sizeof *now);
    fv_status status = rows && now ? FV_OK : fvi_nomem(ctx);
    if (status != FV_OK) goto done;
    for (int i = 0; i < l->n_classes; i++) rows[i] = (class_row){l->classes[i], i, 0};
    qsort(rows, (size_t)l->n_classes, sizeof *rows, by_name);
    for (int i = 0; i < l->n_classes; i++) {
        l->classes[i] = rows[i].name;
        now[rows[i].was] = i;
    }
    for (int i = 0; i < l->count; i++) l->items[i].label = now[l->items[i].label];
    memset(l->table, 0, (size_t)l->table_size * sizeof *l->table);
    for (int i = 0; i < l->n_classes; i++) l->table[place_of(l, l->classes[i])] = i + 1;
    warn_of_names(ctx, rows, l->n_classes);
done:
    fvi_free(rows);
    fvi_free(now);
    return status;
}

/* ---- CSV -------------------------------------------------------------------------------------------------------------- */

enum { PATH, LABEL, SET, FOLD, COLUMNS, CELLS = 64 };

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
                if (fvi_same_word(cells[i], names[k][word])) columns[k] = i;
    }
    if (columns[PATH] < 0 || columns[LABEL] < 0)
        return fvi_fail(ctx, FV_ERROR_FORMAT, "%s:%d: the first line must name the columns, among them path and label (and split, fold if wanted)", c->name,
                        c->line);
    return FV_OK;
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

/* A whole number of at most six digits; -1: it is none. */
static int32_t fold_of(const char *cell)
{
    const size_t n = strlen(cell);
    return n > 0 && n <= 6 && is_number(cell) ? (int32_t)atoi(cell) : -1;
}

static fv_status read_fold(fv_context *ctx, fvi_list *l, const fvi_csv *c, const char *cell, const fvi_csv_rules *rules, fvi_file *f)
{
    const int32_t fold = fold_of(cell);
    l->has_folds = l->has_folds || fold >= 0;
    if (rules->split) f->fold = fold;
    if (rules->split || rules->folds < 2 || f->set == FV_SPLIT_TEST) return FV_OK;
    if (fold < 0 || fold >= rules->folds)
        return fvi_fail(ctx, FV_ERROR_FORMAT, "%s:%d: fold \"%s\" is none of 0 to %d, as data.split.folds=%d has them; where the column counts from 1 to %d, give "
                        "data.split.folds=%d", c->name, c->line, cell, rules->folds - 1, rules->folds, rules->folds, rules->folds + 1);
    f->fold = fold;
    f->set = fold == rules->fold ? FV_SPLIT_VAL : FV_SPLIT_TRAIN;
    l->by_folds = true;
    return FV_OK;
}

static fv_status read_row(fv_context *ctx, fvi_list *l, const fvi_csv *c, const char *const *cells, int n, const int columns[COLUMNS],
                          const fvi_csv_rules *rules)
{
    fvi_file f = {.size = -1, .fold = FVI_NO_FOLD, .set = (int8_t)rules->set};
    char shown[512];
    const char *path = columns[PATH] < n ? cells[columns[PATH]] : "", *label = columns[LABEL] < n ? cells[columns[LABEL]] : "";
    if (rules->split && !*path && *label) return fvi_list_class(ctx, l, label, &f.label);
    if (!*path || !*label) return fvi_fail(ctx, FV_ERROR_FORMAT, "%s:%d: no %s", c->name, c->line, *path ? "label" : "path");
    fvi_show_name(path, shown, sizeof shown);
    if (!rules->outside && leads_out(path))
        return fvi_fail(ctx, FV_ERROR_FORMAT, "%s:%d: path %s leads out of the list's folder; data.allow_outside=true permits that", c->name, c->line, shown);
    if (columns[SET] >= 0 && columns[SET] < n && *cells[columns[SET]]) {
        int set = fvi_set_of_name(cells[columns[SET]]);
        if (set == FVI_NO_SET) return fvi_fail(ctx, FV_ERROR_FORMAT, "%s:%d: split \"%s\" is none of train, val, test", c->name, c->line, cells[columns[SET]]);
        f.set = (int8_t)set;
    } else if (rules->split) {
        return fvi_fail(ctx, FV_ERROR_FORMAT, "%s:%d: no split", c->name, c->line);
    }
    if (columns[FOLD] >= 0) FVI_TRY(ctx, read_fold(ctx, l, c, columns[FOLD] < n ? cells[columns[FOLD]] : "", rules, &f));
    FVI_TRY(ctx, fvi_list_class(ctx, l, label, &f.label));
    if (f.label < 0) {
        snprintf(shown, sizeof shown, "%.480s:%d", c->name, c->line);
        return fvi_list_no_class(ctx, l, shown, label);
    }
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
        fvi_text_add(&t, f->fold >= 0 ? ",%s,%d\n" : ",%s,\n", f->set >= 0 ? sets[f->set] : "", f->fold);
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

static fv_status read_file(const fv_source *s, fv_context *ctx, int64_t index, fv_sample *out)
{
    if (index < 0 || index >= s->count) return fvi_fail(ctx, FV_ERROR_INVALID, "sample %lld of %lld", (long long)index, (long long)s->count);
    const list_source *ls = s->user;
    const fvi_file *f = fvi_list_file_of(s, index);
    char path[FVI_PATH_ROOM], shown[256];
    out->label = f->label;
    if (fvi_path_in(path, ls->list->root, f->path)) return fvi_read_bytes(ctx, path, &out->file);
    fvi_show_name(f->path, shown, sizeof shown);
    return fvi_fail(ctx, FV_ERROR_FORMAT, "%s: a path that is too long", shown);
}

static int64_t file_label(const fv_source *s, int64_t index)
{
    return fvi_list_file_of(s, index)->label;
}

static void file_name(const fv_source *s, int64_t index, char *text, size_t capacity)
{
    fvi_show_name(fvi_list_file_of(s, index)->path, text, capacity);
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
    ls->source = (fv_source){.classes = l->n_classes, .class_names = l->classes, .user = ls, .get = read_file, .files = true, .name = file_name,
                             .destroy = destroy_source, .label = file_label};
    for (int i = 0; i < l->count; i++)
        if (set == FVI_NO_SET || l->items[i].set == set) ls->files[ls->source.count++] = i;
    *out = &ls->source;
    return FV_OK;
}
