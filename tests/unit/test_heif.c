/* SPDX-License-Identifier: Apache-2.0 */
/* HEIC and AVIF: recognised by their brands; near the pixels of Pillow (tests/golden/heif.txt); sizes that lie are found before a
 * decoder takes memory for them; bad files. Without libheif the first and the third are all there is, and that is said. */
#include "test.h"

#include "base/file.h"
#include "image/image.h"

#include <stdio.h>
#include <stdlib.h>

#define CORPUS FOVEA_TESTS_DIR "/fuzz/corpus/heif/"

static uint8_t *load(const char *name, size_t *bytes)
{
    char path[512], *data = NULL;
    snprintf(path, sizeof path, CORPUS "%s", name);
    if (fvi_file_read(NULL, path, 1 << 20, &data, bytes) != FV_OK) printf("    cannot read %s\n", path);
    return (uint8_t *)data;
}

/* Is libheif here, with a decoder for such files? */
static bool can_read(const char *name)
{
    size_t bytes = 0;
    fvi_picture p = {0};
    uint8_t *data = load(name, &bytes);
    const bool can = data && fvi_image_decode(NULL, name, data, bytes, NULL, &p, NULL) != FV_ERROR_UNSUPPORTED;
    free(data);
    fvi_picture_free(&p);
    if (!can) printf("    NOT TESTED: no libheif that reads %s (Debian: libheif1)\n", name);
    return can;
}

static void recognised_by_brand(void)
{
    static const struct { const char *head; size_t bytes; fvi_image_format format; } rows[] = {
        {"\0\0\0\x18" "ftypheic\0\0\0\0mif1heic", 24, FVI_IMAGE_HEIC}, {"\0\0\0\x18" "ftypavif\0\0\0\0mif1miaf", 24, FVI_IMAGE_AVIF},
        {"\0\0\0\x18" "ftypmif1\0\0\0\0mif1avif", 24, FVI_IMAGE_AVIF}, {"\0\0\0\x18" "ftypmif1\0\0\0\0mif1heix", 24, FVI_IMAGE_HEIC},
        {"\0\0\0\x18" "ftypmif1\0\0\0\0mif1avif", 16, FVI_IMAGE_HEIC}, {"\0\0\0\x14" "ftypmsf1\0\0\0\0hevcavif", 24, FVI_IMAGE_HEIC},
        {"\0\0\0\x18" "ftypisom\0\0\0\0mp41iso2", 24, FVI_IMAGE_UNKNOWN}, {"\0\0\0\x18" "ftypheic", 11, FVI_IMAGE_UNKNOWN},
        {"\0\0\0\x08" "ftypheic\0\0\0\0", 16, FVI_IMAGE_UNKNOWN}};
    for (int i = 0; i < FVI_COUNT(rows); i++) CHECK_EQ(fvi_image_sniff((const uint8_t *)rows[i].head, rows[i].bytes), rows[i].format);
}

static int distance(const fvi_picture *p, const char *points)
{
    int most = 0;
    for (int k = 0; k < 20; k++) {
        const int x = (2 * (k % 5) + 1) * p->width / 10, y = (2 * (k / 5) + 1) * p->height / 8;
        const uint8_t *q = p->pixels + 4 * ((size_t)y * (size_t)p->width + (size_t)x);
        for (int c = 0; c < 3; c++) {
            unsigned want = 0;
            sscanf(points + 6 * k + 2 * c, "%2x", &want);
            most = FVI_MAX(most, abs((int)want - q[c]));
        }
    }
    return most;
}

static void near_pillow(void)
{
    FILE *f = fopen(FOVEA_TESTS_DIR "/golden/heif.txt", "r");
    char name[64], points[128];
    int w, h, tolerance, cases = 0;
    fvi_picture p = {0};
    const bool heic = can_read("lossless.heic"), avif = can_read("grey.avif");
    CHECK(f);
    while (fscanf(f, "%63s %d %d %d %127s", name, &w, &h, &tolerance, points) == 5) {
        size_t bytes;
        fvi_image_info info;
        if (strstr(name, "avif") ? !avif : !heic) continue;
        uint8_t *data = load(name, &bytes);
        CHECK(data);
        CHECK_EQ(fvi_image_probe(NULL, name, data, bytes, NULL, &info), FV_OK);
        CHECK_EQ(info.width, w);
        CHECK_EQ(info.height, h);
        CHECK_EQ(info.format, strstr(name, "avif") ? FVI_IMAGE_AVIF : FVI_IMAGE_HEIC);
        CHECK_EQ(info.alpha, !strncmp(name, "alpha", 5) || !strncmp(name, "mult", 4));
        CHECK_EQ(fvi_image_decode(NULL, name, data, bytes, &(fvi_decode_options){.keep_orientation = w % 20 == 0}, &p, &info), FV_OK);
        CHECK_EQ(p.width, w);
        CHECK_EQ(p.height, h);
        CHECK_EQ(info.orientation, 1);
        CHECK_MSG(distance(&p, points) <= tolerance, "%s: %d from Pillow's pixels", name, distance(&p, points));
        free(data);
        cases++;
    }
    fclose(f);
    fvi_picture_free(&p);
    CHECK(cases >= (heic ? 8 : 0) + (avif ? 9 : 0));
}

static void alpha_over_a_colour(void)
{
    size_t bytes;
    fvi_picture p = {0}, q = {0};
    if (!can_read("alpha.heic")) SKIP("alpha");
    uint8_t *data = load("alpha.heic", &bytes);
    CHECK(data);
    CHECK_EQ(fvi_image_decode(NULL, "x", data, bytes, NULL, &p, NULL), FV_OK);
    CHECK_EQ(fvi_image_decode(NULL, "x", data, bytes, &(fvi_decode_options){.alpha = FVI_ALPHA_WHITE}, &q, NULL), FV_OK);
    CHECK(p.pixels[3] < 10 && p.pixels[4 * (29 * 40 + 39) + 3] > 240);
    CHECK(q.pixels[0] > 245 && abs(q.pixels[4 * (29 * 40 + 39)] - p.pixels[4 * (29 * 40 + 39)]) < 15);
    free(data);
    fvi_picture_free(&p);
    fvi_picture_free(&q);
}

/* What is written `at` bytes behind the first `mark` of a good file, which is then cut to `keep` per cent. */
static const struct bad_case { const char *name, *file, *mark; int at, n; const char *patch; int keep; const char *says; bool needs_libheif; } bad_cases[] = {
    {"coded.heic", "lie.heic", NULL, 0, 0, "", 100, "the header says 16384 x 8000 pixels; the limits are 65500 a side and 100000000 in all", false},
    {"coded.avif", "lie.avif", NULL, 0, 0, "", 100, "the header says 16384 x 8000 pixels; the limits are 65500 a side and 100000000 in all", false},
    {"told.heic", "lossless.heic", "ispe", 8, 8, "\0\0\xEA\x60\0\0\xEA\x60", 100, "the header says 60000 x 60000 pixels; the limits are", false},
    {"told.avif", "lossy.avif", "ispe", 8, 8, "\xFF\xFF\xFF\xFF\0\0\0\x10", 100, "the header says 4294967295 x 16 pixels; the limits are", false},
    {"flat.avif", "lossy.avif", "ispe", 8, 4, "\0\0\0\0", 100, "the header says 0 x 30 pixels", false},
    {"grid.heic", "grid.heic", "idat", 8, 4, "\x4E\x20\x4E\x20", 100, "the header says 20000 x 20000 pixels; the limits are", false},
    {"tile.heic", "grid.heic", "ispe", 8, 8, "\0\1\0\0\0\0\0\1", 100, "the header says 65536 x 1 pixels", false},
    {"parts.heic", "grid.heic", "iloc", 10, 2, "\xFF\xFF", 100, "65535 parts; the limit is 4096", false},
    {"cut.heic", "lossless.heic", NULL, 0, 0, "", 60, "truncated HEIC", true},
    {"cut.avif", "lossy.avif", NULL, 0, 0, "", 90, "AVIF", true},
    {"cut_grid.heic", "grid.heic", NULL, 0, 0, "", 90, "truncated HEIC", true},
    {"header.heic", "lossless.heic", NULL, 0, 0, "", 2, "HEIC", true},
    {"meta.avif", "lossy.avif", "meta", 0, 4, "free", 100, "damaged AVIF", true},
    {"primary.heic", "lossless.heic", "pitm", 8, 2, "\0\7", 100, "damaged HEIC", true},
    {"no_data.heic", "grid.heic", "idat", 0, 4, "free", 100, "HEIC", true},
    {"codec.heic", "lossless.heic", "hvc1", 0, 4, "xxxx", 100, "HEIC", true},
    {"header.avif", "lossy.avif", "av1C", 0, 4, "free", 100, "AVIF", true}};

static void bad_files(void)
{
    fv_context *ctx = fv_context_create();
    fvi_picture p = {0};
    const bool have = can_read("lossless.heic") && can_read("grey.avif");
    for (int i = 0; i < FVI_COUNT(bad_cases); i++) {
        const struct bad_case *c = &bad_cases[i];
        size_t bytes;
        if (c->needs_libheif && !have) continue;
        uint8_t *data = load(c->file, &bytes), *at = data;
        CHECK(data);
        if (c->mark) at = memmem(data, bytes, c->mark, 4);
        CHECK(at);
        memcpy(at + c->at, c->patch, (size_t)c->n);
        const size_t keep = bytes * (size_t)c->keep / 100;
        uint8_t *exact = malloc(keep);                   /* so that sanitizers see what is read behind it */
        memcpy(exact, data, keep);
        const fv_status status = fvi_image_decode(ctx, c->name, exact, keep, NULL, &p, NULL);
        CHECK_MSG(status == FV_ERROR_FORMAT || status == FV_ERROR_UNSUPPORTED, "%s: %s", c->name, fv_status_text(status));
        CHECK_HAS(fv_error_message(ctx), c->says);
        CHECK_MSG(!strncmp(fv_error_message(ctx), c->name, strlen(c->name)), "%s: not named: %s", c->name, fv_error_message(ctx));
        free(data);
        free(exact);
    }
    fvi_picture_free(&p);
    fv_context_destroy(ctx);
}

/* Every file cut at every length: an error or a picture, never more. */
static void cut_anywhere(void)
{
    static const char *const files[] = {"grid.heic", "alpha.avif", "second.heic", "lie.heic"};
    fvi_picture p = {0};
    for (int i = 0; i < FVI_COUNT(files); i++) {
        size_t bytes;
        int ok = 0, tried = 0;
        uint8_t *data = load(files[i], &bytes);
        CHECK(data);
        for (size_t n = 0; n < bytes; n += n < 900 ? 1 : 97, tried++) {
            uint8_t *exact = malloc(n ? n : 1);
            memcpy(exact, data, n);
            ok += fvi_image_decode(NULL, "x", exact, n, NULL, &p, NULL) == FV_OK;
            free(exact);
        }
        CHECK_MSG(ok * 2 < tried, "%s: %d of %d cut files were taken for whole", files[i], ok, tried);
        free(data);
    }
    fvi_picture_free(&p);
}

static void out_of_memory(void)
{
    size_t bytes;
    if (!can_read("turn6.avif")) SKIP("failing allocations");
    fv_context *ctx = fv_context_create();
    uint8_t *data = load("turn6.avif", &bytes);
    fv_status status = FV_ERROR_NOMEM;
    CHECK(data);
    for (int n = 1; n < 20 && status != FV_OK; n++) {
        fvi_picture p = {0};
        fvi_memory_set_fault(n);
        status = fvi_image_decode(ctx, "x", data, bytes, NULL, &p, NULL);
        fvi_memory_set_fault(0);
        CHECK(status == FV_OK || status == FV_ERROR_NOMEM);
        fvi_picture_free(&p);
    }
    CHECK_EQ(status, FV_OK);
    free(data);
    fv_context_destroy(ctx);
}

TEST_MAIN(CASE(recognised_by_brand), CASE(near_pillow), CASE(alpha_over_a_colour), CASE(bad_files), CASE(cut_anywhere), CASE(out_of_memory))
