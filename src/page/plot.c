/* SPDX-License-Identifier: Apache-2.0 */
/* A plot is drawn for the width of a phone and grows with its column. Long curves are drawn as means of buckets, with a
 * band from the least to the largest value. */
#include "page/plot.h"

#include <math.h>
#include <stdlib.h>

enum { WIDTH = 460, HEIGHT = 250, LEFT = 62, RIGHT = 16, TOP = 10, BOTTOM = 34, BUCKETS = 240, POINTS = 40, MAX_TICKS = 12 };

typedef struct axis { double low, high; bool log; double ticks[MAX_TICKS]; int n_ticks; int from, to; } axis;

/* Tenths written by hand: the program's locale may have another decimal sign. */
static void coordinate(fvi_text *t, double v)
{
    long tenths = !isfinite(v) ? 0 : lround(10 * FVI_MIN(FVI_MAX(v, -9999), 9999));
    fvi_text_add(t, "%s%ld.%ld", tenths < 0 ? "-" : "", labs(tenths) / 10, labs(tenths) % 10);
}

static double place(const axis *a, double v)
{
    double low = a->log ? log10(a->low) : a->low, high = a->log ? log10(a->high) : a->high;
    return a->from + ((a->log ? log10(FVI_MAX(v, a->low)) : v) - low) / (high - low) * (a->to - a->from);
}

static void point(fvi_text *t, const axis *x, const axis *y, double px, double py)
{
    coordinate(t, place(x, px));
    fvi_text_add(t, " ");
    coordinate(t, place(y, py));
}

/* ---- axes ------------------------------------------------------------------------------------------------------------- */

static double at(const fvi_curve *c, const double *values, int64_t i)
{
    return values[i * c->stride];
}

bool fvi_curve_empty(const fvi_curve *c)
{
    for (int64_t i = 0; i < c->n; i++)
        if (isfinite(at(c, c->y, i))) return false;
    return true;
}

static void range_of(const fvi_plot *p, axis *x, axis *y)
{
    *x = (axis){.low = INFINITY, .high = -INFINITY, .from = LEFT, .to = WIDTH - RIGHT};
    *y = (axis){.low = INFINITY, .high = -INFINITY, .from = HEIGHT - BOTTOM, .to = TOP};
    for (int k = 0; k < p->n_curves; k++) {
        const fvi_curve *c = &p->curves[k];
        for (int64_t i = 0; i < c->n; i++) {
            double v = at(c, c->y, i);
            if (!isfinite(v)) continue;
            x->low = fmin(x->low, at(c, c->x, i));
            x->high = fmax(x->high, at(c, c->x, i));
            y->low = fmin(y->low, v);
            y->high = fmax(y->high, v);
        }
    }
    y->log = !p->share && y->low > 0 && y->high / y->low > 100;
    if (x->low < x->high) x->low = fmin(x->low, 0);      /* a run begins at 0 */
    if (x->high <= x->low) {
        x->low -= 1;
        x->high += 1;
    }
}

static void linear_ticks(axis *a, int wanted)
{
    double rough = (a->high - a->low) / wanted, unit = pow(10, floor(log10(rough))), step = rough / unit;
    step = (step <= 1 ? 1 : step <= 2 ? 2 : step <= 5 ? 5 : 10) * unit;
    for (double k = ceil(a->low / step - 1e-9); a->n_ticks < MAX_TICKS && k * step <= a->high + 1e-9 * step; k++) a->ticks[a->n_ticks++] = k * step;
}

static void finish_y(axis *y, bool share)
{
    if (y->log) {
        y->low = pow(10, floor(log10(y->low) + 1e-9));
        y->high = pow(10, ceil(log10(y->high) - 1e-9));
        double stride = ceil((log10(y->high) - log10(y->low)) / (MAX_TICKS - 2));
        for (double e = log10(y->low); y->n_ticks < MAX_TICKS && e <= log10(y->high) + 1e-9; e += stride) y->ticks[y->n_ticks++] = pow(10, round(e));
        return;
    }
    double room = (y->high - y->low) * 0.06;
    if (!(room > 0)) room = fmax(fabs(y->high) * 0.1, share ? 0.05 : 1e-6);
    double low = y->low;
    y->low -= room;
    y->high += room;
    if (low >= 0) y->low = fmax(y->low, 0);
    if (share) y->high = fmin(y->high, 1);
    linear_ticks(y, 5);
}

/* Short texts: 0.25, 1e-05, 20k, 1.5M. */
static void tick_text(fvi_text *t, double v, bool share)
{
    double size = fabs(v);
    if (share) fvi_text_add(t, "%.4g%%", 100 * v);
    else if (size < 1e-12) fvi_text_add(t, "0");
    else if (size >= 1e6) fvi_text_add(t, "%.4gM", v / 1e6);
    else if (size >= 1e4) fvi_text_add(t, "%.4gk", v / 1e3);
    else fvi_text_add(t, "%.4g", v);
}

static void add_axes(fvi_text *t, const axis *x, const axis *y, bool share)
{
    for (int i = 0; i < y->n_ticks; i++) {
        double v = place(y, y->ticks[i]);
        fvi_text_add(t, "<path class=\"grid\" d=\"M%d ", LEFT);
        coordinate(t, v);
        fvi_text_add(t, "H%d\"/><text class=\"y\" x=\"%d\" y=\"", WIDTH - RIGHT, LEFT - 6);
        coordinate(t, v + 5);
        fvi_text_add(t, "\">");
        tick_text(t, y->ticks[i], share);
        fvi_text_add(t, "</text>");
    }
    for (int i = 0; i < x->n_ticks; i++) {
        fvi_text_add(t, "<text class=\"x\" x=\"");
        coordinate(t, place(x, x->ticks[i]));
        fvi_text_add(t, "\" y=\"%d\">", HEIGHT - BOTTOM + 18);
        tick_text(t, x->ticks[i], false);
        fvi_text_add(t, "</text>");
    }
    fvi_text_add(t, "<path class=\"axis\" d=\"M%d %dH%d\"/>", LEFT, HEIGHT - BOTTOM, WIDTH - RIGHT);
}

/* ---- curves ----------------------------------------------------------------------------------------------------------- */

typedef struct bucket { double x, sum, low, high; int64_t n; } bucket;

/* Finite points put together by x; returns how many buckets have some, packed to the front. */
static int fill_buckets(const fvi_curve *c, const axis *x, bucket b[BUCKETS])
{
    int used = 0;
    memset(b, 0, BUCKETS * sizeof *b);
    for (int64_t i = 0; i < c->n; i++) {
        double px = at(c, c->x, i), v = at(c, c->y, i);
        if (!isfinite(v)) continue;
        int k = (int)((px - x->low) / (x->high - x->low) * BUCKETS);
        bucket *to = &b[FVI_MIN(FVI_MAX(k, 0), BUCKETS - 1)];
        to->low = to->n ? fmin(to->low, v) : v;
        to->high = to->n ? fmax(to->high, v) : v;
        to->sum += v;
        to->x += px;
        to->n++;
    }
    for (int k = 0; k < BUCKETS; k++)
        if (b[k].n) b[used++] = b[k];
    return used;
}

static void add_bucketed(fvi_text *t, const fvi_curve *c, const axis *x, const axis *y)
{
    bucket b[BUCKETS];
    int n = fill_buckets(c, x, b);
    fvi_text_add(t, "<path class=\"band f%d\" d=\"", c->color);
    for (int i = 0; i < n; i++) {
        fvi_text_add(t, i ? "L" : "M");
        point(t, x, y, b[i].x / (double)b[i].n, b[i].high);
    }
    for (int i = n - 1; i >= 0; i--) {
        fvi_text_add(t, "L");
        point(t, x, y, b[i].x / (double)b[i].n, b[i].low);
    }
    fvi_text_add(t, "Z\"/><path class=\"line s%d%s\" d=\"", c->color, c->dashed ? " dash" : "");
    for (int i = 0; i < n; i++) {
        fvi_text_add(t, i ? "L" : "M");
        point(t, x, y, b[i].x / (double)b[i].n, b[i].sum / (double)b[i].n);
    }
    fvi_text_add(t, "\"/>");
}

static void add_points(fvi_text *t, const fvi_curve *c, const axis *x, const axis *y, bool share)
{
    for (int64_t i = 0; i < c->n; i++) {
        double px = at(c, c->x, i), v = at(c, c->y, i);
        if (!isfinite(v)) continue;
        fvi_text_add(t, "<circle class=\"f%d\" r=\"2.6\" cx=\"", c->color);
        coordinate(t, place(x, px));
        fvi_text_add(t, "\" cy=\"");
        coordinate(t, place(y, v));
        fvi_text_add(t, "\"><title>");
        fvi_html_text(t, c->label);
        fvi_text_add(t, ", %.0f: ", px);
        if (share) fvi_html_share(t, v);
        else fvi_html_number(t, v);
        fvi_text_add(t, "</title></circle>");
    }
}

static void add_curve(fvi_text *t, const fvi_curve *c, const axis *x, const axis *y, bool share)
{
    int64_t n = 0;
    for (int64_t i = 0; i < c->n; i++) n += isfinite(at(c, c->y, i));
    if (n > BUCKETS) {
        add_bucketed(t, c, x, y);
        return;
    }
    fvi_text_add(t, "<path class=\"line s%d%s\" d=\"", c->color, c->dashed ? " dash" : "");
    bool first = true;
    for (int64_t i = 0; i < c->n; i++) {
        if (!isfinite(at(c, c->y, i))) continue;
        fvi_text_add(t, first ? "M" : "L");
        point(t, x, y, at(c, c->x, i), at(c, c->y, i));
        first = false;
    }
    fvi_text_add(t, "\"/>");
    if (n <= POINTS) add_points(t, c, x, y, share);
}

static void add_legend(fvi_text *t, const fvi_plot *p)
{
    fvi_text_add(t, "<p class=\"legend\">");
    for (int k = 0; k < p->n_curves; k++) {
        if (fvi_curve_empty(&p->curves[k])) continue;
        fvi_text_add(t, "<span><i class=\"b%d%s\"></i>", p->curves[k].color, p->curves[k].dashed ? " dash" : "");
        fvi_html_name(t, p->curves[k].label);
        fvi_text_add(t, "</span> ");
    }
    fvi_text_add(t, "</p>");
}

void fvi_plot_add(fvi_text *t, const fvi_plot *p)
{
    axis x, y;
    bool empty = true;
    for (int k = 0; k < p->n_curves; k++) empty = empty && fvi_curve_empty(&p->curves[k]);
    if (empty) return;
    range_of(p, &x, &y);
    linear_ticks(&x, 5);
    finish_y(&y, p->share);
    fvi_text_add(t, "<figure class=\"plot\"><figcaption>");
    fvi_html_text(t, p->title);
    fvi_text_add(t, "</figcaption>");
    add_legend(t, p);
    fvi_text_add(t, "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"", WIDTH, HEIGHT);
    fvi_html_text(t, p->title);
    fvi_text_add(t, "\">");
    add_axes(t, &x, &y, p->share);
    if (isfinite(p->mark) && p->mark >= x.low && p->mark <= x.high) {
        fvi_text_add(t, "<path class=\"mark\" d=\"M");
        coordinate(t, place(&x, p->mark));
        fvi_text_add(t, " %dV%d\"/>", TOP, HEIGHT - BOTTOM);
    }
    for (int k = 0; k < p->n_curves; k++) add_curve(t, &p->curves[k], &x, &y, p->share);
    fvi_text_add(t, "</svg></figure>\n");
}
