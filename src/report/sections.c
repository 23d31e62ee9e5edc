/* SPDX-License-Identifier: Apache-2.0 */
/* Evaluation, data and environment, configuration. */
#include "report/page.h"

#include <math.h>
#include <stdio.h>

void fvi_page_run_name(fvi_text *t, const fvi_run_data *runs, int n, int k)
{
    if (n > 1) fvi_text_add(t, "<i class=\"dot b%d\"></i>", k % FVI_PLOT_COLORS);
    fvi_html_name(t, fvi_run_data_label(runs, n, k));
}

/* ---- evaluation ------------------------------------------------------------------------------------------------------- */

/* A section that cannot be shown is left out; the page says why. */
static fv_status add_task(fv_context *ctx, fvi_text *t, const fvi_run_data *r)
{
    const size_t before = t->length;
    if (!r->task) {
        fvi_text_add(t, "<p class=\"note\">The task “");
        fvi_html_text(t, fvi_run_data_string(r->config, "task"));
        fvi_text_add(t, "” is not one of this program: what it shows is left out.</p>\n");
        return FV_OK;
    }
    const fv_status status = r->task->report ? r->task->report(ctx, r->record.root, t) : FV_OK;
    if (status == FV_OK || status == FV_ERROR_NOMEM) return status;
    t->length = before;
    fvi_text_add(t, "<p class=\"note\">");
    fvi_html_text(t, ctx ? fv_error_message(ctx) : "evaluation.json cannot be shown");
    fvi_text_add(t, "</p>\n");
    fvi_error_clear(ctx);
    return FV_OK;
}

fv_status fvi_page_evaluation(fv_context *ctx, fvi_text *t, const fvi_run_data *r)
{
    fvi_text_add(t, "<h2>Evaluation</h2>\n");
    if (r->have_record) return add_task(ctx, t, r);
    fvi_text_add(t, "<p class=\"about\">There is no evaluation: nothing was validated, or the run has not come to it yet.</p>\n");
    return FV_OK;
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

/* How many there are in a list. */
static void fact_count(fvi_text *t, const char *label, const fvi_json *list)
{
    if (list && list->kind == FVI_JSON_ARRAY) fact_integer(t, label, list->count);
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
    if (r->have_record) fact_count(t, "classes", fvi_json_get(r->record.root, "classes"));
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
