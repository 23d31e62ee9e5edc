/* SPDX-License-Identifier: Apache-2.0 */
/* Polygons by signed areas: each edge adds, to every pixel that it passes, the area between itself and the pixel's right
 * side, and to the next pixel what is left of its height; the running sum along a row is the coverage. */
#include "synth/canvas.h"
#include "synth/turn.h"

enum { DISC_POINTS = 20 };

fv_status fvi_canvas_open(fv_context *ctx, int width, int height, fvi_canvas *out)
{
    const size_t n = (size_t)width * (size_t)height;
    *out = (fvi_canvas){.width = width, .height = height};
    out->rgb = fvi_calloc(n * 3, sizeof(float));
    out->mask = fvi_calloc(n, sizeof(float));
    out->area = fvi_calloc((size_t)(width + 2) * (size_t)height, sizeof(float));
    if (out->rgb && out->mask && out->area) return FV_OK;
    fvi_canvas_close(out);
    return fvi_nomem(ctx);
}

void fvi_canvas_close(fvi_canvas *c)
{
    fvi_free(c->rgb);
    fvi_free(c->mask);
    fvi_free(c->area);
    *c = (fvi_canvas){0};
}

void fvi_canvas_clear_mask(fvi_canvas *c)
{
    memset(c->mask, 0, (size_t)c->width * (size_t)c->height * sizeof(float));
}

static double clamp(double v, double low, double high) { return v < low ? low : v > high ? high : v; }

/* The piece of an edge inside one row: from x `left` to `right`, `height` high (signed). */
static void add_piece(float *area, double left, double right, double height)
{
    const int first = (int)left;
    if (right <= first + 1) {
        const double part = height * (1 - ((left + right) / 2 - first));
        area[first] += (float)part;
        area[first + 1] += (float)(height - part);
        return;
    }
    const double per_x = height / (right - left);
    for (int i = first; i < right; i++) {
        const double x0 = left > i ? left : i, x1 = right < i + 1 ? right : i + 1;
        const double piece = per_x * (x1 - x0), part = piece * (1 - ((x0 + x1) / 2 - i));
        area[i] += (float)part;
        area[i + 1] += (float)(piece - part);
    }
}

static void add_edge(fvi_canvas *c, fvi_point a, fvi_point b)
{
    double sign = 1;
    if (a.y == b.y) return;
    if (a.y > b.y) {
        const fvi_point kept = a;
        a = b;
        b = kept;
        sign = -1;
    }
    const double slope = (b.x - a.x) / (b.y - a.y);
    const double top = clamp(a.y, 0, c->height), bottom = clamp(b.y, 0, c->height);
    for (int row = (int)top; row < bottom; row++) {
        const double y0 = top > row ? top : row, y1 = bottom < row + 1 ? bottom : row + 1;
        const double x0 = clamp(a.x + (y0 - a.y) * slope, 0, c->width), x1 = clamp(a.x + (y1 - a.y) * slope, 0, c->width);
        add_piece(c->area + (size_t)row * (size_t)(c->width + 2), FVI_MIN(x0, x1), FVI_MAX(x0, x1), sign * (y1 - y0));
    }
}

static void paint_pixel(fvi_canvas *c, int x, int y, float coverage, const fvi_paint *p)
{
    const size_t at = (size_t)y * (size_t)c->width + (size_t)x;
    float a = coverage * p->alpha * (p->inside ? c->mask[at] : 1);
    float light = 1;
    if (p->slope[0] != 0 || p->slope[1] != 0)
        light += p->slope[0] * (float)(x + 0.5 - p->origin.x) + p->slope[1] * (float)(y + 0.5 - p->origin.y);
    float *rgb = c->rgb + at * 3;
    for (int k = 0; k < 3; k++) rgb[k] += (p->rgb[k] * light - rgb[k]) * a;
    if (p->marks) c->mask[at] = 1 - (1 - c->mask[at]) * (1 - coverage);
}

void fvi_canvas_fill(fvi_canvas *c, const fvi_point *points, int n, const fvi_paint *paint)
{
    fvi_point low = points[0], high = points[0];
    for (int i = 0; i < n; i++) {
        add_edge(c, points[i], points[(i + 1) % n]);
        low.x = FVI_MIN(low.x, points[i].x), low.y = FVI_MIN(low.y, points[i].y);
        high.x = FVI_MAX(high.x, points[i].x), high.y = FVI_MAX(high.y, points[i].y);
    }
    const int x0 = (int)clamp(low.x, 0, c->width), x1 = (int)clamp(ceil(high.x), 0, c->width);
    const int y0 = (int)clamp(low.y, 0, c->height), y1 = (int)clamp(ceil(high.y), 0, c->height);
    for (int y = y0; y < y1; y++) {
        float *area = c->area + (size_t)y * (size_t)(c->width + 2), sum = 0;
        for (int x = x0; x < x1; x++) {
            sum += area[x];
            float coverage = sum < 0 ? -sum : sum;
            if (coverage > 1) coverage = 1;
            if (coverage > 1e-4f) paint_pixel(c, x, y, coverage, paint);   /* below: rounding left over */
        }
        memset(area + x0, 0, (size_t)(x1 - x0 + 2) * sizeof(float));
    }
}

void fvi_canvas_disc(fvi_canvas *c, fvi_point centre, double radius, const fvi_paint *paint)
{
    fvi_point p[DISC_POINTS];
    for (int i = 0; i < DISC_POINTS; i++) {
        const double turn = (double)i / DISC_POINTS;
        p[i] = (fvi_point){centre.x + radius * fvi_turn_cos(turn), centre.y + radius * fvi_turn_sin(turn)};
    }
    fvi_canvas_fill(c, p, DISC_POINTS, paint);
}

void fvi_canvas_band(fvi_canvas *c, fvi_point a, fvi_point b, double width, const fvi_paint *paint)
{
    double x = b.x - a.x, y = b.y - a.y, length = sqrt(x * x + y * y);
    if (length <= 0) return;
    x *= width / 2 / length;
    y *= width / 2 / length;
    const fvi_point p[4] = {{a.x - y, a.y + x}, {b.x - y, b.y + x}, {b.x + y, b.y - x}, {a.x + y, a.y - x}};
    fvi_canvas_fill(c, p, 4, paint);
}

/* One line of `n` items, `step` floats apart; the ends repeat. */
static void soften_line(float *line, int n, size_t step, int channels, float share, float *row)
{
    for (int i = 0; i < n; i++)
        memcpy(row + (size_t)i * (size_t)channels, line + (size_t)i * step, (size_t)channels * sizeof(float));
    for (int i = 0; i < n; i++) {
        const float *before = row + (size_t)FVI_MAX(i - 1, 0) * (size_t)channels, *at = row + (size_t)i * (size_t)channels;
        const float *after = row + (size_t)FVI_MIN(i + 1, n - 1) * (size_t)channels;
        for (int k = 0; k < channels; k++)
            line[(size_t)i * step + (size_t)k] = at[k] * (1 - 2 * share) + (before[k] + after[k]) * share;
    }
}

void fvi_canvas_soften(float *data, int width, int height, int channels, float share, float *row)
{
    const size_t line = (size_t)width * (size_t)channels;
    for (int y = 0; y < height; y++) soften_line(data + (size_t)y * line, width, (size_t)channels, channels, share, row);
    for (int x = 0; x < width; x++) soften_line(data + (size_t)x * (size_t)channels, height, line, channels, share, row);
}
