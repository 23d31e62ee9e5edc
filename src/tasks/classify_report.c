/* SPDX-License-Identifier: Apache-2.0 */
/* The classification section of a report: confusion matrix, classes, mistakes. */
#include "image/png_write.h"
#include "page/html.h"
#include "page/paint.h"
#include "page/picture.h"
#include "tasks/classify.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { TABLE_CLASSES = 20, PAIRS = 12 };                 /* more classes are drawn as a picture; confusions listed */

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

static class_row *count_classes(const fvi_class_record *e)
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

static void add_matrix(fvi_text *t, const fvi_class_record *e, const class_row *rows)
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

static fv_status add_map(fv_context *ctx, fvi_text *t, const fvi_class_record *e)
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

static int find_pairs(const fvi_class_record *e, pair best[PAIRS])
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

static void add_pairs(fvi_text *t, const fvi_class_record *e, const class_row *rows)
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

static double metric(const fv_json *root, const char *name)
{
    const fv_json *v = fv_json_get(fv_json_get(root, "metrics"), name);
    return v && v->kind == FV_JSON_NUMBER ? v->number : (double)NAN;
}

static void add_average(fvi_text *t, const fv_json *root, const char *label, const char *suffix)
{
    const fv_json *samples = fv_json_get(root, "samples");
    static const char *const scores[] = {"precision", "recall", "f1"};
    fvi_text_add(t, "<tr><td>%s</td><td>", label);
    fvi_html_integer(t, samples && samples->is_integer ? samples->integer : -1);
    fvi_text_add(t, "</td>");
    for (int i = 0; i < 3; i++) {
        char name[40];
        snprintf(name, sizeof name, "%s%s", scores[i], suffix);
        add_score(t, metric(root, name));
    }
    fvi_text_add(t, "</tr>\n");
}

static void add_classes(fvi_text *t, const fv_json *root, const fvi_class_record *e, class_row *rows)
{
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
    add_average(t, root, "mean of classes", "");
    add_average(t, root, "weighted by pictures", "_weighted");
    fvi_text_add(t, "</tfoot></table></div>\n");
}

/* ---- mistakes --------------------------------------------------------------------------------------------------------- */

static void add_mistake(fvi_text *t, const fvi_class_record *e, const fvi_class_mistake *m)
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

static void add_mistakes(fvi_text *t, const fvi_class_record *e)
{
    if (!e->n_mistakes) return;
    fvi_text_add(t, "<h3>Worst mistakes</h3>\n<p class=\"about\">Misclassified validation pictures with the largest loss. "
                    "Look here for wrong labels first.</p>\n<div class=\"mistakes\">\n");
    for (int i = 0; i < e->n_mistakes; i++) add_mistake(t, e, &e->mistakes[i]);
    fvi_text_add(t, "</div>\n");
}

/* ---- the section ------------------------------------------------------------------------------------------------------ */

static void add_about(fvi_text *t, const fv_json *root)
{
    const fv_json *step = fv_json_get(root, "step"), *ema = fv_json_get(root, "ema"), *samples = fv_json_get(root, "samples"), *split = fv_json_get(root, "split");
    fvi_text_add(t, "<p class=\"about\">The best weights, of update ");
    fvi_html_integer(t, step && step->is_integer ? step->integer : -1);
    fvi_text_add(t, "%s, over all ", ema && ema->kind == FV_JSON_BOOL && ema->number != 0 ? " (moving average)" : "");
    fvi_html_integer(t, samples && samples->is_integer ? samples->integer : -1);
    fvi_text_add(t, " pictures of “");
    fvi_html_text(t, split && split->kind == FV_JSON_STRING ? split->string : "val");
    fvi_text_add(t, "”. Rows: what a picture is; columns: what it was taken for; colour: share of the row.</p>\n");
}

static fv_status add_section(fv_context *ctx, const fv_json *root, const fvi_class_record *e, fv_text *t)
{
    fv_status status = FV_OK;
    class_row *rows = count_classes(e);
    if (!rows) return fvi_nomem(ctx);
    add_about(t, root);
    fvi_text_add(t, "<h3>Confusion matrix</h3>\n<div class=\"pair%s\"><div>\n", e->classes > 10 && e->classes <= TABLE_CLASSES ? " stack" : "");
    if (e->classes <= TABLE_CLASSES) add_matrix(t, e, rows);
    else status = add_map(ctx, t, e);
    fvi_text_add(t, "</div><div>\n<p class=\"about\">Most frequent confusions</p>\n");
    add_pairs(t, e, rows);
    fvi_text_add(t, "</div></div>\n");
    add_classes(t, root, e, rows);
    add_mistakes(t, e);
    fvi_free(rows);
    return status;
}

fv_status fvi_classify_report(fv_context *ctx, const fv_json *evaluation, fv_text *page)
{
    fvi_arena arena = {0};
    fvi_class_record e;
    fv_status status = fvi_class_record_parse(ctx, "evaluation.json", evaluation, &arena, &e);
    if (status == FV_OK) status = add_section(ctx, evaluation, &e, page);
    fvi_arena_free(&arena);
    return status;
}
