/* SPDX-License-Identifier: Apache-2.0 */
/* Grounds from value noise (lattices of counter-based numbers, interpolated smoothly, summed over octaves) and polygons. */
#include "synth/ground.h"
#include "synth/turn.h"

typedef struct brush {
    fvi_canvas *canvas;
    uint64_t seed, stream, next;             /* next: number of the next noise lattice */
    fvi_rng r;
    double unit, angle;                      /* angle: turns, the main direction of slabs, streets, furrows, waves */
    double sun_x, sun_y;                     /* where shadows fall, for roofs and trees */
    float *field, *more, *lattice;           /* width * height each; the lattice as large as the finest needs */
} brush;

static int lattice_side(int width, int height) { return (int)(1.5 * FVI_MAX(width, height) / 1.4) + 6; }

size_t fvi_ground_scratch(int width, int height)
{
    const size_t n = (size_t)width * (size_t)height, side = (size_t)lattice_side(width, height);
    return 5 * n + side * side;
}

/* C leaves the order of arguments and operands open: never more than one draw in an expression. */
static double uniform(brush *b, double low, double high) { return low + (high - low) * fvi_rng_uniform(&b->r); }
static bool chance(brush *b, double p) { return fvi_rng_uniform(&b->r) < p; }

/* ---- noise ------------------------------------------------------------------------------------------------------------ */

/* Adds one octave: cells of `cell` pixels, `stretch` times longer along the second axis, turned by `angle`. */
static void add_octave(brush *b, float *out, double cell, double stretch, double angle, float amplitude)
{
    const int w = b->canvas->width, h = b->canvas->height;
    if (cell < 1.4) cell = 1.4;
    const double c = fvi_turn_cos(angle) / cell, s = fvi_turn_sin(angle) / cell;
    const double ux = c, uy = s, vx = -s / stretch, vy = c / stretch;
    const double u0 = FVI_MIN(0, ux * w) + FVI_MIN(0, uy * h), u1 = FVI_MAX(0, ux * w) + FVI_MAX(0, uy * h);
    const double v0 = FVI_MIN(0, vx * w) + FVI_MIN(0, vy * h), v1 = FVI_MAX(0, vx * w) + FVI_MAX(0, vy * h);
    const int columns = (int)(u1 - u0) + 3, rows = (int)(v1 - v0) + 3, n = columns * rows;
    const uint64_t stream = fvi_rng_stream(b->stream, 77, b->next++);
    for (int i = 0; i < n; i += 4) {
        uint32_t words[4];
        fvi_rng_block(b->seed, stream, (uint64_t)i >> 2, words);
        for (int k = 0; k < 4 && i + k < n; k++) b->lattice[i + k] = (float)(words[k] >> 8) * 0x1p-23f - 1;
    }
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++) {
            const double u = ux * x + uy * y - u0, v = vx * x + vy * y - v0;
            const int i = (int)u, j = (int)v;
            float fu = (float)(u - i), fv = (float)(v - j);
            fu = fu * fu * (3 - 2 * fu), fv = fv * fv * (3 - 2 * fv);
            const float *l = b->lattice + (size_t)j * (size_t)columns + (size_t)i, *m = l + columns;
            const float top = l[0] + (l[1] - l[0]) * fu, bottom = m[0] + (m[1] - m[0]) * fu;
            out[(size_t)y * (size_t)w + (size_t)x] += (top + (bottom - top) * fv) * amplitude;
        }
}

/* Octaves from `cell` pixels down, each half as large and `decay` times as strong, turned against each other. */
static void noise(brush *b, float *out, double cell, int octaves, double stretch, double angle, float decay)
{
    float amplitude = 1;
    memset(out, 0, (size_t)b->canvas->width * (size_t)b->canvas->height * sizeof(float));
    for (int i = 0; i < octaves; i++) {
        add_octave(b, out, cell, stretch, stretch > 1 ? angle + 0.01 * (i & 1) : angle + 0.07 * i, amplitude);
        cell /= 2;
        amplitude *= decay;
        if (cell < 1.2) break;
    }
}

/* colour + field * delta everywhere. */
static void lay(brush *b, const float colour[3], const float *field, const float delta[3])
{
    const size_t n = (size_t)b->canvas->width * (size_t)b->canvas->height;
    for (size_t i = 0; i < n; i++)
        for (int k = 0; k < 3; k++) b->canvas->rgb[3 * i + (size_t)k] = colour[k] + field[i] * delta[k];
}

static void add(brush *b, const float *field, const float delta[3])
{
    const size_t n = (size_t)b->canvas->width * (size_t)b->canvas->height;
    for (size_t i = 0; i < n; i++)
        for (int k = 0; k < 3; k++) b->canvas->rgb[3 * i + (size_t)k] += field[i] * delta[k];
}

/* The wave sin(2 pi distance / period) along `angle`, with the field added to the phase (in periods). */
static void stripes(brush *b, float *out, double period, double angle, const float *warp, float strength)
{
    const int w = b->canvas->width, h = b->canvas->height;
    const double c = fvi_turn_cos(angle) / period, s = fvi_turn_sin(angle) / period, start = fvi_rng_uniform(&b->r);
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++) {
            const size_t i = (size_t)y * (size_t)w + (size_t)x;
            out[i] = (float)fvi_turn_sin(start + c * x + s * y + (warp ? (double)(warp[i] * strength) : 0));
        }
}

/* ---- polygons ----------------------------------------------------------------------------------------------------------- */

/* A point of the frame turned by b->angle about the middle of the picture; pixels. */
static fvi_point turned(const brush *b, double u, double v)
{
    const double c = fvi_turn_cos(b->angle), s = fvi_turn_sin(b->angle);
    return (fvi_point){b->canvas->width / 2.0 + u * c - v * s, b->canvas->height / 2.0 + u * s + v * c};
}

static double reach(const brush *b) { return 0.75 * FVI_MAX(b->canvas->width, b->canvas->height); }

static fvi_point anywhere(brush *b)
{
    const double u = uniform(b, -1, 1) * reach(b), v = uniform(b, -1, 1) * reach(b);
    return turned(b, u, v);
}

static fvi_paint colour_of(const float rgb[3], double shade, double alpha)
{
    fvi_paint p = {.alpha = (float)alpha};
    for (int k = 0; k < 3; k++) p.rgb[k] = rgb[k] * (float)shade;
    return p;
}

static void rectangle(brush *b, double u0, double v0, double u1, double v1, const fvi_paint *paint)
{
    const fvi_point p[4] = {turned(b, u0, v0), turned(b, u1, v0), turned(b, u1, v1), turned(b, u0, v1)};
    fvi_canvas_fill(b->canvas, p, 4, paint);
}

static void vary(brush *b, float rgb[3], double spread)
{
    const double all = uniform(b, -spread, spread);
    for (int k = 0; k < 3; k++) rgb[k] += (float)(all + uniform(b, -spread, spread) * 0.3);
}

static void tree(brush *b, fvi_point at, double radius, const float green[3])
{
    const double shade = uniform(b, 0.75, 1.2);
    fvi_canvas_disc(b->canvas, (fvi_point){at.x + b->sun_x * radius * 0.7, at.y + b->sun_y * radius * 0.7}, radius,
                    &(fvi_paint){.rgb = {18, 24, 18}, .alpha = 0.5f});
    fvi_paint dark = colour_of(green, shade * 0.8, 1), lit = colour_of(green, shade * 1.25, 0.7);
    fvi_canvas_disc(b->canvas, at, radius, &dark);
    fvi_canvas_disc(b->canvas, (fvi_point){at.x - b->sun_x * radius * 0.3, at.y - b->sun_y * radius * 0.3}, radius * 0.62,
                    &lit);
}

static void trees(brush *b, int n, double low, double high, const float green[3])
{
    for (; n > 0; n--) {
        const fvi_point at = anywhere(b);
        const double radius = uniform(b, low, high) * b->unit;
        tree(b, at, radius, green);
    }
}

/* ---- grounds ------------------------------------------------------------------------------------------------------------ */

static void grass(brush *b)
{
    static const float greens[][3] = {{92, 116, 62}, {118, 128, 78}, {84, 104, 70}, {142, 138, 88}};
    float colour[3];
    memcpy(colour, greens[fvi_rng_below(&b->r, 4)], sizeof colour);
    vary(b, colour, 14);
    noise(b, b->field, uniform(b, 14, 30) * b->unit, 6, 1, b->angle, 0.62f);
    lay(b, colour, b->field, (float[3]){15, 13, 9});
    if (chance(b, 0.4)) {                                   /* mown in lanes */
        stripes(b, b->more, uniform(b, 5, 10) * b->unit, b->angle, b->field, 0.05f);
        add(b, b->more, (float[3]){6, 6, 3});
    }
    for (int i = (int)fvi_rng_below(&b->r, 3); i > 0; i--) {                /* tracks of wheels */
        const double v = uniform(b, -0.7, 0.7) * reach(b), slope = uniform(b, -0.3, 0.3) * reach(b), gap = 1.6 * b->unit;
        for (double side = -1; side <= 1; side += 2) {
            const fvi_paint track = colour_of(colour, 1.16, 0.6);
            fvi_canvas_band(b->canvas, turned(b, -reach(b) * 1.4, v + side * gap / 2),
                            turned(b, reach(b) * 1.4, v + slope + side * gap / 2), 0.6 * b->unit, &track);
        }
    }
    if (chance(b, 0.35)) trees(b, 1 + (int)fvi_rng_below(&b->r, 6), 1.2, 3.2, (float[3]){58, 82, 44});
}

static void fields(brush *b)
{
    static const float crops[][3] = {{120, 128, 70}, {164, 150, 98},  {92, 112, 58},
                                     {138, 112, 82}, {178, 168, 112}, {104, 124, 84}};
    const double strip = uniform(b, 22, 46) * b->unit;
    noise(b, b->field, 10 * b->unit, 5, 1, b->angle, 0.6f);
    lay(b, crops[fvi_rng_below(&b->r, 6)], b->field, (float[3]){8, 8, 6});
    for (double u = -reach(b) * 1.5 + uniform(b, 0, strip); u < reach(b) * 1.5; u += strip * uniform(b, 0.7, 1.3))
        for (double v = -reach(b) * 1.5; v < reach(b) * 1.5;) {
            const double length = strip * uniform(b, 1, 3);
            float colour[3];
            memcpy(colour, crops[fvi_rng_below(&b->r, 6)], sizeof colour);
            vary(b, colour, 12);
            const fvi_paint paint = colour_of(colour, 1, 0.92), edge = colour_of(colour, 0.72, 0.7);
            rectangle(b, u, v, u + strip * 1.3, v + length, &paint);
            rectangle(b, u, v, u + strip * 1.3, v + 0.8 * b->unit, &edge);
            rectangle(b, u, v, u + 0.8 * b->unit, v + length, &edge);
            v += length;
        }
    const double furrow = uniform(b, 1.6, 3.2) * b->unit;
    stripes(b, b->more, furrow, b->angle + (chance(b, 0.5) ? 0.25 : 0), b->field, 0.15f);
    add(b, b->more, (float[3]){5, 5, 4});
    add(b, b->field, (float[3]){7, 7, 6});
}

static void vehicles(brush *b, int most)
{
    static const float paints[][3] = {{222, 222, 220}, {202, 170, 50}, {70, 90, 130}, {160, 50, 44}, {60, 62, 64}};
    for (int i = (int)fvi_rng_below(&b->r, most + 1); i > 0; i--) {
        const double u = uniform(b, -1, 1) * reach(b), v = uniform(b, -1, 1) * reach(b), l = uniform(b, 1.6, 4) * b->unit,
                     w = l * uniform(b, 0.35, 0.5);
        const double x = b->sun_x * b->unit, y = b->sun_y * b->unit;
        const fvi_point s[4] = {turned(b, u + x, v + y), turned(b, u + l + x, v + y), turned(b, u + l + x, v + w + y),
                                turned(b, u + x, v + w + y)};
        fvi_canvas_fill(b->canvas, s, 4, &(fvi_paint){.rgb = {24, 24, 28}, .alpha = 0.45f});
        const float *colour = paints[fvi_rng_below(&b->r, 5)];
        const fvi_paint paint = colour_of(colour, uniform(b, 0.85, 1.05), 1), glass = {.rgb = {40, 44, 52}, .alpha = 0.7f};
        rectangle(b, u, v, u + l, v + w, &paint);
        rectangle(b, u + l * 0.62, v + w * 0.1, u + l * 0.78, v + w * 0.9, &glass);
    }
}

static void concrete(brush *b)
{
    float colour[3] = {138, 137, 131};
    const double slab = uniform(b, 5, 9) * b->unit, joint = uniform(b, 0.25, 0.5) * b->unit;
    vary(b, colour, 20);
    noise(b, b->field, uniform(b, 10, 24) * b->unit, 6, 1, b->angle, 0.7f);
    lay(b, colour, b->field, (float[3]){8, 8, 8});
    const double u0 = -reach(b) * 1.5 + uniform(b, 0, slab), far = reach(b) * 1.5;
    for (double u = u0; u < far; u += slab)                                 /* slabs differ a little */
        for (double v = u0; v < far; v += slab) {
            const double shade = uniform(b, 0.9, 1.08);
            if (!chance(b, 0.55)) continue;
            const fvi_paint paint = colour_of(colour, shade, 0.5);
            rectangle(b, u, v, u + slab, v + slab, &paint);
        }
    const fvi_paint dark = colour_of(colour, 0.62, 0.6);
    for (double u = u0; u < far; u += slab)
        rectangle(b, u, -far, u + joint, far, &dark), rectangle(b, -far, u, far, u + joint, &dark);
    for (int i = (int)fvi_rng_below(&b->r, 6); i > 0; i--) {                /* oil */
        const fvi_point at = anywhere(b);
        const double radius = uniform(b, 0.6, 3) * b->unit, alpha = uniform(b, 0.15, 0.45);
        fvi_canvas_disc(b->canvas, at, radius, &(fvi_paint){.rgb = {70, 68, 64}, .alpha = (float)alpha});
    }
    for (int i = (int)fvi_rng_below(&b->r, 4); i > 0; i--) {                /* lines to taxi along */
        static const float lines[][3] = {{214, 180, 58}, {228, 226, 220}, {190, 60, 50}};
        const float *shade = lines[fvi_rng_below(&b->r, 3)];
        const fvi_paint line = colour_of(shade, 1, uniform(b, 0.5, 0.9));
        const double v = uniform(b, -0.9, 0.9) * reach(b), tilt = chance(b, 0.6) ? 0 : uniform(b, -1, 1) * reach(b);
        fvi_canvas_band(b->canvas, turned(b, -far, v - tilt), turned(b, far, v + tilt), uniform(b, 0.35, 0.7) * b->unit, &line);
        if (chance(b, 0.3)) fvi_canvas_band(b->canvas, turned(b, v, -far), turned(b, v, far), 0.5 * b->unit, &line);
    }
    vehicles(b, 3);
}

static void runway(brush *b)
{
    float colour[3] = {92, 92, 94};
    const double half = uniform(b, 11, 22) * b->unit, far = reach(b) * 1.5, middle = uniform(b, -0.5, 0.5) * reach(b);
    vary(b, colour, 18);
    if (chance(b, 0.5)) grass(b);
    else {
        noise(b, b->field, 16 * b->unit, 6, 1, b->angle, 0.7f);
        lay(b, (float[3]){150, 140, 116}, b->field, (float[3]){10, 10, 8});
    }
    const fvi_paint shoulder = colour_of(colour, 1.25, 1), surface = colour_of(colour, 1, 1),
                    white = {.rgb = {226, 226, 222}, .alpha = 0.85f};
    rectangle(b, -far, middle - half * 1.2, far, middle + half * 1.2, &shoulder);
    rectangle(b, -far, middle - half, far, middle + half, &surface);
    noise(b, b->field, 7 * b->unit, 5, 3, b->angle - 0.25, 0.7f);
    add(b, b->field, (float[3]){6, 6, 6});
    for (int i = 0; i < 8; i++) {                                           /* rubber */
        const double v = middle + uniform(b, -0.5, 0.5) * half, u = uniform(b, -far, far);
        const double length = uniform(b, 10, 60) * b->unit, alpha = uniform(b, 0.15, 0.4);
        rectangle(b, u, v, u + length, v + 0.8 * b->unit, &(fvi_paint){.rgb = {30, 30, 32}, .alpha = (float)alpha});
    }
    const double dash = uniform(b, 9, 16) * b->unit;
    for (double u = -far + uniform(b, 0, dash); u < far; u += dash * 1.8)
        rectangle(b, u, middle - 0.4 * b->unit, u + dash, middle + 0.4 * b->unit, &white);
    for (double side = -1; side <= 1; side += 2)
        rectangle(b, -far, middle + side * half * 0.9, far, middle + side * half * 0.9 + 0.7 * b->unit, &white);
    if (chance(b, 0.35)) {                                                  /* a threshold */
        const double u = uniform(b, -0.8, 0.8) * reach(b);
        for (int i = 0; i < 10; i++) {
            const double v = middle + (i - 4.5) * half * 0.17;
            rectangle(b, u, v - 0.05 * half, u + 16 * b->unit, v + 0.05 * half, &white);
        }
    }
}

static void water(brush *b)
{
    static const float waters[][3] = {{40, 74, 96}, {34, 62, 74}, {58, 98, 110}, {48, 70, 66}, {28, 52, 84}};
    float colour[3];
    memcpy(colour, waters[fvi_rng_below(&b->r, 5)], sizeof colour);
    vary(b, colour, 12);
    noise(b, b->field, uniform(b, 20, 50) * b->unit, 4, 1, b->angle, 0.6f);
    lay(b, colour, b->field, (float[3]){6, 8, 8});
    const double wave = uniform(b, 2.2, 5) * b->unit, stretch = uniform(b, 2, 3.5);
    noise(b, b->more, wave, 4, stretch, b->angle, 0.6f);
    add(b, b->more, (float[3]){7, 9, 9});
    const size_t n = (size_t)b->canvas->width * (size_t)b->canvas->height;
    const float crest = (float)uniform(b, 0.75, 1.3), strength = (float)uniform(b, 30, 130);
    for (size_t i = 0; i < n; i++)                                          /* glints on the crests */
        if (b->more[i] > crest)
            for (int k = 0; k < 3; k++) b->canvas->rgb[3 * i + (size_t)k] += (b->more[i] - crest) * strength;
}

static void sand(brush *b)
{
    static const float sands[][3] = {{176, 150, 112}, {162, 134, 98}, {178, 162, 132}, {154, 126, 96}};
    float colour[3];
    memcpy(colour, sands[fvi_rng_below(&b->r, 4)], sizeof colour);
    vary(b, colour, 14);
    noise(b, b->field, uniform(b, 14, 34) * b->unit, 5, 1, b->angle, 0.55f);
    lay(b, colour, b->field, (float[3]){14, 13, 11});
    const double dune = uniform(b, 4, 11) * b->unit, warp = uniform(b, 0.3, 0.9);
    const float depth = (float)uniform(b, 2, 11);
    stripes(b, b->more, dune, b->angle, b->field, (float)warp);
    add(b, b->more, (float[3]){depth, depth, depth * 0.9f});
    for (int i = chance(b, 0.4) ? (int)fvi_rng_below(&b->r, 24) : 0; i > 0; i--) {         /* scrub */
        const fvi_point at = anywhere(b);
        fvi_canvas_disc(b->canvas, at, uniform(b, 0.4, 1.3) * b->unit, &(fvi_paint){.rgb = {104, 100, 70}, .alpha = 0.7f});
    }
}

static void house(brush *b, double u, double v, double l, double w)
{
    static const float roofs[][3] = {{154, 92, 74}, {128, 124, 120}, {176, 170, 160},
                                     {104, 84, 76}, {84, 92, 104},   {196, 190, 182}};
    const double c = fvi_turn_cos(b->angle), s = fvi_turn_sin(b->angle), high = uniform(b, 1.2, 3) * b->unit;
    const double su = (b->sun_x * c + b->sun_y * s) * high,
                 sv = (-b->sun_x * s + b->sun_y * c) * high; /* in the turned frame */
    const float *roof = roofs[fvi_rng_below(&b->r, 6)];
    rectangle(b, u + su, v + sv, u + l + su, v + w + sv, &(fvi_paint){.rgb = {26, 26, 30}, .alpha = 0.55f});
    const double shade = uniform(b, 0.85, 1.12);
    const bool flat = chance(b, 0.3);
    const fvi_paint one = colour_of(roof, shade, 1), two = colour_of(roof, shade * (sv > 0 ? 0.78 : 1.2), 1);
    rectangle(b, u, v, u + l, v + w, &one);
    if (!flat) rectangle(b, u, v + w / 2, u + l, v + w, &two);
    else {
        const fvi_paint box = colour_of(roof, shade * 0.8, 0.9);
        rectangle(b, u + l * 0.2, v + w * 0.2, u + l * 0.4, v + w * 0.45, &box);
    }
}

static void town(brush *b)
{
    static const float yards[][3] = {{112, 118, 90}, {132, 128, 118}, {96, 108, 76}};
    const double block = uniform(b, 22, 34) * b->unit, street = uniform(b, 3.5, 6) * b->unit, far = reach(b) * 1.5;
    float road[3] = {106, 106, 108};
    vary(b, road, 20);
    noise(b, b->field, 7 * b->unit, 5, 1, b->angle, 0.7f);
    lay(b, yards[fvi_rng_below(&b->r, 3)], b->field, (float[3]){14, 14, 12});
    const fvi_paint asphalt = colour_of(road, 1, 1);
    const double start = -far + uniform(b, 0, block);
    for (double u = start; u < far; u += block) rectangle(b, u, -far, u + street, far, &asphalt);
    for (double v = start; v < far; v += block * 0.7) rectangle(b, -far, v, far, v + street, &asphalt);
    for (double u = start; u < far; u += block)
        for (double v = start; v < far; v += block * 0.7) {
            const double room = block - street, depth = block * 0.7 - street;
            for (double x = u + street + 1.2 * b->unit; x < u + street + room - 5 * b->unit;) {
                const double l = uniform(b, 5, 9) * b->unit;
                for (int row = 0; row < 2; row++) {
                    const double w = depth * uniform(b, 0.26, 0.36), y = v + street + (row ? depth - w - b->unit : b->unit);
                    if (chance(b, 0.85) && x + l < u + street + room) house(b, x, y, l, w);
                    else tree(b, turned(b, x + l / 2, y + w / 2), uniform(b, 1, 2) * b->unit, (float[3]){60, 82, 48});
                }
                x += l + uniform(b, 0.6, 3) * b->unit;
            }
        }
    vehicles(b, 5);
    noise(b, b->field, 3 * b->unit, 3, 1, b->angle, 0.8f);
    add(b, b->field, (float[3]){5, 5, 5});
}

static void woods(brush *b)
{
    static const float leaves[][3] = {{54, 78, 44}, {70, 88, 50}, {46, 66, 48}, {96, 90, 48}};
    float colour[3];
    memcpy(colour, leaves[fvi_rng_below(&b->r, 4)], sizeof colour);
    vary(b, colour, 10);
    const double radius = uniform(b, 1.6, 2.8) * b->unit, step = radius * 1.25, far = reach(b) * 1.1;
    noise(b, b->field, 20 * b->unit, 5, 1, b->angle, 0.6f);
    lay(b, (float[3]){colour[0] * 0.6f, colour[1] * 0.6f, colour[2] * 0.6f}, b->field, (float[3]){7, 8, 5});
    for (double v = -far; v < far; v += step)
        for (double u = -far; u < far; u += step) {
            const double x = u + uniform(b, -0.5, 0.5) * step, y = v + uniform(b, -0.5, 0.5) * step,
                         size = radius * uniform(b, 0.6, 1.15);
            const fvi_point at = turned(b, x, y);
            if (at.x < -size * 2 || at.y < -size * 2 || at.x > b->canvas->width + size * 2 ||
                at.y > b->canvas->height + size * 2)
                continue;
            if (chance(b, 0.93)) tree(b, at, size, colour);
        }
    noise(b, b->field, 2.5 * b->unit, 3, 1, b->angle, 0.8f);
    add(b, b->field, (float[3]){6, 7, 5});
}

static void snow(brush *b)
{
    float colour[3] = {158, 166, 178};
    vary(b, colour, 10);
    noise(b, b->field, uniform(b, 16, 40) * b->unit, 6, 1.5, b->angle, 0.6f);
    lay(b, colour, b->field, (float[3]){9, 8, 6});
    for (int i = (int)fvi_rng_below(&b->r, 5); i > 0; i--) {
        const double v = uniform(b, -1, 1) * reach(b), slope = uniform(b, -0.6, 0.6) * reach(b);
        fvi_canvas_band(b->canvas, turned(b, -reach(b) * 1.4, v), turned(b, reach(b) * 1.4, v + slope),
                        uniform(b, 0.5, 2) * b->unit, &(fvi_paint){.rgb = {122, 128, 140}, .alpha = 0.6f});
    }
    if (chance(b, 0.4)) trees(b, (int)fvi_rng_below(&b->r, 14), 0.8, 2, (float[3]){62, 72, 62});
}

static void soil(brush *b)
{
    static const float soils[][3] = {{132, 108, 86}, {116, 104, 92}, {150, 124, 96}, {108, 88, 74}};
    float colour[3];
    memcpy(colour, soils[fvi_rng_below(&b->r, 4)], sizeof colour);
    vary(b, colour, 14);
    noise(b, b->field, uniform(b, 10, 26) * b->unit, 7, 1, b->angle, 0.72f);
    lay(b, colour, b->field, (float[3]){13, 12, 10});
    if (chance(b, 0.5)) {
        noise(b, b->more, 12 * b->unit, 4, 1, b->angle, 0.6f);
        const size_t n = (size_t)b->canvas->width * (size_t)b->canvas->height;
        for (size_t i = 0; i < n; i++) b->more[i] = b->more[i] > 0.3f ? FVI_MIN((b->more[i] - 0.3f) * 2, 1) : 0;
        add(b, b->more, (float[3]){-30, -8, -26});          /* grown over in places */
    }
}

static void (*const grounds[])(brush *) = {grass, fields, concrete, concrete, runway, water, sand, town, woods, snow, soil};

int fvi_ground_count(void) { return FVI_COUNT(grounds); }

void fvi_ground_paint(fvi_canvas *c, uint64_t seed, uint64_t stream, double unit, float *scratch)
{
    const size_t n = (size_t)c->width * (size_t)c->height;
    brush b = {.canvas = c, .seed = seed, .stream = stream, .r = fvi_rng_at(seed, fvi_rng_stream(stream, 1, 0)), .unit = unit,
               .field = scratch, .more = scratch + n, .lattice = scratch + 5 * n};
    float *kept = scratch + 2 * n;
    const double sun = fvi_rng_uniform(&b.r);
    b.sun_x = fvi_turn_cos(sun), b.sun_y = fvi_turn_sin(sun);
    b.angle = fvi_rng_uniform(&b.r);
    grounds[fvi_rng_below(&b.r, FVI_COUNT(grounds))](&b);
    if (!chance(&b, 0.3)) return;
    /* A second ground beyond a border, with an edge between them. */
    memcpy(kept, c->rgb, 3 * n * sizeof(float));
    b.angle = fvi_rng_uniform(&b.r);
    grounds[fvi_rng_below(&b.r, FVI_COUNT(grounds))](&b);
    const double far = reach(&b) * 2, at = uniform(&b, -0.35, 0.35) * reach(&b), bend = uniform(&b, -0.2, 0.2) * reach(&b);
    const fvi_point side[5] = {turned(&b, -far, at), turned(&b, 0, at + bend), turned(&b, far, at), turned(&b, far, far),
                               turned(&b, -far, far)};
    fvi_canvas_clear_mask(c);
    fvi_canvas_fill(c, side, 5, &(fvi_paint){.marks = true});
    for (size_t i = 0; i < n; i++)
        for (size_t k = 3 * i; k < 3 * i + 3; k++) c->rgb[k] = kept[k] + (c->rgb[k] - kept[k]) * c->mask[i];
    if (chance(&b, 0.6)) {
        const fvi_paint edge = {.rgb = {90, 88, 82}, .alpha = 0.5f};
        fvi_canvas_band(c, side[0], side[1], 0.8 * unit, &edge), fvi_canvas_band(c, side[1], side[2], 0.8 * unit, &edge);
    }
}
