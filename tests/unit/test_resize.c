/* SPDX-License-Identifier: Apache-2.0 */
/* The resizer against Pillow, bit for bit (tests/golden/resize.txt), its vector loops against the plain ones, views. */
#include "test.h"

#include "base/rng.h"
#include "image/resize.h"

#include <stdlib.h>

static const char *const names[] = {"bilinear", "bicubic", "lanczos", "nearest", "box"};       /* of fvi_filter */

/* The pattern of tools/golden/pictures.py. */
static void pattern(fvi_picture *p, int w, int h)
{
    if (fvi_picture_size(NULL, p, w, h) != FV_OK) return;
    for (int i = 0; i < 3 * w * h; i++) {
        int x = i / 3 % w, y = i / 3 / w, c = i % 3;
        uint8_t noise = (uint8_t)((uint32_t)i * 2654435761u >> 24), edges = (x / 5 + y / 7 + c) & 1 ? 255 : 0;
        p->pixels[4 * (i / 3) + c] = ((x + y) / 16) & 1 ? noise : edges;
        p->pixels[4 * (i / 3) + 3] = (uint8_t)i;
    }
}

static uint64_t fnv(const fvi_picture *p)
{
    uint64_t h = 0xCBF29CE484222325u;
    for (int i = 0; i < p->width * p->height; i++)
        for (int c = 0; c < 3; c++) h = (h ^ p->pixels[4 * i + c]) * 0x100000001B3u;
    return h;
}

static void as_pillow(void)
{
    FILE *f = fopen(FOVEA_TESTS_DIR "/golden/resize.txt", "r");
    CHECK(f);
    char name[16];
    int iw, ih, ow, oh, cases = 0;
    double box[4];
    uint64_t want;
    fvi_picture in = {0}, out = {0};
    fvi_resizer r = {0};
    while (fscanf(f, "%15s %d %d %lf %lf %lf %lf %d %d %" SCNx64, name, &iw, &ih, &box[0], &box[1], &box[2], &box[3], &ow, &oh, &want) == 10) {
        int filter = 0;
        while (filter < 5 && strcmp(names[filter], name)) filter++;
        pattern(&in, iw, ih);
        fvi_view view = fvi_view_of(&in);
        CHECK_EQ(fvi_resize(NULL, &r, &view, box, (fvi_filter)filter, ow, oh, &out), FV_OK);
        CHECK_MSG(fnv(&out) == want, "%s %dx%d to %dx%d differs from Pillow", name, iw, ih, ow, oh);
        CHECK_EQ(fvi_resize_plain(NULL, &r, &view, box, (fvi_filter)filter, ow, oh, &out), FV_OK);
        CHECK_MSG(fnv(&out) == want, "plain: %s %dx%d to %dx%d differs from Pillow", name, iw, ih, ow, oh);
        cases++;
    }
    fclose(f);
    fvi_picture_free(&in);
    fvi_picture_free(&out);
    fvi_resizer_free(&r);
    CHECK(cases > 60);
}

static void fast_as_plain(void)
{
    fvi_picture in = {0}, a = {0}, b = {0};
    fvi_resizer r = {0};
    fvi_rng g = fvi_rng_at(3, 1);
    for (int i = 0; i < 300; i++) {
        pattern(&in, 1 + (int)fvi_rng_below(&g, 120), 1 + (int)fvi_rng_below(&g, 120));
        int x = (int)fvi_rng_below(&g, in.width), y = (int)fvi_rng_below(&g, in.height);
        fvi_view view = fvi_view_part(&in, x, y, 1 + (int)fvi_rng_below(&g, in.width - x), 1 + (int)fvi_rng_below(&g, in.height - y));
        int w = 1 + (int)fvi_rng_below(&g, 90), h = 1 + (int)fvi_rng_below(&g, 90);
        fvi_filter filter = (fvi_filter)(i % 3);
        CHECK_EQ(fvi_resize(NULL, &r, &view, NULL, filter, w, h, &a), FV_OK);
        CHECK_EQ(fvi_resize_plain(NULL, &r, &view, NULL, filter, w, h, &b), FV_OK);
        CHECK(!memcmp(a.pixels, b.pixels, 4 * (size_t)w * (size_t)h));
    }
    fvi_picture_free(&in);
    fvi_picture_free(&a);
    fvi_picture_free(&b);
    fvi_resizer_free(&r);
}

/* A view is a picture of its own: what lies around it is not seen. */
static void views_end_at_their_edge(void)
{
    fvi_picture in = {0}, part = {0}, a = {0}, b = {0};
    fvi_resizer r = {0};
    pattern(&in, 50, 40);
    fvi_view view = fvi_view_part(&in, 7, 9, 30, 20), all;
    CHECK_EQ(fvi_resize(NULL, &r, &view, NULL, FVI_FILTER_BICUBIC, 30, 20, &part), FV_OK);       /* a copy */
    all = fvi_view_of(&part);
    CHECK_EQ(fvi_resize(NULL, &r, &view, NULL, FVI_FILTER_BICUBIC, 13, 17, &a), FV_OK);
    CHECK_EQ(fvi_resize(NULL, &r, &all, NULL, FVI_FILTER_BICUBIC, 13, 17, &b), FV_OK);
    CHECK(!memcmp(a.pixels, b.pixels, 4 * 13 * 17));
    fvi_picture_free(&in);
    fvi_picture_free(&part);
    fvi_picture_free(&a);
    fvi_picture_free(&b);
    fvi_resizer_free(&r);
}

static void nearest_takes_the_middle(void)
{
    fvi_picture in = {0}, out = {0};
    fvi_resizer r = {0};
    pattern(&in, 10, 7);
    fvi_view view = fvi_view_of(&in);
    CHECK_EQ(fvi_resize(NULL, &r, &view, NULL, FVI_FILTER_NEAREST, 5, 21, &out), FV_OK);
    for (int y = 0; y < 21; y++)
        for (int x = 0; x < 5; x++) CHECK(!memcmp(out.pixels + 4 * (y * 5 + x), in.pixels + 4 * (y / 3 * 10 + 2 * x + 1), 4));
    fvi_picture_free(&in);
    fvi_picture_free(&out);
    fvi_resizer_free(&r);
}

static void refuses(void)
{
    fvi_picture in = {0}, out = {0};
    fvi_resizer r = {0};
    pattern(&in, 8, 8);
    fvi_view view = fvi_view_of(&in);
    const double boxes[][4] = {{-1, 0, 8, 8}, {0, 0, 9, 8}, {4, 0, 4, 8}, {0, 5, 8, 3}, {NAN, 0, 8, 8}};
    for (int i = 0; i < FVI_COUNT(boxes); i++) CHECK_EQ(fvi_resize(NULL, &r, &view, boxes[i], FVI_FILTER_BILINEAR, 4, 4, &out), FV_ERROR_INVALID);
    CHECK_EQ(fvi_resize(NULL, &r, &view, NULL, FVI_FILTER_BILINEAR, 0, 4, &out), FV_ERROR_FORMAT);
    CHECK_EQ(fvi_resize(NULL, &r, &view, NULL, FVI_FILTER_BILINEAR, 65000, 65000, &out), FV_ERROR_FORMAT);
    fvi_picture_free(&in);
    fvi_picture_free(&out);
    fvi_resizer_free(&r);
}

TEST_MAIN(CASE(as_pillow), CASE(fast_as_plain), CASE(views_end_at_their_edge), CASE(nearest_takes_the_middle), CASE(refuses))
