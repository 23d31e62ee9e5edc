/* SPDX-License-Identifier: Apache-2.0 */
/* Made-up aircraft: the same pixels for any number of threads and on every machine, boxes that fit, colours that tell
 * nothing, complete folders or none. */
#include "test.h"

#include "image/png_write.h"
#include "synth/annotate.h"
#include "synth/options.h"
#include "synth/turn.h"

#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <spng.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64], target[80];
static fv_context *ctx;

static bool begin_case(void)
{
    snprintf(folder, sizeof folder, "synth_test.XXXXXX");
    ctx = fv_context_create();
    if (!ctx || !mkdtemp(folder)) return false;
    snprintf(target, sizeof target, "%s/set", folder);
    return true;
}

static void end_case(void)
{
    char command[128];
    fvi_file_set_faults((fvi_file_faults){0});
    fvi_memory_set_fault(0);
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    if (system(command) != 0) printf("    cannot remove %s\n", folder);
    fv_context_destroy(ctx);
}

static int entries(const char *path)
{
    DIR *d = opendir(path);
    int n = 0;
    if (!d) return -1;
    for (struct dirent *e; (e = readdir(d));) n += e->d_name[0] != '.';
    closedir(d);
    return n;
}

static fv_synth_options small(int64_t format)
{
    fv_synth_options o;
    fv_synth_defaults(&o);
    o.format = format;
    o.classes = 2, o.per_class = 3, o.pictures = 3, o.most = 2, o.size = format == FV_SYNTH_FOLDER ? 16 : 64;
    o.val = 0.34, o.test = 0.34, o.threads = 1;
    return o;
}

/* ---- drawing ------------------------------------------------------------------------------------------------------------- */

static void turns(void)
{
    for (int i = -400; i <= 400; i++) {
        const double t = i / 100.0 + 0.003;
        CHECK_CLOSE(fvi_turn_sin(t), sin(t * 6.283185307179586), 1e-10);
        CHECK_CLOSE(fvi_turn_cos(t), cos(t * 6.283185307179586), 1e-10);
    }
}

static double covered(const fvi_canvas *c)
{
    double sum = 0;
    for (int i = 0; i < c->width * c->height; i++) sum += c->mask[i];
    return sum;
}

static void polygon_areas(void)
{
    fvi_canvas c;
    const fvi_paint paint = {.marks = true};
    CHECK(fvi_canvas_open(NULL, 20, 16, &c) == FV_OK);
    const fvi_point box[4] = {{2.25, 3.5}, {7.75, 3.5}, {7.75, 9.25}, {2.25, 9.25}};
    fvi_canvas_fill(&c, box, 4, &paint);
    CHECK_CLOSE(covered(&c), 5.5 * 5.75, 1e-5);
    CHECK_CLOSE(c.mask[3 * 20 + 2], 0.75 * 0.5, 1e-6);
    CHECK_CLOSE(c.mask[5 * 20 + 5], 1, 1e-6);
    fvi_canvas_clear_mask(&c);
    const fvi_point triangle[3] = {{1.3, 14.1}, {18.2, 11.7}, {9.1, 0.6}};   /* the other direction */
    fvi_canvas_fill(&c, triangle, 3, &paint);
    CHECK_CLOSE(covered(&c), 0.5 * ((18.2 - 1.3) * (14.1 - 0.6) - (9.1 - 1.3) * (14.1 - 11.7)), 1e-3);
    fvi_canvas_clear_mask(&c);
    const fvi_point beyond[4] = {{-5, -5}, {10, -5}, {10, 30}, {-5, 30}};
    fvi_canvas_fill(&c, beyond, 4, &paint);
    CHECK_CLOSE(covered(&c), 10 * 16, 1e-4);
    fvi_canvas_clear_mask(&c);
    const fvi_point away[3] = {{25, 3}, {40, 3}, {30, 12}};
    fvi_canvas_fill(&c, away, 3, &paint);
    CHECK_CLOSE(covered(&c), 0, 1e-6);
    for (int i = 0; i < 22 * 16; i++) CHECK_CLOSE(c.area[i], 0, 1e-12);
    fvi_canvas_close(&c);
}

static void table_is_sane(void)
{
    CHECK_EQ(fvi_plane_count(), 20);
    for (int i = 0; i < fvi_plane_count(); i++) {
        const fvi_plane_row *row = fvi_plane_row_at(i);
        CHECK_STR(fv_synth_class(i), row->name);
        for (const char *p = row->name; *p; p++) CHECK((*p >= 'a' && *p <= 'z') || *p == '_');
        for (int k = 0; k < i; k++) CHECK(strcmp(row->name, fvi_plane_row_at(k)->name));
        CHECK(row->length > 0 && row->wing.span > 0 && row->nose + row->taper <= 1);
    }
    CHECK(!fv_synth_class(20) && !fv_synth_class(-1));
}

/* The box of pixels that an aircraft changes, from the same picture with and without it. */
static fvi_scene_box changed(const uint8_t *a, const uint8_t *b, int size, const fvi_scene_box *within)
{
    fvi_scene_box box = {0, size, size, 0, 0};
    for (int y = FVI_MAX(within->y0 - 6, 0); y < FVI_MIN(within->y1 + 6, size); y++)
        for (int x = FVI_MAX(within->x0 - 6, 0); x < FVI_MIN(within->x1 + 6, size); x++) {
            int most = 0;
            for (int k = 0; k < 3; k++) most = FVI_MAX(most, abs(a[(y * size + x) * 3 + k] - b[(y * size + x) * 3 + k]));
            if (most < 9) continue;
            box.x0 = FVI_MIN(box.x0, x), box.y0 = FVI_MIN(box.y0, y);
            box.x1 = FVI_MAX(box.x1, x + 1), box.y1 = FVI_MAX(box.y1, y + 1);
        }
    return box;
}

static void boxes_are_tight(void)
{
    enum { SIZE = 200 };
    fvi_scene with, without;
    int boxes = 0, loose = 0;
    CHECK(fvi_scene_open(NULL, SIZE, &with) == FV_OK && fvi_scene_open(NULL, SIZE, &without) == FV_OK);
    for (int label = 0; label < 20; label++)
        for (int i = 0; i < 6; i++) {
            fvi_scene_spec spec = {.seed = 11,
                                   .stream = fvi_rng_stream((uint64_t)label, (uint64_t)i, 0),
                                   .classes = 20,
                                   .label = label,
                                   .clutter = 1,
                                   .bare = true};
            fvi_scene_draw(&with, &spec);
            spec.empty = true;
            fvi_scene_draw(&without, &spec);
            CHECK_EQ(with.n, 1);
            CHECK_EQ(without.n, 0);
            const fvi_scene_box b = with.boxes[0], c = changed(with.rgb, without.rgb, SIZE, &b);
            CHECK(b.x0 >= 0 && b.y0 >= 0 && b.x1 <= SIZE && b.y1 <= SIZE && b.x0 < b.x1 && b.y0 < b.y1);
            CHECK_EQ(b.label, label);
            /* Colours may match by chance at one edge, hence a few boxes may differ by more than 2 pixels. */
            boxes++;
            loose += abs(b.x0 - c.x0) > 2 || abs(b.y0 - c.y0) > 2 || abs(b.x1 - c.x1) > 2 || abs(b.y1 - c.y1) > 2;
        }
    CHECK_MSG(loose * 25 <= boxes, "%d of %d boxes do not fit", loose, boxes);
    fvi_scene_close(&with);
    fvi_scene_close(&without);
}

static void several_stay_apart_and_inside(void)
{
    enum { SIZE = 256 };
    fvi_scene s;
    int planes = 0;
    CHECK(fvi_scene_open(NULL, SIZE, &s) == FV_OK);
    for (int i = 0; i < 12; i++) {
        fvi_scene_draw(&s,
                       &(fvi_scene_spec){
                           .seed = 3, .stream = (uint64_t)i, .classes = 20, .label = -1, .most = 12, .noise = 1, .clutter = 1});
        CHECK(s.n >= 1 && s.n <= 12);
        planes += s.n;
        for (int a = 0; a < s.n; a++) {
            const fvi_scene_box *p = &s.boxes[a];
            CHECK(p->x0 >= 0 && p->y0 >= 0 && p->x1 <= SIZE && p->y1 <= SIZE && p->x0 < p->x1 && p->y0 < p->y1);
            CHECK(p->label >= 0 && p->label < 20);
            for (int b = 0; b < a; b++) {
                const fvi_scene_box *q = &s.boxes[b];
                CHECK(p->x0 >= q->x1 || q->x0 >= p->x1 || p->y0 >= q->y1 || q->y0 >= p->y1);
            }
        }
    }
    CHECK(planes > 36);
    fvi_scene_close(&s);
}

/* ---- colours tell nothing ----------------------------------------------------------------------------------------------- */

enum { LABELS = 8, BINS = 512, TRAIN = 110, TEST = 50 };

static void histogram(const fvi_scene *s, float *out)
{
    memset(out, 0, BINS * sizeof *out);
    const int n = s->size * s->size;
    for (int i = 0; i < n; i++) out[(s->rgb[3 * i] >> 5) << 6 | (s->rgb[3 * i + 1] >> 5) << 3 | s->rgb[3 * i + 2] >> 5] += 1;
    for (int i = 0; i < BINS; i++) out[i] = sqrtf(out[i] / (float)n);
}

static int scores(const float (*w)[BINS], const float *x, double p[LABELS])
{
    double most = -1e30, sum = 0;
    int best = 0;
    for (int k = 0; k < LABELS; k++) {
        p[k] = 0;
        for (int i = 0; i < BINS; i++) p[k] += (double)(w[k][i] * x[i]);
        if (p[k] > most) most = p[k], best = k;
    }
    for (int k = 0; k < LABELS; k++) sum += p[k] = exp(p[k] - most);
    for (int k = 0; k < LABELS; k++) p[k] /= sum;
    return best;
}

/* Logistic regression by plain gradient descent; the best test accuracy on the way counts. */
static void colours_tell_nothing(void)
{
    static float train[LABELS * TRAIN][BINS], test[LABELS * TEST][BINS], w[LABELS][BINS];
    fvi_synth_set set;
    fvi_scene s;
    fv_synth_options o;
    double p[LABELS], best = 0;
    fv_synth_defaults(&o);
    o.per_class = TRAIN + TEST, o.val = 0, o.test = (double)TEST / (TRAIN + TEST);
    CHECK(fvi_synth_check(NULL, &o, &set) == FV_OK);
    CHECK_EQ(set.split[0], TRAIN);
    CHECK(fvi_scene_open(NULL, set.size, &s) == FV_OK);
    for (int64_t i = 0; i < set.count; i++) {
        const fvi_synth_item item = fvi_synth_item_at(&set, i);
        const fvi_scene_spec spec = fvi_synth_spec(&set, &item);
        fvi_scene_draw(&s, &spec);
        histogram(&s, item.split == 0 ? train[item.label * TRAIN + item.number] : test[item.label * TEST + item.number]);
    }
    fvi_scene_close(&s);
    for (int step = 0; step < 120; step++) {
        for (int n = 0; n < LABELS * TRAIN; n++) {
            const int i = (n * 331) % (LABELS * TRAIN), label = i / TRAIN;
            scores(w, train[i], p);
            for (int k = 0; k < LABELS; k++) {
                const float g = (float)(0.1 * (p[k] - (k == label)));
                for (int b = 0; b < BINS; b++) w[k][b] -= g * train[i][b];
            }
        }
        if (step % 10 != 9) continue;
        int right = 0;
        for (int i = 0; i < LABELS * TEST; i++) right += scores(w, test[i], p) == i / TEST;
        best = fmax(best, (double)right / (LABELS * TEST));
    }
    printf("    colour histograms: %.1f %% of %d\n", best * 100, LABELS * TEST);
    CHECK_MSG(best < 1.0 / LABELS + 0.15, "colours alone give %.3f", best);
}

/* ---- the same everywhere ------------------------------------------------------------------------------------------------ */

static void same_pixels(void)
{
    /* Made on x86-64 with gcc 12; a change here is a change of everybody's pictures. */
    static const struct {
        int64_t format;
        const char *hash;
    } sets[] = {{FV_SYNTH_FOLDER, "00621e6e3d6d058b39ac7f57fe47f9ee"}, {FV_SYNTH_YOLO, "7169b3f07c7e8d976b9c1f4ec60c2720"}};
    CHECK(begin_case());
    for (int i = 0; i < 2; i++)
        for (int threads = 1; threads <= 4; threads *= 2) {
            fv_synth_result r;
            fv_synth_options o;
            fv_synth_defaults(&o);
            o.format = sets[i].format, o.classes = 20, o.per_class = 10, o.pictures = 6, o.size = i ? 320 : 48, o.seed = 5,
            o.threads = threads;
            CHECK_MSG(fv_synth_planes(ctx, target, &o, true, NULL, NULL, &r) == FV_OK, "%s", fv_error_text(ctx));
            CHECK_STR(r.hash, sets[i].hash);
            CHECK_EQ(r.pictures[0] + r.pictures[1] + r.pictures[2], i ? 6 : 200);
        }
    end_case();
}

/* More pictures, or other shares, leave a picture as it was. */
static void pictures_do_not_move(void)
{
    fv_synth_options o = small(FV_SYNTH_FOLDER);
    fvi_synth_set few, many;
    CHECK(fvi_synth_check(NULL, &o, &few) == FV_OK);
    o.per_class = 40, o.test = 0.1;
    CHECK(fvi_synth_check(NULL, &o, &many) == FV_OK);
    for (int64_t i = 0; i < few.count; i++) {
        const fvi_synth_item item = fvi_synth_item_at(&few, i);
        CHECK_EQ(item.label, i / 3);
        CHECK_EQ(item.split, i % 3);
        bool found = false;
        for (int64_t k = 0; k < many.count; k++) {
            const fvi_synth_item other = fvi_synth_item_at(&many, k);
            if (other.label != item.label || other.split != item.split || other.number != item.number) continue;
            CHECK(fvi_synth_spec(&many, &other).stream == fvi_synth_spec(&few, &item).stream);
            found = true;
        }
        CHECK(found);
    }
}

/* ---- files -------------------------------------------------------------------------------------------------------------- */

static void annotations(void)
{
    fvi_text t = {0};
    const fvi_scene_box boxes[2] = {{2, 0, 10, 33, 64}, {0, 5, 6, 7, 9}};
    fvi_annotate_yolo(&t, 64, boxes, 2);
    char *text = fvi_text_take(&t);
    CHECK_STR(text, "2 0.257813 0.578125 0.515625 0.843750\n0 0.093750 0.117188 0.031250 0.046875\n");
    fvi_free(text);
    fvi_annotate_voc(&t, "000001.png", 64, boxes, 1);
    text = fvi_text_take(&t);
    CHECK_HAS(text, "<name>delta_fighter</name>");
    CHECK_HAS(text, "<xmin>1</xmin>\n\t\t\t<ymin>11</ymin>\n\t\t\t<xmax>33</xmax>\n\t\t\t<ymax>64</ymax>");
    fvi_free(text);
    fvi_annotate_yaml(&t, 2, false, true);
    text = fvi_text_take(&t);
    CHECK_HAS(text, "val: images/train\ntest: images/test\n\nnc: 2\nnames:\n  0: airliner_four\n  1: turboprop_transport\n");
    fvi_free(text);
}

static bool there(const char *name)
{
    char path[160];
    snprintf(path, sizeof path, "%s/%s", target, name);
    return fvi_file_exists(path);
}

static void layouts(void)
{
    CHECK(begin_case());
    for (int format = 0; format < 3; format++) {
        fv_synth_result r;
        const fv_synth_options o = small(format);
        CHECK_MSG(fv_synth_planes(ctx, target, &o, true, NULL, NULL, &r) == FV_OK, "%s", fv_error_text(ctx));
        CHECK_EQ(r.pictures[0], format ? 1 : 2);
        CHECK(there("classes.txt") && there("synth.json"));
        CHECK_EQ(entries(folder), 1);
        if (format == FV_SYNTH_FOLDER)
            CHECK(there("train/airliner_four/00001.png") && there("val/airliner_four/00001.png") &&
                  there("test/turboprop_transport/00001.png"));
        if (format == FV_SYNTH_VOC)
            CHECK(there("JPEGImages/000001.png") && there("Annotations/000003.xml") && there("ImageSets/Main/train.txt") &&
                  there("ImageSets/Main/test.txt"));
        if (format == FV_SYNTH_YOLO)
            CHECK(there("images/train/000001.png") && there("labels/test/000003.txt") && there("data.yaml"));
    }
    end_case();
}

static void png_comes_back(void)
{
    uint8_t pixels[5 * 3 * 4], out[5 * 3 * 4], *png;
    size_t bytes, size;
    for (int i = 0; i < (int)sizeof pixels; i++) pixels[i] = (uint8_t)(i * 37);
    for (int channels = 1; channels <= 4; channels++) {
        if (channels == 2) continue;
        CHECK(fvi_png_encode(NULL, pixels, 5, 3, channels, &png, &bytes) == FV_OK);
        spng_ctx *d = spng_ctx_new(0);
        struct spng_ihdr head;
        CHECK(!spng_set_png_buffer(d, png, bytes) && !spng_get_ihdr(d, &head));
        CHECK_EQ(head.width, 5);
        CHECK_EQ(head.height, 3);
        CHECK(!spng_decoded_image_size(d, SPNG_FMT_PNG, &size));
        CHECK_EQ(size, 15 * channels);
        CHECK(!spng_decode_image(d, out, sizeof out, SPNG_FMT_PNG, 0));
        CHECK(!memcmp(out, pixels, size));
        spng_ctx_free(d);
        fvi_free(png);
    }
    CHECK(fvi_png_encode(NULL, pixels, 5, 3, 2, &png, &bytes) == FV_ERROR_INVALID && !png);
    CHECK(fvi_png_encode(NULL, pixels, 0, 3, 3, &png, &bytes) == FV_ERROR_INVALID);
}

/* ---- what goes wrong ---------------------------------------------------------------------------------------------------- */

static void bad_options(void)
{
    static const struct { const char *key, *value, *text;
    } bad[] = {{"classes", "21", "out of range"},
               {"classes", "1", "out of range"},
               {"classes", "x", "whole number"},
               {"size", "2049", "out of range"},
               {"per_class", "0", "out of range"},
               {"format", "yola", "did you mean \"yolo\""},
               {"perclass", "3", "did you mean \"per_class\""},
               {"seed", "-1", "out of range"},
               {"test", "1", "out of range"},
               {"noise", "-1", "out of range"},
               {"most", "65", "out of range"}};
    fv_synth_options o;
    fvi_synth_set set;
    CHECK(begin_case());
    fv_synth_defaults(&o);
    for (int i = 0; i < FVI_COUNT(bad); i++) {
        CHECK(fv_synth_set(ctx, &o, bad[i].key, bad[i].value) == FV_ERROR_CONFIG);
        CHECK_HAS(fv_error_message(ctx), bad[i].text);
    }
    CHECK(fv_synth_set(ctx, &o, "size", "9") == FV_OK);
    CHECK(fvi_synth_check(ctx, &o, &set) == FV_ERROR_CONFIG);
    CHECK_HAS(fv_error_message(ctx), "16 .. 2048");
    o.size = 64, o.val = 0.5, o.test = 0.5;
    CHECK(fvi_synth_check(ctx, &o, &set) == FV_ERROR_CONFIG);
    CHECK_HAS(fv_error_message(ctx), "leave 0 of 500");
    end_case();
}

static bool stop_at_two(void *user, int64_t done, int64_t total)
{
    (void)total;
    *(int64_t *)user = done;
    return done < 2;
}

static void folders_are_kept(void)
{
    char file[128];
    const fv_synth_options o = small(FV_SYNTH_FOLDER);
    int64_t done = 0;
    CHECK(begin_case());
    snprintf(file, sizeof file, "%s/mine.txt", target);
    CHECK(mkdir(target, 0777) == 0);
    CHECK(fv_synth_planes(ctx, target, &o, false, stop_at_two, &done, NULL) == FV_ERROR_CANCELED);
    CHECK_EQ(done, 2);
    CHECK(entries(folder) == 1 && entries(target) == 0);
    CHECK(fv_synth_planes(ctx, target, &o, false, NULL, NULL, NULL) == FV_OK);              /* an empty folder will do */
    CHECK(fv_synth_planes(ctx, target, &o, false, NULL, NULL, NULL) == FV_ERROR_INVALID);
    CHECK_HAS(fv_error_message(ctx), "--overwrite");
    CHECK(fvi_file_write(ctx, file, "x", 1) == FV_OK);
    CHECK(fv_synth_planes(ctx, target, &o, true, NULL, NULL, NULL) == FV_OK);
    CHECK(!fvi_file_exists(file) && entries(folder) == 1);
    end_case();
    CHECK(begin_case());                                                                    /* somebody's pictures */
    snprintf(file, sizeof file, "%s/mine.txt", target);
    CHECK(mkdir(target, 0777) == 0 && fvi_file_write(ctx, file, "x", 1) == FV_OK);
    CHECK(fv_synth_planes(ctx, target, &o, true, NULL, NULL, NULL) == FV_ERROR_INVALID);
    CHECK_HAS(fv_error_message(ctx), "not empty");
    CHECK(fvi_file_exists(file) && entries(folder) == 1);
    CHECK(fv_synth_planes(ctx, file, &o, true, NULL, NULL, NULL) == FV_ERROR_INVALID);
    CHECK_HAS(fv_error_message(ctx), "not a folder");
    end_case();
}

/* No space at the n-th write, sync and rename, for all n: the old set stays whole, nothing is left lying about. */
static void disk_full(void)
{
    fv_synth_options o = small(FV_SYNTH_YOLO);
    int failures = 0;
    CHECK(begin_case());
    CHECK(fv_synth_planes(ctx, target, &o, false, NULL, NULL, NULL) == FV_OK);
    o.seed = 1;
    for (int kind = 0; kind < 3; kind++)
        for (int n = 1;; n++) {
            fvi_file_set_faults((fvi_file_faults){.write_at = kind == 0 ? n : 0, .sync_at = kind == 1 ? n : 0, .rename_at = kind == 2 ? n : 0, .error = ENOSPC});
            const fv_status status = fv_synth_planes(ctx, target, &o, true, NULL, NULL, NULL);
            fvi_file_set_faults((fvi_file_faults){0});
            CHECK_EQ(entries(folder), 1);
            CHECK(there("synth.json") && there("images/train/000001.png") && there("data.yaml"));
            if (status == FV_OK) break;
            CHECK_EQ(status, FV_ERROR_IO);
            CHECK_HAS(fv_error_message(ctx), "No space left");
            failures++;
        }
    CHECK(failures >= 12);
    end_case();
}

static void no_memory(void)
{
    const fv_synth_options o = small(FV_SYNTH_VOC);
    int failures = 0;
    CHECK(begin_case());
    for (int n = 1; n < 2000; n++) {
        fvi_memory_set_fault(n);
        const fv_status status = fv_synth_planes(ctx, target, &o, false, NULL, NULL, NULL);
        fvi_memory_set_fault(0);
        if (status == FV_OK) break;
        CHECK_MSG(status == FV_ERROR_NOMEM, "allocation %d: %s", n, fv_error_text(ctx));
        CHECK_EQ(entries(folder), 0);
        failures++;
    }
    CHECK(failures > 20);
    CHECK(there("synth.json"));
    end_case();
}

TEST_MAIN(CASE(turns), CASE(polygon_areas), CASE(table_is_sane), CASE(boxes_are_tight), CASE(several_stay_apart_and_inside),
          CASE(colours_tell_nothing), CASE(same_pixels), CASE(pictures_do_not_move), CASE(annotations), CASE(layouts),
          CASE(png_comes_back), CASE(bad_options), CASE(folders_are_kept), CASE(disk_full), CASE(no_memory))
