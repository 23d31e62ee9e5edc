/* SPDX-License-Identifier: Apache-2.0 */
/* Evaluation (confusion matrix, classes, mistakes), data and environment, configuration. */
#include "image/png_write.h"
#include "report/page.h"
#include "report/paint.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { TABLE_CLASSES = 20, PAIRS = 12 };                 /* more classes are drawn as a picture; confusions listed */

void fvi_page_run_name(fvi_text *t, const fvi_run_data *runs, int n, int k)
{
    if (n > 1) fvi_text_add(t, "<i class=\"dot b%d\"></i>", k % FVI_PLOT_COLORS);
    fvi_html_name(t, fvi_run_data_label(runs, n, k));
}

/* ---- counts ----------------------------------------------------------------------------------------------------------- */

typedef struct class_row { int64_t k, hits, support, predicted; double precision, recall, f1; } class_row;

static double ratio(double a, double b)
{
    return b > 0 ? a / b : 0;
}

static int by_f1(const void *a, const void *b)
{
    const class_row *x = a, *y = b;
    if (!x->support != !y->support) return !x->support - !y->support;        /* classes without pictures last */
    if (x->f1 != y->f1) return x->f1 < y->f1 ? -1 : 1;
    return x->k < y->k ? -1 : 1;
}

static class_row *count_classes(const fvi_record *e)
{
    class_row *rows = fvi_calloc((size_t)e->classes, sizeof *rows);
    if (!rows) return NULL;
    for (int64_t i = 0; i < e->classes; i++) {
        rows[i].k = i;
        rows[i].hits = e->counts[i * e->classes + i];
        for (int64_t k = 0; k < e->classes; k++) {
            rows[i].support += e->counts[i * e->classes + k];
            rows[k].predicted += e->counts[i * e->classes + k];
        }
    }
    for (int64_t i = 0; i < e->classes; i++) {
        class_row *r = &rows[i];
        r->precision = ratio((double)r->hits, (double)r->predicted);
        r->recall = ratio((double)r->hits, (double)r->support);
        r->f1 = ratio(2 * (double)r->hits, (double)(r->support + r->predicted));
    }
    return rows;
}

/* ---- confusion matrix ------------------------------------------------------------------------------------------------- */

static void add_matrix_cell(fvi_text *t, int64_t n, int64_t support, bool diagonal)
{
    double share = ratio((double)n, (double)support);
    if (!n) {
        fvi_text_add(t, "<td></td>");
        return;
    }
    long percent = lround(100 * sqrt(share));            /* the root lifts rare errors out of the ground */
    fvi_text_add(t, "<td class=\"%s%s\" style=\"--p:%ld%%\">", diagonal ? "g" : "e", percent > 62 ? " strong" : "", FVI_MAX(percent, 8));
    fvi_html_integer(t, n);
    fvi_text_add(t, "</td>");
}

static void add_matrix(fvi_text *t, const fvi_record *e, const class_row *rows)
{
    fvi_text_add(t, "<div class=\"scroll\"><table class=\"matrix\"><thead><tr><th></th>");
    for (int64_t k = 0; k < e->classes; k++) {
        fvi_text_add(t, "<th scope=\"col\">");
        fvi_html_name(t, e->names[k]);
        fvi_text_add(t, "</th>");
    }
    fvi_text_add(t, "</tr></thead><tbody>\n");
    for (int64_t i = 0; i < e->classes; i++) {
        fvi_text_add(t, "<tr><th scope=\"row\">");
        fvi_html_name(t, e->names[i]);
        fvi_text_add(t, "</th>");
        for (int64_t k = 0; k < e->classes; k++) add_matrix_cell(t, e->counts[i * e->classes + k], rows[i].support, i == k);
        fvi_text_add(t, "</tr>\n");
    }
    fvi_text_add(t, "</tbody></table></div>\n");
}

static fv_status add_map(fv_context *ctx, fvi_text *t, const fvi_record *e)
{
    fvi_canvas c;
    uint8_t *png = NULL;
    char *uri = NULL;
    size_t bytes;
    fv_status status = fvi_paint_confusion(ctx, e->counts, e->classes, &c);
    if (status == FV_OK) status = fvi_png_encode(ctx, c.pixels, c.width, c.height, c.channels, &png, &bytes);
    if (status == FV_OK && !(uri = fvi_png_uri(png, bytes))) status = fvi_nomem(ctx);
    if (status == FV_OK) {
        fvi_text_add(t, "<img class=\"map\" width=\"%d\" height=\"%d\" alt=\"confusion matrix\" src=\"", c.width, c.height);
        fvi_text_raw(t, uri, strlen(uri));
        fvi_text_add(t, "\">\n");
    }
    fvi_free(uri);
    fvi_free(png);
    fvi_canvas_free(&c);
    return status;
}

/* ---- most frequent confusions ----------------------------------------------------------------------------------------- */

typedef struct pair { int64_t truth, predicted, n; } pair;

static int find_pairs(const fvi_record *e, pair best[PAIRS])
{
    int count = 0;
    for (int64_t i = 0; i < e->classes; i++)
        for (int64_t k = 0; k < e->classes; k++) {
            int64_t n = i == k ? 0 : e->counts[i * e->classes + k];
            if (!n || (count == PAIRS && n <= best[PAIRS - 1].n)) continue;
            int at = count < PAIRS ? count++ : PAIRS - 1;
            for (; at > 0 && best[at - 1].n < n; at--) best[at] = best[at - 1];
            best[at] = (pair){i, k, n};
        }
    return count;
}

static void add_pairs(fvi_text *t, const fvi_record *e, const class_row *rows)
{
    pair best[PAIRS];
    int n = find_pairs(e, best);
    if (!n) {
        fvi_text_add(t, "<p>No picture was misclassified.</p>\n");
        return;
    }
    fvi_text_add(t, "<div class=\"scroll\"><table><thead><tr><th>is</th><th class=\"text\">taken for</th><th>pictures</th>"
                    "<th>of the class</th></tr></thead><tbody>\n");
    for (int i = 0; i < n; i++) {
        fvi_text_add(t, "<tr><td>");
        fvi_html_name(t, e->names[best[i].truth]);
        fvi_text_add(t, "</td><td class=\"text\">");
        fvi_html_name(t, e->names[best[i].predicted]);
        fvi_text_add(t, "</td><td>");
        fvi_html_integer(t, best[i].n);
        fvi_text_add(t, "</td><td>");
        fvi_html_share(t, ratio((double)best[i].n, (double)rows[best[i].truth].support));
        fvi_text_add(t, "</td></tr>\n");
    }
    fvi_text_add(t, "</tbody></table></div>\n");
}

/* ---- per class -------------------------------------------------------------------------------------------------------- */

static void add_score(fvi_text *t, double v)
{
    fvi_text_add(t, "<td>");
    fvi_html_share(t, v);
    fvi_text_add(t, "</td>");
}

static void add_average(fvi_text *t, const fvi_run_data *r, const char *label, const char *suffix)
{
    static const char *const scores[] = {"precision", "recall", "f1"};
    fvi_text_add(t, "<tr><td>%s</td><td>", label);
    fvi_html_integer(t, r->record.samples);
    fvi_text_add(t, "</td>");
    for (int i = 0; i < 3; i++) {
        char name[40];
        snprintf(name, sizeof name, "%s%s", scores[i], suffix);
        add_score(t, fvi_run_data_metric(r, name));
    }
    fvi_text_add(t, "</tr>\n");
}

static void add_classes(fvi_text *t, const fvi_run_data *r, class_row *rows)
{
    const fvi_record *e = &r->record;
    qsort(rows, (size_t)e->classes, sizeof *rows, by_f1);
    fvi_text_add(t, "<h3>Classes</h3>\n<p class=\"about\">Lowest F1 first. Precision: how many of those called so are so. "
                    "Recall: how many of those that are so were found.</p>\n<div class=\"scroll\"><table class=\"wide\"><thead>"
                    "<tr><th>class</th><th>pictures</th><th>precision</th><th>recall</th><th>F1</th></tr></thead><tbody>\n");
    for (int64_t i = 0; i < e->classes; i++) {
        fvi_text_add(t, "<tr><td>");
        fvi_html_name(t, e->names[rows[i].k]);
        fvi_text_add(t, "</td><td>");
        fvi_html_integer(t, rows[i].support);
        fvi_text_add(t, "</td>");
        add_score(t, rows[i].precision);
        add_score(t, rows[i].recall);
        fvi_text_add(t, "<td>");
        fvi_html_share(t, rows[i].f1);
        fvi_text_add(t, "<span class=\"bar\"><i style=\"width:%ld%%\"></i></span></td></tr>\n", lround(100 * rows[i].f1));
    }
    fvi_text_add(t, "</tbody><tfoot>\n");
    add_average(t, r, "mean of classes", "");
    add_average(t, r, "weighted by pictures", "_weighted");
    fvi_text_add(t, "</tfoot></table></div>\n");
}

/* ---- mistakes --------------------------------------------------------------------------------------------------------- */

static void add_mistake(fvi_text *t, const fvi_record *e, const fvi_record_mistake *m)
{
    fvi_text_add(t, "<figure><div class=\"picture\">");
    if (m->picture) {
        fvi_text_add(t, "<img%s width=\"%lld\" height=\"%lld\" alt=\"\" src=\"", m->width < 96 && m->height < 96 ? " class=\"small\"" : "",
                     (long long)m->width, (long long)m->height);
        fvi_text_raw(t, m->picture, strlen(m->picture));
        fvi_text_add(t, "\">");
    } else {
        fvi_text_add(t, "no picture");
    }
    fvi_text_add(t, "</div><figcaption>is <b class=\"is\">");
    fvi_html_name(t, e->names[m->truth]);
    fvi_text_add(t, "</b> ");
    fvi_html_share(t, m->truth_probability);
    fvi_text_add(t, "<br>taken for <b class=\"not\">");
    fvi_html_name(t, e->names[m->predicted]);
    fvi_text_add(t, "</b> ");
    fvi_html_share(t, m->probability);
    fvi_text_add(t, "<small>");
    fvi_html_name(t, m->name);
    fvi_text_add(t, "</small></figcaption></figure>\n");
}

static void add_mistakes(fvi_text *t, const fvi_record *e)
{
    if (!e->n_mistakes) return;
    fvi_text_add(t, "<h3>Worst mistakes</h3>\n<p class=\"about\">Misclassified validation pictures with the largest loss. "
                    "Look here for wrong labels first.</p>\n<div class=\"mistakes\">\n");
    for (int i = 0; i < e->n_mistakes; i++) add_mistake(t, e, &e->mistakes[i]);
    fvi_text_add(t, "</div>\n");
}

/* ---- evaluation ------------------------------------------------------------------------------------------------------- */

static void add_about(fvi_text *t, const fvi_record *e)
{
    fvi_text_add(t, "<p class=\"about\">The best weights, of update ");
    fvi_html_integer(t, e->step);
    fvi_text_add(t, "%s, over all ", e->ema ? " (moving average)" : "");
    fvi_html_integer(t, e->samples);
    fvi_text_add(t, " pictures of “");
    fvi_html_text(t, e->split);
    fvi_text_add(t, "”. Rows: what a picture is; columns: what it was taken for; colour: share of the row.</p>\n");
}

fv_status fvi_page_evaluation(fv_context *ctx, fvi_text *t, const fvi_run_data *r)
{
    const fvi_record *e = &r->record;
    fv_status status = FV_OK;
    fvi_text_add(t, "<h2>Evaluation</h2>\n");
    if (!r->have_record) {
        fvi_text_add(t, "<p class=\"about\">There is no evaluation: nothing was validated, or the run has not come to it yet.</p>\n");
        return FV_OK;
    }
    class_row *rows = count_classes(e);
    if (!rows) return fvi_nomem(ctx);
    add_about(t, e);
    fvi_text_add(t, "<h3>Confusion matrix</h3>\n<div class=\"pair%s\"><div>\n", e->classes > 10 && e->classes <= TABLE_CLASSES ? " stack" : "");
    if (e->classes <= TABLE_CLASSES) add_matrix(t, e, rows);
    else status = add_map(ctx, t, e);
    fvi_text_add(t, "</div><div>\n<p class=\"about\">Most frequent confusions</p>\n");
    add_pairs(t, e, rows);
    fvi_text_add(t, "</div></div>\n");
    add_classes(t, r, rows);
    add_mistakes(t, e);
    fvi_free(rows);
    return status;
}

/* ---- data and environment --------------------------------------------------------------------------------------------- */

static void fact_begin(fvi_text *t, const char *label)
{
    fvi_text_add(t, "<tr><td>%s</td><td>", label);
}

static void fact_text(fvi_text *t, const char *label, const char *value)
{
    if (!value) return;
    fact_begin(t, label);
    fvi_html_name(t, value);
    fvi_text_add(t, "</td></tr>\n");
}

static void fact_integer(fvi_text *t, const char *label, double value)
{
    if (!isfinite(value)) return;
    fact_begin(t, label);
    fvi_html_integer(t, (int64_t)llround(value));
    fvi_text_add(t, "</td></tr>\n");
}

static void fact_bytes(fvi_text *t, const char *label, double value)
{
    if (!isfinite(value)) return;
    fact_begin(t, label);
    fvi_text_add(t, "%.1f MB</td></tr>\n", value / 1e6);
}

void fvi_page_environment(fvi_text *t, const fvi_run_data *r)
{
    const fvi_json *s = r->summary, *env = r->environment, *data = fvi_json_get(r->config, "data");
    double wait = fvi_run_data_number(s, "data_wait");
    fvi_text_add(t, "<h2>Data and environment</h2>\n<table class=\"facts\"><tbody>\n");
    fact_text(t, "data", fvi_run_data_string(data, "root"));
    fact_integer(t, "pictures for training", fvi_run_data_number(s, "train_samples"));
    fact_integer(t, "pictures for validation", fvi_run_data_number(s, "val_samples"));
    if (r->have_record) fact_integer(t, "classes", (double)r->record.classes);
    fact_text(t, "model", fvi_run_data_string(r->config, "model"));
    fact_integer(t, "parameters", fvi_run_data_number(s, "parameters"));
    fact_integer(t, "trained parameters", fvi_run_data_number(s, "trainable"));
    fact_bytes(t, "memory foretold", fvi_run_data_number(s, "foretold_bytes"));
    fact_bytes(t, "memory used at most", fvi_run_data_number(s, "peak_bytes"));
    fact_integer(t, "images a second", fvi_run_data_number(s, "images_per_second"));
    if (isfinite(wait)) {
        fact_begin(t, "time spent waiting for data");
        fvi_html_share(t, wait);
        fvi_text_add(t, "</td></tr>\n");
    }
    fact_text(t, "fovea", fvi_run_data_string(env, "fovea"));
    fact_text(t, "processor", fvi_run_data_string(env, "cpu"));
    fact_text(t, "instruction set", fvi_run_data_string(env, "isa"));
    fact_integer(t, "cores", fvi_run_data_number(env, "cores"));
    fact_integer(t, "compute threads", fvi_run_data_number(env, "threads"));
    fact_text(t, "oneDNN", fvi_run_data_string(env, "onednn"));
    fact_text(t, "run folder", r->path);
    fvi_text_add(t, "</tbody></table>\n");
    if (r->commands) {
        fvi_text_add(t, "<h3>Commands</h3>\n<pre>");
        fvi_html_text(t, r->commands);
        fvi_text_add(t, "</pre>\n");
    }
}

/* ---- configuration ---------------------------------------------------------------------------------------------------- */

/* As deep as the JSON reader allows. */
bool fvi_page_walk(const fvi_json *object, const char *prefix, fvi_page_leaf *leaf, void *user)
{
    bool ok = true;
    for (const fvi_json *v = object ? object->child : NULL; v && ok; v = v->next) {
        char *name = fvi_format("%s%s%s", prefix, *prefix ? "." : "", v->key ? v->key : "");
        if (!name) ok = false;
        else if (v->kind == FVI_JSON_OBJECT) ok = fvi_page_walk(v, name, leaf, user);
        else leaf(user, name, v);
        fvi_free(name);
    }
    return ok;
}

/* The value at a dotted name; keys themselves may have dots ("data": {"split.val": 0.2}). */
static const fvi_json *find(const fvi_json *object, const char *name)
{
    for (const fvi_json *v = object && object->kind == FVI_JSON_OBJECT ? object->child : NULL; v; v = v->next) {
        const size_t length = strlen(v->key);
        if (strncmp(v->key, name, length)) continue;
        const fvi_json *found = !name[length] ? v : name[length] == '.' ? find(v, name + length + 1) : NULL;
        if (found) return found;
    }
    return NULL;
}

static void add_value(fvi_text *t, const fvi_json *v)
{
    fvi_text text = {0};
    if (v && v->kind == FVI_JSON_STRING) {
        fvi_html_name(t, v->string);
        return;
    }
    if (!v) return;
    fvi_text_json(&text, v, 0);
    char *s = fvi_text_take(&text);
    if (!s) t->failed = true;
    fvi_html_text(t, s);
    fvi_free(s);
}

typedef struct config_rows { fvi_text *t; const fvi_run_data *r; } config_rows;

static void add_config_row(void *user, const char *name, const fvi_json *value)
{
    const config_rows *c = user;
    const fvi_json *origin = find(c->r->origins, name);
    const char *from = origin && origin->kind == FVI_JSON_STRING ? origin->string : NULL;
    fvi_text_add(c->t, "<tr%s><td>", from && !strcmp(from, "default") ? " class=\"default\"" : "");
    fvi_html_text(c->t, name);
    fvi_text_add(c->t, "</td><td>");
    add_value(c->t, value);
    fvi_text_add(c->t, "</td><td class=\"from\">");
    if (from) fvi_html_name(c->t, from);
    fvi_text_add(c->t, "</td></tr>\n");
}

void fvi_page_config(fvi_text *t, const fvi_run_data *r)
{
    config_rows c = {t, r};
    fvi_text_add(t, "<h2>Configuration</h2>\n<table class=\"config\"><thead><tr><th>key</th><th>value</th><th>from</th></tr></thead><tbody>\n");
    if (!fvi_page_walk(r->config, "", add_config_row, &c)) t->failed = true;
    fvi_text_add(t, "</tbody></table>\n");
}

/* ---- differences between runs ----------------------------------------------------------------------------------------- */

typedef struct differences { fvi_text *t; const fvi_run_data *runs; int n, at, rows; } differences;

static bool same_value(fvi_text *t, const fvi_json *a, const fvi_json *b)
{
    fvi_text x = {0}, y = {0};
    if (!a || !b) return a == b;
    fvi_text_json(&x, a, 0);
    fvi_text_json(&y, b, 0);
    char *s = fvi_text_take(&x), *u = fvi_text_take(&y);
    bool same = s && u && !strcmp(s, u);
    if (!s || !u) t->failed = true;
    fvi_free(s);
    fvi_free(u);
    return same;
}

/* A key of run `at` that an earlier run had was looked at already. */
static void add_difference(void *user, const char *name, const fvi_json *value)
{
    differences *d = user;
    bool same = true;
    for (int k = 0; k < d->at; k++)
        if (find(d->runs[k].config, name)) return;
    for (int k = 0; k < d->n; k++) same = same && same_value(d->t, find(d->runs[k].config, name), value);
    if (same || !strcmp(name, "run")) return;
    d->rows++;
    fvi_text_add(d->t, "<tr><td>");
    fvi_html_text(d->t, name);
    fvi_text_add(d->t, "</td>");
    for (int k = 0; k < d->n; k++) {
        fvi_text_add(d->t, "<td>");
        add_value(d->t, find(d->runs[k].config, name));
        fvi_text_add(d->t, "</td>");
    }
    fvi_text_add(d->t, "</tr>\n");
}

void fvi_page_differences(fvi_text *t, const fvi_run_data *runs, int n)
{
    differences d = {t, runs, n, 0, 0};
    fvi_text_add(t, "<section>\n<h2>Where the configurations differ</h2>\n<div class=\"scroll\"><table class=\"config\"><thead><tr><th>key</th>");
    for (int k = 0; k < n; k++) {
        fvi_text_add(t, "<th>");
        fvi_page_run_name(t, runs, n, k);
        fvi_text_add(t, "</th>");
    }
    fvi_text_add(t, "</tr></thead><tbody>\n");
    for (; d.at < n; d.at++)
        if (!fvi_page_walk(runs[d.at].config, "", add_difference, &d)) t->failed = true;
    fvi_text_add(t, "</tbody></table></div>\n%s</section>\n", d.rows ? "" : "<p class=\"about\">They do not.</p>\n");
}
