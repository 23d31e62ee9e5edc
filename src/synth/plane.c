/* SPDX-License-Identifier: Apache-2.0 */
/* Draws a row of the table. The parts are emitted once for each purpose: to measure the box around them, to cast the
 * shadow, to paint. Coordinates of parts: metres, x to the right, y forward, the nose at (0, 0). */
#include "synth/plane.h"
#include "synth/turn.h"

enum { MOST_POINTS = 64, PROFILE = 9 };

typedef enum purpose { MEASURE, SHADOW, PAINT } purpose;
/* Colours of parts by what they are. */
typedef enum tone { BODY, WING, TAIL, ENGINE, SECOND, BLACK, WHITE, GLASS, METAL } tone;

typedef struct part {
    tone tone;
    float shade, alpha;          /* brightness factor; opacity */
    double z;                    /* metres above the wing's plane, for the shadow */
    bool detail;                 /* painted on the aircraft only: no outline of its own */
    bool faint;                  /* painted, but not part of the outline (propeller discs) */
} part;

typedef struct painter {
    purpose purpose;
    const fvi_plane_row *row;
    const fvi_pose *pose;
    const fvi_livery *livery;
    fvi_canvas *canvas;
    double xx, xy, yx, yy, tx, ty;          /* metres to pixels */
    double lit;                  /* how far the right side looks towards the sun, -1..1 */
    fvi_point low, high;         /* MEASURE: bounds */
    fvi_plane_surface wing, tail, fore;     /* with this one's own proportions */
} painter;

static fvi_point to_pixels(const painter *p, fvi_point m)
{
    return (fvi_point){p->xx * m.x + p->xy * m.y + p->tx, p->yx * m.x + p->yy * m.y + p->ty};
}

static void tone_colour(const painter *p, tone t, float out[3])
{
    static const float black[3] = {26, 26, 28}, white[3] = {232, 232, 228}, glass[3] = {38, 44, 54}, metal[3] = {120, 116, 112};
    const fvi_livery *l = p->livery;
    const float *colours[] = {l->body, l->wing, l->tail, l->engine, l->second, black, white, glass, metal};
    memcpy(out, colours[t], 3 * sizeof(float));
}

static void emit(painter *p, const fvi_point *metres, int n, const part *t)
{
    fvi_point at[MOST_POINTS];
    if ((t->detail || t->faint) && p->purpose != PAINT) return;
    for (int i = 0; i < n; i++) at[i] = to_pixels(p, metres[i]);
    if (p->purpose == MEASURE) {
        for (int i = 0; i < n; i++) {
            p->low.x = FVI_MIN(p->low.x, at[i].x), p->low.y = FVI_MIN(p->low.y, at[i].y);
            p->high.x = FVI_MAX(p->high.x, at[i].x), p->high.y = FVI_MAX(p->high.y, at[i].y);
        }
        return;
    }
    fvi_paint paint = {.alpha = t->alpha, .marks = !t->detail && !t->faint, .inside = t->detail};
    if (p->purpose == SHADOW) {
        const double z = p->pose->height + t->z;
        for (int i = 0; i < n; i++) at[i].x += p->pose->shadow_x * z, at[i].y += p->pose->shadow_y * z;
        paint.alpha = 0;
    } else {
        tone_colour(p, t->tone, paint.rgb);
        for (int k = 0; k < 3; k++) paint.rgb[k] *= t->shade;
    }
    fvi_canvas_fill(p->canvas, at, n, &paint);
}

/* ---- bodies ---------------------------------------------------------------------------------------------------------- */

/* A body of revolution from y0 back to y1 around x: narrow in front over `nose`, behind over `taper` (metres). */
typedef struct tube { double x, y0, y1, half, nose, taper, blunt, end; } tube;

static double tube_half(const tube *t, double y)
{
    const double front = t->y0 - y, back = y - t->y1;
    double w = 1;
    if (front < t->nose) {
        const double s = front <= 0 ? 0 : front / t->nose;
        w = t->blunt * sqrt(s * (2 - s)) + (1 - t->blunt) * s * (1.5 - 0.5 * s);
    }
    if (back < t->taper) {
        const double s = back <= 0 ? 0 : back / t->taper;
        w *= t->end + (1 - t->end) * s * (2 - s);
    }
    return w * t->half;
}

/* The strip of a tube between shares `from` and `to` (-1 left side .. 1 right side) of its half width. */
static void emit_tube(painter *p, const tube *t, double from, double to, const part *style)
{
    fvi_point at[4 * PROFILE + 4];
    double y[2 * PROFILE + 2];
    int n = 0, m = 0;
    const double length = t->y0 - t->y1;
    for (int i = 0; i <= PROFILE; i++) y[m++] = t->y0 - t->nose * i * i / (PROFILE * PROFILE);
    for (int i = 0; i <= PROFILE; i++) y[m++] = t->y1 + FVI_MIN(t->taper, length - t->nose) * (PROFILE - i) / PROFILE;
    for (int i = 0; i < m; i++) at[n++] = (fvi_point){t->x + to * tube_half(t, y[i]), y[i]};
    for (int i = m - 1; i >= 0; i--) at[n++] = (fvi_point){t->x + from * tube_half(t, y[i]), y[i]};
    emit(p, at, n, style);
}

/* A tube with a lit and a dark side and a bright line along it. */
static void emit_body(painter *p, const tube *t, tone hue, double z)
{
    const double side = p->lit < 0 ? -1 : 1;
    emit_tube(p, t, -1, 1, &(part){hue, 1, 1, z, false, false});
    emit_tube(p, t, FVI_MIN(-side, -side * 0.25), FVI_MAX(-side, -side * 0.25), &(part){hue, 0.72f, 0.75f, 0, true, false});
    emit_tube(p, t, FVI_MIN(-side, -side * 0.7), FVI_MAX(-side, -side * 0.7), &(part){hue, 0.5f, 0.6f, 0, true, false});
    emit_tube(p, t, FVI_MIN(side * 0.05, side * 0.5), FVI_MAX(side * 0.05, side * 0.5),
              &(part){hue, 1.22f, 0.8f, 0, true, false});
}

/* ---- surfaces -------------------------------------------------------------------------------------------------------- */

static double tangent(double degrees)
{
    return fvi_turn_sin(degrees / 360) / fvi_turn_cos(degrees / 360);
}

/* Leading edge and chord at share s of the half span. */
static void section(const painter *p, const fvi_plane_surface *f, double s, double *lead, double *chord)
{
    const double half = f->span / 2, inner = f->kink > 0 ? FVI_MIN(s, f->kink) : 0, outer = s - inner;
    *lead = -f->at * p->row->length - half * (inner * tangent(f->inner_sweep) + outer * tangent(f->sweep));
    if (f->kink > 0 && s < f->kink) *chord = f->root + (f->kink_chord - f->root) * s / f->kink;
    else {
        const double start = f->kink > 0 ? f->kink_chord : f->root;
        *chord = start + (f->tip - start) * (s - f->kink) / (1 - f->kink);
    }
}

/* Of the right (side 1) or left (-1) surface: shares s0..s1 of the half span, c0..c1 of the chord. */
static void emit_panel(painter *p, const fvi_plane_surface *f, double side, double s0, double s1, double c0, double c1,
                       const part *style)
{
    double stops[4] = {s0}, lead, chord;
    fvi_point at[10];
    int n = 0, m = 1;
    if (f->kink > s0 && f->kink < s1) stops[m++] = f->kink;
    if (s1 > 0.985 && s0 < 0.95) stops[m++] = 0.965;       /* a corner cut off the tip */
    stops[m++] = s1;
    for (int i = 0; i < m; i++) {
        section(p, f, stops[i], &lead, &chord);
        const double cut = i == m - 1 && stops[i] > 0.985 ? 0.22 : 0;
        at[n++] = (fvi_point){side * stops[i] * f->span / 2, lead - FVI_MAX(c0, cut) * chord};
    }
    for (int i = m - 1; i >= 0; i--) {
        section(p, f, stops[i], &lead, &chord);
        const double cut = i == m - 1 && stops[i] > 0.985 ? 0.94 : 1;
        at[n++] = (fvi_point){side * stops[i] * f->span / 2, lead - FVI_MIN(c1, cut) * chord};
    }
    emit(p, at, n, style);
}

static void emit_surface(painter *p, const fvi_plane_surface *f, tone hue, double z)
{
    if (f->span <= 0) return;
    for (double side = -1; side <= 1; side += 2) {
        const float light = (float)(1 + 0.05 * side * p->lit);
        emit_panel(p, f, side, 0, 1, 0, 1, &(part){hue, light, 1, z, false, false});
        emit_panel(p, f, side, 0, 1, 0, 0.09, &(part){hue, light * 1.18f, 0.7f, 0, true, false});
        emit_panel(p, f, side, 0.12, 0.62, 0.74, 0.98, &(part){hue, light * 0.86f, 0.8f, 0, true, false});
        emit_panel(p, f, side, 0.66, 0.94, 0.76, 0.98, &(part){hue, light * 0.92f, 0.8f, 0, true, false});
        emit_panel(p, f, side, 0, 0.16, 0.1, 0.74, &(part){hue, light * 0.93f, 0.6f, 0, true, false});
    }
}

/* ---- engines --------------------------------------------------------------------------------------------------------- */

/* Around (x, y); a blurred disc seen from its edge, and the spinner. */
static void emit_propeller(painter *p, double x, double y, double disc)
{
    const double r = disc / 2, t = disc * 0.035;
    const fvi_point edge[4] = {{x - r, y - t}, {x + r, y - t}, {x + r, y + t}, {x - r, y + t}};
    emit(p, edge, 4, &(part){BLACK, 1.4f, 0.6f, 0, false, true});
}

static tube nacelle(const fvi_plane_engines *e, double x, double front)
{
    return (tube){x, front, front - e->length, e->width / 2, e->length * 0.22, e->length * 0.5, 0.75, 0.45};
}

/* Those that hang below the wing are painted before it, the others after it. */
static void emit_engines(painter *p, const fvi_plane_engines *e, bool below)
{
    const fvi_plane_row *row = p->row;
    const double end = -row->length * (row->body_end > 0 ? row->body_end : 1);
    if (e->kind == FVI_ENGINE_NONE ||
        below != (e->kind == FVI_ENGINE_POD || e->kind == FVI_ENGINE_TRAIL || e->kind == FVI_ENGINE_NOZZLE))
        return;
    for (int i = 0; i < e->count; i++) {
        const double side = i & 1 ? -1 : 1, at = e->at[i / 2], x = side * at * p->wing.span / 2;
        double lead, chord;
        section(p, &p->wing, FVI_MIN(at, 1), &lead, &chord);
        tube t = {0};
        tone colour = ENGINE;
        switch (e->kind) {
        case FVI_ENGINE_NONE: return;
        case FVI_ENGINE_POD: t = nacelle(e, x, lead + e->length * 0.72); break;
        case FVI_ENGINE_TRAIL: t = nacelle(e, x, lead - chord + e->length * 0.6), t.end = 0.8; break;
        case FVI_ENGINE_PROP: t = nacelle(e, x, lead + e->length * 0.42), t.end = 0.2, colour = WING; break;
        case FVI_ENGINE_NOSE:
            t = (tube){0, e->length * 0.12, -e->length, e->width / 2, e->length * 0.5, e->length * 0.1, 0.8, 1};
            break;
        case FVI_ENGINE_PUSHER:
            t = (tube){0, end + e->length, end - e->length * 0.4, e->width / 2, e->length * 0.1, e->length * 0.6, 1, 0.3};
            break;
        case FVI_ENGINE_SIDE: t = nacelle(e, side * (row->width / 2 + e->width * 0.62), -at * row->length); break;
        case FVI_ENGINE_NOZZLE:
            t = (tube){(i - (e->count - 1) / 2.0) * e->width * 1.05, end + e->length, end - e->length * 0.55, e->width / 2,
                       e->length * 0.05, e->length * 0.8, 1, 0.7};
            colour = METAL;
            break;
        case FVI_ENGINE_FIN: t = nacelle(e, 0, -at * row->length + e->length * 0.5); break;
        }
        emit_body(p, &t, colour, 0);
        if (e->kind == FVI_ENGINE_POD || e->kind == FVI_ENGINE_SIDE || e->kind == FVI_ENGINE_FIN) {
            const tube lip = {t.x, t.y0, t.y0 - e->length * 0.13, t.half * 0.9, e->length * 0.1, 0.01, 1, 1};
            emit_tube(p, &lip, -1, 1, &(part){METAL, 1.5f, 0.7f, 0, true, false});
        }
        if (e->kind == FVI_ENGINE_NOZZLE)
            emit_tube(p, &(tube){t.x, t.y1 + e->length * 0.5, t.y1, t.half * 0.75, 0.01, 0.01, 1, 1}, -1, 1,
                      &(part){BLACK, 1, 0.8f, 0, true, false});
        if (e->disc > 0) emit_propeller(p, t.x, e->kind == FVI_ENGINE_PUSHER ? t.y1 : t.y0 - e->length * 0.06, e->disc);
    }
}

/* ---- the rest -------------------------------------------------------------------------------------------------------- */

/* Fins are thin seen from above, but throw a shadow as long as they are high. */
static void emit_fins(painter *p)
{
    const fvi_plane_row *row = p->row;
    const double thick = row->length * 0.009, height = (row->fin_to - row->fin_from) * row->length * 0.95;
    for (int i = 0; i < row->fins; i++) {
        const double side = row->fins == 1 ? 0 : i ? -1 : 1, x = side * row->fin_at, top = x + side * row->fin_lean * height;
        const double y0 = -row->fin_from * row->length, y1 = -row->fin_to * row->length, y2 = y0 + (y1 - y0) * 0.55;
        const fvi_point at[5] = {{x, y0}, {top + thick, y2}, {top + thick, y1}, {top - thick, y1}, {x - thick * 0.5, y2}};
        emit(p, at, 5, &(part){TAIL, p->lit < 0 ? 0.8f : 1.1f, 1, 0, false, false});
        if (p->purpose != SHADOW) continue;
        /* In pixels: the base line, and the top edge moved by the height. */
        const fvi_pose *pose = p->pose;
        fvi_point q[4] = {to_pixels(p, (fvi_point){x, y0}), to_pixels(p, (fvi_point){x, y1}),
                          to_pixels(p, (fvi_point){top, y1}), to_pixels(p, (fvi_point){top, y2})};
        for (int k = 0; k < 4; k++) {
            const double z = pose->height + (k > 1 ? height : 0);
            q[k].x += pose->shadow_x * z, q[k].y += pose->shadow_y * z;
        }
        fvi_canvas_fill(p->canvas, q, 4, &(fvi_paint){.marks = true});
    }
}

static void emit_disc(painter *p, double x, double y, double radius, const part *style)
{
    fvi_point at[20];
    for (int i = 0; i < 20; i++) at[i] = (fvi_point){x + radius * fvi_turn_cos(i / 20.0), y + radius * fvi_turn_sin(i / 20.0)};
    emit(p, at, 20, style);
}

/* What is painted on: camouflage, stripes, insignia. All of it is drawn from the individual's numbers. */
static void emit_marks(painter *p)
{
    const fvi_plane_row *row = p->row;
    const fvi_livery *l = p->livery;
    if (p->purpose != PAINT) return;
    if (l->blotches) {
        fvi_rng r = fvi_rng_at(p->pose->seed, fvi_rng_stream(p->pose->stream, 1, 0));
        const double extent = fvi_plane_extent(row);
        for (int i = 0; i < 14; i++) {
            const double x = (fvi_rng_uniform(&r) - 0.5) * p->wing.span, y = -fvi_rng_uniform(&r) * row->length;
            const double size = extent * (0.04 + 0.07 * fvi_rng_uniform(&r));
            fvi_point at[9];
            for (int k = 0; k < 9; k++) {
                const double reach = size * (0.6 + 0.6 * fvi_rng_uniform(&r));
                at[k] = (fvi_point){x + reach * 1.3 * fvi_turn_cos(k / 9.0), y + reach * fvi_turn_sin(k / 9.0)};
            }
            emit(p, at, 9, &(part){SECOND, 1, 0.8f, 0, true, false});
        }
    }
    if (l->roundels) {
        double lead, chord;
        section(p, &p->wing, 0.72, &lead, &chord);
        for (double side = -1; side <= 1; side += 2) {
            emit_disc(p, side * 0.36 * p->wing.span, lead - chord * 0.42, chord * 0.3,
                      &(part){SECOND, 1, 0.9f, 0, true, false});
            emit_disc(p, side * 0.36 * p->wing.span, lead - chord * 0.42, chord * 0.13,
                      &(part){WHITE, 1, 0.9f, 0, true, false});
        }
    }
}

static void emit_plane(painter *p)
{
    const fvi_plane_row *row = p->row;
    const double end = row->body_end > 0 ? row->body_end : 1, high = row->length * 0.13;
    const tube body = {0,
                       0,
                       -row->length * end,
                       row->width / 2,
                       row->nose * row->length,
                       row->taper * row->length,
                       row->nose_blunt,
                       row->tail_width};
    const tube glass = {0,
                        -row->length * row->nose * 0.28,
                        -row->length * row->nose * 0.6,
                        row->width * 0.3,
                        row->length * row->nose * 0.12,
                        row->length * row->nose * 0.12,
                        1,
                        0.6};
    emit_engines(p, &row->engines, true);
    emit_engines(p, &row->more_engines, true);
    if (!row->high_tail) emit_surface(p, &p->tail, TAIL, 0.1 * high);
    emit_surface(p, &p->fore, WING, 0);
    emit_surface(p, &p->wing, WING, 0);
    emit_engines(p, &row->engines, false);
    for (double side = -1; side <= 1 && row->boom_at > 0; side += 2)
        emit_body(p,
                  &(tube){side * row->boom_at, -row->boom_from * row->length, -row->length, row->boom_width / 2,
                          row->length * 0.1, row->length * 0.4, 0.8, 0.4},
                  BODY, 0);
    for (double side = -1; side <= 1 && row->tip_tank > 0; side += 2) {
        double lead, chord;
        section(p, &p->wing, 1, &lead, &chord);
        const double y = lead - chord / 2 + row->tip_tank * 0.55;
        emit_body(p,
                  &(tube){side * p->wing.span / 2, y, y - row->tip_tank, row->tip_tank * 0.1, row->tip_tank * 0.35,
                          row->tip_tank * 0.4, 0.7, 0.1},
                  ENGINE, 0);
    }
    emit_body(p, &body, BODY, 0);
    emit_marks(p);
    if (p->livery && p->livery->stripe) emit_tube(p, &body, -0.16, 0.16, &(part){SECOND, 1, 0.75f, 0, true, false});
    emit_tube(p, &glass, -1, 1, &(part){GLASS, 1, 0.9f, 0, true, false});
    emit_engines(p, &row->more_engines, false);
    emit_fins(p);
    if (row->high_tail) emit_surface(p, &p->tail, TAIL, high);
    if (row->dome > 0) {
        emit_disc(p, 0, -row->dome_at * row->length, row->dome, &(part){TAIL, 0.8f, 1, high * 0.7, false, false});
        emit_disc(p, 0.05 * row->dome * p->lit, -row->dome_at * row->length, row->dome * 0.86,
                  &(part){TAIL, 1.06f, 1, 0, true, false});
        emit_tube(p,
                  &(tube){0, -row->dome_at * row->length + row->dome, -row->dome_at * row->length - row->dome, row->dome * 0.2,
                          0.5, 0.5, 1, 1},
                  -1, 1, &(part){SECOND, 0.9f, 0.5f, 0, true, false});
    }
}

/* ---- one aircraft in a picture ----------------------------------------------------------------------------------------- */

static void vary(fvi_rng *r, fvi_plane_surface *f)
{
    const double span = 0.96 + 0.08 * fvi_rng_uniform(r), chord = 0.95 + 0.1 * fvi_rng_uniform(r);
    const double little = (fvi_rng_uniform(r) - 0.5) * 3, sweep = little + (2 * fvi_rng_uniform(r) - 1) * f->play;
    const double along = (fvi_rng_uniform(r) - 0.5) * 0.02;
    f->span *= span;
    f->root *= chord, f->tip *= chord, f->kink_chord *= chord;
    f->at += along;
    if (f->sweep > 4) f->sweep += sweep, f->inner_sweep += f->play > 0 ? 0 : sweep;
}

static void set_up(painter *p, const fvi_plane_row *row, const fvi_pose *pose)
{
    const double c = fvi_turn_cos(pose->turn), s = fvi_turn_sin(pose->turn), k = pose->scale;
    *p = (painter){.row = row, .pose = pose, .wing = row->wing, .tail = row->tail, .fore = row->fore};
    /* Right is (c, s), forward is (s, -c) in pixels, whose y grows downwards; then the squeeze along its direction. */
    const double ux = fvi_turn_cos(pose->squeeze_turn), uy = fvi_turn_sin(pose->squeeze_turn), q = pose->squeeze - 1;
    const double axx = 1 + q * ux * ux, axy = q * ux * uy, ayy = 1 + q * uy * uy;
    p->xx = k * (axx * c + axy * s), p->xy = k * (axx * s - axy * c);
    p->yx = k * (axy * c + ayy * s), p->yy = k * (axy * s - ayy * c);
    const double length = sqrt(pose->shadow_x * pose->shadow_x + pose->shadow_y * pose->shadow_y);
    p->lit = length > 0 ? -(c * pose->shadow_x + s * pose->shadow_y) / length : 0;
    fvi_rng r = fvi_rng_at(pose->seed, fvi_rng_stream(pose->stream, 0, 0));
    vary(&r, &p->wing), vary(&r, &p->tail), vary(&r, &p->fore);
    p->purpose = MEASURE;
    p->low = (fvi_point){1e9, 1e9}, p->high = (fvi_point){-1e9, -1e9};
    emit_plane(p);
    p->tx = pose->centre.x - (p->low.x + p->high.x) / 2;
    p->ty = pose->centre.y - (p->low.y + p->high.y) / 2;
}

fvi_point fvi_plane_size(const fvi_plane_row *row, const fvi_pose *pose)
{
    painter p;
    set_up(&p, row, pose);
    return (fvi_point){(p.high.x - p.low.x) / 2, (p.high.y - p.low.y) / 2};
}

void fvi_plane_paint(fvi_canvas *c, const fvi_plane_row *row, const fvi_pose *pose, const fvi_livery *livery, float *scratch)
{
    painter p;
    const size_t n = (size_t)c->width * (size_t)c->height;
    set_up(&p, row, pose);
    p.canvas = c;
    p.livery = livery;
    if (pose->shadow > 0) {
        p.purpose = SHADOW;
        fvi_canvas_clear_mask(c);
        emit_plane(&p);
        fvi_canvas_soften(c->mask, c->width, c->height, 1, 0.2f, scratch);
        if (pose->height > 8) fvi_canvas_soften(c->mask, c->width, c->height, 1, 0.25f, scratch);
        for (size_t i = 0; i < n; i++) {
            const float a = c->mask[i] * pose->shadow;
            c->rgb[3 * i] *= 1 - a;
            c->rgb[3 * i + 1] *= 1 - a * 0.97f;            /* the sky's light is left: bluish */
            c->rgb[3 * i + 2] *= 1 - a * 0.9f;
        }
    }
    p.purpose = PAINT;
    fvi_canvas_clear_mask(c);
    emit_plane(&p);
}

/* ---- liveries ---------------------------------------------------------------------------------------------------------- */

static double luminance(const float c[3]) { return 0.3 * c[0] + 0.59 * c[1] + 0.11 * c[2]; }

static void mixed(float out[3], const float a[3], const float b[3], double share)
{
    for (int k = 0; k < 3; k++) out[k] = (float)(a[k] + (b[k] - a[k]) * share);
}

/* A colour of a family, shifted a little. */
static void pick(fvi_rng *r, const float (*family)[3], int n, double spread, float out[3])
{
    const float *c = family[fvi_rng_below(r, n)];
    const double all = (fvi_rng_uniform(r) * 2 - 1) * spread;
    for (int k = 0; k < 3; k++) out[k] = (float)(c[k] + all + (fvi_rng_uniform(r) * 2 - 1) * spread * 0.35);
}

void fvi_livery_draw(fvi_rng *r, const float ground[3], fvi_livery *out)
{
    static const float light[][3] = {{226, 228, 230}, {206, 208, 208}, {232, 226, 210}, {188, 192, 196}};
    static const float grey[][3] = {{142, 148, 154}, {112, 118, 124}, {160, 164, 160}, {88, 92, 98}};
    static const float earth[][3] = {{96, 104, 70}, {124, 110, 78}, {168, 148, 108}, {74, 84, 66}, {92, 98, 108}};
    static const float vivid[][3] = {{196, 44, 40}, {222, 178, 44}, {40, 82, 160}, {214, 112, 36},
                                     {40, 120, 84}, {120, 40, 90},  {40, 150, 170}};
    /* Mostly light, as aircraft are; the darker and the vivid ones where the ground is darker still. */
    for (int tries = 0; tries < 12; tries++) {
        const int64_t kind = tries < 6 ? fvi_rng_below(r, 10) : 0;
        *out = (fvi_livery){0};
        if (kind < 5) pick(r, light, FVI_COUNT(light), 14, out->body);
        else if (kind < 7) pick(r, grey, FVI_COUNT(grey), 16, out->body);
        else if (kind < 8) pick(r, earth, FVI_COUNT(earth), 14, out->body);
        else pick(r, vivid, FVI_COUNT(vivid), 16, out->body);
        if (luminance(out->body) - luminance(ground) > 56) break;
    }
    float other[3];
    pick(r, grey, FVI_COUNT(grey), 16, other);
    mixed(out->wing, out->body, other, fvi_rng_below(r, 2) ? 0.1 * fvi_rng_uniform(r) : 0.3 * fvi_rng_uniform(r));
    mixed(out->engine, out->body, other, fvi_rng_uniform(r) * 0.6);
    pick(r, fvi_rng_below(r, 3) ? vivid : earth, 5, 16, out->second);
    memcpy(out->tail, fvi_rng_below(r, 3) == 0 ? out->second : out->wing, sizeof out->tail);
    const int64_t paint = fvi_rng_below(r, 8);
    out->blotches = paint == 0;
    out->stripe = paint == 1 || paint == 2;
    out->roundels = paint == 3 || (paint == 0 && fvi_rng_below(r, 2));
}
