/* SPDX-License-Identifier: Apache-2.0 */
/* Title, key figures, curves, and the page as a whole. The page holds no script and refers to nothing outside of itself; its
 * content policy forbids both, so that not even a mistake in escaping could. */
#include "report/page.h"
#include "base/file.h"
#include "fovea/report.h"
#include "page/style.h"

#include <math.h>
#include <stdio.h>

/* ---- looking things up ------------------------------------------------------------------------------------------------ */

/* The last value of a column that is not empty. */
static double last_of(const fvi_run_data *r, const char *column)
{
    int c = fvi_run_data_column(r, column);
    for (int64_t i = r->n_rows - 1; c >= 0 && i >= 0; i--)
        if (isfinite(r->cells[i * r->n_columns + c])) return r->cells[i * r->n_columns + c];
    return (double)NAN;
}

/* ---- head ------------------------------------------------------------------------------------------------------------- */

static const char policy[] =
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'\">\n";

static void tile_begin(fvi_text *t)
{
    fvi_text_add(t, "<div class=\"tile\"><b>");
}

static void tile_end(fvi_text *t, const char *what)
{
    fvi_text_add(t, "</b><span>%s</span></div>\n", what);
}

static void tile_share(fvi_text *t, double v, const char *what)
{
    if (!isfinite(v)) return;
    tile_begin(t);
    fvi_html_share(t, v);
    tile_end(t, what);
}

static void tile_number(fvi_text *t, double v, bool whole, const char *what)
{
    if (!isfinite(v)) return;
    tile_begin(t);
    if (whole) fvi_html_integer(t, (int64_t)llround(v));
    else fvi_html_number(t, v);
    tile_end(t, what);
}

static void add_bytes(fvi_text *t, double bytes)
{
    if (bytes < 1e9) fvi_text_add(t, "%.0f\u00a0MB", bytes / 1e6);
    else fvi_text_add(t, "%.2f\u00a0GB", bytes / 1e9);
}

static void add_seconds(fvi_text *t, double s)
{
    long long n = llround(s);
    if (!isfinite(s)) fvi_text_add(t, "–");
    else if (n >= 3600) fvi_text_add(t, "%lld\u00a0h %02lld\u00a0min", n / 3600, n / 60 % 60);
    else if (n >= 60) fvi_text_add(t, "%lld\u00a0min %02lld\u00a0s", n / 60, n % 60);
    else fvi_text_add(t, "%.1f\u00a0s", s);
}

/* A metric of the best weights, else of the last validation. */
static double metric_of(const fvi_run_data *r, const char *name)
{
    char column[128];
    snprintf(column, sizeof column, "val_%s", name);
    return r->have_record ? fvi_run_data_metric(r, name) : last_of(r, column);
}

static const fv_report_tile *tiles_of(const fvi_run_data *r)
{
    static const fv_report_tile loss[] = {{"loss", "validation loss", "val. loss", false}, {NULL, NULL, NULL, false}};
    return r->task && r->task->tiles ? r->task->tiles : loss;
}

static void add_tiles(fvi_text *t, const fvi_run_data *r)
{
    double peak = fvi_run_data_number(r->summary, "peak_bytes"), seconds = fvi_run_data_number(r->summary, "seconds");
    fvi_text_add(t, "<div class=\"tiles\">\n");
    for (const fv_report_tile *m = tiles_of(r); m->metric; m++) {
        if (m->share) tile_share(t, metric_of(r, m->metric), m->label);
        else tile_number(t, metric_of(r, m->metric), false, m->label);
    }
    if (r->have_record) tile_number(t, (double)r->record.step, true, "update of these weights, the best");
    tile_number(t, last_of(r, "step"), true, "updates");
    tile_number(t, last_of(r, "loss"), false, "last training loss");
    tile_number(t, fvi_run_data_number(r->summary, "parameters"), true, "parameters");
    tile_number(t, fvi_run_data_number(r->summary, "images_per_second"), true, "images a second");
    if (isfinite(seconds)) {
        tile_begin(t);
        add_seconds(t, seconds);
        tile_end(t, "of training");
    }
    if (isfinite(peak)) {
        tile_begin(t);
        add_bytes(t, peak);
        tile_end(t, "peak memory");
    }
    fvi_text_add(t, "</div>\n");
}

static void add_comparison(fvi_text *t, const fvi_run_data *runs, int n)
{
    fvi_text_add(t, "<div class=\"scroll\"><table class=\"wide\"><thead><tr><th>run</th><th class=\"text\">model</th>");
    for (const fv_report_tile *m = tiles_of(runs); m->metric; m++) fvi_text_add(t, "<th>%s</th>", m->heading);
    fvi_text_add(t, "<th>best at</th><th>updates</th><th>parameters</th><th>images/s</th><th>time</th></tr></thead><tbody>\n");
    for (int k = 0; k < n; k++) {
        const fvi_run_data *r = &runs[k];
        const double whole[] = {r->have_record ? (double)r->record.step : (double)NAN, last_of(r, "step"), fvi_run_data_number(r->summary, "parameters"),
                                fvi_run_data_number(r->summary, "images_per_second")};
        fvi_text_add(t, "<tr><td>");
        fvi_page_run_name(t, runs, n, k);
        fvi_text_add(t, "</td><td class=\"text\">");
        fvi_html_text(t, fvi_run_data_string(r->config, "model"));
        fvi_text_add(t, "</td>");
        for (const fv_report_tile *m = tiles_of(runs); m->metric; m++) {
            fvi_text_add(t, "<td>");
            if (m->share) fvi_html_share(t, metric_of(r, m->metric));
            else fvi_html_number(t, metric_of(r, m->metric));
            fvi_text_add(t, "</td>");
        }
        for (int i = 0; i < FVI_COUNT(whole); i++) {
            fvi_text_add(t, "<td>");
            if (isfinite(whole[i])) fvi_html_integer(t, (int64_t)llround(whole[i]));
            else fvi_text_add(t, "–");
            fvi_text_add(t, "</td>");
        }
        fvi_text_add(t, "<td>");
        add_seconds(t, fvi_run_data_number(r->summary, "seconds"));
        fvi_text_add(t, "</td></tr>\n");
    }
    fvi_text_add(t, "</tbody></table></div>\n");
}

static void add_notes(fvi_text *t, const fvi_run_data *r)
{
    for (int i = 0; i < r->notes.count; i++) {
        fvi_text_add(t, "<p class=\"note\">");
        fvi_html_text(t, r->notes.items[i]);
        fvi_text_add(t, "</p>\n");
    }
}

void fvi_page_head(fvi_text *t, const fvi_run_data *runs, int n)
{
    fvi_text_add(t, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n%s"
                    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
                    "<meta name=\"color-scheme\" content=\"light dark\">\n<title>",
                 policy);
    for (int k = 0; k < n && k < 4; k++) {
        if (k) fvi_text_add(t, ", ");
        fvi_html_text(t, runs[k].name);
    }
    fvi_text_add(t, "%s – fovea</title>\n<style>\n", n > 4 ? " …" : "");
    fvi_text_raw(t, fvi_report_style, strlen(fvi_report_style));
    fvi_text_add(t, "</style>\n</head>\n<body>\n<header>\n<h1>");
    if (n == 1) fvi_html_name(t, runs->name);
    else fvi_text_add(t, "%d runs", n);
    fvi_text_add(t, "</h1>\n");
    if (n == 1) {
        fvi_text_add(t, "<p class=\"sub\">");
        fvi_html_text(t, fvi_run_data_string(runs->config, "model"));
        fvi_text_add(t, " · ");
        fvi_html_name(t, runs->path);
        fvi_text_add(t, "</p>\n");
        add_notes(t, runs);
        add_tiles(t, runs);
    } else {
        for (int k = 0; k < n; k++) add_notes(t, &runs[k]);
        add_comparison(t, runs, n);
    }
    fvi_text_add(t, "</header>\n");
}

/* ---- curves ----------------------------------------------------------------------------------------------------------- */

static fvi_curve curve_of(const fvi_run_data *r, const char *column, const char *label, int color, bool dashed)
{
    int x = fvi_run_data_column(r, "step"), y = fvi_run_data_column(r, column);
    if (x < 0 || y < 0) return (fvi_curve){.label = label, .color = color};
    return (fvi_curve){label, color, dashed, r->cells + x, r->cells + y, r->n_rows, r->n_columns};
}

/* A plot of the task. Where a metric was measured with the weights themselves too, the other curve is that of their average. */
static void add_plot(fvi_text *t, const fvi_run_data *r, const fv_report_plot *p, double best)
{
    fvi_curve curves[FVI_COUNT(p->curves)];
    char labels[FVI_COUNT(p->curves)][96], raw[128];
    int n = 0;
    for (; n < FVI_COUNT(p->curves) && p->curves[n].column; n++) {
        const fv_report_curve *c = &p->curves[n];
        snprintf(raw, sizeof raw, "%s_raw", c->column);
        snprintf(labels[n], sizeof labels[n], isfinite(last_of(r, raw)) ? "%s (moving average)" : "%s", c->label);
        curves[n] = curve_of(r, c->column, labels[n], c->color, c->dashed);
    }
    fvi_plot_add(t, &(fvi_plot){p->title, p->share, curves, n, best});
}

static void one_run_curves(fvi_text *t, const fvi_run_data *r)
{
    double best = r->have_record ? (double)r->record.step : (double)NAN;
    const fvi_curve loss[] = {curve_of(r, "loss", "training", 0, false), curve_of(r, "val_loss", "validation", 1, false)};
    const fvi_curve rate = curve_of(r, "lr", "learning rate", 2, false), norm = curve_of(r, "grad_norm", "gradient norm", 4, false);
    fvi_plot_add(t, &(fvi_plot){"Loss", false, loss, 2, best});
    for (const fv_report_plot *p = r->task ? r->task->plots : NULL; p && p->title; p++) add_plot(t, r, p, best);
    fvi_plot_add(t, &(fvi_plot){"Learning rate", false, &rate, 1, (double)NAN});
    fvi_plot_add(t, &(fvi_plot){"Gradient norm", false, &norm, 1, (double)NAN});
}

static void overlaid(fvi_text *t, const fvi_run_data *runs, int n, fvi_curve *curves, const char *title, const char *column, bool share)
{
    for (int k = 0; k < n; k++)
        curves[k] = curve_of(&runs[k], column, fvi_run_data_label(runs, n, k), k % FVI_PLOT_COLORS, k / FVI_PLOT_COLORS % 2 == 1);
    fvi_plot_add(t, &(fvi_plot){title, share, curves, n, (double)NAN});
}

void fvi_page_curves(fvi_text *t, const fvi_run_data *runs, int n)
{
    bool any = false;
    for (int k = 0; k < n; k++) any = any || runs[k].n_rows > 0;
    fvi_text_add(t, "<section>\n<h2>Curves</h2>\n");
    if (!any) {
        fvi_text_add(t, "<p class=\"about\">Nothing was measured yet.</p>\n</section>\n");
        return;
    }
    fvi_text_add(t, "<p class=\"about\">Over the number of updates%s.</p>\n<div class=\"plots\">\n",
                 n == 1 ? ". Bands reach from the least to the largest value around; the dotted line marks the best weights" : "");
    if (n == 1) {
        one_run_curves(t, runs);
    } else {
        fvi_curve *curves = fvi_calloc((size_t)n, sizeof *curves);
        if (!curves) t->failed = true;
        if (curves) {
            overlaid(t, runs, n, curves, "Training loss", "loss", false);
            overlaid(t, runs, n, curves, "Validation loss", "val_loss", false);
            for (const fv_report_tile *m = tiles_of(runs); m->metric; m++) {
                char title[128], column[128];
                if (!strcmp(m->metric, "loss")) continue;
                snprintf(title, sizeof title, "Validation %s", m->heading);
                snprintf(column, sizeof column, "val_%s", m->metric);
                overlaid(t, runs, n, curves, title, column, m->share);
            }
            overlaid(t, runs, n, curves, "Learning rate", "lr", false);
            overlaid(t, runs, n, curves, "Gradient norm", "grad_norm", false);
        }
        fvi_free(curves);
    }
    fvi_text_add(t, "</div>\n</section>\n");
}

/* ---- the page --------------------------------------------------------------------------------------------------------- */

fv_status fvi_page_text(fv_context *ctx, const fvi_run_data *runs, int n, fvi_text *t)
{
    fvi_page_head(t, runs, n);
    fvi_page_curves(t, runs, n);
    if (n > 1) fvi_page_differences(t, runs, n);
    for (int k = 0; k < n; k++) {
        fvi_text_add(t, "<section>\n");
        if (n > 1) {
            fvi_text_add(t, "<h2 class=\"run\">");
            fvi_page_run_name(t, runs, n, k);
            fvi_text_add(t, "</h2>\n");
        }
        FVI_TRY(ctx, fvi_page_evaluation(ctx, t, &runs[k]));
        fvi_page_environment(t, &runs[k]);
        if (n == 1) fvi_page_config(t, &runs[k]);
        fvi_text_add(t, "</section>\n");
    }
    fvi_text_add(t, "<footer>Written by fovea %s. This file holds all it shows.</footer>\n</body>\n</html>\n", fv_version());
    return t->failed ? fvi_nomem(ctx) : FV_OK;
}

static fv_status write_report(fv_context *ctx, const fv_task_def *task, const char *const *runs, int n, const char *output, fvi_run_data *data, int *opened)
{
    fvi_text t = {0};
    for (int k = 0; k < n; k++, ++*opened) FVI_TRY(ctx, fvi_run_data_read(ctx, task, runs[k], &data[k]));
    fv_status status = fvi_page_text(ctx, data, n, &t);
    if (status == FV_OK) status = fvi_file_write(ctx, output, t.data, t.length);
    fvi_text_free(&t);
    return status;
}

enum { MOST = 64 };
typedef struct run_list { const char *paths[MOST]; int n; fvi_arena arena; } run_list;

static fv_status add_run(fv_context *ctx, run_list *l, const char *path)
{
    if (l->n == MOST) return fvi_fail(ctx, FV_ERROR_INVALID, "a report is of 1 to %d runs", MOST);
    if (!(l->paths[l->n] = fvi_arena_strdup(&l->arena, path))) return fvi_nomem(ctx);
    l->n++;
    return FV_OK;
}

/* A folder of several seeds stands for its runs, as many as there is room for. */
static fv_status add_seeds(fv_context *ctx, run_list *l, const char *folder, const char *file)
{
    char *text = NULL;
    size_t bytes;
    fvi_json *root;
    fv_status status = fvi_file_read(ctx, file, 64 << 20, &text, &bytes);
    if (status == FV_OK) status = fvi_json_parse(ctx, &l->arena, file, text, bytes, false, &root);
    fvi_free(text);
    FVI_TRY(ctx, status);
    const fvi_json *runs = fvi_json_get(root, "runs");
    const int before = l->n;
    for (const fvi_json *v = runs && runs->kind == FVI_JSON_ARRAY ? runs->child : NULL; v && l->n < MOST; v = v->next) {
        const fvi_json *name = fvi_json_get(v, "run");
        if (!name || name->kind != FVI_JSON_STRING || !*name->string || strchr(name->string, '/')) continue;
        const char *path = fvi_arena_format(&l->arena, "%s/%s", folder, name->string);
        FVI_TRY(ctx, path ? add_run(ctx, l, path) : fvi_nomem(ctx));
    }
    return l->n > before ? FV_OK : fvi_fail(ctx, FV_ERROR_FORMAT, "%s names no run", file);
}

static fv_status list_runs(fv_context *ctx, const char *const *runs, int n, run_list *l)
{
    for (int i = 0; i < n; i++) {
        char *seeds = fvi_path_join(runs[i], "seeds.json");
        if (!seeds) return fvi_nomem(ctx);
        fv_status status = fvi_file_exists(seeds) ? add_seeds(ctx, l, runs[i], seeds) : add_run(ctx, l, runs[i]);
        fvi_free(seeds);
        if (status != FV_OK) return status;
    }
    return FV_OK;
}

fv_status fv_report_write(fv_context *ctx, const fv_task_def *task, const char *const *runs, int n, const char *output)
{
    int opened = 0;
    fvi_run_data *data = NULL;
    run_list l = {.n = 0};
    fv_status status = FV_OK;
    if (n < 1 || n > MOST) return fvi_fail(ctx, FV_ERROR_INVALID, "a report is of 1 to %d runs, not %d", MOST, n);
    FVI_TRY_DONE(ctx, status, list_runs(ctx, runs, n, &l));
    if (!(data = fvi_calloc((size_t)l.n, sizeof *data))) {
        status = fvi_nomem(ctx);
        goto done;
    }
    status = write_report(ctx, task, l.paths, l.n, output, data, &opened);
done:
    for (int k = 0; k < opened; k++) fvi_run_data_free(&data[k]);
    fvi_free(data);
    fvi_arena_free(&l.arena);
    return status;
}
