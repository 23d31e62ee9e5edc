/* SPDX-License-Identifier: Apache-2.0 */
#include "synth/scene.h"
#include "synth/ground.h"
#include "synth/turn.h"

/* Streams of one picture; each purpose has its own, so that one may change without the others. */
enum { STREAM_LAYOUT = 1, STREAM_GROUND, STREAM_LIVERY, STREAM_LIGHT, STREAM_NOISE, STREAM_PLANE };

typedef struct placed { const fvi_plane_row *row; fvi_pose pose; int label; fvi_point half; } placed;

fv_status fvi_scene_open(fv_context *ctx, int size, fvi_scene *out)
{
    const size_t n = (size_t)size * (size_t)size;
    *out = (fvi_scene){.size = size};
    fv_status status = fvi_canvas_open(ctx, size, size, &out->canvas);
    if (status == FV_OK && !(out->scratch = fvi_malloc(fvi_ground_scratch(size, size) * sizeof(float))))
        status = fvi_nomem(ctx);
    if (status == FV_OK && !(out->rgb = fvi_malloc(n * 3))) status = fvi_nomem(ctx);
    if (status != FV_OK) fvi_scene_close(out);
    return status;
}

void fvi_scene_close(fvi_scene *s)
{
    fvi_canvas_close(&s->canvas);
    fvi_free(s->scratch);
    fvi_free(s->rgb);
    *s = (fvi_scene){0};
}

static double between(fvi_rng *r, double low, double high) { return low + (high - low) * fvi_rng_uniform(r); }

/* ---- where aircraft stand ---------------------------------------------------------------------------------------------- */

/* The fourth root of the extent in metres: sizes in pictures differ as in life, but less. */
static double apparent(const fvi_plane_row *row) { return sqrt(sqrt(fvi_plane_extent(row) / 30)); }

static void pose_one(fvi_rng *r, const fvi_scene_spec *spec, int index, double shadow_turn, double shadow_length,
                     fvi_pose *pose)
{
    const double turn = fvi_rng_uniform(r), squeeze = between(r, 0.9, 1), squeeze_turn = fvi_rng_uniform(r);
    *pose = (fvi_pose){.turn = turn,
                       .squeeze = squeeze,
                       .squeeze_turn = squeeze_turn,
                       .shadow_x = fvi_turn_cos(shadow_turn) * shadow_length,
                       .shadow_y = fvi_turn_sin(shadow_turn) * shadow_length,
                       .seed = spec->seed,
                       .stream = fvi_rng_stream(spec->stream, STREAM_PLANE, (uint64_t)index)};
}

/* One aircraft that fills half to nearly all of the picture, wholly inside. */
static int place_single(fvi_rng *r, const fvi_scene_spec *spec, int size, placed *out)
{
    const double turn = fvi_rng_uniform(r), length = between(r, 0.3, 1.1);
    placed *p = &out[0];
    p->label = spec->label;
    p->row = fvi_plane_row_at(spec->label);
    pose_one(r, spec, 0, turn, length, &p->pose);
    const double fill = between(r, 0.8, 0.97) * FVI_MIN(1, sqrt(apparent(p->row)));
    p->pose.scale = 1;
    fvi_point half = fvi_plane_size(p->row, &p->pose);
    const double widest = FVI_MAX(half.x, half.y) * 2;
    p->pose.scale = fill * size / FVI_MAX(widest, fvi_plane_extent(p->row) * 0.9);
    p->half = (fvi_point){half.x * p->pose.scale, half.y * p->pose.scale};
    p->pose.centre.x = between(r, p->half.x + 1, size - p->half.x - 1);
    p->pose.centre.y = between(r, p->half.y + 1, size - p->half.y - 1);
    /* Metres differ between classes; shadows are lengthened to be as visible for all. */
    const double metre = 0.016 * size / p->pose.scale;
    p->pose.height = metre * (fvi_rng_uniform(r) < 0.75 ? between(r, 1.5, 3.5) : between(r, 5, 25));
    return 1;
}

static bool is_free(const placed *all, int n, const placed *p)
{
    for (int i = 0; i < n; i++) {
        const double x = all[i].pose.centre.x - p->pose.centre.x, y = all[i].pose.centre.y - p->pose.centre.y;
        if ((x < 0 ? -x : x) < all[i].half.x + p->half.x + 2 && (y < 0 ? -y : y) < all[i].half.y + p->half.y + 2) return false;
    }
    return true;
}

/* Several aircraft, boxes apart; half of the pictures have them parked in parallel. */
static int place_several(fvi_rng *r, const fvi_scene_spec *spec, int size, placed *out)
{
    const double turn = fvi_rng_uniform(r), length = between(r, 0.3, 1.1), row_turn = fvi_rng_uniform(r);
    const double typical = size * between(r, 0.12, 0.21);                   /* pixels of an aircraft 30 m long */
    const bool parked = fvi_rng_uniform(r) < 0.5;
    const int wanted = 1 + (int)fvi_rng_below(r, spec->most);
    int n = 0;
    for (int i = 0; i < wanted; i++)
        for (int tries = 0; tries < 40; tries++) {
            placed *p = &out[n];
            p->label = (int)fvi_rng_below(r, spec->classes);
            p->row = fvi_plane_row_at(p->label);
            pose_one(r, spec, i, turn, length, &p->pose);
            const double askew = between(r, -0.01, 0.01), own = between(r, 0.9, 1.1) * apparent(p->row) * apparent(p->row);
            if (parked) p->pose.turn = row_turn + askew + (fvi_rng_below(r, 5) == 0 ? 0.5 : 0);
            const double pixels = FVI_MAX(typical * own, FVI_MIN(20, size / 4.0));
            p->pose.scale = FVI_MIN(pixels, size * 0.8) / fvi_plane_extent(p->row);
            p->pose.height = FVI_MAX(pixels * 0.03, 1) / p->pose.scale *
                             (parked || fvi_rng_uniform(r) < 0.7 ? between(r, 0.7, 1.5) : between(r, 3, 9));
            p->half = fvi_plane_size(p->row, &p->pose);
            if (p->half.x * 2 + 4 > size || p->half.y * 2 + 4 > size) continue;
            p->pose.centre.x = between(r, p->half.x + 1, size - p->half.x - 1);
            p->pose.centre.y = between(r, p->half.y + 1, size - p->half.y - 1);
            if (!is_free(out, n, p)) continue;
            n++;
            break;
        }
    return n;
}

/* Brings the ground nearer to its mean colour (or further away): details compete less with the aircraft. */
static void calm(fvi_canvas *c, double clutter)
{
    const size_t n = (size_t)c->width * (size_t)c->height;
    double sum[3] = {0};
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < 3; k++) sum[k] += c->rgb[3 * i + k];
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < 3; k++) {
            const float mean = (float)(sum[k] / (double)n);
            c->rgb[3 * i + k] = mean + (c->rgb[3 * i + k] - mean) * (float)clutter;
        }
}

/* ---- after painting ---------------------------------------------------------------------------------------------------- */

/* The box around pixels of the mask that are covered by a quarter or more. */
static fvi_scene_box tight_box(const fvi_canvas *c, int label)
{
    fvi_scene_box box = {label, c->width, c->height, 0, 0};
    for (int y = 0; y < c->height; y++)
        for (int x = 0; x < c->width; x++) {
            if (c->mask[(size_t)y * (size_t)c->width + (size_t)x] < 0.25f) continue;
            box.x0 = FVI_MIN(box.x0, x), box.y0 = FVI_MIN(box.y0, y);
            box.x1 = FVI_MAX(box.x1, x + 1), box.y1 = FVI_MAX(box.y1, y + 1);
        }
    return box;
}

/* Mean colour of the ground around a point. */
static void colour_below(const fvi_canvas *c, const placed *p, float out[3])
{
    const int x0 = (int)FVI_MAX(p->pose.centre.x - p->half.x, 0), x1 = (int)FVI_MIN(p->pose.centre.x + p->half.x, c->width);
    const int y0 = (int)FVI_MAX(p->pose.centre.y - p->half.y, 0), y1 = (int)FVI_MIN(p->pose.centre.y + p->half.y, c->height);
    double sum[3] = {0};
    for (int y = y0; y < y1; y++)
        for (int x = x0; x < x1; x++)
            for (int k = 0; k < 3; k++) sum[k] += c->rgb[((size_t)y * (size_t)c->width + (size_t)x) * 3 + (size_t)k];
    for (int k = 0; k < 3; k++) out[k] = (float)(sum[k] / FVI_MAX((x1 - x0) * (y1 - y0), 1));
}

/* A thin cloud over a corner: alpha falls off from its middle. */
static void cloud(fvi_canvas *c, fvi_rng *r)
{
    const double x0 = fvi_rng_uniform(r) * c->width, y0 = fvi_rng_uniform(r) * c->height,
                 radius = between(r, 0.25, 0.6) * c->width;
    const double stretch = between(r, 0.5, 1), most = between(r, 0.15, 0.45);
    for (int y = 0; y < c->height; y++)
        for (int x = 0; x < c->width; x++) {
            const double u = (x - x0) / radius, v = (y - y0) / (radius * stretch), d = u * u + v * v;
            if (d >= 1) continue;
            const float a = (float)((1 - d) * (1 - d) * most);
            float *rgb = c->rgb + ((size_t)y * (size_t)c->width + (size_t)x) * 3;
            for (int k = 0; k < 3; k++) rgb[k] += (236 - rgb[k]) * a;
        }
}

/* The sun, the air and the lens. */
static void light(fvi_scene *s, const fvi_scene_spec *spec)
{
    static const float air[3] = {186, 196, 208};
    fvi_canvas *c = &s->canvas;
    fvi_rng r = fvi_rng_at(spec->seed, fvi_rng_stream(spec->stream, STREAM_LIGHT, 0));
    const double bright = between(&r, 0.72, 1.14), contrast = between(&r, 0.88, 1.15), warm = between(&r, -0.06, 0.06),
                 green = between(&r, -0.03, 0.03);
    const float haze = (float)(fvi_rng_uniform(&r) < 0.3 ? between(&r, 0.05, 0.2) : 0);
    const float gain[3] = {(float)(bright * (1 + warm)), (float)(bright * (1 + green)), (float)(bright * (1 - warm))};
    const double fall_x = between(&r, -0.1, 0.1) / c->width, fall_y = between(&r, -0.1, 0.1) / c->height;
    if (fvi_rng_uniform(&r) < 0.12) cloud(c, &r);
    for (int y = 0; y < c->height; y++)
        for (int x = 0; x < c->width; x++) {
            float *rgb = c->rgb + ((size_t)y * (size_t)c->width + (size_t)x) * 3;
            const float fall = (float)(1 + fall_x * (x - c->width / 2) + fall_y * (y - c->height / 2));
            for (int k = 0; k < 3; k++) {
                const float v = ((rgb[k] - 118) * (float)contrast + 118) * gain[k] * fall;
                rgb[k] = v + (air[k] - v) * haze;
            }
        }
    const int passes = 1 + (int)fvi_rng_below(&r, 3);
    const float share = (float)(between(&r, 0.05, 0.19) * FVI_MIN(spec->noise, 1.1));
    for (int i = 0; i < passes && share > 0; i++) fvi_canvas_soften(c->rgb, c->width, c->height, 3, share, s->scratch);
}

/* The sum of four bytes is close enough to a normal variable (deviation 147.8), and exact on every machine. */
static float near_normal(uint32_t word)
{
    const int sum = (int)(word & 255) + (int)(word >> 8 & 255) + (int)(word >> 16 & 255) + (int)(word >> 24);
    return (float)(sum - 510) * (1 / 147.8f);
}

/* Sensor noise, brightness mostly, and rounding to bytes. */
static void expose(fvi_scene *s, const fvi_scene_spec *spec)
{
    const size_t n = (size_t)s->size * (size_t)s->size;
    const uint64_t stream = fvi_rng_stream(spec->stream, STREAM_NOISE, 0);
    fvi_rng r = fvi_rng_at(spec->seed, fvi_rng_stream(spec->stream, STREAM_NOISE, 1));
    const float grey = (float)(between(&r, 1, 6) * spec->noise), colour = grey * (float)between(&r, 0.2, 0.6);
    for (size_t i = 0; i < n; i++) {
        uint32_t words[4];
        float common = 0, own[3] = {0};
        if (!spec->bare && spec->noise > 0) {
            fvi_rng_block(spec->seed, stream, i, words);
            common = near_normal(words[3]) * grey;
            for (int k = 0; k < 3; k++) own[k] = near_normal(words[k]) * colour;
        }
        for (size_t k = 0; k < 3; k++) {
            const float v = s->canvas.rgb[3 * i + k] + common + own[k] + 0.5f;
            s->rgb[3 * i + k] = v <= 0 ? 0 : v >= 255 ? 255 : (uint8_t)v;
        }
    }
}

void fvi_scene_draw(fvi_scene *s, const fvi_scene_spec *spec)
{
    placed all[FVI_SCENE_MOST];
    fvi_canvas *c = &s->canvas;
    fvi_rng r = fvi_rng_at(spec->seed, fvi_rng_stream(spec->stream, STREAM_LAYOUT, 0));
    const bool single = spec->label >= 0;
    const double unit = single ? s->size / 64.0 * between(&r, 0.7, 1.9) : s->size / 640.0 * between(&r, 1.6, 4);
    const int n = single ? place_single(&r, spec, s->size, all) : place_several(&r, spec, s->size, all);
    fvi_ground_paint(c, spec->seed, fvi_rng_stream(spec->stream, STREAM_GROUND, 0), unit, s->scratch);
    calm(c, 0.5 * spec->clutter);
    if (!spec->bare && unit > 1.3) fvi_canvas_soften(c->rgb, c->width, c->height, 3, 0.16f, s->scratch);
    const float dark = (float)between(&r, 0.25, 0.62);
    s->n = 0;
    for (int i = 0; i < n && !spec->empty; i++) {
        fvi_livery livery;
        float below[3];
        fvi_rng paint = fvi_rng_at(spec->seed, fvi_rng_stream(spec->stream, STREAM_LIVERY, (uint64_t)i));
        colour_below(c, &all[i], below);
        fvi_livery_draw(&paint, below, &livery);
        all[i].pose.shadow = spec->bare ? 0 : dark;
        fvi_plane_paint(c, all[i].row, &all[i].pose, &livery, s->scratch);
        const fvi_scene_box box = tight_box(c, all[i].label);
        if (box.x0 < box.x1) s->boxes[s->n++] = box;
    }
    if (!spec->bare) light(s, spec);
    expose(s, spec);
}
