/* SPDX-License-Identifier: Apache-2.0 */
/* Transforms: the pixels that torchvision gives with Pillow (tests/golden/transforms.txt), random crops and colours over
 * many draws, orders and ranges, and that a draw depends on nothing but its key. */
#include "test.h"

#include "base/file.h"
#include "data/augment.h"

#include <stdlib.h>

/* The pattern of tools/golden/pictures.py. */
static void pattern(fvi_picture *p, int w, int h)
{
    if (fvi_picture_size(NULL, p, w, h) != FV_OK) return;
    for (int i = 0; i < 3 * w * h; i++) {
        int x = i / 3 % w, y = i / 3 / w, c = i % 3;
        uint8_t noise = (uint8_t)((uint32_t)i * 2654435761u >> 24), edges = (x / 5 + y / 7 + c) & 1 ? 255 : 0;
        p->pixels[4 * (i / 3) + c] = ((x + y) / 16) & 1 ? noise : edges;
        p->pixels[4 * (i / 3) + 3] = 255;
    }
}

static uint64_t fnv(const fvi_picture *p)
{
    uint64_t h = 0xCBF29CE484222325u;
    for (int i = 0; i < p->width * p->height; i++)
        for (int c = 0; c < 3; c++) h = (h ^ p->pixels[4 * i + c]) * 0x100000001B3u;
    return h;
}

static const fv_draw plain = {false, 0, 0, 0};

static void as_torchvision(void)
{
    FILE *f = fopen(FOVEA_TESTS_DIR "/golden/transforms.txt", "r");
    char kind[16], order[8];
    double v[4];
    uint64_t want;
    int cases = 0;
    fvi_workspace w = {0};
    CHECK(f);
    while (fscanf(f, "%15s", kind) == 1) {
        if (!strcmp(kind, "jitter")) {
            CHECK_EQ(fscanf(f, "%lf %lf %lf %lf %7s %" SCNx64, &v[0], &v[1], &v[2], &v[3], order, &want), 6);
            int places[4];
            for (int i = 0; i < 4; i++) places[i] = order[i] - '0';
            pattern(&w.whole, 48, 36);
            fvi_color_jitter(&w.whole, v[0], v[1], v[2], v[3], places);
            CHECK_MSG(fnv(&w.whole) == want, "jitter %g %g %g %g %s differs", v[0], v[1], v[2], v[3], order);
        } else {
            int width, height, size;
            CHECK_EQ(fscanf(f, "%d %d %d %lf %" SCNx64, &width, &height, &size, &v[0], &want), 5);
            fvi_augment a = {.width = size, .height = size, .resize = strcmp(kind, "crop") ? FVI_RESIZE_SQUASH : FVI_RESIZE_CROP, .crop_pct = v[0]};
            pattern(&w.whole, width, height);
            CHECK_EQ(fvi_augment_size(&a, NULL, &w, &plain), FV_OK);
            CHECK_MSG(fnv(&w.sized) == want, "%s %dx%d to %d differs", kind, width, height, size);
        }
        cases++;
    }
    fclose(f);
    fvi_workspace_free(&w);
    CHECK(cases >= 40);
}

static void pads_to_a_square(void)
{
    fvi_workspace w = {0};
    for (int tall = 0; tall < 2; tall++) {
        fvi_augment a = {.width = 40, .height = 40, .resize = FVI_RESIZE_PAD};
        CHECK_EQ(fvi_picture_size(NULL, &w.whole, tall ? 50 : 100, tall ? 100 : 50), FV_OK);
        memset(w.whole.pixels, 200, 4 * 5000);
        CHECK_EQ(fvi_augment_size(&a, NULL, &w, &plain), FV_OK);
        CHECK_EQ(w.sized.width, 40);
        CHECK_EQ(w.sized.height, 40);
        for (int y = 0; y < 40; y++)
            for (int x = 0; x < 40; x++) {
                int along = tall ? x : y;
                CHECK_EQ(w.sized.pixels[4 * (y * 40 + x)], along >= 10 && along < 30 ? 200 : 0);
            }
    }
    fvi_workspace_free(&w);
}

static fvi_augment everything(void)
{
    return (fvi_augment){.width = 24, .height = 24, .mean = {.5f, .5f, .5f}, .std = {.5f, .5f, .5f}, .resize = FVI_RESIZE_CROP, .random_crop = 1, .random_resized_crop = .7,
                         .scale = {.08, 1}, .ratio = {.75, 4. / 3}, .pad_crop = 2, .horizontal_flip = .5, .vertical_flip = .5, .color_jitter = .8,
                         .brightness = .4, .contrast = .4, .saturation = .4, .hue = .1};
}

/* The same key gives the same numbers whatever was made before; other keys give others. */
static void a_draw_depends_on_its_key_only(void)
{
    enum { N = 3 * 24 * 24 };
    fvi_augment a = everything();
    fvi_workspace w = {0}, fresh = {0};
    static float first[20][N], again[N];
    for (int i = 0; i < 20; i++) {
        fv_draw d = {true, 5, i / 10, i % 10};
        pattern(&w.whole, 60, 45);
        CHECK_EQ(fvi_augment_size(&a, NULL, &w, &d), FV_OK);
        fvi_augment_finish(&a, &d, &w.sized, first[i]);
        for (int k = 0; k < i; k++) CHECK(memcmp(first[i], first[k], sizeof first[i]));
    }
    for (int i = 19; i >= 0; i -= 7) {
        fv_draw d = {true, 5, i / 10, i % 10};
        pattern(&fresh.whole, 60, 45);
        CHECK_EQ(fvi_augment_size(&a, NULL, &fresh, &d), FV_OK);
        fvi_augment_finish(&a, &d, &fresh.sized, again);
        CHECK(!memcmp(again, first[i], sizeof again));
    }
    fvi_workspace_free(&w);
    fvi_workspace_free(&fresh);
}

/* Area, shape and place of random parts keep their ranges and fill them. */
static void random_parts(void)
{
    fvi_augment a = everything();
    a.random_resized_crop = 1;
    double least = 2, most = 0, thin = 10, wide = 0;
    int left = 1000, right = 0;
    for (int i = 0; i < 3000; i++) {
        fv_draw d = {true, 1, 0, i};
        fvi_geometry g;
        CHECK_EQ(fvi_augment_geometry(&a, NULL, &d, 400, 300, &g), FV_OK);
        CHECK(g.x >= 0 && g.y >= 0 && g.w >= 1 && g.h >= 1 && g.x + g.w <= 400 && g.y + g.h <= 300);
        double area = (double)g.w * g.h / (400 * 300), shape = (double)g.w / g.h;
        least = FVI_MIN(least, area), most = FVI_MAX(most, area), thin = FVI_MIN(thin, shape), wide = FVI_MAX(wide, shape);
        left = FVI_MIN(left, g.x), right = FVI_MAX(right, g.x + g.w);
        CHECK_EQ(g.width, 24);
    }
    CHECK(least > .075 && least < .1 && most > .9 && most <= 1);
    CHECK(thin > .73 && thin < .78 && wide > 1.28 && wide < 1.37);
    CHECK(left < 5 && right > 395);
    /* A shape that never fits: the middle. */
    fvi_geometry g;
    fv_draw d = {true, 1, 0, 0};
    a.scale[0] = a.scale[1] = 1;
    CHECK_EQ(fvi_augment_geometry(&a, NULL, &d, 1000, 10, &g), FV_OK);
    CHECK_EQ(g.w, 13);
    CHECK_EQ(g.h, 10);
    CHECK_EQ(g.x, 493);
}

static void extreme_shapes(void)
{
    fvi_workspace w = {0};
    static const int sizes[][2] = {{1, 1}, {1, 3000}, {3000, 1}, {2, 2}, {23, 25}, {5000, 3}};
    float out[3 * 24 * 24];
    for (int i = 0; i < FVI_COUNT(sizes); i++)
        for (int mode = FVI_RESIZE_CROP; mode <= FVI_RESIZE_PAD; mode++)
            for (int k = 0; k < 10; k++) {
                fvi_augment a = everything();
                fv_draw d = {k > 0, 3, 0, k};
                a.resize = (fvi_resize_mode)mode;
                pattern(&w.whole, sizes[i][0], sizes[i][1]);
                CHECK_EQ(fvi_augment_size(&a, NULL, &w, &d), FV_OK);
                CHECK_EQ(w.sized.width, 24);
                fvi_augment_finish(&a, &d, &w.sized, out);
                for (int n = 0; n < 3 * 24 * 24; n++) CHECK(out[n] >= -1 && out[n] <= 1);
            }
    fvi_workspace_free(&w);
}

/* Smaller DCTs give nearly the same picture, for every crop. */
static void scaled_jpeg_is_near(void)
{
    fvi_augment a = {.width = 12, .height = 12, .std = {1, 1, 1}, .resize = FVI_RESIZE_CROP, .jpeg_scale = true, .scale = {.5, 1}, .ratio = {.75, 4. / 3}};
    fvi_workspace w = {0};
    fvi_picture full = {0};
    char *data;
    size_t bytes;
    CHECK_EQ(fvi_file_read(NULL, FOVEA_TESTS_DIR "/fuzz/corpus/jpeg/444.jpg", 1 << 20, &data, &bytes), FV_OK);
    for (int i = 0; i < 30; i++) {
        fv_draw d = {i > 0, 1, 0, i};
        double difference = 0;
        a.random_resized_crop = i > 0;
        a.jpeg_scale = false;
        CHECK_EQ(fvi_augment_decode(&a, NULL, &w, "x", (const uint8_t *)data, bytes, &d, true), FV_OK);
        CHECK_EQ(fvi_picture_size(NULL, &full, 12, 12), FV_OK);
        memcpy(full.pixels, w.sized.pixels, 4 * 144);
        a.jpeg_scale = true;
        CHECK_EQ(fvi_augment_decode(&a, NULL, &w, "x", (const uint8_t *)data, bytes, &d, false), FV_OK);
        if (i == 0) CHECK_EQ(w.whole.width, 20);         /* 40 x 30: half is enough */
        for (int k = 0; k < 4 * 144; k++) difference += k % 4 < 3 ? abs(w.sized.pixels[k] - full.pixels[k]) : 0;
        CHECK_MSG(difference / (3 * 144) < 12, "draw %d differs by %g", i, difference / (3 * 144));
    }
    fvi_free(data);
    fvi_picture_free(&full);
    fvi_workspace_free(&w);
}

/* What is decoded of a JPEG for one crop only gives the crop of the whole picture, bit for bit. */
static void part_decoding_changes_nothing(void)
{
    static const char *const files[] = {"plain", "422", "444", "grey", "cmyk", "progressive", "turn6"};
    static float whole[3 * 48 * 48], part[3 * 48 * 48];
    fvi_workspace w = {0}, v = {0};
    for (int f = 0; f < FVI_COUNT(files); f++) {
        char path[512], *data;
        size_t bytes;
        snprintf(path, sizeof path, FOVEA_TESTS_DIR "/fuzz/corpus/jpeg/%s.jpg", files[f]);
        CHECK_EQ(fvi_file_read(NULL, path, 1 << 20, &data, &bytes), FV_OK);
        for (int i = 0; i < 400; i++) {
            fvi_augment a = everything();
            fv_draw d = {i % 8 > 0, 9, i, f};
            a.width = a.height = i % 3 == 0 ? 8 : i % 3 == 1 ? 24 : 48;
            a.filter = (fvi_filter)(i % 5);
            a.resize = (fvi_resize_mode)(FVI_RESIZE_CROP + i / 5 % 3);
            CHECK_EQ(fvi_augment_decode(&a, NULL, &w, "x", (const uint8_t *)data, bytes, &d, true), FV_OK);
            fvi_augment_finish(&a, &d, &w.sized, whole);
            if (v.whole.pixels) memset(v.whole.pixels, i, v.whole.capacity);
            CHECK_EQ(fvi_augment_decode(&a, NULL, &v, "x", (const uint8_t *)data, bytes, &d, false), FV_OK);
            fvi_augment_finish(&a, &d, &v.sized, part);
            CHECK_MSG(!memcmp(whole, part, (size_t)(3 * a.width * a.height) * sizeof *whole), "%s, draw %d", files[f], i);
        }
        fvi_free(data);
    }
    fvi_workspace_free(&w);
    fvi_workspace_free(&v);
}

TEST_MAIN(CASE(as_torchvision), CASE(pads_to_a_square), CASE(a_draw_depends_on_its_key_only), CASE(random_parts), CASE(extreme_shapes),
          CASE(scaled_jpeg_is_near), CASE(part_decoding_changes_nothing))
